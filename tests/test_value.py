"""Values of which one is made for every message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from improto._value import value


@value
class Point:
    x: int
    y: int = 0


def test_values_are_compared_and_hashed_by_what_they_say() -> None:
    assert Point(x=1) == Point(x=1, y=0)
    assert Point(x=1) != Point(x=2)
    assert len({Point(x=1), Point(x=1), replace(Point(x=1), y=2)}) == 2


def test_values_are_made_by_keywords() -> None:
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]


def test_values_have_slots() -> None:
    assert not hasattr(Point(x=1), "__dict__")
