"""The tables of version 0.1.0."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Make them."""
    op.create_table("improto_schema", Column("version", Integer, nullable=False))
    op.execute("INSERT INTO improto_schema VALUES (1)")
    op.create_table(
        "users",
        Column("id", Integer, nullable=False),
        Column("app", Text, nullable=False),
        Column("name", Text, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("app", "name"),
    )
    op.create_table(
        "conversations",
        Column("id", Integer, nullable=False),
        Column("app", Text, nullable=False),
        Column("type", Integer, nullable=False),
        Column("first", Text, nullable=False),
        Column("second", Text, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("app", "type", "first", "second"),
    )
    op.create_table(
        "messages",
        Column("id", Integer, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("conversation", BigInteger, nullable=False),
        Column("sender", BigInteger, nullable=False),
        Column("unique_id", BigInteger),
        Column("flags", Integer, nullable=False),
        Column("in_history", Integer, nullable=False),
        Column("uid", Text, nullable=False),
        Column("object_name", Text, nullable=False),
        Column("item", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "messages_by_unique_id",
        "messages",
        ["sender", "unique_id"],
        unique=True,
        sqlite_where=text("unique_id IS NOT NULL"),
    )
    op.create_index(
        "messages_of_conversation",
        "messages",
        ["conversation", "time"],
        sqlite_where=text("in_history = 1"),
    )
    op.create_index("messages_by_time", "messages", ["in_history", "time"])
    op.create_table(
        "boxes",
        Column("owner", BigInteger, nullable=False),
        Column("direction", Integer, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("message", BigInteger, nullable=False),
        PrimaryKeyConstraint("owner", "direction", "time", "message"),
        sqlite_with_rowid=False,
    )
