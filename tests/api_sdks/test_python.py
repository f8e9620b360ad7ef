"""The official Python server SDK, as it was published, drives the REST API."""

from __future__ import annotations

import io
import json
import re
import socket
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.messages import Conversation
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto_server.testing import ImServer
    from improto_server.testing.server import OnlineUser
    from tests.api_sdks.conftest import Called

rongcloud = pytest.importorskip("rongcloud")

from rongcloud.rongcloud import RongCloud  # noqa: E402

# It leaves replies for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

TEXT = {"content": "hello & \u4f60\u597d = 100%+"}


@pytest.fixture
def rc(im_server: ImServer) -> Iterator[Any]:
    before = socket.getdefaulttimeout()
    yield RongCloud(im_server.app_key, im_server.app_secret, im_server.web_url)
    # The SDK sets it for the whole process.
    socket.setdefaulttimeout(before)


async def enter(user: OnlineUser, room: str) -> None:
    """Join a chatroom, and hear what is said there."""
    present = payloads.ChrmInput(nothing=1)
    await user.client.ask(Topic.JOIN_CHRM, room, present, payloads.ChrmOutput)
    await user.client.follow_room(room)


def good(reply: Any) -> dict[str, Any]:
    """The reply without its code, which must be 200."""
    assert isinstance(reply, dict), reply
    assert reply.pop("code") == 200
    return reply


def test_users(rc: Any, im_server: ImServer) -> None:
    user = rc.get_user()
    name = "Dora \u6735\u62c9"
    reply = good(user.register("p-dora", name, "http://example.org/?d=1"))
    assert reply["userId"] == "p-dora"
    info = good(user.query("p-dora"))
    assert (info["userName"], info["userPortrait"]) == (name, "http://example.org/?d=1")
    good(user.update("p-dora", "", "http://example.org/2"))
    info = good(user.query("p-dora"))
    assert (info["userName"], info["userPortrait"]) == (name, "http://example.org/2")
    assert good(user.check_online("p-dora")) == {"status": "0"}
    with im_server.user("p-dora").online():
        assert good(user.check_online("p-dora")) == {"status": "1"}
    assert b'"code":1002' in user.query("nobody")


def test_blocks_and_blacklists(rc: Any) -> None:
    block, blacklist = rc.get_user().get_block(), rc.get_user().get_blacklist()
    good(block.add(["p-a", "p-b"], 1))
    blocked = [each["userId"] for each in good(block.query())["users"]]
    assert {"p-a", "p-b"} <= set(blocked)
    good(block.remove("p-a"))
    blocked = [each["userId"] for each in good(block.query())["users"]]
    assert "p-a" not in blocked
    assert b'"code":1502' in block.add("p-a", 0)
    good(blacklist.add("p-a", ["p-b", "p-c"]))
    good(blacklist.remove("p-a", "p-b"))
    assert good(blacklist.query("p-a")) == {"users": ["p-c"]}


def test_private_messages(rc: Any, im_server: ImServer) -> None:
    private = rc.get_message().get_private()
    with im_server.user("p-eve").online() as eve:
        sent = good(private.send("p-boss", ["p-eve", "p-x"], "RC:TxtMsg", TEXT))["messageUIDs"]
        message = eve.receive()
        assert message.decoded().content == TEXT["content"]
        assert message.uid == sent[0]["messageUID"]
        good(private.recall("p-boss", "p-eve", message.uid, message.time))
        assert eve.receive().object_name == "RC:RcCmd"
        good(
            private.send_template(
                "p-boss",
                "p-eve",
                "RC:TxtMsg",
                [{"{name}": "Eve"}],
                {"content": "hello {name}"},
                disable_push=True,
            )
        )
        assert eve.receive().decoded().content == "hello Eve"
        good(private.send_status_message("p-boss", "p-eve", "RC:TypSts", {"typingContentType": ""}))


def test_system_messages(rc: Any, im_server: ImServer) -> None:
    system = rc.get_message().get_system()
    with im_server.user("p-sam").online() as sam:
        good(system.send("p-boss", "p-sam", "RC:TxtMsg", TEXT))
        assert sam.receive().conversation.type == 6
        good(
            system.send_template(
                "p-boss", ["p-sam"], "RC:TxtMsg", {"content": "hi {n}"}, [{"{n}": "Sam"}]
            )
        )
        assert sam.receive().decoded().content == "hi Sam"
        good(rc.get_message().broadcast("p-boss", "RC:TxtMsg", {"content": "to all"}))
        assert sam.receive().decoded().content == "to all"


