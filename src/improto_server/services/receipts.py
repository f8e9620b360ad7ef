"""Read receipts for single messages that ask for them, which only SDK 5 has (sdk5 8.2).

A sender marks a message (bit 2 of its ``optionBits``), in a private conversation or a group.
Readers say that they have read it, the sender is told of each by an event, and he alone may ask
who it was. Counted are those who could read the message from the beginning, and still can.

What names a message that is not there, or wants no receipt, is left out; if nothing is left, the
answer says what was wrong with the first.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import contents, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import OptionFlag
from improto.messages import MessageDirection
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.access import conversation_type, readable_since
from improto_server.store import events, names
from improto_server.store import receipts as table
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.services.events import Events
    from improto_server.services.rosters import Rosters
    from improto_server.store.receipts import Message

MOST_UIDS: Final = 100
"""Messages of one request, in all conversations together, and users of one. The SDK's own limit."""

PAGE: Final = 100
"""Users on one page at most, and if the client does not say how many. The SDK's own limit."""

CHANGE_TYPE: Final = 36
"""``changeType`` of an event about receipts (sdk5 7)."""

# Plain numbers: members of enumerations are slow.
_WANTS_RECEIPT: Final = int(OptionFlag.WANTS_RECEIPT)
_RECEIPT_SENT: Final = int(OptionFlag.RECEIPT_SENT)

_TYPES: Final = frozenset({ConversationType.PRIVATE, ConversationType.GROUP})
_PAGED, _NAMED = 1, 2
_READ, _UNREAD = 1, 2
_DESCENDING: Final = 1
_TOKEN: Final = re.compile("([0-9]{1,18})/(.+)")
_RECEIVED: Final = int(MessageDirection.RECEIVED)


class _Where(NamedTuple):
    """A conversation, as the one who asks sees it."""

    app: str
    user: str
    type: ConversationType
    target: str
    since: int
    """He may read what is later."""


class _Tally(NamedTuple):
    """How many have read a message, and how many could."""

    uid: str
    message: Message
    total: int
    read: int


class _Readers(NamedTuple):
    """Who has read a message, and who has not."""

    read: dict[str, int]
    """User ids, and when."""
    unread: list[str]
    """User ids."""


class Receipts:
    """The service. ``is_on`` False: navigation says that another way is in use (26314)."""

    def __init__(
        self, *, data: Data, clock: MessageClock, rosters: Rosters, events: Events, is_on: bool
    ) -> None:
        self._data = data
        self._clock = clock
        self._rosters = rosters
        self._events = events
        self.is_on = is_on

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.READ_RECEIPT: self.report,
            Topic.QRY_RECEIPT_BATCH: self.counts,
            Topic.QRY_RECEIPT: self.users,
        }

    async def report(self, caller: Caller, target: str, request: payloads.ReadReceipt) -> None:
        """The caller has read messages of a conversation; their senders are told.

        26314: switched off. 26315: ``readType`` is not 0. 26316: more than :data:`MOST_UIDS`.
        26317: neither private nor a group. 22406: no member. 33003: no message is named. 26321:
        none of them is somebody else's and wants a receipt. 26322: none is there.
        """
        self._require_on()
        if request.readType:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_READ_RECEIPT_NOT_SUPPORT)
        _check_number(len(request.msgIds))
        where = await self._where(caller, request.type, request.targetId)
        senders, refusals = await self._data.read(
            partial(_senders, where=where, uids=request.msgIds)
        )
        if not senders:
            raise ServiceError(refusals[0])
        times = {uid: self._events.stamp(where.app, [name]) for uid, name in senders.items()}
        # A receipt counts once, so nobody would be told of one whose event was lost.
        news = await self._data.write(
            partial(_record, where=where, times=times, now=self._clock.now())
        )
        for sender, time in news.items():
            self._events.prompt(where.app, sender, time=time)

    async def counts(
        self, caller: Caller, target: str, request: payloads.QueryReceiptBatchReq
    ) -> payloads.QueryReceiptBatchResp:
        """How many have read messages of the caller, and how many could have.

        26314, 26316, 26317, 22406 and 33003 as in :meth:`report`. 26320: none of them is his.
        26321: none of his wants a receipt. 26322: none is there.
        """
        self._require_on()
        _check_number(sum(len(item.msgIds) for item in request.items))
        if len(request.items) > MOST_UIDS:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_PARAM_LENGTH_EXCEED)
        asked = [
            (await self._where(caller, item.type, item.targetId), list(item.msgIds))
            for item in request.items
        ]
        found, refusals = await self._data.read(partial(_tallies, asked=asked))
        if not any(found):
            raise ServiceError(refusals[0])
        reply = payloads.QueryReceiptBatchResp(compress=False)
        for item, tallies in zip(request.items, found, strict=True):
            reply.item.add(
                targetId=item.targetId,
                busChannel=item.busChannel,
                type=item.type,
                msg=[_summary(tally) for tally in tallies],
            )
        return reply

    async def users(
        self, caller: Caller, target: str, request: payloads.QueryReceiptReq
    ) -> payloads.ReceiptResp:
        """Who has read one message of the caller, or has not: a page of them, or those named.

        26314, 26317 and 22406 as in :meth:`report`, 26320 to 26322 as in :meth:`counts`. 26318:
        no such question. 26316: too many users are named, or wanted on a page. 25432: the token
        is none. 33003: not exactly one message, or a negative size.
        """
        self._require_on()
        if len(request.msgIds) != 1 or request.pageSize < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if max(len(request.users), request.pageSize) > PAGE:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_PARAM_LENGTH_EXCEED)
        is_paged = request.qryType == _PAGED and request.readType in (_READ, _UNREAD)
        if not is_paged and request.qryType != _NAMED:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_QUERY_NOT_SUPPORT)
        after = _parse(request.pageToken) if is_paged and request.pageToken else None
        where = await self._where(caller, request.type, request.targetId)
        (uid,) = request.msgIds
        found = await self._data.read(partial(_readers, where=where, uid=uid))
        if isinstance(found, ErrorCode):
            raise ServiceError(found)
        tally, readers = found
        user = _users_of(tally.message, readers.read)
        reply = payloads.ReceiptResp(resp=[_summary(tally)], compress=False)
        (answer,) = reply.resp
        if not is_paged:
            named = set(request.users)
            answer.readUser.extend(user(each) for each in readers.read if each in named)
            answer.unreadUser.extend(user(each) for each in readers.unread if each in named)
            return reply
        is_read = request.readType == _READ
        keys = readers.read.items() if is_read else dict.fromkeys(readers.unread, 0).items()
        page, token = _page(
            ((time, name) for name, time in keys),
            after=after,
            size=request.pageSize or PAGE,
            is_descending=request.order == _DESCENDING,
        )
        (answer.readUser if is_read else answer.unreadUser).extend(user(name) for name in page)
        reply.pageToken = token
        return reply

    def _require_on(self) -> None:
        if not self.is_on:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_UNAVAILABLE)

    async def _where(self, caller: Caller, type: int, target: str) -> _Where:
        known = conversation_type(type, target)
        if known not in _TYPES:
            raise ServiceError(ErrorCode.SERVICE_RRSV5_CONVERSATION_NOT_SUPPORT)
        app, user, *_ = caller
        since = await readable_since(self._rosters, app, user, known, target)
        return _Where(app, user, known, target, since)


