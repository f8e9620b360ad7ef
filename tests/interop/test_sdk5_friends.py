"""Users of SDK 5 who make friends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import Refused, online

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

BOTH = 2
FREE, NEED_VERIFY, NO_ONE = 1, 2, 3
SENT, RECEIVED = 1, 2
UNHANDLED, ACCEPTED, REFUSED = 0, 1, 2
MUST_ACCEPT = 25461
ADDED = "FRIEND_ADDED"
DELETED = "FRIEND_DELETE"
CLEARED = "FRIEND_CLEARED"
APPLICATION = "FRIEND_APPLICATION_STATUS_CHANGED"
NOTED = "FRIEND_INFO_CHANGED_SYNC"
NEWS = "SUBSCRIBED_USER_STATUS_CHANGE"


def page_of(door5: Door, server: ImServer, user: str | None = None) -> NextPage:
    page = door5.page(server, user)
    assert isinstance(page, NextPage)
    return online(page)


def befriended(server: ImServer, one: NextPage, *others: NextPage) -> None:
    """Make friends of one, without asking; everybody has heard of it."""
    for count, other in enumerate(others, 1):
        server.order("friends", "befriend", one.user, other.user)
        one.wait_event(ADDED, count=count)
        other.wait_event(ADDED)


def friends(page: NextPage) -> list[str]:
    found = page.call("getFriends", BOTH, {"count": 50, "order": True})
    return [one["userId"] for one in found["data"]]


def applications(page: NextPage) -> list[tuple[str, int, int, str]]:
    """The other one, type, status and what was said."""
    found = page.call("getFriendApplications", {"count": 50, "order": True})
    return [
        (one["userId"], one["applicationType"], one["applicationStatus"], one["extra"])
        for one in found["data"]
    ]


def application(page: NextPage, count: int) -> tuple[str, int, int, str]:
    """The same, of the so many-th event."""
    data = page.wait_event(APPLICATION, count=count)
    assert data["directionType"] == BOTH
    return data["userId"], data["applicationType"], data["applicationStatus"], data["extra"]


def test_somebody_is_asked_and_accepts(door5: Door, server: ImServer) -> None:
    """The SDK asks twice; the other one hears of it once."""
    anna, bert = page_of(door5, server), page_of(door5, server)
    anna.call("updateMyUserProfile", {"name": "Anna", "portraitUri": "http://127.0.0.1/a.png"})
    assert anna.call("addFriend", bert.user, BOTH, "It is me") == {"processCode": MUST_ACCEPT}
    assert application(anna, 1) == (bert.user, SENT, UNHANDLED, "It is me")
    assert application(bert, 1) == (anna.user, RECEIVED, UNHANDLED, "It is me")
    assert applications(bert) == [(anna.user, RECEIVED, UNHANDLED, "It is me")]
    assert (friends(anna), friends(bert)) == ([], [])
    bert.call("acceptFriendApplication", anna.user)
    added: dict[str, Any] = bert.wait_event(ADDED)
    assert (added["userId"], added["directionType"]) == (anna.user, BOTH)
    assert (added["name"], added["portraitUri"]) == ("Anna", "http://127.0.0.1/a.png")
    assert anna.wait_event(ADDED)["userId"] == bert.user
    assert applications(anna) == [(bert.user, SENT, ACCEPTED, "It is me")]
    (info,) = bert.call("getFriends", BOTH)["data"]
    assert info.pop("addTime") <= added["operationTime"]
    assert info == {
        "userId": anna.user,
        "name": "Anna",
        "portraitUri": "http://127.0.0.1/a.png",
        "remark": "",
        "directionType": BOTH,
        "extProfile": {},
        "inBlackList": False,
    }
    assert friends(anna) == [bert.user]
    assert len(bert.events(APPLICATION)) == len(bert.events(ADDED)) == 1


def test_somebody_is_asked_and_refuses(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    anna.call("addFriend", bert.user, BOTH)
    anna.settle()
    bert.call("refuseFriendApplication", anna.user)
    assert application(bert, 2) == (anna.user, RECEIVED, REFUSED, "")
    assert application(anna, 2) == (bert.user, SENT, REFUSED, "")
    assert applications(anna) == [(bert.user, SENT, REFUSED, "")]
    with pytest.raises(Refused, match="25466"):
        bert.call("acceptFriendApplication", anna.user)
    assert friends(bert) == []


def test_who_may_ask(door5: Door, server: ImServer) -> None:
    anna, bert, carl = (page_of(door5, server) for _ in range(3))
    assert bert.call("getFriendAddPermission") == NEED_VERIFY
    bert.call("setFriendAddPermission", NO_ONE)
    with pytest.raises(Refused, match="25471"):
        anna.call("addFriend", bert.user, BOTH)
    bert.call("setFriendAddPermission", FREE)
    assert bert.call("getFriendAddPermission") == FREE
    assert anna.call("addFriend", bert.user, BOTH) == {"processCode": 0}
    assert bert.wait_event(ADDED)["userId"] == anna.user
    with pytest.raises(Refused, match="25460"):
        anna.call("addFriend", bert.user, BOTH)
    with pytest.raises(Refused, match="25473"):
        anna.call("addFriend", anna.user, BOTH)
    with pytest.raises(Refused, match="25472"):
        anna.call("addFriend", "no user", BOTH)
    server.block(bert.user, carl.user)
    with pytest.raises(Refused, match="25462"):
        carl.call("addFriend", bert.user, BOTH)
    with pytest.raises(Refused, match="25464"):
        bert.call("addFriend", carl.user, BOTH)
    assert friends(bert) == [anna.user]


def test_friends_part(door5: Door, server: ImServer) -> None:
    anna, bert, carl = (page_of(door5, server) for _ in range(3))
    befriended(server, anna, bert, carl)
    anna.call("deleteFriends", [bert.user], BOTH)
    gone = anna.wait_event(DELETED)
    assert (gone["userIds"], gone["directionType"]) == ([bert.user], BOTH)
    assert bert.wait_event(DELETED)["userIds"] == [anna.user]
    assert (friends(anna), friends(bert)) == ([carl.user], [])
    with pytest.raises(Refused, match="25469"):
        anna.call("deleteFriends", [bert.user], BOTH)
    server.order("friends", "clear", anna.user)
    assert anna.wait_event(CLEARED) > gone["operationTime"]
    assert carl.wait_event(DELETED)["userIds"] == [anna.user]


def test_what_one_notes_of_a_friend(door5: Door, many_devices: ImServer) -> None:
    anna, bert = page_of(door5, many_devices), page_of(door5, many_devices)
    befriended(many_devices, anna, bert)
    phone = page_of(door5, many_devices, anna.user)
    anna.call("setFriendInfo", bert.user, "Bertie", {"shoes": "44"})
    for page in (anna, phone):
        noted = page.wait_event(NOTED)
        assert (noted["userId"], noted["remark"]) == (bert.user, "Bertie")
    (info,) = phone.call("getFriendsInfo", [bert.user, "stranger"])
    assert (info["remark"], info["extProfile"]) == ("Bertie", {"shoes": "44"})
    (info,) = bert.call("getFriendsInfo", [anna.user])
    assert (info["remark"], info["extProfile"]) == ("", {})
    with pytest.raises(Refused, match="25470"):
        anna.call("setFriendInfo", bert.user, "Bertie", {"shoes": "4" * 257})
    with pytest.raises(Refused, match="25469"):
        anna.call("setFriendInfo", "stranger", "Strange", {})
    assert bert.events(NOTED) == []


def test_the_own_other_device_hears_of_it(door5: Door, many_devices: ImServer) -> None:
    desk, bert = page_of(door5, many_devices), page_of(door5, many_devices)
    phone = page_of(door5, many_devices, desk.user)
    desk.call("addFriend", bert.user, BOTH, "Hello")
    assert application(phone, 1) == (bert.user, SENT, UNHANDLED, "Hello")
    desk.settle()
    bert.call("acceptFriendApplication", desk.user)
    assert phone.wait_event(ADDED)["userId"] == bert.user
    phone.call("deleteFriends", [bert.user], BOTH)
    assert desk.wait_event(DELETED)["userIds"] == [bert.user]


def test_who_is_a_friend(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    befriended(server, anna, bert)
    assert anna.call("checkFriends", [bert.user, "stranger"], BOTH) == [
        {"userId": bert.user, "relationType": 3},
        {"userId": "stranger", "relationType": 0},
    ]


def test_lists_come_page_by_page(door5: Door, server: ImServer) -> None:
    anna = page_of(door5, server)
    expected = [f"friend-{number}" for number in range(5)]
    for other in expected:
        server.order("friends", "befriend", anna.user, other)
    for asked in ("x1", "x2", "x3"):
        anna.call("addFriend", asked, BOTH)
        anna.settle()
    for order, in_order in ((True, expected), (False, expected[::-1])):
        assert walk(anna, "getFriends", BOTH, order=order) == in_order
    assert walk(anna, "getFriendApplications", order=True) == ["x1", "x2", "x3"]
    with pytest.raises(Refused, match="25432"):
        anna.call("getFriends", BOTH, {"pageToken": "nowhere"})


def walk(page: NextPage, name: str, *arguments: Any, order: bool) -> list[str]:
    """All of a list, two entries at a time."""
    found: list[str] = []
    token = ""
    while True:
        option = {"count": 2, "order": order, "pageToken": token}
        answer = page.call(name, *arguments, option)
        assert len(answer["data"]) <= 2
        found += [one["userId"] for one in answer["data"]]
        token = answer["pageToken"]
        if not token:
            return found


def test_friends_see_each_other_come_and_go(door5: Door, server: ImServer) -> None:
    """Nobody has subscribed to anybody."""
    anna, bert = page_of(door5, server), page_of(door5, server)
    befriended(server, anna, bert)
    bert.disconnect()
    (told,) = anna.wait_event(NEWS)
    assert (told["userId"], told["subscribeType"]) == (bert.user, 3)
    assert [each["eventValue"] for each in told["details"]] == [0]


def test_where_profiles_are_off(door5: Door, lone_server: ImServer) -> None:
    """The SDK itself refuses, and sends a request all the same."""
    lone_server.settings["IMPROTO_USERS_PROFILES"] = "false"
    lone_server.start()
    anna = page_of(door5, lone_server)
    for name, arguments in (("addFriend", ("bert", BOTH)), ("getFriends", (BOTH,))):
        with pytest.raises(Refused, match="24369"):
            anna.call(name, *arguments)
    anna.settle()
