"""The list of a user's conversations, and how much of them he has not read (operations 7).

A conversation is on the list from its first stored message on. It goes off when its owner
takes it off, and comes back with the next message (messages 11).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ConversationType, ErrorCode, HistoryOrder
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type, stored_type
from improto_server.services.items import as_read, readable
from improto_server.services.tags import tagged
from improto_server.store import views
from improto_server.store.queries import PAGE_BYTES
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.store.views import ListEntry, ListPage

MOST_CONVERSATIONS: Final = 1000
"""On one page; 0 asks for all, up to this number (operations 7)."""

MOST_NAMED: Final = 100
"""Conversations named in one request (sdk5 6), and types and tags to choose them by."""

_ORDERS: Final = frozenset(HistoryOrder)
_ROBOTS_ONLY: Final = 2
"""``botType`` of RelationQryInput: conversations with robots, and no others."""

_ERASED: Final = b"{}"
_TOKEN: Final = re.compile(r"([01])-(\d{1,15})")


class _Start(NamedTuple):
    """Where a page begins of a list that may have parts: what ``pageToken`` says."""

    part: int
    """1: those that are on top among the ones with a tag are done."""
    edge: int
    """The time of the last entry before, in this part; 0: it begins here."""


class Conversations:
    """The service."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock
        self.on_read: list[Callable[[UserKey, int], None]] = []
        """Called when somebody has said up to which time he has read a conversation."""

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.QRY_RELATION: self.all,
            Topic.QRY_RELATION_R: self.page,
            Topic.QRY_RELATION_FILTER: self.filtered,
            Topic.QRY_RL_BATCH: self.named,
            Topic.DEL_RELATION: self.remove,
            Topic.DEL_RELATION_BATCH: self.remove_named,
            Topic.DEL_SESSIONS: self.remove_several,
            Topic.QRY_SESSIONS_ATT: self.summary,
        }

    def publishes(self) -> Operations:
        """The topics it answers with a PUBACK."""
        return {Topic.UPD_RR_TIME: self.read}

    async def all(
        self, caller: Caller, target: str, request: payloads.RelationsInput
    ) -> payloads.RelationsOutput:
        """The ``count`` conversations with the newest messages. 33003 if it is negative."""
        _check(request.count, request.startTime)
        query = partial(
            views.conversations,
            app=caller.app,
            user=caller.user_id,
            count=_most(request.count),
            before=request.startTime or FOREVER,
        )
        return await self._data.read(partial(_list, caller=caller, query=query))

    async def page(
        self, caller: Caller, target: str, request: payloads.RelationQryInput
    ) -> payloads.RelationsOutput:
        """The same, of those between ``startTime`` and ``endTime``, exclusive; 0 is open.

        ``order`` 0 goes back from ``startTime``, 1 goes forward. ``channelType`` chooses types,
        ``botType`` 2 robots, of which there are none; ``isEraseMsgContent`` leaves out what the
        messages say. 33003 if a number is negative, ``order`` is neither, or there are more than
        100 types.
        """
        _check(request.count, request.startTime, request.endTime, order=request.order)
        _check_lengths(request.channelType)
        if request.botType == _ROBOTS_ONLY:
            return payloads.RelationsOutput(isFinished=True)
        is_forward = request.order == HistoryOrder.OLDEST_FIRST
        after, before = request.endTime, request.startTime
        if is_forward:
            after, before = before, after
        query = partial(
            views.conversations,
            app=caller.app,
            user=caller.user_id,
            count=_most(request.count),
            after=after,
            before=before or FOREVER,
            is_forward=is_forward,
            types=request.channelType or None,
        )
        return await self._data.read(
            partial(_list, caller=caller, query=query, is_erased=request.isEraseMsgContent)
        )

    async def filtered(
        self, caller: Caller, target: str, request: payloads.RelationQryFilter
    ) -> payloads.RelationsOutput:
        """Conversations of some types, or with one of some tags, page by page (sdk5 8.1).

        ``isTagTop``: those that are on top with one of the tags come first. Where a page ends
        says its ``pageToken``; it is good for the same request only. 33003 for one that is not
        ours, a negative ``count``, another ``order``, or more than 100 types or tags.
        """
        _check(request.count, order=request.order)
        _check_lengths(request.type, request.tags)
        start = _start(request.pageToken)
        return await self._data.read(
            partial(_filtered, caller=caller, request=request, start=start)
        )

    async def named(
        self, caller: Caller, target: str, request: payloads.RelationDelBatchReq
    ) -> payloads.RelationsOutput:
        """Conversations by name, also those that are not on the list (sdk5 8.1).

        Left out is where the caller can read nothing, and what does not fit into 1 MiB of
        messages. 33003 for more than 100, or one that cannot be.
        """
        types = [each.conversationType for each in request.relation]
        named = [*zip(types, _places(request), strict=True)]
        return await self._data.read(partial(_named, caller=caller, named=named))

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

    async def remove_named(
        self, caller: Caller, target: str, request: payloads.RelationDelBatchReq
    ) -> None:
        """The same for one or several, as SDK 5 asks for it; ``cleanMsg``: clear them as well.

        33003 for more than 100, or one that cannot be.
        """
        await self._remove(caller, _places(request), is_cleared=request.cleanMsg)

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
    ) -> None:
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
        for call in self.on_read:
            call(caller.key, until)

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

    async def _remove(
        self,
        caller: Caller,
        places: Sequence[tuple[ConversationType, str]],
        *,
        is_cleared: bool = False,
    ) -> None:
        # Later than everything that is on its way to him, and earlier than what comes next.
        until = self._clock.stamp(caller.key)
        await self._data.write(
            partial(
                _remove,
                app=caller.app,
                user=caller.user_id,
                places=places,
                until=until,
                is_cleared=is_cleared,
            )
        )


