"""Which conversation a request means, and from when on its sender may read it.

The newer SDKs have one topic for users, discussions and public services, and SDK 2.5.3 has one
for chatrooms and customer services (operations 2, 5). What is meant is seen from the target:
the ids of discussions have a mark of their own, and of the others only one is in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType, ErrorCode
from improto_server.services import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import DISCUSSION_MARK, is_place_id
from improto_server.store import Place, names
from improto_server.store.schema import LISTED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.services.rosters import Rosters

_GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})

_SAME_TOPIC: Final = {
    ConversationType.PRIVATE: (
        ConversationType.PRIVATE,
        ConversationType.APP_PUBLIC_SERVICE,
        ConversationType.PUBLIC_SERVICE,
    ),
}
"""Types that are asked for by one topic and have targets of one form (operations 5)."""


def conversation_type(type: int, target: str) -> ConversationType:
    """The type of a conversation that a list can have, from what a client calls it.

    33003 if there is no such type, or if ``target`` cannot be an id of it.
    """
    if type not in LISTED:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    known = ConversationType(type)
    if known is ConversationType.PRIVATE and target.startswith(DISCUSSION_MARK):
        known = ConversationType.DISCUSSION
    if not (is_place_id(known, target) if known in _GROUPS else is_user_id(target)):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return known


def stored_type(
    connection: Connection, app: str, user: str, type: ConversationType, target: str
) -> ConversationType:
    """Of the types that share a topic with ``type``, that of which ``user`` has a conversation."""
    for each in _SAME_TOPIC.get(type, ()):
        if names.conversation_id(connection, app, each, user, target) is not None:
            return each
    return type


async def readable_since(
    rosters: Rosters, app: str, user: str, type: ConversationType, target: str
) -> int:
    """The time after which the user may read: 0, or when he became a member.

    22406 or 21406 if he is no member of the group or discussion.
    """
    if type not in _GROUPS:
        return 0
    roster = await rosters.load(Place(app, type, target))
    refusal = roster.outsider(user)
    if refusal is not None:
        raise ServiceError(refusal)
    return roster.members[user]
