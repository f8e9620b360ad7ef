"""How chatrooms behave: how long they last, and what of what is said is passed on (rest 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto_server.api.common import CHATROOM, MINUTE, USERS_20
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.entries import SEVERAL
from improto_server.api.parameters import Flag, Ids, Number, user_id, user_ids
from improto_server.api.replies import Code, RefusedError
from improto_server.services.chatrooms import Lifetime
from improto_server.services.chatrooms import Mark as UserMark
from improto_server.services.priorities import MOST_NAMES, Priority
from improto_server.steps import together
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from improto_server.clock import MessageClock
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.entries import Entries
    from improto_server.services.priorities import Priorities

_AT_A_TIME: Final = 1
"""The ``destroyType`` of rooms that go whoever is in; 0 is for those that nobody is in (rest 8)."""

_DEFAULT_MINUTES: Final = 60
"""How long a room lasts that goes at a time, if nothing else is said. Ours."""

_DESTROY_TYPE: Final = Number("destroyType", least=0, most=_AT_A_TIME, default=0)
_DESTROY_TIME: Final = Number[int | None]("destroyTime", least=60, most=10_080, default=None)
_BANNED: Final = Flag("isBan")
_ALLOWED: Final = user_ids("whiteUserIds", most=20, is_required=False)
_OWNER: Final = user_id("entryOwnerId", is_required=False)


def _object_names(name: str) -> Ids:
    return Ids(name, most=MOST_NAMES, fits=str.isprintable, most_bytes=32)


_LOW: Final = _object_names("objectName")
_HIGH: Final = _object_names("objectnames")


class ChatroomRuleCalls:
    """Calls about that."""

    def __init__(
        self, *, rooms: Rooms, entries: Entries, priorities: Priorities, clock: MessageClock
    ) -> None:
        self._rooms = rooms
        self._entries = entries
        self._priorities = priorities
        self._clock = clock

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/chatroom/create_new",
                mark=Mark.CHATROOM,
                about="Make a room, or change one that is there: how long it lasts (see"
                " destroy/set), whether only the white list may write, who is on it, and keys.",
                parameters=(
                    CHATROOM,
                    _DESTROY_TYPE,
                    _DESTROY_TIME,
                    _BANNED,
                    _ALLOWED,
                    _OWNER,
                    SEVERAL,
                ),
                call=self.create,
            ),
            Endpoint(
                path="/chatroom/destroy/set",
                mark=Mark.CHATROOM,
                about="Let a room go after so many minutes without members (destroyType 0), or"
                " from now on whoever is in (1). Without minutes: as long as rooms last, or 60.",
                parameters=(CHATROOM, _DESTROY_TYPE, _DESTROY_TIME),
                call=self.set_lifetime,
            ),
            Endpoint(
                path="/chatroom/user/whitelist/add",
                mark=Mark.CHATROOM,
                about="Let users stay in a room while they are away, and never leave out what they"
                " say.",
                parameters=(CHATROOM, USERS_20),
                call=self.protect,
            ),
            Endpoint(
                path="/chatroom/user/whitelist/remove",
                mark=Mark.CHATROOM,
                about="Treat users like all others in a room.",
                parameters=(CHATROOM, USERS_20),
                call=self.unprotect,
            ),
            Endpoint(
                path="/chatroom/user/whitelist/query",
                mark=Mark.CHATROOM,
                about="The users who stay in a room while they are away, in the order of the ids.",
                parameters=(CHATROOM,),
                call=self.protected,
                reply="users: [id]",
            ),
            Endpoint(
                path="/chatroom/message/priority/add",
                mark=Mark.CHATROOM,
                about="Leave messages out in busy rooms; at most 20 object names in all.",
                parameters=(_LOW,),
                call=self.lower,
            ),
            Endpoint(
                path="/chatroom/message/priority/remove",
                mark=Mark.CHATROOM,
                about="No longer leave them out, unless the operator wants it.",
                parameters=(_LOW,),
                call=self.unlower,
            ),
            Endpoint(
                path="/chatroom/message/priority/query",
                mark=Mark.CHATROOM,
                about="What is left out in busy rooms.",
                parameters=(),
                call=self.low,
                reply="objectNames: [name]",
            ),
            Endpoint(
                path="/chatroom/whitelist/add",
                mark=Mark.CHATROOM,
                about="Never leave messages out; at most 20 object names in all.",
                parameters=(_HIGH,),
                call=self.raise_,
            ),
            Endpoint(
                path="/chatroom/whitelist/delete",
                mark=Mark.CHATROOM,
                about="Treat such messages like all others.",
                parameters=(_HIGH,),
                call=self.unraise,
            ),
            Endpoint(
                path="/chatroom/whitelist/query",
                mark=Mark.CHATROOM,
                about="What is never left out.",
                parameters=(),
                call=self.high,
                reply="whitlistMsgType: [name]",
            ),
            Endpoint(
                path="/chatroom/message/stopDistribution",
                mark=Mark.CHATROOM,
                about="Take what clients say in a room, and neither pass it on nor keep it.",
                parameters=(CHATROOM,),
                call=self.pause,
            ),
            Endpoint(
                path="/chatroom/message/resumeDistribution",
                mark=Mark.CHATROOM,
                about="Pass on what clients say again.",
                parameters=(CHATROOM,),
                call=self.resume,
            ),
        ]

    # -- how long they last ----------------------------------------------------------

    async def create(self, call: Call) -> Reply:
        """INVALID: keys without an owner; OUT_OF_RANGE: too many keys."""
        app, room, keys = call.app, call[CHATROOM], call[SEVERAL]
        if keys and not call[_OWNER]:
            raise RefusedError(Code.INVALID, "entryOwnerId is missing")
        await self._rooms.create(app, room)
        await self._rooms.change(app, room, is_muted=call[_BANNED], lifetime=self._lifetime(call))
        await together(
            self._rooms.mark(app, room, user, UserMark.ALLOWED, until=FOREVER)
            for user in call[_ALLOWED]
        )
        if keys:
            put = [
                payloads.ChrmKVEntity(key=key, value=value, status=0) for key, value in keys.items()
            ]
            await self._entries.change(app, room, call[_OWNER], put)
        return None

    async def set_lifetime(self, call: Call) -> Reply:
        """Harmless if there is no such room."""
        app, room = call.app, call[CHATROOM]
        if (await self._rooms.load(app, room)).exists:
            await self._rooms.change(app, room, lifetime=self._lifetime(call))
        return None

    def _lifetime(self, call: Call) -> Lifetime:
        minutes = call[_DESTROY_TIME]
        if call[_DESTROY_TYPE] != _AT_A_TIME:
            return Lifetime(minutes or 0)
        minutes = minutes or _DEFAULT_MINUTES
        return Lifetime(minutes, self._clock.now() + minutes * MINUTE)

    # -- what is passed on -----------------------------------------------------------

    async def protect(self, call: Call) -> Reply:
        """For ever."""
        return await self._protect(call, FOREVER)

    async def unprotect(self, call: Call) -> Reply:
        """Who is away has as long to come back as if he had gone now."""
        return await self._protect(call, 0)

    async def protected(self, call: Call) -> Reply:
        """The whole list."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        return {"users": sorted(room.marks[UserMark.PROTECTED])}

    async def lower(self, call: Call) -> Reply:
        """OUT_OF_RANGE: there are too many."""
        await self._priorities.add(call.app, Priority.LOW, call[_LOW])
        return None

    async def unlower(self, call: Call) -> Reply:
        """Harmless for those that are not on the list."""
        await self._priorities.remove(call.app, Priority.LOW, call[_LOW])
        return None

    async def low(self, call: Call) -> Reply:
        """Without what the operator leaves out."""
        return {"objectNames": self._priorities.listed(call.app, Priority.LOW)}

    async def raise_(self, call: Call) -> Reply:
        """OUT_OF_RANGE: there are too many."""
        await self._priorities.add(call.app, Priority.HIGH, call[_HIGH])
        return None

    async def unraise(self, call: Call) -> Reply:
        """Harmless for those that are not on the list."""
        await self._priorities.remove(call.app, Priority.HIGH, call[_HIGH])
        return None

    async def high(self, call: Call) -> Reply:
        """Spelled like this (rest 8)."""
        return {"whitlistMsgType": self._priorities.listed(call.app, Priority.HIGH)}

    async def pause(self, call: Call) -> Reply:
        """A room that nobody has made is made."""
        await self._rooms.create(call.app, call[CHATROOM])
        await self._rooms.change(call.app, call[CHATROOM], is_paused=True)
        return None

    async def resume(self, call: Call) -> Reply:
        """Harmless if there is none."""
        if (await self._rooms.load(call.app, call[CHATROOM])).exists:
            await self._rooms.change(call.app, call[CHATROOM], is_paused=False)
        return None

    async def _protect(self, call: Call, until: int) -> Reply:
        app, room = call.app, call[CHATROOM]
        await together(
            self._rooms.mark(app, room, user, UserMark.PROTECTED, until=until)
            for user in call[USERS_20]
        )
        return None
