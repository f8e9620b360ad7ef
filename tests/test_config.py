"""Limits and durations: finite, above zero, and in the order that makes them useful."""

from dataclasses import fields
from typing import Any

import pytest

from improto.config import LARGEST_WINDOW, Limits, Timing

NUMBERS = [(kind, field.name) for kind in (Limits, Timing) for field in fields(kind)]


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_a_number_that_limits_nothing_is_refused(
    kind: type[Limits | Timing], name: str, value: float
) -> None:
    """There is no "unlimited"; the error names the field."""
    change: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name} must be above 0 and finite"):
        kind(**change)


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_the_smallest_numbers_are_allowed(kind: type[Limits | Timing], name: str) -> None:
    change: dict[str, Any] = {name: 1}
    assert getattr(kind(**change), name) == 1


def test_more_requests_than_message_ids_can_tell_apart_are_refused() -> None:
    assert Limits(requests_in_flight=LARGEST_WINDOW).requests_in_flight == LARGEST_WINDOW
    too_many = LARGEST_WINDOW + 1
    with pytest.raises(ValueError, match=rf"must be at most {LARGEST_WINDOW}, not {too_many}"):
        Limits(requests_in_flight=too_many)


def test_limits_of_a_client() -> None:
    """16 MiB a frame (wire 7, rule 5); the rest as for a server, but for the queue."""
    client, server = Limits.for_client(), Limits()
    assert client.message_bytes == 16 * 1024 * 1024
    differing = {
        field.name
        for field in fields(Limits)
        if getattr(client, field.name) != getattr(server, field.name)
    }
    assert differing == {"message_bytes", "outbound_bytes"}


@pytest.mark.parametrize("limits", [Limits(), Limits.for_client()])
def test_limits_leave_room_for_each_other(limits: Limits) -> None:
    assert limits.string_bytes <= 65535
    assert limits.content_bytes < limits.message_bytes
    assert limits.pull_bytes <= limits.outbound_bytes
    assert limits.pull_messages <= limits.events_queued
    assert limits.duplicate_window > 2 * limits.pull_messages


def test_a_clients_frames_fit_what_a_server_sends() -> None:
    assert Limits().pull_bytes < Limits.for_client().message_bytes


def test_timing_tells_a_dead_peer_from_a_slow_one() -> None:
    timing = Timing()
    assert timing.idle > 2 * (timing.heartbeat + timing.pong)
    assert timing.connack < timing.login
    assert timing.request < timing.pull
    assert timing.close < timing.linger
