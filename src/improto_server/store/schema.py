"""The tables of messages, and who is in them. Each capability adds its own in a module here.

Rules:

* Rows are appended. A message is written once; only recall and expansion change it. Its body
  is stored once, however many people it is for.
* What was sent to a group lies in the group's stream, once. Members read it from there, for
  the time of their membership. Boxes have only what is for one user.
* Nothing is counted up and down, so no count can drift. How many messages of a conversation
  are unread is the difference of two running numbers.
* Indexed columns are integers. Users and conversations are written once and are a number
  from then on.
* An index earns its place: each one whose entries are spread over the file adds a third to
  the cost of a message.

Who changes the tables, here or there, adds a revision: :mod:`improto_server.store.migrations`.
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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from improto.codes import ConversationType
from improto.messages import MessageDirection

FOREVER: Final = 2**63 - 1
"""Later than every message: the largest number that a column takes."""

LISTED: Final = frozenset(
    {
        ConversationType.PRIVATE,
        ConversationType.DISCUSSION,
        ConversationType.GROUP,
        ConversationType.CUSTOMER_SERVICE,
        ConversationType.SYSTEM,
        ConversationType.APP_PUBLIC_SERVICE,
        ConversationType.PUBLIC_SERVICE,
    }
)
"""Types that conversation lists have (operations 7)."""

VERSION: Final = 2
"""What the table ``improto_schema`` says: 1 in files of the first release, 2 in those that have a
revision as well. It never rises again, so the first release knows that it cannot read them."""

SENT: Final = int(MessageDirection.SENT)
RECEIVED: Final = int(MessageDirection.RECEIVED)

metadata = MetaData()

# SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
_Key = BigInteger().with_variant(Integer, "sqlite")

version = Table(
    "improto_schema",
    metadata,
    Column("version", Integer, nullable=False),
    comment="one row; by this table a file is known to be ours",
)

revision = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    comment="one row, as Alembic wants it",
)

reserved = Table(
    "reserved",
    metadata,
    Column("time", BigInteger, nullable=False),
    comment="one row or none: up to which time anything may have been told to a client",
)

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
    Column("flags", Integer, nullable=False, comment="UpFlag"),
    Column("in_history", Integer, nullable=False, comment="0 or 1"),
    Column("in_stream", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column(
        "number",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="how many counted messages the conversation has, this one included",
    ),
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
# What the members of a group find in their inboxes.
Index(
    "messages_of_stream",
    messages.c.conversation,
    messages.c.time,
    sqlite_where=messages.c.in_stream == 1,
    postgresql_where=messages.c.in_stream == 1,
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

memberships = Table(
    "memberships",
    metadata,
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False, comment="FOREVER for those who are in"),
    comment="who is, or was, in which group or discussion; reads what was sent in between",
    sqlite_with_rowid=False,
)
Index(
    "memberships_of_conversation",
    memberships.c.conversation,
    memberships.c.member,
    sqlite_where=memberships.c.until == FOREVER,
    postgresql_where=memberships.c.until == FOREVER,
)

views = Table(
    "views",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("read_until", BigInteger, nullable=False, server_default="0"),
    Column("cleared_until", BigInteger, nullable=False, server_default="0"),
    Column("removed_until", BigInteger, nullable=False, server_default="0"),
    comment="a user's own sight of a conversation: up to which time he has read it,"
    " cleared its history and taken it off his list",
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


def is_shared(type: int) -> bool:
    """Whether the target of such a conversation is a place where many meet."""
    return type in _SHARED


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
