"""What becomes of a message on its way to the store (operations 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.contents import DownFlag
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services.messages import OBJECT_NAME_CHARACTERS
from improto_server.store import StoreError
from tests.server.rig import START, Rig, item, sent_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client


def refused_with(client: Client) -> int:
    ack = client.ack()
    assert ack.uid == ""
    assert sent_at(ack) > 0
    return ack.status


# -- from the sender to the receiver -------------------------------------------------


def test_an_idle_receiver_gets_the_message_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    message_id = alice.publish("bob", '{"content":"hi"}')
    assert alice.frames() == bob.frames() == []
    rig.settle()
    ack = alice.ack()
    assert (ack.message_id, ack.status) == (message_id, 0)
    (push,) = bob.deliveries()
    assert push.message_id == 0
    assert push.target_id == "bob"
    message = item(push)
    assert message.fromUserId == "alice"
    assert message.groupId == "bob"
    assert message.type == 1
    assert message.direction == 2
    assert message.classname == "RC:TxtMsg"
    assert message.content == b'{"content":"hi"}'
    assert message.status == DownFlag.STORED | DownFlag.COUNTED
    assert message.dataTime == sent_at(ack) == START
    assert message.msgId == ack.uid


def test_nothing_is_promised_before_it_is_stored(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob")
    (answer,) = bob.answers(bob.start_pull())
    assert payloads.decode(payloads.DownStreamMessages, answer.data).list == []
    assert alice.frames() == bob.frames() == []
    rig.settle()
    assert alice.ack().status == 0
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_an_absent_receiver_finds_it_when_he_comes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for number in range(3):
        alice.publish("bob", f'{{"content":"{number}"}}')
    rig.settle()
    assert len(alice.frames()) == 3
    bob = rig.client("bob")
    found = bob.pull_all()
    assert [each.content for each in found] == [b'{"content":"%d"}' % n for n in range(3)]
    assert [each.dataTime for each in found] == [START, START + 1, START + 2]
    assert rig.online("alice").pull_all() == []


def test_a_message_outlives_the_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob")
    rig.settle()
    ack = alice.ack()
    rig.store.store.close()
    later = Rig(tmp_path)
    later.wall = START - 5000
    (found,) = later.client("bob").pull_all()
    assert found.msgId == ack.uid
    carol = later.online("carol")
    carol.publish("bob")
    later.settle()
    assert sent_at(carol.ack()) > sent_at(ack)


def test_the_sender_gets_nothing_but_the_puback(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob")
    rig.settle()
    alice.ack()
    assert alice.pull_all() == []


def test_apps_do_not_mix(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, stranger = rig.online("alice"), rig.online("bob", app="other")
    alice.publish("bob")
    rig.settle()
    assert stranger.frames() == []
    assert stranger.pull_all() == []


def test_what_the_sender_adds_is_passed_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish(
        "bob",
        name="app:custom",
        flags=0x61,
        clientUniqueId=77,
        configFlag=2,
        extraContent='{"a":{"v":"1"}}',
        pushText="alice writes",
        pushExt=payloads.PushExtra(title="hello"),
        busChannel="b",
    )
    rig.settle()
    (push,) = bob.deliveries()
    message = item(push)
    assert message.classname == "app:custom"
    assert message.status == DownFlag.STORED | DownFlag.SILENT | DownFlag.EXPANDABLE
    assert message.clientUniqueId == 77
    assert message.configFlag == 2
    assert message.extraContent == '{"a":{"v":"1"}}'
    assert message.pushContent == "alice writes"
    assert message.pushExt.title == "hello"
    assert message.busChannel == "b"


@pytest.mark.parametrize(
    ("content", "is_mentioned"),
    [
        ('{"content":"@bob","mentionedInfo":{"type":2,"userIdList":["bob"]}}', True),
        ('{"content":"@all","mentionedInfo":{"type":1}}', True),
        ('{"content":"@eve","mentionedInfo":{"type":2,"userIdList":["eve"]}}', False),
        # The newer SDKs fail on the bit without the member (messages 3.3).
        ('{"content":"@bob"}', False),
    ],
)
def test_the_mention_bit_is_for_who_is_mentioned(
    tmp_path: Path, content: str, is_mentioned: bool
) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", content, flags=7)
    rig.settle()
    (push,) = bob.deliveries()
    assert bool(item(push).status & DownFlag.MENTIONED) == is_mentioned


@pytest.mark.parametrize("topic", [Topic.PP_MSG_P, Topic.PP_MSG_N])
def test_all_private_topics_but_one_are_stored(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    rig.online("alice").publish("bob", topic=topic)
    rig.settle()
    assert len(rig.client("bob").pull_all()) == 1


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["", "x" * 65, "bob smith", "b\u00f6b", "bob\n", "rongcloudsystem"]
)
def test_a_target_must_be_a_user_id(tmp_path: Path, target: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish(target)
    assert refused_with(alice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_the_longest_user_id_is_a_target(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("x" * 64)
    rig.settle()
    assert alice.ack().status == 0


@pytest.mark.parametrize("data", [b"\xff\xff", b"", b"\x08\x01"])
def test_a_payload_must_parse_and_be_complete(tmp_path: Path, data: bytes) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.publish_bytes("bob", data)
    assert refused_with(alice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize("name", ["", "x" * (OBJECT_NAME_CHARACTERS + 1)])
def test_an_object_name_must_be_there_and_short(tmp_path: Path, name: str) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.publish("bob", name=name)
    assert refused_with(alice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize("content", ["null", " null\r\n", "\tnull"])
def test_json_null_is_no_content(tmp_path: Path, content: str) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.publish("bob", content)
    assert refused_with(alice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize("content", ["nullnull", '"null"', "no JSON", "", "nul", "[]"])
def test_other_contents_are_the_business_of_applications(tmp_path: Path, content: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", content)
    rig.settle()
    assert alice.ack().status == 0
    (push,) = bob.deliveries()
    assert item(push).content == content.encode()


def test_a_content_may_be_as_long_as_the_sdks_allow(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", b"x" * 131_073)
    assert refused_with(alice) == ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT
    alice.publish("bob", b"x" * 131_072)
    rig.settle()
    assert alice.ack().status == 0


def test_too_many_messages_per_second(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rate=2.0)
    alice, carol = rig.online("alice"), rig.online("carol")
    for _ in range(3):
        alice.publish("bob")
    assert refused_with(alice) == ErrorCode.SEND_FREQUENCY_TOO_FAST
    carol.publish("bob")
    rig.settle()
    assert [frame.status for frame in alice.frames() if isinstance(frame, PubAck)] == [0, 0]
    assert carol.ack().status == 0
    rig.advance(0.5)
    alice.publish("bob")
    rig.settle()
    assert alice.ack().status == 0


def test_a_store_that_fails_is_an_internal_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.store.broken = StoreError("the disk is full")
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    first, second = alice.frames()
    assert isinstance(first, PubAck)
    assert isinstance(second, PubAck)
    assert first.status == second.status == ErrorCode.INTERNALERRROR
    assert bob.frames() == []
    assert caplog.messages == ["2 messages not stored: the disk is full"]
    rig.store.broken = None
    alice.publish("bob")
    rig.settle()
    assert alice.ack().status == 0


def test_a_sender_who_left_is_not_answered(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob")
    alice.leave()
    rig.settle()
    assert alice.frames() == []
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_a_sender_who_left_is_not_refused_either(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.store.broken = StoreError("the disk is full")
    alice.publish("bob")
    alice.leave()
    rig.settle()
    assert alice.frames() == []


# -- repeats -------------------------------------------------------------------------


def test_a_repeat_is_answered_like_the_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", clientUniqueId=5)
    rig.settle()
    first = alice.ack()
    bob.frames()
    rig.advance(60)
    again = rig.online("alice")
    again.publish("bob", clientUniqueId=5)
    rig.settle()
    second = again.ack()
    assert (second.uid, sent_at(second)) == (first.uid, sent_at(first))
    assert bob.frames() == []
    assert len(rig.client("bob").pull_all()) == 1


def test_a_repeat_in_the_same_batch_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", clientUniqueId=5)
    alice.publish("bob", clientUniqueId=5)
    assert rig.settle() == 1
    first, second = alice.frames()
    assert isinstance(first, PubAck)
    assert isinstance(second, PubAck)
    assert first.uid == second.uid
    assert sent_at(first) == sent_at(second)
    assert len(bob.deliveries(Topic.S_MSG)) == 1


def test_zero_is_no_unique_id(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", clientUniqueId=0)
    alice.publish("bob", clientUniqueId=0)
    rig.settle()
    first, second = alice.frames()
    assert isinstance(first, PubAck)
    assert isinstance(second, PubAck)
    assert first.uid != second.uid


def test_a_number_below_0_is_no_name_of_a_message(tmp_path: Path) -> None:
    """The server has such names itself, for what it sends only once."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for text in ("one", "two"):
        alice.publish("bob", text, clientUniqueId=-7)
    rig.settle()
    found = rig.client("bob").pull_all()
    assert [each.content for each in found] == [b"one", b"two"]
    assert [each.clientUniqueId for each in found] == [-7, -7]
