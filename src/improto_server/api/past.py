"""What was said: read, changed and put away in the name of a user (rest 9.3).

It is done as if the user did it himself: he must be in the group, and may not be muted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, HistoryOrder
from improto.contents import DownFlag
from improto.messages import MessageDirection
from improto_server.api.common import USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.message_parts import CONTENT, FROM
from improto_server.api.parameters import Flag, Number, Text
from improto_server.services.callers import caller_of
from improto_server.services.history import DEFAULT_MESSAGES, MOST_MESSAGES

if TYPE_CHECKING:
    from improto_server.services.deletions import Deletions
    from improto_server.services.edits import Edits
    from improto_server.services.history import History

_SENT: Final = int(MessageDirection.SENT)
_LATEST: Final = 10**15

_TARGET: Final = Text("targetId", most_bytes=64, is_required=True)
_UID: Final = Text("msgUID", most_bytes=64, is_required=True)
_TYPE: Final = Number("conversationType", least=1, most=8, default=1, is_required=True)
_UNTIL: Final = Number("msgTimestamp", least=0, most=_LATEST, default=0)
_START: Final = Number("startTime", least=0, most=_LATEST, default=0, is_required=True)
_END: Final = Number("endTime", least=0, most=_LATEST, default=0, is_required=True)
_WITH_START: Final = Flag("includeStart")
_COUNT: Final = Number("pageSize", least=1, most=MOST_MESSAGES, default=DEFAULT_MESSAGES)


class PastCalls:
    """Calls about that."""

    def __init__(self, *, edits: Edits, history: History, deletions: Deletions) -> None:
        self._edits = edits
        self._history = history
        self._deletions = deletions

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/message/private/modify",
                mark=Mark.OPTIONAL,
                about="Give a message that a user has sent to another one a new content, as if he"
                " did it himself.",
                parameters=(FROM, _TARGET, _UID, CONTENT),
                call=self.edit_private,
            ),
            Endpoint(
                path="/message/group/modify",
                mark=Mark.OPTIONAL,
                about="The same in a group.",
                parameters=(FROM, _TARGET, _UID, CONTENT),
                call=self.edit_group,
            ),
            Endpoint(
                path="/v3/message/private/query",
                mark=Mark.OPTIONAL,
                about="What two users have said to each other after one time and not after"
                " another, in milliseconds, the oldest first.",
                parameters=(USER, _TARGET, _START, _END, _WITH_START, _COUNT),
                call=self.read_private,
                reply="data: [{targetId, fromUserId, messageUID, msgTime, objectName, content,"
                " expansion, extraContent}]",
                is_json=True,
            ),
            Endpoint(
                path="/v3/message/group/query",
                mark=Mark.OPTIONAL,
                about="The same of what a user may read in a group; 1002 if he is not in it.",
                parameters=(USER, _TARGET, _START, _END, _WITH_START, _COUNT),
                call=self.read_group,
                reply="as before",
                is_json=True,
            ),
            Endpoint(
                path="/conversation/message/history/clean",
                mark=Mark.OPTIONAL,
                about="Clear the history of a user's conversation up to a time, in milliseconds, or"
                " all of it. Others keep theirs.",
                parameters=(_TYPE, FROM, _TARGET, _UNTIL),
                call=self.clear,
            ),
        ]

    async def edit_private(self, call: Call) -> Reply:
        """INVALID: there is no such message of his, or it cannot be edited."""
        return await self._edit(call, ConversationType.PRIVATE)

    async def edit_group(self, call: Call) -> Reply:
        """INVALID: there is no such message of his, or it cannot be edited."""
        return await self._edit(call, ConversationType.GROUP)

    async def read_private(self, call: Call) -> Reply:
        """None, if they have said nothing."""
        request = _page(call)
        found = await self._history.private(caller_of(call.app, call[USER]), "", request)
        return _shown(call, found)

    async def read_group(self, call: Call) -> Reply:
        """INVALID: he is not in."""
        request = _page(call)
        found = await self._history.group(caller_of(call.app, call[USER]), "", request)
        return _shown(call, found)

    async def clear(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation, or the time is yet to come."""
        request = payloads.CleanHisMsgInput(
            targetId=call[_TARGET], dataTime=call[_UNTIL], conversationType=call[_TYPE]
        )
        await self._deletions.clear_named(caller_of(call.app, call[FROM]), "", request)
        return None

    async def _edit(self, call: Call, type: ConversationType) -> Reply:
        request = payloads.MsgChangeReq(
            fromUserId=call[FROM],
            targetId=call[_TARGET],
            type=type,
            msgUID=call[_UID],
            msgTime=0,
            content=call[CONTENT],
        )
        await self._edits.edit(caller_of(call.app, call[FROM]), "", request)
        return None


def _page(call: Call) -> payloads.HistoryMsgInput:
    # Times of history are exclusive (operations 5).
    after = max(0, call[_START] - call[_WITH_START])
    return payloads.HistoryMsgInput(
        targetId=call[_TARGET], time=after, count=call[_COUNT], order=HistoryOrder.OLDEST_FIRST
    )


def _shown(call: Call, page: payloads.HistoryMsgOuput) -> Reply:
    messages = sorted(page.list, key=lambda message: message.dataTime)
    return {
        "data": [
            {
                "targetId": call[_TARGET],
                "fromUserId": call[USER] if each.direction == _SENT else each.fromUserId,
                "messageUID": each.msgId,
                "msgTime": each.dataTime,
                "objectName": each.classname,
                "content": each.content.decode(errors="replace"),
                "expansion": bool(each.status & DownFlag.EXPANDABLE),
                "extraContent": each.extraContent,
            }
            for each in messages
            if each.dataTime <= call[_END]
        ]
    }
