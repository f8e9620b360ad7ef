"""Friends: what may be said about them, in numbers (sdk5 8.5).

Numbers are those of SDK 5.38.0, and limits those that it checks before it asks; where it checks
none, the limit is ours and its line says so.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.managed_rules import ANSWER_DAYS, DAY, profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.store.friends import Application, Friend


class Permission(enum.IntEnum):
    """Who may become a user's friend: ``level``."""

    EVERYBODY = 1
    """Whoever wants to, at once."""
    WHOM_HE_ACCEPTS = 2
    """As it is until he says otherwise. Ours."""
    NOBODY = 3


class ApplicationStatus(enum.IntEnum):
    """What has become of an application."""

    UNHANDLED = 0
    ACCEPTED = 1
    REFUSED = 2
    EXPIRED = 3


class ApplicationType(enum.IntEnum):
    """Whose an application is, to him who reads of it."""

    SENT = 1
    RECEIVED = 2


class FriendEvent(enum.IntEnum):
    """``subChangeType`` of an event about friends (sdk5 7).

    5, a friendship of another type, never happens: there is only one.
    """

    ASKED = 0
    REFUSED = 1
    ADDED = 2
    REMOVED = 3
    CLEARED = 4
    DESCRIBED = 6


class Answer(enum.IntEnum):
    """``type`` of an answer to an application."""

    ACCEPT = 1
    REFUSE = 2


FRIEND: Final = 31
"""``changeType`` of events about friends (sdk5 7)."""

BOTH: Final = 2
"""``friendType``: each is the other's friend. SDK 5.38.0 knows no other."""

FRIENDS: Final = 3000
"""Of one user. Ours."""
INFO_CHARACTERS: Final = 128
"""Of what is said to an application or a refusal; for refusals ours."""
REMARK_CHARACTERS: Final = 64
EXTENSION_KEYS: Final = 10
EXTENSION_KEY_CHARACTERS: Final = 32
"""Ours."""
EXTENSION_VALUE_CHARACTERS: Final = 256
"""Ours."""
USERS_AT_ONCE: Final = 100
"""Named by one request. To check users SDK 5.38.0 names 20 at most."""
PAGE_ENTRIES: Final = 100
"""The most entries of a page."""


def require(is_right: bool) -> None:
    """RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): it is not."""
    if not is_right:
        raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)


def read_ids(wanted: Iterable[str]) -> list[str]:
    """Each once. 25403: none, or more than :data:`USERS_AT_ONCE`."""
    ids = [*dict.fromkeys(wanted)]
    require(0 < len(ids) <= USERS_AT_ONCE)
    return ids


def check_info(text: str) -> None:
    """RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT (25470): more than :data:`INFO_CHARACTERS`."""
    if len(text) > INFO_CHARACTERS:
        raise ServiceError(ErrorCode.RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT)


def check_description(request: payloads.FriendProfileInput) -> None:
    """25470: a text is too long; the client is told which. 25403: an empty key."""
    if len(request.remarkName) > REMARK_CHARACTERS:
        raise too_long("remarkName")
    for item in request.extProfile:
        require(item.key != "")
        if len(item.key) > EXTENSION_KEY_CHARACTERS:
            raise too_long(item.key[:EXTENSION_KEY_CHARACTERS])
        if len(item.value) > EXTENSION_VALUE_CHARACTERS:
            raise too_long(item.key)


def too_long(field: str) -> ServiceError:
    """RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT (25470), and what is too long."""
    reply = payloads.FriendProfileOutput(censorFailedFields=[field])
    return ServiceError(ErrorCode.RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT, reply)


def is_open(application: Application, now: int) -> bool:
    """Whether it can be answered."""
    is_unhandled = application.status == ApplicationStatus.UNHANDLED
    return is_unhandled and now < application.time + ANSWER_DAYS * DAY


def status_of(application: Application, now: int) -> ApplicationStatus:
    """What has become of an application."""
    status = ApplicationStatus(application.status)
    is_late = status is ApplicationStatus.UNHANDLED and not is_open(application, now)
    return ApplicationStatus.EXPIRED if is_late else status


def friend_info(friend: Friend) -> payloads.FriendUserInfo:
    """A friend as the SDK reads of him."""
    return payloads.FriendUserInfo(
        userId=friend.user,
        relationTime=friend.since,
        friendType=BOTH,
        flag=int(friend.is_blocked),
        remarkName=friend.remark,
        name=friend.name,
        portraitUrl=friend.portrait,
        extProfile=profile(friend.extra),
    )
