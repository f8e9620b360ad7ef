"""Everything that is asked of the store: plain functions of a connection.

Each is given to :meth:`improto_server.store.Store.read`, which runs it on the reader's thread
inside one transaction, so that all its statements see the same moment.
"""

from __future__ import annotations

from functools import lru_cache
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import text

from improto.codes import ConversationType
from improto.messages import MessageDirection
from improto_server.store import names
from improto_server.store.schema import FOREVER, LISTED, RECEIVED, SENT, addressee, is_shared
from improto_server.store.values import HistoryPage, InboxItem, InboxPage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, CursorResult, TextClause

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

# Each group costs one look into an index.
_STREAMS = text(
    """
    SELECT conversation, since, until,
        (SELECT max(time) FROM messages WHERE in_stream = 1
            AND conversation = memberships.conversation AND time <= until)
    FROM memberships WHERE member = :owner AND until > :after
    """
)

_COLUMNS = "type, users.name, first, second, flags, item"

_JOINS = """
    JOIN users ON users.id = messages.sender
    JOIN conversations ON conversations.id = messages.conversation
    """

_BOXED = f"""
    SELECT boxes.time AS time, direction, {_COLUMNS}
    FROM boxes JOIN messages ON messages.id = message {_JOINS}
    WHERE owner = :owner AND length(item) > 0
    """

_BOXES = f"""
    {_BOXED} AND direction = {RECEIVED} AND boxes.time > :received_after
    UNION ALL
    {_BOXED} AND direction = {SENT} AND boxes.time > :sent_after
    """

_STREAMED = f"""
    UNION ALL
    SELECT messages.time AS time, {RECEIVED}, {_COLUMNS}
    FROM messages {_JOINS}
    WHERE in_stream = 1 AND conversation = :place{{0}} AND sender <> :owner
    AND time > :after{{0}} AND time <= :until{{0}}
    """

STREAMS_AT_ONCE: Final = 50
"""Parts of one statement: SQLite takes 500, and merges few of them faster."""


@lru_cache(maxsize=STREAMS_AT_ONCE + 1)
def _inbox_statement(streams: int) -> TextClause:
    """Every part is in order of time, so the database merges them, and reads no further than
    the page goes."""
    parts = "".join(_STREAMED.format(number) for number in range(streams))
    return text(f"{_BOXES} {parts} ORDER BY time LIMIT :count")


_HISTORY = f"""
    SELECT messages.time, CASE users.name WHEN :reader THEN {SENT} ELSE {RECEIVED} END, {_COLUMNS}
    FROM messages {_JOINS}
    WHERE conversation = :conversation AND in_history = 1 AND length(item) > 0
    AND object_name IS NOT :left_out
    AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.owner = :owner
        AND hidden.conversation = :conversation AND hidden.time = messages.time)
    """
_HISTORY_BEFORE = text(
    f"{_HISTORY} AND time > :floor AND time < :edge ORDER BY time DESC LIMIT :count"
)
_HISTORY_AFTER = text(f"{_HISTORY} AND time > :floor ORDER BY time LIMIT :count")

_CLEARED = text(
    "SELECT cleared_until FROM views WHERE owner = :owner AND conversation = :conversation"
)

# By its time, which few messages of the whole server have. Who reads a room is not in the store.
_OF_TWO = ", ".join(str(int(type)) for type in sorted(LISTED) if not is_shared(type))
_BY_UID = text(
    f"""
    SELECT messages.time, CASE users.name WHEN :reader THEN {SENT} ELSE {RECEIVED} END, {_COLUMNS}
    FROM messages {_JOINS}
    LEFT JOIN views ON views.owner = :owner AND views.conversation = messages.conversation
    LEFT JOIN memberships ON memberships.member = :owner
        AND memberships.conversation = messages.conversation AND until = {FOREVER}
    WHERE in_history = 1 AND messages.time = :time AND uid = :uid AND length(item) > 0
    AND conversations.app = :app AND messages.time > coalesce(cleared_until, 0)
    AND CASE WHEN type IN ({_OF_TWO}) THEN :reader IN (first, second)
        ELSE type = {int(ConversationType.CHATROOM)} OR messages.time > since END
    AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.owner = :owner
        AND hidden.conversation = messages.conversation AND hidden.time = messages.time)
    """
)


