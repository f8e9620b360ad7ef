"""What users have set: of conversations, of themselves, and the tags that they have made.

Every change has a version, which is a time. So a device that knows everything up to one version
is told what has come after it, and what is gone stays known as gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

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
    select,
)
from sqlalchemy.dialects import sqlite

from improto.codes import UserSettingStatus
from improto_server.store import names
from improto_server.store.schema import addressee, conversations, metadata, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

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

type_levels = Table(
    "type_levels",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Integer, primary_key=True, autoincrement=False, comment="ConversationType"),
    Column("level", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="how loud a type of conversations is to a user",
    sqlite_with_rowid=False,
)

user_settings = Table(
    "user_settings",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="what a user has set for himself",
    sqlite_with_rowid=False,
)

quiet_hours = Table(
    "quiet_hours",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("start", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("timezone", Text, nullable=False),
    comment="when users want to be left alone every day",
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
"""Changes of one answer: some 300 KB. Whoever has more is told the newest."""

_change = conversation_settings.alias("change")
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
        conversation_settings.c.conversation.in_(
            select(_change.c.conversation)
            .where(_change.c.owner == bindparam("owner"), _change.c.version > bindparam("version"))
            .order_by(_change.c.version.desc())
            .limit(bindparam("most"))
        ),
    )
)
_NEWEST = [
    select(func.max(each.c.version)).where(each.c.owner == bindparam("owner"))
    for each in (conversation_settings, type_levels)
]
_NEWEST_OF_USER = [
    select(func.max(each.c.version)).where(each.c.owner == bindparam("owner"))
    for each in (tags, user_settings)
]
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
_TAGS = select(tags).where(tags.c.owner == bindparam("owner"))
_FORGET_REMOVED = delete(tags).where(
    tags.c.owner == bindparam("owner"), tags.c.status == UserSettingStatus.REMOVED
)
_ADD_TAG = sqlite.insert(tags)
_SET_TAG = _ADD_TAG.on_conflict_do_update(
    index_elements=["owner", "tag"],
    set_={name: _ADD_TAG.excluded[name] for name in ("name", "created", "version", "status")},
)
_LEVELS = select(type_levels).where(
    type_levels.c.owner == bindparam("owner"), type_levels.c.version > bindparam("version")
)
_ADD_LEVEL = sqlite.insert(type_levels)
_SET_LEVEL = _ADD_LEVEL.on_conflict_do_update(
    index_elements=["owner", "type"],
    set_={name: _ADD_LEVEL.excluded[name] for name in ("level", "version")},
)
_OF_USER = select(user_settings).where(
    user_settings.c.owner == bindparam("owner"), user_settings.c.version > bindparam("version")
)
_ADD_OF_USER = sqlite.insert(user_settings)
_SET_OF_USER = _ADD_OF_USER.on_conflict_do_update(
    index_elements=["owner", "key"],
    set_={name: _ADD_OF_USER.excluded[name] for name in ("value", "version")},
)
_HOURS = select(quiet_hours).where(quiet_hours.c.owner == bindparam("owner"))
_NO_HOURS = delete(quiet_hours).where(quiet_hours.c.owner == bindparam("owner"))
_ADD_HOURS = sqlite.insert(quiet_hours)
_SET_HOURS = _ADD_HOURS.on_conflict_do_update(
    index_elements=["owner"],
    set_={name: _ADD_HOURS.excluded[name] for name in ("start", "minutes", "level", "timezone")},
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


class Level(NamedTuple):
    """How loud a type of conversations is."""

    type: int
    level: int
    """-1 to 5 (sdk5 8.3)."""
    version: int


class UserSetting(NamedTuple):
    """Something that a user has set for himself."""

    key: str
    value: str
    version: int


class QuietHours(NamedTuple):
    """When a user wants to be left alone every day."""

    start: str
    """``HH:mm:ss``."""
    minutes: int
    level: int
    timezone: str
    """Empty if he has not said."""


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
    """All settings of the conversations of which one has a higher version, the oldest first.

    All, because SDK 2.9.2 takes what it is not told for not set.
    """
    owner = names.user_id(connection, app, user) or 0
    limits = {"owner": owner, "version": version, "most": SETTINGS_AT_ONCE}
    found = [
        Setting(row.type, addressee(user, row.first, row.second), row.kind, row.value, row.version)
        for row in connection.execute(_CHANGED, limits)
    ]
    return sorted(found, key=lambda setting: setting.version)


def newest(connection: Connection, *, app: str, user: str) -> int:
    """The version of the newest setting of conversations or of a type of them; 0 if none."""
    return _newest(connection, _NEWEST, app, user)


def newest_of_user(connection: Connection, *, app: str, user: str) -> int:
    """The version of the newest tag or setting of the user himself; 0 if none."""
    return _newest(connection, _NEWEST_OF_USER, app, user)


def _newest(
    connection: Connection, queries: Sequence[Select[tuple[int]]], app: str, user: str
) -> int:
    owner = {"owner": names.user_id(connection, app, user) or 0}
    found: list[int] = [connection.scalar(query, owner) or 0 for query in queries]
    return max(found)


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


def tags_of(connection: Connection, *, app: str, user: str) -> list[Tag]:
    """The user's tags, also those that have gone last."""
    owner = names.user_id(connection, app, user) or 0
    rows = connection.execute(_TAGS, {"owner": owner})
    return [Tag(row.tag, row.name, row.created, row.version, row.status) for row in rows]


