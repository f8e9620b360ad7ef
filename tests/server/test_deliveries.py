"""What devices are told of what the store has taken (session 8 and 9)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improto import payloads
from improto.config import Limits
from improto.contents import DownFlag
from improto.frames import ConnAck, Delivery, PubAck, QueryAck
from improto.operations import Topic
from tests.server.rig import APP, START, Rig, announced, item, sent_at

if TYPE_CHECKING:
    from pathlib import Path

    from improto.frames import Frame

TYPING = {"name": "RC:TypSts", "flags": 0}
READ = {"name": "RC:ReadNtf", "flags": 0}
READ_HERE = {"name": "RC:SRSMsg", "flags": 0, "content": '{"lastMessageSendTime":5}'}


class Step(enum.Enum):
    """What may happen next."""

    SEND = enum.auto()
    TYPE = enum.auto()
    PULL = enum.auto()
    ANSWER = enum.auto()
    TURN_CLOCK = enum.auto()


# -- bursts --------------------------------------------------------------------------


def test_a_burst_costs_one_notification_and_one_pull(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for _ in range(200):
        alice.publish("bob")
    assert rig.settle() == 1
    (notification,) = bob.deliveries()
    assert announced(notification) == START + 199
    reads = rig.store.reads
    page = bob.pull()
    assert len(page.list) == 200
    assert page.finished
    assert page.syncTime == START + 199
    assert rig.store.reads == reads
    assert bob.frames() == []


def test_a_burst_that_ran_ahead_of_the_clock_is_older_than_the_next_login(tmp_path: Path) -> None:
    """Else its messages would not count as offline messages (session 8.7)."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for _ in range(200):
        alice.publish("bob")
    rig.settle()
    (welcome,) = rig.client("bob").frames()
    assert isinstance(welcome, ConnAck)
    assert welcome.timestamp == START + 200


def test_each_batch_of_one_is_pushed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for _ in range(5):
        alice.publish("bob")
        rig.settle()
    assert len(bob.deliveries(Topic.S_MSG)) == 5


