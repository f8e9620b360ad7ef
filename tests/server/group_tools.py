"""People who manage groups with SDK 5, without the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import Query
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.server.rig import Rig

M = TypeVar("M", bound=payloads.Message)

GROUP = 3
OK = 0
LISTS: dict[int, Any] = {
    1: payloads.ChannelsUserInfos,
    2: payloads.ChannelsInviteStatusInfos,
    3: payloads.ChannelsJoinedInfos,
}


class Event(NamedTuple):
    """What somebody was told."""

    kind: int
    sub: int
    group: str
    operator: str
    change: payloads.EventChange

    @property
    def data(self) -> payloads.ChannelEventData:
        """Of operations and profiles."""
        return payloads.decode(payloads.ChannelEventData, self.change.eventData)

    @property
    def members(self) -> list[str]:
        """Whom an operation is about."""
        return [one.userId for one in self.data.userInfos]

    @property
    def applications(self) -> list[tuple[str, str, int, int]]:
        """Joiner, inviter, status and direction."""
        info = payloads.decode(payloads.ChannelApplyInfo, self.change.eventData)
        return [
            (one.joinUserInfo.userId, one.inviterInfo.userId, one.status, one.directionType)
            for one in info.statusInfo
        ]


class Someone:
    """A user with SDK 5."""

    def __init__(self, rig: Rig, name: str, sdk: str = "5.38.0") -> None:
        self.name = name
        self.client = rig.online(name, sdk)
        self._seen = 1

    def raw(self, topic: Topic, request: payloads.Message, target: str) -> tuple[int, bytes]:
        """Ask; status and data of the answer."""
        client = self.client
        message_id = client._id()
        data = payloads.encode(request)
        client.send(Query(topic=topic, target_id=target, message_id=message_id, data=data))
        client.rig.settle()
        (answer,) = client.answers(message_id)
        return answer.status, answer.data

    def status(self, topic: Topic, request: payloads.Message, target: str) -> int:
        """Ask; the status of the answer."""
        return self.raw(topic, request, target)[0]

    def ask(self, topic: Topic, request: payloads.Message, kind: type[M], target: str) -> M:
        """Ask; the answer, which must be a good one."""
        status, data = self.raw(topic, request, target)
        assert status == OK, ErrorCode(status)
        return payloads.decode(kind, data)

    def events(self) -> list[Event]:
        """What has happened since the last look."""
        request = payloads.QueryMsgChange(syncTime=self._seen)
        page = self.ask(Topic.PULL_EVENT_CHANGE, request, payloads.EventChangeList, self.name)
        self._seen = page.syncTime
        return [
            Event(one.changeType, one.subChangeType, one.businessId, one.operatorId, one)
            for one in page.list
        ]

    # -- what the SDK asks ------------------------------------------------------------------

    def create(
        self,
        group: str = "g",
        *,
        users: Iterable[str] = (),
        extension: dict[str, str] | None = None,
        **settings: object,
    ) -> int:
        """``createGroup``; its name is Group unless told otherwise."""
        request = payloads.ChannelsInput(
            targetId=group,
            type=GROUP,
            users=users,
            settingProfile=pairs({"name": "Group", **settings}),
            extProfile=pairs(extension or {}),
        )
        return self.status(Topic.CHANNEL_CREATE, request, group)

    def update(
        self, group: str = "g", *, extension: dict[str, str] | None = None, **settings: object
    ) -> int:
        """``updateGroupInfo``"""
        request = payloads.ChannelsInput(
            targetId=group,
            type=GROUP,
            settingProfile=pairs(settings),
            extProfile=pairs(extension or {}),
        )
        return self.status(Topic.UP_CHANNEL_INFO, request, group)

    def change(
        self,
        topic: Topic,
        *users: str,
        group: str = "g",
        operate: int | None = None,
        forget: bool = False,
        leave: bool = True,
    ) -> int:
        """Whatever changes members."""
        request = payloads.ModifyChannelsInput(
            targetId=group, type=GROUP, users=users, operateType=operate
        )
        request.settingInfo.isQuit = leave
        request.settingInfo.isDelBan = forget
        request.settingInfo.isDelWhite = forget
        request.settingInfo.isDelAttention = forget
        return self.status(topic, request, group)

    def join(self, group: str = "g") -> int:
        """``joinGroup``: the status, or the process code of a good answer."""
        return self._process(
            Topic.CHANNEL_MEM_JOIN, payloads.ChannelsMembersInput(targetId=group), group
        )

    def invite(self, *users: str, group: str = "g") -> int:
        """``inviteUsersToGroup``: the status, or the process code of a good answer."""
        request = payloads.ChannelsMembersInput(targetId=group, userIds=users)
        return self._process(Topic.CHANNEL_MEM_INVITE, request, group)

    def answer(
        self, *, yes: bool, joiner: str = "", inviter: str = "", group: str = "g", why: str = ""
    ) -> int:
        """Take or refuse an application, or without ``joiner`` an invitation."""
        request = response(yes=yes, joiner=joiner, inviter=inviter, group=group, why=why)
        return self._process(Topic.CHANNEL_APPLY_RESP, request, group)

    def lists(
        self, topic: Topic, target: str, **fields: Any
    ) -> tuple[list[Any], payloads.ChannelsPageParam]:
        """One of the lists, and its page."""
        page = payloads.ChannelsPageParam(
            **{key: fields.pop(key) for key in ("size", "order", "pageToken") if key in fields}
        )
        request = payloads.ChannelsQueryInput(type=GROUP, page=page, **fields)
        found = self.ask(topic, request, payloads.ChannelsListResult, target)
        assert found.HasField("page")
        kind = LISTS[found.listType]
        return list(payloads.decode(kind, found.result).list), found.page

    def members(self, group: str = "g", **fields: Any) -> list[tuple[str, int]]:
        """``getGroupMembersByRole``: ids and roles."""
        found, _ = self.lists(Topic.Q_CHANNEL_MEM, group, targetId=group, **fields)
        return [(one.userId, one.ext.role) for one in found]

    def info(self, *groups: str) -> list[payloads.ChannelsJoinedInfo]:
        """``getGroupsInfo``"""
        wanted = [payloads.ChannelsInput(targetId=id) for id in groups or ("g",)]
        request = payloads.MultiChannels(type=GROUP, list=wanted)
        found = self.ask(
            Topic.Q_CHANNEL_INFO, request, payloads.ChannelsListResult, wanted[0].targetId
        )
        assert found.HasField("page")
        assert found.listType == 3
        return list(payloads.decode(payloads.ChannelsJoinedInfos, found.result).list)

    def waiting(self, **fields: Any) -> list[tuple[str, str, int, int]]:
        """``getGroupApplications``: joiner, inviter, status and direction."""
        found, _ = self.lists(Topic.Q_CHANNEL_APPLY_LIST, self.name, **fields)
        return [
            (one.joinUserInfo.userId, one.inviterInfo.userId, one.status, one.directionType)
            for one in found
        ]

    def _process(self, topic: Topic, request: payloads.Message, group: str) -> int:
        status, data = self.raw(topic, request, group)
        return status or payloads.decode(payloads.ChannelsOutput, data).processCode


def response(
    *, yes: bool, joiner: str = "", inviter: str = "", group: str = "g", why: str = ""
) -> payloads.ChannelsMemberResponseInput:
    """An answer to an application, or without ``joiner`` to an invitation."""
    return payloads.ChannelsMemberResponseInput(
        targetId=group,
        optType=int(bool(joiner)),
        optResult=int(yes),
        joinUserId=joiner or None,
        inviterId=inviter,
        detail=why,
    )


def pairs(values: dict[str, Any]) -> list[payloads.ProfileInfo]:
    """Keys and values as the SDK sends them."""
    return [payloads.ProfileInfo(key=key, value=str(value)) for key, value in values.items()]


def settings_of(info: payloads.ChannelsJoinedInfo) -> dict[str, str]:
    """What a group has set."""
    return {item.key: item.value for item in info.settingProfile}


def extension_of(info: payloads.ChannelsJoinedInfo) -> dict[str, str]:
    """What an application has added to a group."""
    return {item.key: item.value for item in info.extProfile}


def party(rig: Rig, *names: str) -> list[Someone]:
    """Several people, online."""
    return [Someone(rig, name) for name in names]
