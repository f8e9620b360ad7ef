"""Which service function answers which topic.

The services say themselves what they answer; payloads and kinds are those of improto's
operation table. Whatever nobody answers is refused with 39002, so that every request is
answered and no client waits out its 30 s (session 7, operations 1).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from improto import operations, payloads
from improto.codes import ErrorCode
from improto.errors import DecodeError, EncodeError
from improto.operations import OPERATIONS, Area, Operation, Signal, Topic
from improto_server.errors import ServiceError, StatusAnswer
from improto_server.services import Caller
from improto_server.services.letters import Sent
from improto_server.steps import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from improto.events import PublishReceived, PullReceived, QueryReceived
    from improto.frames import MessageId
    from improto.payloads import Message
    from improto_server.breaker import Breaker
    from improto_server.clock import MessageClock
    from improto_server.hub import Device
    from improto_server.services import Function, Operations
    from improto_server.services.inboxes import Inboxes
    from improto_server.services.messages import Messages

    Pull = Callable[[Device, PullReceived], None]

MESSAGES: Final[Mapping[str, Operation]] = {
    row.topic: row
    for row in OPERATIONS.values()
    if row.signal is Signal.PUBLISH
    and row.conversation is not None
    and row.kind is not None
    and row.area not in (Area.RTC, Area.ULTRA)
}
"""Topics that carry messages into conversations. RTC rooms are none: nothing is kept there; and
there are no ultra groups."""

_REFUSALS: Final[Mapping[str, ErrorCode]] = {
    Topic.SYSTEM_MESSAGE: ErrorCode.RC_MSG_UNAUTHORIZED,
    Topic.PB_MSG_P: ErrorCode.RC_MSG_UNAUTHORIZED,
}
"""Publishes that are understood and not allowed (operations 2)."""

_TOLD_TO_OTHERS: Final = frozenset(
    {
        Topic.CHANNEL_APPLY_RESP,
        Topic.CHANNEL_CREATE,
        Topic.CHANNEL_DISMISS,
        Topic.CHANNEL_MEM_INVITE,
        Topic.CHANNEL_MEM_JOIN,
        Topic.CHANNEL_MEM_KICK,
        Topic.CHANNEL_MEM_QUIT,
        Topic.CHANNEL_TRANSFER,
        Topic.FRIEND_ADD,
        Topic.FRIEND_DEL,
        Topic.FRIEND_HANDLE,
        Topic.UP_CHANNEL_INFO,
        Topic.UP_CHANNEL_MANAGER,
        Topic.UP_CHANNEL_MEM,
        Topic.UPD_PROFILE_PERMISS,
        Topic.UPD_USER_PROFILE,
    }
)
"""Queries of which others are told. Too many per second are refused with 20604."""

_logger = logging.getLogger(__name__)


class Router:
    """Takes what a device wants to the function that does it.

    ``queries`` and ``publishes``: what the services answer; a topic belongs to one of them,
    else ValueError. ``pull_room`` answers pulls of chatrooms; ``breaker`` slows down who asks the
    same again and again.
    """

    def __init__(
        self,
        *,
        messages: Messages,
        inboxes: Inboxes,
        pull_room: Pull,
        queries: Iterable[Operations],
        publishes: Iterable[Operations],
        clock: MessageClock,
        breaker: Breaker,
    ) -> None:
        self._breaker = breaker
        self._messages = messages
        self._inboxes = inboxes
        self._pull_room = pull_room
        self._clock = clock
        self.queries = _merged(queries)
        self.publishes = _merged(publishes)

    def published(self, device: Device, event: PublishReceived) -> None:
        """A device sends something."""
        frame = event.frame
        if frame.topic in _REFUSALS:
            self._acknowledge(device, frame.message_id, ServiceError(_REFUSALS[frame.topic]))
            return
        operation = MESSAGES.get(frame.topic)
        if operation is not None:
            self._messages.send(
                device,
                frame.message_id,
                operation=operation,
                target=frame.target_id,
                data=frame.data,
            )
            return
        self._run(
            self.publishes.get(frame.topic),
            device,
            frame.topic,
            frame.target_id,
            frame.data,
            Signal.PUBLISH,
            partial(self._acknowledge, device, frame.message_id),
        )

    def pulled(self, device: Device, event: PullReceived) -> None:
        """A device asks for messages."""
        answer = self._inboxes.pull if event.room_id is None else self._pull_room
        request = (event.room_id, event.sync_time, event.sent_sync_time, event.count)
        self._breaker.run(device, request, partial(answer, device, event))

    def queried(self, device: Device, event: QueryReceived) -> None:
        """A device asks something else."""
        frame = event.frame
        answer = partial(self._answer, device, frame.message_id)
        if frame.topic in _TOLD_TO_OTHERS and not self._breaker.admits(device):
            answer(ServiceError(ErrorCode.SEND_FREQUENCY_TOO_FAST))
            return
        go_on = partial(
            self._run,
            self.queries.get(frame.topic),
            device,
            frame.topic,
            frame.target_id,
            frame.data,
            Signal.QUERY,
            answer,
        )
        self._breaker.run(device, (frame.topic, frame.target_id, frame.data), go_on)

    def _run(
        self,
        function: Function | None,
        device: Device,
        topic: str,
        target: str,
        data: bytes,
        signal: Signal,
        done: Callable[[Message | Sent | Exception | None], None],
    ) -> None:
        operation = operations.find(topic, signal)
        if function is None or operation is None:
            done(ServiceError(ErrorCode.NOT_SUPPORT))
            return
        caller = Caller(*device.user.key, device.profile, device)
        try:
            # A frame may name what is no text: half of a surrogate pair (wire 3).
            target.encode()
            request = operation.request and payloads.decode(operation.request, data)
        except (DecodeError, UnicodeEncodeError):
            done(ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER))
            return
        start(function(caller, target, request), done)

    def _answer(
        self, device: Device, message_id: MessageId, result: Message | Sent | Exception | None
    ) -> None:
        if not device.is_open:
            return
        status, data = 0, b""
        if isinstance(result, Exception):
            status = _status(result)
            reply = getattr(result, "reply", None)
            data = payloads.encode(reply) if reply is not None else b""
        elif result is not None:
            assert not isinstance(result, Sent)
            data = payloads.encode(result)
        now = self._clock.now()
        try:
            device.peer.answer(message_id, timestamp=now, status=status, data=data)
        except EncodeError as error:
            status = _status(error)
            device.peer.answer(message_id, timestamp=now, status=status)

    def _acknowledge(
        self, device: Device, message_id: MessageId, result: Message | Sent | Exception | None
    ) -> None:
        if not device.is_open:
            return
        peer = device.peer
        if isinstance(result, Sent):
            peer.acknowledge(message_id, timestamp=result.time, uid=result.uid)
        else:
            status = _status(result) if isinstance(result, Exception) else 0
            peer.acknowledge(message_id, timestamp=self._clock.now(), status=status)


def _status(error: Exception) -> int:
    if isinstance(error, ServiceError):
        return error.code
    if isinstance(error, StatusAnswer):
        return error.status
    _logger.error("a request could not be answered", exc_info=error)
    return ErrorCode.INTERNALERRROR


def _merged(tables: Iterable[Operations]) -> Mapping[str, Function]:
    merged: dict[str, Function] = {}
    for table in tables:
        for topic, function in table.items():
            if topic in merged:
                raise ValueError(f"two services answer {topic}")
            merged[topic] = function
    return merged
