"""What users call other users and groups, as the application says (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, Text, func, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

remarks = Table(
    "remarks",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Integer, primary_key=True, autoincrement=False, comment="ConversationType"),
    Column("target", Text, primary_key=True),
    Column("remark", Text, nullable=False),
    comment="what a user calls other users and groups",
    sqlite_with_rowid=False,
)


class Remark(NamedTuple):
    """What somebody is called."""

    target: str
    remark: str


def put(
    connection: Connection, *, app: str, owner: str, type: int, given: Mapping[str, str]
) -> None:
    """Call users, or groups, so; by their ids."""
    number = names.ensure_user(connection, app, owner)
    for target, remark in given.items():
        row = {"owner": number, "type": int(type), "target": target, "remark": remark}
        added = sqlite.insert(remarks).values(row)
        connection.execute(
            added.on_conflict_do_update(
                index_elements=["owner", "type", "target"], set_={"remark": remark}
            )
        )


def remove(connection: Connection, *, app: str, owner: str, type: int, target: str) -> None:
    """A user, or a group, is called nothing special."""
    number = names.user_id(connection, app, owner)
    connection.execute(
        remarks.delete().where(
            remarks.c.owner == number, remarks.c.type == int(type), remarks.c.target == target
        )
    )


def count(connection: Connection, *, app: str, owner: str, type: int) -> int:
    """How many users, or groups, are called something."""
    number = names.user_id(connection, app, owner)
    query = select(func.count()).where(remarks.c.owner == number, remarks.c.type == int(type))
    return connection.scalar(query) or 0


def find(connection: Connection, *, app: str, owner: str, type: int, target: str) -> str | None:
    """What a user, or a group, is called; None if nothing special."""
    number = names.user_id(connection, app, owner)
    found: str | None = connection.scalar(
        select(remarks.c.remark).where(
            remarks.c.owner == number, remarks.c.type == int(type), remarks.c.target == target
        )
    )
    return found


def page(
    connection: Connection, *, app: str, owner: str, type: int, offset: int, count: int
) -> list[Remark]:
    """Some of them, in the order of the ids."""
    number = names.user_id(connection, app, owner)
    query = (
        select(remarks.c.target, remarks.c.remark)
        .where(remarks.c.owner == number, remarks.c.type == int(type))
        .order_by(remarks.c.target)
        .limit(count)
        .offset(offset)
    )
    return [Remark(*row) for row in connection.execute(query)]
