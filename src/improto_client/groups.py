"""Groups: who has read what in them, and making and managing them (operations 13, sdk5 8.5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import ConversationType
from improto.messages import Conversation
from improto.operations import Topic
from improto_client.errors import Malformed
from improto_client.managed_groups import (
    Admission,
    ApplicationKind,
    Forgotten,
    GroupApplication,
    GroupMember,
    GroupRole,
    GroupRules,
    ManagedGroup,
    leaving,
    pairs,
    read_admission,
    read_application,
    read_group,
    read_list,
    read_member,
    settings,
)
from improto_client.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from improto_client.link import Link
    from improto_client.values import Message, Reference

PAGE: Final = 100
"""Members or groups of a page, and members in one request: the most that SDK 5.38.0 asks for."""

PAGE_APPLICATIONS: Final = 200
"""Applications of a page: the same."""

GROUPS_AT_ONCE: Final = 20
"""Groups in one request: the same. More take several requests."""

_ADD, _REMOVE = 1, 2
"""``operateType``."""
_INVITATION, _APPLICATION = 0, 1
"""``optType`` of an answer."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Readership:
    """Who has read a message of a group."""

    members: int
    """All who could, that is without the sender."""
    readers: tuple[tuple[str, int], ...]
    """User ids with the times of their reading."""


