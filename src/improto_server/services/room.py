"""One chatroom in memory: who is in it, and the newest of what was said (session 11).

A room keeps no more messages than fit on one page. So a pull is answered at once and is never
cut, and whoever has missed more than that has missed it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import TimeMs
from improto_server.services.items import sent_item
from improto_server.store.chatrooms import Lifetime, Mark

if TYPE_CHECKING:
    from improto_server.clock import UserKey
    from improto_server.hub import Device
    from improto_server.inbox import Entry
    from improto_server.services.priorities import Priorities
    from improto_server.services.roomcast import Roomcast
    from improto_server.store import Place
    from improto_server.store.chatrooms import RoomRow

KEPT_MESSAGES: Final = 50
"""Of each room, for those who come and those who were away (session 11)."""

DEFAULT_COUNT: Final = 10
"""How many messages a newcomer gets who does not say (session 11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomRules:
    """What the operator decides about chatrooms."""

    away_seconds: int = 30
    """How long a user without a connection stays in (session 11)."""
    idle_minutes: int = 60
    """How long a room lasts that nobody is in."""
    most_members: int = 0
    """Of one room; 0: no limit (23411)."""
    most_keys: int = 100
    """Of one room (23423)."""
    several_rooms: bool = True
    """Users may be in several at a time; otherwise the last one counts (http 2.3, joinMChrm)."""
    has_keys: bool = True
    """Rooms have keys and values (http 2.3, kvStorage); otherwise 23426."""
    has_history: bool = True
    """What was said can be read later; otherwise 23414."""
    member_notices: bool = False
    """Members are told who comes and goes, by RC:ChrmMemChange (messages 5)."""
    low_priority: frozenset[str] = frozenset()
    """Object names that may be dropped in a busy room."""
    busy_rate: int = 100
    """Messages per second; a room with more is busy."""


class RoomMessage:
    """A message in a room's stream."""

    __slots__ = ("device", "item", "sender", "time")

    def __init__(self, time: TimeMs, sender: str, item: bytes, device: Device | None) -> None:
        self.time = time
        self.sender = sender
        self.item = item
        """The encoded DownStreamMessage."""
        self.device = device
        """The connection that has sent it; None if that has left the room or is gone."""


class Room:
    """One chatroom. Only :class:`~improto_server.services.chatrooms.Rooms` changes it."""

    def __init__(
        self,
        place: Place,
        row: RoomRow,
        *,
        rules: ChatroomRules,
        cast: Roomcast,
        priorities: Priorities,
        page_bytes: int,
    ) -> None:
        self.place = place
        self.key: UserKey = place.key
        """What the clock knows it by."""
        self.exists = row.exists
        self.name = row.name
        self.created = row.created
        self.is_muted = row.is_muted
        """True: only those with :attr:`.Mark.ALLOWED` may speak."""
        self.is_kept = row.is_kept
        """True: it lasts while nobody is in."""
        self.is_paused = row.is_paused
        """True: what clients say is taken and not passed on."""
        self.lifetime = row.lifetime
        self.marks = row.marks
        """Of each kind user ids and until when."""
        self.members: dict[str, TimeMs] = {}
        """User ids and since when, the oldest first."""
        self.newest = TimeMs(row.created)
        """Time of the newest message, or since when the room exists."""
        self._rules = rules
        self._cast = cast
        self._priorities = priorities
        self._page_bytes = page_bytes
        # The oldest first.
        self._messages: deque[RoomMessage] = deque()
        self._bytes = 0
        self._second = 0
        self._in_second = 0
        for time, sender, item in row.messages:
            self._append(RoomMessage(TimeMs(time), sender, item, None))

    # -- who may ---------------------------------------------------------------------

    def refusal(self, user_id: str, *, now: int) -> ErrorCode | None:
        """Why the user may not write here, None if he may (operations 2.2)."""
        if self.is_marked(Mark.BANNED, user_id, now=now):
            return ErrorCode.RC_CHATROOM_USER_KICKED
        outsider = self.outsider(user_id)
        if outsider is not None:
            return outsider
        if self.is_marked(Mark.GAGGED, user_id, now=now) or (
            self.is_muted and not self.is_marked(Mark.ALLOWED, user_id, now=now)
        ):
            return ErrorCode.FORBIDDEN_IN_CHATROOM
        return None

    def outsider(self, user_id: str) -> ErrorCode | None:
        """Why the user may not read here, None if he may."""
        if not self.exists:
            return ErrorCode.RC_CHATROOM_NOT_EXIST
        return None if user_id in self.members else ErrorCode.NOT_IN_CHATROOM

    def is_marked(self, mark: Mark, user_id: str, *, now: int) -> bool:
        """Whether this is kept of the user, and its time is not over."""
        return self.marks[mark].get(user_id, 0) > now

    def is_protected(self, user_id: str) -> bool:
        """Whether the user stays in while he is away, and is always heard; that has no end."""
        return user_id in self.marks[Mark.PROTECTED]

    # -- what was said ---------------------------------------------------------------

    def add(self, sender: str, device: Device | None, entry: Entry, object_name: str) -> None:
        """A message was committed to the room's stream; its members will be told.

        In a busy room one of low priority is left out: it is stored, and nobody is told.
        """
        if not self.exists:
            return
        is_dropped = self._is_dropped(entry.time, object_name)
        if is_dropped and not self.is_protected(sender):
            self._cast.dropped += 1
            return
        if device is not None and not (device.is_open and sender in self.members):
            device = None
        message = RoomMessage(entry.time, sender, entry.item, device)
        self._append(message)
        self._cast.said(self, message)

    def remove(self, uid: str) -> bool:
        """A message is recalled: nobody shall pull it any more. False if it is not here."""
        for message in self._messages:
            if payloads.decode(payloads.DownStreamMessage, message.item).msgId == uid:
                self._messages.remove(message)
                self._bytes -= len(message.item)
                return True
        return False

    def disown(self, user_id: str, device: Device | None = None) -> None:
        """A connection is gone, or, if None, the user: what it has sent is no longer its own."""
        for message in self._messages:
            if message.sender == user_id and device in (None, message.device):
                message.device = None

    def after(self, time: int, device: Device) -> list[bytes]:
        """What a device reads that has everything up to ``time``, oldest first.

        Without what its user has sent, unless by another connection that is still there: SDKs
        that come back with their old cursor would show it twice.
        """
        _, reader = device.user.key
        return [
            _as_read(message, reader)
            for message in self._messages
            if message.time > time
            and (message.sender != reader or message.device not in (None, device))
        ]

    def latest(self, count: int, device: Device) -> list[bytes]:
        """What a newcomer reads who asks for ``count`` messages, oldest first.

        0 is for :data:`DEFAULT_COUNT`, and a negative number for none. Messages that the device
        itself has sent since it came are left out.
        """
        if count < 0:
            return []
        _, reader = device.user.key
        others = [message for message in self._messages if message.device is not device]
        return [_as_read(message, reader) for message in others[-(count or DEFAULT_COUNT) :]]

    def listed(self, count: int, *, newest_first: bool) -> list[tuple[str, TimeMs]]:
        """The first or the last ``count`` members to come, and since when they are in."""
        items = self.members.items()
        return [*islice(reversed(items) if newest_first else items, count)]

    # -- beginning and end -----------------------------------------------------------

    def open(self, name: str, time: TimeMs) -> None:
        """The room exists from now on."""
        self.exists, self.name, self.created, self.newest = True, name, time, time

    def close(self) -> None:
        """The room is no more; nothing of it is left."""
        self.exists = self.is_muted = self.is_kept = self.is_paused = False
        self.lifetime = Lifetime()
        self.members.clear()
        self._messages.clear()
        self._bytes = 0
        for marked in self.marks.values():
            marked.clear()

    def _append(self, message: RoomMessage) -> None:
        self.newest = max(self.newest, message.time)
        self._messages.append(message)
        self._bytes += len(message.item)
        while len(self._messages) > KEPT_MESSAGES or (
            self._bytes > self._page_bytes and len(self._messages) > 1
        ):
            self._bytes -= len(self._messages.popleft().item)

    def _is_dropped(self, time: int, object_name: str) -> bool:
        low = self._priorities.low(self.place.app)
        if not low:
            return False
        second = time // 1000
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > self._rules.busy_rate and object_name in low


def _as_read(message: RoomMessage, reader: str) -> bytes:
    return sent_item(message.item, peer="") if message.sender == reader else message.item
