"""How one user sees his conversations: his list of them, what is unread, what he has put away.

Nothing is counted up and down. What is unread is the number of the newest message, minus the
number of the newest that he has seen, minus those in between that were taken back or that he
has hidden (:mod:`.schema`). So a mark that comes twice or late does no harm.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Column, Integer, Table, bindparam, text, update
from sqlalchemy.dialects import sqlite

from improto.codes import ConversationType
from improto.contents import UpFlag
from improto.messages import MessageDirection
from improto_server.store import names
from improto_server.store.queries import PAGE_BYTES, inbox_after
from improto_server.store.schema import (
    FOREVER,
    RECEIVED,
    SENT,
    addressee,
    metadata,
    views,
)
from improto_server.store.values import InboxItem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection, TextClause

hidden = Table(
    "hidden",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("is_counted", Integer, nullable=False, comment="0 or 1"),
    comment="messages that a user has deleted for himself; others still see them",
    sqlite_with_rowid=False,
)

_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)
_GROUPS: Final = f"{int(ConversationType.DISCUSSION)}, {int(ConversationType.GROUP)}"

# One row for each conversation that the user may read. He sees what is later than "bottom" and
# has seen what is not later than "seen"; who joins a group has seen what was said before.
MINE: Final = f"""
    SELECT views.conversation AS place, type, first, second, removed_until,
        max(cleared_until, coalesce(since, 0)) AS bottom,
        max(read_until, cleared_until) AS seen
    FROM views
    JOIN conversations ON conversations.id = views.conversation
    LEFT JOIN memberships ON memberships.member = views.owner
        AND memberships.conversation = views.conversation AND until = {FOREVER}
    WHERE views.owner = :owner AND (type NOT IN ({_GROUPS}) OR since IS NOT NULL)
    """

_NEWEST: Final = """
    SELECT time FROM messages
    WHERE conversation = place AND in_history = 1 AND time > bottom AND length(item) > 0
    AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.owner = :owner
        AND hidden.conversation = place AND hidden.time = messages.time)
    ORDER BY time DESC LIMIT 1
    """

_LISTED: Final = f"""
    WITH mine AS ({MINE} {{wanted}}),
    listed AS MATERIALIZED (SELECT mine.*, ({_NEWEST}) AS newest FROM mine)
    """
_OF_TYPES: Final = "AND type IN (SELECT value FROM json_each(:types))"
_OF_PLACES: Final = "AND views.conversation IN (SELECT value FROM json_each(:places))"

# The newest message counts itself, so a conversation without any has no number. Without a bound
# on the time, the database would look for it among the messages of all conversations.
UNREAD: Final = """
    coalesce((SELECT number FROM messages
        WHERE conversation = place AND in_history = 1 AND time > 0
        ORDER BY time DESC LIMIT 1), 0)
    - coalesce((SELECT number FROM messages
        WHERE conversation = place AND in_history = 1 AND time <= seen
        ORDER BY time DESC LIMIT 1), 0)
    - (SELECT count(*) FROM recalls
        WHERE recalls.conversation = place AND recalls.time > seen AND is_counted = 1)
    - (SELECT count(*) FROM hidden
        WHERE hidden.owner = :owner AND hidden.conversation = place AND hidden.time > seen
        AND is_counted = 1
        AND NOT EXISTS (SELECT 1 FROM recalls
            WHERE recalls.conversation = place AND recalls.time = hidden.time))
    """

_ENTRIES: Final = f"""
    {_LISTED}
    SELECT newest, type, users.name, first, second, flags, item, {UNREAD}
    FROM listed
    CROSS JOIN messages ON conversation = place AND in_history = 1 AND time = newest
    JOIN users ON users.id = messages.sender
    """


@lru_cache(maxsize=8)
def _list_statement(*, is_forward: bool, of_types: bool, of_places: bool) -> TextClause:
    wanted = " ".join([_OF_TYPES] * of_types + [_OF_PLACES] * of_places)
    # "+" keeps the bounds away from the messages' index: each would be read that is older.
    return text(
        f"""
        {_ENTRIES.format(wanted=wanted)}
        WHERE newest > removed_until AND +newest > :after AND +newest < :before
        ORDER BY newest {"" if is_forward else "DESC"} LIMIT :count
        """
    )


_LAST = text(_ENTRIES.format(wanted="AND views.conversation = :place"))
_TOTAL = text(
    f"{_LISTED.format(wanted='')} SELECT sum({UNREAD}) FROM listed WHERE newest > removed_until"
)
_ONE = text(f"WITH mine AS ({MINE} AND views.conversation = :place) SELECT {UNREAD} FROM mine")

_NEWEST_SENT = text(f"SELECT max(time) FROM boxes WHERE owner = :owner AND direction = {SENT}")

_FIND = text(
    """
    SELECT time, flags FROM messages
    WHERE conversation = :place AND in_history = 1 AND time = :time AND uid = :uid
    AND length(item) > 0
    """
)
_HIDE = sqlite.insert(hidden).on_conflict_do_nothing()


class ListEntry(NamedTuple):
    """A conversation on somebody's list."""

    type: int
    target: str
    message: InboxItem
    """The newest that he can read."""
    unread: int


class ListPage(NamedTuple):
    """A piece of somebody's list of conversations."""

    entries: list[ListEntry]
    """In the order that was asked for."""
    is_finished: bool
    """True if there are no more."""


