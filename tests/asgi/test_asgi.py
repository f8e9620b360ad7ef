"""What clients and programs see of an application in somebody else's server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import pytest

from improto import payloads
from improto.asgi import ImApp
from improto.codes import ConnAckStatus, DisconnectStatus
from improto.config import Limits, Timing
from improto.contents import Text
from improto.events import CloseReason
from improto.frames import (
    ConnAck,
    Delivery,
    Disconnect,
    MessageId,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    Query,
    QueryAck,
    TimeMs,
)
from improto.http import HttpResponse
from improto.messages import Conversation, compose, request
from improto.operations import Topic
from tests.adapters.office import until
from tests.asgi.host import Call, Host, answer_of, settled

if TYPE_CHECKING:
    from improto.events import ConnectionClosed, PublishReceived
    from improto.http import HttpRequest
    from improto.service import Peer
    from tests.adapters.office import Office

pytestmark = pytest.mark.anyio

IDLE = Timing().idle
LINGER = Timing().linger


def message(to: str = "bob", text: str = "hello", *, message_id: int = 1) -> Publish:
    outgoing = compose(Conversation.private(to), Text(text))
    return Publish(
        topic=outgoing.topic,
        target_id=to,
        message_id=MessageId(message_id),
        data=outgoing.data,
    )


def pull(user: str = "ann", *, message_id: int = 2) -> Query:
    payload = payloads.SyncRequestMsg(
        syncTime=0, ispolling=False, isPullSend=True, sendBoxSyncTime=0
    )
    asked = request(Topic.PULL_MSG, user, payload)
    return Query(
        topic=asked.topic,
        target_id=user,
        message_id=MessageId(message_id),
        data=asked.data,
        qos=asked.qos,
    )


def kinds(call: Call) -> list[type]:
    return [type(frame) for frame in call.frames]


def end_of(office: Office) -> ConnectionClosed:
    """How the one connection ended that has."""
    (end,) = office.ends
    return end


# -- while all is well ----------------------------------------------------------------------


async def test_a_message_reaches_somebody_else(host: Host) -> None:
    ann, bob = await host.websocket("ann"), await host.websocket("bob")
    assert host.app.connections == 2
    assert ann.sent[0] == {"type": "websocket.accept"}
    ann.send(message("bob"))
    await settled()
    assert kinds(ann) == [ConnAck, PubAck]
    bob.send(pull("bob"))
    await settled()
    _, news, answer = bob.frames
    assert isinstance(news, Delivery)
    assert news.topic == Topic.S_NTF
    assert isinstance(answer, QueryAck)
    (item,) = payloads.decode(payloads.DownStreamMessages, answer.data).list
    assert item.fromUserId == "ann"


async def test_what_is_sent_at_once_is_answered_in_order(host: Host) -> None:
    ann = await host.websocket()
    for number in range(1, 101):
        ann.send(message(message_id=number))
    await settled()
    acks = [frame for frame in ann.frames if isinstance(frame, PubAck)]
    assert [ack.message_id for ack in acks] == list(range(1, 101))


async def test_it_has_one_task_besides_the_hosts(host: Host) -> None:
    before = len(anyio.get_running_tasks())
    ann = await host.websocket()
    ann.send(message())
    await settled()
    assert len(anyio.get_running_tasks()) == before + 2


async def test_where_a_client_comes_from(host: Host, office: Office) -> None:
    headers = [(b"host", b"im.test"), (b"origin", b"https://example.org")]
    await host.websocket(client=("192.0.2.1", 5000), headers=headers)
    peer = office.peers["ann"]
    assert (peer.address, peer.origin) == ("192.0.2.1:5000", "https://example.org")
    await host.websocket("bob", client=None)
    assert (office.peers["bob"].address, office.peers["bob"].origin) == ("unknown", None)


async def test_it_may_be_mounted_anywhere(host: Host) -> None:
    ann = await host.websocket(path="/im/websocket", root_path="/im")
    assert kinds(ann) == [ConnAck]
    # Some hosts cut the root off.
    bob = await host.websocket("bob", path="/websocket", root_path="/im")
    assert kinds(bob) == [ConnAck]


@pytest.mark.parametrize("path", ["/", "/websocket/more", "/im/websocket"])
async def test_another_websocket_is_not_accepted(host: Host, office: Office, path: str) -> None:
    call = await host.websocket(path=path)
    assert call.sent == [{"type": "websocket.close", "code": 1000}]
    assert call.is_over
    assert not office.peers


async def test_a_client_that_leaves_before_it_has_come(host: Host, office: Office) -> None:
    call = host.call(type="websocket", path="/websocket")
    call.tell("websocket.disconnect", code=1006)
    await settled()
    assert call.is_over
    assert (call.sent, office.ends) == ([], [])


async def test_what_else_there_may_be_is_an_error() -> None:
    with pytest.raises(ValueError, match="not webtransport"):
        await Call(type="webtransport").run(ImApp(Silent()))


class Silent:
    """A service that nobody asks."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(name)


