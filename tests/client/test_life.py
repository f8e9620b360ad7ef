"""The status, and when a client comes back, on a hand clock."""

from __future__ import annotations

import pytest

from improto.codes import ConnectionStatus, ErrorCode
from improto.events import CloseReason
from improto_client.errors import (
    AppKeyRefused,
    Banned,
    Disconnected,
    GaveUp,
    Kicked,
    KickedTooOften,
    LoginFailed,
    Malformed,
    NavigationFailed,
    NoServer,
    NoWebSocket,
    OriginRefused,
    SentAway,
    ServerBusy,
    TokenRefused,
    UserBlocked,
)
from improto_client.life import Again, Life, Over
from improto_client.retry import policy


class Told:
    """A life, and what it has shown."""

    def __init__(self, retry: list[float] | None = None) -> None:
        self.shown: list[int] = []
        self.life = Life(retry=policy(retry), jitter=lambda low, high: high, show=self.shown.append)

    def take(self) -> list[int]:
        """What was shown since the last time."""
        shown, self.shown[:] = self.shown.copy(), []
        return shown

    def log_in(self, now: float = 0.0) -> None:
        self.life.begin()
        self.life.connecting()
        self.life.online(now=now)


def test_the_way_in() -> None:
    told = Told()
    life = told.life
    assert life.status is ConnectionStatus.DISCONNECTED
    life.begin()
    life.asking()
    life.unanswered(is_late=True)
    life.asking()
    life.unanswered(is_late=False)
    life.asking()
    life.answered()
    life.connecting()
    life.hindered()
    life.connecting()
    life.redirected()
    life.asking()
    life.answered()
    life.connecting()
    life.online(now=0.0)
    assert told.take() == [201, 204, 201, 203, 201, 202, 1, 7, 1, 14, 201, 202, 1, 0]
    assert life.status is ConnectionStatus.CONNECTED


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (CloseReason.LOST, 3),
        (CloseReason.NO_PONG, 3),
        (CloseReason.NO_CONNACK, 3),
        (CloseReason.PEER, 4),
        (CloseReason.VIOLATION, 8),
    ],
)
def test_what_comes_back(reason: CloseReason, status: int) -> None:
    told = Told()
    told.log_in()
    told.take()
    assert told.life.lost(reason, None, now=1.0) == Again(1.0)
    told.life.connecting()
    told.life.online(now=2.0)
    assert told.take() == [status, 1, 0]
    assert told.life.is_living


@pytest.mark.parametrize(
    ("reason", "error", "shown"),
    [
        (CloseReason.KICKED, Kicked, [2, 6]),
        (CloseReason.BLOCKED, Banned, [2, 9]),
        (CloseReason.ENDED, SentAway, [2, 13]),
        (CloseReason.LOCAL, Disconnected, [2]),
    ],
)
def test_what_does_not(reason: CloseReason, error: type, shown: list[int]) -> None:
    told = Told()
    told.log_in()
    told.take()
    verdict = told.life.lost(reason, 3, now=1.0)
    assert isinstance(verdict, Over)
    assert type(verdict.error) is error
    assert told.take() == shown
    assert not told.life.is_living


def test_who_is_sent_away_knows_the_status() -> None:
    told = Told()
    told.log_in()
    verdict = told.life.lost(CloseReason.ENDED, 4, now=1.0)
    assert isinstance(verdict, Over)
    assert isinstance(verdict.error, SentAway)
    assert verdict.error.status == 4


def test_delays_grow_with_failures_and_begin_anew_after_a_good_connection() -> None:
    told = Told()
    told.log_in(now=0.0)
    assert told.life.lost(CloseReason.LOST, None, now=9.9) == Again(1.0)
    assert told.life.failed(NoServer("gone")) == Again(2.0)
    told.life.online(now=20.0)
    assert told.life.lost(CloseReason.LOST, None, now=29.9) == Again(4.0)
    told.life.online(now=40.0)
    assert told.life.lost(CloseReason.LOST, None, now=50.0) == Again(1.0)


