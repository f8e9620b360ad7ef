"""Blacklists, as their owners see them (operations 9).

What being on one means is :mod:`.messages`' business: private messages and typing are refused
with 405. Calls may be repeated: who is on the list stays on it, who is not stays off it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ListFull, ServiceError, StatusAnswer
from improto_server.services.accounts import is_user_id

if TYPE_CHECKING:
    from improto_server.clock import UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.standings import Standings

NOT_LISTED: Final = 101
"""The status that says "not on the list". The number that SDK 2.5.3 documents for it, 1, becomes
another one over long polling (operations 9, codes 4)."""

BLACKLIST_USERS: Final = 10_000
"""Most users on one blacklist. Ours: whoever is written to has his blacklist in memory."""


class Relations:
    """The service. Which user is meant, the request says; the target of the frame is the same."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.ADD_BLACK: self.add,
            Topic.RM_BLACK: self.remove,
            Topic.GET_BLACK: self.blacklist,
            Topic.BLACK_STAT: self.status,
        }

    async def add(self, caller: Caller, target: str, request: payloads.Add2BlackListInput) -> None:
        """Block a user.

        BLACK_ADD_ERROR: the id cannot be a user's, is the caller's own, or
        :data:`BLACKLIST_USERS` are blocked.
        """
        other = request.userId
        if not is_user_id(other) or other == caller.user_id:
            raise ServiceError(ErrorCode.BLACK_ADD_ERROR)
        await self.block(caller.key, other)

    async def remove(
        self, caller: Caller, target: str, request: payloads.RemoveFromBlackListInput
    ) -> None:
        """No longer block a user. BLACK_REMOVE_ERROR: the id cannot be a user's."""
        if not is_user_id(request.userId):
            raise ServiceError(ErrorCode.BLACK_REMOVE_ERROR)
        await self._standings.unblock(caller.key, request.userId)

    async def blacklist(
        self, caller: Caller, target: str, request: payloads.QueryBlackListInput
    ) -> payloads.QueryBlackListOutput:
        """Whom the caller blocks, in the order of their ids."""
        standing = await self._standings.load(caller.key)
        return payloads.QueryBlackListOutput(userIds=sorted(standing.blocked))

    async def status(
        self, caller: Caller, target: str, request: payloads.BlackListStatusInput
    ) -> None:
        """Whether the caller blocks a user: status 0 if so, else :data:`NOT_LISTED`.

        BLACK_GETSTATUS_ERROR: the id cannot be a user's.
        """
        if not is_user_id(request.userId):
            raise ServiceError(ErrorCode.BLACK_GETSTATUS_ERROR)
        standing = await self._standings.load(caller.key)
        if request.userId not in standing.blocked:
            raise StatusAnswer(NOT_LISTED)

    # -- for the application -------------------------------------------------------------

    async def allow(self, key: UserKey, other: str) -> None:
        """Put somebody on a user's white list; harmless if he is on it.

        ListFull: :data:`BLACKLIST_USERS` are on it, as many as a blacklist takes.
        """
        standing = await self._standings.load(key)
        if other in standing.allowed:
            return
        if len(standing.allowed) >= BLACKLIST_USERS:
            raise ListFull(f"a white list has at most {BLACKLIST_USERS} users")
        await self._standings.allow(key, other)

    async def block(self, key: UserKey, other: str) -> None:
        """Put somebody on a user's blacklist; harmless if he is on it.

        BLACK_ADD_ERROR: :data:`BLACKLIST_USERS` are blocked.
        """
        standing = await self._standings.load(key)
        if other in standing.blocked:
            return
        if len(standing.blocked) >= BLACKLIST_USERS:
            raise ServiceError(ErrorCode.BLACK_ADD_ERROR)
        await self._standings.block(key, other)
