"""asyncio's sockets; the only file of this package that touches one.

A connection is a Protocol object without tasks. All connections of one client or server share
the timer and the turns of their :mod:`improto_asyncio._loop`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, cast

from improto._lines import EndpointT, Line, show_address
from improto_asyncio._loop import logger

if TYPE_CHECKING:
    from ssl import SSLContext

    from improto._lines import Begin, Lines
    from improto_asyncio._loop import Loop

_CONNECT_NEXT_AFTER: Final = 0.25
"""Seconds until the next address of a host is tried beside the last (RFC 8305, section 5)."""

_ACCEPTED_AT_ONCE: Final = 64
"""Connections accepted in one go; after that the others have their turn."""

_ACCEPT_AGAIN_AFTER: Final = 0.5
"""Seconds without accepting, after the system had no file or memory for a connection."""


class Wire(Line[EndpointT], asyncio.Protocol):
    """One connection: its line and its transport."""

    __slots__ = ("_begin", "_transport")

    _transport: asyncio.Transport

    def __init__(self, lines: Lines, begin: Begin[EndpointT]) -> None:
        super().__init__(lines)
        self._begin: Begin[EndpointT] = begin

    # -- what asyncio tells ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are ones in all but name, so this is no matter for isinstance().
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._lines.limits.outbound_bytes)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open(self._begin(self, show_address(transport.get_extra_info("peername"))))

    data_received = Line.receive_data
    pause_writing = Line.congested
    resume_writing = Line.relieved

    def eof_received(self) -> bool:
        self.receive_eof()
        # True keeps the transport open for what is still to be written; TLS cannot do that.
        return self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(exc if isinstance(exc, OSError) else None)

    # -- what the line wants ---------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._transport.write(data)

    def _unwritten(self) -> int:
        return self._transport.get_write_buffer_size()

    def _finish(self) -> None:
        if not self._transport.can_write_eof():
            # TLS has a closing handshake of its own, with a time limit of its own.
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:
            # The peer has reset the connection.
            self._transport.abort()

    def _close(self) -> None:
        self._transport.close()

    def _abort(self) -> None:
        self._transport.abort()


async def connect(
    loop: Loop,
    host: str,
    port: int,
    begin: Begin[EndpointT],
    *,
    tls: SSLContext | None,
    server_hostname: str | None,
) -> Wire[EndpointT]:
    """Open a connection; OSError if that fails."""
    timing = loop.lines.timing
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: Wire(loop.lines, begin),
        host,
        port,
        happy_eyeballs_delay=None if _is_address(host) else _CONNECT_NEXT_AFTER,
        ssl=tls,
        server_hostname=server_hostname if tls else None,
        ssl_handshake_timeout=timing.connack if tls else None,
        ssl_shutdown_timeout=timing.close if tls else None,
    )
    return wire


def _is_address(host: str) -> bool:
    """Whether there is one address only, and so no race that a cancellation could upset."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Door(Generic[EndpointT]):
    """Listening sockets, and who comes in by them."""

    def __init__(
        self,
        loop: Loop,
        begin: Begin[EndpointT],
        *,
        tls: SSLContext | None,
        max_connections: int,
    ) -> None:
        self._loop = loop
        self._begin: Begin[EndpointT] = begin
        self._tls = tls
        self._max_connections = max_connections
        self._asyncio = asyncio.get_running_loop()
        self._listeners: list[socket.socket] = []
        self._arriving: set[Wire[EndpointT]] = set()
        self._is_failing = False

    async def open(self, host: str | None, port: int, *, backlog: int) -> list[tuple[str, int]]:
        """Let in everybody who connects; returns the addresses. OSError if one is not free."""
        # Finding and binding addresses is what create_server() is good at. Its way of accepting
        # counts no unfinished TLS handshakes and logs without end when there are no more files.
        bound = await self._asyncio.create_server(
            asyncio.Protocol, host or None, port, start_serving=False
        )
        self._listeners = [listener.dup() for listener in bound.sockets]
        bound.close()
        try:
            for listener in self._listeners:
                listener.setblocking(False)
                listener.listen(backlog)
                self._watch(listener)
        except OSError:
            # Somebody else has begun to listen there since.
            self.close()
            raise
        return [listener.getsockname()[:2] for listener in self._listeners]

    def close(self) -> None:
        """Let in nobody more."""
        for listener in self._listeners:
            self._asyncio.remove_reader(listener)
            listener.close()
        self._listeners.clear()

    def _watch(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._asyncio.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if not self._is_failing:
                    logger.error("cannot accept connections for now: %s", error)
                self._is_failing = True
                self._asyncio.remove_reader(listener)
                self._asyncio.call_later(_ACCEPT_AGAIN_AFTER, self._watch, listener)
                return
            self._is_failing = False
            if len(self._loop.lines) + len(self._arriving) < self._max_connections:
                self._welcome(accepted)
            else:
                accepted.close()

    def _welcome(self, accepted: socket.socket) -> None:
        def arrived(line: Line[EndpointT], address: str) -> EndpointT:
            self._arriving.discard(wire)
            return self._begin(line, address)

        accepted.setblocking(False)
        timing = self._loop.lines.timing
        wire = Wire(self._loop.lines, arrived)
        self._arriving.add(wire)
        connect = partial(
            self._asyncio.connect_accepted_socket,
            lambda: wire,
            accepted,
            ssl=self._tls,
            ssl_handshake_timeout=timing.login if self._tls else None,
            ssl_shutdown_timeout=timing.close if self._tls else None,
        )
        self._loop.spawn(connect).add_done_callback(partial(self._welcomed, wire, accepted))

    def _welcomed(
        self, wire: Wire[EndpointT], accepted: socket.socket, task: asyncio.Task[Any]
    ) -> None:
        self._arriving.discard(wire)
        if task.cancelled() or task.exception() is not None:
            # It has left in the middle of the TLS handshake.
            accepted.close()
