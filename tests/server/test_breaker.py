"""A client that asks the same again and again is slowed down, and nobody else is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import QueryAck
from improto.operations import Topic
from improto_server.breaker import AT_ONCE, REMEMBERED
from tests.server.conversation_tools import status
from tests.server.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

SAME = payloads.SyncRequestMsg(syncTime=1, ispolling=False)


def ask(client: Client, times: int, topic: str = Topic.PULL_MSG) -> int:
    """How many of so many equal requests are answered now."""
    for _ in range(times):
        client.query(topic, SAME)
        client.rig.settle()
    return answers(client)


def answers(client: Client) -> int:
    return sum(isinstance(frame, QueryAck) for frame in client.frames())


def tick(client: Client) -> int:
    """A second later: how many more are answered."""
    client.rig.advance(1.0)
    client.rig.system.tick()
    client.rig.settle()
    return answers(client)


@pytest.mark.parametrize("topic", [Topic.PULL_MSG, Topic.PULL_US])
def test_beyond_a_hundred_each_equal_request_waits_for_its_turn(
    tmp_path: Path, topic: Topic
) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    assert ask(alice, AT_ONCE + 12, topic) == AT_ONCE
    assert rig.system.breaker.slowed == 12
    assert [tick(alice), tick(alice), tick(alice), tick(alice)] == [5, 5, 2, 0]


def test_a_request_that_differs_is_progress(tmp_path: Path) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    for time in range(3 * AT_ONCE):
        alice.query(Topic.PULL_MSG, payloads.SyncRequestMsg(syncTime=time, ispolling=False))
        rig.settle()
    assert answers(alice) == 3 * AT_ONCE
    assert rig.system.breaker.slowed == 0


def test_other_requests_and_other_clients_do_not_wait(tmp_path: Path) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice, bob = rig.online("alice"), rig.online("bob")
    assert ask(alice, AT_ONCE + 1) == AT_ONCE
    assert ask(alice, 1, Topic.PULL_US) == 1
    assert ask(bob, AT_ONCE) == AT_ONCE


def test_a_loop_of_several_requests_is_noticed_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    for time in range(REMEMBERED * (AT_ONCE + 1)):
        request = payloads.SyncRequestMsg(syncTime=time % REMEMBERED, ispolling=False)
        alice.query(Topic.PULL_MSG, request)
        rig.settle()
    assert answers(alice) == REMEMBERED * AT_ONCE


def test_time_makes_up_for_what_was_asked(tmp_path: Path) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    for _ in range(3):
        assert ask(alice, AT_ONCE) == AT_ONCE
        rig.advance(AT_ONCE / 5.0)
    assert rig.system.breaker.slowed == 0


def test_it_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    with caplog.at_level(logging.WARNING):
        ask(alice, AT_ONCE + 30)
        tick(alice)
        ask(alice, 10)
    (record,) = caplog.records
    assert "(alice) asks the same again and again" in record.getMessage()


def test_who_is_gone_is_not_answered(tmp_path: Path) -> None:
    rig = Rig(tmp_path, repeats=5.0)
    alice = rig.online("alice")
    ask(alice, AT_ONCE + 1)
    alice.leave()
    assert tick(alice) == 0
    bob = rig.online("bob")
    assert ask(bob, 1) == 1


def test_there_may_be_no_limit(tmp_path: Path) -> None:
    alice = Rig(tmp_path, repeats=0.0).online("alice")
    assert ask(alice, 3 * AT_ONCE) == 3 * AT_ONCE


def test_of_what_others_are_told_there_is_one_share(tmp_path: Path) -> None:
    """Names are different each time, and each is told to all who follow the profile."""
    rig = Rig(tmp_path, repeats=5.0)
    alice, bob = rig.online("alice", "5.38.0"), rig.online("bob", "5.38.0")

    def rename(client: Client, number: int) -> int:
        request = payloads.UserProfile()
        request.userProfile.add(key="name", value=str(number))
        return status(client, Topic.UPD_USER_PROFILE, request)

    def befriend(client: Client, number: int) -> int:
        request = payloads.FriendInput(targetId=f"u{number}", type=3)
        return status(client, Topic.FRIEND_ADD, request)

    assert {rename(alice, number) for number in range(AT_ONCE - 1)} == {0}
    assert befriend(alice, 1) != ErrorCode.SEND_FREQUENCY_TOO_FAST
    for ask_again in (rename, befriend):
        assert ask_again(alice, 2) == ErrorCode.SEND_FREQUENCY_TOO_FAST
    assert rename(bob, 1) == ask(alice, 1, Topic.PULL_US) - 1 == 0
    rig.advance(0.2)
    assert [rename(alice, 3), rename(alice, 4)] == [0, ErrorCode.SEND_FREQUENCY_TOO_FAST]
    assert rig.system.breaker.slowed == 0


def test_of_what_others_are_told_there_may_be_no_limit(tmp_path: Path) -> None:
    alice = Rig(tmp_path, repeats=0.0).online("alice", "5.38.0")
    device = alice.peer.data
    assert all(alice.rig.system.breaker.admits(device) for _ in range(2 * AT_ONCE))
