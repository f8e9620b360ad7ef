"""Brings what is to be kept to the store, and its answers back.

Whatever uses the store is a job, and jobs are done in the order in which they were put. A store
in memory does them at once. For one on a disk they gather while others are done: a worker
thread does all that have come, in one transaction, and then they are told. So however much
arrives in one turn of the loop, it costs one hop to a thread and one commit.

A store that fails ends the connection. What it has not taken stays here, in its order, for the
next attempt: what has arrived is lost only with the process, and the server brings it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from improto_client.book import Book
from improto_client.errors import ImError, Malformed, StoreError, UnusableStore

if TYPE_CHECKING:
    from improto.contents import Registry
    from improto_client.book import Saved
    from improto_client.store import Store

T = TypeVar("T")

Job: TypeAlias = Callable[[Book], T]
"""Something to do with the book. If it raises Malformed, it has changed nothing."""

LARGEST_BATCH: Final = 1000
"""Jobs of one transaction. Ours; others wait for it."""


@dataclass(slots=True, eq=False)
class _Order:
    job: Job[Any]
    then: Callable[[Any], object] | None = None
    done: anyio.Event | None = None
    """Somebody waits for it."""
    outcome: Any = None

    def finish(self, outcome: Any) -> None:
        """Tell who wants to know."""
        self.outcome = outcome
        if self.done is not None:
            self.done.set()
        elif self.then is not None:
            self.then(outcome)


class Keeper:
    """The only one who touches the store of a client."""

    def __init__(self, store: Store, *, app_key: str, registry: Registry | None) -> None:
        self.on_failure: Callable[[StoreError], None]
        """Called with what the store has failed with; nothing is done until :meth:`resume`."""
        self._store = store
        self._book = Book(store, registry=registry)
        self._app_key = app_key
        self._orders: deque[_Order] = deque()
        self._news = anyio.Event()
        self._failure: StoreError | None = None
        self._one_thread = anyio.CapacityLimiter(1)

    # -- begin and end ---------------------------------------------------------------

    async def open(self) -> Saved:
        """Open the store; StoreError if it cannot be used."""
        try:
            return await self._in_thread(self._begin)
        except Exception as error:
            named = as_store_error(error)
            raise named from named.__cause__

    def _begin(self) -> Saved:
        self._store.open()
        try:
            with self._store.transaction():
                return self._book.begin(self._app_key)
        except BaseException:
            self._store.close()
            raise

    async def flush(self) -> None:
        """Wait until everything is done that was put; after a failure, nothing will be."""
        if self._failure is None:
            with suppress(StoreError):
                await self.do(lambda book: None)

    async def close(self) -> None:
        """Do what waits, as far as the store takes it, and close it; nothing is done after that.

        :meth:`run` must have ended. Who waits, and who comes later, is told.
        """
        with anyio.CancelScope(shield=True):
            while self._orders and self._failure is None:
                await self._do_some()
            await self._in_thread(self._store.close)
        self._stop(self._failure or UnusableStore("the client has ended, its store is closed"))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if not self._store.in_thread:
            return call()
        return await anyio.to_thread.run_sync(call, limiter=self._one_thread)

    # -- jobs ------------------------------------------------------------------------

    def put(self, job: Job[T], then: Callable[[T], object] | None = None) -> None:
        """Have something done, and ``then`` called with its result."""
        self._order(_Order(job, then))

    async def do(self, job: Job[T]) -> T:
        """Have something done and wait for its result; raises what it raises, or StoreError."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        order = _Order(job, done=anyio.Event())
        self._order(order)
        assert order.done is not None  # made above
        await order.done.wait()
        if isinstance(order.outcome, ImError):
            raise order.outcome.with_traceback(None)
        result: T = order.outcome
        return result

    def _order(self, order: _Order) -> None:
        if self._store.in_thread or self._failure is not None or self._orders:
            self._orders.append(order)
            self._news.set()
            return
        try:
            with self._store.transaction():
                outcome = self._outcome(order)
        except Exception as error:
            self._orders.append(order)
            self._failed(error)
        else:
            order.finish(outcome)

    def resume(self) -> None:
        """Try again after a failure."""
        self._failure = None
        self._news.set()

    async def run(self) -> None:
        """Do jobs, until cancelled."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            while self._orders and self._failure is None:
                await self._do_some()

    async def _do_some(self) -> None:
        orders = list(islice(self._orders, LARGEST_BATCH))
        try:
            outcomes = await self._in_thread(lambda: self._work(orders))
        except Exception as error:
            self._failed(error)
            return
        for order, outcome in zip(orders, outcomes, strict=True):
            self._orders.popleft()
            order.finish(outcome)

    def _work(self, orders: list[_Order]) -> list[Any]:
        with self._store.transaction():
            return [self._outcome(order) for order in orders]

    def _outcome(self, order: _Order) -> Any:
        try:
            return order.job(self._book)
        except Malformed as error:
            return error
        except (OverflowError, UnicodeError) as error:
            # A number or a text that no store takes: the fault of who has asked, if somebody has.
            if order.done is None:
                raise
            return Malformed(str(error))

    def _failed(self, error: Exception) -> None:
        failure = as_store_error(error)
        self._stop(failure)
        self.on_failure(failure)

    def _stop(self, failure: StoreError) -> None:
        self._failure = failure
        waiting = [order for order in self._orders if order.done is not None]
        self._orders = deque(order for order in self._orders if order.done is None)
        for order in waiting:
            order.finish(failure)


def as_store_error(error: Exception) -> StoreError:
    """What a store has raised, which may be somebody's own class."""
    if isinstance(error, StoreError):
        return error
    failure = UnusableStore(f"the store has failed: {error!r}")
    failure.__cause__ = error
    return failure
