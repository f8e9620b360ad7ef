"""Long polling in an ASGI application: sessions like those of a socket, in requests of the host.

Everything that a session does is :mod:`improto._polling`'s. Here is what carries it:

* A request that waits is the host's own task, which waits for the client to go away; the answer
  cancels that wait. There is no task, queue or timer of ours per request or session.
* One task of the application keeps the time of all sessions, and hands out what the program has
  queued when the loop comes round.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING

import anyio

from improto._asgi_scope import LOGGER
from improto._lines import NEVER, Lines
from improto._polling import PollingSessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto._asgi_scope import Receive
    from improto.config import Limits, Timing
    from improto.http import HttpRequest, HttpResponse
    from improto.service import Service


class Pollers:
    """All clients of one application that poll. :meth:`keep_time` must run."""

    def __init__(
        self, service: Service, *, limits: Limits, timing: Timing, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._wakeup = anyio.Event()
        self._wakes_at = NEVER
        self._lines = Lines(
            limits=limits,
            timing=timing,
            clock=clock,
            flush_soon=self._wake,
            wake_at=self._wake_at,
            report=_report,
        )
        self._sessions = PollingSessions(service, lines=self._lines, make_id=token_urlsafe)

    def takes(self, request: HttpRequest) -> bool:
        """Whether the request is one of long polling."""
        return self._sessions.takes(request)

    async def answer(
        self, request: HttpRequest, receive: Receive, *, address: str
    ) -> HttpResponse | None:
        """The answer, as soon as there is one; None if the client has gone."""
        asker = _Request(address)
        self._sessions.ask(asker, request)
        try:
            return await asker.wait(receive)
        finally:
            self._sessions.forget(asker)

    def shut_down(self) -> None:
        """Answer whoever waits so that he comes back, and let nobody in any more."""
        self._sessions.shut_down()

    async def keep_time(self) -> None:
        """Hand out answers and watch deadlines, until cancelled."""
        while True:
            self._wakes_at = NEVER
            self._lines.handle_timeouts()
            self._lines.flush()
            # Whoever has woken us meanwhile has been served by now.
            self._wakeup = anyio.Event()
            with anyio.move_on_after(self._wakes_at - self._clock()):
                await self._wakeup.wait()

    def _wake(self) -> None:
        self._wakeup.set()

    def _wake_at(self, deadline: float) -> None:
        self._wakes_at = deadline
        self._wakeup.set()


class _Request:
    """One that is not answered yet."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._response: HttpResponse | None = None
        self._waiting = anyio.CancelScope()

    def respond(self, response: HttpResponse) -> None:
        """The answer has come."""
        self._response = response
        self._waiting.cancel()

    async def wait(self, receive: Receive) -> HttpResponse | None:
        """The answer; None if the client has gone before it came."""
        with self._waiting:
            # The body has been read, so whatever else a host tells says nothing.
            while self._response is None:
                if (await receive())["type"] == "http.disconnect":
                    break
        return self._response


def _report(address: str, error: Exception) -> None:
    LOGGER.error("the program failed; the connection of %s ends", address, exc_info=error)
