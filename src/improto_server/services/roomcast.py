"""Telling the members of chatrooms what is new (session 11).

What one batch of the store has brought to a room is told together, in one pass over the members:
a burst costs each of them one notification, and that is encoded once. What is told may be
lost; members pull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import CommandType
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from improto.frames import TimeMs
    from improto_server.hub import Device, Hub
    from improto_server.services.room import Room, RoomMessage

# Plain numbers, because protobuf takes a microsecond more for a member of an enumeration.
_KEYS_CHANGED = int(CommandType.CHATROOM_KV)
_DESTROYED = int(CommandType.CHATROOM_DESTROYED)


class Roomcast:
    """Tells devices about rooms. ``deliver`` must be called after each batch of the store."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._said: dict[Room, list[RoomMessage]] = {}
        self._changed: dict[Room, tuple[TimeMs, set[Device | None]]] = {}
        self.dropped = 0
        """How many messages of low priority were left out since the server started."""

    def said(self, room: Room, message: RoomMessage) -> None:
        """A message was committed to a room; :meth:`deliver` will tell."""
        self._said.setdefault(room, []).append(message)

    def changed(self, room: Room, time: TimeMs, device: Device | None) -> None:
        """Keys of a room have changed, at the wish of a device; :meth:`deliver` will tell."""
        _, causes = self._changed.get(room, (time, set()))
        self._changed[room] = time, causes | {device}

    def deliver(self) -> None:
        """Tell the devices what the last batch of the store has brought."""
        if self._said:
            said, self._said = self._said, {}
            for room, messages in said.items():
                self._notify(room, messages)
        if self._changed:
            changed, self._changed = self._changed, {}
            for room, (time, causes) in changed.items():
                # Who was alone in changing something need not be told.
                cause = next(iter(causes)) if len(causes) == 1 else None
                self._command(_KEYS_CHANGED, room, room.members, time, but=cause)

    def destroyed(self, room: Room, members: Iterable[str], time: TimeMs) -> None:
        """A room is no more: those who were in it are told at once."""
        self._command(_DESTROYED, room, members, time, target=room.place.id)
        for device in self._devices(room, members):
            device.peer.connection.forget_room(room.place.id)

    def forget(self, room: Room, user_id: str) -> None:
        """A user has left a room: what his devices were told of it no longer counts."""
        for device in self._devices(room, (user_id,)):
            device.peer.connection.forget_room(room.place.id)

    def _notify(self, room: Room, messages: list[RoomMessage]) -> None:
        newest = messages[-1]
        time, origin, room_id = newest.time, newest.device, room.place.id
        for device in self._devices(room, room.members):
            if device is not origin:
                device.peer.notify(time, room_id=room_id)
                continue
            # It need not pull what it has sent itself.
            for message in reversed(messages):
                if message.device is not device:
                    device.peer.notify(message.time, room_id=room_id)
                    break

    def _command(
        self,
        type: int,
        room: Room,
        members: Iterable[str],
        time: TimeMs,
        *,
        target: str | None = None,
        but: Device | None = None,
    ) -> None:
        data = payloads.encode(payloads.NotifyMsg(type=type, time=time, chrmId=room.place.id))
        for device in self._devices(room, members):
            if device is not but and type in device.profile.commands:
                device.peer.command(Topic.S_CMD, data, target_id=target)

    def _devices(self, room: Room, members: Iterable[str]) -> Iterator[Device]:
        app, find = room.place.app, self._hub.find
        for user_id in members:
            user = find((app, user_id))
            if user is not None:
                for device in user.devices:
                    if device.is_open:
                        yield device
