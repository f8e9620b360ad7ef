"""Coming in, being turned away, being thrown out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import delivers, nothing_more, online, texts

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

LONG = 600.0
"""Seconds, on a page's own clock, in which an SDK that wants to connect again does."""


def test_the_browser_reaches_nobody_but_this_machine(door: Door, server: ImServer) -> None:
    page = door.page(server)
    # An address and a name that are reserved for examples (RFC 5737, RFC 2606).
    for url in ("http://192.0.2.1/", "http://im.example.com/"):
        answer = page.script("url => fetch(url).catch(error => String(error))", url)
        assert answer == "TypeError: Failed to fetch"
        page.attempts.remove(url)


def test_a_page_logs_in_and_out_and_in_again(door: Door, many_devices: ImServer) -> None:
    """A poll of SDK 2.9.2 outlives its logout, and would be a device that is thrown out."""
    page = door.page(many_devices)
    page.connect()
    assert tuple(page.statuses) == page.sdk.connected
    page.disconnect()
    page.connect()
    assert tuple(page.statuses[-len(page.sdk.connected) :]) == page.sdk.connected
    assert page.sockets == 2 * page.sdk.sockets


@pytest.mark.parametrize("fault", ["forged", "of another app", "garbage"])
def test_navigation_refuses_a_bad_token(door: Door, server: ImServer, fault: str) -> None:
    page = door.page(server)
    token = server.token(page.user)
    head, body, signature = token.split(".")
    bad = {
        "forged": f"{head}.{body}.{signature[::-1]}",
        "of another app": server.token(page.user, app="other"),
        "garbage": "not a token",
    }
    assert page.log_in(bad[fault]) == {"error": page.sdk.refused_by_navigation}
    assert page.sockets == 0


def test_the_server_refuses_an_expired_token(door: Door, server: ImServer) -> None:
    page = door.page(server)
    page.hold_clock()
    token = server.token(page.user, age=60.0, lifetime=30.0)
    assert page.log_in(token) == {"error": page.sdk.refused_by_server}
    page.pass_time(LONG)
    assert page.sdk.connected[-1] not in page.statuses


def test_a_second_login_throws_the_first_one_out_once(door: Door, server: ImServer) -> None:
    friend = online(door.page(server))
    first = door.page(server)
    first.connect()
    first.hold_clock()
    second = door.page(server, first.user)
    second.connect()
    expected = first.sdk.connected + first.sdk.kicked
    first.wait_for(f"statuses.length >= {len(expected)}")

    delivers(friend, second, texts("to whom it may concern"))
    first.pass_time(LONG)
    delivers(second, friend, texts("still here"))

    assert tuple(first.statuses) == expected
    assert tuple(second.statuses) == second.sdk.connected
    assert first.sockets == second.sockets == first.sdk.sockets
    assert first.heard() == []
    nothing_more(friend, second)
