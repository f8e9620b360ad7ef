"""Private messages: from a PUBLISH to the inboxes, and from there to the devices.

The order of things is the service's promise (architecture 2):

* A message gets its time and uid when it arrives; its PUBACK leaves after the commit, and
  before anything that tells a device about it.
* What is told may be lost. The inbox may not: devices pull it (session 8).
* Messages that one batch of the store brings to one user cost one notification. A single
  one is offered as it is, so that an idle device gets it without a round trip.
* Status messages (typing) are never stored. They are pushed to devices that have
  everything older, because a push moves a device's cursor (messages 8.5).

Nothing here waits, and per message there is no task, no timer and no exception.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import SyncReadStatus, Typing, UpFlag
from improto.errors import DecodeError
from improto.frames import TimeMs
from improto.messages import MessageDirection
from improto.operations import Kind
from improto_server.inbox import Entry, Inbox, Page
from improto_server.services.accounts import is_user_id
from improto_server.services.items import readable, readable_copy, received_item, sent_item
from improto_server.store import NewMessage, StoreError
from improto_server.store.queries import inbox_after
from improto_server.uids import UidMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.config import Limits
    from improto.events import PullReceived
    from improto.frames import MessageId
    from improto.operations import Operation
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub, User
    from improto_server.store import InboxItem, InboxPage, Store, Stored

OBJECT_NAME_CHARACTERS: Final = 64
"""The longest object name. SDKs and applications stay below 32 (messages 4)."""

# Plain numbers: members of enumerations are slow in protobuf and in SQLite.
_STORED: Final = int(UpFlag.STORED)
_PRIVATE: Final = int(ConversationType.PRIVATE)
_TYPING: Final = Typing.object_name
_SYNC_READ_STATUS: Final = SyncReadStatus.object_name

_JSON_NULL: Final = re.compile(rb"[ \t\r\n]*null[ \t\r\n]*")
"""The newer SDKs fail on a content that is the JSON value null (messages 5)."""

_DAY: Final = 24 * 60 * 60 * 1000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRules:
    """What the operator decides."""

    is_multi_device: bool
    """Users may have several connections; what one sends, the others see (session 10)."""
    offline_days: int
    """How far back a device without a cursor reads (session 8.3)."""


class Messages:
    """The service. ``deliver`` must be called after each batch of the store's answers."""

    def __init__(
        self,
        *,
        store: Store,
        clock: MessageClock,
        hub: Hub,
        limits: Limits,
        rules: MessageRules,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._hub = hub
        self._limits = limits
        self._is_multi_device = rules.is_multi_device
        self._window = rules.offline_days * _DAY
        self._monotonic = monotonic
        self._uids = UidMaker()
        # The store answers in the order of the appends, so two numbers say what is under way.
        self._appended = 0
        self._answered = 0
        self._fresh: dict[User, list[Entry]] = {}
        self._failures: list[StoreError] = []

    def open_inbox(self, key: UserKey) -> Inbox:
        """An inbox for a user who comes online."""
        return Inbox(complete_from=self._clock.latest(key), last_append=self._appended)

    # -- sending ---------------------------------------------------------------------

    def send(
        self,
        device: Device,
        message_id: MessageId,
        *,
        operation: Operation,
        target: str,
        data: bytes,
    ) -> None:
        """A device sends a private message; ``data`` is its UpStreamMessage.

        Refused are: too many per second (20604); an UpStreamMessage that does not parse, a
        target that cannot be a user id, an object name that is empty or too long, and a
        content that is JSON null (33003); a content above ``limits.content_bytes`` (30016).
        """
        if not device.allowance.take(now=self._monotonic()):
            self._refuse(device, message_id, ErrorCode.SEND_FREQUENCY_TOO_FAST)
            return
        try:
            up = payloads.decode(payloads.UpStreamMessage, data)
        except DecodeError:
            self._refuse(device, message_id, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        content, object_name = up.content, up.classname
        if len(content) > self._limits.content_bytes:
            self._refuse(device, message_id, ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT)
            return
        if (
            not 0 < len(object_name) <= OBJECT_NAME_CHARACTERS
            or _JSON_NULL.fullmatch(content)
            or not is_user_id(target)
        ):
            self._refuse(device, message_id, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        own = device.user.key
        app, sender = own
        other = (app, target)
        time = self._clock.stamp(own, other)
        uid = self._uids.make(time=time, conversation_type=_PRIVATE, target=target)
        item = received_item(
            up,
            conversation_type=_PRIVATE,
            sender=sender,
            target=target,
            time=time,
            uid=uid,
        )
        flags = up.sessionId
        if operation.kind is Kind.STATUS or (flags == 0 and object_name == _TYPING):
            if device.is_open:
                device.peer.acknowledge(message_id, timestamp=time, uid=uid)
            self._push_status(device, other, Entry(time, False, item))
            if operation.kind is Kind.STATUS:
                self._copy(device.user, device, operation, target, data, uid=uid, time=time)
            return
        # A read position is for the sender's other devices, whoever it is addressed to
        # (messages 8.4), and a message to oneself is one that the other devices have sent.
        is_for_peer = object_name != _SYNC_READ_STATUS and target != sender
        message = NewMessage(
            app=app,
            uid=uid,
            time=time,
            type=_PRIVATE,
            sender=sender,
            target=target,
            object_name=object_name,
            flags=flags,
            unique_id=up.clientUniqueId or None,
            item=item,
            receivers=(target,) if is_for_peer else (),
            sent_box=self._is_multi_device,
            in_history=bool(flags & _STORED),
        )
        self._append(device, message_id, operation, data, message)

    def _append(
        self,
        device: Device,
        message_id: MessageId,
        operation: Operation,
        data: bytes,
        message: NewMessage,
    ) -> None:
        self._appended += 1
        for name in message.receivers:
            receiver = self._hub.find((message.app, name))
            if receiver is not None:
                receiver.inbox.last_append = self._appended
        if message.sent_box:
            device.user.inbox.last_append = self._appended
        self._store.append(
            message, partial(self._stored, device, message_id, operation, data, message)
        )

    def _stored(
        self,
        device: Device,
        message_id: MessageId,
        operation: Operation,
        data: bytes,
        message: NewMessage,
        stored: Stored | StoreError,
    ) -> None:
        """The store's answer."""
        self._answered += 1
        if isinstance(stored, StoreError):
            self._failures.append(stored)
            self._refuse(device, message_id, ErrorCode.INTERNALERRROR)
            return
        time = TimeMs(stored.time)
        if device.is_open:
            device.peer.acknowledge(message_id, timestamp=time, uid=stored.uid)
        if stored.is_repeat:
            return
        for name in message.receivers:
            receiver = self._hub.find((message.app, name))
            if receiver is not None:
                entry = Entry(time, False, message.item)
                receiver.inbox.add(entry)
                self._fresh.setdefault(receiver, []).append(entry)
        if message.sent_box:
            sender = self._hub.find((message.app, message.sender))
            if sender is not None:
                item = sent_item(message.item, peer=message.target)
                sender.inbox.add(Entry(time, True, item))
                target = message.target
                self._copy(sender, device, operation, target, data, uid=stored.uid, time=time)

    def _refuse(self, device: Device, message_id: MessageId, status: ErrorCode) -> None:
        if device.is_open:
            device.peer.acknowledge(message_id, timestamp=self._clock.now(), status=status)

    # -- telling the devices ---------------------------------------------------------

    def deliver(self) -> None:
        """Tell the devices what the last batch of the store has brought."""
        if self._failures:
            _logger.error("%d messages not stored: %s", len(self._failures), self._failures[-1])
            self._failures.clear()
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        for user, entries in fresh.items():
            if len(entries) == 1:
                self._offer(user, entries[0])
                continue
            for device in user.devices:
                if device.is_open:
                    device.peer.notify(entries[-1].time)

    def _offer(self, user: User, entry: Entry) -> None:
        for device in user.devices:
            # A page read from the store may have overtaken the news of its last commit.
            if device.is_open and entry.time > device.position:
                item = readable(entry.item, device.profile)
                device.peer.offer(item, time=entry.time)

    def _push_status(self, sender: Device, key: UserKey, entry: Entry) -> None:
        """Push a status message to the user's devices that have everything older."""
        receiver = self._hub.find(key)
        if receiver is None or receiver.inbox.last_append > self._answered:
            return
        for device in receiver.devices:
            if device is not sender and device.is_open:
                item = readable(entry.item, device.profile)
                device.peer.push_status(item, time=entry.time)

    def _copy(
        self,
        user: User,
        origin: Device,
        operation: Operation,
        target: str,
        data: bytes,
        *,
        uid: str,
        time: TimeMs,
    ) -> None:
        """Show a message on the other devices of its sender (session 9.3).

        A device that takes no copies of the topic pulls it, unless it is a status message.
        """
        for device in user.devices:
            if device is origin or not device.is_open:
                continue
            copy = readable_copy(data, device.profile)
            shown = device.peer.sync(operation.topic, target, copy, uid=uid, timestamp=time)
            if not shown and operation.kind is not Kind.STATUS:
                device.peer.notify(time)

    # -- pulling ---------------------------------------------------------------------

    def pull(self, device: Device, event: PullReceived) -> None:
        """A device asks for its inbox (session 8.3)."""
        if not device.is_open:
            return
        window = self._clock.now() - self._window
        received_after = event.sync_time if event.sync_time > 0 else window
        sent_after = None
        if self._is_multi_device and event.sent_sync_time is not None:
            sent_after = event.sent_sync_time if event.sent_sync_time > 0 else window
        user = device.user
        device.cursor = event.sync_time
        device.sent_cursor = event.sent_sync_time or 0
        if len(user.inbox):
            user.inbox.forget(
                min(other.cursor for other in user.devices),
                min(other.sent_cursor for other in user.devices),
            )
        page = user.inbox.after(
            received_after,
            sent_after,
            limit=self._limits.pull_messages,
            max_bytes=self._limits.pull_bytes,
        )
        if page is None or _ends_too_early(page, event):
            self._ask_store(device, event, received_after, sent_after)
        else:
            self._answer_pull(device, event, page, newest=user.inbox.newest)

    def _ask_store(
        self, device: Device, event: PullReceived, received_after: int, sent_after: int | None
    ) -> None:
        app, owner = device.user.key
        self._store.read(
            partial(
                inbox_after,
                app=app,
                owner=owner,
                received_after=received_after,
                sent_after=sent_after,
                limit=self._limits.pull_messages,
                max_bytes=self._limits.pull_bytes,
            ),
            partial(
                self._inbox_read,
                device,
                event,
                received_after,
                sent_after,
                device.user.inbox.forgotten,
            ),
        )

    def _inbox_read(
        self,
        device: Device,
        event: PullReceived,
        received_after: int,
        sent_after: int | None,
        forgotten: int,
        read: InboxPage | StoreError,
    ) -> None:
        """The store's answer."""
        if isinstance(read, StoreError):
            _logger.error("an inbox could not be read: %s", read)
            if device.is_open:
                device.peer.answer(
                    event.message_id,
                    timestamp=self._clock.now(),
                    status=ErrorCode.INTERNALERRROR,
                )
            return
        page = Page([_entry(item) for item in read.items], read.is_finished)
        if _ends_too_early(page, event):
            # More than a page of what the user sent is older than what this device has
            # received, which no page can express. It has seen those messages as copies.
            self._ask_store(device, event, received_after, received_after)
            return
        inbox = device.user.inbox
        if page.is_finished and inbox.forgotten == forgotten:
            inbox.learn(page, received_after, sent_after)
        self._answer_pull(device, event, page, newest=TimeMs(read.newest))

    def _answer_pull(
        self, device: Device, event: PullReceived, page: Page, *, newest: TimeMs
    ) -> None:
        """``newest`` is the time of the newest message when the page was made."""
        if not device.is_open:
            return
        end = newest
        if page.entries:
            device.position = max(device.position, page.entries[-1].time)
            if not page.is_finished:
                end = page.entries[-1].time
        device.peer.answer_pull(
            event.message_id,
            [readable(entry.item, device.profile) for entry in page.entries],
            sync_time=end,
            newest=newest,
            is_finished=page.is_finished,
        )


def _ends_too_early(page: Page, event: PullReceived) -> bool:
    """Whether a cut page ends before the time from which the device asked (session 8.3)."""
    return not page.is_finished and page.entries[-1].time <= event.sync_time


def _entry(item: InboxItem) -> Entry:
    is_sent = item.direction is MessageDirection.SENT
    data = sent_item(item.item, peer=item.target) if is_sent else item.item
    return Entry(TimeMs(item.time), is_sent, data)
