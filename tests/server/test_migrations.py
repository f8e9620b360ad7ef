"""Files of older versions: brought up to date whole, with everything in them, or left alone."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from improto import payloads
from improto.codes import ConversationType
from improto.operations import Topic
from improto_server.store import StoreError, migrations, tables, views
from improto_server.store.database import Database
from tests.server.rig import START, Rig, sent_at
from tests.server.store_tools import listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

FIRST_RELEASE = Path(__file__).parent.parent / "data" / "first_release.sql"
"""What version 0.1.0 has left behind. Alice and bob have talked, and carol has written to bob."""


def open_and_close(path: Path) -> None:
    Database.open(f"sqlite:///{path}", durable=False).close()


def content_of(path: Path) -> list[str]:
    """Everything that is in a file, as statements that would make it again."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The file of the first release, where a rig would look for its own."""
    path = tmp_path / "messages.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FIRST_RELEASE.read_text())
    return path


# -- the tables ----------------------------------------------------------------------


@contextmanager
def made_by_revisions(path: Path, last: str) -> Iterator[Connection]:
    """A new file that took all the steps; it is committed at the end of the block."""
    with create_engine(f"sqlite:///{path}").begin() as connection:
        command.upgrade(migrations.configuration(connection), last)
        yield connection


def parts(sql: str) -> set[str]:
    """What a statement that makes a table or an index defines, whatever the order and layout."""
    sql = re.sub(r"\s+", " ", sql.replace('"', ""))
    begin, end = sql.index("("), sql.rindex(")")
    # Not at a comma in parentheses.
    inner = re.split(r",(?![^()]*\))", sql[begin + 1 : end])
    return {each.strip() for each in (sql[:begin], *inner, sql[end + 1 :])} - {""}


