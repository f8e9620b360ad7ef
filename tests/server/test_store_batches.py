"""Gathering jobs: what goes together, who is answered when, and what happens at the end."""

from __future__ import annotations

from queue import SimpleQueue
from threading import get_ident
from typing import TYPE_CHECKING

import pytest

from improto_server.store.batches import JOB_BYTES, WAITING_BYTES, Lane
from improto_server.store.values import StoreError
from tests.server.store_tools import PATIENCE, HandLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bench:
    """A lane whose work is doubling numbers, and which does a batch only when it is told to."""

    def __init__(self) -> None:
        self.loop = HandLoop()
        self.batches: list[list[int]] = []
        self.answers: list[int | StoreError] = []
        self.threads: set[int] = set()
        self.may_work: SimpleQueue[None] = SimpleQueue()
        self.lane: Lane[int, int] = Lane(
            "test",
            work=self.work,
            failure=lambda error: StoreError(f"work failed: {error}"),
            soon=self.loop.soon,
            on_loop=lambda call: self.on_loop(call),
        )

    def on_loop(self, call: Callable[[], None]) -> None:
        self.loop.on_loop(call)

    def work(self, jobs: list[int]) -> list[int]:
        self.may_work.get(timeout=PATIENCE)
        self.threads.add(get_ident())
        self.batches.append(jobs)
        if 13 in jobs:
            raise ValueError("13 is in it")
        return [2 * job for job in jobs]

    def put(self, *jobs: int) -> None:
        for job in jobs:
            self.lane.put(job, self.answers.append)

    def let_work(self) -> None:
        """Let the thread do one batch, and tell the answers."""
        self.may_work.put(None)
        self.loop.hop()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for _ in range(10):
        bench.may_work.put(None)
    bench.lane.close()
    assert bench.lane.join(PATIENCE)


def test_jobs_of_one_turn_are_one_batch(bench: Bench) -> None:
    bench.put(1, 2, 3)
    assert bench.answers == []
    assert len(bench.loop.later) == 1
    bench.loop.end_turn()
    bench.let_work()
    assert bench.batches == [[1, 2, 3]]
    assert bench.answers == [2, 4, 6]
    assert get_ident() not in bench.threads


def test_jobs_gather_while_a_batch_is_under_way(bench: Bench) -> None:
    bench.put(1)
    bench.loop.end_turn()
    bench.put(2)
    bench.put(3)
    assert not bench.loop.later
    bench.let_work()
    assert bench.answers == [2]
    bench.let_work()
    assert bench.batches == [[1], [2, 3]]
    assert bench.answers == [2, 4, 6]


def test_the_next_batch_starts_before_the_answers_are_told(bench: Bench) -> None:
    at_work: list[list[list[int]]] = []

    def look(answer: int | StoreError) -> None:
        bench.may_work.put(None)
        call = bench.loop.from_threads.get(timeout=PATIENCE)
        at_work.append(list(bench.batches))
        bench.loop.on_loop(call)

    bench.lane.put(1, look)
    bench.loop.end_turn()
    bench.put(2)
    bench.let_work()
    assert at_work == [[[1], [2]]]
    assert bench.answers == []
    bench.loop.hop()
    assert bench.answers == [4]


def test_a_job_put_by_an_answer_goes_into_a_batch_to_come(bench: Bench) -> None:
    bench.lane.put(1, lambda _: bench.put(2))
    bench.loop.end_turn()
    bench.let_work()
    bench.loop.end_turn()
    bench.let_work()
    assert bench.batches == [[1], [2]]
    assert bench.answers == [4]


def test_an_idle_lane_starts_again(bench: Bench) -> None:
    for number in (1, 2):
        bench.put(number)
        bench.loop.end_turn()
        bench.let_work()
    assert bench.answers == [2, 4]


def test_all_of_a_failed_batch_are_told_and_the_next_is_tried(bench: Bench) -> None:
    bench.put(12, 13)
    bench.loop.end_turn()
    bench.put(14)
    bench.let_work()
    bench.let_work()
    first, second, third = bench.answers
    assert isinstance(first, StoreError)
    assert str(first) == "work failed: 13 is in it"
    assert second is first
    assert third == 28


def test_an_answer_that_raises_does_not_keep_others_from_theirs(bench: Bench) -> None:
    def fail(answer: int | StoreError) -> None:
        raise ZeroDivisionError(answer)

    bench.put(1)
    bench.lane.put(2, fail)
    bench.put(3)
    bench.loop.end_turn()
    with pytest.raises(ExceptionGroup) as caught:
        bench.let_work()
    assert [error.args for error in caught.value.exceptions] == [(4,)]
    assert bench.answers == [2, 6]


def test_closing_does_what_waits(bench: Bench) -> None:
    bench.put(1)
    bench.loop.end_turn()
    bench.put(2)
    bench.lane.close()
    bench.lane.close()
    bench.let_work()
    bench.let_work()
    assert bench.lane.join(PATIENCE)
    assert bench.answers == [2, 4]


def test_closing_before_the_end_of_the_turn(bench: Bench) -> None:
    bench.put(1)
    bench.lane.close()
    bench.loop.end_turn()
    bench.let_work()
    assert bench.batches == [[1]]
    assert bench.answers == [2]


def test_a_closed_lane_refuses_later(bench: Bench) -> None:
    bench.lane.close()
    bench.put(1)
    assert bench.answers == []
    bench.loop.end_turn()
    assert [str(answer) for answer in bench.answers] == ["the store is closed"]


def test_joining_is_bounded(bench: Bench) -> None:
    bench.put(1)
    bench.lane.close()
    assert not bench.lane.join(0)
    bench.may_work.put(None)
    assert bench.lane.join(PATIENCE)


def test_a_loop_that_has_ended_does_not_stop_the_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(call: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    monkeypatch.setattr(bench, "on_loop", closed)
    bench.put(1)
    bench.loop.end_turn()
    bench.put(2)
    bench.lane.close()
    bench.may_work.put(None)
    bench.may_work.put(None)
    assert bench.lane.join(PATIENCE)
    assert bench.batches == [[1], [2]]
    assert bench.answers == []


def test_a_lane_is_full_when_too_much_waits(bench: Bench) -> None:
    bench.lane.put(1, bench.answers.append, size=WAITING_BYTES - JOB_BYTES)
    assert not bench.lane.is_full
    bench.put(2)
    assert bench.lane.is_full
    bench.loop.end_turn()
    assert not bench.lane.is_full
    bench.let_work()
    assert bench.answers == [2, 4]
