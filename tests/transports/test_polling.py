"""Long polling, the server's end of one session (http 5). Askers are texts here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto import payloads
from improto.codes import ConnAckStatus, ErrorCode
from improto.config import Limits, Timing
from improto.errors import DecodeError
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    Disconnect,
    MessageId,
    MessageUid,
    PingResp,
    PubAck,
    Publish,
    Query,
    QueryAck,
    QueryCon,
    TimeMs,
)
from improto.http import HttpRequest
from improto.transports.polling import PollingSession, lost_params, refused

if TYPE_CHECKING:
    from improto.frames import Frame
    from improto.http import HttpResponse

TIMING = Timing()
WELCOME = ConnAck(status=0, user_id="u1", session_id="of the program", timestamp=TimeMs(1_000_500))
TEXT = '{"sessionId":3,"classname":"RC:TxtMsg","content":"{}"}'


def notify(time: int) -> Delivery:
    return Delivery(
        date=5,
        topic="s_ntf",
        target_id="u1",
        message_id=MessageId(0),
        data=payloads.encode(payloads.NotifyMsg(type=1, time=time)),
    )


def puback(message_id: int, *, uid: str = "U") -> PubAck:
    return PubAck(
        message_id=MessageId(message_id), date=5, millisecond=0, status=0, uid=MessageUid(uid)
    )


def queryack(message_id: int, data: bytes = b"") -> QueryAck:
    return QueryAck(message_id=MessageId(message_id), date=5, status=0, data=data)


class Script:
    """A session with a clock in the hand of the test."""

    def __init__(self, *, limits: Limits | None = None, disconnect_header: int = 224) -> None:
        self.now = 100.0
        self.session: PollingSession[str] = PollingSession(
            "connect",
            session_id="S",
            disconnect_header=disconnect_header,
            limits=limits or Limits(),
            timing=TIMING,
        )

    @classmethod
    def online(cls, *, limits: Limits | None = None, disconnect_header: int = 224) -> Script:
        script = cls(limits=limits, disconnect_header=disconnect_header)
        script.send(WELCOME)
        script.take()
        return script

    def poll(self, asker: str) -> None:
        self.session.poll(asker, now=self.now)

    def post(self, asker: str, header: int, number: int, body: str = "{}", **names: str) -> None:
        query = {"messageid": str(number), "header": str(header), "sessionid": "S"} | names
        target = "/websocket?" + "&".join(f"{name}={value}" for name, value in query.items())
        request = HttpRequest(method="POST", target=target, body=body.encode())
        self.session.post(asker, request, now=self.now)

    def publish(self, asker: str, number: int, body: str = TEXT) -> None:
        self.post(asker, 50, number, body, topic="ppMsgP", targetid="u2")

    def query(self, asker: str, number: int, body: str = '{"version":1}') -> None:
        self.post(asker, 80, number, body, topic="pullUS", targetid="u1")

    def send(self, *frames: Frame) -> None:
        self.session.send_frames(frames, now=self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.session.handle_timeout(now=self.now)

    def frames(self) -> list[Frame]:
        return list(iter(self.session.next_frame, None))

    def take(self) -> dict[str, Any]:
        """The answers: JSON values, or the text of an error."""
        return {asker: said(answer) for asker, answer in iter(self.session.next_answer, None)}


def said(answer: HttpResponse) -> Any:
    assert ("Access-Control-Allow-Origin", "*") in answer.headers
    if answer.status == 200:
        return json.loads(answer.body)
    assert (answer.status, answer.body) == (400, b"lost params")
    return "lost params"


# -- connecting ----------------------------------------------------------------------------------


def test_a_session_begins() -> None:
    """Under an id of ours: that of the program may be one that can be guessed."""
    script = Script()
    assert script.session.next_deadline() is None
    script.send(WELCOME)
    assert script.take() == {
        "connect": {
            "status": 0,
            "userId": "u1",
            "headerCode": 32,
            "messageId": 0,
            "sessionid": "S",
            "timestamp": 1_000_500,
        }
    }
    assert script.session.next_deadline() == 160.0


def test_a_refused_login() -> None:
    script = Script()
    script.send(ConnAck(status=4))
    script.session.close(now=0.0)
    assert script.take() == {"connect": {"status": 4, "headerCode": 32, "messageId": 0}}
    assert script.session.is_over


def test_a_login_that_nobody_decides() -> None:
    script = Script()
    script.session.close(now=0.0)
    assert script.take() == {"connect": {"status": 3, "headerCode": 32, "messageId": 0}}
    assert said(refused(ConnAckStatus.SERVER_UNAVAILABLE))["status"] == 3


def test_whoever_leaves_while_connecting_ends_it() -> None:
    script = Script()
    assert script.session.forget("connect", now=0.0)
    assert not script.session.forget("somebody", now=0.0)


def test_an_answer_to_a_connect_without_a_time() -> None:
    script = Script()
    script.send(ConnAck(status=0, user_id="u1", session_id="x"))
    script.send(WELCOME)
    assert "timestamp" not in script.take()["connect"]


# -- polling -------------------------------------------------------------------------------------


def test_a_poll_is_held_until_there_is_something() -> None:
    script = Script.online()
    script.poll("p1")
    assert script.frames() == [DeliveryAck(message_id=MessageId(0))]
    script.pass_time(29.9)
    assert script.take() == {}
    script.send(notify(7), notify(8))
    [answer] = script.take().values()
    assert [json.loads(signal["data"])["time"] for signal in answer] == [7, 8]
    assert script.take() == {}


def test_a_poll_is_answered_with_nothing_when_it_has_been_held_long_enough() -> None:
    script = Script.online()
    script.poll("p1")
    assert script.session.next_deadline() == 130.0
    script.pass_time(30.0)
    assert script.take() == {"p1": []}
    assert script.session.next_deadline() == 190.0


def test_what_has_waited_is_the_answer_at_once() -> None:
    script = Script.online()
    script.send(notify(7))
    script.send(notify(8))
    script.poll("p1")
    assert len(script.take()["p1"]) == 2


def test_the_newer_of_two_polls_counts() -> None:
    script = Script.online()
    script.poll("p1")
    script.poll("p2")
    assert script.take() == {"p1": []}
    script.send(notify(7))
    assert list(script.take()) == ["p2"]


def test_a_poll_that_is_given_up_gets_no_signals() -> None:
    script = Script.online()
    script.poll("p1")
    script.now = 110.0
    assert not script.session.forget("p1", now=script.now)
    script.send(notify(7))
    assert script.take() == {}
    assert script.session.next_deadline() == 170.0
    script.poll("p2")
    assert len(script.take()["p2"]) == 1


def test_a_client_that_does_not_poll_is_gone() -> None:
    script = Script.online()
    script.now = 159.9
    assert not script.session.is_absent(now=script.now)
    script.query("q1", 1)
    script.now = 160.0
    assert script.session.is_absent(now=script.now)
    script.poll("p1")
    assert not script.session.is_absent(now=script.now)


def test_there_is_no_heartbeat() -> None:
    script = Script.online()
    script.poll("p1")
    script.send(PingResp())
    assert script.take() == {}


def test_copies_and_their_acknowledgements_come_together() -> None:
    script = Script.online()
    script.poll("p1")
    data = payloads.encode(payloads.UpStreamMessage(sessionId=3, classname="x", content=b"{}"))
    copy = Delivery(
        date=5,
        topic="ppMsgP",
        target_id="u2",
        message_id=MessageId(65_535),
        data=data,
        is_sync=True,
    )
    script.send(copy, puback(65_535))
    first, second = script.take()["p1"]
    assert (first["headerCode"], first["messageId"]) == (58, 65_535)
    assert (second["headerCode"], second["messageId"]) == (64, 65_535)


def test_a_slow_reader_is_found() -> None:
    script = Script.online(limits=Limits(outbound_bytes=300))
    for time in range(3):
        assert not script.session.is_congested
        script.send(notify(time))
    assert script.session.is_congested
    script.poll("p1")
    assert not script.session.is_congested


@given(
    steps=st.lists(
        st.sampled_from(["poll", "forget", "signal", "question", "answer", "lose post", "time"]),
        max_size=60,
    )
)
def test_nothing_is_lost_or_doubled(steps: list[str]) -> None:
    """As long as nobody dies with an answer in hand: every signal comes once, polls' in order."""
    script = Script.online()
    notified, questions, answered = 0, [0], 0
    waiting: list[MessageId] = []
    poller = ""
    heard: list[int] = []
    acknowledged: list[int] = []
    for number, step in enumerate([*steps, "poll"]):
        match step:
            case "poll":
                poller = f"p{number}"
                script.poll(poller)
            case "forget":
                script.session.forget(poller, now=script.now)
            case "signal":
                notified += 1
                script.send(notify(notified))
            case "question":
                questions.append(number)
                script.publish(f"q{number}", number)
            case "answer" if waiting:
                answered += 1
                script.send(puback(waiting.pop()))
            case "lose post":
                script.session.forget(f"q{questions[-1]}", now=script.now)
            case _:
                script.pass_time(13.0)
        waiting += [frame.message_id for frame in script.frames() if isinstance(frame, Publish)]
        for signals in script.take().values():
            for signal in signals:
                if signal["headerCode"] == 64:
                    acknowledged.append(signal["messageId"])
                else:
                    heard.append(json.loads(signal["data"])["time"])
    assert heard == list(range(1, notified + 1))
    assert len(acknowledged) == len(set(acknowledged)) == answered


