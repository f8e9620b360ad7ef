"""What clients have decided about groups that they manage (sdk5 8.5).

Who is a member, who owns the group and what it is called is known to :mod:`.rosters`. Here is
the rest: who may do what, who is a manager, what members are called, how each one remarks the
group, whom he follows. A group without a row here is the application's.

Everything has the conversation first in its key, so what belongs to a group can go with it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store import users as profiles
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from improto_server.store.values import Place

managed_groups = Table(
    "managed_groups",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("creator", BigInteger, nullable=False, comment="a user"),
    Column("created", BigInteger, nullable=False),
    Column("settings", Text, nullable=False, comment="JSON; the name is in groups"),
    Column("extension", Text, nullable=False, comment="JSON; what applications add"),
    Column("managers_admit", Integer, nullable=False, comment="1: not only the owner does"),
    comment="groups that clients manage",
)

managed_members = Table(
    "managed_members",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("is_manager", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column("nickname", Text, nullable=False, server_default=""),
    Column("additional", Text, nullable=False, server_default=""),
    comment="managers, and members with a name of their own in the group",
    sqlite_with_rowid=False,
)

group_remarks = Table(
    "group_remarks",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("remark", Text, nullable=False),
    comment="how a member calls a group, for himself",
    sqlite_with_rowid=False,
)

group_follows = Table(
    "group_follows",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    comment="which members of a group somebody follows",
    sqlite_with_rowid=False,
)
Index("group_follows_by_member", group_follows.c.conversation, group_follows.c.member)

_CHARTER = (
    select(managed_groups, users.c.name.label("creator_name"))
    .join_from(managed_groups, users, users.c.id == managed_groups.c.creator)
    .where(managed_groups.c.conversation == bindparam("place"))
)
_MEMBERS = (
    select(
        users.c.name,
        managed_members.c.is_manager,
        managed_members.c.nickname,
        managed_members.c.additional,
    )
    .join_from(managed_members, users, users.c.id == managed_members.c.member)
    .where(managed_members.c.conversation == bindparam("place"))
    .order_by(managed_members.c.member)
)
_FOLLOWS = (
    select(users.c.name, group_follows.c.time)
    .join_from(group_follows, users, users.c.id == group_follows.c.member)
    .where(group_follows.c.conversation == bindparam("place"))
    .where(group_follows.c.owner == bindparam("who"))
    .order_by(group_follows.c.time, users.c.name)
)
_FOLLOW = sqlite.insert(group_follows).on_conflict_do_nothing()
_UNFOLLOW = delete(group_follows).where(
    group_follows.c.conversation == bindparam("place"),
    group_follows.c.owner == bindparam("who"),
    group_follows.c.member == bindparam("whom"),
)
_UNFOLLOW_ALL = delete(group_follows).where(
    group_follows.c.conversation == bindparam("place"),
    or_(group_follows.c.owner == bindparam("who"), group_follows.c.member == bindparam("who")),
)
_FORGET_MEMBER = delete(managed_members).where(
    managed_members.c.conversation == bindparam("place"),
    managed_members.c.member == bindparam("who"),
)


class MemberRow(NamedTuple):
    """What is known of a member besides that he is one."""

    is_manager: bool
    nickname: str
    additional: str


class CharterRow(NamedTuple):
    """What clients have decided about a group."""

    creator: str
    created: int
    settings: dict[str, str]
    extension: dict[str, str]
    members: dict[str, MemberRow]


class Person(NamedTuple):
    """What a user is called everywhere."""

    name: str
    portrait: str


def charter(connection: Connection, *, place: Place) -> CharterRow | None:
    """What was decided about a group; None if clients do not manage it."""
    number = _number(connection, place)
    row = connection.execute(_CHARTER, {"place": number}).one_or_none()
    if row is None:
        return None
    members = connection.execute(_MEMBERS, {"place": number})
    return CharterRow(
        row.creator_name,
        row.created,
        json.loads(row.settings),
        json.loads(row.extension),
        {name: MemberRow(bool(manager), nick, more) for name, manager, nick, more in members},
    )


def put_charter(
    connection: Connection, *, place: Place, row: CharterRow, managers_admit: bool
) -> None:
    """Write everything but the members of a group."""
    values = {
        "creator": names.ensure_user(connection, place.app, row.creator),
        "created": row.created,
        "settings": json.dumps(row.settings),
        "extension": json.dumps(row.extension),
        "managers_admit": int(managers_admit),
    }
    _put(connection, managed_groups, {"conversation": _ensure(connection, place)}, values)


def put_member(connection: Connection, *, place: Place, member: str, row: MemberRow) -> None:
    """Write what is known of a member."""
    key = {
        "conversation": _ensure(connection, place),
        "member": names.ensure_user(connection, place.app, member),
    }
    values = {**row._asdict(), "is_manager": int(row.is_manager)}
    _put(connection, managed_members, key, values)


def forget_members(connection: Connection, *, place: Place, members: Sequence[str]) -> None:
    """They are members no longer."""
    _each(connection, place, members, _FORGET_MEMBER)


def forget(connection: Connection, *, place: Place) -> None:
    """Clients manage the group no longer: it is no more."""
    number = _number(connection, place)
    for table in (managed_groups, managed_members, group_remarks, group_follows):
        connection.execute(delete(table).where(table.c.conversation == number))


def set_remark(connection: Connection, *, place: Place, owner: str, remark: str) -> None:
    """How a member calls the group, for himself; empty: as it is called."""
    key = {
        "conversation": _ensure(connection, place),
        "owner": names.ensure_user(connection, place.app, owner),
    }
    if remark:
        _put(connection, group_remarks, key, {"remark": remark})
    else:
        connection.execute(
            delete(group_remarks).where(*(group_remarks.c[name] == key[name] for name in key))
        )


def follows(connection: Connection, *, place: Place, owner: str) -> dict[str, int]:
    """Whom somebody follows in a group, and since when, the longest first."""
    who = names.user_id(connection, place.app, owner)
    rows = connection.execute(_FOLLOWS, {"place": _number(connection, place), "who": who})
    return {row.name: row.time for row in rows}


def follow(
    connection: Connection, *, place: Place, owner: str, members: Sequence[str], time: int
) -> None:
    """Somebody follows members; those whom he follows already, since then."""
    who = names.ensure_user(connection, place.app, owner)
    number = _ensure(connection, place)
    rows = [
        {
            "conversation": number,
            "owner": who,
            "member": names.ensure_user(connection, place.app, member),
            "time": time,
        }
        for member in members
    ]
    connection.execute(_FOLLOW, rows)


def unfollow(connection: Connection, *, place: Place, owner: str, members: Sequence[str]) -> None:
    """Somebody follows members no longer."""
    who = names.user_id(connection, place.app, owner)
    number = _number(connection, place)
    for member in members:
        whom = names.user_id(connection, place.app, member)
        connection.execute(_UNFOLLOW, {"place": number, "who": who, "whom": whom})


def unfollow_all(connection: Connection, *, place: Place, members: Sequence[str]) -> None:
    """They follow nobody in the group, and nobody follows them."""
    _each(connection, place, members, _UNFOLLOW_ALL)


def people(connection: Connection, *, app: str, users: Iterable[str]) -> dict[str, Person]:
    """What users are called; those of whom nothing is known are left out."""
    found = {user: profiles.profile(connection, app=app, user=user) for user in users}
    return {user: Person(row.name, row.portrait) for user, row in found.items() if row}


def _number(connection: Connection, place: Place) -> int | None:
    return names.conversation_id(connection, place.app, place.type, "", place.id)


def _ensure(connection: Connection, place: Place) -> int:
    return names.ensure_conversation(connection, place.app, place.type, "", place.id)


def _each(connection: Connection, place: Place, members: Sequence[str], change: Any) -> None:
    number = _number(connection, place)
    for member in members:
        who = names.user_id(connection, place.app, member)
        connection.execute(change, {"place": number, "who": who})


def _put(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    statement = sqlite.insert(table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))
