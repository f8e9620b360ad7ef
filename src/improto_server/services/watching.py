"""Who is to be told about whom, while he is online with an SDK that can be told.

Generations of SDKs read different things in ``s_stat``, and some do not know it
(operations 3, sdk5 7). Each use of a :class:`Watching` is for one kind of payload and reaches
those devices only that read it. Nothing is kept of who is gone; whoever comes back is put in
again from the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto.operations import Topic
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto.payloads import Message
    from improto_server.clock import UserKey
    from improto_server.hub import Device, Hub


class Watching:
    """Watchers by whom they watch. ``notice``: the payload of ``s_stat`` that it is about."""

    def __init__(self, hub: Hub, notice: type[Message]) -> None:
        self._hub = hub
        self._notice = notice
        self._watchers: dict[UserKey, dict[UserKey, int]] = {}
        self._subjects: dict[UserKey, set[UserKey]] = {}

    def __contains__(self, subject: UserKey) -> bool:
        """Whether anybody may have to be told about the user."""
        return subject in self._watchers

    def __len__(self) -> int:
        """How many users somebody watches."""
        return len(self._watchers)

    def can_tell(self, device: Device) -> bool:
        """Whether the device's SDK reads the payload."""
        return device.profile.status_notice is self._notice

    def is_reachable(self, user: UserKey) -> bool:
        """Whether a device of the user is online that can be told."""
        found = self._hub.find(user)
        return found is not None and any(map(self.can_tell, found.devices))

    def watch(self, watcher: UserKey, subjects: Mapping[UserKey, int], *, now: int = 0) -> bool:
        """Tell the watcher about these users, about each of them until a time.

        What he was told until ``now`` or before is forgotten. False if he cannot be told now; then
        nothing has changed.
        """
        if not self.is_reachable(watcher):
            return False
        watched = self._subjects.get(watcher, set())
        late = [subject for subject in watched if self._watchers[subject][watcher] <= now]
        self.unwatch(watcher, late)
        for subject, until in subjects.items():
            self._watchers.setdefault(subject, {})[watcher] = until
            self._subjects.setdefault(watcher, set()).add(subject)
        return True

    def unwatch(self, watcher: UserKey, subjects: Iterable[UserKey]) -> None:
        """Do not tell the watcher about these users any more; harmless if he is not told."""
        watched = self._subjects.get(watcher, set())
        for subject in watched.intersection(subjects):
            watched.discard(subject)
            self._drop(watcher, subject)
        if not watched:
            self._subjects.pop(watcher, None)

    def forget(self, watcher: UserKey) -> None:
        """The watcher is gone."""
        for subject in self._subjects.pop(watcher, ()):
            self._drop(watcher, subject)

    def tell(self, subject: UserKey, payload: Message, *, now: int = 0) -> None:
        """Send ``s_stat`` about a user to all who watch him at the time ``now``."""
        watchers = self._watchers.get(subject, {})
        late = [watcher for watcher, until in watchers.items() if until <= now]
        for watcher in late:
            self.unwatch(watcher, [subject])
        data = payloads.encode(payload)
        for watcher in watchers:
            self._send(watcher, data)

    def send(self, user: UserKey, payload: Message) -> None:
        """Send ``s_stat`` to those devices of a user that read it."""
        self._send(user, payloads.encode(payload))

    def _send(self, user: UserKey, data: bytes) -> None:
        found = self._hub.find(user)
        for device in found.devices if found is not None else ():
            if device.is_open and self.can_tell(device):
                device.peer.command(Topic.S_STAT, data)

    def _drop(self, watcher: UserKey, subject: UserKey) -> None:
        watchers = self._watchers[subject]
        del watchers[watcher]
        if not watchers:
            del self._watchers[subject]


def always(subjects: Iterable[UserKey]) -> dict[UserKey, int]:
    """These users, for :meth:`Watching.watch`, for ever."""
    return dict.fromkeys(subjects, FOREVER)
