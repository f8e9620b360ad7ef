"""Editing messages (sdk5 8.1).

The new content takes the place of the old one in the store, so whoever reads the message later,
in history, in his inbox or in the list of his conversations, reads the new one. Those who have
read it already are told by ``s_cmd`` to ask what was edited, if their SDK can. Whoever is away
asks when he comes, from the time of his first unread message or of his login on. So ``pullVersion``
is a time from which on he wants everything: the login may have the same time as an edit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import contents, payloads
from improto.codes import CommandType, ConversationType, ErrorCode
from improto.contents import DEFAULT, ExtFlag, Text, Unknown
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type
from improto_server.services.audit import Dropped
from improto_server.services.items import as_read, readable, sent_item
from improto_server.services.letters import Letter
from improto_server.store import Place, recalls
from improto_server.store import edits as table
from improto_server.uids import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.audit import Audit
    from improto_server.services.data import Data
    from improto_server.services.messages import Messages
    from improto_server.services.routing import Routing
    from improto_server.services.words import Words
    from improto_server.store.recalls import Original

_MINUTE: Final = 60 * 1000
_EDITABLE: Final = frozenset({ConversationType.PRIVATE, ConversationType.GROUP})
_CONTENT_EDITED: Final = 1
"""``modifyType`` of pullModifyMsg: the content was edited (sdk5 8.1)."""

_EDITED: Final = int(ExtFlag.EDITED)
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Edits:
    """The service.

    ``within_minutes``: how long a message can be edited; 0: for ever. ``content_bytes``: the
    longest content.
    """

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        messages: Messages,
        routing: Routing,
        words: Words,
        audit: Audit,
        content_bytes: int,
        within_minutes: int,
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self._messages = messages
        self._routing = routing
        self._words = words
        self._audit = audit
        self._most_bytes = content_bytes
        self._window = within_minutes * _MINUTE

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.MODIFY_MSG: self.edit, Topic.PULL_MODIFY_MSG: self.pull}

    async def edit(
        self, caller: Caller, target: str, request: payloads.MsgChangeReq
    ) -> payloads.ModifyMsgResp:
        """Give a message of the caller's own another content.

        The message is found by its uid; ``fromUserId`` and ``msgTime`` say nothing. Whoever may
        not write in the conversation any more (operations 2.2) may not edit there either.

        20116 if the conversation is neither private nor a group, or the message is one of those
        that history does not keep or that the server acts upon; 33401 if there is no such message,
        it was taken back, or somebody else sent it; 20114 if it is too old; 20115 if the content
        is too large; 33003 if it is no JSON object or does not fit the message's type; 21501 for a
        sensitive word; 20605 if the application does not want it (rest 10.4); 20604 for too many
        per second, together with what else the device sends.
        """
        if caller.device is not None and not self._messages.admits(caller.device):
            raise ServiceError(ErrorCode.SEND_FREQUENCY_TOO_FAST)
        if request.type not in _EDITABLE:
            raise ServiceError(ErrorCode.MESSAGE_UNSUPPORTED_MODIFY)
        type = conversation_type(request.type, request.targetId)
        if type not in _EDITABLE:
            raise ServiceError(ErrorCode.MESSAGE_UNSUPPORTED_MODIFY)
        content = request.content.encode()
        if len(content) > self._most_bytes:
            raise ServiceError(ErrorCode.MESSAGE_SIZE_EXCEEDED)
        people = await self._find_people(caller, type, request.targetId)
        request = await self._audited(caller, type, request)
        keys = (*people, caller.key)
        if type is ConversationType.GROUP:
            keys = (Place(caller.app, type, request.targetId).key, *keys)
        time = self._clock.stamp(*dict.fromkeys(keys))
        original, item = await self._data.write(
            partial(self._change, caller=caller, type=type, request=request, time=time)
        )
        for key in dict.fromkeys((*people, caller.key)):
            online = self._hub.find(key)
            if online is not None:
                # What is kept in memory for him has the old content.
                online.inbox.forget(original.time, original.time)
                # A pull that is under way and has it will say to go on from there; one that
                # has only what is before it may say so much as its time.
                self._hub.prompt(key, CommandType.EDITS, time=time + 1)
        own = readable(sent_item(item, peer=request.targetId), caller.profile)
        return payloads.ModifyMsgResp(
            modifyTime=time, msg=payloads.decode(payloads.DownStreamMessage, own)
        )

    async def pull(
        self, caller: Caller, target: str, request: payloads.PullModifyMsgReq
    ) -> payloads.PullModifyMsgResp:
        """The messages edited at ``pullVersion`` or later, as they are now; at most 200.

        ``nextVersion`` is where to go on, never less than was asked, and more if ``finished`` is
        false. 33003 for a negative time.
        """
        if request.pullVersion < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if request.modifyType and _CONTENT_EDITED not in request.modifyType:
            return payloads.PullModifyMsgResp(nextVersion=request.pullVersion, finished=True)
        return await self._data.read(partial(_pull, caller=caller, start=request.pullVersion))

    async def _find_people(
        self, caller: Caller, type: ConversationType, target: str
    ) -> Sequence[UserKey]:
        """Who reads the conversation besides the caller, if he may write there."""
        letter = Letter(
            caller.key, type, target, payloads.UpStreamMessage(), False, None, caller.device, None
        )
        missing = self._routing.missing(letter)
        if missing is not None:
            await missing
        refusal = self._routing.refusal(letter)
        if refusal is not None:
            raise ServiceError(refusal)
        return self._routing.route(letter).inboxes

    async def _audited(
        self, caller: Caller, type: ConversationType, request: payloads.MsgChangeReq
    ) -> payloads.MsgChangeReq:
        """The request as the application wants it, if it did not make it. 20605: it does not."""
        if caller.device is None or not self._audit.has_app(caller.app):
            return request
        find = partial(_find, caller=caller, type=type, request=request)
        original = await self._data.write(find)
        if not self._audit.asks(caller.app, original.object_name):
            return request
        content = request.content.encode()
        try:
            wanted = await self._audit.ask(
                caller.key, caller.device, type, request.targetId, original.object_name, content
            )
        except Dropped:
            raise ServiceError(ErrorCode.OPERATION_BLOCKED) from None
        changed = payloads.MsgChangeReq()
        changed.CopyFrom(request)
        changed.content = wanted.decode(errors="replace")
        return changed

    def _change(
        self,
        connection: Connection,
        *,
        caller: Caller,
        type: ConversationType,
        request: payloads.MsgChangeReq,
        time: int,
    ) -> tuple[Original, bytes]:
        """The message as it was, and its new body."""
        app = caller.app
        original = _find(connection, caller=caller, type=type, request=request)
        if not original.in_history or original.object_name in self._messages.checks:
            raise ServiceError(ErrorCode.MESSAGE_UNSUPPORTED_MODIFY)
        if self._window and time - original.time > self._window:
            raise ServiceError(ErrorCode.MESSAGE_OVER_MODIFY_TIME_FAIL)
        content = request.content.encode()
        if not _fits(original.object_name, content):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if original.object_name == Text.object_name and (
            caller.device is not None or self._words.screens_posts
        ):
            content = self._words.censor(app, content)
        down = payloads.decode(payloads.DownStreamMessage, original.item)
        down.content = content
        down.extStatus |= _EDITED
        down.convertExt = msgspec.json.encode({"modify": {"time": time}}).decode()
        item = payloads.encode(down)
        table.record(
            connection,
            app=app,
            type=type,
            target=request.targetId,
            original=original,
            time=time,
            item=item,
        )
        return original, item


def _find(
    connection: Connection,
    *,
    caller: Caller,
    type: ConversationType,
    request: payloads.MsgChangeReq,
) -> Original:
    """The message, if it is there and the caller's. 33401: it is not."""
    sent_at = time_of(request.msgUID)
    original = sent_at and recalls.find(
        connection,
        app=caller.app,
        user=caller.user_id,
        type=type,
        target=request.targetId,
        uid=request.msgUID,
        time=sent_at,
    )
    if not original or not original.item or original.sender != caller.user_id:
        raise ServiceError(ErrorCode.MODIFIED_MESSAGE_IS_NOT_SENT)
    return original


def _fits(object_name: str, content: bytes) -> bool:
    """Whether messages of this type can say this."""
    try:
        _decode_object(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return DEFAULT.find(object_name) is None or not isinstance(
        contents.decode(object_name, content), Unknown
    )


def _pull(connection: Connection, *, caller: Caller, start: int) -> payloads.PullModifyMsgResp:
    page = table.page(connection, app=caller.app, reader=caller.user_id, start=start)
    reply = payloads.PullModifyMsgResp(nextVersion=page.next, finished=not page.has_more)
    for entry in page.items:
        item = readable(as_read(entry, caller.user_id), caller.profile)
        reply.msg.add(
            modifyType=_CONTENT_EDITED, msg=payloads.decode(payloads.DownStreamMessage, item)
        )
    return reply
