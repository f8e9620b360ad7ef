"""The store as its users see it: batches, answers, reading meanwhile, full disks, the end."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from improto_server.store import NewMessage, Store, Stored, StoreError, batches, queries, retention
from improto_server.store import store as store_module
from tests.server.store_tools import PATIENCE, HandLoop, disk_error, listening, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection


class Bench:
    """A store on a loop that is turned by hand."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.db"
        self.loop = HandLoop()
        self.store = self.open()

    def open(self) -> Store:
        return Store.open(f"sqlite:///{self.path}", soon=self.loop.soon, on_loop=self.loop.on_loop)

    def restart(self) -> None:
        self.store.close()
        self.store = self.open()

    def append(self, *new: NewMessage) -> list[Any]:
        """Append messages in one turn and wait for the answers."""
        answers: list[Any] = []
        for one in new:
            self.store.append(one, answers.append)
        self.loop.until(answers, len(new))
        return answers

    def read(self, query: Callable[[Connection], Any]) -> Any:
        answers: list[Any] = []
        self.store.read(query, answers.append)
        self.loop.until(answers, 1)
        return answers[0]

    def inbox(self, owner: str = "bob") -> list[int]:
        return [item.time for item in self.read(inbox_of(owner)).items]


def inbox_of(owner: str = "bob") -> Callable[[Connection], Any]:
    return partial(
        queries.inbox_after,
        app="app",
        owner=owner,
        received_after=0,
        sent_after=None,
        limit=10_000,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def stored(*times: int) -> list[Stored]:
    return [Stored(uid=f"UID-{time}", time=time, is_repeat=False) for time in times]


# -- writing and reading ---------------------------------------------------------------


def test_messages_of_one_turn_are_one_transaction(bench: Bench) -> None:
    threads: list[str] = []
    with listening("commit", lambda _: threads.append(threading.current_thread().name)):
        assert bench.append(message(1), message(2), message(3)) == stored(1, 2, 3)
    assert threads == ["store-writer"]


def test_what_is_stored_is_read_at_once(bench: Bench) -> None:
    """The answer to an append is followed by a read inside the callback."""
    pages: list[Any] = []
    bench.store.append(message(1), lambda _: bench.store.read(inbox_of(), pages.append))
    bench.loop.until(pages, 1)
    assert [item.time for item in pages[0].items] == [1]


def test_reads_of_one_turn_are_answered_in_one_hop(bench: Bench) -> None:
    bench.append(message(1))
    answers: list[Any] = []
    for owner in ("bob", "nobody"):
        bench.store.read(inbox_of(owner), answers.append)
    bench.loop.end_turn()
    bench.loop.hop()
    assert [page.newest for page in answers] == [1, 0]


def test_a_reader_does_not_wait_for_the_writer(bench: Bench) -> None:
    bench.append(message(1))
    is_writing, may_commit = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        if threading.current_thread().name == "store-writer":
            is_writing.set()
            assert may_commit.wait(PATIENCE)

    answers: list[Any] = []
    with listening("commit", hold):
        bench.store.append(message(2), answers.append)
        bench.loop.end_turn()
        assert is_writing.wait(PATIENCE)
        assert bench.inbox() == [1]
        assert answers == []
        may_commit.set()
        bench.loop.until(answers, 1)
    assert bench.inbox() == [1, 2]


def newest_time(connection: Connection) -> int:
    page = queries.inbox_after(
        connection, app="app", owner="bob", received_after=0, sent_after=None, limit=1
    )
    return page.newest


def test_all_statements_of_a_query_see_the_same_moment(bench: Bench) -> None:
    bench.append(message(1))
    has_read, may_go_on = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        first = newest_time(connection)
        has_read.set()
        assert may_go_on.wait(PATIENCE)
        return first, newest_time(connection)

    answers: list[Any] = []
    bench.store.read(twice, answers.append)
    bench.loop.end_turn()
    assert has_read.wait(PATIENCE)
    bench.append(message(2))
    may_go_on.set()
    bench.loop.until(answers, 1)
    assert answers == [(1, 1)]


# -- what goes wrong -------------------------------------------------------------------


def test_a_message_that_cannot_be_stored_harms_no_other(bench: Bench) -> None:
    first, bad, second = bench.append(message(1), message(2, target="\ud83d"), message(3))
    assert [first, second] == stored(1, 3)
    assert isinstance(bad, StoreError)
    assert "surrogate" in str(bad)


def test_more_than_the_disk_can_take(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is answered in its turn, and the rest is stored."""
    monkeypatch.setattr(batches, "WAITING_BYTES", 2500)
    answers = bench.append(*(message(time, item=bytes(1000)) for time in (1, 2, 3, 4)))
    assert answers[:2] == stored(1, 2)
    assert [str(answer) for answer in answers[2:]] == [
        "the store cannot keep up with what is to be written"
    ] * 2
    assert bench.append(message(5)) == stored(5)
    assert bench.inbox() == [1, 2, 5]


def test_a_full_disk(tmp_path: Path) -> None:
    """Everybody in the batch is told, nothing of it is there, and the next batch is tried."""
    connections: list[sqlite3.Connection] = []
    with listening("connect", lambda raw, _: connections.append(raw)):
        bench = Bench(tmp_path)
    assert bench.append(message(1)) == stored(1)

    def leave(pages: int) -> None:
        for raw in connections:
            (size,) = raw.execute("PRAGMA page_count").fetchone()
            raw.execute(f"PRAGMA max_page_count = {size + pages}")

    leave(4)
    full = f"the store {bench.path} cannot grow: database or disk is full"
    answers = bench.append(message(2), message(3, item=bytes(100_000), sender="carol"))
    assert [str(answer) for answer in answers] == [full, full]
    assert all(isinstance(answer, StoreError) for answer in answers)
    assert bench.inbox() == [1]
    assert bench.append(message(4)) == stored(4)
    answers = bench.append(message(5, item=bytes(100_000)))
    assert [str(answer) for answer in answers] == [full]
    leave(1000)
    assert bench.append(message(6, item=bytes(100_000), sender="carol")) == stored(6)
    assert bench.inbox() == [1, 4, 6]
    bench.restart()
    assert bench.inbox() == [1, 4, 6]
    bench.store.close()


def test_a_commit_that_fails(bench: Bench) -> None:
    """The file may not grow any more, so the commit breaks off in the middle."""
    bench.append(message(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = bench.path.with_name("store.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 6000, hard))
    try:
        answers = bench.append(message(2, unique_id=7), message(3, sender="carol"))
        assert [str(answer) for answer in answers] == [
            f"the store {bench.path} cannot be read or written: disk I/O error"
        ] * 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert bench.inbox() == [1]
    assert bench.append(message(4, unique_id=7)) == stored(4)
    bench.restart()
    assert bench.inbox() == [1, 4]


@pytest.mark.parametrize("thread", ["store-writer", "store-reader"])
def test_a_commit_that_leaves_the_transaction_open(bench: Bench, thread: str) -> None:
    """SQLite does so if it had to wait for another program for too long."""

    def fail(_: Connection) -> None:
        if threading.current_thread().name == thread:
            raise sqlite3.OperationalError("database is locked")

    with listening("commit", fail):
        [answer] = bench.append(message(1, unique_id=7))
        page = bench.read(inbox_of())
    assert isinstance(answer if thread == "store-writer" else page, StoreError)
    assert bench.append(message(2)) == stored(2)
    assert 2 in bench.inbox()


def test_a_query_that_fails_harms_no_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def divide(_: Connection) -> float:
        return 1 / 0

    answers: list[Any] = []
    bench.store.read(divide, answers.append)
    bench.store.read(inbox_of(), answers.append)
    bench.loop.until(answers, 2)
    error, page = answers
    assert isinstance(error, StoreError)
    assert str(error) == (f"the store {bench.path} failed: ZeroDivisionError('division by zero')")
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert page.items == ()
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error.__cause__


def test_a_query_that_writes_is_refused(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.append(message(1))
    error = bench.read(lambda connection: connection.exec_driver_sql("DELETE FROM boxes"))
    assert isinstance(error, StoreError)
    assert str(error) == (
        f"the store {bench.path} may not be written to: attempt to write a readonly database"
    )
    assert bench.inbox() == [1]
    assert not caplog.records


def test_a_store_that_cannot_be_opened_starts_nothing(bench: Bench) -> None:
    threads = threading.active_count()
    with pytest.raises(StoreError, match="in use by another server"):
        bench.open()
    assert threading.active_count() == threads


# -- forgetting ------------------------------------------------------------------------


def test_forgetting_lets_messages_pass(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that comes while old ones are deleted waits for one slice only."""
    monkeypatch.setattr(retention, "SLICE_ROWS", 1)
    bench.append(*(message(time) for time in (1, 2, 3, 4, 5)))
    answers: list[Any] = []
    bench.store.forget_before(5, answers.append)
    bench.loop.end_turn()
    bench.store.append(message(6), answers.append)
    bench.loop.until(answers, 2)
    assert answers == [*stored(6), 4]
    assert bench.inbox() == [5, 6]


def test_forgetting_on_a_broken_disk(bench: Bench) -> None:
    bench.append(message(1))

    def fail(_: Connection) -> None:
        raise disk_error()

    answers: list[Any] = []
    with listening("commit", fail):
        bench.store.forget_before(5, answers.append)
        bench.loop.until(answers, 1)
    assert isinstance(answers[0], StoreError)
    assert bench.inbox() == [1]


def test_forgetting_when_the_store_closes(bench: Bench) -> None:
    answers: list[Any] = []
    bench.store.close()
    bench.store.forget_before(5, answers.append)
    bench.loop.until(answers, 1)
    assert [str(answer) for answer in answers] == ["the store is closed"]


# -- the end, and the next beginning ---------------------------------------------------


def test_closing_stores_what_was_appended(bench: Bench) -> None:
    answers: list[Any] = []
    bench.store.append(message(1), answers.append)
    bench.loop.end_turn()
    bench.store.append(message(2), answers.append)
    bench.store.close()
    assert answers == []
    bench.loop.until(answers, 2)
    assert answers == stored(1, 2)
    bench.store = bench.open()
    assert bench.inbox() == [1, 2]


def test_a_closed_store_refuses(bench: Bench) -> None:
    bench.store.close()
    bench.store.close()
    answers = bench.append(message(1))
    answers.append(bench.read(inbox_of()))
    assert [str(answer) for answer in answers] == ["the store is closed"] * 2
    assert all(isinstance(answer, StoreError) for answer in answers)


def test_closing_is_bounded(bench: Bench) -> None:
    may_end = threading.Event()
    bench.store.read(lambda _: may_end.wait(PATIENCE), lambda _: None)
    with pytest.raises(StoreError) as caught:
        bench.store.close(timeout=0.0)
    assert str(caught.value) == f"the store {bench.path} did not finish within 0.0 s"
    may_end.set()


@pytest.mark.parametrize("in_history", [True, False])
def test_the_latest_time(bench: Bench, in_history: bool) -> None:
    """The clock starts there, whatever the order of the messages and whoever got them."""
    assert bench.store.latest_time == 0
    bench.append(message(9, in_history=in_history), message(7), message(8, in_history=False))
    bench.restart()
    assert bench.store.latest_time == 9


def test_repeats_are_known_after_a_restart(bench: Bench) -> None:
    bench.append(message(1, unique_id=7))
    bench.restart()
    repeat = Stored(uid="UID-1", time=1, is_repeat=True)
    assert bench.append(message(2, unique_id=7), message(3)) == [repeat, *stored(3)]
    assert bench.inbox() == [1, 3]


def loop_of(backend: str) -> Callable[[Callable[[], None]], None]:
    """What makes the running loop call a function, from any thread."""
    if backend == "trio":
        return trio.lowlevel.current_trio_token().run_sync_soon
    loop = asyncio.get_running_loop()

    def call(function: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(function)

    return call


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_on_an_event_loop(tmp_path: Path, backend: str) -> None:
    """All answers come before it returns, though the loop's turn is not even over."""

    async def main() -> list[Any]:
        loop = loop_of(backend)
        store = Store.open(f"sqlite:///{tmp_path}/store.db", soon=loop, on_loop=loop)
        answers: list[Any] = []
        store.append(message(1), answers.append)
        store.read(inbox_of("nobody"), answers.append)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.aclose()
        return answers

    answers = anyio.run(main, backend=backend)
    assert len(answers) == 2
    assert stored(1)[0] in answers
    Bench(tmp_path).store.close()


def test_closing_on_an_event_loop_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CLOSE_SECONDS", 0.0)
    may_end = threading.Event()
    bench.store.read(lambda _: may_end.wait(PATIENCE), lambda _: None)
    with pytest.raises(StoreError, match="did not finish"):
        anyio.run(bench.store.aclose)
    may_end.set()
