"""Who is whose friend, who wants to be, and who may ask (sdk5 8.5).

Friends have each other: a friendship is two rows, and each of the two says in his own how he calls
the other. One row for each who asks and whom he asks: a repetition takes the place of what was
there. How long an application can be answered is the service's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.relations import blocks
from improto_server.store.schema import metadata, users
from improto_server.store.users import profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Select

friends = Table(
    "friends",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
    Column("remark", Text, nullable=False),
    Column("extra", Text, nullable=False, comment="JSON object of texts"),
    comment="owner and other are friends; how owner calls other",
    sqlite_with_rowid=False,
)
Index("friends_by_time", friends.c.owner, friends.c.since, friends.c.other)

friend_applications = Table(
    "friend_applications",
    metadata,
    # SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("asker", BigInteger, nullable=False, comment="a user"),
    Column("asked", BigInteger, nullable=False, comment="a user"),
    Column("status", Integer, nullable=False, comment="ApplicationStatus"),
    Column("time", BigInteger, nullable=False, comment="when it got this status"),
    Column("info", Text, nullable=False),
    UniqueConstraint("asker", "asked"),
    comment="who wants to be whose friend",
)
Index("friend_applications_of_asker", friend_applications.c.asker, friend_applications.c.time)
Index("friend_applications_of_asked", friend_applications.c.asked, friend_applications.c.time)
Index("friend_applications_by_time", friend_applications.c.time)

friend_permissions = Table(
    "friend_permissions",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("level", Integer, nullable=False, comment="Permission"),
    comment="who may become a user's friend, where the user has said so",
)

UNHANDLED: Final = 0
ACCEPTED: Final = 1
"""Statuses that this module looks at, as the SDK numbers them."""

FORGOTTEN_AT_ONCE: Final = 100
"""Applications that are deleted with each new one, at most."""

_FRIENDS = (
    select(
        friends.c.other,
        users.c.name.label("user"),
        friends.c.since,
        friends.c.remark,
        friends.c.extra,
        profiles.c.name,
        profiles.c.portrait,
        blocks.c.other.label("blocked"),
    )
    .join_from(friends, users, users.c.id == friends.c.other)
    .outerjoin(profiles, profiles.c.user == friends.c.other)
    .outerjoin(blocks, (blocks.c.owner == friends.c.owner) & (blocks.c.other == friends.c.other))
    .where(friends.c.owner == bindparam("me"))
)
_FRIEND = _FRIENDS.where(friends.c.other == bindparam("who"))
_NAMES = (
    select(users.c.name)
    .join_from(friends, users, users.c.id == friends.c.other)
    .where(friends.c.owner == bindparam("me"))
)
_AMONG = text(
    """
    SELECT name FROM users
    WHERE app = :app AND name IN (SELECT value FROM json_each(:names))
    AND EXISTS (SELECT 1 FROM friends WHERE owner = :me AND other = users.id)
    """
)
_COUNT = select(func.count()).where(friends.c.owner == bindparam("me"))
_ADD = sqlite.insert(friends).on_conflict_do_nothing()
_REMOVE = delete(friends).where(
    friends.c.owner == bindparam("me"), friends.c.other == bindparam("who")
)
_DESCRIBE = (
    update(friends)
    .where(friends.c.owner == bindparam("me"), friends.c.other == bindparam("who"))
    .values(remark=bindparam("new_remark"), extra=bindparam("new_extra"))
)
_BLOCK = select(blocks.c.owner).where(
    blocks.c.owner == bindparam("me"), blocks.c.other == bindparam("who")
)
_LEVEL = select(friend_permissions.c.level).where(friend_permissions.c.user == bindparam("me"))
_SET_LEVEL = sqlite.insert(friend_permissions)
_askers, _asked = users.alias("asker"), users.alias("asked")
_APPLICATIONS = (
    select(
        friend_applications.c.id,
        _askers.c.name.label("asker"),
        _asked.c.name.label("asked"),
        friend_applications.c.status,
        friend_applications.c.time,
        friend_applications.c.info,
    )
    .join_from(friend_applications, _askers, _askers.c.id == friend_applications.c.asker)
    .join(_asked, _asked.c.id == friend_applications.c.asked)
)
_APPLICATION = _APPLICATIONS.where(
    friend_applications.c.asker == bindparam("me"), friend_applications.c.asked == bindparam("who")
)
_PUT = sqlite.insert(friend_applications)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["asker", "asked"],
    set_={name: _PUT.excluded[name] for name in ("status", "time", "info")},
)
_ACCEPT = (
    update(friend_applications)
    .where(
        friend_applications.c.asker == bindparam("me"),
        friend_applications.c.asked == bindparam("who"),
        friend_applications.c.status == UNHANDLED,
    )
    .values(status=ACCEPTED, time=bindparam("now"))
)
_FORGET = delete(friend_applications).where(
    friend_applications.c.id.in_(
        select(friend_applications.c.id)
        .where(friend_applications.c.time < bindparam("before"))
        .limit(FORGOTTEN_AT_ONCE)
    )
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


class Friend(NamedTuple):
    """A friend as one user sees him."""

    user: str
    since: int
    """When they became friends, in milliseconds since 1970."""
    remark: str
    """How the user calls him."""
    extra: dict[str, str]
    name: str
    portrait: str
    is_blocked: bool
    """On the user's blacklist."""
    number: int
    """Of the friend; with ``since`` it says where he is in the list."""


