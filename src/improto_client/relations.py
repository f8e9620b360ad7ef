"""Other users: whom this one blocks, and who is there (operations 9 and 10, sdk5 8.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import GENERAL_ERRORS, Topic
from improto_client.errors import Refused, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_client.link import Link

FOLLOWED_AT_ONCE: Final = 200
"""Users in one request, as SDK 5.38.0 has it. :meth:`Presence.online` makes several of more."""

LONGEST_FOLLOWING: Final = 30 * 24 * 60 * 60
"""Seconds, as SDK 5.38.0 has it."""

_STATUS: Final = 1
_FRIENDS: Final = 3
"""``subType``: the status of users who are followed, or who are friends (sdk5 8.4)."""
_ADD: Final = 0
_END: Final = 1


class Blacklist:
    """``im.blacklist``: whose messages are refused with 405.

    All methods raise Refused, NotAnswered and what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, user_id: str) -> None:
        """Block a user; harmless if he is blocked."""
        payload = payloads.Add2BlackListInput(userId=user_id)
        await self._link.query(Topic.ADD_BLACK, user_id, payload, may_repeat=True)

    async def remove(self, user_id: str) -> None:
        """Block a user no longer; harmless if he is not blocked."""
        payload = payloads.RemoveFromBlackListInput(userId=user_id)
        await self._link.query(Topic.RM_BLACK, user_id, payload, may_repeat=True)

    async def list(self) -> list[str]:
        """The user ids of all who are blocked."""
        reply = await self._link.ask(
            Topic.GET_BLACK,
            None,
            payloads.QueryBlackListInput(nothing=1),
            payloads.QueryBlackListOutput,
            may_repeat=True,
        )
        return [*reply.userIds]

    async def has(self, user_id: str) -> bool:
        """Whether a user is blocked. Here the status is the answer (codes 4)."""
        payload = payloads.BlackListStatusInput(userId=user_id)
        try:
            await self._link.query(Topic.BLACK_STAT, user_id, payload, may_repeat=True)
        except Refused as refusal:
            if refusal.code in (*GENERAL_ERRORS, ErrorCode.BLACK_GETSTATUS_ERROR):
                raise
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How things stand with a user."""

    is_online: bool
    platforms: tuple[str, ...]
    number: int
    """What the user has set; its meaning is the application's."""


class Presence:
    """``im.presence``. All methods raise Refused and what every request raises."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, user_id: str | None = None) -> Status:
        """How things stand with a user, or with this one; Unreadable if nobody can tell."""
        reply = await self._link.ask(
            Topic.GET_USER_STATUS,
            user_id,
            payloads.GetUserStatusInput(nothing=1),
            payloads.GetUserStatusOutput,
            may_repeat=True,
        )
        try:
            told: Any = json.loads(reply.status)["us"]
            return Status(
                is_online=bool(told["o"]),
                platforms=tuple(str(each) for each in told["p"]),
                number=int(told["s"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Unreadable(f"the status {reply.status!r} cannot be read") from error

    async def set(self, number: int) -> None:
        """Set this user's number."""
        payload = payloads.SetUserStatusInput(status=number)
        await self._link.query(Topic.SET_USER_STATUS, None, payload, may_repeat=True)

    async def follow(
        self, user_ids: Iterable[str], *, seconds: int = LONGEST_FOLLOWING
    ) -> list[str]:
        """Follow the status of at most 200 users, for 60 seconds to 30 days.

        Returns those who cannot be followed. Refused: 26020, the server has no subscriptions
        (navigation: subDriven); 26021 and 26022, they or this user would have too many.
        """
        return await self._update(user_ids, _ADD, seconds=seconds)

    async def unfollow(self, user_ids: Iterable[str]) -> None:
        """Follow at most 200 users no longer; harmless if they are not followed."""
        await self._update(user_ids, _END, seconds=0)

    async def online(self, user_ids: Iterable[str], *, are_friends: bool = False) -> frozenset[str]:
        """Which of these users are online, as far as they are followed; or are friends.

        Refused with 26020: the server has no subscriptions.
        """
        wanted = [*dict.fromkeys(user_ids)]
        found: set[str] = set()
        for begin in range(0, len(wanted), FOLLOWED_AT_ONCE):
            payload = payloads.QrySubDataReq(subType=_FRIENDS if are_friends else _STATUS)
            for user_id in wanted[begin : begin + FOLLOWED_AT_ONCE]:
                payload.subUsers.add(subUserId=user_id)
            reply = await self._link.ask(
                Topic.QRY_SUB_DATA, None, payload, payloads.PullSubDataResp, may_repeat=True
            )
            # There is one of each platform.
            found |= {each.subUserId for each in reply.list if any(on.value for on in each.data)}
        return frozenset(found)

    async def _update(self, user_ids: Iterable[str], change: int, *, seconds: int) -> list[str]:
        payload = payloads.UpdateUserSubReq(subType=_STATUS, opType=change, expiry=seconds)
        for user_id in user_ids:
            payload.subUsers.add(subUserId=user_id)
        reply = await self._link.ask(
            Topic.UPD_USER_SUB, None, payload, payloads.UpdateUserSubResp, may_repeat=True
        )
        return [each.subUserId for each in reply.subUsers]
