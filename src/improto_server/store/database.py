"""The database file: opening it, owning it, and saying what is wrong with it.

One server at a time: an empty second database, ``<file>-lock``, is held locked for as long as
the first is open. The system drops that lock when the process ends, however it ends.

A file is looked at before anything is changed in it: what is not ours, or too new, stays as it
was, to the byte.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, create_engine, event, func, insert, make_url, select, update
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from improto_server.store import migrations, schema
from improto_server.store.tables import metadata
from improto_server.store.values import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

_log = logging.getLogger(__name__)

_BUSY_SECONDS: Final = 5.0
"""Patience with a program that locks the file for a moment, a backup for example."""

_PRIMARY_CODE: Final = 0xFF
"""The lower byte of SQLite's error codes says what happened, the upper ones where."""

_PROBLEMS: Final = {
    sqlite3.SQLITE_BUSY: "is in use by another program",
    sqlite3.SQLITE_READONLY: "may not be written to",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_FULL: "cannot grow",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_NOTADB: "is not a database",
}


def failure(path: Path, error: Exception) -> StoreError:
    """One sentence for an exception. If it is none that a working program meets, it is logged."""
    problem = _problem(error)
    if problem is None:
        _log.error("unexpected error in the store %s", path, exc_info=error)
        cause = error.orig if isinstance(error, DBAPIError) else error
        problem = f"failed: {cause!r}"
    failed = StoreError(f"the store {path} {problem}")
    failed.__cause__ = error
    return failed


def _problem(error: BaseException | None) -> str | None:
    """What SQLite has met that may happen to any program; None if it was something else."""
    # SQLite undoes everything when the disk is full. Then it fails again when a part of that is
    # to be undone, so the last error is not the one that tells.
    while error is not None:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _PROBLEMS:
            return f"{_PROBLEMS[code]}: {error}"
        error = error.__context__
    return None


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's connection below, for what is done so often that the way there counts."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """A transaction that is over when the block is, whatever happened."""
    try:
        with connection.begin():
            yield
    except BaseException:
        # SQLite may keep a transaction open whose commit has failed, and SQLAlchemy thinks that
        # it is over. Without this, no other could ever begin.
        connection.connection.rollback()
        raise


class Database:
    """A database file that is open and nobody else's. :meth:`open` makes it."""

    def __init__(
        self,
        path: Path,
        *,
        writing: Connection,
        reading: Connection,
        latest_time: int,
        closing: ExitStack,
    ) -> None:
        self.path = path
        self.writing = writing
        """For one thread at a time, whichever it is."""
        self.reading = reading
        """Likewise. It cannot change anything, and does not wait for ``writing``."""
        self.latest_time = latest_time
        """The highest time that a client may know at opening, 0 if there is none."""
        self._closing = closing

    @classmethod
    def open(cls, url: str, *, durable: bool) -> Database:
        """Open the file, or make it and its directory.

        ``durable`` False: what was committed survives the end of the process, but the last
        seconds of it not a power cut.

        A file of an older version is brought up to date first, which may take minutes.

        Raises StoreError if the URL is none, and if the file cannot be had: no permission, no
        room, damaged, of another program or a newer version, or in use. Nothing stays open then.
        """
        path = path_of(url)
        _look_around(path)
        with ExitStack() as stack:
            try:
                _lock(path, stack)
                revision = revision_of(path)
                engine = _engine(path, durable=durable)
                writing = stack.enter_context(engine.connect())
                with transaction(writing):
                    _prepare(path, writing, revision)
                    latest_time = _latest_time(writing)
                reading = stack.enter_context(engine.connect())
                with reading.begin():
                    reading.exec_driver_sql("PRAGMA query_only = ON")
            except StoreError:
                raise
            except Exception as error:
                raise failure(path, error) from error
            return cls(
                path,
                writing=writing,
                reading=reading,
                latest_time=latest_time,
                closing=stack.pop_all(),
            )

    def failure(self, error: Exception) -> StoreError:
        """See :func:`failure`."""
        return failure(self.path, error)

    def close(self) -> None:
        """Give the file up."""
        self._closing.close()


