"""The event stream: who is told of what, and when it is forgotten (sdk5 4, 7, 12)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.operations import Topic
from improto_server.steps import start
from improto_server.store import events as table
from improto_server.store import names, retention
from improto_server.store.database import Database, transaction
from improto_server.store.retention import Forgetting
from improto_server.store.writer import Writer
from tests.server.conversation_tools import status
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

NEW = "5.38.0"


def tell(rig: Rig, *users: str, name: str = "crew", but: Client | None = None) -> int:
    """The event's time."""
    change = payloads.EventChange(businessId=name, changeType=11, operatorId="carol")
    device = None
    if but is not None:
        online = rig.hub.find((APP, users[0]))
        assert online is not None
        (device,) = [each for each in online.devices if each.peer is but.peer]
    rig.do(rig.system.events.tell(APP, users, change, but=device))
    return change.time


def pull(client: Client, after: int) -> tuple[list[tuple[str, int]], int, bool]:
    """Names and times of the events, where to go on, and whether there is more."""
    request = payloads.QueryMsgChange(syncTime=after)
    reply = client.ask(Topic.PULL_EVENT_CHANGE, request, payloads.EventChangeList)
    assert reply.HasField("syncTime")
    return [(each.businessId, each.time) for each in reply.list], reply.syncTime, reply.hasNext


def commands(client: Client) -> list[tuple[int, int]]:
    notices = [
        payloads.decode(payloads.NotifyMsg, delivery.data)
        for delivery in client.deliveries(Topic.S_CMD)
    ]
    return [(notice.type, notice.time) for notice in notices]


