"""What is written and how it is found again. No threads: writer and queries by themselves."""

from __future__ import annotations

from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from improto.codes import ConversationType
from improto.contents import UpFlag
from improto.messages import MessageDirection
from improto_server.store import HistoryPage, InboxPage, NewMessage, Stored, StoreError, schema
from improto_server.store import writer as writer_module
from improto_server.store.database import Database, driver_of
from improto_server.store.queries import PAGE_BYTES, history, inbox_after
from improto_server.store.writer import Writer, why_unstorable
from tests.server.store_tools import message, query_plans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENT, RECEIVED = MessageDirection.SENT, MessageDirection.RECEIVED


class Bench:
    """A store without threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = Writer(database.writing)

    def write(self, *new: NewMessage) -> list[Any]:
        return self.writer.work(new)

    def inbox(self, owner: str = "bob", **changes: Any) -> InboxPage:
        arguments: dict[str, Any] = {
            "app": "app",
            "owner": owner,
            "received_after": 0,
            "sent_after": None,
            "limit": 100,
        }
        with self.database.reading.begin():
            return inbox_after(self.database.reading, **(arguments | changes))

    def history(self, reader: str = "bob", target: str = "alice", **changes: Any) -> HistoryPage:
        arguments: dict[str, Any] = {
            "app": "app",
            "type": ConversationType.PRIVATE,
            "reader": reader,
            "target": target,
            "count": 100,
        }
        with self.database.reading.begin():
            return history(self.database.reading, **(arguments | changes))

    def newest(self, owner: str, *, with_sent: bool, app: str = "app") -> int:
        with self.database.reading.begin():
            page = inbox_after(
                self.database.reading,
                app=app,
                owner=owner,
                received_after=0,
                sent_after=0 if with_sent else None,
                limit=1,
            )
            return page.newest

    def rows(self, table: Any) -> int:
        with self.database.reading.begin():
            return self.database.reading.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Database.open(f"sqlite:///{tmp_path}/store.db", durable=False)) as database:
        yield Bench(database)


def times(page: InboxPage | HistoryPage) -> list[int]:
    return [item.time for item in page.items]


# -- inboxes ---------------------------------------------------------------------------


def test_a_message_as_its_receiver_finds_it(bench: Bench) -> None:
    [stored] = bench.write(message(5))
    assert stored == Stored(uid="UID-5", time=5, is_repeat=False)
    page = bench.inbox()
    assert page.newest == 5
    assert page.is_finished
    [item] = page.items
    assert (item.time, item.direction, item.type) == (5, RECEIVED, 1)
    assert (item.sender, item.target, item.item) == ("alice", "bob", b"item 5")
    assert item.direction is RECEIVED


def test_its_sender_finds_it_only_in_a_sent_box(bench: Bench) -> None:
    bench.write(message(5), message(6, sent_box=True))
    assert bench.inbox("alice").items == ()
    [item] = bench.inbox("alice", sent_after=0).items
    assert (item.time, item.direction) == (6, SENT)
    assert (item.sender, item.target, item.item) == ("alice", "bob", b"item 6")
    assert item.direction is SENT


def test_an_inbox_that_never_was(bench: Bench) -> None:
    assert bench.inbox("nobody") == InboxPage(items=(), newest=0, is_finished=True)
    assert bench.newest("nobody", with_sent=True) == 0


def test_a_user_who_only_sends_has_an_empty_inbox(bench: Bench) -> None:
    bench.write(message(5))
    assert bench.inbox("alice", sent_after=0) == InboxPage(items=(), newest=0, is_finished=True)


def test_both_directions_are_merged_by_time(bench: Bench) -> None:
    bench.write(
        message(1),
        message(2, sender="bob", target="alice", receivers=("alice",), sent_box=True),
        message(3),
        message(4, sender="bob", target="carol", receivers=("carol",), sent_box=True),
    )
    page = bench.inbox(sent_after=0)
    assert [(item.time, item.direction, item.target) for item in page.items] == [
        (1, RECEIVED, "bob"),
        (2, SENT, "alice"),
        (3, RECEIVED, "bob"),
        (4, SENT, "carol"),
    ]
    assert times(bench.inbox(received_after=1, sent_after=2)) == [3, 4]
    assert times(bench.inbox(received_after=3, sent_after=0)) == [2, 4]
    assert times(bench.inbox(received_after=0, sent_after=4)) == [1, 3]
    assert times(bench.inbox()) == [1, 3]


@pytest.mark.parametrize(
    ("received_after", "limit", "expected", "is_finished"),
    [
        (0, 2, [1, 2], False),
        (2, 2, [3, 4], True),
        (3, 2, [4], True),
        (4, 2, [], True),
        (99, 2, [], True),
        (0, 4, [1, 2, 3, 4], True),
        (0, 3, [1, 2, 3], False),
        (0, 1, [1], False),
    ],
)
def test_pages_by_number(
    bench: Bench, received_after: int, limit: int, expected: list[int], is_finished: bool
) -> None:
    bench.write(*(message(time) for time in (1, 2, 3, 4)))
    page = bench.inbox(received_after=received_after, limit=limit)
    assert (times(page), page.is_finished, page.newest) == (expected, is_finished, 4)


@pytest.mark.parametrize(
    ("max_bytes", "expected", "is_finished"),
    [
        (0, [1], False),
        (99, [1], False),
        (100, [1], False),
        (199, [1], False),
        (200, [1, 2], False),
        (300, [1, 2, 3], True),
        (PAGE_BYTES, [1, 2, 3], True),
    ],
)
def test_pages_by_size(
    bench: Bench, max_bytes: int, expected: list[int], is_finished: bool
) -> None:
    """There is always one item, or a large one would end the reading for ever."""
    bench.write(*(message(time, item=bytes(100)) for time in (1, 2, 3)))
    page = bench.inbox(max_bytes=max_bytes)
    assert (times(page), page.is_finished) == (expected, is_finished)


def test_the_newest_counts_what_was_asked_for(bench: Bench) -> None:
    bench.write(
        message(1),
        message(2, sender="bob", target="alice", receivers=("alice",), sent_box=True),
    )
    assert bench.inbox(received_after=9).newest == 1
    assert bench.inbox(received_after=9, sent_after=9).newest == 2
    assert bench.newest("bob", with_sent=False) == 1
    assert bench.newest("bob", with_sent=True) == 2
    assert bench.newest("alice", with_sent=False) == 2


def test_equal_times_in_different_boxes(bench: Bench) -> None:
    bench.write(
        message(7),
        message(7, uid="other", sender="carol", target="dave", receivers=("dave",), item=b"other"),
        message(7, uid="own", sender="erin", target="bob", receivers=("erin",), sent_box=True),
    )
    assert [item.item for item in bench.inbox("bob").items] == [b"item 7"]
    assert [item.item for item in bench.inbox("dave").items] == [b"other"]
    assert [item.direction for item in bench.inbox("erin", sent_after=0).items] in (
        [SENT, RECEIVED],
        [RECEIVED, SENT],
    )


def test_apps_know_nothing_of_each_other(bench: Bench) -> None:
    bench.write(message(1), message(2, app="other"))
    assert times(bench.inbox()) == [1]
    assert times(bench.inbox(app="other")) == [2]
    assert times(bench.history()) == [1]
    assert times(bench.history(app="other")) == [2]
    assert bench.newest("bob", with_sent=True, app="other") == 2


def test_many_receivers(bench: Bench) -> None:
    group = message(
        3, type=ConversationType.GROUP, target="team", receivers=("bob", "carol", "bob", "dave")
    )
    bench.write(group)
    for owner in ("bob", "carol", "dave"):
        [item] = bench.inbox(owner).items
        assert (item.type, item.sender, item.target) == (3, "alice", "team")
    assert bench.rows(schema.boxes) == 3
    assert bench.rows(schema.messages) == 1


def test_no_receivers(bench: Bench) -> None:
    bench.write(message(1, receivers=()))
    assert bench.inbox().items == ()
    assert times(bench.history()) == [1]


def test_a_message_to_oneself(bench: Bench) -> None:
    bench.write(message(1, target="alice", receivers=("alice",), sent_box=True))
    assert sorted(item.direction for item in bench.inbox("alice", sent_after=0).items) == [1, 2]
    [item] = bench.history("alice", "alice").items
    assert (item.direction, item.sender, item.target) == (SENT, "alice", "alice")


def test_a_group_with_the_name_of_a_member(bench: Bench) -> None:
    bench.write(message(1, type=ConversationType.GROUP, target="alice"))
    assert [item.target for item in bench.inbox().items] == ["alice"]


def test_numbers_that_are_enums(bench: Bench) -> None:
    bench.write(message(1, flags=UpFlag.STORED | UpFlag.COUNTED, type=ConversationType.PRIVATE))
    bench.write(message(2, flags=3, type=1))
    assert times(bench.history()) == [2, 1]


# -- repeats ---------------------------------------------------------------------------


def test_a_repeat_is_answered_with_the_first(bench: Bench) -> None:
    bench.write(message(1, unique_id=77))
    [repeat] = bench.write(message(2, unique_id=77))
    assert repeat == Stored(uid="UID-1", time=1, is_repeat=True)
    assert times(bench.inbox()) == [1]
    assert times(bench.history()) == [1]
    assert bench.newest("bob", with_sent=False) == 1


def test_repeats_inside_one_batch(bench: Bench) -> None:
    answers = bench.write(
        message(1, unique_id=77),
        message(2, unique_id=78),
        message(3, unique_id=77),
        message(4),
        message(5, unique_id=77),
        message(6),
    )
    assert [(answer.uid, answer.time, answer.is_repeat) for answer in answers] == [
        ("UID-1", 1, False),
        ("UID-2", 2, False),
        ("UID-1", 1, True),
        ("UID-4", 4, False),
        ("UID-1", 1, True),
        ("UID-6", 6, False),
    ]
    assert times(bench.inbox()) == [1, 2, 4, 6]


def test_whose_unique_id_it_is(bench: Bench) -> None:
    answers = bench.write(
        message(1, unique_id=77),
        message(2, unique_id=77, sender="bob"),
        message(3, unique_id=77, app="other"),
        message(4, unique_id=-(2**63)),
        message(5, unique_id=2**63 - 1),
    )
    assert [answer.is_repeat for answer in answers] == [False] * 5


def test_messages_without_unique_ids_are_no_repeats(bench: Bench) -> None:
    answers = bench.write(message(1, unique_id=0), message(2), message(3), message(4, unique_id=0))
    assert [answer.is_repeat for answer in answers] == [False, False, False, True]


def test_the_receivers_of_a_repeat_are_not_even_looked_at(bench: Bench) -> None:
    bench.write(message(1, unique_id=77))
    bench.write(message(2, unique_id=77, receivers=("carol",)))
    assert bench.inbox("carol") == InboxPage(items=(), newest=0, is_finished=True)


# -- history ---------------------------------------------------------------------------


def test_both_sides_read_the_same_history(bench: Bench) -> None:
    bench.write(message(1), message(2, sender="bob", target="alice", receivers=("alice",)))
    assert [
        (item.time, item.direction, item.sender, item.target)
        for item in bench.history("bob", "alice").items
    ] == [(2, SENT, "bob", "alice"), (1, RECEIVED, "alice", "bob")]
    assert [(item.time, item.direction) for item in bench.history("alice", "bob").items] == [
        (2, RECEIVED),
        (1, SENT),
    ]


@pytest.mark.parametrize(
    ("edges", "expected", "has_more"),
    [
        ({}, [5, 4], True),
        ({"before": 5}, [4, 3], True),
        ({"before": 3}, [2, 1], False),
        ({"before": 2}, [1], False),
        ({"before": 1}, [], False),
        ({"after": 0}, [2, 1], True),
        ({"after": 2}, [4, 3], True),
        ({"after": 3}, [5, 4], False),
        ({"after": 5}, [], False),
    ],
)
def test_history_goes_both_ways(
    bench: Bench, edges: dict[str, Any], expected: list[int], has_more: bool
) -> None:
    bench.write(*(message(time) for time in (1, 2, 3, 4, 5)))
    page = bench.history(count=2, **edges)
    assert (times(page), page.has_more) == (expected, has_more)


def test_history_goes_one_way_at_a_time(bench: Bench) -> None:
    with pytest.raises(ValueError, match="not both"):
        bench.history(before=1, after=1)


def test_history_is_cut_by_size(bench: Bench) -> None:
    bench.write(*(message(time, item=bytes(100)) for time in (1, 2, 3)))
    assert times(bench.history(max_bytes=250)) == [3, 2]
    assert bench.history(max_bytes=250).has_more
    assert times(bench.history(max_bytes=250, after=0)) == [2, 1]
    assert times(bench.history(max_bytes=0)) == [3]


def test_what_is_not_in_history(bench: Bench) -> None:
    bench.write(message(1), message(2, in_history=False), message(3))
    assert times(bench.history()) == [3, 1]
    assert times(bench.inbox()) == [1, 2, 3]


def test_a_conversation_that_never_was(bench: Bench) -> None:
    bench.write(message(1))
    assert bench.history("carol", "bob") == HistoryPage(items=(), has_more=False)
    assert bench.history(type=ConversationType.GROUP).items == ()


@pytest.mark.parametrize(
    ("type", "is_shared"),
    [(type, type in {2, 3, 4, 10, 12}) for type in ConversationType] + [(77, False)],
)
def test_places_are_shared_and_pairs_are_not(bench: Bench, type: int, is_shared: bool) -> None:
    """messages 1: of some types the target is a place, of the others one of the two."""
    bench.write(
        message(1, type=type, sender="alice", target="there"),
        message(2, type=type, sender="bob", target="there"),
        message(3, type=type, sender="there", target="bob"),
    )
    expected = [2, 1] if is_shared else [3, 2]
    page = bench.history("bob", "there", type=type)
    assert times(page) == expected
    assert page.items[-1].target == "there"


# -- the writer's memory ---------------------------------------------------------------


def test_everything_is_known_to_another_writer(bench: Bench) -> None:
    """As after a restart."""
    bench.write(message(1, unique_id=77))
    bench.writer = Writer(bench.database.writing)
    first, second = bench.write(message(2, unique_id=77), message(3))
    assert first == Stored(uid="UID-1", time=1, is_repeat=True)
    assert second == Stored(uid="UID-3", time=3, is_repeat=False)
    assert times(bench.inbox()) == [1, 3]
    assert bench.rows(schema.users) == 2
    assert bench.rows(schema.conversations) == 1


def test_a_writer_with_little_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "NAMES_REMEMBERED", 2)
    for time in range(1, 9):
        bench.write(message(time, sender=f"user{time % 3}"))
    assert times(bench.inbox()) == list(range(1, 9))
    assert bench.rows(schema.users) == 4
    assert bench.rows(schema.conversations) == 3


def test_a_failed_batch_leaves_no_trace(bench: Bench) -> None:
    """Numbers handed out inside it would point to nothing, or to somebody else."""
    with pytest.raises(Exception, match="NOT NULL"):
        bench.write(
            message(1, unique_id=77, sender="carol", target="dave", receivers=("dave",)),
            message(2, item=None),
        )
    assert bench.rows(schema.users) == 0
    answers = bench.write(message(3, unique_id=77, sender="erin", target="dave"), message(4))
    assert [answer.is_repeat for answer in answers] == [False, False]
    assert times(bench.history("dave", "erin")) == [3]
    assert bench.history("dave", "carol").items == ()


def test_nothing_to_write(bench: Bench) -> None:
    assert bench.write() == []
    refused = StoreError("no")
    assert bench.writer.work([refused, message(1), refused]) == [
        refused,
        Stored(uid="UID-1", time=1, is_repeat=False),
        refused,
    ]


@pytest.mark.parametrize(
    "changes",
    [{field: "half \ud83d"} for field in ("app", "uid", "sender", "target", "object_name")]
    + [{"receivers": ("bob", "\udc00")}],
    ids=lambda changes: next(iter(changes)),
)
def test_text_that_cannot_be_stored(changes: dict[str, Any]) -> None:
    assert why_unstorable(message(1, **changes)) == (
        "names in a message must be text without halves of surrogate pairs"
    )


@pytest.mark.parametrize("unique_id", [2**63, -(2**63) - 1])
def test_numbers_that_cannot_be_stored(unique_id: int) -> None:
    assert why_unstorable(message(1, unique_id=unique_id)) == (
        f"unique_id must be from -2**63 to 2**63-1, not {unique_id}"
    )


def test_text_that_can_be_stored(bench: Bench) -> None:
    strange = message(1, sender="\0", target="\U0001f600", receivers=("\U0001f600", "", "%s?:x"))
    assert why_unstorable(strange) is None
    bench.write(strange)
    for owner in strange.receivers:
        [item] = bench.inbox(owner).items
        assert (item.sender, item.target) == ("\0", "\U0001f600")


# -- cost ------------------------------------------------------------------------------


def test_queries_read_no_more_than_they_return(bench: Bench) -> None:
    """Every statement is served by an index in the right order, and sorts nothing."""
    bench.write(*(message(time) for time in range(1, 5)))
    with query_plans(bench.database.reading) as plans:
        bench.inbox(sent_after=0)
        bench.history()
        bench.history(after=1)
    assert "MERGE (UNION ALL)" in plans
    assert [plan for plan in plans if plan.startswith(("SCAN", "USE TEMP"))] == []


def test_a_batch_of_known_names_takes_three_statements(bench: Bench) -> None:
    bench.write(message(1))
    statements: list[str] = []
    driver = driver_of(bench.database.writing)
    driver.set_trace_callback(statements.append)
    bench.write(*(message(time, unique_id=time) for time in range(2, 66)))
    driver.set_trace_callback(None)
    heads = (" ".join(statement.split(" (")[0].split()[:3]) for statement in statements)
    assert [(head, len(list(rows))) for head, rows in groupby(heads)] == [
        ("BEGIN", 1),
        ("INSERT INTO messages", 64),
        ("INSERT INTO boxes", 64),
        ("UPDATE views SET", 1),
        ("COMMIT", 1),
    ]