class Groups:
    """``im.groups``.

    Messages of groups are sent, received and read like all others. There are two kinds of groups.
    Those of the application are made by its own server (operations 13); of them, clients only say
    and ask who has read what. Those that clients manage (sdk5 8.5) have an owner, managers and
    rules that say who may do what.

    ``confirm`` and ``readers`` are Refused with 35003 if the server has not switched on receipts
    of this kind (navigation: grpRRVer 1) and with 22406 if the user is not in the group. All other
    methods are Refused with 25413 where clients manage no groups, 25410 if there is no such
    group, 25429 if it is the application's, 25418 if somebody is no member, 25405 if this user may
    not do it, 25406 to 25408 for texts that are too long, empty or no number, 25403 for what makes
    no sense. All raise what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    # -- who has read what -----------------------------------------------------------

    async def confirm(self, messages: Iterable[Message]) -> None:
        """Tell that this user has read messages of one group (messages 8.3).

        Malformed if there are none, of several conversations, or of one that is no group.
        """
        chosen = list(messages)
        places = {message.conversation for message in chosen}
        if len(places) != 1:
            raise Malformed("messages of exactly one group are confirmed at a time")
        group = _group(places.pop())
        payload = payloads.GrpReadReceiptMsg(msgId=[message.uid for message in chosen])
        await self._link.query(Topic.RR_MSG, group, payload, may_repeat=True)

    async def readers(self, message: Reference) -> Readership:
        """Who has read a message of this user. Malformed if it was not said in a group."""
        reply = await self._link.ask(
            Topic.RR_LIST,
            _group(message.conversation),
            payloads.GrpReadReceiptMsg(msgId=[message.uid]),
            payloads.GrpReadReceiptQryResp,
            may_repeat=True,
        )
        return Readership(
            members=reply.totalMemberNum,
            readers=tuple((reader.userId, reader.readTime) for reader in reply.list),
        )

    # -- a group as a whole ----------------------------------------------------------

    async def create(
        self,
        name: str,
        members: Iterable[str] = (),
        *,
        group_id: str | None = None,
        portrait: str = "",
        introduction: str = "",
        notice: str = "",
        rules: GroupRules | None = None,
        extra: Mapping[str, str] = _NOTHING,
    ) -> Conversation:
        """Make a group that this user owns, with at most 30 other members.

        If ``rules`` say that the invited have to agree, they are invited and not in yet. Without
        a ``group_id`` of 1 to 64 of ``A-Z a-z 0-9 + = - _ | :`` there is a random one. Limits in
        characters: name 64, portrait 1024, introduction 512, notice 1024; ``extra``: 10 keys of
        32, values of 256. Refused: 25409, the id is taken; 25430, it is none; 25423, no name.
        """
        group_id = secrets.token_hex(16) if group_id is None else group_id
        texts = {"portrait": portrait, "introduction": introduction, "notice": notice}
        payload = payloads.ChannelsInput(
            targetId=group_id,
            type=ConversationType.GROUP,
            settingProfile=settings(
                {"name": name} | {key: text or None for key, text in texts.items()}, rules
            ),
            extProfile=pairs(extra),
            users=members,
        )
        await self._link.query(Topic.CHANNEL_CREATE, group_id, payload)
        return Conversation.group(group_id)

    async def update(
        self,
        group_id: str,
        *,
        name: str | None = None,
        portrait: str | None = None,
        introduction: str | None = None,
        notice: str | None = None,
        rules: GroupRules | None = None,
        extra: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Change something; None: as before. Limits as of :meth:`create`.

        Rules are the owner's to change, all at once; others are Refused with 25404. Of ``extra``
        the keys that are named change; an empty value takes one away.
        """
        texts = {"name": name, "portrait": portrait, "introduction": introduction, "notice": notice}
        payload = payloads.ChannelsInput(
            targetId=group_id,
            type=ConversationType.GROUP,
            settingProfile=settings(texts, rules),
            extProfile=pairs(extra),
        )
        await self._link.query(Topic.UP_CHANNEL_INFO, group_id, payload, may_repeat=True)

    async def get(
        self, group_ids: Iterable[str], *, joined_only: bool = False
    ) -> dict[str, ManagedGroup]:
        """Groups by their ids, those that this user is in or, without ``joined_only``, all.

        Those that do not exist, and groups of the application, are left out.
        """
        found: dict[str, ManagedGroup] = {}
        for ids in _portions(group_ids, GROUPS_AT_ONCE):
            if joined_only:
                topic = Topic.Q_CHANNEL_MEM_SPE_JOIN
                reply = await self._list(topic, None, payloads.ChannelsQueryInput(ids=ids))
            else:
                asked = payloads.MultiChannels(type=ConversationType.GROUP)
                for each in ids:
                    asked.list.add(targetId=each, type=ConversationType.GROUP)
                reply = await self._list(Topic.Q_CHANNEL_INFO, ids[0], asked)
            groups = read_list(payloads.ChannelsJoinedInfos, reply).list
            found |= {each.targetId: read_group(each) for each in groups}
        return found

    def joined(
        self, *, role: GroupRole | None = None, newest_first: bool = False
    ) -> Pages[ManagedGroup]:
        """The groups in which this user has a role, or any, by when he came; for ``async for``."""

        async def ask(token: str) -> tuple[list[ManagedGroup], str]:
            # Only here 1 is the oldest first.
            page = payloads.ChannelsPageParam(
                size=PAGE, pageToken=token, order=int(not newest_first)
            )
            asked = payloads.ChannelsQueryInput(
                type=ConversationType.GROUP, page=page, roleType=role or 0
            )
            reply = await self._list(Topic.Q_CHANNEL_MEM_JOIN, None, asked)
            groups = read_list(payloads.ChannelsJoinedInfos, reply).list
            return [read_group(each) for each in groups], _next(reply)

        return Pages(ask)

    async def dismiss(self, group_id: str) -> None:
        """End a group; for the owner. What was sent stays."""
        await self._modify(Topic.CHANNEL_DISMISS, group_id)

    async def set_remark(self, group_id: str, remark: str) -> None:
        """Say how this user calls a group, in at most 64 characters; empty: as all others do."""
        payload = payloads.ChannelsMemberUpdateInput(
            targetId=group_id,
            type=ConversationType.GROUP,
            channelNickName=remark,
            operateType=_ADD if remark else _REMOVE,
        )
        await self._link.query(Topic.UP_CHANNEL_REMARK, group_id, payload, may_repeat=True)

    # -- members ---------------------------------------------------------------------

    def members(
        self, group_id: str, *, role: GroupRole | None = None, newest_first: bool = False
    ) -> Pages[GroupMember]:
        """The members with a role, or all, by when they came; for ``async for``."""

        async def ask(token: str) -> tuple[list[GroupMember], str]:
            page = payloads.ChannelsPageParam(size=PAGE, pageToken=token, order=int(newest_first))
            asked = self._query(group_id, page=page, roleType=role or 0)
            reply = await self._list(Topic.Q_CHANNEL_MEM, group_id, asked)
            return _members(reply), _next(reply)

        return Pages(ask)

    async def get_members(self, group_id: str, user_ids: Iterable[str]) -> dict[str, GroupMember]:
        """Those of some users who are members, by their ids."""
        found: dict[str, GroupMember] = {}
        for ids in _portions(user_ids, PAGE):
            asked = self._query(group_id, ids=ids)
            reply = await self._list(Topic.Q_CHANNEL_SPE_MEM, group_id, asked)
            found |= {each.user_id: each for each in _members(reply)}
        return found

    async def remove(
        self, group_id: str, user_ids: Iterable[str], *, forget: Forgotten = Forgotten.ALL
    ) -> None:
        """Put at most 100 members out. Refused: 25417, the owner; 25403, this user himself."""
        setting = leaving(forget)
        await self._modify(Topic.CHANNEL_MEM_KICK, group_id, users=user_ids, settingInfo=setting)

    async def quit(self, group_id: str, *, forget: Forgotten = Forgotten.ALL) -> None:
        """Leave. The owner is Refused with 25417: :meth:`transfer` or :meth:`dismiss` first."""
        await self._modify(Topic.CHANNEL_MEM_QUIT, group_id, settingInfo=leaving(forget))

    async def transfer(
        self,
        group_id: str,
        user_id: str,
        *,
        is_quit: bool = False,
        forget: Forgotten = Forgotten.ALL,
    ) -> None:
        """Give a group to another member, and leave it if ``is_quit``; for the owner."""
        setting = leaving(forget, is_quit=is_quit)
        await self._modify(Topic.CHANNEL_TRANSFER, group_id, users=[user_id], settingInfo=setting)

    async def add_managers(self, group_id: str, user_ids: Iterable[str]) -> None:
        """Make members managers, of whom there are at most 10; for the owner. Refused: 25419."""
        await self._modify(
            Topic.UP_CHANNEL_MANAGER, group_id, users=user_ids, operateType=_ADD, may_repeat=True
        )

    async def remove_managers(self, group_id: str, user_ids: Iterable[str]) -> None:
        """Make managers ordinary members; for the owner. Refused with 25420: one is none."""
        await self._modify(Topic.UP_CHANNEL_MANAGER, group_id, users=user_ids, operateType=_REMOVE)

    async def set_nickname(
        self, group_id: str, nickname: str, *, user_id: str | None = None, extra: str | None = None
    ) -> None:
        """Say what a member, or this user, is called in a group; at most 64 characters.

        ``extra`` is a note of at most 128 characters that everybody sees; None: as before.
        """
        payload = payloads.ChannelsMemberUpdateInput(
            targetId=group_id,
            type=ConversationType.GROUP,
            userId=self._link.user_id if user_id is None else user_id,
            channelNickName=nickname,
        )
        if extra is not None:
            payload.additional = extra
        await self._link.query(Topic.UP_CHANNEL_MEM, group_id, payload, may_repeat=True)

    async def follow(self, group_id: str, user_ids: Iterable[str]) -> None:
        """Follow at most 100 members, of whom nobody hears; at most 200 in all: 25419."""
        await self._modify(
            Topic.UP_CHANNEL_FOLLOW, group_id, users=user_ids, operateType=_ADD, may_repeat=True
        )

    async def unfollow(self, group_id: str, user_ids: Iterable[str]) -> None:
        """Follow them no longer."""
        await self._modify(
            Topic.UP_CHANNEL_FOLLOW, group_id, users=user_ids, operateType=_REMOVE, may_repeat=True
        )

    async def followed(self, group_id: str) -> dict[str, int]:
        """Whom this user follows in a group, and since when."""
        reply = await self._list(Topic.Q_CHANNEL_FOLLOW, None, self._query(group_id))
        return {
            each.userId: each.opTime for each in read_list(payloads.ChannelsUserInfos, reply).list
        }

    # -- coming in -------------------------------------------------------------------

    async def join(self, group_id: str) -> Admission:
        """Join a group, or ask to. Refused: 25412, in already; 25414, nobody may; 25411, full."""
        return await self._admit(
            Topic.CHANNEL_MEM_JOIN,
            group_id,
            payloads.ChannelsMembersInput(targetId=group_id, type=ConversationType.GROUP),
        )

    async def invite(self, group_id: str, user_ids: Iterable[str]) -> Admission:
        """Let at most 30 users in, or ask who has to agree.

        Refused: 25426, this user may not invite; 25412, all are in already; 25411, full.
        """
        return await self._admit(
            Topic.CHANNEL_MEM_INVITE,
            group_id,
            payloads.ChannelsMembersInput(
                targetId=group_id, type=ConversationType.GROUP, userIds=user_ids
            ),
        )

    def applications(self, *, newest_first: bool = False) -> Pages[GroupApplication]:
        """All applications and invitations that this user has to do with, of the last 30 days.

        For ``async for``; by when they were made.
        """

        async def ask(token: str) -> tuple[list[GroupApplication], str]:
            page = payloads.ChannelsPageParam(
                size=PAGE_APPLICATIONS, pageToken=token, order=int(newest_first)
            )
            asked = payloads.ChannelsQueryInput(type=ConversationType.GROUP, page=page)
            reply = await self._list(Topic.Q_CHANNEL_APPLY_LIST, None, asked)
            found = read_list(payloads.ChannelsInviteStatusInfos, reply).list
            return [read_application(each) for each in found], _next(reply)

        return Pages(ask)

    async def accept(self, application: GroupApplication) -> Admission:
        """Agree to what this user was asked: to come in himself, or to let somebody in.

        Refused: 25421, there is no such application, or a week has passed; 25428, somebody has
        answered; 25411, full. Malformed for an application that this user has made.
        """
        return await self._answer(application, is_yes=True, reason="")

    async def refuse(self, application: GroupApplication, *, reason: str = "") -> None:
        """Refuse it, for a reason of at most 128 characters. Errors as of :meth:`accept`."""
        await self._answer(application, is_yes=False, reason=reason)

    # -- inside ----------------------------------------------------------------------

    async def _answer(
        self, application: GroupApplication, *, is_yes: bool, reason: str
    ) -> Admission:
        group_id = application.conversation.target_id
        inviter = application.inviter.user_id if application.inviter else ""
        payload = payloads.ChannelsMemberResponseInput(
            targetId=group_id,
            type=ConversationType.GROUP,
            optResult=int(is_yes),
            inviterId=inviter,
            detail=reason,
        )
        match application.kind:
            case ApplicationKind.INVITATION_RECEIVED:
                payload.optType = _INVITATION
            case ApplicationKind.APPLICATION_RECEIVED:
                payload.optType = _APPLICATION
                payload.joinUserId = application.user.user_id
            case _:
                raise Malformed("who has asked cannot answer")
        return await self._admit(Topic.CHANNEL_APPLY_RESP, group_id, payload)

    async def _admit(self, topic: Topic, group_id: str, payload: payloads.Message) -> Admission:
        reply = await self._link.ask(topic, group_id, payload, payloads.ChannelsOutput)
        return read_admission(reply)

    async def _modify(
        self, topic: Topic, group_id: str, *, may_repeat: bool = False, **more: Any
    ) -> None:
        payload = payloads.ModifyChannelsInput(
            targetId=group_id, type=ConversationType.GROUP, **more
        )
        await self._link.query(topic, group_id, payload, may_repeat=may_repeat)

    async def _list(
        self, topic: Topic, target: str | None, asked: payloads.Message
    ) -> payloads.ChannelsListResult:
        return await self._link.ask(
            topic, target, asked, payloads.ChannelsListResult, may_repeat=True
        )

    def _query(self, group_id: str, **more: Any) -> payloads.ChannelsQueryInput:
        return payloads.ChannelsQueryInput(targetId=group_id, type=ConversationType.GROUP, **more)


def _group(conversation: Conversation) -> str:
    if conversation.type != ConversationType.GROUP:
        raise Malformed("only groups have readers")
    return conversation.target_id


def _members(reply: payloads.ChannelsListResult) -> list[GroupMember]:
    return [read_member(each) for each in read_list(payloads.ChannelsUserInfos, reply).list]


def _next(reply: payloads.ChannelsListResult) -> str:
    """How to ask for the next page; empty at the end."""
    return reply.page.pageToken if reply.page.hasNext else ""


def _portions(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Each once, in portions for one request."""
    wanted = [*dict.fromkeys(ids)]
    for begin in range(0, len(wanted), size):
        yield wanted[begin : begin + size]