def test_a_redirect_is_followed_at_once_but_not_in_circles() -> None:
    told = Told()
    told.log_in(now=0.0)
    told.take()
    assert told.life.lost(CloseReason.REDIRECTED, 0, now=1.0) == Again(0.0)
    assert told.take() == [14]
    told.life.online(now=2.0)
    assert told.life.lost(CloseReason.REDIRECTED, 0, now=3.0) == Again(1.0)
    told.life.online(now=5.0)
    assert told.life.lost(CloseReason.REDIRECTED, 0, now=15.0) == Again(0.0)


def test_a_list_of_delays_is_used_up() -> None:
    told = Told([0.5])
    told.log_in()
    told.take()
    assert told.life.lost(CloseReason.PEER, None, now=1.0) == Again(0.5)
    verdict = told.life.failed(NoWebSocket("HTTP status 500"))
    assert isinstance(verdict, Over)
    assert isinstance(verdict.error, GaveUp)
    assert verdict.error.code == ErrorCode.RC_NET_UNAVAILABLE
    assert "HTTP status 500" in str(verdict.error)
    assert told.take() == [4, 7, 3]
    assert not told.life.is_living


FAILURES: list[tuple[LoginFailed, list[int]]] = [
    (AppKeyRefused(ErrorCode.RC_CONN_ID_REJECT, ""), [1, 20]),
    (UserBlocked(ErrorCode.RC_CONN_USER_BLOCKED, ""), [1, 9]),
    (OriginRefused(ErrorCode.HOSTNAME_ERROR, ""), [1, 12]),
    (TokenRefused(ErrorCode.RC_CONN_TOKEN_EXPIRED, ""), [1, 2]),
    (NoServer(""), [1, 3]),
    (ServerBusy(ErrorCode.SERVER_UNAVAILABLE, ""), [1, 3]),
    (NoWebSocket(""), [1, 7]),
]


@pytest.mark.parametrize(("error", "shown"), FAILURES, ids=lambda each: type(each).__name__)
def test_a_first_attempt_is_not_repeated(error: LoginFailed, shown: list[int]) -> None:
    told = Told()
    told.life.begin()
    told.life.connecting()
    assert told.life.failed(error) == Over(error)
    assert told.take() == shown
    assert not told.life.is_living


@pytest.mark.parametrize(("error", "shown"), FAILURES, ids=lambda each: type(each).__name__)
def test_a_later_one_is_repeated_unless_it_is_of_no_use(
    error: LoginFailed, shown: list[int]
) -> None:
    told = Told()
    told.log_in()
    told.life.lost(CloseReason.LOST, None, now=1.0)
    told.life.connecting()
    assert told.life.failed(error) == (Over(error) if error.is_final else Again(2.0))


def test_navigation_has_shown_its_failure() -> None:
    told = Told()
    told.life.begin()
    told.life.asking()
    told.life.unanswered(is_late=True)
    told.life.failed(NavigationFailed("no answer", is_late=True))
    assert told.take() == [201, 204]


def test_kicks_in_a_row_are_counted() -> None:
    told = Told()
    for _ in range(6):
        told.log_in()
        told.life.lost(CloseReason.KICKED, 1, now=1.0)
    told.take()
    with pytest.raises(KickedTooOften) as often:
        told.life.begin()
    assert (often.value.code, often.value.name) == (1101, "ULTRALIMIT")
    assert told.take() == [1101]


@pytest.mark.parametrize("reason", [CloseReason.LOCAL, CloseReason.BLOCKED])
def test_another_end_begins_the_count_anew(reason: CloseReason) -> None:
    told = Told()
    for kick in [CloseReason.KICKED] * 5 + [reason] + [CloseReason.KICKED] * 5:
        told.log_in()
        told.life.lost(kick, 1, now=1.0)
    told.life.begin()
    assert told.life.is_living


def test_a_living_client_cannot_begin() -> None:
    told = Told()
    told.log_in()
    with pytest.raises(Malformed) as wrong:
        told.life.begin()
    assert wrong.value.code == ErrorCode.CAN_NOT_RECONNECT


def test_leaving_while_connecting() -> None:
    told = Told()
    told.life.begin()
    told.life.connecting()
    assert isinstance(told.life.leave().error, Disconnected)
    assert told.take() == [1, 2]