# -- posting -------------------------------------------------------------------------------------


def test_an_answer_goes_to_its_post_and_nothing_else_does() -> None:
    script = Script.online()
    script.poll("p1")
    script.frames()
    script.publish("m1", 70_000)
    script.query("q1", 70_001)
    publish, query = script.frames()
    assert isinstance(publish, Publish)
    assert isinstance(query, Query)
    assert (publish.target_id, publish.topic) == ("u2", "ppMsgP")
    data = payloads.encode(payloads.PullUserSettingOutput(version=3))
    script.send(queryack(query.message_id, data), puback(publish.message_id))
    answers = script.take()
    assert answers["m1"] == [
        {"headerCode": 64, "messageId": 70_000, "status": 0, "timestamp": 5000, "messageUId": "U"}
    ]
    [answer] = answers["q1"]
    assert (answer["messageId"], json.loads(answer["data"])["version"]) == (70_001, 3)
    assert answers.keys() == {"m1", "q1"}


def test_equal_ids_are_no_trouble() -> None:
    """Status messages have the id 0 (session 6)."""
    script = Script.online()
    script.publish("m1", 0)
    script.publish("m2", 0)
    one, other = script.frames()
    assert isinstance(one, Publish)
    assert isinstance(other, Publish)
    script.send(puback(other.message_id, uid="B"), puback(one.message_id, uid="A"))
    answers = script.take()
    assert (answers["m1"][0]["messageUId"], answers["m2"][0]["messageUId"]) == ("A", "B")


