"""Events are statements about the past."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from improto import events
from improto.events import (
    ClientEvent,
    CloseReason,
    ConnectionClosed,
    Event,
    Farewell,
    RequestFailed,
    ServerEvent,
)

ALL = get_args(Event)


@pytest.mark.parametrize(
    "reason",
    [
        CloseReason.PEER,
        CloseReason.LOST,
        CloseReason.REDIRECTED,
        CloseReason.VIOLATION,
        CloseReason.NO_CONNACK,
        CloseReason.NO_PONG,
    ],
)
def test_a_client_comes_back_after_anything_that_is_no_verdict(reason: CloseReason) -> None:
    """Session 15, rule 7."""
    assert reason.may_reconnect


@pytest.mark.parametrize(
    "reason",
    [
        CloseReason.LOCAL,
        CloseReason.REFUSED,
        CloseReason.KICKED,
        CloseReason.BLOCKED,
        CloseReason.ENDED,
    ],
)
def test_a_client_that_left_or_was_sent_away_stays_away(reason: CloseReason) -> None:
    """Session 4.1, 15 rule 7."""
    assert not reason.may_reconnect


@pytest.mark.parametrize(
    "reason", [CloseReason.NO_LOGIN, CloseReason.IDLE, CloseReason.SLOW_READER]
)
def test_a_server_never_connects(reason: CloseReason) -> None:
    assert not reason.may_reconnect


@pytest.mark.parametrize("kind", ALL)
def test_events_are_values_with_names_for_their_fields(kind: type) -> None:
    assert kind.__hash__ is not None
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert hasattr(kind, "__slots__")


def test_the_unions_are_complete() -> None:
    """A ``match`` over them misses nothing that the module defines."""
    defined = {
        value
        for value in vars(events).values()
        if isinstance(value, type)
        and value.__module__ == events.__name__
        and dataclasses.is_dataclass(value)
    }
    assert defined == set(ALL)
    assert set(ALL) == {*get_args(ClientEvent), *get_args(ServerEvent)}
    assert ConnectionClosed in get_args(ClientEvent)
    assert ConnectionClosed in get_args(ServerEvent)


def test_an_ordinary_end_is_a_normal_close() -> None:
    """RFC 6455 section 7.4.1."""
    closed = ConnectionClosed(reason=CloseReason.LOCAL)
    assert (closed.farewell, closed.close_code) == (Farewell.CLOSE, 1000)
    assert closed.status is None
    assert closed.error is None


def test_a_failed_request_is_not_sent_again_unless_it_says_so() -> None:
    """Do not retransmit (session 7)."""
    assert not RequestFailed.__dataclass_fields__["will_resend"].default
