"""Calls between RTC rooms (operations 18)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import rtc_room
from tests.server.rig import APP, Rig, item
from tests.server.test_rtc import EMPTY, join, query

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

HERE, THERE = "here", "there"


def world(tmp_path: Path) -> tuple[Rig, Client, Client, Client]:
    """alice is in one room, bob and carol in another."""
    rig = Rig(tmp_path)
    alice, bob, carol = (rig.online(name) for name in ("alice", "bob", "carol"))
    join(alice, HERE)
    join(bob, THERE)
    join(carol, THERE)
    bob.frames()
    return rig, alice, bob, carol


def invitation(
    info: str = '{"extra":"x"}', *, user: str = "bob", room: str = THERE
) -> payloads.RtcInviteInput:
    return payloads.RtcInviteInput(
        invitedUserId=user, timeoutTime=30, invitedRoomId=room, inviteInfo=info, inviteSessionId="s"
    )


def answer(code: int = 1, **changes: str) -> payloads.RtcInviteAnswerInput:
    fields = {"inviteUserId": "alice", "inviteRoomId": HERE, "content": "{}"} | changes
    return payloads.RtcInviteAnswerInput(answerCode=code, inviteSessionId="s", **fields)  # type: ignore[arg-type]


def end(content: str = "{}", *keys: str) -> payloads.RtcEndInviteInput:
    return payloads.RtcEndInviteInput(
        inviteRoomId=THERE, inviteSessionId="s", inviteContent=content, inviteRoomKeys=keys
    )


def heard(client: Client) -> list[tuple[str, str, str, Any]]:
    """Name, room, sender and content of what was told."""
    return [
        (message.classname, message.groupId, message.fromUserId, json.loads(message.content))
        for message in map(item, client.deliveries(Topic.S_MSG))
    ]


def agreed(rig: Rig, room: str) -> dict[str, str]:
    found = rig.system.rtc.find(APP, room)
    assert found is not None
    return found.values.inner


def test_somebody_in_another_room_is_asked(tmp_path: Path) -> None:
    _, alice, bob, carol = world(tmp_path)
    assert query(alice, Topic.RTC_INVITE, invitation(), HERE) == (0, b"")
    assert heard(bob) == [("RCRTC:invite", THERE, "alice", {"inviteInfo": {"extra": "x"}})]
    cancelled = payloads.RtcCancelInviteInput(
        invitedUserId="bob", invitedRoomId=THERE, inviteInfo="{}", inviteSessionId="s"
    )
    assert query(alice, Topic.RTC_CANCEL_INVITE, cancelled, HERE) == (0, b"")
    assert heard(bob) == [("RCRTC:cancelInvite", THERE, "alice", {"inviteInfo": {}})]
    assert heard(carol) == []


def test_what_was_agreed_on_is_kept_until_the_end(tmp_path: Path) -> None:
    rig, alice, bob, carol = world(tmp_path)
    request = answer(content='{"a":1}', key="k", value="v")
    assert query(bob, Topic.RTC_INVITE_ANSWER, request, THERE) == (0, b"")
    content = {"answerCode": 1, "inviteContent": {"a": 1}}
    assert heard(alice) == [("RCRTC:answerInvite", HERE, "bob", content)]
    assert agreed(rig, HERE) == agreed(rig, THERE) == {"k": "v"}
    assert query(alice, Topic.RTC_END_INVITE, end('{"userId":"alice"}', "k"), HERE) == (0, b"")
    told = [("RCRTC:endInvite", THERE, "alice", {"inviteInfo": {"userId": "alice"}})]
    assert heard(bob) == heard(carol) == told
    assert agreed(rig, HERE) == agreed(rig, THERE) == {}


@pytest.mark.parametrize(("code", "key"), [(0, "k"), (1, "")])
def test_a_refusal_agrees_on_nothing(tmp_path: Path, code: int, key: str) -> None:
    rig, alice, bob, _ = world(tmp_path)
    assert query(bob, Topic.RTC_INVITE_ANSWER, answer(code, key=key, value="v"), THERE)[0] == 0
    assert [content["answerCode"] for *_, content in heard(alice)] == [code]
    assert agreed(rig, HERE) == agreed(rig, THERE) == {}


def test_a_call_can_end_after_the_other_room_has(tmp_path: Path) -> None:
    _, alice, bob, carol = world(tmp_path)
    for client in (bob, carol):
        query(client, Topic.RTC_R_EXIT, EMPTY, THERE)
    assert query(alice, Topic.RTC_END_INVITE, end(), HERE) == (0, b"")


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.RTC_INVITE, invitation(user="nobody")),
        (Topic.RTC_INVITE, invitation(room="nowhere")),
        (Topic.RTC_INVITE_ANSWER, answer(inviteUserId="nobody")),
    ],
)
def test_who_is_not_there_cannot_be_asked(
    tmp_path: Path, topic: Topic, request_: payloads.Message
) -> None:
    _, alice, _, _ = world(tmp_path)
    assert query(alice, topic, request_, HERE) == (ErrorCode.RC_MSG_UNAUTHORIZED, b"")


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.RTC_INVITE, invitation()),
        (Topic.RTC_INVITE_ANSWER, answer()),
        (Topic.RTC_END_INVITE, end()),
    ],
)
def test_strangers_ask_nobody(tmp_path: Path, topic: Topic, request_: payloads.Message) -> None:
    rig, *_ = world(tmp_path)
    dave = rig.online("dave")
    assert query(dave, topic, request_, HERE) == (ErrorCode.RC_MSG_UNAUTHORIZED, b"")


@pytest.mark.parametrize("text", ["", "null", "[]", "x", "[" * 5000])
def test_an_information_is_a_json_object(tmp_path: Path, text: str) -> None:
    _, alice, bob, _ = world(tmp_path)
    for topic, request in (
        (Topic.RTC_INVITE, invitation(text)),
        (Topic.RTC_END_INVITE, end(text)),
        (Topic.RTC_INVITE_ANSWER, answer(content=text)),
    ):
        assert query(alice, topic, request, HERE)[0] == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert heard(bob) == []


def test_what_cannot_be_kept_is_not_answered(tmp_path: Path) -> None:
    rig, alice, bob, _ = world(tmp_path)
    request = answer(key="k" * (rtc_room.KEY_CHARACTERS + 1), value="v")
    assert query(bob, Topic.RTC_INVITE_ANSWER, request, THERE)[0] == 33003
    assert heard(alice) == []
    assert agreed(rig, HERE) == {}
