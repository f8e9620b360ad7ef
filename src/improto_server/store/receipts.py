"""Who has read what, in the newer two ways (sdk5 8.2): up to which time, and which messages.

A position is kept each time it moves, with the time at which its owner said so. So the first one
at or after a message tells when that was read; of messages before the last 100 of them it tells
a later time. Single messages are kept as in the older way, in
the table of :mod:`.group_receipts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Table, bindparam, insert, select, text
from sqlalchemy.dialects import sqlite

from improto_server.store.group_receipts import group_receipts
from improto_server.store.schema import FOREVER, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

read_positions = Table(
    "read_positions",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("reader", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    comment="up to which time members of a group have read, and when they said so",
    sqlite_with_rowid=False,
)

MOST_POSITIONS: Final = 100
"""Kept of one member of a group, the newest ones. Ours."""

# The time, which is in the uid, makes this one look into an index.
_FIND = text(
    """
    SELECT messages.id, conversation, sender, users.name, messages.time, item
    FROM messages JOIN users ON users.id = sender
    WHERE conversation = :place AND in_history = 1 AND messages.time = :time AND uid = :uid
    AND length(item) > 0
    """
)
# A message counts for those who were there when it was sent, still are, and are not its sender.
_AUDIENCE: Final = f"""
    WHERE memberships.conversation = :place AND until = {FOREVER}
    AND since < :time AND member <> :sender
    """
_MEMBERS = text(f"SELECT member, name FROM memberships JOIN users ON users.id = member {_AUDIENCE}")
_COUNT_MEMBERS = text(
    f"""
    SELECT count(*), count(group_receipts.time) FROM memberships
    LEFT JOIN group_receipts ON message = :message AND reader = member {_AUDIENCE}
    """
)
_COUNT_READERS = text(
    "SELECT count(*) FROM group_receipts WHERE message = :message AND reader <> :sender"
)
_ADD = sqlite.insert(group_receipts).on_conflict_do_nothing()
_READERS = select(group_receipts.c.reader, group_receipts.c.time).where(
    group_receipts.c.message == bindparam("message")
)

_HAS_READ = select(group_receipts.c.time).where(
    group_receipts.c.message == bindparam("message"),
    group_receipts.c.reader == bindparam("reader"),
)

_POSITION: Final = """
    SELECT {column} FROM read_positions
    WHERE read_positions.conversation = :place AND reader = {reader} {since}
    ORDER BY read_positions.until {order} LIMIT 1
    """
_REACHED: Final = _POSITION.format(
    column="read_positions.until", reader="{reader}", since="", order="DESC"
)
_OWN_POSITION = text(_REACHED.format(reader=":reader"))
_POSITIONS = text(
    f"""
    SELECT member, since, ({_REACHED.format(reader="member")}) FROM memberships
    WHERE memberships.conversation = :place AND memberships.until = {FOREVER}
    """
)
_PASSED: Final = _POSITION.format(
    column="read_positions.time",
    reader="member",
    since="AND read_positions.until >= :time",
    order="",
)
_PASSINGS = text(
    f"""
    SELECT member, ({_PASSED}) FROM memberships
    WHERE memberships.conversation = :place AND memberships.until = {FOREVER}
    """
)
_MOVE = insert(read_positions)
_FORGET = text(
    f"""
    DELETE FROM read_positions WHERE conversation = :place AND reader = :reader AND until <= (
        SELECT until FROM read_positions WHERE conversation = :place AND reader = :reader
        ORDER BY until DESC LIMIT 1 OFFSET {MOST_POSITIONS})
    """
)


class Message(NamedTuple):
    """What receipts are about; users are numbers here."""

    id: int
    place: int
    """The conversation's number."""
    sender: int
    sender_name: str
    time: int
    item: bytes
    """The encoded DownStreamMessage."""


class Position(NamedTuple):
    """How far a member of a group has read."""

    member: int
    since: int
    """He reads what is later."""
    until: int
    """0 if he has not said."""


def find(connection: Connection, *, place: int, uid: str, time: int) -> Message | None:
    """The message of a conversation's history with this uid and time, unless taken back."""
    key = {"place": place, "time": time, "uid": uid}
    row = connection.execute(_FIND, key).one_or_none()
    return None if row is None else Message(*row)


def members(connection: Connection, message: Message) -> dict[int, str]:
    """For whom a message in a group counts: numbers and ids."""
    rows = connection.execute(_MEMBERS, message._asdict())
    return {row.member: row.name for row in rows}


def count_members(connection: Connection, message: Message) -> tuple[int, int]:
    """For how many a message in a group counts, and how many of them have said that they have
    read it."""
    key = {"message": message.id, **message._asdict()}
    total, read = connection.execute(_COUNT_MEMBERS, key).one()
    return total, read


def count_readers(connection: Connection, message: Message) -> int:
    """How many besides its sender have said that they have read a message."""
    key = {"message": message.id, "sender": message.sender}
    return connection.scalar(_COUNT_READERS, key) or 0


def add(connection: Connection, *, message: int, reader: int, time: int) -> bool:
    """The reader has read a message. False if that was known; the first time counts."""
    row = {"message": message, "reader": reader, "time": time}
    return connection.execute(_ADD, row).rowcount > 0


def readers(connection: Connection, *, message: int) -> dict[int, int]:
    """Who has read a message, by number, and when."""
    return {row.reader: row.time for row in connection.execute(_READERS, {"message": message})}


def has_read(connection: Connection, *, message: int, reader: int) -> bool:
    """Whether the reader has said that he has read a message."""
    key = {"message": message, "reader": reader}
    return connection.scalar(_HAS_READ, key) is not None


def move(connection: Connection, *, place: int, reader: int, until: int, time: int) -> None:
    """The reader has read a group up to a time; positions only go forward."""
    key = {"place": place, "reader": reader}
    reached = connection.scalar(_OWN_POSITION, key)
    if reached is None or reached < until:
        row = {"conversation": place, "reader": reader, "until": until, "time": time}
        connection.execute(_MOVE, row)
        connection.execute(_FORGET, key)


def positions(connection: Connection, *, place: int) -> list[Position]:
    """Up to which time the members of a group have read."""
    rows = connection.execute(_POSITIONS, {"place": place})
    return [Position(member, since, until or 0) for member, since, until in rows]


def passings(connection: Connection, *, place: int, time: int) -> dict[int, int]:
    """When the members of a group who have read up to a time or later said so first."""
    rows = connection.execute(_PASSINGS, {"place": place, "time": time})
    return {member: passed for member, passed in rows if passed is not None}
