"""h11 with a limit on heads that does not depend on how the bytes are cut.

h11 compares its buffer with the limit only when it wants more bytes, so a long head that
arrives in one piece would pass. Here h11 never holds more than one byte above the limit,
and what it has not been given yet waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import h11

from improto.errors import EncodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.config import Limits
    from improto.http import Headers

H11Event: TypeAlias = "h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]"

FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
"""Headers that the transports make themselves, in every message."""

HANDSHAKE_HEADERS = FRAMING_HEADERS | {
    "connection",
    "host",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
}
"""Headers that they make in a WebSocket handshake (RFC 6455 section 4)."""


class BoundedH11:
    """An h11 connection of one role, fed in pieces; ``http`` is for sending and states."""

    def __init__(self, role: type[h11.CLIENT | h11.SERVER], limits: Limits) -> None:
        self._limit = limits.http_head_bytes
        self.http = h11.Connection(role, max_incomplete_event_size=self._limit)
        self._waiting = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Bytes have arrived; nothing is parsed yet."""
        self._waiting += data

    def next_event(self) -> H11Event:
        """As h11's method, which raises h11.RemoteProtocolError; NEED_DATA means that
        everything received has been parsed as far as it goes."""
        while (event := self.http.next_event()) is h11.NEED_DATA and self._waiting:
            # Above 0: with more than the limit in its buffer h11 would have raised.
            room = self._limit + 1 - len(self.http.trailing_data[0])
            self.http.receive_data(bytes(self._waiting[:room]))
            del self._waiting[:room]
        return event

    @property
    def unparsed(self) -> bytes:
        """Everything received that is not part of an event yet."""
        return self.http.trailing_data[0] + bytes(self._waiting)

    @property
    def unparsed_bytes(self) -> int:
        """The length of :attr:`unparsed`."""
        return len(self.http.trailing_data[0]) + len(self._waiting)


def decode_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """As the values of :mod:`improto.http` have them."""
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)


def encode_headers(headers: Headers, *, own: frozenset[str]) -> list[tuple[bytes, bytes]]:
    """The program's headers for h11, which checks their characters.

    Raises EncodeError for the names in ``own`` and for text that is not latin-1.
    """
    for name, _ in headers:
        if name.lower() in own:
            raise EncodeError(f"the header {name} is made by the transport")
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    except UnicodeEncodeError as error:
        raise EncodeError(f"a header cannot be encoded: {error}") from error