def definitions(path: Path) -> set[str]:
    """What all tables and indices of a file are made of."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL")
        return {f"{type} {name}: {part}" for type, name, sql in made for part in parts(sql)}


def test_parts() -> None:
    sql = 'CREATE TABLE "a" (\n\tb INTEGER, \n\tUNIQUE (b, c), \n\tc TEXT\n)\n WITHOUT ROWID\n\n'
    assert parts(sql) == {"CREATE TABLE a", "b INTEGER", "UNIQUE (b, c)", "c TEXT", "WITHOUT ROWID"}
    sql = "CREATE INDEX d ON a (b, c) WHERE b = 1"
    assert parts(sql) == {"CREATE INDEX d ON a", "b", "c", "WHERE b = 1"}


def test_an_old_file_gets_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    """If this fails, the last revision is not finished: each line says what it lacks."""
    fresh = tmp_path / "fresh.db"
    open_and_close(old)
    open_and_close(fresh)
    wanted, found = definitions(fresh), definitions(old)
    differences = [
        *(f"the revisions do not make {each}" for each in sorted(wanted - found)),
        *(f"the revisions should not leave {each}" for each in sorted(found - wanted)),
    ]
    assert not differences, "\n".join(differences)


def test_alembic_finds_no_difference(tmp_path: Path) -> None:
    with made_by_revisions(tmp_path / "store.db", migrations.HEAD) as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, tables.metadata)
    assert not differences, "\n".join(map(str, differences))


def test_the_first_revision_is_the_first_release(tmp_path: Path) -> None:
    made, release = tmp_path / "made.db", tmp_path / "release.db"
    with made_by_revisions(made, "0001") as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with closing(sqlite3.connect(release)) as first_release:
        first_release.executescript(FIRST_RELEASE.read_text())
    assert definitions(made) == definitions(release)


def test_every_revision_is_known(tmp_path: Path) -> None:
    with made_by_revisions(tmp_path / "store.db", migrations.HEAD) as connection:
        scripts = ScriptDirectory.from_config(migrations.configuration(connection))
    newest_first = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(newest_first)) == migrations.REVISIONS


def test_every_table_is_known() -> None:
    """A module of the store that has tables must be named in `tables`."""
    program = (
        "import pkgutil, importlib, improto_server.store as store\n"
        "known = set(store.tables.metadata.tables)\n"
        "for module in pkgutil.iter_modules(store.__path__, 'improto_server.store.'):\n"
        "    importlib.import_module(module.name)\n"
        "    unknown = set(store.tables.metadata.tables) - known\n"
        "    assert not unknown, f'{module.name} is missing in store/tables.py: {unknown}'\n"
    )
    run_python(program)


# -- what is in them -----------------------------------------------------------------


def test_the_inbox_is_there(old: Path, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    found = [each.content.decode() for each in rig.client("bob").pull_all()]
    texts = ("one", "two", "not counted", "not in history", "four", "from carol")
    assert found == [f'{{"content":"{text}"}}' for text in texts]


def test_the_inbox_goes_on_after_a_cursor(old: Path, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    page = rig.client("bob").pull(cursor=START + 5000)
    assert [each.content for each in page.list] == [b'{"content":"from carol"}']
    assert page.finished


def history(rig: Rig, reader: str, target: str) -> list[str]:
    request = payloads.HistoryMsgInput(targetId=target, time=0, count=20, order=0)
    page = rig.online(reader).ask(Topic.QRY_P_MSG, request, payloads.HistoryMsgOuput)
    return [each.content.decode() for each in page.list]


def test_history_is_there(old: Path, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    texts = ("four", "not counted", "three", "two", "one")
    assert history(rig, "alice", "bob") == [f'{{"content":"{text}"}}' for text in texts]
    assert history(rig, "carol", "bob") == ['{"content":"from carol"}']


def rows_of(path: Path, query: str) -> list[Any]:
    """What a query finds once the file is up to date."""
    open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_messages_have_running_numbers(old: Path) -> None:
    """The one that is in history but not counted has that of the one before."""
    numbers = rows_of(old, "SELECT number FROM messages WHERE conversation = 1 ORDER BY time")
    assert numbers == [(1,), (2,), (3,), (3,), (0,), (4,)]
    numbers = rows_of(old, "SELECT number FROM messages WHERE conversation = 2 ORDER BY time")
    assert numbers == [(1,)]


def test_numbers_go_on(old: Path, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", '{"content":"five"}')
    rig.settle()
    rig.store.store.close()
    query = "SELECT number FROM messages WHERE conversation = 1 ORDER BY time DESC LIMIT 1"
    assert rows_of(old, query) == [(5,)]


def test_both_sides_see_their_conversations(old: Path) -> None:
    """One with oneself has one side; one without a history has none."""
    found = rows_of(
        old,
        "SELECT users.name, first, second FROM views JOIN users ON users.id = owner"
        " JOIN conversations ON conversations.id = conversation"
        " WHERE conversations.app = 'app' ORDER BY conversation, users.name",
    )
    pairs = [("alice", "bob"), ("bob", "carol"), ("alice", "alice")]
    pairs += [("alice", name) for name in ("dave", "erin", "frank")]
    assert found == [(side, *pair) for pair in pairs for side in dict.fromkeys(pair)]


@pytest.mark.parametrize(
    ("app", "user", "peer", "expected"),
    [
        ("app", "bob", "alice", 1),
        ("app", "bob", "carol", 1),
        ("app", "alice", "bob", 0),
        ("app", "alice", "alice", 0),
        # He has said so by RC:ReadNtf.
        ("app", "dave", "alice", 1),
        # She has said so by RC:SRSMsg, and later that she had read less.
        ("app", "erin", "alice", 1),
        # What he said makes no sense.
        ("app", "frank", "alice", 3),
        ("other", "bob", "alice", 1),
    ],
)
def test_what_was_not_read_is_unread(
    old: Path, app: str, user: str, peer: str, expected: int
) -> None:
    with closing(Database.open(f"sqlite:///{old}", durable=False)) as database:
        type = ConversationType.PRIVATE
        with database.reading.begin():
            unread = views.unread(database.reading, app=app, user=user, type=type, target=peer)
    assert unread == expected


def read_mark(content: bytes) -> bytes:
    down = payloads.DownStreamMessage(
        fromUserId="dave", type=1, classname="RC:ReadNtf", content=content, dataTime=1, status=0
    )
    return payloads.encode(down)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (b"\xff", 0),
        (read_mark(b""), 0),
        (read_mark(b"null"), 0),
        (read_mark(b"{}"), 0),
        (read_mark(b'{"lastMessageSendTime":[]}'), 0),
        (read_mark(b'{"lastMessageSendTime":1e999}'), 0),
        # Nobody has read the future.
        (read_mark(b'{"lastMessageSendTime":9e15}'), START + 18_000),
    ],
)
def test_read_marks_that_make_no_sense(old: Path, item: bytes, expected: int) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE messages SET item = ? WHERE object_name = 'RC:ReadNtf'", (item,))
        connection.commit()
    query = "SELECT read_until FROM views JOIN users ON id = owner WHERE name = 'dave'"
    assert rows_of(old, query) == [(expected,)]


def test_who_has_only_received_is_a_user(old: Path) -> None:
    """The first release knew a user by what he had in his boxes, and boxes lose what is old."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DELETE FROM boxes WHERE owner = 6")
        connection.execute("DELETE FROM messages WHERE sender = 6")
        connection.execute("DELETE FROM users WHERE name = 'dave'")
        connection.commit()
    query = "SELECT conversation FROM views JOIN users ON id = owner AND name = 'dave'"
    assert rows_of(old, query) == [(5,)]


