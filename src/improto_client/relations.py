"""Other users: whom this one blocks, and who is there (operations 9 and 10)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import GENERAL_ERRORS, Topic
from improto_client.errors import Refused, Unreadable

if TYPE_CHECKING:
    from improto_client.link import Link


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