def test_groups(rc: Any, im_server: ImServer) -> None:
    group, message = rc.get_group(), rc.get_message().get_group()
    good(group.create(["p-ann", "p-bob"], "p-g", "The group"))
    good(group.join("p-cat", "p-g", "The group"))
    good(group.quit("p-bob", "p-g"))
    users = good(group.query("p-g"))["users"]
    assert {user["id"] for user in users} == {"p-ann", "p-cat"}
    good(group.update("p-g", "\u7fa4"))
    found = good(group.get_user().query("p-g"))
    assert found["id"] == "p-g"
    good(group.sync("p-bob", [("p-g", "x"), ("p-h", "H")]))
    assert good(group.query_user_group("p-bob"))["groups"] == [
        {"id": "p-g", "name": "\u7fa4"},
        {"id": "p-h", "name": "H"},
    ]
    with im_server.user("p-ann").online() as ann, im_server.user("p-cat").online() as cat:
        sent = good(message.send("p-boss", "p-g", "RC:TxtMsg", TEXT))["messageUIDs"]
        got = ann.receive()
        assert got.uid == sent[0]["messageUID"]
        good(message.send_direction("p-boss", "p-g", ["p-cat"], "RC:TxtMsg", {"content": "you"}))
        assert [cat.receive().decoded().content for _ in range(2)] == [TEXT["content"], "you"]
        good(message.recall("p-boss", "p-g", got.uid, got.time))
        assert ann.receive().object_name == "RC:RcCmd"
        good(message.send_status_message("p-boss", ["p-g"], "RC:TypSts", {"typingContentType": ""}))
    good(group.dismiss("p-ann", "p-g"))
    assert good(group.query("p-g"))["users"] == []


def test_who_may_write_in_groups(rc: Any) -> None:
    user = rc.get_group().get_user()
    gag, ban = user.get_gag(), user.get_ban()
    good(gag.add(["p-a", "p-b"], "p-gagged", 5))
    good(gag.remove("p-a", "p-gagged"))
    assert [each["userId"] for each in good(gag.query("p-gagged"))["users"]] == ["p-b"]
    good(ban.add(["p-banned", "p-other"]))
    good(ban.remove("p-other"))
    assert good(ban.query(["p-banned", "p-other"]))["groupinfo"] == [
        {"groupId": "p-banned", "stat": 1},
        {"groupId": "p-other", "stat": 0},
    ]
    whitelist = ban.get_whitelist()
    good(whitelist.add(["p-a", "p-b"], "p-banned"))
    good(whitelist.remove("p-a", "p-banned"))
    assert good(whitelist.query("p-banned"))["userIds"] == ["p-b"]


def test_chatrooms(rc: Any, im_server: ImServer) -> None:
    rooms, message = rc.get_chatroom(), rc.get_message().get_chatroom()
    good(rooms.create([("p-r", "Room"), ("p-s", "S")]))
    assert [room["name"] for room in good(rooms.query(["p-r", "p-s"]))["chatRooms"]] == [
        "Room",
        "S",
    ]
    with im_server.user("p-rob").online() as rob:
        rob._portal.call(enter, rob, "p-r")
        assert good(rooms.get_user().query("p-r", 10, 1))["total"] == 1
        assert good(rooms.get_user().isexist("p-r", "p-rob"))["isInChrm"] is True
        both = good(rooms.get_user().isexist("p-r", ["p-rob", "p-x"]))["result"]
        assert [each["isInChrm"] for each in both] == [1, 0]
        sent = good(message.send("p-boss", "p-r", "RC:TxtMsg", TEXT))["messageUIDs"]
        got = rob.receive()
        assert got.conversation == Conversation.chatroom("p-r")
        assert got.uid == sent[0]["messageUID"]
        good(message.recall("p-boss", "p-r", got.uid, got.time))
        assert rob.receive().object_name == "RC:RcCmd"
    keepalive = rooms.get_keepalive()
    good(keepalive.add("p-s"))
    assert good(keepalive.query()) == {"chatroomIds": ["p-s"]}
    good(keepalive.remove("p-s"))
    good(rooms.destroy(["p-r", "p-s"]))
    assert good(rooms.query(["p-r", "p-s"])) == {"chatRooms": []}


def test_who_may_what_in_chatrooms(rc: Any) -> None:
    user = rc.get_chatroom().get_user()
    for each in (user.get_gag(), user.get_block()):
        good(each.add(["p-a", "p-b"], "p-room", 5))
        good(each.remove("p-a", "p-room"))
        assert [found["userId"] for found in good(each.query("p-room"))["users"]] == ["p-b"]


def test_settings(rc: Any) -> None:
    notification = rc.get_conversation().get_notification()
    good(notification.set(1, "p-a", "p-b", 1))
    assert good(notification.get(1, "p-a", "p-b")) == {"isMuted": 1}


def test_who_is_not_let_in(im_server: ImServer) -> None:
    for key, secret in ((im_server.app_key, "wrong"), ("nobody", im_server.app_secret)):
        reply = RongCloud(key, secret, im_server.web_url).get_user().query("x")
        assert b'"errorMessage"' in reply


def test_white_lists_and_tags(rc: Any) -> None:
    whitelist, tag = rc.get_user().get_whitelist(), rc.get_user().get_tag()
    good(whitelist.add("p-a", ["p-b", "p-c"]))
    good(whitelist.remove("p-a", "p-b"))
    assert good(whitelist.query("p-a")) == {"users": ["p-c"]}
    good(tag.set("p-a", ["tall"]))
    good(tag.set(["p-b", "p-c"], ["\u5973", "tall"]))
    assert good(tag.get(["p-a", "p-c", "p-x"]))["result"] == {
        "p-a": ["tall"],
        "p-c": ["tall", "\u5973"],
        "p-x": [],
    }


