"""The official server SDK for Node, as it was published, drives the REST API."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.testing import ImServer
    from tests.api_sdks.conftest import Called

    Node = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.interop

FOLDER = Path(__file__).parent / "node"
SDK = FOLDER / "node_modules" / "rongcloud-sdk"
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")
PATIENCE = 120.0
"""Seconds for npm, and for a run."""

HELLO = {"content": "hello & \u4f60\u597d = 100%+"}


@pytest.fixture(scope="module")
def node() -> str:
    """The program that runs the SDK, which is there."""
    programs = [shutil.which(name) for name in ("node", "npm")]
    if None in programs:
        pytest.skip("node and npm are not installed")
    if not SDK.exists():
        with (FOLDER / ".installing").open("w") as lock:
            # Tests may run in several processes, and one of them is enough to do it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                [str(programs[1]), *INSTALL], cwd=FOLDER, capture_output=True, timeout=PATIENCE
            )
            if done.returncode:
                pytest.skip("npm could not install the SDK")
    return str(programs[0])


@pytest.fixture
def run(node: str, im_server: ImServer) -> Node:
    """Make calls; returns what the SDK gives the application."""
    options = {"appkey": im_server.app_key, "secret": im_server.app_secret}

    def make(*calls: tuple[Any, ...], **changes: Any) -> list[dict[str, Any]]:
        wanted = {
            "options": {**options, "api": im_server.web_url, **changes},
            "calls": [(path, list(args)) for path, *args in calls],
        }
        done = subprocess.run(
            [node, "run.js"],
            cwd=FOLDER,
            input=json.dumps(wanted).encode(),
            capture_output=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr.decode()
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return make


def good(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results without their codes, which must be 200."""
    assert [each.pop("code", each) for each in results] == [200] * len(results)
    return results


def members(*names: str) -> list[dict[str, str]]:
    return [{"id": name} for name in names]


def test_users(run: Node, im_server: ImServer) -> None:
    dora = {"id": "n-dora", "name": "Dora \u6735\u62c9", "portrait": "http://x/?d=1&e=+"}
    listed = {"id": "n-a", "blacklist": members("n-b", "n-c")}
    results = good(
        run(
            ("User.register", dora),
            ("User.update", dora),
            ("User.OnlineStatus.get", {"id": "n-dora"}),
            ("User.Block.add", {"id": "n-a", "minute": 5}),
            ("User.Block.getList",),
            ("User.Block.remove", {"id": "n-a"}),
            ("User.Blacklist.add", listed),
            ("User.Blacklist.remove", {"id": "n-a", "blacklist": members("n-b")}),
            ("User.Blacklist.getList", {"id": "n-a"}),
        )
    )
    assert results[0]["userId"] == "n-dora"
    assert results[2] == {"status": "0"}
    assert [user["userId"] for user in results[4]["users"]] == ["n-a"]
    assert results[8] == {"users": members("n-c")}


def test_messages(run: Node, im_server: ImServer) -> None:
    message = {"senderId": "n-boss", "targetId": "n-eve", "objectName": "RC:TxtMsg"}
    template = {
        "senderId": "n-boss",
        "objectName": "RC:TxtMsg",
        "template": {"content": "hello {name}"},
        "content": {"n-eve": {"data": {"{name}": "Eve"}, "push": "{name}"}},
    }
    with im_server.user("n-eve").online() as eve:
        good(run(("Message.Private.send", {**message, "content": HELLO})))
        got = eve.receive()
        assert got.decoded().content == HELLO["content"]
        taken = {**message, "content": HELLO, "uId": got.uid, "sentTime": got.time}
        good(
            run(
                ("Message.Private.recall", taken),
                ("Message.Private.sendTemplate", template),
                ("Message.System.send", {**message, "content": HELLO}),
                ("Message.System.sendTemplate", template),
            )
        )
        received = [eve.receive() for _ in range(4)]
        assert received[0].object_name == "RC:RcCmd"
        assert received[1].decoded().content == "hello Eve"
        assert [each.conversation.type for each in received] == [1, 1, 6, 6]
        good(run(("Message.System.broadcast", {**message, "content": HELLO})))
        assert eve.receive().conversation.type == 6


