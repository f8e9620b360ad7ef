"""A history survives its file, and a file that is none is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.checker import history
from tests.checker.history import Begun, Event, Killed, Read, Restarted

if TYPE_CHECKING:
    from pathlib import Path

EVENTS: list[Event] = [
    Begun(seed=7, conversations={"ann+ben": ("ann", "ben")}),
    Killed(),
    Restarted(who="ann"),
    Read(who="ann", conversation="ann+ben", is_backward=True, pages=((("ann-1", "U", 10),), ())),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history.write(path, EVENTS)
    assert history.read(path) == EVENTS


def test_an_event_is_a_line_that_people_can_read() -> None:
    assert history.encode(EVENTS[2]) == '{"event":"restarted","who":"ann"}'


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"event":"rumour"}\n')
    with pytest.raises(msgspec.ValidationError):
        history.read(path)
