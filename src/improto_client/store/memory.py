"""The store that is there by default: it lives as long as the client, and is bounded."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from improto.frames import MessageUid, TimeMs
from improto.messages import MessageDirection
from improto_client.store.base import PASSING_KEPT, ConversationRecord, Record, SentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from improto.messages import Conversation

MESSAGES: Final = 200
"""Kept in each conversation; what came first goes first. Ours: ten screens."""

CONVERSATIONS: Final = 1000
"""With their messages; the one that was quiet for longest goes first. As many as a server lists
at once (operations 7)."""

_time = attrgetter("time")
_NOTHING: Final = nullcontext()


def _order(record: Record) -> tuple[int, int]:
    return record.raw.time, record.id


class MemoryStore:
    """Keeps the newest messages of each conversation in memory, and nothing for the next run.

    ``messages`` and ``conversations`` are the bounds; ValueError if one is below 1. One object
    may be used for one client after the other.
    """

    in_thread = False

    def __init__(self, *, messages: int = MESSAGES, conversations: int = CONVERSATIONS) -> None:
        if messages < 1 or conversations < 1:
            raise ValueError("a store keeps at least one message of one conversation")
        self._most_messages = messages
        self._most_conversations = conversations
        self.wipe()

    def open(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """There is nothing to close."""

    def transaction(self) -> AbstractContextManager[None]:
        """Memory does not fail, so there is nothing to take back."""
        return _NOTHING

    def wipe(self) -> None:
        """Forget everything."""
        self._values: dict[str, dict[str, str]] = {}
        self._records: dict[int, Record] = {}
        self._uids: dict[str, int] = {}
        self._unique_ids: dict[int, int] = {}
        self._open: dict[int, None] = {}
        self._passing: dict[int, None] = {}
        self._kept: dict[Conversation, dict[int, Record]] = {}
        self._conversations: dict[Conversation, ConversationRecord] = {}
        self._last_id = 0

    # -- values ----------------------------------------------------------------------

    def value(self, kind: str, key: str) -> str | None:
        """One text."""
        return self._values.get(kind, {}).get(key)

    def values(self, kind: str) -> dict[str, str]:
        """All texts of a kind."""
        return dict(self._values.get(kind, {}))

    def set_value(self, kind: str, key: str, text: str | None) -> None:
        """Keep a text; None: no longer."""
        if text is None:
            self._values.get(kind, {}).pop(key, None)
        else:
            self._values.setdefault(kind, {})[key] = text

    # -- messages --------------------------------------------------------------------

    def add(self, record: Record) -> int:
        """Keep a message, and forget what is too much."""
        self._last_id += 1
        record.id = self._last_id
        self._put(record)
        return record.id

    def change(self, record: Record) -> None:
        """Put this in the place of the message with its id."""
        old = self._records[record.id]
        is_same_place = old.is_kept and old.raw.conversation == record.raw.conversation
        self._unindex(old)
        if not (record.is_kept and is_same_place):
            self._unlist(old)
        self._put(record)

    def _put(self, record: Record) -> None:
        raw = record.raw
        self._records[record.id] = record
        if raw.uid is not None:
            self._uids[raw.uid] = record.id
        if raw.unique_id is not None and raw.direction is MessageDirection.SENT:
            self._unique_ids[raw.unique_id] = record.id
        if record.is_open:
            self._open[record.id] = None
        if record.is_kept:
            self._keep(record)
        elif not record.is_open:
            self._pass(record.id)

    def _keep(self, record: Record) -> None:
        conversation = record.raw.conversation
        kept = self._kept.pop(conversation, {})
        # In the order of arrival, conversations and messages: what is first goes first.
        self._kept[conversation] = kept
        kept[record.id] = record
        if len(kept) > self._most_messages:
            self._let_go(next(iter(kept.values())))
        if len(self._kept) > self._most_conversations:
            quietest = next(iter(self._kept))
            for each in list(self._kept[quietest].values()):
                self._let_go(each)
            self._conversations.pop(quietest, None)

    def _let_go(self, record: Record) -> None:
        if record.is_open:
            # It goes when it was taken.
            record.is_kept = False
            self._unlist(record)
        else:
            self._drop(record.id)

    def _pass(self, id: int) -> None:
        self._passing[id] = None
        if len(self._passing) > PASSING_KEPT:
            self._drop(next(iter(self._passing)))

    def _unlist(self, record: Record) -> None:
        kept = self._kept.get(record.raw.conversation, {})
        if kept.pop(record.id, None) is not None and not kept:
            del self._kept[record.raw.conversation]

    def _drop(self, id: int) -> None:
        record = self._records.pop(id, None)
        if record is not None:
            self._unindex(record)
            self._unlist(record)

    def _unindex(self, record: Record) -> None:
        raw = record.raw
        if raw.uid is not None:
            del self._uids[raw.uid]
        if raw.unique_id is not None:
            self._unique_ids.pop(raw.unique_id, None)
        self._open.pop(record.id, None)
        self._passing.pop(record.id, None)

    def settle(self, id: int, *, uid: str | None, time: int, sent: SentStatus) -> None:
        """The server has answered an own message."""
        record = self._records[id]
        name = None if uid is None else MessageUid(uid)
        record.raw = replace(record.raw, uid=name, time=TimeMs(time))
        record.sent = sent
        record.outgoing = ""
        if name is not None:
            self._uids[name] = id
        self.take([id])

    def take(self, ids: Iterable[int]) -> None:
        """These are open no longer."""
        for id in ids:
            record = self._records.get(id)
            if record is not None and record.is_open:
                del self._open[id]
                record.is_open = False
                if not record.is_kept:
                    self._pass(id)

    def remove(self, ids: Iterable[int]) -> None:
        """Forget messages."""
        for id in ids:
            self._drop(id)

    def message(self, id: int) -> Record | None:
        """The message with a number."""
        return self._records.get(id)

    def by_uid(self, uid: str) -> Record | None:
        """The message with a uid."""
        return self._records.get(self._uids.get(uid, 0))

    def by_unique_id(self, unique_id: int) -> Record | None:
        """The own message with a unique id."""
        return self._records.get(self._unique_ids.get(unique_id, 0))

    def page(
        self, conversation: Conversation, *, before: tuple[int, int] | None, count: int
    ) -> list[Record]:
        """The newest kept messages, newest first."""
        kept = self._kept.get(conversation, {}).values()
        found = [each for each in kept if before is None or _order(each) < before]
        return sorted(found, key=_order, reverse=True)[:count]

    def waiting(self) -> list[Record]:
        """All open messages."""
        return [self._records[id] for id in sorted(self._open)]

    def recent_uids(self, count: int) -> list[str]:
        """Uids of the newest messages."""
        newest = sorted(self._uids.items(), key=lambda item: item[1])[-count:]
        return [uid for uid, _ in newest]

    def count(self, conversation: Conversation, *, after: int) -> int:
        """How many kept messages of others are counted and later than a time."""
        kept = self._kept.get(conversation, {}).values()
        return sum(
            each.is_counted
            and each.raw.time > after
            and each.raw.direction is MessageDirection.RECEIVED
            for each in kept
        )

    def _all(self, conversation: Conversation | None) -> Iterator[Record]:
        chosen = self._kept if conversation is None else (conversation,)
        for each in chosen:
            yield from self._kept.get(each, {}).values()

    def search(
        self,
        text: str,
        *,
        conversation: Conversation | None,
        sender_id: str | None,
        since: int,
        count: int,
    ) -> list[Record]:
        """Kept messages whose text contains this one, newest first."""
        wanted = text.lower()
        found = (
            each
            for each in self._all(conversation)
            if each.raw.time >= since
            and sender_id in (None, each.raw.sender_id)
            and wanted in each.text.lower()
        )
        return list(islice(sorted(found, key=_order, reverse=True), count))

    def clear(self, conversation: Conversation | None, *, until: int | None) -> None:
        """Forget kept messages that are not open."""
        self.remove(
            [
                each.id
                for each in self._all(conversation)
                if not each.is_open and (until is None or each.raw.time <= until)
            ]
        )

    # -- conversations ---------------------------------------------------------------

    def conversation(self, conversation: Conversation) -> ConversationRecord | None:
        """One conversation."""
        return self._conversations.get(conversation)

    def set_conversation(self, record: ConversationRecord) -> None:
        """Keep a conversation, and forget the quietest if there are too many."""
        self._conversations[record.conversation] = record
        if len(self._conversations) > 2 * self._most_conversations:
            quietest = min(self._conversations.values(), key=_time)
            del self._conversations[quietest.conversation]

    def conversations(self, *, count: int, before: int) -> list[ConversationRecord]:
        """Listed conversations, newest first."""
        found = [
            each
            for each in self._conversations.values()
            if each.is_listed and (not before or each.time < before)
        ]
        return sorted(found, key=_time, reverse=True)[:count]

    def unread(self) -> int:
        """Unread messages of all conversations together."""
        return sum(each.unread for each in self._conversations.values())
