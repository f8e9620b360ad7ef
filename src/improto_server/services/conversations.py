"""The list of a user's conversations, and how much of them he has not read (operations 7).

A conversation is on the list from its first stored message on. It goes off when its owner
takes it off, and comes back with the next message (messages 11).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type, stored_type
from improto_server.services.items import as_read, readable
from improto_server.store import views

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_CONVERSATIONS: Final = 1000
"""On one page; 0 asks for all, up to this number (operations 7)."""


class Conversations:
    """The service."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.QRY_RELATION: self.all,
            Topic.QRY_RELATION_R: self.page,
            Topic.DEL_RELATION: self.remove,
            Topic.DEL_SESSIONS: self.remove_several,
            Topic.UPD_RR_TIME: self.read,
            Topic.QRY_SESSIONS_ATT: self.summary,
        }

    async def all(
        self, caller: Caller, target: str, request: payloads.RelationsInput
    ) -> payloads.RelationsOutput:
        """The ``count`` conversations with the newest messages. 33003 if it is negative."""
        return await self._page(caller, count=request.count, before=request.startTime)

    async def page(
        self, caller: Caller, target: str, request: payloads.RelationQryInput
    ) -> payloads.RelationsOutput:
        """The same, of those older than ``startTime``; 0 is now. 33003 if it is negative."""
        return await self._page(caller, count=request.count, before=request.startTime)

    async def remove(
        self,
        caller: Caller,
        target: str,
        request: payloads.RelationsInput | payloads.RelationQryInput,
    ) -> payloads.RelationsOutput:
        """Take the conversation ``target`` off the list until somebody writes there.

        33003 if it cannot be one; harmless if it is not on the list.
        """
        await self._remove(caller, [(conversation_type(request.type, target), target)])
        return payloads.RelationsOutput(isFinished=True)

    async def remove_several(
        self, caller: Caller, target: str, request: payloads.DeleteSessionsInput
    ) -> payloads.DeleteSessionsOutput:
        """The same for several conversations at once."""
        if len(request.sessions) > MOST_CONVERSATIONS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        places = [
            (conversation_type(each.type, each.channelId), each.channelId)
            for each in request.sessions
        ]
        await self._remove(caller, places)
        return payloads.DeleteSessionsOutput(nothing=0)

    async def read(
        self, caller: Caller, target: str, request: payloads.SessionMsgReadInput
    ) -> payloads.SessionMsgReadOutput:
        """The caller has read a conversation up to ``msgTime``; a time to come counts as now."""
        type = conversation_type(request.type, request.channelId)
        if request.msgTime < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        until = min(request.msgTime, max(self._clock.now(), self._clock.latest(caller.key)))
        self._clock.pass_by(caller.key, until)
        await self._data.write(
            partial(
                _read,
                app=caller.app,
                user=caller.user_id,
                type=type,
                target=request.channelId,
                until=until,
            )
        )
        return payloads.SessionMsgReadOutput(nothing=0)

    async def summary(
        self, caller: Caller, target: str, request: payloads.SessionsAttQryInput
    ) -> payloads.SessionsAttOutput:
        """How far the caller's boxes go, and how much is unread in all."""
        return await self._data.read(partial(_summary, caller=caller, now=self._clock.now()))

    async def unread(self, app: str, user: str, type: ConversationType, target: str) -> int:
        """How many counted messages of one conversation the user has not read."""
        return await self._data.read(
            partial(views.unread, app=app, user=user, type=type, target=target)
        )

    async def total_unread(self, app: str, user: str) -> int:
        """The same of all conversations on his list together."""
        return await self._data.read(partial(views.total_unread, app=app, user=user))

    async def _page(self, caller: Caller, *, count: int, before: int) -> payloads.RelationsOutput:
        if count < 0 or before < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        count = min(count or MOST_CONVERSATIONS, MOST_CONVERSATIONS)
        query = partial(_list, caller=caller, count=count, before=before or None)
        return await self._data.read(query)

    async def _remove(self, caller: Caller, places: Sequence[tuple[ConversationType, str]]) -> None:
        # Later than everything that is on its way to him, and earlier than what comes next.
        until = self._clock.stamp(caller.key)
        await self._data.write(
            partial(_remove, app=caller.app, user=caller.user_id, places=places, until=until)
        )


def _list(
    connection: Connection, *, caller: Caller, count: int, before: int | None
) -> payloads.RelationsOutput:
    app, user, profile, _ = caller
    page = views.conversations(connection, app=app, user=user, count=count, before=before)
    reply = payloads.RelationsOutput(isFinished=page.is_finished)
    for entry in page.entries:
        # SDKs of both old generations fail on an entry without a message.
        item = readable(as_read(entry.message, user), profile)
        reply.info.add(
            type=entry.type,
            userId=entry.target,
            msg=payloads.decode(payloads.DownStreamMessage, item),
            unreadCount=entry.unread,
        )
    return reply


def _summary(connection: Connection, *, caller: Caller, now: int) -> payloads.SessionsAttOutput:
    app, user, *_ = caller
    received, sent = views.newest_times(connection, app=app, user=user, now=now)
    return payloads.SessionsAttOutput(
        inboxTime=received,
        sendboxTime=sent,
        totalUnreadCount=views.total_unread(connection, app=app, user=user),
    )


def _remove(
    connection: Connection,
    *,
    app: str,
    user: str,
    places: Iterable[tuple[ConversationType, str]],
    until: int,
) -> None:
    for type, target in places:
        known = stored_type(connection, app, user, type, target)
        views.remove(connection, app=app, user=user, type=known, target=target, until=until)


def _read(
    connection: Connection, *, app: str, user: str, type: ConversationType, target: str, until: int
) -> None:
    known = stored_type(connection, app, user, type, target)
    views.read(connection, app=app, user=user, type=known, target=target, until=until)
