"""Friends: asking, answering, parting, and what everybody is told (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pytest

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError, friend_changes, friend_rules
from improto_server.services.friend_rules import (
    ApplicationStatus,
    ApplicationType,
    FriendEvent,
    Permission,
)
from improto_server.store import friends as table
from improto_server.system import UserRules
from tests.server.group_tools import OK, Someone, pairs, party
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

M = TypeVar("M", bound=payloads.Message)

MUST_ACCEPT = ErrorCode.RC_FRIEND_NEED_ACCEPT
BAD = ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR
SENT, RECEIVED = ApplicationType
UNHANDLED, ACCEPTED, REFUSED, EXPIRED = ApplicationStatus
DAY = 86400.0
DATA = {
    FriendEvent.ASKED: payloads.FriendApplyEvent,
    FriendEvent.REFUSED: payloads.FriendApplyEvent,
    FriendEvent.ADDED: payloads.FriendUserInfo,
    FriendEvent.REMOVED: payloads.FriendsInput,
    FriendEvent.DESCRIBED: payloads.FriendUpdateEvent,
}


class News(NamedTuple):
    """What somebody is told."""

    kind: FriendEvent
    about: str
    operator: str
    data: Any


class Friendly(Someone):
    """A user with SDK 5 who makes friends."""

    def add(self, other: str, info: str = "") -> int:
        """``addFriend``: the status, or the process code of a good answer."""
        request = payloads.FriendInput(targetId=other, type=2, info=info)
        status, data = self.raw(Topic.FRIEND_ADD, request, self.name)
        return status or payloads.decode(payloads.ChannelsOutput, data).processCode

    def accept(self, other: str) -> int:
        """``acceptFriendApplication``"""
        request = payloads.FriendInput(targetId=other, type=1)
        return self.status(Topic.FRIEND_HANDLE, request, self.name)

    def refuse(self, other: str, info: str = "") -> int:
        """``refuseFriendApplication``"""
        request = payloads.FriendInput(targetId=other, type=2, info=info)
        return self.status(Topic.FRIEND_HANDLE, request, self.name)

    def remove(self, *others: str) -> int:
        """``deleteFriends``"""
        request = payloads.FriendsInput(targetId=others, type=2)
        return self.status(Topic.FRIEND_DEL, request, self.name)

    def describe(
        self, other: str, remark: str | None = None, **extra: str
    ) -> tuple[int, list[str]]:
        """``setFriendInfo``: the status, and what is wrong."""
        request = payloads.FriendProfileInput(
            targetId=other, remarkName=remark, extProfile=pairs(extra)
        )
        status, data = self.raw(Topic.FRIEND_SET_PF, request, self.name)
        wrong = payloads.decode(payloads.FriendProfileOutput, data)
        return status, list(wrong.censorFailedFields)

    def permit(self, level: int) -> int:
        """``setFriendAddPermission``"""
        request = payloads.FriendLevelSet(level=level)
        return self.status(Topic.FRIEND_AUTH_SET, request, self.name)

    def permission(self) -> int:
        """``getFriendAddPermission``"""
        request = payloads.FriendInput(targetId=self.name)
        return self.ask(Topic.FRIEND_AUTH_GET, request, payloads.FriendLevelSet, self.name).level

    def check(self, *others: str) -> dict[str, int]:
        """``checkFriends``"""
        request = payloads.FriendsInput(targetId=others, type=2)
        found = self.ask(Topic.FRIEND_CHECK, request, payloads.FriendsCheckOutput, self.name)
        return {one.targetId: one.status for one in found.list}

    def infos(self, *others: str) -> list[payloads.FriendUserInfo]:
        """``getFriendsInfo``"""
        request = payloads.FriendsListInput(targetId=others)
        found = self.ask(Topic.FRIENDS_INFO_QRY, request, payloads.FriendUserInfos, self.name)
        return list(found.list)

    def page(self, type: int, kind: Any, **page: Any) -> tuple[list[Any], str]:
        """One page of a list, and the token of the next one."""
        request = payloads.FriendQueryInput(
            queryType=type,
            friendType=2 if type == 11 else None,
            page=payloads.ChannelsPageParam(**page),
        )
        found = self.ask(Topic.FRIENDS_QUERY, request, payloads.ChannelsListResult, self.name)
        assert found.listType == type
        assert found.HasField("page")
        assert found.page.hasNext == bool(found.page.pageToken)
        return list(payloads.decode(kind, found.result).list), found.page.pageToken

    def friends(self, **page: Any) -> list[str]:
        """``getFriends``: their ids."""
        return [one.userId for one in self.page(11, payloads.FriendUserInfos, **page)[0]]

    def applications(self, **page: Any) -> list[tuple[str, int, int]]:
        """``getFriendApplications``: the other one, type and status."""
        found, _ = self.page(12, payloads.FriendInviteInfos, **page)
        return [(one.userId, one.type, one.status) for one in found]

    def news(self) -> list[News]:
        """What has happened since the last look."""
        found = []
        for event in self.events():
            assert event.kind == 31
            kind = FriendEvent(event.sub)
            data = event.change.eventData
            decoded = payloads.decode(DATA[kind], data) if data else None
            found.append(News(kind, event.group, event.operator, decoded))
        return found


def people(path: Path, **options: Any) -> tuple[Rig, Friendly, Friendly, Friendly]:
    """ann, bob and carl; the first two have names."""
    rig = Rig(path, **options)
    users = rig.system.users
    rig.do(users.register(APP, "ann", name="Ann", portrait="http://a/ann.png"))
    rig.do(users.register(APP, "bob", name="Bob"))
    ann, bob, carl = (Friendly(rig, name) for name in ("ann", "bob", "carl"))
    return rig, ann, bob, carl


def friends(path: Path, **options: Any) -> tuple[Rig, Friendly, Friendly, Friendly]:
    """ann is a friend of bob and of carl."""
    rig, ann, bob, carl = people(path, **options)
    for other in ("bob", "carl"):
        rig.do(rig.system.friends.befriend(APP, "ann", other))
        rig.advance(1)
    for one in (ann, bob, carl):
        one.events()
    return rig, ann, bob, carl


# -- asking and answering ----------------------------------------------------------------


def test_somebody_is_asked_and_accepts(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    assert ann.add("bob", "It is me") == MUST_ACCEPT
    ((kind, about, operator, data),) = ann.news()
    assert (kind, about, operator) == (FriendEvent.ASKED, "bob", "ann")
    assert data == payloads.FriendApplyEvent(
        applyType=SENT, friendType=2, info="It is me", name="Bob", portraitUrl=""
    )
    ((kind, about, operator, data),) = bob.news()
    assert (kind, about, operator) == (FriendEvent.ASKED, "ann", "ann")
    assert data == payloads.FriendApplyEvent(
        applyType=RECEIVED,
        friendType=2,
        info="It is me",
        name="Ann",
        portraitUrl="http://a/ann.png",
    )
    (asked,), _ = bob.page(12, payloads.FriendInviteInfos)
    assert asked == payloads.FriendInviteInfo(
        userId="ann",
        name="Ann",
        portraitUrl="http://a/ann.png",
        type=RECEIVED,
        status=UNHANDLED,
        operateTime=START,
        info="It is me",
        friendType=2,
    )
    assert ann.applications() == [("bob", SENT, UNHANDLED)]
    assert (ann.friends(), bob.friends()) == ([], [])
    rig.advance(5)
    assert bob.accept("ann") == OK
    for one, other in ((ann, "bob"), (bob, "ann")):
        ((kind, about, operator, data),) = one.news()
        assert (kind, about, operator) == (FriendEvent.ADDED, other, "bob")
        assert (data.userId, data.friendType, data.relationTime) == (other, 2, START + 5000)
        assert data.name == other.capitalize()
        assert one.friends() == [other]
    assert bob.applications() == [("ann", RECEIVED, ACCEPTED)]
    assert ann.applications() == [("bob", SENT, ACCEPTED)]
    assert bob.accept("ann") == bob.refuse("ann") == ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST
    assert ann.add("bob") == bob.add("ann") == ErrorCode.RC_FRIEND_ALREADY_FRIEND


def test_somebody_is_asked_and_refuses(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    ann.add("bob", "please")
    ann.news(), bob.news()
    assert bob.refuse("ann", "no") == OK
    for one, other, kind in ((ann, "bob", SENT), (bob, "ann", RECEIVED)):
        ((event, about, operator, data),) = one.news()
        assert (event, about, operator) == (FriendEvent.REFUSED, other, "bob")
        assert (data.applyType, data.friendType, data.info) == (kind, 2, "no")
        assert one.applications() == [(other, kind, REFUSED)]
    (one,), _ = ann.page(12, payloads.FriendInviteInfos)
    assert one.info == "please"
    assert bob.accept("ann") == ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST
    assert ann.friends() == []
    rig.advance(1)
    assert ann.add("bob", "please") == MUST_ACCEPT
    assert [event.kind for event in bob.news()] == [FriendEvent.ASKED]
    assert bob.applications() == [("ann", RECEIVED, UNHANDLED)]


def test_what_is_asked_twice_is_told_once(tmp_path: Path) -> None:
    """The SDK sends everything twice."""
    _, ann, bob, _ = people(tmp_path)
    assert [ann.add("bob", "Hi"), ann.add("bob", "Hi")] == [MUST_ACCEPT, MUST_ACCEPT]
    assert [event.data.info for event in bob.news()] == ["Hi"]
    assert ann.add("bob", "It is me") == MUST_ACCEPT
    assert [event.data.info for event in bob.news()] == ["It is me"]
    assert bob.applications() == [("ann", RECEIVED, UNHANDLED)]


def test_an_application_lasts_a_week(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    ann.add("bob")
    rig.advance(7 * DAY - 1)
    assert ann.applications() == [("bob", SENT, UNHANDLED)]
    rig.advance(1)
    assert ann.applications() == [("bob", SENT, EXPIRED)]
    assert bob.applications() == [("ann", RECEIVED, EXPIRED)]
    assert bob.accept("ann") == bob.refuse("ann") == ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST
    bob.news()
    assert ann.add("bob") == MUST_ACCEPT
    assert [event.kind for event in bob.news()] == [FriendEvent.ASKED]
    assert bob.accept("ann") == OK


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    rig, ann, bob, carl = people(tmp_path)
    ann.add("bob")
    rig.advance(30 * DAY + 1)
    carl.add("bob")
    assert ann.applications() == []
    assert bob.applications() == [("carl", RECEIVED, UNHANDLED)]


def test_who_want_each_other_are_friends(tmp_path: Path) -> None:
    """Even if one of them wants nobody to ask."""
    _, ann, bob, _ = people(tmp_path)
    ann.add("bob")
    ann.permit(Permission.NOBODY)
    assert bob.add("ann") == OK
    assert [event.kind for event in ann.news()] == [FriendEvent.ASKED, FriendEvent.ADDED]
    assert ann.applications() == [("bob", SENT, ACCEPTED)]
    assert ann.friends() == ["bob"]


def test_who_may_ask_is_up_to_the_one_who_is_asked(tmp_path: Path) -> None:
    _, ann, bob, carl = people(tmp_path)
    assert bob.permission() == Permission.WHOM_HE_ACCEPTS
    ann.add("bob")
    assert bob.permit(Permission.EVERYBODY) == OK
    assert bob.permission() == Permission.EVERYBODY
    assert ann.permission() == Permission.WHOM_HE_ACCEPTS
    assert ann.add("bob") == OK
    assert ann.add("bob") == ErrorCode.RC_FRIEND_ALREADY_FRIEND
    assert [event.kind for event in ann.news()] == [FriendEvent.ASKED, FriendEvent.ADDED]
    assert ann.applications() == [("bob", SENT, ACCEPTED)]
    assert bob.permit(Permission.NOBODY) == OK
    assert carl.add("bob") == ErrorCode.RC_FRIEND_OTHER_NOT_ALLOW_ADD_FRIEND
    assert [bob.permit(level) for level in (0, 4)] == [BAD, BAD]
    assert bob.permission() == Permission.NOBODY


def test_who_is_blocked_is_no_friend(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    standings = rig.system.standings
    ann.add("bob")
    rig.do(standings.block((APP, "bob"), "ann"))
    assert ann.add("bob") == ErrorCode.RC_FRIEND_IN_OTHER_BLACK_LIST
    assert bob.accept("ann") == ErrorCode.RC_FRIEND_IN_MY_BLACK_LIST
    rig.do(standings.unblock((APP, "bob"), "ann"))
    rig.do(standings.block((APP, "ann"), "bob"))
    assert ann.add("bob") == ErrorCode.RC_FRIEND_IN_MY_BLACK_LIST
    assert bob.accept("ann") == ErrorCode.RC_FRIEND_IN_OTHER_BLACK_LIST
    rig.do(standings.unblock((APP, "ann"), "bob"))
    assert bob.accept("ann") == OK
    rig.do(standings.block((APP, "ann"), "bob"))
    assert [one.flag for one in ann.infos("bob")] == [1]
    assert [one.flag for one in bob.infos("ann")] == [0]


def test_nobody_has_too_many_friends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(friend_changes, "FRIENDS", 1)
    rig, ann, bob, carl = people(tmp_path)
    ann.add("bob")
    rig.do(rig.system.friends.befriend(APP, "bob", "carl"))
    assert ann.add("bob") == ErrorCode.RC_FRIEND_OTHER_FRIEND_COUNT_EXCEED_LIMIT
    assert carl.add("ann") == ErrorCode.RC_FRIEND_MY_FRIEND_COUNT_EXCEED_LIMIT
    assert bob.accept("ann") == ErrorCode.RC_FRIEND_MY_FRIEND_COUNT_EXCEED_LIMIT
    with pytest.raises(ServiceError, match=r"25468"):
        rig.do(rig.system.friends.befriend(APP, "ann", "bob"))
    assert bob.remove("carl") == OK
    assert bob.accept("ann") == OK


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ("ann", ErrorCode.RC_FRIEND_NOT_ALLOW_ADD_SELF),
        ("robot", ErrorCode.RC_FRIEND_NOT_SUPPORT_ROBOT),
        ("no user", ErrorCode.RC_FRIEND_NOT_EXIST),
        ("", ErrorCode.RC_FRIEND_NOT_EXIST),
    ],
)
def test_who_is_nobodys_friend(tmp_path: Path, other: str, code: ErrorCode) -> None:
    rig, ann, *_ = people(tmp_path, robots={"robot": "Robot"})
    assert ann.add(other) == code
    with pytest.raises(ServiceError) as refused:
        rig.do(rig.system.friends.befriend(APP, "ann", other))
    assert refused.value.code == code
    assert ann.applications() == []


def test_what_makes_no_sense(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    bob.add("ann")
    add, handle, remove = Topic.FRIEND_ADD, Topic.FRIEND_HANDLE, Topic.FRIEND_DEL
    too_long = ErrorCode.RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT
    assert ann.add("carl", "x" * 129) == too_long
    assert ann.refuse("bob", "x" * 129) == too_long
    for type in (0, 1, 3):
        one = payloads.FriendInput(targetId="bob", type=type)
        many = payloads.FriendsInput(targetId=["bob"], type=type)
        assert ann.status(add, one, "ann") == BAD
        assert ann.status(remove, many, "ann") == BAD
        assert ann.status(Topic.FRIEND_CHECK, many, "ann") == BAD
    for type in (0, 3):
        one = payloads.FriendInput(targetId="bob", type=type)
        assert ann.status(handle, one, "ann") == BAD
    for wanted in ([], [f"u{number}" for number in range(101)]):
        many = payloads.FriendsInput(targetId=wanted, type=2)
        assert ann.status(remove, many, "ann") == BAD
        assert ann.status(Topic.FRIEND_CHECK, many, "ann") == BAD
        named = payloads.FriendsListInput(targetId=wanted)
        assert ann.status(Topic.FRIENDS_INFO_QRY, named, "ann") == BAD
    for type, friend_type in ((10, 2), (13, 2), (11, 1)):
        query = payloads.FriendQueryInput(queryType=type, friendType=friend_type)
        assert ann.status(Topic.FRIENDS_QUERY, query, "ann") == BAD
    with pytest.raises(ServiceError, match=r"25472"):
        rig.do(rig.system.friends.befriend(APP, "no user", "ann"))
    assert ann.accept("bob") == OK
    assert ann.accept("nobody") == ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST


def test_where_users_have_no_profiles(tmp_path: Path) -> None:
    _, ann, *_ = people(tmp_path, users=UserRules(profiles=False))
    requests: dict[Topic, payloads.Message] = {
        Topic.FRIEND_ADD: payloads.FriendInput(targetId="bob", type=2),
        Topic.FRIEND_HANDLE: payloads.FriendInput(targetId="bob", type=1),
        Topic.FRIEND_DEL: payloads.FriendsInput(targetId=["bob"], type=2),
        Topic.FRIEND_SET_PF: payloads.FriendProfileInput(targetId="bob"),
        Topic.FRIEND_CHECK: payloads.FriendsInput(targetId=["bob"], type=2),
        Topic.FRIENDS_INFO_QRY: payloads.FriendsListInput(targetId=["bob"]),
        Topic.FRIENDS_QUERY: payloads.FriendQueryInput(queryType=12),
        Topic.FRIEND_AUTH_SET: payloads.FriendLevelSet(level=1),
        Topic.FRIEND_AUTH_GET: payloads.FriendInput(targetId="ann"),
    }
    off = ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE
    assert {ann.status(topic, request, "ann") for topic, request in requests.items()} == {off}


# -- parting -----------------------------------------------------------------------------


def test_friends_part(tmp_path: Path) -> None:
    rig, ann, bob, carl = friends(tmp_path)
    assert ann.remove("bob", "nobody", "bob") == OK
    ((kind, about, operator, data),) = ann.news()
    assert (kind, about, operator) == (FriendEvent.REMOVED, "ann", "ann")
    assert data == payloads.FriendsInput(targetId=["bob"], type=2)
    ((kind, about, operator, data),) = bob.news()
    assert (kind, about, operator) == (FriendEvent.REMOVED, "ann", "ann")
    assert data == payloads.FriendsInput(targetId=["ann"], type=2)
    assert carl.news() == []
    assert (ann.friends(), bob.friends(), carl.friends()) == (["carl"], [], ["ann"])
    assert ann.remove("bob", "ann") == ErrorCode.RC_FRIEND_NOT_FRIEND
    assert ann.news() == []
    assert bob.add("ann") == MUST_ACCEPT
    assert rig.do(rig.system.friends.friends(APP, "ann")) == ["carl"]


def test_the_application_takes_all_friends_away(tmp_path: Path) -> None:
    rig, ann, bob, carl = friends(tmp_path)
    rig.do(rig.system.friends.clear(APP, "ann"))
    assert ann.news() == [News(FriendEvent.CLEARED, "ann", "", None)]
    for one in (bob, carl):
        ((kind, _, _, data),) = one.news()
        assert (kind, list(data.targetId)) == (FriendEvent.REMOVED, ["ann"])
        assert one.friends() == []
    assert ann.friends() == []
    rig.do(rig.system.friends.clear(APP, "ann"))
    rig.do(rig.system.friends.clear(APP, "stranger"))
    assert ann.news() == []


def test_the_application_makes_friends(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path)
    bob.permit(Permission.NOBODY)
    rig.do(rig.system.friends.befriend(APP, "ann", "bob"))
    for one, other in ((ann, "bob"), (bob, "ann")):
        ((kind, about, operator, _),) = one.news()
        assert (kind, about, operator) == (FriendEvent.ADDED, other, "")
    rig.do(rig.system.friends.befriend(APP, "bob", "ann"))
    assert ann.news() == []
    assert ann.friends() == ["bob"]


# -- what is noted of friends ------------------------------------------------------------


def test_what_one_notes_of_a_friend_is_for_oneself(tmp_path: Path) -> None:
    _, ann, bob, _ = friends(tmp_path)
    assert ann.describe("bob", "Bobby", shoes="42", mood="calm") == (OK, [])
    assert bob.news() == []
    (info,) = ann.infos("bob")
    assert info == payloads.FriendUserInfo(
        userId="bob",
        relationTime=START,
        friendType=2,
        flag=0,
        remarkName="Bobby",
        name="Bob",
        portraitUrl="",
        extProfile=pairs({"shoes": "42", "mood": "calm"}),
    )
    (info,) = bob.infos("ann")
    assert (info.remarkName, list(info.extProfile)) == ("", [])
    assert ann.describe("bob", None, shoes="", hat="7") == (OK, [])
    first, second = ann.news()
    assert (first.kind, first.about, first.operator) == (FriendEvent.DESCRIBED, "bob", "ann")
    assert first.data == payloads.FriendUpdateEvent(
        remarkname="Bobby", extProfile=pairs({"shoes": "42", "mood": "calm"})
    )
    assert second.data == payloads.FriendUpdateEvent(
        remarkname="Bobby", extProfile=pairs({"mood": "calm", "hat": "7"})
    )
    assert ann.describe("bob", "") == (OK, [])
    assert [one.remarkName for one in ann.infos("bob")] == [""]


def test_what_cannot_be_noted(tmp_path: Path) -> None:
    _, ann, _, _ = friends(tmp_path)
    too_long = ErrorCode.RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT
    assert ann.describe("dan", "Danny") == (ErrorCode.RC_FRIEND_NOT_FRIEND, [])
    assert ann.describe("bob", "x" * 65) == (too_long, ["remarkName"])
    assert ann.describe("bob", **{"k" * 33: "1"}) == (too_long, ["k" * 32])
    assert ann.describe("bob", key="x" * 257) == (too_long, ["key"])
    assert ann.describe("bob", **{"": "1"}) == (BAD, [])
    assert ann.describe("bob", "x" * 64, **{f"{n:032}": "x" * 256 for n in range(10)}) == (OK, [])
    assert ann.describe("bob", eleventh="1") == (too_long, ["eleventh"])
    (info,) = ann.infos("bob")
    assert (len(info.remarkName), len(info.extProfile)) == (64, 10)


# -- questions ---------------------------------------------------------------------------


def test_who_is_a_friend(tmp_path: Path) -> None:
    _, ann, bob, _ = friends(tmp_path)
    assert ann.check("bob", "stranger", "ann") == {"bob": 3, "stranger": 0, "ann": 0}
    assert bob.check("carl", "ann") == {"carl": 0, "ann": 3}
    assert [one.userId for one in ann.infos("stranger", "carl", "bob")] == ["carl", "bob"]
    assert bob.infos("carl") == []


def everything(fetch: Callable[[str], tuple[list[Any], str]]) -> list[str]:
    """All pages, one after the other."""
    found, page_token = [], ""
    while True:
        page, page_token = fetch(page_token)
        found += [one.userId for one in page]
        if not page_token:
            return found


def test_lists_come_page_by_page(tmp_path: Path) -> None:
    rig, ann, bob, carl = people(tmp_path)
    others = [f"u{number}" for number in range(7)]
    asked = []
    for number, other in enumerate(others):
        rig.do(rig.system.friends.befriend(APP, "ann", other))
        if number % 2:
            bob.add(other)
        else:
            (asker,) = party(rig, other)
            Friendly.add(asker, "bob")  # type: ignore[arg-type]
        asked.append(other)
        if number % 3:
            rig.advance(1)
    for order, in_order in ((0, others), (1, others[::-1])):
        for size in (1, 3, 7):
            paging = {"size": size, "order": order}
            assert (
                everything(
                    lambda token, paging=paging: ann.page(  # type: ignore[misc]
                        11, payloads.FriendUserInfos, pageToken=token, **paging
                    )
                )
                == in_order
            )
            assert (
                everything(
                    lambda token, paging=paging: bob.page(  # type: ignore[misc]
                        12, payloads.FriendInviteInfos, pageToken=token, **paging
                    )
                )
                == in_order
            )
    assert carl.friends() == carl.applications() == []


def test_what_is_no_page(tmp_path: Path) -> None:
    _, ann, *_ = people(tmp_path)
    for type in (11, 12):
        for page, code in (
            ({"size": 101}, BAD),
            ({"size": -1}, BAD),
            ({"order": 2}, BAD),
            ({"pageToken": "here"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
            ({"pageToken": "1.bob"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
        ):
            request = payloads.FriendQueryInput(
                queryType=type, friendType=2, page=payloads.ChannelsPageParam(**page)
            )
            assert ann.status(Topic.FRIENDS_QUERY, request, "ann") == code


# -- with the rest of the server -----------------------------------------------------------


def test_all_devices_are_told(tmp_path: Path) -> None:
    rig, ann, bob, _ = people(tmp_path, multi_device=True)
    phone = rig.online("ann", "5.38.0", device_id="phone")
    older = rig.online("ann", "2.9.2", device_id="older")
    devices = (ann.client, bob.client, phone, older)
    for device in devices:
        device.frames()
    ann.client.query(Topic.FRIEND_ADD, payloads.FriendInput(targetId="bob", type=2))
    rig.settle()
    told = [published(device, Topic.S_CMD, payloads.NotifyMsg) for device in devices]
    assert [[notice.type for notice in each] for each in told] == [[CommandType.EVENTS]] * 3 + [[]]


def published(client: Client, topic: Topic, kind: type[M]) -> list[M]:
    """What the server has said of its own accord since the last look."""
    return [payloads.decode(kind, delivery.data) for delivery in client.deliveries(topic)]


def test_friends_are_told_who_comes(tmp_path: Path) -> None:
    rig, ann, bob, carl = friends(tmp_path)
    carl.client.leave()
    rig.settle()
    assert shown(ann.client) == [("carl", 3, [0])]
    assert shown(bob.client) == []
    ann.remove("carl")
    Friendly(rig, "carl")
    assert shown(ann.client) == []
    rig.do(rig.system.users.register(APP, "bob", name="Robert"))
    assert shown(ann.client) == [("bob", 4, [])]


def shown(client: Client) -> list[tuple[str, int, list[int]]]:
    """Whom ``s_stat`` was about, of which kind, and whether they are online."""
    return [
        (one.subUserId, one.subType, [each.value for each in one.data])
        for one in published(client, Topic.S_STAT, payloads.SubDataDetail)
    ]


def test_what_is_for_friends_is_seen_by_friends(tmp_path: Path) -> None:
    _, ann, bob, carl = friends(tmp_path)
    profile = payloads.UserProfile(userProfile=pairs({"email": "ann@example.org"}))
    assert ann.status(Topic.UPD_USER_PROFILE, profile, "ann") == OK
    permission = payloads.UserProfilePermission(permission=3)
    assert ann.status(Topic.UPD_PROFILE_PERMISS, permission, "ann") == OK
    search = payloads.SearchUserProfile(uniqueId="ann")
    assert bob.status(Topic.SEARCH_USER_PROFILE, search, "bob") == OK
    assert ann.remove("carl") == OK
    unseen = ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST
    assert carl.status(Topic.SEARCH_USER_PROFILE, search, "carl") == unseen


def test_no_table_is_scanned(tmp_path: Path) -> None:
    rig, *_ = friends(tmp_path)
    pair = {"app": APP, "user": "ann", "other": "bob"}

    def ask(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            for descending in (True, False):
                for after in (None, (START, 1)):
                    paging = {"after": after, "is_descending": descending, "most": 5}
                    table.page(connection, app=APP, user="ann", **paging)  # type: ignore[arg-type]
                    table.applications(connection, app=APP, user="ann", **paging)  # type: ignore[arg-type]
            table.friend(connection, **pair)
            table.friends_of(connection, app=APP, user="ann")
            table.friends_among(connection, app=APP, user="ann", others=["bob", "eve"])
            table.count(connection, app=APP, user="ann")
            table.is_blocked(connection, app=APP, owner="ann", other="bob")
            table.application(connection, app=APP, asker="ann", asked="bob")
            one = table.Application("ann", "bob", UNHANDLED, START, "")
            table.put(connection, app=APP, application=one, before=1)
            table.part(connection, app=APP, user="ann", others=["bob"])
        return found

    async def plans() -> list[str]:
        return await rig.system.data.write(ask)

    found = rig.do(plans())
    assert len(found) > 30
    searches = [plan for plan in found if "json_each" not in plan]
    assert [plan for plan in searches if plan.startswith("SCAN") or "TEMP B-TREE" in plan] == []


def test_the_numbers_are_the_sdks() -> None:
    assert [*Permission] == [1, 2, 3]
    assert [*ApplicationStatus] == [0, 1, 2, 3]
    assert [*friend_rules.Answer] == [1, 2]
