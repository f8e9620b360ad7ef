"""Who is connected where.

A user is online while at least one connection of his is open. Most SDKs name no device, so a
connection is a device (session 1); a page with SDK 5 names its own, and when it comes back
before the server knows that it was gone, the older connection ends without a word (sdk5 3).
Users of different apps never meet.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from improto import payloads
from improto.operations import Topic

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Collection, Mapping

    from improto.codes import CommandType, DisconnectStatus
    from improto.payloads import Message
    from improto.profiles import Profile
    from improto.service import Peer
    from improto_server.clock import UserKey
    from improto_server.inbox import Inbox
    from improto_server.rate import Shares, TokenBucket


class DevicePolicy(NamedTuple):
    """Which apps let a user have several connections at a time (session 10)."""

    is_many: bool = False
    """True: in apps that do not say, a user may have several, and each sees what the others
    send. False: the newest one stays."""
    exceptions: Mapping[str, bool] = MappingProxyType({})
    """What apps say, by app key."""

    def allows_many(self, app: str) -> bool:
        """Whether users of the app may have several."""
        return self.exceptions.get(app, self.is_many)


class Device:
    """One connection of a user."""

    __slots__ = (
        "allowance",
        "backlog",
        "changes",
        "cursor",
        "has_logged_out",
        "peer",
        "position",
        "profile",
        "repeats",
        "sent_cursor",
        "user",
    )

    def __init__(self, user: User, peer: Peer, allowance: TokenBucket) -> None:
        self.user = user
        self.peer = peer
        self.profile: Profile = peer.connection.profile
        """How its generation of clients wants to be treated."""
        self.allowance = allowance
        """What the connection may send."""
        self.backlog: deque[Callable[[], None]] | None = None
        """What it sent after something that must be waited for; None: nothing is waited for."""
        self.repeats: Shares[int] | None = None
        """What it has asked lately, see :mod:`.breaker`; None: nothing yet."""
        self.changes: Shares[None] | None = None
        """The same of requests of which others are told."""
        self.position = 0
        """Time of the newest message that it was sent in reply to a pull."""
        self.cursor = 0
        """It has all received messages up to this time: its own word."""
        self.sent_cursor = 0
        """The same for sent messages."""
        self.has_logged_out = False
        """Its client has said goodbye."""

    @property
    def is_open(self) -> bool:
        """True while it may be told something."""
        return self.peer.is_open


class User:
    """A user who is online."""

    __slots__ = ("devices", "inbox", "key")

    def __init__(self, key: UserKey, inbox: Inbox) -> None:
        self.key = key
        self.inbox = inbox
        self.devices: list[Device] = []
        """In the order in which they came; never empty while the user is in the hub."""


class Hub:
    """All who are online.

    ``open_inbox`` is called for a user's first connection; the :class:`Inbox` it returns lasts
    until the last one is gone.
    """

    def __init__(self, open_inbox: Callable[[UserKey], Inbox]) -> None:
        self._open_inbox = open_inbox
        self._users: dict[UserKey, User] = {}
        self.connections = 0
        """How many devices are online, of all users together."""
        self.on_join: list[Callable[[Device], None]] = []
        """Called with each device that has come, before it is accepted."""
        self.on_leave: list[Callable[[Device], None]] = []
        """Called with each device that has gone."""

    @property
    def keys(self) -> Collection[UserKey]:
        """App key and user id of each user."""
        return self._users.keys()

    @property
    def users(self) -> Collection[User]:
        """All users."""
        return self._users.values()

    def find(self, key: UserKey) -> User | None:
        """The user, if online."""
        return self._users.get(key)

    def join(self, key: UserKey, peer: Peer, allowance: TokenBucket) -> Device:
        """A connection of the user was accepted."""
        user = self._users.get(key)
        if user is None:
            user = self._users[key] = User(key, self._open_inbox(key))
        device = Device(user, peer, allowance)
        user.devices.append(device)
        self.connections += 1
        for call in self.on_join:
            call(device)
        return device

    def leave(self, device: Device) -> None:
        """A connection is gone; harmless if it has left before."""
        user = device.user
        if device not in user.devices:
            return
        user.devices.remove(device)
        self.connections -= 1
        if not user.devices:
            del self._users[user.key]
        for call in self.on_leave:
            call(device)

    def command(
        self, key: UserKey, topic: Topic, payload: Message, *, but: Device | None = None
    ) -> None:
        """Publish on one of the server's other topics to all devices of a user (operations 3).

        ``but``: the device that has caused it. Whoever is not online misses it, and so do
        devices whose SDK does not know the topic (session 12).
        """
        user = self._users.get(key)
        if user is None:
            return
        data = payloads.encode(payload)
        for device in user.devices:
            if device is not but and device.is_open and topic in device.profile.notices:
                device.peer.command(topic, data)

    def prompt(
        self, key: UserKey, type: CommandType, *, time: int, but: Device | None = None
    ) -> None:
        """Have all devices of a user ask for what is new: ``s_cmd`` (operations 3).

        ``but`` as in :meth:`command`; devices whose SDK does not take commands of this ``type``
        miss it as well (session 12).
        """
        user = self._users.get(key)
        if user is None:
            return
        data = payloads.encode(payloads.NotifyMsg(type=type, time=time))
        for device in user.devices:
            if device is not but and device.is_open and type in device.profile.commands:
                device.peer.command(Topic.S_CMD, data)

    def everybody(self) -> list[Device]:
        """All devices of all users."""
        return [device for user in self._users.values() for device in user.devices]

    def replace_older(self, device: Device) -> None:
        """End other connections of the same page, which has come back (sdk5 3).

        To be told that it is kicked would end the page's new connection too.
        """
        name = device.peer.login.device_id
        for other in [*device.user.devices] if name else ():
            if other is not device and other.peer.login.device_id == name:
                self.leave(other)
                other.peer.shut_down()

    def dismiss(self, key: UserKey, status: DisconnectStatus) -> None:
        """Send all of a user's connections away for good (session 4.1)."""
        user = self._users.get(key)
        for device in [*user.devices] if user is not None else ():
            self._dismiss(device, status)

    def dismiss_others(self, device: Device, status: DisconnectStatus) -> None:
        """Send the user's other connections away for good (session 10)."""
        for other in [*device.user.devices]:
            if other is not device:
                self._dismiss(other, status)

    def _dismiss(self, device: Device, status: DisconnectStatus) -> None:
        self.leave(device)
        if device.is_open:
            device.peer.dismiss(status)
