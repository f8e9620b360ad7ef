"""Who may not write anywhere, over the REST API (rest 9.1), and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ErrorCode
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.store import StoreError
from improto_server.system import UserRules
from tests.server.api_tools import ApiRig
from tests.server.room_tools import join, say

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

UNTIL = "2023-11-14 22:14:20"


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def status(
    client: Client, target: str, topic: str = Topic.PP_MSG_P, name: str = "RC:TxtMsg"
) -> int:
    """Of a message."""
    client.publish(target, "{}", topic=topic, name=name)
    client.rig.settle()
    (found,) = (frame.status for frame in client.frames() if isinstance(frame, PubAck))
    return found


def test_in_no_group(rig: ApiRig, tmp_path: Path) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.ask("/group/user/gag/add", userId=["alice", "nobody"], minute=1)
    assert status(alice, "g", Topic.PG_MSG_P) == ErrorCode.FORBIDDEN_IN_GROUP
    assert status(alice, "bob") == status(bob, "g", Topic.PG_MSG_P) == 0
    # Also in groups that are made later; whoever is not in one is told that first.
    rig.ask("/group/create", userId="alice", groupId="h", groupName="H")
    assert status(alice, "h", Topic.PG_MSG_P) == ErrorCode.FORBIDDEN_IN_GROUP
    assert status(alice, "other", Topic.PG_MSG_P) == ErrorCode.NOT_IN_GROUP
    assert rig.ask("/group/user/gag/list") == {
        "users": [{"userId": "alice", "time": UNTIL}, {"userId": "nobody", "time": UNTIL}]
    }
    assert rig.ask("/group/user/gag/list", groupId="g") == {"users": []}
    rig.store.store.close()
    again = ApiRig(tmp_path)
    assert len(again.ask("/group/user/gag/list")["users"]) == 2
    again.ask("/group/user/gag/rollback", userId="nobody")
    assert status(again.online("alice"), "g", Topic.PG_MSG_P) == ErrorCode.FORBIDDEN_IN_GROUP
    again.advance(60)
    assert again.ask("/group/user/gag/list") == {"users": []}
    assert status(again.online("alice"), "g", Topic.PG_MSG_P) == 0
    again.ask("/group/user/gag/add", userId="alice", minute=0)
    assert again.ask("/group/user/gag/list")["users"][0]["time"].startswith("9999")


def test_in_no_room(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    for client in (alice, bob):
        join(client)
    rig.ask("/chatroom/user/ban/add", userId=["alice", "carol"], minute=1)
    assert say(alice) == ErrorCode.FORBIDDEN_IN_CHATROOM
    join(alice, room="later")
    assert say(alice, room="later") == ErrorCode.FORBIDDEN_IN_CHATROOM
    assert say(bob) == 0
    assert rig.ask("/chatroom/user/ban/query") == {
        "users": [{"userId": "alice", "time": UNTIL}, {"userId": "carol", "time": UNTIL}]
    }
    rig.ask("/chatroom/user/ban/remove", userId=["alice", "nobody"])
    assert say(alice) == 0
    assert [user["userId"] for user in rig.ask("/chatroom/user/ban/query")["users"]] == ["carol"]
    assert rig.code("/chatroom/user/ban/add", userId="alice", minute=0) == 1502
    assert rig.code("/chatroom/user/ban/add", minute=1) == 1002


def test_to_nobody(rig: ApiRig) -> None:
    alice = rig.online("alice")
    users = ["alice", "bob", "carol"]
    rig.ask("/user/chat/fb/set", userId=users, state=1, type="PERSON")
    assert status(alice, "bob") == ErrorCode.FORBIDDEN_IN_PRIVATE
    # Where he has read to is for his other devices only.
    assert status(alice, "bob", name="RC:SRSMsg") == 0
    asked = {"type": "PERSON", "num": 2}
    assert rig.ask("/user/chat/fb/querylist", **asked) == {"total": 3, "users": users[:2]}
    assert rig.ask("/user/chat/fb/querylist", **asked, offset=2)["users"] == ["carol"]
    rig.ask("/user/chat/fb/set", userId="alice", state=0, type="PERSON")
    assert status(alice, "bob") == 0
    assert rig.code("/user/chat/fb/set", userId="alice", state=1, type="GROUP") == 1002
    assert rig.code("/user/chat/fb/set", userId="alice", state=2, type="PERSON") == 1502
    assert rig.code("/user/chat/fb/querylist", type="PERSON", num=201) == 1502


def test_what_cannot_be_stored_does_not_hold(rig: ApiRig) -> None:
    alice = rig.online("alice")
    broken, rig.store.broken = StoreError("no"), None
    for state in (1, 0):
        rig.store.broken = broken
        fields = {"userId": "alice", "type": "PERSON"}
        assert rig.code("/user/chat/fb/set", **fields, state=state) == 1000
        rig.store.broken = None
        assert (status(alice, "bob") == 0) is bool(state)
        rig.ask("/user/chat/fb/set", **fields, state=state)


def test_white_lists(rig: ApiRig, tmp_path: Path) -> None:
    rig.ask("/user/whitelist/add", userId="bob", whiteUserId=["carol", "alice", "dora"])
    rig.ask("/user/whitelist/add", userId="bob", whiteUserId="dora")
    assert rig.ask("/user/whitelist/query", userId="bob") == {"users": ["alice", "carol", "dora"]}
    first = rig.ask("/user/whitelist/query", userId="bob", size=2)
    assert first == {"users": ["alice", "carol"], "next": "carol"}
    rest = rig.ask("/user/whitelist/query", userId="bob", size=2, pageToken="carol")
    assert rest == {"users": ["dora"], "next": ""}
    rig.ask("/user/whitelist/remove", userId="bob", whiteUserId=["carol", "nobody"])
    assert rig.ask("/user/whitelist/query", userId="bob")["users"] == ["alice", "dora"]
    # They count only if the operator wants it.
    assert status(rig.online("carol"), "bob") == 0
    rig.store.store.close()
    strict = ApiRig(tmp_path, users=UserRules(white_lists=True))
    assert status(strict.online("carol"), "bob") == ErrorCode.REJECTED_BY_BLACKLIST
    assert status(strict.online("alice"), "bob") == 0
    assert status(strict.online("carol"), "carol") == 0


def test_a_white_list_is_full(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improto_server.services.relations.BLACKLIST_USERS", 1)
    assert rig.code("/user/whitelist/add", userId="bob", whiteUserId="alice") == 200
    assert rig.code("/user/whitelist/add", userId="bob", whiteUserId="alice") == 200
    reply = rig.post("/user/whitelist/add", userId="bob", whiteUserId="carol")
    assert (reply["code"], reply["errorMessage"]) == (1502, "a white list has at most 1 users")
