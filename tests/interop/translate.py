"""Between what our client says and what the scenarios say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from improto import contents
from improto.contents import DownFlag
from improto.messages import Conversation, MessageDirection, conversation_type
from tests.interop.party import Heard, Place, Sent

if TYPE_CHECKING:
    import improto_client
    from improto.messages import ChatMessage
    from tests.interop.party import Content


def content(kind: str, fields: Content) -> contents.Content:
    """What is to be sent."""
    return contents.decode(kind, json.dumps(fields, ensure_ascii=False).encode())


def conversation(to: Place | str) -> Conversation:
    """Where to."""
    place = Place.of(to)
    return Conversation(type=conversation_type(place.type), target_id=place.id)


def sent(message: improto_client.Sent) -> Sent:
    """What the sender is told."""
    return Sent(uid=message.uid, time=message.time)


def heard(message: ChatMessage) -> Heard:
    """What the receiver is told."""
    fields: Any = json.loads(message.content)
    pairs = json.loads(message.extra_content or "{}")
    return Heard(
        sender=message.sender_id,
        type=message.conversation.type,
        conversation=message.conversation.target_id,
        kind=message.object_name,
        content=fields,
        uid=message.uid or "",
        time=message.time,
        is_offline=message.is_offline,
        is_mine=message.direction is MessageDirection.SENT,
        is_mentioned=bool(message.status & DownFlag.MENTIONED),
        expansion={key: pair["v"] for key, pair in pairs.items()},
    )
