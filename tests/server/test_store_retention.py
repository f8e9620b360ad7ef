"""Forgetting what is too old, slice by slice."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from improto_server.store import retention, schema
from improto_server.store.database import Database
from improto_server.store.retention import Forgetting
from improto_server.store.writer import Writer
from tests.server.store_tools import message, query_plans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = Writer(database.writing)
        self.slices = 0

    def forget(self, before: int) -> int:
        self.slices = 0
        state = Forgetting(before=before)
        while not state.is_finished:
            [answer] = self.writer.work([state])
            assert isinstance(answer, Forgetting)
            state = answer
            self.slices += 1
        return state.entries

    def rows(self, *columns: Any) -> list[tuple[Any, ...]]:
        with self.database.reading.begin():
            rows = self.database.reading.execute(select(*columns).order_by(*columns)).all()
        return [tuple(row) for row in rows]

    def messages(self) -> list[int]:
        return [time for (time,) in self.rows(schema.messages.c.time)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Database.open(f"sqlite:///{tmp_path}/store.db", durable=False)) as database:
        yield Bench(database)


def test_an_empty_store(bench: Bench) -> None:
    assert bench.forget(100) == 0


def test_boxes_forget_and_history_does_not(bench: Bench) -> None:
    bench.writer.work([message(time, sent_box=True) for time in (1, 2, 3, 4)])
    assert bench.forget(3) == 4
    boxes = schema.boxes.c
    assert bench.rows(boxes.time, boxes.direction) == [(3, 1), (3, 2), (4, 1), (4, 2)]
    assert bench.messages() == [1, 2, 3, 4]
    assert bench.forget(3) == 0


def test_what_is_not_in_history_is_gone_with_its_boxes(bench: Bench) -> None:
    bench.writer.work(
        [message(1, in_history=False), message(2), message(3, in_history=False), message(4)]
    )
    assert bench.forget(3) == 2
    assert bench.messages() == [2, 3, 4]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_the_size_of_the_slices_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(retention, "SLICE_ROWS", rows)
    old = [
        message(
            time,
            receivers=tuple(f"user{number}" for number in range(time)),
            sent_box=time % 2 == 0,
            in_history=time % 3 == 0,
        )
        for time in range(1, 8)
    ]
    bench.writer.work([*old, message(8, receivers=("user5",), in_history=False)])
    entries = sum(len(new.receivers) + new.sent_box for new in old)
    assert bench.forget(8) == entries
    assert bench.rows(schema.boxes.c.time) == [(8,)]
    assert bench.messages() == [3, 6, 8]
    assert bench.slices >= entries // rows


def test_messages_and_a_slice_in_one_batch(bench: Bench) -> None:
    bench.writer.work([message(1)])
    first, state, second = bench.writer.work([message(2), Forgetting(before=2), message(3)])
    assert (first.uid, second.uid) == ("UID-2", "UID-3")  # type: ignore[union-attr]
    assert state == Forgetting(before=2, next_user=None, entries=1)
    assert bench.rows(schema.boxes.c.time) == [(2,), (3,)]


def test_a_slice_reads_no_more_than_it_deletes(bench: Bench) -> None:
    bench.writer.work([message(time, in_history=False) for time in range(1, 5)])
    with query_plans(bench.database.writing) as plans:
        bench.forget(3)
    assert "SEARCH boxes USING PRIMARY KEY (owner=? AND direction=? AND time<?)" in plans
    assert (
        "SEARCH messages USING COVERING INDEX messages_by_time (in_history=? AND time<?)" in plans
    )
    assert [plan for plan in plans if plan.startswith(("SCAN", "USE TEMP"))] == []
