"""Blacklists: who is on them, and what that does to messages (operations 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import relations
from improto_server.services.relations import NOT_LISTED
from improto_server.store import StoreError
from tests.server.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from improto.payloads import Message
    from tests.server.rig import Client

IMPOSSIBLE = ["", "a b", "x" * 65, "rongcloudsystem", "~discussion"]


def status(client: Client, topic: Topic, request: Message | bytes) -> int:
    message_id = client.query(topic, request)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    assert answer.data == b""
    return answer.status


def block(client: Client, name: str) -> int:
    return status(client, Topic.ADD_BLACK, payloads.Add2BlackListInput(userId=name))


def unblock(client: Client, name: str) -> int:
    return status(client, Topic.RM_BLACK, payloads.RemoveFromBlackListInput(userId=name))


def is_blocked(client: Client, name: str) -> int:
    return status(client, Topic.BLACK_STAT, payloads.BlackListStatusInput(userId=name))


def blacklist(client: Client) -> list[str]:
    request = payloads.QueryBlackListInput(nothing=1)
    return [*client.ask(Topic.GET_BLACK, request, payloads.QueryBlackListOutput).userIds]


def test_a_blacklist_is_what_its_owner_makes_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", "2.5.3")
    assert blacklist(alice) == []
    assert is_blocked(alice, "bob") == NOT_LISTED
    assert [block(alice, name) for name in ("carol", "bob", "bob")] == [0, 0, 0]
    assert blacklist(alice) == ["bob", "carol"]
    assert is_blocked(alice, "bob") == 0
    assert [unblock(alice, name) for name in ("bob", "bob", "nobody")] == [0, 0, 0]
    assert blacklist(alice) == ["carol"]
    assert is_blocked(alice, "bob") == NOT_LISTED


def test_blacklists_outlive_the_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    block(rig.online("alice"), "bob")
    rig.store.store.close()
    assert blacklist(Rig(tmp_path).online("alice")) == ["bob"]


def test_everybody_has_his_own_in_each_app(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    block(rig.online("alice"), "bob")
    assert blacklist(rig.online("bob")) == []
    assert blacklist(rig.online("alice", app="other")) == []


def test_changes_in_one_turn_do_not_undo_each_other(tmp_path: Path) -> None:
    """Both wait for the same blacklist to be read."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for name in ("bob", "carol"):
        alice.query(Topic.ADD_BLACK, payloads.Add2BlackListInput(userId=name))
    rig.settle()
    assert blacklist(alice) == ["bob", "carol"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_a_user(tmp_path: Path, name: str) -> None:
    alice = Rig(tmp_path).online("alice")
    assert block(alice, name) == ErrorCode.BLACK_ADD_ERROR
    assert is_blocked(alice, name) == ErrorCode.BLACK_GETSTATUS_ERROR
    assert unblock(alice, name) == ErrorCode.BLACK_REMOVE_ERROR
    assert blacklist(alice) == []


def test_nobody_blocks_himself(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    assert block(alice, "alice") == ErrorCode.BLACK_ADD_ERROR
    assert is_blocked(alice, "alice") == NOT_LISTED


@pytest.mark.parametrize("topic", [Topic.ADD_BLACK, Topic.RM_BLACK, Topic.BLACK_STAT])
def test_a_request_that_cannot_be_read(tmp_path: Path, topic: Topic) -> None:
    alice = Rig(tmp_path).online("alice")
    assert status(alice, topic, b"") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_blacklist_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "BLACKLIST_USERS", 2)
    alice = Rig(tmp_path).online("alice")
    assert [block(alice, name) for name in ("b", "c", "d", "b")] == [
        0,
        0,
        ErrorCode.BLACK_ADD_ERROR,
        0,
    ]


def test_a_store_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    block(alice, "bob")
    rig.store.broken = StoreError("no room")
    assert block(alice, "carol") == ErrorCode.INTERNALERRROR
    assert unblock(alice, "bob") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    # The store has done what it says has failed, once; what is in the file counts.
    assert blacklist(alice) == ["bob", "carol"]
    assert "no room" in caplog.text


# -- what it does to messages --------------------------------------------------------


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
def test_the_blocked_cannot_write(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", "2.5.3"), rig.online("bob", sdk)
    block(alice, "bob")
    bob.publish("alice")
    rig.settle()
    ack = bob.ack()
    assert (ack.status, ack.uid) == (ErrorCode.REJECTED_BY_BLACKLIST, "")
    assert alice.frames() == []
    assert alice.pull_all() == []
    unblock(alice, "bob")
    bob.publish("alice")
    rig.settle()
    assert bob.ack().status == 0
    assert len(alice.pull_all()) == 1


@pytest.mark.parametrize(
    ("topic", "name", "flags"),
    [(Topic.PP_MSG_P, "RC:TypSts", 0), (Topic.PP_MSG_S, "RC:TypSts", 0), (Topic.PP_MSG_N, "a", 3)],
)
def test_nor_show_that_they_type(tmp_path: Path, topic: Topic, name: str, flags: int) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    block(alice, "bob")
    bob.publish("alice", topic=topic, name=name, flags=flags)
    rig.settle()
    assert bob.ack().status == ErrorCode.REJECTED_BY_BLACKLIST
    assert alice.frames() == []


def test_who_blocks_can_still_write(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    block(alice, "bob")
    alice.publish("bob")
    rig.settle()
    assert alice.ack().status == 0
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_a_block_counts_from_the_moment_it_is_asked_for(tmp_path: Path) -> None:
    """Even before it is on the disk; the message waits until the blacklist is known."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    message_id = alice.query(Topic.ADD_BLACK, payloads.Add2BlackListInput(userId="bob"))
    bob.publish("alice")
    rig.settle()
    assert [answer.status for answer in alice.answers(message_id)] == [0]
    assert bob.ack().status == ErrorCode.REJECTED_BY_BLACKLIST
