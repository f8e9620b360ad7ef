"""Groups that clients manage: what they are, as values, and how they stand in answers (sdk5 8.5).

What can be done with them is in :mod:`.groups`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from improto import payloads
from improto.codes import ErrorCode
from improto.errors import DecodeError
from improto.messages import Conversation
from improto_client.errors import Refused, Unreadable
from improto_client.users import UserInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

E = TypeVar("E", bound=enum.IntEnum)


class GroupRole(enum.IntEnum):
    """What a member is."""

    NORMAL = 1
    MANAGER = 2
    OWNER = 3


class JoinRule(enum.IntEnum):
    """Who lets somebody in who wants to join: ``joinPerm``."""

    OWNER_AGREES = 0
    EVERYBODY = 1
    """Whoever wants, at once."""
    MANAGER_AGREES = 2
    """The owner or a manager."""
    NOBODY = 3


class GroupRight(enum.IntEnum):
    """Who may do something in a group."""

    OWNER = 0
    MANAGERS = 1
    """They, and the owner."""
    EVERYBODY = 2


class NamingRule(enum.IntEnum):
    """Who gives a member a name in the group, besides himself: ``memProfilePerm``."""

    MANAGERS = 0
    """They, and the owner."""
    OWNER = 1
    NOBODY = 2


class ApplicationStage(enum.IntEnum):
    """How far an application or invitation has come."""

    WAITS_FOR_MANAGER = 0
    MANAGER_REFUSED = 1
    WAITS_FOR_INVITED = 2
    INVITED_REFUSED = 3
    JOINED = 4
    EXPIRED = 5
    """Nobody has answered within a week."""


class ApplicationKind(enum.IntEnum):
    """What an application is to this user."""

    APPLICATION_SENT = 0
    INVITATION_SENT = 1
    INVITATION_RECEIVED = 2
    APPLICATION_RECEIVED = 3


class Admission(enum.IntEnum):
    """Whether somebody is in now: ``processCode``."""

    JOINED = 0
    MANAGER_MUST_AGREE = ErrorCode.RC_GROUP_JOIN_GROUP_NEED_MANAGER_ACCEPT
    """The owner or a manager."""
    INVITED_MUST_AGREE = ErrorCode.RC_GROUP_NEED_INVITEE_ACCEPT


class Forgotten(enum.Flag):
    """What is forgotten of those who leave a group, so that it does not hold when they return."""

    NOTHING = 0
    MUTE = enum.auto()
    """That they may not write."""
    EXEMPTION = enum.auto()
    """That they may write while nobody else may."""
    FOLLOWS = enum.auto()
    """Whom they follow, and who follows them."""
    ALL = MUTE | EXEMPTION | FOLLOWS


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRules:
    """Who may do what in a group."""

    join: JoinRule = JoinRule.OWNER_AGREES
    invite: GroupRight = GroupRight.OWNER
    asks_invited: bool = False
    """Who is invited has to agree; otherwise he is in at once."""
    remove: GroupRight = GroupRight.OWNER
    """Managers are removed by the owner only, and the owner by nobody."""
    edit: GroupRight = GroupRight.OWNER
    """Name, portrait, introduction, notice and extra."""
    name_members: NamingRule = NamingRule.MANAGERS


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedGroup:
    """What a group is now."""

    conversation: Conversation
    name: str
    portrait: str
    """A URL, or empty."""
    introduction: str
    notice: str
    rules: GroupRules
    extra: Mapping[str, str]
    """By keys of the application."""
    creator_id: str
    owner_id: str
    created: int
    members: int
    """How many there are."""
    role: GroupRole | None
    """What this user is there; None: no member."""
    joined: int
    """When he came; 0: no member."""
    remark: str
    """What he calls it; empty if nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """Somebody in a group."""

    user_id: str
    name: str
    portrait: str
    """A URL, or empty."""
    role: GroupRole
    joined: int
    nickname: str
    """What he is called in this group; empty if nothing else."""
    extra: str
    is_bot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupApplication:
    """Somebody wants to join a group, or is wanted there."""

    conversation: Conversation
    kind: ApplicationKind
    stage: ApplicationStage
    user: UserInfo
    """Who is to come in."""
    inviter: UserInfo | None
    """Who has invited him; None if he wants it himself."""
    handler: UserInfo | None
    """Who has answered."""
    reason: str
    """Why it was refused."""
    time: int
    handled: int
    """When it was answered; 0: not yet."""


_TEXTS: Final = {
    "name": "name",
    "portrait": "portraitUrl",
    "introduction": "introduction",
    "notice": "announcement",
}
"""Settings that are shown: ours, and theirs on the wire."""


