"""Whom users have blocked, and who may not send or connect at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Table, bindparam, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import UserKey

blocks = Table(
    "blocks",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    comment="owner has other on the blacklist (operations 9)",
    sqlite_with_rowid=False,
)

allowances = Table(
    "allowances",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    comment="owner has other on the white list (rest 9.1)",
    sqlite_with_rowid=False,
)

restrictions = Table(
    "restrictions",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("muted_until", BigInteger, nullable=False, server_default="0"),
    Column("banned_until", BigInteger, nullable=False, server_default="0"),
    comment="who may not send (20406), and who may not connect (CONNACK 9), before a time",
)

_BANS = (
    select(users.c.app, users.c.name, restrictions.c.banned_until)
    .join_from(restrictions, users, users.c.id == restrictions.c.user)
    .where(restrictions.c.banned_until > 0)
)
_LISTED = {
    table: select(users.c.name)
    .join_from(table, users, users.c.id == table.c.other)
    .where(table.c.owner == bindparam("owner"))
    for table in (blocks, allowances)
}


class Standing(NamedTuple):
    """How a user stands to the others."""

    blocked: frozenset[str]
    """User ids on his blacklist."""
    muted_until: int
    """Milliseconds since 1970; he may not send before."""
    allowed: frozenset[str] = frozenset()
    """User ids on his white list."""


def standing(connection: Connection, *, app: str, user: str) -> Standing:
    """What the store knows of a user; nothing is known of most."""
    number = names.user_id(connection, app, user)
    if number is None:
        return Standing(frozenset(), 0)
    muted = connection.scalar(
        select(restrictions.c.muted_until).where(restrictions.c.user == number)
    )
    return Standing(
        frozenset(connection.scalars(_LISTED[blocks], {"owner": number})),
        muted or 0,
        frozenset(connection.scalars(_LISTED[allowances], {"owner": number})),
    )


def bans(connection: Connection) -> dict[UserKey, int]:
    """Who may not connect, and before which time. They are few; asked for once, at the start."""
    return {(row.app, row.name): row.banned_until for row in connection.execute(_BANS)}


def block(connection: Connection, *, app: str, owner: str, other: str) -> None:
    """Put ``other`` on the blacklist of ``owner``."""
    _add(connection, blocks, app, owner, other)


def unblock(connection: Connection, *, app: str, owner: str, other: str) -> None:
    """Take ``other`` off the blacklist of ``owner``."""
    _remove(connection, blocks, app, owner, other)


def allow(connection: Connection, *, app: str, owner: str, other: str) -> None:
    """Put ``other`` on the white list of ``owner``."""
    _add(connection, allowances, app, owner, other)


def disallow(connection: Connection, *, app: str, owner: str, other: str) -> None:
    """Take ``other`` off the white list of ``owner``."""
    _remove(connection, allowances, app, owner, other)


def mute(connection: Connection, *, app: str, user: str, until: int) -> None:
    """Let a user not send before ``until``, milliseconds since 1970."""
    _restrict(connection, app, user, muted_until=until)


def ban(connection: Connection, *, app: str, user: str, until: int) -> None:
    """Let a user not connect before ``until``, milliseconds since 1970."""
    _restrict(connection, app, user, banned_until=until)


def _add(connection: Connection, table: Table, app: str, owner: str, other: str) -> None:
    pair = {
        "owner": names.ensure_user(connection, app, owner),
        "other": names.ensure_user(connection, app, other),
    }
    connection.execute(sqlite.insert(table).on_conflict_do_nothing(), pair)


def _remove(connection: Connection, table: Table, app: str, owner: str, other: str) -> None:
    one = names.ensure_user(connection, app, owner)
    two = names.ensure_user(connection, app, other)
    connection.execute(table.delete().where(table.c.owner == one, table.c.other == two))


def _restrict(connection: Connection, app: str, user: str, **times: int) -> None:
    row = {"user": names.ensure_user(connection, app, user), **times}
    insert = sqlite.insert(restrictions).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=times))
