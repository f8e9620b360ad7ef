"""What becomes of messages about which the application is asked (rest 10.4)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.config import Limits
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services.audit import AuditRules, Question, Verdict
from improto_server.services.messages import MOST_WAITING
from improto_server.system import ModerationRules
from tests.server.api_tools import ApiRig
from tests.server.rig import APP
from tests.server.room_tools import ROOM, join

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

RULES = AuditRules(apps=frozenset({APP}))

PASS = Verdict(passes=True)
DROP = Verdict(passes=False)


class AuditRig(ApiRig):
    """A rig that keeps the questions for the test to answer."""

    def __init__(self, path: Path, rules: AuditRules = RULES, **options: Any) -> None:
        super().__init__(path, moderation=ModerationRules(audit=rules), **options)
        self.questions: list[Question] = []
        self.system.audit.on_question = self.questions.append

    def answer(self, verdict: Verdict | None) -> Question:
        """Answer the oldest question."""
        question = self.questions.pop(0)
        question.answer.settle(verdict)
        self.settle()
        return question

    @property
    def outcomes(self) -> dict[str, int]:
        return {name: count for name, count in self.system.audit.outcomes.items() if count}


@pytest.fixture
def rig(tmp_path: Path) -> AuditRig:
    return AuditRig(tmp_path)


def text(words: str) -> str:
    return json.dumps({"content": words})


def say(client: Client, words: str, target: str = "bob", **options: Any) -> None:
    client.publish(target, text(words), **options)
    client.rig.settle()


def acks(client: Client) -> list[PubAck]:
    return [frame for frame in client.frames() if isinstance(frame, PubAck)]


def read(client: Client) -> list[str]:
    return [json.loads(each.content)["content"] for each in client.pull_all()]


def test_what_the_application_is_asked(rig: AuditRig) -> None:
    alice = rig.online("alice")
    say(alice, "敏")
    (question,) = rig.questions
    assert question.app == APP
    assert len(question.fields.pop("messageId")) == 16
    assert int(question.fields.pop("msgTimeStamp")) >= rig.wall
    assert json.loads(question.fields.pop("content")) == {"content": "敏"}
    assert question.fields == {
        "appKey": APP,
        "fromUserId": "alice",
        "targetId": "bob",
        "msgType": "RC:TxtMsg",
        "channelType": "PERSON",
        "os": "Websocket",
    }


def test_a_message_waits_and_with_it_its_device_only(rig: AuditRig) -> None:
    alice, carol, bob = rig.online("alice"), rig.online("carol"), rig.online("bob")
    say(alice, "first")
    say(alice, "second")
    say(carol, "third")
    assert (acks(alice), acks(carol), bob.frames()) == ([], [], [])
    assert [json.loads(each.fields["content"])["content"] for each in rig.questions] == [
        "first",
        "third",
    ]
    rig.questions.reverse()
    rig.answer(PASS)
    assert (len(acks(alice)), len(acks(carol))) == (0, 1)
    rig.answer(PASS)
    rig.answer(PASS)
    assert [ack.status for ack in acks(alice)] == [0, 0]
    assert read(bob) == ["third", "first", "second"]
    assert rig.outcomes == {"passed": 3}
    assert rig.system.audit.waiting == 0


def test_a_dropped_message_looks_sent(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bad")
    rig.answer(DROP)
    say(alice, "good")
    rig.answer(PASS)
    first, second = acks(alice)
    assert first.status == 0
    assert first.uid
    assert first.uid != second.uid
    assert (first.date, first.millisecond) < (second.date, second.millisecond)
    assert read(bob) == ["good"]
    assert rig.outcomes == {"dropped": 1, "passed": 1}


def test_the_sender_can_be_told(tmp_path: Path) -> None:
    rig = AuditRig(tmp_path, replace(RULES, tells_sender=True))
    alice = rig.online("alice")
    say(alice, "bad")
    rig.answer(DROP)
    assert [(ack.status, ack.uid) for ack in acks(alice)] == [(ErrorCode.SENSITIVE_SHIELD, "")]


def test_another_content(tmp_path: Path) -> None:
    rig = AuditRig(tmp_path, multi_device=True, limits=Limits(content_bytes=1024))
    alice, tablet, bob = rig.online("alice"), rig.online("alice"), rig.online("bob")
    say(alice, "bad")
    rig.answer(Verdict(True, text("good").encode()))
    assert [ack.status for ack in acks(alice)] == [0]
    assert read(bob) == read(tablet) == ["good"]
    say(alice, "bad")
    rig.answer(Verdict(True, text("x" * 1024).encode()))
    assert [ack.status for ack in acks(alice)] == [ErrorCode.OPERATION_BLOCKED]
    say(alice, "same")
    rig.answer(Verdict(True, text("same").encode()))
    assert read(bob) == ["same"]
    assert rig.outcomes == {"changed": 2, "passed": 1}


@pytest.mark.parametrize(("passes", "status"), [(True, 0), (False, ErrorCode.OPERATION_BLOCKED)])
def test_without_an_answer(tmp_path: Path, passes: bool, status: int) -> None:
    rig = AuditRig(tmp_path, replace(RULES, passes=passes, most_waiting=1))
    alice, carol, bob = rig.online("alice"), rig.online("carol"), rig.online("bob")
    say(alice, "first")
    # There is one question already.
    say(carol, "second")
    assert len(rig.questions) == 1
    rig.answer(None)
    # Nobody is there to be asked.
    rig.system.audit.on_question = None
    say(alice, "third")
    assert [ack.status for ack in (*acks(alice), *acks(carol))] == [status] * 3
    assert read(bob) == (["second", "first", "third"] if passes else [])
    assert rig.outcomes == {"unanswered": 3}


def test_what_nobody_is_asked_about(rig: AuditRig) -> None:
    alice = rig.online("alice")
    say(alice, "typing", topic=Topic.PP_MSG_S)
    alice.publish("bob", '{"lastMessageSendTime":1}', name="RC:ReadNtf")
    say(rig.online("dave", app="other"), "other app")
    sent = {"fromUserId": "alice", "toUserId": "bob", "objectName": "RC:TxtMsg"}
    rig.ask("/message/private/publish", content=text("REST"), **sent)
    assert rig.questions == []


def test_only_some_types(tmp_path: Path) -> None:
    rig = AuditRig(tmp_path, replace(RULES, types=frozenset({"app:post"})))
    alice = rig.online("alice")
    say(alice, "text")
    assert len(acks(alice)) == 1
    say(alice, "post", name="app:post")
    assert rig.answer(PASS).fields["msgType"] == "app:post"


def test_groups_and_rooms(rig: AuditRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice = rig.online("alice")
    join(alice)
    say(alice, "to the group", "g", topic=Topic.PG_MSG_P)
    say(alice, "to the room", ROOM, topic=Topic.CHAT_MSG)
    channels = [rig.answer(PASS).fields["channelType"] for _ in range(2)]
    assert channels == ["GROUP", "TEMPGROUP"]
    assert [ack.status for ack in acks(alice)] == [0, 0]


def test_who_may_not_send_is_not_asked_about(rig: AuditRig) -> None:
    alice = rig.online("alice")
    say(alice, "no member", "g", topic=Topic.PG_MSG_P)
    rig.ask("/sensitiveword/add", word="bad")
    say(alice, "bad")
    assert [ack.status for ack in acks(alice)] == [
        ErrorCode.NOT_IN_GROUP,
        ErrorCode.SENSITIVE_SHIELD,
    ]
    assert rig.questions == []


def test_what_changes_meanwhile_counts(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "hello")
    rig.ask("/user/blacklist/add", userId="bob", blackUserId="alice")
    rig.answer(PASS)
    assert [ack.status for ack in acks(alice)] == [ErrorCode.REJECTED_BY_BLACKLIST]
    say(rig.online("carol"), "hello")
    rig.ask("/sensitiveword/add", word="hello", replaceWord="bye")
    rig.answer(PASS)
    assert read(bob) == ["bye"]


def test_a_sender_who_leaves_has_sent(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bye")
    alice.leave()
    rig.answer(PASS)
    assert read(bob) == ["bye"]


def test_what_the_server_acts_upon_is_not_asked_about(rig: AuditRig) -> None:
    alice = rig.online("alice")
    alice.publish("bob", "{}", name="RC:ChrmMemChange")
    rig.settle()
    assert [ack.status for ack in acks(alice)] == [ErrorCode.RC_MSG_UNAUTHORIZED]
    assert rig.questions == []


def test_a_content_that_no_reader_understands_is_not_sent(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "hello")
    rig.answer(Verdict(passes=True, content=b" null"))
    assert [ack.status for ack in acks(alice)] == [ErrorCode.OPERATION_BLOCKED]
    assert read(bob) == []


def test_only_so_many_wait(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    for number in range(MOST_WAITING + 3):
        say(alice, str(number))
    # The first is asked about, and those after it wait.
    assert [ack.status for ack in acks(alice)] == [ErrorCode.SEND_FREQUENCY_TOO_FAST] * 2
    while rig.questions:
        rig.answer(PASS)
    assert len(acks(alice)) == MOST_WAITING + 1
    assert read(bob) == [str(number) for number in range(MOST_WAITING + 1)]


def edit(client: Client, uid: str, words: str) -> int:
    request = payloads.MsgChangeReq(
        fromUserId="", targetId="bob", type=1, msgUID=uid, msgTime=0, content=text(words)
    )
    message_id = client.query(Topic.MODIFY_MSG, request)
    client.rig.settle()
    return message_id


@pytest.mark.parametrize(
    ("verdict", "status", "shown"),
    [
        (PASS, 0, "new"),
        (None, 0, "new"),
        (Verdict(True, text("other").encode()), 0, "other"),
        (DROP, ErrorCode.OPERATION_BLOCKED, "old"),
    ],
)
def test_an_edit(rig: AuditRig, verdict: Verdict | None, status: int, shown: str) -> None:
    alice, bob = rig.online("alice", "5.38.0"), rig.online("bob")
    say(alice, "old")
    rig.answer(PASS)
    (ack,) = acks(alice)
    message_id = edit(alice, ack.uid, "new")
    question = rig.answer(verdict)
    assert json.loads(question.fields["content"]) == {"content": "new"}
    (reply,) = alice.answers(message_id)
    assert reply.status == status
    assert read(bob) == [shown]


def test_an_edit_of_the_rest_api(rig: AuditRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "old")
    rig.answer(PASS)
    (ack,) = acks(alice)
    fields = {"fromUserId": "alice", "targetId": "bob", "msgUID": ack.uid}
    rig.ask("/message/private/modify", content=text("new"), **fields)
    assert rig.questions == []
    assert read(bob) == ["new"]


def test_an_edit_that_nobody_is_asked_about(tmp_path: Path) -> None:
    rig = AuditRig(tmp_path, replace(RULES, types=frozenset({"app:post"})))
    alice = rig.online("alice", "5.38.0")
    say(alice, "old")
    (ack,) = acks(alice)
    (reply,) = alice.answers(edit(alice, ack.uid, "new"))
    assert reply.status == 0
    (unknown,) = alice.answers(edit(alice, "0000-0000-0000-0000", "new"))
    assert unknown.status == ErrorCode.MODIFIED_MESSAGE_IS_NOT_SENT
    assert rig.questions == []
