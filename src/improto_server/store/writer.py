"""Writing: one transaction for a batch of messages and changes, in the order they came in.

The numbers that the writer remembers for users and conversations are true only if every
transaction succeeded, so a failure makes it forget them all. Then the next batch looks
them up again, as the first one did.

A change is any function of the connection. It runs inside a savepoint: if it raises, it is
undone and refused alone. Only a database that fails takes the whole batch with it.
"""

from __future__ import annotations

import logging
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

from improto.contents import UpFlag
from improto_server.errors import ServiceError
from improto_server.store import names
from improto_server.store.database import driver_of, transaction
from improto_server.store.retention import Forgetting, forget_slice
from improto_server.store.schema import (
    FOREVER,
    LISTED,
    RECEIVED,
    SENT,
    boxes,
    is_shared,
    messages,
    parties,
    views,
)
from improto_server.store.values import NewMessage, Stored, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    Change: TypeAlias = Callable[[Connection], Any]

Job: TypeAlias = "NewMessage | Forgetting | StoreError | Change"
"""An error is its own answer: it comes after those of the jobs before it."""

_logger = logging.getLogger(__name__)

NAMES_REMEMBERED: Final = 65_536
"""Users and conversations, together some 20 MB. If there are more, all are forgotten and then
looked up again as they come, which costs a few messages' time each."""

_INTEGERS: Final = range(-(2**63), 2**63)

