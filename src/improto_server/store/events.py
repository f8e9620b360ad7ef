"""The event stream: what has happened to groups, friends and receipts, for each who is told.

An event is stored once, however many people it is for. It is forgotten with the messages of the
same age (:mod:`.retention`), and earlier by whoever is told very much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
)

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

# SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
_Key = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("item", LargeBinary, nullable=False, comment="EventChange"),
    comment="what has happened",
)
Index("events_by_time", events.c.time)

event_readers = Table(
    "event_readers",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("event", BigInteger, nullable=False),
    comment="who is told of which event",
    sqlite_with_rowid=False,
)

MOST_EVENTS: Final = 1000
"""Kept of one user, the newest ones. Ours."""

PAGE_EVENTS: Final = 200
"""Entries of one page. Ours: as many as a page of an inbox has (session 8.3)."""

PAGE_BYTES: Final = 128 * 1024
"""Bytes of one page. Ours."""

USERS_AT_ONCE: Final = 100
"""Users whose events are looked at in one go of forgetting: some milliseconds."""

_ADD = insert(events).returning(events.c.id)
# In two statements, because a group has thousands of members.
_ADD_USERS = text(
    "INSERT OR IGNORE INTO users (app, name) SELECT :app, value FROM json_each(:names)"
)
_ADD_READERS = text(
    """
    INSERT INTO event_readers (owner, time, event) SELECT id, :time, :event FROM users
    WHERE app = :app AND name IN (SELECT value FROM json_each(:names))
    """
)
_NEWEST = select(func.max(event_readers.c.time)).where(event_readers.c.owner == bindparam("owner"))
_AFTER = (
    select(event_readers.c.time, events.c.item)
    .join_from(event_readers, events, events.c.id == event_readers.c.event)
    .where(event_readers.c.owner == bindparam("owner"), event_readers.c.time > bindparam("after"))
    .order_by(event_readers.c.time)
    .limit(PAGE_EVENTS + 1)
)
_EDGES = text(
    f"""
    SELECT id AS old_owner, max(:before, coalesce((
        SELECT time FROM event_readers WHERE owner = users.id
        ORDER BY time DESC LIMIT 1 OFFSET {MOST_EVENTS - 1}), 0)) AS edge
    FROM users WHERE id BETWEEN :first_user AND :last_user
    """
)
_DELETE_READERS = delete(event_readers).where(
    event_readers.c.owner == bindparam("old_owner"), event_readers.c.time < bindparam("edge")
)
_DELETE_EVENTS = delete(events).where(
    events.c.id.in_(
        select(events.c.id).where(events.c.time < bindparam("before")).limit(bindparam("rows"))
    )
)


class Page(NamedTuple):
    """A piece of a user's stream."""

    items: list[bytes]
    """Encoded EventChanges, the oldest first."""
    edge: int
    """Everything up to this time is in this page or in those before it."""
    has_more: bool


def add(
    connection: Connection, *, app: str, readers: Iterable[str], time: int, item: bytes
) -> None:
    """Tell each of ``readers`` of an event; its time is later than all that they have."""
    event = connection.execute(_ADD, {"time": time, "item": item}).scalar_one()
    named = {"app": app, "names": msgspec.json.encode([*readers]).decode()}
    connection.execute(_ADD_USERS, named)
    connection.execute(_ADD_READERS, {"time": time, "event": event, **named})


def newest(connection: Connection, *, app: str, reader: str) -> int:
    """The time of the newest event of a user; 0 if he has none."""
    return connection.scalar(_NEWEST, {"owner": _owner(connection, app, reader)}) or 0


def page(connection: Connection, *, app: str, reader: str, after: int) -> Page:
    """The oldest events of a user after a time: at most 200 and 128 KiB, at least one if any."""
    owner = _owner(connection, app, reader)
    rows = connection.execute(_AFTER, {"owner": owner, "after": after}).all()
    items: list[bytes] = []
    size, edge = 0, after
    for row in rows:
        size += len(row.item)
        if len(items) == PAGE_EVENTS or (items and size > PAGE_BYTES):
            return Page(items, edge, has_more=True)
        items.append(row.item)
        edge = row.time
    return Page(items, edge, has_more=False)


def forget(connection: Connection, *, before: int, first_user: int) -> int | None:
    """Do a slice of forgetting, for 100 users from ``first_user`` on.

    What is older than ``before`` goes, and of each user all but his newest 1000. The answer is
    the user to go on with, None if there is none.
    """
    last_user = first_user + USERS_AT_ONCE - 1
    limits = {"before": before, "first_user": first_user, "last_user": last_user}
    edges = connection.execute(_EDGES, limits).all()
    if edges:
        connection.execute(_DELETE_READERS, [dict(row._mapping) for row in edges])
    newest_user = connection.scalar(select(func.max(users.c.id))) or 0
    return last_user + 1 if last_user < newest_user else None


def forget_unread(connection: Connection, *, before: int, rows: int) -> int:
    """Delete at most ``rows`` events that are so old that nobody is told of them any more."""
    return connection.execute(_DELETE_EVENTS, {"before": before, "rows": rows}).rowcount


def _owner(connection: Connection, app: str, reader: str) -> int:
    # Numbers begin with 1, so 0 is a user who is never told anything.
    return names.user_id(connection, app, reader) or 0