def _check(*numbers: int, order: int = 0) -> None:
    if min(numbers) < 0 or order not in _ORDERS:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)


def _check_lengths(*lists: Collection[object]) -> None:
    if any(len(each) > MOST_NAMED for each in lists):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)


def _places(request: payloads.RelationDelBatchReq) -> list[tuple[ConversationType, str]]:
    _check_lengths(request.relation)
    return [
        (conversation_type(each.conversationType, each.conversationId), each.conversationId)
        for each in request.relation
    ]


def _start(token: str) -> _Start:
    if not token:
        return _Start(0, 0)
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return _Start(int(match[1]), int(match[2]))


def _most(count: int) -> int:
    return min(count or MOST_CONVERSATIONS, MOST_CONVERSATIONS)


def _list(
    connection: Connection,
    *,
    caller: Caller,
    query: Callable[[Connection], ListPage],
    is_erased: bool = False,
) -> payloads.RelationsOutput:
    page = query(connection)
    reply = payloads.RelationsOutput(isFinished=page.is_finished)
    for entry in page.entries:
        info = _add(reply, entry, caller)
        if is_erased:
            info.msg.content = _ERASED
    return reply


def _filtered(
    connection: Connection,
    *,
    caller: Caller,
    request: payloads.RelationQryFilter,
    start: _Start,
) -> payloads.RelationsOutput:
    app, user, *_ = caller
    count = _most(request.count)
    is_forward = request.order == HistoryOrder.OLDEST_FIRST
    reply = payloads.RelationsOutput(isFinished=True)
    size = 0
    parts = [*enumerate(_parts(connection, caller, request))]
    for part, places in parts[start.part :]:
        edge = start.edge if part == start.part else 0
        page = views.conversations(
            connection,
            app=app,
            user=user,
            count=count - len(reply.info),
            after=edge if is_forward else 0,
            before=FOREVER if is_forward else edge or FOREVER,
            is_forward=is_forward,
            types=request.type or None,
            places=places,
            max_bytes=PAGE_BYTES - size,
        )
        for entry in page.entries:
            size += len(entry.message.item)
            edge = entry.message.time
            _add(reply, entry, caller)
        if not page.is_finished:
            reply.isFinished = False
            reply.pageToken = f"{part}-{edge}"
            break
    return reply


def _parts(
    connection: Connection, caller: Caller, request: payloads.RelationQryFilter
) -> list[Collection[int] | None]:
    """The conversations with the tags, by number: all, or those on top and then the others."""
    if not request.tags:
        return [None]
    found = tagged(connection, app=caller.app, user=caller.user_id, tags=request.tags)
    if not request.isTagTop:
        return [found.keys()]
    return [[place for place in found if found[place] is top] for top in (True, False)]


def _named(
    connection: Connection,
    *,
    caller: Caller,
    named: Iterable[tuple[int, tuple[ConversationType, str]]],
) -> payloads.RelationsOutput:
    app, user, *_ = caller
    reply = payloads.RelationsOutput(isFinished=True)
    size = 0
    for asked, (type, target) in named:
        known = stored_type(connection, app, user, type, target)
        entry = views.last(connection, app=app, user=user, type=known, target=target)
        if entry is not None:
            size += len(entry.message.item)
            if size > PAGE_BYTES:
                reply.isFinished = False
                break
            # SDK 5 fails on an entry that it has not asked for by this type.
            _add(reply, entry, caller).type = asked
    return reply


def _add(
    reply: payloads.RelationsOutput, entry: ListEntry, caller: Caller
) -> payloads.RelationInfo:
    # SDKs of both old generations fail on an entry without a message.
    item = readable(as_read(entry.message, caller.user_id), caller.profile)
    return reply.info.add(
        type=entry.type,
        userId=entry.target,
        msg=payloads.decode(payloads.DownStreamMessage, item),
        unreadCount=entry.unread,
        versionTime=entry.message.time,
    )


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
    is_cleared: bool,
) -> None:
    for type, target in places:
        known = stored_type(connection, app, user, type, target)
        views.remove(connection, app=app, user=user, type=known, target=target, until=until)
        if is_cleared:
            views.clear(connection, app=app, user=user, type=known, target=target, until=until)


def _read(
    connection: Connection, *, app: str, user: str, type: ConversationType, target: str, until: int
) -> None:
    known = stored_type(connection, app, user, type, target)
    views.read(connection, app=app, user=user, type=known, target=target, until=until)
