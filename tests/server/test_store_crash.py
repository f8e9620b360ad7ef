"""A crash at any instant loses nothing that was acknowledged (architecture 2, rule 1)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from improto_server.store.database import Database
from improto_server.store.writer import Writer
from tests.server.store_tools import message

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import asyncio, sys
from improto_server.store import Store
from tests.server.store_tools import message

async def main(url):
    loop = asyncio.get_running_loop()
    store = Store.open(url, soon=loop.call_soon, on_loop=loop.call_soon_threadsafe)
    number = store.latest_time

    def append(_=None):
        nonlocal number
        number += 1
        store.append(message(number, unique_id=number), acknowledge)

    def acknowledge(stored):
        print(stored.time, flush=True)
        append()

    for _ in range(20):
        append()
    await loop.create_future()

asyncio.run(main(sys.argv[1]))
"""


def kept(path: Path) -> set[int]:
    """Times in bob's box; each must have its message."""
    with closing(Database.open(f"sqlite:///{path}", durable=True)) as database:
        reading = database.reading
        with reading.begin():
            entries = reading.exec_driver_sql("SELECT time, message FROM boxes").all()
            messages = reading.exec_driver_sql("SELECT time, id FROM messages").all()
            damage = reading.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    assert sorted(entries) == sorted(messages)
    assert damage == ["ok"]
    return {time for time, _ in entries}


def test_a_killed_server(tmp_path: Path) -> None:
    """Three times, in the middle of its work."""
    path = tmp_path / "store.db"
    acknowledged: set[int] = set()
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, f"sqlite:///{path}"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as server:
            assert server.stdout is not None
            lines = [server.stdout.readline() for _ in range(200)]
            server.kill()
            lines += server.stdout.readlines()
        # The last line may be cut.
        times = {int(line) for line in lines if line.endswith(b"\n")}
        assert len(times) >= 200
        assert not times & acknowledged
        acknowledged |= times
        assert acknowledged <= kept(path)


@pytest.mark.parametrize("durable", [True, False])
def test_the_files_at_every_acknowledgement(tmp_path: Path, durable: bool) -> None:
    """A copy of the files as they are then has everything acknowledged, and nothing half."""
    path = tmp_path / "store.db"
    with closing(Database.open(f"sqlite:///{path}", durable=durable)) as database:
        writer = Writer(database.writing)
        for time in range(0, 30, 3):
            writer.work([message(time + more, sender=f"user{time}") for more in (1, 2, 3)])
            copy = tmp_path / f"copy{time}" / "store.db"
            copy.parent.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
            assert kept(copy) == set(range(1, time + 4))


def test_a_log_that_is_cut_anywhere(tmp_path: Path) -> None:
    """As after a power cut. Batches are whole, and those before the cut are there."""
    path = tmp_path / "store.db"
    sizes = {0: 0}
    with closing(Database.open(f"sqlite:///{path}", durable=True)) as database:
        # What is there at the beginning must not be in the log.
        database.writing.exec_driver_sql("PRAGMA user_version")
        database.writing.rollback()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer = Writer(database.writing)
        for batch in range(1, 6):
            writer.work([message(10 * batch + more) for more in (1, 2, 3)])
            sizes[batch] = os.path.getsize(f"{path}-wal")
        log = (tmp_path / "store.db-wal").read_bytes()
        whole = path.read_bytes()
    step = len(log) // 40
    for number, cut in enumerate(range(0, len(log) + step, step)):
        copy = tmp_path / f"copy{number}" / "store.db"
        copy.parent.mkdir()
        copy.write_bytes(whole)
        copy.with_name("store.db-wal").write_bytes(log[:cut])
        complete = [batch for batch, size in sizes.items() if batch and size <= cut]
        assert kept(copy) == {10 * batch + more for batch in complete for more in (1, 2, 3)}
