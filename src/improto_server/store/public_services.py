"""Accounts that are services, and who follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, Text, bindparam, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

services = Table(
    "services",
    metadata,
    Column("service", BigInteger, primary_key=True, autoincrement=False, comment="a user"),
    Column("type", Integer, nullable=False, comment="ConversationType"),
    Column("name", Text, nullable=False),
    Column("portrait", Text, nullable=False),
    Column("about", Text, nullable=False, comment="what else there is to know, as JSON"),
    Column("changed", BigInteger, nullable=False),
    comment="accounts of public services and customer services",
)

follows = Table(
    "follows",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("is_following", Integer, nullable=False, comment="0 or 1"),
    Column("changed", BigInteger, nullable=False),
    comment="who has decided to follow a service, or not to",
    sqlite_with_rowid=False,
)

_SERVICES = select(users.c.app, users.c.name.label("id"), services).join_from(
    services, users, users.c.id == services.c.service
)
_FOLLOWS = (
    select(users.c.name, follows.c.is_following, follows.c.changed)
    .join_from(follows, users, users.c.id == follows.c.service)
    .where(follows.c.user == bindparam("who"))
)


class ServiceRow(NamedTuple):
    """A service."""

    app: str
    id: str
    type: int
    """ConversationType: 5, 7 or 8."""
    name: str
    portrait: str
    about: str
    """JSON; its members depend on the type."""
    changed: int
    """Milliseconds since 1970."""


class Follow(NamedTuple):
    """What a user has decided about a service."""

    is_following: bool
    changed: int
    """When, in milliseconds since 1970."""


def everything(connection: Connection) -> list[ServiceRow]:
    """All services. They are few; asked for once, at the start."""
    return [
        ServiceRow(row.app, row.id, row.type, row.name, row.portrait, row.about, row.changed)
        for row in connection.execute(_SERVICES)
    ]


def define(connection: Connection, *, service: ServiceRow) -> None:
    """Make a service, or change one."""
    row = {
        "service": names.ensure_user(connection, service.app, service.id),
        "type": service.type,
        "name": service.name,
        "portrait": service.portrait,
        "about": service.about,
        "changed": service.changed,
    }
    insert = sqlite.insert(services).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["service"], set_=row))


def remove(connection: Connection, *, app: str, id: str) -> None:
    """The account is no service any more."""
    number = names.user_id(connection, app, id)
    connection.execute(services.delete().where(services.c.service == number))


def followed(connection: Connection, *, app: str, user: str) -> dict[str, Follow]:
    """What the user has decided about services, by their ids."""
    number = names.user_id(connection, app, user)
    return {
        row.name: Follow(bool(row.is_following), row.changed)
        for row in connection.execute(_FOLLOWS, {"who": number})
    }


def follow(
    connection: Connection, *, app: str, user: str, service: str, is_following: bool, time: int
) -> None:
    """The user decides to follow a service, or not to."""
    row = {
        "user": names.ensure_user(connection, app, user),
        "service": names.ensure_user(connection, app, service),
        "is_following": int(is_following),
        "changed": time,
    }
    insert = sqlite.insert(follows).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["user", "service"], set_=row))
