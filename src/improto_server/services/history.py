"""What was said in a conversation, page by page (operations 5).

Pages go on from a time, and times are exclusive and different. So whoever reads on from the
edge of one page gets everything once, whatever is sent meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode, HistoryOrder
from improto.contents import RecallCommand
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import (
    conversation_type,
    readable_since,
    stored_type,
)
from improto_server.services.items import as_read, readable
from improto_server.services.receipts import show_sent
from improto_server.store import queries
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from improto_server.services import Caller, Operations
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.data import Data
    from improto_server.services.rosters import Rosters
    from improto_server.store import InboxItem

MOST_MESSAGES: Final = 100
"""Per page; the newer SDKs ask for no more (operations 5)."""

DEFAULT_MESSAGES: Final = 20
"""Per page, if the client does not say (operations 5)."""

MOST_UIDS: Final = 100
"""In one request. Ours; SDK 5 asks for 40 at most."""

_ORDERS: Final = frozenset(HistoryOrder)


class History:
    """The service. The conversation is the one that the request names (operations 1).

    All methods: ``order`` 0 asks for messages before ``time``, the newest ones; 1 for those after
    it, the oldest ones. A ``time`` of 0 is the end from which the reading begins. ``ignoreCmd``
    leaves out the notices of messages that were taken back (sdk5 8.1). 33003 if ``targetId``
    cannot be an id, ``order`` is neither, or a number is negative.
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
            Topic.QRY_MC_MSG: self.app_public_service,
            Topic.QRY_MP_MSG: self.public_service,
            Topic.QRY_MSG: self.by_uid,
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

    async def app_public_service(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages with a public service that all follow."""
        return await self._page(caller, ConversationType.APP_PUBLIC_SERVICE, request)

    async def public_service(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages with a public service that is followed by choice."""
        return await self._page(caller, ConversationType.PUBLIC_SERVICE, request)

    async def chatroom(
        self, caller: Caller, target: str, request: payloads.HistoryMsgInput
    ) -> payloads.HistoryMsgOuput:
        """Messages of a chatroom; 23406 if the caller is not in it, 23410 if there is none."""
        _check(request)
        await self._rooms.may_read(caller.app, request.targetId, caller.user_id)
        return await self._read(caller, ConversationType.CHATROOM, request, since=0)

    async def by_uid(
        self, caller: Caller, target: str, request: payloads.MsgQuery
    ) -> payloads.MsgQueryAck:
        """Messages by their uids, of all conversations that the caller may read (sdk5 8.1).

        Those that he finds in no history are in ``notExistMsgId``; those beyond 1 MiB are in
        neither list. 33003 for none, whose answer would be empty, and for more than 100.
        """
        if not 1 <= len(request.query) <= MOST_UIDS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        uids = [*dict.fromkeys(each.msgUID for each in request.query)]
        found = await self._data.read(partial(_by_uid, caller=caller, uids=uids))
        reply = payloads.MsgQueryAck()
        room = queries.PAGE_BYTES
        for uid in uids:
            entry = found.get(uid)
            if entry is None or not await self._may_read(caller, entry):
                reply.notExistMsgId.append(uid)
            elif len(entry.item) <= room:
                room -= len(entry.item)
                reply.list.append(_as_read(entry, caller))
        return reply

    async def _may_read(self, caller: Caller, entry: InboxItem) -> bool:
        if entry.type != ConversationType.CHATROOM:
            return True
        try:
            await self._rooms.may_read(caller.app, entry.target, caller.user_id)
        except ServiceError:
            return False
        return True

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
        left_out=RecallCommand.object_name if request.ignoreCmd else None,
    )
    edge = request.time
    if page.items:
        edge = page.items[0 if is_forward else -1].time
    reply = payloads.HistoryMsgOuput(syncTime=edge, hasMsg=int(page.has_more))
    reply.list.extend(_as_read(entry, caller) for entry in page.items)
    target = request.targetId
    show_sent(connection, app=app, user=user, type=type, target=target, messages=reply.list)
    # Otherwise newest first: the clients turn the list round.
    is_as_shown = is_forward or type is ConversationType.CHATROOM
    if caller.profile.history_oldest_first and is_as_shown:
        reply.list.reverse()
    return reply


def _as_read(entry: InboxItem, caller: Caller) -> payloads.DownStreamMessage:
    item = readable(as_read(entry, caller.user_id), caller.profile)
    return payloads.decode(payloads.DownStreamMessage, item)


def _by_uid(connection: Connection, *, caller: Caller, uids: Iterable[str]) -> dict[str, InboxItem]:
    app, user, *_ = caller
    found = {}
    for uid in uids:
        time = time_of(uid)
        if time is not None:
            entry = queries.by_uid(connection, app=app, reader=user, uid=uid, time=time)
            if entry is not None:
                found[uid] = entry
    return found