def test_one_message_each_in_one_batch_is_pushed_to_each(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = rig.online("alice"), rig.online("bob"), rig.online("carol")
    alice.publish("bob")
    alice.publish("carol")
    assert rig.settle() == 1
    assert len(bob.deliveries(Topic.S_MSG)) == 1
    assert len(carol.deliveries(Topic.S_MSG)) == 1


def test_while_a_pull_is_under_way_news_waits_for_its_answer(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    bob = rig.client("bob")
    bob.frames()
    pull = bob.start_pull()
    alice.publish("bob")
    rig.settle()
    frames = bob.frames()
    (answer,) = [frame for frame in frames if isinstance(frame, QueryAck)]
    assert answer.message_id == pull
    page = payloads.decode(payloads.DownStreamMessages, answer.data)
    # Whether the page caught the message or not, it is told exactly once.
    assert len(page.list) + len(frames[1:]) == 1


def test_what_a_page_has_brought_is_not_pushed_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.client("bob")
    bob.frames()
    alice.publish("bob")
    # The commit is done and its news is on the way, when the reader answers.
    tell = rig.store.next_batch()
    assert tell is not None
    bob.start_pull()
    read = rig.store.next_batch()
    assert read is not None
    for answer in (read, tell):
        rig.hear(answer)
    (only,) = bob.frames()
    assert isinstance(only, QueryAck)
    assert len(payloads.decode(payloads.DownStreamMessages, only.data).list) == 1


class Reader:
    """Bob, as the newer SDKs behave: he pulls when he is told, and takes pushes (session 8.4)."""

    def __init__(self, rig: Rig) -> None:
        self.client = rig.client("bob")
        self.client.frames()
        self.got: list[payloads.DownStreamMessage] = []
        self.cursor = 0
        self.pulls: set[int] = set()

    def pull(self) -> None:
        """Ask, unless he is asking."""
        if not self.pulls:
            self.pulls.add(self.client.start_pull(self.cursor))

    def listen(self) -> None:
        """Take what has come; a page may be cut, and an answer may come at once."""
        while frames := self.client.frames():
            for frame in frames:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, QueryAck):
            self.pulls.remove(frame.message_id)
            page = payloads.decode(payloads.DownStreamMessages, frame.data)
            assert page.syncTime >= self.cursor
            self.cursor = page.syncTime
            self.got += page.list
            if not page.finished:
                self.pull()
        else:
            assert isinstance(frame, Delivery)
            if frame.topic == Topic.S_MSG:
                self.got.append(item(frame))
                self.cursor = max(self.cursor, item(frame).dataTime)
            elif announced(frame) > self.cursor:
                self.pull()


@settings(max_examples=40)
@given(data=st.data())
def test_every_message_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rig = Rig(tmp_path_factory.mktemp("rig"), limits=Limits(pull_messages=3))
    alice, carol = rig.online("alice"), rig.online("carol")
    bob = Reader(rig)
    sent = 0
    for step in data.draw(st.lists(st.sampled_from(Step), max_size=50)):
        match step:
            case Step.SEND:
                (alice if sent % 3 else carol).publish("bob", str(sent))
                sent += 1
            case Step.TYPE:
                alice.publish("bob", **TYPING)
            case Step.PULL:
                bob.pull()
            case Step.ANSWER:
                rig.settle_one()
            case Step.TURN_CLOCK:
                rig.wall += data.draw(st.integers(-3000, 3000))
        bob.listen()
    bob.pull()
    while rig.settle_one():
        bob.listen()
    stored = [int(each.content) for each in bob.got if each.classname != "RC:TypSts"]
    assert stored == list(range(sent))
    times = [each.dataTime for each in bob.got]
    assert times == sorted(set(times))


# -- status messages -----------------------------------------------------------------


@pytest.mark.parametrize("topic", [Topic.PP_MSG_S, Topic.PP_MSG_P])
def test_typing_is_pushed_and_forgotten(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", '{"typingContentType":"RC:TxtMsg"}', topic=topic, **TYPING)
    ack = alice.ack()
    assert ack.status == 0
    (push,) = bob.deliveries()
    assert item(push).classname == "RC:TypSts"
    assert item(push).dataTime == sent_at(ack)
    assert rig.settle() == 0
    assert rig.client("bob").pull_all() == []


def test_a_status_topic_is_never_stored_whatever_its_flags(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", topic=Topic.PP_MSG_S, flags=3)
    assert alice.ack().status == 0
    assert rig.settle() == 0


def test_typing_is_dropped_if_the_receiver_has_something_to_pull(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    bob.frames()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert bob.frames() == []
    bob.pull()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_typing_does_not_overtake_a_message_under_way(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = rig.online("alice"), rig.online("bob"), rig.online("carol")
    alice.publish("bob")
    carol.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert carol.ack().status == 0
    assert bob.frames() == []
    rig.settle()
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_not_even_for_a_receiver_who_came_in_between(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, carol = rig.online("alice"), rig.online("carol")
    alice.publish("bob")
    under_way = rig.store.hold_turn()
    bob = rig.client("bob")
    bob.start_pull()
    rig.settle_one()
    bob.frames()
    assert bob.connection.is_up_to_date
    carol.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert bob.frames() == []
    rig.store.begin(under_way)
    rig.settle()
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_nor_what_the_receiver_himself_is_sending(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone, bob = rig.online("alice"), rig.online("alice"), rig.online("bob")
    desk.publish("bob", topic=Topic.PP_MSG_N)
    bob.publish("alice", topic=Topic.PP_MSG_S, **TYPING)
    assert phone.frames() == []
    rig.settle()
    (notification,) = phone.deliveries()
    assert announced(notification) == sent_at(desk.ack())


def test_a_message_after_typing_is_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    alice.publish("bob")
    rig.settle()
    typing, text = bob.deliveries()
    assert item(text).dataTime > item(typing).dataTime


def test_typing_to_somebody_absent_is_acknowledged(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert alice.ack().status == 0


def test_a_read_receipt_goes_through_the_inbox_but_not_into_history(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", **READ)
    rig.settle()
    assert alice.ack().status == 0
    (found,) = rig.online("bob").pull(0, 0).list
    assert found.classname == "RC:ReadNtf"
    assert found.status == 0
    request = payloads.HistoryMsgInput(targetId="bob", time=0, count=10, order=0)
    assert alice.ask(Topic.QRY_P_MSG, request, payloads.HistoryMsgOuput).list == []


# -- several devices -----------------------------------------------------------------


def test_other_devices_see_what_one_sends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone, bob = rig.online("alice"), rig.online("alice"), rig.online("bob")
    desk.publish("bob", '{"content":"hi"}')
    rig.settle()
    ack = desk.ack()
    copy, completion = phone.frames()
    assert copy.topic == Topic.PP_MSG_P
    assert copy.target_id == "bob"
    assert copy.is_sync
    up = payloads.decode(payloads.UpStreamMessage, copy.data)
    assert up.content == b'{"content":"hi"}'
    assert isinstance(completion, PubAck)
    assert completion.message_id == copy.message_id
    assert completion.uid == ack.uid
    assert sent_at(completion) == sent_at(ack)
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_a_copy_is_also_found_by_pulling(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice")
    desk.publish("bob", '{"content":"hi"}')
    rig.settle()
    phone.frames()
    ack = desk.ack()
    (found,) = phone.pull_all()
    assert found.direction == 1
    assert found.fromUserId == "bob"
    assert found.msgId == ack.uid
    assert found.dataTime == sent_at(ack)
    assert phone.pull_all() == []


def test_a_device_that_was_away_finds_what_the_other_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk = rig.online("alice")
    desk.publish("bob", '{"content":"@bob","mentionedInfo":{"type":1}}', flags=7)
    rig.settle()
    (found,) = rig.client("alice").pull_all()
    assert found.direction == 1
    assert found.fromUserId == "bob"
    # The mention bit is never for the sender (messages 3.3).
    assert found.status == DownFlag.STORED | DownFlag.COUNTED


def test_a_topic_without_copies_is_announced(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice")
    desk.publish("bob", topic=Topic.PP_MSG_N)
    rig.settle()
    (notification,) = phone.deliveries()
    assert announced(notification) == sent_at(desk.ack())
    (found,) = phone.pull_all()
    assert found.direction == 1


@pytest.mark.parametrize(("sdk", "frames"), [("2.5.3", 0), ("2.9.2", 0), ("4.6.4", 2)])
def test_copies_of_status_messages_go_to_who_reads_them(
    tmp_path: Path, sdk: str, frames: int
) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice", sdk)
    desk.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    assert len(phone.frames()) == frames


def test_typing_on_an_ordinary_topic_is_not_copied(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice")
    desk.publish("bob", **TYPING)
    assert phone.frames() == []


def test_all_devices_of_a_receiver_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, desk, phone = rig.online("alice"), rig.online("bob"), rig.online("bob")
    late = rig.client("bob")
    late.frames()
    alice.publish("bob")
    rig.settle()
    assert len(desk.deliveries(Topic.S_MSG)) == 1
    assert len(phone.deliveries(Topic.S_MSG)) == 1
    # It has not pulled yet, so a push would be lost (session 8.4).
    assert len(late.deliveries(Topic.S_NTF)) == 1


def test_a_read_position_goes_to_the_own_devices_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone, bob = rig.online("alice"), rig.online("alice"), rig.online("bob")
    desk.publish("bob", **READ_HERE)
    rig.settle()
    assert desk.ack().status == 0
    copy, _ = phone.frames()
    assert payloads.decode(payloads.UpStreamMessage, copy.data).classname == "RC:SRSMsg"
    assert bob.frames() == []
    assert bob.pull_all() == []
    (found,) = phone.pull_all()
    assert (found.direction, found.fromUserId) == (1, "bob")


def test_a_read_position_of_the_only_device_is_for_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", **READ_HERE)
    rig.settle()
    assert alice.ack().status == 0
    assert rig.client("bob").pull_all() == []


def test_a_message_to_oneself_is_for_the_other_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice")
    desk.publish("alice")
    rig.settle()
    assert desk.ack().status == 0
    assert len(phone.frames()) == 2
    (found,) = phone.pull_all()
    assert (found.direction, found.fromUserId) == (1, "alice")


def test_with_one_device_nobody_has_a_sent_box(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob")
    alice.publish("alice")
    rig.settle()
    assert rig.client("alice").pull_all() == []


def test_the_inbox_of_a_sender_who_left_is_no_concern(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice = rig.online("alice")
    alice.publish("bob")
    alice.leave()
    rig.settle()
    assert rig.hub.find((APP, "alice")) is None


def test_a_device_on_its_way_out_is_not_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, desk, phone = rig.online("alice"), rig.online("bob"), rig.online("bob")
    phone.peer.shut_down()
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    desk.pull_all()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    alice.publish("bob")
    rig.settle()
    desk.publish("alice")
    rig.settle()
    assert phone.frames() == []
