"""What only one generation of SDKs needs, and what all of them break without (session 14).

One test for each rule that a client can see. ``2.5.3``, ``2.9.2`` and ``4.6.4`` stand for the
three generations that were examined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import codec, payloads
from improto.codes import DisconnectStatus, ErrorCode
from improto.config import Limits, Timing
from improto.errors import LocalProtocolError
from improto.events import Farewell
from improto.frames import (
    ConnAck,
    Delivery,
    Disconnect,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Qos,
    QueryAck,
    Role,
)
from improto.operations import Topic
from improto.service import Peer
from tests.server.rig import START, Rig, announced, item, sent_at

if TYPE_CHECKING:
    from pathlib import Path

    from improto.frames import TimeMs

SDKS = ("2.5.3", "2.9.2", "4.6.4")
NEWER = ("2.9.2", "4.6.4")

EMOJI = '{"content":"hi \U0001f600"}'.encode()
ESCAPED = b'{"content":"hi \\ud83d\\ude00"}'

TYPING = {"name": "RC:TypSts", "flags": 0}


def pull_request(cursor: int = 0, sent: int = 0) -> payloads.SyncRequestMsg:
    return payloads.SyncRequestMsg(syncTime=cursor, ispolling=False, sendBoxSyncTime=sent)


class Undecided(Peer):
    """A client whose login the server leaves open."""

    def accept(self, user_id: str, session_id: str, *, timestamp: TimeMs) -> None:
        """Not yet."""


# -- login (session 2) ---------------------------------------------------------------


@pytest.mark.parametrize(("sdk", "status"), [("2.5.3", 4), ("2.9.2", 4), ("4.6.4", 10)])
def test_an_expired_token_is_told_as_the_sdk_understands_it(
    tmp_path: Path, sdk: str, status: int
) -> None:
    (answer,) = Rig(tmp_path).client("expired", sdk).frames()
    assert answer == ConnAck(status=status)


@pytest.mark.parametrize("sdk", SDKS)
def test_hosts_after_the_token_are_cut_off(tmp_path: Path, sdk: str) -> None:
    # SDK 2.5.3 sends all of it, the newer ones end it behind the "@" (interop 1).
    tail = "@navi.example.com;10.0.0.1" if sdk == "2.5.3" else "@"
    (answer,) = Rig(tmp_path).client(f"alice{tail}", sdk).frames()
    assert isinstance(answer, ConnAck)
    assert answer.user_id == "alice"


@pytest.mark.parametrize(("sdk", "status"), [("2.5.3", 3), ("2.9.2", 13), ("4.6.4", 13)])
def test_sdk_253_never_sees_a_connack_above_12(tmp_path: Path, sdk: str, status: int) -> None:
    client = Rig(tmp_path).client("alice", sdk, peer_type=Undecided)
    client.peer.refuse(13)
    assert client.frames() == [ConnAck(status=status)]


@pytest.mark.parametrize("sdk", SDKS)
def test_the_server_closes_after_a_refusal(tmp_path: Path, sdk: str) -> None:
    # SDK 2.5.3 would leave the socket open (session 2.3).
    client = Rig(tmp_path).client("forged", sdk)
    assert client.closed is not None
    assert client.closed.farewell is Farewell.CLOSE


@pytest.mark.parametrize("sdk", SDKS)
def test_connack_has_the_ordinary_layout(tmp_path: Path, sdk: str) -> None:
    client = Rig(tmp_path).client("alice", sdk)
    (message,) = client.connection.messages_to_send()
    assert message.startswith(b"\x20\x00\x00\x00\x05alice\x00\x20")
    assert message.endswith(START.to_bytes(8, "big"))


def test_connack_has_the_other_layout_for_who_asks_for_version_4(tmp_path: Path) -> None:
    client = Rig(tmp_path).client("alice", "4.6.4", protocol_version=4)
    (message,) = client.connection.messages_to_send()
    answer = codec.decode(message, Role.SERVER, protocol_version=ProtocolVersion.V4)
    assert isinstance(answer, ConnAck)
    assert (answer.user_id, answer.timestamp, answer.message_id) == ("alice", START, 0)
    # With the ordinary layout SDK 4.6.4 would connect as a user without a name (interop 2).
    assert message != codec.encode(
        ConnAck(status=0, user_id="alice", session_id=answer.session_id, timestamp=START)
    )


def test_sdk_253_may_ping_before_it_is_let_in(tmp_path: Path) -> None:
    client = Rig(tmp_path).client("alice", "2.5.3", peer_type=Undecided)
    client.send(PingReq())
    assert client.frames() == [PingResp()]


@pytest.mark.parametrize("sdk", SDKS)
def test_pong_comes_before_slower_answers(tmp_path: Path, sdk: str) -> None:
    # SDK 2.5.3 waits 1.6 s for the first one (session 2.1).
    rig = Rig(tmp_path)
    client = rig.client("alice", sdk)
    client.frames()
    client.start_pull()
    client.send(PingReq())
    assert client.frames() == [PingResp()]
    rig.settle()
    assert len(client.frames()) == 1


@pytest.mark.parametrize("sdk", NEWER)
def test_the_questions_after_the_login_are_all_answered(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    client = rig.client("alice", sdk)
    client.frames()
    client.send(PingReq())
    asked = [
        client.query(Topic.PULL_SE_ATTS, payloads.SessionReq(time=0)),
        client.query(Topic.PULL_US, payloads.PullUserSettingInput(version=0)),
        client.query(Topic.PULL_MSG, pull_request()),
        client.query(Topic.REPORTSDK, payloads.ReportSDKInput(sdkInfo="{}")),
    ]
    rig.settle()
    pong, *answers = client.frames()
    assert pong == PingResp()
    assert sorted(answer.message_id for answer in answers) == asked
    assert {answer.status for answer in answers} == {0}


def test_sdk_464_asks_for_ultra_groups_on_every_reconnect(tmp_path: Path) -> None:
    client = Rig(tmp_path).online("alice")
    (answer,) = client.answers(
        client.query(Topic.PULL_UG_MSG, payloads.UltraGrpPullMsg(syncTime=0))
    )
    assert (answer.status, answer.data) == (ErrorCode.NOT_SUPPORT, b"")


# -- requests and answers (session 6, 7) ---------------------------------------------


@pytest.mark.parametrize("qos", [Qos.AT_MOST_ONCE, Qos.AT_LEAST_ONCE])
@pytest.mark.parametrize("topic", [Topic.PP_MSG_P, Topic.RTC_SET_DATA, "noSuchTopic"])
def test_every_publish_gets_one_puback(tmp_path: Path, topic: str, qos: Qos) -> None:
    # SDKs wait 30 s for it whatever the QoS was.
    rig = Rig(tmp_path)
    client = rig.online("alice")
    message_id = client.publish("bob", topic=topic, qos=qos)
    rig.settle()
    assert client.ack().message_id == message_id


def test_sdk_292_sends_its_typing_with_id_0(tmp_path: Path) -> None:
    client = Rig(tmp_path).online("alice", "2.9.2")
    for _ in range(3):
        client.publish("bob", topic=Topic.PP_MSG_S, message_id=0, **TYPING)
    acks = client.frames()
    assert [(type(ack), ack.message_id) for ack in acks] == [(PubAck, 0)] * 3


@pytest.mark.parametrize("sdk", SDKS)
def test_a_repeated_id_is_no_repeated_message(tmp_path: Path, sdk: str) -> None:
    # Ids start over at 1 with every connection, and after 65535.
    rig = Rig(tmp_path)
    alice = rig.online("alice", sdk)
    for number in range(2):
        alice.publish("bob", str(number), message_id=1)
        rig.settle()
    first, second = alice.frames()
    assert isinstance(first, PubAck)
    assert isinstance(second, PubAck)
    assert first.uid != second.uid
    assert len(rig.client("bob").pull_all()) == 2


@pytest.mark.parametrize("qos", [Qos.AT_MOST_ONCE, Qos.AT_LEAST_ONCE])
@pytest.mark.parametrize("topic", [Topic.PULL_MSG, Topic.QRY_P_MSG, Topic.PULL_US])
def test_an_answer_has_the_qos_of_its_question(tmp_path: Path, topic: Topic, qos: Qos) -> None:
    requests = {
        Topic.PULL_MSG: pull_request(),
        Topic.QRY_P_MSG: payloads.HistoryMsgInput(targetId="bob", count=2),
        Topic.PULL_US: payloads.PullUserSettingInput(version=0),
    }
    rig = Rig(tmp_path)
    client = rig.online("alice", "2.5.3")
    client.query(topic, requests[topic], qos=qos)
    rig.settle()
    (answer,) = client.frames()
    assert isinstance(answer, QueryAck)
    assert answer.qos is qos


@pytest.mark.parametrize("sdk", SDKS)
def test_no_status_is_one_of_those_with_another_meaning(tmp_path: Path, sdk: str) -> None:
    # Statuses 1 to 99 are something else to the SDKs (codes 4).
    rig = Rig(tmp_path, rate=3)
    client = rig.online("alice", sdk)
    for topic in (*Topic, "noSuchTopic"):
        client.query(topic, b"\xff")
        client.publish("", "null", topic=topic)
    rig.settle()
    statuses = {frame.status for frame in client.frames() if isinstance(frame, PubAck | QueryAck)}
    assert statuses
    assert min(statuses) > 99


def test_fields_that_nobody_knows_are_ignored(tmp_path: Path) -> None:
    unknown = b"\xa2\x06\x03new"
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=b"{}")
    alice.publish_bytes("bob", payloads.encode(up) + unknown)
    rig.settle()
    assert alice.ack().status == 0
    assert len(bob.deliveries(Topic.S_MSG)) == 1
    pull = bob.query(Topic.PULL_MSG, payloads.encode(pull_request()) + unknown)
    rig.settle()
    (answer,) = bob.answers(pull)
    assert answer.status == 0


# -- the inbox (session 8) -----------------------------------------------------------


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("cursor", [0, START, START + 10**6])
def test_a_reply_to_a_pull_is_always_whole(tmp_path: Path, sdk: str, cursor: int) -> None:
    client = Rig(tmp_path).client("alice", sdk)
    page = client.ask(Topic.PULL_MSG, pull_request(cursor), payloads.DownStreamMessages)
    # Absent, finished means the one to SDK 2.5.3 and the other to the newer ones.
    assert page.HasField("finished")
    assert page.HasField("syncTime")
    assert page.HasField("broadcastSyncTime")
    # Below what was asked from, the newer SDKs would ask again at once, for ever.
    assert page.syncTime >= cursor


@pytest.mark.parametrize("sdk", SDKS)
def test_a_reply_reaches_what_was_announced(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob", sdk)
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    (notification,) = bob.deliveries()
    # Another device of his, or he himself, has read everything: the list is empty.
    page = bob.pull(START + 5)
    assert page.list == []
    assert page.syncTime >= announced(notification)


@pytest.mark.parametrize("sdk", SDKS)
def test_a_burst_has_rising_times_and_comes_in_order(tmp_path: Path, sdk: str) -> None:
    # SDK 2.5.3 takes the time of the last item as its cursor and drops what is not later.
    rig = Rig(tmp_path)
    alice, carol, bob = rig.online("alice"), rig.online("carol"), rig.online("bob", sdk)
    for number in range(50):
        (alice if number % 2 else carol).publish("bob", str(number))
    rig.settle()
    bob.frames()
    page = bob.pull()
    assert [int(each.content) for each in page.list] == list(range(50))
    times = [each.dataTime for each in page.list]
    assert times == sorted(set(times))
    acks = [frame for client in (alice, carol) for frame in client.frames()]
    assert {sent_at(ack) for ack in acks if isinstance(ack, PubAck)} == set(times)


@pytest.mark.parametrize(("sdk", "is_told_again"), [("2.5.3", True), ("2.9.2", False)])
def test_sdk_253_is_told_to_go_on_after_a_cut_page(
    tmp_path: Path, sdk: str, is_told_again: bool
) -> None:
    rig = Rig(tmp_path, limits=Limits(pull_messages=2))
    alice = rig.online("alice")
    for _ in range(5):
        alice.publish("bob")
    rig.settle()
    bob = rig.client("bob", sdk)
    bob.frames()
    pull = bob.start_pull()
    rig.settle()
    answer, *rest = bob.frames()
    assert isinstance(answer, QueryAck)
    assert answer.message_id == pull
    page = payloads.decode(payloads.DownStreamMessages, answer.data)
    assert not page.finished
    assert page.syncTime == page.list[-1].dataTime
    assert [announced(each) > page.syncTime for each in rest] == ([True] if is_told_again else [])


@pytest.mark.parametrize(
    ("sdk", "topic"), [("2.5.3", Topic.S_NTF), ("2.9.2", Topic.S_MSG), ("4.6.4", Topic.S_MSG)]
)
def test_only_newer_sdks_get_a_message_directly(tmp_path: Path, sdk: str, topic: Topic) -> None:
    # A push that crosses a pull is shown twice by SDK 2.5.3 (interop 7).
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob", sdk)
    alice.publish("bob")
    rig.settle()
    (delivery,) = bob.deliveries()
    assert delivery.topic == topic


@pytest.mark.parametrize("sdk", SDKS)
def test_nothing_is_pushed_before_the_first_pull(tmp_path: Path, sdk: str) -> None:
    # All of them drop it (interop 7, rule 6).
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.client("bob", sdk)
    bob.frames()
    alice.publish("bob")
    rig.settle()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    (delivery,) = bob.deliveries()
    assert announced(delivery) == START


@pytest.mark.parametrize("sdk", SDKS)
def test_who_does_not_fetch_is_told_again(tmp_path: Path, sdk: str) -> None:
    # SDK 2.9.2 forgets a pull that was cut off (interop 7, rule 8).
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.client("bob", sdk)
    bob.frames()
    alice.publish("bob")
    rig.settle()
    assert len(bob.deliveries(Topic.S_NTF)) == 1
    rig.advance(Timing().renotify)
    bob.pass_time()
    assert len(bob.deliveries(Topic.S_NTF)) == 1


@pytest.mark.parametrize("sdk", SDKS)
def test_what_the_server_publishes_has_id_0(tmp_path: Path, sdk: str) -> None:
    # Any other id may complete a request of SDK 2.9.2, with garbage (session 6).
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob", sdk)
    alice.publish("bob")
    rig.settle()
    bob.pull_all()
    alice.publish("bob", topic=Topic.PP_MSG_S, **TYPING)
    alice.publish("bob")
    alice.publish("bob")
    rig.settle()
    deliveries = bob.deliveries()
    assert {each.topic for each in deliveries} == {Topic.S_MSG, Topic.S_NTF}
    assert {each.message_id for each in deliveries} == {0}
    assert not any(each.is_sync for each in deliveries)


# -- content (wire 3) ----------------------------------------------------------------


@pytest.mark.parametrize(("sdk", "content"), [("2.5.3", ESCAPED), *((sdk, EMOJI) for sdk in NEWER)])
def test_only_sdk_253_needs_its_emoji_escaped(tmp_path: Path, sdk: str, content: bytes) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob", sdk)
    alice.publish("bob", EMOJI)
    rig.settle()
    assert [each.content for each in bob.pull_all()] == [content]
    bob.frames()
    # Read from the store it is the same.
    (stored,) = rig.client("bob", sdk).pull_all()
    assert stored.content == content


@pytest.mark.parametrize(("sdk", "content"), [("2.5.3", ESCAPED), ("4.6.4", EMOJI)])
def test_so_it_is_with_what_is_pushed_and_copied(tmp_path: Path, sdk: str, content: bytes) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, phone, bob = rig.online("alice"), rig.online("alice", sdk), rig.online("bob", sdk)
    alice.publish("bob", EMOJI, **TYPING)
    (push,) = bob.deliveries()
    assert item(push).content == content
    alice.publish("bob", EMOJI)
    rig.settle()
    (copy,) = phone.deliveries()
    assert payloads.decode(payloads.UpStreamMessage, copy.data).content == content


@pytest.mark.parametrize("content", ["no JSON \U0001f600", '{"content":"caf\u00e9"}', "{}"])
def test_other_contents_stay_as_they_were_sent(tmp_path: Path, content: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob", "2.5.3")
    alice.publish("bob", content, pushText="\U0001f600")
    rig.settle()
    bob.frames()
    (found,) = bob.pull_all()
    assert found.content == content.encode()
    # Everywhere but in content, SDK 2.5.3 reads ordinary UTF-8.
    assert found.pushContent == "\U0001f600"


# -- several devices (session 9) -----------------------------------------------------


@pytest.mark.parametrize("sdk", SDKS)
def test_copies_have_ids_that_no_request_is_waiting_with(tmp_path: Path, sdk: str) -> None:
    # The PUBACK of a copy would complete the request (session 6).
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice", sdk)
    for _ in range(2):
        desk.publish("bob")
    # These are answered after the copies have been sent.
    own = {phone.publish("bob", message_id=message_id) for message_id in (65535, 65534)}
    assert rig.settle() == 1
    copies = {each.message_id for each in phone.deliveries() if each.is_sync}
    assert len(copies) == 2
    assert not copies & own
    assert all(32768 <= message_id <= 65535 for message_id in copies)


@pytest.mark.parametrize("sdk", SDKS)
def test_a_copy_and_its_puback_stand_together(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path, multi_device=True)
    desk, phone = rig.online("alice"), rig.online("alice", sdk)
    desk.publish("bob")
    rig.settle()
    copy, completion = phone.frames()
    assert isinstance(copy, Delivery)
    assert isinstance(completion, PubAck)
    assert copy.is_sync
    assert copy.topic == Topic.PP_MSG_P
    assert copy.message_id == completion.message_id
    assert completion.status == 0
    assert completion.uid == desk.ack().uid


@pytest.mark.parametrize("sdk", SDKS)
def test_an_own_message_names_its_peer_as_the_sender(tmp_path: Path, sdk: str) -> None:
    # The newer SDKs take the conversation from there (session 9.2).
    rig = Rig(tmp_path, multi_device=True)
    rig.online("alice").publish("bob")
    rig.settle()
    (found,) = rig.client("alice", sdk).pull_all()
    assert (found.direction, found.fromUserId, found.groupId) == (1, "bob", "bob")


# -- the end (session 4) -------------------------------------------------------------


@pytest.mark.parametrize(
    ("sdk", "farewell"),
    [("2.5.3", Farewell.ABORT), ("2.9.2", Farewell.CLOSE), ("4.6.4", Farewell.CLOSE)],
)
def test_sdk_253_only_notices_a_connection_that_vanishes(
    tmp_path: Path, sdk: str, farewell: Farewell
) -> None:
    rig = Rig(tmp_path, multi_device=True)
    leaving, wrong = rig.online("alice", sdk), rig.online("alice", sdk)
    leaving.peer.shut_down()
    leaving.dispatch()
    wrong.send_bytes(b"")
    for client in (leaving, wrong):
        assert client.closed is not None
        assert client.closed.farewell is farewell
        assert client.frames() == []


@pytest.mark.parametrize("sdk", SDKS)
def test_who_is_replaced_is_told_not_to_come_back(tmp_path: Path, sdk: str) -> None:
    # Without the frame the newer SDKs reconnect and kick each other for ever (interop 6).
    rig = Rig(tmp_path)
    old = rig.online("alice", sdk)
    rig.client("alice", sdk)
    assert old.frames() == [Disconnect(status=1)]
    assert old.closed is None


@pytest.mark.parametrize("status", [DisconnectStatus.REDIRECT, DisconnectStatus.REDIRECT_NEW])
def test_nobody_is_redirected_by_disconnect(tmp_path: Path, status: DisconnectStatus) -> None:
    # SDK 2.5.3 throws, the newer ones stay where they are (session 4.1).
    client = Rig(tmp_path).online("alice")
    with pytest.raises(LocalProtocolError):
        client.peer.dismiss(status)
    assert client.frames() == []
