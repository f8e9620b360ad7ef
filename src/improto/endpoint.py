"""Bytes in, bytes out: transport and protocol of one TCP connection put together.

The adapters own a socket, a clock and tasks. Everything between the socket and the
program that both of them would otherwise write is here, still without I/O. The rules of
:mod:`improto.connection` hold: inputs carry ``now``, outputs change nothing.

The loop of an adapter: feed ``receive_data``, ``receive_eof`` or ``handle_timeout``; write
``data_to_send()``; wake at ``next_deadline()``; once ``is_over`` and everything is
written, or the bytes have been stuck for ``timing.linger`` seconds, close the socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from improto.client import ClientConnection
from improto.events import CloseReason, ConnectionClosed, Farewell
from improto.login import PATH, Login
from improto.server import ServerConnection
from improto.service import Peer, pass_on
from improto.transports import (
    FramerState,
    HttpServer,
    WebSocketClient,
    is_websocket_upgrade,
    upgrade_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto._polling import PollingSessions
    from improto.config import Limits, Timing
    from improto.connection import Connection
    from improto.errors import ImprotoError
    from improto.events import ClientEvent
    from improto.http import HttpRequest, HttpResponse
    from improto.service import Service
    from improto.session import ClientSession
    from improto.transports import Framer, FramerFactory

_VANISHED: Final = 1006
"""WebSocket close code for a transport that broke (RFC 6455 section 7.4.1)."""


class _Pipe:
    """A framer and a connection, joined."""

    __slots__ = ("_close_by", "_connection", "_framer", "_patience", "is_over")

    def __init__(self, connection: Connection[Any], framer: Framer, *, patience: float) -> None:
        self._connection = connection
        self._framer = framer
        self._patience = patience
        self._close_by: float | None = None
        self.is_over = False

    def receive_data(self, data: bytes, *, now: float) -> None:
        self._framer.receive_data(data)
        self.take_messages(now=now)

    def receive_eof(self, *, now: float) -> None:
        self._framer.receive_eof()
        self.take_messages(now=now)
        self.is_over = True

    def take_messages(self, *, now: float) -> None:
        """Pass on what the framer has found."""
        framer, connection = self._framer, self._connection
        while (message := framer.next_message()) is not None:
            connection.receive_message(message, now=now)
        if framer.error is not None:
            connection.fail(framer.error, now=now)
        elif framer.state is FramerState.CLOSED:
            connection.receive_eof(now=now, clean=framer.close_code != _VANISHED)
        if self._close_by is not None and framer.state is FramerState.CLOSED:
            self.is_over = True

    def say_goodbye(self, event: ConnectionClosed, *, now: float) -> None:
        """The connection has ended: close the WebSocket and give the peer a moment."""
        self._send_messages()
        if event.farewell is Farewell.CLOSE:
            self._framer.close(event.close_code)
        self._close_by = now + self._patience
        if event.farewell is Farewell.ABORT or self._framer.state is FramerState.CLOSED:
            self.is_over = True

    def data_to_send(self) -> bytes:
        self._send_messages()
        return self._framer.data_to_send()

    def _send_messages(self) -> None:
        messages = self._connection.messages_to_send()
        if self._framer.state is FramerState.OPEN:
            for message in messages:
                self._framer.send_message(message)

    def next_deadline(self) -> float | None:
        return self._connection.next_deadline() if self._close_by is None else self._close_by

    def handle_timeout(self, *, now: float) -> None:
        if self._close_by is None:
            self._connection.handle_timeout(now=now)
        elif now >= self._close_by:
            self.is_over = True


class ServerEndpoint:
    """A server's end of one TCP connection: HTTP first, then perhaps a WebSocket.

    Calls ``service`` from within its inputs; an exception of the service comes out of
    them, and the adapter then logs it and drops the connection. ``wake`` is called when
    the program has queued something through the :class:`Peer`, so that the adapter
    writes ``data_to_send()`` at the end of its loop turn. ``polling`` is where the requests of
    clients that poll go; without it they go to the service.
    """

    __slots__ = (
        "_answer",
        "_clock",
        "_head",
        "_http",
        "_limits",
        "_make_framer",
        "_pipe",
        "_polling",
        "_service",
        "_timing",
        "_wake",
        "address",
        "peer",
    )

    def __init__(
        self,
        service: Service,
        *,
        address: str,
        limits: Limits,
        timing: Timing,
        make_framer: FramerFactory,
        clock: Callable[[], float],
        wake: Callable[[], None],
        polling: PollingSessions | None = None,
    ) -> None:
        self._service = service
        self._polling = polling
        self._answer: HttpResponse | None = None
        self._limits = limits
        self._timing = timing
        self._make_framer = make_framer
        self._clock = clock
        self._wake = wake
        self._http: HttpServer | None = HttpServer(limits, timing, now=clock())
        self._pipe: _Pipe | None = None
        self._head = b""
        self.address = address
        """Where the client comes from, for logs."""
        self.peer: Peer | None = None
        """The client, once its WebSocket is open; None again after the end."""

    def receive_data(self, data: bytes, *, now: float) -> None:
        """Bytes arrived."""
        if self._pipe is not None:
            self._pipe.receive_data(data, now=now)
            self.dispatch(now=now)
        elif self._http is not None:
            self._http.receive_data(data, now=now)
            self._serve_requests(self._http, now=now)
            self._wait_no_more()

    def receive_eof(self, *, now: float) -> None:
        """The stream ended."""
        if self._pipe is not None:
            self._pipe.receive_eof(now=now)
            self.dispatch(now=now)
        elif self._http is not None:
            self._http.receive_eof(now=now)
            if self._polling is not None and not self._http.is_closed:
                # A page that polls no more closes; an answer would be lost.
                self._http = None
            self._wait_no_more()

    def respond(self, response: HttpResponse) -> None:
        """The answer to a request of long polling, sent at the end of the loop turn."""
        self._answer = response
        self._wake()

    def handle_timeout(self, *, now: float) -> None:
        """A deadline may have passed."""
        if self._pipe is not None:
            self._pipe.handle_timeout(now=now)
            self.dispatch(now=now)
        elif self._http is not None:
            self._http.handle_timeout(now=now)
            self._serve_requests(self._http, now=now)

    def shut_down(self, *, now: float) -> None:
        """End in the way that makes this client come back (session 4.2)."""
        if self.peer is not None:
            self.peer.connection.shut_down(now=now)
            self.dispatch(now=now)
        elif self._http is not None:
            self._respond(self._http, now=now)
            self._head = self._http.data_to_send()
            self._http = None
            self._wait_no_more()

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        """End at once: the peer does not read, or the program failed.

        Of the events that the service has not seen it gets only the last.
        """
        self._http = None
        self._wait_no_more()
        if self.peer is not None and self._pipe is not None:
            connection = self.peer.connection
            connection.abandon(reason, now=now)
            while not isinstance(event := connection.next_event(), ConnectionClosed):
                pass
            self._end(self.peer, self._pipe, event, now=now)

    def pause_sending(self, *, now: float) -> None:
        """More than ``limits.outbound_bytes`` are not written: drop who does not read."""
        self.abandon(CloseReason.SLOW_READER, now=now)

    def resume_sending(self, *, now: float) -> None:
        """Written after all; too late for a client that was dropped."""

    def dispatch(self, *, now: float) -> None:
        """Hand the connection's events to the service.

        The inputs do it by themselves; an adapter does it before it writes after a ``wake``,
        because the program may have ended the connection.
        """
        if self._http is not None:
            self._serve_requests(self._http, now=now)
            return
        pipe = self._pipe
        while (peer := self.peer) is not None and pipe is not None:
            event = peer.connection.next_event()
            if event is None:
                return
            if isinstance(event, ConnectionClosed):
                self._end(peer, pipe, event, now=now)
            else:
                pass_on(event, peer, self._service)

    def data_to_send(self) -> bytes:
        """Take everything that is ready for the socket."""
        head, self._head = self._head, b""
        if self._pipe is not None:
            return head + self._pipe.data_to_send()
        return head + self._http.data_to_send() if self._http is not None else head

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        if self._pipe is not None:
            return self._pipe.next_deadline()
        return self._http.next_deadline() if self._http is not None else None

    @property
    def is_over(self) -> bool:
        """True if the socket should be closed when everything is written."""
        if self._pipe is not None:
            return self._pipe.is_over
        return self._http is None or self._http.is_closed

    def _end(self, peer: Peer, pipe: _Pipe, event: ConnectionClosed, *, now: float) -> None:
        self.peer = None
        pipe.say_goodbye(event, now=now)
        self._service.closed(peer, event)

    def _wait_no_more(self) -> None:
        """If it is over, no answer to a request of long polling can be sent any more."""
        if self._polling is not None and self.is_over:
            self._polling.forget(self)

    def _respond(self, http: HttpServer, *, now: float) -> None:
        """Give the answer that has come to a request of long polling, if one has."""
        response, self._answer = self._answer, None
        if response is not None and not http.is_closed:
            http.respond(response, now=now)

    def _serve_requests(self, http: HttpServer, *, now: float) -> None:
        # Any input may be the first after an answer has come, and the only one.
        self._respond(http, now=now)
        while (request := http.next_request()) is not None:
            if request.path == PATH and is_websocket_upgrade(request):
                self._upgrade(http, request, now=now)
                return
            response = upgrade_error(request)
            if response is None and self._polling is not None and self._polling.takes(request):
                self._polling.ask(self, request)
                if self._answer is None:
                    return
                self._respond(http, now=now)
                continue
            http.respond(response or self._service.http(request), now=now)

    def _upgrade(self, http: HttpServer, request: HttpRequest, *, now: float) -> None:
        framer = http.upgrade(self._make_framer)
        self._head = http.data_to_send()
        self._http = None
        connection = ServerConnection(
            Login.from_query(request.query), now=now, limits=self._limits, timing=self._timing
        )
        self._pipe = _Pipe(connection, framer, patience=self._timing.close)
        self.peer = Peer(
            connection,
            address=self.address,
            origin=request.header("origin"),
            clock=self._clock,
            wake=self._wake,
        )
        self._service.opened(self.peer)
        self._pipe.take_messages(now=now)
        self.dispatch(now=now)


class ClientEndpoint:
    """A client's end of one TCP connection: opening handshake, then the protocol.

    ``host`` is what the Host header says, with the port. Drive :attr:`connection` directly
    for requests, then write ``data_to_send()``. Take events with ``next_event()``; a
    handshake that fails ends in ConnectionClosed with ``error`` set here.
    """

    def __init__(
        self,
        session: ClientSession,
        login: Login,
        *,
        host: str,
        limits: Limits,
        timing: Timing,
        make_framer: FramerFactory,
        now: float,
    ) -> None:
        self.connection = ClientConnection(
            session, protocol_version=login.protocol_version, limits=limits, timing=timing
        )
        self.error: ImprotoError | None = None
        """Why the opening handshake failed."""
        self._timing = timing
        self._opening = WebSocketClient(host, login.target, limits=limits, make_framer=make_framer)
        self._pipe: _Pipe | None = None
        self._is_over = False
        self.connection.connect(now=now)

    def receive_data(self, data: bytes, *, now: float) -> None:
        """Bytes arrived."""
        if self._pipe is not None:
            self._pipe.receive_data(data, now=now)
        else:
            self._opening.receive_data(data)
            self._check_opening(now=now)

    def receive_eof(self, *, now: float) -> None:
        """The stream ended."""
        if self._pipe is not None:
            self._pipe.receive_eof(now=now)
            return
        self._opening.receive_eof()
        self._check_opening(now=now)
        self.connection.receive_eof(now=now)
        self._is_over = True

    def handle_timeout(self, *, now: float) -> None:
        """A deadline may have passed."""
        if self._pipe is not None:
            self._pipe.handle_timeout(now=now)
        else:
            self.connection.handle_timeout(now=now)

    def next_event(self, *, now: float) -> ClientEvent | None:
        """Take the oldest event; after ConnectionClosed only the goodbye is left to write."""
        event = self.connection.next_event()
        if isinstance(event, ConnectionClosed):
            if self._pipe is not None:
                self._pipe.say_goodbye(event, now=now)
            else:
                self._is_over = True
        return event

    def data_to_send(self) -> bytes:
        """Take everything that is ready for the socket."""
        if self._pipe is not None:
            return self._opening.data_to_send() + self._pipe.data_to_send()
        return self._opening.data_to_send()

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        if self._pipe is not None:
            return self._pipe.next_deadline()
        return self.connection.next_deadline()

    @property
    def is_over(self) -> bool:
        """True if the socket should be closed when everything is written."""
        return self._pipe.is_over if self._pipe is not None else self._is_over

    def _check_opening(self, *, now: float) -> None:
        opening = self._opening
        if opening.framer is not None:
            self._pipe = _Pipe(self.connection, opening.framer, patience=self._timing.close)
            self._pipe.take_messages(now=now)
        elif opening.error is not None and self.error is None:
            self.error = opening.error
            self.connection.receive_eof(now=now)
