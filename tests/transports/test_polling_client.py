"""Long polling, the client's end of one session (http 5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.errors import DecodeError, HandshakeRefused
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    Frame,
    MessageId,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    Query,
    QueryAck,
)
from improto.http import HttpResponse
from improto.login import Login
from improto.transports.polling_client import PollingClient

WELCOME = {
    "status": 0,
    "userId": "u1",
    "headerCode": 32,
    "messageId": 0,
    "sessionid": "S",
    "timestamp": 5,
}
NOTIFY = {
    "headerCode": 50,
    "topic": "s_ntf",
    "targetId": "u1",
    "messageId": 0,
    "date": 1,
    "data": '{"type":1,"time":7}',
}
QUERY = Query(
    topic="pullUS",
    target_id="u1",
    message_id=MessageId(3),
    data=payloads.encode(payloads.PullUserSettingInput(version=1)),
)


def said(value: Any, status: int = 200) -> HttpResponse:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return HttpResponse(status=status, body=body)


def frames(client: PollingClient) -> list[Frame]:
    return list(iter(client.next_frame, None))


@pytest.fixture
def client() -> PollingClient:
    login = Login(app_key="k", token="t", is_polling=True, device_id="1 5")
    return PollingClient(login)


@pytest.fixture
def online(client: PollingClient) -> PollingClient:
    client.next_poll()
    client.answer_poll(said(WELCOME))
    frames(client)
    return client


def test_a_session_begins(client: PollingClient) -> None:
    connect = client.next_poll()
    assert connect is not None
    assert connect.target == (
        "/websocket?appId=k&token=t&sdkVer=4.6.4&pid=1+5&apiVer=normal&protocolVer=3"
    )
    assert client.next_poll() is None
    client.answer_poll(said(WELCOME))
    [frame] = frames(client)
    assert isinstance(frame, ConnAck)
    assert (frame.user_id, frame.session_id) == ("u1", "S")
    poll = client.next_poll()
    assert poll is not None
    assert poll.target == "/pullmsg.js?sessionid=S&timestrap=1&pid=1%205"


def test_a_session_whose_name_does_not_fit_into_a_url(client: PollingClient) -> None:
    client.next_poll()
    client.answer_poll(said(WELCOME | {"sessionid": "S &\r\n"}))
    poll = client.next_poll()
    assert poll is not None
    assert poll.query["sessionid"] == "S &\r\n"
    assert "sessionid=S%20%26%0D%0A&" in poll.target


def test_a_refused_login_is_told(client: PollingClient) -> None:
    client.next_poll()
    client.answer_poll(said({"status": 4, "headerCode": 32, "messageId": 0}))
    [frame] = frames(client)
    assert isinstance(frame, ConnAck)
    assert frame.status == 4
    assert client.error is None


def test_a_server_without_long_polling(client: PollingClient) -> None:
    client.next_poll()
    client.answer_poll(said(b"not found", 404))
    assert isinstance(client.error, HandshakeRefused)
    assert client.error.status == 404
    assert "not found" in str(client.error)


@pytest.mark.parametrize("answer", [b"pong", [], WELCOME | {"sessionid": ""}])
def test_a_server_that_says_something_else(client: PollingClient, answer: Any) -> None:
    client.next_poll()
    client.answer_poll(said(answer))
    assert isinstance(client.error, DecodeError)
    assert frames(client) == []


def test_polls_bring_signals(online: PollingClient) -> None:
    assert online.next_poll() is not None
    assert online.next_poll() is None
    online.answer_poll(said([NOTIFY]))
    [frame] = frames(online)
    assert isinstance(frame, Delivery)
    assert payloads.decode(payloads.NotifyMsg, frame.data).time == 7
    assert online.next_poll() is not None
    online.answer_poll(said([]))
    assert frames(online) == []
    assert not online.is_lost


def test_a_session_that_is_lost(online: PollingClient) -> None:
    online.next_poll()
    online.answer_poll(said(b"lost params", 400))
    assert online.is_lost
    assert online.error is None


def test_a_poll_whose_answer_cannot_be_read(online: PollingClient) -> None:
    online.next_poll()
    online.answer_poll(said(b"<html>"))
    assert isinstance(online.error, DecodeError)


def test_there_is_no_heartbeat_and_nothing_is_confirmed(online: PollingClient) -> None:
    online.send_frames([PingReq(), DeliveryAck(message_id=MessageId(0))])
    assert frames(online) == [PingResp()]
    assert not online.has_posts


def test_posts_leave_one_after_the_other(online: PollingClient) -> None:
    up = payloads.UpStreamMessage(sessionId=3, classname="x", content=b"{}")
    message = Publish(
        topic="ppMsgP", target_id="u2", message_id=MessageId(4), data=payloads.encode(up)
    )
    online.send_frames([QUERY, message])
    assert online.has_posts
    post = online.next_post()
    assert post is not None
    assert post.query["messageid"] == "3"
    assert post.query["pid"] == "1 5"
    assert json.loads(post.body) == {"version": 1}
    assert online.next_post() is None
    reply = {"headerCode": 96, "messageId": 3, "status": 0, "date": 1, "data": '{"version":9}'}
    online.answer_post(said([reply]))
    [answer] = frames(online)
    assert isinstance(answer, QueryAck)
    assert payloads.decode(payloads.PullUserSettingOutput, answer.data).version == 9
    assert online.next_post() is not None
    assert not online.has_posts
    online.answer_post(said([]))
    assert online.next_post() is None


@pytest.mark.parametrize("answer", [None, said(b"lost params", 400), said(b"bad gateway", 502)])
def test_a_post_that_may_not_have_arrived(
    online: PollingClient, answer: HttpResponse | None
) -> None:
    """What comes after it must not overtake it."""
    online.send_frames([QUERY])
    online.next_post()
    online.answer_post(answer)
    assert (online.error, online.is_lost, frames(online)) == (None, True, [])
    online.answer_post(None)
    assert online.is_lost


def test_nothing_is_lost_where_nothing_was_posted(online: PollingClient) -> None:
    online.answer_post(None)
    assert not online.is_lost


def test_an_answer_to_a_post_that_cannot_be_read(online: PollingClient) -> None:
    online.send_frames([QUERY])
    online.next_post()
    online.answer_post(said(b"<html>"))
    assert isinstance(online.error, DecodeError)


@pytest.mark.parametrize(("kind", "answer"), [(Query, QueryAck), (Publish, PubAck)])
def test_data_that_is_no_payload_is_refused(
    online: PollingClient, kind: type[Query | Publish], answer: type[QueryAck | PubAck]
) -> None:
    topic = "pullUS" if kind is Query else "ppMsgP"
    online.send_frames([kind(topic=topic, target_id="", message_id=MessageId(3), data=b"\xff")])
    [frame] = frames(online)
    assert isinstance(frame, answer)
    assert (frame.message_id, frame.status) == (3, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    assert not online.has_posts
