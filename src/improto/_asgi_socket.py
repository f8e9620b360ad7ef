"""A WebSocket of an ASGI host, and the connection behind it.

It costs one task beside the host's own. The host's task reads, the other one writes, so that
messages leave in order and a slow client holds up nobody, and keeps time, lazily: most messages
move a deadline later, which moves nothing.

The service is called between two awaits, never from within one of its own calls, and for every
``opened`` there is one ``closed``, whatever becomes of the WebSocket or of the host.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from improto._asgi_scope import LOGGER, request_of
from improto._lines import show_address
from improto.errors import LimitExceeded, RemoteProtocolError
from improto.events import CloseReason, ConnectionClosed, Farewell
from improto.login import Login
from improto.server import ServerConnection
from improto.service import Peer, pass_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto._asgi_scope import Message, Receive, Scope, Send
    from improto.config import Limits, Timing
    from improto.service import Service

_VANISHED: Final = 1006
"""WebSocket close code for a transport that broke (RFC 6455 section 7.4.1)."""


class Socket:
    """One WebSocket of the host."""

    def __init__(
        self,
        service: Service,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        limits: Limits,
        timing: Timing,
        clock: Callable[[], float],
    ) -> None:
        request = request_of(scope)
        self._service = service
        self._limits = limits
        self._timing = timing
        self._clock = clock
        self._receive = receive
        self._send = send
        self._connection = ServerConnection(
            Login.from_query(request.query),
            now=clock(),
            limits=limits,
            timing=timing,
        )
        self._peer = Peer(
            self._connection,
            address=show_address(scope.get("client")),
            origin=request.header("origin"),
            clock=clock,
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
            LOGGER.exception("the program failed; the connection of %s ends", self._peer.address)
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
                LOGGER.exception("the program failed")


def _text_error() -> RemoteProtocolError:
    error = RemoteProtocolError("text message, only binary ones are allowed")
    # Unsupported data (RFC 6455 section 7.4.1).
    error.close_code = 1003
    return error
