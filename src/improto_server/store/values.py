"""What goes into the store and what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from improto.messages import MessageDirection

if TYPE_CHECKING:
    from improto.codes import ConversationType


class StoreError(Exception):
    """The store could not do it; the text is one sentence for the operator."""


class Place(NamedTuple):
    """Names a group, a discussion or a chatroom."""

    app: str
    type: ConversationType
    id: str

    @property
    def key(self) -> tuple[str, str]:
        """What the clock knows it by; no user id has a slash in it."""
        return self.app, f"/{int(self.type)}/{self.id}"


class NewMessage(Struct, frozen=True, kw_only=True, gc=False):
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
    in_stream: bool = False
    """True: all members of the group find it in their inboxes, and ``receivers`` is for nobody
    or for users who are no members."""
    read_until: int | None = None
    """The sender has read the conversation up to this time, and says so by this message
    (messages 8.1, 8.4)."""


class Stored(Struct, frozen=True, kw_only=True, gc=False):
    """The message is safe: what its PUBACK says."""

    uid: str
    time: int
    is_repeat: bool
    """True: the sender's unique id was known. ``uid`` and ``time`` are those of the first
    message and nothing was written."""


class InboxItem(Struct, frozen=True, kw_only=True, gc=False):
    """One message as a reader finds it in his box or in history."""

    time: int
    direction: MessageDirection
    """From the reader's point of view."""
    type: int
    sender: str
    target: str
    """The group or, in a conversation of two, whom the sender wrote to: for a SENT item this
    is the peer, which must go into ``fromUserId`` (session 9.2)."""
    flags: int
    """:attr:`NewMessage.flags`."""
    item: bytes
    """:attr:`NewMessage.item`, so with direction RECEIVED inside, whatever ``direction``, and
    without the mark for readers who are mentioned."""


class InboxPage(Struct, frozen=True, kw_only=True, gc=False):
    """The beginning of what is new in a box, ascending by time."""

    items: tuple[InboxItem, ...]
    newest: int
    """Time of the newest message of the box, new or not; 0 if the box is empty."""
    is_finished: bool
    """True if nothing follows the last item."""


class HistoryPage(Struct, frozen=True, kw_only=True, gc=False):
    """A piece of a conversation."""

    items: tuple[InboxItem, ...]
    """Newest first, whichever way the reader goes (operations 5)."""
    has_more: bool
    """True if the conversation goes on beyond the page, in the direction of reading."""
