"""Following the status of others with SDK 5, whatever they come with themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import Refused, online

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

STATUS = 1
WEB = 3
HOUR = 3600
NEWS = "SUBSCRIBED_USER_STATUS_CHANGE"
CHANGED = "SUBSCRIBED_RELATION_CHANGE"


def page_of(door5: Door, server: ImServer, user: str | None = None) -> NextPage:
    page = door5.page(server, user)
    assert isinstance(page, NextPage)
    return online(page)


def news(page: NextPage, count: int) -> dict[str, Any]:
    """Whom the so many-th news is about, and whether he is online."""
    (told,) = page.wait_event(NEWS, count=count)
    assert told["subscribeType"] == STATUS
    return {told["userId"]: [(each["platform"], each["eventValue"]) for each in told["details"]]}


def statuses(page: NextPage, *users: str) -> dict[str, bool]:
    """Who is online, of those about whom there is an answer."""
    found = page.call("getSubscribeUsersOnlineStatus", users)
    return {each["userId"]: each["isOnline"] for each in found}


def followed(page: NextPage) -> list[tuple[str, int]]:
    """Who is followed, and for how many seconds."""
    found = page.call("getSubscribeUserList", STATUS, 100, 0)
    return [(each["userId"], each["expiry"]) for each in found]


@pytest.mark.parametrize("kind", ["5.38.0", "2.9.2", "asyncio"])
def test_coming_and_going(door5: Door, server: ImServer, kind: str) -> None:
    anna, bert = page_of(door5, server), door5.party(server, kind)
    anna.call("subscribeUserStatus", [bert.user], STATUS, HOUR)
    assert news(anna, 1) == {bert.user: [(WEB, 0)]}
    assert statuses(anna, bert.user) == {bert.user: False}
    online(bert)
    assert news(anna, 2) == {bert.user: [(WEB, 1)]}
    assert statuses(anna, bert.user) == {bert.user: True}
    bert.disconnect()
    assert news(anna, 3) == {bert.user: [(WEB, 0)]}
    assert statuses(anna, bert.user) == {bert.user: False}


def test_who_does_not_want_to_know_any_more(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    carl = door5.program(server, "asyncio")
    anna.call("subscribeUserStatus", [bert.user, carl.user], STATUS, HOUR)
    anna.wait_event(NEWS)
    assert sorted(followed(anna)) == sorted([(bert.user, HOUR), (carl.user, HOUR)])
    anna.call("unSubscribeUserStatus", [bert.user], STATUS)
    bert.disconnect()
    # What comes later is told, so what came earlier was not.
    carl.connect()
    assert news(anna, 2) == {carl.user: [(WEB, 1)]}
    assert followed(anna) == [(carl.user, HOUR)]
    assert statuses(anna, bert.user, carl.user) == {carl.user: True}


def test_a_subscription_is_there_after_a_reload_and_runs_out(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    anna.call("subscribeUserStatus", [bert.user], STATUS, 60)
    anna.wait_event(NEWS)
    anna.open()
    online(anna)
    anna.wait_event("SYNC_SUBSCRIBED_USER_STATUS_FINISHED")
    assert followed(anna) == [(bert.user, 60)]
    assert statuses(anna, bert.user) == {bert.user: True}
    bert.disconnect()
    assert news(anna, 1) == {bert.user: [(WEB, 0)]}
    anna.script("() => { const real = Date.now; Date.now = () => real() + 61000; }")
    assert followed(anna) == []


def test_another_device_follows_the_same(door5: Door, many_devices: ImServer) -> None:
    desk, bert = page_of(door5, many_devices), page_of(door5, many_devices)
    phone = page_of(door5, many_devices, desk.user)
    desk.call("subscribeUserStatus", [bert.user], STATUS, HOUR)
    (change,) = phone.wait_event(CHANGED)
    assert (change["userId"], change["expiry"], change["operationType"]) == (bert.user, HOUR, 0)
    assert news(phone, 1) == {bert.user: [(WEB, 1)]}
    desk.call("unSubscribeUserStatus", [bert.user], STATUS)
    (change,) = phone.wait_event(CHANGED, count=2)
    assert (change["userId"], change["operationType"]) == (bert.user, 1)
    assert followed(phone) == []


def test_what_is_refused(door5: Door, server: ImServer) -> None:
    anna = page_of(door5, server)
    with pytest.raises(Refused, match="33003"):
        anna.call("subscribeUserStatus", ["no user"], STATUS, HOUR)
    assert followed(anna) == []


def test_where_subscriptions_are_off(door5: Door, lone_server: ImServer) -> None:
    lone_server.settings["IMPROTO_USERS_SUBSCRIPTIONS"] = "false"
    lone_server.start()
    anna = page_of(door5, lone_server)
    with pytest.raises(Refused, match="26020"):
        anna.call("subscribeUserStatus", ["bert"], STATUS, HOUR)
