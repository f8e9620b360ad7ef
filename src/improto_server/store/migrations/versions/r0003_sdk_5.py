"""What SDK 5 brings: events, edits, profiles, subscriptions, friends, groups of its own, settings.

Nothing that is stored already means anything else than before, so there is nothing to fill in.
"""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text, UniqueConstraint, text

revision: Final = "0003"
down_revision: Final = "0002"

_KEY: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column of its own type."""


def upgrade() -> None:
    """Make the new tables, and an index for counting mentions."""
    op.create_table(
        "edits",
        Column("reader", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, primary_key=True, autoincrement=False),
        Column("message", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("edits_by_message", "edits", ["message"])
    op.create_table(
        "event_readers",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, primary_key=True, autoincrement=False),
        Column("event", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        Column("id", _KEY, primary_key=True),
        Column("time", BigInteger, nullable=False),
        Column("item", LargeBinary, nullable=False),
    )
    op.create_index("events_by_time", "events", ["time"])
    op.create_table(
        "friend_applications",
        Column("id", _KEY, primary_key=True),
        Column("asker", BigInteger, nullable=False),
        Column("asked", BigInteger, nullable=False),
        Column("status", Integer, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("info", Text, nullable=False),
        UniqueConstraint("asker", "asked"),
    )
    op.create_index("friend_applications_by_time", "friend_applications", ["time"])
    op.create_index("friend_applications_of_asked", "friend_applications", ["asked", "time"])
    op.create_index("friend_applications_of_asker", "friend_applications", ["asker", "time"])
    op.create_table(
        "friend_permissions",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("level", Integer, nullable=False),
    )
    op.create_table(
        "friends",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("other", BigInteger, primary_key=True, autoincrement=False),
        Column("since", BigInteger, nullable=False),
        Column("remark", Text, nullable=False),
        Column("extra", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("friends_by_time", "friends", ["owner", "since", "other"])
    op.create_table(
        "group_applications",
        Column("id", _KEY, primary_key=True),
        Column("conversation", BigInteger, nullable=False),
        Column("joiner", BigInteger, nullable=False),
        Column("inviter", BigInteger, nullable=False),
        Column("status", Integer, nullable=False),
        Column("applied", BigInteger, nullable=False),
        Column("detail", Text, nullable=False),
        Column("handler", BigInteger, nullable=False),
        Column("handled", BigInteger, nullable=False),
        UniqueConstraint("conversation", "joiner", "inviter"),
    )
    op.create_index("group_applications_by_time", "group_applications", ["applied"])
    op.create_index(
        "group_applications_of_inviter",
        "group_applications",
        ["inviter", "applied"],
        sqlite_where=text("inviter > 0"),
    )
    op.create_index("group_applications_of_joiner", "group_applications", ["joiner", "applied"])
    op.create_table(
        "group_follows",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("member", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("group_follows_by_member", "group_follows", ["conversation", "member"])
    op.create_table(
        "group_remarks",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("remark", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "managed_groups",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("creator", BigInteger, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("settings", Text, nullable=False),
        Column("extension", Text, nullable=False),
        Column("managers_admit", Integer, nullable=False),
    )
    op.create_table(
        "managed_members",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("member", BigInteger, primary_key=True, autoincrement=False),
        Column("is_manager", Integer, nullable=False, server_default="0"),
        Column("nickname", Text, nullable=False, server_default=""),
        Column("additional", Text, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "messages_that_mention",
        "messages",
        ["conversation", "time"],
        sqlite_where=text("(flags & 7) = 7"),
    )
    op.create_table(
        "profile_details",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("version", BigInteger, nullable=False),
        Column("visibility", Integer, nullable=False),
        Column("basic", Text, nullable=False),
        Column("extra", Text, nullable=False),
    )
    op.create_table(
        "quiet_hours",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("start", Text, nullable=False),
        Column("minutes", Integer, nullable=False),
        Column("level", Integer, nullable=False),
        Column("timezone", Text, nullable=False),
    )
    op.create_table(
        "read_positions",
        Column("conversation", BigInteger, primary_key=True, autoincrement=False),
        Column("reader", BigInteger, primary_key=True, autoincrement=False),
        Column("until", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timed_subscriptions",
        Column("subscriber", BigInteger, primary_key=True, autoincrement=False),
        Column("type", Integer, primary_key=True, autoincrement=False),
        Column("subject", BigInteger, primary_key=True, autoincrement=False),
        Column("time", BigInteger, nullable=False),
        Column("expiry", Integer, nullable=False),
        Column("until", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "timed_subscriptions_by_subject", "timed_subscriptions", ["subject", "type", "until"]
    )
    op.create_table(
        "type_levels",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("type", Integer, primary_key=True, autoincrement=False),
        Column("level", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unique_ids",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("app", Text, nullable=False),
        Column("unique_id", Text, nullable=False),
        UniqueConstraint("app", "unique_id"),
    )
    op.create_table(
        "user_settings",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("key", Text, primary_key=True),
        Column("value", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
