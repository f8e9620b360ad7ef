"""A client that polls, from its connections to the program and back (http 5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from improto import payloads
from improto._polling_client import PollingClientEndpoint, PostLane
from improto.config import Limits, Timing
from improto.errors import HandshakeRefused, LimitExceeded
from improto.events import (
    Announced,
    CaughtUp,
    ClientEvent,
    CloseReason,
    Connected,
    ConnectionClosed,
    QueryAnswered,
    RequestFailed,
)
from improto.login import Login
from improto.messages import Request
from improto.operations import Topic
from improto.session import ClientSession

WELCOME = {
    "status": 0,
    "userId": "u1",
    "headerCode": 32,
    "messageId": 0,
    "sessionid": "S",
    "timestamp": 5,
}
S_US = {
    "headerCode": 50,
    "topic": "s_us",
    "targetId": "u1",
    "messageId": 0,
    "date": 1,
    "data": '{"version":3,"reserve":false}',
}
REQUEST = Request(
    topic=Topic.PULL_US,
    target_id="u1",
    data=payloads.encode(payloads.PullUserSettingInput(version=1)),
)
LOST = (400, b"lost params")


def http(value: Any) -> bytes:
    """An answer as it travels."""
    status, body = value if isinstance(value, tuple) else (200, json.dumps(value).encode())
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def queryack(number: int, data: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(data)
    return {"headerCode": 96, "messageId": number, "status": 0, "date": 1, "data": text}


class Line:
    """What a lane is opened on."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


