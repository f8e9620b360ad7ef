"""What the tests of the store share: an event loop that is turned by hand, and messages."""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from improto.codes import ConversationType
from improto_server.store import NewMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

PATIENCE = 30.0
"""Seconds until a thread that says nothing is a failure."""


class HandLoop:
    """Does nothing by itself. What threads want is done one by one, by :meth:`hop`."""

    def __init__(self) -> None:
        self.later: deque[Callable[[], None]] = deque()
        self.from_threads: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def soon(self, call: Callable[[], None]) -> None:
        self.later.append(call)

    def on_loop(self, call: Callable[[], None]) -> None:
        self.from_threads.put(call)

    def end_turn(self) -> None:
        """Do what was to be done at the end of the turn."""
        while self.later:
            self.later.popleft()()

    def hop(self) -> None:
        """Wait for a thread to want something, and do it."""
        self.from_threads.get(timeout=PATIENCE)()

    def until(self, answers: list[Any], count: int) -> None:
        """Turn until there are so many answers."""
        self.end_turn()
        while len(answers) < count:
            self.hop()
            self.end_turn()


def message(number: int, **changes: Any) -> NewMessage:
    """A private message from alice to bob; ``number`` is its time and in its uid and item."""
    values: dict[str, Any] = {
        "app": "app",
        "uid": f"UID-{number}",
        "time": number,
        "type": ConversationType.PRIVATE,
        "sender": "alice",
        "target": "bob",
        "object_name": "RC:TxtMsg",
        "flags": 3,
        "unique_id": None,
        "item": b"item %d" % number,
        "receivers": ("bob",),
        "sent_box": False,
        "in_history": True,
    }
    return NewMessage(**(values | changes))


@contextmanager
def listening(name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Have ``listener`` called on an event of any database engine."""
    event.listen(Engine, name, listener)
    try:
        yield
    finally:
        event.remove(Engine, name, listener)


@contextmanager
def query_plans(connection: Connection) -> Iterator[list[str]]:
    """How SQLite goes about every statement that is run meanwhile: search, scan, sort."""
    plans: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        if statement.lstrip().startswith(("SELECT", "DELETE", "WITH")):
            one = parameters[0] if isinstance(parameters, list) else parameters
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", one))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(connection, "before_cursor_execute", explain)


def disk_error() -> sqlite3.OperationalError:
    """What SQLite raises if the disk fails."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    error.sqlite_errorname = "SQLITE_IOERR"
    return error
