"""Tags by which the application knows kinds of users, for messages to all of a kind (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Index, Table, Text, bindparam, delete, insert, select

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

push_tags = Table(
    "push_tags",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("app", Text, nullable=False),
    comment="what the application calls kinds of users",
    sqlite_with_rowid=False,
)
Index("push_tags_by_tag", push_tags.c.app, push_tags.c.tag, push_tags.c.user)

_OF_USER = (
    select(push_tags.c.tag)
    .join(users, users.c.id == push_tags.c.user)
    .where(users.c.app == bindparam("app"), users.c.name == bindparam("name"))
    .order_by(push_tags.c.tag)
)


class Tagged(NamedTuple):
    """A user who was searched for."""

    number: int
    user: str


class Search(NamedTuple):
    """Users with a tag who have some others as well, and none of still others."""

    tag: str
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


def set_tags(connection: Connection, *, app: str, user: str, tags: Iterable[str]) -> None:
    """These are all tags that a user has."""
    number = names.ensure_user(connection, app, user)
    connection.execute(delete(push_tags).where(push_tags.c.user == number))
    rows = [{"user": number, "tag": tag, "app": app} for tag in tags]
    if rows:
        connection.execute(insert(push_tags), rows)


def tags_of(connection: Connection, *, app: str, people: Sequence[str]) -> dict[str, list[str]]:
    """The tags of users, in the order of the tags."""
    return {user: list(connection.scalars(_OF_USER, {"app": app, "name": user})) for user in people}


def find(
    connection: Connection, *, app: str, search: Search, after: int, count: int
) -> list[Tagged]:
    """The next users, by their numbers."""
    query = (
        select(push_tags.c.user, users.c.name)
        .join_from(push_tags, users, users.c.id == push_tags.c.user)
        .where(push_tags.c.app == app, push_tags.c.tag == search.tag, push_tags.c.user > after)
        .order_by(push_tags.c.user)
        .limit(count)
    )
    for wanted, tags in ((True, search.all_of), (False, search.none_of)):
        for tag in tags:
            other = push_tags.alias()
            has = (
                select(other.c.tag)
                .where(other.c.user == push_tags.c.user, other.c.tag == tag)
                .exists()
            )
            query = query.where(has if wanted else ~has)
    return [Tagged(number, name) for number, name in connection.execute(query)]
