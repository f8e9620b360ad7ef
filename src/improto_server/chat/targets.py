"""Conversations as people write them: ``bob``, ``group:ID``, ``room:ID``.

Every conversation has one text, and every text is read back as the conversation it came from.
A user whose id looks like another kind of conversation is ``user:ID``.
"""

from __future__ import annotations

from typing import Final

from improto.codes import ConversationType
from improto.messages import Conversation
from improto_server.chat.printable import is_name

_KINDS: Final = {
    "user": ConversationType.PRIVATE,
    "discussion": ConversationType.DISCUSSION,
    "group": ConversationType.GROUP,
    "room": ConversationType.CHATROOM,
    "service": ConversationType.CUSTOMER_SERVICE,
    "system": ConversationType.SYSTEM,
    "public": ConversationType.PUBLIC_SERVICE,
    "default-public": ConversationType.APP_PUBLIC_SERVICE,
}
"""What stands before the colon (messages 1). Nobody but we calls them so."""

_NAMES: Final[dict[int, str]] = {kind: name for name, kind in _KINDS.items()}


def read_target(text: str) -> Conversation:
    """The conversation that a person has written. ValueError says what is wrong with it."""
    prefix, colon, rest = text.partition(":")
    kind = _KINDS.get(prefix) if colon else None
    if kind is None:
        kind, rest = ConversationType.PRIVATE, text
    if not is_name(rest):
        raise ValueError(f"{text!r} cannot be a user id; others are group:ID and room:ID")
    return Conversation(type=kind, target_id=rest)


def target_text(conversation: Conversation) -> str:
    """How a person would write this conversation; not printable if its id is not."""
    kind, target_id = conversation.type, conversation.target_id
    prefix, colon, _ = target_id.partition(":")
    if kind == ConversationType.PRIVATE and not (colon and prefix in _KINDS):
        return target_id
    # Kinds that nobody can write are shown by their number.
    return f"{_NAMES.get(kind, int(kind))}:{target_id}"


def is_room(conversation: Conversation) -> bool:
    """Whether one must join it to speak."""
    return conversation.type == ConversationType.CHATROOM


def is_private(conversation: Conversation) -> bool:
    """Whether it is with one other user."""
    return conversation.type == ConversationType.PRIVATE
