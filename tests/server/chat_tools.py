"""Messages as `improto chat` gets them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from improto import contents
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from improto_client.values import read_message

if TYPE_CHECKING:
    from improto.contents import Content
    from improto_client import Message

ALICE, BOB = Conversation.private("alice"), Conversation.private("bob")


def message(content: Content, *, time: int = 1500, is_mine: bool = False, **more: Any) -> Message:
    """Something that bob has said to alice; with ``is_mine`` that she has said to him."""
    raw = ChatMessage(
        conversation=BOB,
        sender_id="alice" if is_mine else "bob",
        direction=MessageDirection.SENT if is_mine else MessageDirection.RECEIVED,
        object_name=content.object_name,
        content=contents.encode(content),
        uid=MessageUid("U"),
        time=TimeMs(time),
    )
    return replace(read_message(raw, registry=None), **more)
