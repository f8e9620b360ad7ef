"""Tags of conversations, the same on all devices of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import PRIVATE, Place, Refused, nothing_more, online
from tests.interop.test_groups import group_of

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kind", ["page", "program"])
def test_both_devices_have_the_same_tags(door: Door, many_devices: ImServer, kind: str) -> None:
    desk = door.page(many_devices)
    phone = door.party(many_devices, kind, desk.user)
    bert, carl = (door.program(many_devices, "asyncio") for _ in range(2))
    group = group_of(many_devices, desk, bert)
    for party in (desk, phone, bert, carl):
        online(party)
    for sender, place in ((bert, desk.user), (carl, desk.user), (bert, group)):
        sender.send(place, {"content": "hello"})
        for device in (desk, phone):
            device.take(1)
    private = [Place(PRIVATE, sender.user) for sender in (bert, carl)]

    desk.make_tag("work", "Work")
    desk.tag("work", [private[0], group])
    phone.wait_until_tagged("work", [private[0], group])
    phone.make_tag("fun", "Fun")
    phone.tag("fun", [private[1]])
    for device in (phone, desk):
        device.wait_until_tagged("fun", [private[1]])
    with pytest.raises(Refused):
        desk.tag("no such", private)
    phone.remove_tag("work")
    for device in (phone, desk):
        device.wait_until_tagged("work", [])
        device.wait_until_tagged("fun", [private[1]])
    nothing_more(desk, phone, bert, carl)