def test_an_answer_that_takes_too_long_goes_into_a_poll() -> None:
    script = Script.online()
    script.query("q1", 9)
    [query] = script.frames()
    assert isinstance(query, Query)
    assert script.session.next_deadline() == 130.0
    script.pass_time(29.0)
    assert script.take() == {}
    script.pass_time(1.0)
    assert script.take() == {"q1": []}
    script.poll("p1")
    script.send(queryack(query.message_id))
    assert [signal["messageId"] for signal in script.take()["p1"]] == [9]


def test_an_answer_whose_asker_is_gone_goes_into_a_poll() -> None:
    script = Script.online()
    script.publish("m1", 9)
    script.publish("m2", 10)
    frames = script.frames()
    script.session.forget("m1", now=script.now)
    script.send(*(puback(frame.message_id) for frame in frames if isinstance(frame, Publish)))
    assert list(script.take()) == ["m2"]
    script.poll("p1")
    assert [signal["messageId"] for signal in script.take()["p1"]] == [9]


def test_confirmations_need_no_answer() -> None:
    script = Script.online()
    script.post("a1", 64, 0, '""')
    script.post("a2", 112, 3, '""')
    assert [type(frame) for frame in script.frames()] == [DeliveryAck, QueryCon]
    assert script.take() == {"a1": [], "a2": []}