@contextmanager
def unused(url: str) -> Iterator[Path]:
    """The file that a URL names; for as long as the block lasts, no server can open it.

    Raises StoreError if one has it open, and as :meth:`Database.open` does if it cannot be had.
    """
    path = path_of(url)
    _look_around(path)
    with ExitStack() as stack:
        _lock(path, stack)
        yield path


def path_of(url: str) -> Path:
    """The file that a URL names. Raises StoreError if it names none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            f"the store's URL {url!r} is none; it looks like sqlite:///improto.db"
        ) from None
    shown = parsed.render_as_string(hide_password=True) if parsed.password else url
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"the store {shown} is of a kind that is not supported; use sqlite:///")
    name = parsed.database
    if parsed.query or not name or name == ":memory:" or "\0" in name:
        raise StoreError(f"the store {shown} must be a file, as in sqlite:///improto.db")
    # Unlike Path.resolve(), this takes links that lead in a circle as they are.
    return Path(os.path.realpath(name))


def _look_around(path: Path) -> None:
    """Make the directory, and find out what SQLite would only call "unable to open"."""
    directory = path.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the directory {directory} of the store cannot be made: {error.strerror}"
        ) from error
    # Besides the file there will be its lock and its log.
    if not _may(directory, os.W_OK | os.X_OK):
        raise StoreError(f"the directory {directory} of the store may not be written to")
    for file in (path, _lock_path(path)):
        if not file.exists():
            continue
        if not file.is_file():
            raise StoreError(f"the store {file} is not a file")
        # SQLite would read what it may not write to, and hold a lock that keeps nobody out.
        if not _may(file, os.R_OK | os.W_OK):
            raise StoreError(f"the store {file} may not be read and written to")


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-lock")


def _lock(path: Path, stack: ExitStack) -> None:
    lock_path = _lock_path(path)
    try:
        lock = sqlite3.connect(lock_path, timeout=0, isolation_level=None, check_same_thread=False)
        stack.callback(lock.close)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreError(f"the store {path} is in use by another server") from error
        raise failure(lock_path, error) from error


def _engine(path: Path, *, durable: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:
        # The module would begin transactions at moments of its own choice.
        connection.isolation_level = None
        # Readers and the writer do not wait for each other.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Every batch begins with it, and SQLAlchemy's way costs as much as a message.
        driver_of(connection).execute("BEGIN")

    return engine


def revision_of(path: Path) -> str | None:
    """What the tables in the file are, one of ``migrations.REVISIONS``; None if there are none.

    Raises StoreError if the file is of another program or a newer version, and sqlite3.Error.
    """
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            return None
        if schema.version.name not in names:
            raise StoreError(f"the store {path} is a database of another program")
        (version,) = connection.execute("SELECT max(version) FROM improto_schema").fetchone()
        if version == 1:
            return migrations.REVISIONS[0]
        revision: str | None = None
        if schema.revision.name in names:
            found = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
            (revision,) = found
    if revision is None:
        raise StoreError(f"the store {path} is damaged: it has lost the revision of its tables")
    if revision not in migrations.REVISIONS:
        raise StoreError(
            f"the store {path} was made by a newer version of this program:"
            f" its tables have revision {revision}, the newest known is {migrations.HEAD}"
        )
    return revision


def _prepare(path: Path, connection: Connection, revision: str | None) -> None:
    if revision is None:
        metadata.create_all(connection, checkfirst=False)
        connection.execute(insert(schema.version).values(version=schema.VERSION))
        connection.execute(insert(schema.revision).values(version_num=migrations.HEAD))
    elif revision == migrations.HEAD:
        # Changes nothing, but a file that cannot be written to is found out now.
        connection.execute(update(schema.version).values(version=schema.VERSION))
    else:
        _log.info("the store %s goes from revision %s to %s", path, revision, migrations.HEAD)
        migrations.upgrade(connection, revision)
        _log.info("the store %s is up to date", path)


def _latest_time(connection: Connection) -> int:
    times = schema.messages.c.time
    # One question for each half of the index; one for both would read all of it.
    halves = (
        connection.scalar(select(func.max(times)).where(schema.messages.c.in_history == half))
        for half in (0, 1)
    )
    told = connection.scalar(select(func.max(schema.reserved.c.time)))
    return max(time or 0 for time in (*halves, told))
