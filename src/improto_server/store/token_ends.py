"""Users whose tokens were ended before their time: those issued before it let nobody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Index, Table, delete, select
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import UserKey

token_ends = Table(
    "token_ends",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("before", BigInteger, nullable=False, comment="milliseconds since 1970"),
    Index("token_ends_by_time", "before"),
    comment="tokens of the user that were issued before are void (rest 9.3)",
)

_EVERYTHING = select(users.c.app, users.c.name, token_ends.c.before).join_from(
    token_ends, users, users.c.id == token_ends.c.user
)


def everything(connection: Connection) -> dict[UserKey, int]:
    """All of them, and before which time. Asked for once, at the start."""
    return {(row.app, row.name): row.before for row in connection.execute(_EVERYTHING)}


def end(connection: Connection, *, app: str, user: str, before: int) -> None:
    """End the tokens of a user that were issued before a time, in milliseconds since 1970."""
    row = {"user": names.ensure_user(connection, app, user), "before": before}
    insert = sqlite.insert(token_ends).values(row)
    changed = {"before": before}
    connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=changed))


def forget(connection: Connection, *, before: int) -> None:
    """Forget those who are there for times before this one."""
    connection.execute(delete(token_ends).where(token_ends.c.before < before))
