"""The seam between a byte stream and the protocol's messages.

One frame of the protocol is one binary WebSocket message (wire 1). A
:class:`Framer` turns the bytes of a connection, after its opening handshake, into
such messages and back. It is small so that the library behind it can be exchanged
without touching anything else.

Rules, the same for every framer:

* Input methods change the state, output methods never do.
* Nothing a peer sends makes ``receive_data`` raise. A violation becomes ``error``; the
  messages before it can still be taken, the fitting close frame is queued, and the
  state is CLOSED: flush ``data_to_send()``, then close the stream. Later input is ignored.
* Pings, pongs and the closing handshake are answered here. They are not the heartbeat
  and the farewell of the protocol, which belong to the core (session 4, 5).
* A message above ``Limits.message_bytes`` is refused as soon as its headers say so.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeAlias

from improto.errors import EncodeError, LimitExceeded, NotConnected, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.config import Limits
    from improto.frames import Role

NORMAL = 1000
"""Close code: the purpose of the connection is fulfilled (RFC 6455 section 7.4.1)."""
PROTOCOL_ERROR = 1002
"""Close code: the peer broke the rules of framing."""
UNSUPPORTED_DATA = 1003
"""Close code: a text message; the protocol is binary (wire 1)."""
ABNORMAL = 1006
"""The stream ended without a close frame. Never sent."""
INVALID_PAYLOAD = 1007
"""Close code: text that is not UTF-8."""

_SENDABLE = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013})
_REASON_BYTES = 123  # a control frame holds 125 bytes, two of them are the code (RFC 6455 5.5)


class FramerState(enum.Enum):
    """How far a WebSocket connection is from its end."""

    OPEN = "open"
    """Messages go both ways."""
    CLOSING = "closing"
    """Our close frame is queued or sent; the peer's is awaited and may follow messages."""
    CLOSED = "closed"
    """Nothing is awaited any more: flush what is queued, then close the stream."""


class Framer(Protocol):
    """WebSocket messages of one connection; see the rules of the module."""

    @property
    def state(self) -> FramerState:
        """Changes in input methods only."""

    @property
    def error(self) -> RemoteProtocolError | None:
        """What the peer did wrong, or None. A stream that just ends is no error."""

    @property
    def close_code(self) -> int | None:
        """Why it ended: the peer's code (1005 if it sent none), 1006 if the stream ended
        without a close frame, ours after a violation; None before the end."""

    def receive_data(self, data: bytes) -> None:
        """Bytes have arrived; how they are cut makes no difference."""

    def receive_eof(self) -> None:
        """The stream has ended."""

    def send_message(self, data: bytes) -> None:
        """Queues one binary message. Raises NotConnected unless the state is OPEN."""

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Starts the closing handshake; later calls do nothing.

        ``code`` is 1000..1003, 1007..1013 or 3000..4999, else EncodeError. Of ``reason``
        the first 123 bytes of UTF-8 are sent.
        """

    def next_message(self) -> bytes | None:
        """Takes the oldest message that has arrived; None = none now."""

    def data_to_send(self) -> bytes:
        """Takes everything queued for the peer; empty = nothing now."""


FramerFactory: TypeAlias = "Callable[[Role, Limits], Framer]"


def framer_factory(name: str) -> FramerFactory:
    """The framer called ``name``: "wsproto" (always there) or "websockets" (faster).

    Raises ValueError for another name, and ImportError if the optional library is missing.
    """
    match name:
        case "wsproto":
            from improto.transports.wsproto_framer import WsprotoFramer

            return WsprotoFramer
        case "websockets":
            try:
                from improto.transports.websockets_framer import WebsocketsFramer
            except ImportError as error:
                raise ImportError(
                    "the framer 'websockets' needs an extra: pip install 'improto[websockets]'"
                ) from error
            return WebsocketsFramer
    raise ValueError(f"framer must be 'wsproto' or 'websockets', not {name!r}")


class BaseFramer(ABC):
    """What all framers share: queues, joining of fragments, state and close codes.

    A subclass parses in :meth:`_parse`, which reports by :meth:`_take`, :meth:`_fail`,
    :meth:`_fail_text`, :meth:`_fail_size` and :meth:`_end`, and appends to ``_outbox`` there
    and in the two ``_write`` methods.
    """

    __slots__ = ("_arrived", "_limit", "_outbox", "_partial", "close_code", "error", "state")

    def __init__(self, limits: Limits) -> None:
        self.state = FramerState.OPEN
        self.error: RemoteProtocolError | None = None
        self.close_code: int | None = None
        self._limit = limits.message_bytes
        self._arrived: deque[bytes] = deque()
        # One buffer and no list of fragments: a peer may send them one byte long.
        self._partial = bytearray()
        self._outbox: list[bytes | bytearray] = []

    def receive_data(self, data: bytes) -> None:
        if self.state is not FramerState.CLOSED:
            self._parse(data)

    def receive_eof(self) -> None:
        if self.state is not FramerState.CLOSED:
            self._end(ABNORMAL)

    def send_message(self, data: bytes) -> None:
        if self.state is not FramerState.OPEN:
            raise NotConnected(f"the WebSocket is {self.state.value}")
        self._write_message(data)

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        if code not in _SENDABLE and not 3000 <= code <= 4999:
            raise EncodeError(
                f"close code must be 1000..1003, 1007..1013 or 3000..4999, not {code}"
            )
        if self.state is FramerState.OPEN:
            self._write_close(code, _cut(reason))
            self.state = FramerState.CLOSING

    def next_message(self) -> bytes | None:
        return self._arrived.popleft() if self._arrived else None

    def data_to_send(self) -> bytes:
        if not self._outbox:
            return b""
        data = b"".join(self._outbox)
        self._outbox.clear()
        return data

    def _take(self, payload: bytes, *, finished: bool) -> None:
        """The next piece of a message, already known to be within the limit."""
        if finished and not self._partial:
            self._arrived.append(payload)
            return
        self._partial += payload
        if finished:
            self._arrived.append(bytes(self._partial))
            self._partial.clear()

    def _fail(self, code: int, text: str) -> None:
        """The peer broke a rule of framing."""
        error = RemoteProtocolError(text)
        error.close_code = code
        self._fail_with(error)

    def _fail_text(self) -> None:
        self._fail(UNSUPPORTED_DATA, "text message, only binary ones are allowed")

    def _fail_size(self) -> None:
        self._fail_with(LimitExceeded(f"message above {self._limit} bytes"))

    def _fail_with(self, error: RemoteProtocolError) -> None:
        self.error = error
        # Unless our close frame is out already.
        if self.state is FramerState.OPEN:
            self._write_close(error.close_code, _cut(str(error)))
        self._end(error.close_code)

    def _end(self, code: int) -> None:
        self.close_code = code
        self.state = FramerState.CLOSED
        self._partial.clear()

    @abstractmethod
    def _parse(self, data: bytes) -> None:
        """Parses as far as the bytes go."""

    @abstractmethod
    def _write_message(self, data: bytes) -> None:
        """Queues one binary message."""

    @abstractmethod
    def _write_close(self, code: int, reason: str) -> None:
        """Queues our close frame; called once at most."""


def _cut(reason: str) -> str:
    """As much of ``reason`` as a close frame holds, without half characters."""
    return reason.encode(errors="replace")[:_REASON_BYTES].decode(errors="ignore")
