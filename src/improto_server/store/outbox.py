"""What the application is still to be told by webhooks, and which sessions it knows of.

A row is written in the same transaction as what it tells of, and goes when the application has
taken it. Rows of one stream, an app's callbacks of one kind, are told in the order of their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from improto_server.store.schema import FOREVER, messages, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

PAGE_BYTES: Final = 1024 * 1024
"""Of one page; a single row may have more."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("app", Text, nullable=False),
    Column("kind", Integer, nullable=False, comment="services.outbox.Kind"),
    Column("time", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="a JSON object"),
    comment="what the application is still to be told (rest 10)",
)
Index("outbox_by_stream", outbox.c.app, outbox.c.kind, outbox.c.id)

sessions = Table(
    "online_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("app", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("os", Text, nullable=False),
    Column("address", Text, nullable=False),
    comment="connections whose beginning the application was told, and whose end it was not",
)

_ADD = insert(outbox)
_IS_STORED = select(messages.c.id).where(
    messages.c.in_history == bindparam("in_history"),
    messages.c.time == bindparam("at"),
    messages.c.uid == bindparam("uid"),
)
_PAGE = (
    select(outbox.c.id, outbox.c.time, outbox.c.body)
    .where(outbox.c.app == bindparam("app"), outbox.c.kind == bindparam("kind"))
    .order_by(outbox.c.id)
    .limit(bindparam("count"))
)
_TIMES = _PAGE.with_only_columns(outbox.c.id, outbox.c.time)
_COUNTS = select(outbox.c.app, outbox.c.kind, func.count()).group_by(outbox.c.app, outbox.c.kind)


class Post(NamedTuple):
    """Something to be told."""

    id: int
    time: int
    """When it happened, milliseconds since 1970."""
    body: bytes
    """A JSON object."""


class Session(NamedTuple):
    """A connection of a user."""

    id: str
    app: str
    user: str
    os: str
    address: str


def counts(connection: Connection) -> dict[tuple[str, int], int]:
    """How many rows each stream has; asked for once, at the start."""
    return {(app, kind): count for app, kind, count in connection.execute(_COUNTS)}


def add(connection: Connection, *, app: str, kind: int, time: int, body: bytes) -> bool:
    """Something is to be told; always True."""
    connection.execute(_ADD, {"app": app, "kind": kind, "time": time, "body": body})
    return True


def add_stored(
    connection: Connection,
    *,
    app: str,
    kind: int,
    time: int,
    body: bytes,
    uid: str,
    in_history: bool,
) -> bool:
    """The same of a message, unless it is not stored: it was a repeat. True if it is told."""
    key = {"in_history": int(in_history), "at": time, "uid": uid}
    is_stored = connection.scalar(_IS_STORED, key) is not None
    return is_stored and add(connection, app=app, kind=kind, time=time, body=body)


def page(connection: Connection, *, app: str, kind: int, count: int) -> list[Post]:
    """The oldest rows of a stream: at most ``count`` and 1 MiB, at least one if any."""
    found: list[Post] = []
    size = 0
    with connection.execute(_PAGE, {"app": app, "kind": kind, "count": count}) as rows:
        for row in rows:
            size += len(row.body)
            if found and size > PAGE_BYTES:
                break
            found.append(Post(row.id, row.time, row.body))
    return found


def remove(connection: Connection, *, ids: Iterable[int]) -> int:
    """Forget rows; returns how many were there."""
    return connection.execute(delete(outbox).where(outbox.c.id.in_(list(ids)))).rowcount


def drop_oldest(connection: Connection, *, app: str, kind: int, count: int) -> int:
    """Forget the first rows of a stream; returns how many there were."""
    return drop_before(connection, app=app, kind=kind, time=FOREVER, count=count)


def drop_before(connection: Connection, *, app: str, kind: int, time: int, count: int) -> int:
    """Forget those of the first ``count`` rows of a stream that are older; returns how many."""
    rows = connection.execute(_TIMES, {"app": app, "kind": kind, "count": count})
    return remove(connection, ids=[row.id for row in rows if row.time < time])


def begin(connection: Connection, *, session: Session) -> None:
    """The application is told of a connection's beginning."""
    connection.execute(insert(sessions), session._asdict())


def end(connection: Connection, *, id: str) -> None:
    """It is told of its end."""
    connection.execute(delete(sessions).where(sessions.c.id == id))


def interrupted(connection: Connection) -> list[Session]:
    """Connections that an earlier run had when it ended; asked for once, at the start."""
    return [Session(*row) for row in connection.execute(select(sessions))]