def conversations(
    connection: Connection,
    *,
    app: str,
    user: str,
    count: int,
    after: int = 0,
    before: int = FOREVER,
    is_forward: bool = False,
    types: Collection[int] | None = None,
    places: Collection[int] | None = None,
    max_bytes: int = PAGE_BYTES,
) -> ListPage:
    """The user's conversations whose newest message has a time between ``after`` and ``before``.

    The newest first, or if ``is_forward`` the oldest; if given, only those of some ``types``, and
    only those with some numbers, ``places``. At most ``count`` entries and ``max_bytes`` bytes of
    messages, but at least one entry if there is any and ``count`` is not 0. Left out is what he
    has taken off the list and nobody has written to since, and groups that he is not in.
    """
    owner = names.user_id(connection, app, user)
    if owner is None:
        return ListPage([], True)
    parameters: dict[str, Any] = {
        "owner": owner,
        "after": after,
        "before": before,
        "count": count + 1,
    }
    statement = _list_statement(
        is_forward=is_forward, of_types=types is not None, of_places=places is not None
    )
    if types is not None:
        parameters["types"] = _as_list(types)
    if places is not None:
        parameters["places"] = _as_list(places)
    entries: list[ListEntry] = []
    size = 0
    with connection.execute(statement, parameters) as rows:
        for row in rows:
            entry = _entry(row, user)
            size += len(entry.message.item)
            if len(entries) == count or (entries and size > max_bytes):
                return ListPage(entries, False)
            entries.append(entry)
    return ListPage(entries, True)


def last(
    connection: Connection, *, app: str, user: str, type: int, target: str
) -> ListEntry | None:
    """One conversation, also one that is not on the list; None if the user can read nothing in
    it."""
    key = _key(connection, app, user, type, target)
    row = None if key is None else connection.execute(_LAST, key).one_or_none()
    return None if row is None else _entry(row, user)


def _as_list(numbers: Collection[int]) -> str:
    """As JSON: one parameter, however many there are."""
    return msgspec.json.encode([*numbers]).decode()


def _entry(row: Any, user: str) -> ListEntry:
    time, type, sender, first, second, flags, item, unread = row
    message = InboxItem(
        time=time,
        direction=MessageDirection(SENT if sender == user else RECEIVED),
        type=type,
        sender=sender,
        target=addressee(sender, first, second),
        flags=flags,
        item=item,
    )
    return ListEntry(type, addressee(user, first, second), message, unread)


def unread(connection: Connection, *, app: str, user: str, type: int, target: str) -> int:
    """How many counted messages of a conversation the user has not seen; 0 if he may not read
    it."""
    return _number(connection, _ONE, app, user, type, target)


def total_unread(connection: Connection, *, app: str, user: str) -> int:
    """The same of all conversations on his list together."""
    owner = names.user_id(connection, app, user) or 0
    return connection.scalar(_TOTAL, {"owner": owner}) or 0


def newest_times(connection: Connection, *, app: str, user: str, now: int) -> tuple[int, int]:
    """Times of the newest message in the user's inbox and in his sent box; 0 if it is empty."""
    inbox = inbox_after(
        connection, app=app, owner=user, received_after=now, sent_after=None, limit=1
    )
    owner = names.user_id(connection, app, user) or 0
    return inbox.newest, connection.scalar(_NEWEST_SENT, {"owner": owner}) or 0


def _number(
    connection: Connection, query: TextClause, app: str, user: str, type: int, target: str
) -> int:
    key = _key(connection, app, user, type, target)
    return 0 if key is None else connection.scalar(query, key) or 0


def read(
    connection: Connection, *, app: str, user: str, type: int, target: str, until: int
) -> None:
    """The user has seen a conversation up to a time."""
    _move(connection, app, user, type, target, read_until=until)


def clear(
    connection: Connection, *, app: str, user: str, type: int, target: str, until: int
) -> None:
    """Hide everything up to a time from the user."""
    _move(connection, app, user, type, target, cleared_until=until)


def remove(
    connection: Connection, *, app: str, user: str, type: int, target: str, until: int
) -> None:
    """Take a conversation off the user's list; a message later than ``until`` puts it back."""
    _move(connection, app, user, type, target, removed_until=until)


def hide(
    connection: Connection,
    *,
    app: str,
    user: str,
    type: int,
    target: str,
    messages: Iterable[tuple[int, str]],
) -> None:
    """Hide single messages from the user: times and uids; those that are not there are skipped."""
    key = _key(connection, app, user, type, target)
    if key is None:
        return
    for time, uid in messages:
        found = connection.execute(_FIND, {**key, "time": time, "uid": uid}).one_or_none()
        if found is not None:
            row = {
                "owner": key["owner"],
                "conversation": key["place"],
                "time": found.time,
                "is_counted": int(found.flags & _COUNTED == _COUNTED),
            }
            connection.execute(_HIDE, row)


def _move(connection: Connection, app: str, user: str, type: int, target: str, **mark: int) -> None:
    """Marks only go forward. A conversation without a view has no messages to put away."""
    key = _key(connection, app, user, type, target)
    if key is not None:
        ((name, until),) = mark.items()
        connection.execute(
            _MOVES[name], {"who": key["owner"], "place": key["place"], "until": until}
        )


def _key(
    connection: Connection, app: str, user: str, type: int, target: str
) -> dict[str, int] | None:
    owner = names.user_id(connection, app, user)
    place = names.conversation_id(connection, app, type, user, target)
    return None if owner is None or place is None else {"owner": owner, "place": place}


_MOVES: Final = {
    column.name: update(views)
    .where(
        views.c.owner == bindparam("who"),
        views.c.conversation == bindparam("place"),
        column < bindparam("until"),
    )
    .values({column: bindparam("until")})
    for column in (views.c.read_until, views.c.cleared_until, views.c.removed_until)
}
