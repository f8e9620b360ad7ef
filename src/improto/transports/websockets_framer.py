"""A faster framer, on the sans-IO layer of the websockets library.

An optional dependency, so this module is imported only when it is asked for. Compared
with wsproto, the library answers pings and close frames by itself, and hands out whole
frames instead of pieces. Left to do:

* It answers pings after our own close frame too; those answers are dropped.
* It counts control frames against the message limit, and would refuse a ping inside a
  message that has nearly reached it. So it gets the limit plus one control frame, and
  the exact limit is checked here.
* It parses all it has been given, so what follows a text message must be skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from improto.frames import Role
from improto.transports.framing import (
    INVALID_PAYLOAD,
    PROTOCOL_ERROR,
    BaseFramer,
    FramerState,
)

if TYPE_CHECKING:
    from improto.config import Limits

_SIDES = {Role.CLIENT: Side.CLIENT, Role.SERVER: Side.SERVER}
_CONTROL_BYTES = 125  # payload of a control frame at most (RFC 6455 section 5.5)


class WebsocketsFramer(BaseFramer):
    """:class:`~improto.transports.framing.Framer` on websockets, without compression."""

    __slots__ = ("_protocol",)

    def __init__(self, role: Role, limits: Limits) -> None:
        super().__init__(limits)
        self._protocol = Protocol(_SIDES[role], max_size=self._limit + _CONTROL_BYTES)

    def _parse(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        answers = protocol.data_to_send()
        if self.state is FramerState.OPEN:
            self._outbox += answers
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)  # requests and responses end with the handshake
            self._receive(frame)
            if self.state is FramerState.CLOSED:
                return
        if protocol.parser_exc is not None:
            self._broken(protocol.parser_exc)

    def _receive(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.BINARY | Opcode.CONT:
                if len(self._partial) + len(frame.data) > self._limit:
                    self._fail_size()
                else:
                    self._take(bytes(frame.data), finished=frame.fin)
            case Opcode.TEXT:
                self._fail_text()
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                assert received is not None  # set before the event is reported
                self._end(int(received.code))

    def _broken(self, error: Exception) -> None:
        if isinstance(error, PayloadTooBig):
            self._fail_size()
        elif isinstance(error, UnicodeDecodeError):
            self._fail(INVALID_PAYLOAD, "close reason is not UTF-8")
        else:
            self._fail(PROTOCOL_ERROR, str(error))

    def _write_message(self, data: bytes) -> None:
        self._protocol.send_binary(data)
        self._outbox += self._protocol.data_to_send()

    def _write_close(self, code: int, reason: str) -> None:
        # The library has closed already if it found the violation itself.
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._outbox += self._protocol.data_to_send()