def test_groups(run: Node, im_server: ImServer) -> None:
    group = {"id": "n-g", "name": "\u7fa4 & more"}
    results = good(
        run(
            ("Group.create", {**group, "members": members("n-ann", "n-bob")}),
            ("Group.join", {**group, "member": {"id": "n-cat"}}),
            ("Group.quit", {"id": "n-g", "member": {"id": "n-bob"}}),
            ("Group.update", group),
            ("Group.get", {"id": "n-g"}),
            ("Group.sync", {"id": "n-dan", "groups": [group]}),
        )
    )
    assert {member["id"] for member in results[4]["members"]} == {"n-ann", "n-cat"}
    message = {"senderId": "n-boss", "targetId": "n-g", "objectName": "RC:TxtMsg"}
    mention = {"mentionedInfo": {"type": 2, "userIds": ["n-ann"], "pushContent": ""}}
    with im_server.user("n-ann").online() as ann:
        good(
            run(
                ("Message.Group.send", {**message, "content": HELLO}),
                ("Message.Group.sendMention", {**message, "content": {**HELLO, **mention}}),
            )
        )
        got, mentioned = ann.receive(), ann.receive()
        assert got.decoded().content == mentioned.decoded().content == HELLO["content"]
        taken = {**message, "content": HELLO, "uId": got.uid, "sentTime": got.time}
        good(run(("Message.Group.recall", taken)))
        assert ann.receive().object_name == "RC:RcCmd"
    gone = good(
        run(
            ("Group.dismiss", {"id": "n-g", "member": {"id": "n-ann"}}),
            ("Group.get", {"id": "n-g"}),
        )
    )
    assert gone[1]["members"] == []


def test_who_may_write_in_groups(run: Node) -> None:
    both = {"id": "n-muted", "members": members("n-a", "n-b"), "minute": 5}
    one = {"id": "n-muted", "members": members("n-a")}
    groups = {"groups": members("n-muted")}
    for part in ("Group.Gag", "Group.Mute.Member", "Group.Mute.Whitelist"):
        results = good(
            run(
                (f"{part}.add", dict(both)),
                (f"{part}.remove", dict(one)),
                (f"{part}.getList", {"id": "n-muted"}),
            )
        )
        assert [each.get("id") for each in results[2]["members"]] == ["n-b"]
    results = good(
        run(
            ("Group.Mute.All.add", groups),
            ("Group.Mute.All.getList",),
            ("Group.Mute.All.remove", groups),
        )
    )
    assert results[1]["groups"] == [{"id": "n-muted", "isMuted": 1}]


def test_chatrooms(run: Node) -> None:
    rooms = [{"id": "n-r", "name": "Room & more"}, {"id": "n-s", "name": "S"}]
    message = {"senderId": "n-boss", "targetId": "n-r", "objectName": "RC:TxtMsg"}
    asked = {"id": "n-r", "members": members("n-a", "n-b")}
    results = good(
        run(
            ("Chatroom.create", rooms),
            ("Message.Chatroom.send", {**message, "content": HELLO}),
            ("Chatroom.get", {"id": "n-r", "count": 10, "order": 1}),
            ("Chatroom.isExist", asked),
            ("Chatroom.KeepAlive.add", {"id": "n-s"}),
            ("Chatroom.KeepAlive.getList",),
            ("Chatroom.KeepAlive.remove", {"id": "n-s"}),
            ("Chatroom.destroy", {"id": ["n-r", "n-s"]}),
        )
    )
    assert results[2]["total"] == 0
    assert [member["isInChrm"] for member in results[3]["members"]] == [0, 0]
    assert results[5] == {"chatrooms": ["n-s"]}


@pytest.mark.parametrize("part", ["Chatroom.Gag", "Chatroom.Block"])
def test_who_may_what_in_chatrooms(run: Node, part: str) -> None:
    both = {"id": "n-room", "members": members("n-a", "n-b"), "minute": 5}
    results = good(
        run(
            (f"{part}.add", both),
            (f"{part}.remove", {"id": "n-room", "members": members("n-a")}),
            (f"{part}.getList", {"id": "n-room"}),
        )
    )
    assert [member["id"] for member in results[2]["members"]] == ["n-b"]


def test_settings(run: Node) -> None:
    conversation = {"type": "PRIVATE", "userId": "n-a", "targetId": "n-b"}
    good(run(("Conversation.mute", conversation), ("Conversation.unmute", conversation)))