class Application(NamedTuple):
    """Somebody wants to be somebody's friend."""

    asker: str
    asked: str
    status: int
    time: int
    """When it got this status, in milliseconds since 1970."""
    info: str
    """What the asker says to it."""
    number: int = 0
    """Of the row; with ``time`` it says where the application is in a list."""


def friend(connection: Connection, *, app: str, user: str, other: str) -> Friend | None:
    """A friend of a user; None if he is none."""
    row = connection.execute(_FRIEND, _pair(connection, app, user, other)).one_or_none()
    return None if row is None else _friend(row)


def named(connection: Connection, *, app: str, user: str, others: Iterable[str]) -> list[Friend]:
    """Those of ``others`` who are a user's friends."""
    found = (friend(connection, app=app, user=user, other=other) for other in others)
    return [one for one in found if one is not None]


def friends_of(connection: Connection, *, app: str, user: str) -> list[str]:
    """The ids of a user's friends."""
    return list(connection.scalars(_NAMES, {"me": names.user_id(connection, app, user)}))


def friends_among(
    connection: Connection, *, app: str, user: str, others: Iterable[str]
) -> list[str]:
    """Which of ``others`` are a user's friends."""
    me = names.user_id(connection, app, user)
    asked = {"app": app, "me": me, "names": _encode([*others]).decode()}
    return list(connection.scalars(_AMONG, asked))


def count(connection: Connection, *, app: str, user: str) -> int:
    """How many friends a user has."""
    return connection.scalar(_COUNT, {"me": names.user_id(connection, app, user)}) or 0


def page(
    connection: Connection,
    *,
    app: str,
    user: str,
    after: tuple[int, int] | None,
    is_descending: bool,
    most: int,
) -> list[Friend]:
    """Friends by when they became friends.

    ``after``: ``since`` and ``number`` of the last one that is known.
    """
    query = _piece(_FRIENDS, (friends.c.since, friends.c.other), after, is_descending, most)
    rows = connection.execute(query, {"me": names.user_id(connection, app, user)})
    return [_friend(row) for row in rows]


def befriend(connection: Connection, *, app: str, user: str, other: str, time: int) -> None:
    """Make two friends; what one of them has asked the other is accepted."""
    me, who = (names.ensure_user(connection, app, name) for name in (user, other))
    sides = [{"me": me, "who": who, "now": time}, {"me": who, "who": me, "now": time}]
    rows = [
        {"owner": side["me"], "other": side["who"], "since": time, "remark": "", "extra": "{}"}
        for side in sides
    ]
    connection.execute(_ADD, rows)
    connection.execute(_ACCEPT, sides)


def part(connection: Connection, *, app: str, user: str, others: Iterable[str]) -> list[str]:
    """Friends no longer; returns which of ``others`` were."""
    parted = []
    for other in others:
        pair = _pair(connection, app, user, other)
        if connection.execute(_REMOVE, pair).rowcount:
            connection.execute(_REMOVE, {"me": pair["who"], "who": pair["me"]})
            parted.append(other)
    return parted


