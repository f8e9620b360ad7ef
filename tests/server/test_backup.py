"""Backups: whole whatever goes on meanwhile, and back in place whatever is left there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from typer.testing import CliRunner

from improto_server import backup as backup_module
from improto_server import commands
from improto_server.backup import BackupError, back_up, restore
from improto_server.config import load
from improto_server.files.disk import Disk
from improto_server.places import files_directory, portraits_directory, robot_memory
from improto_server.store import StoreError
from improto_server.store.database import Database
from tests.server.test_kill import User, servers

if TYPE_CHECKING:
    from click.testing import Result

    from improto_server.config import Settings

APP = "app"
SECRET = "s" * 32
STAMP = "20260102-030405"
PATIENCE = 30.0


def settings_for(path: Path, **more: Any) -> Settings:
    wanted = {
        "apps": [{"key": APP, "secret": SECRET}],
        "store.url": f"sqlite:///{path / 'improto.db'}",
    }
    return load(environment={}, overrides=wanted | more)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The directory of a server that is not running; it has one of everything."""
    home = tmp_path / "server"
    database = home / "improto.db"
    Database.open(f"sqlite:///{database}", durable=False).close()
    keep(files_directory(database, ""), "photo", b"bytes of a photo")
    keep(portraits_directory(database), "0" * 32, b"bytes of a portrait")
    robot_memory(database, APP).write_text('{"cursor": 7}')
    return home


def keep(directory: Path, key: str, data: bytes) -> Disk:
    disk = Disk(directory)
    incoming = disk.begin()
    incoming.write(data)
    incoming.keep(APP, key, "image/png")
    return disk


def kept(directory: Path, key: str) -> bytes | None:
    found = Disk(directory).find(APP, key)
    return found[0].read_bytes() if found is not None else None


