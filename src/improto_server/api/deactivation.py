"""Users who are switched off, and on again (rest 9.3).

It is a block without an end: whoever is switched off may not connect. What he has and is in stays.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Number, Parameter, user_ids
from improto_server.steps import together
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from improto_server.api.bodies import Fields
    from improto_server.clock import MessageClock
    from improto_server.services.standings import Standings

MOST_USERS: Final = 100
"""Of one call (rest 9.3)."""


class _JoinedUsers(Parameter[list[str]]):
    """User ids with commas in between."""

    def __init__(self, name: str) -> None:
        limit = f"up to {MOST_USERS} with commas in between, each up to 64 bytes"
        super().__init__(name, is_required=True, limit=limit)
        self._ids = user_ids(name, most=MOST_USERS)

    def read(self, fields: Fields) -> list[str]:
        """INVALID, TOO_LONG or OUT_OF_RANGE."""
        return self._ids.read({self.name: self.last(fields).split(",")})

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": MOST_USERS * 65 - 1}


_USERS: Final = _JoinedUsers("userId")
_PAGE: Final = Number("pageNo", least=1, most=1_000_000, default=1)
_SIZE: Final = Number("pageSize", least=1, most=50, default=50)


class DeactivationCalls:
    """Calls about them."""

    def __init__(self, *, standings: Standings, clock: MessageClock) -> None:
        self._standings = standings
        self._clock = clock

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/user/deactivate",
                mark=Mark.OPTIONAL,
                about="Let users not connect until they are reactivated, or unblocked; who is"
                " connected is sent away. It is done when it is answered.",
                parameters=(_USERS,),
                call=self.deactivate,
                reply="operateId",
            ),
            Endpoint(
                path="/user/reactivate",
                mark=Mark.OPTIONAL,
                about="Let users connect again who were deactivated; others stay as they are.",
                parameters=(_USERS,),
                call=self.reactivate,
                reply="operateId",
            ),
            Endpoint(
                path="/user/deactivate/query",
                mark=Mark.OPTIONAL,
                about="The users who are deactivated, in the order of the ids.",
                parameters=(_PAGE, _SIZE),
                call=self.deactivated,
                reply="users: [id]",
            ),
        ]

    async def deactivate(self, call: Call) -> Reply:
        """They may not connect."""
        await self._ban(call, call[_USERS], until=FOREVER)
        return {"operateId": token_hex(8)}

    async def reactivate(self, call: Call) -> Reply:
        """Harmless for those who are not deactivated; a block goes on until its end."""
        off = self._off(call.app)
        await self._ban(call, [user for user in call[_USERS] if user in off], until=0)
        return {"operateId": token_hex(8)}

    async def deactivated(self, call: Call) -> Reply:
        """A page of them."""
        begin = (call[_PAGE] - 1) * call[_SIZE]
        return {"users": sorted(self._off(call.app))[begin : begin + call[_SIZE]]}

    async def _ban(self, call: Call, users: list[str], *, until: int) -> None:
        await together(self._standings.ban((call.app, user), until=until) for user in users)

    def _off(self, app: str) -> set[str]:
        banned = self._standings.banned(app, now=self._clock.now())
        return {user for user, until in banned.items() if until == FOREVER}
