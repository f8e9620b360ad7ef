"""A disk that fills up while the server runs, and then has room again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from improto.codes import ErrorCode
from improto.frames import PubAck
from improto_server.store import Store
from tests.server.rig import Rig
from tests.server.store_tools import HandLoop, listening, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

LARGE = 100_000
"""Bytes that do not fit into what a file has left."""


class Disk:
    """Files may grow on it until :meth:`fill`, and then after :meth:`clear`."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []

    def connected(self, raw: sqlite3.Connection, _: Any) -> None:
        self.connections.append(raw)

    def fill(self) -> None:
        self._limit(1)

    def clear(self) -> None:
        self._limit(1_000_000)

    def _limit(self, pages: int) -> None:
        for raw in self.connections:
            # A limit below the size is one at the size.
            raw.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    with listening("connect", disk.connected):
        yield disk


def test_changes_of_a_batch_are_told_the_reason(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Although SQLite has forgotten what it should have undone."""
    loop = HandLoop()
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}", soon=loop.soon, on_loop=loop.on_loop)
    answers: list[Any] = []

    def change(statement: str, connection: Connection) -> str:
        connection.execute(text(statement))
        return "done"

    small = partial(change, "INSERT INTO users (app, name) VALUES ('app', 'zoe')")
    large = partial(change, f"INSERT INTO users (app, name) VALUES ('a', zeroblob({LARGE}))")
    disk.fill()
    store.append(message(1), answers.append)
    for wanted in (small, large, small):
        store.write(wanted, answers.append)
    loop.until(answers, 4)
    assert [str(answer) for answer in answers] == [
        f"the store {path} cannot grow: database or disk is full"
    ] * 4
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    disk.clear()
    answers.clear()
    for wanted in (small, large):
        store.write(wanted, answers.append)
    loop.until(answers, 2)
    assert answers == ["done", "done"]
    store.close()


def statuses(client: Client) -> list[int]:
    return [frame.status for frame in client.frames() if isinstance(frame, PubAck)]


def test_senders_are_told_and_the_server_lives(disk: Disk, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", "before")
    rig.settle()
    assert alice.ack().status == 0
    disk.fill()
    alice.publish("bob", "x" * LARGE, clientUniqueId=7)
    alice.publish("bob", "in the same batch", clientUniqueId=8)
    rig.settle()
    assert statuses(alice) == [ErrorCode.INTERNALERRROR] * 2
    assert [each.content for each in rig.client("bob").pull_all()] == [b"before"]
    disk.clear()
    alice.publish("bob", "x" * LARGE, clientUniqueId=7)
    alice.publish("bob", "in the same batch", clientUniqueId=8)
    rig.settle()
    assert statuses(alice) == [0, 0]
    found = [each.content for each in rig.client("bob").pull_all()]
    assert found == [b"before", b"x" * LARGE, b"in the same batch"]


SERVER = """
import asyncio, json, sys
from pathlib import Path
from improto_server.store import Store, StoreError
from tests.server.store_tools import message

async def main(directory):
    loop = asyncio.get_running_loop()
    path = directory / "store.db"
    store = Store.open(f"sqlite:///{path}", soon=loop.call_soon, on_loop=loop.call_soon_threadsafe)
    acknowledged, errors = [], []

    async def append(number):
        answered = loop.create_future()
        store.append(message(number, item=bytes(3000)), answered.set_result)
        answer = await answered
        if isinstance(answer, StoreError):
            errors.append(str(answer))
        else:
            acknowledged.append(answer.time)

    ballast = directory / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    number = 0
    while len(errors) < 5:
        batch = range(number, number := number + 4)
        await asyncio.gather(*map(append, batch))
    before = len(acknowledged)
    ballast.unlink()
    for number in range(number, number + 10):
        await append(number)
    await store.aclose()
    print(json.dumps([before, acknowledged, errors]))

asyncio.run(main(Path(sys.argv[1])))
"""

TINY_DISK = 'mount -t tmpfs -o size=3m none "$1" && "$2" -c "$3" "$1" && cp "$1"/store.db* "$4"'


@pytest.mark.may_skip
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """With a file system of 3 MB, most of which is taken."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare to make a small disk with")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    arguments = [disk, sys.executable, SERVER, kept]
    ran = subprocess.run(
        [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", TINY_DISK, "sh", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip(f"a small disk cannot be made here: {ran.stderr.strip()}")
    assert ran.stderr == ""
    before, acknowledged, errors = json.loads(ran.stdout)
    assert before > 50
    assert set(errors) == {f"the store {disk}/store.db cannot grow: database or disk is full"}
    # Nothing was refused once there was room again.
    assert len(acknowledged) == before + 10
    with closing(sqlite3.connect(kept / "store.db")) as connection:
        times = {time for (time,) in connection.execute("SELECT time FROM messages")}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert times == set(acknowledged)