def describe(
    connection: Connection,
    *,
    app: str,
    user: str,
    other: str,
    remark: str,
    extra: Mapping[str, str],
) -> None:
    """Put in how a user calls a friend, and what else he has noted of him."""
    row = {
        **_pair(connection, app, user, other),
        "new_remark": remark,
        "new_extra": _encode(extra).decode(),
    }
    connection.execute(_DESCRIBE, row)


def is_blocked(connection: Connection, *, app: str, owner: str, other: str) -> bool:
    """Whether ``owner`` has ``other`` on the blacklist."""
    return connection.scalar(_BLOCK, _pair(connection, app, owner, other)) is not None


def level(connection: Connection, *, app: str, user: str) -> int | None:
    """Who may become a user's friend; None if he has not said so."""
    number: int | None = connection.scalar(_LEVEL, {"me": names.user_id(connection, app, user)})
    return number


def set_level(connection: Connection, *, app: str, user: str, level: int) -> None:
    """Say who may become a user's friend."""
    insert = _SET_LEVEL.values(user=names.ensure_user(connection, app, user), level=level)
    connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_={"level": level}))


def application(connection: Connection, *, app: str, asker: str, asked: str) -> Application | None:
    """What somebody has asked somebody, whatever its status; None if nothing."""
    row = connection.execute(_APPLICATION, _pair(connection, app, asker, asked)).one_or_none()
    return None if row is None else _application(row)


def put(connection: Connection, *, app: str, application: Application, before: int) -> None:
    """Write an application, and forget some of those that are older than ``before``."""
    row = {
        "asker": names.ensure_user(connection, app, application.asker),
        "asked": names.ensure_user(connection, app, application.asked),
        "status": application.status,
        "time": application.time,
        "info": application.info,
    }
    connection.execute(_PUT, row)
    connection.execute(_FORGET, {"before": before})


def applications(
    connection: Connection,
    *,
    app: str,
    user: str,
    after: tuple[int, int] | None,
    is_descending: bool,
    most: int,
) -> list[tuple[Application, str, str]]:
    """What a user has asked others and others have asked him, by time; with each, name and
    portrait of the other one.

    ``after``: ``time`` and ``number`` of the last one that is known.
    """
    table = friend_applications
    found: list[Any] = []
    for mine, others in ((table.c.asker, table.c.asked), (table.c.asked, table.c.asker)):
        query = (
            _APPLICATIONS.add_columns(profiles.c.name, profiles.c.portrait)
            .outerjoin(profiles, profiles.c.user == others)
            .where(mine == bindparam("me"))
        )
        query = _piece(query, (table.c.time, table.c.id), after, is_descending, most)
        found += connection.execute(query, {"me": names.user_id(connection, app, user)})
    found.sort(key=lambda row: (row.time, row.id), reverse=is_descending)
    return [(_application(row), row.name or "", row.portrait or "") for row in found[:most]]


def _piece(
    query: Select[Any],
    position: tuple[Column[Any], Column[Any]],
    after: tuple[int, int] | None,
    is_descending: bool,
    most: int,
) -> Select[Any]:
    """So much of a list, in the order of ``position``, from behind ``after`` on."""
    query = query.order_by(*(column.desc() if is_descending else column for column in position))
    if after is not None:
        edge, here = tuple_(*(literal(value) for value in after)), tuple_(*position)
        query = query.where(here < edge if is_descending else here > edge)
    return query.limit(most)


def _pair(connection: Connection, app: str, user: str, other: str) -> dict[str, int | None]:
    return {
        "me": names.user_id(connection, app, user),
        "who": names.user_id(connection, app, other),
    }


def _friend(row: Any) -> Friend:
    return Friend(
        row.user,
        row.since,
        row.remark,
        _decode(row.extra),
        row.name or "",
        row.portrait or "",
        row.blocked is not None,
        row.other,
    )


def _application(row: Any) -> Application:
    return Application(row.asker, row.asked, row.status, row.time, row.info, row.id)
