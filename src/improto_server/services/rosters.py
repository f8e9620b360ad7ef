"""Who is in which group or discussion, known at once when somebody writes there.

Groups and discussions differ in who may change them; what a member is they have in common.
A change counts from the moment it is submitted: a message that comes later goes to those who
are members then, whether or not the change is on the disk yet. If the store refuses it, the
roster is read anew.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType, ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.data import Facts
from improto_server.store import rosters as table
from improto_server.store.rosters import RosterRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

    from improto.frames import TimeMs
    from improto_server.clock import MessageClock, UserKey
    from improto_server.services.data import Data
    from improto_server.store import Place


MOST_MEMBERS: Final = 3000
"""Of one group or discussion: the default capacity (rest 7)."""

ID_BYTES: Final = 64
"""The longest id of a group (rest 5)."""

NAME_CHARACTERS: Final = 64
"""The longest name of a group (rest 5); discussions likewise."""

DISCUSSION_MARK: Final = "~"
"""What the ids of discussions begin with, and those of users and groups do not: the newer SDKs
send to users and discussions on one topic (operations 2)."""

_OUTSIDER: Final = {
    ConversationType.GROUP: ErrorCode.NOT_IN_GROUP,
    ConversationType.DISCUSSION: ErrorCode.NOT_IN_DISCUSSION,
}
_FULL: Final = {
    ConversationType.GROUP: ErrorCode.RC_MSG_UNAUTHORIZED,
    ConversationType.DISCUSSION: ErrorCode.JOIN_IN_DISCUSSION,
}


def is_place_id(type: ConversationType, id: str) -> bool:
    """Whether a group or discussion can have this id.

    1 to :data:`ID_BYTES` bytes of printable characters without spaces; those of discussions begin
    with :data:`DISCUSSION_MARK`, and those of groups with something else.
    """
    is_discussion = type is ConversationType.DISCUSSION
    # Half of a surrogate pair is not printable, and has no bytes to be counted.
    return (
        id.startswith(DISCUSSION_MARK) is is_discussion
        and id.isprintable()
        and " " not in id
        and is_discussion < len(id.encode()) <= ID_BYTES
    )


class RosterFull(ServiceError):
    """There is no room for so many members."""


ROSTERS_KEPT: Final = 4096
"""In memory: 40 MB if groups have 50 members, and 2 GB if all had the most they can have."""


class Roster:
    """A group or discussion and its members. Only :class:`Rosters` changes it."""

    def __init__(self, place: Place, row: RosterRow) -> None:
        self.place = place
        self.exists = row.exists
        self.name = row.name
        self.owner = row.owner
        """User id; empty: nobody."""
        self.openness = row.openness
        """0: members may invite, 1: only the owner (codes 8)."""
        self.is_muted = row.is_muted
        """True: only the owner and who is exempt may speak."""
        self.read_at = row.changed
        """When somebody had come or gone last when the store was asked."""
        self.members = row.members
        """User ids and since when, the oldest first; who came together is in the order of ids."""
        self.silenced = row.silenced
        """User ids and until when they may not speak."""
        self.exempt = row.exempt
        """Ids of users who may speak although all others may not."""
        self._inboxes: tuple[UserKey, ...] | None = None

    @property
    def inboxes(self) -> tuple[UserKey, ...]:
        """The members' keys."""
        if self._inboxes is None:
            app = self.place.app
            self._inboxes = tuple((app, name) for name in self.members)
        return self._inboxes

    def refusal(self, user_id: str, *, now: int) -> ErrorCode | None:
        """Why the user may not write here, None if he may (operations 2.2)."""
        if user_id not in self.members:
            return _OUTSIDER[self.place.type]
        if self.is_muted and user_id != self.owner and user_id not in self.exempt:
            return ErrorCode.FORBIDDEN_IN_GROUP
        if self.silenced and self.silenced.get(user_id, 0) > now:
            return ErrorCode.FORBIDDEN_IN_GROUP
        return None

    def outsider(self, user_id: str) -> ErrorCode | None:
        """Why the user may not read here, None if he may."""
        return None if user_id in self.members else _OUTSIDER[self.place.type]

    def newcomers(self, users: Iterable[str]) -> list[str]:
        """Those of the users who are no members, each once."""
        return [user for user in dict.fromkeys(users) if user not in self.members]

    def make_room(self, newcomers: Sequence[str]) -> None:
        """Raise RosterFull if so many cannot be let in."""
        if len(self.members) + len(newcomers) > MOST_MEMBERS:
            raise RosterFull(_FULL[self.place.type])

    def changed(self) -> None:
        """Members have come or gone."""
        self._inboxes = None