def write(database: Path, text: str) -> None:
    """Something that can be found again."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO users (app, name) VALUES (?, ?)", (APP, text))


def written(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [user for (user,) in connection.execute("SELECT name FROM users ORDER BY 1")]


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


# -- the way there and back ----------------------------------------------------------------------


def test_everything_comes_back(server: Path, tmp_path: Path) -> None:
    settings, database = settings_for(server), server / "improto.db"
    write(database, "ann")
    target = tmp_path / "backups" / "monday"
    back_up(settings, target)
    assert names(target) == ["files", "messages.db", "portraits", "robots"]
    assert names(target.parent) == ["monday"]

    write(database, "ben")
    robot_memory(database, APP).write_text("{}")
    keep(files_directory(database, ""), "later", b"")
    aside = restore(settings, target, stamp=STAMP)

    assert written(database) == ["ann"]
    assert kept(files_directory(database, ""), "photo") == b"bytes of a photo"
    assert kept(files_directory(database, ""), "later") is None
    assert kept(portraits_directory(database), "0" * 32) == b"bytes of a portrait"
    assert robot_memory(database, APP).read_text() == '{"cursor": 7}'
    # What was there is still there, as a whole.
    assert sorted(path.name for path in aside) == [
        f"improto.db-app-robot-before-{STAMP}",
        f"improto.db-before-{STAMP}",
        f"improto.db-files-before-{STAMP}",
        f"improto.db-portraits-before-{STAMP}",
    ]
    assert written(server / f"improto.db-before-{STAMP}") == ["ann", "ben"]
    assert kept(server / f"improto.db-files-before-{STAMP}", "later") == b""
    # A server takes it.
    Database.open(settings.store.url, durable=False).close()


def test_another_machine(server: Path, tmp_path: Path) -> None:
    write(server / "improto.db", "ann")
    back_up(settings_for(server), tmp_path / "backup")
    shutil.rmtree(server)
    elsewhere = settings_for(tmp_path / "else" / "where", **{"uploads.directory": "big/disk"})
    assert restore(elsewhere, tmp_path / "backup", stamp=STAMP) == []
    home = tmp_path / "else" / "where"
    assert written(home / "improto.db") == ["ann"]
    assert kept(home / "big" / "disk", "photo") == b"bytes of a photo"


def test_files_may_be_left_out_and_are_not_touched_then(server: Path, tmp_path: Path) -> None:
    settings, database = settings_for(server), server / "improto.db"
    back_up(settings, tmp_path / "backup", with_files=False)
    assert names(tmp_path / "backup") == ["messages.db", "portraits", "robots"]
    keep(files_directory(database, ""), "later", b"data")
    restore(settings, tmp_path / "backup", stamp=STAMP)
    assert kept(files_directory(database, ""), "later") == b"data"


def test_files_in_another_store_are_no_business_of_ours(server: Path, tmp_path: Path) -> None:
    settings = settings_for(server, **{"uploads.storage": "none"})
    back_up(settings, tmp_path / "backup")
    assert "files" not in names(tmp_path / "backup")


def test_a_server_that_has_nothing_beside(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Database.open(settings.store.url, durable=False).close()
    back_up(settings, tmp_path / "backup")
    assert names(tmp_path / "backup") == ["messages.db"]


def test_a_backup_is_of_one_moment(server: Path, tmp_path: Path) -> None:
    """A transaction under way is not in it, and goes on."""
    database = server / "improto.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO users (app, name) VALUES ('app', 'ann')")
        back_up(settings_for(server), tmp_path / "backup")
        connection.execute("COMMIT")
    assert written(tmp_path / "backup" / "messages.db") == []
    assert written(database) == ["ann"]


def test_what_was_committed_last_is_in_it(server: Path, tmp_path: Path) -> None:
    """It is only in the log, as after a crash."""
    database, killed = server / "improto.db", tmp_path / "killed"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO users (app, name) VALUES ('app', 'ann')")
        connection.commit()
        shutil.copytree(server, killed)
    assert (killed / "improto.db-wal").stat().st_size > 0
    (killed / "improto.db-shm").unlink()
    back_up(settings_for(killed), tmp_path / "backup")
    assert written(tmp_path / "backup" / "messages.db") == ["ann"]


def test_the_log_goes_with_its_database(server: Path, tmp_path: Path) -> None:
    """A log beside another database than its own would damage that."""
    settings, database = settings_for(server), server / "improto.db"
    back_up(settings, tmp_path / "backup")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO users (app, name) VALUES ('app', 'ann')")
        connection.commit()
        shutil.copy(server / "improto.db-wal", tmp_path / "wal")
    shutil.copy(tmp_path / "wal", server / "improto.db-wal")
    (server / "improto.db-shm").touch()
    restore(settings, tmp_path / "backup", stamp=STAMP)
    assert "improto.db-wal" not in names(server)
    assert "improto.db-shm" not in names(server)
    assert (server / f"improto.db-before-{STAMP}-wal").exists()
    assert written(server / f"improto.db-before-{STAMP}") == ["ann"]


# -- what goes on meanwhile ----------------------------------------------------------------------


def test_files_that_are_deleted_meanwhile(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = files_directory(server / "improto.db", "")
    disk = keep(directory, "doomed", b"data")
    copy = shutil.copytree

    def copy_slowly(source: Path, target: Path) -> None:
        if source == disk.place(APP, "doomed"):
            target.mkdir()
            (target / "about.json").touch()
            disk.remove(APP, "doomed")
        copy(source, target)

    monkeypatch.setattr(backup_module.shutil, "copytree", copy_slowly)
    back_up(settings_for(server), tmp_path / "backup")
    monkeypatch.undo()
    copied = tmp_path / "backup" / "files"
    assert not [path for path in copied.glob("*/*") if len(names(path)) != 2]
    assert kept(copied, "photo") == b"bytes of a photo"
    assert kept(copied, "doomed") is None


def test_what_is_not_a_file_yet_stays_out(server: Path, tmp_path: Path) -> None:
    incoming = Disk(files_directory(server / "improto.db", "")).begin()
    incoming.write(b"half")
    back_up(settings_for(server), tmp_path / "backup")
    incoming.discard()
    assert "incoming" not in names(tmp_path / "backup" / "files")


@pytest.mark.parametrize(("failing", "error"), [("copytree", shutil.Error), ("copy2", OSError)])
def test_a_backup_that_fails_leaves_nothing(
    server: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    error: type[OSError],
) -> None:
    def full(*_: object) -> None:
        raise error(28, "No space left on device")

    monkeypatch.setattr(backup_module.shutil, failing, full)
    with pytest.raises(OSError, match="No space left"):
        back_up(settings_for(server), tmp_path / "all" / "backup")
    assert names(tmp_path / "all") == []


def test_a_restore_that_fails_changes_nothing(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(server)
    back_up(settings, tmp_path / "backup")
    write(server / "improto.db", "ann")
    before = names(server)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module.shutil, "copy2", full)
    with pytest.raises(OSError, match="No space left"):
        restore(settings, tmp_path / "backup", stamp=STAMP)
    assert names(server) == before
    assert written(server / "improto.db") == ["ann"]


def test_what_an_interrupted_restore_has_left_is_no_hindrance(server: Path, tmp_path: Path) -> None:
    settings, database = settings_for(server), server / "improto.db"
    back_up(settings, tmp_path / "backup")
    (server / "improto.db-restoring").write_text("half of it")
    (server / "improto.db-files-restoring").mkdir()
    database.unlink()
    restore(settings, tmp_path / "backup", stamp=STAMP)
    assert written(database) == []
    assert not [name for name in names(server) if name.endswith("-restoring")]


# -- what cannot be done -------------------------------------------------------------------------


def test_not_while_a_server_runs(server: Path, tmp_path: Path) -> None:
    settings = settings_for(server)
    database = Database.open(settings.store.url, durable=False)
    try:
        back_up(settings, tmp_path / "backup")
        with pytest.raises(StoreError, match="is in use by another server"):
            restore(settings, tmp_path / "backup", stamp=STAMP)
    finally:
        database.close()
    restore(settings, tmp_path / "backup", stamp=STAMP)


def test_backups_that_cannot_be_made(server: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is no store"):
        back_up(settings_for(tmp_path), tmp_path / "backup")
    with pytest.raises(BackupError, match="is there already; a backup is a new directory"):
        back_up(settings_for(server), tmp_path)
    (server / "improto.db").write_text("what is this?" * 100)
    with pytest.raises(StoreError, match="is not a database"):
        back_up(settings_for(server), tmp_path / "backup")
    assert names(tmp_path) == ["server"]


def damaged(path: Path) -> None:
    """A page of nothing, where a table was."""
    write(path, "ann")
    data = path.read_bytes()
    path.write_bytes(data[:-4096] + bytes(4096))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "is no backup: there is no messages.db in it"),
        (lambda path: path.write_bytes(b""), "messages.db is empty"),
        (lambda path: path.write_text("what is this?" * 100), "messages.db is not a database"),
        (damaged, "messages.db is damaged"),
    ],
)
def test_what_is_no_backup(server: Path, tmp_path: Path, spoil: Any, why: str) -> None:
    settings = settings_for(server)
    back_up(settings, tmp_path / "backup")
    spoil(tmp_path / "backup" / "messages.db")
    with pytest.raises(BackupError, match=why):
        restore(settings, tmp_path / "backup", stamp=STAMP)
    assert names(server) == [
        "improto.db",
        "improto.db-app-robot",
        "improto.db-files",
        "improto.db-lock",
        "improto.db-portraits",
    ]


def test_a_database_of_somebody_else_is_no_backup(server: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with closing(sqlite3.connect(tmp_path / "backup" / "messages.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(BackupError, match=r"messages\.db is a database of another program"):
        restore(settings_for(server), tmp_path / "backup", stamp=STAMP)


# -- the commands --------------------------------------------------------------------------------


def improto(*arguments: str) -> Result:
    return CliRunner().invoke(commands.application, arguments)


def test_the_commands(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPROTO_APPS", f"{APP}:{SECRET}")
    store = ("--store", f"sqlite:///{server / 'improto.db'}")
    result = improto("backup", "monday", "--no-files", *store)
    assert (result.exit_code, result.stdout) == (0, "improto: the backup is in monday\n")
    assert "files" not in names(tmp_path / "monday")
    result = improto("backup", "monday", *store)
    assert result.exit_code == 1
    assert result.stderr == "improto: monday is there already; a backup is a new directory\n"
    result = improto("restore", "monday", *store)
    assert result.exit_code == 0
    *moved, last = result.stdout.splitlines()
    assert len(moved) == 3
    assert all(line.startswith("improto: what was there before is /") for line in moved)
    assert last == "improto: monday is restored"
    result = improto("restore", "tuesday", *store)
    assert result.exit_code == 1
    assert "tuesday is no backup" in result.stderr
    Path("file").touch()
    result = improto("backup", "file/backup", *store)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("improto: file: ")


# -- and all of it at once -----------------------------------------------------------------------


async def loses_everything(store: Path, backup: Path) -> tuple[int, int]:
    """Returns how many messages were acknowledged before the backup, and how many came back."""
    ann, bob = User("ann"), User("bob")
    settings = settings_for(store.parent, **{"store.url": f"sqlite:///{store}"})
    async with servers(store) as lives, asyncio.timeout(PATIENCE):
        port = await lives.start()
        heard = asyncio.Event()

        async def talk() -> None:
            async with ann.online(port) as client:
                await ann.talk(client, "bob", heard)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk())
            await heard.wait()
            safe = ann.acknowledged["bob"]
            await anyio.to_thread.run_sync(back_up, settings, backup)
            await lives.kill()
        # The disk is broken.
        for path in store.parent.glob("messages.db*"):
            path.write_bytes(os.urandom(5000))
        (store.parent / "messages.db-lock").unlink()
        await anyio.to_thread.run_sync(lambda: restore(settings, backup, stamp=STAMP))
        await bob.come_in(await lives.start())
    received = bob.received["ann"]
    assert received == list(range(1, len(received) + 1))
    return safe, len(received)


def test_killed_broken_and_restored(tmp_path: Path) -> None:
    safe, back = asyncio.run(loses_everything(tmp_path / "messages.db", tmp_path / "backup"))
    assert back >= safe > 0