# -- to the wire --------------------------------------------------------------------------------


def settings(
    texts: Mapping[str, str | None], rules: GroupRules | None
) -> list[payloads.ProfileInfo]:
    """Settings that are to change: texts by our names, None as before."""
    found = {_TEXTS[name]: text for name, text in texts.items() if text is not None}
    if rules is not None:
        found |= {
            "joinPerm": str(int(rules.join)),
            "memInvitePerm": str(int(rules.invite)),
            "invitePerm": str(int(rules.asks_invited)),
            "removePerm": str(int(rules.remove)),
            "profilePerm": str(int(rules.edit)),
            "memProfilePerm": str(int(rules.name_members)),
        }
    return pairs(found)


def pairs(values: Mapping[str, str]) -> list[payloads.ProfileInfo]:
    """Keys and values on the wire."""
    return [payloads.ProfileInfo(key=key, value=value) for key, value in values.items()]


def leaving(forget: Forgotten, *, is_quit: bool = False) -> payloads.QuitChannelsSetting:
    """What goes with those who leave."""
    return payloads.QuitChannelsSetting(
        isQuit=is_quit,
        isDelBan=Forgotten.MUTE in forget,
        isDelWhite=Forgotten.EXEMPTION in forget,
        isDelAttention=Forgotten.FOLLOWS in forget,
    )


# -- from the wire ------------------------------------------------------------------------------


def read_list(kind: type[payloads.M], reply: payloads.ChannelsListResult) -> payloads.M:
    """What is inside of a list's answer."""
    try:
        return payloads.decode(kind, reply.result)
    except DecodeError as error:
        raise Unreadable(f"the list of type {reply.listType}: {error}") from error


def read_admission(reply: payloads.ChannelsOutput) -> Admission:
    """How it went. Raises Refused for every other code."""
    try:
        return Admission(reply.processCode)
    except ValueError:
        raise Refused(reply.processCode) from None


def read_group(told: payloads.ChannelsJoinedInfo) -> ManagedGroup:
    """A group, as this user sees it."""
    said = {each.key: each.value for each in told.settingProfile}
    base, own = told.baseInfo, told.userInfo

    def permission(kind: type[E], key: str) -> E:
        text = said.get(key, "0")
        return _known(kind, int(text) if text.isdecimal() and len(text) < 10 else -1, key)

    return ManagedGroup(
        conversation=Conversation.group(told.targetId),
        **{name: said.get(key, "") for name, key in _TEXTS.items()},
        rules=GroupRules(
            join=permission(JoinRule, "joinPerm"),
            invite=permission(GroupRight, "memInvitePerm"),
            asks_invited=said.get("invitePerm", "0") != "0",
            remove=permission(GroupRight, "removePerm"),
            edit=permission(GroupRight, "profilePerm"),
            name_members=permission(NamingRule, "memProfilePerm"),
        ),
        extra=MappingProxyType({each.key: each.value for each in told.extProfile}),
        creator_id=base.creatorId,
        owner_id=base.ownerId,
        created=base.createTime,
        members=base.memberCount,
        role=_known(GroupRole, own.role, "role") if own.role else None,
        joined=own.joinTime,
        remark=own.remarkName,
    )


def read_member(told: payloads.ChannelsUserInfo) -> GroupMember:
    """A member."""
    return GroupMember(
        user_id=told.userId,
        name=told.name,
        portrait=told.portraitUrl,
        role=_known(GroupRole, told.ext.role, "role"),
        joined=told.ext.joinTime,
        nickname=told.ext.channelNickName,
        extra=told.ext.additional,
        is_bot=told.ext.isBot,
    )


def read_application(told: payloads.ChannelsInviteStatusInfo) -> GroupApplication:
    """An application or invitation."""
    return GroupApplication(
        conversation=Conversation.group(told.targetId),
        kind=_known(ApplicationKind, told.directionType, "directionType"),
        stage=_known(ApplicationStage, told.status, "status"),
        user=_user(told.joinUserInfo),
        inviter=_user(told.inviterInfo) if told.HasField("inviterInfo") else None,
        handler=_user(told.processInfo) if told.HasField("processInfo") else None,
        reason=told.detail,
        time=told.applyTime,
        handled=told.processTime,
    )


def _user(told: payloads.ChannelsUserInfo) -> UserInfo:
    return UserInfo(user_id=told.userId, name=told.name, portrait=told.portraitUrl)


def _known(kind: type[E], number: int, field: str) -> E:
    try:
        return kind(number)
    except ValueError as error:
        raise Unreadable(f"{field}: nobody knows the number {number}") from error
