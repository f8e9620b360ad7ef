"""Unread counts as clients want them that leave the counting to the server (sdk5 8.1).

Nothing is kept for it: what is unread is found as in :mod:`.views`. What has changed is found by
the times of messages and of read positions, which only rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Index, text

from improto.contents import UpFlag
from improto_server.store import names
from improto_server.store.schema import addressee, messages
from improto_server.store.views import MINE, UNREAD

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

MOST_MENTIONS: Final = 100
"""Of one conversation's unread messages that mention somebody, how many of the newest are looked
at. More than a client shows."""

_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)
_MENTIONING: Final = int(UpFlag.STORED | UpFlag.COUNTED | UpFlag.MENTION)
_MENTIONS_SOMEBODY: Final = f"(flags & {_MENTIONING}) = {_MENTIONING}"

# Messages that mention nobody, and so nearly all, are not in this index.
Index(
    "messages_that_mention",
    messages.c.conversation,
    messages.c.time,
    sqlite_where=text(_MENTIONS_SOMEBODY),
    postgresql_where=text(_MENTIONS_SOMEBODY),
)

# What was taken off the list has nothing unread, but whoever counted there has to be told. Where
# nothing was ever said there is nothing to tell.
_CHANGED = text(
    f"""
    WITH mine AS ({MINE} AND views.conversation > :after),
    found AS (
        SELECT mine.*, coalesce((SELECT time FROM messages
            WHERE conversation = place AND in_history = 1 AND time > 0
            ORDER BY time DESC LIMIT 1), 0) AS newest
        FROM mine
    )
    SELECT place, type, first, second, seen, max(newest, seen) AS changed,
        CASE WHEN newest > removed_until THEN {UNREAD} ELSE 0 END AS unread
    FROM found
    WHERE newest > 0 AND max(newest, seen) > :version
    ORDER BY place LIMIT :count
    """
)

_UNREAD_BY_HIM: Final = """
    FROM messages WHERE conversation = :place AND time > :seen AND length(item) > 0
    AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.owner = :owner
        AND hidden.conversation = :place AND hidden.time = messages.time)
    """
_FIRST = text(
    f"""
    SELECT uid, time, object_name {_UNREAD_BY_HIM}
    AND in_history = 1 AND (flags & {_COUNTED}) = {_COUNTED}
    ORDER BY time LIMIT 1
    """
)
# "+" keeps it away from the other index, by which each message would be read.
_MENTIONS = text(
    f"""
    SELECT item {_UNREAD_BY_HIM} AND +in_history = 1 AND {_MENTIONS_SOMEBODY}
    ORDER BY time DESC LIMIT {MOST_MENTIONS}
    """
)


class FirstUnread(NamedTuple):
    """The oldest message that is unread."""

    uid: str
    time: int
    object_name: str


class Unread(NamedTuple):
    """What a user has not read of one conversation."""

    place: int
    """The conversation's number."""
    type: int
    target: str
    changed: int
    """The time of what the count was made of last: a message, or a read position."""
    seen: int
    """What is later is unread."""
    unread: int
    first: FirstUnread | None
    """None if there is nothing unread, or nothing of it can be shown."""
    mentioning: list[bytes]
    """The newest of those that mention somebody: encoded DownStreamMessages, see
    :data:`MOST_MENTIONS`."""


def changed(
    connection: Connection, *, app: str, user: str, version: int, after: int, count: int
) -> list[Unread]:
    """Conversations whose count may have changed after the time ``version``.

    At most ``count``, in the order of their numbers, from the one after ``after`` on.
    """
    owner = names.user_id(connection, app, user)
    if owner is None:
        return []
    key = {"owner": owner, "version": version, "after": after, "count": count}
    rows = connection.execute(_CHANGED, key).all()
    return [_unread(connection, user, owner, row) for row in rows]


def _unread(connection: Connection, user: str, owner: int, row: Row[tuple[object, ...]]) -> Unread:
    first = None
    mentioning: list[bytes] = []
    if row.unread > 0:
        key = {"owner": owner, "place": row.place, "seen": row.seen}
        found = connection.execute(_FIRST, key).one_or_none()
        first = None if found is None else FirstUnread(*found)
        mentioning = [*connection.scalars(_MENTIONS, key)]
    return Unread(
        place=row.place,
        type=row.type,
        target=addressee(user, row.first, row.second),
        changed=row.changed,
        seen=row.seen,
        unread=row.unread,
        first=first,
        mentioning=mentioning,
    )
