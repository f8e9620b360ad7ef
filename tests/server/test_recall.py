"""Taking messages back (messages 7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.frames import Delivery, PubAck
from improto.operations import Topic
from improto_server.services import Caller
from improto_server.store import Place, StoreError, recalls
from improto_server.uids import time_of
from tests.server.conversation_tools import (
    DISCUSSION,
    GROUP,
    PRIVATE,
    TEAM,
    conversations,
    entries,
    heard,
    history,
    lines,
    make_group,
    recall,
    say,
    status,
)
from tests.server.rig import APP, Rig, item
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

NOTICE = "RC:RcCmd"
REFUSED = ErrorCode.RECALL_MESSAGE


def names(client: Client) -> list[str]:
    """Object names of everything that a new device of the user pulls."""
    return [each.classname for each in client.pull_all()]


def test_the_notice_takes_the_place_of_the_message(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    first, second = say(alice, "bob", "1"), say(alice, "bob", "2")
    bob.pull_all()
    bob.frames()
    taken = recall(alice, first, "bob")
    assert taken.status == 0
    assert taken.time > second.time
    assert taken.uid not in ("", first.uid)
    notice = item(bob.deliveries(Topic.S_MSG)[0])
    assert (notice.classname, notice.msgId, notice.dataTime) == (NOTICE, taken.uid, taken.time)
    assert (notice.fromUserId, notice.type, notice.status) == ("alice", 1, 0x10)
    assert json.loads(notice.content)["messageUId"] == first.uid
    for client, peer in ((alice, "bob"), (bob, "alice")):
        page = history(client, peer).list
        assert [each.msgId for each in page] == [taken.uid, second.uid]
        assert conversations(client)[0].msg.classname == NOTICE
    assert names(rig.client("bob")) == ["RC:TxtMsg", NOTICE]


def test_nobody_pulls_it_any_more(tmp_path: Path) -> None:
    """Neither from memory nor from the store."""
    rig = Rig(tmp_path, multi_device=True)
    alice, bob, other = rig.online("alice"), rig.client("bob"), rig.client("bob")
    said = say(alice, "bob", "1")
    recall(alice, said, "bob")
    assert names(bob) == names(other) == names(rig.client("bob")) == [NOTICE]


@pytest.mark.parametrize("sdk", ["2.5.3", "4.6.4"])
def test_own_devices_are_shown_it_as_it_was_sent(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice"), rig.online("alice", sdk)
    said = say(alice, "bob", "1")
    other.frames()
    taken = recall(alice, said, "bob")
    copy, ack = other.frames()
    assert isinstance(copy, Delivery)
    assert (copy.topic, copy.is_sync, copy.target_id) == (Topic.RECALL_MSG, True, "bob")
    up = payloads.decode(payloads.UpStreamMessage, copy.data)
    assert (up.classname, up.sessionId) == (NOTICE, 0)
    assert isinstance(ack, PubAck)
    assert (ack.message_id, ack.uid) == (copy.message_id, taken.uid)
    assert alice.frames() == []


def test_sdk_2_9_2_would_show_the_copy_under_oneself_so_it_pulls(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice"), rig.online("alice", "2.9.2")
    said = say(alice, "bob", "1")
    other.pull_all()
    other.frames()
    recall(alice, said, "bob")
    assert [frame.topic for frame in other.deliveries()] == [Topic.S_NTF]
    (notice,) = other.pull_all()
    assert (notice.classname, notice.direction, notice.fromUserId) == (NOTICE, 1, "bob")


def test_once_more_is_answered_like_the_first_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, recall_minutes=1)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    first = recall(alice, said, "bob")
    bob.pull_all()
    bob.frames()
    rig.advance(3600)
    again = recall(rig.online("alice"), said, "bob")
    assert (again.status, again.uid, again.time) == (0, first.uid, first.time)
    assert bob.frames() == []
    assert [each.classname for each in history(bob, "alice").list] == [NOTICE]


def test_two_requests_at_once_make_one_notice(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    devices = [rig.online("alice"), rig.online("alice")]
    bob = rig.online("bob")
    said = say(devices[0], "bob", "1")
    content = json.dumps({"messageUId": said.uid, "conversationType": 1, "targetId": "bob"})
    ids = [
        each.publish("alice", content, topic=Topic.RECALL_MSG, name=NOTICE, flags=1)
        for each in devices
    ]
    rig.settle()
    answers = [heard(each, message_id) for each, message_id in zip(devices, ids, strict=True)]
    assert answers[0].uid == answers[1].uid
    assert [each.classname for each in history(bob, "alice").list] == [NOTICE]


def test_tombstone_and_notice_are_one_transaction(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice = rig.online("alice")
    for target, type in (("bob", PRIVATE), ("team", GROUP)):
        said = say(alice, target, "1", type=type)
        content = {"messageUId": said.uid, "conversationType": type, "targetId": target}
        alice.publish("alice", json.dumps(content), topic=Topic.RECALL_MSG, name=NOTICE)
        # One batch to look for the message, and one to do everything.
        assert rig.settle() == 2
        assert isinstance(alice.frames()[-1], PubAck)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"messageUId":null,"conversationType":1,"targetId":"bob"}',
        '{"messageUId":"x","conversationType":1,"targetId":"bob"}',
        '{"messageUId":"","conversationType":1,"targetId":"bob"}',
        '{"messageUId":"CBPV-IN7E-0084-NCA0","conversationType":1,"targetId":"bob"}',
        '{"messageUId":"CBPV-IN7E-0084-NCA0","conversationType":1,"targetId":"nobody"}',
        '{"messageUId":"CBPV-IN7E-0084-NCA0","conversationType":"one","targetId":"bob"}',
        b'{"messageUId":"\xff","conversationType":1,"targetId":"bob"}',
        '{"messageUId":"CBPV-IN7E-0084-NCA0","conversationType":1,"targetId":' + "[" * 5000,
    ],
)
def test_a_content_that_names_no_message(tmp_path: Path, content: str | bytes) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    say(alice, "bob", "1")
    message_id = alice.publish("alice", content, topic=Topic.RECALL_MSG, name=NOTICE, flags=0)
    assert heard(alice, message_id).status == REFUSED
    assert lines(history(alice, "bob")) == [1]


def test_a_conversation_that_cannot_be(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1")
    invalid = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert recall(alice, said, "bob", type=0).status == invalid
    assert recall(alice, said, "a b").status == invalid
    assert recall(alice, said, "carol").status == REFUSED
    message_id = alice.publish("alice", "{}", topic=Topic.RECALL_MSG, flags=0)
    assert heard(alice, message_id).status == invalid
    message_id = alice.publish_bytes("alice", b"\xff", topic=Topic.RECALL_MSG)
    assert heard(alice, message_id).status == invalid


def test_only_ones_own_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    assert recall(bob, said, "alice").status == REFUSED
    assert recall(bob, said, "alice", isAdmin=True).status == REFUSED
    assert recall(rig.online("mallory"), said, "bob").status == REFUSED
    assert lines(history(bob, "alice")) == [1]
    taken = recall(alice, said, "bob")
    # A notice cannot be taken back, and what was taken back is nobody else's business.
    assert recall(alice, taken, "bob").status == REFUSED
    assert recall(bob, said, "alice").status == REFUSED


def test_only_the_server_sends_notices(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bob, mallory = rig.online("bob"), rig.online("mallory")
    forged = say(mallory, "bob", "{}", name=NOTICE, flags=1)
    assert forged.status == ErrorCode.RC_MSG_UNAUTHORIZED
    assert bob.frames() == []


def test_the_window(tmp_path: Path) -> None:
    rig = Rig(tmp_path, recall_minutes=2)
    alice = rig.online("alice")
    first = say(alice, "bob", "1")
    rig.advance(60)
    second = say(alice, "bob", "2")
    rig.advance(59)
    assert recall(alice, first, "bob").status == REFUSED
    assert recall(alice, second, "bob").status == 0


def test_in_groups_and_discussions(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    make_group(rig, "alice", "bob", "owner", owner="owner")
    alice, bob, owner = rig.online("alice"), rig.online("bob"), rig.online("owner")
    said = [say(alice, "team", str(number), type=GROUP) for number in range(4)]
    assert recall(alice, said[0], "team", type=GROUP).status == 0
    # The owner may take back what others said, if he says that he does so as such.
    assert recall(owner, said[1], "team", type=GROUP).status == REFUSED
    assert recall(owner, said[1], "team", type=GROUP, isAdmin=True).status == 0
    assert recall(bob, said[2], "team", type=GROUP, isAdmin=True).status == REFUSED
    assert recall(alice, said[1], "team", type=GROUP).status == REFUSED
    page = history(bob, "team", type=GROUP).list
    assert [each.classname for each in page] == [NOTICE, NOTICE, "RC:TxtMsg", "RC:TxtMsg"]
    assert [(each.fromUserId, each.groupId) for each in page[:2]] == [
        ("owner", "team"),
        ("alice", "team"),
    ]
    assert entries(bob)[0][2] == 2
    assert names(rig.client("bob")) == ["RC:TxtMsg", "RC:TxtMsg", NOTICE, NOTICE]
    rig.do(rig.system.rosters.leave(TEAM, ["alice"]))
    left = recall(alice, said[3], "team", type=GROUP)
    assert left.status == ErrorCode.NOT_IN_GROUP
    talk = Place(APP, DISCUSSION, "~talk")
    make_group(rig, "alice", "bob", place=talk)
    spoken = say(alice, "~talk", "1", topic=Topic.PD_MSG_P)
    # The newer SDKs take discussions for users.
    assert recall(alice, spoken, "~talk", type=PRIVATE).status == 0
    (notice,) = history(bob, "~talk").list
    assert (notice.type, notice.classname) == (DISCUSSION, NOTICE)


def test_what_was_for_some_members_is_taken_back_from_them(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice = rig.online("alice")
    said = say(alice, "team", "1", type=GROUP, userId=["bob"])
    taken = recall(alice, said, "team", type=GROUP)
    assert taken.status == 0
    assert names(rig.client("bob")) == [NOTICE]
    assert names(rig.client("carol")) == []
    assert history(alice, "team", type=GROUP).list[:] == []
    again = recall(alice, said, "team", type=GROUP)
    assert (again.uid, again.time) == (taken.uid, taken.time)
    # Nobody is left whom it concerns.
    said = say(alice, "team", "2", type=GROUP, userId=["bob"])
    rig.do(rig.system.rosters.leave(TEAM, ["bob"]))
    assert recall(alice, said, "team", type=GROUP).status == 0
    assert names(rig.client("carol")) == []


def test_commands_can_be_taken_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice = rig.online("alice")
    said = say(alice, "bob", "{}", name="RC:CmdMsg", flags=0)
    assert recall(alice, said, "bob").status == 0
    said = say(alice, "team", "{}", type=GROUP, name="RC:CmdMsg", flags=0)
    assert recall(alice, said, "team", type=GROUP).status == 0
    assert names(rig.client("bob")) == [NOTICE, NOTICE]


def test_in_chatrooms(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    room = ConversationType.CHATROOM
    alice, bob = rig.online("alice"), rig.online("bob")
    for client in (alice, bob):
        assert status(client, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    said = say(alice, "lobby", "1", type=room)
    assert recall(alice, said, "nowhere", type=room).status == ErrorCode.RC_CHATROOM_NOT_EXIST
    assert recall(rig.online("carol"), said, "lobby", type=room).status == (
        ErrorCode.NOT_IN_CHATROOM
    )
    assert recall(bob, said, "lobby", type=room).status == REFUSED
    assert recall(alice, said, "lobby", type=room).status == 0
    request = payloads.ChrmPullMsg(syncTime=0, count=10)
    message_id = bob.query(Topic.CHRM_PULL, request, target="lobby")
    rig.settle()
    (answer,) = bob.answers(message_id)
    page = payloads.decode(payloads.DownStreamMessages, answer.data)
    assert [each.classname for each in page.list] == [NOTICE]
    page = bob.ask(Topic.QRY_CH_MSG, payloads.HistoryMsgInput(targetId="lobby"), PAGE)
    assert [each.classname for each in page.list] == [NOTICE]


PAGE: Any = payloads.HistoryMsgOuput


def test_public_services_share_the_type_of_users(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=b"1")
    type = ConversationType.PUBLIC_SERVICE
    sent = rig.do(rig.system.messages.post(APP, "alice", type, "news", up))
    assert recall(alice, sent.uid, "news").status == 0
    (notice,) = history(alice, "news").list
    assert (notice.type, notice.classname) == (type, NOTICE)


def test_the_store_fails(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1")
    rig.store.broken = StoreError("the disk is full")
    assert recall(alice, said, "bob").status == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert recall(alice, said, "bob").status == 0


def test_the_count_goes_on_after_a_restart(tmp_path: Path) -> None:
    """The newest message is taken back; the next one gets the number after it all the same."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = [say(alice, "bob", str(number)) for number in range(3)]
    recall(alice, said[2], "bob")
    rig.store.store.close()
    rig = Rig(tmp_path)
    rig.advance(60)
    say(rig.online("alice"), "bob", "4")
    assert entries(rig.online("bob")) == [("alice", "4", 3)]


