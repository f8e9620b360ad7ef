"""Who wants, or is wanted, to join which group that clients manage (sdk5 8.5).

One row for each who joins and each who invites him to a group: a repetition takes the place of
what was there. Rows are forgotten some time after they were applied for; how long an answer may
take is the service's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.managed_groups import managed_groups, managed_members
from improto_server.store.rosters import groups
from improto_server.store.schema import FOREVER, conversations, memberships, metadata, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from improto_server.store.values import Place

group_applications = Table(
    "group_applications",
    metadata,
    # SQLite numbers the rows of a table by itself only if the key is an INTEGER by name.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("conversation", BigInteger, nullable=False),
    Column("joiner", BigInteger, nullable=False, comment="a user"),
    Column("inviter", BigInteger, nullable=False, comment="a user; 0: nobody"),
    Column("status", Integer, nullable=False, comment="ApplicationStatus"),
    Column("applied", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("handler", BigInteger, nullable=False, comment="a user; 0: nobody yet"),
    Column("handled", BigInteger, nullable=False),
    UniqueConstraint("conversation", "joiner", "inviter"),
    comment="applications and invitations",
)
Index("group_applications_of_joiner", group_applications.c.joiner, group_applications.c.applied)
Index(
    "group_applications_of_inviter",
    group_applications.c.inviter,
    group_applications.c.applied,
    sqlite_where=group_applications.c.inviter > 0,
    postgresql_where=group_applications.c.inviter > 0,
)
Index("group_applications_by_time", group_applications.c.applied)

MANAGER_UNHANDLED: Final = 0
MANAGER_REFUSED: Final = 1
INVITEE_UNHANDLED: Final = 2
"""Statuses that this module looks at, as the SDK numbers them."""

FORGOTTEN_AT_ONCE: Final = 100
"""Rows that are deleted with each new one, at most."""

_joiners, _inviters, _handlers = (users.alias(name) for name in ("j", "i", "h"))
_ROWS = (
    select(
        group_applications.c.id,
        conversations.c.first,
        _joiners.c.name.label("joiner"),
        _inviters.c.name.label("inviter"),
        group_applications.c.status,
        group_applications.c.applied,
        group_applications.c.detail,
        _handlers.c.name.label("handler"),
        group_applications.c.handled,
    )
    .join_from(
        group_applications,
        conversations,
        conversations.c.id == group_applications.c.conversation,
    )
    .join(_joiners, _joiners.c.id == group_applications.c.joiner)
    .outerjoin(_inviters, _inviters.c.id == group_applications.c.inviter)
    .outerjoin(_handlers, _handlers.c.id == group_applications.c.handler)
)
_WAITING = _ROWS.where(
    group_applications.c.conversation == bindparam("place"),
    group_applications.c.status.in_((MANAGER_UNHANDLED, INVITEE_UNHANDLED)),
).order_by(group_applications.c.applied, group_applications.c.id)
_ONE = _ROWS.where(
    group_applications.c.conversation == bindparam("place"),
    group_applications.c.joiner == bindparam("who"),
    group_applications.c.inviter == bindparam("by"),
)
# The groups into which somebody may let others.
_ADMITS = (
    select(memberships.c.conversation)
    .join_from(
        memberships,
        managed_groups,
        managed_groups.c.conversation == memberships.c.conversation,
    )
    .join(groups, groups.c.conversation == memberships.c.conversation)
    .outerjoin(
        managed_members,
        (managed_members.c.conversation == memberships.c.conversation)
        & (managed_members.c.member == memberships.c.member),
    )
    .where(
        memberships.c.member == bindparam("me"),
        memberships.c.until == FOREVER,
        or_(
            groups.c.owner == bindparam("me"),
            (managed_members.c.is_manager == 1) & (managed_groups.c.managers_admit == 1),
        ),
    )
)
_MINE = (
    # What a manager has not agreed to yet, the invited one does not hear of.
    _ROWS.where(
        group_applications.c.joiner == bindparam("me"),
        or_(
            group_applications.c.inviter == 0,
            group_applications.c.status.not_in((MANAGER_UNHANDLED, MANAGER_REFUSED)),
        ),
    ),
    _ROWS.where(group_applications.c.inviter == bindparam("me"), group_applications.c.inviter > 0),
    _ROWS.where(group_applications.c.conversation.in_(_ADMITS)),
)
_FORGET = delete(group_applications).where(
    group_applications.c.id.in_(
        select(group_applications.c.id)
        .where(group_applications.c.applied < bindparam("before"))
        .limit(FORGOTTEN_AT_ONCE)
    )
)


class Application(NamedTuple):
    """Somebody wants to join, or is wanted to."""

    group: str
    joiner: str
    inviter: str
    """Empty: nobody, the joiner has asked himself."""
    status: int
    applied: int
    detail: str = ""
    """Why it was refused."""
    handler: str = ""
    """Who has answered last; empty: nobody yet."""
    handled: int = 0
    number: int = 0
    """Of the row; with ``applied`` it says where the application is in a list."""

    @property
    def key(self) -> tuple[str, str]:
        """What names it in its group."""
        return self.joiner, self.inviter


def waiting(connection: Connection, *, place: Place) -> list[Application]:
    """Those of a group that nobody has answered, the oldest first."""
    number = names.conversation_id(connection, place.app, place.type, "", place.id)
    return [_application(row) for row in connection.execute(_WAITING, {"place": number})]


def find(connection: Connection, *, place: Place, joiner: str, inviter: str) -> Application | None:
    """One of them, whatever its status; None if there is none."""
    key = {
        "place": names.conversation_id(connection, place.app, place.type, "", place.id),
        "who": names.user_id(connection, place.app, joiner),
        "by": names.user_id(connection, place.app, inviter) if inviter else 0,
    }
    row = connection.execute(_ONE, key).one_or_none()
    return None if row is None else _application(row)


def put(
    connection: Connection, *, place: Place, applications: Iterable[Application], before: int
) -> None:
    """Write applications, and forget some of those that were made before a time."""
    app = place.app
    number = names.ensure_conversation(connection, app, place.type, "", place.id)
    for one in applications:
        key = {
            "conversation": number,
            "joiner": names.ensure_user(connection, app, one.joiner),
            "inviter": names.ensure_user(connection, app, one.inviter) if one.inviter else 0,
        }
        values = {
            "status": one.status,
            "applied": one.applied,
            "detail": one.detail,
            "handler": names.ensure_user(connection, app, one.handler) if one.handler else 0,
            "handled": one.handled,
        }
        statement = sqlite.insert(group_applications).values(**key, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
    connection.execute(_FORGET, {"before": before})


def forget(connection: Connection, *, place: Place) -> None:
    """Nobody can join the group any more."""
    number = names.conversation_id(connection, place.app, place.type, "", place.id)
    table = group_applications
    connection.execute(delete(table).where(table.c.conversation == number))


def of_user(
    connection: Connection,
    *,
    app: str,
    user: str,
    after: tuple[int, int] | None,
    is_descending: bool,
    most: int,
) -> list[Application]:
    """What a user has applied for, is invited to, has invited others to, and may decide.

    By when it was applied for. ``after``: ``applied`` and ``number`` of the last one that is known.
    """
    me = names.user_id(connection, app, user) or 0
    position = (group_applications.c.applied, group_applications.c.id)
    found: dict[int, Application] = {}
    for mine in _MINE:
        query = mine.order_by(*(column.desc() if is_descending else column for column in position))
        if after is not None:
            edge = tuple_(*(literal(value) for value in after))
            here = tuple_(*position)
            query = query.where(here < edge if is_descending else here > edge)
        for row in connection.execute(query.limit(most), {"me": me}):
            found[row.id] = _application(row)
    in_order = sorted(
        found.values(), key=lambda one: (one.applied, one.number), reverse=is_descending
    )
    return in_order[:most]


def _application(row: Any) -> Application:
    return Application(
        row.first,
        row.joiner,
        row.inviter or "",
        row.status,
        row.applied,
        row.detail,
        row.handler or "",
        row.handled,
        row.id,
    )
