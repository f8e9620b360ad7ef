"""From the store to the devices: who is told what, and when.

* What is told may be lost. The inbox may not: devices pull it (session 8).
* Messages that one batch of the store brings to one user cost one notification. A single
  one is offered as it is, so that an idle device gets it without a round trip.
* Status messages (typing) are never stored. They are pushed to devices that have
  everything older, because a push moves a device's cursor (messages 8.5).

Nothing here waits, and per message there is no task, no timer and no exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.operations import Kind
from improto_server.inbox import Entry, Inbox
from improto_server.services.items import readable, readable_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from improto.frames import TimeMs
    from improto.operations import Operation
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub, User


class Delivery:
    """Tells devices about messages. ``deliver`` must be called after each batch of the store."""

    def __init__(self, *, clock: MessageClock, hub: Hub) -> None:
        self._clock = clock
        self._hub = hub
        # The store answers in the order of the appends, so two numbers say what is under way.
        self._appended = 0
        self._answered = 0
        self._fresh: dict[User, list[Entry]] = {}

    def open_inbox(self, key: UserKey) -> Inbox:
        """An inbox for a user who comes online."""
        return Inbox(complete_from=self._clock.latest(key), last_append=self._appended)

    def appended(self, inboxes: Sequence[UserKey]) -> None:
        """A message for these inboxes is on its way to the store."""
        self._appended += 1
        for key in inboxes:
            user = self._hub.find(key)
            if user is not None:
                user.inbox.last_append = self._appended

    def answered(self) -> None:
        """The store has answered the oldest of what is under way."""
        self._answered += 1

    def receive(self, key: UserKey, entry: Entry) -> None:
        """A message for the user was committed; :meth:`deliver` will tell his devices."""
        user = self._hub.find(key)
        if user is not None:
            user.inbox.add(entry)
            self._fresh.setdefault(user, []).append(entry)

    def deliver(self) -> None:
        """Tell the devices what the last batch of the store has brought."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        for user, entries in fresh.items():
            if len(entries) == 1:
                self._offer(user, entries[0])
            else:
                self.announce(user, entries[-1].time)

    def _offer(self, user: User, entry: Entry) -> None:
        for device in user.devices:
            # A page read from the store may have overtaken the news of its last commit.
            if device.is_open and entry.time > device.position:
                item = readable(entry.item, device.profile)
                device.peer.offer(item, time=entry.time)

    def push_status(self, sender: Device | None, key: UserKey, entry: Entry) -> None:
        """Push a status message to the user's devices that have everything older."""
        receiver = self._hub.find(key)
        if receiver is None or receiver in self._fresh:
            # Offline, or not told yet of something that was stored.
            return
        if receiver.inbox.last_append > self._answered or receiver.inbox.newest > entry.time:
            return
        for device in receiver.devices:
            if device is not sender and device.is_open:
                item = readable(entry.item, device.profile)
                device.peer.push_status(item, time=entry.time)

    def keep_sent(self, user: User, entry: Entry) -> None:
        """A message that the user sent was committed to his sent box."""
        user.inbox.add(entry)

    def forget(self, key: UserKey) -> None:
        """What the user has not pulled yet is read from the store, as it will be then.

        Of whoever leaves a group, messages that are taken back later are not found any more.
        """
        user = self._hub.find(key)
        if user is not None:
            user.inbox.forget(user.inbox.newest, user.inbox.newest)

    def announce(self, user: User, time: TimeMs) -> None:
        """All devices of the user should pull: there is a message with this time."""
        for device in user.devices:
            if device.is_open:
                device.peer.notify(time)

    def copy(
        self,
        user: User,
        origin: Device | None,
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
            if operation.topic in device.profile.sync_topics:
                copy = readable_copy(data, device.profile)
                device.peer.sync(operation.topic, target, copy, uid=uid, timestamp=time)
            elif operation.kind is not Kind.STATUS:
                device.peer.notify(time)
