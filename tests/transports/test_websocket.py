"""The client's opening handshake."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits, Timing
from improto.errors import (
    EncodeError,
    HandshakeRefused,
    ImprotoError,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
)
from improto.frames import Role
from improto.transports import FramerState, HttpServer, WebSocketClient, WsprotoFramer
from tests.transports import wire
from tests.transports.framer_suite import feed, messages_of, split

LIMITS = Limits(message_bytes=100, http_head_bytes=500)
HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade"}


def client(host: str = "im.example", target: str = "/websocket?appId=K") -> WebSocketClient:
    return WebSocketClient(host, target, limits=LIMITS, make_framer=WsprotoFramer)


def request_of(connection: WebSocketClient) -> tuple[str, dict[str, str]]:
    """Request line and headers of the request it sends."""
    head, end = connection.data_to_send().decode("latin-1").split("\r\n\r\n")
    assert end == ""
    line, *fields = head.split("\r\n")
    return line, dict(field.split(": ", 1) for field in fields)


def accept_for(connection: WebSocketClient) -> str:
    """The proper answer to its key (RFC 6455 section 1.3)."""
    key = request_of(connection)[1]["Sec-WebSocket-Key"]
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return base64.b64encode(digest).decode()


def raw(line: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """An answer as it is sent."""
    lines = [line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def accepting(connection: WebSocketClient, **headers: str) -> bytes:
    """The answer of a proper server, with some headers changed."""
    accept = {"Sec-WebSocket-Accept": accept_for(connection)}
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw("HTTP/1.1 101 Switching Protocols", HANDSHAKE | accept | changed)


def error_after(*received: bytes) -> ImprotoError:
    """Why a handshake with these answers failed; it is deaf afterwards."""
    connection = client()
    feed(connection, received)
    error = connection.error
    assert error is not None
    connection.receive_data(b"more")
    connection.receive_eof()
    assert connection.error is error
    assert connection.framer is None
    return error


class TestRequest:
    def test_it_asks_for_a_websocket(self) -> None:
        connection = WebSocketClient(
            "im.example:8080",
            "/websocket?appId=K&token=a%3D",
            headers=(("Origin", "https://example.org"),),
            limits=LIMITS,
            make_framer=WsprotoFramer,
        )
        line, headers = request_of(connection)
        assert line == "GET /websocket?appId=K&token=a%3D HTTP/1.1"
        key = headers.pop("Sec-WebSocket-Key")
        assert len(base64.b64decode(key, validate=True)) == 16
        assert headers == {
            "Host": "im.example:8080",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Origin": "https://example.org",
        }
        assert connection.data_to_send() == b""
        assert connection.framer is None
        assert connection.error is None

    def test_keys_differ(self) -> None:
        assert client().data_to_send() != client().data_to_send()

    @pytest.mark.parametrize(
        ("host", "sent"),
        [
            ("im.example", "im.example"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("::1", "[::1]"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
            ("bücher.example", "xn--bcher-kva.example"),
        ],
    )
    def test_the_host_header(self, host: str, sent: str) -> None:
        assert request_of(client(host))[1]["Host"] == sent

    @pytest.mark.parametrize(
        ("host", "target", "headers"),
        [
            ("a..b", "/", ()),
            ("x" * 64, "/", ()),
            ("a\r\nb", "/", ()),
            ("x", "", ()),
            ("x", "/a b", ()),
            ("x", "/é", ()),
            ("x", "/", (("Upgrade", "x"),)),
            ("x", "/", (("sec-websocket-protocol", "x"),)),
            ("x", "/", (("Host", "y"),)),
            ("x", "/", (("X", "a\r\nb"),)),
            ("x", "/", (("X", "€"),)),
        ],
    )
    def test_what_cannot_be_sent_is_an_error(
        self, host: str, target: str, headers: tuple[tuple[str, str], ...]
    ) -> None:
        with pytest.raises(EncodeError):
            WebSocketClient(host, target, headers=headers, limits=LIMITS, make_framer=WsprotoFramer)


class TestAccepted:
    def test_messages_go_both_ways(self) -> None:
        connection = client()
        connection.receive_data(accepting(connection))
        framer = connection.framer
        assert framer is not None
        assert connection.error is None
        framer.receive_data(wire.frame(b"hi", sender=Role.SERVER))
        assert messages_of(framer) == [b"hi"]
        framer.send_message(b"ho")
        (frame,) = wire.frames_in(framer.data_to_send(), sender=Role.CLIENT)
        assert frame.payload == b"ho"

    def test_bytes_behind_the_answer_are_not_lost(self) -> None:
        behind = wire.frame(bytes(100), sender=Role.SERVER) * 9
        for step in 1, 600, 10_000:
            connection = client()
            answer = accepting(connection)
            connection.receive_data(answer[:-1])
            assert connection.framer is None
            rest = answer[-1:] + behind
            connection.receive_data(rest[:step])
            assert connection.framer is not None
            connection.framer.receive_data(rest[step:])
            assert messages_of(connection.framer) == [bytes(100)] * 9

    def test_the_limits_go_along(self) -> None:
        connection = client()
        too_big = wire.frame(bytes(101), sender=Role.SERVER)
        connection.receive_data(accepting(connection) + too_big)
        assert connection.error is None
        assert connection.framer is not None
        assert connection.framer.close_code == 1009

    def test_names_and_values_ignore_case(self) -> None:
        connection = client()
        accept = accept_for(connection)
        connection.receive_data(
            raw(
                "HTTP/1.1 101",
                {
                    "UPGRADE": "WebSocket",
                    "connection": "x, UPGRADE",
                    "sec-websocket-Accept": accept,
                },
            )
        )
        assert connection.framer is not None

    def test_an_announcement_before_the_answer_is_skipped(self) -> None:
        connection = client()
        early = raw("HTTP/1.1 103 Early Hints", {"Link": "x"})
        connection.receive_data(early + early + accepting(connection))
        assert connection.framer is not None

    def test_afterwards_the_framer_is_to_be_fed(self) -> None:
        connection = client()
        connection.receive_data(accepting(connection))
        with pytest.raises(LocalProtocolError, match="the bytes belong to the framer"):
            connection.receive_data(b"x")
        connection.receive_eof()
        assert connection.error is None
        assert connection.framer is not None
        assert connection.framer.state is FramerState.OPEN

    @given(cuts=st.lists(st.integers(1, 800)))
    def test_the_server_of_this_package_in_any_cut(self, cuts: list[int]) -> None:
        connection = client()
        server = HttpServer(LIMITS, Timing(), now=0)
        for chunk in split(connection.data_to_send(), cuts):
            server.receive_data(chunk, now=0)
        theirs = server.upgrade(WsprotoFramer)
        theirs.send_message(b"welcome")
        chunks = split(server.data_to_send() + theirs.data_to_send(), cuts)
        for chunk in chunks:
            (connection.framer or connection).receive_data(chunk)
        assert connection.framer is not None
        assert messages_of(connection.framer) == [b"welcome"]


PIECES = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(
        [
            raw("HTTP/1.1 103 Early", {}),
            raw("HTTP/1.1 101 Go", HANDSHAKE),
            raw("HTTP/1.1 403 No", {"Content-Length": "2"}, b"no"),
            raw("HTTP/1.1 500 Oops", {"Transfer-Encoding": "chunked"}, b"3\r\nbad\r\n"),
            raw("HTTP/1.1 301 Moved", {"Location": "/caf\xe9"}),
            b"HTTP/1.1 200 OK\r\n",
        ]
    ),
)


class TestRefused:
    def test_another_status_is_told_with_the_body(self) -> None:
        data = raw("HTTP/1.1 403 Forbidden", {"Content-Length": "6"}, b"no\nway")
        for chunks in [data], split(data, range(len(data))):
            error = error_after(*chunks)
            assert isinstance(error, HandshakeRefused)
            assert error.status == 403
            assert str(error) == "the server answered HTTP 403: 'no\\nway'"

    def test_an_empty_body_is_left_out(self) -> None:
        error = error_after(raw("HTTP/1.1 503 Busy", {"Content-Length": "0"}))
        assert str(error) == "the server answered HTTP 503"

    def test_only_the_beginning_of_a_body_is_waited_for(self) -> None:
        head = raw("HTTP/1.1 500 Oops", {"Content-Length": "1000000"})
        connection = client()
        connection.receive_data(head + b"x" * 199)
        assert connection.error is None
        connection.receive_data(b"xyyy")
        assert isinstance(connection.error, HandshakeRefused)
        assert str(connection.error) == f"the server answered HTTP 500: '{'x' * 200}'"

    def test_a_body_that_ends_with_the_stream(self) -> None:
        connection = client()
        connection.receive_data(raw("HTTP/1.1 200 OK", {}, b"caf\xe9"))
        assert connection.error is None
        connection.receive_eof()
        assert isinstance(connection.error, HandshakeRefused)
        assert connection.error.status == 200
        assert str(connection.error).endswith(": 'caf\N{REPLACEMENT CHARACTER}'")

    def test_a_garbled_body_does_not_hide_the_status(self) -> None:
        error = error_after(
            raw("HTTP/1.1 502 Bad", {"Transfer-Encoding": "chunked"}, b"2\r\nok\r\nx\r\n")
        )
        assert isinstance(error, HandshakeRefused)
        assert str(error) == "the server answered HTTP 502: 'ok'"

    def test_a_redirect_names_its_target(self) -> None:
        headers = {"Location": "https://elsewhere/" + "x" * 300, "Content-Length": "0"}
        error = error_after(raw("HTTP/1.1 302 Found", headers))
        assert isinstance(error, HandshakeRefused)
        assert error.status == 302
        assert str(error) == (
            f"the server answered HTTP 302, redirecting to 'https://elsewhere/{'x' * 182}'"
        )

    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ({"Upgrade": "h2c"}, "something else than a WebSocket"),
            ({"Connection": "keep-alive"}, "lacks the header Connection: Upgrade"),
            ({"Sec_WebSocket_Accept": "x"}, "wrong Sec-WebSocket-Accept"),
            ({"Sec_WebSocket_Extensions": "permessage-deflate"}, "an extension that was not"),
            ({"Sec_WebSocket_Protocol": "chat"}, "a sub-protocol that was not"),
            ({"Upgrade": "\xff", "Connection": "\xff"}, "something else than a WebSocket"),
        ],
    )
    def test_an_improper_acceptance(self, headers: dict[str, str], words: str) -> None:
        connection = client()
        connection.receive_data(accepting(connection, **headers))
        assert type(connection.error) is RemoteProtocolError
        assert words in str(connection.error)
        assert connection.framer is None

    def test_an_acceptance_without_the_key(self) -> None:
        error = error_after(raw("HTTP/1.1 101 Go", HANDSHAKE))
        assert "wrong Sec-WebSocket-Accept" in str(error)

    @pytest.mark.parametrize(
        "data", [b"\x16\x03\x01", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad\r\n\r\n"]
    )
    def test_what_is_not_http(self, data: bytes) -> None:
        error = error_after(data)
        assert type(error) is RemoteProtocolError
        assert str(error).startswith("the answer is not HTTP: ")

    def test_the_report_of_garbage_is_bounded(self) -> None:
        assert len(str(error_after(b"x" * 400 + b"\r\n\r\n"))) < 300

    def test_a_long_head(self) -> None:
        data = raw("HTTP/1.1 101 Go", {"Padding": "x" * 500})
        for chunks in [data], split(data, range(len(data))):
            error = error_after(*chunks)
            assert isinstance(error, LimitExceeded)
            assert str(error) == "the head of the answer is above 500 bytes"

    @pytest.mark.parametrize("data", [b"", b"HTTP/1.1 101 Go\r\n"])
    def test_the_end_before_an_answer(self, data: bytes) -> None:
        connection = client()
        connection.receive_data(data)
        connection.receive_eof()
        assert type(connection.error) is RemoteProtocolError
        assert str(connection.error) == "the stream ended before the server answered"

    @given(pieces=st.lists(PIECES, max_size=4), cuts=st.lists(st.integers(1, 300)))
    def test_any_bytes_are_survived(self, pieces: list[bytes], cuts: list[int]) -> None:
        data, seen = b"".join(pieces), []
        for chunks in [data], split(data, cuts), split(data, range(len(data))):
            connection = client()
            feed(connection, chunks)
            connection.receive_eof()
            assert isinstance(connection.error, RemoteProtocolError)
            seen.append((type(connection.error), getattr(connection.error, "status", None)))
        assert seen[0] == seen[1] == seen[2]
