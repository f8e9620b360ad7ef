"""Who has read which message of a group, and when (messages 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Table, bindparam, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import messages, metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from improto_server.store.values import Place

group_receipts = Table(
    "group_receipts",
    metadata,
    Column("message", BigInteger, primary_key=True, autoincrement=False),
    Column("reader", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    comment="who has read a message of a group, and since when",
    sqlite_with_rowid=False,
)

# The time, which is in the uid, makes this one look into an index.
_FIND = select(messages.c.id, messages.c.sender).where(
    messages.c.conversation == bindparam("place"),
    messages.c.in_history == 1,
    messages.c.time == bindparam("time"),
    messages.c.uid == bindparam("uid"),
)
_ADD = sqlite.insert(group_receipts).on_conflict_do_nothing()
_READERS = (
    select(users.c.name, group_receipts.c.time)
    .join_from(group_receipts, users, users.c.id == group_receipts.c.reader)
    .where(group_receipts.c.message == bindparam("message"))
    .order_by(group_receipts.c.time, group_receipts.c.reader)
)
_NAME = select(users.c.name).where(users.c.id == bindparam("user"))


class Receipts(NamedTuple):
    """What is known of one message."""

    sender: str
    readers: list[tuple[str, int]]
    """User ids and when they read it, in milliseconds since 1970; the first reader first."""


def record(
    connection: Connection,
    *,
    place: Place,
    reader: str,
    uids: Iterable[tuple[str, int]],
    time: int,
) -> None:
    """The reader has read messages of a group: their uids and times.

    The first time counts. His own messages, and those that history does not know, are left out.
    """
    group = names.conversation_id(connection, place.app, place.type, "", place.id)
    user = names.ensure_user(connection, place.app, reader)
    for uid, sent in uids:
        key = {"place": group, "time": sent, "uid": uid}
        found = connection.execute(_FIND, key).one_or_none()
        if found is not None and found.sender != user:
            row = {"message": found.id, "reader": user, "time": time}
            connection.execute(_ADD, row)


def receipts(connection: Connection, *, place: Place, uid: str, time: int) -> Receipts | None:
    """Who has read a message with this uid and time; None if there is no such message."""
    group = names.conversation_id(connection, place.app, place.type, "", place.id)
    key = {"place": group, "time": time, "uid": uid}
    found = connection.execute(_FIND, key).one_or_none()
    if found is None:
        return None
    sender = connection.execute(_NAME, {"user": found.sender}).scalar_one()
    rows = connection.execute(_READERS, {"message": found.id})
    return Receipts(sender, [(reader, read_at) for reader, read_at in rows])