class Rosters:
    """All of them, read when they are needed and changed in one place."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock
        self._known: Facts[Place, Roster] = Facts(data, _read, capacity=ROSTERS_KEPT)
        self.on_left: list[Callable[[UserKey], None]] = []
        """Called with each member who has gone, after everything that was sent to him."""
        self.on_gone: list[Callable[[Place, Sequence[str]], None]] = []
        """Called with those who leave a place, together with the change."""
        self.on_dissolved: list[Callable[[Place], None]] = []
        """Called with a place that is no more, together with the change."""

    def get(self, place: Place) -> Roster | None:
        """The roster, or None if it must be loaded first."""
        return self._known.get(place)

    async def load(self, place: Place) -> Roster:
        """The roster; ``exists`` is False if there is no such group."""
        roster = await self._known.load(place)
        # Members read what is later than their coming, even if the machine's clock was put back
        # while the server was down.
        self._clock.pass_by(place.key, roster.read_at)
        return roster

    async def create(
        self,
        place: Place,
        *,
        name: str,
        owner: str = "",
        openness: int = 0,
        members: Iterable[str] = (),
    ) -> list[str]:
        """Make a group with these members; if there is one already, let them in.

        Returns those who were not in before. RosterFull: nothing is done.
        """
        roster = await self.load(place)
        if roster.exists:
            return await self.join(place, members)
        new = roster.newcomers(members)
        roster.make_room(new)
        roster.exists, roster.name, roster.owner, roster.openness = True, name, owner, openness
        time = self._let_in(roster, new)
        change = partial(
            table.create,
            place=place,
            name=name,
            owner=owner,
            openness=openness,
            members=new,
            time=time,
        )
        await self._write(place, change)
        return new

    async def change(
        self,
        place: Place,
        *,
        name: str | None = None,
        owner: str | None = None,
        openness: int | None = None,
        is_muted: bool | None = None,
    ) -> None:
        """Change what is not None."""
        roster = await self.load(place)
        if name is not None:
            roster.name = name
        if owner is not None:
            roster.owner = owner
        if openness is not None:
            roster.openness = openness
        if is_muted is not None:
            roster.is_muted = is_muted
        change = partial(
            table.change,
            place=place,
            name=roster.name,
            owner=roster.owner,
            openness=roster.openness,
            is_muted=roster.is_muted,
        )
        await self._write(place, change)

    async def join(self, place: Place, users: Iterable[str]) -> list[str]:
        """Let users in; returns those who were not in before. RosterFull: nobody gets in."""
        roster = await self.load(place)
        new = roster.newcomers(users)
        if new:
            roster.make_room(new)
            time = self._let_in(roster, new)
            change = partial(table.join, place=place, members=new, time=time)
            await self._write(place, change)
        return new

    async def leave(self, place: Place, users: Iterable[str]) -> list[str]:
        """Let members go; returns those who were in."""
        roster = await self.load(place)
        gone = [user for user in dict.fromkeys(users) if user in roster.members]
        if gone:
            time = self._clock.stamp(place.key, *((place.app, user) for user in gone))
            for user in gone:
                del roster.members[user]
            roster.changed()
            for tell in self.on_gone:
                tell(place, gone)
            change = partial(table.leave, place=place, members=gone, time=time)
            await self._write(place, change)
            for user in gone:
                for call in self.on_left:
                    call((place.app, user))
        return gone

    async def silence(self, place: Place, user: str, *, until: int) -> None:
        """Let a user not speak before ``until`` (milliseconds since 1970); 0: he may."""
        roster = await self.load(place)
        if until:
            roster.silenced[user] = until
        else:
            roster.silenced.pop(user, None)
        change = partial(table.silence, place=place, member=user, until=until)
        await self._write(place, change)

    async def exempt(self, place: Place, user: str, *, is_exempt: bool) -> None:
        """Let a user speak although the group is muted, or no longer."""
        roster = await self.load(place)
        if is_exempt:
            roster.exempt.add(user)
        else:
            roster.exempt.discard(user)
        change = partial(table.exempt, place=place, member=user, is_exempt=is_exempt)
        await self._write(place, change)

    async def dissolve(self, place: Place) -> None:
        """The group is no more, and what was decided about it is forgotten."""
        roster = await self.load(place)
        if not roster.exists:
            return
        time = self._clock.stamp(place.key, *roster.inboxes)
        self._known.put(place, Roster(place, RosterRow()))
        for tell in self.on_dissolved:
            tell(place)
        await self._write(place, partial(table.dissolve, place=place, time=time))

    async def places_of(self, app: str, user: str, type: ConversationType) -> list[tuple[str, str]]:
        """Ids and names of the groups (or discussions) that a user is in, the oldest first."""
        # Asked of the writer, who has done by then what was submitted by now.
        return await self._data.write(partial(table.places_of, app=app, user=user, type=type))

    async def muted_places(self, app: str, type: ConversationType) -> list[str]:
        """Ids of the groups (or discussions) that are muted."""
        return await self._data.write(partial(table.muted_places, app=app, type=type))

    def _let_in(self, roster: Roster, users: Sequence[str]) -> TimeMs:
        place = roster.place
        time = self._clock.stamp(place.key, *((place.app, user) for user in users))
        roster.members.update(dict.fromkeys(sorted(users), time))
        roster.changed()
        return time

    async def _write(self, place: Place, change: Callable[[Connection], None]) -> None:
        try:
            await self._data.write(change)
        except Exception:
            self._known.forget(place)
            raise


def _read(connection: Connection, place: Place) -> Roster:
    return Roster(place, table.roster(connection, place=place))
