"""The store as the loop's thread sees it: requests in, answers by callback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.to_thread

from improto_server.store.batches import Lane
from improto_server.store.database import Database, transaction
from improto_server.store.retention import Forgetting
from improto_server.store.values import StoreError
from improto_server.store.writer import Job, Writer, why_unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from improto_server.errors import ServiceError
    from improto_server.store.values import NewMessage, Stored

T = TypeVar("T")

CLOSE_SECONDS: Final = 10.0
"""For the batches that wait; service managers commonly kill after 10 s to 90 s."""


class Store:
    """Messages, inboxes and history, with a thread that writes and one that reads.

    All methods belong to the event loop's thread, and there each ``done`` is called: once,
    never inside the call that it was given to, in the order of the calls of one method. It gets
    a :class:`StoreError` if the request or the database is at fault; the next batch is tried
    again all the same.

    ``Stored`` is a promise: the message is on the disk. Whatever happens after the crash of
    the process (or, if durable, of the machine), it is there. A message that was answered by
    an error, or not at all, may be there as well; its ``unique_id`` tells.
    """

    def __init__(
        self,
        database: Database,
        *,
        soon: Callable[[Callable[[], None]], None],
        on_loop: Callable[[Callable[[], None]], None],
    ) -> None:
        self._database = database
        self.path = database.path
        """The database file."""
        self.latest_time = database.latest_time
        """The highest time that a client may know of, when the store was opened; 0 if there was
        none. The clock must not go back behind it (session 1)."""
        self._writer: Lane[Job, Any] = Lane(
            "store-writer",
            work=Writer(database.writing).work,
            failure=database.failure,
            soon=soon,
            on_loop=on_loop,
        )
        self._reader: Lane[Callable[[Connection], Any], Any] = Lane(
            "store-reader",
            work=self._answer,
            failure=database.failure,
            soon=soon,
            on_loop=on_loop,
        )

    @classmethod
    def open(
        cls,
        url: str,
        *,
        soon: Callable[[Callable[[], None]], None],
        on_loop: Callable[[Callable[[], None]], None],
        durable: bool = True,
    ) -> Store:
        """Open the store, or make it. Blocks for some milliseconds, or minutes if a large file of
        an older version is brought up to date.

        ``url`` names a file: ``sqlite:///improto.db``, with four slashes if the path begins
        with one. Directories that are missing are made. ``soon`` calls a function at the end
        of the loop's turn; ``on_loop`` does it from any thread. ``durable`` False skips
        waiting for the disk: a power cut may take the last seconds, the end of the process
        takes nothing.

        Raises StoreError if that cannot be done; then nothing was started.
        """
        return cls(Database.open(url, durable=durable), soon=soon, on_loop=on_loop)

    def ask(self, query: Callable[[Connection], T]) -> T:
        """Run a query at once, for what must be known before the first request comes.

        Only as long as nothing was asked of :meth:`read`. Raises StoreError.
        """
        connection = self._database.reading
        try:
            with transaction(connection):
                return query(connection)
        except Exception as error:
            raise self._database.failure(error) from error

    @property
    def batches(self) -> int:
        """How many transactions have written something."""
        return self._writer.batches

    @property
    def jobs(self) -> int:
        """How many messages and changes were in them."""
        return self._writer.jobs

    def append(self, message: NewMessage, done: Callable[[Stored | StoreError], None]) -> bool:
        """Write a message. What is appended in one turn of the loop is written together.

        False if it is not taken; ``done`` gets to know why.
        """
        reason = why_unstorable(message)
        if reason is None and self._writer.is_full:
            reason = "the store cannot keep up with what is to be written"
        if reason is None:
            self._writer.put(message, done, size=len(message.item))
        else:
            self._writer.put(StoreError(reason), done)
        return reason is None

    def write(
        self,
        change: Callable[[Connection], T],
        done: Callable[[T | StoreError | ServiceError], None],
        *,
        is_part: bool = False,
    ) -> None:
        """Run a change on the writer's thread, after what was appended and written before.

        It commits together with its batch, or is undone alone if it raises; a ServiceError that
        it raises is its answer. ``is_part``: it belongs to what was taken just now, and is taken
        as well, however much is waiting.
        """
        if self._writer.is_full and not is_part:
            reason = "the store cannot keep up with what is to be written"
            self._writer.put(StoreError(reason), done)
        else:
            self._writer.put(change, done)

    def read(
        self, query: Callable[[Connection], T], done: Callable[[T | StoreError], None]
    ) -> None:
        """Run a query on the reader's thread. It sees everything that is stored by now.

        Queries run one after the other and must not change anything. If one raises, its answer
        is a StoreError.
        """
        self._reader.put(query, done)

    def forget_before(self, time: int, done: Callable[[int | StoreError], None]) -> None:
        """Forget what is in boxes and older than ``time``; history stays.

        ``done`` gets the number of box entries deleted. It is done in slices that messages
        need not wait for; to be called every hour or so. A forgotten message that was not in
        history is no longer recognised when it is repeated.
        """

        def proceed(state: Forgetting | StoreError) -> None:
            if isinstance(state, StoreError):
                done(state)
            elif state.is_finished:
                done(state.entries)
            else:
                self._writer.put(state, proceed)

        proceed(Forgetting(before=time))

    def close(self, *, timeout: float = CLOSE_SECONDS) -> None:
        """Do what has been asked for, then close. Blocks for at most ``timeout`` seconds.

        The last answers come through ``on_loop``, so not before the loop runs again. Raises
        StoreError if the time is up. May be called twice.
        """
        self._stop()
        self._wait(timeout)

    async def aclose(self) -> None:
        """:meth:`close` on asyncio or trio. The loop goes on, so all answers come before this
        returns. Cancelling does not keep it from being done."""
        self._stop()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._wait, CLOSE_SECONDS)

    def _stop(self) -> None:
        self._reader.close()
        self._writer.close()

    def _wait(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        for lane in (self._reader, self._writer):
            if not lane.join(max(0.0, end - time.monotonic())):
                raise StoreError(
                    f"the store {self._database.path} did not finish within {timeout} s"
                )
        self._database.close()

    def _answer(self, queries: Sequence[Callable[[Connection], Any]]) -> list[Any]:
        """All in one transaction: what was stored before the first was asked, they all see."""
        connection = self._database.reading
        answers: list[Any] = []
        with transaction(connection):
            for query in queries:
                answer: Any
                try:
                    answer = query(connection)
                except Exception as error:
                    answer = self._database.failure(error)
                answers.append(answer)
        return answers
