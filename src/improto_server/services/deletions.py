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
    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_MESSAGES: Final = 1000
"""In one request. Ours: it bounds how long the others wait for the store."""


class Deletions:
    """The service. The conversation is the one that the request names (operations 1); 33003 if
    it cannot be one."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.DEL_MSG: self.delete,
            Topic.CLEAN_P_MSG: self.clear_private,
            Topic.CLEAN_D_MSG: self.clear_discussion,
            Topic.CLEAN_G_MSG: self.clear_group,
            Topic.CLEAN_C_MSG: self.clear_customer_service,
            Topic.CLEAN_S_MSG: self.clear_system,
            Topic.CLEAN_HIS_MSG: self.clear_named,
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
        await self._data.write(
            partial(
                views.hide,
                app=caller.app,
                user=caller.user_id,
                type=type,
                target=request.conversationId,
                messages=[(time, uid) for uid in uids if (time := time_of(uid)) is not None],
            )
        )
        return payloads.DeleteMsgOutput(nothing=0)

    async def clear(
        self, app: str, user: str, type: ConversationType, target: str, *, until: int
    ) -> None:
        """Hide everything up to and including ``until``, ms since 1970, from one user.

        34011 if that is before 1970 or later than now.
        """
        # Messages of a busy millisecond are given times that are yet to come.
        latest = max(self._clock.now(), self._clock.latest((app, user)))
        if not 0 <= until <= latest:
            raise ServiceError(ErrorCode.CLEAR_HIS_TIME_ERROR)
        self._clock.pass_by((app, user), until)
        await self._data.write(
            partial(_clear, app=app, user=user, type=type, target=target, until=until)
        )

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

    async def clear_named(
        self, caller: Caller, target: str, request: payloads.CleanHisMsgInput
    ) -> None:
        """Clear the history of a conversation whose type the request says."""
        await self._clear(caller, request.conversationType, request)

    async def _clear(self, caller: Caller, type: int, request: payloads.CleanHisMsgInput) -> None:
        app, user, *_ = caller
        target = request.targetId
        known = conversation_type(type, target)
        await self.clear(app, user, known, target, until=request.dataTime)


def _clear(
    connection: Connection, *, app: str, user: str, type: ConversationType, target: str, until: int
) -> None:
    views.clear(
        connection,
        app=app,
        user=user,
        type=stored_type(connection, app, user, type, target),
        target=target,
        until=until,
    )
