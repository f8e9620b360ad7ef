"""Which chatrooms exist, who may not do what there, and their keys (operations 14).

Who is in a room is not here: members come back by themselves after a restart, or are gone.
What is here goes when the room goes.
"""

from __future__ import annotations

import enum
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
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from improto.codes import ConversationType
from improto_server.store import names
from improto_server.store.schema import conversations, metadata, users
from improto_server.store.values import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection


class Mark(enum.IntEnum):
    """What is kept of a user in a room, besides being in it."""

    GAGGED = 1
    """May not speak (23408)."""
    BANNED = 2
    """May not come in (23409)."""
    ALLOWED = 3
    """May speak while the room is muted."""
    PROTECTED = 4
    """Stays in while he is away, and what he says is never left out."""


AUTO_DELETE = 1
"""Status bit of an entry: it goes when its owner leaves the room (operations 14.2)."""

chatrooms = Table(
    "chatrooms",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("created", BigInteger, nullable=False),
    Column("is_muted", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column("is_kept", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column("is_paused", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column(
        "minutes",
        Integer,
        nullable=False,
        server_default="0",
        comment="how long the room lasts; 0: as the operator has it",
    ),
    Column(
        "ends",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="when it goes, whoever is in; 0: when nobody has been in for so long",
    ),
    comment="chatrooms that exist",
)
Index(
    "chatrooms_muted",
    chatrooms.c.conversation,
    sqlite_where=chatrooms.c.is_muted == 1,
    postgresql_where=chatrooms.c.is_muted == 1,
)

marks = Table(
    "chatroom_marks",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Integer, primary_key=True, comment="Mark"),
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

entries = Table(
    "chatroom_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation", BigInteger, nullable=False),
    Column("owner", BigInteger, nullable=False),
    Column("status", Integer, nullable=False, comment="operations 14.2, without bit 4"),
    Column("time", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    comment="keys and values of chatrooms; few for each room",
)
Index("chatroom_entries_of_room", entries.c.conversation)

_MARKS = (
    select(marks.c.kind, users.c.name, marks.c.until)
    .join_from(marks, users, users.c.id == marks.c.user)
    .where(marks.c.conversation == bindparam("place"))
)
_STREAM = text(
    """
    SELECT time, name AS sender, item FROM messages JOIN users ON users.id = sender
    WHERE in_stream = 1 AND conversation = :place AND time > :created
    ORDER BY time DESC LIMIT :count
    """
)
_ENTRIES = (
    select(entries.c.key, entries.c.value, users.c.name, entries.c.status, entries.c.time)
    .join_from(entries, users, users.c.id == entries.c.owner)
    .where(entries.c.conversation == bindparam("place"))
    .order_by(entries.c.time)
)
_REMOVE_ENTRY = delete(entries).where(
    entries.c.conversation == bindparam("place"), entries.c.key == bindparam("name")
)
_UNCLAIMED = (
    select(conversations.c.app, conversations.c.first, users.c.name)
    .join_from(entries, users, users.c.id == entries.c.owner)
    .join(conversations, conversations.c.id == entries.c.conversation)
    .where(entries.c.status.op("&")(AUTO_DELETE) != 0)
    .distinct()
)


# Few rooms are muted: begin with those (CROSS JOIN keeps the order).
_MUTED = text(
    """
    SELECT first FROM chatrooms CROSS JOIN conversations
    ON conversations.id = chatrooms.conversation
    WHERE is_muted = 1 AND app = :app ORDER BY chatrooms.conversation
    """
)
# By the index of conversations.
_ROOMS = text(
    """
    SELECT first FROM conversations CROSS JOIN chatrooms
    ON chatrooms.conversation = conversations.id
    WHERE app = :app AND type = :type AND first > :after ORDER BY first LIMIT :count
    """
)


class Lifetime(NamedTuple):
    """When a room goes by itself."""

    minutes: int = 0
    """How long it lasts; 0: as long as the operator has it, from when nobody is in."""
    ends: int = 0
    """When it goes, whoever is in, in milliseconds since 1970. 0: when nobody has been in for
    so long."""


class RoomRow:
    """What the store knows of a room."""

    __slots__ = (
        "created",
        "exists",
        "is_kept",
        "is_muted",
        "is_paused",
        "lifetime",
        "marks",
        "messages",
        "name",
    )

    def __init__(self) -> None:
        self.exists = False
        self.name = ""
        self.created = 0
        self.is_muted = False
        self.is_kept = False
        self.is_paused = False
        self.lifetime = Lifetime()
        self.marks: dict[Mark, dict[str, int]] = {mark: {} for mark in Mark}
        """Of each kind user ids and until when."""
        self.messages: list[tuple[int, str, bytes]] = []
        """Time, sender and item of the newest ones, the oldest first."""


class EntryRow(NamedTuple):
    """A key of a room."""

    key: str
    value: str
    owner: str
    """Who has set it."""
    status: int
    """Bits of operations 14.2; never that of a deletion."""
    time: int


class Left(NamedTuple):
    """What an earlier run of the server has left."""

    rooms: dict[Place, Lifetime]
    """Rooms that go when they stay empty, or at a certain time."""
    owners: list[tuple[Place, str]]
    """Users whose entries go if they do not come back."""
    kept: list[Place]
    """Rooms that last while nobody is in."""


def left(connection: Connection) -> Left:
    """For the start: reads all rooms, and all entries."""
    rooms: dict[Place, Lifetime] = {}
    kept: list[Place] = []
    found = connection.execute(
        select(
            conversations.c.app,
            conversations.c.first,
            chatrooms.c.is_kept,
            chatrooms.c.minutes,
            chatrooms.c.ends,
        )
        .join_from(chatrooms, conversations, conversations.c.id == chatrooms.c.conversation)
        .order_by(chatrooms.c.conversation)
    )
    for app, id, is_kept, minutes, ends in found:
        place = _place(app, id)
        if is_kept:
            kept.append(place)
        if ends or not is_kept:
            rooms[place] = Lifetime(minutes, ends)
    owners = connection.execute(_UNCLAIMED)
    return Left(rooms, [(_place(app, id), name) for app, id, name in owners], kept)


def room(connection: Connection, *, place: Place, count: int) -> RoomRow:
    """Everything about a room and its newest ``count`` messages."""
    found = RoomRow()
    number = names.conversation_id(connection, *_named(place))
    if number is None:
        return found
    for kind, user, until in connection.execute(_MARKS, {"place": number}):
        found.marks[Mark(kind)][user] = until
    row = connection.execute(
        select(chatrooms).where(chatrooms.c.conversation == number)
    ).one_or_none()
    if row is None:
        return found
    found.exists = True
    found.name = row.name
    found.created = row.created
    found.is_muted = bool(row.is_muted)
    found.is_kept = bool(row.is_kept)
    found.is_paused = bool(row.is_paused)
    found.lifetime = Lifetime(row.minutes, row.ends)
    stream = {"place": number, "created": row.created, "count": count}
    newest_first = connection.execute(_STREAM, stream).all()
    found.messages = [(time, sender, item) for time, sender, item in reversed(newest_first)]
    return found


def muted(connection: Connection, *, app: str) -> list[str]:
    """Ids of the rooms in which only some may speak."""
    return list(connection.scalars(_MUTED, {"app": app}))


def listed(connection: Connection, *, app: str, after: str, count: int) -> list[str]:
    """Ids of the next rooms of an app, in the order of the ids."""
    key = {"app": app, "type": int(ConversationType.CHATROOM), "after": after, "count": count}
    return list(connection.scalars(_ROOMS, key))


def create(connection: Connection, *, place: Place, name: str, time: int) -> None:
    """Make a room that does not exist."""
    connection.execute(
        insert(chatrooms),
        {"conversation": _number(connection, place), "name": name, "created": time},
    )


def change(
    connection: Connection,
    *,
    place: Place,
    is_muted: bool | None,
    is_kept: bool | None,
    is_paused: bool | None,
    lifetime: Lifetime | None,
) -> None:
    """Write what can be changed about a room; what is None stays as it is."""
    minutes, ends = lifetime or (None, None)
    connection.execute(
        update(chatrooms)
        .where(chatrooms.c.conversation == _number(connection, place))
        .values(
            is_muted=func.coalesce(is_muted, chatrooms.c.is_muted),
            is_kept=func.coalesce(is_kept, chatrooms.c.is_kept),
            is_paused=func.coalesce(is_paused, chatrooms.c.is_paused),
            minutes=func.coalesce(minutes, chatrooms.c.minutes),
            ends=func.coalesce(ends, chatrooms.c.ends),
        )
    )


def destroy(connection: Connection, *, place: Place) -> None:
    """The room is no more; what was said in it stays in history."""
    number = _number(connection, place)
    for table in (chatrooms, marks, entries):
        connection.execute(delete(table).where(table.c.conversation == number))


def mark(connection: Connection, *, place: Place, kind: Mark, user: str, until: int) -> None:
    """Keep something of a user until a time; 0: no longer. The room need not exist."""
    number = _number(connection, place)
    row = {
        "conversation": number,
        "kind": int(kind),
        "user": names.ensure_user(connection, place.app, user),
        "until": until,
    }
    if until:
        change = sqlite.insert(marks).on_conflict_do_update(set_={"until": until})
        connection.execute(change, row)
    else:
        key = (marks.c[name] == row[name] for name in ("conversation", "kind", "user"))
        connection.execute(delete(marks).where(*key))


def all_entries(connection: Connection, place: Place) -> list[EntryRow]:
    """The keys of a room, the longest unchanged first."""
    number = names.conversation_id(connection, *_named(place))
    if number is None:
        return []
    return [EntryRow(*row) for row in connection.execute(_ENTRIES, {"place": number})]


def change_entries(
    connection: Connection, *, place: Place, put: Iterable[EntryRow], removed: Iterable[str]
) -> None:
    """Set some keys of a room and remove others."""
    number = _number(connection, place)
    put = tuple(put)
    gone = [*removed, *(row.key for row in put)]
    connection.execute(_REMOVE_ENTRY, [{"place": number, "name": key} for key in gone])
    if put:
        connection.execute(
            insert(entries),
            [
                {
                    "conversation": number,
                    "owner": names.ensure_user(connection, place.app, row.owner),
                    "status": row.status,
                    "time": row.time,
                    "key": row.key,
                    "value": row.value,
                }
                for row in put
            ],
        )


def nothing(connection: Connection) -> None:
    """Change nothing: whoever awaits this knows that all changes before are done."""


def _number(connection: Connection, place: Place) -> int:
    return names.ensure_conversation(connection, *_named(place))


def _named(place: Place) -> tuple[str, int, str, str]:
    return place.app, int(place.type), "", place.id


def _place(app: str, id: str) -> Place:
    return Place(app, ConversationType.CHATROOM, id)
