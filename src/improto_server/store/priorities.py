"""Which messages an app thinks little of in busy chatrooms, and which it always wants there."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Column, Integer, Table, Text, delete, select
from sqlalchemy.dialects import sqlite

from improto_server.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class Priority(enum.IntEnum):
    """What an app thinks of messages with a certain object name."""

    LOW = 1
    """May be left out in a busy room."""
    HIGH = 2
    """Never left out."""


priorities = Table(
    "priorities",
    metadata,
    Column("app", Text, primary_key=True),
    Column("priority", Integer, primary_key=True, autoincrement=False, comment="Priority"),
    Column("object_name", Text, primary_key=True),
    comment="object names that count for less or more in chatrooms; few for each app",
    sqlite_with_rowid=False,
)


class PriorityRow(NamedTuple):
    """What an app thinks of an object name."""

    app: str
    priority: Priority
    object_name: str


def everything(connection: Connection) -> list[PriorityRow]:
    """All of them, in the order of their names; asked for once, at the start."""
    query = select(priorities).order_by(priorities.c.object_name)
    return [
        PriorityRow(app, Priority(number), name) for app, number, name in connection.execute(query)
    ]


def change(connection: Connection, *, rows: Sequence[PriorityRow], is_listed: bool) -> None:
    """Put object names on the list, or take them off it."""
    for row in rows:
        values = {**row._asdict(), "priority": int(row.priority)}
        if is_listed:
            connection.execute(sqlite.insert(priorities).values(values).on_conflict_do_nothing())
        else:
            where = (priorities.c[name] == value for name, value in values.items())
            connection.execute(delete(priorities).where(*where))
