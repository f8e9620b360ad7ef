"""An ASGI application around a :class:`improto.service.Service`: the host's server speaks HTTP and
WebSocket, the core speaks the protocol, and the service decides what a message means.

It runs under any ASGI server, on asyncio and on trio; waiting is left to anyio. Rules:

* A WebSocket costs one task beside the host's own. The host's task reads, the other one writes,
  so that messages leave in order and a slow client holds up nobody, and keeps time, lazily: most
  messages move a deadline later, which moves nothing.
* The service is called between two awaits, never from within one of its own calls, and for every
  ``opened`` there is one ``closed``, whatever becomes of the WebSocket or of the host.
* An ASGI application cannot break a connection off. Where a client should see it vanish
  (:attr:`improto.events.Farewell.ABORT`), the application ends without closing the WebSocket:
  uvicorn then drops the TCP connection, hypercorn closes with code 1011.
* Long polling is not served; its URLs are answered in the way that ends it without a fuss
  (http 5.4).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio

from improto._lines import show_address
from improto.config import Limits, Timing
from improto.errors import LimitExceeded, RemoteProtocolError
from improto.events import CloseReason, ConnectionClosed, Farewell
from improto.http import HttpRequest, HttpResponse
from improto.login import PATH, Login
from improto.server import ServerConnection
from improto.service import Peer, pass_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from improto.service import Service

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

_VANISHED: Final = 1006
"""WebSocket close code for a transport that broke (RFC 6455 section 7.4.1)."""

_ANY_PAGE: Final = ("access-control-allow-origin", "*")
"""SDKs run in pages of other origins and see nothing of an answer without it (http 2.4)."""

_TEXT: Final = ("content-type", "text/plain; charset=utf-8")

_NO_POLLING: Final = HttpResponse(
    status=HTTPStatus.OK,
    headers=(_ANY_PAGE, ("content-type", "application/json; charset=utf-8")),
    body=b'{"status":3,"headerCode":32,"messageId":0}',
)
_LOST_PARAMS: Final = HttpResponse(
    status=HTTPStatus.BAD_REQUEST, headers=(_ANY_PAGE, _TEXT), body=b"lost params"
)
_POLLING: Final = {
    ("GET", PATH): _NO_POLLING,
    ("POST", PATH): _LOST_PARAMS,
    ("GET", "/pullmsg.js"): _LOST_PARAMS,
}
"""What a server without long polling answers (http 5.4)."""

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

_logger = logging.getLogger(__name__)


class ImApp:
    """The ASGI application.

    ``service`` is called from the host's event loop. ``clock`` gives seconds and must run as that
    loop's own clock does. An exception of the service is logged under "improto.asgi" and ends the
    connection, or the request, that it was called for.

    SDKs look for ``/websocket`` and navigation at the root of a host, so mount it there, behind
    the host's own routes.
    """

    def __init__(
        self,
        service: Service,
        *,
        limits: Limits | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.limits = limits or Limits()
        self.timing = timing or Timing()
        self.clock = clock
        self._sockets: dict[_Socket, None] = {}
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
        """How many WebSockets are open."""
        return len(self._sockets)

    async def aclose(self, deadline: float = 5.0) -> None:
        """Send everybody away so that they come back (session 4.2), and let nobody in any more.

        Waits until they have gone, but not longer than ``deadline`` seconds. A host that tells its
        life to this application (the ASGI lifespan) need not call it; frameworks do not tell it
        to what is mounted in them.
        """
        self._all_gone = self._all_gone or anyio.Event()
        for socket in list(self._sockets):
            socket.shut_down()
        if self._sockets:
            with anyio.move_on_after(deadline):
                await self._all_gone.wait()

    # -- what the host brings --------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if self._all_gone is not None or _path(scope) != PATH:
            # Before the WebSocket is accepted this is HTTP status 403.
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "websocket.accept"})
        socket = _Socket(self, scope, receive, send)
        self._sockets[socket] = None
        try:
            await socket.run()
        finally:
            del self._sockets[socket]
            if self._all_gone is not None and not self._sockets:
                self._all_gone.set()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read_body(receive)
        if body is None:
            return
        if isinstance(body, HTTPStatus):
            response = _refusal(body)
        else:
            response = self._respond(_request(scope, body))
        headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
        if response.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(response.body)))
        await send(
            {
                "type": "http.response.start",
                "status": int(response.status),
                "headers": [(name.lower(), value) for name, value in headers],
            }
        )
        is_head = scope["method"] == "HEAD"
        await send({"type": "http.response.body", "body": b"" if is_head else response.body})

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

    def _respond(self, request: HttpRequest) -> HttpResponse:
        polling = _POLLING.get((request.method, request.path))
        if polling is not None:
            return polling
        try:
            return self.service.http(request)
        except Exception:
            _logger.exception("the program failed to answer %s", request.path)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


class _Socket:
    """One WebSocket of the host."""

    def __init__(self, app: ImApp, scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(scope)
        self._service = app.service
        self._limits = app.limits
        self._timing = app.timing
        self._clock = app.clock
        self._receive = receive
        self._send = send
        self._connection = ServerConnection(
            Login.from_query(request.query),
            now=app.clock(),
            limits=app.limits,
            timing=app.timing,
        )
        self._peer = Peer(
            self._connection,
            address=show_address(scope.get("client")),
            origin=request.header("origin"),
            clock=app.clock,
            wake=self._wake,
        )
        self._end: ConnectionClosed | None = None
        self._is_gone = False
        """The WebSocket is closed: nothing that is said arrives any more."""
        self._outbox: deque[bytes] = deque()
        self._unsent = 0
        """Bytes in the outbox, and of the message that is being sent."""
        self._sending: anyio.CancelScope | None = None
        """Around the message that the host has not taken yet."""
        self._wakeup = anyio.Event()

    async def run(self) -> None:
        """Serve the client until it has gone."""
        try:
            async with anyio.create_task_group() as tasks:
                self._feed(self._open)
                tasks.start_soon(self._write, tasks.cancel_scope)
                await self._read()
                tasks.cancel_scope.cancel()
        finally:
            # Harmless unless the host has ended it.
            self._feed(self._connection.receive_eof)

    def shut_down(self) -> None:
        """Say goodbye."""
        self._feed(self._connection.shut_down)

    # -- the host's task -------------------------------------------------------------

    async def _read(self) -> None:
        connection = self._connection
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._is_gone = True
                is_clean = message.get("code") != _VANISHED
                self._feed(partial(connection.receive_eof, clean=is_clean))
                return
            data = message.get("bytes")
            if data is None:
                self._feed(connection.fail, _text_error())
            elif len(data) > self._limits.message_bytes:
                error = LimitExceeded(f"message above {self._limits.message_bytes} bytes")
                self._feed(connection.fail, error)
            else:
                self._feed(connection.receive_message, bytes(data))

    # -- our task --------------------------------------------------------------------

    async def _write(self, scope: anyio.CancelScope) -> None:
        """Send what there is, and wait for more or for the next deadline."""
        while self._end is None:
            self._wakeup = anyio.Event()
            self._feed(self._connection.handle_timeout)
            await self._flush()
            deadline = self._connection.next_deadline()
            if deadline is not None:
                # One that becomes earlier does so with something to send, which wakes us.
                with anyio.move_on_after(deadline - self._clock()):
                    await self._wakeup.wait()
        await self._flush()
        if self._end.farewell is Farewell.CLOSE:
            await self._say({"type": "websocket.close", "code": self._end.close_code})
        scope.cancel()

    async def _flush(self) -> None:
        while self._outbox:
            message = self._outbox.popleft()
            await self._say({"type": "websocket.send", "bytes": message})
            self._unsent -= len(message)

    async def _say(self, message: Message) -> None:
        """Have the host send something; a client that does not take it is dropped."""
        if self._is_gone:
            return
        patience = self._timing.idle if self._end is None else self._timing.linger
        with anyio.move_on_after(patience) as self._sending:
            try:
                await self._send(message)
            except OSError:
                # What ASGI says when the client has gone (specification 2.4).
                self._is_gone = True
                self._feed(self._connection.receive_eof)
        is_stuck, self._sending = self._sending.cancelled_caught, None
        if is_stuck:
            self._is_gone = True
            self._abandon(CloseReason.SLOW_READER)

    # -- the program -----------------------------------------------------------------

    def _wake(self) -> None:
        """The program has queued something; it may be in the middle of anything."""
        self._wakeup.set()
        if self._sending is not None and self._is_congested():
            self._sending.cancel()

    def _is_congested(self) -> bool:
        for message in self._connection.messages_to_send():
            self._outbox.append(message)
            self._unsent += len(message)
        return self._unsent > self._limits.outbound_bytes

    def _open(self, *, now: float) -> None:
        self._service.opened(self._peer)

    def _feed(self, action: Callable[..., None], *arguments: Any) -> None:
        """Tell the connection something, and the service what came of it."""
        if self._end is not None:
            return
        try:
            action(*arguments, now=self._clock())
            self._dispatch()
        except Exception:
            _logger.exception("the program failed; the connection of %s ends", self._peer.address)
            self._abandon(CloseReason.LOCAL)
        if self._is_congested():
            self._abandon(CloseReason.SLOW_READER)
        if self._outbox or self._end is not None:
            self._wakeup.set()

    def _dispatch(self) -> None:
        while (event := self._connection.next_event()) is not None:
            if isinstance(event, ConnectionClosed):
                self._end = event
            pass_on(event, self._peer, self._service)

    def _abandon(self, reason: CloseReason) -> None:
        """End at once."""
        self._outbox.clear()
        if self._sending is not None:
            self._sending.cancel()
        self._connection.abandon(reason, now=self._clock())
        # Whatever came before has been passed on; None if it has ended already.
        end = self._connection.next_event()
        if isinstance(end, ConnectionClosed):
            self._end = end
            try:
                self._service.closed(self._peer, end)
            except Exception:
                _logger.exception("the program failed")


def _text_error() -> RemoteProtocolError:
    error = RemoteProtocolError("text message, only binary ones are allowed")
    # Unsupported data (RFC 6455 section 7.4.1).
    error.close_code = 1003
    return error


def _refusal(status: HTTPStatus) -> HttpResponse:
    return HttpResponse(status=status, headers=(_ANY_PAGE, _TEXT), body=status.phrase.encode())


def _path(scope: Scope) -> str:
    """The path without that of the place where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _request(scope: Scope, body: bytes = b"") -> HttpRequest:
    query: bytes = scope.get("query_string", b"")
    target = quote(_path(scope))
    if query:
        target += f"?{query.decode('latin-1')}"
    return HttpRequest(
        method=scope.get("method", "GET"),
        target=target,
        headers=tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ),
        body=body,
    )
