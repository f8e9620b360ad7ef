"""What users of SDK 5 say about themselves, and who sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import Refused, online

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

NOBODY, EVERYBODY, FRIENDS = 1, 2, 3
PROFILE = 2
OWN = "OWN_USER_PROFILE_CHANGED"
NEWS = "SUBSCRIBED_USER_STATUS_CHANGE"

ANNA = {
    "name": "Anna",
    "portraitUri": "http://127.0.0.1/anna.png",
    "email": "anna@example.org",
    "birthday": "1990-01-01",
    "gender": 2,
    "location": "Bremen",
    "role": 1,
    "level": 100,
    "extraProfile": {"mood": "calm", "shoes": "42"},
}
SHORT = {name: ANNA[name] for name in ("name", "portraitUri")}


def page_of(door5: Door, server: ImServer, user: str | None = None) -> NextPage:
    page = door5.page(server, user)
    assert isinstance(page, NextPage)
    return online(page)


def test_what_one_says_others_read(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    assert bert.call("getUserProfiles", [anna.user, "stranger"]) == [
        {"userId": anna.user},
        {"userId": "stranger"},
    ]
    anna.call("updateMyUserProfile", ANNA)
    whole = {**ANNA, "userId": anna.user, "uniqueId": anna.user}
    assert bert.call("getUserProfiles", [anna.user]) == [whole]
    anna.open()
    online(anna)
    assert anna.call("getMyUserProfile") == whole
    anna.call("updateMyUserProfile", {"location": "", "extraProfile": {"mood": ""}})
    del whole["location"]
    assert bert.call("searchUserProfileByUniqueId", anna.user) == {
        **whole,
        "extraProfile": {"shoes": "42"},
    }


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"name": "x" * 65}, "24364"),
        ({"gender": 3}, "24368"),
        ({"level": 1.5}, "24367"),
        ({"extraProfile": {"a b": "1"}}, "24362"),
        ({"extraProfile": {f"k{number}": "1" for number in range(21)}}, "24363"),
    ],
)
def test_what_cannot_be_said(
    door5: Door, server: ImServer, profile: dict[str, object], code: str
) -> None:
    anna = page_of(door5, server)
    with pytest.raises(Refused, match=code):
        anna.call("updateMyUserProfile", profile)
    assert anna.call("getMyUserProfile") == {"userId": anna.user, "extraProfile": {}}


def test_who_sees_what(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    anna.call("updateMyUserProfile", ANNA)
    assert anna.call("getMyUserProfileVisibility") == 0
    for visibility in (NOBODY, FRIENDS):
        anna.call("updateMyUserProfileVisibility", visibility)
        assert anna.call("getMyUserProfileVisibility") == visibility
        with pytest.raises(Refused, match="24366"):
            bert.call("searchUserProfileByUniqueId", anna.user)
    assert bert.call("getUserProfiles", [anna.user]) == [{**SHORT, "userId": anna.user}]
    anna.call("updateMyUserProfileVisibility", EVERYBODY)
    assert bert.call("searchUserProfileByUniqueId", anna.user)["email"] == ANNA["email"]
    with pytest.raises(Refused, match="24366"):
        bert.call("searchUserProfileByUniqueId", "stranger")


def test_who_follows_a_profile_is_told(door5: Door, server: ImServer) -> None:
    anna, bert = page_of(door5, server), page_of(door5, server)
    bert.call("subscribeUserStatus", [anna.user], PROFILE, 3600)
    bert.settle()
    anna.call("updateMyUserProfile", {"name": "Anna"})
    (told,) = bert.wait_event(NEWS)
    assert (told["subscribeType"], told["userProfile"]["name"]) == (PROFILE, "Anna")
    server.order("users", "register", anna.user, name="Anne")
    (told,) = bert.wait_event(NEWS, count=2)
    assert told["userProfile"]["name"] == "Anne"
    bert.call("unSubscribeUserStatus", [anna.user], PROFILE)
    anna.call("updateMyUserProfile", {"name": "Annette"})
    bert.settle()
    assert len(bert.events(NEWS)) == 2


def test_many_profiles_are_followed_at_once(door5: Door, server: ImServer) -> None:
    """The SDK asks for all of them in one request."""
    anna, bert = page_of(door5, server), page_of(door5, server)
    everybody = [anna.user, *(f"stranger-{number}" for number in range(199))]
    bert.call("subscribeUserStatus", everybody, PROFILE, 3600)
    bert.settle()
    anna.call("updateMyUserProfile", {"name": "Anna"})
    (told,) = bert.wait_event(NEWS)
    assert told["userProfile"]["name"] == "Anna"
    bert.open()
    online(bert)
    bert.wait_event("SYNC_SUBSCRIBED_USER_STATUS_FINISHED")
    assert len(bert.call("getSubscribeUserList", PROFILE, 200, 0)) == 200


def test_the_own_other_device_hears_of_it(door5: Door, many_devices: ImServer) -> None:
    desk = page_of(door5, many_devices)
    phone = page_of(door5, many_devices, desk.user)
    desk.call("updateMyUserProfile", {"name": "Anna"})
    assert phone.wait_event(OWN)["name"] == "Anna"
    assert phone.call("getMyUserProfile")["name"] == "Anna"


def test_where_profiles_are_off(door5: Door, lone_server: ImServer) -> None:
    lone_server.settings["IMPROTO_USERS_PROFILES"] = "false"
    lone_server.start()
    anna = page_of(door5, lone_server)
    with pytest.raises(Refused, match="24369"):
        anna.call("getMyUserProfile")