# -- time -----------------------------------------------------------------------------------


async def test_a_silent_client_is_dropped(host: Host, office: Office) -> None:
    ann = await host.websocket()
    ann.send(PingReq())
    await settled()
    assert kinds(ann) == [ConnAck, PingResp]
    await anyio.sleep(IDLE - 1)
    assert not ann.is_over
    await anyio.sleep(2)
    assert ann.is_over
    assert end_of(office).reason is CloseReason.IDLE
    assert host.app.connections == 0


async def test_a_heartbeat_keeps_it_alive(host: Host) -> None:
    ann = await host.websocket()
    for _ in range(10):
        await anyio.sleep(30)
        ann.send(PingReq())
    await settled()
    assert len(ann.frames) == 11
    assert not ann.is_over


async def test_a_login_that_nobody_decides(host: Host, office: Office) -> None:
    office.decides_logins = False
    ann = await host.websocket()
    await anyio.sleep(Timing().login + 1)
    assert end_of(office).reason is CloseReason.NO_LOGIN
    assert ann.is_over


# -- the end --------------------------------------------------------------------------------


async def test_a_refused_client_is_told_and_sent_away(host: Host, office: Office) -> None:
    office.login_status = ConnAckStatus.TOKEN_INCORRECT
    ann = await host.websocket()
    (refusal,) = ann.frames
    assert isinstance(refusal, ConnAck)
    assert refusal.status == ConnAckStatus.TOKEN_INCORRECT
    assert ann.closed_with == 1000
    assert ann.is_over
    assert end_of(office).reason is CloseReason.REFUSED


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, CloseReason.PEER), (1001, CloseReason.PEER), (1006, CloseReason.LOST)],
)
async def test_a_client_that_leaves(
    host: Host, office: Office, code: int, reason: CloseReason
) -> None:
    ann = await host.websocket()
    ann.send(message())
    ann.tell("websocket.disconnect", code=code)
    await settled()
    assert ann.is_over
    assert ann.closed_with is None
    # What was sent counts.
    assert len(office.contents) == 1
    assert end_of(office).reason is reason


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "hello"}, 1003),
        ({"bytes": None, "text": "hello"}, 1003),
        ({"bytes": b"\xff"}, 1007),
        ({"bytes": bytearray(b"\xff"), "text": None}, 1007),
        ({"bytes": b"\x30" * (Limits().message_bytes + 1)}, 1009),
    ],
)
async def test_a_client_that_breaks_the_rules(
    host: Host, office: Office, fields: dict[str, str | bytes | None], code: int
) -> None:
    ann = await host.websocket()
    ann.tell("websocket.receive", **fields)
    await settled()
    assert ann.closed_with == code
    assert ann.is_over
    assert end_of(office).reason is CloseReason.VIOLATION


async def test_what_comes_behind_a_violation_is_ignored(host: Host, office: Office) -> None:
    ann = await host.websocket()
    ann.tell("websocket.receive", bytes=b"\xff")
    ann.send(message())
    await settled()
    assert ann.is_over
    assert office.contents == []


async def test_a_client_that_is_kicked_has_a_moment_to_go(host: Host, office: Office) -> None:
    ann = await host.websocket()
    office.peers["ann"].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
    await settled()
    assert kinds(ann) == [ConnAck, Disconnect]
    assert not ann.is_over
    await anyio.sleep(Timing().close + 0.1)
    assert ann.closed_with == 1000
    assert end_of(office).reason is CloseReason.LOCAL


async def test_a_host_that_finds_out_while_it_sends(host: Host, office: Office) -> None:
    ann = await host.websocket()
    ann.error = OSError("gone")
    office.deliver("ann", b"{}")
    office.deliver("ann", b"{}")
    await settled()
    assert ann.is_over
    assert ann.closed_with is None
    assert end_of(office).reason is CloseReason.LOST


async def test_a_host_that_gives_up(host: Host, office: Office) -> None:
    ann = await host.websocket()
    ann.cancel()
    await until(lambda: ann.is_over)
    assert end_of(office).reason is CloseReason.LOST
    assert host.app.connections == 0


