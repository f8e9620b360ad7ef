"""An ASGI application around a :class:`improto.service.Service`: the host's server speaks HTTP and
WebSocket, the core speaks the protocol, and the service decides what a message means.

It runs under any ASGI server, on asyncio and on trio; waiting is left to anyio. Rules:

* A WebSocket costs one task beside the host's own; a request of long polling costs none, but the
  application has one for all of them while it is :meth:`ImApp.running`.
* The service is called between two awaits, never from within one of its own calls, and for every
  ``opened`` there is one ``closed``, whatever becomes of the client or of the host.
* An ASGI application cannot break a connection off. Where a client should see it vanish
  (:attr:`improto.events.Farewell.ABORT`), the application ends without closing the WebSocket:
  uvicorn then drops the TCP connection, hypercorn closes with code 1011.
* Without long polling its URLs are answered in the way that ends it without a fuss (http 5.4).
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio

from improto._asgi_polling import Pollers
from improto._asgi_scope import LOGGER, path_of, request_of, send_response
from improto._asgi_socket import Socket
from improto._lines import show_address
from improto.codes import ConnAckStatus
from improto.config import Limits, Timing
from improto.http import HttpRequest, HttpResponse
from improto.login import PATH
from improto.transports.polling import POLL_PATH, lost_params, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from improto._asgi_scope import Receive as Receive
    from improto._asgi_scope import Scope as Scope
    from improto._asgi_scope import Send as Send
    from improto.service import Service

_NO_POLLING: Final = {
    ("GET", PATH): refused(ConnAckStatus.SERVER_UNAVAILABLE),
    ("POST", PATH): lost_params(),
    ("GET", POLL_PATH): lost_params(),
}
"""What an application without long polling answers (http 5.4)."""


class ImApp:
    """The ASGI application.

    ``service`` is called from the host's event loop. ``clock`` gives seconds and must run as that
    loop's own clock does. An exception of the service is logged under "improto.asgi" and ends the
    connection, or the request, that it was called for.

    Clients may come by WebSocket and, while the application is :meth:`running` and unless
    ``long_polling`` is False, by plain HTTP requests; the service sees no difference.

    SDKs look for ``/websocket`` and navigation at the root of a host, so mount it there, behind
    the host's own routes.
    """

    def __init__(
        self,
        service: Service,
        *,
        limits: Limits | None = None,
        timing: Timing | None = None,
        long_polling: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.limits = limits or Limits()
        self.timing = timing or Timing()
        self.clock = clock
        self._has_polling = long_polling
        self._pollers: Pollers | None = None
        self._guests: dict[object, None] = {}
        """WebSockets, and requests of long polling that wait."""
        self._all_gone: anyio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, request or life of the host. ValueError for what else there may be."""
        match scope["type"]:
            case "websocket":
                await self._serve(scope, receive, send)
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case other:
                raise ValueError(f"improto serves websocket, http and lifespan, not {other}")

    @property
    def connections(self) -> int:
        """How many WebSockets are open, and how many requests of long polling wait."""
        return len(self._guests)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve long polling for as long as the block lasts, then :meth:`aclose`.

        A host that tells its life to this application (the ASGI lifespan) need not enter it;
        frameworks do not tell it to what is mounted in them. Once only: RuntimeError otherwise.
        """
        if self._pollers is not None or self._all_gone is not None:
            raise RuntimeError("an application runs once")
        async with anyio.create_task_group() as tasks:
            if self._has_polling:
                self._pollers = Pollers(
                    self.service, limits=self.limits, timing=self.timing, clock=self.clock
                )
                tasks.start_soon(self._pollers.keep_time)
            try:
                try:
                    yield
                finally:
                    await self.aclose()
            finally:
                self._pollers = None
                tasks.cancel_scope.cancel()

    async def aclose(self, deadline: float = 5.0) -> None:
        """Send everybody away so that they come back (session 4.2), and let nobody in any more.

        Waits until they have gone, but not longer than ``deadline`` seconds.
        """
        self._all_gone = self._all_gone or anyio.Event()
        if self._pollers is not None:
            self._pollers.shut_down()
        for guest in list(self._guests):
            if isinstance(guest, Socket):
                guest.shut_down()
        if self._guests:
            with anyio.move_on_after(deadline):
                await self._all_gone.wait()

    # -- what the host brings --------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if self._all_gone is not None or path_of(scope) != PATH:
            # Before the WebSocket is accepted this is HTTP status 403.
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "websocket.accept"})
        socket = Socket(
            self.service,
            scope,
            receive,
            send,
            limits=self.limits,
            timing=self.timing,
            clock=self.clock,
        )
        with self._present(socket):
            await socket.run()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read_body(receive)
        if isinstance(body, HTTPStatus):
            response: HttpResponse | None = _refusal(body)
        elif body is None:
            response = None
        else:
            response = await self._respond(request_of(scope, body), scope, receive)
        if response is not None:
            await send_response(scope, send, response)

    async def _read_body(self, receive: Receive) -> bytes | HTTPStatus | None:
        """The whole body, or why it is refused; None if the client has gone."""
        body = bytearray()
        with anyio.move_on_after(self.timing.login):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > self.limits.http_body_bytes:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                if not message.get("more_body", False):
                    return bytes(body)
        return HTTPStatus.REQUEST_TIMEOUT

    async def _respond(
        self, request: HttpRequest, scope: Scope, receive: Receive
    ) -> HttpResponse | None:
        """The answer; None if the client has gone."""
        if request.path == PATH and "websocket" in request.tokens("upgrade"):
            # It would be a WebSocket by now if the host could open one.
            return _refusal(HTTPStatus.NOT_IMPLEMENTED)
        pollers = self._pollers
        if pollers is not None and pollers.takes(request):
            # Not the request itself: two of them may be equal.
            with self._present(object()):
                address = show_address(scope.get("client"))
                return await pollers.answer(request, receive, address=address)
        try:
            answer = _NO_POLLING.get((request.method, request.path))
            return answer or self.service.http(request)
        except Exception:
            LOGGER.exception("the program failed to answer %s", request.path)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)

    @contextmanager
    def _present(self, guest: object) -> Iterator[None]:
        """Somebody who is waited for at the end."""
        self._guests[guest] = None
        try:
            yield
        finally:
            del self._guests[guest]
            if self._all_gone is not None and not self._guests:
                self._all_gone.set()


def _refusal(status: HTTPStatus) -> HttpResponse:
    # SDKs run in pages of other origins and see nothing of an answer without it (http 2.4).
    headers = (("access-control-allow-origin", "*"), ("content-type", "text/plain; charset=utf-8"))
    return HttpResponse(status=status, headers=headers, body=status.phrase.encode())