def test_finding_a_message_costs_no_more_when_there_are_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice = rig.online("alice")
    said = say(alice, "team", "1", type=GROUP, userId=["bob"])
    time = time_of(said.uid)
    assert time == said.time

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            original = recalls.find(
                connection,
                app=APP,
                user="alice",
                type=GROUP,
                target="team",
                uid=said.uid,
                time=said.time,
            )
            assert original is not None
            assert original.named == ["bob"]
        return found

    steps = rig.do(_read(rig, plans))
    assert any("messages_by_time" in step for step in steps)
    assert not [step for step in steps if "SCAN" in step]


def test_a_service_may_call_it_too(tmp_path: Path) -> None:
    """Without a device; the tombstone has no body any more."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", "1")
    content = json.dumps({"messageUId": said.uid, "conversationType": 1, "targetId": "bob"})
    up = payloads.UpStreamMessage(sessionId=0, classname=NOTICE, content=content.encode())
    caller = Caller(APP, "alice", alice.connection.profile)
    sent = rig.do(rig.system.recalls.recall(caller, "", up))
    assert history(alice, "bob").list[0].msgId == sent.uid

    def sizes(connection: Connection) -> list[int]:
        return [*connection.scalars(text("SELECT length(item) FROM messages ORDER BY time"))]

    tombstone, notice = rig.do(_read(rig, sizes))
    assert tombstone == 0
    assert notice > 0


async def _read(rig: Rig, query: Any) -> Any:
    return await rig.system.data.read(query)


def test_what_cannot_be_told_is_not_taken_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    refused = recall(alice, said, "bob", extra="x" * rig.limits.content_bytes)
    assert refused.status == ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT
    assert lines(history(bob, "alice")) == [1]
    assert recall(alice, said, "bob").status == 0


def test_nobody_pulls_from_memory_what_was_taken_back_after_he_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    make_group(rig, "alice", "bob", "carol")
    said = say(alice, "team", "1", type=GROUP)
    kept = say(alice, "team", "2", type=GROUP)
    rig.do(rig.system.rosters.leave(TEAM, ["bob", "carol"]))
    assert recall(alice, said, "team", type=GROUP).status == 0
    assert [each.msgId for each in bob.pull_all()] == [kept.uid]


def test_taking_back_counts_as_sending(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rate=2)
    alice = rig.online("alice")
    said = say(alice, "bob", "one")
    rig.advance(1)
    content = {"messageUId": said.uid, "conversationType": PRIVATE, "targetId": "bob"}
    for _ in range(3):
        alice.publish("alice", json.dumps(content), topic=Topic.RECALL_MSG, name=NOTICE, flags=0)
    rig.settle()
    acks = {ack.message_id: ack.status for ack in alice.frames() if isinstance(ack, PubAck)}
    assert [acks[number] for number in sorted(acks)] == [0, 0, ErrorCode.SEND_FREQUENCY_TOO_FAST]
