"""A message in the shape in which it is stored and delivered: an encoded DownStreamMessage.

It is encoded once, as its receiver reads it (architecture 2, rule 5). Two readers need
another shape: the sender's own devices (session 9.2) and SDKs that cannot read an emoji
(wire 3, rule 4).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from improto import contents, payloads
from improto.contents import DownFlag, UpFlag
from improto.messages import MessageDirection

if TYPE_CHECKING:
    from improto.frames import MessageUid, TimeMs
    from improto.profiles import Profile

    _WithContent = TypeVar("_WithContent", payloads.UpStreamMessage, payloads.DownStreamMessage)

_ASTRAL_LEAD: Final = re.compile(rb"[\xf0-\xf4]")
"""The first byte of every 4-byte character; may stand for other things too."""

# Plain numbers, because protobuf takes a microsecond more for a member of an enumeration.
_MENTION: Final = int(UpFlag.MENTION)
_RECEIVED: Final = int(MessageDirection.RECEIVED)
_SENT: Final = int(MessageDirection.SENT)


def received_item(
    up: payloads.UpStreamMessage,
    *,
    conversation_type: int,
    sender: str,
    target: str,
    time: TimeMs,
    uid: MessageUid,
) -> bytes:
    """What the user ``target`` reads of a private message."""
    flags = up.sessionId
    mentions_reader = False
    if flags & _MENTION:
        info = contents.mentions(up.content)
        mentions_reader = info is not None and info.concerns(target)
    down = payloads.DownStreamMessage(
        fromUserId=sender,
        type=conversation_type,
        groupId=target,
        classname=up.classname,
        content=up.content,
        dataTime=time,
        status=_down_flags(flags, mentions_reader),
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
    return payloads.encode(down)


@lru_cache(maxsize=256)
def _down_flags(up: int, mentions_reader: bool) -> int:
    """:func:`improto.contents.down_flags`; senders use a handful of combinations."""
    return int(contents.down_flags(up, mentions_reader=mentions_reader))


def sent_item(item: bytes, *, peer: str) -> bytes:
    """The same message as its sender reads it: direction 1, and the peer in ``fromUserId``.

    The newer SDKs would otherwise file it under a conversation with oneself (session 9.2).
    """
    down = payloads.decode(payloads.DownStreamMessage, item)
    down.fromUserId = peer
    down.direction = _SENT
    down.status &= ~DownFlag.MENTIONED
    return payloads.encode(down)


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
