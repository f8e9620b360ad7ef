"""Up to where SDK 5 has read, and counts for clients that do not count themselves (sdk5 2.2, 8.1).

A read position that comes by a topic of its own becomes the message by which all SDKs tell it,
so it means the same, waits for devices that are away, and older ones understand it.

Devices ask for counts that have changed after a time, and are told by ``s_cmd`` when to. A
command says a time just before the change, so that the question which it causes finds the
change (sdk5 7). Many changes are one command: a device that was told is not told again until
it has asked. Nothing is read from the store to find out whom to tell.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import contents, operations, payloads
from improto.codes import CommandType, ErrorCode
from improto.contents import MentionType, RecallCommand, SyncReadStatus, UpFlag
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.access import conversation_type, readable_since, stored_type
from improto_server.store import unread as table
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub, User
    from improto_server.services import Caller, Operations
    from improto_server.services.conversations import Conversations
    from improto_server.services.data import Data
    from improto_server.services.deletions import Deletions
    from improto_server.services.letters import Letter, Route
    from improto_server.services.messages import Messages
    from improto_server.services.rosters import Rosters
    from improto_server.store import NewMessage

PAGE: Final = 100
"""Conversations on one page, if the client does not say how many; SDK 5 never does. Ours."""

MOST: Final = 1000
"""Conversations on one page at most. Ours, as of the list of conversations (operations 7)."""

_UPD_R_TIME: Final = operations.operation(Topic.UPD_R_TIME)
_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)
_TOKEN: Final = re.compile("[0-9]{1,18}")


class _Recalled(msgspec.Struct):
    """Of RC:RcCmd, what is needed here."""

    messageUId: str


_decode = msgspec.json.Decoder(_Recalled).decode


class Unread:
    """The service. ``is_on`` False: navigation says that clients count themselves.

    ``tell`` must be called after each batch of the store.
    """

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        messages: Messages,
        rosters: Rosters,
        conversations: Conversations,
        deletions: Deletions,
        is_on: bool,
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self._messages = messages
        self._rosters = rosters
        self.is_on = is_on
        # Since when something may be new for whom, and for which device that was told.
        self._changed: dict[User, int] = {}
        self._told: dict[Device, int] = {}
        if is_on:
            messages.on_stored.append(self._stored)
            conversations.on_read.append(self._note)
            deletions.on_change.append(self._note)
            hub.on_leave.append(self._forget)

    def publishes(self) -> Operations:
        """The topics it answers with a PUBACK."""
        return {Topic.UPD_R_TIME: self.read}

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.PULL_SE: self.pull}

    async def read(
        self, caller: Caller, target: str, request: payloads.SessionMsgReadInput
    ) -> None:
        """The caller has read a conversation up to ``msgTime``; a time to come counts as now.

        It becomes RC:SRSMsg. His other devices are shown what he said, and those that do not know
        the topic pull the message. 33003: no such conversation, or a negative time.
        21406, 22406: not a member. 20604: too many per second, together with messages.
        """
        type = conversation_type(request.type, request.channelId)
        if request.msgTime < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if caller.device is not None and not self._messages.admits(caller.device):
            raise ServiceError(ErrorCode.SEND_FREQUENCY_TOO_FAST)
        app, user, *_ = caller
        await readable_since(self._rosters, app, user, type, request.channelId)
        known = await self._data.read(
            partial(stored_type, app=app, user=user, type=type, target=request.channelId)
        )
        until = min(request.msgTime, self._clock.next(caller.key))
        # With a time to come, SDK 5 would not clear the count again before then.
        copy = payloads.SessionMsgReadInput()
        copy.CopyFrom(request)
        copy.msgTime = until
        mark = payloads.UpStreamMessage(
            sessionId=0,
            classname=SyncReadStatus.object_name,
            content=contents.encode(SyncReadStatus(last_message_send_time=until)),
            userId=[user],
        )
        await self._messages.post(
            app,
            user,
            known,
            request.channelId,
            mark,
            device=caller.device,
            copied_as=(_UPD_R_TIME, payloads.encode(copy)),
        )

    async def pull(
        self, caller: Caller, target: str, request: payloads.SessionQryInput
    ) -> payloads.SessionsOutput:
        """Counts that have changed after ``version``, a page; ``pageToken`` leads to the next.

        Those that are 0 by now are told as well. 26006: the server does not count. 33003: a
        negative number, or more than :data:`MOST` on a page. 25432: the token is none.
        """
        self._require_on()
        if request.version < 0 or not 0 <= request.count <= MOST:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if request.pageToken and _TOKEN.fullmatch(request.pageToken) is None:
            raise ServiceError(ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED)
        if caller.device is not None:
            self._told.pop(caller.device, None)
        query = partial(
            _page,
            app=caller.app,
            user=caller.user_id,
            version=request.version,
            after=int(request.pageToken or 0),
            count=request.count or PAGE,
        )
        return await self._data.read(query)

    def tell(self) -> None:
        """Tell the devices of all whose counts the last batch of the store has changed."""
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        for user, since in changed.items():
            before = since - 1
            data = payloads.encode(payloads.NotifyMsg(type=CommandType.UNREAD, time=before))
            for device in user.devices:
                told = self._told.get(device)
                if (
                    (told is None or before < told)
                    and device.is_open
                    and CommandType.UNREAD in device.profile.commands
                ):
                    self._told[device] = before
                    device.peer.command(Topic.S_CMD, data)

    def _require_on(self) -> None:
        if not self.is_on:
            raise ServiceError(ErrorCode.RC_SERVER_DRIVE_UNREAD_COUNT_INVALID)

    # -- what changes counts -----------------------------------------------------------

    def _stored(self, letter: Letter, route: Route, message: NewMessage) -> None:
        """A message counts for those who get it, and its sender has read what he answers to."""
        if message.in_history and message.flags & _COUNTED == _COUNTED:
            self._note_all((letter.sender, *route.inboxes), message.time)
        elif message.read_until is not None:
            self._note(letter.sender, message.read_until)
        elif message.object_name == RecallCommand.object_name:
            # The server has made it, of the name of a message that is there.
            time = time_of(_decode(letter.up.content).messageUId)
            assert time is not None
            self._note_all((letter.sender, *route.inboxes), time)

    def _note_all(self, keys: Iterable[UserKey], time: int) -> None:
        for key in keys:
            self._note(key, time)

    def _note(self, key: UserKey, time: int) -> None:
        """A count of the user has changed because of something with this time."""
        user = self._hub.find(key)
        if user is not None:
            self._changed[user] = min(time, self._changed.get(user, time))

    def _forget(self, device: Device) -> None:
        self._told.pop(device, None)


def _page(
    connection: Connection, *, app: str, user: str, version: int, after: int, count: int
) -> payloads.SessionsOutput:
    # One more than wanted tells whether there is another page.
    found = table.changed(
        connection, app=app, user=user, version=version, after=after, count=count + 1
    )
    # The SDK does not decode an answer without any data (sdk5 4).
    reply = payloads.SessionsOutput(compress=False)
    for each in found[:count]:
        reply.session.add(
            targetId=each.target, type=each.type, version=each.changed, unread=_info(each, user)
        )
    if len(found) > count:
        reply.pageToken = str(found[count - 1].place)
    return reply


def _info(unread: table.Unread, user: str) -> payloads.UnreadInfo:
    to_him = to_all = 0
    for item in unread.mentioning:
        info = contents.mentions(payloads.decode(payloads.DownStreamMessage, item).content)
        if info is not None and info.concerns(user):
            is_for_all = info.type == MentionType.ALL
            to_all += is_for_all
            to_him += not is_for_all
    reply = payloads.UnreadInfo(
        cnt=unread.unread,
        mentionCnt=to_all + to_him,
        mentionMeCnt=to_him,
        clearTime=unread.seen,
        cutOffTime=unread.changed,
    )
    if unread.first is not None:
        uid, time, object_name = unread.first
        reply.firstUnreadMsg.msgId = uid
        reply.firstUnreadMsg.msgTime = time
        reply.firstUnreadMsg.className = object_name
    return reply
