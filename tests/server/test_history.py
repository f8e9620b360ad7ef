from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from tests.server.rig import START, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

BEFORE, AFTER = 0, 1


def talk(rig: Rig, lines: int) -> None:
    """A conversation: alice says the even numbers, bob the odd ones, one a second."""
    people = [rig.online("alice"), rig.online("bob")]
    for number in range(lines):
        speaker, listener = people[number % 2], ("bob", "alice")[number % 2]
        speaker.publish(listener, str(number))
        rig.settle()
        rig.advance(1)


def history(
    client: Client, *, target: str = "bob", time: int = 0, count: int = 20, order: int = BEFORE
) -> payloads.HistoryMsgOuput:
    request = payloads.HistoryMsgInput(targetId=target, time=time, count=count, order=order)
    return client.ask(Topic.QRY_P_MSG, request, payloads.HistoryMsgOuput)


def lines(page: payloads.HistoryMsgOuput) -> list[int]:
    return [int(each.content) for each in page.list]


def test_the_newest_come_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    page = history(rig.online("alice"))
    assert lines(page) == [4, 3, 2, 1, 0]
    assert page.hasMsg == 0
    assert page.syncTime == START


def test_each_reader_sees_his_own_messages_as_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 2)
    answer, question = history(rig.online("alice")).list
    assert (question.direction, question.fromUserId) == (1, "bob")
    assert (answer.direction, answer.fromUserId) == (2, "bob")
    answer, question = history(rig.online("bob"), target="alice").list
    assert (question.direction, question.fromUserId) == (2, "alice")
    assert (answer.direction, answer.fromUserId) == (1, "alice")


def test_pages_backward(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    alice = rig.online("alice")
    first = history(alice, count=2)
    assert (lines(first), first.hasMsg) == ([4, 3], 1)
    assert first.syncTime == first.list[-1].dataTime
    second = history(alice, count=2, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([2, 1], 1)
    third = history(alice, count=2, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([0], 0)


def test_pages_forward_are_newest_first_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    alice = rig.online("alice")
    first = history(alice, count=2, order=AFTER)
    assert (lines(first), first.hasMsg) == ([1, 0], 1)
    assert first.syncTime == first.list[0].dataTime
    second = history(alice, count=2, order=AFTER, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([3, 2], 1)
    third = history(alice, count=2, order=AFTER, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([4], 0)


@pytest.mark.parametrize("order", [BEFORE, AFTER])
def test_times_are_exclusive(tmp_path: Path, order: int) -> None:
    rig = Rig(tmp_path)
    talk(rig, 3)
    page = history(rig.online("alice"), time=START + 1000, order=order)
    assert lines(page) == [0 if order == BEFORE else 2]


@pytest.mark.parametrize("time", [0, START - 1])
def test_an_empty_page_keeps_the_time(tmp_path: Path, time: int) -> None:
    rig = Rig(tmp_path)
    page = history(rig.online("alice"), time=time)
    assert page == payloads.HistoryMsgOuput(syncTime=time, hasMsg=0)


@pytest.mark.parametrize(("asked", "got"), [(0, 20), (1, 1), (100, 100), (10_000, 100)])
def test_a_page_has_at_most_100_messages(tmp_path: Path, asked: int, got: int) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for number in range(110):
        alice.publish("bob", str(number))
    rig.settle()
    page = history(rig.online("alice"), count=asked)
    assert len(page.list) == got
    assert page.hasMsg == 1


def test_only_what_is_to_be_stored_is_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", "1", flags=1)
    alice.publish("bob", "0", flags=0)
    alice.publish("bob", "2", flags=2)
    rig.settle()
    assert lines(history(rig.online("alice"))) == [1]


def test_conversations_do_not_mix(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 2)
    rig.online("alice").publish("carol", "7")
    rig.settle()
    assert lines(history(rig.online("alice"), target="carol")) == [7]
    assert lines(history(rig.online("carol"), target="bob")) == []
    assert lines(history(rig.online("alice", app="other"), target="bob")) == []


@pytest.mark.parametrize("sdk", ["2.5.3", "4.6.4"])
def test_only_the_oldest_sdk_gets_escapes(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    rig.online("alice").publish("bob", '{"content":"\U0001f600"}')
    rig.settle()
    (message,) = history(rig.online("alice", sdk)).list
    escaped = b'{"content":"\\ud83d\\ude00"}'
    assert (message.content == escaped) == (sdk == "2.5.3")


@pytest.mark.parametrize(
    "fields",
    [
        {"targetId": ""},
        {"targetId": "not a user"},
        {"targetId": "bob", "order": 2},
        {"targetId": "bob", "time": -1},
        {"targetId": "bob", "count": -1},
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    request = payloads.from_fields(payloads.HistoryMsgInput, fields)
    (answer,) = alice.answers(alice.query(Topic.QRY_P_MSG, request))
    assert answer.status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
