"""A chat message as a program sees it: one to send, one received.

On the wire a message has two shapes: UpStreamMessage, as it leaves its sender, and
DownStreamMessage, as everybody else reads it. The content inside both is the
sender's bytes, unchanged (messages 5).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto import contents, payloads
from improto.codes import ConversationType
from improto.config import CONTENT_BYTES
from improto.errors import EncodeError, LocalProtocolError
from improto.frames import MessageUid, Qos, TimeMs
from improto.operations import Kind, Topic, message_topic, operation

if TYPE_CHECKING:
    from improto.contents import Content, Registry


class MessageDirection(enum.IntEnum):
    """Who sent a message, from the reader's point of view (messages 1)."""

    SENT = 1
    RECEIVED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Where a message belongs: a kind of conversation and its target (messages 1)."""

    type: ConversationType | int
    """A plain int if the number is unknown to us."""
    target_id: str
    """The other user, the group, the room, ..."""

    @classmethod
    def private(cls, user_id: str) -> Conversation:
        """The conversation with one other user."""
        return cls(type=ConversationType.PRIVATE, target_id=user_id)

    @classmethod
    def group(cls, group_id: str) -> Conversation:
        """The conversation in a group."""
        return cls(type=ConversationType.GROUP, target_id=group_id)

    @classmethod
    def chatroom(cls, room_id: str) -> Conversation:
        """The conversation in a chatroom."""
        return cls(type=ConversationType.CHATROOM, target_id=room_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A PUBLISH that is ready to go. :func:`compose` makes one for a chat message."""

    topic: Topic
    target_id: str
    data: bytes
    """The payload: the encoded protobuf message of the topic."""
    qos: Qos = Qos.AT_LEAST_ONCE
    unique_id: int | None = None
    """If set, the session keeps the message until it is acknowledged and sends it again after
    a time-out or on the next connection. The same number must be inside the payload, where
    the server finds it and recognises the repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A QUERY that is ready to go."""

    topic: Topic
    target_id: str
    data: bytes
    qos: Qos = Qos.AT_MOST_ONCE


_LARGEST_UNIQUE_ID: Final = 2**63 - 1
"""``clientUniqueId`` is an int64; negative ones are of no use to anybody."""


def request(topic: Topic, target_id: str, payload: payloads.Message) -> Request:
    """A QUERY with the QoS of the operation table; EncodeError if the payload is incomplete."""
    return Request(
        topic=topic,
        target_id=target_id,
        data=payloads.encode(payload),
        qos=Qos(operation(topic).qos),
    )


