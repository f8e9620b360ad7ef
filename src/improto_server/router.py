"""Which service function answers which topic.

The tables are made from improto's operation table, which knows the payload of every topic.
Whatever has no entry is refused with 39002, so that every request is answered and no
client waits out its 30 s (session 7, operations 1).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.errors import DecodeError
from improto.operations import OPERATIONS, Operation, Signal, Topic
from improto_server.services import Caller, Reading, ServiceError
from improto_server.services.history import private_history
from improto_server.services.settings import conversation_settings, report_sdk, user_settings
from improto_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from improto.events import PublishReceived, PullReceived, QueryReceived
    from improto.frames import MessageId
    from improto.payloads import Message
    from improto_server.clock import MessageClock
    from improto_server.hub import Device
    from improto_server.services import Reply
    from improto_server.services.messages import Messages
    from improto_server.store import Store

    Function = Callable[[Caller, Any], Reply]

_FUNCTIONS: Final[Mapping[str, Function]] = {
    Topic.QRY_P_MSG: private_history,
    Topic.PULL_SE_ATTS: conversation_settings,
    Topic.PULL_US: user_settings,
    Topic.REPORTSDK: report_sdk,
}
"""Queries that are answered; pulls have a way of their own."""

_PRIVATE_MESSAGES: Final[Mapping[str, Operation]] = {
    row.topic: row
    for row in OPERATIONS.values()
    if row.signal is Signal.PUBLISH
    and row.conversation is ConversationType.PRIVATE
    and row.kind is not None
}

_REFUSALS: Final[Mapping[str, ErrorCode]] = {
    Topic.SYSTEM_MESSAGE: ErrorCode.RC_MSG_UNAUTHORIZED,
}
"""Publishes that are understood and not allowed (operations 2)."""

_logger = logging.getLogger(__name__)


class Router:
    """Takes what a device wants to the function that does it."""

    def __init__(self, *, messages: Messages, store: Store, clock: MessageClock) -> None:
        self._messages = messages
        self._store = store
        self._clock = clock

    def published(self, device: Device, event: PublishReceived) -> None:
        """A device sends something."""
        frame = event.frame
        operation = _PRIVATE_MESSAGES.get(frame.topic)
        if operation is not None:
            self._messages.send(
                device,
                frame.message_id,
                operation=operation,
                target=frame.target_id,
                data=frame.data,
            )
        elif device.is_open:
            status = _REFUSALS.get(frame.topic, ErrorCode.NOT_SUPPORT)
            device.peer.acknowledge(frame.message_id, timestamp=self._clock.now(), status=status)

    def pulled(self, device: Device, event: PullReceived) -> None:
        """A device asks for messages. There are no chatrooms, so it is in none (codes 5)."""
        if event.room_id is None:
            self._messages.pull(device, event)
        else:
            self._answer(device, event.message_id, status=ErrorCode.NOT_IN_CHATROOM)

    def queried(self, device: Device, event: QueryReceived) -> None:
        """A device asks something else."""
        frame, operation = event.frame, event.operation
        function = _FUNCTIONS.get(frame.topic)
        if function is None or operation is None or operation.request is None:
            self._answer(device, frame.message_id, status=ErrorCode.NOT_SUPPORT)
            return
        caller = Caller(*device.user.key, device.profile)
        try:
            reply = function(caller, payloads.decode(operation.request, frame.data))
        except DecodeError:
            status = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
            self._answer(device, frame.message_id, status=status)
        except ServiceError as refusal:
            self._answer(device, frame.message_id, status=refusal.code)
        else:
            if isinstance(reply, Reading):
                done = partial(self._read, device, frame.message_id)
                self._store.read(reply.query, done)
            else:
                self._reply(device, frame.message_id, reply)

    def _read(self, device: Device, message_id: MessageId, reply: Message | StoreError) -> None:
        """The store's answer."""
        if isinstance(reply, StoreError):
            _logger.error("a query could not be answered: %s", reply)
            self._answer(device, message_id, status=ErrorCode.INTERNALERRROR)
        else:
            self._reply(device, message_id, reply)

    def _reply(self, device: Device, message_id: MessageId, reply: Message | None) -> None:
        data = b"" if reply is None else payloads.encode(reply)
        self._answer(device, message_id, data=data)

    def _answer(
        self, device: Device, message_id: MessageId, *, status: int = 0, data: bytes = b""
    ) -> None:
        if device.is_open:
            timestamp = self._clock.now()
            device.peer.answer(message_id, timestamp=timestamp, status=status, data=data)
