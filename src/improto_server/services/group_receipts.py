"""Read receipts of groups, as the newer SDKs ask for them when navigation says so (messages 8.3).

Readers report with ``rrMsg``, and whoever wants to know asks with ``rrList``; senders are told
nothing by themselves. The older scheme needs no service: its requests and responses are messages
(messages 8.2).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.rosters import is_place_id
from improto_server.store import Place
from improto_server.store import group_receipts as table
from improto_server.uids import time_of

if TYPE_CHECKING:
    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.services.rosters import Roster, Rosters

MOST_UIDS: Final = 1000
"""Messages that one report names. Ours; five pages of an inbox (session 8.3)."""


class GroupReceipts:
    """The service. ``is_on`` False: navigation says that the older scheme is in use (35003)."""

    def __init__(self, *, data: Data, clock: MessageClock, rosters: Rosters, is_on: bool) -> None:
        self._data = data
        self._clock = clock
        self._rosters = rosters
        self.is_on = is_on

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.RR_MSG: self.report, Topic.RR_LIST: self.readers}

    async def report(
        self, caller: Caller, target: str, request: payloads.GrpReadReceiptMsg
    ) -> None:
        """The caller has read messages of the group ``target``.

        Uids that are of no message there, or of one of his own, are skipped. READ_RECEIPT_ERROR
        (35003): the other scheme is in use. NOT_IN_GROUP (22406): the caller is no member.
        BIZ_ERROR_INVALID_PARAMETER (33003): more than :data:`MOST_UIDS`.
        """
        roster = await self._roster(caller, target)
        if len(request.msgId) > MOST_UIDS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        uids = [(uid, time) for uid in request.msgId if (time := time_of(uid)) is not None]
        await self._data.write(
            partial(
                table.record,
                place=roster.place,
                reader=caller.user_id,
                uids=uids,
                time=self._clock.now(),
            )
        )

    async def readers(
        self, caller: Caller, target: str, request: payloads.GrpReadReceiptMsg
    ) -> payloads.GrpReadReceiptQryResp:
        """Who has read a message of the group ``target``, and how many could have.

        READ_RECEIPT_ERROR (35003): the other scheme is in use. NOT_IN_GROUP (22406): the caller is
        no member. BIZ_ERROR_INVALID_PARAMETER (33003): not exactly one uid, or that of no message
        in the group's history.
        """
        roster = await self._roster(caller, target)
        uid = request.msgId[0] if len(request.msgId) == 1 else ""
        time = time_of(uid)
        found = None
        if time is not None:
            query = partial(table.receipts, place=roster.place, uid=uid, time=time)
            found = await self._data.read(query)
        if found is None:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return payloads.GrpReadReceiptQryResp(
            totalMemberNum=len(roster.members.keys() - {found.sender}),
            list=[
                payloads.GrpMsgReadUser(userId=reader, readTime=read_at)
                for reader, read_at in found.readers
            ],
        )

    async def _roster(self, caller: Caller, target: str) -> Roster:
        if not self.is_on:
            raise ServiceError(ErrorCode.READ_RECEIPT_ERROR)
        if not is_place_id(ConversationType.GROUP, target):
            raise ServiceError(ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID)
        roster = await self._rosters.load(Place(caller.app, ConversationType.GROUP, target))
        refusal = roster.outsider(caller.user_id)
        if refusal is not None:
            raise ServiceError(refusal)
        return roster
