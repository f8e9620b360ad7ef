"""The head limit holds exactly, however the bytes are cut; headers are text outside."""

from __future__ import annotations

import h11
import pytest

from improto.config import Limits
from improto.errors import EncodeError
from improto.transports._h11 import (
    FRAMING_HEADERS,
    BoundedH11,
    H11Event,
    decode_headers,
    encode_headers,
)

LIMIT = 100
LIMITS = Limits(http_head_bytes=LIMIT)


def head(size: int) -> bytes:
    """A request head of exactly ``size`` bytes."""
    start = b"GET / HTTP/1.1\r\nHost: x\r\nPadding: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def events(data: bytes, step: int) -> list[H11Event]:
    """What happens when ``data`` arrives in pieces of ``step`` bytes."""
    reader = BoundedH11(h11.SERVER, LIMITS)
    seen: list[H11Event] = []
    for start in range(0, len(data), step):
        reader.receive_data(data[start : start + step])
        while (event := reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            seen.append(event)
            if type(event) is h11.EndOfMessage:
                break
    return seen


@pytest.mark.parametrize("step", [1, 7, LIMIT, 10_000])
def test_a_head_at_the_limit_is_read(step: int) -> None:
    request, end = events(head(LIMIT), step)
    assert isinstance(request, h11.Request)
    assert request.target == b"/"
    assert isinstance(end, h11.EndOfMessage)


@pytest.mark.parametrize("step", [1, 7, LIMIT, 10_000])
def test_a_head_above_the_limit_is_refused(step: int) -> None:
    with pytest.raises(h11.RemoteProtocolError) as raised:
        events(head(LIMIT + 2) + bytes(5000), step)
    assert raised.value.error_status_hint == 431


def test_a_body_may_be_longer_than_a_head() -> None:
    body = bytes(range(256)) * 4
    data = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n" + body
    for step in 1, 10_000:
        _, *pieces, end = events(data, step)
        assert (
            b"".join(bytes(piece.data) for piece in pieces if isinstance(piece, h11.Data)) == body
        )
        assert isinstance(end, h11.EndOfMessage)


def test_what_is_not_parsed_can_be_taken_over() -> None:
    reader = BoundedH11(h11.SERVER, LIMITS)
    request, rest = head(50), bytes(range(256)) * 2
    reader.receive_data(request + rest)
    assert reader.unparsed_bytes == len(request) + len(rest)
    assert isinstance(reader.next_event(), h11.Request)
    assert isinstance(reader.next_event(), h11.EndOfMessage)
    assert reader.next_event() is h11.PAUSED
    assert reader.unparsed == rest
    assert reader.unparsed_bytes == len(rest)


def test_nothing_received_needs_data() -> None:
    assert BoundedH11(h11.CLIENT, LIMITS).next_event() is h11.NEED_DATA


def test_headers_are_latin_1_text() -> None:
    raw = [(b"name", b"caf\xe9")]
    assert decode_headers(raw) == (("name", "café"),)
    assert encode_headers((("name", "café"),), own=frozenset()) == raw


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((("Content-Length", "1"),), "the header Content-Length is made by the transport"),
        ((("ok", "x"), ("transfer-encoding", "chunked")), "transfer-encoding is made"),
        ((("name", "€"),), "cannot be encoded"),
        ((("é", "x"),), "cannot be encoded"),
    ],
)
def test_headers_that_cannot_be_sent(headers: tuple[tuple[str, str], ...], words: str) -> None:
    with pytest.raises(EncodeError, match=words):
        encode_headers(headers, own=FRAMING_HEADERS)
