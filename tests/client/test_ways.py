"""Which way to connect, on a hand clock."""

from __future__ import annotations

import pytest

from improto.codes import ErrorCode
from improto.errors import ConnectionEnded, HandshakeRefused, RemoteProtocolError
from improto.events import CloseReason
from improto_client.errors import LoginFailed, NavigationFailed, NoServer, NoWebSocket, ServerBusy
from improto_client.ways import FIRST_PAUSE, LONGEST_PAUSE, Ways


def failure(cause: Exception, kind: type[NoServer] | type[NoWebSocket] = NoServer) -> LoginFailed:
    error = kind("")
    error.__cause__ = cause
    return error


AWAY = failure(ConnectionRefusedError())
NO_WAY = NavigationFailed("", is_late=False)
PROXY = failure(HandshakeRefused("no", status=400), NoWebSocket)
BUSY = ServerBusy(ErrorCode.SERVER_UNAVAILABLE, "")
BUSY.__cause__ = ConnectionEnded("", reason=CloseReason.REFUSED, status=3)


def ended(reason: CloseReason) -> LoginFailed:
    return failure(ConnectionEnded("", reason=reason, status=None))


def fallen(now: float = 0.0) -> Ways:
    """Ways that have come to long polling, and it works."""
    ways = Ways("auto")
    ways.start(now=now)
    assert ways.failed([PROXY], now=now)
    ways.online()
    return ways


@pytest.mark.parametrize(
    "failure",
    [
        PROXY,
        failure(RemoteProtocolError("<html>"), NoWebSocket),
        ended(CloseReason.NO_CONNACK),
        ended(CloseReason.LOST),
    ],
)
def test_what_hinders_a_websocket(failure: LoginFailed) -> None:
    ways = Ways("auto")
    ways.start(now=0.0)
    assert ways.failed([AWAY, failure], now=1.0)
    assert ways.transport == "polling"


@pytest.mark.parametrize(
    "failure",
    [
        AWAY,
        BUSY,
        NO_WAY,
        failure(HandshakeRefused("full", status=503), NoWebSocket),
        failure(HandshakeRefused("slower", status=429), NoWebSocket),
        ended(CloseReason.PEER),
        ended(CloseReason.VIOLATION),
    ],
)
def test_what_does_not(failure: LoginFailed) -> None:
    ways = Ways("auto")
    ways.start(now=0.0)
    assert not ways.failed([failure], now=1.0)
    ways.start(now=2.0)
    assert ways.transport == "websocket"


def test_one_host_with_a_websocket_shows_that_there_may_be_one() -> None:
    ways = Ways("auto")
    ways.start(now=0.0)
    assert not ways.failed([PROXY, BUSY], now=1.0)


@pytest.mark.parametrize("wish", ["websocket", "polling"])
def test_a_program_that_knows_what_it_wants(wish: str) -> None:
    ways = Ways(wish)  # type: ignore[arg-type]
    for now in (0.0, LONGEST_PAUSE):
        ways.start(now=now)
        assert ways.transport == wish
        assert not ways.failed([PROXY], now=now)


def test_a_wish_that_is_none() -> None:
    with pytest.raises(ValueError, match="transport must be auto, websocket, polling"):
        Ways("pigeons")  # type: ignore[arg-type]


def test_pauses_grow_and_no_further_than_to_an_hour() -> None:
    ways, now, pauses = fallen(), 0.0, []
    for _ in range(6):
        begun = now
        while True:
            now += FIRST_PAUSE
            ways.start(now=now)
            if ways.transport != "polling":
                break
            ways.online()
        pauses.append(now - begun)
        assert ways.failed([PROXY], now=now)
        ways.online()
    assert pauses == [300.0, 600.0, 1200.0, 2400.0, 3600.0, 3600.0]


def test_a_websocket_that_works_again_is_kept() -> None:
    ways = fallen()
    ways.start(now=FIRST_PAUSE)
    assert ways.transport == "websocket"
    ways.online()
    ways.start(now=FIRST_PAUSE + 1)
    assert ways.transport == "websocket"
    assert ways.failed([PROXY], now=1000.0)
    ways.online()
    ways.start(now=1000.0 + FIRST_PAUSE)
    assert ways.transport == "websocket"


@pytest.mark.parametrize(
    ("failures", "next_one"),
    [
        ([AWAY], "polling"),
        ([NO_WAY], "polling"),
        ([AWAY, BUSY], "websocket"),
        ([PROXY], "websocket"),
    ],
)
def test_long_polling_that_has_worked_and_fails(failures: list[LoginFailed], next_one: str) -> None:
    ways = fallen()
    ways.start(now=10.0)
    assert ways.transport == "polling"
    assert not ways.failed(failures, now=11.0)
    ways.start(now=12.0)
    assert ways.transport == next_one


def test_long_polling_that_has_never_worked() -> None:
    ways = Ways("auto")
    ways.start(now=0.0)
    assert ways.failed([PROXY], now=0.0)
    assert not ways.failed([AWAY], now=0.0)
    ways.start(now=1.0)
    assert ways.transport == "websocket"


def test_a_program_that_begins_anew_begins_with_a_websocket() -> None:
    ways = fallen()
    ways.begin()
    ways.start(now=1.0)
    assert ways.transport == "websocket"
