"""Who is in which chatroom, who is waited for, and since when nobody is in (session 11).

Users are in rooms, not connections. Whoever has lost his last connection stays in for a while,
so that a short break is none; whoever has come back by then stays, even if he has not said so.
"""

from __future__ import annotations

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
    from improto_server.store.chatrooms import Left

K = TypeVar("K", bound="Hashable")


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
        self.on_change: list[Callable[[Room, str, MemberStatus], None]] = []
        """Called with each user who has come or gone."""
        self.on_left: list[Callable[[Place, str], None]] = []
        """Called with each user who has gone, also if he was in before a restart only."""
        self._rooms_of: dict[UserKey, dict[Place, Room]] = {}
        now = monotonic()
        # Users without a connection and when they are put out, the first one first.
        self._away: OrderedDict[tuple[Place, str], float] = OrderedDict.fromkeys(
            left.owners, now + rules.away_seconds
        )
        # Rooms without members and when they are destroyed, the first one first.
        self._empty: OrderedDict[Place, float] = OrderedDict.fromkeys(
            left.rooms, now + 60 * rules.idle_minutes
        )
        hub.on_leave.append(self._device_left)

    def enter(self, room: Room, user: str, time: TimeMs) -> None:
        """A user is in from ``time`` on, or comes again."""
        place, key = room.place, (room.place.app, user)
        self._away.pop((place, user), None)
        self._empty.pop(place, None)
        if user not in room.members:
            room.members[user] = time
            self._rooms_of.setdefault(key, {})[place] = room
            for call in self.on_change:
                call(room, user, MemberStatus.JOIN)
        if not self._rules.several_rooms:
            for other in [*self._rooms_of[key].values()]:
                if other is not room:
                    self.remove(other, user)
        if self._hub.find(key) is None:
            # He was gone before he was let in.
            self._expect(place, user)

    def remove(self, room: Room, user: str) -> None:
        """A user goes, or is put out; harmless if he is not in."""
        if room.members.pop(user, None) is None:
            return
        place = room.place
        self._forget(place, user)
        self._cast.forget(room, user)
        room.disown(user)
        if not room.members:
            self.emptied(place)
        for change in self.on_change:
            change(room, user, MemberStatus.QUIT)
        for call in self.on_left:
            call(place, user)

    def emptied(self, place: Place) -> None:
        """Nobody is in from now on."""
        self._empty.pop(place, None)
        self._empty[place] = self._monotonic() + 60 * self._rules.idle_minutes

    def close(self, room: Room) -> None:
        """A room is no more."""
        for user in room.members:
            self._forget(room.place, user)
        self._empty.pop(room.place, None)

    def put_out(self, rooms: Mapping[Place, Room]) -> None:
        """Put out of these rooms whoever has stayed away."""
        for place, user in _due(self._away, self._monotonic()):
            room = rooms.get(place)
            if room is None or user not in room.members:
                for call in self.on_left:
                    call(place, user)
            elif self._hub.find((place.app, user)) is None:
                self.remove(room, user)

    def idle(self) -> Iterator[Place]:
        """Rooms that have been empty for long enough; each is named once."""
        return _due(self._empty, self._monotonic())

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
