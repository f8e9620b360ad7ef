"""Forgetting what is older than the offline window (session 8.3, operations 2.1).

Boxes lose what is too old, and so does the table of messages those that only boxes knew;
history stays. The event stream loses what is as old, and more of whoever has very much
(:mod:`.events`). The work is done in slices, so that no message waits long behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, select, text

from improto_server.store import events
from improto_server.store.schema import RECEIVED, SENT, boxes, messages, users

if TYPE_CHECKING:
    from sqlalchemy import Connection

SLICE_ROWS: Final = 1000
"""Rows deleted, and users looked at, in one go: some milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """How far it has come."""

    before: int
    """Times below it are too old."""
    next_user: int | None = 1
    """The user whose boxes come next; None: boxes are done."""
    next_reader: int | None = 1
    """The user whose events come next; None: events are done."""
    entries: int = 0
    """Box entries deleted so far."""
    is_finished: bool = False


# "Cross join" makes SQLite go from users to boxes, and so read nothing but old entries. The
# other way round it would look at all entries of these users.
_OLD_ENTRIES = text(
    f"""
    SELECT owner, direction, time, message FROM users CROSS JOIN boxes
    WHERE users.id BETWEEN :first_user AND :last_user
    AND owner = users.id AND direction IN ({SENT}, {RECEIVED}) AND time < :before
    LIMIT :rows
    """
)
_DELETE_ENTRY = delete(boxes).where(
    *(column == bindparam(f"old_{column.name}") for column in boxes.c)
)
_DELETE_MESSAGES = delete(messages).where(
    messages.c.id.in_(
        select(messages.c.id)
        .where(messages.c.in_history == 0, messages.c.time < bindparam("before"))
        .limit(bindparam("rows"))
    )
)


def forget_slice(connection: Connection, state: Forgetting) -> Forgetting:
    """Do one slice of the work inside the transaction of ``connection``."""
    limits = {"before": state.before, "rows": SLICE_ROWS}
    if state.next_user is None:
        return _forget_beyond_boxes(connection, state, limits)
    last_user = state.next_user + SLICE_ROWS - 1
    entries = connection.execute(
        _OLD_ENTRIES, {**limits, "first_user": state.next_user, "last_user": last_user}
    ).all()
    if entries:
        connection.execute(
            _DELETE_ENTRY,
            [{f"old_{name}": value for name, value in row._mapping.items()} for row in entries],
        )
    next_user: int | None = state.next_user
    if len(entries) < SLICE_ROWS:
        newest_user = connection.scalar(select(func.max(users.c.id))) or 0
        next_user = last_user + 1 if last_user < newest_user else None
    return replace(state, next_user=next_user, entries=state.entries + len(entries))


def _forget_beyond_boxes(
    connection: Connection, state: Forgetting, limits: dict[str, int]
) -> Forgetting:
    if state.next_reader is not None:
        next_reader = events.forget(connection, before=state.before, first_user=state.next_reader)
        return replace(state, next_reader=next_reader)
    deleted = connection.execute(_DELETE_MESSAGES, limits).rowcount
    deleted = max(deleted, events.forget_unread(connection, **limits))
    return replace(state, is_finished=deleted < SLICE_ROWS)
