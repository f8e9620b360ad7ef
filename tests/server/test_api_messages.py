"""Messages over the REST API (rest 6, 7, 8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.config import Limits
from improto.contents import DownFlag
from improto.operations import Topic
from improto_server.api.messages import filled
from improto_server.services import broadcasts
from improto_server.store import StoreError
from tests.server.api_tools import ApiRig
from tests.server.rig import APP, item
from tests.server.room_tools import join, pull, texts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

HELLO = '{"content":"hello"}'
MESSAGE: dict[str, Any] = {"fromUserId": "boss", "objectName": "RC:TxtMsg", "content": HELLO}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def received(client: Client) -> list[payloads.DownStreamMessage]:
    """What is new for a client, pulled."""
    return client.pull_all()


def shown(client: Client) -> payloads.DownStreamMessage:
    """The one message that a client was shown."""
    (delivery,) = client.deliveries(Topic.S_MSG)
    return item(delivery)


# -- private and system ------------------------------------------------------------------


def test_to_each_a_copy(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    reply = rig.ask("/message/private/publish", **MESSAGE, toUserId=["alice", "bob", "carol"])
    uids = {each["userId"]: each["messageUID"] for each in reply["messageUIDs"]}
    assert len(set(uids.values())) == 3
    for client, name in ((alice, "alice"), (bob, "bob")):
        message = shown(client)
        assert (message.fromUserId, message.type, message.msgId) == ("boss", 1, uids[name])
        assert message.content.decode() == HELLO
        assert message.status & DownFlag.STORED
        assert message.status & DownFlag.COUNTED
    (message,) = received(rig.client("carol"))
    assert message.msgId == uids["carol"]


def test_what_can_be_said_about_a_message(rig: ApiRig) -> None:
    alice = rig.online("alice", "5.38.0")
    rig.ask(
        "/message/private/publish",
        **MESSAGE,
        toUserId="alice",
        isPersisted=0,
        isCounted=0,
        disablePush="True",
        expansion="true",
        extraContent='{"k":"v"}',
        pushContent="push",
        pushData="data",
        unknown="ignored",
    )
    (message,) = received(alice)
    flags = DownFlag(message.status)
    assert flags & (DownFlag.STORED | DownFlag.COUNTED) == DownFlag(0)
    assert flags & DownFlag.EXPANDABLE
    assert flags & DownFlag.SILENT
    assert json.loads(message.extraContent) == {"k": {"v": "v"}}


def test_extra_content_needs_expansion(rig: ApiRig) -> None:
    alice = rig.online("alice", "5.38.0")
    rig.ask("/message/private/publish", **MESSAGE, toUserId="alice", extraContent='{"k":"v"}')
    (message,) = received(alice)
    assert message.extraContent == ""


@pytest.mark.parametrize("multi_device", [False, True])
@pytest.mark.parametrize("included", [0, 1])
def test_the_sender_gets_it_only_if_that_is_wanted(
    tmp_path: Path, multi_device: bool, included: int
) -> None:
    """And if he may have several devices: otherwise nobody is told what he has sent himself."""
    rig = ApiRig(tmp_path, multi_device=multi_device)
    alice = rig.online("alice")
    fields = {**MESSAGE, "fromUserId": "alice", "toUserId": "bob", "isIncludeSender": included}
    rig.ask("/message/private/publish", **fields)
    alice.frames()
    assert [message.direction for message in received(alice)] == [1] * (included and multi_device)


def test_whoever_blocks_the_sender_is_left_out_if_that_is_wanted(rig: ApiRig) -> None:
    rig.ask("/user/blacklist/add", userId="alice", blackUserId="boss")
    both = {**MESSAGE, "toUserId": ["alice", "bob"]}
    reply = rig.ask("/message/private/publish", **both, verifyBlacklist=1)
    assert [each["userId"] for each in reply["messageUIDs"]] == ["bob"]
    reply = rig.ask("/message/private/publish", **both)
    assert [each["userId"] for each in reply["messageUIDs"]] == ["alice", "bob"]


def test_gags_do_not_matter(rig: ApiRig) -> None:
    rig.do(rig.system.standings.mute((APP, "boss"), until=rig.wall + 1000))
    assert rig.code("/message/private/publish", **MESSAGE, toUserId="alice") == 200


def test_system_messages(rig: ApiRig) -> None:
    alice = rig.online("alice")
    rig.ask("/message/system/publish", **MESSAGE, toUserId="alice")
    assert shown(alice).type == ConversationType.SYSTEM
    many = [f"u{number}" for number in range(101)]
    assert rig.code("/message/system/publish", **MESSAGE, toUserId=many) == 1502
    assert rig.code("/message/private/publish", **MESSAGE, toUserId=many) == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"fromUserId": ""}, 1002),
        ({"fromUserId": "x" * 65}, 1005),
        ({"toUserId": []}, 1002),
        ({"toUserId": [f"u{number}" for number in range(1001)]}, 1502),
        ({"objectName": ""}, 1002),
        ({"objectName": "x" * 33}, 1005),
        ({"content": ""}, 1002),
        ({"content": "null"}, 1002),
        ({"content": "x" * 131_073}, 1005),
        ({"isPersisted": "undefined"}, 1501),
        ({"extraContent": "[]"}, 1002),
    ],
)
def test_what_is_refused(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    fields = {**MESSAGE, "toUserId": "alice", **change}
    assert rig.code("/message/private/publish", **fields) == code
    assert received(rig.client("alice")) == []


def test_the_servers_own_limit_of_contents(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path, limits=Limits(content_bytes=1024))
    long = {**MESSAGE, "content": "x" * 1025}
    assert rig.code("/message/private/publish", **long, toUserId="alice") == 1005
    assert rig.code("/message/broadcast", **long) == 1005


def test_a_store_that_fails(rig: ApiRig) -> None:
    rig.store.broken = StoreError("no")
    assert rig.code("/message/private/publish", **MESSAGE, toUserId="alice") == 1000


# -- templates ---------------------------------------------------------------------------


def template(**changes: Any) -> dict[str, Any]:
    return {
        "fromUserId": "boss",
        "objectName": "RC:TxtMsg",
        "content": '{"content":"{name}, {day}: {name}"}',
        "toUserId": ["alice", "bob"],
        "values": [{"{name}": "A", "{day}": "{name}"}, {"{name}": "\u4f60", "{day}": "2"}],
        "pushContent": ["{name}", None],
        "pushData": [],
        "disablePush": "True",
        **changes,
    }


@pytest.mark.parametrize(("kind", "type"), [("private", 1), ("system", 6)])
def test_a_template(rig: ApiRig, kind: str, type: int) -> None:
    reply = rig.ask(f"/message/{kind}/publish_template", **template())
    assert [each["userId"] for each in reply["messageUIDs"]] == ["alice", "bob"]
    (message,) = received(rig.client("alice"))
    assert (message.content.decode(), message.type) == ('{"content":"A, {name}: A"}', type)
    (message,) = received(rig.client("bob"))
    assert json.loads(message.content)["content"] == "\u4f60, 2: \u4f60"


def test_templates_that_are_none(rig: ApiRig) -> None:
    path = "/message/private/publish_template"
    for change in ({"values": [{}]}, {"values": []}, {"values": ["x", {}]}, {"toUserId": []}):
        assert rig.code(path, **template(**change)) == 1002
    long = [{"{name}": "x" * 4096, "{day}": "x"}, {}]
    assert rig.code(path, **template(content="{name}" * 32, values=long)) == 200
    assert rig.code(path, **template(content="{name}" * 33, values=long)) == 1005
    assert rig.post_body(path, b'{"content": "say "hi""}')["code"] == 1002


def test_a_template_and_a_blacklist(rig: ApiRig) -> None:
    rig.ask("/user/blacklist/add", userId="alice", blackUserId="boss")
    reply = rig.ask("/message/private/publish_template", **template(verifyBlacklist=1))
    assert [each["userId"] for each in reply["messageUIDs"]] == ["bob"]


def test_words_are_filled_in_once() -> None:
    assert filled("a ab", {"a": "ab", "ab": "a", "": "never"}) == "ab a"
    assert filled("a.b", {}) == "a.b"
    assert filled("a.b axb", {"a.b": "\\1"}) == "\\1 axb"


# -- groups and rooms --------------------------------------------------------------------


def test_to_a_group(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice = rig.online("alice")
    reply = rig.ask("/message/group/publish", **MESSAGE, toGroupId=["g", "none"])
    assert [each["groupId"] for each in reply["messageUIDs"]] == ["g", "none"]
    message = shown(alice)
    assert (message.fromUserId, message.groupId, message.type) == ("boss", "g", 3)
    assert message.msgId == reply["messageUIDs"][0]["messageUID"]
    many = [f"g{number}" for number in range(4)]
    assert rig.code("/message/group/publish", **MESSAGE, toGroupId=many) == 1502


def test_to_some_members(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.ask("/message/group/publish", **MESSAGE, toGroupId="g", toUserId=["bob", "carol"])
    assert alice.deliveries() == []
    assert shown(bob).groupId == "g"
    code = rig.code("/message/group/publish", **MESSAGE, toGroupId=["g", "h"], toUserId="bob")
    assert code == 1002


def test_mentions(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice, bob = rig.online("alice"), rig.online("bob")
    info = {"type": 2, "userIdList": ["alice"], "mentionedContent": ""}
    content = json.dumps({"content": "hi", "mentionedInfo": info})
    fields = {**MESSAGE, "content": content, "toGroupId": "g", "isMentioned": 1}
    rig.ask("/message/group/publish", **fields)
    assert shown(alice).status & DownFlag.MENTIONED
    assert not shown(bob).status & DownFlag.MENTIONED


def test_to_chatrooms(rig: ApiRig) -> None:
    alice = rig.online("alice")
    join(alice)
    reply = rig.ask("/message/chatroom/publish", **MESSAGE, toChatroomId=["room", "none"])
    assert [each["chatroomId"] for each in reply["messageUIDs"]] == ["room", "none"]
    assert texts(pull(alice)) == [HELLO]
    many = [f"r{number}" for number in range(101)]
    assert rig.code("/message/chatroom/publish", **MESSAGE, toChatroomId=many) == 1502


# -- to everybody, and to who is there ---------------------------------------------------


def test_to_everybody(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasts, "PAGE", 2)
    users = ["alice", "bob", "carol", "dora", "emil"]
    for user in (*users, "boss"):
        rig.ask("/user/getToken", userId=user, name="n")
    alice = rig.online("alice")
    assert rig.ask("/message/broadcast", **MESSAGE, os="iOS") == {}
    assert shown(alice).type == ConversationType.SYSTEM
    for user in users[1:]:
        assert [message.fromUserId for message in received(rig.client(user))] == ["boss"]
    assert received(rig.client("boss")) == []


def test_a_broadcast_that_cannot_be_stored(rig: ApiRig, caplog: pytest.LogCaptureFixture) -> None:
    rig.store.broken = StoreError("no")
    assert rig.code("/message/broadcast", **MESSAGE) == 200
    assert "a broadcast was not sent to everybody" in caplog.text


def test_to_who_is_there(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.ask("/user/blacklist/add", userId="bob", blackUserId="boss")
    both = {**MESSAGE, "toUserId": ["alice", "bob", "carol"]}
    reply = rig.ask("/statusmessage/private/publish", **both, verifyBlacklist=1)
    assert [each["userId"] for each in reply["messageUIDs"]] == ["alice", "carol"]
    assert shown(alice).fromUserId == "boss"
    assert bob.deliveries() == []
    rig.ask("/statusmessage/private/publish", **both)
    assert shown(bob).fromUserId == "boss"
    assert received(rig.client("carol")) == []


def test_to_members_who_are_there(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "boss"], groupId="g", groupName="G")
    alice, boss, bob = rig.online("alice"), rig.online("boss"), rig.online("bob")
    reply = rig.ask("/statusmessage/group/publish", **MESSAGE, toGroupId=["g", "none"])
    assert [each["groupId"] for each in reply["messageUIDs"]] == ["g", "none"]
    assert shown(alice).groupId == "g"
    assert boss.deliveries() == bob.deliveries() == []
    null = {**MESSAGE, "content": "null"}
    assert rig.code("/statusmessage/group/publish", **null, toGroupId="g") == 1002


# -- recall ------------------------------------------------------------------------------


def recalled(uid: str, **changes: Any) -> dict[str, Any]:
    return {
        "fromUserId": "boss",
        "conversationType": 1,
        "targetId": "alice",
        "messageUID": uid,
        "sentTime": 1_700_000_000_000,
        "isAdmin": 0,
        "isDelete": 1,
        "objectName": "ignored",
        **changes,
    }


def first_uid(reply: dict[str, Any]) -> str:
    uid: str = reply["messageUIDs"][0]["messageUID"]
    return uid


def test_a_private_message_is_taken_back(rig: ApiRig) -> None:
    uid = first_uid(rig.ask("/message/private/publish", **MESSAGE, toUserId="alice"))
    assert rig.code("/message/recall", **recalled(uid, fromUserId="bob")) == 200
    rig.ask("/message/recall", **recalled(uid))
    names = [message.classname for message in received(rig.client("alice"))]
    assert names == ["RC:RcCmd", "RC:RcCmd"]
    # Once more changes nothing.
    rig.ask("/message/recall", **recalled(uid))
    (_, command) = received(rig.client("alice"))
    assert json.loads(command.content) == {
        "messageUId": uid,
        "conversationType": 1,
        "targetId": "alice",
        "sentTime": 1_700_000_000_000,
        "isAdmin": False,
        "isDelete": True,
    }


def test_a_group_message_is_taken_back_wherever_the_sender_is(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    uid = first_uid(rig.ask("/message/group/publish", **MESSAGE, toGroupId="g"))
    group = recalled(uid, conversationType=3, targetId="g")
    assert rig.code("/message/recall", **{**group, "fromUserId": "alice"}) == 1002
    rig.ask("/message/recall", **group)
    assert [each.classname for each in received(rig.client("alice"))] == ["RC:RcCmd"]


def test_a_chatroom_message_is_taken_back(rig: ApiRig) -> None:
    alice = rig.online("alice")
    join(alice)
    uid = first_uid(rig.ask("/message/chatroom/publish", **MESSAGE, toChatroomId="room"))
    rig.ask("/message/recall", **recalled(uid, conversationType=4, targetId="room"))
    assert [each.classname for each in pull(alice).list] == ["RC:RcCmd"]


@pytest.mark.parametrize(
    ("uid", "type", "target"),
    [("made-up", 1, "alice"), ("5H6C-P7R6-8N7U-1AAA", 3, "g"), ("x", 6, "alice"), ("x", 4, "room")],
)
def test_what_is_unknown_is_taken_back_in_the_clients(
    rig: ApiRig, uid: str, type: int, target: str
) -> None:
    rig.ask("/group/create", userId="alice", groupId="g", groupName="G")
    alice = rig.online("alice")
    join(alice)
    alice.frames()
    rig.ask("/message/recall", **recalled(uid, conversationType=type, targetId=target))
    found = pull(alice).list if type == 4 else received(alice)
    assert [each.classname for each in found] == ["RC:RcCmd"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"conversationType": 5}, 1002),
        ({"conversationType": 11}, 1502),
        ({"conversationType": "undefined"}, 1501),
        ({"targetId": "a b"}, 1002),
        ({"conversationType": 3, "targetId": "~g"}, 1002),
        ({"messageUID": ""}, 1002),
        ({"messageUID": "x" * 65}, 1005),
        ({"sentTime": -1}, 1502),
    ],
)
def test_recalls_that_are_none(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    assert rig.code("/message/recall", **recalled("x", **change)) == code


def test_a_recall_is_not_taken_back(rig: ApiRig) -> None:
    rig.ask("/message/recall", **recalled("made-up"))
    (command,) = received(rig.client("alice"))
    assert rig.code("/message/recall", **recalled(command.msgId)) == 1002


def test_a_recall_that_cannot_be_stored(rig: ApiRig) -> None:
    uid = first_uid(rig.ask("/message/private/publish", **MESSAGE, toUserId="alice"))
    rig.store.broken = StoreError("no")
    assert rig.code("/message/recall", **recalled(uid)) == 1000
    assert ErrorCode.INTERNALERRROR == 24015


def test_to_a_discussion(rig: ApiRig) -> None:
    """Users make it; one that does not exist has nobody in it."""
    alice = rig.online("alice")
    request = payloads.CreateDiscussionInput(name="Talk")
    talk = alice.ask(Topic.CR_DIZ, request, payloads.CreateDiscussionOutput).id
    both = [talk, "~none"]
    reply = rig.ask("/message/discussion/publish", **MESSAGE, toDiscussionId=both)
    assert [each["discussionId"] for each in reply["messageUIDs"]] == both
    assert [message.groupId for message in received(rig.client("alice"))] == [talk]
    assert rig.code("/message/discussion/publish", **MESSAGE, toDiscussionId="g") == 1002
