"""Chatrooms: who comes, who goes, who reads (session 11, operations 14).

Users are in rooms, not connections: whoever has lost his last one stays in for a while. Who is
in is known in memory only. That a room exists, and who is banned from it, is in the store, so
that everybody can come back after a restart.

Coming and going counts from the moment it is asked for. What the application's server changes
about a room counts from the commit.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode, MemberOrder
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.attendance import Attendance, Why
from improto_server.services.data import Facts
from improto_server.services.items import readable
from improto_server.services.room import KEPT_MESSAGES, ChatroomRules, Room
from improto_server.services.roomcast import Roomcast
from improto_server.steps import start
from improto_server.store import Place
from improto_server.store import chatrooms as table
from improto_server.store.chatrooms import Lifetime, Mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto.config import Limits
    from improto.events import PullReceived
    from improto.frames import TimeMs
    from improto_server.clock import MessageClock
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.services.priorities import Priorities
    from improto_server.store.chatrooms import Left

__all__ = ["ChatroomRules", "Lifetime", "Mark", "Room", "Rooms"]

MOST_LISTED: Final = 20
"""Members that a client is shown (operations 14)."""

_UNKNOWN_ROOMS: Final = 4096
"""Rooms that do not exist, but were asked for: remembered so that asking again costs nothing."""

_ORDERS: Final = frozenset(MemberOrder)

_logger = logging.getLogger(__name__)


class Rooms:
    """All rooms. ``left``: rooms and owners of entries from an earlier run."""

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        limits: Limits,
        rules: ChatroomRules,
        priorities: Priorities,
        left: Left,
        monotonic: Callable[[], float],
    ) -> None:
        self._data = data
        self._clock = clock
        self._limits = limits
        self.rules = rules
        self._priorities = priorities
        self.cast = Roomcast(hub)
        """Tells the members what is new."""
        self.attendance = Attendance(
            hub=hub, cast=self.cast, rules=rules, left=left, monotonic=monotonic
        )
        """Who is in, and since when nobody is."""
        self.on_destroyed: list[Callable[[Place], None]] = []
        self.on_created: list[Callable[[Place], None]] = []
        """Called with a room that exists from now on."""
        self.on_ended: list[Callable[[Place, Why], None]] = []
        """Called with a room that exists no more, and why."""
        self.count = Counter(place.app for place in {*left.rooms, *left.kept})
        """How many rooms each app has."""
        # Rooms that last while nobody is in, in the order in which that was asked for.
        self._kept = dict.fromkeys(left.kept)
        # Rooms that go at a certain time, and those that have gone before or got another time.
        self._ends = [(life.ends, place) for place, life in left.rooms.items() if life.ends]
        heapify(self._ends)
        # Rooms that exist and were asked for; the others are read when they are needed.
        self._existing: dict[Place, Room] = {}
        self._known: Facts[Place, Room] = Facts(data, self._read, capacity=_UNKNOWN_ROOMS)

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.JOIN_CHRM: self.join,
            Topic.JOIN_CHRM_R: self.rejoin,
            Topic.EXIT_CHRM: self.exit,
            Topic.QUERY_CHRM_I: self.info,
        }

    # -- rooms -----------------------------------------------------------------------

    def get(self, app: str, id: str) -> Room | None:
        """The room, or None if it must be loaded first."""
        place = _place(app, id)
        return self._existing.get(place) or self._known.get(place)

    async def load(self, app: str, id: str) -> Room:
        """The room; ``exists`` is False if there is none."""
        place = _place(app, id)
        room = self.get(app, id) or await self._known.load(place)
        if not room.exists:
            return room
        known = self._existing.setdefault(place, room)
        # What comes is later than all that is there, whatever the machine's clock says.
        self._clock.pass_by(known.key, known.newest)
        return known

    async def may_read(self, app: str, id: str, user_id: str) -> None:
        """Refuse whoever may not read what was said: 23414 if nobody may, 23410, 23406."""
        if not self.rules.has_history:
            raise ServiceError(ErrorCode.CHATROOM_NOT_OPEN_HISTORYMSG_STORE)
        await self.require(app, id, user_id)

    async def require(self, app: str, id: str, user_id: str) -> Room:
        """The room, for a member; 23410 if there is none, 23406 for others."""
        if not is_user_id(id):
            raise ServiceError(ErrorCode.RC_CHATROOM_NOT_EXIST)
        room = await self.load(app, id)
        refusal = room.outsider(user_id)
        if refusal is not None:
            raise ServiceError(refusal)
        return room

    # -- what clients ask ------------------------------------------------------------

    async def join(
        self, caller: Caller, target: str, request: payloads.ChrmInput
    ) -> payloads.ChrmOutput:
        """Come in; a room that does not exist is made.

        23409: banned; 23411: full; 23412: no room can have this id.
        """
        return await self._join(caller, target, makes_room=True)

    async def rejoin(
        self, caller: Caller, target: str, request: payloads.ChrmInput
    ) -> payloads.ChrmOutput:
        """Come into a room that exists, else 23410; otherwise like :meth:`join`."""
        return await self._join(caller, target, makes_room=False)

    async def _join(self, caller: Caller, target: str, *, makes_room: bool) -> payloads.ChrmOutput:
        user, rules = caller.user_id, self.rules
        room = await self._find(caller.app, target)
        if room.is_marked(Mark.BANNED, user, now=self._clock.now()):
            raise ServiceError(ErrorCode.RC_CHATROOM_USER_KICKED)
        if not (room.exists or makes_room):
            raise ServiceError(ErrorCode.RC_CHATROOM_NOT_EXIST)
        is_new = user not in room.members
        if is_new and 0 < rules.most_members <= len(room.members):
            raise ServiceError(ErrorCode.RC_CHATROOM_IS_FULL)
        # Clients start their cursor here, so all that was sent before must be on the disk when
        # they hear of it (session 11).
        time = self._clock.stamp(room.key)
        change = self._make(room, "", time) if not room.exists else table.nothing
        self.attendance.enter(room, user, time)
        try:
            await self._data.write(change)
        except ServiceError:
            if change is not table.nothing:
                self._close(room)
            elif is_new:
                self.attendance.remove(room, user)
            raise
        return payloads.ChrmOutput(nothing=1, joinTime=time)

    async def exit(
        self, caller: Caller, target: str, request: payloads.ChrmInput
    ) -> payloads.ChrmOutput:
        """Go; 23406 if the caller was not in."""
        room = await self.load(caller.app, target) if is_user_id(target) else None
        if room is None or caller.user_id not in room.members:
            raise ServiceError(ErrorCode.NOT_IN_CHATROOM)
        self.attendance.remove(room, caller.user_id)
        return payloads.ChrmOutput(nothing=1)

    async def info(
        self, caller: Caller, target: str, request: payloads.QueryChatroomInfoInput
    ) -> payloads.QueryChatroomInfoOutput:
        """How many are in, and at most :data:`MOST_LISTED` of them.

        23410: no such room; 23412: bad id, negative count, unknown order.
        """
        count, order = request.count, request.order
        if count < 0 or order not in _ORDERS:
            raise ServiceError(ErrorCode.RC_CHATROOM_PATAMETER_INVALID)
        room = await self._find(caller.app, target)
        if not room.exists:
            raise ServiceError(ErrorCode.RC_CHATROOM_NOT_EXIST)
        reply = payloads.QueryChatroomInfoOutput(userTotalNums=len(room.members))
        if order != MemberOrder.NONE:
            newest_first = order == MemberOrder.DESCENDING
            for user, time in room.listed(min(count, MOST_LISTED), newest_first=newest_first):
                reply.userInfos.add(id=user, time=time)
        return reply

    def pull(self, device: Device, event: PullReceived) -> None:
        """A device asks for what is new in a room (session 11)."""
        app, user = device.user.key

        def done(result: Room | Exception) -> None:
            if isinstance(result, Room):
                self._answer_pull(result, device, event)
                return
            status = result.code if isinstance(result, ServiceError) else ErrorCode.INTERNALERRROR
            device.peer.answer(event.message_id, timestamp=self._clock.now(), status=status)

        start(self.require(app, event.room_id or "", user), done)

    def _answer_pull(self, room: Room, device: Device, event: PullReceived) -> None:
        time = event.sync_time
        if time < 0:
            device.peer.answer(
                event.message_id,
                timestamp=self._clock.now(),
                status=ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
            )
            return
        items = room.after(time, device) if time else room.latest(event.count, device)
        device.peer.answer_pull(
            event.message_id,
            [readable(item, device.profile) for item in items],
            sync_time=room.newest,
            newest=room.newest,
            is_finished=True,
        )

    # -- what the application's server asks ------------------------------------------

    async def create(self, app: str, id: str, *, name: str = "") -> None:
        """Make a room; nothing happens if there is one already. 23412: bad id."""
        room = await self._find(app, id)
        if not room.exists:
            change = self._make(room, name, self._clock.stamp(room.key))
            self.attendance.emptied(room)
            try:
                await self._data.write(change)
            except ServiceError:
                self._close(room)
                raise

    async def destroy(self, app: str, id: str, *, why: Why = Why.CALL) -> None:
        """The room is no more, with its keys and bans; nothing happens if there is none."""
        room = await self._find(app, id)
        if not room.exists:
            return
        time, members = self._clock.stamp(room.key), [*room.members]
        self._close(room, why)
        try:
            await self._data.write(partial(table.destroy, place=room.place))
        except ServiceError:
            # It is still there, and empty.
            self.count[app] += 1
            self.attendance.emptied(room)
            raise
        self.cast.destroyed(room, members, time)

    async def mark(self, app: str, id: str, user: str, mark: Mark, *, until: int) -> None:
        """Gag, ban or allow a user until a time (milliseconds since 1970); 0: no longer.

        Who is banned is put out. The room need not exist. 23412: bad id; 33003: bad user id.
        """
        place = (await self._find(app, id)).place
        if not is_user_id(user):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        await self._data.write(partial(table.mark, place=place, kind=mark, user=user, until=until))
        room = self.get(app, id)
        if room is None:
            return
        if until:
            room.marks[mark][user] = until
        elif room.marks[mark].pop(user, None) and mark is Mark.PROTECTED:
            self.attendance.look_again(room, user)
        if room.is_marked(Mark.BANNED, user, now=self._clock.now()):
            self.attendance.remove(room, user, Why.BLOCKED)

    async def change(
        self,
        app: str,
        id: str,
        *,
        is_muted: bool | None = None,
        is_kept: bool | None = None,
        is_paused: bool | None = None,
        lifetime: Lifetime | None = None,
    ) -> None:
        """Change what is not None.

        Whether only the allowed may speak, whether it lasts empty, whether what clients say is
        taken and not passed on, when it goes by itself. 23410: no such room; 23412: bad id.
        """
        room = await self._find(app, id)
        if not room.exists:
            raise ServiceError(ErrorCode.RC_CHATROOM_NOT_EXIST)
        change = partial(
            table.change,
            place=room.place,
            is_muted=is_muted,
            is_kept=is_kept,
            is_paused=is_paused,
            lifetime=lifetime,
        )
        await self._data.write(change)
        if is_muted is not None:
            room.is_muted = is_muted
        if is_paused is not None:
            room.is_paused = is_paused
        if is_kept is not None:
            room.is_kept = is_kept
            self._kept.pop(room.place, None)
            if is_kept:
                self._kept[room.place] = None
        if lifetime is not None:
            room.lifetime = lifetime
            if room.lifetime.ends:
                heappush(self._ends, (room.lifetime.ends, room.place))
        if not room.members:
            # Time counts from now, if it counts at all.
            self.attendance.emptied(room)

    def kept(self, app: str) -> list[str]:
        """Ids of the rooms of an app that last while nobody is in."""
        return [place.id for place in self._kept if place.app == app]

    async def muted(self, app: str) -> list[str]:
        """Ids of the rooms in which only the allowed may speak."""
        return await self._data.write(partial(table.muted, app=app))

    async def listed(self, app: str, *, after: str, count: int) -> list[str]:
        """Ids of the next rooms of an app, in the order of the ids."""
        return await self._data.read(partial(table.listed, app=app, after=after, count=count))

    # -- beginning and end -----------------------------------------------------------

    def tick(self) -> None:
        """To be called every second: put out who stays away, destroy what stays empty."""
        self.attendance.put_out(self._existing)
        for place in self.attendance.idle():
            start(self._retire(place), _log)
        now = self._clock.now()
        while self._ends and self._ends[0][0] <= now:
            _, place = heappop(self._ends)
            start(self._end(place, now), _log)

    async def _retire(self, place: Place) -> None:
        """Destroy a room if still nobody is in."""
        room = await self.load(place.app, place.id)
        if not (room.members or room.is_kept):
            await self.destroy(place.app, place.id, why=Why.IDLE)

    async def _end(self, place: Place, now: int) -> None:
        """Destroy a room if its time has come, and it has not got another one since."""
        room = await self.load(place.app, place.id)
        if 0 < room.lifetime.ends <= now:
            await self.destroy(place.app, place.id, why=Why.IDLE)

    def _make(self, room: Room, name: str, time: TimeMs) -> Callable[[Connection], None]:
        """A room exists from now on; returns what makes it so in the store."""
        room.open(name, time)
        self._existing[room.place] = room
        self.count[room.place.app] += 1
        for call in self.on_created:
            call(room.place)
        return partial(table.create, place=room.place, name=name, time=time)

    def _close(self, room: Room, why: Why = Why.CALL) -> None:
        """A room exists no more; harmless if it has been closed before."""
        if not room.exists:
            return
        self.attendance.close(room)
        room.close()
        self._kept.pop(room.place, None)
        del self._existing[room.place]
        self.count[room.place.app] -= 1
        self._known.forget(room.place)
        for call in self.on_destroyed:
            call(room.place)
        for tell in self.on_ended:
            tell(room.place, why)

    async def _find(self, app: str, id: str) -> Room:
        if not is_user_id(id):
            raise ServiceError(ErrorCode.RC_CHATROOM_PATAMETER_INVALID)
        return await self.load(app, id)

    def _read(self, connection: Connection, place: Place) -> Room:
        row = table.room(connection, place=place, count=KEPT_MESSAGES)
        return Room(
            place,
            row,
            rules=self.rules,
            cast=self.cast,
            priorities=self._priorities,
            page_bytes=self._limits.pull_bytes,
        )


def _place(app: str, id: str) -> Place:
    return Place(app, ConversationType.CHATROOM, id)


def _log(result: Exception | None) -> None:
    if result is not None:
        _logger.error("a room that nobody is in was not destroyed: %s", result)
