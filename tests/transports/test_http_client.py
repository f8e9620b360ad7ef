"""The client's end of a TCP connection that speaks HTTP."""

from __future__ import annotations

import pytest

from improto.config import Limits
from improto.errors import EncodeError, LimitExceeded, LocalProtocolError
from improto.http import HttpRequest
from improto.transports.http_client import HttpClient

GET = HttpRequest(method="GET", target="/a?b=c")
ANSWER = b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nhi"


def asking(limits: Limits | None = None) -> HttpClient:
    client = HttpClient("example.org:80", limits=limits or Limits())
    client.ask(GET)
    client.data_to_send()
    return client


def test_a_request_as_it_leaves() -> None:
    client = HttpClient("example.org:80", limits=Limits())
    headers = (("Content-Type", "text/plain"),)
    client.ask(HttpRequest(method="POST", target="/p", headers=headers, body=b"{}"))
    assert client.data_to_send() == (
        b"POST /p HTTP/1.1\r\nHost: example.org:80\r\nContent-Length: 2\r\n"
        b"Content-Type: text/plain\r\n\r\n{}"
    )
    assert client.data_to_send() == b""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_answers_come_one_after_the_other(size: int) -> None:
    client = asking()
    for _ in range(2):
        for start in range(0, len(ANSWER), size):
            assert client.next_response() is None
            client.receive_data(ANSWER[start : start + size])
        response = client.next_response()
        assert response is not None
        assert (response.status, response.body) == (200, b"hi")
        assert ("x-y", "z") in response.headers
        assert client.next_response() is None
        assert client.is_idle
        client.ask(GET)


def test_one_request_at_a_time() -> None:
    client = asking()
    assert not client.is_idle
    with pytest.raises(LocalProtocolError):
        client.ask(GET)


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="GET", target="/ \n"),
        HttpRequest(method="GET", target="/", headers=(("Host", "x"),)),
    ],
)
def test_requests_that_cannot_be_sent(request_: HttpRequest) -> None:
    client = HttpClient("h", limits=Limits())
    with pytest.raises(EncodeError):
        client.ask(request_)
    assert client.is_idle
    assert client.data_to_send() == b""


def test_an_answer_that_ends_with_the_connection() -> None:
    client = asking()
    client.receive_data(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi")
    assert client.next_response() is None
    client.receive_eof()
    response = client.next_response()
    assert response is not None
    assert response.body == b"hi"
    assert client.error is not None
    assert not client.is_idle


def test_a_connection_that_is_not_kept() -> None:
    client = asking()
    client.receive_data(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert client.next_response() is not None
    assert client.error is not None
    client.receive_data(b"more")
    client.receive_eof()


def test_an_interim_answer_is_none() -> None:
    client = asking()
    client.receive_data(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ANSWER)
    assert client.next_response() is not None


def test_a_connection_that_ends_between_requests() -> None:
    client = HttpClient("h", limits=Limits())
    client.receive_eof()
    assert client.error is not None


def test_a_connection_that_ends_in_an_answer() -> None:
    client = asking()
    client.receive_data(ANSWER[:-1])
    client.receive_eof()
    assert client.error is not None
    assert client.next_response() is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000, "above 16384 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11, "above 10 bytes"),
    ],
)
def test_answers_that_are_none(data: bytes, error: str) -> None:
    client = asking(Limits(message_bytes=10))
    client.receive_data(data)
    assert error in str(client.error)
    assert isinstance(client.error, LimitExceeded) == ("above" in error)
    assert client.next_response() is None


def test_an_answer_without_a_question() -> None:
    client = HttpClient("h", limits=Limits())
    client.receive_data(ANSWER)
    assert "nobody has asked" in str(client.error)
    assert client.next_response() is None
