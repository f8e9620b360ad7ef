"""What users of SDK 5 set for their conversations and for themselves, the same on all devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import GROUP, PRIVATE, Place, Refused, online
from tests.interop.sdk import IMLIB_2_9_2

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

ALL, NOT_SET, MENTIONS, NOTHING = -1, 0, 1, 5
"""Levels of notification, as the SDK has them (sdk5 8.3)."""


def of(user: str, type: int = PRIVATE) -> dict[str, Any]:
    """A conversation, as the SDK wants it."""
    return {"conversationType": type, "targetId": user}


def listed(device: NextPage, function: str) -> list[str]:
    return [each["targetId"] for each in device.call(function)]


def device_of(door5: Door, server: ImServer, user: str | None = None) -> NextPage:
    page = door5.page(server, user)
    assert isinstance(page, NextPage)
    return online(page)


def devices(door5: Door, server: ImServer) -> tuple[NextPage, NextPage, str]:
    """Two of a user, who has heard from somebody; the latter's name."""
    desk = device_of(door5, server)
    phone = device_of(door5, server, desk.user)
    bert = online(door5.program(server, "asyncio"))
    bert.send(desk.user, {"content": "hello"})
    for device in (desk, phone):
        device.take(1)
    return desk, phone, bert.user


def test_levels_of_a_conversation(door5: Door, many_devices: ImServer) -> None:
    desk, phone, bert = devices(door5, many_devices)
    setting = (desk, phone)
    for number, level in enumerate((NOTHING, MENTIONS, ALL, NOT_SET)):
        one, other = setting[number % 2], setting[1 - number % 2]
        heard = len(other.events("CONVERSATION"))
        one.call("setConversationNotificationLevel", of(bert), level)
        other.wait_event("CONVERSATION", count=heard + 1)
        for device in setting:
            assert device.call("getConversationNotificationLevel", of(bert)) == level
            blocked = [bert] if level in (NOTHING, MENTIONS) else []
            assert listed(device, "getBlockedConversationList") == blocked


def test_what_is_on_top(door5: Door, many_devices: ImServer) -> None:
    desk, phone, bert = devices(door5, many_devices)
    desk.call("setConversationNotificationLevel", of(bert), NOTHING)
    for is_top in (True, False):
        heard = len(phone.events("CONVERSATION"))
        desk.call("setConversationToTop", of(bert), is_top)
        phone.wait_event("CONVERSATION", count=heard + 1)
        for device in (desk, phone):
            assert listed(device, "getTopConversationList") == ([bert] if is_top else [])
            assert device.call("getConversationNotificationLevel", of(bert)) == NOTHING
    # Another one, which was not there, has it all.
    late = device_of(door5, many_devices, desk.user)
    late.wait_event("CONVERSATIONS_SETTINGS_SYNCED")
    assert late.call("getConversationNotificationLevel", of(bert)) == NOTHING


def test_the_strategy_of_translation(door5: Door, many_devices: ImServer) -> None:
    desk, phone, bert = devices(door5, many_devices)
    heard = len(phone.events("CONVERSATION"))
    desk.call("batchSetConversationTranslateStrategy", [of(bert)], 2)
    phone.wait_event("CONVERSATION", count=heard + 1)
    for device in (desk, phone):
        assert device.call("getConversation", of(bert))["translateStrategy"] == 2


def test_levels_of_types(door5: Door, many_devices: ImServer) -> None:
    desk, phone, bert = devices(door5, many_devices)
    desk.call("setConversationTypeNotificationLevel", GROUP, NOTHING)
    # For this the SDK has no event; it is told before what comes next.
    heard = len(phone.events("CONVERSATION"))
    desk.call("setConversationToTop", of(bert), True)
    phone.wait_event("CONVERSATION", count=heard + 1)
    for device in (desk, phone):
        assert device.call("getConversationTypeNotificationLevel", GROUP) == NOTHING
        assert device.call("getConversationTypeNotificationLevel", PRIVATE) == NOT_SET
    phone.call("setConversationTypeNotificationLevel", GROUP, NOT_SET)
    heard = len(desk.events("CONVERSATION"))
    phone.call("setConversationToTop", of(bert), False)
    desk.wait_event("CONVERSATION", count=heard + 1)
    for device in (desk, phone):
        assert device.call("getConversationTypeNotificationLevel", GROUP) == NOT_SET


def tags(device: NextPage) -> dict[str, str]:
    return {tag["tagId"]: tag["tagName"] for tag in device.call("getTags")}


