"""Users: who they are, and who may connect (rest 6, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.common import (
    MINUTE,
    MINUTES,
    PAGE,
    SIZE,
    USER,
    USERS_20,
    page,
)
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Number, Text, user_id, user_ids
from improto_server.api.replies import Code, RefusedError
from improto_server.steps import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.api.replies import Calendar
    from improto_server.clock import MessageClock
    from improto_server.hub import Hub
    from improto_server.services.accounts import Accounts
    from improto_server.services.relations import Relations
    from improto_server.services.standings import Standings
    from improto_server.services.token_ends import TokenEnds
    from improto_server.services.users import Users

_NAME: Final = Text("name", most_bytes=128)
_PORTRAIT: Final = Text("portraitUri", most_bytes=1024)
_BLACK: Final = user_ids("blackUserId", most=20)
_WHITE: Final = user_ids("whiteUserId", most=20)
_AFTER: Final = user_id("pageToken", is_required=False)
_BEFORE: Final = Number("time", least=0, most=10**15, default=0, is_required=True)


class UserCalls:
    """Calls about users. Tokens are good for ``token_seconds``."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        token_ends: TokenEnds,
        users: Users,
        hub: Hub,
        clock: MessageClock,
        standings: Standings,
        relations: Relations,
        calendar: Calendar,
        token_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._token_ends = token_ends
        self._users = users
        self._hub = hub
        self._clock = clock
        self._standings = standings
        self._relations = relations
        self._calendar = calendar
        self._token_seconds = token_seconds
        self._now = now

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/user/getToken",
                mark=Mark.CORE,
                about="Register a user, or give him a new name and portrait, and issue a token.",
                parameters=(USER, _NAME, _PORTRAIT),
                call=self.get_token,
                reply="userId, token",
            ),
            Endpoint(
                path="/user/token/expire",
                mark=Mark.OPTIONAL,
                about="End the tokens of users that were issued before a time, in milliseconds; one"
                " to come counts as now. Who is connected stays until the connection ends.",
                parameters=(USERS_20, _BEFORE),
                call=self.end_tokens,
            ),
            Endpoint(
                path="/user/refresh",
                mark=Mark.CORE,
                about="Give a registered user a new name or portrait; what is empty stays.",
                parameters=(USER, _NAME, _PORTRAIT),
                call=self.refresh,
            ),
            Endpoint(
                path="/user/info",
                mark=Mark.CORE,
                about="What a registered user is called; 1002 for others.",
                parameters=(USER,),
                call=self.info,
                reply="userName, userPortrait, createTime",
            ),
            Endpoint(
                path="/user/checkOnline",
                mark=Mark.CORE,
                about="Whether a user is connected.",
                parameters=(USER,),
                call=self.check_online,
                reply='status: text "1" or "0"',
            ),
            Endpoint(
                path="/user/block",
                mark=Mark.MODERATION,
                about="Let users not connect for a while; who is connected is sent away.",
                parameters=(USERS_20, MINUTES),
                call=self.block,
            ),
            Endpoint(
                path="/user/unblock",
                mark=Mark.MODERATION,
                about="Let users connect again.",
                parameters=(USERS_20,),
                call=self.unblock,
            ),
            Endpoint(
                path="/user/block/query",
                mark=Mark.MODERATION,
                about="All users who may not connect, and until when.",
                parameters=(PAGE, SIZE),
                call=self.blocked,
                reply="users: [{userId, blockEndTime}]",
            ),
            Endpoint(
                path="/user/blacklist/add",
                mark=Mark.MODERATION,
                about="Put users on a user's blacklist.",
                parameters=(USER, _BLACK),
                call=self.add_black,
            ),
            Endpoint(
                path="/user/blacklist/remove",
                mark=Mark.MODERATION,
                about="Take users off a user's blacklist.",
                parameters=(USER, _BLACK),
                call=self.remove_black,
            ),
            Endpoint(
                path="/user/blacklist/query",
                mark=Mark.MODERATION,
                about="A user's blacklist, in the order of the ids. With size, a page of it;"
                " pageToken is the next of the page before.",
                parameters=(USER, _AFTER, SIZE),
                call=self.black,
                reply="users: [id]; with size, next: text, empty at the end",
            ),
            Endpoint(
                path="/user/whitelist/add",
                mark=Mark.MODERATION,
                about="Put users on a user's white list, which counts if the setting"
                " users.white_lists is on.",
                parameters=(USER, _WHITE),
                call=self.add_white,
            ),
            Endpoint(
                path="/user/whitelist/remove",
                mark=Mark.MODERATION,
                about="Take users off a user's white list.",
                parameters=(USER, _WHITE),
                call=self.remove_white,
            ),
            Endpoint(
                path="/user/whitelist/query",
                mark=Mark.MODERATION,
                about="A user's white list, in the same way.",
                parameters=(USER, _AFTER, SIZE),
                call=self.white,
                reply="users: [id]; with size, next: text, empty at the end",
            ),
        ]

    async def get_token(self, call: Call) -> Reply:
        """Register and issue; every token that was issued stays good, until :meth:`end_tokens`."""
        user = call[USER]
        token = self._accounts.issue(call.app, user, now=self._now(), lifetime=self._token_seconds)
        await self._users.register(call.app, user, name=call[_NAME], portrait=call[_PORTRAIT])
        return {"userId": user, "token": token}

    async def end_tokens(self, call: Call) -> Reply:
        """They let nobody in any more."""
        # Else a clock of the application's that is fast would void tokens to come.
        before = min(call[_BEFORE], round(self._now() * 1000))
        await together(
            self._token_ends.end((call.app, user), before=before) for user in call[USERS_20]
        )
        return None

    async def refresh(self, call: Call) -> Reply:
        """Nothing happens to a user who is not registered."""
        await self._users.update(
            call.app, call[USER], name=call[_NAME] or None, portrait=call[_PORTRAIT] or None
        )
        return None

    async def info(self, call: Call) -> Reply:
        """INVALID: the user is not registered."""
        profile = await self._users.info(call.app, call[USER])
        if profile is None:
            raise RefusedError(Code.INVALID, "userId is not registered")
        return {
            "userName": profile.name,
            "userPortrait": profile.portrait,
            "createTime": self._calendar.text(profile.created),
        }

    async def check_online(self, call: Call) -> Reply:
        """The status is a text (rest 6)."""
        return {"status": "0" if self._hub.find((call.app, call[USER])) is None else "1"}

    async def block(self, call: Call) -> Reply:
        """They may not connect."""
        until = self._clock.now() + call[MINUTES] * MINUTE
        await together(
            self._standings.ban((call.app, user), until=until) for user in call[USERS_20]
        )
        return None

    async def unblock(self, call: Call) -> Reply:
        """They may again."""
        await together(self._standings.ban((call.app, user), until=0) for user in call[USERS_20])
        return None

    async def blocked(self, call: Call) -> Reply:
        """Those whose time is not over."""
        banned = self._standings.banned(call.app, now=self._clock.now())
        return {
            "users": [
                {"userId": user, "blockEndTime": self._calendar.text(until)}
                for user, until in page([*banned.items()], call)
            ]
        }

    async def add_black(self, call: Call) -> Reply:
        """OUT_OF_RANGE: the blacklist is full."""
        key = (call.app, call[USER])
        await together(self._relations.block(key, other) for other in call[_BLACK])
        return None

    async def remove_black(self, call: Call) -> Reply:
        """Harmless for those who are not on it."""
        key = (call.app, call[USER])
        await together(self._standings.unblock(key, other) for other in call[_BLACK])
        return None

    async def black(self, call: Call) -> Reply:
        """The whole list, or a page of it."""
        standing = await self._standings.load((call.app, call[USER]))
        return _listed(standing.blocked, call)

    async def add_white(self, call: Call) -> Reply:
        """OUT_OF_RANGE: the white list is full."""
        key = (call.app, call[USER])
        await together(self._relations.allow(key, other) for other in call[_WHITE])
        return None

    async def remove_white(self, call: Call) -> Reply:
        """Harmless for those who are not on it."""
        key = (call.app, call[USER])
        await together(self._standings.disallow(key, other) for other in call[_WHITE])
        return None

    async def white(self, call: Call) -> Reply:
        """The whole list, or a page of it."""
        standing = await self._standings.load((call.app, call[USER]))
        return _listed(standing.allowed, call)


def _listed(users: frozenset[str], call: Call) -> Reply:
    listed = sorted(user for user in users if user > call[_AFTER])
    if call[SIZE] is None:
        return {"users": listed}
    shown = listed[: call[SIZE]]
    return {"users": shown, "next": shown[-1] if len(shown) < len(listed) else ""}
