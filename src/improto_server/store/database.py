"""The database file: opening it, owning it, and saying what is wrong with it.

One server at a time: an empty second database, ``<file>-lock``, is held locked for as long as
the first is open. The system drops that lock when the process ends, however it ends.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, create_engine, event, func, insert, inspect, make_url, select, update
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from improto_server.store import schema
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
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _PROBLEMS:
        failed = StoreError(f"the store {path} {_PROBLEMS[code]}: {cause}")
    else:
        _log.error("unexpected error in the store %s", path, exc_info=error)
        failed = StoreError(f"the store {path} failed: {cause!r}")
    failed.__cause__ = error
    return failed


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
        """The highest time of a message at opening, 0 if there is none."""
        self._closing = closing

    @classmethod
    def open(cls, url: str, *, durable: bool) -> Database:
        """Open the file, or make it and its directory.

        ``durable`` False: what was committed survives the end of the process, but the last
        seconds of it not a power cut.

        Raises StoreError if the URL is none, and if the file cannot be had: no permission,
        damaged, of another program or version, or in use. Nothing stays open then.
        """
        path = _path_of(url)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the directory {path.parent} of the store cannot be made: {error.strerror}"
            ) from error
        with ExitStack() as closing:
            try:
                _lock(path, closing)
                engine = _engine(path, durable=durable)
                writing = closing.enter_context(engine.connect())
                with writing.begin():
                    _prepare(path, writing)
                    latest_time = _latest_time(writing)
                reading = closing.enter_context(engine.connect())
                with reading.begin():
                    reading.exec_driver_sql("PRAGMA query_only = ON")
            except (sqlite3.Error, DBAPIError) as error:
                raise failure(path, error) from error
            return cls(
                path,
                writing=writing,
                reading=reading,
                latest_time=latest_time,
                closing=closing.pop_all(),
            )

    def failure(self, error: Exception) -> StoreError:
        """See :func:`failure`."""
        return failure(self.path, error)

    def close(self) -> None:
        """Give the file up."""
        self._closing.close()


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            f"the store's URL {url!r} is none; it looks like sqlite:///improto.db"
        ) from None
    shown = parsed.render_as_string(hide_password=True) if parsed.password else url
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"the store {shown} is of a kind that is not supported; use sqlite:///")
    if parsed.query or not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"the store {shown} must be a file, as in sqlite:///improto.db")
    return Path(parsed.database).resolve()


def _lock(path: Path, closing: ExitStack) -> None:
    lock_path = path.with_name(f"{path.name}-lock")
    try:
        lock = sqlite3.connect(lock_path, timeout=0, isolation_level=None, check_same_thread=False)
        closing.callback(lock.close)
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
        connection.exec_driver_sql("BEGIN")

    return engine


def _prepare(path: Path, connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    if not names:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.version).values(version=schema.VERSION))
        return
    if schema.version.name not in names:
        raise StoreError(f"the store {path} is a database of another program")
    found = connection.scalar(select(schema.version.c.version))
    if found != schema.VERSION:
        raise StoreError(
            f"the store {path} was made by another version of this program:"
            f" its tables have version {found}, needed is {schema.VERSION}"
        )
    # Changes nothing, but a file that cannot be written to is found out now.
    connection.execute(update(schema.version).values(version=schema.VERSION))


def _latest_time(connection: Connection) -> int:
    times = schema.messages.c.time
    # One question for each half of the index; one for both would read all of it.
    halves = (
        connection.scalar(select(func.max(times)).where(schema.messages.c.in_history == half))
        for half in (0, 1)
    )
    return max(time or 0 for time in halves)
