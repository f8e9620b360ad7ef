"""Frames to bytes and back: one frame is one WebSocket message (wire 1).

Two pure functions, :func:`decode` and :func:`encode`, and the rule for text inside
frames, :func:`decode_text` and :func:`encode_text`. Each frame class has one reader and
one writer; the tables at the end say which.

Whatever the bytes, :func:`decode` returns a frame or raises
:class:`~improto.errors.DecodeError`. It accepts what the SDKs accept: unknown statuses,
any QoS, bytes after a frame that is complete (wire 7). What it returns, encoded again,
gives the same bytes, except for such trailing bytes, bits without a meaning, and text that
was not written the way :func:`encode_text` writes it (which may even outgrow its field).

All numbers are unsigned and big-endian. Offsets count from the header byte.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from improto._text import decode_text as decode_text
from improto._text import encode_text as encode_text
from improto.config import Limits
from improto.errors import DecodeError, EncodeError
from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    DeliveryAck,
    Disconnect,
    FrameType,
    MessageUid,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    Role,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from improto.frames import Frame

STRING_BYTES: Final = 0xFFFF
"""The longest string: its length is written in 16 bits (wire 3)."""

FORMAT_LIMITS: Final = Limits(
    string_bytes=STRING_BYTES, message_bytes=2**63 - 1, outbound_bytes=2**63 - 1
)
"""What the format can express: a frame is as long as a WebSocket message (RFC 6455 5.2)."""

# --- Header and numbers -------------------------------------------------------------------

_FLAGS: Final = tuple((Qos(low >> 1 & 3), bool(low & 8), bool(low & 1)) for low in range(16))
"""QoS, bit 3 and retain for each value of the low four bits (wire 2)."""

_FLAG_BITS: Final = {flags: low for low, flags in enumerate(_FLAGS)}

# Flags of CONNECT (wire 4.1).
_CLEAN_SESSION, _WILL, _WILL_RETAIN, _TOKEN, _APP_ID = 0x02, 0x04, 0x20, 0x40, 0x80
_WILL_QOS_SHIFT: Final = 3

# Presence flags of CONNACK version 4 (wire 4.2), and those that version 3 can express.
_USER_ID, _SESSION_ID, _TIMESTAMP, _MESSAGE_ID = 0x01, 0x02, 0x04, 0x08
_VERSION_3: Final = (0, _USER_ID, _USER_ID | _SESSION_ID, _USER_ID | _SESSION_ID | _TIMESTAMP)


class _Numbers:
    """Numbers that stand side by side: their names and their sizes in bits."""

    __slots__ = ("_bits", "_pack", "size", "unpack_from")

    _CODES: Final = {8: "B", 16: "H", 32: "I", 64: "Q"}

    def __init__(self, **bits: int) -> None:
        layout = struct.Struct(">" + "".join(self._CODES[size] for size in bits.values()))
        self.size = layout.size
        self.unpack_from = layout.unpack_from
        self._pack = layout.pack
        self._bits = bits

    def pack(self, *values: int) -> bytes:
        try:
            return self._pack(*values)
        except struct.error:
            name, highest, value = next(
                (name, (1 << bits) - 1, value)
                for (name, bits), value in zip(self._bits.items(), values, strict=True)
                if not (isinstance(value, int) and 0 <= value < 1 << bits)
            )
            raise EncodeError(f"{name} must be 0 to {highest}, not {value!r}") from None


_NUMBERS_OF_CONNECT: Final = _Numbers(protocol_version=8, flags=8, keep_alive=16)
_NUMBERS_OF_PUBACK: Final = _Numbers(message_id=16, date=32, status=16, millisecond=16)
_NUMBERS_OF_QUERYACK: Final = _Numbers(message_id=16, date=32, status=16)
_RESERVED_STATUS: Final = _Numbers(reserved=8, status=8)
_PRESENCE: Final = _Numbers(flags=8)
_TIME: Final = _Numbers(timestamp=64)
_DATE: Final = _Numbers(date=32)
_ID: Final = _Numbers(message_id=16)
_COUNT: Final = struct.Struct(">H")


# --- Readers ------------------------------------------------------------------------------
#
# A reader gets the message, the three header flags and the longest string it may accept.
# It need not check that fixed fields are complete: `struct.error` means that they are not.


def _read_text(message: bytes, offset: int, field: str, limit: int) -> tuple[str, int]:
    """The string whose length is at ``offset``, and where it ends."""
    (size,) = _COUNT.unpack_from(message, offset)
    start = offset + 2
    end = start + size
    if end > len(message):
        raise DecodeError(f"{field} of {size} bytes runs past the end", offset=offset)
    if size > limit:
        raise DecodeError(f"{field} is {size} bytes, the limit is {limit}", offset=offset)
    return decode_text(message[start:end]), end


def _read_connect(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Connect:
    protocol_name, offset = _read_text(message, 1, "protocol_name", limit)
    version, flags, keep_alive = _NUMBERS_OF_CONNECT.unpack_from(message, offset)
    client_id, offset = _read_text(message, offset + _NUMBERS_OF_CONNECT.size, "client_id", limit)
    will = app_id = token = None
    if flags & _WILL:
        will_topic, offset = _read_text(message, offset, "will.topic", limit)
        will_message, offset = _read_text(message, offset, "will.message", limit)
        will = Will(
            topic=will_topic,
            message=will_message,
            qos=Qos(flags >> _WILL_QOS_SHIFT & 3),
            retain=bool(flags & _WILL_RETAIN),
        )
    if flags & _APP_ID:
        app_id, offset = _read_text(message, offset, "app_id", limit)
    if flags & _TOKEN:
        token, offset = _read_text(message, offset, "token", limit)
    return Connect(
        protocol_name=protocol_name,
        protocol_version=version,
        clean_session=bool(flags & _CLEAN_SESSION),
        keep_alive=keep_alive,
        client_id=client_id,
        will=will,
        app_id=app_id,
        token=token,
        qos=qos,
        dup=bit3,
        retain=retain,
    )


def _read_connack(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> ConnAck:
    reserved, status = _RESERVED_STATUS.unpack_from(message, 1)
    user_id = session_id = timestamp = None
    offset, size = 3, len(message)
    if offset < size:
        user_id, offset = _read_text(message, offset, "user_id", limit)
    if offset < size:
        session_id, offset = _read_text(message, offset, "session_id", limit)
    if offset < size:
        (timestamp,) = _TIME.unpack_from(message, offset)
    return ConnAck(
        reserved=reserved,
        status=status,
        user_id=user_id,
        session_id=session_id,
        timestamp=timestamp,
        qos=qos,
        dup=bit3,
        retain=retain,
    )


def _read_connack_v4(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> ConnAck:
    reserved, status = _RESERVED_STATUS.unpack_from(message, 1)
    user_id = session_id = timestamp = message_id = None
    if status == 0 or len(message) > 3:
        (flags,) = _PRESENCE.unpack_from(message, 3)
        offset = 4
        if flags & _USER_ID:
            user_id, offset = _read_text(message, offset, "user_id", limit)
        if flags & _SESSION_ID:
            session_id, offset = _read_text(message, offset, "session_id", limit)
        if flags & _TIMESTAMP:
            (timestamp,) = _TIME.unpack_from(message, offset)
            offset += _TIME.size
        if flags & _MESSAGE_ID:
            (message_id,) = _ID.unpack_from(message, offset)
    return ConnAck(
        reserved=reserved,
        status=status,
        user_id=user_id,
        session_id=session_id,
        timestamp=timestamp,
        message_id=message_id,
        protocol_version=ProtocolVersion.V4,
        qos=qos,
        dup=bit3,
        retain=retain,
    )


def _read_request(kind: type[Publish] | type[Query]) -> _Reader:
    def read(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Frame:
        topic, offset = _read_text(message, 1, "topic", limit)
        target_id, offset = _read_text(message, offset, "target_id", limit)
        return kind(
            topic=topic,
            target_id=target_id,
            message_id=_ID.unpack_from(message, offset)[0],
            data=message[offset + 2 :],
            qos=qos,
            dup=bit3,
            retain=retain,
        )

    return read


def _read_delivery(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Delivery:
    (date,) = _DATE.unpack_from(message, 1)
    topic, offset = _read_text(message, 5, "topic", limit)
    target_id, offset = _read_text(message, offset, "target_id", limit)
    return Delivery(
        date=date,
        topic=topic,
        target_id=target_id,
        message_id=_ID.unpack_from(message, offset)[0],
        data=message[offset + 2 :],
        qos=qos,
        is_sync=bit3,
        retain=retain,
    )


def _read_puback(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> PubAck:
    message_id, date, status, millisecond = _NUMBERS_OF_PUBACK.unpack_from(message, 1)
    uid, _ = _read_text(message, 1 + _NUMBERS_OF_PUBACK.size, "uid", limit)
    return PubAck(
        message_id=message_id,
        date=date,
        status=status,
        millisecond=millisecond,
        uid=MessageUid(uid),
        qos=qos,
        dup=bit3,
        retain=retain,
    )


def _read_acknowledgement(kind: type[DeliveryAck] | type[QueryCon]) -> _Reader:
    def read(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Frame:
        (message_id,) = _ID.unpack_from(message, 1)
        return kind(message_id=message_id, qos=qos, dup=bit3, retain=retain)

    return read


def _read_queryack(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> QueryAck:
    message_id, date, status = _NUMBERS_OF_QUERYACK.unpack_from(message, 1)
    return QueryAck(
        message_id=message_id,
        date=date,
        status=status,
        data=message[1 + _NUMBERS_OF_QUERYACK.size :],
        qos=qos,
        dup=bit3,
        retain=retain,
    )


def _read_disconnect(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Disconnect:
    reserved, status = _RESERVED_STATUS.unpack_from(message, 1)
    return Disconnect(reserved=reserved, status=status, qos=qos, dup=bit3, retain=retain)


def _read_header_only(kind: Callable[..., Frame]) -> _Reader:
    def read(message: bytes, qos: Qos, bit3: bool, retain: bool, limit: int) -> Frame:
        return kind(qos=qos, dup=bit3, retain=retain)

    return read


# --- Writers ------------------------------------------------------------------------------
#
# A writer gets the frame, its header byte and the longest string it may write.


def _string(text: str, field: str, limit: int) -> bytes:
    data = encode_text(text)
    size = len(data)
    if size > limit or size > STRING_BYTES:
        raise EncodeError(f"{field} is {size} bytes, the limit is {min(limit, STRING_BYTES)}")
    return _COUNT.pack(size) + data


def _write_connect(frame: Connect, header: bytes, limit: int) -> bytes:
    flags = _CLEAN_SESSION if frame.clean_session else 0
    tail = [_string(frame.client_id, "client_id", limit)]
    if frame.will is not None:
        will = frame.will
        if not 0 <= will.qos <= 3:
            raise EncodeError(f"will.qos must be 0 to 3, not {will.qos!r}")
        flags |= _WILL | will.qos << _WILL_QOS_SHIFT | (_WILL_RETAIN if will.retain else 0)
        tail.append(_string(will.topic, "will.topic", limit))
        tail.append(_string(will.message, "will.message", limit))
    if frame.app_id is not None:
        flags |= _APP_ID
        tail.append(_string(frame.app_id, "app_id", limit))
    if frame.token is not None:
        flags |= _TOKEN
        tail.append(_string(frame.token, "token", limit))
    name = _string(frame.protocol_name, "protocol_name", limit)
    numbers = _NUMBERS_OF_CONNECT.pack(frame.protocol_version, flags, frame.keep_alive)
    return b"".join((header, name, numbers, *tail))


def _write_connack(frame: ConnAck, header: bytes, limit: int) -> bytes:
    parts = [header, _RESERVED_STATUS.pack(frame.reserved, frame.status)]
    flags = 0
    if frame.user_id is not None:
        flags |= _USER_ID
        parts.append(_string(frame.user_id, "user_id", limit))
    if frame.session_id is not None:
        flags |= _SESSION_ID
        parts.append(_string(frame.session_id, "session_id", limit))
    if frame.timestamp is not None:
        flags |= _TIMESTAMP
        parts.append(_TIME.pack(frame.timestamp))
    if frame.message_id is not None:
        flags |= _MESSAGE_ID
        parts.append(_ID.pack(frame.message_id))
    if frame.protocol_version == ProtocolVersion.V4:
        if frame.status == 0 or flags:
            parts.insert(2, _PRESENCE.pack(flags))
    elif flags not in _VERSION_3:
        order = "user_id, session_id, timestamp, each only after the one before, no message_id"
        raise EncodeError(f"CONNACK version 3 has {order}")
    return b"".join(parts)


def _write_request(frame: Publish | Query, header: bytes, limit: int) -> bytes:
    topic = _string(frame.topic, "topic", limit)
    target_id = _string(frame.target_id, "target_id", limit)
    return b"".join((header, topic, target_id, _ID.pack(frame.message_id), frame.data))


def _write_delivery(frame: Delivery, header: bytes, limit: int) -> bytes:
    date = _DATE.pack(frame.date)
    topic = _string(frame.topic, "topic", limit)
    target_id = _string(frame.target_id, "target_id", limit)
    return b"".join((header, date, topic, target_id, _ID.pack(frame.message_id), frame.data))


def _write_puback(frame: PubAck, header: bytes, limit: int) -> bytes:
    numbers = _NUMBERS_OF_PUBACK.pack(frame.message_id, frame.date, frame.status, frame.millisecond)
    return header + numbers + _string(frame.uid, "uid", limit)


def _write_queryack(frame: QueryAck, header: bytes, limit: int) -> bytes:
    numbers = _NUMBERS_OF_QUERYACK.pack(frame.message_id, frame.date, frame.status)
    return b"".join((header, numbers, frame.data))


def _write_acknowledgement(frame: DeliveryAck | QueryCon, header: bytes, limit: int) -> bytes:
    return header + _ID.pack(frame.message_id)


def _write_disconnect(frame: Disconnect, header: bytes, limit: int) -> bytes:
    return header + _RESERVED_STATUS.pack(frame.reserved, frame.status)


def _write_header_only(frame: Frame, header: bytes, limit: int) -> bytes:
    return header


# --- The tables and the two functions -----------------------------------------------------

_Reader: TypeAlias = "Callable[[bytes, Qos, bool, bool, int], Frame]"

# Who sends what: wire 2 and 4.8. A type that its sender may not send has no reader.
_FROM_CLIENT: Final[Mapping[int, _Reader]] = {
    FrameType.CONNECT: _read_connect,
    FrameType.PUBLISH: _read_request(Publish),
    FrameType.PUBACK: _read_acknowledgement(DeliveryAck),
    FrameType.QUERY: _read_request(Query),
    FrameType.QUERYCON: _read_acknowledgement(QueryCon),
    FrameType.SUBSCRIBE: _read_header_only(Subscribe),
    FrameType.UNSUBSCRIBE: _read_header_only(Unsubscribe),
    FrameType.PINGREQ: _read_header_only(PingReq),
    FrameType.DISCONNECT: _read_disconnect,
}
_FROM_SERVER: Final[Mapping[int, _Reader]] = {
    FrameType.CONNACK: _read_connack,
    FrameType.PUBLISH: _read_delivery,
    FrameType.PUBACK: _read_puback,
    FrameType.QUERYACK: _read_queryack,
    FrameType.SUBACK: _read_header_only(SubAck),
    FrameType.UNSUBACK: _read_header_only(UnsubAck),
    FrameType.PINGRESP: _read_header_only(PingResp),
    FrameType.DISCONNECT: _read_disconnect,
}
_FROM_SERVER_V4: Final = {**_FROM_SERVER, FrameType.CONNACK: _read_connack_v4}

_WRITERS: Final[Mapping[type[Frame], tuple[FrameType, Callable[[Any, bytes, int], bytes]]]] = {
    Connect: (FrameType.CONNECT, _write_connect),
    ConnAck: (FrameType.CONNACK, _write_connack),
    Publish: (FrameType.PUBLISH, _write_request),
    Delivery: (FrameType.PUBLISH, _write_delivery),
    PubAck: (FrameType.PUBACK, _write_puback),
    DeliveryAck: (FrameType.PUBACK, _write_acknowledgement),
    Query: (FrameType.QUERY, _write_request),
    QueryAck: (FrameType.QUERYACK, _write_queryack),
    QueryCon: (FrameType.QUERYCON, _write_acknowledgement),
    Subscribe: (FrameType.SUBSCRIBE, _write_header_only),
    SubAck: (FrameType.SUBACK, _write_header_only),
    Unsubscribe: (FrameType.UNSUBSCRIBE, _write_header_only),
    UnsubAck: (FrameType.UNSUBACK, _write_header_only),
    PingReq: (FrameType.PINGREQ, _write_header_only),
    PingResp: (FrameType.PINGRESP, _write_header_only),
    Disconnect: (FrameType.DISCONNECT, _write_disconnect),
}


def decode(
    message: bytes,
    sender: Role,
    *,
    protocol_version: ProtocolVersion = ProtocolVersion.V3,
    limits: Limits = Limits(),
) -> Frame:
    """The frame that ``message`` is, if ``sender`` sent it.

    ``message`` is one complete WebSocket message; ``protocol_version`` is that of the
    connection and matters for CONNACK only. Of ``limits``, ``message_bytes`` and
    ``string_bytes`` apply.

    Raises :class:`~improto.errors.DecodeError`, and nothing else, for everything that is
    no frame, too large, or of a type that ``sender`` does not send (wire 7, rule 2).
    """
    size = len(message)
    if size > limits.message_bytes:
        limit = limits.message_bytes
        raise DecodeError(f"the frame is {size} bytes, the limit is {limit}", offset=limit)
    if size == 0:
        raise DecodeError("an empty message is no frame", offset=0)
    if sender is Role.CLIENT:
        readers = _FROM_CLIENT
    else:
        readers = _FROM_SERVER_V4 if protocol_version == ProtocolVersion.V4 else _FROM_SERVER
    header = message[0]
    read = readers.get(header >> 4)
    if read is None:
        raise DecodeError(f"a {sender.value} sends no frame of type {header >> 4}", offset=0)
    qos, bit3, retain = _FLAGS[header & 15]
    try:
        return read(message, qos, bit3, retain, limits.string_bytes)
    except struct.error:
        raise DecodeError(f"{FrameType(header >> 4).name} is cut off", offset=size) from None


def encode(frame: Frame, *, limits: Limits = FORMAT_LIMITS) -> bytes:
    """The WebSocket message that ``frame`` is.

    ``limits`` are those of the sender. Of them, ``string_bytes`` and ``outbound_bytes``
    apply: a frame larger than the queue could never leave.

    Raises :class:`~improto.errors.EncodeError`, which names the field and its limit, if a
    value does not fit.
    """
    frame_type, write = _WRITERS[type(frame)]
    bit3 = frame.is_sync if isinstance(frame, Delivery) else frame.dup
    try:
        flags = _FLAG_BITS[frame.qos, bit3, frame.retain]
    except KeyError:
        raise EncodeError(f"qos must be 0 to 3, not {frame.qos!r}") from None
    header = (frame_type << 4 | flags).to_bytes()
    message = write(frame, header, limits.string_bytes)
    size = len(message)
    if size > limits.outbound_bytes:
        raise EncodeError(f"the frame is {size} bytes, the limit is {limits.outbound_bytes}")
    return message
