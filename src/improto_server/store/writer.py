"""Writing: one transaction for a batch of messages.

The numbers that the writer remembers for users and conversations are true only if every
transaction succeeded, so a failure makes it forget them all. Then the next batch looks
them up again, as the first one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects import sqlite

from improto_server.store.database import transaction
from improto_server.store.retention import Forgetting, forget_slice
from improto_server.store.schema import (
    RECEIVED,
    SENT,
    boxes,
    conversations,
    messages,
    parties,
    users,
)
from improto_server.store.values import NewMessage, Stored, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Table

Job: TypeAlias = NewMessage | Forgetting | StoreError
"""An error is its own answer: it comes after those of the jobs before it."""
Answer: TypeAlias = Stored | Forgetting | StoreError

NAMES_REMEMBERED: Final = 65_536
"""Users and conversations, together some 20 MB. If there are more, all are forgotten and then
looked up again as they come, which costs a few messages' time each."""

_INTEGERS: Final = range(-(2**63), 2**63)

# SQLAlchemy's own way of filling tables costs as much per message again as the database does.
# So the statements are compiled here, once, and take rows in the order of the columns.
_DIALECT = sqlite.dialect()
_ADD_MESSAGES = str(
    sqlite.insert(messages)
    .on_conflict_do_nothing(
        index_elements=["sender", "unique_id"], index_where=messages.c.unique_id.is_not(None)
    )
    .compile(dialect=_DIALECT)
)
_ADD_ENTRIES = str(insert(boxes).compile(dialect=_DIALECT))
_OF_UNIQUE_ID = select(messages.c.id, messages.c.uid, messages.c.time).where(
    messages.c.sender == bindparam("sender"), messages.c.unique_id == bindparam("unique_id")
)


def why_unstorable(message: NewMessage) -> str | None:
    """What no database takes, in a sentence; None if all is well.

    In a batch it would make everybody else's messages fail as well.
    """
    if message.unique_id is not None and message.unique_id not in _INTEGERS:
        return f"unique_id must be from -2**63 to 2**63-1, not {message.unique_id}"
    try:
        # One call for all texts costs less than one for each.
        "".join(
            (
                message.app,
                message.uid,
                message.sender,
                message.target,
                message.object_name,
                *message.receivers,
            )
        ).encode()
    except UnicodeEncodeError:
        return "names in a message must be text without halves of surrogate pairs"
    return None


class Writer:
    """Owns the connection that writes, on whichever thread calls it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Of users by (app, name), of conversations by (app, type, first, second).
        self._numbers: dict[tuple[str | int, ...], int] = {}
        self._next_number: int | None = None

    def work(self, jobs: Sequence[Job]) -> list[Answer]:
        """Do all jobs in one transaction; the answers are true once this has returned."""
        try:
            with transaction(self._connection):
                stored = iter(self._append([job for job in jobs if isinstance(job, NewMessage)]))
                return [self._answer(job, stored) for job in jobs]
        except BaseException:
            self._numbers.clear()
            raise

    def _answer(self, job: Job, stored: Iterator[Stored]) -> Answer:
        match job:
            case NewMessage():
                return next(stored)
            case Forgetting():
                return forget_slice(self._connection, job)
            case StoreError():
                return job

    def _append(self, new: Sequence[NewMessage]) -> list[Stored]:
        if not new:
            return []
        if len(self._numbers) > NAMES_REMEMBERED:
            self._numbers.clear()
        rows = self._rows(new)
        added = self._connection.exec_driver_sql(_ADD_MESSAGES, rows).rowcount
        repeats = {} if added == len(rows) else self._repeats(rows)
        answers = []
        entries = []
        for message, row in zip(new, rows, strict=True):
            number, time, _, sender, *_ = row
            repeat = repeats.get(number)
            if repeat is not None:
                answers.append(repeat)
                continue
            answers.append(Stored(uid=message.uid, time=time, is_repeat=False))
            # A receiver who is named twice gets it once.
            entries += [
                (self._user(message.app, receiver), RECEIVED, time, number)
                for receiver in dict.fromkeys(message.receivers)
            ]
            if message.sent_box:
                entries.append((sender, SENT, time, number))
        if entries:
            self._connection.exec_driver_sql(_ADD_ENTRIES, entries)
        return answers

    def _rows(self, new: Sequence[NewMessage]) -> list[tuple[Any, ...]]:
        first = self._next_number
        if first is None:
            first = (self._connection.scalar(select(func.max(messages.c.id))) or 0) + 1
        self._next_number = first + len(new)
        return [
            (
                number,
                message.time,
                self._conversation(message),
                self._user(message.app, message.sender),
                message.unique_id,
                int(message.flags),
                int(message.in_history),
                message.uid,
                message.object_name,
                message.item,
            )
            for number, message in enumerate(new, first)
        ]

    def _repeats(self, rows: Sequence[tuple[Any, ...]]) -> dict[int, Stored]:
        """Of the messages that were not added, the number and what was added instead."""
        repeats = {}
        for number, _, _, sender, unique_id, *_ in rows:
            if unique_id is None:
                continue
            first = self._connection.execute(
                _OF_UNIQUE_ID, {"sender": sender, "unique_id": unique_id}
            ).one()
            if first.id != number:
                repeats[number] = Stored(uid=first.uid, time=first.time, is_repeat=True)
        return repeats

    def _user(self, app: str, name: str) -> int:
        key = (app, name)
        number = self._numbers.get(key)
        return self._number(users, key) if number is None else number

    def _conversation(self, message: NewMessage) -> int:
        type = int(message.type)
        key = (message.app, type, *parties(type, message.sender, message.target))
        number = self._numbers.get(key)
        return self._number(conversations, key) if number is None else number

    def _number(self, table: Table, key: tuple[str | int, ...]) -> int:
        """The number of the row of ``table`` whose other columns are ``key``; made if missing."""
        names = [column.name for column in table.c if not column.primary_key]
        values = dict(zip(names, key, strict=True))
        number: int | None = self._connection.scalar(select(table.c.id).filter_by(**values))
        if number is None:
            added = self._connection.execute(insert(table).returning(table.c.id), values)
            number = int(added.scalar_one())
        self._numbers[key] = number
        return number
