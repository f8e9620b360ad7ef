"""What is said of users wherever they are: not in any room, to nobody (rest 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.common import MINUTE, MINUTES, USERS_20, USERS_1000
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Formed, Number
from improto_server.services.silences import Scope
from improto_server.steps import together
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.api.replies import Calendar
    from improto_server.clock import MessageClock
    from improto_server.services.silences import Silences

_STATE: Final = Number("state", least=0, most=1, default=0, is_required=True)
_TYPE: Final = Formed("type", pattern="PERSON", limit="PERSON")
_COUNT: Final = Number("num", least=1, most=200, default=200)
_OFFSET: Final = Number("offset", least=0, most=10**9, default=0)


class EverywhereCalls:
    """Calls about who may not write in a whole kind of conversations. For groups, see there."""

    def __init__(self, *, silences: Silences, clock: MessageClock, calendar: Calendar) -> None:
        self._silences = silences
        self._clock = clock
        self._calendar = calendar

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/chatroom/user/ban/add",
                mark=Mark.MODERATION,
                about="Let users not write in any room for a while.",
                parameters=(USERS_20, MINUTES),
                call=self.ban,
            ),
            Endpoint(
                path="/chatroom/user/ban/remove",
                mark=Mark.MODERATION,
                about="What was said of all rooms holds no longer.",
                parameters=(USERS_20,),
                call=self.unban,
            ),
            Endpoint(
                path="/chatroom/user/ban/query",
                mark=Mark.MODERATION,
                about="The users who may not write in any room, and until when.",
                parameters=(),
                call=self.banned,
                reply="users: [{userId, time}]",
            ),
            Endpoint(
                path="/user/chat/fb/set",
                mark=Mark.MODERATION,
                about="Let users not write to other users (state 1), or let them again (state 0).",
                parameters=(USERS_1000, _STATE, _TYPE),
                call=self.forbid,
            ),
            Endpoint(
                path="/user/chat/fb/querylist",
                mark=Mark.MODERATION,
                about="The users who may not write to others, from an offset on.",
                parameters=(_COUNT, _OFFSET, _TYPE),
                call=self.forbidden,
                reply="total, users: [id]",
            ),
        ]

    async def ban(self, call: Call) -> Reply:
        """They go on reading."""
        until = self._clock.now() + call[MINUTES] * MINUTE
        return await self._silence(call, call[USERS_20], Scope.ROOMS, until)

    async def unban(self, call: Call) -> Reply:
        """Harmless for those who may write."""
        return await self._silence(call, call[USERS_20], Scope.ROOMS, 0)

    async def banned(self, call: Call) -> Reply:
        """Those whose time is not over."""
        found = self._silences.silenced(call.app, Scope.ROOMS, now=self._clock.now())
        return {
            "users": [
                {"userId": user, "time": self._calendar.text(until)}
                for user, until in found.items()
            ]
        }

    async def forbid(self, call: Call) -> Reply:
        """They go on reading."""
        until = FOREVER if call[_STATE] else 0
        return await self._silence(call, call[USERS_1000], Scope.USERS, until)

    async def forbidden(self, call: Call) -> Reply:
        """In the order in which that was said."""
        found = [*self._silences.silenced(call.app, Scope.USERS, now=self._clock.now())]
        first = call[_OFFSET]
        return {"total": len(found), "users": found[first : first + call[_COUNT]]}

    async def _silence(self, call: Call, users: Iterable[str], scope: Scope, until: int) -> Reply:
        await together(
            self._silences.silence((call.app, user), scope, until=until) for user in users
        )
        return None