def _check_number(uids: int) -> None:
    if not uids:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    if uids > MOST_UIDS:
        raise ServiceError(ErrorCode.SERVICE_RRSV5_PARAM_LENGTH_EXCEED)


def show_sent(
    connection: Connection,
    *,
    app: str,
    user: str,
    type: int,
    target: str,
    messages: Iterable[payloads.DownStreamMessage],
) -> None:
    """Mark those of a conversation's messages for which the user has sent a receipt (sdk5 5)."""
    wanting = [
        message
        for message in messages
        if message.optionBits & _WANTS_RECEIPT and message.direction == _RECEIVED
    ]
    if not wanting:
        return
    reader = names.user_id(connection, app, user) or 0
    place = names.conversation_id(connection, app, type, user, target) or 0
    for message in wanting:
        known = table.find(connection, place=place, uid=message.msgId, time=message.dataTime)
        if known is not None and table.has_read(connection, message=known.id, reader=reader):
            message.optionBits |= _RECEIPT_SENT


# -- on the store's threads ----------------------------------------------------------------


def _senders(
    connection: Connection, *, where: _Where, uids: Sequence[str]
) -> tuple[dict[str, str], list[ErrorCode]]:
    """Whose the messages are, by uid, and what is wrong with the others."""
    found, refusals = _find(connection, where, uids, is_own=False)
    return {uid: message.sender_name for uid, message in found.items()}, refusals


def _record(
    connection: Connection, *, where: _Where, times: Mapping[str, int], now: int
) -> dict[str, int]:
    """Write down that messages were read, and the events of it; who has new ones up to when.

    ``times``: those of the events, by uid.
    """
    found, refusals = _find(connection, where, times, is_own=False)
    if not found:
        raise ServiceError(refusals[0])
    reader = names.ensure_user(connection, where.app, where.user)
    told = {}
    for uid, message in found.items():
        if table.add(connection, message=message.id, reader=reader, time=now):
            change = _event(where, _tally(connection, where, uid, message), now)
            change.time = told[message.sender_name] = times[uid]
            events.add(
                connection,
                app=where.app,
                readers=[message.sender_name],
                time=change.time,
                item=payloads.encode(change),
            )
    return told


