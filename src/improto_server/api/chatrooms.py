"""Chatrooms: which there are, who is in, and who may not do what there (rest 8, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.common import (
    CHATROOM,
    MINUTE,
    MINUTES,
    NAME,
    PAGE,
    SIZE,
    USER,
    USERS_20,
    USERS_1000,
    page,
)
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Ids, Named, Number
from improto_server.api.replies import Code, RefusedError
from improto_server.services.accounts import is_user_id
from improto_server.services.chatrooms import Mark as UserMark
from improto_server.steps import together
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from improto_server.api.replies import Calendar
    from improto_server.clock import MessageClock
    from improto_server.services.chatrooms import Rooms

MOST_ROOMS: Final = 100
"""That one call makes, destroys or asks for. Ours."""

_NEW_ROOMS: Final = Named("chatroom", most=MOST_ROOMS, most_characters=NAME, fits=is_user_id)
_ROOMS: Final = Ids("chatroomId", most=MOST_ROOMS, fits=is_user_id)
_COUNT: Final = Number("count", least=1, most=500, default=500)
_ORDER: Final = Number("order", least=1, most=2, default=1)
_NEWEST_FIRST: Final = 2


class ChatroomCalls:
    """Calls about chatrooms."""

    def __init__(self, *, rooms: Rooms, clock: MessageClock, calendar: Calendar) -> None:
        self._rooms = rooms
        self._clock = clock
        self._calendar = calendar

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/chatroom/create",
                mark=Mark.CHATROOM,
                about="Make rooms; one that is there stays as it is.",
                parameters=(_NEW_ROOMS,),
                call=self.create,
            ),
            Endpoint(
                path="/chatroom/destroy",
                mark=Mark.CHATROOM,
                about="Destroy rooms, with their keys, gags and bans.",
                parameters=(_ROOMS,),
                call=self.destroy,
            ),
            Endpoint(
                path="/chatroom/query",
                mark=Mark.CHATROOM,
                about="Those of these rooms that exist.",
                parameters=(_ROOMS,),
                call=self.query,
                reply="chatRooms: [{chrmId, name, time}]",
            ),
            Endpoint(
                path="/chatroom/get",
                mark=Mark.CHATROOM,
                about="All about a room; 1002 if there is none.",
                parameters=(CHATROOM,),
                call=self.get,
                reply="chatroomId, createTime, memberCount, destroyType, destroyTime, ban",
            ),
            Endpoint(
                path="/chatroom/user/query",
                mark=Mark.CHATROOM,
                about="The members of a room, by order 2 the newest first.",
                parameters=(CHATROOM, _COUNT, _ORDER),
                call=self.members,
                reply="total, users: [{id, time}]",
            ),
            Endpoint(
                path="/chatroom/user/exist",
                mark=Mark.CHATROOM,
                about="Whether a user is in a room.",
                parameters=(CHATROOM, USER),
                call=self.is_member,
                reply="isInChrm: true or false",
            ),
            Endpoint(
                path="/chatroom/users/exist",
                mark=Mark.CHATROOM,
                about="Which of these users are in a room.",
                parameters=(CHATROOM, USERS_1000),
                call=self.are_members,
                reply="result: [{userId, isInChrm: 1 or 0}]",
            ),
            Endpoint(
                path="/chatroom/keepalive/add",
                mark=Mark.CHATROOM,
                about="Let a room last while nobody is in; it is made if there is none.",
                parameters=(CHATROOM,),
                call=self.keep,
            ),
            Endpoint(
                path="/chatroom/keepalive/remove",
                mark=Mark.CHATROOM,
                about="Let a room go when nobody is in for a while.",
                parameters=(CHATROOM,),
                call=self.let_go,
            ),
            Endpoint(
                path="/chatroom/keepalive/query",
                mark=Mark.CHATROOM,
                about="The rooms that last while nobody is in.",
                parameters=(),
                call=self.kept,
                reply="chatroomIds: [id]",
            ),
            Endpoint(
                path="/chatroom/user/gag/add",
                mark=Mark.MODERATION,
                about="Let users not write in a room for a while.",
                parameters=(USERS_20, CHATROOM, MINUTES),
                call=self.gag,
            ),
            Endpoint(
                path="/chatroom/user/gag/rollback",
                mark=Mark.MODERATION,
                about="Let users write in a room again.",
                parameters=(USERS_20, CHATROOM),
                call=self.ungag,
            ),
            Endpoint(
                path="/chatroom/user/gag/list",
                mark=Mark.MODERATION,
                about="The users who may not write in a room, and until when.",
                parameters=(CHATROOM,),
                call=self.gagged,
                reply="users: [{userId, time}]",
            ),
            Endpoint(
                path="/chatroom/user/block/add",
                mark=Mark.MODERATION,
                about="Put users out of a room, and keep them out for a while.",
                parameters=(USERS_20, CHATROOM, MINUTES),
                call=self.block,
            ),
            Endpoint(
                path="/chatroom/user/block/rollback",
                mark=Mark.MODERATION,
                about="Let users into a room again.",
                parameters=(USERS_20, CHATROOM),
                call=self.unblock,
            ),
            Endpoint(
                path="/chatroom/user/block/list",
                mark=Mark.MODERATION,
                about="The users who may not come into a room, and until when.",
                parameters=(CHATROOM,),
                call=self.blocked,
                reply="users: [{userId, time}]",
            ),
            Endpoint(
                path="/chatroom/ban/add",
                mark=Mark.MODERATION,
                about="Let nobody write in a room but those on its white list.",
                parameters=(CHATROOM,),
                call=self.mute,
            ),
            Endpoint(
                path="/chatroom/ban/rollback",
                mark=Mark.MODERATION,
                about="Let everybody write in a room again.",
                parameters=(CHATROOM,),
                call=self.unmute,
            ),
            Endpoint(
                path="/chatroom/ban/check",
                mark=Mark.MODERATION,
                about="Whether nobody may write in a room.",
                parameters=(CHATROOM,),
                call=self.is_muted,
                reply="status: 1 or 0",
            ),
            Endpoint(
                path="/chatroom/ban/query",
                mark=Mark.MODERATION,
                about="The rooms in which nobody may write but those on their white lists.",
                parameters=(PAGE, SIZE),
                call=self.muted,
                reply="chatroomIds: [id]",
            ),
            Endpoint(
                path="/chatroom/user/ban/whitelist/add",
                mark=Mark.MODERATION,
                about="Let users write in a room although nobody else may.",
                parameters=(CHATROOM, USERS_20),
                call=self.allow,
            ),
            Endpoint(
                path="/chatroom/user/ban/whitelist/rollback",
                mark=Mark.MODERATION,
                about="Take users off that white list.",
                parameters=(CHATROOM, USERS_20),
                call=self.disallow,
            ),
            Endpoint(
                path="/chatroom/user/ban/whitelist/query",
                mark=Mark.MODERATION,
                about="That white list.",
                parameters=(CHATROOM,),
                call=self.allowed,
                reply="userIds: [id]",
            ),
        ]

    # -- rooms -----------------------------------------------------------------------

    async def create(self, call: Call) -> Reply:
        """By id, each with its name."""
        rooms = call[_NEW_ROOMS]
        await together(self._rooms.create(call.app, id, name=name) for id, name in rooms.items())
        return None

    async def destroy(self, call: Call) -> Reply:
        """Harmless for those that do not exist."""
        await together(self._rooms.destroy(call.app, id) for id in call[_ROOMS])
        return None

    async def query(self, call: Call) -> Reply:
        """Existing ones only."""
        rooms = [await self._rooms.load(call.app, id) for id in call[_ROOMS]]
        return {
            "chatRooms": [
                {
                    "chrmId": room.place.id,
                    "name": room.name,
                    "time": self._calendar.text(room.created),
                }
                for room in rooms
                if room.exists
            ]
        }

    async def get(self, call: Call) -> Reply:
        """INVALID: there is none."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        if not room.exists:
            raise RefusedError(Code.INVALID, "there is no such chatroom")
        return {
            "chatroomId": room.place.id,
            "createTime": room.created,
            "memberCount": len(room.members),
            "destroyType": int(room.lifetime.ends > 0),
            "destroyTime": room.lifetime.minutes or self._rooms.rules.idle_minutes,
            "ban": room.is_muted,
        }

    async def members(self, call: Call) -> Reply:
        """Nobody, if there is no such room."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        listed = room.listed(call[_COUNT], newest_first=call[_ORDER] == _NEWEST_FIRST)
        return {
            "total": len(room.members),
            "users": [{"id": user, "time": self._calendar.text(time)} for user, time in listed],
        }

    async def is_member(self, call: Call) -> Reply:
        """Here the answer is a boolean (rest 8)."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        return {"isInChrm": call[USER] in room.members}

    async def are_members(self, call: Call) -> Reply:
        """Here the answers are numbers (rest 8)."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        return {
            "result": [
                {"userId": user, "isInChrm": int(user in room.members)} for user in call[USERS_1000]
            ]
        }

    async def keep(self, call: Call) -> Reply:
        """A room that nobody has made is made."""
        await self._rooms.create(call.app, call[CHATROOM])
        await self._rooms.change(call.app, call[CHATROOM], is_kept=True)
        return None

    async def let_go(self, call: Call) -> Reply:
        """Harmless if there is none."""
        if (await self._rooms.load(call.app, call[CHATROOM])).exists:
            await self._rooms.change(call.app, call[CHATROOM], is_kept=False)
        return None

    async def kept(self, call: Call) -> Reply:
        """In the order in which it was asked for."""
        return {"chatroomIds": self._rooms.kept(call.app)}

    # -- who may what ----------------------------------------------------------------

    async def gag(self, call: Call) -> Reply:
        """They go on reading."""
        return await self._mark(call, UserMark.GAGGED, self._until(call))

    async def ungag(self, call: Call) -> Reply:
        """Harmless for those who may write."""
        return await self._mark(call, UserMark.GAGGED, 0)

    async def gagged(self, call: Call) -> Reply:
        """Those whose time is not over."""
        return {"users": await self._marked(call, UserMark.GAGGED)}

    async def block(self, call: Call) -> Reply:
        """They are put out."""
        return await self._mark(call, UserMark.BANNED, self._until(call))

    async def unblock(self, call: Call) -> Reply:
        """Harmless for those who may come in."""
        return await self._mark(call, UserMark.BANNED, 0)

    async def blocked(self, call: Call) -> Reply:
        """Those whose time is not over."""
        return {"users": await self._marked(call, UserMark.BANNED)}

    async def allow(self, call: Call) -> Reply:
        """For ever."""
        return await self._mark(call, UserMark.ALLOWED, FOREVER)

    async def disallow(self, call: Call) -> Reply:
        """Harmless for those who are not on the list."""
        return await self._mark(call, UserMark.ALLOWED, 0)

    async def allowed(self, call: Call) -> Reply:
        """The whole list, in the order of the ids."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        return {"userIds": sorted(room.marks[UserMark.ALLOWED])}

    async def mute(self, call: Call) -> Reply:
        """A room that nobody has made is made."""
        await self._rooms.create(call.app, call[CHATROOM])
        await self._rooms.change(call.app, call[CHATROOM], is_muted=True)
        return None

    async def unmute(self, call: Call) -> Reply:
        """Harmless if there is none."""
        if (await self._rooms.load(call.app, call[CHATROOM])).exists:
            await self._rooms.change(call.app, call[CHATROOM], is_muted=False)
        return None

    async def is_muted(self, call: Call) -> Reply:
        """The status is a number (rest 9.1)."""
        room = await self._rooms.load(call.app, call[CHATROOM])
        return {"status": int(room.is_muted)}

    async def muted(self, call: Call) -> Reply:
        """In the order in which they were made."""
        return {"chatroomIds": page(await self._rooms.muted(call.app), call)}

    def _until(self, call: Call) -> int:
        return self._clock.now() + call[MINUTES] * MINUTE

    async def _mark(self, call: Call, mark: UserMark, until: int) -> Reply:
        app, room = call.app, call[CHATROOM]
        await together(
            self._rooms.mark(app, room, user, mark, until=until) for user in call[USERS_20]
        )
        return None

    async def _marked(self, call: Call, mark: UserMark) -> list[dict[str, str]]:
        room = await self._rooms.load(call.app, call[CHATROOM])
        now = self._clock.now()
        return [
            {"userId": user, "time": self._calendar.text(until)}
            for user, until in room.marks[mark].items()
            if until > now
        ]
