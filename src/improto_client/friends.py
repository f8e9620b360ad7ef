"""Friends: who is one, who wants to be, and who may (sdk5 8.5)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.errors import DecodeError
from improto.operations import Topic
from improto_client.errors import Refused, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from improto_client.link import Link

PAGE: Final = 100
"""Entries of a page, and users in one request: the most that SDK 5.38.0 asks for."""

MOST_PAGES: Final = 100
"""Of one list. A server that always has one more would keep us for ever. Ours."""

_BOTH: Final = 2
"""``friendType``: each is the other's friend. There is no other."""
_FRIENDS: Final = 3
"""``status`` of who is a friend."""
_SENT: Final = 1
"""``type`` of an application that this user has made."""
_ACCEPT: Final = 1
_REFUSE: Final = 2
_LIST: Final = 11
_APPLICATIONS: Final = 12
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class FriendPermission(enum.IntEnum):
    """Who may become a user's friend: ``level``."""

    EVERYBODY = 1
    """Whoever asks, at once."""
    WHOM_HE_ACCEPTS = 2
    NOBODY = 3


class ApplicationStatus(enum.IntEnum):
    """What has become of an application."""

    UNHANDLED = 0
    ACCEPTED = 1
    REFUSED = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Friend:
    """A friend, and what this user notes of him."""

    user_id: str
    name: str
    portrait: str
    """A URL, or empty."""
    remark: str
    """What this user calls him; empty if nothing else."""
    extra: Mapping[str, str]
    since: int
    """When they became friends, in ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FriendApplication:
    """Somebody wants to be a friend."""

    user_id: str
    """The other one."""
    name: str
    portrait: str
    is_mine: bool
    """This user has asked, and not the other one."""
    status: ApplicationStatus
    info: str
    """What was said to it."""
    time: int
    """When it was made or answered, in ms."""


class Friends:
    """``im.friends``. Friends have each other: there are none on one side only.

    All methods raise Refused, with 24369 where profiles are off (navigation: userProfile) and
    with 25403 for what makes no sense, and what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, user_id: str, *, info: str = "") -> bool:
        """Ask a user to be a friend. True: he is; False: he has to agree.

        Refused: 25460, he is one already; 25462 and 25464, one has blocked the other; 25471, he
        wants nobody to ask; and the others from 25467 to 25474.
        """
        payload = payloads.FriendInput(targetId=user_id, type=_BOTH, info=info)
        reply = await self._link.ask(Topic.FRIEND_ADD, None, payload, payloads.ChannelsOutput)
        if reply.processCode == ErrorCode.RC_FRIEND_NEED_ACCEPT:
            return False
        if reply.processCode:
            raise Refused(reply.processCode)
        return True

    async def accept(self, user_id: str) -> None:
        """Agree to what a user has asked. Refused with 25466: he has not, or it is too late."""
        await self._answer(user_id, _ACCEPT, info="")

    async def refuse(self, user_id: str, *, info: str = "") -> None:
        """Refuse what a user has asked. Refused with 25466: he has not, or it is too late."""
        await self._answer(user_id, _REFUSE, info=info)

    async def remove(self, user_ids: Iterable[str]) -> None:
        """Be friends no longer, at most 100 at a time. Refused with 25469: nobody is one."""
        payload = payloads.FriendsInput(targetId=user_ids, type=_BOTH)
        await self._link.query(Topic.FRIEND_DEL, None, payload)

    async def describe(
        self, user_id: str, *, remark: str | None = None, extra: Mapping[str, str] = _NOTHING
    ) -> None:
        """Say how this user calls a friend (None: as before), and note something of him.

        Of ``extra`` the keys that are named change; an empty value takes one away. Nobody else
        sees it. Refused: 25469, he is no friend; 25470, something is too long.
        """
        payload = payloads.FriendProfileInput(targetId=user_id)
        if remark is not None:
            payload.remarkName = remark
        for key, value in extra.items():
            payload.extProfile.add(key=key, value=value)
        await self._link.query(Topic.FRIEND_SET_PF, None, payload, may_repeat=True)

    async def applications(self, *, newest_first: bool = False) -> list[FriendApplication]:
        """What this user has asked and was asked, by when it was asked or answered."""
        found: list[FriendApplication] = []
        for data in await self._pages(_APPLICATIONS, newest_first=newest_first):
            found += map(_application, _read(payloads.FriendInviteInfos, data).list)
        return found

    async def list(self, *, newest_first: bool = False) -> list[Friend]:
        """All friends, by when they became so."""
        found: list[Friend] = []
        for data in await self._pages(_LIST, newest_first=newest_first):
            found += map(_friend, _read(payloads.FriendUserInfos, data).list)
        return found

    async def get(self, user_ids: Iterable[str]) -> dict[str, Friend]:
        """Those of at most 100 users who are friends, by their ids."""
        reply = await self._link.ask(
            Topic.FRIENDS_INFO_QRY,
            None,
            payloads.FriendsListInput(targetId=user_ids, type=_BOTH),
            payloads.FriendUserInfos,
            may_repeat=True,
        )
        return {each.userId: _friend(each) for each in reply.list}

    async def has(self, user_id: str) -> bool:
        """Whether a user is a friend."""
        reply = await self._link.ask(
            Topic.FRIEND_CHECK,
            None,
            payloads.FriendsInput(targetId=[user_id], type=_BOTH),
            payloads.FriendsCheckOutput,
            may_repeat=True,
        )
        return any(each.targetId == user_id and each.status == _FRIENDS for each in reply.list)

    async def permission(self) -> FriendPermission:
        """Who may become this user's friend."""
        reply = await self._link.ask(
            Topic.FRIEND_AUTH_GET,
            None,
            payloads.FriendInput(targetId=self._link.user_id, type=_BOTH),
            payloads.FriendLevelSet,
            may_repeat=True,
        )
        try:
            return FriendPermission(reply.level)
        except ValueError as error:
            raise Unreadable(f"nobody knows the permission {reply.level}") from error

    async def set_permission(self, permission: FriendPermission) -> None:
        """Say who may become this user's friend."""
        payload = payloads.FriendLevelSet(level=permission)
        await self._link.query(Topic.FRIEND_AUTH_SET, None, payload, may_repeat=True)

    # -- inside ----------------------------------------------------------------------

    async def _answer(self, user_id: str, answer: int, *, info: str) -> None:
        payload = payloads.FriendInput(targetId=user_id, type=answer, info=info)
        await self._link.query(Topic.FRIEND_HANDLE, None, payload)

    async def _pages(self, kind: int, *, newest_first: bool) -> Sequence[bytes]:
        token, pages = "", []
        for _ in range(MOST_PAGES):
            page = payloads.ChannelsPageParam(size=PAGE, pageToken=token, order=int(newest_first))
            reply = await self._link.ask(
                Topic.FRIENDS_QUERY,
                None,
                payloads.FriendQueryInput(queryType=kind, page=page, friendType=_BOTH),
                payloads.ChannelsListResult,
                may_repeat=True,
            )
            pages.append(reply.result)
            token = reply.page.pageToken
            if not reply.page.hasNext or not token:
                return pages
        raise Unreadable(f"the list has more than {MOST_PAGES} pages")


def _read(kind: type[payloads.M], data: bytes) -> payloads.M:
    try:
        return payloads.decode(kind, data)
    except DecodeError as error:
        raise Unreadable(f"{Topic.FRIENDS_QUERY}: {error}") from error


def _friend(told: payloads.FriendUserInfo) -> Friend:
    return Friend(
        user_id=told.userId,
        name=told.name,
        portrait=told.portraitUrl,
        remark=told.remarkName,
        extra=MappingProxyType({each.key: each.value for each in told.extProfile}),
        since=told.relationTime,
    )


def _application(told: payloads.FriendInviteInfo) -> FriendApplication:
    try:
        status = ApplicationStatus(told.status)
    except ValueError as error:
        raise Unreadable(f"nobody knows the status {told.status} of an application") from error
    return FriendApplication(
        user_id=told.userId,
        name=told.name,
        portrait=told.portraitUrl,
        is_mine=told.type == _SENT,
        status=status,
        info=told.info,
        time=told.operateTime,
    )
