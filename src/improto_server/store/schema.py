"""The tables.

Rules:

* Rows are appended. A message is written once and never changed; its body is stored once,
  however many boxes it is in.
* Indexed columns are integers. Users and conversations are written once and are a number
  from then on.
* An index earns its place: each one whose entries are spread over the file adds a third to
  the cost of a message.

:data:`VERSION` is in the database as well. Who changes the tables raises it and adds the
migration.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from improto.codes import ConversationType
from improto.messages import MessageDirection

VERSION: Final = 1

SENT: Final = int(MessageDirection.SENT)
RECEIVED: Final = int(MessageDirection.RECEIVED)

metadata = MetaData()

# SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
_Key = BigInteger().with_variant(Integer, "sqlite")

version = Table("improto_schema", metadata, Column("version", Integer, nullable=False))

users = Table(
    "users",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("app", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("app", "name"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("app", Text, nullable=False),
    Column("type", Integer, nullable=False),
    Column("first", Text, nullable=False),
    Column("second", Text, nullable=False),
    UniqueConstraint("app", "type", "first", "second"),
    comment="first and second: see parties()",
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("conversation", BigInteger, nullable=False),
    Column("sender", BigInteger, nullable=False),
    Column("unique_id", BigInteger),
    Column("flags", Integer, nullable=False),
    Column("in_history", Integer, nullable=False, comment="0 or 1"),
    Column("uid", Text, nullable=False),
    Column("object_name", Text, nullable=False),
    Column("item", LargeBinary, nullable=False, comment="DownStreamMessage"),
)
# Most senders give no unique id, and then the message is not in this index.
Index(
    "messages_by_unique_id",
    messages.c.sender,
    messages.c.unique_id,
    unique=True,
    sqlite_where=messages.c.unique_id.is_not(None),
    postgresql_where=messages.c.unique_id.is_not(None),
)
Index(
    "messages_of_conversation",
    messages.c.conversation,
    messages.c.time,
    sqlite_where=messages.c.in_history == 1,
    postgresql_where=messages.c.in_history == 1,
)
# For the latest time, and for what retention deletes.
Index("messages_by_time", messages.c.in_history, messages.c.time)

boxes = Table(
    "boxes",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("direction", Integer, primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("message", BigInteger, primary_key=True),
    comment="who finds which message in his inbox (RECEIVED) and sent box (SENT)",
    # All of it is key, so the index is the table.
    sqlite_with_rowid=False,
)

_SHARED = frozenset(
    {
        ConversationType.DISCUSSION,
        ConversationType.GROUP,
        ConversationType.CHATROOM,
        ConversationType.ULTRA_GROUP,
        ConversationType.RTC_ROOM,
    }
)
"""Types whose target is a place where many meet, and not the other one of two (messages 1)."""


def parties(type: int, one: str, target: str) -> tuple[str, str]:
    """What names a conversation besides its type: ``first`` and ``second``.

    Of a shared one that is the target, and nothing. Of two users it is both of them, in an
    order that does not depend on who writes.
    """
    if type in _SHARED:
        return target, ""
    return (one, target) if one < target else (target, one)


def addressee(sender: str, first: str, second: str) -> str:
    """The target that a message of ``sender`` had, from the parties of its conversation."""
    return second if second and sender == first else first
