"""The fourteen signals as values.

A frame is what one WebSocket message says (wire 1). Frames are plain values: they
check nothing when made. :func:`improto.codec.decode` only returns valid ones and
:func:`improto.codec.encode` refuses the others.

PUBLISH and PUBACK have different fields in each direction (wire 5), so each has
two classes: :class:`Publish` and :class:`DeliveryAck` are sent by a client,
:class:`Delivery` and :class:`PubAck` by a server.

All frames carry the three header flags (wire 2). ``qos`` is 0 or 1 in practice;
``dup`` and ``retain`` are never set by anybody and are kept only so that a decoded
frame encodes to the same byte. In a :class:`Delivery` the dup bit has a meaning of
its own, so there it is called ``is_sync``.
"""

from __future__ import annotations

import enum
from typing import NewType, TypeAlias

from improto._value import value

MessageId = NewType("MessageId", int)
"""16-bit id of a request, unique among those in flight on one connection (session 6)."""

MessageUid = NewType("MessageUid", str)
"""The server's name for a message, for ever (messages 2)."""

TimeMs = NewType("TimeMs", int)
"""Server time: milliseconds since 1970 on the server's clock."""


class Role(enum.Enum):
    """Which end of a connection. Several frame layouts depend on it (wire 5)."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer(self) -> Role:
        """The other end."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class FrameType(enum.IntEnum):
    """The number in the high four bits of the header byte (wire 2)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    QUERY = 5
    QUERYACK = 6
    QUERYCON = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Qos(enum.IntEnum):
    """Quality of service (wire 2). 2 and 3 never occur and count as 1."""

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1
    EXACTLY_ONCE = 2
    DEFAULT = 3


class ProtocolVersion(enum.IntEnum):
    """Layout of CONNACK, chosen by ``protocolVer`` in the connection URL (wire 4.2)."""

    V3 = 3
    V4 = 4


@value
class Will:
    """What a CONNECT asks to be published when the client is lost (wire 4.1)."""

    topic: str
    message: str
    qos: Qos = Qos.AT_MOST_ONCE
    retain: bool = False


@value
class Connect:
    """CONNECT, client to server; no client sends it: the URL replaces it (wire 4.1)."""

    client_id: str
    protocol_name: str = "RCloud"
    protocol_version: int = 3
    clean_session: bool = True
    keep_alive: int = 0
    """Seconds, 0..65535."""
    will: Will | None = None
    app_id: str | None = None
    token: str | None = None
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class ConnAck:
    """CONNACK, server to client: the first frame of every connection (wire 4.2).

    Version 3 has user id, session id and timestamp, in this order and each only
    if the one before is there; version 4 has any of them, and a message id.
    """

    status: int
    """0 accepts; others are :class:`improto.codes.ConnAckStatus` or unknown, 0..255."""
    user_id: str | None = None
    session_id: str | None = None
    timestamp: TimeMs | None = None
    message_id: MessageId | None = None
    """Version 4 only: where the client's message ids continue from."""
    protocol_version: ProtocolVersion = ProtocolVersion.V3
    reserved: int = 0
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Publish:
    """PUBLISH, client to server: send something (wire 4.3)."""

    topic: str
    target_id: str
    message_id: MessageId
    data: bytes
    """The payload, a protobuf message of the topic."""
    qos: Qos = Qos.AT_LEAST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Delivery:
    """PUBLISH, server to client: a notification, a message or a copy (wire 4.3)."""

    date: int
    """Seconds since 1970, 32 bits."""
    topic: str
    target_id: str
    message_id: MessageId
    data: bytes
    qos: Qos = Qos.AT_LEAST_ONCE
    is_sync: bool = False
    """Bit 3: a copy of what this user sent from another device (session 9.3)."""
    retain: bool = False


@value
class PubAck:
    """PUBACK, server to client: what became of a PUBLISH (wire 4.4)."""

    message_id: MessageId
    date: int
    """Seconds since 1970; with ``millisecond`` the time of the message."""
    status: int
    """0 is success; others are :class:`improto.codes.ErrorCode` or unknown, 0..65535."""
    millisecond: int
    """0..999; readers accept 0..65535."""
    uid: MessageUid
    """Empty when the message was refused."""
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False

    @property
    def timestamp(self) -> TimeMs:
        """Time of the message in milliseconds: date x 1000 + millisecond."""
        return TimeMs(self.date * 1000 + self.millisecond)


@value
class DeliveryAck:
    """PUBACK, client to server: a Delivery arrived. It is no receipt (session 7)."""

    message_id: MessageId
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Query:
    """QUERY, client to server: ask for something (wire 4.5)."""

    topic: str
    target_id: str
    message_id: MessageId
    data: bytes
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class QueryAck:
    """QUERYACK, server to client: the answer to a QUERY (wire 4.6)."""

    message_id: MessageId
    date: int
    """Seconds since 1970, 32 bits."""
    status: int
    """0 is success; others are :class:`improto.codes.ErrorCode` or unknown, 0..65535."""
    data: bytes
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class QueryCon:
    """QUERYCON, client to server: a QUERYACK with QoS above 0 arrived (wire 4.7)."""

    message_id: MessageId
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Subscribe:
    """SUBSCRIBE: a number without a use (wire 4.8)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class SubAck:
    """SUBACK: a number without a use; SDKs read it as PINGRESP (wire 4.8)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Unsubscribe:
    """UNSUBSCRIBE: a number without a use (wire 4.8)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class UnsubAck:
    """UNSUBACK: a number without a use; SDKs read it as PINGRESP (wire 4.8)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class PingReq:
    """PINGREQ, client to server (wire 4.9)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class PingResp:
    """PINGRESP, server to client (wire 4.9)."""

    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


@value
class Disconnect:
    """DISCONNECT, server to client: go away (wire 4.10). Clients just close."""

    status: int
    """:class:`improto.codes.DisconnectStatus` or unknown, 0..255."""
    reserved: int = 0
    qos: Qos = Qos.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False


Frame: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | Delivery
    | PubAck
    | DeliveryAck
    | Query
    | QueryAck
    | QueryCon
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
)
"""Any frame; closed, so that a ``match`` over it can be complete."""
