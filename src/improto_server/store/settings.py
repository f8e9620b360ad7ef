"""What users have set: of conversations, of themselves, and the tags that they have made.

Every change has a version, which is a time. So a device that knows everything up to one version
is told what has come after it, and what is gone stays known as gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, bindparam, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import addressee, conversations, metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import UserKey

conversation_settings = Table(
    "conversation_settings",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Integer, primary_key=True, comment="SessionStateType"),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="what a user has set for a conversation",
    sqlite_with_rowid=False,
)
Index(
    "conversation_settings_by_version",
    conversation_settings.c.owner,
    conversation_settings.c.version,
)

tags = Table(
    "tags",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("status", Integer, nullable=False, comment="UserSettingStatus"),
    comment="names by which a user sorts his conversations; also those that are gone",
    sqlite_with_rowid=False,
)

offline_windows = Table(
    "offline_windows",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("days", Integer, nullable=False),
    comment="users who want their messages kept for another number of days than the server's",
)

SETTINGS_AT_ONCE: Final = 5000
"""Rows of one answer: some 300 KB. Whoever has more is told the newest."""

_CHANGED = (
    select(
        conversations.c.type,
        conversations.c.first,
        conversations.c.second,
        conversation_settings.c.kind,
        conversation_settings.c.value,
        conversation_settings.c.version,
    )
    .join_from(
        conversation_settings,
        conversations,
        conversations.c.id == conversation_settings.c.conversation,
    )
    .where(
        conversation_settings.c.owner == bindparam("owner"),
        conversation_settings.c.version > bindparam("version"),
    )
    .order_by(conversation_settings.c.version.desc())
    .limit(SETTINGS_AT_ONCE)
)
_VALUE = select(conversation_settings.c.value).where(
    conversation_settings.c.owner == bindparam("owner"),
    conversation_settings.c.conversation == bindparam("conversation"),
    conversation_settings.c.kind == bindparam("kind"),
)
_OF_KIND = select(conversation_settings.c.conversation, conversation_settings.c.value).where(
    conversation_settings.c.owner == bindparam("owner"),
    conversation_settings.c.kind == bindparam("kind"),
)
_ADD = sqlite.insert(conversation_settings)
_SET = _ADD.on_conflict_do_update(
    index_elements=["owner", "conversation", "kind"],
    set_={"value": _ADD.excluded.value, "version": _ADD.excluded.version},
)
_TAGS = select(tags).where(
    tags.c.owner == bindparam("owner"), tags.c.version > bindparam("version")
)
_ADD_TAG = sqlite.insert(tags)
_SET_TAG = _ADD_TAG.on_conflict_do_update(
    index_elements=["owner", "tag"],
    set_={name: _ADD_TAG.excluded[name] for name in ("name", "created", "version", "status")},
)
_WINDOWS = select(users.c.app, users.c.name, offline_windows.c.days).join_from(
    offline_windows, users, users.c.id == offline_windows.c.owner
)
_ADD_WINDOW = sqlite.insert(offline_windows)
_SET_WINDOW = _ADD_WINDOW.on_conflict_do_update(
    index_elements=["owner"], set_={"days": _ADD_WINDOW.excluded.days}
)


class Setting(NamedTuple):
    """One setting of a conversation."""

    type: int
    target: str
    kind: int
    """:class:`improto.codes.SessionStateType`."""
    value: str
    version: int


class Tag(NamedTuple):
    """A name by which a user sorts his conversations."""

    tag: str
    """Its id."""
    name: str
    created: int
    """Milliseconds since 1970."""
    version: int
    status: int
    """:class:`improto.codes.UserSettingStatus`."""


def changed(connection: Connection, *, app: str, user: str, version: int) -> list[Setting]:
    """Settings with a higher version, the newest first."""
    owner = names.user_id(connection, app, user) or 0
    rows = connection.execute(_CHANGED, {"owner": owner, "version": version})
    return [
        Setting(row.type, addressee(user, row.first, row.second), row.kind, row.value, row.version)
        for row in rows
    ]


def value(
    connection: Connection, *, app: str, user: str, type: int, target: str, kind: int
) -> str | None:
    """One setting of one conversation; None if it was never set."""
    owner = names.user_id(connection, app, user)
    place = names.conversation_id(connection, app, type, user, target)
    key = {"owner": owner, "conversation": place, "kind": kind}
    found: str | None = connection.scalar(_VALUE, key)
    return found


def put(
    connection: Connection,
    *,
    app: str,
    user: str,
    type: int,
    target: str,
    kind: int,
    value: str,
    version: int,
) -> None:
    """Set something of a conversation."""
    place = names.ensure_conversation(connection, app, type, user, target)
    owner = names.ensure_user(connection, app, user)
    put_number(connection, owner, place, kind=kind, value=value, version=version)


def put_number(
    connection: Connection, owner: int, place: int, *, kind: int, value: str, version: int
) -> None:
    """The same by numbers."""
    row = {"owner": owner, "conversation": place, "kind": kind, "value": value, "version": version}
    connection.execute(_SET, row)


def of_kind(connection: Connection, owner: int, kind: int) -> dict[int, str]:
    """All settings of one kind: numbers of conversations, and values."""
    rows = connection.execute(_OF_KIND, {"owner": owner, "kind": kind})
    return {row.conversation: row.value for row in rows}


def tags_of(connection: Connection, *, app: str, user: str, version: int = 0) -> list[Tag]:
    """The user's tags with a higher version, also those that are gone."""
    owner = names.user_id(connection, app, user) or 0
    rows = connection.execute(_TAGS, {"owner": owner, "version": version})
    return [Tag(row.tag, row.name, row.created, row.version, row.status) for row in rows]


def put_tag(connection: Connection, *, app: str, user: str, tag: Tag) -> None:
    """Make a tag, or change it."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_TAG, {"owner": owner, **tag._asdict()})


def windows(connection: Connection) -> dict[UserKey, int]:
    """Who wants another number of days. They are few; asked for once, at the start."""
    return {(row.app, row.name): row.days for row in connection.execute(_WINDOWS)}


def set_window(connection: Connection, *, app: str, user: str, days: int) -> None:
    """Keep the user's messages for so many days."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_WINDOW, {"owner": owner, "days": days})
