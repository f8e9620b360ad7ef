"""How long to wait before the next attempt."""

from __future__ import annotations

import pytest

from improto_client.retry import Growing, Listed, policy


def longest(low: float, high: float) -> float:
    return high


def shortest(low: float, high: float) -> float:
    return low


def test_delays_double_up_to_the_longest() -> None:
    delays = [Growing().delay(failures, jitter=longest) for failures in range(9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_at_most_half_of_a_delay_is_left_out() -> None:
    delays = [Growing().delay(failures, jitter=shortest) for failures in range(3)]
    assert delays == [0.5, 1, 2]


def test_a_thousand_failures_are_no_more_than_many() -> None:
    assert Growing().delay(10**9, jitter=longest) == 60
    assert Growing(first=2, factor=1, longest=2).delay(3, jitter=longest) == 2


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"first": 2, "longest": 1}, {"factor": 0.5}, {"first": float("nan")}]
)
def test_delays_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="delays"):
        Growing(**wrong)


def test_a_list_is_used_up() -> None:
    listed = policy([0, 0.5])
    assert [listed.delay(failures, jitter=longest) for failures in range(3)] == [0, 0.5, None]


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_list_with_a_delay_that_makes_no_sense(wrong: float) -> None:
    with pytest.raises(ValueError, match="below 0"):
        Listed((wrong,))


def test_what_a_program_may_say() -> None:
    own = Growing(first=3)
    assert policy(None) == Growing()
    assert policy(own) is own
    assert policy(()) == Listed(())
