"""The default framer, on wsproto.

Only documented parts of wsproto are used. What it does not do by itself is done here:

* It parses while its events are iterated, so they are always iterated to the end, inside
  ``receive_data``.
* It has no limit. Its extension hook sees every frame header before the payload, which
  is the place to refuse too long messages, and text, without holding any of it.
* A violation looks like the peer's close event, but its state stays what it was.
  Afterwards it ignores input without a word, so the violation is reported at once.
* Answering a ping after our own close frame would raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits

from improto.frames import Role
from improto.transports.framing import BaseFramer, FramerState

if TYPE_CHECKING:
    from wsproto.frame_protocol import FrameDecoder, FrameProtocol

    from improto.config import Limits

_TYPES = {Role.CLIENT: ConnectionType.CLIENT, Role.SERVER: ConnectionType.SERVER}
_CLOSED_BY_PEER = frozenset({ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED})
_NO_BITS = RsvBits(False, False, False)


class _HeaderRules(Extension):
    """Refuses frames by their header. Never negotiated, it only uses the hook.

    The hook may see a header twice, when it arrives in pieces, so it counts nothing.
    """

    name = "header-rules"

    def __init__(self, room: int) -> None:
        self.room = room
        """Bytes that the message under way may still take."""

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        if opcode is Opcode.TEXT:
            return CloseReason.UNSUPPORTED_DATA
        if payload_length > self.room and not opcode.iscontrol():
            return CloseReason.MESSAGE_TOO_BIG
        return _NO_BITS


class WsprotoFramer(BaseFramer):
    """:class:`~improto.transports.framing.Framer` on wsproto, without compression."""

    __slots__ = ("_connection", "_rules")

    def __init__(self, role: Role, limits: Limits) -> None:
        super().__init__(limits)
        self._rules = _HeaderRules(self._limit)
        self._connection = Connection(_TYPES[role], [self._rules])

    def _parse(self, data: bytes) -> None:
        connection = self._connection
        connection.receive_data(data)
        for event in connection.events():
            if isinstance(event, BytesMessage):
                self._take(bytes(event.data), finished=event.message_finished)
                self._rules.room = self._limit - len(self._partial)
            elif isinstance(event, Ping):
                if self.state is FramerState.OPEN:
                    self._outbox.append(connection.send(event.response()))
            elif isinstance(event, CloseConnection):
                self._closed(event)

    def _closed(self, event: CloseConnection) -> None:
        if self._connection.state not in _CLOSED_BY_PEER:
            self._violated(event)
            return
        if self.state is FramerState.OPEN:
            self._outbox.append(self._connection.send(event.response()))
        self._end(int(event.code))

    def _violated(self, event: CloseConnection) -> None:
        match event.code:
            case CloseReason.UNSUPPORTED_DATA:
                self._fail_text()
            case CloseReason.MESSAGE_TOO_BIG:
                self._fail_size()
            case _:
                self._fail(int(event.code), event.reason or "")

    def _write_message(self, data: bytes) -> None:
        self._outbox.append(self._connection.send(BytesMessage(data=data)))

    def _write_close(self, code: int, reason: str) -> None:
        self._outbox.append(self._connection.send(CloseConnection(code=code, reason=reason)))
