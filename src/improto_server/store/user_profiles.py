"""What users say about themselves besides name and portrait (sdk5 8.4).

Name and portrait are in the table that the application fills, :mod:`.users`; there is no second
copy. A profile's version is a time, and rises with every change of anything in it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    select,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users
from improto_server.store.users import profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

profile_details = Table(
    "profile_details",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("visibility", Integer, nullable=False, comment="Visibility"),
    Column("basic", Text, nullable=False, comment="JSON object of texts"),
    Column("extra", Text, nullable=False, comment="JSON object of texts"),
    comment="what users say about themselves besides name and portrait",
)

unique_ids = Table(
    "unique_ids",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("app", Text, nullable=False),
    Column("unique_id", Text, nullable=False),
    UniqueConstraint("app", "unique_id"),
    comment="by what users are found, if not by their id",
)

_KNOWN = (
    select(
        profiles.c.name,
        profiles.c.portrait,
        unique_ids.c.unique_id,
        profile_details.c.version,
        profile_details.c.visibility,
        profile_details.c.basic,
        profile_details.c.extra,
    )
    .select_from(users)
    .outerjoin(profiles, profiles.c.user == users.c.id)
    .outerjoin(unique_ids, unique_ids.c.user == users.c.id)
    .outerjoin(profile_details, profile_details.c.user == users.c.id)
    .where(users.c.app == bindparam("app"), users.c.name == bindparam("name"))
)
_BY_UNIQUE_ID = (
    select(users.c.name)
    .join_from(unique_ids, users, users.c.id == unique_ids.c.user)
    .where(unique_ids.c.app == bindparam("app"), unique_ids.c.unique_id == bindparam("id"))
)
_INSERT = sqlite.insert(profile_details)
_SET = _INSERT.on_conflict_do_update(
    index_elements=["user"],
    set_={name: _INSERT.excluded[name] for name in ("version", "visibility", "basic", "extra")},
).returning(profile_details.c.version)
_FREE = delete(unique_ids).where(unique_ids.c.user == bindparam("who"))
_TAKE = sqlite.insert(unique_ids)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


class Known(NamedTuple):
    """A user's whole profile."""

    user: str
    name: str = ""
    portrait: str = ""
    unique_id: str = ""
    """By what he is found; empty: by nothing."""
    version: int = 0
    """When the profile last changed, in milliseconds since 1970; 0: never."""
    visibility: int = 0
    basic: Mapping[str, str] = MappingProxyType({})
    extra: Mapping[str, str] = MappingProxyType({})


def known(connection: Connection, *, app: str, user: str) -> Known:
    """What is known of a user; of one who is unknown nothing.

    Of whom anything is known, he is found by his own id if he has no unique one.
    """
    row = connection.execute(_KNOWN, {"app": app, "name": user}).one_or_none()
    if row is None or (row.name is None and row.version is None):
        return Known(user)
    found = Known(user, row.name or "", row.portrait or "", row.unique_id or user)
    if row.version is None:
        return found
    return found._replace(
        version=row.version,
        visibility=row.visibility,
        basic=_decode(row.basic),
        extra=_decode(row.extra),
    )


def find(connection: Connection, *, app: str, unique_id: str) -> Known | None:
    """The user with a unique id; None if there is none."""
    user = connection.scalar(_BY_UNIQUE_ID, {"app": app, "id": unique_id}) or unique_id
    found = known(connection, app=app, user=user)
    return found if unique_id and found.unique_id == unique_id else None


def set_unique_id(connection: Connection, *, app: str, user: str, unique_id: str) -> bool:
    """Have the user be found by ``unique_id``, or by his own id if it is empty.

    False if another user is found by it already; then nothing has changed.
    """
    if unique_id:
        found = find(connection, app=app, unique_id=unique_id)
        if found is not None and found.user != user:
            return False
    who = names.ensure_user(connection, app, user)
    connection.execute(_FREE, {"who": who})
    if unique_id:
        connection.execute(_TAKE, {"user": who, "app": app, "unique_id": unique_id})
    return True


def change(
    connection: Connection,
    *,
    app: str,
    user: str,
    now: int,
    visibility: int | None = None,
    basic: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> int:
    """Put in what is not None in place of what was there; returns the profile's new version.

    It rises even if nothing is given: something else of the profile has changed.
    """
    old = known(connection, app=app, user=user)
    row = {
        "user": names.ensure_user(connection, app, user),
        "version": max(now, old.version + 1),
        "visibility": old.visibility if visibility is None else visibility,
        "basic": _encode({**(old.basic if basic is None else basic)}).decode(),
        "extra": _encode({**(old.extra if extra is None else extra)}).decode(),
    }
    return int(connection.execute(_SET, row).scalar_one())
