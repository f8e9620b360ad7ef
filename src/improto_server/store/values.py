"""What goes into the store and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from improto.messages import MessageDirection


class StoreError(Exception):
    """The store could not do it; the text is one sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message that has been accepted and given a uid and a time."""

    app: str
    """The app key."""
    uid: str
    """The server's name of the message (messages 2)."""
    time: int
    """Milliseconds since 1970. Strictly increasing within each inbox and each sent box, in
    the order of the calls of :meth:`Store.append`: the caller sees to it (session 1)."""
    type: int
    """The conversation type (messages 1)."""
    sender: str
    target: str
    """The group or, in a conversation of two, whom the sender wrote to."""
    object_name: str
    flags: int
    """:class:`improto.contents.UpFlag` bits (messages 3.1)."""
    unique_id: int | None
    """What the sender calls it, from -2**63 to 2**63-1. A second message of one sender with
    the same number is a repeat of the first."""
    item: bytes
    """The encoded DownStreamMessage as a receiver reads it."""
    receivers: tuple[str, ...]
    """Whose inbox gets it."""
    sent_box: bool
    """True: the sender's other devices find it in his box, with direction SENT."""
    in_history: bool
    """True: history knows it (the stored flag, operations 2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The message is safe: what its PUBACK says."""

    uid: str
    time: int
    is_repeat: bool
    """True: the sender's unique id was known. ``uid`` and ``time`` are those of the first
    message and nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """One message as a reader finds it in his box or in history."""

    time: int
    direction: MessageDirection
    """From the reader's point of view."""
    type: int
    sender: str
    target: str
    """The group or, in a conversation of two, whom the sender wrote to: for a SENT item this
    is the peer, which must go into ``fromUserId`` (session 9.2)."""
    item: bytes
    """:attr:`NewMessage.item`, so with direction RECEIVED inside, whatever ``direction``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """The beginning of what is new in a box, ascending by time."""

    items: tuple[InboxItem, ...]
    newest: int
    """Time of the newest message of the box, new or not; 0 if the box is empty."""
    is_finished: bool
    """True if nothing follows the last item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """A piece of a conversation."""

    items: tuple[InboxItem, ...]
    """Newest first, whichever way the reader goes (operations 5)."""
    has_more: bool
    """True if the conversation goes on beyond the page, in the direction of reading."""
