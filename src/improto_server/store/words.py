"""Words that messages may not have in them, app by app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, Table, Text, delete, select
from sqlalchemy.dialects import sqlite

from improto_server.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

words = Table(
    "words",
    metadata,
    Column("app", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("replacement", Text, nullable=False, comment="empty: the message is blocked"),
    comment="sensitive words (rest 9.1)",
    sqlite_with_rowid=False,
)


def everything(connection: Connection) -> dict[str, dict[str, str]]:
    """By app the words, and what each is replaced by. They are few; asked for at the start."""
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(select(words)):
        found.setdefault(row.app, {})[row.word] = row.replacement
    return found


def add(connection: Connection, *, app: str, new: Mapping[str, str]) -> None:
    """Add words, or say anew what they are replaced by."""
    insert = sqlite.insert(words)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["app", "word"], set_={"replacement": insert.excluded.replacement}
        ),
        [
            {"app": app, "word": word, "replacement": replacement}
            for word, replacement in new.items()
        ],
    )


def remove(connection: Connection, *, app: str, old: Iterable[str]) -> None:
    """Forget words; harmless if they are not there."""
    connection.execute(delete(words).where(words.c.app == app, words.c.word.in_(list(old))))
