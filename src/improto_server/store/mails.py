"""Mails that wait for being sent.

They are written together with what they tell of, so that none is lost if the server dies or the
mail server is away. One that was sent a moment before the server died is sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from improto_server.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

mails = Table(
    "mails",
    metadata,
    # SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", BigInteger, nullable=False, comment="when it is tried next"),
    comment="mails that wait for being sent",
)
Index("mails_by_time", mails.c.due, mails.c.id)

_COUNT = select(func.count()).select_from(
    select(mails.c.id).limit(bindparam("most")).subquery("some")
)


class Mail(NamedTuple):
    """A mail."""

    recipient: str
    """An address."""
    subject: str
    body: str


class Waiting(NamedTuple):
    """A mail that has not been sent yet."""

    id: int
    mail: Mail
    tries: int
    """How often it was tried."""


def put(connection: Connection, *, mail: Mail, now: int, most: int) -> int | None:
    """Have a mail be sent; returns its id. None, and it is not, if ``most`` are waiting already."""
    if (connection.scalar(_COUNT, {"most": most}) or 0) >= most:
        return None
    row = insert(mails).values(**mail._asdict(), tries=0, due=now).returning(mails.c.id)
    id: int | None = connection.scalar(row)
    return id


def due(connection: Connection, *, now: int, most: int) -> list[Waiting]:
    """The next mails whose time has come."""
    query = select(mails).where(mails.c.due <= now).order_by(mails.c.due, mails.c.id).limit(most)
    return [
        Waiting(row.id, Mail(row.recipient, row.subject, row.body), row.tries)
        for row in connection.execute(query)
    ]


def remove(connection: Connection, *, id: int) -> None:
    """A mail was sent, or never will be."""
    connection.execute(delete(mails).where(mails.c.id == id))


def postpone(connection: Connection, *, id: int, due: int) -> None:
    """A mail was tried in vain, and will be tried again."""
    change = update(mails).where(mails.c.id == id).values(tries=mails.c.tries + 1, due=due)
    connection.execute(change)
