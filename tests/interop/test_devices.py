"""One user, two devices: what happens on one is seen on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import GROUP, PRIVATE, RECALL, Place, hears, online, texts

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Party, Sent
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

PAIRS = (("page", "page"), ("page", "program"), ("program", "page"))
"""What the two devices are."""


def sees_own(device: Party, place: Place, sent: Sent, kind: str = "RC:TxtMsg") -> None:
    """Check that the next thing that this device shows is what the other one has sent."""
    (own,) = device.take(1)
    assert own.is_mine
    assert (own.sender, own.uid, own.time) == (device.user, sent.uid, sent.time)
    assert (own.type, own.conversation, own.kind) == (*place, kind)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_both_see_what_is_sent_and_received(
    door: Door, many_devices: ImServer, kinds: tuple[str, str]
) -> None:
    desk = door.party(many_devices, kinds[0])
    phone = door.party(many_devices, kinds[1], desk.user)
    bert = door.program(many_devices, "asyncio")
    group = Place(GROUP, f"group-of-{desk.user}")
    members = [desk.user, bert.user]
    many_devices.order("groups", "create", group.id, members=members, name="two")
    for party in (desk, phone, bert):
        online(party)
    for place in (Place(PRIVATE, bert.user), group):
        for one, other in ((desk, phone), (phone, desk)):
            words = texts("from here")
            sent = one.send_all(place, words)
            sees_own(other, place, sent[0])
            hears(bert, one, words, sent, place=None if place is not group else group)
    for place in (Place(PRIVATE, desk.user), group):
        words = texts("for both", "of you")
        sent = bert.send_all(place, words)
        for device in (desk, phone):
            hears(device, bert, words, sent, place=None if place is not group else group)
    for device in (desk, phone, bert):
        assert device.left_over() == []


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_both_know_what_was_read(
    door: Door, many_devices: ImServer, kinds: tuple[str, str]
) -> None:
    desk = online(door.party(many_devices, kinds[0]))
    phone = online(door.party(many_devices, kinds[1], desk.user))
    bert = online(door.program(many_devices, "trio"))
    bert.send(desk.user, {"content": "read me"})
    (heard,) = desk.take(1)
    phone.take(1)
    desk.read_elsewhere(heard)
    phone.take_read_elsewhere(heard)
    unread = many_devices.order("conversations", "unread", desk.user, PRIVATE, bert.user)
    assert int(unread) == 0
    for device in (desk, phone, bert):
        assert device.left_over() == []


def test_both_see_what_was_taken_back(door: Door, many_devices: ImServer) -> None:
    desk = online(door.program(many_devices, "asyncio"))
    phone = online(door.program(many_devices, "trio", desk.user))
    bert = online(door.page(many_devices))
    sent = desk.send(bert.user, {"content": "not this"})
    sees_own(phone, Place(PRIVATE, bert.user), sent)
    bert.take(1)
    notice = desk.recall(sent)
    sees_own(phone, Place(PRIVATE, bert.user), notice, RECALL)
    (heard,) = bert.take(1)
    assert (heard.kind, heard.uid) == (RECALL, notice.uid)
    for device in (desk, phone, bert):
        assert device.left_over() == []


def test_a_device_that_comes_later_has_the_rest(door: Door, many_devices: ImServer) -> None:
    desk, bert = door.page(many_devices), online(door.program(many_devices, "trio"))
    online(desk)
    sent = desk.send_all(bert.user, texts("one", "two", "three"))
    bert.take(3)
    phone = online(door.program(many_devices, "asyncio", desk.user))
    for message in sent:
        sees_own(phone, Place(PRIVATE, bert.user), message)
    assert phone.left_over() == []


def test_both_show_a_conversation_the_same_way(door: Door, many_devices: ImServer) -> None:
    desk = online(door.page(many_devices))
    phone = online(door.page(many_devices, desk.user))
    bert = online(door.program(many_devices, "asyncio"))
    bert.send(desk.user, {"content": "important"})
    for device in (desk, phone):
        device.take(1)
        assert device.shown(bert.user) == {"isTop": False, "isMuted": False}
    desk.mute(bert.user, is_muted=True, is_top=True)
    for device in (desk, phone):
        device.settle()
        device.wait_until_shown(bert.user, {"isTop": True, "isMuted": True})
