"""Groups that clients manage: who may do what with members, and who is told (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import managed_members
from improto_server.store import StoreError
from tests.server.group_tools import OK, Someone, party
from tests.server.rig import APP, Rig
from tests.server.test_managed_groups import G

if TYPE_CHECKING:
    from pathlib import Path

KICK, QUIT, TRANSFER = Topic.CHANNEL_MEM_KICK, Topic.CHANNEL_MEM_QUIT, Topic.CHANNEL_TRANSFER
MANAGER, FOLLOW = Topic.UP_CHANNEL_MANAGER, Topic.UP_CHANNEL_FOLLOW
NO_RIGHT = ErrorCode.RC_GROUP_AUTHORITY_ERROR
NO_MEMBER = ErrorCode.RC_GROUP_USER_NOT_IN_GROUP
BAD = ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR


def group(path: Path, **settings: object) -> tuple[Rig, list[Someone]]:
    """ann owns it, bob and carl are managers, dan and eve members, flo is outside."""
    rig = Rig(path)
    people = party(rig, "ann", "bob", "carl", "dan", "eve", "flo")
    assert people[0].create(users=["bob", "carl", "dan", "eve"], **settings) == OK
    assert people[0].change(MANAGER, "bob", "carl", operate=1) == OK
    for one in people:
        one.events()
    return rig, people


def name(someone: Someone, user: str, nickname: str = "nick", additional: str | None = None) -> int:
    request = payloads.ChannelsMemberUpdateInput(
        targetId="g", userId=user, channelNickName=nickname, additional=additional
    )
    return someone.status(Topic.UP_CHANNEL_MEM, request, "g")


# -- going -----------------------------------------------------------------------------


def test_those_who_are_removed_hear_of_it_too(tmp_path: Path) -> None:
    rig, (ann, bob, _, dan, *_) = group(tmp_path)
    assert ann.change(KICK, "bob", "dan", "dan") == OK
    for one in (ann, bob, dan):
        (event,) = one.events()
        assert (event.kind, event.sub, event.operator) == (11, 2, "ann")
        assert event.members == ["bob", "dan"]
        assert [user.ext.role for user in event.data.userInfos] == [2, 1]
    assert ann.members() == [("ann", 3), ("carl", 2), ("eve", 1)]
    assert dan.change(QUIT) == NO_MEMBER
    rig.do(rig.system.groups.join(APP, "g", ["bob"]))
    assert bob.members(roleType=2) == [("carl", 2)]


@pytest.mark.parametrize(
    ("permission", "by_manager", "by_member"), [(0, 25405, 25405), (1, 0, 25405), (2, 0, 0)]
)
def test_the_permission_says_who_removes_members(
    tmp_path: Path, permission: int, by_manager: int, by_member: int
) -> None:
    _, (ann, bob, _, dan, _, flo) = group(tmp_path, removePerm=permission)
    assert (dan.change(KICK, "carl"), bob.change(KICK, "carl")) == (NO_RIGHT, NO_RIGHT)
    assert dan.change(KICK, "eve") == by_member
    assert bob.change(KICK, "dan") == by_manager
    assert flo.change(KICK, "carl") == NO_MEMBER
    assert bob.change(KICK, "ann") == ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK
    assert ann.change(KICK, "ann") == ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK
    assert bob.change(KICK, "bob") == BAD
    assert ann.change(KICK, "flo") == NO_MEMBER
    assert ann.change(KICK) == BAD
    assert ann.change(KICK, *(f"u{n}" for n in range(101))) == BAD


@pytest.mark.parametrize("forget", [True, False])
def test_what_is_known_of_who_leaves_is_forgotten_if_he_wants(tmp_path: Path, forget: bool) -> None:
    rig, (ann, bob, _, dan, *_) = group(tmp_path)
    groups = rig.system.groups
    rig.do(groups.mute_member(APP, "g", "dan"))
    rig.do(groups.exempt(APP, "g", "dan", is_exempt=True))
    dan.change(FOLLOW, "bob", operate=1)
    bob.change(FOLLOW, "dan", operate=1)
    assert dan.change(QUIT, forget=forget) == OK
    (event,) = ann.events()
    assert (event.sub, event.operator, event.members) == (3, "dan", ["dan"])
    roster = rig.do(groups.info(APP, "g"))
    assert ("dan" in roster.silenced, "dan" in roster.exempt) == (not forget, not forget)
    assert bob.lists(Topic.Q_CHANNEL_FOLLOW, "bob", targetId="g")[0] == []
    rig.do(groups.join(APP, "g", ["dan"]))
    found, _ = bob.lists(Topic.Q_CHANNEL_FOLLOW, "bob", targetId="g")
    assert len(found) == (not forget)
    found, _ = dan.lists(Topic.Q_CHANNEL_FOLLOW, "dan", targetId="g")
    assert len(found) == (not forget)
    assert ann.change(QUIT) == ErrorCode.RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK


# -- roles ---------------------------------------------------------------------------------


def test_a_group_is_given_to_another_member(tmp_path: Path) -> None:
    _, (ann, bob, carl, dan, _, flo) = group(tmp_path)
    assert dan.change(TRANSFER, "eve") == NO_RIGHT
    assert flo.change(TRANSFER, "eve") == NO_MEMBER
    assert ann.change(TRANSFER, "flo") == NO_MEMBER
    assert (ann.change(TRANSFER, "ann"), ann.change(TRANSFER, "bob", "dan")) == (BAD, BAD)
    assert ann.change(TRANSFER) == BAD
    assert ann.change(TRANSFER, "bob", leave=False) == OK
    (event,) = carl.events()
    assert (event.sub, event.operator, event.members) == (7, "ann", ["bob"])
    assert [user.ext.role for user in event.data.userInfos] == [3]
    assert ann.members(size=2) == [("ann", 1), ("bob", 3)]
    assert bob.info()[0].baseInfo.ownerId == "bob"
    assert bob.change(TRANSFER, "dan", leave=True) == OK
    assert [event.sub for event in carl.events()] == [7, 3]
    assert [user for user, _ in dan.members()] == ["ann", "carl", "dan", "eve"]
    assert bob.change(TRANSFER, "dan") == NO_MEMBER


def test_the_owner_makes_managers(tmp_path: Path) -> None:
    rig, (ann, bob, carl, dan, *_) = group(tmp_path)
    assert bob.change(MANAGER, "dan", operate=1) == NO_RIGHT
    assert ann.change(MANAGER, "flo", operate=1) == NO_MEMBER
    assert ann.change(MANAGER, "ann", operate=1) == 25425
    assert ann.change(MANAGER, "dan", operate=2) == 25420
    assert ann.change(MANAGER, "dan", operate=3) == BAD
    assert ann.change(MANAGER, operate=1) == BAD
    assert ann.change(MANAGER, "dan", "bob", operate=1) == OK
    assert ann.change(MANAGER, "bob", operate=2) == OK
    added, removed = dan.events()
    assert (added.sub, added.members, removed.sub, removed.members) == (
        5,
        ["dan", "bob"],
        6,
        ["bob"],
    )
    assert removed.data.userInfos[0].ext.role == 1
    assert ann.members(roleType=2) == [("carl", 2), ("dan", 2)]
    many = [f"u{n}" for n in range(10)]
    rig.do(rig.system.groups.join(APP, "g", many))
    assert ann.change(MANAGER, *many[:9], operate=1) == 25419
    assert ann.change(MANAGER, *many[:8], operate=1) == OK
    rig.system.charters._known.forget(G)
    assert len(carl.members(roleType=2)) == 10


# -- names -----------------------------------------------------------------------------


def test_a_member_has_a_name_of_his_own_in_a_group(tmp_path: Path) -> None:
    rig, (ann, bob, *_) = group(tmp_path)
    rig.do(rig.system.users.register(APP, "bob", name="Bob", portrait="http://b"))
    assert name(bob, "bob", "Bobby", "since 1990") == OK
    (event,) = ann.events()
    assert (event.kind, event.sub, event.operator) == (12, 1, "bob")
    assert event.data.optUserInfo.userId == "bob"
    assert name(ann, "bob", "Bobo") == OK
    rig.system.charters._known.forget(G)
    (found,), _ = ann.lists(Topic.Q_CHANNEL_SPE_MEM, "g", ids=["bob", "flo", "bob"])
    assert (found.userId, found.name, found.portraitUrl) == ("bob", "Bob", "http://b")
    assert (found.ext.channelNickName, found.ext.additional) == ("Bobo", "since 1990")
    assert (found.ext.role, found.ext.joinTime > 0, found.ext.isBot) == (2, True, False)
    assert name(bob, "bob", "", "") == OK
    (found,), _ = ann.lists(Topic.Q_CHANNEL_SPE_MEM, "g", ids=["bob"])
    assert (found.ext.channelNickName, found.ext.additional) == ("", "")
    assert name(bob, "bob", "x" * 65) == 25406
    assert name(bob, "bob", "x", "x" * 129) == 25406
    assert name(bob, "bob", "  ") == 25407
    assert name(bob, "a b") == BAD
    assert name(bob, "flo") == NO_MEMBER


@pytest.mark.parametrize(
    ("permission", "by_owner", "by_manager"), [(0, 0, 0), (1, 0, 25405), (2, 25405, 25405)]
)
def test_the_permission_says_who_names_members(
    tmp_path: Path, permission: int, by_owner: int, by_manager: int
) -> None:
    _, (ann, bob, _, dan, _, flo) = group(tmp_path, memProfilePerm=permission)
    assert (name(ann, "dan"), name(bob, "dan")) == (by_owner, by_manager)
    assert (name(dan, "dan"), name(dan, "bob"), name(flo, "dan")) == (OK, NO_RIGHT, NO_MEMBER)


# -- followed -------------------------------------------------------------------------------


def test_whom_somebody_follows_only_he_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, (_, bob, _, dan, _, flo) = group(tmp_path)
    assert dan.change(FOLLOW, "bob", "eve", operate=1) == OK
    rig.advance(1)
    assert dan.change(FOLLOW, "bob", "ann", operate=1) == OK
    found, _ = dan.lists(Topic.Q_CHANNEL_FOLLOW, "dan", targetId="g")
    assert [one.userId for one in found] == ["bob", "eve", "ann"]
    assert [one.opTime - found[0].opTime for one in found] == [0, 0, 1000]
    assert dan.change(FOLLOW, "bob", "flo", operate=2) == OK
    events = [(one.kind, one.sub, list(one.change.extIds)) for one in dan.events()]
    assert events == [(14, 1, ["bob", "eve"]), (14, 1, ["bob", "ann"]), (14, 2, ["bob", "flo"])]
    assert bob.events() == []
    assert dan.change(FOLLOW, "flo", operate=1) == NO_MEMBER
    assert flo.change(FOLLOW, "bob", operate=1) == NO_MEMBER
    assert dan.change(FOLLOW, operate=1) == BAD
    assert dan.change(FOLLOW, "bob", operate=0) == BAD
    query = payloads.ChannelsQueryInput(targetId="g")
    assert flo.status(Topic.Q_CHANNEL_FOLLOW, query, "flo") == NO_MEMBER
    monkeypatch.setattr(managed_members, "FOLLOWED", 2)
    assert dan.change(FOLLOW, "bob", operate=1) == 25419
    found, _ = dan.lists(Topic.Q_CHANNEL_FOLLOW, "dan", targetId="g")
    assert [one.userId for one in found] == ["eve", "ann"]


# -- lists ---------------------------------------------------------------------------------


def test_members_are_listed_page_by_page(tmp_path: Path) -> None:
    rig, (ann, *_, flo) = group(tmp_path)
    rig.do(rig.system.groups.join(APP, "g", [f"u{n}" for n in range(5)]))
    in_order = ["ann", "bob", "carl", "dan", "eve", "u0", "u1", "u2", "u3", "u4"]
    for order, expected in ((0, in_order), (1, in_order[::-1])):
        seen, page_token, sizes = [], "", []
        while True:
            found, page = ann.lists(
                Topic.Q_CHANNEL_MEM, "g", size=4, order=order, pageToken=page_token
            )
            sizes.append(len(found))
            assert page.total == 10
            seen += [one.userId for one in found]
            page_token = page.pageToken
            if not page.hasNext:
                break
        assert (seen, sizes) == (expected, [4, 4, 2])
    assert ann.members(roleType=3) == [("ann", 3)]
    assert ann.members(roleType=1, size=1) == [("dan", 1)]
    query = payloads.ChannelsQueryInput(targetId="g", ids=["ann"])
    assert flo.status(Topic.Q_CHANNEL_MEM, query, "g") == NO_MEMBER
    assert flo.status(Topic.Q_CHANNEL_SPE_MEM, query, "g") == NO_MEMBER
    for fields in ({"roleType": 4}, {"roleType": -1}, {"botType": 3}):
        query = payloads.ChannelsQueryInput(targetId="g", **fields)
        assert ann.status(Topic.Q_CHANNEL_MEM, query, "g") == BAD
    query = payloads.ChannelsQueryInput(ids=[f"u{n}" for n in range(101)])
    assert ann.status(Topic.Q_CHANNEL_SPE_MEM, query, "g") == BAD


def test_robots_are_told_from_people(tmp_path: Path) -> None:
    ann, *_ = party(Rig(tmp_path, robots={"eve": "Eve"}), "ann")
    ann.create(users=["bob", "carl", "dan", "eve"])
    assert ann.members(botType=2) == [("eve", 1)]
    assert len(ann.members(botType=1)) == 4
    found, _ = ann.lists(Topic.Q_CHANNEL_MEM, "g")
    assert [one.userId for one in found if one.ext.isBot] == ["eve"]


def test_what_the_store_refuses_is_not_remembered(tmp_path: Path) -> None:
    rig, (ann, *_) = group(tmp_path)
    rig.store.broken = StoreError("no")
    # The names are read first, and that fails: nothing is decided.
    assert ann.change(KICK, "dan") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert ("dan", 1) in ann.members()
