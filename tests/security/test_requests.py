"""Requests that are not quite HTTP, too large or twice: at both ports, on both event loops.

A proxy and a server that disagree where a request ends let one person write the beginning of
another's. So what can be read in two ways is refused, and the connection ends with it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import pytest
from anyio.to_thread import run_sync

from tests.security.security_tools import PATIENCE, Far, play

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN: Final = b"GET /hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""What an attacker wants to be taken for the next request."""

CHUNKS: Final = b"0\r\n\r\n"


def post(*headers: bytes) -> bytes:
    """The head of a request."""
    lines = (b"POST /healthz HTTP/1.1", b"Host: x", *headers, b"", b"")
    return b"\r\n".join(lines)


AMBIGUOUS: Final = {
    "length and encoding": post(b"Content-Length: 5", b"Transfer-Encoding: chunked") + CHUNKS,
    "encoding and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 5") + CHUNKS,
    "two lengths": post(b"Content-Length: 3", b"Content-Length: 40") + b"abc",
    "two lengths in one line": post(b"Content-Length: 3, 40") + b"abc",
    "length with a sign": post(b"Content-Length: +3") + b"abc",
    "negative length": post(b"Content-Length: -3") + b"abc",
    "length with an underscore": post(b"Content-Length: 1_0") + b"0123456789",
    "hexadecimal length": post(b"Content-Length: 0x3") + b"abc",
    "no number": post(b"Content-Length: three") + b"abc",
    "length of many digits": post(b"Content-Length: " + b"9" * 30) + b"abc",
    "two encodings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + CHUNKS,
    "another encoding": post(b"Transfer-Encoding: xchunked") + CHUNKS,
    "encoding behind a control character": post(b"Transfer-Encoding: \x0bchunked") + CHUNKS,
    "space before the colon": post(b"Transfer-Encoding : chunked") + CHUNKS,
    "space in a name": post(b"Content Length: 3") + b"abc",
    "a zero byte": post(b"X-A: a\x00b") + b"",
    "a lone carriage return": post(b"X-A: a\rTransfer-Encoding: chunked") + b"",
    "no host": b"POST /healthz HTTP/1.1\r\n\r\n",
    "two hosts": post(b"Host: y"),
    "negative chunk": post(b"Transfer-Encoding: chunked") + b"-3\r\nabc\r\n0\r\n\r\n",
    "chunk with 0x": post(b"Transfer-Encoding: chunked") + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk without an end": post(b"Transfer-Encoding: chunked") + b"3\r\nabcde0\r\n\r\n",
    "line break in a chunk's extension": post(b"Transfer-Encoding: chunked")
    + b"3;\nab\r\nabc\r\n0\r\n\r\n",
}

PORTS = pytest.mark.parametrize("port", ["gateway", "web"])
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def statuses(answer: bytes) -> list[int]:
    return [int(each.split()[0]) for each in answer.split(b"HTTP/1.1 ")[1:]]


def address(far: Far, port: str) -> tuple[str, int]:
    return far.gateway if port == "gateway" else far.web


@PORTS
@BACKENDS
def test_what_can_be_read_in_two_ways_ends_the_connection(
    tmp_path: Path, port: str, backend: str
) -> None:
    async def scenario(far: Far) -> None:
        for name, request in AMBIGUOUS.items():
            answer = await far.raw(address(far, port), request + HIDDEN)
            found = statuses(answer)
            # What nobody reads may break the connection before the answer is out. And what is
            # wrong with a body may be found after its head was answered.
            assert len(found) <= 1, (name, answer)
            assert {*found} <= {400, 405, 501}, (name, answer)
            assert port == "web" or found, name

    play(tmp_path, scenario, backend=backend)


@PORTS
@BACKENDS
def test_what_is_inside_a_body_is_no_request(tmp_path: Path, port: str, backend: str) -> None:
    """Harmless oddities: folded lines, bare line feeds, trailers, bodies of GET."""
    close = b"Connection: close"
    size = b"%x" % len(HIDDEN)
    requests = {
        "body of GET": post(b"Content-Length: %d" % len(HIDDEN), close).replace(b"POST", b"GET")
        + HIDDEN,
        "the same length twice": post(*[b"Content-Length: %d" % len(HIDDEN)] * 2, close) + HIDDEN,
        "chunk": post(b"Transfer-Encoding: chunked", close)
        + size
        + b"\r\n"
        + HIDDEN
        + b"\r\n0\r\n\r\n",
        "trailer": post(b"Transfer-Encoding: chunked", close) + b"0\r\nContent-Length: 50\r\n\r\n",
        "folded line": post(b"X-A: a\r\n Transfer-Encoding: chunked", b"Content-Length: 3", close)
        + b"abc",
        "bare line feeds": b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n",
    }

    async def scenario(far: Far) -> None:
        for name, request in requests.items():
            answer = await far.raw(address(far, port), request)
            assert len(statuses(answer)) == 1, (name, answer)

    play(tmp_path, scenario, backend=backend)


