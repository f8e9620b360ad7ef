"""Opening a store: what can be wrong with the file, each told in one sentence."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from improto_server.commands import application
from improto_server.store import Store, StoreError, migrations, schema
from improto_server.store.database import _PROBLEMS, Database
from tests.server.store_tools import HandLoop, listening, message

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def opened(path: Path, *, durable: bool = True) -> Iterator[Database]:
    with closing(Database.open(url_of(path), durable=durable)) as database:
        yield database


def test_directories_are_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "there.db"
    with opened(path) as database:
        assert database.path == path
        assert database.latest_time == 0
    assert path.is_file()


def test_nothing_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.db", "store.db-lock"]
    path.unlink()
    with opened(path):
        pass


def test_a_store_that_was_used_is_one_file(tmp_path: Path) -> None:
    """Whoever copies it after the server has ended has everything."""
    loop = HandLoop()
    store = Store.open(url_of(tmp_path / "store.db"), soon=loop.soon, on_loop=loop.on_loop)
    answers: list[Any] = []
    store.append(message(1), answers.append)
    store.read(lambda connection: connection.scalar(select(schema.users.c.id)), answers.append)
    store.write(lambda connection: connection.scalar(select(schema.users.c.id)), answers.append)
    loop.until(answers, 3)
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.db", "store.db-lock"]


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Database.open("sqlite:///store.db", durable=True)) as database:
        assert database.path == tmp_path / "store.db"


@pytest.mark.parametrize(("durable", "expected"), [(True, 2), (False, 1)])
def test_durable_waits_for_the_disk(tmp_path: Path, durable: bool, expected: int) -> None:
    """2 is FULL: every commit reaches the disk. 1 is NORMAL: not every one."""
    with opened(tmp_path / "store.db", durable=durable) as database, database.writing.begin():
        synchronous = database.writing.exec_driver_sql("PRAGMA synchronous").scalar()
        mode = database.writing.exec_driver_sql("PRAGMA journal_mode").scalar()
    assert (synchronous, mode) == (expected, "wal")


def test_the_reading_connection_cannot_write(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "store.db") as database,
        pytest.raises(OperationalError, match="readonly"),
        database.reading.begin(),
    ):
        database.reading.exec_driver_sql("DELETE FROM users")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "the store's URL '' is none; it looks like sqlite:///improto.db"),
        ("improto.db", "the store's URL 'improto.db' is none; it looks like sqlite:///improto.db"),
        (
            "postgresql://me:secret@host/improto",
            "the store postgresql://me:***@host/improto is of a kind that is not supported;"
            " use sqlite:///",
        ),
        ("sqlite://", "the store sqlite:// must be a file, as in sqlite:///improto.db"),
        (
            "sqlite:///:memory:",
            "the store sqlite:///:memory: must be a file, as in sqlite:///improto.db",
        ),
        (
            "sqlite:///a\0b",
            "the store sqlite:///a\0b must be a file, as in sqlite:///improto.db",
        ),
        (
            "sqlite:///file:x?mode=ro&uri=true",
            "the store sqlite:///file:x?mode=ro&uri=true must be a file,"
            " as in sqlite:///improto.db",
        ),
    ],
)
def test_urls_that_name_no_file(url: str, text: str) -> None:
    with pytest.raises(StoreError) as caught:
        Database.open(url, durable=True)
    assert str(caught.value) == text


def refusal(path: Path) -> str:
    """Why the store cannot be opened. Afterwards nothing holds it."""
    with pytest.raises(StoreError) as caught:
        Database.open(url_of(path), durable=True)
    lock = path.with_name(f"{path.name}-lock")
    if lock.exists():
        with closing(sqlite3.connect(lock, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
    return str(caught.value)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "inside" / "store.db"
    with pytest.raises(StoreError) as caught:
        Database.open(url_of(path), durable=True)
    assert str(caught.value) == (
        f"the directory {path.parent} of the store cannot be made: Not a directory"
    )


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.mkdir()
    assert refusal(path) == f"the store {path} is not a file"


def test_a_pipe_in_place_of_the_file(tmp_path: Path) -> None:
    """Opening it would wait for somebody who writes."""
    path = tmp_path / "store.db"
    os.mkfifo(path)
    assert refusal(path) == f"the store {path} is not a file"


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.symlink_to(path)
    assert refusal(path) == f"the store {path} cannot be opened: unable to open database file"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"This is a letter to my grandmother. " * 100)
    assert refusal(path) == f"the store {path} is not a database: file is not a database"


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path):
        pass
    # The first page begins with 100 bytes of header; the tables are listed behind it.
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 1000)
    assert refusal(path) == f"the store {path} is damaged: database disk image is malformed"


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path):
        pass
    os.truncate(path, 5000)
    assert refusal(path) == f"the store {path} is damaged: database disk image is malformed"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    with opened(path) as database:
        assert database.latest_time == 0


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (title TEXT)")
    before = path.read_bytes()
    assert refusal(path) == f"the store {path} is a database of another program"
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path) as database, database.writing.begin():
        database.writing.execute(update(schema.revision).values(version_num="9999"))
    before = path.read_bytes()
    assert refusal(path) == (
        f"the store {path} was made by a newer version of this program:"
        f" its tables have revision 9999, the newest known is {migrations.HEAD}"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("loss", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
def test_a_database_without_a_revision(tmp_path: Path, loss: str) -> None:
    path = tmp_path / "store.db"
    with opened(path) as database, database.writing.begin():
        database.writing.exec_driver_sql(loss)
    assert refusal(path) == (f"the store {path} is damaged: it has lost the revision of its tables")


def test_a_full_disk_at_the_first_opening(tmp_path: Path) -> None:
    """All tables are there or none, so the next opening succeeds."""
    path = tmp_path / "store.db"

    def limit(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA max_page_count = 5")

    with listening("connect", limit):
        assert refusal(path) == f"the store {path} cannot grow: database or disk is full"
    with opened(path) as database, database.reading.begin():
        revisions = database.reading.execute(select(schema.revision)).scalars().all()
        versions = database.reading.execute(select(schema.version)).scalars().all()
    assert revisions == [migrations.HEAD]
    assert versions == [schema.VERSION]


def test_one_server_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    other_name = tmp_path / "link.db"
    with opened(path):
        other_name.symlink_to(path)
        for name in (path, other_name):
            with pytest.raises(StoreError) as caught:
                Database.open(url_of(name), durable=True)
            assert str(caught.value) == f"the store {path} is in use by another server"
    with opened(path):
        pass


def test_the_lock_of_a_killed_server_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    program = (
        "import sys\n"
        "from improto_server.store.database import Database\n"
        "database = Database.open(sys.argv[1], durable=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, url_of(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="in use by another server"):
            Database.open(url_of(path), durable=True)
        server.kill()
    with opened(path):
        pass


def test_a_database_that_another_program_writes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("improto_server.store.database._BUSY_SECONDS", 0.0)
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE recipes (title TEXT)")
        connection.execute("BEGIN EXCLUSIVE")
        assert refusal(path) == f"the store {path} is in use by another program: database is locked"


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write to everything, so be nobody for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that everybody may look into but only its owner may write to."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path
        # Otherwise whoever is not root could not delete it.
        path.chmod(0o755)


def test_a_file_that_may_not_be_written_to(public_directory: Path) -> None:
    path = public_directory / "store.db"
    with opened(path):
        pass
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    public_directory.chmod(0o777)
    (public_directory / "store.db-lock").chmod(0o666)
    with without_privileges():
        assert refusal(path) == f"the store {path} may not be read and written to"


def test_a_directory_that_may_not_be_written_to(public_directory: Path) -> None:
    path = public_directory / "store.db"
    public_directory.chmod(0o555)
    with without_privileges():
        assert refusal(path) == (
            f"the directory {public_directory} of the store may not be written to"
        )


def test_a_directory_that_may_not_be_looked_into(public_directory: Path) -> None:
    path = public_directory / "inside" / "deeper" / "store.db"
    path.parent.mkdir(parents=True)
    (public_directory / "inside").chmod(0o600)
    with without_privileges(), pytest.raises(StoreError) as caught:
        Database.open(url_of(path), durable=True)
    assert str(caught.value) == (
        f"the directory {path.parent} of the store cannot be made: Permission denied"
    )


def test_a_lock_that_may_not_be_written_to(public_directory: Path) -> None:
    path = public_directory / "store.db"
    with opened(path):
        pass
    path.chmod(0o666)
    public_directory.chmod(0o777)
    with without_privileges(), pytest.raises(StoreError) as caught:
        Database.open(url_of(path), durable=True)
    assert str(caught.value) == f"the store {path}-lock may not be read and written to"


def test_a_lock_that_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    lock = tmp_path / "store.db-lock"
    lock.write_bytes(b"This is a letter to my grandmother. " * 100)
    with pytest.raises(StoreError) as caught:
        Database.open(url_of(path), durable=True)
    assert str(caught.value) == f"the store {lock} is not a database: file is not a database"
    assert not path.exists()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_serve_says_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "store.db"
    path.write_bytes(b"This is a letter to my grandmother. " * 100)
    settings = ("--app", f"a:{'s' * 32}", "--port", "0", "--backend", backend)
    result = CliRunner().invoke(application, ["serve", *settings, "--store", url_of(path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"improto: the store {path} is not a database: file is not a database\n"


def test_what_nobody_expects_is_logged_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path / "store.db") as database:
        error = database.failure(ZeroDivisionError("by zero"))
    assert str(error) == f"the store {database.path} failed: ZeroDivisionError('by zero')"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_every_problem_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    assert [problem for problem in _PROBLEMS.values() if f"`{problem}`" not in page] == []


def test_a_backup_while_it_is_open(tmp_path: Path) -> None:
    """As docs/operating.md says: it is whole, and has what was committed."""
    path, backup = tmp_path / "store.db", tmp_path / "backup.db"
    with opened(path) as database:
        with database.writing.begin():
            database.writing.execute(insert(schema.users).values(app="app", name="alice"))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
        with database.writing.begin():
            database.writing.execute(insert(schema.users).values(app="app", name="bob"))
    with opened(backup) as database, database.reading.begin():
        assert database.reading.execute(select(schema.users.c.name)).scalars().all() == ["alice"]
