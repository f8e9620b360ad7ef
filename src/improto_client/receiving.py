"""Who gets which message, and when it counts as taken.

Sans-IO, but for the wakeup that a reader waits on. Rules:

* A message goes to every reader whose filter lets it through, in the order of arrival. It
  counts as taken when all of them are done with it; only then the server may forget it.
* While there are no readers at all, messages wait. A message that no reader's filter lets
  through counts as taken: nobody wants it.
* What a reader leaves behind, and nobody else has taken, goes to the next one that wants it. So
  nothing is lost by a loop that is left early, or by an exception.
* What waits is bounded by the connection, which asks the server for no more until messages
  are taken. All readers are as fast as the slowest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from improto_client.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from improto.events import Receipt
    from improto_client.values import Message

T = TypeVar("T")

IN_A_ROW: Final = 16
"""How many things a reader takes before others get their turn. Ours: a turn of the event loop
costs as much as a message."""


@dataclass(slots=True, eq=False)
class _Parcel:
    message: Message
    receipt: Receipt
    holders: set[Reader] = field(default_factory=set)
    """Who is not done with it."""
    is_taken: bool = False
    """Somebody is done with it."""


class Waitable:
    """Something that one reader at a time waits for."""

    def __init__(self) -> None:
        self._waiter: anyio.Event | None = None
        self._in_a_row = 0

    def wake(self) -> None:
        """Let the reader look again."""
        if self._waiter is not None:
            self._waiter.set()

    async def wait(self, is_ready: Callable[[], object]) -> None:
        """Wait until something is so; Malformed if somebody waits already."""
        if self._waiter is not None:
            raise Malformed("another task is iterating already")
        if is_ready():
            self._in_a_row += 1
            if self._in_a_row % IN_A_ROW == 0:
                await checkpoint()
            return
        try:
            while not is_ready():
                self._waiter = anyio.Event()
                await self._waiter.wait()
        finally:
            self._waiter = None


class Feed(Generic[T]):
    """Things that happen, for one iterating task. Nothing is lost up to ``limit``; then the
    oldest is dropped and counted in ``dropped``."""

    def __init__(self, *, limit: int) -> None:
        self.dropped = 0
        self._items: deque[T] = deque(maxlen=limit)
        self._waitable = Waitable()
        self._is_ended = False

    def put(self, item: T) -> None:
        """One more."""
        self.dropped += len(self._items) == self._items.maxlen
        self._items.append(item)
        self._waitable.wake()

    def end(self) -> None:
        """No more; what waits can still be read."""
        self._is_ended = True
        self._waitable.wake()

    def __aiter__(self) -> Feed[T]:
        return self

    async def __anext__(self) -> T:
        await self._waitable.wait(lambda: self._items or self._is_ended)
        if not self._items:
            raise StopAsyncIteration
        return self._items.popleft()


class Reader:
    """One reader of messages. Iterate over it inside ``async with``.

    A message counts as taken when the next one is asked for, or when the block is left in the
    normal way. The iteration ends when the program disconnects; if the connection has ended
    for another reason, and for good, it raises the :class:`improto_client.errors.ImError` that
    says why. What a filter raises comes out in the place of the message that it was asked about.
    Only one task may iterate at a time; Malformed otherwise.
    """

    def __init__(self, readers: Readers, wants: Callable[[Message], bool]) -> None:
        self._readers = readers
        self._wants = wants
        self._parcels: deque[tuple[_Parcel, Exception | None]] = deque()
        """With what the filter has raised."""
        self._current: _Parcel | None = None
        self._waitable = Waitable()

    async def __aenter__(self) -> Reader:
        self._readers.add(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.settle()
        self._readers.remove(self)

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Message:
        self.settle()
        await self._waitable.wait(lambda: self._parcels or self._readers.is_ended)
        if not self._parcels:
            raise self._readers.ending()
        self._current, error = self._parcels.popleft()
        if error is not None:
            raise error
        return self._current.message

    def settle(self) -> None:
        """The last message has been taken, before the next one is asked for."""
        current, self._current = self._current, None
        if current is not None:
            self._readers._done(current, self)

    def _offer(self, parcel: _Parcel) -> bool:
        failure = None
        try:
            if not self._wants(parcel.message):
                return False
        except Exception as error:
            # The program's own; it must not cost the connection.
            failure = error
        parcel.holders.add(self)
        self._parcels.append((parcel, failure))
        self._waitable.wake()
        return True

    def _leave(self) -> list[_Parcel]:
        left = [*([self._current] if self._current else []), *(each for each, _ in self._parcels)]
        self._current = None
        self._parcels.clear()
        return left


class Readers:
    """All readers of one client. ``acknowledge`` is called with what has been taken."""

    def __init__(self, acknowledge: Callable[[Receipt], None]) -> None:
        self.is_ended = False
        self._error: Exception | None = None
        self._acknowledge = acknowledge
        self._readers: list[Reader] = []
        self._unclaimed: list[_Parcel] = []
        """What waits for the next reader, in order."""

    def reader(self, wants: Callable[[Message], bool]) -> Reader:
        """A reader; it gets what arrives from the beginning of its block on."""
        return Reader(self, wants)

    def deliver(self, message: Message, receipt: Receipt) -> None:
        """A message has arrived."""
        self._hand_out(_Parcel(message, receipt))

    def begin(self) -> None:
        """There will be messages, after an end perhaps."""
        self.is_ended = False
        self._error = None

    def end(self, error: Exception | None) -> None:
        """No more messages; readers may take what they have. None: the program wants it so."""
        self.is_ended = True
        self._error = error
        for reader in self._readers:
            reader._waitable.wake()

    def ending(self) -> Exception:
        """What a reader raises that has nothing more to read."""
        return StopAsyncIteration() if self._error is None else self._error.with_traceback(None)

    def clear(self) -> None:
        """Forget all messages; their receipts are of no use any more."""
        self._unclaimed.clear()
        for reader in self._readers:
            reader._leave()

    def _hand_out(self, parcel: _Parcel) -> None:
        if not self._readers:
            self._unclaimed.append(parcel)
            return
        offers = [reader._offer(parcel) for reader in self._readers]
        if not any(offers):
            self._acknowledge(parcel.receipt)

    def _done(self, parcel: _Parcel, reader: Reader) -> None:
        parcel.is_taken = True
        parcel.holders.discard(reader)
        if not parcel.holders:
            self._acknowledge(parcel.receipt)

    def add(self, reader: Reader) -> None:
        """From now on it gets messages; first what waits."""
        self._readers.append(reader)
        waiting, self._unclaimed = self._unclaimed, []
        for parcel in waiting:
            self._hand_out(parcel)

    def remove(self, reader: Reader) -> None:
        """It gets no more; what it leaves goes to the others."""
        self._readers.remove(reader)
        for parcel in reader._leave():
            parcel.holders.discard(reader)
            if parcel.holders:
                continue
            if parcel.is_taken:
                self._acknowledge(parcel.receipt)
            else:
                self._hand_out(parcel)
