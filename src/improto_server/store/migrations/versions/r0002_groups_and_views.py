"""Groups, conversation lists and all else that came after version 0.1.0.

The first release knew private messages only, and counted nothing. What the new tables say of
its messages is what they would say if they had been there from the beginning.
"""

from __future__ import annotations

import json
from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Text,
    text,
)

from improto import payloads
from improto.errors import DecodeError

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Make the new tables, then fill in what the old messages mean for them."""
    op.execute("UPDATE improto_schema SET version = 2")
    _add_tables()
    _add_to_messages()
    _number_messages()
    _give_views()
    _mark_as_read()


def _add_tables() -> None:
    op.create_table(
        "blocks",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("other", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chatroom_entries",
        Column("id", Integer, primary_key=True),
        Column("conversation", BigInteger, nullable=False),
        Column("owner", BigInteger, nullable=False),
        Column("status", Integer, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("value", Text, nullable=False),
    )
    op.create_index("chatroom_entries_of_room", "chatroom_entries", ["conversation"])
    op.create_table(
        "chatroom_marks",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("kind", Integer, primary_key=True),
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chatrooms",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, nullable=False, server_default=""),
        Column("created", BigInteger, nullable=False),
        Column("is_muted", Integer, nullable=False, server_default="0"),
        Column("is_kept", Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "conversation_settings",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("kind", Integer, primary_key=True),
        Column("value", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "conversation_settings_by_version", "conversation_settings", ["owner", "version"]
    )
    op.create_table(
        "follows",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("service", BigInteger, primary_key=True, autoincrement=False),
        Column("is_following", Integer, nullable=False),
        Column("changed", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_receipts",
        Column("message", BigInteger, primary_key=True, autoincrement=False),
        Column("reader", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "groups",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("is_there", Integer, nullable=False, server_default="0"),
        Column("name", Text, nullable=False, server_default=""),
        Column("owner", BigInteger, nullable=False, server_default="0"),
        Column("openness", Integer, nullable=False, server_default="0"),
        Column("is_muted", Integer, nullable=False, server_default="0"),
        Column("changed", BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("groups_muted", "groups", ["conversation"], sqlite_where=text("is_muted = 1"))
    op.create_table(
        "hidden",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, primary_key=True, autoincrement=False),
        Column("is_counted", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "memberships",
        Column("member", BigInteger, primary_key=True, autoincrement=False),
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("since", BigInteger, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "memberships_of_conversation",
        "memberships",
        ["conversation", "member"],
        sqlite_where=text("until = 9223372036854775807"),
    )
    op.create_table(
        "offline_windows",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("days", Integer, nullable=False),
    )
    op.create_table(
        "profiles",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, nullable=False),
        Column("portrait", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
    )
    op.create_table(
        "recalls",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, primary_key=True, autoincrement=False),
        Column("is_counted", Integer, nullable=False),
        Column("recalled_by", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reserved",
        Column("time", BigInteger, nullable=False),
    )
    op.create_table(
        "restrictions",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("muted_until", BigInteger, nullable=False, server_default="0"),
        Column("banned_until", BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "services",
        Column("service", BigInteger, primary_key=True, autoincrement=False),
        Column("type", Integer, nullable=False),
        Column("name", Text, nullable=False),
        Column("portrait", Text, nullable=False),
        Column("about", Text, nullable=False),
        Column("changed", BigInteger, nullable=False),
    )
    op.create_table(
        "statuses",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("status", Integer, nullable=False),
    )
    op.create_table(
        "subscriptions",
        Column("subscriber", BigInteger, primary_key=True, autoincrement=False),
        Column("subject", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tags",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("tag", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("status", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "views",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("read_until", BigInteger, nullable=False, server_default="0"),
        Column("cleared_until", BigInteger, nullable=False, server_default="0"),
        Column("removed_until", BigInteger, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "voices",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("member", BigInteger, primary_key=True, autoincrement=False),
        Column("muted_until", BigInteger, nullable=False, server_default="0"),
        Column("is_exempt", Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )


def _add_to_messages() -> None:
    op.add_column("messages", Column("in_stream", Integer, nullable=False, server_default="0"))
    op.add_column("messages", Column("number", BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "messages_of_stream",
        "messages",
        ["conversation", "time"],
        sqlite_where=text("in_stream = 1"),
    )


def _number_messages() -> None:
    """Each one in history gets the number of counted ones so far, itself included.

    Flags 1 and 2 are "stored" and "counted"; only who asked for both is counted.
    """
    op.execute(
        """
        UPDATE messages SET number = counted.number FROM (
            SELECT id, sum(flags & 3 = 3) OVER (PARTITION BY conversation ORDER BY time) AS number
            FROM messages WHERE in_history = 1
        ) AS counted
        WHERE counted.id = messages.id
        """
    )


def _give_views() -> None:
    """Both sides of a conversation with a history see it; who only received may be no user yet."""
    side = """
        SELECT id AS conversation, app, {0} AS name FROM conversations
        WHERE EXISTS (
            SELECT 1 FROM messages WHERE conversation = conversations.id AND in_history = 1
        )
        """
    sides = f"{side.format('first')} UNION {side.format('second')}"
    op.execute(f"INSERT OR IGNORE INTO users (app, name) SELECT app, name FROM ({sides})")
    op.execute(
        f"""
        INSERT INTO views (owner, conversation) SELECT users.id, conversation
        FROM ({sides}) AS sides JOIN users ON users.app = sides.app AND users.name = sides.name
        """
    )


def _mark_as_read() -> None:
    """Who wrote has read what was there, and some have said that they have read."""
    op.execute(
        """
        UPDATE views SET read_until = coalesce((
            SELECT time FROM messages
            WHERE conversation = views.conversation AND sender = views.owner
            AND in_history = 1 AND flags & 3 = 3
            ORDER BY time DESC LIMIT 1
        ), 0)
        """
    )
    connection = op.get_bind()
    marks = connection.execute(
        text(
            """
            SELECT sender, conversation, time, item FROM messages
            WHERE object_name IN ('RC:ReadNtf', 'RC:SRSMsg')
            """
        )
    )
    move = text(
        """
        UPDATE views SET read_until = max(read_until, :until)
        WHERE owner = :reader AND conversation = :conversation
        """
    )
    for reader, conversation, time, item in marks:
        until = _read_until(item, sent_at=time)
        connection.execute(move, {"reader": reader, "conversation": conversation, "until": until})


def _read_until(item: bytes, *, sent_at: int) -> int:
    """The time that a read mark says, 0 if it says none; nobody has read the future."""
    try:
        content = json.loads(payloads.decode(payloads.DownStreamMessage, item).content)
        return min(int(float(content["lastMessageSendTime"])), sent_at)
    except (DecodeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return 0
