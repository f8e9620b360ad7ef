from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import MessageId, PubAck, Publish, Qos, Query, QueryAck
from improto.operations import OPERATIONS, Direction, Signal, Topic
from improto_server.router import Router
from improto_server.store import StoreError
from tests.server.rig import START, Rig, minimal, sent_at

if TYPE_CHECKING:
    from pathlib import Path

    from improto_server.services import Caller
    from tests.server.rig import Client

ID = MessageId(1)


def the_answer(client: Client, message_id: int) -> QueryAck:
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer


@pytest.mark.parametrize("topic", ["noSuchTopic", "", "s_msg", Topic.PULL_UG_MSG])
def test_what_nobody_answers_is_refused(tmp_path: Path, topic: str) -> None:
    alice = Rig(tmp_path).online("alice")
    answer = the_answer(alice, alice.query(topic))
    assert (answer.status, answer.data) == (ErrorCode.NOT_SUPPORT, b"")


@pytest.mark.parametrize("topic", ["noSuchTopic", Topic.UG_MSG, Topic.UP_MSG_EX])
def test_what_nobody_takes_is_refused(tmp_path: Path, topic: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", topic=topic)
    ack = alice.ack()
    assert (ack.status, ack.uid) == (ErrorCode.NOT_SUPPORT, "")
    assert sent_at(ack) == START
    assert rig.settle() == 0


def test_every_topic_is_answered_whatever_it_carries(tmp_path: Path) -> None:
    """A client waits 30 s for what is not answered (session 7)."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for row in OPERATIONS.values():
        if row.direction is Direction.SERVER_TO_CLIENT:
            continue
        if row.signal is Signal.QUERY:
            alice.query(row.topic, b"\xff")
        else:
            alice.publish_bytes("bob", b"\xff", topic=row.topic)
        rig.settle()
        answers = [frame for frame in alice.frames() if isinstance(frame, PubAck | QueryAck)]
        assert [answer.message_id for answer in answers] == [alice.last_id], row.topic
        assert answers[0].status != 0 or row.request is None, row.topic
        assert alice.peer.is_open, row.topic


@pytest.mark.parametrize("target", ["\ud800", "~\ud800"])
def test_what_is_no_text_names_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    """Lone halves of surrogate pairs come through the decoder (wire 3)."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for row in OPERATIONS.values():
        if row.direction is Direction.SERVER_TO_CLIENT:
            continue
        data = b"" if row.request is None else minimal(row.request).SerializeToString()
        if row.signal is Signal.QUERY:
            alice.query(row.topic, data, target=target)
        else:
            alice.publish_bytes(target, data, topic=row.topic)
        rig.settle()
        answers = [frame for frame in alice.frames() if isinstance(frame, PubAck | QueryAck)]
        assert [answer.message_id for answer in answers] == [alice.last_id], row.topic
        assert answers[0].status >= 1000 or row.topic == Topic.PULL_MSG, row.topic
        assert answers[0].status != ErrorCode.INTERNALERRROR, row.topic
        assert alice.peer.is_open, row.topic
    assert caplog.messages == []


def test_a_topic_has_one_answer() -> None:
    async def answer(caller: Caller, target: str, request: object) -> None: ...

    with pytest.raises(ValueError, match="two services answer pullUS"):
        Router(
            messages=None,  # type: ignore[arg-type]
            inboxes=None,  # type: ignore[arg-type]
            pull_room=None,  # type: ignore[arg-type]
            queries=[{Topic.PULL_US: answer}, {Topic.PULL_US: answer}],
            publishes=[],
            clock=None,  # type: ignore[arg-type]
            breaker=None,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("topic", [Topic.SYSTEM_MESSAGE, Topic.PB_MSG_P])
def test_nobody_writes_for_the_system(tmp_path: Path, topic: Topic) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.publish("admin", topic=topic)
    assert alice.ack().status == ErrorCode.RC_MSG_UNAUTHORIZED


def test_a_room_that_nobody_has_made(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.ChrmPullMsg(syncTime=0, count=10)
    answer = the_answer(alice, alice.query(Topic.CHRM_PULL, request))
    assert answer.status == ErrorCode.RC_CHATROOM_NOT_EXIST


@pytest.mark.parametrize("topic", [Topic.QRY_P_MSG, Topic.PULL_SE_ATTS, Topic.PULL_US])
def test_a_request_must_parse(tmp_path: Path, topic: Topic) -> None:
    alice = Rig(tmp_path).online("alice")
    answer = the_answer(alice, alice.query(topic, b"\xff\xff"))
    assert answer.status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_refusal_of_a_service_is_its_status(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.HistoryMsgInput(targetId="", time=0, count=10, order=0)
    answer = the_answer(alice, alice.query(Topic.QRY_P_MSG, request))
    assert (answer.status, answer.data) == (ErrorCode.BIZ_ERROR_INVALID_PARAMETER, b"")


@pytest.mark.parametrize("qos", [Qos.AT_MOST_ONCE, Qos.AT_LEAST_ONCE])
def test_an_answer_has_the_id_and_the_qos_of_its_question(tmp_path: Path, qos: Qos) -> None:
    alice = Rig(tmp_path).online("alice")
    message_id = alice.query(Topic.PULL_US, payloads.PullUserSettingInput(version=0), qos=qos)
    alice.rig.settle()
    (answer,) = alice.frames()
    assert isinstance(answer, QueryAck)
    assert (answer.message_id, answer.qos) == (message_id, qos)
    assert answer.date == START // 1000


def test_a_store_that_fails_is_an_internal_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.store.broken = StoreError("the disk is gone")
    request = payloads.HistoryMsgInput(targetId="bob", time=0, count=10, order=0)
    answer = the_answer(alice, alice.query(Topic.QRY_P_MSG, request))
    assert answer.status == ErrorCode.INTERNALERRROR
    assert caplog.messages == ["a request could not be answered: the disk is gone"]


def test_who_left_is_not_answered(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    request = payloads.HistoryMsgInput(targetId="bob", time=0, count=10, order=0)
    alice.query(Topic.QRY_P_MSG, request)
    alice.leave()
    rig.settle()
    assert alice.frames() == []


def test_requests_before_the_end_are_not_answered_after_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    up = payloads.UpStreamMessage(sessionId=0, classname="RC:TxtMsg", content=b"{}")
    for topic in (Topic.PG_MSG_P, Topic.PP_MSG_S, Topic.PP_MSG_P):
        alice.hold(Publish(topic=topic, target_id="bob", message_id=ID, data=payloads.encode(up)))
    alice.hold(Query(topic="noSuchTopic", target_id="", message_id=ID, data=b""))
    alice.leave()
    rig.settle()
    assert alice.frames() == []


def test_answers_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    ids = [alice.query("noSuchTopic") for _ in range(5)]
    assert [frame.message_id for frame in alice.frames() if isinstance(frame, QueryAck)] == ids


def test_an_id_may_be_used_twice(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", message_id=ID)
    alice.send(Query(topic="noSuchTopic", target_id="", message_id=ID, data=b""))
    rig.settle()
    first, second = alice.frames()
    assert isinstance(first, QueryAck)
    assert isinstance(second, PubAck)
    assert first.message_id == second.message_id == ID