def test_a_repeat_is_recognised(old: Path, tmp_path: Path) -> None:
    """Of a message that the first release has acknowledged."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", '{"content":"two"}', clientUniqueId=102)
    rig.settle()
    ack = alice.ack()
    assert (ack.status, ack.uid, sent_at(ack)) == (0, "CBPV-IMNQ-0044-NCA0", START + 1000)
    assert len(rig.client("bob").pull_all()) == 6


def test_new_messages_come_after_old_ones(old: Path, tmp_path: Path) -> None:
    """Although the clock has been set back."""
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob", '{"content":"five"}')
    rig.settle()
    assert sent_at(alice.ack()) > START + 22_000
    assert history(rig, "bob", "alice")[0] == '{"content":"five"}'


# -- how it is done ------------------------------------------------------------------


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_alembic_is_imported_only_for_old_files(old: Path, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from improto_server.store.database import Database\n"
        "for url in sys.argv[1:]:\n"
        "    Database.open(url, durable=False).close()\n"
        "    print('alembic' in sys.modules)\n"
    )
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    done = run_python(program, fresh, fresh, f"sqlite:///{old}")
    assert (done.stdout, done.stderr) == ("False\nFalse\nTrue\n", "")


def test_it_is_told_once_and_only_to_the_log(
    old: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        open_and_close(old)
    assert [record.getMessage() for record in caplog.records] == [
        f"the store {old} goes from revision 0001 to {migrations.HEAD}",
        f"the store {old} is up to date",
    ]
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("alembic").level == logging.NOTSET


def test_it_is_done_once(old: Path) -> None:
    open_and_close(old)
    content = content_of(old)
    open_and_close(old)
    assert content_of(old) == content


def test_the_files_at_every_statement(old: Path, tmp_path: Path) -> None:
    """A copy of the files as they are then, as a crash would leave them, is the old store."""
    before = content_of(old)
    copies: list[Path] = []

    def copy(*_: Any) -> None:
        directory = tmp_path / f"copy{len(copies)}"
        directory.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{old}{suffix}", directory)
        copies.append(directory / old.name)

    # SQLite writes nothing before the end if it all fits into memory.
    def write_early(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA cache_size = 1")

    with listening("connect", write_early), listening("after_cursor_execute", copy):
        open_and_close(old)
    assert len(copies) > 10
    assert content_of(old) != before
    # The last statement prepares the reading connection, after the commit.
    *during, _ = copies
    assert os.path.getsize(f"{during[-1]}-wal") > 0
    for path in during:
        assert content_of(path) == before


def test_a_server_that_is_killed_meanwhile(old: Path) -> None:
    before = content_of(old)
    program = (
        "import os, signal, sys\n"
        "from sqlalchemy import Engine, event\n"
        "from improto_server.store.database import Database\n"
        "@event.listens_for(Engine, 'after_cursor_execute')\n"
        "def kill(_, cursor, statement, *others):\n"
        "    if statement.startswith('UPDATE alembic_version'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "Database.open(sys.argv[1], durable=True)\n"
    )
    assert run_python(program, f"sqlite:///{old}").returncode == -signal.SIGKILL
    assert content_of(old) == before
    open_and_close(old)
    assert content_of(old) != before


def limited(pages: int) -> Callable[[sqlite3.Connection, Any], None]:
    def limit(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    return limit


def test_a_disk_without_room_for_it(old: Path) -> None:
    before = content_of(old)
    with (
        listening("connect", limited(14)),
        pytest.raises(StoreError) as caught,
    ):
        open_and_close(old)
    assert str(caught.value) == f"the store {old} cannot grow: database or disk is full"
    assert content_of(old) == before
    open_and_close(old)
    assert content_of(old) != before
