"""Frames as JSON objects, member by member as in the golden vectors.

``type`` is the name of the signal; the header flags and the body follow in the order of
the wire. Bytes are hex digits. What a frame does not have is left out. Two members follow
from others and are written, but not believed when read: ``flags`` of a version 4 CONNACK,
which tells what is there, and ``timestamp`` of a PUBACK.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    DeliveryAck,
    Disconnect,
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

T = TypeVar("T")


class _Shape(NamedTuple):
    """The class of a frame and the members of its JSON object, without the type."""

    kind: type[Frame]
    members: tuple[str, ...]


def _shape(kind: type[Frame], *body: str) -> _Shape:
    return _Shape(kind, ("qos", "dup", "retain", *body))


_CONNECT: Final = ("protocolId", "protocolVersion", "cleanSession", "keepAlive", "clientId")
_WILL: Final = {"willTopic": "topic", "will": "message", "willQos": "qos", "willRetain": "retain"}
_CONNACK: Final = ("reserved", "status", "flags", "userId", "sessionId", "timestamp", "messageId")
_PUBACK: Final = ("messageId", "date", "status", "millisecond", "messageUId", "timestamp")
_REQUEST: Final = ("topic", "targetId", "messageId", "data")

_SHAPES: Final[Mapping[Role, Mapping[str, _Shape]]] = {
    Role.CLIENT: {
        "CONNECT": _shape(Connect, *_CONNECT, *_WILL, "appId", "token"),
        "PUBLISH": _shape(Publish, *_REQUEST),
        "PUBACK": _shape(DeliveryAck, "messageId"),
        "QUERY": _shape(Query, *_REQUEST),
        "QUERYCON": _shape(QueryCon, "messageId"),
        "SUBSCRIBE": _shape(Subscribe),
        "UNSUBSCRIBE": _shape(Unsubscribe),
        "PINGREQ": _shape(PingReq),
        "DISCONNECT": _shape(Disconnect, "reserved", "status"),
    },
    Role.SERVER: {
        "CONNACK": _shape(ConnAck, *_CONNACK),
        "PUBLISH": _shape(Delivery, "date", *_REQUEST),
        "PUBACK": _shape(PubAck, *_PUBACK),
        "QUERYACK": _shape(QueryAck, "messageId", "date", "status", "data"),
        "SUBACK": _shape(SubAck),
        "UNSUBACK": _shape(UnsubAck),
        "PINGRESP": _shape(PingResp),
        "DISCONNECT": _shape(Disconnect, "reserved", "status"),
    },
}
_BY_KIND: Final = {
    shape.kind: (name, shape.members)
    for shapes in _SHAPES.values()
    for name, shape in shapes.items()
}

_ATTRIBUTES: Final = {
    "protocolId": "protocol_name",
    "protocolVersion": "protocol_version",
    "cleanSession": "clean_session",
    "keepAlive": "keep_alive",
    "clientId": "client_id",
    "appId": "app_id",
    "userId": "user_id",
    "sessionId": "session_id",
    "targetId": "target_id",
    "messageId": "message_id",
    "messageUId": "uid",
}
"""Where a member is not called like its attribute in the frame."""

_PRESENCE: Final = {"user_id": 1, "session_id": 2, "timestamp": 4, "message_id": 8}
"""What ``flags`` of CONNACK version 4 say (wire 4.2)."""


def to_fields(frame: Frame) -> dict[str, object]:
    """The JSON object of a frame."""
    name, members = _BY_KIND[type(frame)]
    values: dict[str, object] = {
        member: getattr(frame, _attribute(type(frame), member), None) for member in members
    }
    match frame:
        case Connect(will=Will() as will):
            values |= {member: getattr(will, attribute) for member, attribute in _WILL.items()}
        case ConnAck(protocol_version=ProtocolVersion.V4):
            flags = sum(bit for key, bit in _PRESENCE.items() if getattr(frame, key) is not None)
            # A refusal ends after the status.
            values["flags"] = None if frame.status and not flags else flags
    present = {member: value for member, value in values.items() if value is not None}
    return {"type": name, **{member: _plain(value) for member, value in present.items()}}


def from_fields(
    members: Mapping[str, object], sender: Role, *, protocol_version: ProtocolVersion
) -> Frame:
    """The frame of a JSON object that ``sender`` may send; ValueError if it is none.

    A CONNACK with ``flags`` is of version 4, whatever ``protocol_version`` says. Members for
    which the frame has a default may be left out.
    """
    name = _text("type", members.get("type"))
    if name not in _SHAPES[sender]:
        raise ValueError(f"a {sender.value} sends no frame of type {name}")
    kind, known = _SHAPES[sender][name]
    unknown = members.keys() - {"type", *known}
    if unknown:
        raise ValueError(f"{name} has no {' and no '.join(sorted(unknown))}")
    own = {field.name for field in fields(kind)}
    attributes = {key: _attribute(kind, key) for key in known if key not in _WILL}
    frame = _build(kind, {key: name for key, name in attributes.items() if name in own}, members)
    match frame:
        case Connect() if members.keys() & _WILL.keys():
            return replace(frame, will=_build(Will, _WILL, members))
        case ConnAck():
            version = ProtocolVersion.V4 if "flags" in members else protocol_version
            return replace(frame, protocol_version=version)
    return frame


def _attribute(kind: type[Frame], member: str) -> str:
    if kind is Delivery and member == "dup":
        return "is_sync"
    return _ATTRIBUTES.get(member, member)


def _build(kind: type[T], attributes: Mapping[str, str], members: Mapping[str, object]) -> T:
    values = {
        attribute: _READERS[member](member, members[member])
        for member, attribute in attributes.items()
        if member in members
    }
    required = {field.name for field in fields(kind) if field.default is MISSING}  # type: ignore[arg-type]
    missing = [key for key, value in attributes.items() if value in required - values.keys()]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    return kind(**values)


# --- Values -------------------------------------------------------------------------------


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case int() if float(value) != value:
            # A JSON number is a double to most readers, and this one would be rounded.
            return str(value)
        case _:
            return value


def _text(member: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{member} must be text, not {value!r}")


def _bytes(member: str, value: object) -> bytes:
    try:
        return bytes.fromhex(_text(member, value))
    except ValueError as error:
        raise ValueError(f"{member}: {error}") from error


def _flag(member: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{member} must be true or false, not {value!r}")


def _number(member: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{member} must be a whole number, not {value!r}")


def _qos(member: str, value: object) -> Qos:
    number = _number(member, value)
    if 0 <= number <= 3:
        return Qos(number)
    raise ValueError(f"{member} must be 0 to 3, not {number}")


def _time(member: str, value: object) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return _number(member, value)


_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "qos": _qos,
    "dup": _flag,
    "retain": _flag,
    "protocolId": _text,
    "protocolVersion": _number,
    "cleanSession": _flag,
    "keepAlive": _number,
    "clientId": _text,
    "willTopic": _text,
    "will": _text,
    "willQos": _qos,
    "willRetain": _flag,
    "appId": _text,
    "token": _text,
    "reserved": _number,
    "status": _number,
    "userId": _text,
    "sessionId": _text,
    "timestamp": _time,
    "messageId": _number,
    "date": _number,
    "topic": _text,
    "targetId": _text,
    "data": _bytes,
    "millisecond": _number,
    "messageUId": _text,
}
