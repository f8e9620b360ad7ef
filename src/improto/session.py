"""What outlives a connection: cursors, the duplicate window, the outbox.

A cursor is a server time: "give me everything after this" (session 1). It moves only
past messages that the program has acknowledged, in the order in which they came, so a
crash at any moment repeats a message rather than losing one; the duplicate window then
keeps the repeat from being shown.

A session belongs to one user of one app and to at most one connection at a time. It is
plain data: ``to_state()`` gives something that any serialiser can write and
``from_state()`` reads it back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from improto.config import Limits
from improto.errors import LocalProtocolError, WindowFull
from improto.events import Receipt
from improto.frames import MessageUid, Qos, TimeMs
from improto.messages import MessageDirection, Outgoing
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto.messages import ChatMessage

_STATE_VERSION: Final = 1


@dataclass(slots=True)
class _Entry:
    """A place in a stream that a cursor has not passed yet."""

    stream: _Stream
    inbox_time: int = 0
    """Where the stream's cursor goes when this entry is passed; 0: nowhere."""
    sent_time: int = 0
    """Where the sent box's cursor goes when this entry is passed; 0: nowhere."""
    uid: MessageUid | None = None
    is_open: bool = False
    """The program has it and has not acknowledged it."""


class _Stream:
    """The inbox or a room: a cursor and what lies between it and the newest message."""

    __slots__ = ("ahead", "cursor", "open_count", "reach", "room_id")

    def __init__(self, room_id: str | None = None) -> None:
        self.room_id = room_id
        self.cursor = 0
        self.reach = 0
        """Where the cursor goes once everything ahead of it is acknowledged."""
        self.ahead: deque[_Entry] = deque()
        self.open_count = 0


