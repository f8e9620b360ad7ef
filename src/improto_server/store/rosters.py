"""Who is in which group or discussion, and who may not speak there.

A group that was dissolved keeps its row: the time of its last change must stay known, and
an application may mute a group before it makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from improto_server.store import names
from improto_server.store.schema import (
    FOREVER,
    conversations,
    memberships,
    metadata,
    users,
    views,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.store.values import Place

groups = Table(
    "groups",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("is_there", Integer, nullable=False, server_default="0", comment="0: dissolved"),
    Column("name", Text, nullable=False, server_default=""),
    Column("owner", BigInteger, nullable=False, server_default="0", comment="a user; 0: nobody"),
    Column("openness", Integer, nullable=False, server_default="0", comment="codes 8"),
    Column("is_muted", Integer, nullable=False, server_default="0", comment="0 or 1"),
    Column(
        "changed",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="when somebody came or went last; messages that follow are later",
    ),
    comment="groups and discussions",
)
Index(
    "groups_muted",
    groups.c.conversation,
    sqlite_where=groups.c.is_muted == 1,
    postgresql_where=groups.c.is_muted == 1,
)

voices = Table(
    "voices",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("muted_until", BigInteger, nullable=False, server_default="0"),
    Column("is_exempt", Integer, nullable=False, server_default="0", comment="0 or 1"),
    comment="who may not speak in a group before a time, and who may although it is muted",
    sqlite_with_rowid=False,
)

_MEMBERS = (
    select(users.c.name, memberships.c.since)
    .join_from(memberships, users, users.c.id == memberships.c.member)
    .where(memberships.c.conversation == bindparam("place"), memberships.c.until == FOREVER)
    .order_by(memberships.c.since, users.c.name)
)
_VOICES = (
    select(users.c.name, voices.c.muted_until, voices.c.is_exempt)
    .join_from(voices, users, users.c.id == voices.c.member)
    .where(voices.c.conversation == bindparam("place"))
)
_ADD_VIEW = sqlite.insert(views)
# Nobody has to catch up on what was said while he was away.
_SEE = _ADD_VIEW.on_conflict_do_update(
    index_elements=["owner", "conversation"],
    set_={"read_until": func.max(views.c.read_until, _ADD_VIEW.excluded.read_until)},
)
_LEAVE = (
    update(memberships)
    .where(
        memberships.c.member == bindparam("who"),
        memberships.c.conversation == bindparam("place"),
        memberships.c.until == FOREVER,
    )
    .values(until=bindparam("time"))
)
_OWNER = select(users.c.name).where(users.c.id == bindparam("owner"))
_PLACES = (
    select(conversations.c.first, groups.c.name)
    .join_from(memberships, conversations, conversations.c.id == memberships.c.conversation)
    .join(groups, groups.c.conversation == memberships.c.conversation)
    .where(
        memberships.c.member == bindparam("who"),
        memberships.c.until == FOREVER,
        conversations.c.type == bindparam("type"),
    )
    .order_by(memberships.c.since, memberships.c.conversation)
)
# Few groups are muted: begin with those (CROSS JOIN keeps the order).
_MUTED = text(
    """
    SELECT first FROM groups CROSS JOIN conversations ON conversations.id = groups.conversation
    WHERE is_muted = 1 AND app = :app AND type = :type ORDER BY groups.conversation
    """
)


class RosterRow:
    """What the store knows of a group or discussion."""

    __slots__ = (
        "changed",
        "exempt",
        "exists",
        "is_muted",
        "members",
        "name",
        "openness",
        "owner",
        "silenced",
    )

    def __init__(self) -> None:
        self.exists = False
        self.name = ""
        self.owner = ""
        self.openness = 0
        self.is_muted = False
        self.changed = 0
        """When somebody came or went last."""
        self.members: dict[str, int] = {}
        """User ids and since when, the oldest first; who came together is in the order of ids."""
        self.silenced: dict[str, int] = {}
        """User ids and until when."""
        self.exempt: set[str] = set()
        """User ids."""


def roster(connection: Connection, *, place: Place) -> RosterRow:
    """Everything about a group or discussion; ``exists`` is False if there is none."""
    found = RosterRow()
    number = names.conversation_id(connection, place.app, place.type, "", place.id)
    if number is None:
        return found
    row = connection.execute(select(groups).where(groups.c.conversation == number)).one_or_none()
    if row is not None:
        found.exists = bool(row.is_there)
        found.name = row.name
        found.owner = connection.scalar(_OWNER, {"owner": row.owner}) or ""
        found.openness = row.openness
        found.is_muted = bool(row.is_muted)
        found.changed = row.changed
    for name, since in connection.execute(_MEMBERS, {"place": number}):
        found.members[name] = since
    for name, muted_until, is_exempt in connection.execute(_VOICES, {"place": number}):
        if muted_until:
            found.silenced[name] = muted_until
        if is_exempt:
            found.exempt.add(name)
    return found


def places_of(connection: Connection, *, app: str, user: str, type: int) -> list[tuple[str, str]]:
    """Ids and names of the groups (or discussions) that the user is in, the oldest first."""
    number = names.user_id(connection, app, user)
    rows = connection.execute(_PLACES, {"who": number, "type": int(type)})
    return [(id, name) for id, name in rows]


def muted_places(connection: Connection, *, app: str, type: int) -> list[str]:
    """Ids of the groups (or discussions) in which nobody may speak."""
    return list(connection.scalars(_MUTED, {"app": app, "type": int(type)}))


def create(
    connection: Connection,
    *,
    place: Place,
    name: str,
    owner: str,
    openness: int,
    members: Sequence[str],
    time: int,
) -> None:
    """Make a group or discussion; it keeps what was decided about it before."""
    number = _number(connection, place)
    _set(
        connection,
        number,
        is_there=1,
        name=name,
        owner=_owner(connection, place, owner),
        openness=openness,
        changed=time,
    )
    _join(connection, place, number, members, time)


def change(
    connection: Connection, *, place: Place, name: str, owner: str, openness: int, is_muted: bool
) -> None:
    """Write what can be changed about a group or discussion."""
    _set(
        connection,
        _number(connection, place),
        name=name,
        owner=_owner(connection, place, owner),
        openness=openness,
        is_muted=int(is_muted),
    )


def join(connection: Connection, *, place: Place, members: Sequence[str], time: int) -> None:
    """Users who are no members become some; they read what is sent after ``time``."""
    number = _number(connection, place)
    _set(connection, number, changed=time)
    _join(connection, place, number, members, time)


def leave(connection: Connection, *, place: Place, members: Sequence[str], time: int) -> None:
    """Members leave; what was sent up to ``time`` they can still pull."""
    number = _number(connection, place)
    _set(connection, number, changed=time)
    connection.execute(
        _LEAVE,
        [
            {"who": names.ensure_user(connection, place.app, name), "place": number, "time": time}
            for name in members
        ],
    )


def silence(connection: Connection, *, place: Place, member: str, until: int) -> None:
    """Let somebody not speak before ``until``; 0: he may again."""
    _let_speak(connection, place, member, muted_until=until)


def exempt(connection: Connection, *, place: Place, member: str, is_exempt: bool) -> None:
    """Let somebody speak although the group is muted, or no longer."""
    _let_speak(connection, place, member, is_exempt=int(is_exempt))


def dissolve(connection: Connection, *, place: Place, time: int) -> None:
    """The group is no more; members can still pull what was sent up to ``time``."""
    number = _number(connection, place)
    _set(connection, number, is_there=0, name="", owner=0, openness=0, is_muted=0, changed=time)
    connection.execute(
        update(memberships)
        .where(memberships.c.conversation == number, memberships.c.until == FOREVER)
        .values(until=time)
    )
    connection.execute(voices.delete().where(voices.c.conversation == number))


def _number(connection: Connection, place: Place) -> int:
    return names.ensure_conversation(connection, place.app, place.type, "", place.id)


def _owner(connection: Connection, place: Place, owner: str) -> int:
    return names.ensure_user(connection, place.app, owner) if owner else 0


def _set(connection: Connection, number: int, **values: Any) -> None:
    statement = sqlite.insert(groups).values(conversation=number, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["conversation"], set_=values)
    )


def _join(
    connection: Connection, place: Place, number: int, members: Sequence[str], time: int
) -> None:
    if not members:
        return
    users = [names.ensure_user(connection, place.app, name) for name in members]
    connection.execute(
        insert(memberships),
        [
            {"member": user, "conversation": number, "since": time, "until": FOREVER}
            for user in users
        ],
    )
    connection.execute(
        _SEE,
        [
            {
                "owner": user,
                "conversation": number,
                "read_until": time,
                "cleared_until": 0,
                "removed_until": 0,
            }
            for user in users
        ],
    )


def _let_speak(connection: Connection, place: Place, member: str, **values: int) -> None:
    number = _number(connection, place)
    user = names.ensure_user(connection, place.app, member)
    statement = sqlite.insert(voices).values(conversation=number, member=user, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["conversation", "member"], set_=values)
    )
    connection.execute(
        voices.delete().where(
            voices.c.conversation == number,
            voices.c.member == user,
            voices.c.muted_until == 0,
            voices.c.is_exempt == 0,
        )
    )
