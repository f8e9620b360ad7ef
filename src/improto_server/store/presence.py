"""The status that users have given themselves, and whose presence they want to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Integer, Table, bindparam, func, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

DEFAULT_STATUS: Final = 1
"""The number of users who have set none; the one in the example of operations 10."""

statuses = Table(
    "statuses",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Integer, nullable=False),
    comment="the number that a user has set (operations 10)",
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscriber", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", BigInteger, primary_key=True, autoincrement=False),
    comment="subscriber is told when subject comes and goes (operations 10)",
    sqlite_with_rowid=False,
)

_STATUS = select(statuses.c.status).where(statuses.c.user == bindparam("who"))
_SUBJECTS = (
    select(users.c.name, func.coalesce(statuses.c.status, DEFAULT_STATUS).label("status"))
    .join_from(subscriptions, users, users.c.id == subscriptions.c.subject)
    .outerjoin(statuses, statuses.c.user == subscriptions.c.subject)
    .where(subscriptions.c.subscriber == bindparam("who"))
    .order_by(users.c.name)
)


def status(connection: Connection, *, app: str, user: str) -> int:
    """The number that the user has set."""
    found: int | None = connection.scalar(_STATUS, {"who": names.user_id(connection, app, user)})
    return DEFAULT_STATUS if found is None else found


def set_status(connection: Connection, *, app: str, user: str, status: int) -> None:
    """Remember the number that the user sets."""
    row = {"user": names.ensure_user(connection, app, user), "status": status}
    insert = sqlite.insert(statuses).values(row)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["user"], set_={"status": status})
    )


def subjects(connection: Connection, *, app: str, subscriber: str) -> dict[str, int]:
    """Whose presence the user wants to be told of, and the numbers that they have set."""
    number = names.user_id(connection, app, subscriber)
    return {row.name: row.status for row in connection.execute(_SUBJECTS, {"who": number})}


def subscribe(
    connection: Connection, *, app: str, subscriber: str, subjects: Iterable[str]
) -> None:
    """Tell the user of the presence of more users; harmless if he is told already."""
    who = names.ensure_user(connection, app, subscriber)
    rows = [
        {"subscriber": who, "subject": names.ensure_user(connection, app, name)}
        for name in subjects
    ]
    connection.execute(sqlite.insert(subscriptions).on_conflict_do_nothing(), rows)