class ClientSession:
    """The memory of a client."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits.for_client()
        self.user_id: str | None = None
        """Whose session this is; known after the first login."""
        self._inbox = _Stream()
        self._sent_cursor = 0
        self._sent_reach = 0
        self._rooms: dict[str, _Stream] = {}
        self._open: dict[Receipt, _Entry] = {}
        self._last_receipt = 0
        self._ahead_uids: set[MessageUid] = set()
        self._recent_uids: dict[MessageUid, None] = {}
        self._outbox: dict[int, Outgoing] = {}

    # -- cursors ---------------------------------------------------------------------

    @property
    def inbox_cursor(self) -> TimeMs:
        """Everything received up to this time has been acknowledged."""
        return TimeMs(self._inbox.cursor)

    @property
    def sent_cursor(self) -> TimeMs:
        """Everything the user sent up to this time has been seen in a pull."""
        return TimeMs(self._sent_cursor)

    @property
    def inbox_reach(self) -> TimeMs:
        """Where :attr:`inbox_cursor` goes once everything handed out is acknowledged.

        For programs that write down what they have been handed together with how far it is.
        """
        return TimeMs(max(self._inbox.cursor, self._inbox.reach))

    @property
    def sent_reach(self) -> TimeMs:
        """The same for :attr:`sent_cursor`."""
        return TimeMs(max(self._sent_cursor, self._sent_reach))

    def room_cursor(self, room_id: str) -> TimeMs:
        """The cursor of a room; 0 for a room that is not followed."""
        stream = self._rooms.get(room_id)
        return TimeMs(stream.cursor if stream else 0)

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that are followed, in the order in which they were joined."""
        return tuple(self._rooms)

    def open_count(self, room_id: str | None = None) -> int:
        """How many messages of a stream wait to be acknowledged; None is the inbox."""
        return self._stream(room_id).open_count

    @property
    def ahead_count(self) -> int:
        """How many messages of the inbox its cursor has not passed yet, open or not."""
        return len(self._inbox.ahead)

    def follow_room(self, room_id: str) -> None:
        """Keep a cursor for a room; harmless if there is one already."""
        if room_id not in self._rooms:
            if len(self._rooms) >= self._limits.rooms:
                raise LocalProtocolError(f"more than {self._limits.rooms} rooms are followed")
            self._rooms[room_id] = _Stream(room_id)

    def forget_room(self, room_id: str) -> None:
        """Drop a room's cursor; messages still open may be acknowledged all the same."""
        self._rooms.pop(room_id, None)

    def _stream(self, room_id: str | None) -> _Stream:
        return self._inbox if room_id is None else self._rooms[room_id]

    # -- receiving -------------------------------------------------------------------

    def is_known(self, uid: MessageUid | None) -> bool:
        """True if a message with this uid was handed out or sent by us before."""
        return uid is not None and (uid in self._ahead_uids or uid in self._recent_uids)

    def take(
        self, message: ChatMessage, *, room_id: str | None = None, moves_cursor: bool = True
    ) -> Receipt | None:
        """Enter a message into its stream; None if it is a repeat.

        ``moves_cursor`` is False for a message that came ahead of a pull: the cursor must
        not pass what that pull will bring (session 15, rule 8).
        """
        stream = self._stream(room_id)
        is_sent = room_id is None and message.direction is MessageDirection.SENT
        entry = _Entry(
            stream=stream,
            inbox_time=0 if is_sent or not moves_cursor else message.time,
            sent_time=message.time if is_sent and moves_cursor else 0,
        )
        stream.reach = max(stream.reach, entry.inbox_time)
        self._sent_reach = max(self._sent_reach, entry.sent_time)
        if self.is_known(message.uid):
            if entry.inbox_time or entry.sent_time:
                stream.ahead.append(entry)
                self._advance(stream)
            return None
        entry.is_open = True
        if message.uid is not None:
            entry.uid = message.uid
            self._ahead_uids.add(message.uid)
        stream.ahead.append(entry)
        stream.open_count += 1
        self._last_receipt += 1
        receipt = Receipt(self._last_receipt)
        self._open[receipt] = entry
        return receipt

    def end_page(self, sync_time: TimeMs, *, room_id: str | None = None) -> None:
        """A pull reply has been taken whole; the cursor may go to its ``syncTime``."""
        stream = self._stream(room_id)
        stream.reach = max(stream.reach, sync_time)
        stream.ahead.append(_Entry(stream=stream, inbox_time=sync_time))
        self._advance(stream)

    def acknowledge(self, receipt: Receipt) -> str | None:
        """The program has taken a message of this room, or None for the inbox.

        Messages may be acknowledged in any order; the cursor follows in theirs. Raises
        LocalProtocolError for a receipt that is not open.
        """
        entry = self._open.pop(receipt, None)
        if entry is None:
            raise LocalProtocolError(f"receipt {receipt} is not open")
        entry.is_open = False
        entry.stream.open_count -= 1
        self._advance(entry.stream)
        return entry.stream.room_id

    def _advance(self, stream: _Stream) -> None:
        ahead = stream.ahead
        while ahead and not ahead[0].is_open:
            entry = ahead.popleft()
            stream.cursor = max(stream.cursor, entry.inbox_time)
            self._sent_cursor = max(self._sent_cursor, entry.sent_time)
            if entry.uid is not None:
                self._ahead_uids.discard(entry.uid)
                self.remember(entry.uid)

    def remember(self, uid: MessageUid) -> None:
        """Recognise this uid from now on; the oldest is forgotten for it."""
        self._recent_uids[uid] = None
        if len(self._recent_uids) > self._limits.duplicate_window:
            del self._recent_uids[next(iter(self._recent_uids))]

    # -- sending ---------------------------------------------------------------------

    @property
    def outbox(self) -> Mapping[int, Outgoing]:
        """Messages that are not acknowledged, by unique id, oldest first."""
        return dict(self._outbox)

    def require_outbox_place(self, unique_id: int) -> None:
        """LocalProtocolError or WindowFull if a message with this id cannot be kept."""
        if unique_id in self._outbox:
            raise LocalProtocolError(f"unique_id {unique_id} is already in the outbox")
        if len(self._outbox) >= self._limits.outbox_messages:
            raise WindowFull(f"{self._limits.outbox_messages} messages are in the outbox")

    def keep(self, message: Outgoing, unique_id: int) -> None:
        """Put a message into the outbox."""
        self._outbox[unique_id] = message

    def settle(self, unique_id: int) -> None:
        """The server has answered; the message leaves the outbox."""
        self._outbox.pop(unique_id, None)

    # -- state -----------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything worth keeping, as dicts, lists, text and numbers.

        Messages that are open are not in it: after ``from_state()`` they come again.
        """
        acknowledged = [
            entry.uid
            for stream in (self._inbox, *self._rooms.values())
            for entry in stream.ahead
            if entry.uid is not None and not entry.is_open
        ]
        return {
            "version": _STATE_VERSION,
            "user_id": self.user_id,
            "inbox": self._inbox.cursor,
            "sent": self._sent_cursor,
            "rooms": {room_id: stream.cursor for room_id, stream in self._rooms.items()},
            "recent": [*self._recent_uids, *acknowledged],
            "outbox": [
                {
                    "unique_id": unique_id,
                    "topic": str(message.topic),
                    "target_id": message.target_id,
                    "qos": int(message.qos),
                    "data": message.data.hex(),
                }
                for unique_id, message in self._outbox.items()
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, limits: Limits | None = None) -> ClientSession:
        """Read what ``to_state()`` gave; LocalProtocolError names the member that is wrong."""
        session = cls(limits=limits)
        version = state.get("version")
        if version != _STATE_VERSION:
            raise LocalProtocolError(f"session state: version {version!r} is not {_STATE_VERSION}")
        for member, read in _READERS.items():
            try:
                read(session, state[member])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise LocalProtocolError(f"session state: {member} cannot be read") from error
        return session

    def _read_user_id(self, value: Any) -> None:
        if not (value is None or isinstance(value, str)):
            raise TypeError
        self.user_id = value

    def _read_inbox(self, value: Any) -> None:
        self._inbox.cursor = _cursor(value)

    def _read_sent(self, value: Any) -> None:
        self._sent_cursor = _cursor(value)

    def _read_rooms(self, value: Any) -> None:
        for room_id, cursor in value.items():
            self.follow_room(str(room_id))
            self._rooms[str(room_id)].cursor = _cursor(cursor)

    def _read_recent(self, value: Any) -> None:
        for uid in value:
            self.remember(MessageUid(str(uid)))

    def _read_outbox(self, value: Any) -> None:
        for item in value:
            unique_id = int(item["unique_id"])
            message = Outgoing(
                topic=Topic(item["topic"]),
                target_id=str(item["target_id"]),
                data=bytes.fromhex(item["data"]),
                qos=Qos(item["qos"]),
                unique_id=unique_id,
            )
            self.keep(message, unique_id)


def _cursor(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


_READERS: Final = {
    "user_id": ClientSession._read_user_id,
    "inbox": ClientSession._read_inbox,
    "sent": ClientSession._read_sent,
    "rooms": ClientSession._read_rooms,
    "recent": ClientSession._read_recent,
    "outbox": ClientSession._read_outbox,
}
