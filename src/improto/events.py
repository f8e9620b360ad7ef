"""Everything the core can tell you.

Take events with ``next_event()`` until it returns None. An event is a statement
about the past; taking it changes nothing. Where an event would repeat the fields of
a frame it holds the frame.

The last event of every connection is one :class:`ConnectionClosed`: send what
``messages_to_send()`` still returns, then close the transport as ``farewell`` says.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NewType, TypeAlias

from improto._value import value

if TYPE_CHECKING:
    from improto.errors import RemoteProtocolError
    from improto.frames import MessageId, MessageUid, Publish, Query, TimeMs
    from improto.messages import ChatMessage
    from improto.operations import Operation, Topic
    from improto.payloads import Message

Receipt = NewType("Receipt", int)
"""Names one received message of one session until it is acknowledged."""


class CloseReason(enum.Enum):
    """Why a connection ended."""

    LOCAL = "we ended it"
    PEER = "the peer closed the transport"
    LOST = "the transport broke without a farewell"
    REFUSED = "the server refused the login"
    REDIRECTED = "the server wants the client to ask navigation again"
    KICKED = "another device of the user took over"
    BLOCKED = "the user is blocked"
    ENDED = "the server ended it for good"
    VIOLATION = "the peer broke the protocol"
    NO_CONNACK = "the server did not answer the login in time"
    NO_PONG = "the server did not answer the heartbeat in time"
    NO_LOGIN = "the login was not decided in time"
    IDLE = "the client was silent for too long"
    SLOW_READER = "the peer does not read what we send"

    @property
    def may_reconnect(self) -> bool:
        """True if a client should try again by itself (session 15, rule 7)."""
        return self in _RECONNECT


_RECONNECT = frozenset(
    {
        CloseReason.PEER,
        CloseReason.LOST,
        CloseReason.REDIRECTED,
        CloseReason.VIOLATION,
        CloseReason.NO_CONNACK,
        CloseReason.NO_PONG,
    }
)


class Farewell(enum.Enum):
    """How to close the transport after the last frame is out."""

    CLOSE = "close"
    """With the transport's own closing handshake, code ``close_code``."""
    ABORT = "abort"
    """Without one: SDK 2.5.3 notices only a connection that vanishes (session 4.2)."""


class FailureCause(enum.Enum):
    """Why a request got no answer."""

    TIMED_OUT = "no answer in time"
    CLOSED = "the connection ended first"
    UNSENDABLE = "a message kept by the session does not fit into a frame; it is given up"


class Offered(enum.Enum):
    """What became of a message that a server offered to a client."""

    PUSHED = "sent directly"
    ANNOUNCED = "announced; the client will pull it"
    REMEMBERED = "an earlier announcement or pull covers it"


@value
class Connected:
    """The server accepted us (CONNACK 0)."""

    user_id: str
    session_id: str
    server_time: TimeMs
    """Messages older than this were sent while we were away (session 8.7)."""


@value
class MessageReceived:
    """A chat message for the program; it never comes twice in one session.

    Call ``acknowledge(receipt)`` when the program has taken it: cursors only move past
    acknowledged messages, and the next page is only pulled when all of the last one
    are acknowledged.
    """

    message: ChatMessage
    receipt: Receipt


@value
class PublishAcknowledged:
    """The server's answer to a PUBLISH. ``status`` 0 is success (codes 5)."""

    message_id: MessageId
    status: int
    uid: MessageUid
    timestamp: TimeMs
    unique_id: int | None = None
    """The ``unique_id`` of the :class:`improto.messages.Outgoing`, if it had one."""


@value
class QueryAnswered:
    """The server's answer to a QUERY. ``status`` 0 is success (codes 5)."""

    message_id: MessageId
    status: int
    date: int
    """Server time in seconds."""
    data: bytes


@value
class RequestFailed:
    """A PUBLISH or QUERY got no answer. A later one is ignored.

    With ``will_resend`` the session keeps the message and sends it again under a new
    message id: at once after a time-out, on the next connection after the end.
    """

    message_id: MessageId
    """0 if it could not be sent at all."""
    cause: FailureCause
    will_resend: bool = False


@value
class Resent:
    """A message kept by the session was sent again on this connection."""

    message_id: MessageId
    unique_id: int


@value
class Announced:
    """The server announced something that is not the inbox or a followed room.

    Topics of operations 3: ``s_cmd``, ``s_us``, ``s_stat``, ``rtc_ntf``, ``s_opNtf``, and
    ``s_ntf`` for a room that is not followed. Dropped if ``Limits.events_queued`` events
    wait to be taken.
    """

    topic: Topic
    target_id: str
    payload: Message


@value
class CaughtUp:
    """A stream has nothing more to pull and all its messages are acknowledged."""

    room_id: str | None
    """None for the inbox."""
    cursor: TimeMs


@value
class PullFailed:
    """A pull was refused; it is tried again later, except for rooms.

    Dropped if ``Limits.events_queued`` events wait to be taken.
    """

    room_id: str | None
    status: int
    """Of the answer; 0 if that was a page, but one that could not be read."""


@value
class FrameDropped:
    """A client could not use a frame and went on without it (wire 7, rule 7).

    Dropped itself if ``Limits.events_queued`` events wait to be taken.
    """

    error: RemoteProtocolError


@value
class PublishReceived:
    """A client sent a PUBLISH; answer it with ``acknowledge()`` in any case."""

    frame: Publish
    operation: Operation | None
    """None: the topic is unknown. Refuse it with status 39002."""


@value
class QueryReceived:
    """A client sent a QUERY; answer it with ``answer()`` in any case."""

    frame: Query
    operation: Operation | None
    """None: the topic is unknown. Refuse it with status 39002."""


@value
class PullReceived:
    """A client asks for its inbox or for a room; answer it with ``answer_pull()``."""

    message_id: MessageId
    sync_time: TimeMs
    """Wanted: messages later than this (session 8.2, 11)."""
    sent_sync_time: TimeMs | None = None
    """Inbox: wanted are own messages later than this; None: no own messages."""
    room_id: str | None = None
    """The room; None for the inbox."""
    count: int = 0
    """Room: how many messages a new member wants to see; -1: none (session 11)."""
    is_bare: bool = False
    """Room: its answer has no ``finished`` (sdk5 9, rule 2)."""


@value
class ConnectionClosed:
    """The end. No event follows, all further input is ignored."""

    reason: CloseReason
    status: int | None = None
    """CONNACK or DISCONNECT status, if the reason comes from one."""
    error: RemoteProtocolError | None = None
    """What the peer did, if the reason is VIOLATION."""
    farewell: Farewell = Farewell.CLOSE
    close_code: int = 1000
    """WebSocket close code (RFC 6455 section 7.4.1)."""


ClientEvent: TypeAlias = (
    Connected
    | MessageReceived
    | PublishAcknowledged
    | QueryAnswered
    | RequestFailed
    | Resent
    | Announced
    | CaughtUp
    | PullFailed
    | FrameDropped
    | ConnectionClosed
)
"""What a :class:`improto.client.ClientConnection` tells."""

ServerEvent: TypeAlias = PublishReceived | QueryReceived | PullReceived | ConnectionClosed
"""What a :class:`improto.server.ServerConnection` tells."""

Event: TypeAlias = ClientEvent | ServerEvent