def _tallies(
    connection: Connection, *, asked: Iterable[tuple[_Where, Sequence[str]]]
) -> tuple[list[list[_Tally]], list[ErrorCode]]:
    """How many have read the messages of each conversation, and what is wrong with the others."""
    result = []
    refusals: list[ErrorCode] = []
    for where, uids in asked:
        found, wrong = _find(connection, where, uids, is_own=True)
        refusals += wrong
        result.append([_tally(connection, where, *each) for each in found.items()])
    return result, refusals


def _readers(
    connection: Connection, *, where: _Where, uid: str
) -> tuple[_Tally, _Readers] | ErrorCode:
    """Who has read a message of the one who asks, or what is wrong with it."""
    found, refusals = _find(connection, where, [uid], is_own=True)
    if not found:
        return refusals[0]
    message = found[uid]
    audience = _audience(connection, where, message)
    times = table.readers(connection, message=message.id)
    read = {audience[number]: time for number, time in times.items() if number in audience}
    unread = [name for number, name in audience.items() if number not in times]
    return _tally(connection, where, uid, message), _Readers(read, unread)


def _find(
    connection: Connection, where: _Where, uids: Iterable[str], *, is_own: bool
) -> tuple[dict[str, Message], list[ErrorCode]]:
    """The messages that can be talked about, each once, and what is wrong with the others."""
    app, user, type, target, since = where
    place = names.conversation_id(connection, app, type, user, target)
    found = {}
    refusals = []
    for uid in dict.fromkeys(uids):
        time = time_of(uid)
        message = None
        if place is not None and time is not None and time > since:
            message = table.find(connection, place=place, uid=uid, time=time)
        if message is None:
            refusals.append(ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST)
        elif is_own and message.sender_name != user:
            refusals.append(ErrorCode.SERVICE_RRSV5_MESSAGE_SENDER_MISMATCH)
        elif is_own is (message.sender_name == user) and _wants_receipt(message):
            found[uid] = message
        else:
            refusals.append(ErrorCode.SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS)
    return found, refusals


def _wants_receipt(message: Message) -> bool:
    item = payloads.decode(payloads.DownStreamMessage, message.item)
    return bool(item.optionBits & _WANTS_RECEIPT)


def _audience(connection: Connection, where: _Where, message: Message) -> Mapping[int, str]:
    """For whom a message counts: numbers and ids."""
    if where.type is ConversationType.GROUP:
        return table.members(connection, message)
    number = names.user_id(connection, where.app, where.target)
    return {} if number in (None, message.sender) else {number: where.target}


def _tally(connection: Connection, where: _Where, uid: str, message: Message) -> _Tally:
    if where.type is ConversationType.GROUP:
        return _Tally(uid, message, *table.count_members(connection, message))
    total = int(where.user != where.target)
    return _Tally(uid, message, total, table.count_readers(connection, message))


# -- what is answered ------------------------------------------------------------------------


def _event(where: _Where, tally: _Tally, time: int) -> payloads.EventChange:
    is_private = where.type is ConversationType.PRIVATE
    news = payloads.MsgReadEvent(
        msgId=tally.uid,
        msgTime=tally.message.time,
        totalCnt=tally.total,
        readCnt=tally.read,
        unreadCnt=tally.total - tally.read,
        readList=[_users_of(tally.message, {where.user: time})(where.user)],
    )
    return payloads.EventChange(
        businessId=where.user if is_private else where.target,
        channelType=where.type,
        changeType=CHANGE_TYPE,
        subChangeType=0,
        operatorId=where.user,
        eventData=payloads.encode(news),
    )


def _summary(tally: _Tally) -> payloads.QueryReceiptRespItem:
    return payloads.QueryReceiptRespItem(
        msgId=tally.uid,
        msgTime=tally.message.time,
        totalCnt=tally.total,
        readCnt=tally.read,
        unreadCnt=tally.total - tally.read,
    )


def _users_of(message: Message, read: Mapping[str, int]) -> Callable[[str], payloads.ReceiptUser]:
    """What is told of each user."""
    item = payloads.decode(payloads.DownStreamMessage, message.item)
    info = contents.mentions(item.content)

    def user(name: str) -> payloads.ReceiptUser:
        return payloads.ReceiptUser(
            userId=name,
            receiptTime=read.get(name, 0),
            mentioned=info is not None and info.concerns(name),
        )

    return user


def _page(
    keys: Iterable[tuple[int, str]],
    *,
    after: tuple[int, str] | None,
    size: int,
    is_descending: bool,
) -> tuple[list[str], str]:
    """The names on the page, and the token of the next one; empty: there is none."""
    ordered = sorted(keys, reverse=is_descending)
    if after is not None:
        ordered = [key for key in ordered if (key < after if is_descending else key > after)]
    page = ordered[:size]
    token = "{}/{}".format(*page[-1]) if len(ordered) > size else ""
    return [name for _, name in page], token


def _parse(token: str) -> tuple[int, str]:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ServiceError(ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED)
    return int(match[1]), match[2]
