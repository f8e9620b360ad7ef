"""Who is in which chatroom, who is waited for, and since when nobody is in (session 11).

Users are in rooms, not connections. Whoever has lost his last connection stays in for a while,
so that a short break is none; whoever has come back by then stays, even if he has not said so.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from improto.contents import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from improto.frames import TimeMs
    from improto_server.clock import UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services.room import ChatroomRules, Room
    from improto_server.services.roomcast import Roomcast
    from improto_server.store import Place
    from improto_server.store.chatrooms import Left, Lifetime

K = TypeVar("K", bound="Hashable")


class Why(enum.IntEnum):
    """What has brought a change about, as callbacks say it (rest 10.3)."""

    CALL = 0
    AWAY = 1
    BLOCKED = 2
    IDLE = 3


class Attendance:
    """Coming and going. ``left``: what an earlier run has left; ``monotonic``: seconds."""

    def __init__(
        self,
        *,
        hub: Hub,
        cast: Roomcast,
        rules: ChatroomRules,
        left: Left,
        monotonic: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._cast = cast
        self._rules = rules
        self._monotonic = monotonic
        self.on_change: list[Callable[[Room, str, MemberStatus, Why], None]] = []
        """Called with each user who has come or gone."""
        self.on_left: list[Callable[[Place, str], None]] = []
        """Called with each user who has gone, also if he was in before a restart only."""
        self._rooms_of: dict[UserKey, dict[Place, Room]] = {}
        now = monotonic()
        # Users without a connection and when they are put out, the first one first.
        self._away: OrderedDict[tuple[Place, str], float] = OrderedDict.fromkeys(
            left.owners, now + rules.away_seconds
        )
        # Rooms without members and when they are destroyed, by how many minutes they last; of each
        # the first one first.
        self._empty: dict[int, OrderedDict[Place, float]] = {}
        self._minutes: dict[Place, int] = {}
        for place, lifetime in left.rooms.items():
            if not lifetime.ends:
                self._await(place, lifetime, now)
        hub.on_leave.append(self._device_left)

    def enter(self, room: Room, user: str, time: TimeMs) -> None:
        """A user is in from ``time`` on, or comes again."""
        place, key = room.place, (room.place.app, user)
        self._away.pop((place, user), None)
        self._stop(place)
        if user not in room.members:
            room.members[user] = time
            self._rooms_of.setdefault(key, {})[place] = room
            for call in self.on_change:
                call(room, user, MemberStatus.JOIN, Why.CALL)
        if not self._rules.several_rooms:
            for other in [*self._rooms_of[key].values()]:
                if other is not room:
                    self.remove(other, user)
        if self._hub.find(key) is None:
            # He was gone before he was let in.
            self._expect(place, user)

    def remove(self, room: Room, user: str, why: Why = Why.CALL) -> None:
        """A user goes, or is put out; harmless if he is not in."""
        if room.members.pop(user, None) is None:
            return
        place = room.place
        self._forget(place, user)
        self._cast.forget(room, user)
        room.disown(user)
        if not room.members:
            self.emptied(room)
        for change in self.on_change:
            change(room, user, MemberStatus.QUIT, why)
        for call in self.on_left:
            call(place, user)

    def emptied(self, room: Room) -> None:
        """Nobody is in from now on; unless it goes at a certain time, time counts from now."""
        self._stop(room.place)
        if not room.lifetime.ends:
            self._await(room.place, room.lifetime, self._monotonic())

    def look_again(self, room: Room, user: str) -> None:
        """A user is protected no longer: if he is away, his time counts from now."""
        if user in room.members and self._hub.find((room.place.app, user)) is None:
            self._expect(room.place, user)

    def close(self, room: Room) -> None:
        """A room is no more."""
        for user in room.members:
            self._forget(room.place, user)
        self._stop(room.place)

    def put_out(self, rooms: Mapping[Place, Room]) -> None:
        """Put out of these rooms whoever has stayed away."""
        for place, user in _due(self._away, self._monotonic()):
            room = rooms.get(place)
            if room is None or user not in room.members:
                for call in self.on_left:
                    call(place, user)
            elif self._hub.find((place.app, user)) is None and not room.is_protected(user):
                self.remove(room, user, Why.AWAY)

    def idle(self) -> Iterator[Place]:
        """Rooms that have been empty for long enough; each is named once."""
        now = self._monotonic()
        for minutes, places in [*self._empty.items()]:
            for place in _due(places, now):
                del self._minutes[place]
                yield place
            if not places:
                del self._empty[minutes]

    def _await(self, place: Place, lifetime: Lifetime, now: float) -> None:
        """Destroy a room if nobody comes in time."""
        minutes = lifetime.minutes or self._rules.idle_minutes
        self._minutes[place] = minutes
        self._empty.setdefault(minutes, OrderedDict())[place] = now + 60 * minutes

    def _stop(self, place: Place) -> None:
        """A room is not destroyed for now."""
        minutes = self._minutes.pop(place, None)
        if minutes is not None:
            del self._empty[minutes][place]

    def _forget(self, place: Place, user: str) -> None:
        self._away.pop((place, user), None)
        key = (place.app, user)
        mine = self._rooms_of[key]
        del mine[place]
        if not mine:
            del self._rooms_of[key]

    def _device_left(self, device: Device) -> None:
        _, user = key = device.user.key
        is_away = self._hub.find(key) is None
        for place, room in self._rooms_of.get(key, {}).items():
            room.disown(user, device)
            if is_away:
                self._expect(place, user)

    def _expect(self, place: Place, user: str) -> None:
        """Put a user out if he does not come back in time."""
        self._away.pop((place, user), None)
        self._away[place, user] = self._monotonic() + self._rules.away_seconds


def _due(times: OrderedDict[K, float], now: float) -> Iterator[K]:
    """Take out what is due; ``times`` are in order.

    All who lose their connections at once are due at once, and a plain dict gets slower and
    slower at finding its first key while it is emptied from there.
    """
    while times:
        key, time = next(iter(times.items()))
        if time > now:
            return
        del times[key]
        yield key
