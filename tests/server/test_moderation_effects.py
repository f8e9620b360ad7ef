"""What each call of moderation does to whom it is about, as his client sees it (rest 9.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.frames import ConnAck, Disconnect, PubAck
from improto.operations import Topic
from improto_server.api.endpoints import Mark
from improto_server.system import UserRules
from tests.server.api_tools import ApiRig
from tests.server.room_tools import PRESENT, ROOM, join, status

if TYPE_CHECKING:
    from tests.server.rig import Client

TOPICS = {"bob": Topic.PP_MSG_P, "g": Topic.PG_MSG_P, ROOM: Topic.CHAT_MSG}

ALICE = {"userId": "alice"}
IN_GROUP = {**ALICE, "groupId": "g"}
IN_ROOM = {**ALICE, "chatroomId": ROOM}


class Effect(NamedTuple):
    """A call, what it does, and what undoes it."""

    path: str
    fields: dict[str, Any]
    target: str
    """Where alice writes."""
    code: ErrorCode
    """What her message is answered."""
    undo: str
    undo_fields: dict[str, Any] | None = None
    """None: those of the call."""


EFFECTS = [
    Effect(
        "/user/blacklist/add",
        {"userId": "bob", "blackUserId": "alice"},
        "bob",
        ErrorCode.REJECTED_BY_BLACKLIST,
        "/user/blacklist/remove",
    ),
    Effect(
        "/group/user/gag/add",
        {**IN_GROUP, "minute": 1},
        "g",
        ErrorCode.FORBIDDEN_IN_GROUP,
        "/group/user/gag/rollback",
    ),
    Effect(
        "/group/user/gag/add",
        {**ALICE, "minute": 0},
        "g",
        ErrorCode.FORBIDDEN_IN_GROUP,
        "/group/user/gag/rollback",
    ),
    Effect(
        "/group/ban/add",
        {"groupId": "g"},
        "g",
        ErrorCode.FORBIDDEN_IN_GROUP,
        "/group/ban/rollback",
    ),
    Effect(
        "/group/ban/add",
        {"groupId": "g"},
        "g",
        ErrorCode.FORBIDDEN_IN_GROUP,
        "/group/user/ban/whitelist/add",
        IN_GROUP,
    ),
    Effect(
        "/group/quit",
        IN_GROUP,
        "g",
        ErrorCode.NOT_IN_GROUP,
        "/group/join",
    ),
    Effect(
        "/chatroom/user/gag/add",
        {**IN_ROOM, "minute": 1},
        ROOM,
        ErrorCode.FORBIDDEN_IN_CHATROOM,
        "/chatroom/user/gag/rollback",
    ),
    Effect(
        "/chatroom/user/ban/add",
        {**ALICE, "minute": 1},
        ROOM,
        ErrorCode.FORBIDDEN_IN_CHATROOM,
        "/chatroom/user/ban/remove",
    ),
    Effect(
        "/chatroom/ban/add",
        {"chatroomId": ROOM},
        ROOM,
        ErrorCode.FORBIDDEN_IN_CHATROOM,
        "/chatroom/ban/rollback",
    ),
    Effect(
        "/chatroom/ban/add",
        {"chatroomId": ROOM},
        ROOM,
        ErrorCode.FORBIDDEN_IN_CHATROOM,
        "/chatroom/user/ban/whitelist/add",
        IN_ROOM,
    ),
    Effect(
        "/user/chat/fb/set",
        {**ALICE, "state": 1, "type": "PERSON"},
        "bob",
        ErrorCode.FORBIDDEN_IN_PRIVATE,
        "/user/chat/fb/set",
        {**ALICE, "state": 0, "type": "PERSON"},
    ),
    Effect(
        "/sensitiveword/add",
        {"word": "hello"},
        "bob",
        ErrorCode.SENSITIVE_SHIELD,
        "/sensitiveword/delete",
    ),
    Effect(
        "/sensitiveword/add",
        {"word": "hello", "replaceWord": "*"},
        "g",
        ErrorCode.SENSITIVE_REPLACE,
        "/sensitiveword/batch/delete",
        {"words": "hello"},
    ),
]


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    rig = ApiRig(tmp_path)
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    return rig


def write(client: Client, target: str) -> int:
    """Say something; returns what it was answered."""
    client.publish(target, json.dumps({"content": "hello"}), topic=TOPICS[target])
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    assert bool(ack.uid) == (ack.status in (0, ErrorCode.SENSITIVE_REPLACE))
    return ack.status


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: f"{effect.path} {effect.undo}")
def test_who_writes_is_answered(rig: ApiRig, effect: Effect) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    assert write(alice, effect.target) == 0
    rig.ask(effect.path, **effect.fields)
    assert write(alice, effect.target) == effect.code
    # Whoever may not write still reads.
    if effect.target == "g" and effect.code is ErrorCode.FORBIDDEN_IN_GROUP:
        rig.ask("/group/user/ban/whitelist/add", userId="bob", groupId="g")
        alice.pull_all()
        assert write(bob, "g") == 0
        assert len(alice.pull_all()) == 1
    undo = effect.fields if effect.undo_fields is None else effect.undo_fields
    rig.ask(effect.undo, **undo)
    assert write(alice, effect.target) == 0


@pytest.mark.parametrize(
    ("path", "fields", "target"),
    [
        ("/group/user/gag/add", IN_GROUP, "g"),
        ("/chatroom/user/gag/add", IN_ROOM, ROOM),
        ("/chatroom/user/ban/add", ALICE, ROOM),
    ],
)
def test_gags_end(rig: ApiRig, path: str, fields: dict[str, Any], target: str) -> None:
    alice = rig.online("alice")
    join(alice)
    rig.ask(path, **fields, minute=1)
    assert write(alice, target) != 0
    rig.advance(61)
    assert write(alice, target) == 0


def test_a_blocked_user_is_sent_away_and_kept_out(rig: ApiRig) -> None:
    alice = rig.online("alice")
    rig.ask("/user/block", userId="alice", minute=1)
    assert alice.frames() == [Disconnect(status=DisconnectStatus.BLOCK)]
    (refusal,) = rig.client("alice").frames()
    assert isinstance(refusal, ConnAck)
    assert refusal.status == ConnAckStatus.BLOCK
    rig.ask("/user/unblock", userId="alice")
    assert write(rig.online("alice"), "bob") == 0


def test_who_is_put_out_of_a_room_stays_out(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    rig.ask("/chatroom/user/block/add", **IN_ROOM, minute=1)
    assert write(alice, ROOM) == ErrorCode.RC_CHATROOM_USER_KICKED
    assert status(alice, Topic.JOIN_CHRM, PRESENT) == ErrorCode.RC_CHATROOM_USER_KICKED
    rig.ask("/chatroom/user/block/rollback", **IN_ROOM)
    assert write(alice, ROOM) == ErrorCode.NOT_IN_CHATROOM
    join(alice)
    assert write(alice, ROOM) == 0
    rig.ask("/chatroom/destroy", chatroomId=ROOM)
    assert write(alice, ROOM) == ErrorCode.RC_CHATROOM_NOT_EXIST


def test_white_lists_act_only_if_they_are_on(tmp_path: Path) -> None:
    for is_on in (False, True):
        rig = ApiRig(tmp_path / str(is_on), users=UserRules(white_lists=is_on))
        alice = rig.online("alice")
        expected = ErrorCode.REJECTED_BY_BLACKLIST if is_on else 0
        assert write(alice, "bob") == expected
        rig.ask("/user/whitelist/add", userId="bob", whiteUserId="alice")
        assert write(alice, "bob") == 0
        rig.ask("/user/whitelist/remove", userId="bob", whiteUserId="alice")
        assert write(alice, "bob") == expected


def test_no_call_is_left_out(rig: ApiRig) -> None:
    """Each that changes something is in the table above, or named by a test here."""
    tried = {path for effect in EFFECTS for path in (effect.path, effect.undo)}
    source = Path(__file__).read_text(encoding="utf-8")
    left = [
        endpoint.path
        for endpoint in rig.endpoints.values()
        if endpoint.mark is Mark.MODERATION
        and not endpoint.path.endswith(("/query", "/list", "/check", "/querylist"))
        and endpoint.path not in tried
        and f'"{endpoint.path}"' not in source
    ]
    assert left == []


@pytest.mark.parametrize(
    ("ban", "place", "path", "user", "target", "code"),
    [
        (
            "/group/ban/add",
            {"groupId": "g"},
            "/group/user/ban/whitelist/rollback",
            IN_GROUP,
            "g",
            ErrorCode.FORBIDDEN_IN_GROUP,
        ),
        (
            "/chatroom/ban/add",
            {"chatroomId": ROOM},
            "/chatroom/user/ban/whitelist/rollback",
            IN_ROOM,
            ROOM,
            ErrorCode.FORBIDDEN_IN_CHATROOM,
        ),
    ],
)
def test_who_is_taken_off_the_white_list_is_silent_again(
    rig: ApiRig,
    ban: str,
    place: dict[str, Any],
    path: str,
    user: dict[str, Any],
    target: str,
    code: ErrorCode,
) -> None:
    alice = rig.online("alice")
    join(alice)
    rig.ask(ban, **place)
    rig.ask(path.replace("rollback", "add"), **user)
    assert write(alice, target) == 0
    rig.ask(path, **user)
    assert write(alice, target) == code


def test_several_words_at_once(rig: ApiRig) -> None:
    rig.ask("/sensitiveword/batch/add", words=[{"word": "hello"}, {"word": "bye"}])
    assert write(rig.online("alice"), "bob") == ErrorCode.SENSITIVE_SHIELD
