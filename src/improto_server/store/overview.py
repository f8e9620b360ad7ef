"""What an operator looks for: users and rooms, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import bindparam, select, text

from improto.codes import ConversationType
from improto_server.store import app_accounts
from improto_server.store.schema import users
from improto_server.store.users import profiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_LAST_CHARACTER: Final = "\U0010ffff"

_NAMED = select(users.c.name, profiles.c.name.label("shown")).outerjoin_from(
    users, profiles, profiles.c.user == users.c.id
)
# By the index of names, from the first that begins so to the first that does not.
_FOUND = (
    _NAMED.where(
        users.c.app == bindparam("app"),
        users.c.name > bindparam("after"),
        users.c.name >= bindparam("start"),
        users.c.name < bindparam("end"),
    )
    .order_by(users.c.name)
    .limit(bindparam("count"))
)
_THESE = _NAMED.where(
    users.c.app == bindparam("app"), users.c.name.in_(bindparam("names", expanding=True))
)
_ROOMS = text(
    """
    SELECT first, name, created, is_muted, is_kept FROM conversations CROSS JOIN chatrooms
    ON chatrooms.conversation = conversations.id
    WHERE app = :app AND type = :type AND first > :after ORDER BY first LIMIT :count
    """
)


class FoundUser(NamedTuple):
    """A user, and what he is called; empty: nothing is known."""

    user: str
    name: str


class FoundRoom(NamedTuple):
    """A room that exists."""

    room: str
    name: str
    created: int
    """Milliseconds since 1970."""
    is_muted: bool
    is_kept: bool


def users_by_id(
    connection: Connection, *, app: str, start: str, after: str, count: int
) -> list[FoundUser]:
    """The next users after ``after`` whose ids begin with ``start``, in the order of their ids."""
    asked = {
        "app": app,
        "start": start,
        "end": start + _LAST_CHARACTER,
        "after": after,
        "count": count,
    }
    return [FoundUser(row.name, row.shown or "") for row in connection.execute(_FOUND, asked)]


def users_by_name(connection: Connection, *, app: str, start: str, count: int) -> list[FoundUser]:
    """Users with accounts whose names begin so, whatever their case."""
    return these_users(
        connection,
        app=app,
        names=app_accounts.find(connection, app=app, name=start, most=count),
    )


def these_users(connection: Connection, *, app: str, names: Sequence[str]) -> list[FoundUser]:
    """Users by their ids, in that order; those whom the store does not know have no name."""
    rows = connection.execute(_THESE, {"app": app, "names": [*names]})
    shown = {row.name: row.shown or "" for row in rows}
    return [FoundUser(name, shown.get(name, "")) for name in names]


def rooms(connection: Connection, *, app: str, after: str, count: int) -> list[FoundRoom]:
    """The next rooms of an app after ``after``, in the order of their ids."""
    asked = {"app": app, "type": int(ConversationType.CHATROOM), "after": after, "count": count}
    return [
        FoundRoom(row.first, row.name, row.created, bool(row.is_muted), bool(row.is_kept))
        for row in connection.execute(_ROOMS, asked)
    ]