def test_who_is_online_is_told_to_ask(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    _, end, _ = pull(alice, 0)
    assert end == 1
    time = tell(rig, "alice", "carol", "alice")
    assert commands(alice) == [(CommandType.EVENTS, time)]
    assert commands(bob) == []
    assert pull(alice, end) == ([("crew", time)], time, False)
    assert pull(alice, time) == ([], time, False)
    assert pull(bob, end) == ([], end, False)


def test_nobody_is_told_of_what_concerns_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert tell(rig) == 0


def test_older_sdks_are_not_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    old, middle, new = (rig.online("alice", sdk) for sdk in ("2.9.2", "4.6.4", NEW))
    time = tell(rig, "alice")
    assert [commands(each) for each in (old, middle, new)] == [
        [],
        [],
        [(CommandType.EVENTS, time)],
    ]


def test_the_device_that_has_caused_it_is_not_told_but_finds_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice", NEW), rig.online("alice", NEW)
    time = tell(rig, "alice", but=first)
    assert commands(first) == []
    assert commands(second) == [(CommandType.EVENTS, time)]
    assert pull(first, 1) == ([("crew", time)], time, False)


def test_a_page_that_is_loaded_anew_begins_at_the_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    time = tell(rig, "alice")
    alice = rig.online("alice", NEW)
    assert pull(alice, 0) == ([], time, False)
    later = tell(rig, "alice")
    assert pull(alice, time) == ([("crew", later)], later, False)


def test_whoever_was_away_finds_what_has_happened(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    first = tell(rig, "alice")
    alice.leave()
    second, third = tell(rig, "alice", name="b"), tell(rig, "alice", name="c")
    assert first < second < third, "on a clock that stands still"
    alice = rig.online("alice", NEW)
    assert pull(alice, first) == ([("b", second), ("c", third)], third, False)


def test_times_rise_for_each_user_even_if_the_events_are_under_way(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    changes = [payloads.EventChange(businessId=str(number)) for number in range(3)]
    for change in changes[:2]:
        start(rig.system.events.tell(APP, ["alice"], change), lambda _: None)
    rig.do(rig.system.events.tell(APP, ["alice"], changes[2]))
    found, _, _ = pull(alice, 1)
    assert found == [(str(number), START + number) for number in range(3)]


def test_the_stream_has_pages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    times = [tell(rig, "alice") for _ in range(table.PAGE_EVENTS + 1)]
    found, edge, has_more = pull(alice, 1)
    assert [time for _, time in found] == times[:-1]
    assert (edge, has_more) == (times[-2], True)
    assert pull(alice, edge) == ([("crew", times[-1])], times[-1], False)


def test_a_page_has_at_most_so_many_bytes_but_one_event_at_least(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    sizes = [table.PAGE_BYTES // 2, table.PAGE_BYTES // 3, table.PAGE_BYTES + 1, 10]
    times = [tell(rig, "alice", name="x" * size) for size in sizes]
    after, pages = 1, []
    while True:
        found, after, has_more = pull(alice, after)
        pages.append([time for _, time in found])
        if not has_more:
            break
    assert pages == [times[:2], [times[2]], [times[3]]]


def test_a_time_that_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    request = payloads.QueryMsgChange(syncTime=-1)
    assert status(alice, Topic.PULL_EVENT_CHANGE, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert pull(alice, 2**62) == ([], 2**62, False), "never back"


class Bench:
    """A store without a server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = Writer(database.writing)

    def add(self, time: int, *readers: str) -> None:
        def change(connection: Connection) -> None:
            table.add(connection, app=APP, readers=readers, time=time, item=b"x")

        self.writer.work([change])

    def forget(self, before: int) -> None:
        state = Forgetting(before=before)
        while not state.is_finished:
            [answer] = self.writer.work([state])
            assert isinstance(answer, Forgetting)
            state = answer

    def times(self, reader: str) -> list[int]:
        connection = self.database.reading
        with transaction(connection):
            owner = names.user_id(connection, APP, reader)
            rows = table.event_readers.c
            return [
                *connection.scalars(select(rows.time).where(rows.owner == owner).order_by("time"))
            ]

    def bodies(self) -> int:
        connection = self.database.reading
        with transaction(connection):
            return connection.scalar(select(func.count()).select_from(table.events)) or 0


@pytest.mark.parametrize("rows", [1, 2, 1000])
@pytest.mark.parametrize("users", [1, 2, 100])
def test_what_is_old_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, users: int
) -> None:
    monkeypatch.setattr(retention, "SLICE_ROWS", rows)
    monkeypatch.setattr(table, "USERS_AT_ONCE", users)
    with closing(Database.open(f"sqlite:///{tmp_path}/store.db", durable=False)) as database:
        bench = Bench(database)
        bench.add(1, "alice", "bob", "carol")
        bench.add(2, "bob")
        bench.add(3, "bob", "carol")
        bench.forget(3)
        assert [bench.times(name) for name in ("alice", "bob", "carol")] == [[], [3], [3]]
        assert bench.bodies() == 1


def test_of_many_events_the_newest_stay(tmp_path: Path) -> None:
    with closing(Database.open(f"sqlite:///{tmp_path}/store.db", durable=False)) as database:
        bench = Bench(database)
        for time in range(1, table.MOST_EVENTS + 3):
            bench.add(time, "alice")
        bench.add(1, "bob")
        bench.forget(0)
        assert bench.times("alice") == [*range(3, table.MOST_EVENTS + 3)]
        assert bench.times("bob") == [1]


def test_no_table_is_scanned(tmp_path: Path) -> None:
    with closing(Database.open(f"sqlite:///{tmp_path}/store.db", durable=False)) as database:
        bench = Bench(database)
        bench.add(1, "alice")
        with query_plans(database.writing) as plans:
            bench.add(2, "alice")
            bench.forget(2)
        connection = database.reading
        with query_plans(connection) as reading, transaction(connection):
            table.page(connection, app=APP, reader="alice", after=0)
            table.newest(connection, app=APP, reader="alice")
        assert [line for line in [*plans, *reading] if line.startswith(("SCAN", "USE TEMP"))] == []
