"""Both stores do what a store promises, and files that are none are named."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from improto.messages import Conversation, MessageDirection
from improto_client.errors import (
    DamagedStore,
    LockedStore,
    NewerStore,
    StoreError,
    UnusableStore,
)
from improto_client.store import MemoryStore, SqliteStore, check, sqlite
from improto_client.store.base import PASSING_KEPT, ConversationRecord
from improto_client.store.conformance import record

if TYPE_CHECKING:
    from pathlib import Path

BOB, TEAM = Conversation.private("bob"), Conversation.group("team")


def test_a_store_in_memory_keeps_its_promises() -> None:
    store = MemoryStore()
    check(lambda: store, rolls_back=False)


def test_a_store_in_a_file_keeps_its_promises(tmp_path: Path) -> None:
    check(lambda: SqliteStore(tmp_path / "a.db"))


def test_a_store_that_forgets_is_found_out() -> None:
    class Forgetful(MemoryStore):
        def close(self) -> None:
            self.wipe()

    store = Forgetful()
    check(lambda: store, is_durable=False, rolls_back=False)
    with pytest.raises(AssertionError, match="loses values"):
        check(lambda: store, rolls_back=False)
    with pytest.raises(AssertionError, match="that was left"):
        check(MemoryStore, is_durable=False)


# -- memory -------------------------------------------------------------------------------------


def test_memory_is_bounded_in_each_conversation() -> None:
    store = MemoryStore(messages=2)
    for time in range(1, 5):
        store.add(record(time, uid=str(time)))
    store.add(record(9, conversation=TEAM))
    assert [each.raw.time for each in store.page(BOB, before=None, count=9)] == [4, 3]
    assert store.by_uid("2") is None
    assert len(store.page(TEAM, before=None, count=9)) == 1


def test_memory_keeps_what_is_open_until_it_is_taken() -> None:
    store = MemoryStore(messages=1)
    first = store.add(record(1, uid="1", is_open=True))
    store.add(record(2, uid="2"))
    assert [each.raw.time for each in store.page(BOB, before=None, count=9)] == [2]
    assert [each.id for each in store.waiting()] == [first]
    store.take([first])
    assert store.waiting() == []
    assert store.by_uid("1") is not None


def test_memory_has_so_many_conversations() -> None:
    store = MemoryStore(conversations=2)
    for name in "abac":
        place = Conversation.private(name)
        store.add(record(1, conversation=place))
        store.set_conversation(ConversationRecord(conversation=place, is_listed=True))
    left = {name for name in "abc" if store.page(Conversation.private(name), before=None, count=1)}
    assert left == {"a", "c"}
    assert store.conversation(Conversation.private("b")) is None
    for number in range(9):
        place = Conversation.private(f"draft {number}")
        store.set_conversation(ConversationRecord(conversation=place, time=number, draft="x"))
    assert store.conversation(place) is not None
    assert store.conversation(Conversation.private("draft 1")) is None


def test_memory_moves_a_message_that_changes_its_conversation() -> None:
    store = MemoryStore()
    number = store.add(record(1))
    store.change(record(1, id=number, conversation=TEAM))
    assert store.page(BOB, before=None, count=1) == []
    assert len(store.page(TEAM, before=None, count=1)) == 1


def test_memory_must_keep_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MemoryStore(messages=0)
    with pytest.raises(ValueError, match="at least one"):
        MemoryStore(conversations=0)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_of_what_has_passed_the_newest_uids_are_kept(kind: str, tmp_path: Path) -> None:
    store: Any = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "a.db")
    store.open()
    with store.transaction():
        for number in range(2 * PASSING_KEPT):
            store.add(record(1, uid=str(number), is_kept=False))
        assert store.by_uid(str(PASSING_KEPT - 1)) is None
        assert store.by_uid(str(PASSING_KEPT)) is not None
    store.close()


# -- SQLite -------------------------------------------------------------------------------------


def failure(path: Path) -> StoreError:
    """What opening says."""
    with pytest.raises(StoreError) as error:
        SqliteStore(path).open()
    assert str(path) in str(error.value)
    assert error.value.advice
    assert error.value.name == "BIZ_ERROR_DATABASE_ERROR"
    return error.value


def test_a_file_that_is_open_is_locked(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.open()
    assert isinstance(failure(tmp_path / "a.db"), LockedStore)
    store.close()
    store.open()
    store.close()


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"something else, and long enough to be looked at" * 50)
    before = path.read_bytes()
    assert isinstance(failure(path), DamagedStore)
    assert path.read_bytes() == before


def test_a_file_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    assert isinstance(failure(path), DamagedStore)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    other.close()


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.open()
    store.close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {sqlite.VERSION + 1}")
    newer.close()
    assert isinstance(failure(path), NewerStore)


def test_a_file_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.open()
    with store.transaction():
        store.set_value("kind", "key", "text")
    store.close()
    scripts = ("ALTER TABLE texts ADD COLUMN more TEXT;\nCREATE INDEX mores ON texts (more);\n",)
    monkeypatch.setattr(sqlite, "_UPGRADES", scripts)
    monkeypatch.setattr(sqlite, "VERSION", 2)
    for _ in range(2):
        store.open()
        with store.transaction():
            assert store.value("kind", "key") == "text"
            (columns,) = store._do("SELECT count(more) FROM texts").fetchone()
            assert columns == 0
        store.close()


def test_no_directory_and_no_permission(tmp_path: Path) -> None:
    assert isinstance(failure(tmp_path / "none" / "a.db"), UnusableStore)
    assert isinstance(failure(tmp_path), UnusableStore)


def test_a_file_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.open()
    store.close()
    connect = sqlite3.connect
    # Whoever runs tests may write everything, so SQLite itself has to say no.
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options),
    )
    assert isinstance(failure(path), UnusableStore)


def test_a_full_disk_takes_nothing_back_that_was_kept(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.open()
    with store.transaction():
        store.add(record(1, uid="1"))
    (pages,) = store._do("PRAGMA page_count").fetchone()
    store._do(f"PRAGMA max_page_count = {pages + 2}").fetchall()

    def fill() -> None:
        with store.transaction():
            for number in range(2, 500):
                store.add(record(number, uid=str(number), text="x" * 1000))

    with pytest.raises(UnusableStore, match="full"):
        fill()
    with store.transaction():
        assert store.recent_uids(9) == ["1"]
    store.close()


def test_a_store_that_is_not_open(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    with pytest.raises(UnusableStore, match="not open"), store.transaction():
        pass


def test_closing_in_the_middle_is_named(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.open()
    with pytest.raises(UnusableStore, match="not open"), store.transaction():
        store.close()


def test_own_messages_are_found_by_their_unique_id_and_others_are_not(tmp_path: Path) -> None:
    for store in (MemoryStore(), SqliteStore(tmp_path / "a.db")):
        store.open()
        with store.transaction():
            theirs = record(1)
            theirs.raw = replace(theirs.raw, unique_id=7)
            store.add(theirs)
            assert store.by_unique_id(7) is None
            own = record(1)
            own.raw = replace(own.raw, unique_id=7, direction=MessageDirection.SENT)
            number = store.add(own)
            found = store.by_unique_id(7)
            assert found is not None
            assert found.id == number
        store.close()