async def test_a_client_that_reads_slowly_holds_up_nobody(host: Host, office: Office) -> None:
    ann, bob = await host.websocket("ann"), await host.websocket("bob")
    ann.is_stuck = True
    ann.send(message(message_id=1))
    await settled()
    bob.send(message("ann"))
    await settled()
    assert PubAck in kinds(bob)
    await anyio.sleep(IDLE - 1)
    assert not ann.is_over
    bob.send(PingReq())
    await anyio.sleep(2)
    assert ann.is_over
    assert end_of(office).reason is CloseReason.SLOW_READER
    assert not bob.is_over


async def test_a_client_for_whom_too_much_is_waiting(host: Host, office: Office) -> None:
    host.app.limits = Limits(outbound_bytes=1000)
    ann = await host.websocket()
    ann.is_stuck = True
    peer = office.peers["ann"]
    for _ in range(5):
        assert not ann.is_over
        peer.command(Topic.S_CMD, b"x" * 200)
        await settled()
    assert ann.is_over
    assert ann.closed_with is None
    assert end_of(office).reason is CloseReason.SLOW_READER


async def test_a_client_that_asks_for_too_much_at_once(host: Host, office: Office) -> None:
    host.app.limits = Limits(outbound_bytes=1000)
    ann = await host.websocket()
    ann.is_stuck = True
    for number in range(1, 201):
        ann.send(message(message_id=number))
    await settled()
    assert ann.is_over
    assert end_of(office).reason is CloseReason.SLOW_READER
    assert len(office.contents) < 200


async def test_a_goodbye_that_nobody_takes(host: Host, office: Office) -> None:
    ann = await host.websocket()
    ann.is_stuck = True
    ann.tell("websocket.receive", bytes=b"\xff")
    await anyio.sleep(LINGER + 0.1)
    assert ann.is_over
    assert end_of(office).reason is CloseReason.VIOLATION


# -- a program that fails -------------------------------------------------------------------


