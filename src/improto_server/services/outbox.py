"""What is to be told to the application: kept in the store until it was taken (rest 10).

Whoever has something to tell puts it in; that never waits, and costs the same transaction as what
it tells of. :mod:`improto_server.hooks` takes it out, stream by stream.

A stream that nobody takes from grows no further than the operator allows: the oldest goes, and is
counted.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto_server.steps import start
from improto_server.store import outbox as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from improto_server.clock import MessageClock
    from improto_server.services.data import Data
    from improto_server.steps import Pending
    from improto_server.store.outbox import Post

SLICE: Final = 100
"""Rows that are dropped at a time."""

_DAY: Final = 24 * 60 * 60 * 1000

_logger = logging.getLogger(__name__)


class Kind(enum.IntEnum):
    """What a callback is about."""

    MESSAGES = 1
    ONLINE = 2
    CHATROOMS = 3


class Stream(NamedTuple):
    """What is told in order: one kind of callbacks of one app."""

    app: str
    kind: Kind


class Outbox:
    """The service. ``counts``: how much the store has of each app and kind at the start.

    A stream has at most ``most`` rows, and :data:`SLICE` more, and none older than ``days``.
    """

    def __init__(
        self,
        data: Data,
        clock: MessageClock,
        *,
        counts: Mapping[tuple[str, int], int],
        most: int,
        days: int,
    ) -> None:
        self._data = data
        self._clock = clock
        self._most = most
        self._days = days
        self.waiting = Counter({Stream(app, Kind(kind)): n for (app, kind), n in counts.items()})
        """How many rows each stream has."""
        self.dropped: Counter[Stream] = Counter()
        """How many were never taken."""
        self.on_put: list[Callable[[Stream], None]] = []
        """Called when a stream has something new."""

    def put(self, stream: Stream, body: bytes, *, time: int) -> None:
        """Something is to be told: a JSON object, and when it happened."""
        change = partial(table.add, app=stream.app, kind=stream.kind, time=time, body=body)
        self._write(stream, self._data.write(change))

    def put_message(
        self, stream: Stream, body: bytes, *, time: int, uid: str, in_history: bool
    ) -> None:
        """The same of a message that was appended just now; of a repeat nothing is told."""
        change = partial(
            table.add_stored,
            app=stream.app,
            kind=stream.kind,
            time=time,
            body=body,
            uid=uid,
            in_history=in_history,
        )
        # The store has taken the message, so it has to take this.
        self._write(stream, self._data.write(change, is_part=True))

    async def next(self, stream: Stream, count: int) -> list[Post]:
        """The oldest of a stream, at most ``count``."""
        return await self._data.read(
            partial(table.page, app=stream.app, kind=stream.kind, count=count)
        )

    async def taken(self, stream: Stream, posts: Sequence[Post]) -> None:
        """The application has these."""
        await self._remove(stream, posts)

    async def refused(self, stream: Stream, posts: Sequence[Post]) -> None:
        """The application will never take these."""
        self.dropped[stream] += await self._remove(stream, posts)

    async def drop_old(self, stream: Stream) -> None:
        """Forget what is too old."""
        change = partial(table.drop_before, time=self._clock.now() - self._days * _DAY)
        while await self._drop(stream, change) == SLICE:
            pass

    def _write(self, stream: Stream, pending: Pending[bool]) -> None:
        pending.call(partial(self._written, stream, pending))

    def _written(self, stream: Stream, pending: Pending[bool]) -> None:
        if pending.error is not None or not pending.result():
            return
        self.waiting[stream] += 1
        excess = self.waiting[stream] - self._most
        if excess > 0 and excess % SLICE == 0:
            start(self._drop(stream, table.drop_oldest), _log)
        for call in self.on_put:
            call(stream)

    async def _remove(self, stream: Stream, posts: Sequence[Post]) -> int:
        ids = [post.id for post in posts]
        count = await self._data.write(partial(table.remove, ids=ids))
        self.waiting[stream] -= count
        return count

    async def _drop(self, stream: Stream, change: Callable[..., int]) -> int:
        count = await self._data.write(
            partial(change, app=stream.app, kind=stream.kind, count=SLICE)
        )
        self.waiting[stream] -= count
        if count:
            self.dropped[stream] += count
            _logger.error(
                "%d webhooks (%s of app %s) were never taken and are dropped",
                count,
                stream.kind.name.lower(),
                stream.app,
            )
        return count


def _log(result: int | Exception) -> None:
    if isinstance(result, Exception):
        _logger.error("webhooks were not dropped: %s", result)
