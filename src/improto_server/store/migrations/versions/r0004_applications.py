"""What applications bring: accounts, moderation, webhooks, and the rest of the REST API.

Nothing that is stored already means anything else than before, so there is nothing to fill in.
"""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text, UniqueConstraint, text

revision: Final = "0004"
down_revision: Final = "0003"

_KEY: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column of its own type."""


def upgrade() -> None:
    """Make the new tables, and what rooms are told by the REST API."""
    op.add_column("chatrooms", Column("is_paused", Integer, nullable=False, server_default="0"))
    op.add_column("chatrooms", Column("minutes", Integer, nullable=False, server_default="0"))
    op.add_column("chatrooms", Column("ends", BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "allowances",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("other", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "app_accounts",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("app", Text, nullable=False),
        Column("email", Text),
        Column("phone", Text),
        Column("password", Text, nullable=False),
        Column("folded", Text, nullable=False),
        Column("portrait", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("guest_until", BigInteger, nullable=False),
        Column("is_closed", Integer, nullable=False),
        UniqueConstraint("app", "phone"),
        UniqueConstraint("app", "email"),
    )
    op.create_index("app_accounts_by_name", "app_accounts", ["app", "folded"])
    op.create_index(
        "app_accounts_closed", "app_accounts", ["user"], sqlite_where=text("is_closed = 1")
    )
    op.create_index(
        "app_accounts_guests", "app_accounts", ["guest_until"], sqlite_where=text("guest_until > 0")
    )
    op.create_table(
        "app_pending",
        Column("key", Text, primary_key=True),
        Column("app", Text, nullable=False),
        Column("email", Text, nullable=False),
        Column("user", BigInteger, nullable=False),
        Column("password", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("until", BigInteger, nullable=False),
    )
    op.create_index("app_pending_by_email", "app_pending", ["app", "email", "until"])
    op.create_index("app_pending_by_time", "app_pending", ["until"])
    op.create_index("app_pending_by_user", "app_pending", ["user"])
    op.create_table(
        "app_sessions",
        Column("hash", LargeBinary, primary_key=True),
        Column("user", BigInteger, nullable=False),
        Column("until", BigInteger, nullable=False),
    )
    op.create_index("app_sessions_by_time", "app_sessions", ["until"])
    op.create_index("app_sessions_by_user", "app_sessions", ["user", "until"])
    op.create_index(
        "chatrooms_muted", "chatrooms", ["conversation"], sqlite_where=text("is_muted = 1")
    )
    op.create_table(
        "deleted_archives",
        Column("app", Text, primary_key=True),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mails",
        Column("id", _KEY, primary_key=True),
        Column("recipient", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("due", BigInteger, nullable=False),
    )
    op.create_index("mails_by_time", "mails", ["due", "id"])
    op.create_table(
        "online_sessions",
        Column("id", Text, primary_key=True),
        Column("app", Text, nullable=False),
        Column("user", Text, nullable=False),
        Column("os", Text, nullable=False),
        Column("address", Text, nullable=False),
    )
    op.create_table(
        "outbox",
        Column("id", _KEY, primary_key=True),
        Column("app", Text, nullable=False),
        Column("kind", Integer, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_index("outbox_by_stream", "outbox", ["app", "kind", "id"])
    op.create_table(
        "priorities",
        Column("app", Text, primary_key=True),
        Column("priority", Integer, primary_key=True, autoincrement=False),
        Column("object_name", Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "push_tags",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("tag", Text, primary_key=True),
        Column("app", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("push_tags_by_tag", "push_tags", ["app", "tag", "user"])
    op.create_table(
        "remarks",
        Column("owner", BigInteger, primary_key=True, autoincrement=False),
        Column("type", Integer, primary_key=True, autoincrement=False),
        Column("target", Text, primary_key=True),
        Column("remark", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "silences",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("scope", Integer, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "token_ends",
        Column("user", BigInteger, primary_key=True, autoincrement=False),
        Column("before", BigInteger, nullable=False),
    )
    op.create_index("token_ends_by_time", "token_ends", ["before"])
    op.create_table(
        "words",
        Column("app", Text, primary_key=True),
        Column("word", Text, primary_key=True),
        Column("replacement", Text, nullable=False),
        sqlite_with_rowid=False,
    )
