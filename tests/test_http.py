"""The HTTP values."""

from __future__ import annotations

import pytest

from improto.http import HttpRequest, HttpResponse, first_header, header_tokens


def request(target: str) -> HttpRequest:
    return HttpRequest(method="GET", target=target)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/ping", "/ping", {}),
        ("/ping?r=1", "/ping", {"r": "1"}),
        (
            "/navi.js?appId=K&token=a%2Bb%3D%40host",
            "/navi.js",
            {"appId": "K", "token": "a+b=@host"},
        ),
        ("/a%20b%2Fc?x=%253D", "/a b/c", {"x": "%3D"}),
        ("/websocket?appId=1&appId=2", "/websocket", {"appId": "1"}),
        ("/websocket?topic=&targetid=x", "/websocket", {"topic": "", "targetid": "x"}),
        ("/x?a=1?b&c", "/x", {"a": "1?b", "c": ""}),
        ("/%ff?a=%ff", "/\N{REPLACEMENT CHARACTER}", {"a": "\N{REPLACEMENT CHARACTER}"}),
        ("*", "*", {}),
        ("", "", {}),
    ],
)
def test_path_and_query_are_decoded_once(target: str, path: str, query: dict[str, str]) -> None:
    assert request(target).path == path
    assert request(target).query == query


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"token=a%2Bb%3D%40host%3Bx&v=5.38.0", {"token": "a+b=@host;x", "v": "5.38.0"}),
        (b"m=&m=2&x", {"m": "", "x": ""}),
        ("name=\N{PILE OF POO}".encode(), {"name": "\N{PILE OF POO}"}),
        (b"\xff=%ff", {"\N{REPLACEMENT CHARACTER}": "\N{REPLACEMENT CHARACTER}"}),
        (b'{"token":"x"}', {'{"token":"x"}': ""}),
    ],
)
def test_a_form_is_read_like_a_query(body: bytes, form: dict[str, str]) -> None:
    message = HttpRequest(method="POST", target="/v2/navi.json?cloud=0", body=body)
    assert message.form == form
    assert message.query == {"cloud": "0"}


def test_the_first_value_of_a_header_counts() -> None:
    headers = (("x", "1"), ("y", ""), ("x", "2"))
    assert first_header(headers, "x") == "1"
    assert first_header(headers, "y") == ""
    assert first_header(headers, "z") is None
    message = HttpRequest(method="GET", target="/", headers=headers)
    assert message.header("x") == "1"
    assert message.header("z") is None


def test_the_lines_of_a_list_header_count_together() -> None:
    headers = (("connection", "Keep-Alive, Upgrade"), ("other", "x"), ("connection", " close ,,"))
    tokens = header_tokens(headers, "connection")
    assert tokens == {"keep-alive", "upgrade", "close"}
    message = HttpRequest(method="GET", target="/", headers=headers)
    assert message.tokens("connection") == tokens
    assert message.tokens("upgrade") == frozenset()


def test_values_compare_by_content() -> None:
    assert HttpResponse(status=200, body=b"pong") == HttpResponse(status=200, body=b"pong")
    assert request("/") != request("/ping")
