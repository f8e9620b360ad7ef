"""Groups: who is in them, and who may not speak there (rest 7, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.common import (
    GROUP,
    MINUTE,
    MOST_MINUTES,
    NAME,
    PAGE,
    SIZE,
    USER,
    USERS_20,
    USERS_1000,
    page,
)
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Id, Ids, Named, Number, Text, is_group_id
from improto_server.services.silences import Scope
from improto_server.steps import together
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from improto_server.api.replies import Calendar
    from improto_server.clock import MessageClock
    from improto_server.services.groups import Groups
    from improto_server.services.silences import Silences

_NAME: Final = Text("groupName", most_characters=NAME)
_NEW_NAME: Final = Text("groupName", most_characters=NAME, is_required=True)
_GROUPS: Final = Named(
    "group", most=1000, most_characters=NAME, fits=is_group_id, is_required=False
)
_GROUPS_20: Final = Ids("groupId", most=20, fits=is_group_id)
_ASKED_FOR: Final = Ids("groupId", most=20, fits=is_group_id, is_required=False)
_ONE_OR_ALL: Final = Id("groupId", fits=is_group_id, is_required=False)
_MINUTES: Final = Number("minute", least=0, most=MOST_MINUTES, default=0, is_required=True)


class GroupCalls:
    """Calls about groups."""

    def __init__(
        self, *, groups: Groups, silences: Silences, clock: MessageClock, calendar: Calendar
    ) -> None:
        self._groups = groups
        self._silences = silences
        self._clock = clock
        self._calendar = calendar

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/group/create",
                mark=Mark.GROUP,
                about="Make a group; one that is there gets the members and the name.",
                parameters=(USERS_1000, GROUP, _NEW_NAME),
                call=self.create,
            ),
            Endpoint(
                path="/group/join",
                mark=Mark.GROUP,
                about="Let users in; the group is made if there is none.",
                parameters=(USERS_1000, GROUP, _NAME),
                call=self.join,
            ),
            Endpoint(
                path="/group/quit",
                mark=Mark.GROUP,
                about="Take users out.",
                parameters=(USERS_1000, GROUP),
                call=self.quit,
            ),
            Endpoint(
                path="/group/dismiss",
                mark=Mark.GROUP,
                about="There is no such group any more; which user says so makes no difference.",
                parameters=(USER, GROUP),
                call=self.dismiss,
            ),
            Endpoint(
                path="/group/refresh",
                mark=Mark.GROUP,
                about="Give a group another name.",
                parameters=(GROUP, _NEW_NAME),
                call=self.refresh,
            ),
            Endpoint(
                path="/group/sync",
                mark=Mark.GROUP,
                about="Say in which groups a user is; he leaves all others.",
                parameters=(USER, _GROUPS),
                call=self.sync,
            ),
            Endpoint(
                path="/group/user/query",
                mark=Mark.GROUP,
                about="The members, the oldest first.",
                parameters=(GROUP,),
                call=self.members,
                reply="id, users: [{id}]",
            ),
            Endpoint(
                path="/user/group/query",
                mark=Mark.GROUP,
                about="The groups that a user is in, in the order in which he joined.",
                parameters=(USER,),
                call=self.groups_of,
                reply="groups: [{id, name}]",
            ),
            Endpoint(
                path="/group/user/gag/add",
                mark=Mark.MODERATION,
                about="Let users not write in a group, or, without groupId, in any;"
                " 0 minutes are for ever.",
                parameters=(USERS_20, _ONE_OR_ALL, _MINUTES),
                call=self.gag,
            ),
            Endpoint(
                path="/group/user/gag/rollback",
                mark=Mark.MODERATION,
                about="Let users write in a group again; without groupId, what was said of all"
                " groups holds no longer.",
                parameters=(USERS_20, _ONE_OR_ALL),
                call=self.ungag,
            ),
            Endpoint(
                path="/group/user/gag/list",
                mark=Mark.MODERATION,
                about="The users who may not write in a group, or, without groupId, in any,"
                " and until when.",
                parameters=(_ONE_OR_ALL,),
                call=self.gagged,
                reply="users: [{userId, time}]",
            ),
            Endpoint(
                path="/group/ban/add",
                mark=Mark.MODERATION,
                about="Let nobody write in groups but those on the white list of each.",
                parameters=(_GROUPS_20,),
                call=self.ban,
            ),
            Endpoint(
                path="/group/ban/rollback",
                mark=Mark.MODERATION,
                about="Let everybody write in groups again.",
                parameters=(_GROUPS_20,),
                call=self.unban,
            ),
            Endpoint(
                path="/group/ban/query",
                mark=Mark.MODERATION,
                about="Whether nobody may write in these groups; without any, all such groups.",
                parameters=(_ASKED_FOR, PAGE, SIZE),
                call=self.banned,
                reply="groupinfo: [{groupId, stat: 1 or 0}]",
            ),
            Endpoint(
                path="/group/user/ban/whitelist/add",
                mark=Mark.MODERATION,
                about="Let users write although nobody else may.",
                parameters=(USERS_20, GROUP),
                call=self.exempt,
            ),
            Endpoint(
                path="/group/user/ban/whitelist/rollback",
                mark=Mark.MODERATION,
                about="Take users off that white list.",
                parameters=(USERS_20, GROUP),
                call=self.unexempt,
            ),
            Endpoint(
                path="/group/user/ban/whitelist/query",
                mark=Mark.MODERATION,
                about="That white list, in the order of the ids.",
                parameters=(GROUP,),
                call=self.exempted,
                reply="userIds: [id]",
            ),
        ]

    async def create(self, call: Call) -> Reply:
        """FULL: there is no room for so many."""
        await self._groups.create(
            call.app, call[GROUP], members=call[USERS_1000], name=call[_NEW_NAME]
        )
        return None

    async def join(self, call: Call) -> Reply:
        """FULL: there is no room for so many."""
        await self._groups.join(call.app, call[GROUP], call[USERS_1000], name=call[_NAME])
        return None

    async def quit(self, call: Call) -> Reply:
        """Harmless for those who are not in."""
        await self._groups.quit(call.app, call[GROUP], call[USERS_1000])
        return None

    async def dismiss(self, call: Call) -> Reply:
        """Harmless if there is none."""
        await self._groups.dismiss(call.app, call[GROUP])
        return None

    async def refresh(self, call: Call) -> Reply:
        """Harmless if there is none."""
        await self._groups.rename(call.app, call[GROUP], call[_NEW_NAME])
        return None

    async def sync(self, call: Call) -> Reply:
        """FULL: one of the groups has no room; those after it are not looked at."""
        await self._groups.sync_user(call.app, call[USER], call[_GROUPS])
        return None

    async def members(self, call: Call) -> Reply:
        """Nobody, if there is no such group."""
        members = await self._groups.members(call.app, call[GROUP])
        return {"id": call[GROUP], "users": [{"id": user} for user in members]}

    async def groups_of(self, call: Call) -> Reply:
        """Ids and names."""
        groups = await self._groups.groups_of(call.app, call[USER])
        return {"groups": [{"id": id, "name": name} for id, name in groups]}

    async def gag(self, call: Call) -> Reply:
        """They go on reading."""
        minutes = call[_MINUTES]
        until = self._clock.now() + minutes * MINUTE if minutes else FOREVER
        await self._silence(call, until)
        return None

    async def ungag(self, call: Call) -> Reply:
        """Harmless for those who may write."""
        await self._silence(call, 0)
        return None

    async def gagged(self, call: Call) -> Reply:
        """Those whose time is not over."""
        now = self._clock.now()
        if call[_ONE_OR_ALL]:
            roster = await self._groups.info(call.app, call[_ONE_OR_ALL])
            silenced = roster.silenced
        else:
            silenced = self._silences.silenced(call.app, Scope.GROUPS, now=now)
        return {
            "users": [
                {"userId": user, "time": self._calendar.text(until)}
                for user, until in silenced.items()
                if until > now
            ]
        }

    async def ban(self, call: Call) -> Reply:
        """The group need not exist."""
        await self._mute(call, is_muted=True)
        return None

    async def unban(self, call: Call) -> Reply:
        """Harmless if all may write."""
        await self._mute(call, is_muted=False)
        return None

    async def banned(self, call: Call) -> Reply:
        """Groups that were asked for are listed in any case."""
        muted = await self._groups.muted_groups(call.app)
        asked_for = call[_ASKED_FOR] or page(muted, call)
        return {"groupinfo": [{"groupId": id, "stat": int(id in muted)} for id in asked_for]}

    async def exempt(self, call: Call) -> Reply:
        """They need not be in."""
        await self._exempt(call, is_exempt=True)
        return None

    async def unexempt(self, call: Call) -> Reply:
        """Harmless for those who are not on it."""
        await self._exempt(call, is_exempt=False)
        return None

    async def exempted(self, call: Call) -> Reply:
        """The whole list."""
        roster = await self._groups.info(call.app, call[GROUP])
        return {"userIds": sorted(roster.exempt)}

    async def _silence(self, call: Call, until: int) -> None:
        app, group = call.app, call[_ONE_OR_ALL]
        await together(
            self._groups.mute_member(app, group, user, until=until)
            if group
            else self._silences.silence((app, user), Scope.GROUPS, until=until)
            for user in call[USERS_20]
        )

    async def _mute(self, call: Call, *, is_muted: bool) -> None:
        await together(
            self._groups.mute_all(call.app, group, is_muted=is_muted) for group in call[_GROUPS_20]
        )

    async def _exempt(self, call: Call, *, is_exempt: bool) -> None:
        app, group = call.app, call[GROUP]
        await together(
            self._groups.exempt(app, group, user, is_exempt=is_exempt) for user in call[USERS_20]
        )