def put_tag(connection: Connection, *, app: str, user: str, tag: Tag) -> None:
    """Make a tag, or change it."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_TAG, {"owner": owner, **tag._asdict()})


def forget_removed_tags(connection: Connection, *, app: str, user: str) -> None:
    """Forget tags that are gone; those that go now will be the newest change."""
    connection.execute(_FORGET_REMOVED, {"owner": names.ensure_user(connection, app, user)})


def levels(connection: Connection, *, app: str, user: str, version: int) -> list[Level]:
    """How loud types of conversations are, those with a higher version."""
    owner = names.user_id(connection, app, user) or 0
    rows = connection.execute(_LEVELS, {"owner": owner, "version": version})
    return [Level(row.type, row.level, row.version) for row in rows]


def put_level(connection: Connection, *, app: str, user: str, level: Level) -> None:
    """Say how loud a type of conversations is."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_LEVEL, {"owner": owner, **level._asdict()})


def of_user(connection: Connection, *, app: str, user: str, version: int) -> list[UserSetting]:
    """What the user has set for himself, with a higher version; tags are not among it."""
    owner = names.user_id(connection, app, user) or 0
    rows = connection.execute(_OF_USER, {"owner": owner, "version": version})
    return [UserSetting(row.key, row.value, row.version) for row in rows]


def put_of_user(connection: Connection, *, app: str, user: str, setting: UserSetting) -> None:
    """Set something for the user himself."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_OF_USER, {"owner": owner, **setting._asdict()})


def hours(connection: Connection, *, app: str, user: str) -> QuietHours | None:
    """The user's quiet hours; None if he has none."""
    owner = names.user_id(connection, app, user) or 0
    row = connection.execute(_HOURS, {"owner": owner}).one_or_none()
    return None if row is None else QuietHours(*row[1:])


def put_hours(connection: Connection, *, app: str, user: str, hours: QuietHours | None) -> None:
    """Set the user's quiet hours; None: he has none any more."""
    owner = names.ensure_user(connection, app, user)
    if hours is None:
        connection.execute(_NO_HOURS, {"owner": owner})
    else:
        connection.execute(_SET_HOURS, {"owner": owner, **hours._asdict()})


def windows(connection: Connection) -> dict[UserKey, int]:
    """Who wants another number of days. They are few; asked for once, at the start."""
    return {(row.app, row.name): row.days for row in connection.execute(_WINDOWS)}


def set_window(connection: Connection, *, app: str, user: str, days: int) -> None:
    """Keep the user's messages for so many days."""
    owner = names.ensure_user(connection, app, user)
    connection.execute(_SET_WINDOW, {"owner": owner, "days": days})
