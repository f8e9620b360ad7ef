"""Read receipts of groups by positions, which only SDK 5 has (sdk5 8.2).

A member says up to which message he has read, and the members may ask who has read a message.
Everything before a position counts as read, whatever message its owner says he began with.
Counted are those who were there when the message was sent, and still are. Nobody is told unasked.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.access import readable_since
from improto_server.services.rosters import is_place_id
from improto_server.store import names
from improto_server.store import receipts as table
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.services.rosters import Rosters
    from improto_server.store.receipts import Message

MOST_UIDS: Final = 100
"""Messages of one request. Ours, as of the receipts for single messages."""

_GROUP: Final = ConversationType.GROUP


class ReadPositions:
    """The service. ``is_on`` False: navigation says that another way is in use (26005)."""

    def __init__(self, *, data: Data, clock: MessageClock, rosters: Rosters, is_on: bool) -> None:
        self._data = data
        self._clock = clock
        self._rosters = rosters
        self.is_on = is_on

    def publishes(self) -> Operations:
        """The topics it answers with a PUBACK."""
        return {Topic.SEND_MSG_READ: self.move}

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.QRY_MSG_READ: self.readers, Topic.QRY_MSG_READ_CNT_BATCH: self.counts}

    async def move(self, caller: Caller, target: str, request: payloads.ReadReceiptMsg) -> None:
        """The caller has read a group up to the message ``endMsgId``.

        26005: switched off. 26007: ``startMsgId``, which may be left out, is of a later message.
        26009: one of the two is of no message in the group. 26010: no group. 22406: no member.
        """
        since = await self._since(caller, request.type, request.targetId)
        end = _time(request.endMsgId)
        if request.startMsgId and _time(request.startMsgId) > end:
            raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_MESSAGEUIDS_CONFUSED)
        change = partial(
            _move,
            caller=caller,
            group=request.targetId,
            since=since,
            uid=request.endMsgId,
            time=self._clock.now(),
        )
        await self._data.write(change)

    async def readers(
        self, caller: Caller, target: str, request: payloads.ReceiptQryReq
    ) -> payloads.QueryReceiptResp:
        """Who has read a message of a group, when, and how many could have.

        Codes as in :meth:`move`.
        """
        group, uid = request.targetId, request.msgId
        since = await self._since(caller, _GROUP, group)
        _time(uid)
        reply = await self._data.read(
            partial(_readers, caller=caller, group=group, since=since, uid=uid)
        )
        if reply is None:
            raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID)
        return reply

    async def counts(
        self, caller: Caller, target: str, request: payloads.ReceiptCntQryReq
    ) -> payloads.ReceiptCntQryResp:
        """How many have read messages of the group ``target``, and how many could have.

        Messages that are not there are left out, as long as one is. Codes as in :meth:`move`, and
        26010: no message is named, or more than :data:`MOST_UIDS`.
        """
        since = await self._since(caller, request.type, target)
        if not 0 < len(request.msgId) <= MOST_UIDS:
            raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_INVALID)
        uids = list(dict.fromkeys(request.msgId))
        for uid in uids:
            _time(uid)
        reply = await self._data.read(
            partial(_counts, caller=caller, group=target, since=since, uids=uids)
        )
        if not reply.result:
            raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID)
        return reply

    async def _since(self, caller: Caller, type: int, group: str) -> int:
        if not self.is_on:
            raise ServiceError(ErrorCode.RC_READ_RECEIPT_V4_INVALID)
        if type != _GROUP or not is_place_id(_GROUP, group):
            raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_INVALID)
        return await readable_since(self._rosters, caller.app, caller.user_id, _GROUP, group)


def _time(uid: str) -> int:
    time = time_of(uid)
    if time is None:
        raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID)
    return time


def _place(connection: Connection, caller: Caller, group: str) -> int:
    """The number of the group; 0, of none, while its first members are on their way."""
    return names.conversation_id(connection, caller.app, _GROUP, "", group) or 0


def _find(connection: Connection, place: int, since: int, uid: str) -> Message | None:
    """The message, if it is one of the group's and later than ``since``."""
    time = _time(uid)
    return table.find(connection, place=place, uid=uid, time=time) if time > since else None


def _move(
    connection: Connection, *, caller: Caller, group: str, since: int, uid: str, time: int
) -> None:
    place = _place(connection, caller, group)
    message = _find(connection, place, since, uid)
    if message is None:
        raise ServiceError(ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID)
    reader = names.ensure_user(connection, caller.app, caller.user_id)
    table.move(connection, place=place, reader=reader, until=message.time, time=time)


def _readers(
    connection: Connection, *, caller: Caller, group: str, since: int, uid: str
) -> payloads.QueryReceiptResp | None:
    """None: there is no such message."""
    place = _place(connection, caller, group)
    message = _find(connection, place, since, uid)
    if message is None:
        return None
    members = table.members(connection, message)
    passed = table.passings(connection, place=place, time=message.time)
    read = sorted((passed[number], members[number]) for number in passed if number in members)
    return payloads.QueryReceiptResp(
        num=len(members),
        readCnt=len(read),
        list=[payloads.ReceiptUser(userId=name, receiptTime=time) for time, name in read],
    )


def _counts(
    connection: Connection, *, caller: Caller, group: str, since: int, uids: Sequence[str]
) -> payloads.ReceiptCntQryResp:
    reply = payloads.ReceiptCntQryResp()
    place = _place(connection, caller, group)
    everybody = table.positions(connection, place=place)
    for uid in uids:
        message = _find(connection, place, since, uid)
        if message is None:
            continue
        sender, time = message.sender, message.time
        reached = [until for who, since, until in everybody if since < time and who != sender]
        reply.result.add(msgId=uid, cnt=sum(until >= time for until in reached), tmn=len(reached))
    return reply
