"""Groups that clients make and manage themselves: the groups (sdk5 8.5).

Who is in them, :mod:`.managed_members` decides, and who may come, :mod:`.managed_applications`.
Members write and read in them as in all groups, whatever their SDK. Groups of the application
(:mod:`.groups`) are not touched from here, and not shown.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.charter import joined_info
from improto_server.services.charters import together
from improto_server.services.managed_rules import (
    ADD,
    GROUPS_AT_ONCE,
    INVITED_AT_ONCE,
    NAME,
    PAGE_GROUPS,
    PERMISSIONS,
    REMARK_CHARACTERS,
    REMOVE,
    GroupOperation,
    Happening,
    ProfileChange,
    Role,
    check_count,
    check_group_id,
    check_text,
    check_users,
    profile,
    read_extension,
    read_settings,
)
from improto_server.services.pages import ListType, listing, read_page
from improto_server.store import managed_groups as table
from improto_server.store import managed_lists as lists

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.services import Caller, Operations
    from improto_server.services.charters import Charters
    from improto_server.services.managed_applications import ManagedApplications
    from improto_server.services.rosters import Rosters
    from improto_server.store.managed_lists import GroupRow


class ManagedGroups:
    """The service. All of it is refused with 25413 where clients manage no groups."""

    def __init__(
        self, *, charters: Charters, rosters: Rosters, applications: ManagedApplications
    ) -> None:
        self._charters = charters
        self._rosters = rosters
        self._applications = applications

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.CHANNEL_CREATE: self.create,
            Topic.UP_CHANNEL_INFO: self.update,
            Topic.Q_CHANNEL_INFO: self.info,
            Topic.CHANNEL_DISMISS: self.dismiss,
            Topic.UP_CHANNEL_REMARK: self.remark,
            Topic.Q_CHANNEL_MEM_JOIN: self.joined_by_role,
            Topic.Q_CHANNEL_MEM_SPE_JOIN: self.joined,
        }

    async def create(self, caller: Caller, target: str, request: payloads.ChannelsInput) -> None:
        """Make a group that the caller owns, and let ``users`` in or invite them.

        The settings are those of :func:`.managed_rules.read_settings`; a name must be there.
        Everybody is let in if ``invitePerm`` is 0, and asked if it is 1.

        RC_GROUP_ID_ALREADY_EXIST (25409): there is such a group. RC_GROUP_ID_INVALID (25430): the
        id cannot be one. RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): more than
        :data:`.managed_rules.INVITED_AT_ONCE` users, or an id is no user's. RC_GROUP_NAME_INVALID
        (25423): there is no name.
        """
        settings = read_settings(request.settingProfile)
        extension = read_extension(request.extProfile, {})
        if NAME not in settings:
            raise ServiceError(ErrorCode.RC_GROUP_NAME_INVALID)
        check_users(request.users, INVITED_AT_ONCE, least=0)
        user = caller.user_id
        people = await self._charters.people(caller, request.users)
        group = await self._charters.look(caller.app, target)
        if group.roster.exists:
            raise ServiceError(ErrorCode.RC_GROUP_ID_ALREADY_EXIST)
        name = settings.pop(NAME)
        invited = [other for other in dict.fromkeys(request.users) if other != user]
        create = self._rosters.create(group.place, name=name, owner=user, members=[user])
        found = self._charters.found(group, creator=user, settings=settings, extension=extension)
        tell = partial(self._charters.tell_operation, group, operator=user, people=people)
        await together(
            create,
            found,
            tell(GroupOperation.CREATE),
            self._applications.bring(group, user, invited, people),
        )

    async def update(self, caller: Caller, target: str, request: payloads.ChannelsInput) -> None:
        """Change some settings, or what applications have added.

        RC_GROUP_ILLEGAL_ERROR (25404): permissions are the owner's business.
        RC_GROUP_AUTHORITY_ERROR (25405): ``profilePerm`` keeps the caller from the rest. 25418: he
        is no member. 25410, 25429: see :meth:`.charters.Charters.load`.
        """
        settings = read_settings(request.settingProfile)
        people = await self._charters.people(caller, ())
        group = await self._charters.load(caller.app, target)
        user = caller.user_id
        group.check_member(user)
        extension = read_extension(request.extProfile, group.charter.row.extension)
        permissions = [key for key in settings if key in PERMISSIONS]
        if permissions and user != group.roster.owner:
            reply = payloads.ChannelsOutput(censorFailedFields=permissions)
            raise ServiceError(ErrorCode.RC_GROUP_ILLEGAL_ERROR, reply)
        if not group.may(user, "profilePerm"):
            raise ServiceError(ErrorCode.RC_GROUP_AUTHORITY_ERROR)
        changed = payloads.ChannelsJoinedInfo(
            targetId=group.place.id,
            settingProfile=profile(settings),
            extProfile=request.extProfile,
        )
        if not (settings or request.extProfile):
            return
        await together(
            self._rosters.change(group.place, name=settings.pop(NAME, None)),
            self._charters.amend(group, settings=settings, extension=extension),
            self._charters.tell_profile(
                group, ProfileChange.GROUP, changed, operator=user, people=people
            ),
        )

    async def info(
        self, caller: Caller, target: str, request: payloads.MultiChannels
    ) -> payloads.ChannelsListResult:
        """What groups are called and who may do what there; everybody may ask.

        Ids of other groups are left out. RC_GROUP_QUERY_GROUP_COUNT_EXCEED_LIMIT (25422): none, or
        more than :data:`.managed_rules.GROUPS_AT_ONCE`.
        """
        return _groups(await self._by_id(caller, [one.targetId for one in request.list]))

    async def dismiss(
        self, caller: Caller, target: str, request: payloads.ModifyChannelsInput
    ) -> None:
        """The group is no more. What was sent can still be pulled.

        RC_GROUP_AUTHORITY_ERROR (25405): the caller is not the owner. 25418: he is no member.
        """
        people = await self._charters.people(caller, ())
        group = await self._charters.load(caller.app, target)
        group.check_owner(caller.user_id)
        await together(
            self._charters.tell_operation(
                group, GroupOperation.DISMISS, operator=caller.user_id, people=people
            ),
            self._rosters.dissolve(group.place),
        )

    async def remark(
        self, caller: Caller, target: str, request: payloads.ChannelsMemberUpdateInput
    ) -> None:
        """How the caller calls a group, for himself: ``channelNickName``; his devices are told.

        ``operateType`` 1 sets it, 2 removes it, else RC_ENTRUST_SERVER_PARAMETER_ERROR (25403).
        25406: more than :data:`.managed_rules.REMARK_CHARACTERS`. 25418: he is no member.
        """
        if request.operateType not in (ADD, REMOVE):
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        remark = request.channelNickName if request.operateType == ADD else ""
        check_text(remark, REMARK_CHARACTERS, "channelNickName")
        group = await self._charters.load(caller.app, target)
        user, place = caller.user_id, group.place
        group.check_member(user)
        change = ProfileChange.REMARK_SET if remark else ProfileChange.REMARK_REMOVED
        await together(
            self._charters.write(
                place, partial(table.set_remark, place=place, owner=user, remark=remark)
            ),
            self._charters.tell(
                group, [user], (Happening.PROFILE, change), operator=user, secondary=remark
            ),
        )

    async def joined_by_role(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """Groups in which the caller has a role, by when he joined; 0: whatever the role.

        ``order`` 1 is oldest first, 0 newest first: other way round than in all other lists, as
        the SDK has it. RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): no such role, or more than
        :data:`.managed_rules.PAGE_GROUPS` a page. 25432: see :func:`.pages.read_page`.
        """
        self._charters.check_on()
        page = read_page(request.page, most=PAGE_GROUPS)
        if not Role.UNDEF <= request.roleType <= Role.OWNER:
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        found: list[GroupRow] = await self._charters.read(
            partial(
                lists.joined,
                app=caller.app,
                user=caller.user_id,
                role=request.roleType,
                after=page.after_number,
                is_descending=page.order == 0,
                most=page.size + 1,
            )
        )
        rows, more = page.cut(found, lambda row: (row.since, row.number))
        return _groups(rows, next_token=more)

    async def joined(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """Those of some groups that the caller is in. 25422: see :meth:`info`."""
        return _groups([row for row in await self._by_id(caller, request.ids) if row.role])

    async def _by_id(self, caller: Caller, ids: Iterable[str]) -> list[GroupRow]:
        self._charters.check_on()
        asked = list(dict.fromkeys(ids))
        check_count(asked, GROUPS_AT_ONCE, code=ErrorCode.RC_GROUP_QUERY_GROUP_COUNT_EXCEED_LIMIT)
        for id in asked:
            check_group_id(id)
        found: list[GroupRow] = await self._charters.read(
            partial(
                lists.groups_by_id,
                app=caller.app,
                user=caller.user_id,
                type=ConversationType.GROUP,
                ids=asked,
            )
        )
        return found


def _groups(rows: Iterable[GroupRow], *, next_token: str = "") -> payloads.ChannelsListResult:
    infos = payloads.ChannelsJoinedInfos(list=[joined_info(row) for row in rows])
    return listing(ListType.GROUPS, infos, next_token=next_token)