async def test_a_mistake_costs_one_connection(
    host: Host, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = await host.websocket("ann"), await host.websocket("bob")
    office.error = RuntimeError("a mistake of the program")
    ann.send(message())
    ann.send(message())
    await settled()
    assert ann.is_over
    # It ends as if it had broken, so that the client comes back.
    assert ann.closed_with is None
    assert end_of(office).reason is CloseReason.LOCAL
    assert not bob.is_over
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("improto.asgi", logging.ERROR)
    assert "a mistake of the program" in caplog.text


class Clumsy:
    """A service that fails wherever it is told to."""

    def __init__(self, *where: str) -> None:
        self._where = where
        self.ends: list[ConnectionClosed] = []

    def http(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=204)

    def opened(self, peer: Peer) -> None:
        assert "opened" not in self._where
        peer.accept("ann", "session", timestamp=TimeMs(1))

    def published(self, peer: Peer, event: PublishReceived) -> None:
        assert "published" not in self._where

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        self.ends.append(event)
        assert "closed" not in self._where


@pytest.mark.parametrize(
    "where", [["opened"], ["published"], ["closed"], ["opened", "closed"], ["published", "closed"]]
)
async def test_every_client_that_came_goes_once(
    host: Host, caplog: pytest.LogCaptureFixture, where: list[str]
) -> None:
    host.app.service = clumsy = Clumsy(*where)  # type: ignore[assignment]
    ann = await host.websocket()
    ann.send(message())
    ann.tell("websocket.disconnect", code=1000)
    await settled()
    assert ann.is_over
    assert len(clumsy.ends) == 1
    assert len(caplog.records) == len(where)


# -- the end of the host --------------------------------------------------------------------


async def test_a_host_with_a_life(host: Host, office: Office) -> None:
    life = host.call(type="lifespan")
    life.tell("lifespan.startup")
    await settled()
    assert life.sent == [{"type": "lifespan.startup.complete"}]
    ann = await host.websocket()
    life.tell("lifespan.shutdown")
    await settled()
    assert ann.closed_with == 1001
    assert end_of(office).reason is CloseReason.LOCAL
    assert life.sent[1:] == [{"type": "lifespan.shutdown.complete"}]
    assert life.is_over
    late = await host.websocket("bob")
    assert late.sent == [{"type": "websocket.close", "code": 1000}]


async def test_the_first_sdks_see_it_vanish(host: Host) -> None:
    old = await host.websocket(sdk_version="2.5.3")
    await host.app.aclose()
    assert old.is_over
    assert kinds(old) == [ConnAck]
    assert old.closed_with is None


async def test_who_does_not_go_is_waited_for_a_while(host: Host) -> None:
    ann = await host.websocket()
    ann.is_stuck = True
    before = anyio.current_time()
    await host.app.aclose(2.0)
    assert anyio.current_time() - before == pytest.approx(2.0)
    assert not ann.is_over
    await host.app.aclose(LINGER)
    assert ann.is_over


async def test_nobody_is_waited_for_if_nobody_is_there(host: Host) -> None:
    await host.app.aclose()
    assert host.app.connections == 0


# -- plain HTTP -----------------------------------------------------------------------------


class Desk:
    """A service of plain HTTP."""

    def __init__(self, answer: HttpResponse) -> None:
        self.answer = answer
        self.requests: list[HttpRequest] = []

    def http(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return self.answer


async def test_a_request_is_passed_on_as_it_came(host: Host) -> None:
    answer = HttpResponse(status=201, headers=(("X-Name", "na\xefve"),), body=b"here")
    host.app.service = desk = Desk(answer)  # type: ignore[assignment]
    status, headers, body = await host.request(
        "POST",
        "/im/caf\xe9/a?b",
        b"body",
        root_path="/im",
        query_string=b"token=a%2Bb&v=1",
        headers=[(b"rc-appkey", b"k\xe9y")],
    )
    assert (status, body) == (201, b"here")
    (request,) = desk.requests
    assert (request.method, request.path, request.body) == ("POST", "/caf\xe9/a?b", b"body")
    assert request.query == {"token": "a+b", "v": "1"}
    assert request.header("rc-appkey") == "k\xe9y"
    assert headers == {"x-name": "na\xefve", "content-length": "4"}


async def test_an_answer_that_has_no_body_has_no_length(host: Host) -> None:
    host.app.service = Desk(HttpResponse(status=204))  # type: ignore[assignment]
    assert await host.request("GET", "/") == (204, {}, b"")


async def test_a_head_request_gets_the_head(host: Host) -> None:
    status, headers, body = await host.request("HEAD", "/ping")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str(len("HEAD /ping"))


async def test_a_body_in_pieces(host: Host) -> None:
    host.app.service = desk = Desk(HttpResponse(status=200))  # type: ignore[assignment]
    call = host.call(type="http", method="POST", path="/v2/navi.json")
    call.tell("http.request", body=b"one ", more_body=True)
    call.tell("http.request", more_body=True)
    await settled()
    assert not call.is_over
    call.tell("http.request", body=b"two")
    await settled()
    assert desk.requests[0].body == b"one two"


async def test_a_client_that_leaves_in_the_middle_of_a_request(host: Host) -> None:
    call = host.call(type="http", method="POST", path="/v2/navi.json")
    call.tell("http.request", body=b"one ", more_body=True)
    call.tell("http.disconnect")
    await settled()
    assert call.is_over
    assert call.sent == []


async def test_a_body_that_is_too_large(host: Host) -> None:
    too_much = b"x" * (Limits().http_body_bytes + 1)
    status, headers, _ = await host.request("POST", "/v2/navi.json", too_much)
    assert status == 413
    assert headers["access-control-allow-origin"] == "*"
    status, _, _ = await host.request("POST", "/v2/navi.json", too_much[1:])
    assert status == 200


async def test_a_body_that_does_not_come(host: Host) -> None:
    call = host.call(type="http", method="POST", path="/v2/navi.json")
    call.tell("http.request", body=b"one ", more_body=True)
    await anyio.sleep(Timing().login + 1)
    status, headers, _ = answer_of(call)
    assert status == 408
    assert headers["access-control-allow-origin"] == "*"


async def test_a_program_that_fails_to_answer(
    host: Host, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.error = RuntimeError("a mistake of the program")
    status, headers, body = await host.request("GET", "/navi.js")
    assert (status, body) == (500, b"Internal Server Error")
    assert headers["access-control-allow-origin"] == "*"
    assert "a mistake of the program" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/websocket", (200, b'{"status":3,"headerCode":32,"messageId":0}')),
        ("POST", "/websocket", (400, b"lost params")),
        ("GET", "/pullmsg.js", (400, b"lost params")),
    ],
)
async def test_who_polls_is_told_that_it_cannot_be(
    host: Host, method: str, path: str, answer: tuple[int, bytes]
) -> None:
    status, headers, body = await host.request(method, path)
    assert (status, body) == answer
    assert headers["access-control-allow-origin"] == "*"