def test_a_body_that_cannot_be_read_is_refused() -> None:
    """33003 (http 5.6), and nothing else changes."""
    script = Script.online()
    script.now += 0.25
    script.publish("m1", 7, "no json")
    script.query("q1", 8, '{"version":"x"}')
    assert script.frames() == []
    status = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    time = 1_000_750
    assert script.take() == {
        "m1": [
            {
                "headerCode": 64,
                "messageId": 7,
                "status": status,
                "timestamp": time,
                "messageUId": "",
            }
        ],
        "q1": [{"headerCode": 96, "messageId": 8, "status": status, "date": time // 1000}],
    }
    script.publish("m2", 9)
    assert len(script.frames()) == 1


def test_names_that_no_websocket_could_carry_are_refused() -> None:
    """Whoever is told of the message may have one."""
    script = Script.online(limits=Limits(string_bytes=8))
    script.post("p1", 50, 1, TEXT, topic="ppMsgP", targetid="x" * 9)
    script.post("p2", 80, 2, topic="x" * 9, targetid="u2")
    script.post("p3", 80, 3, topic="x" * 8, targetid="%C3%A9" * 5)
    assert script.frames() == []
    answers = script.take()
    assert [answer["status"] for [answer] in answers.values()] == [33003] * 3
    script.post("p4", 80, 4, topic="x" * 8, targetid="%C3%A9" * 4)
    assert len(script.frames()) == 1


def test_too_many_requests_at_a_time_are_refused() -> None:
    script = Script.online(limits=Limits(requests_in_flight=2))
    for number in range(3):
        script.query(f"q{number}", number)
    one, *_ = script.frames()
    assert isinstance(one, Query)
    assert script.take()["q2"][0]["status"] == ErrorCode.SEND_FREQUENCY_TOO_FAST
    # Confirmations are no requests.
    script.post("a1", 64, 0)
    assert script.take() == {"a1": []}
    script.send(queryack(one.message_id))
    script.query("q3", 3)
    assert len(script.frames()) == 2


def test_inner_ids_go_round_and_skip_what_waits() -> None:
    script = Script.online()
    script.query("q", 1)
    [first] = script.frames()
    for _ in range(32_767):
        script.publish("m", 5)
        [frame] = script.frames()
        assert isinstance(frame, Publish)
        assert frame.message_id != getattr(first, "message_id", None)
        script.send(puback(frame.message_id))
    assert frame.message_id == 2


@pytest.mark.parametrize(("header", "number"), [(224, 1), (32, 1), (50, -1)])
def test_a_post_that_nobody_sends(header: int, number: int) -> None:
    script = Script.online()
    script.post("m1", header, number, topic="x", targetid="y")
    assert script.take() == {"m1": "lost params"}
    assert script.frames() == []


def test_data_that_is_no_payload_is_the_programs_mistake() -> None:
    script = Script.online()
    with pytest.raises(DecodeError):
        script.send(
            Delivery(date=5, topic="s_ntf", target_id="", message_id=MessageId(0), data=b"x")
        )


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [224, -32])
def test_a_dismissal_reaches_the_poll_that_waits(header: int) -> None:
    """Spelled as this client reads it (http 5.7)."""
    script = Script.online(disconnect_header=header)
    script.poll("p1")
    script.send(Disconnect(status=1))
    assert script.take() == {"p1": [{"headerCode": header, "messageId": 0, "status": 1}]}
    script.poll("p2")
    script.session.close(now=script.now)
    assert script.session.is_over
    assert script.take() == {"p2": "lost params"}
    script.poll("p3")
    script.query("q1", 1)
    assert script.take() == {"p3": "lost params", "q1": "lost params"}


def test_a_dismissal_waits_for_the_next_poll() -> None:
    script = Script.online()
    script.query("q1", 1)
    script.send(Disconnect(status=1))
    script.session.close(now=script.now)
    assert script.take() == {"q1": "lost params"}
    script.query("q2", 2)
    assert script.take() == {"q2": "lost params"}
    assert not script.session.is_over
    script.frames()
    script.poll("p1")
    assert [signal["status"] for signal in script.take()["p1"]] == [1]
    assert script.session.is_over
    assert script.frames() == []


def test_a_dismissal_does_not_wait_for_ever() -> None:
    script = Script.online()
    script.send(Disconnect(status=1))
    script.session.close(now=script.now)
    script.pass_time(59.0)
    assert not script.session.is_over
    script.pass_time(1.0)
    assert script.session.is_over
    assert script.session.next_deadline() is None


def test_other_ends_say_that_the_session_is_lost() -> None:
    """So that clients come back (http 5.4)."""
    script = Script.online()
    script.poll("p1")
    script.publish("m1", 1)
    script.publish("m2", 2)
    script.session.forget("m2", now=script.now)
    script.session.close(now=script.now)
    assert script.take() == {"p1": "lost params", "m1": "lost params"}
    assert script.session.is_over
    assert lost_params().body == b"lost params"
