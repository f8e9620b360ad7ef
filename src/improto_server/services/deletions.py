"""Putting messages away for oneself: single ones, or all up to a time (operations 6).

Nobody else notices, and the messages stay in the store for the others.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type, stored_type
from improto_server.store import views
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_MESSAGES: Final = 1000
"""In one request. Ours: it bounds how long the others wait for the store."""

MOST_CONVERSATIONS: Final = 100
"""In one request. Ours; SDK 5 names 20 at most."""


class Deletions:
    """The service. The conversation is the one that the request names (operations 1); 33003 if
    it cannot be one.

    To clear is to hide everything up to and including ``dataTime``, ms since 1970; 0 is now, as
    SDK 5 takes it. 34011 for a time before 1970 or later than now (operations 6).
    """

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock
        self.on_change: list[Callable[[UserKey, int], None]] = []
        """Called when somebody has put something away: the time of a message, or up to which."""

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.DEL_MSG: self.delete,
            Topic.CLEAN_P_MSG: self.clear_private,
            Topic.CLEAN_D_MSG: self.clear_discussion,
            Topic.CLEAN_G_MSG: self.clear_group,
            Topic.CLEAN_C_MSG: self.clear_customer_service,
            Topic.CLEAN_S_MSG: self.clear_system,
            Topic.CLEAN_MC_MSG: self.clear_app_public_service,
            Topic.CLEAN_MP_MSG: self.clear_public_service,
            Topic.CLEAN_HIS_MSG: self.clear_named,
            Topic.CLEAN_MSG_BATCH: self.clear_several,
        }

    async def delete(
        self, caller: Caller, target: str, request: payloads.DeleteMsgInput
    ) -> payloads.DeleteMsgOutput:
        """Hide the listed messages from the caller; those that he does not have are skipped.

        33003 if the conversation cannot be one, or more than 1000 messages are listed.
        """
        type = conversation_type(request.type, request.conversationId)
        if len(request.msgs) > MOST_MESSAGES:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        uids = [each.msgId for each in request.msgs]
        messages = [(time, uid) for uid in uids if (time := time_of(uid)) is not None]
        await self._data.write(
            partial(
                views.hide,
                app=caller.app,
                user=caller.user_id,
                type=type,
                target=request.conversationId,
                messages=messages,
            )
        )
        self._changed(caller, [time for time, _ in messages])
        return payloads.DeleteMsgOutput(nothing=0)

    async def clear_private(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history with a user or a public service, or of a discussion."""
        await self._clear(caller, ConversationType.PRIVATE, request)

    async def clear_discussion(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history of a discussion."""
        await self._clear(caller, ConversationType.DISCUSSION, request)

    async def clear_group(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history of a group."""
        await self._clear(caller, ConversationType.GROUP, request)

    async def clear_customer_service(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history with a customer service."""
        await self._clear(caller, ConversationType.CUSTOMER_SERVICE, request)

    async def clear_system(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history of a system account."""
        await self._clear(caller, ConversationType.SYSTEM, request)

    async def clear_app_public_service(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history with a public service that all follow."""
        await self._clear(caller, ConversationType.APP_PUBLIC_SERVICE, request)

    async def clear_public_service(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history with a public service that is followed by choice."""
        await self._clear(caller, ConversationType.PUBLIC_SERVICE, request)

    async def clear_named(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history of a conversation whose type the request says."""
        await self._clear(caller, request.conversationType, request)

    async def clear_several(
        self, caller: Caller, target: str, request: payloads.CleanMsgBatchReq
    ) -> None:
        """The same for several conversations: all of them, or none if one is refused.

        33003 for more than 100.
        """
        if len(request.input) > MOST_CONVERSATIONS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        places = [self._place(caller, each.conversationType, each) for each in request.input]
        await self._clear_all(caller, places)

    async def _clear(self, caller: Caller, type: int, request: payloads.CleanHisMsgInput) -> None:
        await self._clear_all(caller, [self._place(caller, type, request)])

    async def _clear_all(
        self, caller: Caller, places: Sequence[tuple[ConversationType, str, int]]
    ) -> None:
        app, user, *_ = caller
        await self._data.write(partial(_clear, app=app, user=user, places=places))
        self._changed(caller, [until for _, _, until in places])

    def _changed(self, caller: Caller, times: Iterable[int]) -> None:
        for time in times:
            for call in self.on_change:
                call(caller.key, time)

    def _place(
        self, caller: Caller, type: int, request: payloads.CleanHisMsgInput
    ) -> tuple[ConversationType, str, int]:
        """What is to be cleared, and up to which time."""
        known = conversation_type(type, request.targetId)
        # Messages of a busy millisecond are given times that are yet to come.
        latest = max(self._clock.now(), self._clock.latest(caller.key))
        until = request.dataTime or latest
        if not 0 < until <= latest:
            raise ServiceError(ErrorCode.CLEAR_HIS_TIME_ERROR)
        self._clock.pass_by(caller.key, until)
        return known, request.targetId, until


def _clear(
    connection: Connection,
    *,
    app: str,
    user: str,
    places: Iterable[tuple[ConversationType, str, int]],
) -> None:
    for type, target, until in places:
        known = stored_type(connection, app, user, type, target)
        views.clear(connection, app=app, user=user, type=known, target=target, until=until)
