"""trio's sockets; the only file of this package that touches one.

A connection is a non-blocking socket and one task that waits until it is readable. Writing is
a plain call; only while a socket is full a second task waits until it takes more. All
connections of one client or server share the two tasks of their :mod:`improto_trio._loop`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Generic

import trio

from improto._lines import EndpointT, Line, show_address
from improto_trio._loop import logger
from improto_trio._tls import Filter, Plain, Tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    from improto._lines import Begin, Lines
    from improto_trio._loop import Loop

_CHUNK: Final = 64 * 1024
"""Bytes read at a time: what a socket usually holds at most."""

_ACCEPT_AGAIN_AFTER: Final = 0.5
"""Seconds without accepting, after the system had no file or memory for a connection."""


class Wire(Line[EndpointT]):
    """One connection: its line and its socket."""

    __slots__ = ("_filter", "_is_draining", "_is_full", "_outbox", "_socket", "_spawn", "_then")

    def __init__(
        self,
        lines: Lines,
        connected: socket.socket,
        filtering: Filter,
        spawn: Callable[[Callable[[], Awaitable[None]]], object],
    ) -> None:
        super().__init__(lines)
        self._socket = connected
        self._filter = filtering
        self._spawn = spawn
        self._outbox = bytearray()
        self._is_draining = False
        self._is_full = False
        self._then: Callable[[], None] | None = None

    async def read(self) -> None:
        """Read until the end: the one task of a connection."""
        try:
            while self._is_open():
                try:
                    data = self._socket.recv(_CHUNK)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(self._socket)
                    continue
                self._receive(data)
                if not data:
                    return
                # A busy peer has sent more by the time the others have had their turn; looking is
                # cheaper than waiting.
                await trio.lowlevel.checkpoint()
        except trio.ClosedResourceError:
            pass
        except OSError as error:
            self._flush()
            self._break(error)

    # -- what the line wants ---------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._filter.encrypt(data)
        self._flush()

    def _unwritten(self) -> int:
        return len(self._outbox)

    def _finish(self) -> None:
        self._end_with(self._half_close)

    def _close(self) -> None:
        self._end_with(self._abort)

    def _abort(self) -> None:
        self._break(None)

    # -- inside ----------------------------------------------------------------------

    def _is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def _receive(self, data: bytes) -> None:
        plaintext = self._filter.decrypt(data)
        # The answers of a TLS handshake.
        self._flush()
        if plaintext:
            self.receive_data(plaintext)
        if not data or self._filter.has_eof:
            self.receive_eof()

    def _flush(self) -> None:
        data = self._filter.data_to_send()
        if not self._outbox:
            sent = self._send(data)
            if sent == len(data):
                return
            data = data[sent:]
            if not self._is_draining:
                self._is_draining = True
                self._spawn(self._drain)
        self._outbox += data
        if len(self._outbox) > self._lines.limits.outbound_bytes and not self._is_full:
            self._is_full = True
            self.congested()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError:
            # Broken: nobody will miss the bytes, and the reader finds out by itself.
            return len(data)

    async def _drain(self) -> None:
        with suppress(trio.ClosedResourceError):
            while self._outbox:
                await trio.lowlevel.wait_writable(self._socket)
                del self._outbox[: self._send(self._outbox)]
                if self._is_full and 4 * len(self._outbox) <= self._lines.limits.outbound_bytes:
                    self._is_full = False
                    self.relieved()
            self._is_draining = False
            if self._then is not None:
                self._then()

    def _end_with(self, action: Callable[[], None]) -> None:
        self._filter.finish()
        self._flush()
        self._then = action
        if not self._outbox:
            action()

    def _half_close(self) -> None:
        with suppress(OSError):  # reset by the peer; the reader finds out
            self._socket.shutdown(socket.SHUT_WR)

    def _break(self, error: OSError | None) -> None:
        if self._is_open():
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            self._outbox.clear()
            self.lost(error)


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
    filtering = Tls(tls, server_hostname=server_hostname or host) if tls else Plain()
    stream = await trio.open_tcp_stream(host, port)
    return _adopt(loop, stream.socket, stream.socket.getpeername()[:2], filtering, begin)


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
        self._listeners: list[trio.socket.SocketType] = []

    async def open(self, host: str | None, port: int, *, backlog: int) -> list[tuple[str, int]]:
        """Let in everybody who connects; returns the addresses. OSError if one is not free."""
        for listener in await trio.open_tcp_listeners(port, host=host or None, backlog=backlog):
            self._listeners.append(listener.socket)
            self._loop.spawn(partial(self._accept, listener.socket))
        return [listener.getsockname()[:2] for listener in self._listeners]

    def close(self) -> None:
        """Let in nobody more."""
        for listener in self._listeners:
            listener.close()

    async def _accept(self, listener: trio.socket.SocketType) -> None:
        is_failing = False
        while listener.fileno() >= 0:
            try:
                accepted, address = await listener.accept()
            except (trio.ClosedResourceError, ConnectionAbortedError):
                continue
            except OSError as error:
                if not is_failing:
                    logger.error("cannot accept connections for now: %s", error)
                is_failing = True
                await trio.sleep(_ACCEPT_AGAIN_AFTER)
                continue
            is_failing = False
            if len(self._loop.lines) >= self._max_connections:
                accepted.close()
                continue
            filtering = Tls(self._tls, server_hostname=None) if self._tls else Plain()
            _adopt(self._loop, accepted, address, filtering, self._begin)


def _adopt(
    loop: Loop,
    connected: trio.socket.SocketType,
    address: tuple[str, int],
    filtering: Filter,
    begin: Begin[EndpointT],
) -> Wire[EndpointT]:
    bare = socket.socket(fileno=connected.detach())
    bare.setblocking(False)
    with suppress(OSError):  # the peer may have left already; reading will show
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire: Wire[EndpointT] = Wire(loop.lines, bare, filtering, loop.spawn)
    wire.open(begin(wire, show_address(address)))
    loop.spawn(wire.read)
    return wire
