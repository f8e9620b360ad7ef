"""Groups, as a page asks for them: those that clients manage on the message server (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from improto import payloads
from improto.codes import ErrorCode
from improto_server.accounts.bodies import Id, Ids, Line, Name, Text
from improto_server.accounts.friends import Page, next_page
from improto_server.accounts.visits import Reply, Visit
from improto_server.errors import ServiceError
from improto_server.services.managed_rules import (
    ADD,
    NAME,
    PERMISSIONS,
    REMOVE,
    TEXTS,
    ApplicationStatus,
    Direction,
    Role,
)
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.accounts.house import House

_NEWEST_FIRST: Final = 1
_SETTINGS: Final[Mapping[str, str]] = {
    NAME: NAME,
    "portrait": "portraitUrl",
    "introduction": "introduction",
    "notice": "announcement",
    **{key: key for key in PERMISSIONS},
}
"""What is called how on the wire."""
_INVITATION, _APPLICATION = 0, 1
"""``optType`` of an answer."""

Url = Annotated[str, Meta(max_length=TEXTS["portraitUrl"])]
Introduction = Annotated[str, Meta(max_length=TEXTS["introduction"])]
Notice = Annotated[str, Meta(max_length=TEXTS["announcement"])]
Third = Annotated[int, Meta(ge=0, le=2)]


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is named changes. Permissions are those of SDK 5 (sdk5 8.5), named as on the wire."""

    name: Name | None = None
    portrait: Url | None = None
    introduction: Introduction | None = None
    notice: Notice | None = None
    joinPerm: Annotated[int, Meta(ge=0, le=3)] | None = None
    removePerm: Third | None = None
    memInvitePerm: Third | None = None
    invitePerm: Annotated[int, Meta(ge=0, le=1)] | None = None
    profilePerm: Third | None = None
    memProfilePerm: Third | None = None

    def items(self) -> list[payloads.ProfileInfo]:
        """The same on the wire."""
        given = ((key, getattr(self, ours)) for ours, key in _SETTINGS.items())
        return [
            payloads.ProfileInfo(key=key, value=str(value))
            for key, value in given
            if value is not None
        ]


class Create(Settings, forbid_unknown_fields=True, kw_only=True):
    """A new group."""

    name: Name
    users: Ids = []


class Update(Settings, forbid_unknown_fields=True, kw_only=True):
    """Change some settings of a group."""

    group: Id


class OfGroup(Struct, forbid_unknown_fields=True, kw_only=True):
    """A group."""

    group: Id


class Members(Page, forbid_unknown_fields=True, kw_only=True):
    """A piece of the list of its members."""

    group: Id


class Users(Struct, forbid_unknown_fields=True, kw_only=True):
    """Some users and a group."""

    group: Id
    users: Ids


class Managers(Users, forbid_unknown_fields=True, kw_only=True):
    """Members who are to be managers, or no longer."""

    isManager: bool


class Transfer(Struct, forbid_unknown_fields=True, kw_only=True):
    """Who is to own a group."""

    group: Id
    user: Id
    leave: bool = False