def test_tags(door5: Door, many_devices: ImServer) -> None:
    desk, phone, bert = devices(door5, many_devices)
    desk.call("addTag", {"tagId": "work", "tagName": "Work"})
    phone.wait_event("TAG", count=1)
    phone.call("addTag", {"tagId": "fun", "tagName": "Fun"})
    desk.wait_event("TAG", count=1)
    for device in (desk, phone):
        assert tags(device) == {"work": "Work", "fun": "Fun"}
    desk.call("updateTag", {"tagId": "work", "tagName": "Job"})
    phone.wait_event("TAG", count=2)
    assert tags(phone) == {"work": "Job", "fun": "Fun"}
    with pytest.raises(Refused):
        phone.call("addTag", {"tagId": "work", "tagName": "Work"})

    heard = len(phone.events("CONVERSATION_TAG"))
    desk.call("addConversationsToTag", "work", [of(bert)])
    phone.wait_event("CONVERSATION_TAG", count=heard + 1)
    for device in (desk, phone):
        (tagged,) = device.call("getConversationsFromTagByPage", "work", 100, 0)
        assert (tagged["targetId"], bool(tagged["isTopInTag"])) == (bert, False)
        (tag,) = device.call("getTagsFromConversation", of(bert))
        assert tag == {"tagId": "work", "tagName": "Job"}
    desk.call("setConversationToTopInTag", "work", of(bert), True)
    phone.wait_event("CONVERSATION_TAG", count=heard + 2)
    (tagged,) = phone.call("getConversationsFromTagByPage", "work", 100, 0)
    assert tagged["isTopInTag"]
    phone.call("removeConversationsFromTag", "work", [of(bert)])
    heard = len(desk.events("CONVERSATION_TAG"))
    phone.call("addConversationsToTag", "fun", [of(bert)])
    desk.wait_event("CONVERSATION_TAG", count=heard + 1)
    desk.settle()
    for device in (desk, phone):
        assert device.call("getConversationsFromTagByPage", "work", 100, 0) == []
        assert device.call("getTagsFromConversation", of(bert)) == [
            {"tagId": "fun", "tagName": "Fun"}
        ]

    heard = len(desk.events("TAG"))
    phone.call("removeTag", "fun")
    desk.wait_event("TAG", count=heard + 1)
    for device in (desk, phone):
        assert tags(device) == {"work": "Job"}
        device.settle()
        assert device.call("getTagsFromConversation", of(bert)) == []


def test_how_many_tags(door5: Door, many_devices: ImServer) -> None:
    desk = device_of(door5, many_devices)
    for number in range(20):
        desk.call("addTag", {"tagId": f"t{number}", "tagName": "Tag"})
    with pytest.raises(Refused) as refusal:
        desk.call("addTag", {"tagId": "t20", "tagName": "Tag"})
    assert refusal.value.code == 26004
    assert len(tags(desk)) == 20


def test_quiet_hours(door5: Door, many_devices: ImServer) -> None:
    desk = device_of(door5, many_devices)
    phone = device_of(door5, many_devices, desk.user)
    none = {"spanMinutes": 0, "startTime": "", "level": NOT_SET}
    assert phone.call("getNotificationQuietHoursSetting") == none
    hours = {
        "startTime": "22:30:00",
        "spanMinutes": 600,
        "level": NOTHING,
        "timezone": "Europe/Berlin",
    }
    desk.call("setNotificationQuietHoursWithSetting", hours)
    assert phone.call("getNotificationQuietHoursSetting") == hours
    with pytest.raises(Refused) as refusal:
        desk.call("setNotificationQuietHoursWithSetting", hours | {"startTime": "99:00:00"})
    assert refusal.value.code == 26001
    phone.call("removeNotificationQuietHoursSetting")
    assert desk.call("getNotificationQuietHoursSetting") == none


def test_translation(door5: Door, many_devices: ImServer) -> None:
    desk = device_of(door5, many_devices)
    phone = device_of(door5, many_devices, desk.user)
    desk.call("setTranslationLanguage", "de")
    assert phone.wait_event("USER_SETTINGS_CHANGED", count=1)["value"] == "de"
    phone.call("setAutoTranslateEnabled", True)
    assert desk.wait_event("USER_SETTINGS_CHANGED")["value"] in ("de", True)
    desk.settle()
    for device in (desk, phone, device_of(door5, many_devices, desk.user)):
        device.settle()
        assert device.call("getTranslationLanguage") == "de"
        assert device.call("getAutoTranslateEnabled") is True


def test_both_generations_show_the_same(door5: Door, many_devices: ImServer) -> None:
    new, _, bert = devices(door5, many_devices)
    old = online(door5.page(many_devices, new.user, sdk=IMLIB_2_9_2))
    for level, is_muted in ((NOTHING, True), (ALL, False), (MENTIONS, True)):
        new.call("setConversationNotificationLevel", of(bert), level)
        old.wait_until_shown(bert, {"isTop": False, "isMuted": is_muted})
    new.call("setConversationToTop", of(bert), True)
    old.wait_until_shown(bert, {"isTop": True, "isMuted": True})
    new.call("setConversationTypeNotificationLevel", GROUP, NOTHING)
    heard = len(new.events("CONVERSATION"))
    old.mute(bert, is_muted=False, is_top=True)
    new.wait_event("CONVERSATION", count=heard + 1)
    assert new.call("getConversationNotificationLevel", of(bert)) == NOT_SET
    assert listed(new, "getTopConversationList") == [bert]

    place = Place(PRIVATE, bert)
    new.call("addTag", {"tagId": "work", "tagName": "Work"})
    new.call("addTag", {"tagId": "fun", "tagName": "Fun"})
    new.call("addConversationsToTag", "work", [of(bert)])
    new.call("addConversationsToTag", "fun", [of(bert)])
    for tag in ("work", "fun"):
        old.wait_until_tagged(tag, [place])
    old.remove_tag("work")
    new.wait_until_tagged("work", [])
    assert tags(new) == {"fun": "Fun"}
    old.wait_until_shown(bert, {"isTop": True, "isMuted": False})
