"""Where requests come from."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from improto_server.web.callers import address, is_local


def request(host: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    client = None if host is None else (host, 5000)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.0.2.1", False),
        # A socket of the machine's own, or a host that says something else.
        ("", False),
        ("testclient", False),
        (None, False),
    ],
)
def test_who_is_local(host: str | None, expected: bool) -> None:
    assert is_local(request(host)) is expected


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ((), 1, "10.0.0.1"),
        (("",), 1, "10.0.0.1"),
        (("192.0.2.1",), 0, "10.0.0.1"),
        (("192.0.2.1",), 1, "192.0.2.1"),
        (("192.0.2.1, 192.0.2.2",), 1, "192.0.2.2"),
        (("192.0.2.1, 192.0.2.2",), 2, "192.0.2.1"),
        (("192.0.2.1",), 2, "10.0.0.1"),
        # A proxy that adds a header of its own to what the client said.
        (("203.0.113.9", "192.0.2.2"), 1, "192.0.2.2"),
        (("203.0.113.9, 192.0.2.1", "192.0.2.2"), 2, "192.0.2.1"),
    ],
)
def test_the_address_behind_proxies(
    forwarded: tuple[str, ...], proxies: int, expected: str
) -> None:
    assert address(request("10.0.0.1", *forwarded), proxies=proxies) == expected
