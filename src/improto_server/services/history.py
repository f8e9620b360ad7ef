"""What was said in a conversation, page by page (operations 5).

Pages go on from a time, and times are exclusive and different. So whoever reads on from the
edge of one page gets everything once, whatever is sent meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode, HistoryOrder
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import (
    conversation_type,
    readable_since,
    stored_type,
)
from improto_server.services.items import as_read, readable
from improto_server.store import queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.services import Caller, Operations
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.data import Data
    from improto_server.services.rosters import Rosters

MOST_MESSAGES: Final = 100
"""Per page; the newer SDKs ask for no more (operations 5)."""

DEFAULT_MESSAGES: Final = 20
"""Per page, if the client does not say (operations 5)."""

_ORDERS: Final = frozenset(HistoryOrder)


class History:
    """The service. The conversation is the one that the request names (operations 1).

    All methods: ``order`` 0 asks for messages before ``time``, the newest ones; 1 for those after
    it, the oldest ones. A ``time`` of 0 is the end from which the reading begins. 33003 if
    ``targetId`` cannot be an id, ``order`` is neither, or a number is negative.
    """

    def __init__(self, data: Data, rosters: Rosters, rooms: Rooms) -> None:
        self._data = data
        self._rosters = rosters
        self._rooms = rooms

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.QRY_P_MSG: self.private,
            Topic.QRY_D_MSG: self.discussion,
            Topic.QRY_G_MSG: self.group,
            Topic.QRY_C_MSG: self.customer_service,
            Topic.QRY_S_MSG: self.system,
            Topic.QRY_CH_MSG: self.chatroom,
        }

    async def private(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages with another user, with a public service, or in a discussion."""
        return await self._page(caller, ConversationType.PRIVATE, request)

    async def discussion(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages of a discussion since the caller joined it; 21406 if he is not in it."""
        return await self._page(caller, ConversationType.DISCUSSION, request)

    async def group(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages of a group since the caller joined it; 22406 if he is not in it."""
        return await self._page(caller, ConversationType.GROUP, request)

    async def customer_service(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages with a customer service, or, as SDK 2.5.3 asks for them, of a chatroom."""
        _check(request)
        conversation_type(ConversationType.CUSTOMER_SERVICE, request.targetId)
        room = await self._rooms.load(caller.app, request.targetId)
        if room.exists:
            return await self.chatroom(caller, target, request)
        return await self._page(caller, ConversationType.CUSTOMER_SERVICE, request)

    async def system(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages of a system account."""
        return await self._page(caller, ConversationType.SYSTEM, request)

    async def chatroom(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages of a chatroom; 23406 if the caller is not in it, 23410 if there is none."""
        _check(request)
        await self._rooms.may_read(caller.app, request.targetId, caller.user_id)
        return await self._read(caller, ConversationType.CHATROOM, request, since=0)

    async def _page(
        self, caller: Caller, topic_type: ConversationType, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        _check(request)
        app, user, *_ = caller
        type = conversation_type(topic_type, request.targetId)
        since = await readable_since(self._rosters, app, user, type, request.targetId)
        return await self._read(caller, type, request, since=since)

    async def _read(
        self,
        caller: Caller,
        type: ConversationType,
        request: payloads.HistoryMsgInput,
        *,
        since: int,
    ) -> payloads.HistoryMsgOuput:
        return await self._data.read(
            partial(_read, caller=caller, type=type, since=since, request=request)
        )


def _check(request: payloads.HistoryMsgInput) -> None:
    if request.order not in _ORDERS or request.time < 0 or request.count < 0:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)


def _read(
    connection: Connection,
    *,
    caller: Caller,
    type: ConversationType,
    since: int,
    request: payloads.HistoryMsgInput,
) -> payloads.HistoryMsgOuput:
    app, user, *_ = caller
    is_forward = request.order == HistoryOrder.OLDEST_FIRST
    page = queries.history(
        connection,
        app=app,
        type=stored_type(connection, app, user, type, request.targetId),
        reader=user,
        target=request.targetId,
        count=min(request.count or DEFAULT_MESSAGES, MOST_MESSAGES),
        before=request.time if request.time and not is_forward else None,
        after=request.time if is_forward else None,
        since=since,
    )
    # Newest first in both directions: the clients turn the list round.
    edge = request.time
    if page.items:
        edge = page.items[0 if is_forward else -1].time
    reply = payloads.HistoryMsgOuput(syncTime=edge, hasMsg=int(page.has_more))
    for entry in page.items:
        item = readable(as_read(entry, user), caller.profile)
        reply.list.append(payloads.decode(payloads.DownStreamMessage, item))
    return reply
