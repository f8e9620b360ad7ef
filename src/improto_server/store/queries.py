"""Everything that is asked of the store: plain functions of a connection.

Each is given to :meth:`improto_server.store.Store.read`, which runs it on the reader's thread
inside one transaction, so that all its statements see the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import text

from improto.messages import MessageDirection
from improto_server.store.schema import RECEIVED, SENT, addressee, parties
from improto_server.store.values import HistoryPage, InboxItem, InboxPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, TextClause

_END_OF_TIME: Final = 2**63 - 1
"""Later than every message: the largest number that a column takes."""

PAGE_BYTES: Final = 1024 * 1024
"""Bytes of one page: what a reply to a pull may have (session 8.3)."""

_BOX = text(
    f"""
    SELECT id,
        coalesce((SELECT max(time) FROM boxes WHERE owner = id AND direction = {RECEIVED}), 0),
        coalesce((SELECT max(time) FROM boxes WHERE owner = id AND direction = {SENT}), 0)
    FROM users WHERE app = :app AND name = :owner
    """
)

_COLUMNS = "type, users.name, first, second, item"

_JOINS = """
    JOIN users ON users.id = messages.sender
    JOIN conversations ON conversations.id = messages.conversation
    """

_ENTRIES = f"""
    SELECT boxes.time AS time, direction, {_COLUMNS}
    FROM boxes JOIN messages ON messages.id = message {_JOINS}
    WHERE owner = :owner
    """

# The table has either half in order of time, so the database merges them, and reads no further
# than the page goes.
_INBOX = text(
    f"""
    {_ENTRIES} AND direction = {RECEIVED} AND boxes.time > :received_after
    UNION ALL
    {_ENTRIES} AND direction = {SENT} AND boxes.time > :sent_after
    ORDER BY time LIMIT :count
    """
)

_CONVERSATION = text(
    """
    SELECT id FROM conversations
    WHERE app = :app AND type = :type AND first = :first AND second = :second
    """
)

_HISTORY = f"""
    SELECT time, CASE users.name WHEN :reader THEN {SENT} ELSE {RECEIVED} END, {_COLUMNS}
    FROM messages {_JOINS}
    WHERE conversation = :conversation AND in_history = 1
    """
_HISTORY_BEFORE = text(f"{_HISTORY} AND time < :edge ORDER BY time DESC LIMIT :count")
_HISTORY_AFTER = text(f"{_HISTORY} AND time > :edge ORDER BY time LIMIT :count")


def inbox_after(
    connection: Connection,
    *,
    app: str,
    owner: str,
    received_after: int,
    sent_after: int | None,
    limit: int,
    max_bytes: int = PAGE_BYTES,
) -> InboxPage:
    """The next page of a user's box (session 8.3).

    Received messages with a time above ``received_after`` and, unless ``sent_after`` is None,
    sent ones above that. At most ``limit`` (1 or more) items and ``max_bytes`` bytes of items,
    but at least one item if there is any. ``newest`` counts sent messages only if asked for.
    """
    box = _box(connection, app, owner)
    if box is None:
        return InboxPage(items=(), newest=0, is_finished=True)
    if sent_after is None:
        box = box._replace(newest_sent=0)
        sent_after = _END_OF_TIME
    if box.newest_received <= received_after and box.newest_sent <= sent_after:
        return InboxPage(items=(), newest=box.newest, is_finished=True)
    items, is_finished = _page(
        connection,
        _INBOX,
        {"owner": box.owner, "received_after": received_after, "sent_after": sent_after},
        count=limit,
        max_bytes=max_bytes,
    )
    return InboxPage(items=tuple(items), newest=box.newest, is_finished=is_finished)


def newest_time(connection: Connection, *, app: str, owner: str, with_sent: bool) -> int:
    """The time of the newest message in a user's box, 0 if there is none.

    Sent ones count only ``with_sent``.
    """
    box = _box(connection, app, owner)
    if box is None:
        return 0
    return box.newest if with_sent else box.newest_received


def history(
    connection: Connection,
    *,
    app: str,
    type: int,
    reader: str,
    target: str,
    count: int,
    before: int | None = None,
    after: int | None = None,
    max_bytes: int = PAGE_BYTES,
) -> HistoryPage:
    """A piece of the conversation of type ``type`` that ``reader`` has with ``target``.

    The newest messages, or with ``before`` the newest of those with a smaller time, or with
    ``after`` the oldest of those with a larger time; not both. At most ``count`` (1 or more)
    items and ``max_bytes`` bytes of items, but at least one item if there is any.
    """
    if before is not None and after is not None:
        raise ValueError("history goes on before a time or after one, not both")
    first, second = parties(type, reader, target)
    conversation = connection.scalar(
        _CONVERSATION, {"app": app, "type": int(type), "first": first, "second": second}
    )
    if conversation is None:
        return HistoryPage(items=(), has_more=False)
    if after is None:
        statement, edge = _HISTORY_BEFORE, _END_OF_TIME if before is None else before
    else:
        statement, edge = _HISTORY_AFTER, after
    items, is_finished = _page(
        connection,
        statement,
        {"conversation": conversation, "reader": reader, "edge": edge},
        count=count,
        max_bytes=max_bytes,
    )
    if after is not None:
        items.reverse()
    return HistoryPage(items=tuple(items), has_more=not is_finished)


class _Box(NamedTuple):
    """Whose it is, and how far it goes; a time is 0 if there is no message."""

    owner: int
    newest_received: int
    newest_sent: int

    @property
    def newest(self) -> int:
        return max(self.newest_received, self.newest_sent)


def _box(connection: Connection, app: str, owner: str) -> _Box | None:
    """None if the user has never sent or received anything."""
    row = connection.execute(_BOX, {"app": app, "owner": owner}).one_or_none()
    return None if row is None else _Box(*row)


def _page(
    connection: Connection,
    statement: TextClause,
    parameters: Mapping[str, int | str],
    *,
    count: int,
    max_bytes: int,
) -> tuple[list[InboxItem], bool]:
    """The first rows of a statement, and whether these are all."""
    items: list[InboxItem] = []
    size = 0
    # One row more than wanted tells whether there is more.
    with connection.execute(statement, {**parameters, "count": count + 1}) as rows:
        for time, direction, type, sender, first, second, item in rows:
            size += len(item)
            if len(items) == count or (items and size > max_bytes):
                return items, False
            items.append(
                InboxItem(
                    time=time,
                    direction=MessageDirection(direction),
                    type=type,
                    sender=sender,
                    target=addressee(sender, first, second),
                    item=item,
                )
            )
    return items, True
