"""Whose status and profile users have subscribed to for a time (sdk5 8.4).

A subscription that was ended stays known as ended for a while, so that the subscriber's other
devices learn of it. One that has run out needs no word: every client knows when it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import metadata, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

KEPT: Final = 24 * 60 * 60 * 1000
"""Milliseconds for which a subscription that has ended is remembered. Whoever connects gets the
whole list, so this is for devices that stay online and ask late."""

MOST_ENDED: Final = 1000
"""Of one user and one type; above it all that have ended are forgotten at once."""

timed_subscriptions = Table(
    "timed_subscriptions",
    metadata,
    Column("subscriber", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Integer, primary_key=True, autoincrement=False, comment="SubscriptionType"),
    Column("subject", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False, comment="when it was made, or ended"),
    Column("expiry", Integer, nullable=False, comment="seconds; 0: it was ended"),
    Column("until", BigInteger, nullable=False, comment="when it runs out, or has ended"),
    comment="subscriber is told for a time what subject does (sdk5 8.4)",
    sqlite_with_rowid=False,
)
Index(
    "timed_subscriptions_by_subject",
    timed_subscriptions.c.subject,
    timed_subscriptions.c.type,
    timed_subscriptions.c.until,
)

_t = timed_subscriptions.c
_OWN = (_t.subscriber == bindparam("who"), _t.type == bindparam("kind"))
_PAGE = (
    select(users.c.name, timed_subscriptions)
    .join_from(timed_subscriptions, users, users.c.id == _t.subject)
    .where(
        _t.subscriber == bindparam("who"),
        tuple_(_t.type, _t.subject) > tuple_(bindparam("type"), bindparam("subject")),
        (_t.until > bindparam("now")) | ((_t.expiry == 0) & (_t.time > bindparam("ended_after"))),
    )
    .order_by(_t.type, _t.subject)
    .limit(bindparam("rows"))
)
_NEWEST = select(func.max(_t.time)).where(_t.subscriber == bindparam("who"))
_ENDED = select(func.count()).where(*_OWN, _t.until <= bindparam("now"))
_FORGET = delete(timed_subscriptions).where(*_OWN, _t.until <= bindparam("before"))
_SUBSCRIBERS = (
    select(_t.subscriber)
    .where(
        _t.subject == bindparam("subject"),
        _t.type == bindparam("kind"),
        _t.until > bindparam("now"),
        _t.subscriber != bindparam("who"),
    )
    .limit(1)
    .offset(bindparam("most"))
)
_INSERT = sqlite.insert(timed_subscriptions)
_ADD = _INSERT.on_conflict_do_update(
    index_elements=["subscriber", "type", "subject"],
    set_={name: _INSERT.excluded[name] for name in ("time", "expiry", "until")},
)
_END = (
    update(timed_subscriptions)
    .where(*_OWN, _t.subject == bindparam("whom"), _t.until > bindparam("now"))
    .values(time=bindparam("end"), until=bindparam("now"), expiry=0)
)


class Subscription(NamedTuple):
    """Somebody is told about somebody."""

    type: int
    """:class:`improto.codes.SubscriptionType`."""
    subject: str
    number: int
    """The subject's, which pages are in the order of."""
    time: int
    """When it was made, or ended."""
    expiry: int
    """For how many seconds it was made; 0: it was ended."""
    until: int
    """When it runs out."""


FIRST: Final = (0, 0)
"""Where the first page begins."""


def page(
    connection: Connection,
    *,
    app: str,
    subscriber: str,
    now: int,
    after: tuple[int, int] = FIRST,
    ended_after: int | None = None,
    rows: int = -1,
) -> list[Subscription]:
    """What the user is subscribed to, and what was ended after a time, if one is given.

    In the order of type and number, from behind ``after`` on; -1 rows: all.
    """
    type, subject = after
    found = connection.execute(
        _PAGE,
        {
            "who": names.user_id(connection, app, subscriber),
            "type": type,
            "subject": subject,
            "now": now,
            "ended_after": now if ended_after is None else ended_after,
            "rows": rows,
        },
    )
    return [
        Subscription(row.type, row.name, row.subject, row.time, row.expiry, row.until)
        for row in found
    ]


def newest(connection: Connection, *, app: str, subscriber: str) -> int:
    """When the user has last subscribed to somebody, or ended it; 0: never."""
    who = names.user_id(connection, app, subscriber)
    return connection.scalar(_NEWEST, {"who": who}) or 0


def has_most(
    connection: Connection, *, app: str, but: str, type: int, now: int, most: int, subject: str
) -> bool:
    """Whether ``most`` users or more are subscribed to one, not counting ``but``."""
    values = {
        "subject": names.user_id(connection, app, subject),
        "who": names.user_id(connection, app, but) or 0,
        "kind": type,
        "now": now,
        "most": most - 1,
    }
    return connection.scalar(_SUBSCRIBERS, values) is not None


def add(
    connection: Connection,
    *,
    app: str,
    subscriber: str,
    type: int,
    subjects: Sequence[str],
    now: int,
    time: int,
    expiry: int,
) -> None:
    """Subscribe the user at ``time`` for ``expiry`` seconds, from now on if he is already."""
    who = names.ensure_user(connection, app, subscriber)
    _tidy(connection, who, type, now=now)
    until = time + expiry * 1000
    same = {"subscriber": who, "type": type, "time": time, "expiry": expiry, "until": until}
    rows = [same | {"subject": names.ensure_user(connection, app, name)} for name in subjects]
    connection.execute(_ADD, rows)


def end(
    connection: Connection,
    *,
    app: str,
    subscriber: str,
    type: int,
    subjects: Sequence[str],
    now: int,
    time: int,
) -> None:
    """End live subscriptions at ``time``; harmless where there are none."""
    who = names.user_id(connection, app, subscriber)
    for name in subjects:
        whom = names.user_id(connection, app, name)
        values = {"who": who, "kind": type, "whom": whom, "now": now, "end": time}
        connection.execute(_END, values)


def _tidy(connection: Connection, who: int, type: int, *, now: int) -> None:
    """Forget what has ended long ago, or all that has ended if it is very much."""
    mine = {"who": who, "kind": type}
    ended = connection.scalar(_ENDED, mine | {"now": now}) or 0
    before = now if ended > MOST_ENDED else now - KEPT
    connection.execute(_FORGET, mine | {"before": before})
