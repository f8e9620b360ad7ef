"""Who may not write in any group, in any chatroom, or to any user, before a time (rest 9.1)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Scope(enum.IntEnum):
    """Where somebody may not write."""

    GROUPS = 1
    ROOMS = 2
    USERS = 3


silences = Table(
    "silences",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", Integer, primary_key=True, autoincrement=False, comment="Scope"),
    Column("until", BigInteger, nullable=False),
    comment="who may not write in all groups, rooms or private conversations, before a time",
    sqlite_with_rowid=False,
)


class SilenceRow(NamedTuple):
    """Somebody may not write."""

    app: str
    user: str
    scope: Scope
    until: int
    """Milliseconds since 1970."""


def everything(connection: Connection) -> list[SilenceRow]:
    """All of them. They are few; asked for once, at the start."""
    query = select(users.c.app, users.c.name, silences.c.scope, silences.c.until).join_from(
        silences, users, users.c.id == silences.c.user
    )
    return [
        SilenceRow(app, name, Scope(scope), until)
        for app, name, scope, until in connection.execute(query)
    ]


def silence(connection: Connection, *, row: SilenceRow) -> None:
    """Somebody may not write before a time; 0: he may."""
    number = names.ensure_user(connection, row.app, row.user)
    if row.until:
        added = sqlite.insert(silences).values(user=number, scope=int(row.scope), until=row.until)
        connection.execute(
            added.on_conflict_do_update(index_elements=["user", "scope"], set_={"until": row.until})
        )
    else:
        where = silences.c.user == number, silences.c.scope == int(row.scope)
        connection.execute(silences.delete().where(*where))
