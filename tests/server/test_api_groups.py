"""Groups over the REST API (rest 7, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services import rosters
from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def members(rig: ApiRig, group: str = "g") -> list[str]:
    return [user["id"] for user in rig.ask("/group/user/query", groupId=group)["users"]]


def status(rig: ApiRig, client: Client) -> int:
    """Of a message to the group."""
    client.publish("g", topic=Topic.PG_MSG_P)
    rig.settle()
    (found,) = (frame.status for frame in client.frames() if isinstance(frame, PubAck))
    return found


def test_a_group_from_beginning_to_end(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    assert members(rig) == ["alice", "bob"]
    rig.advance(1)
    rig.ask("/group/join", userId=["carol", "bob"], groupId="g", groupName="other")
    assert members(rig) == ["alice", "bob", "carol"]
    assert rig.ask("/user/group/query", userId="bob") == {"groups": [{"id": "g", "name": "G"}]}
    rig.ask("/group/refresh", groupId="g", groupName="\u7fa4 & more")
    assert rig.ask("/user/group/query", userId="bob")["groups"][0]["name"] == "\u7fa4 & more"
    rig.ask("/group/quit", userId="bob", groupId="g")
    assert members(rig) == ["alice", "carol"]
    rig.ask("/group/create", userId="dora", groupId="g", groupName="again")
    assert rig.ask("/user/group/query", userId="dora")["groups"][0]["name"] == "again"
    rig.ask("/group/dismiss", userId="anybody", groupId="g")
    assert rig.ask("/group/user/query", groupId="g") == {"id": "g", "users": []}


def test_groups_that_are_not_there(rig: ApiRig) -> None:
    rig.ask("/group/quit", userId="alice", groupId="none")
    rig.ask("/group/dismiss", userId="alice", groupId="none")
    rig.ask("/group/refresh", groupId="none", groupName="n")
    assert members(rig, "none") == []
    rig.ask("/group/join", userId="alice", groupId="new")
    assert members(rig, "new") == ["alice"]


def test_all_groups_of_a_user(rig: ApiRig) -> None:
    rig.ask("/group/create", userId="alice", groupId="old", groupName="Old")
    rig.ask("/group/create", userId="bob", groupId="kept", groupName="Kept")
    body = b"userId=alice&group[kept]=Other&group%5Bnew%5D=New%20one"
    assert rig.post_body("/group/sync", body) == {"code": 200}
    assert rig.ask("/user/group/query", userId="alice")["groups"] == [
        {"id": "kept", "name": "Kept"},
        {"id": "new", "name": "New one"},
    ]
    rig.ask("/group/sync", userId="alice")
    assert rig.ask("/user/group/query", userId="alice") == {"groups": []}


def test_limits(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"u{number}" for number in range(1001)]
    good = {"userId": "alice", "groupId": "g", "groupName": "n"}
    assert rig.code("/group/create", **{**good, "groupName": "n" * 65}) == 1005
    assert rig.code("/group/create", **{**good, "groupName": ""}) == 1002
    assert rig.code("/group/create", **{**good, "groupId": "g" * 65}) == 1005
    assert rig.code("/group/create", **{**good, "groupId": "~g"}) == 1002
    assert rig.code("/group/create", **{**good, "userId": users}) == 1502
    assert members(rig) == []
    assert rig.code("/group/create", **{**good, "userId": users[:1000]}) == 200
    monkeypatch.setattr(rosters, "MOST_MEMBERS", 1000)
    assert rig.code("/group/join", **good) == 405


def test_gags(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice = rig.online("alice")
    rig.ask("/group/user/gag/add", userId=["alice", "stranger"], groupId="g", minute=1)
    rig.ask("/group/user/gag/add", userId="bob", groupId="g", minute=0)
    assert status(rig, alice) == 22408
    assert rig.ask("/group/user/gag/list", groupId="g")["users"] == [
        {"userId": "alice", "time": "2023-11-14 22:14:20"},
        {"userId": "stranger", "time": "2023-11-14 22:14:20"},
        {"userId": "bob", "time": "9999-12-31 00:00:00"},
    ]
    rig.ask("/group/user/gag/rollback", userId="alice", groupId="g")
    assert status(rig, alice) == 0
    rig.advance(60)
    found = rig.ask("/group/user/gag/list", groupId="g")["users"]
    assert [user["userId"] for user in found] == ["bob"]


def test_groups_in_which_nobody_may_write(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.ask("/group/ban/add", groupId=["g", "later"])
    rig.ask("/group/user/ban/whitelist/add", userId=["bob", "carol"], groupId="g")
    assert (status(rig, alice), status(rig, bob)) == (22408, 0)
    assert rig.ask("/group/user/ban/whitelist/query", groupId="g") == {"userIds": ["bob", "carol"]}
    assert rig.ask("/group/ban/query", groupId=["g", "other"])["groupinfo"] == [
        {"groupId": "g", "stat": 1},
        {"groupId": "other", "stat": 0},
    ]
    assert [each["groupId"] for each in rig.ask("/group/ban/query")["groupinfo"]] == ["g", "later"]
    rig.ask("/group/user/ban/whitelist/rollback", userId="bob", groupId="g")
    assert status(rig, bob) == 22408
    rig.ask("/group/ban/rollback", groupId="g")
    assert (status(rig, alice), status(rig, bob)) == (0, 0)
    assert rig.ask("/group/ban/query", groupId="")["groupinfo"] == [{"groupId": "later", "stat": 1}]
