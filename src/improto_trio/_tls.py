"""TLS without a socket: ciphertext on one side, plaintext on the other.

trio's own TLS stream awaits every write, with a lock around it. Here encrypting is a call, as
everything is in the driver but waiting for the socket.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final, Protocol

_CHUNK: Final = 64 * 1024


class Filter(Protocol):
    """What stands between a socket and its line."""

    @property
    def has_eof(self) -> bool:
        """The peer has said that it sends no more."""

    def decrypt(self, data: bytes) -> bytes:
        """Bytes of the socket arrived, none at the end; returns those for the line.

        Raises OSError.
        """

    def encrypt(self, data: bytes) -> None:
        """Bytes for the peer."""

    def finish(self) -> None:
        """No more bytes for the peer."""

    def data_to_send(self) -> bytes:
        """Take the bytes that are ready for the socket."""


class Plain:
    """No encryption."""

    __slots__ = ("_outgoing",)

    has_eof = False

    def __init__(self) -> None:
        self._outgoing = b""

    def decrypt(self, data: bytes) -> bytes:
        return data

    def encrypt(self, data: bytes) -> None:
        self._outgoing += data

    def finish(self) -> None:
        pass

    def data_to_send(self) -> bytes:
        data, self._outgoing = self._outgoing, b""
        return data


class Tls:
    """One encrypted connection. The handshake runs by itself as its bytes arrive.

    ``server_hostname`` is whose certificate the server must have; None on the server's side.
    """

    __slots__ = ("_early", "_incoming", "_is_ready", "_object", "_outgoing", "has_eof")

    def __init__(self, context: ssl.SSLContext, *, server_hostname: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        self._is_ready = False
        self._early = bytearray()
        self.has_eof = False
        self._shake_hands()

    def decrypt(self, data: bytes) -> bytes:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if not self._is_ready:
            self._shake_hands()
        plaintext = bytearray()
        # A stream that ends without a goodbye is no news to a protocol with one of its own.
        with suppress(ssl.SSLWantReadError, ssl.SSLEOFError):
            while self._is_ready and not self.has_eof:
                chunk = self._object.read(_CHUNK)
                plaintext += chunk
                self.has_eof = not chunk
        return bytes(plaintext)

    def encrypt(self, data: bytes) -> None:
        if self._is_ready:
            self._object.write(data)
        else:
            self._early += data

    def finish(self) -> None:
        # It raises when the peer has not finished, too; nobody waits for that.
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def data_to_send(self) -> bytes:
        return self._outgoing.read()

    def _shake_hands(self) -> None:
        with suppress(ssl.SSLWantReadError):
            self._object.do_handshake()
            self._is_ready = True
            if self._early:
                self._object.write(self._early)
                self._early.clear()