def test_tags(run: Node) -> None:
    results = good(
        run(
            ("User.Tag.set", {"id": "n-a", "tags": ["tall"]}),
            ("User.Tag.batchSet", {"id": "-", "users": members("n-a", "n-b"), "tags": ["\u5973"]}),
            ("User.Tag.getList", members("n-a", "n-b")),
            ("User.Tag.remove", {"id": "n-a"}),
            ("User.Tag.batchRemove", {"id": "-", "users": members("n-a", "n-b"), "tags": []}),
        )
    )
    assert results[2]["tags"] == {"n-a": ["\u5973"], "n-b": ["\u5973"]}


def test_how_chatrooms_behave(run: Node) -> None:
    both = {"id": "n-rules", "members": members("n-a", "n-b"), "minute": 5}
    one = {"id": "n-rules", "members": members("n-a")}
    names, name = {"msgs": ["n:one", "n:two"]}, {"msgs": ["n:one"]}
    message = {"senderId": "n-boss", "objectName": "RC:TxtMsg", "content": HELLO}
    results = good(
        run(
            ("Chatroom.Ban.add", dict(both)),
            ("Chatroom.Ban.remove", dict(one)),
            ("Chatroom.Ban.getList",),
            ("Chatroom.Whitelist.User.add", dict(both)),
            ("Chatroom.Whitelist.User.remove", dict(one)),
            ("Chatroom.Whitelist.User.getList", {"id": "n-rules"}),
            ("Chatroom.Whitelist.Message.add", dict(names)),
            ("Chatroom.Whitelist.Message.remove", dict(name)),
            ("Chatroom.Whitelist.Message.getList",),
            ("Chatroom.Demotion.add", dict(names)),
            ("Chatroom.Demotion.remove", dict(name)),
            ("Chatroom.Demotion.getList",),
            ("Chatroom.Distribute.stop", {"id": "n-rules"}),
            ("Chatroom.Distribute.resume", {"id": "n-rules"}),
            ("Message.Chatroom.broadcast", message),
        )
    )
    assert [member["id"] for member in results[2]["members"]] == ["n-b"]
    assert results[5]["members"] == members("n-b")
    assert results[8] == results[11] == {"objectNames": ["n:two"]}


def test_the_rest(run: Node) -> None:
    """Hours, pushes, words, and messages to discussions, which only SDKs of old make."""
    push = {"platform": ["ios"], "audience": {"is_to_all": True}, "notification": {"alert": "!"}}
    sent = {"message": {"content": HELLO["content"], "objectName": "RC:TxtMsg"}}
    discussion = {"senderId": "n-boss", "targetId": "~d", "objectName": "RC:TxtMsg"}
    results = good(
        run(
            ("Message.History.get", {"date": "2018030210"}),
            ("Message.History.remove", {"date": "2018030210"}),
            ("Push.push", dict(push)),
            ("Push.message", {**push, **sent, "fromUserId": "n-boss"}),
            ("Message.Discussion.send", {**discussion, "content": HELLO}),
            ("Sensitive.add", {"keyword": "n-bad", "replace": "n-good", "type": 0}),
            ("Sensitive.getList", {"type": 2}),
            ("Sensitive.remove", {"keywords": ["n-bad"]}),
        )
    )
    assert results[0]["url"] == ""
    assert results[2]["id"] != results[3]["id"]
    assert "n-bad" in [word["word"] for word in results[6]["words"]]


def test_what_is_refused_reaches_the_application(run: Node) -> None:
    (wrong,) = run(("User.register", {"id": "a", "name": "A", "portrait": "x"}), secret="wrong")
    assert wrong["code"] == "20000"
    (invalid,) = run(("User.register", {"id": "a b", "name": "A", "portrait": "x"}))
    assert (invalid["code"], invalid["msg"]) == (1002, "userId cannot be such an id")


def test_every_call_is_made(run: Node, im_server: ImServer, called: Called) -> None:
    """All that the SDK has, by the tests above."""
    for test in (test_users, test_messages, test_groups):
        test(run, im_server)
    for other in (
        test_who_may_write_in_groups,
        test_chatrooms,
        test_how_chatrooms_behave,
        test_settings,
        test_tags,
        test_the_rest,
    ):
        other(run)
    for part in ("Chatroom.Gag", "Chatroom.Block"):
        test_who_may_what_in_chatrooms(run, part)
    known = {
        f"/{path}"
        for module in (SDK / "lib").rglob("*api.json")
        for path in re.findall(r'"url": *"([\w/]+)"', module.read_text(encoding="utf-8"))
    }
    assert len(known) > 70
    assert known - called.answered == set()
