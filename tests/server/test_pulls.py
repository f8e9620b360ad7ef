"""What devices get when they ask for their inbox (session 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.config import Limits
from improto.events import PullReceived
from improto.frames import MessageId, QueryAck, TimeMs
from improto.operations import Topic
from improto_server.store import StoreError
from tests.server.rig import START, Rig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def texts(items: Iterable[payloads.DownStreamMessage]) -> list[bytes]:
    return [each.content for each in items]


def test_the_first_pull_asks_the_store_and_the_next_does_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for _ in range(3):
        alice.publish("bob")
    rig.settle()
    bob = rig.client("bob")
    assert len(bob.pull_all()) == 3
    reads = rig.store.reads
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    assert len(bob.pull_all()) == 2
    assert bob.pull_all() == []
    assert rig.store.reads == reads


def test_an_old_cursor_asks_the_store(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for _ in range(3):
        alice.publish("bob")
    rig.settle()
    bob.pull_all()
    assert len(bob.pull(START).list) == 2
    assert len(bob.pull(0).list) == 3


def test_pages_are_cut_and_go_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=Limits(pull_messages=2))
    alice = rig.online("alice")
    for number in range(5):
        alice.publish("bob", str(number))
    rig.settle()
    bob = rig.client("bob")
    first = bob.pull()
    assert texts(first.list) == [b"0", b"1"]
    assert not first.finished
    assert first.syncTime == first.list[-1].dataTime
    second = bob.pull()
    assert not second.finished
    third = bob.pull()
    assert texts(third.list) == [b"4"]
    assert third.finished


def test_pages_are_cut_by_bytes_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=Limits(pull_bytes=3000))
    alice, bob = rig.online("alice"), rig.online("bob")
    for _ in range(4):
        alice.publish("bob", "x" * 1000)
    rig.settle()
    bob.frames()
    assert [len(bob.pull().list) for _ in range(2)] == [2, 2]


def test_an_empty_inbox_is_answered_with_a_whole_reply(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bob = rig.client("bob")
    page = bob.pull()
    assert page.list == []
    assert page.finished
    assert page.HasField("syncTime")
    assert page.HasField("broadcastSyncTime")
    assert bob.pull(START).syncTime == START


def test_a_device_without_a_cursor_reads_some_days_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path, offline_days=2)
    alice = rig.online("alice")
    alice.publish("bob", "old")
    rig.settle()
    rig.advance(24 * 3600)
    alice.publish("bob", "new")
    rig.settle()
    rig.advance(24 * 3600)
    assert texts(rig.client("bob").pull_all()) == [b"new"]
    # Who has a cursor gets everything after it.
    assert texts(rig.client("bob").pull(START - 1).list) == [b"old", b"new"]


def test_the_same_window_holds_for_what_was_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, offline_days=2, multi_device=True)
    alice = rig.online("alice")
    alice.publish("bob", "old")
    rig.settle()
    rig.advance(24 * 3600)
    alice.publish("bob", "new")
    rig.settle()
    rig.advance(24 * 3600)
    phone = rig.client("alice")
    assert texts(phone.pull(START, 0).list) == [b"new"]
    assert texts(phone.pull(START, START - 1).list) == [b"old", b"new"]


def test_a_pull_without_a_send_cursor_gets_nothing_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice = rig.online("alice")
    alice.publish("bob")
    rig.settle()
    phone = rig.client("alice")
    request = payloads.SyncRequestMsg(syncTime=0, ispolling=False)
    page = phone.ask(Topic.PULL_MSG, request, payloads.DownStreamMessages)
    assert page.list == []


def test_there_is_no_sent_box_while_one_device_is_the_rule(tmp_path: Path) -> None:
    many = Rig(tmp_path, multi_device=True)
    many.online("alice").publish("bob")
    many.settle()
    many.store.store.close()
    assert Rig(tmp_path).client("alice").pull_all() == []


def test_more_sent_messages_than_a_page_before_the_cursor(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True, limits=Limits(pull_messages=3))
    desk, bob = rig.online("alice"), rig.online("bob")
    for number in range(5):
        desk.publish("bob", str(number))
    rig.settle()
    bob.publish("alice", "5")
    rig.settle()
    desk.publish("bob", "6")
    rig.settle()
    cursor = START + 5
    for late in (desk, rig.client("alice")):
        page = late.pull(cursor, START - 1)
        # A cut page must end later than it began; there is none, so the newest is all.
        assert texts(page.list) == [b"6"]
        assert page.finished
        assert page.syncTime == START + 6


def test_a_broken_store_refuses_a_pull(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path)
    bob = rig.client("bob")
    bob.frames()
    rig.store.broken = StoreError("the disk is gone")
    pull = bob.start_pull()
    rig.settle()
    (answer,) = bob.answers(pull)
    assert answer.status == ErrorCode.INTERNALERRROR
    assert caplog.messages == ["an inbox could not be read: the disk is gone"]


@pytest.mark.parametrize("broken", [None, StoreError("the disk is gone")])
def test_a_device_that_left_is_not_answered(tmp_path: Path, broken: StoreError | None) -> None:
    rig = Rig(tmp_path)
    bob = rig.client("bob")
    bob.frames()
    rig.store.broken = broken
    bob.start_pull()
    bob.leave()
    rig.settle()
    assert bob.frames() == []


def test_a_pull_that_was_overtaken_by_the_end_is_dropped(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bob = rig.client("bob")
    device = bob.peer.data
    bob.frames()
    bob.peer.shut_down()
    reads = rig.store.reads
    rig.system.inboxes.pull(device, PullReceived(message_id=MessageId(1), sync_time=TimeMs(0)))
    assert rig.store.reads == reads


def test_memory_is_given_back_when_all_devices_have_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, desk, phone = rig.online("alice"), rig.online("bob"), rig.online("bob")
    for _ in range(10):
        alice.publish("bob")
    rig.settle()
    user = desk.peer.data.user
    desk.pull_all()
    desk.pull_all()
    assert len(user.inbox) == 10
    phone.pull_all()
    phone.pull_all()
    assert len(user.inbox) == 0
    reads = rig.store.reads
    desk.pull_all()
    assert rig.store.reads == reads


def test_a_store_that_is_slower_than_the_news_teaches_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.client("bob")
    bob.frames()
    pull = bob.start_pull()
    read = rig.store.next_batch()
    assert read is not None
    for _ in range(300):
        alice.publish("bob")
    written = rig.store.next_batch()
    assert written is not None
    for answer in (written, read):
        rig.hear(answer)
    frames = [frame for frame in bob.frames() if isinstance(frame, QueryAck)]
    assert [frame.message_id for frame in frames] == [pull]
    assert len(bob.pull_all()) == 300
