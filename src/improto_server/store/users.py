"""What users are called, as the application or they themselves have said: names, portraits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Table, Text, bindparam, select, update
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

profiles = Table(
    "profiles",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("portrait", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    comment="users that the application has registered",
)

_PROFILE = select(profiles.c.name, profiles.c.portrait, profiles.c.created).where(
    profiles.c.user == bindparam("who")
)

# By the index of names.
_EVERYBODY = (
    select(users.c.name)
    .where(users.c.app == bindparam("app"), users.c.name > bindparam("after"))
    .order_by(users.c.name)
    .limit(bindparam("count"))
)


class Profile(NamedTuple):
    """A registered user."""

    name: str
    portrait: str
    """URL; empty: none."""
    created: int
    """When he was first registered, in milliseconds since 1970."""


def profile(connection: Connection, *, app: str, user: str) -> Profile | None:
    """What is known of a user; None if he was never registered."""
    number = names.user_id(connection, app, user)
    row = connection.execute(_PROFILE, {"who": number}).one_or_none()
    return None if row is None else Profile(row.name, row.portrait, row.created)


def register(
    connection: Connection, *, app: str, user: str, name: str, portrait: str, time: int
) -> None:
    """Register a user at ``time``, or give a registered one a new name and portrait."""
    number = names.ensure_user(connection, app, user)
    row = {"user": number, "name": name, "portrait": portrait, "created": time}
    insert = sqlite.insert(profiles).values(row)
    changed = {"name": name, "portrait": portrait}
    connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=changed))


def change(
    connection: Connection, *, app: str, user: str, name: str | None, portrait: str | None
) -> bool:
    """Give a registered user a new name or portrait; None leaves what is there.

    False if nothing was given, or he is not registered.
    """
    values = {"name": name, "portrait": portrait}
    given = {column: value for column, value in values.items() if value is not None}
    if not given:
        return False
    number = names.user_id(connection, app, user)
    found = connection.execute(update(profiles).where(profiles.c.user == number).values(given))
    return found.rowcount > 0


def introduce(
    connection: Connection,
    *,
    app: str,
    user: str,
    name: str | None,
    portrait: str | None,
    time: int,
) -> None:
    """Give a user a new name or portrait, and register him at ``time`` if he is not yet."""
    number = names.ensure_user(connection, app, user)
    row = {"user": number, "name": name or "", "portrait": portrait or "", "created": time}
    connection.execute(sqlite.insert(profiles).values(row).on_conflict_do_nothing())
    change(connection, app=app, user=user, name=name, portrait=portrait)


def everybody(connection: Connection, *, app: str, after: str, count: int) -> list[str]:
    """The next users of an app whom the store has heard of, in the order of their ids."""
    rows = connection.scalars(_EVERYBODY, {"app": app, "after": after, "count": count})
    return list(rows)
