"""What was said in an hour, for the application to fetch, and the hours that it wants no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Table, Text, delete, select, text
from sqlalchemy.dialects import sqlite

from improto_server.store.schema import addressee, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

PAGE_BYTES: Final = 1024 * 1024
"""Read at once, and one message more. Ours."""

PAGE_MESSAGES: Final = 500
"""Looked at, those of other apps too. Likewise."""

deleted_archives = Table(
    "deleted_archives",
    metadata,
    Column("app", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    comment="hours whose messages an app does not want to fetch any more",
    sqlite_with_rowid=False,
)

# By the index of times. Those of other apps are counted as well: who has said little must not make
# everybody wait while what others have said is passed over.
_SAID = text(
    """
    SELECT messages.id, time, type, first, second, name AS sender, object_name, uid,
    CASE WHEN conversations.app = :app THEN item END AS item
    FROM messages CROSS JOIN conversations ON conversations.id = conversation
    CROSS JOIN users ON users.id = sender
    WHERE in_history = 1 AND time >= :time AND time < :end
    AND (time > :time OR messages.id > :id)
    ORDER BY time, messages.id LIMIT :count
    """
)


class Cursor(NamedTuple):
    """What has been read: everything before a time, and of that time what has a lower number."""

    time: int
    id: int = 0


class Said(NamedTuple):
    """One message."""

    time: int
    type: int
    sender: str
    target: str
    object_name: str
    uid: str
    item: bytes
    """The encoded DownStreamMessage."""


class SaidPage(NamedTuple):
    """Some of an hour."""

    messages: list[Said]
    cursor: Cursor | None
    """Where it goes on; None at the end."""


def said(connection: Connection, *, app: str, cursor: Cursor, end: int) -> SaidPage:
    """The next messages of an app before ``end``, the oldest first. Recalled ones are left out.

    There may be none, and more to come all the same.
    """
    key = {"app": app, "end": end, "count": PAGE_MESSAGES, **cursor._asdict()}
    found: list[Said] = []
    size = 0
    count = 0
    with connection.execute(_SAID, key) as rows:
        for row in rows:
            count += 1
            cursor = Cursor(row.time, row.id)
            if row.item:
                target = addressee(row.sender, row.first, row.second)
                found.append(
                    Said(
                        row.time,
                        row.type,
                        row.sender,
                        target,
                        row.object_name,
                        row.uid,
                        bytes(row.item),
                    )
                )
                size += len(row.item)
                if size > PAGE_BYTES:
                    return SaidPage(found, cursor)
    return SaidPage(found, cursor if count == PAGE_MESSAGES else None)


def is_deleted(connection: Connection, *, app: str, start: int) -> bool:
    """Whether the app does not want an hour any more."""
    query = select(deleted_archives.c.start).where(
        deleted_archives.c.app == app, deleted_archives.c.start == start
    )
    return connection.scalar(query) is not None


def forget(connection: Connection, *, app: str, start: int, before: int) -> None:
    """The app does not want an hour any more; of hours that began before a time nobody asks."""
    row = {"app": app, "start": start}
    connection.execute(sqlite.insert(deleted_archives).values(row).on_conflict_do_nothing())
    old = deleted_archives.c.app == app, deleted_archives.c.start < before
    connection.execute(delete(deleted_archives).where(*old))