@PORTS
@BACKENDS
def test_what_is_too_large(tmp_path: Path, port: str, backend: str) -> None:
    async def scenario(far: Far) -> None:
        for name, request in (
            ("target", b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("header", post(b"X-A: " + b"a" * 200_000)),
            ("headers", post(*[b"X-A: a"] * 20_000)),
        ):
            answer = await far.raw(address(far, port), request)
            # The rest that nobody reads may break the connection before the answer is seen.
            assert statuses(answer) in ([], [431]), (name, answer)
        # It goes on for others.
        answer = await far.raw(address(far, port), b"GET /healthz HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 ")

    play(tmp_path, scenario, backend=backend)


def test_bodies_that_are_too_large(tmp_path: Path) -> None:
    """Each part of the web port has its own limit, and says so."""

    def body(path: bytes, size: int, *headers: bytes) -> tuple[bytes, ...]:
        head = b"\r\n".join(
            (
                b"POST " + path + b" HTTP/1.1",
                b"Host: x",
                b"Connection: close",
                b"Content-Length: %d" % size,
                *headers,
                b"",
                b"",
            )
        )
        return head, b"{" * size

    async def scenario(far: Far) -> None:
        kind = (b"Content-Type: application/json", b"X-Improto: 1")
        answer = await far.raw(far.web, *body(b"/account/anonymous", 20_000, *kind))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"limit":16384' in answer
        answer = await far.raw(far.gateway, *body(b"/v2/navi.json", 70_000))
        assert answer.startswith(b"HTTP/1.1 413 ")

    play(tmp_path, scenario, accounts__enabled=True)


def test_what_is_not_answered_by_the_web_port(tmp_path: Path) -> None:
    """Methods that proxies and old tools know."""

    async def scenario(far: Far) -> None:
        for method in (b"TRACE", b"CONNECT", b"PROPFIND", b"DEBUG"):
            for port in (far.gateway, far.web):
                request = method + b" /healthz HTTP/1.0\r\nHost: x\r\nCookie: secret=1\r\n\r\n"
                answer = await far.raw(port, request)
                assert answer[9:12] in (b"400", b"404", b"405", b"501"), (method, answer)
                assert b"secret" not in answer

    play(tmp_path, scenario)


def test_who_dawdles_does_not_stop_others(tmp_path: Path) -> None:
    """A hundred connections at each port that have said half a request."""

    async def scenario(far: Far) -> None:
        streams = []
        try:
            for port in (far.gateway, far.web):
                for _ in range(100):
                    stream = await run_sync(socket.create_connection, port, PATIENCE)
                    stream.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Le")
                    streams.append(stream)
            assert (await far.raw(far.gateway, b"GET /ping HTTP/1.0\r\n\r\n")).endswith(b"pong")
            assert (await far.raw(far.web, b"GET /healthz HTTP/1.0\r\n\r\n")).endswith(b"ok")
        finally:
            for stream in streams:
                stream.close()

    play(tmp_path, scenario)


def test_every_answer_is_what_its_type_says(tmp_path: Path) -> None:
    """Errors, too: browsers do not guess, and nothing is HTML but the page."""

    async def scenario(far: Far) -> None:
        for port, path in (
            (far.web, b"/nothing/<script>alert(1)</script>"),
            (far.web, b"/account/<script>"),
            (far.web, b"/files/<script>"),
            (far.web, b"/history/<script>/x"),
            (far.web, b"/static/<script>"),
            (far.web, b"/user/<script>.json"),
            (far.web, b"/healthz"),
            (far.web, b"/metrics"),
            (far.gateway, b"/<script>"),
            (far.gateway, b"/ping"),
            (far.gateway, b"/navi.js?callBack=<script>alert(1)</script>"),
            (far.gateway, b"/navi.js?appId=<script>&callBack=alert"),
        ):
            for method in (b"GET", b"POST"):
                request = method + b" " + path + b" HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
                answer = (await far.raw(port, request)).lower()
                head = answer.partition(b"\r\n\r\n")[0]
                assert b"x-content-type-options: nosniff" in head, (path, answer)
                assert b"text/html" not in head, (path, answer)

    play(tmp_path, scenario, accounts__enabled=True)
