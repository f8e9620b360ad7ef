"""What was said, page by page (operations 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.store import Place, queries
from tests.server.conversation_tools import (
    AFTER,
    BEFORE,
    DISCUSSION,
    GROUP,
    TEAM,
    history,
    lines,
    make_group,
    recall,
    say,
    status,
)
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

TOPICS = [
    Topic.QRY_P_MSG,
    Topic.QRY_D_MSG,
    Topic.QRY_G_MSG,
    Topic.QRY_C_MSG,
    Topic.QRY_S_MSG,
    Topic.QRY_CH_MSG,
    Topic.QRY_MC_MSG,
    Topic.QRY_MP_MSG,
]
NEWEST = "5.38.0"
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def talk(rig: Rig, lines: int) -> None:
    """A conversation: alice says the even numbers, bob the odd ones, one a second."""
    people = [rig.online("alice"), rig.online("bob")]
    for number in range(lines):
        speaker, listener = people[number % 2], ("bob", "alice")[number % 2]
        speaker.publish(listener, str(number))
        rig.settle()
        rig.advance(1)


def test_the_newest_come_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    page = history(rig.online("alice"), "bob")
    assert lines(page) == [4, 3, 2, 1, 0]
    assert page.hasMsg == 0
    assert page.syncTime == START


def test_each_reader_sees_his_own_messages_as_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 2)
    answer, question = history(rig.online("alice"), "bob").list
    assert (question.direction, question.fromUserId) == (1, "bob")
    assert (answer.direction, answer.fromUserId) == (2, "bob")
    answer, question = history(rig.online("bob"), "alice").list
    assert (question.direction, question.fromUserId) == (2, "alice")
    assert (answer.direction, answer.fromUserId) == (1, "alice")


def test_pages_backward(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    alice = rig.online("alice")
    first = history(alice, "bob", count=2)
    assert (lines(first), first.hasMsg) == ([4, 3], 1)
    assert first.syncTime == first.list[-1].dataTime
    second = history(alice, "bob", count=2, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([2, 1], 1)
    third = history(alice, "bob", count=2, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([0], 0)


def test_pages_forward_are_newest_first_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    alice = rig.online("alice")
    first = history(alice, "bob", count=2, order=AFTER)
    assert (lines(first), first.hasMsg) == ([1, 0], 1)
    assert first.syncTime == first.list[0].dataTime
    second = history(alice, "bob", count=2, order=AFTER, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([3, 2], 1)
    third = history(alice, "bob", count=2, order=AFTER, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([4], 0)


def test_the_newest_sdk_turns_only_pages_backward_round(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 5)
    alice = rig.online("alice", NEWEST)
    # It never asks with 0: a minute from now, and 1, are the ends.
    newest = history(alice, "bob", count=2, time=rig.wall + 60_000)
    assert (lines(newest), newest.hasMsg) == ([4, 3], 1)
    assert newest.syncTime == newest.list[-1].dataTime
    first = history(alice, "bob", count=2, order=AFTER, time=1)
    assert (lines(first), first.hasMsg) == ([0, 1], 1)
    assert first.syncTime == first.list[-1].dataTime
    second = history(alice, "bob", count=2, order=AFTER, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([2, 3], 1)
    third = history(alice, "bob", count=2, order=AFTER, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([4], 0)


def test_nothing_is_compressed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 1)
    request = payloads.HistoryMsgInput(targetId="bob", compressioEnabled=True)
    page = rig.online("alice", NEWEST).ask(Topic.QRY_P_MSG, request, payloads.HistoryMsgOuput)
    assert (lines(page), page.compressioEnabled, page.compressedData) == ([0], False, b"")


@pytest.mark.parametrize("order", [BEFORE, AFTER])
def test_notices_of_recalls_may_be_left_out(tmp_path: Path, order: int) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = [say(alice, "bob", str(number)) for number in range(4)]
    recall(alice, said[1], "bob")
    recall(alice, said[2], "bob")

    def page(*, count: int, is_ignored: bool) -> list[str]:
        request = payloads.HistoryMsgInput(
            targetId="bob", count=count, order=order, ignoreCmd=is_ignored
        )
        reply = alice.ask(Topic.QRY_P_MSG, request, payloads.HistoryMsgOuput)
        assert not reply.hasMsg
        return [each.classname for each in reply.list]

    text, notice = "RC:TxtMsg", "RC:RcCmd"
    assert page(count=4, is_ignored=False) == [notice, notice, text, text]
    assert page(count=2, is_ignored=True) == [text, text]


@pytest.mark.parametrize("order", [BEFORE, AFTER])
def test_times_are_exclusive(tmp_path: Path, order: int) -> None:
    rig = Rig(tmp_path)
    talk(rig, 3)
    page = history(rig.online("alice"), "bob", time=START + 1000, order=order)
    assert lines(page) == [0 if order == BEFORE else 2]


@pytest.mark.parametrize("time", [0, START - 1])
def test_an_empty_page_keeps_the_time(tmp_path: Path, time: int) -> None:
    rig = Rig(tmp_path)
    page = history(rig.online("alice"), "bob", time=time)
    assert page == payloads.HistoryMsgOuput(syncTime=time, hasMsg=0)


@pytest.mark.parametrize(("asked", "got"), [(0, 20), (1, 1), (100, 100), (10_000, 100)])
def test_a_page_has_at_most_100_messages(tmp_path: Path, asked: int, got: int) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for number in range(110):
        alice.publish("bob", str(number))
    rig.settle()
    page = history(rig.online("alice"), "bob", count=asked)
    assert len(page.list) == got
    assert page.hasMsg == 1


def test_only_what_is_to_be_stored_is_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", "1", flags=1)
    alice.publish("bob", "0", flags=0)
    alice.publish("bob", "2", flags=2)
    rig.settle()
    assert lines(history(rig.online("alice"), "bob")) == [1]


def test_conversations_do_not_mix(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk(rig, 2)
    rig.online("alice").publish("carol", "7")
    rig.settle()
    assert lines(history(rig.online("alice"), "carol")) == [7]
    assert lines(history(rig.online("carol"), "bob")) == []
    assert lines(history(rig.online("alice", app="other"), "bob")) == []


@pytest.mark.parametrize("sdk", ["2.5.3", "4.6.4"])
def test_only_the_oldest_sdk_gets_escapes(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    rig.online("alice").publish("bob", '{"content":"\U0001f600"}')
    rig.settle()
    (message,) = history(rig.online("alice", sdk), "bob").list
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
@pytest.mark.parametrize("topic", TOPICS)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, fields: dict[str, object], topic: Topic
) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.from_fields(payloads.HistoryMsgInput, fields)
    assert status(alice, topic, request) in (
        ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
        # A room id that cannot be one is a room that is not there.
        ErrorCode.RC_CHATROOM_NOT_EXIST,
    )


def test_a_request_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    assert status(alice, Topic.QRY_P_MSG, b"\xff") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


# -- groups and discussions --------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "id", "topic", "refusal"),
    [
        (GROUP, "team", Topic.QRY_G_MSG, ErrorCode.NOT_IN_GROUP),
        (DISCUSSION, "~talk", Topic.QRY_D_MSG, ErrorCode.NOT_IN_DISCUSSION),
        # The newer SDKs know no discussions.
        (DISCUSSION, "~talk", Topic.QRY_P_MSG, ErrorCode.NOT_IN_DISCUSSION),
    ],
)
def test_members_read_what_was_said_since_they_came(
    tmp_path: Path, type: ConversationType, id: str, topic: Topic, refusal: ErrorCode
) -> None:
    rig = Rig(tmp_path)
    place = Place(APP, type, id)
    make_group(rig, "alice", place=place)
    alice, bob = rig.online("alice"), rig.online("bob")
    message_topic = Topic.PG_MSG_P if type is GROUP else Topic.PD_MSG_P
    request = payloads.HistoryMsgInput(targetId=id)

    def read() -> list[int]:
        return lines(bob.ask(topic, request, payloads.HistoryMsgOuput))

    say(alice, id, "1", topic=message_topic)
    assert status(bob, topic, request) == refusal
    rig.do(rig.system.rosters.join(place, ["bob"]))
    say(alice, id, "2", topic=message_topic)
    assert read() == [2]
    rig.do(rig.system.rosters.leave(place, ["bob"]))
    say(alice, id, "3", topic=message_topic)
    assert status(bob, topic, request) == refusal
    rig.do(rig.system.rosters.join(place, ["bob"]))
    assert read() == []
    say(alice, id, "4", topic=message_topic)
    assert read() == [4]
    assert lines(alice.ask(topic, request, payloads.HistoryMsgOuput)) == [4, 3, 2, 1]


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.HistoryMsgInput(targetId="team")
    assert status(alice, Topic.QRY_G_MSG, request) == ErrorCode.NOT_IN_GROUP


def test_messages_for_some_members_are_not_in_history(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice = rig.online("alice")
    say(alice, "team", "1", type=GROUP)
    say(alice, "team", "2", type=GROUP, userId=["bob"])
    assert lines(history(alice, "team", type=GROUP)) == [1]
    assert lines(history(rig.online("bob"), "team", type=GROUP)) == [1]


# -- conversations of other types --------------------------------------------------------


def post(rig: Rig, sender: str, type: ConversationType, target: str, content: str) -> None:
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=content.encode())
    rig.do(rig.system.messages.post(APP, sender, type, target, up))


@pytest.mark.parametrize(
    ("type", "topic"),
    [
        (ConversationType.SYSTEM, Topic.QRY_S_MSG),
        (ConversationType.CUSTOMER_SERVICE, Topic.QRY_C_MSG),
        (ConversationType.APP_PUBLIC_SERVICE, Topic.QRY_P_MSG),
        (ConversationType.PUBLIC_SERVICE, Topic.QRY_P_MSG),
        (ConversationType.APP_PUBLIC_SERVICE, Topic.QRY_MC_MSG),
        (ConversationType.PUBLIC_SERVICE, Topic.QRY_MP_MSG),
    ],
)
def test_each_type_has_its_topic(tmp_path: Path, type: ConversationType, topic: Topic) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    request = payloads.HistoryMsgInput(targetId="news")
    assert not alice.ask(topic, request, payloads.HistoryMsgOuput).list
    post(rig, "news", type, "alice", "1")
    (message,) = alice.ask(topic, request, payloads.HistoryMsgOuput).list
    assert (message.type, message.fromUserId, message.content) == (type, "news", b"1")


@pytest.mark.parametrize("topic", [Topic.QRY_CH_MSG, Topic.QRY_C_MSG])
def test_both_topics_of_chatrooms(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    assert status(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    say(alice, "lobby", "1", type=ConversationType.CHATROOM)
    request = payloads.HistoryMsgInput(targetId="lobby")
    (message,) = alice.ask(topic, request, payloads.HistoryMsgOuput).list
    assert (message.type, message.groupId, message.direction) == (4, "lobby", 1)
    assert status(bob, topic, request) == ErrorCode.NOT_IN_CHATROOM


@pytest.mark.parametrize(
    ("sdk", "backward", "forward"), [("4.6.4", [2, 1], [1, 0]), (NEWEST, [1, 2], [0, 1])]
)
def test_the_newest_sdk_shows_rooms_as_they_come(
    tmp_path: Path, sdk: str, backward: list[int], forward: list[int]
) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", sdk)
    assert status(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    said = [say(alice, "lobby", str(number), type=ConversationType.CHATROOM) for number in range(3)]
    for order, expected, edge in ((BEFORE, backward, 1), (AFTER, forward, 1)):
        page = history(alice, "lobby", type=ConversationType.CHATROOM, count=2, order=order)
        assert (lines(page), page.syncTime) == (expected, said[edge].time)


# -- by their uids -----------------------------------------------------------------------


def by_uid(client: Client, *uids: str) -> tuple[list[bytes], list[str]]:
    """Contents of those that are there, and uids of those that are not."""
    reply = client.ask(Topic.QRY_MSG, to_find(*uids), payloads.MsgQueryAck)
    return [each.content for each in reply.list], [*reply.notExistMsgId]


def to_find(*uids: str) -> payloads.MsgQuery:
    request = payloads.MsgQuery(targetId="bob", type=1)
    for uid in uids:
        request.query.add(msgTime=0, msgUID=uid)
    return request


def test_messages_of_any_conversation_are_found_by_their_uids(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice", NEWEST), rig.online("bob")
    uids = [
        say(bob, "alice", "1").uid,
        say(alice, "carol", "2").uid,
        say(bob, "team", "3", type=GROUP).uid,
    ]
    post(rig, "news", ConversationType.PUBLIC_SERVICE, "alice", "4")
    (service, *_) = history(alice, "news").list
    reply = alice.ask(Topic.QRY_MSG, to_find(*uids, service.msgId), payloads.MsgQueryAck)
    assert not reply.notExistMsgId
    found = [(each.msgId, each.fromUserId, each.direction) for each in reply.list]
    assert found == [
        (uids[0], "bob", 2),
        (uids[1], "carol", 1),
        (uids[2], "bob", 2),
        (service.msgId, "news", 2),
    ]
    # Once is enough, and what is no uid is not there.
    strange = ["", "x", "CBPV-IN7E-0084-NCA0", "\N{SNOWMAN}"]
    assert by_uid(alice, uids[1], *strange, uids[1]) == ([b"2"], strange)


def test_what_one_may_not_read_is_not_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob", NEWEST)
    private = say(alice, "carol", "1").uid
    before = say(alice, "team", "2", type=GROUP).uid
    unstored = say(alice, "bob", "3", flags=0).uid
    assert by_uid(bob, private, unstored) == ([], [private, unstored])
    assert by_uid(rig.online("alice", app="other"), private) == ([], [private])
    rig.do(rig.system.rosters.leave(TEAM, ["bob"]))
    meanwhile = say(alice, "team", "4", type=GROUP).uid
    assert by_uid(bob, before, meanwhile) == ([], [before, meanwhile])
    rig.do(rig.system.rosters.join(TEAM, ["bob"]))
    after = say(alice, "team", "5", type=GROUP).uid
    assert by_uid(bob, before, meanwhile, after) == ([b"5"], [before, meanwhile])


def test_what_was_put_away_or_taken_back_is_not_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(4)]
    uids = [each.uid for each in said]
    clearing = payloads.CleanHisMsgInput(targetId="alice", dataTime=said[0].time)
    assert status(bob, Topic.CLEAN_P_MSG, clearing) == 0
    hiding = payloads.DeleteMsgInput(type=1, conversationId="alice")
    hiding.msgs.add(msgId=uids[1])
    assert status(bob, Topic.DEL_MSG, hiding) == 0
    recall(alice, said[2], "bob")
    assert by_uid(bob, *uids) == ([b"3"], uids[:3])
    assert by_uid(alice, *uids) == ([b"0", b"1", b"3"], uids[2:3])


def test_messages_of_a_room_are_for_those_in_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    assert status(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    said = say(alice, "lobby", "1", type=ConversationType.CHATROOM)
    assert by_uid(alice, said.uid) == ([b"1"], [])
    assert by_uid(bob, said.uid) == ([], [said.uid])


def test_limits_of_asking_by_uid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    uids = [say(alice, "bob", "1").uid, say(alice, "bob", "2").uid]
    assert status(alice, Topic.QRY_MSG, to_find(*["x"] * 101)) == INVALID
    assert status(alice, Topic.QRY_MSG, to_find(*["x"] * 100)) == 0
    # What does not fit is in neither list, so it may be asked for again.
    monkeypatch.setattr(queries, "PAGE_BYTES", 100)
    assert by_uid(alice, *uids) == ([b"1"], [])


def test_a_uid_is_found_without_looking_through_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    said = say(rig.online("alice"), "bob", "1")

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            queries.by_uid(connection, app=APP, reader="bob", uid=said.uid, time=said.time)
        return found

    steps = rig.do(_read(rig, plans))
    assert "SEARCH messages USING INDEX messages_by_time (in_history=? AND time=?)" in steps
    assert not [step for step in steps if "SCAN" in step and step != "SCAN CONSTANT ROW"]


# -- what is not read --------------------------------------------------------------------


def test_pages_go_on_behind_what_is_left_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(6)]
    hidden = payloads.DeleteMsgInput(type=1, conversationId="alice")
    hidden.msgs.add(msgId=said[4].uid)
    assert status(bob, Topic.DEL_MSG, hidden) == 0
    recall(alice, said[2], "bob", type=1)
    first = history(bob, "alice", count=2, order=AFTER)
    assert (lines(first), first.hasMsg) == ([1, 0], 1)
    second = history(bob, "alice", count=2, order=AFTER, time=first.syncTime)
    assert (lines(second), second.hasMsg) == ([5, 3], 1)
    third = history(bob, "alice", count=2, time=second.syncTime)
    assert (lines(third), third.hasMsg) == ([3, 1], 1)
    fourth = history(bob, "alice", count=2, time=third.syncTime)
    assert (lines(fourth), fourth.hasMsg) == ([0], 0)


@pytest.mark.parametrize("edge", [{}, {"before": 2}, {"after": 2}])
def test_a_page_costs_no_more_when_there_are_more_messages(
    tmp_path: Path, edge: dict[str, int]
) -> None:
    rig = Rig(tmp_path)
    say(rig.online("alice"), "bob", "1")

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            queries.history(
                connection, app=APP, type=1, reader="bob", target="alice", count=20, **edge
            )
        return found

    found = rig.do(_read(rig, plans))
    assert found
    assert not [step for step in found if "SCAN" in step or "TEMP B-TREE" in step]


async def _read(rig: Rig, query: Any) -> Any:
    return await rig.system.data.read(query)