class Nickname(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a member is called in a group; empty: as everywhere."""

    group: Id
    user: Id
    nickname: Line


class Remark(Struct, forbid_unknown_fields=True, kw_only=True):
    """How one calls a group for oneself; empty: as it is called."""

    group: Id
    note: Line


class Respond(Struct, forbid_unknown_fields=True, kw_only=True):
    """Answer an invitation by ``inviter``, or the application of ``user`` to join."""

    group: Id
    accept: bool
    user: Line = ""
    """Who wants to join; empty: the answer is to an invitation of one's own."""
    inviter: Line = ""
    text: Text = ""


class GroupCalls:
    """The calls."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._groups = house.system.managed_groups
        self._members = house.system.managed_members
        self._applications = house.system.managed_applications

    async def groups(self, visit: Visit, body: Page) -> Reply:
        """Those that one is in, the newest first."""
        request = payloads.ChannelsQueryInput(page=body.wanted())
        result = await finished(self._groups.joined_by_role(visit.caller, "", request))
        return Reply({"groups": _groups(result), **next_page(result)})

    async def info(self, visit: Visit, body: OfGroup) -> Reply:
        """Everybody may ask who knows the id."""
        request = payloads.MultiChannels(list=[payloads.ChannelsInput(targetId=body.group)])
        result = await finished(self._groups.info(visit.caller, "", request))
        found = _groups(result)
        if not found:
            raise ServiceError(ErrorCode.RC_GROUP_ID_NOT_EXIST)
        return Reply(found[0])

    async def members(self, visit: Visit, body: Members) -> Reply:
        """The oldest first; members may ask."""
        request = payloads.ChannelsQueryInput(page=body.wanted())
        result = await finished(self._members.by_role(visit.caller, body.group, request))
        found = payloads.decode(payloads.ChannelsUserInfos, result.result)
        members = [
            {
                **_user(one),
                "role": Role(one.ext.role).name.lower(),
                "nickname": one.ext.channelNickName,
                "since": one.ext.joinTime,
            }
            for one in found.list
        ]
        return Reply({"members": members, "total": result.page.total, **next_page(result)})

    async def applications(self, visit: Visit, body: Page) -> Reply:
        """Who wants to join, or is wanted to, as far as one has to do with it."""
        request = payloads.ChannelsQueryInput(page=body.wanted(order=_NEWEST_FIRST))
        result = await finished(self._applications.applications(visit.caller, "", request))
        found = payloads.decode(payloads.ChannelsInviteStatusInfos, result.result)
        return Reply(
            {
                "applications": [
                    {
                        "group": one.targetId,
                        "joiner": _user(one.joinUserInfo),
                        "inviter": _user(one.inviterInfo) if one.inviterInfo.userId else None,
                        "status": ApplicationStatus(one.status).name.lower(),
                        "direction": Direction(one.directionType).name.lower(),
                        "text": one.detail,
                        "time": one.applyTime,
                    }
                    for one in found.list
                ],
                **next_page(result),
            }
        )

    async def create(self, visit: Visit, body: Create) -> Reply:
        """Its id is ours; those who are named are let in, or asked."""
        group = self._house.new_id("g")
        request = payloads.ChannelsInput(settingProfile=body.items(), users=body.users)
        await finished(self._groups.create(visit.caller, group, request))
        return Reply({"group": group})

    async def update(self, visit: Visit, body: Update) -> Reply:
        """Change settings; the notice is one."""
        request = payloads.ChannelsInput(settingProfile=body.items())
        await finished(self._groups.update(visit.caller, body.group, request))
        return Reply({})

    async def join(self, visit: Visit, body: OfGroup) -> Reply:
        """Join, or ask to."""
        request = payloads.ChannelsMembersInput()
        reply = await finished(self._applications.join(visit.caller, body.group, request))
        return Reply(_outcome(reply))

    async def invite(self, visit: Visit, body: Users) -> Reply:
        """Let others in, or have them asked."""
        request = payloads.ChannelsMembersInput(userIds=body.users)
        reply = await finished(self._applications.invite(visit.caller, body.group, request))
        return Reply(_outcome(reply))

    async def respond(self, visit: Visit, body: Respond) -> Reply:
        """Answer an invitation or an application."""
        is_mine = not body.user
        request = payloads.ChannelsMemberResponseInput(
            optType=_INVITATION if is_mine else _APPLICATION,
            optResult=int(body.accept),
            joinUserId=body.user,
            inviterId=body.inviter,
            detail=body.text,
        )
        reply = await finished(self._applications.respond(visit.caller, body.group, request))
        return Reply(_outcome(reply))

    async def leave(self, visit: Visit, body: OfGroup) -> Reply:
        """Everybody may but the owner."""
        request = payloads.ModifyChannelsInput()
        await finished(self._members.quit(visit.caller, body.group, request))
        return Reply({})

    async def dismiss(self, visit: Visit, body: OfGroup) -> Reply:
        """The owner may."""
        request = payloads.ModifyChannelsInput()
        await finished(self._groups.dismiss(visit.caller, body.group, request))
        return Reply({})

    async def remove(self, visit: Visit, body: Users) -> Reply:
        """Take members out."""
        request = payloads.ModifyChannelsInput(users=body.users)
        await finished(self._members.kick(visit.caller, body.group, request))
        return Reply({})

    async def transfer(self, visit: Visit, body: Transfer) -> Reply:
        """Give the group to a member."""
        request = payloads.ModifyChannelsInput(users=[body.user])
        request.settingInfo.isQuit = body.leave
        await finished(self._members.transfer(visit.caller, body.group, request))
        return Reply({})

    async def managers(self, visit: Visit, body: Managers) -> Reply:
        """Make members managers, or no longer."""
        operation = ADD if body.isManager else REMOVE
        request = payloads.ModifyChannelsInput(users=body.users, operateType=operation)
        await finished(self._members.managers(visit.caller, body.group, request))
        return Reply({})

    async def nickname(self, visit: Visit, body: Nickname) -> Reply:
        """Name a member in the group."""
        request = payloads.ChannelsMemberUpdateInput(
            userId=body.user, channelNickName=body.nickname
        )
        await finished(self._members.name(visit.caller, body.group, request))
        return Reply({})

    async def note(self, visit: Visit, body: Remark) -> Reply:
        """Nobody else sees it."""
        request = payloads.ChannelsMemberUpdateInput(
            operateType=ADD if body.note else REMOVE, channelNickName=body.note
        )
        await finished(self._groups.remark(visit.caller, body.group, request))
        return Reply({})


def _groups(result: payloads.ChannelsListResult) -> list[dict[str, Any]]:
    found = payloads.decode(payloads.ChannelsJoinedInfos, result.result)
    return [_group(one) for one in found.list]


def _group(info: payloads.ChannelsJoinedInfo) -> dict[str, Any]:
    texts = {item.key: item.value for item in info.settingProfile}
    settings = {ours: texts.get(key, "") for ours, key in _SETTINGS.items()}
    return {
        "group": info.targetId,
        **settings,
        **{key: int(settings[key] or 0) for key in PERMISSIONS},
        "owner": info.baseInfo.ownerId,
        "created": info.baseInfo.createTime,
        "memberCount": info.baseInfo.memberCount,
        "role": Role(info.userInfo.role).name.lower() if info.userInfo.role else "",
        "note": info.userInfo.remarkName,
    }


def _user(info: payloads.ChannelsUserInfo) -> dict[str, Any]:
    return {"user": info.userId, "name": info.name, "portrait": info.portraitUrl}


def _outcome(reply: payloads.ChannelsOutput) -> dict[str, Any]:
    """Whether it is done; if not, who has to agree."""
    waits = {
        int(ErrorCode.RC_GROUP_JOIN_GROUP_NEED_MANAGER_ACCEPT): "owner",
        int(ErrorCode.RC_GROUP_NEED_INVITEE_ACCEPT): "invited",
    }
    return {"isDone": reply.processCode == 0, "waitsFor": waits.get(reply.processCode, "")}
