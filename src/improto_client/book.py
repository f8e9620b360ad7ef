"""What arriving and leaving messages mean for the local store. Sans-IO.

Rules:

* A message is recognised by its uid, and an own one by its unique id too, so that however often
  it comes it is there once.
* What arrives is open until the program has taken it, and open messages are offered again by the
  next run. The cursors in the store stand behind everything that is in it.
* What is sent is open until the server has answered; the next run sends it again.
* Of a message that is neither stored nor counted, as a receipt, only what it changes stays.
* Chatrooms have messages and entries here, but do not stand in the list and are not counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from improto import contents, payloads
from improto.codes import ConversationType
from improto.config import Limits
from improto.contents import (
    BaseContent,
    ChatroomKeyChange,
    DownFlag,
    ExpansionChange,
    KeyOperation,
    ReadReceipt,
    RecallCommand,
    SyncReadStatus,
)
from improto.frames import TimeMs
from improto.messages import ChatMessage, MessageDirection
from improto_client.errors import DamagedStore, ForeignStore
from improto_client.store.base import ConversationRecord, ReceivedStatus, Record, SentStatus
from improto_client.values import expansion
from improto_client.words import clean, searched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from improto.contents import Content, Registry
    from improto.messages import Conversation, Outgoing
    from improto_client.store.base import Store

LATEST: Final = 2**62
"""No number is larger. Times inside contents may be anything."""

_TYPES: Final = range(2**31)

_META, _ROOM = "meta", "room "
_APP_KEY, _USER, _INBOX, _SENT = "app_key", "user_id", "inbox", "sent"
_ROUTES: Final = "routes"

_EFFECTIVE: Final = frozenset(
    kind.object_name
    for kind in (RecallCommand, ExpansionChange, ChatroomKeyChange, SyncReadStatus, ReadReceipt)
)
"""What does something to others."""

_RETRIEVED: Final = int(DownFlag.RETRIEVED)


class Cursors(NamedTuple):
    """How far everything has arrived, and for whom."""

    user_id: str
    inbox: int
    sent: int


class Kept(NamedTuple):
    """What is known of a key of a chatroom."""

    value: str
    owner_id: str
    time: int


@dataclass(slots=True, kw_only=True)
class Saved:
    """What the last run has left."""

    routes: str
    """As of :meth:`improto_client.navigation.Routes.to_text`."""

    session: dict[str, Any]
    """As of :meth:`improto.session.ClientSession.to_state`."""
    waiting: list[Record] = field(default_factory=list)
    """What nobody has taken."""


class Book:
    """One store, and what is done to it. Every method is called inside a transaction."""

    def __init__(self, store: Store, *, registry: Registry | None) -> None:
        self.store = store
        self._registry = registry
        self._app_key = ""

    # -- the last run ----------------------------------------------------------------

    def begin(self, app_key: str) -> Saved:
        """What was left. Raises ForeignStore, or DamagedStore if it makes no sense."""
        meta = self.store.values(_META)
        if meta.setdefault(_APP_KEY, app_key) != app_key:
            raise ForeignStore(f"the store belongs to the app key {meta[_APP_KEY]!r}")
        self._app_key = app_key
        self.store.set_value(_META, _APP_KEY, app_key)
        opened = self.store.waiting()
        # What is offered again must not be taken for a repeat of itself.
        offered = {record.raw.uid for record in opened}
        recent = self.store.recent_uids(Limits.for_client().duplicate_window)
        try:
            session: dict[str, Any] = {
                "version": 1,
                "user_id": meta.get(_USER),
                "inbox": int(meta.get(_INBOX, "0")),
                "sent": int(meta.get(_SENT, "0")),
                "rooms": {},
                "recent": [uid for uid in recent if uid not in offered],
                "outbox": [_read_outgoing(record) for record in opened if record.outgoing],
            }
        except (ValueError, TypeError) as error:
            raise DamagedStore(f"cursors or outbox cannot be read: {error}") from error
        waiting = [record for record in opened if not record.outgoing]
        return Saved(session=session, waiting=waiting, routes=meta.get(_ROUTES, "[]"))

    def logged_in(self, user_id: str, *, routes: str) -> None:
        """The store belongs to this user from now on; the way to the server was a good one."""
        self.store.set_value(_META, _USER, user_id)
        self.store.set_value(_META, _ROUTES, routes)

    def wipe(self) -> None:
        """Forget everything but the app key."""
        self.store.wipe()
        self.store.set_value(_META, _APP_KEY, self._app_key)

    # -- receiving -------------------------------------------------------------------

    def arrived(
        self, messages: Sequence[tuple[ChatMessage, Content]], cursors: Cursors
    ) -> list[int | None]:
        """Keep what has come, together with how far that is.

        Gives for each the number under which it is to be taken, 0 if it leaves no trace, and None
        for what was here before.
        """
        numbers = [self._arrived(raw, content) for raw, content in messages]
        for name, value in zip((_USER, _INBOX, _SENT), cursors, strict=True):
            self.store.set_value(_META, name, str(value))
        return numbers

    def _arrived(self, raw: ChatMessage, content: Content) -> int | None:
        if raw.uid is None or not _is_storable(raw.conversation):
            self._apply(raw, content)
            return 0
        if self.store.by_uid(raw.uid) is not None:
            return None
        is_mine = raw.direction is MessageDirection.SENT
        if is_mine and self._under_way(raw.unique_id) is not None:
            # The server had it, and the answer was lost with the last run.
            self.settle(raw.unique_id, uid=raw.uid, time=raw.time, is_sent=True)
            return None
        record = self._record(raw, content)
        record.is_open = True
        if is_mine:
            record.sent = SentStatus.SENT
        elif raw.status & _RETRIEVED:
            record.received = ReceivedStatus.RETRIEVED
            record.is_counted = False
        number = self.store.add(record)
        if raw.object_name in _EFFECTIVE:
            self._apply(raw, content)
        self._listed(record, time=raw.time)
        return number

    def take(self, numbers: Iterable[int]) -> None:
        """The program has taken these."""
        self.store.take(numbers)

    def _record(self, raw: ChatMessage, content: Content) -> Record:
        is_kept, is_counted = content.is_persisted, content.is_counted
        if not isinstance(content, BaseContent):
            # For types that nobody knows the sender's word is good (messages 3.3).
            is_kept = bool(raw.status & DownFlag.STORED)
            is_counted = bool(raw.status & DownFlag.COUNTED)
        return Record(
            raw=raw,
            is_kept=is_kept,
            is_counted=is_counted and _is_listed(raw.conversation),
            text=searched(content) if is_kept else "",
        )

    def content(self, raw: ChatMessage) -> Content:
        """What a message says."""
        return raw.decoded(registry=self._registry)

    # -- sending ---------------------------------------------------------------------

    def keep(
        self, outgoing: Outgoing, content: Content, *, to: Conversation, user_id: str, now: int
    ) -> None:
        """Put a message into the store before it leaves; ``now`` is the server's time."""
        up = payloads.decode(payloads.UpStreamMessage, outgoing.data)
        raw = ChatMessage(
            conversation=to,
            sender_id=user_id,
            direction=MessageDirection.SENT,
            object_name=up.classname,
            content=up.content,
            uid=None,
            # Behind what is there, though the clocks may differ.
            time=TimeMs(max(now, self.conversation(to).time)),
            status=contents.down_flags(up.sessionId, mentions_reader=False),
            unique_id=outgoing.unique_id,
        )
        record = self._record(raw, content)
        record.is_open = True
        record.outgoing = _written(outgoing)
        record.sent = SentStatus.SENDING
        self.store.add(record)
        self._listed(record, time=raw.time)

    def _under_way(self, unique_id: int | None) -> Record | None:
        """An own message that the server has not answered yet."""
        record = None if unique_id is None else self.store.by_unique_id(unique_id)
        return record if record is not None and record.outgoing else None

    def settle(self, unique_id: int | None, *, uid: str, time: int, is_sent: bool) -> None:
        """The server has answered, or will not be asked again."""
        record = self._under_way(unique_id)
        if record is None:
            return
        if not is_sent:
            time = record.raw.time
            self.store.settle(record.id, uid=None, time=time, sent=SentStatus.FAILED)
            return
        if uid and self.store.by_uid(uid) is not None:
            # It has come back from the server before the answer did.
            self.store.remove([record.id])
            return
        self.store.settle(record.id, uid=uid or None, time=time, sent=SentStatus.SENT)
        if record.raw.object_name in _EFFECTIVE:
            raw = replace(record.raw, time=TimeMs(time))
            self._apply(raw, self.content(raw))
        self._listed(record, time=time)

    def withdraw(self, unique_id: int) -> None:
        """It is not to be sent any more, and never was."""
        record = self._under_way(unique_id)
        if record is not None:
            self.store.remove([record.id])
            self.recount(record.raw.conversation)

    # -- conversations ---------------------------------------------------------------

    def conversation(self, conversation: Conversation) -> ConversationRecord:
        """One conversation, known or not."""
        return self.store.conversation(conversation) or ConversationRecord(
            conversation=conversation
        )

    def _listed(self, record: Record, *, time: int) -> None:
        """A kept message of this time puts its conversation on the list, and may be unread."""
        raw = record.raw
        if not record.is_kept or not _is_listed(raw.conversation):
            return
        found = self.conversation(raw.conversation)
        found.is_listed = True
        is_theirs = raw.direction is MessageDirection.RECEIVED
        if record.is_counted and is_theirs and time > found.read_time:
            found.unread += 1
        found.time = max(found.time, time)
        self.store.set_conversation(found)

    def recount(self, conversation: Conversation) -> None:
        """Messages are gone: its newest message may be another, and fewer unread."""
        if not _is_listed(conversation):
            return
        found = self.conversation(conversation)
        newest = self.store.page(conversation, before=None, count=1)
        found.time = newest[0].raw.time if newest else 0
        found.is_listed = found.is_listed and bool(newest)
        unread = self.store.count(conversation, after=found.read_time)
        found.unread = min(found.unread, unread)
        self.store.set_conversation(found)

    def read(self, conversation: Conversation, *, until: int) -> None:
        """The user has read everything up to a time; what he has read stays read."""
        found = self.conversation(conversation)
        found.read_time = max(found.read_time, min(until, LATEST))
        unread = self.store.count(conversation, after=found.read_time)
        found.unread = min(found.unread, unread)
        self.store.set_conversation(found)

    def unlist(self, conversation: Conversation) -> None:
        """Take a conversation off the list until the next message."""
        found = self.conversation(conversation)
        found.is_listed = False
        found.unread = 0
        self.store.set_conversation(found)

    def set_conversation(
        self,
        conversation: Conversation,
        *,
        draft: str | None = None,
        unread: int | None = None,
        is_pinned: bool | None = None,
        is_muted: bool | None = None,
    ) -> None:
        """Set what is not None."""
        found = self.conversation(conversation)
        found.draft = found.draft if draft is None else clean(draft)
        found.unread = found.unread if unread is None else unread
        found.is_pinned = found.is_pinned if is_pinned is None else is_pinned
        found.is_muted = found.is_muted if is_muted is None else is_muted
        self.store.set_conversation(found)

    def insert(self, record: Record) -> None:
        """A message that only this client knows."""
        record.extra = clean(record.extra)
        self.store.add(record)
        self._listed(record, time=record.raw.time)

    def received(self, record: Record, status: ReceivedStatus) -> None:
        """What the user has done with a message; then it is not unread any more."""
        status |= record.received
        self.store.change(replace(record, received=status, is_counted=False))
        if record.is_counted:
            self.recount(record.raw.conversation)

    def clear(self, conversation: Conversation | None, *, until: int | None) -> None:
        """Forget messages of a conversation, or of all, up to a time."""
        self.store.clear(conversation, until=until)
        if conversation is not None:
            self.recount(conversation)
            return
        for each in self.store.conversations(count=LATEST, before=0):
            self.recount(each.conversation)

    # -- what messages do to others --------------------------------------------------

    def _apply(self, raw: ChatMessage, content: Content) -> None:
        is_mine = raw.direction is MessageDirection.SENT
        match content:
            case RecallCommand(message_uid=str(uid)):
                self._recalled(clean(uid), raw)
            case ExpansionChange(mid=str(uid)):
                self._expand(clean(uid), raw.conversation, content)
            case ChatroomKeyChange(key=str(key)) if _is_room(raw.conversation):
                entry = Kept(content.value or "", raw.sender_id, raw.time)
                is_gone = content.type == KeyOperation.DELETE
                changes = {clean(key): None if is_gone else entry}
                self.change_entries(raw.conversation.target_id, changes)
            case (
                SyncReadStatus(last_message_send_time=int(until))
                | ReadReceipt(last_message_send_time=int(until))
            ) if is_mine:
                self.read(raw.conversation, until=until)
            case ReadReceipt(last_message_send_time=int(until)):
                found = self.conversation(raw.conversation)
                found.peer_read_time = max(found.peer_read_time, min(until, LATEST))
                self.store.set_conversation(found)

    def _recalled(self, uid: str, notice: ChatMessage) -> None:
        """The server has checked who may; what it cannot have meant is left alone all the same."""
        record = self.store.by_uid(uid)
        if record is None or record.raw.conversation != notice.conversation:
            return
        is_private = notice.conversation.type == ConversationType.PRIVATE
        if not is_private or record.raw.sender_id == notice.sender_id:
            self.forget(record)

    def forget(self, record: Record) -> None:
        """A message was taken back or deleted; a repeat of it is recognised all the same."""
        if record.is_kept:
            self.store.change(replace(record, is_kept=False, text=""))
            self.recount(record.raw.conversation)

    def forget_all(self, uids: Iterable[str]) -> None:
        """Forget these, as far as they are here."""
        for uid in uids:
            record = self.store.by_uid(uid) if uid else None
            if record is not None:
                self.forget(record)

    def _expand(self, uid: str, place: Conversation, change: ExpansionChange) -> None:
        record = self.store.by_uid(uid)
        if record is None or record.raw.conversation != place:
            return
        pairs = {} if change.remove_all else dict(expansion(record.raw.extra_content))
        for key in change.delete or ():
            pairs.pop(key, None)
        pairs |= {key: value for key, value in (change.put or {}).items() if isinstance(value, str)}
        text = json.dumps({key: {"v": value} for key, value in pairs.items()})
        self.store.change(replace(record, raw=replace(record.raw, extra_content=text)))

    # -- rooms -----------------------------------------------------------------------

    def change_entries(self, room_id: str, changes: Mapping[str, Kept | None]) -> None:
        """Set keys of a room; None: the key is gone."""
        for key, entry in changes.items():
            text = None if entry is None else json.dumps(entry)
            self.store.set_value(_ROOM + room_id, key, text)

    def set_entries(self, room_id: str, entries: Mapping[str, Kept]) -> None:
        """These are all keys of a room."""
        gone = dict.fromkeys(
            key for key in self.store.values(_ROOM + room_id) if key not in entries
        )
        self.change_entries(room_id, {**gone, **entries})

    def entries(self, room_id: str) -> dict[str, Kept]:
        """What is known of a room's keys."""
        found = self.store.values(_ROOM + room_id)
        return {key: Kept(*json.loads(text)) for key, text in found.items()}


def _written(outgoing: Outgoing) -> str:
    """A message under way as a text."""
    return f"{outgoing.topic} {outgoing.qos:d} {outgoing.data.hex()} {outgoing.target_id}"


def _read_outgoing(record: Record) -> dict[str, Any]:
    """A member of a session's outbox; ValueError for a text that is none."""
    topic, qos, data, target_id = record.outgoing.split(" ", 3)
    return {
        "unique_id": record.raw.unique_id,
        "topic": topic,
        "target_id": target_id,
        "qos": int(qos),
        "data": data,
    }


def _is_storable(conversation: Conversation) -> bool:
    """False for what only a recall can name, whose conversation is in its content."""
    target_id = conversation.target_id
    return conversation.type in _TYPES and clean(target_id) == target_id


def _is_room(conversation: Conversation) -> bool:
    return conversation.type == ConversationType.CHATROOM


def _is_listed(conversation: Conversation) -> bool:
    return not _is_room(conversation)