# SQLAlchemy's own way of filling tables costs as much per message again as the database does.
# So the statements are compiled here, once, and the driver takes rows in the order of the columns.
_DIALECT = sqlite.dialect()
_ADD_MESSAGES = str(
    sqlite.insert(messages)
    .on_conflict_do_nothing(
        index_elements=["sender", "unique_id"], index_where=messages.c.unique_id.is_not(None)
    )
    .compile(dialect=_DIALECT)
)
_ADD_ENTRIES = str(insert(boxes).compile(dialect=_DIALECT))
_ADD_VIEWS = str(sqlite.insert(views).on_conflict_do_nothing().compile(dialect=_DIALECT))
_READ = str(
    update(views)
    .where(
        views.c.owner == bindparam("reader"),
        views.c.conversation == bindparam("place"),
        views.c.read_until < bindparam("time"),
    )
    .values(read_until=bindparam("time"))
    .compile(dialect=sqlite.dialect(paramstyle="named"))
)
_RENUMBER = (
    update(messages).where(messages.c.id == bindparam("row")).values(number=bindparam("right"))
)
_NUMBER_BEFORE = (
    select(messages.c.number)
    .where(
        messages.c.conversation == bindparam("place"),
        messages.c.in_history == 1,
        messages.c.time < bindparam("time"),
    )
    .order_by(messages.c.time.desc())
    .limit(1)
)
_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)
"""Unread is what a user can still read, so what history does not know is not counted."""

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
        # For what is done with every batch. A cursor kept here would keep the file open.
        self._driver = driver_of(connection)
        # Of users by (app, name), of conversations by (app, type, first, second).
        self._numbers: dict[tuple[str | int, ...], int] = {}
        # Of conversations that both sides have a view of, the number of the last message.
        self._counts: dict[int, int] = {}
        self._next_number: int | None = None

    def work(self, jobs: Sequence[Job]) -> list[Any]:
        """Do all jobs in one transaction; the answers are true once this has returned."""
        try:
            with transaction(self._connection):
                answers: list[Any] = []
                for are_messages, run in groupby(jobs, _is_message):
                    if are_messages:
                        answers += self._append(list(run))  # type: ignore[arg-type]
                    else:
                        answers += [self._answer(job) for job in run]
                return answers
        except BaseException:
            self._forget()
            raise

    def _answer(self, job: Job) -> Any:
        if isinstance(job, StoreError):
            return job
        if isinstance(job, Forgetting):
            return forget_slice(self._connection, job)
        assert callable(job)
        try:
            with self._connection.begin_nested():
                return job(self._connection)
        except ServiceError as refusal:
            return refusal
        except OperationalError:
            # The disk is full, the file is gone: nothing of the batch is safe.
            raise
        except Exception as error:
            _logger.exception("a change failed and was undone")
            return StoreError(f"a change failed: {error!r}")

    def _append(self, new: Sequence[NewMessage]) -> list[Stored]:
        if len(self._numbers) > NAMES_REMEMBERED or len(self._counts) > NAMES_REMEMBERED:
            self._forget()
        rows = self._rows(new)
        added = self._driver.executemany(_ADD_MESSAGES, rows).rowcount
        repeats = {} if added == len(rows) else self._repeats(rows)
        if repeats:
            self._count_again(new, rows, repeats)
        answers = []
        entries = []
        read: dict[tuple[int, int], int] = {}
        for message, row in zip(new, rows, strict=True):
            number, time, conversation, sender, _, flags, in_history, *_ = row
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
            if in_history and flags & _COUNTED == _COUNTED:
                # Who answers has read what he answers to (messages 11).
                read[sender, conversation] = time
            elif message.read_until is not None:
                before = read.get((sender, conversation), 0)
                read[sender, conversation] = max(before, message.read_until)
        if entries:
            self._driver.executemany(_ADD_ENTRIES, entries)
        if read:
            self._driver.executemany(
                _READ,
                [
                    {"reader": reader, "place": place, "time": time}
                    for (reader, place), time in read.items()
                ],
            )
        return answers

    def _rows(self, new: Sequence[NewMessage]) -> list[tuple[Any, ...]]:
        first = self._next_number
        if first is None:
            first = (self._connection.scalar(select(func.max(messages.c.id))) or 0) + 1
        self._next_number = first + len(new)
        rows = []
        for number, message in enumerate(new, first):
            conversation = self._conversation(message)
            rows.append(
                (
                    number,
                    message.time,
                    conversation,
                    self._user(message.app, message.sender),
                    message.unique_id,
                    int(message.flags),
                    int(message.in_history),
                    int(message.in_stream),
                    self._count(message, conversation) if message.in_history else 0,
                    message.uid,
                    message.object_name,
                    message.item,
                )
            )
        return rows

    def _count(self, message: NewMessage, conversation: int) -> int:
        """The running number of a message that goes into history."""
        count = self._counts.get(conversation)
        if count is None:
            count = (
                self._connection.scalar(_NUMBER_BEFORE, {"place": conversation, "time": FOREVER})
                or 0
            )
            self._see(message, conversation)
        if message.flags & _COUNTED == _COUNTED:
            count += 1
        self._counts[conversation] = count
        return count

    def _see(self, message: NewMessage, conversation: int) -> None:
        """Both sides of a conversation have a view of it; members of a group had it made."""
        type = message.type
        if type not in LISTED or is_shared(type):
            return
        sides = {self._user(message.app, name) for name in (message.sender, message.target)}
        self._driver.executemany(_ADD_VIEWS, [(side, conversation, 0, 0, 0) for side in sides])

    def _count_again(
        self, new: Sequence[NewMessage], rows: Sequence[tuple[Any, ...]], repeats: dict[int, Stored]
    ) -> None:
        """Repeats have been given numbers too, and those after them are too high."""
        counts: dict[int, int] = {}
        right = []
        for message, row in zip(new, rows, strict=True):
            number, time, conversation, *_ = row
            if not message.in_history:
                continue
            if conversation not in counts:
                before = {"place": conversation, "time": time}
                counts[conversation] = self._connection.scalar(_NUMBER_BEFORE, before) or 0
            if number not in repeats:
                counts[conversation] += message.flags & _COUNTED == _COUNTED
                right.append({"row": number, "right": counts[conversation]})
        if right:
            self._connection.execute(_RENUMBER, right)
        self._counts.update(counts)

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

    def _forget(self) -> None:
        self._numbers.clear()
        self._counts.clear()

    def _user(self, app: str, name: str) -> int:
        key = (app, name)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = names.ensure_user(self._connection, app, name)
        return number

    def _conversation(self, message: NewMessage) -> int:
        app, type = message.app, int(message.type)
        key = (app, type, *parties(type, message.sender, message.target))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = names.ensure_conversation(
                self._connection, app, type, message.sender, message.target
            )
        return number


def _is_message(job: Job) -> bool:
    return isinstance(job, NewMessage)
