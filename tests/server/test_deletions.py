"""Putting messages away for oneself (operations 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import deletions
from improto_server.store import Place, views
from tests.server.conversation_tools import (
    GROUP,
    PRIVATE,
    TEAM,
    conversations,
    entries,
    history,
    lines,
    make_group,
    say,
    status,
)
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans
from tests.server.test_history import post

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

REFUSED_TIME = ErrorCode.CLEAR_HIS_TIME_ERROR


def delete(
    client: Client, target: str, *uids: str, type: int = PRIVATE, sdk_target: str | None = None
) -> int:
    request = payloads.DeleteMsgInput(type=type, conversationId=target)
    for uid in uids:
        request.msgs.add(msgId=uid, msgDataTime=1, direct=2)
    return status(client, Topic.DEL_MSG, request, target=sdk_target)


def clear(
    client: Client,
    target: str,
    time: int,
    *,
    topic: Topic = Topic.CLEAN_P_MSG,
    type: int = 0,
    sdk_target: str | None = None,
) -> int:
    request = payloads.CleanHisMsgInput(targetId=target, dataTime=time, conversationType=type)
    return status(client, topic, request, target=sdk_target)


@pytest.mark.parametrize("sdk_target", ["alice", "bob"])
def test_a_deleted_message_is_gone_for_one_user_only(tmp_path: Path, sdk_target: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(3)]
    assert delete(alice, "bob", said[0].uid, said[2].uid, sdk_target=sdk_target) == 0
    assert lines(history(alice, "bob")) == [1]
    assert lines(history(bob, "alice")) == [2, 1, 0]
    assert entries(alice) == [("bob", "1", 0)]
    # Once more is no harm.
    assert delete(alice, "bob", said[2].uid) == 0
    assert lines(history(alice, "bob")) == [1]


def test_a_message_of_the_same_millisecond_is_not_cleared(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    assert clear(bob, "alice", rig.clock.now()) == 0
    say(alice, "bob", "2")
    assert lines(history(bob, "alice")) == [2]


def test_the_oldest_sdk_gets_the_field_it_needs(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", "2.5.3")
    request = payloads.DeleteMsgInput(type=1, conversationId="bob")
    reply = alice.ask(Topic.DEL_MSG, request, payloads.DeleteMsgOutput)
    assert reply == payloads.DeleteMsgOutput(nothing=0)


def test_a_conversation_with_nothing_left_is_not_on_the_list(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    assert delete(bob, "alice", said.uid) == 0
    assert conversations(bob) == []
    say(alice, "bob", "2")
    assert entries(bob) == [("alice", "2", 1)]


@pytest.mark.parametrize("uid", ["", "x", "CBPV-IN7E-0084-NCA0", "\N{SNOWMAN}"])
def test_messages_that_are_not_there_are_skipped(tmp_path: Path, uid: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    elsewhere = say(alice, "carol", "2")
    assert delete(bob, "alice", uid, elsewhere.uid, said.uid) == 0
    assert lines(history(bob, "alice")) == []
    assert lines(history(alice, "carol")) == [2]
    assert delete(bob, "nobody", said.uid) == 0
    assert delete(rig.online("stranger"), "alice", said.uid) == 0


def test_deleting_in_a_group(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "team", str(number), type=GROUP) for number in range(3)]
    assert delete(bob, "team", said[1].uid, type=GROUP) == 0
    assert lines(history(bob, "team", type=GROUP)) == [2, 0]
    assert lines(history(alice, "team", type=GROUP)) == [2, 1, 0]
    assert entries(bob) == [("team", "2", 2)]


@pytest.mark.parametrize(
    ("target", "type"), [("", 1), ("bob", 0), ("bob", 4), ("bob", 99), ("a b", 3), ("team", 2)]
)
def test_what_cannot_be_deleted(tmp_path: Path, target: str, type: int) -> None:
    alice = Rig(tmp_path).online("alice")
    assert delete(alice, target, type=type) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    cleared = clear(alice, target, 0, topic=Topic.CLEAN_HIS_MSG, type=type)
    assert cleared == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_too_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "MOST_MESSAGES", 2)
    alice = Rig(tmp_path).online("alice")
    assert delete(alice, "bob", "1", "2") == 0
    assert delete(alice, "bob", "1", "2", "3") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize("sdk_target", ["alice", "bob"])
def test_clearing_hides_everything_up_to_a_time(tmp_path: Path, sdk_target: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(4)]
    assert clear(bob, "alice", said[2].time, sdk_target=sdk_target) == 0
    assert lines(history(bob, "alice")) == [3]
    assert lines(history(bob, "alice", order=1)) == [3]
    assert lines(history(alice, "bob")) == [3, 2, 1, 0]
    assert entries(bob) == [("alice", "3", 1)]
    # An earlier time does not bring anything back.
    assert clear(bob, "alice", said[0].time) == 0
    assert lines(history(bob, "alice")) == [3]
    assert clear(bob, "alice", said[3].time) == 0
    assert conversations(bob) == []


def test_the_clearing_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    # A burst gets times that the clock has not reached.
    for number in range(3):
        alice.publish("bob", str(number))
    rig.settle()
    newest = history(alice, "bob").list[0].dataTime
    assert newest == START + 2
    assert clear(alice, "bob", -1) == ErrorCode.CLEAR_HIS_TIME_ERROR
    assert clear(alice, "bob", newest + 1) == ErrorCode.CLEAR_HIS_TIME_ERROR
    assert clear(alice, "bob", newest - 1) == 0
    assert len(history(alice, "bob").list) == 1
    assert clear(alice, "bob", newest) == 0
    assert len(history(alice, "bob").list) == 0


def test_the_clearing_time_0_is_now(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for number in range(3):
        alice.publish("bob", str(number))
    rig.settle()
    assert clear(bob, "alice", 0) == 0
    assert conversations(bob) == []
    assert lines(history(alice, "bob")) == [2, 1, 0]
    say(alice, "bob", "3")
    assert entries(bob) == [("alice", "3", 1)]


def test_clearing_several(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob", "5.38.0")
    said = [say(alice, "bob", str(number)) for number in range(2)]
    for number in range(2):
        say(alice, "team", str(number), type=GROUP)
    post(rig, "news", ConversationType.PUBLIC_SERVICE, "bob", "1")
    wanted = [("alice", 1, said[0].time), ("team", 3, 0), ("news", 8, 0)]
    assert clear_several(bob, *wanted, ("nobody", 1, rig.wall + 1)) == REFUSED_TIME
    assert clear_several(bob, *wanted, ("alice", 4, 0)) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert len(conversations(bob)) == 3
    assert clear_several(bob, *wanted, ("nobody", 1, 0)) == 0
    assert entries(bob) == [("alice", "1", 1)]
    assert lines(history(alice, "team", type=GROUP)) == [1, 0]
    assert clear_several(bob) == 0
    many = [("nobody", 1, 0)] * 101
    assert clear_several(bob, *many[1:]) == 0
    assert clear_several(bob, *many) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def clear_several(client: Client, *wanted: tuple[str, int, int]) -> int:
    request = payloads.CleanMsgBatchReq()
    for target, type, time in wanted:
        request.input.add(targetId=target, conversationType=type, dataTime=time)
    return status(client, Topic.CLEAN_MSG_BATCH, request)


@pytest.mark.parametrize(
    ("type", "topic"),
    [
        (ConversationType.SYSTEM, Topic.CLEAN_S_MSG),
        (ConversationType.CUSTOMER_SERVICE, Topic.CLEAN_C_MSG),
        (ConversationType.PRIVATE, Topic.CLEAN_P_MSG),
        (ConversationType.PUBLIC_SERVICE, Topic.CLEAN_P_MSG),
        (ConversationType.APP_PUBLIC_SERVICE, Topic.CLEAN_HIS_MSG),
        (ConversationType.APP_PUBLIC_SERVICE, Topic.CLEAN_MC_MSG),
        (ConversationType.PUBLIC_SERVICE, Topic.CLEAN_MP_MSG),
    ],
)
def test_each_type_has_its_topic(tmp_path: Path, type: ConversationType, topic: Topic) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    post(rig, "news", type, "alice", "1")
    assert len(conversations(alice)) == 1
    assert clear(alice, "news", START, topic=topic, type=type) == 0
    assert conversations(alice) == []


@pytest.mark.parametrize("topic", [Topic.CLEAN_D_MSG, Topic.CLEAN_P_MSG])
def test_clearing_a_discussion(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", place=Place(APP, ConversationType.DISCUSSION, "~talk"))
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "~talk", "1", topic=Topic.PD_MSG_P)
    assert clear(bob, "~talk", said.time, topic=topic) == 0
    assert conversations(bob) == []
    assert len(conversations(alice)) == 1


def test_clearing_a_group(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "team", "1", type=GROUP)
    assert clear(bob, "team", said.time, topic=Topic.CLEAN_G_MSG) == 0
    assert lines(history(bob, "team", type=GROUP)) == []
    assert lines(history(alice, "team", type=GROUP)) == [1]
    # Who has left can still put it away.
    rig.do(rig.system.rosters.leave(TEAM, ["alice"]))
    assert clear(alice, "team", said.time, topic=Topic.CLEAN_G_MSG) == 0


def test_deleting_costs_no_more_when_there_are_more_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    said = say(rig.online("alice"), "bob", "1")

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            views.hide(
                connection,
                app=APP,
                user="bob",
                type=PRIVATE,
                target="alice",
                messages=[(said.time, said.uid)],
            )
        return found

    steps = rig.do(_write(rig, plans))
    assert any("SEARCH messages USING INDEX" in step for step in steps)
    assert not [step for step in steps if "SCAN" in step]


async def _write(rig: Rig, change: Any) -> Any:
    return await rig.system.data.write(change)
