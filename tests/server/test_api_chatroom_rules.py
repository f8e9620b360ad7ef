"""How chatrooms behave, over the REST API (rest 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import ErrorCode
from improto_server.services.chatrooms import ChatroomRules
from improto_server.store import StoreError
from tests.server.api_tools import ApiRig
from tests.server.room_tools import join, keys, members, pull, say, texts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

ROOM = {"chatroomId": "room"}
WHILE_EMPTY = {"destroyType": 0, "destroyTime": 120}
AT_A_TIME = {"destroyType": 1, "destroyTime": 60}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def exists(rig: ApiRig, room: str = "room") -> bool:
    return bool(rig.ask("/chatroom/query", chatroomId=room)["chatRooms"])


def pass_minutes(rig: ApiRig, minutes: int) -> None:
    rig.advance(60 * minutes)
    rig.system.tick()
    rig.settle()


# -- how long they last ------------------------------------------------------------------


def test_a_room_with_all_that_it_can_have(rig: ApiRig) -> None:
    everything: dict[str, Any] = {
        "isBan": "true",
        "whiteUserIds": ["alice"],
        "entryOwnerId": "boss",
        "entryInfo": '{"k":"v"}',
    }
    rig.ask("/chatroom/create_new", **ROOM, **WHILE_EMPTY, **everything)
    found = rig.ask("/chatroom/get", **ROOM)
    assert found.pop("createTime") > 0
    assert found == {
        "chatroomId": "room",
        "memberCount": 0,
        "destroyType": 0,
        "destroyTime": 120,
        "ban": True,
    }
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    assert (say(alice), say(bob)) == (0, ErrorCode.FORBIDDEN_IN_CHATROOM)
    assert keys(alice) == {"k": "v"}
    assert rig.ask("/chatroom/ban/query") == {"chatroomIds": ["room"]}
    rig.ask("/chatroom/create_new", **ROOM)
    assert say(bob) == 0
    assert rig.ask("/chatroom/get", **ROOM)["destroyTime"] == 60


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"destroyTime": 59}, 1502),
        ({"destroyTime": 10_081}, 1502),
        ({"destroyType": 2}, 1502),
        ({"entryInfo": '{"k":"v"}'}, 1002),
        ({"whiteUserIds": [f"u{number}" for number in range(21)]}, 1502),
    ],
)
def test_rooms_that_cannot_be(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    assert rig.code("/chatroom/create_new", **{**ROOM, **change}) == code
    assert not exists(rig)


def test_rooms_that_nobody_is_in(rig: ApiRig, tmp_path: Path) -> None:
    """Some last longer than others, also after a restart."""
    rig.ask("/chatroom/create_new", **ROOM, **WHILE_EMPTY)
    rig.ask("/chatroom/create_new", chatroomId="usual")
    pass_minutes(rig, 61)
    assert (exists(rig), exists(rig, "usual")) == (True, False)
    rig.store.store.close()
    again = ApiRig(tmp_path)
    pass_minutes(again, 119)
    assert exists(again)
    alice = again.online("alice")
    join(alice)
    pass_minutes(again, 121)
    assert exists(again)
    alice.leave()
    pass_minutes(again, 1)
    pass_minutes(again, 119)
    assert exists(again)
    pass_minutes(again, 2)
    assert not exists(again)


def test_rooms_that_go_at_a_time(rig: ApiRig, tmp_path: Path) -> None:
    rig.ask("/chatroom/create_new", **ROOM, **AT_A_TIME)
    rig.ask("/chatroom/create_new", chatroomId="later", **AT_A_TIME)
    rig.ask("/chatroom/destroy/set", chatroomId="later", destroyType=1, destroyTime=180)
    rig.ask("/chatroom/create_new", chatroomId="kept", destroyType=1)
    rig.ask("/chatroom/keepalive/add", chatroomId="kept")
    assert rig.ask("/chatroom/get", **ROOM)["destroyType"] == 1
    assert rig.code("/chatroom/destroy/set", chatroomId="none") == 200
    join(rig.online("alice"))
    pass_minutes(rig, 59)
    assert exists(rig)
    pass_minutes(rig, 1)
    assert [exists(rig, room) for room in ("room", "later", "kept")] == [False, True, False]
    rig.store.store.close()
    again = ApiRig(tmp_path)
    again.advance(60 * 100)
    assert exists(again, "later")
    pass_minutes(again, 81)
    assert not exists(again, "later")


def test_muted_rooms_by_pages(rig: ApiRig) -> None:
    for room in ("a", "b", "c"):
        rig.ask("/chatroom/ban/add", chatroomId=room)
    assert rig.ask("/chatroom/ban/query") == {"chatroomIds": ["a", "b", "c"]}
    assert rig.ask("/chatroom/ban/query", page=2, size=2) == {"chatroomIds": ["c"]}
    rig.ask("/chatroom/ban/rollback", chatroomId="b")
    assert rig.ask("/chatroom/ban/query", size=2) == {"chatroomIds": ["a", "c"]}


# -- what is passed on -------------------------------------------------------------------


def busy(tmp_path: Path, **rules: Any) -> tuple[ApiRig, Client, Client]:
    """A room that takes one message a second, and two users in it."""
    rig = ApiRig(tmp_path, chatrooms=ChatroomRules(busy_rate=1, **rules))
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    return rig, alice, bob


def heard(rig: ApiRig, alice: Client, name: str) -> bool:
    """Whether a message is passed on while the room is busy."""
    rig.advance(2)
    reader = rig.online("reader")
    join(reader)
    before = len(pull(reader, count=50).list)
    say(alice)
    say(alice, name=name)
    return len(pull(reader, count=50).list) - before == 2


def test_messages_that_count_for_less_and_for_more(tmp_path: Path) -> None:
    rig, alice, _ = busy(tmp_path, low_priority=frozenset({"app:like"}))
    assert [heard(rig, alice, name) for name in ("app:like", "app:note")] == [False, True]
    rig.ask("/chatroom/message/priority/add", objectName=["app:note", "app:gift"])
    rig.ask("/chatroom/whitelist/add", objectnames=["app:like"])
    assert [heard(rig, alice, name) for name in ("app:like", "app:note")] == [True, False]
    assert rig.ask("/chatroom/whitelist/query") == {"whitlistMsgType": ["app:like"]}
    found = rig.ask("/chatroom/message/priority/query")
    assert found == {"objectNames": ["app:note", "app:gift"]}
    rig.store.store.close()
    again = ApiRig(tmp_path, chatrooms=ChatroomRules(busy_rate=1))
    found = again.ask("/chatroom/message/priority/query")
    assert found == {"objectNames": ["app:gift", "app:note"]}
    again.ask("/chatroom/message/priority/remove", objectName=["app:note", "app:none"])
    again.ask("/chatroom/whitelist/delete", objectnames=["app:like"])
    assert again.ask("/chatroom/message/priority/query") == {"objectNames": ["app:gift"]}
    assert again.ask("/chatroom/whitelist/query") == {"whitlistMsgType": []}
    alice = again.online("alice")
    join(alice)
    assert [heard(again, alice, name) for name in ("app:gift", "app:note")] == [False, True]


def test_at_most_20_object_names(rig: ApiRig) -> None:
    names = [f"app:{number}" for number in range(20)]
    rig.ask("/chatroom/message/priority/add", objectName=names)
    rig.ask("/chatroom/message/priority/add", objectName=names[0])
    assert rig.code("/chatroom/message/priority/add", objectName="app:one-more") == 1502
    assert rig.code("/chatroom/whitelist/add", objectnames=[*names, "app:20"]) == 1502
    assert rig.code("/chatroom/whitelist/add", objectnames="x" * 33) == 1005
    assert rig.code("/chatroom/whitelist/add") == 1002


def test_names_that_cannot_be_stored_do_not_count(rig: ApiRig) -> None:
    rig.store.broken = StoreError("no")
    assert rig.code("/chatroom/whitelist/add", objectnames="app:like") == 1000
    rig.store.broken = None
    assert rig.ask("/chatroom/whitelist/query") == {"whitlistMsgType": []}


def test_users_who_are_always_heard(tmp_path: Path) -> None:
    rig, alice, bob = busy(tmp_path, low_priority=frozenset({"app:like"}))
    rig.ask("/chatroom/user/whitelist/add", **ROOM, userId=["bob", "alice"])
    assert rig.ask("/chatroom/user/whitelist/query", **ROOM) == {"users": ["alice", "bob"]}
    assert heard(rig, alice, "app:like")
    bob.leave()
    rig.advance(31)
    rig.system.tick()
    assert members(alice) == ["alice", "bob", "reader"]
    # His time counts from now; nobody else's does.
    rig.ask("/chatroom/user/whitelist/remove", **ROOM, userId=["alice", "bob", "nobody"])
    assert members(alice) == ["alice", "bob", "reader"]
    rig.advance(31)
    rig.system.tick()
    assert members(alice) == ["alice", "reader"]
    assert not heard(rig, alice, "app:like")


def test_a_room_that_is_paused(rig: ApiRig, tmp_path: Path) -> None:
    """What clients say is taken; what the application says is passed on."""
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    rig.ask("/chatroom/message/stopDistribution", **ROOM)
    assert say(alice, "unheard") == 0
    rig.ask(
        "/message/chatroom/publish",
        fromUserId="boss",
        toChatroomId="room",
        objectName="RC:TxtMsg",
        content="from above",
    )
    assert texts(pull(bob)) == ["from above"]
    rig.store.store.close()
    again = ApiRig(tmp_path)
    alice, bob = again.online("alice"), again.online("bob")
    join(alice)
    join(bob)
    say(alice, "still unheard")
    assert texts(pull(bob)) == ["from above"]
    again.ask("/chatroom/message/resumeDistribution", **ROOM)
    say(alice, "heard")
    assert texts(pull(bob)) == ["from above", "heard"]
    assert again.code("/chatroom/message/resumeDistribution", chatroomId="none") == 200
    assert not exists(again, "none")
    again.ask("/chatroom/message/stopDistribution", chatroomId="new")
    assert exists(again, "new")


def test_to_all_rooms(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improto_server.services.broadcasts.PAGE", 2)
    rooms = ["a", "b", "c"]
    for room in rooms:
        rig.ask("/chatroom/create_new", chatroomId=room)
    message = {"fromUserId": "boss", "objectName": "RC:TxtMsg"}
    rig.ask("/message/chatroom/broadcast", **message, content="to all")
    alice = rig.online("alice")
    for room in rooms:
        join(alice, room=room)
        assert texts(pull(alice, room=room)) == ["to all"]
    assert rig.code("/message/chatroom/broadcast", **message, content="null") == 1002
