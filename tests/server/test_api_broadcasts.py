"""Messages to many, and the tags by which they are found, over the REST API (rest 6, 9.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from improto.codes import ConversationType
from improto_server.store import StoreError
from tests.server.api_tools import ApiRig
from tests.server.rig import item

if TYPE_CHECKING:
    from pathlib import Path

    from improto import payloads

USERS = ["alice", "bob", "carol", "dora"]
MESSAGE = {"objectName": "RC:TxtMsg", "content": '{"content":"x"}'}
PUSH: dict[str, Any] = {
    "platform": ["ios", "Android"],
    "fromuserid": "boss",
    "notification": {"alert": "!", "ios": {"badge": 1}},
}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    rig = ApiRig(tmp_path)
    for user in ("boss", *USERS):
        rig.ask("/user/getToken", userId=user, name="")
    return rig


def received(rig: ApiRig) -> dict[str, list[payloads.DownStreamMessage]]:
    """What each of the users has in his inbox, if anything."""
    found = {user: rig.client(user).pull_all() for user in ("boss", *USERS)}
    return {user: messages for user, messages in found.items() if messages}


def told(rig: ApiRig, audience: dict[str, Any], **changes: Any) -> list[str]:
    """Who gets a message, each of them one."""
    rig.ask("/push", **{**PUSH, "audience": audience, "message": MESSAGE, **changes})
    found = received(rig)
    for messages in found.values():
        (message,) = messages
        assert (message.fromUserId, message.type) == ("boss", ConversationType.SYSTEM)
        assert message.content.decode() == MESSAGE["content"]
    return [*found]


# -- tags --------------------------------------------------------------------------------


def test_tags(rig: ApiRig, tmp_path: Path) -> None:
    rig.ask("/user/tag/set", userId="alice", tags=["young", "tall", "young"])
    rig.ask("/user/tag/batch/set", userIds=["bob", "nobody"], tags=["\u5973"])
    assert rig.ask("/user/tags/get", userIds=["alice", "bob", "nobody", "carol"]) == {
        "result": {
            "alice": ["tall", "young"],
            "bob": ["\u5973"],
            "nobody": ["\u5973"],
            "carol": [],
        }
    }
    rig.ask("/user/tag/set", userId="alice", tags=["old"])
    rig.ask("/user/tag/set", userId="bob", tags=[])
    rig.store.store.close()
    found = ApiRig(tmp_path).ask("/user/tags/get", userIds=["alice", "bob"])
    assert found == {"result": {"alice": ["old"], "bob": []}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tags": [str(number) for number in range(21)]}, 1502),
        ({"tags": ["x" * 41]}, 1005),
        ({"tags": [""]}, 1002),
        ({"tags": None}, 200),
        ({"userId": None}, 1002),
    ],
)
def test_tags_that_cannot_be(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    assert rig.code("/user/tag/set", **{"userId": "alice", "tags": ["a"], **change}) == code
    assert rig.ask("/user/tags/get", userIds="alice") == {"result": {"alice": []}}
    assert rig.code("/user/tag/set", userId="alice") == 1002


# -- to those who are meant --------------------------------------------------------------


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({"is_to_all": True, "userid": ["alice"]}, USERS),
        ({"userid": ["dora", "dora", "boss"], "tag": ["a"]}, ["dora"]),
        ({"tag": ["a"]}, ["alice", "bob", "carol"]),
        ({"tag": ["a", "b"]}, ["bob", "carol"]),
        ({"tag_or": ["b", "c"]}, ["bob", "carol", "dora"]),
        ({"tag": ["a"], "tag_or": ["b", "c", "b"]}, ["bob", "carol"]),
        ({"tag": ["none"]}, []),
        ({"packageName": "org.example"}, []),
    ],
)
def test_who_is_told(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch, audience: dict[str, Any], expected: list[str]
) -> None:
    monkeypatch.setattr("improto_server.services.broadcasts.PAGE", 2)
    for user, tags in zip(USERS, ("a", "ab", "abc", "c"), strict=True):
        rig.ask("/user/tag/set", userId=user, tags=[*tags])
    assert told(rig, audience) == expected


@pytest.mark.parametrize(
    "content", [{"content": "x"}, MESSAGE["content"], quote('{"content":"x"}')]
)
def test_contents_as_the_sdks_write_them(rig: ApiRig, content: Any) -> None:
    message = {**MESSAGE, "content": content}
    assert told(rig, {"userid": ["alice"]}, message=message) == ["alice"]


def test_nothing_to_be_sent(rig: ApiRig) -> None:
    """There is no push service: it is answered, and that is all."""
    ids = [
        rig.ask("/push", **{**PUSH, "audience": {"is_to_all": True}, **change})["id"]
        for change in ({}, {"fromuserid": None})
    ]
    ids.append(rig.ask("/push/custom", **PUSH, audience={"tag": ["a"]})["id"])
    ids.append(rig.ask("/push/user", userIds=["alice"], notification={"title": "t"})["id"])
    assert len(set(ids)) == 4
    assert received(rig) == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"platform": []}, 1002),
        ({"platform": ["windows"]}, 1002),
        ({"platform": ["ios", "android", "ios"]}, 1502),
        ({"audience": {}}, 1002),
        ({"audience": None}, 1002),
        ({"audience": "all"}, 1002),
        ({"audience": {"userid": ["a b"]}}, 1002),
        ({"audience": {"userid": ["a"] * 1001}}, 1002),
        ({"audience": {"tag": ["t"] * 21}}, 1002),
        ({"audience": {"tag": ["t" * 41]}}, 1002),
        ({"fromuserid": None}, 1002),
        ({"fromuserid": "x" * 65}, 1005),
        ({"notification": {"ios": 1}}, 1002),
        ({"message": {"objectName": "RC:TxtMsg", "content": "x" * 131_073}}, 1005),
        ({"message": {"objectName": "RC:TxtMsg", "content": "null"}}, 1002),
        ({"message": {"objectName": "x" * 33, "content": "x"}}, 1002),
    ],
)
def test_pushes_that_cannot_be(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    push = {**PUSH, "audience": {"is_to_all": True}, "message": MESSAGE, **change}
    assert rig.code("/push", **push) == code
    assert received(rig) == {}


def test_pushes_to_users_that_cannot_be(rig: ApiRig) -> None:
    assert rig.code("/push/user", userIds=["alice"]) == 1002
    many = [f"u{number}" for number in range(101)]
    assert rig.code("/push/user", userIds=many, notification={}) == 1502


# -- to all, and to who is there ---------------------------------------------------------


def test_a_push_that_cannot_be_stored(rig: ApiRig, caplog: pytest.LogCaptureFixture) -> None:
    rig.store.broken = StoreError("no")
    body = json.dumps({**PUSH, "audience": {"is_to_all": True}, "message": MESSAGE})
    assert rig.post_body("/push", body.encode())["code"] == 200
    assert "a broadcast was not sent to everybody" in caplog.text


def test_to_who_is_there(rig: ApiRig) -> None:
    alice, boss = rig.online("alice"), rig.online("boss")
    uid = rig.ask("/message/online/broadcast", fromUserId="boss", **MESSAGE)["messageUID"]
    (delivery,) = alice.deliveries()
    assert (item(delivery).msgId, item(delivery).type) == (uid, ConversationType.SYSTEM)
    assert item(delivery).fromUserId == "boss"
    assert boss.deliveries() == []
    assert received(rig) == {}
