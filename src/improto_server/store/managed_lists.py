"""Groups that clients manage as one user sees them, in lists (sdk5 8.5).

Lists of groups are read from the tables: nobody is in so many rosters at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, func, literal, select, tuple_

from improto_server.store import names
from improto_server.store.managed_groups import group_remarks, managed_groups, managed_members
from improto_server.store.rosters import groups
from improto_server.store.schema import FOREVER, conversations, memberships, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Select

UNDEF: Final = 0
NORMAL: Final = 1
MANAGER: Final = 2
OWNER: Final = 3
"""Roles, as the SDK numbers them; UNDEF asks for all of them."""

_creators = users.alias("creators")
_owners = users.alias("owners")
_all = memberships.alias("everybody")


class GroupRow(NamedTuple):
    """A group as one user sees it."""

    id: str
    name: str
    owner: str
    creator: str
    created: int
    settings: dict[str, str]
    extension: dict[str, str]
    member_count: int
    since: int
    """When the user joined; 0: he is no member."""
    role: int
    remark: str
    number: int
    """Of the conversation; with ``since`` it says where the group is in the user's list."""


def groups_by_id(
    connection: Connection, *, app: str, user: str, type: int, ids: Iterable[str]
) -> list[GroupRow]:
    """Groups that clients manage, as ``user`` sees them; other ids are left out."""
    numbers = [names.conversation_id(connection, app, type, "", id) for id in ids]
    chosen = select(managed_groups.c.conversation.label("number"), literal(0).label("position"))
    chosen = chosen.where(managed_groups.c.conversation.in_([n for n in numbers if n]))
    rows = {row.number: row for row in _rows(connection, app, user, chosen)}
    return [rows[number] for number in numbers if number in rows]


def joined(
    connection: Connection,
    *,
    app: str,
    user: str,
    role: int,
    after: tuple[int, int] | None,
    is_descending: bool,
    most: int,
) -> list[GroupRow]:
    """Groups that clients manage and ``user`` is in, by when he joined.

    ``role``: only those in which he has it. ``after``: ``since`` and ``number`` of the last
    one that is known.
    """
    who = names.user_id(connection, app, user) or 0
    is_owner = groups.c.owner == who
    is_manager = func.coalesce(managed_members.c.is_manager, 0) == 1
    conditions: dict[int, Any] = {
        OWNER: is_owner,
        MANAGER: and_(is_manager, ~is_owner),
        NORMAL: and_(~is_manager, ~is_owner),
    }
    position = (memberships.c.since, memberships.c.conversation)
    chosen = (
        select(
            memberships.c.conversation.label("number"),
            memberships.c.since.label("position"),
        )
        .join_from(
            memberships,
            managed_groups,
            managed_groups.c.conversation == memberships.c.conversation,
        )
        .join(groups, groups.c.conversation == memberships.c.conversation)
        .outerjoin(
            managed_members,
            and_(
                managed_members.c.conversation == memberships.c.conversation,
                managed_members.c.member == who,
            ),
        )
        .where(memberships.c.member == who, memberships.c.until == FOREVER)
        .order_by(*(column.desc() if is_descending else column for column in position))
        .limit(most)
    )
    if role in conditions:
        chosen = chosen.where(conditions[role])
    if after is not None:
        edge = tuple_(*(literal(value) for value in after))
        here = tuple_(*position)
        chosen = chosen.where(here < edge if is_descending else here > edge)
    rows = _rows(connection, app, user, chosen)
    return sorted(rows, key=lambda row: (row.since, row.number), reverse=is_descending)


def _rows(
    connection: Connection, app: str, user: str, chosen: Select[tuple[int, int]]
) -> list[GroupRow]:
    who = names.user_id(connection, app, user) or 0
    inner = chosen.subquery("chosen")
    number = inner.c.number
    count = (
        select(func.count())
        .select_from(_all)
        .where(_all.c.conversation == number, _all.c.until == FOREVER)
        .scalar_subquery()
    )
    mine = and_(
        memberships.c.member == who,
        memberships.c.conversation == number,
        memberships.c.until == FOREVER,
    )
    details = and_(managed_members.c.conversation == number, managed_members.c.member == who)
    remarks = and_(group_remarks.c.conversation == number, group_remarks.c.owner == who)
    query = (
        select(
            number,
            conversations.c.first,
            groups.c.name,
            _owners.c.name.label("owner"),
            _creators.c.name.label("creator"),
            managed_groups.c.created,
            managed_groups.c.settings,
            managed_groups.c.extension,
            count.label("member_count"),
            memberships.c.since,
            managed_members.c.is_manager,
            group_remarks.c.remark,
        )
        .join_from(inner, managed_groups, managed_groups.c.conversation == number)
        .join(groups, groups.c.conversation == number)
        .join(conversations, conversations.c.id == number)
        .join(_creators, _creators.c.id == managed_groups.c.creator)
        .outerjoin(_owners, _owners.c.id == groups.c.owner)
        .outerjoin(memberships, mine)
        .outerjoin(managed_members, details)
        .outerjoin(group_remarks, remarks)
    )
    return [
        GroupRow(
            row.first,
            row.name,
            row.owner or "",
            row.creator,
            row.created,
            json.loads(row.settings),
            json.loads(row.extension),
            row.member_count,
            row.since or 0,
            _role(row.since, row.owner == user, row.is_manager),
            row.remark or "",
            row.number,
        )
        for row in connection.execute(query)
    ]


def _role(since: int | None, is_owner: bool, is_manager: int | None) -> int:
    if not since:
        return UNDEF
    if is_owner:
        return OWNER
    return MANAGER if is_manager else NORMAL
