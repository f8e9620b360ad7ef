"""What programs give and get: messages, conversations and the rest as plain values.

No payload of the wire leaves this library. Times are the server's, in ms since 1970.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from improto import contents
from improto.contents import DownFlag, MentionedInfo, MentionType, Text
from improto.messages import MessageDirection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto.contents import Content, Registry
    from improto.messages import ChatMessage, Conversation

EVERYBODY = "*"
"""Mentions all members of a conversation."""

_MENTIONED: Final = int(DownFlag.MENTIONED)
_NO_PAIRS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that the server has stored."""

    conversation: Conversation
    uid: str
    """Its name for ever; the same for sender and receivers."""
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that was received, or read from history."""

    conversation: Conversation
    sender_id: str
    content: Content
    """The typed value; :class:`improto.contents.Unknown` if it cannot be read."""
    uid: str
    """Empty for what is not stored, as typing."""
    time: int
    is_mine: bool
    """Sent by this user, from another device or, in history, from any."""
    is_offline: bool
    """Sent before this connection was accepted (session 8.7)."""
    is_mentioned: bool
    """The sender wants the attention of this very user."""
    expansion: Mapping[str, str]
    """Pairs that members have attached (messages 8.6)."""
    raw: ChatMessage
    """The message as the protocol has it, with the content's bytes."""

    @property
    def text(self) -> str | None:
        """What a text message says; None for every other kind."""
        return self.content.content if isinstance(self.content, Text) else None


Reference: TypeAlias = "Message | Sent"
"""Names a message: one that was received or one that was sent."""


def read_message(raw: ChatMessage, *, registry: Registry | None) -> Message:
    """The protocol's message as a value for programs."""
    return Message(
        conversation=raw.conversation,
        sender_id=raw.sender_id,
        content=contents.decode(raw.object_name, raw.content, registry=registry),
        uid=raw.uid or "",
        time=raw.time,
        is_mine=raw.direction is MessageDirection.SENT,
        is_offline=raw.is_offline,
        is_mentioned=bool(raw.status & _MENTIONED),
        expansion=expansion(raw.extra_content) if raw.extra_content else _NO_PAIRS,
        raw=raw,
    )


def expansion(text: str | None) -> Mapping[str, str]:
    """Pairs of ``{"key":{"v":"value"}}`` (messages 8.6); what has another form is passed over."""
    try:
        members: Any = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        members = {}
    pairs = members.items() if isinstance(members, dict) else ()
    return MappingProxyType(
        {key: pair["v"] for key, pair in pairs if isinstance(pair, dict) and _is_text(pair)}
    )


def _is_text(pair: dict[str, Any]) -> bool:
    return isinstance(pair.get("v"), str)


def mentioning(users: Iterable[str] | str) -> MentionedInfo:
    """Mention info for user ids, or for :data:`EVERYBODY`."""
    if users == EVERYBODY:
        return MentionedInfo(type=MentionType.ALL)
    listed = (users,) if isinstance(users, str) else tuple(users)
    return MentionedInfo(type=MentionType.SOME, user_id_list=listed)
