"""Whether what users ask often costs the same in a store that has grown: ``bench scale``.

Two stores with the same users, conversations and groups, one with a hundred times as many
messages as the other, both filled by the server's own writer. Each question is asked of both,
for every user, without sockets: only the reader's CPU time counts, that of the database
included. The plain thing is a statement that reads nothing.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from bench.report import Row, Table
from improto import contents, payloads
from improto.codes import ConversationType
from improto.contents import UpFlag
from improto_server.store import NewMessage, Place, queries, rosters, views
from improto_server.store.database import Database, transaction
from improto_server.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sqlalchemy import Connection

    Question = Callable[[Connection, str], object]

APP: Final = "bench"
USERS: Final = 50
NEIGHBOURS: Final = 4
"""Each user writes to so many others, and as many write to him."""

GROUPS: Final = 5
"""Everybody is in all of them; every fifth message is for one."""

GOAL: Final = 2.0
"""Times what the same costs in the small store."""

PAGE: Final = 200
"""Messages of a pull (session 8.3)."""

BATCH: Final = 5_000
ROUNDS: Final = 5
"""The best one counts."""

_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)
_START: Final = 1_700_000_000_000


def measure(small: int, large: int) -> Table:
    """``small`` and ``large``: how many messages there are."""
    rows: list[Row] = []
    with _store(small) as few, _store(large) as many:
        plain = min(_cost(few, _nothing), _cost(many, _nothing))
        rows.append(Row(name="a statement that reads nothing", value=plain))
        for name, ask in _questions(small).items():
            cost = _cost(few, ask)
            rows.append(Row(name=f"{name}, {small} messages", value=cost))
            grown = _cost(many, _questions(large)[name])
            rows.append(
                Row(name=f"{name}, {large} messages", value=grown, goal=round(GOAL * cost, 1))
            )
    return Table(title="What is asked of a store that grows, a question", unit="us", rows=rows)


def _questions(messages: int) -> dict[str, Question]:
    last = _START + messages
    return {
        "history, newest 20": lambda connection, user: queries.history(
            connection,
            app=APP,
            type=ConversationType.PRIVATE,
            reader=user,
            target=_neighbour(user),
            count=20,
        ),
        f"pull, first {PAGE}": partial(_pull, after=0),
        "pull, the last ones": partial(_pull, after=last - 400),
        "pull, nothing new": partial(_pull, after=last),
        "unread in a conversation": lambda connection, user: views.unread(
            connection,
            app=APP,
            user=user,
            type=ConversationType.PRIVATE,
            target=_neighbour(user),
        ),
        "unread in all": lambda connection, user: views.total_unread(
            connection, app=APP, user=user
        ),
        "conversation list": lambda connection, user: views.conversations(
            connection, app=APP, user=user, count=1000
        ),
    }


def _nothing(connection: Connection, user: str) -> object:
    return connection.scalar(_SELECT, {"user": user})


_SELECT: Final = text("SELECT :user")


def _pull(connection: Connection, user: str, *, after: int) -> object:
    return queries.inbox_after(
        connection, app=APP, owner=user, received_after=after, sent_after=None, limit=PAGE
    )


def _cost(database: Database, ask: Question) -> float:
    """Microseconds for one question."""
    costs = []
    for _ in range(ROUNDS):
        begin = time.thread_time()
        for number in range(USERS):
            with transaction(database.reading):
                ask(database.reading, _user(number))
        costs.append((time.thread_time() - begin) / USERS * 1e6)
    return min(costs)


@contextmanager
def _store(messages: int) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="improto-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'messages.db'}"
        with closing(Database.open(url, durable=False)) as database:
            writer = Writer(database.writing)
            users = [_user(number) for number in range(USERS)]
            writer.work(
                [partial(_make_group, id=_group(each), users=users) for each in range(GROUPS)]
            )
            for first in range(0, messages, BATCH):
                numbers = range(first, min(first + BATCH, messages))
                writer.work([_message(number) for number in numbers])
            yield database


def _make_group(connection: Connection, *, id: str, users: Sequence[str]) -> Any:
    place = Place(APP, ConversationType.GROUP, id)
    rosters.create(
        connection, place=place, name=id, owner="", openness=0, members=users, time=_START - 1
    )


def _message(number: int) -> NewMessage:
    is_group = number % 5 == 0
    turn = number // 5 if is_group else number - number // 5 - 1
    sender = turn % USERS
    if is_group:
        type, target = ConversationType.GROUP, _group(turn // USERS % GROUPS)
    else:
        distance = turn // USERS % NEIGHBOURS + 1
        type, target = ConversationType.PRIVATE, _user((sender + distance) % USERS)
    return NewMessage(
        app=APP,
        uid=f"{number:016}",
        time=_START + number,
        type=type,
        sender=_user(sender),
        target=target,
        object_name=contents.Text.object_name,
        flags=_COUNTED,
        unique_id=None,
        item=_ITEM,
        receivers=() if is_group else (target,),
        sent_box=False,
        in_history=True,
        in_stream=is_group,
    )


_ITEM: Final = payloads.encode(
    payloads.DownStreamMessage(
        fromUserId="sender",
        type=ConversationType.PRIVATE,
        classname=contents.Text.object_name,
        content=contents.encode(contents.Text("x" * 120)),
        dataTime=_START,
        status=0x30,
        msgId="C0FF-EE00-C0FF-EE00",
    )
)


def _user(number: int) -> str:
    return f"user-{number}"


def _neighbour(user: str) -> str:
    """Somebody who writes to him."""
    return _user((int(user.removeprefix("user-")) - 1) % USERS)


def _group(number: int) -> str:
    return f"group-{number}"