def compose(
    conversation: Conversation,
    content: Content,
    *,
    flags: int | None = None,
    receivers: tuple[str, ...] = (),
    unique_id: int | None = None,
    push_text: str | None = None,
    kind: Kind | None = None,
    content_limit: int = CONTENT_BYTES,
) -> Outgoing:
    """Make a chat message ready to send.

    ``flags`` are :class:`improto.contents.UpFlag` bits, by default those of the content's
    type. ``receivers`` restricts a group message to these members. ``unique_id`` (0 to
    2**63-1) makes it safe to send again, see :attr:`Outgoing.unique_id`. ``kind`` chooses
    between the stored and the status variant of the topic; by default typing is a status
    message and all else is stored (operations 2.1). ``content_limit`` is what the server
    takes, in bytes: SDKs stop at 131072 themselves (wire 7), and a frame that a server finds
    too large ends the connection.

    Raises EncodeError if the content is too long or it or an argument cannot be encoded and
    LocalProtocolError if the conversation type has no topic to send to.
    """
    if kind is None:
        kind = Kind.STATUS if isinstance(content, contents.Typing) else Kind.STORED
    known = conversation_type(conversation.type)
    if not isinstance(known, ConversationType):
        raise LocalProtocolError(f"a conversation of type {known} has no topic: it is unknown")
    if unique_id is not None and not 0 <= unique_id <= _LARGEST_UNIQUE_ID:
        raise EncodeError(f"unique_id must be 0 to {_LARGEST_UNIQUE_ID}, not {unique_id!r}")
    content_bytes = contents.encode(content)
    if len(content_bytes) > content_limit:
        raise EncodeError(f"content: {len(content_bytes)} bytes, the limit is {content_limit}")
    try:
        message = payloads.UpStreamMessage(
            sessionId=contents.flags(content) if flags is None else flags,
            classname=content.object_name,
            content=content_bytes,
            pushText=push_text,
            userId=receivers,
            configFlag=0,
            clientUniqueId=unique_id,
        )
    except ValueError as error:
        raise EncodeError(f"flags, object_name, push_text or receivers: {error}") from error
    return Outgoing(
        topic=message_topic(known, kind),
        target_id=conversation.target_id,
        data=payloads.encode(message),
        unique_id=unique_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """A message as its reader sees it."""

    conversation: Conversation
    sender_id: str
    direction: MessageDirection
    object_name: str
    content: bytes
    """The sender's bytes; :meth:`decoded` gives the typed value."""
    uid: MessageUid | None
    time: TimeMs
    status: int = 0
    """:class:`improto.contents.DownFlag` bits (messages 3.3)."""
    is_offline: bool = False
    """Sent before this connection was accepted (session 8.7)."""
    unique_id: int | None = None
    """What the sender called it, if anything."""
    extra_content: str | None = None
    """Expansion as JSON text (messages 8.6)."""

    def decoded(self, *, registry: Registry | None = None) -> Content:
        """The typed content; :class:`improto.contents.Unknown` if it cannot be read."""
        return contents.decode(self.object_name, self.content, registry=registry)


_TARGET_IN_GROUP_ID = frozenset(
    {
        ConversationType.DISCUSSION,
        ConversationType.GROUP,
        ConversationType.CHATROOM,
        ConversationType.ULTRA_GROUP,
        ConversationType.RTC_ROOM,
    }
)
"""Types whose target is groupId; of the others it is fromUserId (messages 1)."""


def conversation_type(number: int) -> ConversationType | int:
    """The enum member of a number, or the number itself if there is none."""
    try:
        return ConversationType(number)
    except ValueError:
        return number


def received(
    down: payloads.DownStreamMessage, *, user_id: str, connected_at: TimeMs
) -> ChatMessage:
    """Read a DownStreamMessage as user ``user_id`` (messages 1, session 9.2)."""
    kind = conversation_type(down.type)
    in_group = kind in _TARGET_IN_GROUP_ID and down.groupId
    sent = down.direction == MessageDirection.SENT or (
        kind == ConversationType.CHATROOM and down.fromUserId == user_id
    )
    return ChatMessage(
        conversation=Conversation(
            type=kind, target_id=down.groupId if in_group else down.fromUserId
        ),
        sender_id=user_id if sent else down.fromUserId,
        direction=MessageDirection.SENT if sent else MessageDirection.RECEIVED,
        object_name=down.classname,
        content=down.content,
        uid=MessageUid(down.msgId) if down.msgId else None,
        time=TimeMs(down.dataTime),
        status=down.status,
        is_offline=down.dataTime < connected_at,
        unique_id=down.clientUniqueId if down.HasField("clientUniqueId") else None,
        extra_content=down.extraContent if down.HasField("extraContent") else None,
    )


def _recalled_from(up: payloads.UpStreamMessage) -> Conversation | None:
    """Where the recalled message is: a recall is sent to oneself (messages 7, rule 5)."""
    command = contents.decode(up.classname, up.content)
    if not isinstance(command, contents.RecallCommand):
        return None
    number, target_id = command.conversation_type, command.target_id
    if number is None or target_id is None:
        return None
    return Conversation(type=conversation_type(number), target_id=target_id)


def sent_elsewhere(
    up: payloads.UpStreamMessage,
    *,
    topic: Topic,
    target_id: str,
    user_id: str,
    uid: MessageUid,
    time: TimeMs,
) -> ChatMessage:
    """Read a copy of what the user sent from another device (session 9.3)."""
    kind = operation(topic).conversation
    conversation = Conversation(
        type=ConversationType.PRIVATE if kind is None else kind, target_id=target_id
    )
    if topic is Topic.RECALL_MSG:
        conversation = _recalled_from(up) or conversation
    return ChatMessage(
        conversation=conversation,
        sender_id=user_id,
        direction=MessageDirection.SENT,
        object_name=up.classname,
        content=up.content,
        uid=uid or None,
        time=time,
        status=contents.down_flags(up.sessionId, mentions_reader=False),
        unique_id=up.clientUniqueId if up.HasField("clientUniqueId") else None,
        extra_content=up.extraContent if up.HasField("extraContent") else None,
    )
