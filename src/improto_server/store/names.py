"""Users and conversations by number: what every capability's tables refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select

from improto_server.store.schema import conversations, parties, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

_USER = select(users.c.id).where(users.c.app == bindparam("app"), users.c.name == bindparam("name"))
_ADD_USER = insert(users).returning(users.c.id)
_CONVERSATION = select(conversations.c.id).where(
    conversations.c.app == bindparam("app"),
    conversations.c.type == bindparam("type"),
    conversations.c.first == bindparam("first"),
    conversations.c.second == bindparam("second"),
)
_ADD_CONVERSATION = insert(conversations).returning(conversations.c.id)


def user_id(connection: Connection, app: str, name: str) -> int | None:
    """The user's number; None if the store has never heard of him."""
    number: int | None = connection.scalar(_USER, {"app": app, "name": name})
    return number


def ensure_user(connection: Connection, app: str, name: str) -> int:
    """The user's number, given now if he has none. Only for changes."""
    number = user_id(connection, app, name)
    if number is None:
        number = int(connection.execute(_ADD_USER, {"app": app, "name": name}).scalar_one())
    return number


def conversation_id(
    connection: Connection, app: str, type: int, one: str, target: str
) -> int | None:
    """The number of the conversation that ``one`` has with ``target``; None if there is none.

    For groups, discussions and rooms ``one`` does not matter.
    """
    number: int | None = connection.scalar(_CONVERSATION, _key(app, type, one, target))
    return number


def ensure_conversation(connection: Connection, app: str, type: int, one: str, target: str) -> int:
    """The number of a conversation, given now if it has none. Only for changes."""
    number = conversation_id(connection, app, type, one, target)
    if number is None:
        key = _key(app, type, one, target)
        number = int(connection.execute(_ADD_CONVERSATION, key).scalar_one())
    return number


def _key(app: str, type: int, one: str, target: str) -> dict[str, str | int]:
    first, second = parties(type, one, target)
    return {"app": app, "type": int(type), "first": first, "second": second}
