"""The server's HTTP connection."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits, Timing
from improto.errors import EncodeError, LocalProtocolError, NotConnected
from improto.frames import Role
from improto.http import HttpRequest, HttpResponse
from improto.transports import (
    FramerState,
    HttpServer,
    WsprotoFramer,
    is_websocket_upgrade,
    upgrade_error,
)
from tests.transports import wire
from tests.transports.framer_suite import messages_of, split

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMITS = Limits(http_head_bytes=400, http_body_bytes=1000)
TIMING = Timing(login=10, keep_alive=15)
PONG = HttpResponse(status=200, body=b"pong")

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Key and answer of the example in RFC 6455 section 1.3."""

UPGRADE = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def raw(
    line: str = "GET /ping?r=1 HTTP/1.1", headers: dict[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A request as it is sent."""
    fields = {"Host": "x"} if headers is None else headers
    lines = [line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(body: bytes) -> bytes:
    return raw("POST /x HTTP/1.1", {"Host": "x", "Content-Length": str(len(body))}, body)


def chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return raw("POST /x HTTP/1.1", {"Host": "x", "Transfer-Encoding": "chunked"}, body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def answers(data: bytes, *, to: str = "GET") -> list[Answer]:
    """Reads whole responses; ``to`` is the method they answer."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (f.split(": ") for f in fields)}
        length = 0 if to == "HEAD" else int(headers.get("content-length", "0"))
        found.append(Answer(status=int(status), headers=headers, body=data[:length]))
        assert len(data) >= length
        data = data[length:]
    return found


def server(*received: bytes) -> HttpServer:
    """A connection opened at 100 that has received something at once."""
    connection = HttpServer(LIMITS, TIMING, now=100)
    for data in received:
        connection.receive_data(data, now=100)
    return connection


def requests_of(connection: HttpServer) -> list[HttpRequest]:
    """Answers every request at once and returns them."""
    requests = []
    while (request := connection.next_request()) is not None:
        requests.append(request)
        connection.respond(HttpResponse(status=200, body=request.target.encode()), now=100)
    return requests


def expect_refusal(connection: HttpServer, status: int, *, to: str = "GET") -> None:
    """One error answer, readable for scripts, and the end."""
    *_, answer = answers(connection.data_to_send(), to=to)
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert bool(answer.body) is (to != "HEAD")
    expect_end(connection)


def expect_end(connection: HttpServer) -> None:
    assert connection.is_closed
    assert connection.next_deadline() is None
    assert connection.next_request() is None
    connection.receive_data(raw(), now=101)
    connection.receive_eof(now=101)
    connection.handle_timeout(now=1000)
    assert connection.is_closed
    assert connection.next_request() is None
    assert connection.data_to_send() == b""
    with pytest.raises(NotConnected):
        connection.respond(PONG, now=101)
    with pytest.raises(NotConnected):
        connection.upgrade(WsprotoFramer)


class TestRequests:
    def test_a_request_is_handed_out_once(self) -> None:
        connection = server(raw("GET /a%20b?x=%C3%A9 HTTP/1.1", {"Host": "x", "X-Name": "caf\xe9"}))
        assert connection.next_request() == HttpRequest(
            method="GET",
            target="/a%20b?x=%C3%A9",
            headers=(("host", "x"), ("x-name", "café")),
        )
        assert connection.next_request() is None
        assert not connection.is_closed

    @pytest.mark.parametrize("data", [post(b"body"), chunked(b"bo", b"dy")])
    def test_a_body_is_part_of_the_request(self, data: bytes) -> None:
        for chunks in [data], split(data, range(len(data))):
            (request,) = requests_of(server(*chunks))
            assert request.body == b"body"

    def test_bodies_do_not_add_up(self) -> None:
        connection = server()
        for data in post(bytes(1000)), post(bytes(1000)), chunked(bytes(1000)):
            connection.receive_data(data, now=100)
            assert [len(request.body) for request in requests_of(connection)] == [1000]

    def test_an_empty_read_is_nothing(self) -> None:
        connection = server(b"")
        assert not connection.is_closed
        connection.handle_timeout(now=110)
        assert connection.data_to_send() == b""

    def test_any_method_is_the_programs_business(self) -> None:
        connection = server(raw("BREW /pot HTTP/1.1"))
        assert [request.method for request in requests_of(connection)] == ["BREW"]

    def test_requests_sent_ahead_are_answered_in_order(self) -> None:
        data = raw("GET /1 HTTP/1.1") + post(b"2") + raw("GET /3 HTTP/1.1") + b"GET /4"
        for chunks in [data], split(data, range(len(data))):
            connection = server(*chunks)
            assert [request.target for request in requests_of(connection)] == ["/1", "/x", "/3"]
            bodies = [answer.body for answer in answers(connection.data_to_send())]
            assert bodies == [b"/1", b"/x", b"/3"]
            connection.receive_data(b" HTTP/1.1\r\nHost: x\r\n\r\n", now=100)
            assert [request.target for request in requests_of(connection)] == ["/4"]

    def test_what_is_sent_ahead_is_bounded(self) -> None:
        allowed = LIMITS.http_head_bytes + LIMITS.http_body_bytes
        for chunks in [bytes(allowed)], split(bytes(allowed), range(allowed)):
            connection = server(raw(), *chunks)
            assert not connection.is_closed
            connection.receive_data(b"x", now=100)
            expect_end(connection)

    def test_asked_to_go_on_it_says_so_once(self) -> None:
        headers = {"Host": "x", "Content-Length": "4", "Expect": "100-continue"}
        connection = server(raw("POST /x HTTP/1.1", headers))
        assert connection.data_to_send() == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.receive_data(b"body", now=100)
        assert [request.body for request in requests_of(connection)] == [b"body"]
        assert [answer.status for answer in answers(connection.data_to_send())] == [200]

    def test_a_tunnel_is_refused(self) -> None:
        expect_refusal(server(raw("CONNECT x:1 HTTP/1.1")), 501)

    @pytest.mark.parametrize(
        "data",
        [
            b"\r\n\r\n",
            b"\x16\x03\x01",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            raw("POST / HTTP/1.1", {"Host": "x", "Transfer-Encoding": "chunked"}, b"x\r\n"),
            raw(
                "POST / HTTP/1.1",
                {"Host": "x", "Content-Length": "0", "Transfer-Encoding": "chunked"},
            ),
        ],
    )
    def test_what_is_not_http_is_refused(self, data: bytes) -> None:
        for chunks in [data], split(data, range(len(data))):
            expect_refusal(server(*chunks), 400)

    def test_another_transfer_encoding_is_refused(self) -> None:
        data = raw("POST / HTTP/1.1", {"Host": "x", "Transfer-Encoding": "gzip"})
        expect_refusal(server(data), 501)

    def test_a_long_head_is_refused(self) -> None:
        data = raw(headers={"Host": "x", "Padding": "x" * LIMITS.http_head_bytes})
        for chunks in [data], split(data, range(len(data))):
            expect_refusal(server(*chunks), 431)

    def test_a_long_body_is_refused_by_its_header(self) -> None:
        headers = {"Host": "x", "Content-Length": "1001", "Expect": "100-continue"}
        connection = server(raw("POST /x HTTP/1.1", headers))
        assert b"100 Continue" not in (data := connection.data_to_send())
        assert [answer.status for answer in answers(data)] == [413]
        expect_end(connection)

    def test_a_long_body_is_refused_as_it_comes(self) -> None:
        data = chunked(bytes(999), b"xx")
        for chunks in [data], split(data, range(len(data))):
            expect_refusal(server(*chunks), 413)

    def test_a_refused_head_request_gets_no_body(self) -> None:
        data = raw("HEAD / HTTP/1.1", {"Host": "x", "Content-Length": "1001"})
        expect_refusal(server(data), 413, to="HEAD")


class TestResponses:
    def test_the_length_is_added(self) -> None:
        connection = server(raw())
        connection.respond(
            HttpResponse(status=404, headers=(("Cache-Control", "no-store"),), body=b"none"),
            now=100,
        )
        assert connection.data_to_send() == (
            b"HTTP/1.1 404 \r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\nnone"
        )
        assert connection.data_to_send() == b""
        assert not connection.is_closed

    def test_the_answer_to_head_has_the_length_only(self) -> None:
        connection = server(raw("HEAD /ping HTTP/1.1"), raw())
        connection.respond(PONG, now=100)
        (answer,) = answers(connection.data_to_send(), to="HEAD")
        assert answer.headers["content-length"] == "4"
        connection.respond(PONG, now=100)
        assert [answer.body for answer in answers(connection.data_to_send())] == [b"pong"]

    @pytest.mark.parametrize("status", [204, 304])
    def test_some_answers_have_no_body_and_no_length(self, status: int) -> None:
        connection = server(raw("OPTIONS /navi.js HTTP/1.1"))
        connection.respond(HttpResponse(status=status), now=100)
        assert connection.data_to_send() == b"HTTP/1.1 %d \r\n\r\n" % status
        assert not connection.is_closed

    @pytest.mark.parametrize(
        "data",
        [
            raw(headers={"Host": "x", "Connection": "close"}),
            raw("GET / HTTP/1.0", {}),
            raw("GET / HTTP/1.0", {"Connection": "keep-alive"}),
        ],
    )
    def test_the_connection_ends_when_the_peer_wants_it(self, data: bytes) -> None:
        connection = server(data + raw())
        connection.respond(PONG, now=100)
        (answer,) = answers(connection.data_to_send())
        assert answer.headers["connection"] == "close"
        assert answer.body == b"pong"
        expect_end(connection)

    def test_the_connection_ends_when_the_program_wants_it(self) -> None:
        connection = server(raw())
        connection.respond(HttpResponse(status=200, headers=(("Connection", "close"),)), now=100)
        connection.data_to_send()
        expect_end(connection)

    @pytest.mark.parametrize(
        "response",
        [
            HttpResponse(status=204, body=b"x"),
            HttpResponse(status=304, body=b"x"),
            HttpResponse(status=101),
            HttpResponse(status=1000),
            HttpResponse(status=200, headers=(("Content-Length", "4"),)),
            HttpResponse(status=200, headers=(("X", "a\r\nSet-Cookie: b"),)),
            HttpResponse(status=200, headers=(("X Y", "a"),)),
            HttpResponse(status=200, headers=(("X", "€"),)),
        ],
    )
    def test_an_impossible_response_changes_nothing(self, response: HttpResponse) -> None:
        connection = server(raw())
        with pytest.raises(EncodeError):
            connection.respond(response, now=100)
        assert connection.data_to_send() == b""
        connection.respond(PONG, now=100)
        assert [answer.body for answer in answers(connection.data_to_send())] == [b"pong"]

    @pytest.mark.parametrize("received", [b"", raw()[:-1], post(b"body")[:-1]])
    def test_there_must_be_a_whole_request(self, received: bytes) -> None:
        connection = server(received)
        with pytest.raises(LocalProtocolError, match="no whole request"):
            connection.respond(PONG, now=100)
        with pytest.raises(LocalProtocolError, match="no whole request"):
            connection.upgrade(WsprotoFramer)
        assert connection.data_to_send() == b""

    def test_an_answer_may_come_before_the_request_is_taken(self) -> None:
        connection = server(raw())
        connection.respond(PONG, now=100)
        assert connection.next_request() is None


class TestTime:
    def test_a_silent_connection_is_closed_without_a_word(self) -> None:
        connection = server()
        assert connection.next_deadline() == 110
        connection.handle_timeout(now=109.9)
        assert not connection.is_closed
        connection.handle_timeout(now=110)
        assert connection.data_to_send() == b""
        expect_end(connection)

    @pytest.mark.parametrize("part", [raw()[:1], post(b"body")[:-1]])
    def test_a_slow_first_request_has_its_time_from_the_start(self, part: bytes) -> None:
        connection = server()
        for byte, now in zip(split(part, range(len(part))), range(101, 110), strict=False):
            connection.receive_data(byte, now=now)
            assert connection.next_deadline() == 110
        connection.receive_data(part[9:], now=109.5)
        connection.handle_timeout(now=110)
        expect_refusal(connection, 408)

    def test_a_slow_body_is_refused_too(self) -> None:
        connection = server(post(b"body")[:-1])
        connection.handle_timeout(now=110)
        expect_refusal(connection, 408)

    def test_an_answer_takes_as_long_as_it_takes(self) -> None:
        connection = server(raw())
        assert connection.next_deadline() is None
        connection.handle_timeout(now=1_000_000)
        connection.respond(PONG, now=1_000_000)
        assert connection.next_deadline() == 1_000_015

    def test_between_requests_the_connection_is_kept_for_a_while(self) -> None:
        connection = server(raw())
        connection.respond(PONG, now=105)
        connection.data_to_send()
        assert connection.next_deadline() == 120
        connection.handle_timeout(now=120)
        assert connection.data_to_send() == b""
        expect_end(connection)

    def test_a_later_request_has_its_time_from_its_first_byte(self) -> None:
        connection = server(raw())
        connection.respond(PONG, now=105)
        connection.data_to_send()
        connection.receive_data(raw()[:5], now=119)
        connection.receive_data(raw()[5:10], now=120)
        assert connection.next_deadline() == 129
        connection.handle_timeout(now=129)
        expect_refusal(connection, 408)

    def test_a_request_begun_ahead_has_its_time_from_the_answer(self) -> None:
        connection = server(raw(), b"GET")
        connection.respond(PONG, now=105)
        assert connection.next_deadline() == 115

    def test_time_does_not_run_backwards(self) -> None:
        connection = server(raw())
        connection.respond(PONG, now=105)
        connection.receive_data(raw()[:5], now=50)
        assert connection.next_deadline() == 115


class TestEnd:
    @pytest.mark.parametrize("part", [b"", raw()[:-1], post(b"body")[:-1]])
    def test_the_end_before_a_whole_request_ends_it(self, part: bytes) -> None:
        connection = server(part)
        connection.receive_eof(now=100)
        assert connection.data_to_send() == b""
        expect_end(connection)

    def test_the_end_between_requests_ends_it(self) -> None:
        connection = server(raw())
        connection.respond(PONG, now=100)
        connection.data_to_send()
        connection.receive_eof(now=100)
        expect_end(connection)

    @pytest.mark.parametrize("behind", [b"", b"GET"])
    def test_an_answer_is_given_after_the_end(self, behind: bytes) -> None:
        connection = server(raw() + raw() + behind)
        connection.receive_eof(now=100)
        assert not connection.is_closed
        assert len(requests_of(connection)) == 2
        assert len(answers(connection.data_to_send())) == 2
        expect_end(connection)


class TestUpgrade:
    def test_the_request_becomes_a_websocket(self) -> None:
        connection = server(raw("GET /websocket?appId=K HTTP/1.1", UPGRADE))
        request = connection.next_request()
        assert request is not None
        assert is_websocket_upgrade(request)
        framer = connection.upgrade(WsprotoFramer, headers=(("Server", "improto"),))
        (answer,) = answers(connection.data_to_send())
        assert answer.status == 101
        assert answer.headers == {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": ACCEPT,
            "server": "improto",
        }
        assert connection.next_deadline() is None
        assert not connection.is_closed
        framer.receive_data(wire.frame(b"hi", sender=Role.CLIENT))
        assert messages_of(framer) == [b"hi"]
        framer.send_message(b"ho")
        (frame,) = wire.frames_in(framer.data_to_send(), sender=Role.SERVER)
        assert frame.payload == b"ho"

    def test_bytes_behind_the_request_are_not_lost(self) -> None:
        ahead = b"".join(wire.frame(bytes(200), sender=Role.CLIENT) for _ in range(4))
        data = raw("GET /websocket HTTP/1.1", UPGRADE) + ahead
        for chunks in [data], split(data, range(len(data))):
            framer = server(*chunks).upgrade(WsprotoFramer)
            assert messages_of(framer) == [bytes(200)] * 4
            assert framer.state is FramerState.OPEN

    def test_an_end_behind_the_request_is_not_lost(self) -> None:
        connection = server(raw(headers=UPGRADE))
        connection.receive_eof(now=100)
        framer = connection.upgrade(WsprotoFramer)
        assert (framer.state, framer.close_code) == (FramerState.CLOSED, 1006)

    def test_the_limits_go_along(self) -> None:
        connection = HttpServer(Limits(message_bytes=10), TIMING, now=100)
        connection.receive_data(raw(headers=UPGRADE), now=100)
        framer = connection.upgrade(WsprotoFramer)
        framer.receive_data(wire.frame(bytes(11), sender=Role.CLIENT))
        assert framer.close_code == 1009

    def test_an_upgraded_connection_takes_nothing_more(self) -> None:
        connection = server(raw(headers=UPGRADE))
        connection.upgrade(WsprotoFramer)
        connection.data_to_send()
        for misuse in (
            lambda: connection.receive_data(b"x", now=100),
            lambda: connection.receive_eof(now=100),
            lambda: connection.respond(PONG, now=100),
            lambda: connection.upgrade(WsprotoFramer),
        ):
            with pytest.raises(LocalProtocolError):
                misuse()
        connection.handle_timeout(now=1000)
        assert connection.data_to_send() == b""
        assert not connection.is_closed

    def test_the_framer_does_not_hold_the_http_connection(self) -> None:
        connection = server(raw(headers=UPGRADE))
        framer = connection.upgrade(WsprotoFramer)
        alive = weakref.ref(connection)
        del connection
        gc.collect()
        assert alive() is None
        assert framer.state is FramerState.OPEN

    @pytest.mark.parametrize(
        "headers",
        [(("Upgrade", "x"),), (("sec-websocket-accept", "x"),), (("X Y", "z"),), (("X", "€"),)],
    )
    def test_impossible_headers_change_nothing(self, headers: tuple[tuple[str, str], ...]) -> None:
        connection = server(raw(headers=UPGRADE))
        with pytest.raises(EncodeError):
            connection.upgrade(WsprotoFramer, headers=headers)
        assert connection.data_to_send() == b""
        connection.upgrade(WsprotoFramer)
        assert [answer.status for answer in answers(connection.data_to_send())] == [101]

    def test_the_program_may_answer_otherwise(self) -> None:
        connection = server(raw(headers=UPGRADE), raw())
        connection.respond(HttpResponse(status=503), now=100)
        connection.respond(PONG, now=100)
        assert [answer.status for answer in answers(connection.data_to_send())] == [503, 200]

    @pytest.mark.parametrize("change", [{"Sec-WebSocket-Key": ""}, {"Connection": "close"}])
    def test_only_a_proper_request_is_upgraded(self, change: dict[str, str]) -> None:
        connection = server(raw(headers=UPGRADE | change))
        with pytest.raises(LocalProtocolError, match="does not ask for a WebSocket"):
            connection.upgrade(WsprotoFramer)
        connection.respond(PONG, now=100)
        assert [answer.status for answer in answers(connection.data_to_send())] == [200]

    def test_a_plain_request_is_not_upgraded(self) -> None:
        with pytest.raises(LocalProtocolError, match="does not ask for a WebSocket"):
            server(raw()).upgrade(WsprotoFramer)

    def test_http_1_0_cannot_be_upgraded(self) -> None:
        connection = server(raw("GET / HTTP/1.0", UPGRADE))
        request = connection.next_request()
        assert request is not None
        assert request.header("upgrade") is None
        assert request.header("connection") == UPGRADE["Connection"]
        assert not is_websocket_upgrade(request)
        connection.respond(PONG, now=100)
        assert connection.is_closed


def upgrade_request(method: str = "GET", **changes: str | None) -> HttpRequest:
    """A proper request with some headers changed, or removed by None."""
    headers = {name.lower(): value for name, value in UPGRADE.items()}
    for name, value in changes.items():
        key = name.replace("_", "-")
        if value is None:
            del headers[key]
        else:
            headers[key] = value
    return HttpRequest(method=method, target="/websocket", headers=tuple(headers.items()))


class TestUpgradeError:
    @pytest.mark.parametrize(
        "request_",
        [
            upgrade_request(),
            upgrade_request(upgrade="WebSocket", connection="UPGRADE"),
            upgrade_request(upgrade="h2c, websocket", connection="Upgrade,HTTP2-Settings"),
        ],
    )
    def test_a_proper_request(self, request_: HttpRequest) -> None:
        assert is_websocket_upgrade(request_)
        assert upgrade_error(request_) is None

    @pytest.mark.parametrize(
        "request_",
        [
            upgrade_request(upgrade=None),
            upgrade_request(upgrade="h2c"),
            upgrade_request(connection="keep-alive"),
            upgrade_request(connection=None),
        ],
    )
    def test_a_request_for_something_else(self, request_: HttpRequest) -> None:
        assert not is_websocket_upgrade(request_)
        assert upgrade_error(request_) is None

    @pytest.mark.parametrize(
        ("request_", "status", "header"),
        [
            (upgrade_request("POST"), 405, ("allow", "GET")),
            (upgrade_request(sec_websocket_version="8"), 426, ("sec-websocket-version", "13")),
            (upgrade_request(sec_websocket_version=None), 426, ("upgrade", "websocket")),
            (upgrade_request(sec_websocket_key=None), 400, ("access-control-allow-origin", "*")),
            (upgrade_request(sec_websocket_key=""), 400, ("content-type", "text/plain")),
        ],
    )
    def test_an_improper_request(
        self, request_: HttpRequest, status: int, header: tuple[str, str]
    ) -> None:
        assert not is_websocket_upgrade(request_)
        error = upgrade_error(request_)
        assert error is not None
        assert error.status == status
        assert header in error.headers
        connection = server(raw())
        connection.respond(error, now=100)
        assert [answer.status for answer in answers(connection.data_to_send())] == [status]


PIECES = st.one_of(
    st.sampled_from(
        [
            raw(),
            raw("HEAD / HTTP/1.1"),
            raw("GET / HTTP/1.0", {}),
            raw(headers=UPGRADE),
            post(b"body"),
            chunked(b"bo", b"dy"),
            raw("POST / HTTP/1.1", {"Host": "x", "Content-Length": "4001"}),
            raw("POST / HTTP/1.1", {"Host": "x", "Content-Length": "4", "Expect": "100-continue"}),
            raw(headers={"Host": "x", "Padding": "x" * 500}),
            b"GET / HTTP/1.1\r\nHost: x\r\n",
        ]
    ),
    st.binary(max_size=20),
)


class TestAnyBytes:
    @staticmethod
    def outcome(chunks: Iterable[bytes]) -> tuple[object, ...]:
        """All that happens, each request answered at once, and that it ends."""
        limits = Limits(http_head_bytes=400, http_body_bytes=4000)
        connection = HttpServer(limits, TIMING, now=100)
        requests, sent = [], b""
        for chunk in chunks:
            connection.receive_data(chunk, now=100)
            requests += requests_of(connection)
            sent += connection.data_to_send()
        closed, deadline = connection.is_closed, connection.next_deadline()
        assert closed is (deadline is None)
        connection.handle_timeout(now=1000)
        assert connection.is_closed
        return requests, sent, closed, deadline, connection.data_to_send()

    @given(pieces=st.lists(PIECES, max_size=6), cuts=st.lists(st.integers(1, 3000), max_size=20))
    def test_the_cutting_of_bytes_makes_no_difference(
        self, pieces: list[bytes], cuts: list[int]
    ) -> None:
        data = b"".join(pieces)
        whole = self.outcome([data])
        assert whole == self.outcome(split(data, range(len(data))))
        assert whole == self.outcome(split(data, cuts))

    @given(data=st.binary(max_size=500))
    def test_any_bytes_are_survived(self, data: bytes) -> None:
        self.outcome([data])
