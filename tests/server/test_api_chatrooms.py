"""Chatrooms over the REST API (rest 8, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services.chatrooms import ChatroomRules
from tests.server.api_tools import ApiRig
from tests.server.room_tools import PRESENT, join, pull, pull_keys, put, say, status, texts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def inside(rig: ApiRig, name: str) -> Client:
    client = rig.online(name)
    join(client)
    client.frames()
    return client


def test_rooms_come_and_go(rig: ApiRig) -> None:
    body = b"chatroom[room]=A%20room&chatroom%5Bother%5D=Other"
    assert rig.post_body("/chatroom/create", body) == {"code": 200}
    assert rig.post_body("/chatroom/create", b"chatroom[room]=again") == {"code": 200}
    found = rig.ask("/chatroom/query", chatroomId=["room", "none", "other"])
    assert found == {
        "chatRooms": [
            {"chrmId": "room", "name": "A room", "time": "2023-11-14 22:13:20"},
            {"chrmId": "other", "name": "Other", "time": "2023-11-14 22:13:20"},
        ]
    }
    rig.ask("/chatroom/destroy", chatroomId=["room", "none"])
    assert [
        each["chrmId"]
        for each in rig.ask("/chatroom/query", chatroomId=["room", "other"])["chatRooms"]
    ] == ["other"]


def test_limits(rig: ApiRig) -> None:
    assert rig.post_body("/chatroom/create", b"")["code"] == 1002
    assert rig.post_body("/chatroom/create", b"chatroom[a b]=x")["code"] == 1002
    assert rig.post_body("/chatroom/create", b"chatroom[a]=" + b"x" * 65)["code"] == 1005
    many = b"&".join(b"chatroom[r%d]=x" % number for number in range(101))
    assert rig.post_body("/chatroom/create", many)["code"] == 1502
    assert rig.code("/chatroom/destroy", chatroomId=["x" * 65]) == 1005
    assert rig.code("/chatroom/user/query", chatroomId="room", count=501) == 1502
    assert rig.code("/chatroom/user/query", chatroomId="room", order="undefined") == 1501


def test_members(rig: ApiRig) -> None:
    inside(rig, "alice")
    rig.advance(1)
    inside(rig, "bob")
    assert rig.ask("/chatroom/user/query", chatroomId="room") == {
        "total": 2,
        "users": [
            {"id": "alice", "time": "2023-11-14 22:13:20"},
            {"id": "bob", "time": "2023-11-14 22:13:21"},
        ],
    }
    newest = rig.ask("/chatroom/user/query", chatroomId="room", count=1, order=2)
    assert (newest["total"], [user["id"] for user in newest["users"]]) == (2, ["bob"])
    assert rig.ask("/chatroom/user/query", chatroomId="none") == {"total": 0, "users": []}
    assert rig.ask("/chatroom/user/exist", chatroomId="room", userId="bob") == {"isInChrm": True}
    assert rig.ask("/chatroom/user/exist", chatroomId="no", userId="bob") == {"isInChrm": False}
    assert rig.ask("/chatroom/users/exist", chatroomId="room", userId=["bob", "carol"]) == {
        "result": [{"userId": "bob", "isInChrm": 1}, {"userId": "carol", "isInChrm": 0}]
    }
    assert rig.ask("/chatroom/get", chatroomId="room") == {
        "chatroomId": "room",
        "createTime": 1_700_000_000_000,
        "memberCount": 2,
        "destroyType": 0,
        "destroyTime": 60,
        "ban": False,
    }
    assert rig.code("/chatroom/get", chatroomId="none") == 1002


def test_rooms_that_last(rig: ApiRig, tmp_path: Path) -> None:
    rig.post_body("/chatroom/create", b"chatroom[a]=A&chatroom[b]=B")
    for room in ("b", "new", "a"):
        rig.ask("/chatroom/keepalive/add", chatroomId=room)
    assert rig.ask("/chatroom/keepalive/query") == {"chatroomIds": ["b", "new", "a"]}
    rig.ask("/chatroom/keepalive/remove", chatroomId="b")
    rig.ask("/chatroom/keepalive/remove", chatroomId="none")
    rig.ask("/chatroom/destroy", chatroomId="new")
    assert rig.ask("/chatroom/keepalive/query") == {"chatroomIds": ["a"]}
    rig.advance(3601)
    rig.system.tick()
    rig.settle()
    found = rig.ask("/chatroom/query", chatroomId=["a", "b"])["chatRooms"]
    assert [room["chrmId"] for room in found] == ["a"]
    rig.store.store.close()
    assert ApiRig(tmp_path).ask("/chatroom/keepalive/query") == {"chatroomIds": ["a"]}


def test_gags(rig: ApiRig) -> None:
    alice = inside(rig, "alice")
    rig.ask("/chatroom/user/gag/add", userId=["alice", "bob"], chatroomId="room", minute=1)
    assert say(alice) == ErrorCode.FORBIDDEN_IN_CHATROOM
    assert rig.ask("/chatroom/user/gag/list", chatroomId="room")["users"] == [
        {"userId": "alice", "time": "2023-11-14 22:14:20"},
        {"userId": "bob", "time": "2023-11-14 22:14:20"},
    ]
    rig.ask("/chatroom/user/gag/rollback", userId="alice", chatroomId="room")
    assert say(alice) == 0
    rig.advance(60)
    assert rig.ask("/chatroom/user/gag/list", chatroomId="room") == {"users": []}


def test_blocks(rig: ApiRig) -> None:
    alice = inside(rig, "alice")
    rig.ask("/chatroom/user/block/add", userId="alice", chatroomId="room", minute=1)
    assert rig.ask("/chatroom/user/exist", chatroomId="room", userId="alice") == {"isInChrm": False}
    assert rig.ask("/chatroom/user/block/list", chatroomId="room")["users"] == [
        {"userId": "alice", "time": "2023-11-14 22:14:20"}
    ]
    assert status(alice, Topic.JOIN_CHRM, PRESENT) == ErrorCode.RC_CHATROOM_USER_KICKED
    rig.ask("/chatroom/user/block/rollback", userId="alice", chatroomId="room")
    join(alice)


def test_rooms_in_which_nobody_may_write(rig: ApiRig) -> None:
    alice, bob = inside(rig, "alice"), inside(rig, "bob")
    rig.ask("/chatroom/ban/add", chatroomId="room")
    rig.ask("/chatroom/ban/add", chatroomId="new")
    rig.ask("/chatroom/user/ban/whitelist/add", chatroomId="room", userId=["bob", "carol"])
    assert (say(alice), say(bob)) == (ErrorCode.FORBIDDEN_IN_CHATROOM, 0)
    for room in ("room", "new"):
        assert rig.ask("/chatroom/ban/check", chatroomId=room) == {"status": 1}
    assert rig.ask("/chatroom/user/ban/whitelist/query", chatroomId="room") == {
        "userIds": ["bob", "carol"]
    }
    rig.ask("/chatroom/user/ban/whitelist/rollback", chatroomId="room", userId="bob")
    assert say(bob) == ErrorCode.FORBIDDEN_IN_CHATROOM
    rig.ask("/chatroom/ban/rollback", chatroomId="room")
    rig.ask("/chatroom/ban/rollback", chatroomId="none")
    assert say(alice) == say(bob) == 0
    assert rig.ask("/chatroom/ban/check", chatroomId="room") == {"status": 0}


# -- keys ----------------------------------------------------------------------------------


def keys(rig: ApiRig, **asked: object) -> dict[str, str]:
    found = rig.ask("/chatroom/entry/query", chatroomId="room", **asked)["keys"]
    return {each["key"]: each["value"] for each in found}


def test_keys(rig: ApiRig) -> None:
    alice = inside(rig, "alice")
    assert put(alice, "theirs") == 0
    room = {"chatroomId": "room", "userId": "boss"}
    rig.ask("/chatroom/entry/set", **room, key="theirs", value="\u4f60 & 1", autoDelete="true")
    assert rig.ask("/chatroom/entry/query", chatroomId="room") == {
        "keys": [
            {
                "key": "theirs",
                "value": "\u4f60 & 1",
                "userId": "boss",
                "autoDelete": "1",
                "lastSetTime": str(pull_keys(alice).syncTime),
            }
        ]
    }
    info = '{"a":"1","b":"2"}'
    rig.ask("/chatroom/entry/batch/set", chatroomId="room", entryOwnerId="boss", entryInfo=info)
    assert keys(rig, keys=["a", "none", "theirs"]) == {"theirs": "\u4f60 & 1", "a": "1"}
    for _ in range(2):
        rig.ask("/chatroom/entry/remove", **room, key="theirs")
    assert keys(rig) == {"a": "1", "b": "2"}
    assert rig.ask("/chatroom/entry/query", chatroomId="none") == {"keys": []}


def test_a_message_about_a_key(rig: ApiRig) -> None:
    alice = inside(rig, "alice")
    room = {"chatroomId": "room", "userId": "boss", "key": "k", "objectName": "RC:chrmKVNotiMsg"}
    rig.ask("/chatroom/entry/set", **room, value="v", content='{"type":1}')
    rig.ask("/chatroom/entry/remove", **room, content='{"type":2}')
    rig.ask("/chatroom/entry/remove", **room, content='{"type":3}')
    assert texts(pull(alice)) == ['{"type":1}', '{"type":2}']


def test_keys_that_cannot_be(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path, chatrooms=ChatroomRules(most_keys=1))
    inside(rig, "alice")
    room = {"chatroomId": "room", "userId": "boss", "key": "k", "value": "v"}
    assert rig.code("/chatroom/entry/set", **room) == 200
    assert rig.code("/chatroom/entry/set", **{**room, "key": "more"}) == 1502
    assert rig.code("/chatroom/entry/set", **{**room, "key": "a key"}) == 1002
    assert rig.code("/chatroom/entry/set", **{**room, "key": "k" * 129}) == 1005
    assert rig.code("/chatroom/entry/set", **{**room, "value": "v" * 4097}) == 1005
    assert rig.code("/chatroom/entry/set", **{**room, "chatroomId": "none"}) == 1002
    assert rig.code("/chatroom/entry/remove", **{**room, "chatroomId": "none"}) == 1002
    path = "/chatroom/entry/batch/set"
    assert rig.code(path, chatroomId="room", entryOwnerId="boss", entryInfo="{}") == 1002
    assert keys(rig) == {"k": "v"}
