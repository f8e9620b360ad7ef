"""What is attached to messages (messages 8.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import expansions as module
from improto_server.steps import start
from tests.server.conversation_tools import (
    GROUP,
    PRIVATE,
    Said,
    conversations,
    history,
    make_group,
    recall,
    say,
    status,
)
from tests.server.rig import APP, Rig, item

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

EXPANDABLE = 0x43
"""Stored, counted, expandable."""

NOT_EXPANDABLE = ErrorCode.MESSAGE_KV_NOT_SUPPORT
TOO_MANY = ErrorCode.EXPANSION_LIMIT_EXCEET
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def expand(
    client: Client, said: Said, target: str = "bob", *, type: Any = PRIVATE, **fields: Any
) -> int:
    content = json.dumps({"mid": said.uid} | fields)
    return say(client, target, content, type=type, name="RC:MsgExMsg", flags=0).status


def attached(client: Client, target: str, type: ConversationType = PRIVATE) -> Any:
    """What hangs on the newest message, by history."""
    text = history(client, target, type=type).list[0].extraContent
    return {key: pair["v"] for key, pair in json.loads(text).items()} if text else None


def pairs(**values: str) -> str:
    return json.dumps({key: {"v": value} for key, value in values.items()})


def test_later_readers_read_what_is_attached_now(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1", flags=EXPANDABLE, extraContent=pairs(a="0", b="0"))
    bob.pull_all()
    bob.frames()
    assert expand(alice, said, put={"a": "1", "c": "3"}) == 0
    # The others are told by the message itself.
    change = item(bob.deliveries(Topic.S_MSG)[0])
    assert (change.classname, change.fromUserId) == ("RC:MsgExMsg", "alice")
    assert json.loads(change.content)["put"] == {"a": "1", "c": "3"}
    for client, peer in ((alice, "bob"), (bob, "alice")):
        assert attached(client, peer) == {"a": "1", "b": "0", "c": "3"}
        (entry,) = conversations(client)
        assert json.loads(entry.msg.extraContent) == json.loads(pairs(a="1", b="0", c="3"))
    pulled, _ = rig.client("bob").pull_all()
    assert json.loads(pulled.extraContent)["c"] == {"v": "3"}
    # The receiver may change it as well.
    assert expand(bob, said, "alice", **{"del": ["a", "missing"]}) == 0
    assert attached(alice, "bob") == {"b": "0", "c": "3"}
    assert expand(bob, said, "alice", removeAll=True, put={"d": "4"}) == 0
    assert attached(alice, "bob") == {"d": "4"}
    assert expand(bob, said, "alice", removeAll=True) == 0
    assert attached(alice, "bob") == {}
    assert expand(bob, said, "alice") == 0
    # A change is no message to be counted or read later.
    assert len(history(bob, "alice").list) == 1


def test_it_is_not_pulled_from_memory_as_it_was(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.client("bob")
    said = say(alice, "bob", "1", flags=EXPANDABLE)
    assert expand(alice, said, put={"a": "1"}) == 0
    message, _ = bob.pull_all()
    assert message.extraContent == pairs(a="1").replace(" ", "")


def test_in_a_group(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice, bob, carol = rig.online("alice"), rig.online("bob"), rig.client("carol")
    said = say(alice, "team", "1", type=GROUP, flags=EXPANDABLE)
    assert expand(bob, said, "team", type=GROUP, put={"a": "1"}) == 0
    assert attached(alice, "team", GROUP) == {"a": "1"}
    message, change = carol.pull_all()
    assert json.loads(message.extraContent) == {"a": {"v": "1"}}
    assert change.classname == "RC:MsgExMsg"
    outsider = rig.online("mallory")
    assert expand(outsider, said, "team", type=GROUP, put={"a": "2"}) == ErrorCode.NOT_IN_GROUP
    assert attached(alice, "team", GROUP) == {"a": "1"}


def test_messages_that_cannot_be_expanded(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    plain = say(alice, "bob", "1")
    gone = say(alice, "bob", "2", flags=EXPANDABLE)
    recall(alice, gone, "bob")
    elsewhere = say(alice, "carol", "3", flags=EXPANDABLE)
    bob.pull_all()
    bob.frames()
    for said in (plain, gone, elsewhere):
        assert expand(alice, said, put={"a": "1"}) == NOT_EXPANDABLE
    for uid in ("", "x", "CBPV-IN7E-0084-NCA0"):
        plain.uid = uid
        assert expand(alice, plain, put={"a": "1"}) == NOT_EXPANDABLE
        assert expand(alice, plain, "nobody", put={"a": "1"}) == NOT_EXPANDABLE
    # What was refused is not sent either.
    assert bob.frames() == []


def test_not_in_chatrooms(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    room = ConversationType.CHATROOM
    alice = rig.online("alice")
    assert status(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    said = say(alice, "lobby", "1", type=room, flags=EXPANDABLE)
    assert expand(alice, said, "lobby", type=room, put={"a": "1"}) == NOT_EXPANDABLE


def test_limits(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1", flags=EXPANDABLE)
    many = [{f"k{batch}-{number}": "" for number in range(20)} for batch in range(16)]
    assert expand(alice, said, put=many[0] | {"one": "more"}) == TOO_MANY
    assert expand(alice, said, put=many[0], **{"del": ["more"]}) == TOO_MANY
    for batch in many[:15]:
        assert expand(alice, said, put=batch) == 0
    assert len(attached(alice, "bob")) == 300
    assert expand(alice, said, put=many[15]) == TOO_MANY
    assert len(attached(alice, "bob")) == 300
    assert expand(alice, said, put=many[0]) == 0


@pytest.mark.parametrize("key", ["", "a b", "a.b", "\N{SNOWMAN}", "k" * 33])
def test_keys(tmp_path: Path, key: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1", flags=EXPANDABLE)
    assert expand(alice, said, put={key: "1"}) == INVALID
    assert expand(alice, said, **{"del": [key]}) == INVALID
    assert expand(alice, said, put={"Az09=+-_/" + "k" * 23: "x" * 4096}) == 0
    assert expand(alice, said, put={"a": "x" * 4097}) == INVALID


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"mid":1}', '{"mid":"x","put":[]}', '{"mid":"x","put":{"a":1}}', b"\xff"],
)
def test_contents_that_are_none(tmp_path: Path, content: str | bytes) -> None:
    alice = Rig(tmp_path).online("alice")
    assert say(alice, "bob", content, name="RC:MsgExMsg", flags=0).status == INVALID


@pytest.mark.parametrize("text", ["x", "[]", '{"a":1}', '{"a":{"v":[]}}', "{" * 10_000])
def test_what_the_sender_attached_wrongly_is_replaced(tmp_path: Path, text: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1", flags=EXPANDABLE, extraContent=text)
    assert expand(alice, said, put={"a": "1"}) == 0
    assert attached(alice, "bob") == {"a": "1"}


def test_nothing_is_sent_while_it_is_not_known_who_is_blocked(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1", flags=EXPANDABLE)
    bob.pull_all()
    # No name that can be stored: what was known of bob is forgotten, while the change is made.
    start(rig.system.standings.block((APP, "bob"), "\ud800"), lambda _: None)
    assert expand(alice, said, put={"a": "1"}) == ErrorCode.INTERNALERRROR
    assert bob.pull_all() == []
    assert expand(alice, said, put={"a": "1"}) == 0


def test_a_message_has_an_end_with_all_that_is_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAIRS_BYTES", 4 * 25_000)
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1", flags=EXPANDABLE)
    # Each of these characters takes six bytes in JSON.
    for number in range(4):
        assert expand(alice, said, put={f"key{number}": "\x01" * module.VALUE_CHARACTERS}) == 0
    assert expand(alice, said, put={"more": "\x01" * module.VALUE_CHARACTERS}) == TOO_MANY
    assert len(attached(alice, "bob")) == 4
