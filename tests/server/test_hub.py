from __future__ import annotations

from typing import TYPE_CHECKING

from improto.codes import DisconnectStatus
from improto.login import Login
from improto.server import ServerConnection
from improto.service import Peer
from improto_server.hub import Hub
from improto_server.inbox import Inbox
from improto_server.rate import TokenBucket

if TYPE_CHECKING:
    from improto_server.clock import UserKey
    from improto_server.hub import Device

ALICE = ("app", "alice")
BOB = ("app", "bob")


class Opened:
    """Counts the inboxes that a hub opens."""

    def __init__(self) -> None:
        self.keys: list[UserKey] = []

    def __call__(self, key: UserKey) -> Inbox:
        self.keys.append(key)
        return Inbox(complete_from=0, last_append=0)


def join(hub: Hub, key: UserKey, device_id: str = "") -> Device:
    login = Login(app_key=key[0], token="t", device_id=device_id)
    connection = ServerConnection(login, now=0.0)
    peer = Peer(
        connection, address="192.0.2.1:1", origin=None, clock=lambda: 0.0, wake=lambda: None
    )
    peer.accept(key[1], "session", timestamp=1000)
    return hub.join(key, peer, TokenBucket(0, now=0.0))


def test_a_user_is_online_while_a_connection_is() -> None:
    opened = Opened()
    hub = Hub(opened)
    assert hub.find(ALICE) is None
    first, second = join(hub, ALICE), join(hub, ALICE)
    user = hub.find(ALICE)
    assert user is not None
    assert user.devices == [first, second]
    assert first.user is second.user is user
    assert user.key == ALICE
    assert hub.connections == 2
    hub.leave(first)
    assert hub.find(ALICE) is user
    hub.leave(second)
    assert hub.find(ALICE) is None
    assert hub.connections == 0
    assert opened.keys == [ALICE]


def test_an_inbox_lasts_as_long_as_its_user() -> None:
    opened = Opened()
    hub = Hub(opened)
    hub.leave(join(hub, ALICE))
    join(hub, ALICE)
    join(hub, BOB)
    assert opened.keys == [ALICE, ALICE, BOB]


def test_leaving_twice_is_harmless() -> None:
    hub = Hub(Opened())
    first = join(hub, ALICE)
    hub.leave(first)
    join(hub, ALICE)
    hub.leave(first)
    assert hub.connections == 1
    assert hub.find(ALICE) is not None


def test_the_same_name_in_two_apps_is_two_users() -> None:
    hub = Hub(Opened())
    first, second = join(hub, ALICE), join(hub, ("other", "alice"))
    assert first.user is not second.user


def test_a_device_is_open_while_its_connection_is_online() -> None:
    device = join(Hub(Opened()), ALICE)
    assert device.is_open
    device.peer.dismiss(DisconnectStatus.BLOCK)
    assert not device.is_open


def test_everybody_is_every_device_of_every_user() -> None:
    hub = Hub(Opened())
    devices = [join(hub, ALICE), join(hub, ALICE), join(hub, BOB)]
    assert hub.everybody() == devices
    hub.leave(devices[1])
    assert hub.everybody() == [devices[0], devices[2]]


def test_a_page_that_is_back_replaces_only_itself() -> None:
    hub = Hub(Opened())
    old, other, nameless = (join(hub, ALICE, name) for name in ("page", "other", ""))
    stranger, new = join(hub, BOB, "page"), join(hub, ALICE, "page")
    hub.replace_older(new)
    assert not old.is_open
    assert new.user.devices == [other, nameless, new]
    assert all(device.is_open for device in (other, nameless, stranger, new))
    # CONNACK 0 and nothing else.
    assert [message[0] >> 4 for message in old.peer.connection.messages_to_send()] == [2]


def test_two_who_name_no_device_do_not_replace_each_other() -> None:
    hub = Hub(Opened())
    old, new = join(hub, ALICE), join(hub, ALICE)
    hub.replace_older(new)
    assert old.is_open
    assert hub.connections == 2


def test_dismissing_others_leaves_the_one() -> None:
    hub = Hub(Opened())
    old, older, stranger = join(hub, ALICE), join(hub, ALICE), join(hub, BOB)
    older.peer.dismiss(DisconnectStatus.BLOCK)
    newest = join(hub, ALICE)
    hub.dismiss_others(newest, DisconnectStatus.OTHER_DEVICE_LOGIN)
    assert newest.user.devices == [newest]
    assert hub.connections == 2
    assert stranger.is_open
    assert newest.is_open
    # CONNACK 0, then DISCONNECT 1; the one that was dismissed before got no second goodbye.
    assert [message[0] >> 4 for message in old.peer.connection.messages_to_send()] == [2, 14]
    assert len(older.peer.connection.messages_to_send()) == 2