def test_how_chatrooms_behave(rc: Any, im_server: ImServer) -> None:
    rooms = rc.get_chatroom()
    message, priority = rooms.get_message(), rooms.get_message().get_priority()
    everywhere, protected = rooms.get_user().get_ban(), rooms.get_user().get_whitelist()
    good(rooms.create([("p-rules", "Rules")]))
    good(everywhere.add(["p-a", "p-b"], 5))
    good(everywhere.remove("p-a"))
    assert [user["userId"] for user in good(everywhere.query())["users"]] == ["p-b"]
    good(protected.add("p-rules", ["p-a", "p-b"]))
    good(protected.remove("p-rules", "p-a"))
    assert good(protected.query("p-rules")) == {"users": ["p-b"]}
    for names, field in ((priority, "objectNames"), (rooms.get_whitelist(), "whitlistMsgType")):
        good(names.add(["p:one", "p:two"]))
        good(names.remove("p:one"))
        assert good(names.query()) == {field: ["p:two"]}
    with im_server.user("p-rex").online() as rex:
        rex._portal.call(enter, rex, "p-rules")
        good(message.stop_distribution("p-rules"))
        good(rc.get_message().get_chatroom().broadcast("p-boss", "RC:TxtMsg", TEXT))
        assert rex.receive().decoded().content == TEXT["content"]
        good(message.resume_distribution("p-rules"))


def test_in_no_group(rc: Any) -> None:
    gag = rc.get_group().get_user().get_gag()
    good(gag.add(["p-a", "p-b"], None, 5))
    good(gag.remove("p-a", None))
    assert [user["userId"] for user in good(gag.query(None))["users"]] == ["p-b"]


def test_hours(rc: Any, im_server: ImServer) -> None:
    history = rc.get_message().get_history()
    # No hour shall end meanwhile.
    later = timedelta(minutes=(30 - datetime.now(UTC).minute) % 60)
    im_server.step_clock(later.total_seconds())
    hour = (datetime.now(UTC) + later).strftime("%Y%m%d%H")
    good(rc.get_message().get_private().send("p-boss", "p-hal", "RC:TxtMsg", TEXT))
    assert good(history.query(hour))["url"] == ""
    im_server.step_clock(3600)
    with urllib.request.urlopen(good(history.query(hour))["url"]) as answer:
        data = answer.read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        lines = archive.read(f"{hour}.log").splitlines()
    assert TEXT in [json.loads(line)["content"] for line in lines]
    good(history.remove(hour))
    assert good(history.query(hour))["url"] == ""


def test_pushes(rc: Any, im_server: ImServer) -> None:
    push, shown = rc.get_push(), ("?", {"k": "v"}, 1)
    to_pat = (["ios", "android"], "p-boss", None, None, ["p-pat"], False)
    with im_server.user("p-pat").online() as pat:
        good(push.broadcast(*to_pat, TEXT, "RC:TxtMsg", "!", *shown, "#", {"k": "v"}))
        assert pat.receive().decoded().content == TEXT["content"]
    to_tall = (["ios"], ["tall"], None, None, "org.example", False)
    assert good(push.push(*to_tall, "!", "title", *shown, 1, "c", "uri", "#", {"k": "v"}))["id"]


def test_sensitive_words(rc: Any) -> None:
    sensitive = rc.get_sensitive()
    good(sensitive.add("p-bad", "p-good"))
    good(sensitive.add("p-worse"))
    good(sensitive.add("p-worst"))
    listed = good(sensitive.query(2))["words"]
    assert {word["word"] for word in listed} >= {"p-bad", "p-worse", "p-worst"}
    good(sensitive.remove(["p-bad", "p-worse"]))
    good(sensitive.remove("p-worst"))
    assert not {word["word"] for word in good(sensitive.query(2))["words"]} & {"p-bad", "p-worst"}


def test_every_call_is_made(rc: Any, im_server: ImServer, called: Called) -> None:
    """All that the SDK has, by the tests above."""
    for test in (
        test_users,
        test_private_messages,
        test_system_messages,
        test_groups,
        test_chatrooms,
        test_how_chatrooms_behave,
        test_hours,
        test_pushes,
    ):
        test(rc, im_server)
    for other in (
        test_blocks_and_blacklists,
        test_white_lists_and_tags,
        test_who_may_write_in_groups,
        test_in_no_group,
        test_who_may_what_in_chatrooms,
        test_settings,
        test_sensitive_words,
    ):
        other(rc)
    source = Path(rongcloud.__file__).parent
    known = {
        path
        for module in source.glob("*.py")
        for path in re.findall(r"'(/[\w/]+)\.json'", module.read_text(encoding="utf-8"))
    }
    assert len(known) > 75
    assert known - called.answered == set()
