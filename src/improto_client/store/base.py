"""What a client keeps, and what every store of it can do.

A store is a container: it knows no protocol and no event loop. What an arriving or leaving
message means for it is decided in :mod:`improto_client.book`, which is the same for all stores.
Rules for who writes one:

* All methods are ordinary functions. They are called one at a time, but from different threads
  if :attr:`Store.in_thread` is true.
* Between ``transaction()``'s begin and end everything is kept, or after a crash nothing.
* What goes wrong with the medium is a :class:`improto_client.errors.StoreError`, nothing else.

:func:`improto_client.store.check` tries a store of your own against all of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from improto.messages import ChatMessage, Conversation

PASSING_KEPT: Final = 1000
"""Passing messages of which at least the uids are remembered, so that repeats are recognised.
Ours; a session remembers 512 (Limits.duplicate_window)."""


class ReceivedStatus(IntFlag):
    """What the user has done with a message that he got (messages 3.5). Only local."""

    UNREAD = 0
    READ = 1
    LISTENED = 2
    DOWNLOADED = 4
    RETRIEVED = 8
    """Another of his devices had it already."""


class SentStatus(IntEnum):
    """What has become of an own message (messages 3.5). Only local."""

    SENDING = 10
    FAILED = 20
    SENT = 30
    RECEIVED = 40
    READ = 50
    DESTROYED = 60


@dataclass(slots=True, kw_only=True)
class Record:
    """A message in a store."""

    raw: ChatMessage
    id: int = 0
    """Its number in this store, from 1 on in the order of arrival; 0 before it is there."""
    is_kept: bool = True
    """False for what only passes: it is there until it was taken, and then only its uid."""
    is_open: bool = False
    """The program has not taken it yet, or the server, if it is an own one."""
    is_counted: bool = False
    """It counts as unread until its conversation is read."""
    received: ReceivedStatus = ReceivedStatus.UNREAD
    sent: SentStatus | None = None
    """None for messages of others."""
    outgoing: str = ""
    """How an own message is sent again while it is open; only for who has written it."""
    text: str = ""
    """What searches look into."""
    extra: str = ""
    """The program's own note."""


@dataclass(slots=True, kw_only=True)
class ConversationRecord:
    """A conversation in a store."""

    conversation: Conversation
    time: int = 0
    """Of its newest message; lists are ordered by it. 0: no message yet."""
    unread: int = 0
    read_time: int = 0
    """The user has read everything up to this time."""
    peer_read_time: int = 0
    """The other one has (messages 8.1)."""
    draft: str = ""
    is_pinned: bool = False
    is_muted: bool = False
    is_listed: bool = False
    """It has a message and was not taken off the list since."""


class Store(Protocol):
    """Where a client keeps what must outlive it."""

    in_thread: bool
    """True if methods may take long: they are called in a worker thread then."""

    def open(self) -> None:
        """Be ready; raises StoreError if that cannot be. May be called again after close()."""

    def close(self) -> None:
        """Give everything back to the system. Harmless if it is not open."""

    def transaction(self) -> AbstractContextManager[None]:
        """Around every use. What is left by an exception has changed nothing."""

    # -- values ----------------------------------------------------------------------

    def value(self, kind: str, key: str) -> str | None:
        """One text."""

    def values(self, kind: str) -> dict[str, str]:
        """All texts of a kind, by key, in the order in which the keys were set first."""

    def set_value(self, kind: str, key: str, text: str | None) -> None:
        """Keep a text; None: no longer."""

    # -- messages --------------------------------------------------------------------

    def add(self, record: Record) -> int:
        """Keep a message that is not there yet, and give it the next number.

        A store may be bounded: it forgets old messages, but no open ones. Passing messages that
        were taken are forgotten except for the newest :data:`PASSING_KEPT`.
        """

    def change(self, record: Record) -> None:
        """Put this in the place of the message with its id."""

    def settle(self, id: int, *, uid: str | None, time: int, sent: SentStatus) -> None:
        """The server has answered an open own message: from now on these are its uid and time.

        It is open no longer, and ``outgoing`` is empty.
        """

    def take(self, ids: Iterable[int]) -> None:
        """These are open no longer; those that only pass may lose all but their uids."""

    def remove(self, ids: Iterable[int]) -> None:
        """Forget messages. Numbers that are not there are passed over."""

    def message(self, id: int) -> Record | None:
        """The message with a number."""

    def by_uid(self, uid: str) -> Record | None:
        """The message with a uid, passing ones too."""

    def by_unique_id(self, unique_id: int) -> Record | None:
        """The own message with a unique id."""

    def page(
        self, conversation: Conversation, *, before: tuple[int, int] | None, count: int
    ) -> list[Record]:
        """The newest kept messages, newest first: by time, and by number where times are equal.

        ``before``: only those before a message with this time and number.
        """

    def waiting(self) -> list[Record]:
        """All open messages, in the order of arrival."""

    def recent_uids(self, count: int) -> list[str]:
        """Uids of the newest messages, passing ones too, in the order of arrival."""

    def count(self, conversation: Conversation, *, after: int) -> int:
        """How many kept messages of others are counted and later than a time."""

    def search(
        self,
        text: str,
        *,
        conversation: Conversation | None,
        sender_id: str | None,
        since: int,
        count: int,
    ) -> list[Record]:
        """Kept messages whose text contains this one, at least one character, newest first.

        Upper and lower case are the same. ``since`` is the earliest time.
        """

    def clear(self, conversation: Conversation | None, *, until: int | None) -> None:
        """Forget kept messages that are not open, up to and including a time; None: all."""

    # -- conversations ---------------------------------------------------------------

    def conversation(self, conversation: Conversation) -> ConversationRecord | None:
        """One conversation."""

    def set_conversation(self, record: ConversationRecord) -> None:
        """Keep a conversation."""

    def conversations(self, *, count: int, before: int) -> list[ConversationRecord]:
        """Listed conversations by time, newest first; with ``before`` above 0 earlier ones."""

    def unread(self) -> int:
        """Unread messages of all conversations together."""

    def wipe(self) -> None:
        """Forget everything."""
