"""Groups that clients manage: their members (sdk5 8.5).

Members have roles. One owns the group, and he alone makes managers and gives the group away. Who
removes a member, or names one, the permissions of the group say; nobody removes the owner, and
only he removes managers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.charters import together
from improto_server.services.managed_rules import (
    ADD,
    ADDITIONAL_CHARACTERS,
    FOLLOWED,
    MANAGERS,
    MEMBERS_AT_ONCE,
    NICKNAME_CHARACTERS,
    PAGE_MEMBERS,
    REMOVE,
    GroupOperation,
    Happening,
    MemberEdit,
    ProfileChange,
    Role,
    check_text,
    check_users,
)
from improto_server.services.pages import ListType, listing, read_page
from improto_server.store import managed_groups as table

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine, Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.services import Caller, Operations
    from improto_server.services.charter import Group
    from improto_server.services.charters import Charters
    from improto_server.services.rosters import Rosters
    from improto_server.store import Place

_ALL, _NO_ROBOTS, _ROBOTS = 0, 1, 2
"""``botType`` of a question."""


class ManagedMembers:
    """The service. All of it is refused with 25413 where clients manage no groups.

    ``robots``: ids of users who are programs.
    """

    def __init__(self, *, charters: Charters, rosters: Rosters, robots: Container[str]) -> None:
        self._charters = charters
        self._rosters = rosters
        self._robots = robots

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.CHANNEL_MEM_KICK: self.kick,
            Topic.CHANNEL_MEM_QUIT: self.quit,
            Topic.CHANNEL_TRANSFER: self.transfer,
            Topic.UP_CHANNEL_MANAGER: self.managers,
            Topic.UP_CHANNEL_MEM: self.name,
            Topic.UP_CHANNEL_FOLLOW: self.follow,
            Topic.Q_CHANNEL_FOLLOW: self.followed,
            Topic.Q_CHANNEL_MEM: self.by_role,
            Topic.Q_CHANNEL_SPE_MEM: self.by_id,
        }

    async def kick(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """Remove members. ``settingInfo`` says what of them is forgotten besides.

        RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK (25417): one of them is the owner.
        RC_GROUP_AUTHORITY_ERROR (25405): ``removePerm`` keeps the caller from it, or one is a
        manager and the caller not the owner. RC_GROUP_USER_NOT_IN_GROUP (25418): the caller or one
        of them is no member. 25403: nobody is named, more than
        :data:`.managed_rules.MEMBERS_AT_ONCE` are, or the caller himself.
        """
        check_users(request.users, MEMBERS_AT_ONCE)
        people = await self._charters.people(caller, request.users)
        group = await self._charters.load(caller.app, target)
        user, users = caller.user_id, list(dict.fromkeys(request.users))
        group.check_member(user, *users)
        if group.roster.owner in users:
            raise ServiceError(ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK)
        if user in users:
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        highest = max(map(group.role, users))
        if not group.may(user, "removePerm") or (
            highest > Role.NORMAL and group.role(user) <= highest
        ):
            raise ServiceError(ErrorCode.RC_GROUP_AUTHORITY_ERROR)
        await together(
            self._charters.tell_operation(
                group, GroupOperation.KICK, users, operator=user, people=people
            ),
            *self._part(group, users, request.settingInfo),
        )

    async def quit(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """Leave. 25417: the owner cannot. 25418: the caller is no member."""
        people = await self._charters.people(caller, ())
        group = await self._charters.load(caller.app, target)
        user = caller.user_id
        group.check_member(user)
        if user == group.roster.owner:
            raise ServiceError(ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK)
        await together(
            self._charters.tell_operation(
                group, GroupOperation.QUIT, [user], operator=user, people=people
            ),
            *self._part(group, [user], request.settingInfo),
        )

    async def transfer(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """Give the group to another member, and leave it if ``settingInfo.isQuit`` is set.

        25405: the caller is not the owner. 25418: he or the other is no member. 25403: not exactly
        one other is named.
        """
        check_users(request.users, 1)
        (heir,) = request.users
        people = await self._charters.people(caller, [heir])
        group = await self._charters.load(caller.app, target)
        user = caller.user_id
        group.check_owner(user)
        group.check_member(heir)
        if heir == user:
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        tell = partial(self._charters.tell_operation, group, operator=user, people=people)
        steps: list[Coroutine[Any, Any, object]] = [
            self._rosters.change(group.place, owner=heir),
            self._charters.promote(group, [heir], is_manager=False),
            tell(GroupOperation.TRANSFER, [heir]),
        ]
        if request.settingInfo.isQuit:
            steps.append(tell(GroupOperation.QUIT, [user]))
            steps += self._part(group, [user], request.settingInfo)
        await together(*steps)

    async def managers(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """Make members managers (``operateType`` 1), or no longer (2).

        RC_GROUP_OWNER_NOT_ALLOW_BE_MANAGER (25425): one is the owner.
        RC_GROUP_MANAGER_OR_FOLLOW_COUNT_EXCEED_LIMIT (25419): a group has at most
        :data:`.managed_rules.MANAGERS`. RC_GROUP_USER_IS_NOT_MANAGER_IN_GROUP (25420): one is none.
        25405: the caller is not the owner. 25418: somebody is no member. 25403: nobody is named, or
        more than there can be.
        """
        is_manager = _adds(request.operateType)
        check_users(request.users, MANAGERS)
        people = await self._charters.people(caller, request.users)
        group = await self._charters.load(caller.app, target)
        user, users = caller.user_id, list(dict.fromkeys(request.users))
        group.check_owner(user)
        group.check_member(*users)
        if user in users:
            raise ServiceError(ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_BE_MANAGER)
        present = set(group.charter.managers)
        if is_manager:
            if len(present | set(users)) > MANAGERS:
                raise ServiceError(ErrorCode.RC_GROUP_MANAGER_OR_FOLLOW_COUNT_EXCEED_LIMIT)
            operation = GroupOperation.ADD_MANAGER
        else:
            if not present >= set(users):
                raise ServiceError(ErrorCode.RC_GROUP_USER_IS_NOT_MANAGER_IN_GROUP)
            operation = GroupOperation.REMOVE_MANAGER
        await together(
            self._charters.promote(group, users, is_manager=is_manager),
            self._charters.tell_operation(group, operation, users, operator=user, people=people),
        )

    async def name(
        self, caller: Caller, target: str, request: payloads.ChannelsMemberUpdateInput
    ) -> None:
        """Give a member a name in the group, and a note; without ``additional`` that stays.

        25405: ``memProfilePerm`` keeps the caller from it. 25418: he or the other is no member.
        25406, 25407: see :func:`.managed_rules.check_text`.
        """
        check_text(request.channelNickName, NICKNAME_CHARACTERS, "nickname")
        check_text(request.additional, ADDITIONAL_CHARACTERS, "extra")
        check_users([request.userId], 1)
        people = await self._charters.people(caller, [request.userId])
        group = await self._charters.load(caller.app, target)
        user, other = caller.user_id, request.userId
        group.check_member(user, other)
        if user != other and not _may_name(group, user):
            raise ServiceError(ErrorCode.RC_GROUP_AUTHORITY_ERROR)
        additional = request.additional if request.HasField("additional") else None
        await together(
            self._charters.name_member(
                group, other, nickname=request.channelNickName, additional=additional
            ),
            self._charters.tell_profile(
                group, ProfileChange.MEMBER, member=other, operator=user, people=people
            ),
        )

    async def follow(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """Follow members (``operateType`` 1), or no longer (2); the caller's devices are told.

        25419: more than :data:`.managed_rules.FOLLOWED` in one group. 25418: the caller, or one
        whom he wants to follow, is no member. 25403: nobody is named, or more than
        :data:`.managed_rules.MEMBERS_AT_ONCE`.
        """
        is_added = _adds(request.operateType)
        check_users(request.users, MEMBERS_AT_ONCE)
        group = await self._charters.load(caller.app, target)
        user, users, place = caller.user_id, list(dict.fromkeys(request.users)), group.place
        group.check_member(user, *(users if is_added else ()))
        if is_added:
            time = self._charters.clock.now()
            change = partial(_follow, place=place, owner=user, members=users, time=time)
        else:
            change = partial(table.unfollow, place=place, owner=user, members=users)
        await self._charters.write(place, change)
        happening = Happening.FOLLOWS, request.operateType
        await self._charters.tell(group, [user], happening, operator=user, ids=users)

    async def followed(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """Whom the caller follows in the group ``targetId``. 25418: he is no member."""
        group = await self._charters.load(caller.app, request.targetId)
        group.check_member(caller.user_id)
        query = partial(table.follows, place=group.place, owner=caller.user_id)
        found: dict[str, int] = await self._charters.read(query)
        infos = payloads.ChannelsUserInfos()
        for member, time in found.items():
            if member in group.roster.members:
                infos.list.append(payloads.ChannelsUserInfo(userId=member, opTime=time))
        return listing(ListType.MEMBERS, infos)

    async def by_role(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """Members with a role, by when they came; 0: whatever the role.

        ``order`` 0 is oldest first, 1 newest first. 25418: the caller is no member. 25403: no
        such role, no such kind of robots, or more than :data:`.managed_rules.PAGE_MEMBERS` a
        page. 25432: see :func:`.pages.read_page`.
        """
        page = read_page(request.page, most=PAGE_MEMBERS)
        role, robots = request.roleType, request.botType
        if not Role.UNDEF <= role <= Role.OWNER or robots not in (_ALL, _NO_ROBOTS, _ROBOTS):
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        group = await self._charters.load(caller.app, target)
        group.check_member(caller.user_id)
        places = [
            (time, user)
            for user, time in group.roster.members.items()
            if (not role or group.role(user) == role)
            and (not robots or (robots == _ROBOTS) is (user in self._robots))
        ]
        total = len(places)
        places.sort(reverse=page.order == 1)
        if page.after is not None:
            after = page.after
            places = [one for one in places if (one < after if page.order else one > after)]
        found, more = page.cut(places, lambda place: place)
        users = [user for _, user in found]
        return await self._listing(caller, group, users, next_token=more, total=total)

    async def by_id(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """Some members; ids of others are left out.

        25418: the caller is no member. 25403: none, or more than
        :data:`.managed_rules.MEMBERS_AT_ONCE`.
        """
        check_users(request.ids, MEMBERS_AT_ONCE)
        group = await self._charters.load(caller.app, target)
        group.check_member(caller.user_id)
        users = [user for user in dict.fromkeys(request.ids) if user in group.roster.members]
        return await self._listing(caller, group, users)

    async def _listing(
        self,
        caller: Caller,
        group: Group,
        users: Iterable[str],
        *,
        next_token: str = "",
        total: int | None = None,
    ) -> payloads.ChannelsListResult:
        people = await self._charters.people(caller, users)
        infos = payloads.ChannelsUserInfos(list=group.users(users, people))
        for info in infos.list:
            info.ext.isBot = info.userId in self._robots
        return listing(ListType.MEMBERS, infos, next_token=next_token, total=total)

    def _part(
        self, group: Group, users: Sequence[str], forgotten: payloads.QuitChannelsSetting
    ) -> list[Coroutine[Any, Any, object]]:
        """Members leave, and what ``forgotten`` says about them goes as well."""
        place, roster = group.place, group.roster
        steps: list[Coroutine[Any, Any, object]] = [self._rosters.leave(place, users)]
        for user in users:
            if forgotten.isDelBan and user in roster.silenced:
                steps.append(self._rosters.silence(place, user, until=0))
            if forgotten.isDelWhite and user in roster.exempt:
                steps.append(self._rosters.exempt(place, user, is_exempt=False))
        if forgotten.isDelAttention:
            change = partial(table.unfollow_all, place=place, members=users)
            steps.append(self._charters.write(place, change))
        return steps


def _adds(operate_type: int) -> bool:
    if operate_type not in (ADD, REMOVE):
        raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
    return operate_type == ADD


def _may_name(group: Group, user: str) -> bool:
    permission = group.charter.permission("memProfilePerm")
    least = {
        MemberEdit.OWNER_OR_MANAGER_OR_SELF: Role.MANAGER,
        MemberEdit.OWNER_OR_SELF: Role.OWNER,
    }
    return permission in least and group.role(user) >= least[MemberEdit(permission)]


def _follow(
    connection: Connection, *, place: Place, owner: str, members: Sequence[str], time: int
) -> None:
    known = table.follows(connection, place=place, owner=owner)
    if len(known.keys() | set(members)) > FOLLOWED:
        raise ServiceError(ErrorCode.RC_GROUP_MANAGER_OR_FOLLOW_COUNT_EXCEED_LIMIT)
    table.follow(connection, place=place, owner=owner, members=members, time=time)
