"""Pulling: a device asks what is new in its user's inbox (session 8.3).

Most pulls ask for the last few messages and are answered from memory, at once. Whatever the
:class:`~improto_server.inbox.Inbox` cannot vouch for is read from the store.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from improto.codes import ErrorCode
from improto.frames import TimeMs
from improto.messages import MessageDirection
from improto_server.inbox import Entry, Page
from improto_server.services.items import as_read, readable
from improto_server.store import StoreError
from improto_server.store.queries import inbox_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto.config import Limits
    from improto.events import PullReceived
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, DevicePolicy
    from improto_server.store import InboxItem, InboxPage, Store

DAY: Final = 24 * 60 * 60 * 1000
"""Milliseconds."""

_logger = logging.getLogger(__name__)


class Inboxes:
    """Answers pulls.

    ``offline_days``: how far back a device without a cursor reads, and ``own_days`` of users who
    want less; where ``devices`` allows
    many, what the user sent from other ones is in his inbox too.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: MessageClock,
        limits: Limits,
        devices: DevicePolicy,
        offline_days: int,
        own_days: Mapping[UserKey, int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._devices = devices
        self._days = offline_days
        self._own_days = own_days

    def pull(self, device: Device, event: PullReceived) -> None:
        """A device asks for its inbox (session 8.3)."""
        if not device.is_open:
            return
        user = device.user
        days = min(self._days, self._own_days.get(user.key, self._days))
        window = self._clock.now() - days * DAY
        received_after = event.sync_time if event.sync_time > 0 else window
        sent_after = None
        if event.sent_sync_time is not None and self._devices.allows_many(user.key[0]):
            sent_after = event.sent_sync_time if event.sent_sync_time > 0 else window
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
                streams_after=self._clock.now() - self._days * DAY,
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
        _, reader = device.user.key
        page = Page([_entry(item, reader) for item in read.items], read.is_finished)
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


def _entry(item: InboxItem, reader: str) -> Entry:
    is_sent = item.direction is MessageDirection.SENT
    return Entry(TimeMs(item.time), is_sent, as_read(item, reader))