class Script:
    """A client whose server is written by the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.dialled = 0
        self.wakes = 0
        self.line = Line()
        self.client = PollingClientEndpoint(
            ClientSession(),
            Login(app_key="k", token="t", is_polling=True),
            host="example.org",
            address="192.0.2.1:80",
            limits=Limits.for_client(),
            timing=Timing(),
            clock=lambda: self.now,
            dial=self._dial,
            wake=self._wake,
        )

    @classmethod
    def online(cls) -> Script:
        """Logged in, and caught up."""
        script = cls()
        script.client.data_to_send()
        script.answer(WELCOME)
        script.client.data_to_send()
        lane = script.lane()
        lane.data_to_send()
        page = {"list": [], "syncTime": 5, "finished": True}
        lane.receive_data(http([queryack(1, page)]), now=script.now)
        lane.data_to_send()
        assert lane.is_over
        assert [type(event) for event in script.events()] == [Connected, CaughtUp]
        script.client.data_to_send()
        script.dialled = 0
        return script

    def _dial(self, endpoint: PollingClientEndpoint) -> None:
        assert endpoint is self.client
        self.dialled += 1

    def _wake(self) -> None:
        self.wakes += 1

    def answer(self, value: Any) -> None:
        self.client.receive_data(http(value), now=self.now)

    def lane(self) -> PostLane:
        line: Any = self.line
        return self.client.begin_post(line, "192.0.2.1:80")

    def ask(self) -> PostLane:
        """A question of the program, on its way."""
        self.client.connection.query(REQUEST, now=self.now)
        self.client.data_to_send()
        assert self.dialled == 1
        lane = self.lane()
        assert b"topic=pullUS" in lane.data_to_send()
        return lane

    def events(self) -> list[ClientEvent]:
        events = []
        while (event := self.client.next_event(now=self.now)) is not None:
            events.append(event)
        return events

    def end(self) -> ConnectionClosed:
        """The last event."""
        event = self.events()[-1]
        assert isinstance(event, ConnectionClosed)
        assert self.client.is_over
        assert self.client.data_to_send() == b""
        return event


# -- connecting ----------------------------------------------------------------------------------


def test_a_login() -> None:
    script = Script()
    assert script.client.data_to_send().startswith(b"GET /websocket?appId=k&token=t&")
    assert script.client.data_to_send() == b""
    script.answer(WELCOME)
    assert isinstance(script.events()[0], Connected)
    assert script.client.data_to_send().startswith(b"GET /pullmsg.js?sessionid=S&")
    assert script.dialled == 1
    script.client.data_to_send()
    assert script.dialled == 1


def test_a_refused_login() -> None:
    script = Script()
    script.client.data_to_send()
    script.answer({"status": 4, "headerCode": 32, "messageId": 0})
    end = script.end()
    assert (end.reason, end.status) == (CloseReason.REFUSED, 4)
    assert script.client.error is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (http((404, b"not found")), HandshakeRefused),
        (b"HTTP/1.1 200 X\r\nx: " + b"y" * 20_000, LimitExceeded),
    ],
)
def test_a_server_without_long_polling(data: bytes, error: type[Exception]) -> None:
    script = Script()
    script.client.data_to_send()
    script.client.receive_data(data, now=script.now)
    assert isinstance(script.client.error, error)
    assert script.end().reason is CloseReason.LOST


def test_a_server_that_says_nothing() -> None:
    script = Script()
    script.client.data_to_send()
    assert script.client.next_deadline() == 105.0
    script.client.handle_timeout(now=105.0)
    assert script.end().reason is CloseReason.NO_CONNACK
    assert script.client.next_deadline() is None


# -- polling and posting -------------------------------------------------------------------------


def test_polls_bring_news() -> None:
    script = Script.online()
    script.answer([S_US])
    [event] = script.events()
    assert isinstance(event, Announced)
    assert event.topic == "s_us"
    assert b"GET /pullmsg.js" in script.client.data_to_send()


def test_a_poll_in_pieces() -> None:
    script = Script.online()
    data = http([S_US])
    script.client.receive_data(data[:20], now=script.now)
    assert script.events() == []
    script.client.receive_data(data[20:], now=script.now)
    assert len(script.events()) == 1


def test_an_hour_without_news() -> None:
    script = Script.online()
    for _ in range(120):
        script.now += 30.0
        script.answer([])
        script.client.handle_timeout(now=script.now)
        script.client.data_to_send()
    assert script.client.connection.is_online


def test_a_question_and_its_answer() -> None:
    script = Script.online()
    lane = script.ask()
    wakes = script.wakes
    lane.receive_data(http([queryack(2, {"version": 9})]), now=script.now)
    assert script.wakes > wakes
    [event] = script.events()
    assert isinstance(event, QueryAnswered)
    assert lane.data_to_send() == b""
    assert lane.is_over
    script.client.connection.query(REQUEST, now=script.now)
    script.client.data_to_send()
    assert script.dialled == 2


def test_questions_leave_one_after_the_other() -> None:
    script = Script.online()
    lane = script.ask()
    script.client.connection.query(REQUEST, now=script.now)
    script.client.data_to_send()
    assert script.dialled == 1
    assert lane.data_to_send() == b""
    half = http([queryack(2, {"version": 9})])
    lane.receive_data(half[:10], now=script.now)
    assert lane.data_to_send() == b""
    lane.receive_data(half[10:], now=script.now)
    assert b"messageid=3" in lane.data_to_send()


def test_an_answer_that_comes_by_a_poll() -> None:
    script = Script.online()
    lane = script.ask()
    lane.receive_data(http([]), now=script.now)
    assert lane.data_to_send() == b""
    assert lane.is_over
    script.answer([queryack(2, {"version": 9})])
    [event] = script.events()
    assert isinstance(event, QueryAnswered)


def test_data_that_is_no_payload_is_refused() -> None:
    script = Script.online()
    request = Request(topic=Topic.PULL_US, target_id="u1", data=b"\xff")
    script.client.connection.query(request, now=script.now)
    wakes = script.wakes
    script.client.data_to_send()
    assert script.wakes > wakes
    [event] = script.events()
    assert isinstance(event, QueryAnswered)
    assert event.status == 33003


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 X\r\nx: " + b"y" * 20_000])
def test_a_lane_that_breaks(data: bytes) -> None:
    """What was posted on it may be lost, as with a WebSocket that breaks."""
    script = Script.online()
    lane = script.ask()
    if data:
        lane.receive_data(data, now=script.now)
    else:
        lane.receive_eof(now=script.now)
    assert lane.data_to_send() == b""
    assert lane.is_over
    *_, end = script.events()
    assert isinstance(end, ConnectionClosed)
    assert end.reason.may_reconnect


def test_a_lane_that_is_closed_between_two_posts() -> None:
    script = Script.online()
    lane = script.ask()
    lane.receive_data(http([queryack(2, {"version": 9})]), now=script.now)
    lane.receive_eof(now=script.now)
    assert lane.is_over
    assert script.client.connection.is_online


def test_a_lane_has_no_time_and_no_events() -> None:
    lane = Script.online().ask()
    lane.handle_timeout(now=1.0)
    lane.dispatch(now=1.0)
    lane.pause_sending(now=1.0)
    lane.resume_sending(now=1.0)
    assert lane.next_deadline() is None
    assert lane.address == "192.0.2.1:80"
    assert not lane.is_over


# -- the end -------------------------------------------------------------------------------------


def test_a_session_that_is_lost() -> None:
    script = Script.online()
    script.answer(LOST)
    assert script.end().reason is CloseReason.PEER


def test_a_kick() -> None:
    script = Script.online()
    lane = script.ask()
    script.answer([{"headerCode": 224, "messageId": 0, "status": 1}])
    failed, end = script.events()
    assert isinstance(failed, RequestFailed)
    assert isinstance(end, ConnectionClosed)
    assert (end.reason, end.status) == (CloseReason.KICKED, 1)
    assert lane.is_over
    assert script.line.wakes == 1


def test_an_answer_that_cannot_be_read() -> None:
    script = Script.online()
    script.answer((200, b"<html>"))
    assert script.end().reason is CloseReason.VIOLATION


def test_a_broken_connection() -> None:
    script = Script.online()
    script.client.receive_eof(now=script.now)
    assert script.end().reason is CloseReason.LOST


def test_a_poll_that_is_not_answered() -> None:
    """After 45 s (http 5.2)."""
    script = Script.online()
    script.client.handle_timeout(now=144.9)
    assert script.client.connection.is_online
    script.client.handle_timeout(now=145.0)
    assert script.end().reason is CloseReason.LOST


def test_nobody_answers_the_call() -> None:
    script = Script.online()
    script.client.connection.query(REQUEST, now=script.now)
    script.client.data_to_send()
    script.client.dial_failed()
    assert script.end().reason is CloseReason.LOST


def test_a_call_that_is_answered_too_late() -> None:
    script = Script.online()
    script.client.connection.query(REQUEST, now=script.now)
    script.client.data_to_send()
    script.client.connection.disconnect(now=script.now)
    assert script.end().reason is CloseReason.LOCAL
    lane = script.lane()
    assert lane.is_over
    assert lane.data_to_send() == b""


@pytest.mark.parametrize("how", ["shut_down", "abandon"])
def test_lanes_end_with_all_others(how: str) -> None:
    script = Script.online()
    lane = script.ask()
    if how == "shut_down":
        lane.shut_down(now=script.now)
    else:
        lane.abandon(CloseReason.LOCAL, now=script.now)
    assert lane.is_over
    lane.shut_down(now=script.now)
