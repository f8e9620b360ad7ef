"""What only SDK 5 has and does: its functions and events, reached by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import Refused, nothing_more, online

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.next_page import NextPage
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

AT_START = {
    "CONNECTING": 1,
    "CONNECTED": 1,
    "ROBOTS_SYNCED": 1,
    "USER_SETTINGS_SYNCED": 1,
    "CONVERSATIONS_SETTINGS_SYNCED": 1,
    "PULL_OFFLINE_MESSAGE_FINISHED": 1,
    "MESSAGE_MODIFIED_SYNC_COMPLETED": 1,
}
"""Events of a login that every server causes, and how often."""


def test_functions_are_called_and_events_heard_by_their_names(
    door5: Door, server: ImServer
) -> None:
    anna, bert = online(door5.page(server)), online(door5.page(server))
    assert anna.call("getCurrentUserId") == anna.user
    place = {"conversationType": 1, "targetId": bert.user}
    message = {"$new": ["TextMessage", {"content": "hello"}]}
    sent = anna.call("sendMessage", place, message, {"canIncludeExpansion": True})
    (heard,) = bert.wait_event("MESSAGES")["messages"]
    assert (heard["messageUId"], heard["content"]) == (sent["messageUId"], {"content": "hello"})
    bert.take(1)
    bert.call("updateMessageExpansion", {"seen": "yes"}, {"$message": sent["messageUId"]})
    news = anna.wait_event("EXPANSION")["updatedExpansion"]
    assert news["expansion"] == {"seen": "yes"}
    with pytest.raises(Refused):
        anna.call("removeMessageExpansionForKey", [], {"$message": sent["messageUId"]})
    nothing_more(anna, bert)


@pytest.mark.parametrize("answer", ["nobody", "not found", "nothing to say"])
def test_what_it_asks_of_its_vendor_changes_nothing(
    door5: Door, server: ImServer, answer: str
) -> None:
    """It is connected before any of its timers, so also a time-out, could have gone off."""
    first, page = door5.page(server), door5.page(server)
    if answer != "nobody":
        page.answer_others({"not found": 404, "nothing to say": 200}[answer])
        page.attempts.clear()
        page.open()
    page.hold_clock()
    page.stop_clock()
    for each in (first, page):
        each.connect()
        for event, count in AT_START.items():
            each.wait_event(event, count=count)
        each.settle()
    assert tuple(page.statuses) == page.sdk.connected
    assert told(page) == told(first)
    assert page.attempts


def told(page: NextPage) -> list[str]:
    """All events with their data; they may come in any order."""
    return sorted(map(str, page.script("() => im.events")))
