"""What was said in a conversation, page by page (operations 5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.messages import MessageDirection
from improto_server.services import Reading, ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.items import readable, sent_item
from improto_server.store import queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.services import Caller

MOST_MESSAGES: Final = 100
"""Per page; the newer SDKs ask for no more (operations 5)."""

DEFAULT_MESSAGES: Final = 20

_OLDEST_FIRST: Final = 1
"""HistoryMsgInput.order (codes 8)."""


def private_history(caller: Caller, request: payloads.HistoryMsgInput) -> Reading:
    """Messages with one other user.

    ``order`` 0: those before ``time``, the newest ones; 1: those after it, the oldest ones.
    A ``time`` of 0 is the end from which the reading begins. 33003 if ``targetId`` is no user
    id, ``order`` is neither, or a number is negative.
    """
    if (
        not is_user_id(request.targetId)
        or request.order not in (0, _OLDEST_FIRST)
        or request.time < 0
        or request.count < 0
    ):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return Reading(partial(_read, caller=caller, request=request))


def _read(
    connection: Connection, *, caller: Caller, request: payloads.HistoryMsgInput
) -> payloads.HistoryMsgOuput:
    is_forward = request.order == _OLDEST_FIRST
    page = queries.history(
        connection,
        app=caller.app,
        type=ConversationType.PRIVATE,
        reader=caller.user_id,
        target=request.targetId,
        count=min(request.count or DEFAULT_MESSAGES, MOST_MESSAGES),
        before=request.time if request.time and not is_forward else None,
        after=request.time if is_forward else None,
    )
    # Newest first in both directions: the clients turn the list round.
    edge = request.time
    if page.items:
        edge = page.items[0 if is_forward else -1].time
    reply = payloads.HistoryMsgOuput(syncTime=edge, hasMsg=int(page.has_more))
    for entry in page.items:
        is_sent = entry.direction is MessageDirection.SENT
        item = sent_item(entry.item, peer=entry.target) if is_sent else entry.item
        item = readable(item, caller.profile)
        reply.list.append(payloads.decode(payloads.DownStreamMessage, item))
    return reply
