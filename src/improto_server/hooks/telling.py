"""Telling the application what has happened, stream by stream (rest 10.1 to 10.3).

In a stream there is one request at a time, so that the application hears things in order. It goes
on when the application has taken it (2xx), or has said several times that it never will. Otherwise
it is tried again, later and later, until it is too old. What was told, but not noted down before
the server died, is told again.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import msgspec

from improto_server.errors import ServiceError
from improto_server.hooks.calling import CallFailed
from improto_server.services.outbox import Kind
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from improto_server.hooks.calling import Caller
    from improto_server.services.outbox import Outbox, Stream
    from improto_server.store.outbox import Post

SECONDS: Final = 5.0
"""How long the application may take (rest 10)."""

ATTEMPTS: Final = 3
"""How often a request is made that the application says is wrong (rest 10)."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds before the next attempt: twice as long each time."""

PAGE: Final = 100
"""What is read at a time; of other things than messages, what is told at a time."""

_HOUR: Final = 3600.0

_WRONG: Final = frozenset({400, 413, 414, 415, 422})
"""Statuses by which the application says that this request is wrong, and will be."""

_decode_fields = msgspec.json.Decoder(dict[str, str]).decode

_logger = logging.getLogger(__name__)


class _Problem(NamedTuple):
    """Why the application has not taken something."""

    text: str
    is_final: bool
    """It never will."""


class Teller:
    """Tells all apps. ``callers``: by app; ``urls``: where each stream goes."""

    def __init__(
        self, outbox: Outbox, *, callers: Mapping[str, Caller], urls: Mapping[Stream, str]
    ) -> None:
        self._outbox = outbox
        self._callers = callers
        self._urls = urls
        self._news = {stream: anyio.Event() for stream in urls}
        # What each stream begins with if it was called wrong, and how often.
        self._wrong: dict[Stream, tuple[int, int]] = {}
        outbox.on_put.append(self._put)

    async def run(self) -> None:
        """Tell, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._drop_old)
            for stream in self._urls:
                tasks.start_soon(self._tell_all, stream)

    def _put(self, stream: Stream) -> None:
        if stream in self._news:
            self._news[stream].set()

    async def _drop_old(self) -> None:
        while True:
            for stream in [*self._outbox.waiting]:
                await self._drop(stream)
            await anyio.sleep(_HOUR)

    async def _drop(self, stream: Stream) -> None:
        with suppress(ServiceError):
            await finished(self._outbox.drop_old(stream))

    async def _tell_all(self, stream: Stream) -> None:
        failures = 0
        while True:
            self._news[stream] = news = anyio.Event()
            try:
                posts = await finished(self._outbox.next(stream, PAGE))
                failures = await self._tell(stream, posts, failures)
            except ServiceError:
                # The store has said in the log what is the matter.
                failures += 1
            except Exception:
                # A mistake in here must not take the server down.
                _logger.exception("%s is not told", _name(stream))
                failures += 1
            if failures:
                await anyio.sleep(min(FIRST_PAUSE * 2 ** min(failures - 1, 8), LONGEST_PAUSE))
                await self._drop(stream)
            elif not posts:
                await news.wait()

    async def _tell(self, stream: Stream, posts: Sequence[Post], failures: int) -> int:
        """Tell these, up to the first failure; returns how often in a row it has failed now."""
        size = 1 if stream.kind is Kind.MESSAGES else PAGE
        for first in range(0, len(posts), size):
            batch = posts[first : first + size]
            problem = await self._attempt(stream, batch)
            if problem is None:
                await finished(self._outbox.taken(stream, batch))
            elif problem.is_final and self._is_given_up(stream, batch[0].id):
                _logger.error("%s does not take a webhook: %s", _name(stream), problem.text)
                await finished(self._outbox.refused(stream, batch))
            else:
                if not failures:
                    _logger.warning("%s is not told: %s", _name(stream), problem.text)
                return failures + 1
            failures = 0
        return 0

    def _is_given_up(self, stream: Stream, first: int) -> bool:
        """Whether the application has now said often enough that it does not take something."""
        before, times = self._wrong.get(stream, (first, 0))
        times = times + 1 if before == first else 1
        self._wrong[stream] = first, times
        return times >= ATTEMPTS

    async def _attempt(self, stream: Stream, posts: Sequence[Post]) -> _Problem | None:
        """One request. None: the application has taken it."""
        caller, url = self._callers[stream.app], self._urls[stream]
        try:
            if stream.kind is Kind.MESSAGES:
                (post,) = posts
                answer = await caller.form(url, _decode_fields(post.body), seconds=SECONDS)
            else:
                body = b"[" + b",".join(post.body for post in posts) + b"]"
                answer = await caller.json(url, body, seconds=SECONDS)
        except CallFailed as error:
            return _Problem(str(error), is_final=False)
        if 200 <= answer.status < 300:
            return None
        return _Problem(f"status {answer.status}", is_final=answer.status in _WRONG)


def _name(stream: Stream) -> str:
    return f"app {stream.app} ({stream.kind.name.lower()})"
