"""A message in the shape in which it is stored and delivered: an encoded DownStreamMessage.

It is encoded once, as a receiver reads it (architecture 2, rule 5). Three readers need
another shape: those whom it mentions (messages 3.3), the sender's own devices (session 9.2)
and SDKs that cannot read an emoji (wire 3, rule 4).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from improto import contents, payloads
from improto.codes import ConversationType
from improto.contents import DownFlag, ExtFlag, OptionFlag, UpFlag
from improto.messages import MessageDirection
from improto_server.store.schema import is_shared

if TYPE_CHECKING:
    from improto.frames import MessageUid, TimeMs
    from improto.profiles import Profile
    from improto_server.store import InboxItem

    _WithContent = TypeVar("_WithContent", payloads.UpStreamMessage, payloads.DownStreamMessage)

_ASTRAL_LEAD: Final = re.compile(rb"[\xf0-\xf4]")
"""The first byte of every 4-byte character; may stand for other things too."""

# Plain numbers, because protobuf takes a microsecond more for a member of an enumeration.
_MENTION: Final = int(UpFlag.MENTION)
_MENTIONED: Final = int(DownFlag.MENTIONED)
_STATUS: Final = int(ExtFlag.STATUS)
_FOR_READERS: Final = ~int(OptionFlag.RECEIPT_SENT)
"""The bits of ``optionBits`` that a sender may set."""
_RECEIVED: Final = int(MessageDirection.RECEIVED)
_SENT: Final = int(MessageDirection.SENT)
_DIRECTED: Final = frozenset({int(ConversationType.GROUP), int(ConversationType.DISCUSSION)})
"""Types of conversations in which a message can be for some of the members (operations 2.1)."""


def received_item(
    up: payloads.UpStreamMessage,
    *,
    conversation_type: int,
    sender: str,
    target: str,
    time: TimeMs,
    uid: MessageUid,
    is_status: bool = False,
) -> bytes:
    """What a receiver reads of a message, unless it mentions him.

    ``is_status``: it is shown and forgotten; SDK 5 shows it at once only if it says so (sdk5 5).
    """
    down = payloads.DownStreamMessage(
        fromUserId=sender,
        type=conversation_type,
        groupId=target,
        classname=up.classname,
        content=up.content,
        dataTime=time,
        status=_down_flags(up.sessionId),
        msgId=uid,
        direction=_RECEIVED,
    )
    # Zero or empty says the same as absent in all of these.
    if up.clientUniqueId:
        down.clientUniqueId = up.clientUniqueId
    if up.configFlag:
        down.configFlag = up.configFlag
    if up.extraContent:
        down.extraContent = up.extraContent
    if up.pushText:
        down.pushContent = up.pushText
    if up.busChannel:
        down.busChannel = up.busChannel
    if up.HasField("pushExt"):
        down.pushExt.CopyFrom(up.pushExt)
    if up.userId and conversation_type in _DIRECTED:
        down.toUserIds.extend(dict.fromkeys(up.userId))
    if up.optionBits:
        down.optionBits = up.optionBits & _FOR_READERS
    if up.HasField("extMsgData"):
        down.extMsgData.CopyFrom(up.extMsgData)
    if up.metadata:
        down.metadata = up.metadata
    if up.HasField("refData"):
        down.refData.CopyFrom(up.refData)
    if is_status:
        down.extStatus = _STATUS
    return payloads.encode(down)


@lru_cache(maxsize=256)
def _down_flags(up: int) -> int:
    """:func:`improto.contents.down_flags`; senders use a handful of combinations."""
    return int(contents.down_flags(up, mentions_reader=False))


class Mentions(NamedTuple):
    """Whom a message mentions, and what they read of it."""

    info: contents.MentionedInfo
    item: bytes


def mentions(item: bytes, flags: int) -> Mentions | None:
    """None if the message mentions nobody, which only its content can say for sure.

    ``flags`` are those of the sender (messages 3.1).
    """
    if not flags & _MENTION:
        return None
    down = payloads.decode(payloads.DownStreamMessage, item)
    info = contents.mentions(down.content)
    if info is None:
        return None
    down.status |= _MENTIONED
    return Mentions(info, payloads.encode(down))


def sent_item(item: bytes, *, peer: str) -> bytes:
    """The same message as its sender reads it: direction 1.

    In a conversation of two the peer is in ``fromUserId``: the newer SDKs would otherwise file
    it under a conversation with oneself (session 9.2).
    """
    down = payloads.decode(payloads.DownStreamMessage, item)
    if not is_shared(down.type):
        down.fromUserId = peer
    down.direction = _SENT
    return payloads.encode(down)


def as_read(item: InboxItem, reader: str) -> bytes:
    """What the store gives one reader, as he reads it."""
    if item.direction is MessageDirection.SENT:
        return sent_item(item.item, peer=item.target)
    mentioning = mentions(item.item, item.flags)
    if mentioning is not None and mentioning.info.concerns(reader):
        return mentioning.item
    return item.item


def readable(item: bytes, profile: Profile) -> bytes:
    """The item as this generation of clients can read it."""
    return _escaped(payloads.DownStreamMessage, item) if profile.escape_astral else item


def readable_copy(data: bytes, profile: Profile) -> bytes:
    """The same for the UpStreamMessage inside a sync frame (session 9.3)."""
    return _escaped(payloads.UpStreamMessage, data) if profile.escape_astral else data


def _escaped(kind: type[_WithContent], data: bytes) -> bytes:
    if _ASTRAL_LEAD.search(data) is None:
        return data
    message = payloads.decode(kind, data)
    content = contents.escape_astral(message.content)
    if content == message.content:
        return data
    message.content = content
    return payloads.encode(message)
