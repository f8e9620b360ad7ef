"""Deadlines: early, late and repeated questions are harmless."""

from __future__ import annotations

import pytest

from improto._timers import Timer, Timers
from tests.helpers import AWKWARD_TIMES


def test_nothing_is_armed_in_the_beginning() -> None:
    timers = Timers()
    assert timers.next() is None
    assert timers.expired(1e9) == []
    assert [timers.deadline(timer) for timer in Timer] == [None] * len(Timer)


def test_the_next_deadline_is_the_earliest() -> None:
    timers = Timers()
    timers.arm(Timer.PULL, 180.0)
    timers.arm(Timer.PONG, 5.0)
    timers.arm(Timer.REQUEST, 30.0)
    assert timers.next() == 5.0
    assert timers.deadline(Timer.REQUEST) == 30.0


def test_arming_again_moves_a_deadline_either_way() -> None:
    timers = Timers()
    for deadline in (10.0, 5.0, 20.0):
        timers.arm(Timer.IDLE, deadline)
        assert timers.next() == deadline


def test_a_disarmed_timer_never_expires() -> None:
    timers = Timers()
    timers.disarm(Timer.CLOSE)
    timers.arm(Timer.CLOSE, 1.0)
    timers.disarm(Timer.CLOSE)
    assert timers.next() is None
    assert timers.expired(2.0) == []


def test_all_can_be_forgotten_at_once() -> None:
    timers = Timers()
    for timer in Timer:
        timers.arm(timer, 1.0)
    timers.disarm_all()
    assert timers.next() is None


def test_an_early_question_finds_nothing_and_changes_nothing() -> None:
    timers = Timers()
    timers.arm(Timer.PONG, 5.0)
    assert timers.expired(4.999999) == []
    assert timers.next() == 5.0


@pytest.mark.parametrize("start", AWKWARD_TIMES)
def test_a_question_at_the_very_deadline_finds_it(start: float) -> None:
    """Otherwise a driver that wakes exactly on time would be told to wake again at once."""
    timers = Timers()
    timers.arm(Timer.PONG, start + 0.1)
    deadline = timers.next()
    assert deadline is not None
    assert timers.expired(deadline) == [Timer.PONG]
    assert timers.next() is None


def test_a_late_question_finds_all_in_the_order_in_which_they_were_due() -> None:
    timers = Timers()
    timers.arm(Timer.LOGIN, 30.0)
    timers.arm(Timer.HEARTBEAT, 10.0)
    timers.arm(Timer.SYNC, 20.0)
    timers.arm(Timer.PULL, 1000.0)
    assert timers.expired(500.0) == [Timer.HEARTBEAT, Timer.SYNC, Timer.LOGIN]
    assert timers.next() == 1000.0


def test_a_second_question_finds_nothing_more() -> None:
    timers = Timers()
    timers.arm(Timer.RENOTIFY, 1.0)
    assert timers.expired(1.0) == [Timer.RENOTIFY]
    assert timers.expired(1.0) == []