def inbox_after(
    connection: Connection,
    *,
    app: str,
    owner: str,
    received_after: int,
    sent_after: int | None,
    limit: int,
    streams_after: int = 0,
    max_bytes: int = PAGE_BYTES,
) -> InboxPage:
    """The next page of a user's box (session 8.3).

    Received messages with a time above ``received_after`` and, unless ``sent_after`` is None,
    sent ones above that. What is older than ``streams_after`` is not read from the streams of
    groups; boxes lose it by and by (:mod:`.retention`). At most ``limit`` (1 or more) items and
    ``max_bytes`` bytes of items, but at least one item if there is any. ``newest`` counts sent
    messages only if asked for.
    """
    box = _box(connection, app, owner)
    if box is None:
        return InboxPage(items=(), newest=0, is_finished=True)
    streams_after = max(streams_after, received_after)
    streams = _streams(connection, box.owner, streams_after)
    newest = max((box.newest_received, *(stream.newest for stream in streams)))
    if sent_after is None:
        sent_after = FOREVER
    else:
        newest = max(newest, box.newest_sent)
    fresh = [stream for stream in streams if stream.newest > streams_after]
    if not fresh and box.newest_received <= received_after and box.newest_sent <= sent_after:
        return InboxPage(items=(), newest=newest, is_finished=True)
    results = []
    boxes = {"received_after": received_after, "sent_after": sent_after}
    for first in range(0, max(1, len(fresh)), STREAMS_AT_ONCE):
        some = fresh[first : first + STREAMS_AT_ONCE]
        parameters = {"owner": box.owner, **boxes, "count": limit + 1}
        for number, stream in enumerate(some):
            parameters[f"place{number}"] = stream.conversation
            parameters[f"after{number}"] = max(streams_after, stream.since)
            parameters[f"until{number}"] = stream.until
        results.append(connection.execute(_inbox_statement(len(some)), parameters))
        # The first statement has them.
        boxes = {"received_after": FOREVER, "sent_after": FOREVER}
    # Read row by row, so that no more is read than the page takes.
    merged = merge(*map(_items, results), key=attrgetter("time"))
    items, is_finished = _cut(merged, count=limit, max_bytes=max_bytes)
    for result in results:
        result.close()
    return InboxPage(items=tuple(items), newest=newest, is_finished=is_finished)


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
    since: int = 0,
    left_out: str | None = None,
    max_bytes: int = PAGE_BYTES,
) -> HistoryPage:
    """A piece of the conversation of type ``type`` that ``reader`` has with ``target``.

    The newest messages, or with ``before`` the newest of those with a smaller time, or with
    ``after`` the oldest of those with a larger time; not both. At most ``count`` (1 or more)
    items and ``max_bytes`` bytes of items, but at least one item if there is any.

    Left out are messages up to ``since``, those with the object name ``left_out``, and what the
    reader has cleared or hidden for himself.
    """
    if before is not None and after is not None:
        raise ValueError("history goes on before a time or after one, not both")
    conversation = names.conversation_id(connection, app, type, reader, target)
    if conversation is None:
        return HistoryPage(items=(), has_more=False)
    parameters = {
        "conversation": conversation,
        # Numbers begin with 1, so this is a user who has nothing hidden or cleared.
        "owner": names.user_id(connection, app, reader) or 0,
        "reader": reader,
        "left_out": left_out,
    }
    cleared = connection.scalar(_CLEARED, parameters) or 0
    parameters["count"] = count + 1
    parameters["floor"] = max(since, cleared, after or 0)
    parameters["edge"] = FOREVER if before is None else before
    statement = _HISTORY_BEFORE if after is None else _HISTORY_AFTER
    with connection.execute(statement, parameters) as rows:
        items, is_finished = _cut(_items(rows), count=count, max_bytes=max_bytes)
    if after is not None:
        items.reverse()
    return HistoryPage(items=tuple(items), has_more=not is_finished)


def by_uid(
    connection: Connection, *, app: str, reader: str, uid: str, time: int
) -> InboxItem | None:
    """A message that history has and ``reader`` may read, and has not put away for himself.

    Whether he is in the room, if it was said in one, is for the caller to find out.
    """
    owner = names.user_id(connection, app, reader) or 0
    parameters = {"app": app, "owner": owner, "reader": reader, "uid": uid, "time": time}
    with connection.execute(_BY_UID, parameters) as rows:
        return next(_items(rows), None)


class _Box(NamedTuple):
    """Whose it is, and how far it goes; a time is 0 if there is no message."""

    owner: int
    newest_received: int
    newest_sent: int


class _Stream(NamedTuple):
    """A membership, and how far the group's stream goes in its time; 0 if there is nothing."""

    conversation: int
    since: int
    until: int
    newest: int


def _box(connection: Connection, app: str, owner: str) -> _Box | None:
    """None if the user has never sent or received anything."""
    row = connection.execute(_BOX, {"app": app, "owner": owner}).one_or_none()
    return None if row is None else _Box(*row)


def _streams(connection: Connection, owner: int, after: int) -> list[_Stream]:
    rows = connection.execute(_STREAMS, {"owner": owner, "after": after})
    return [
        _Stream(conversation, since, until, newest if newest and newest > since else 0)
        for conversation, since, until, newest in rows
    ]


def _items(rows: CursorResult[Any]) -> Iterator[InboxItem]:
    row: Any
    for row in rows:
        time, direction, type, sender, first, second, flags, item = row
        yield InboxItem(
            time=time,
            direction=MessageDirection(direction),
            type=type,
            sender=sender,
            target=addressee(sender, first, second),
            flags=flags,
            item=item,
        )


def _cut(found: Iterable[InboxItem], *, count: int, max_bytes: int) -> tuple[list[InboxItem], bool]:
    """The beginning that fits into a page, and whether that is all.

    One item more than wanted tells whether there is more.
    """
    items: list[InboxItem] = []
    size = 0
    for item in found:
        size += len(item.item)
        if len(items) == count or (items and size > max_bytes):
            return items, False
        items.append(item)
    return items, True
