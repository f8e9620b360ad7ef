"""Messages whose content was changed: which, and when, so that readers can ask what has changed.

What is kept is only that a message was edited; the text itself is in the message. A message that
is edited again moves to the end. Edits stay as long as history does, which is for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Index, Table, bindparam, delete, insert, text

from improto.codes import ConversationType
from improto.messages import MessageDirection
from improto_server.store import names, recalls
from improto_server.store.queries import PAGE_BYTES
from improto_server.store.schema import RECEIVED, SENT, addressee, metadata
from improto_server.store.values import InboxItem

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.store.recalls import Original

edits = Table(
    "edits",
    metadata,
    Column(
        "reader",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="a user; a number below 0 is a group's, and its members read it",
    ),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("message", BigInteger, nullable=False),
    comment="who is to be told which message was edited, and when it was",
    sqlite_with_rowid=False,
)
Index("edits_by_message", edits.c.message)

PAGE_EDITS: Final = 200
"""Messages of one page. Ours: as many as a page of an inbox has (session 8.3)."""

_FORGET = delete(edits).where(edits.c.message == bindparam("row"))
_ADD = insert(edits)

# Members are told of what was sent and edited while they are in; nobody of what he has hidden or
# cleared for himself.
_SINCE = text(
    f"""
    WITH told AS (
        SELECT time AS edited, message, 0 AS bottom FROM edits
        WHERE reader = :owner AND time >= :from
        UNION ALL
        SELECT time, message, since FROM memberships CROSS JOIN edits
        WHERE member = :owner AND until >= :from
        AND reader = -memberships.conversation AND time >= :from AND time <= until
    )
    SELECT edited, messages.time AS time, users.name AS sender, type, first, second, flags, item,
        CASE sender WHEN :owner THEN {SENT} ELSE {RECEIVED} END AS direction
    FROM told
    JOIN messages ON messages.id = message
    JOIN users ON users.id = messages.sender
    JOIN conversations ON conversations.id = messages.conversation
    WHERE messages.time > bottom AND length(item) > 0
    AND messages.time > coalesce((SELECT cleared_until FROM views
        WHERE views.owner = :owner AND views.conversation = messages.conversation), 0)
    AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.owner = :owner
        AND hidden.conversation = messages.conversation AND hidden.time = messages.time)
    ORDER BY edited LIMIT {PAGE_EDITS + 1}
    """
)


class Page(NamedTuple):
    """A piece of what was edited."""

    items: list[InboxItem]
    """The edited messages as they are now, in the order in which they were edited."""
    next: int
    """The time from which on to ask for the next piece."""
    has_more: bool


def record(
    connection: Connection,
    *,
    app: str,
    type: ConversationType,
    target: str,
    original: Original,
    time: int,
    item: bytes,
) -> None:
    """A message to ``target`` has another body since ``time``, later than all its readers know."""
    recalls.rewrite(connection, original, item)
    connection.execute(_FORGET, {"row": original.id})
    if type is ConversationType.GROUP:
        readers = {-original.conversation}
    else:
        readers = {names.ensure_user(connection, app, name) for name in (original.sender, target)}
    connection.execute(
        _ADD, [{"reader": reader, "time": time, "message": original.id} for reader in readers]
    )


def page(connection: Connection, *, app: str, reader: str, start: int) -> Page:
    """What was edited at ``start`` or later: at most 200 messages and 1 MiB, at least one if any.

    Asking for the next page with ``next``, nothing comes twice and nothing is left out.
    """
    items: list[InboxItem] = []
    size, edge = 0, start
    # Numbers begin with 1, so 0 is a user who reads nothing.
    owner = names.user_id(connection, app, reader) or 0
    with connection.execute(_SINCE, {"owner": owner, "from": start}) as rows:
        for row in rows:
            size += len(row.item)
            if len(items) == PAGE_EDITS or (items and size > PAGE_BYTES):
                return Page(items, edge, has_more=True)
            edge = row.edited + 1
            items.append(
                InboxItem(
                    time=row.time,
                    direction=MessageDirection(row.direction),
                    type=row.type,
                    sender=row.sender,
                    target=addressee(row.sender, row.first, row.second),
                    flags=row.flags,
                    item=row.item,
                )
            )
    return Page(items, edge, has_more=False)
