"""Groups that clients manage: what may be said about them, in numbers (sdk5 8.5).

The numbers of roles, permissions and statuses are those of SDK 5.38.0, and the limits those that
it checks before it asks. Where it checks none, the limit is ours and its line says so.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sized


class Role(enum.IntEnum):
    """What a member may do."""

    UNDEF = 0
    """In questions: whatever the role. In answers: no member."""
    NORMAL = 1
    MANAGER = 2
    OWNER = 3


class JoinPermission(enum.IntEnum):
    """``joinPerm``: who lets somebody in who wants to join."""

    OWNER = 0
    FREE = 1
    OWNER_OR_MANAGER = 2
    NO_ONE = 3


class MemberEdit(enum.IntEnum):
    """``memProfilePerm``: who names a member."""

    OWNER_OR_MANAGER_OR_SELF = 0
    OWNER_OR_SELF = 1
    SELF = 2


class ApplicationStatus(enum.IntEnum):
    """How far an application or invitation has come."""

    MANAGER_UNHANDLED = 0
    MANAGER_REFUSED = 1
    INVITEE_UNHANDLED = 2
    INVITEE_REFUSED = 3
    JOINED = 4
    EXPIRED = 5


class Direction(enum.IntEnum):
    """What an application is to whoever reads of it."""

    APPLICATION_SENT = 0
    INVITATION_SENT = 1
    INVITATION_RECEIVED = 2
    APPLICATION_RECEIVED = 3


class Happening(enum.IntEnum):
    """``changeType`` of an event about groups (sdk5 7)."""

    OPERATION = 11
    """Members have come, gone or been given another role."""
    PROFILE = 12
    """The group or a member is called something else."""
    APPLICATION = 13
    FOLLOWS = 14


class GroupOperation(enum.IntEnum):
    """``subChangeType`` of OPERATION."""

    CREATE = 0
    JOIN = 1
    KICK = 2
    QUIT = 3
    DISMISS = 4
    ADD_MANAGER = 5
    REMOVE_MANAGER = 6
    TRANSFER = 7


class ProfileChange(enum.IntEnum):
    """``subChangeType`` of PROFILE."""

    GROUP = 0
    MEMBER = 1
    REMARK_SET = 2
    REMARK_REMOVED = 3


ADD: Final = 1
REMOVE: Final = 2
"""``operateType`` of whoever adds or removes something."""

PERMISSIONS: Final = {
    "joinPerm": 3,
    "removePerm": 2,
    "memInvitePerm": 2,
    "invitePerm": 1,
    "profilePerm": 2,
    "memProfilePerm": 2,
}
"""Keys of the settings that say who may do what, and their highest values; the lowest is 0 and the
default."""

NAME: Final = "name"
TEXTS: Final = {NAME: 64, "portraitUrl": 1024, "introduction": 512, "announcement": 1024}
"""Keys of the settings that are shown, and the most characters of each; all but the name: ours."""

EXTENSION_KEYS: Final = 10
EXTENSION_KEY_CHARACTERS: Final = 32
"""Ours."""
EXTENSION_VALUE_CHARACTERS: Final = 256
"""Ours."""

NICKNAME_CHARACTERS: Final = 64
ADDITIONAL_CHARACTERS: Final = 128
REMARK_CHARACTERS: Final = 64
DETAIL_CHARACTERS: Final = 128
"""Of the reason for a refusal."""

INVITED_AT_ONCE: Final = 30
MEMBERS_AT_ONCE: Final = 100
"""Named by one call that removes, follows or asks for members."""
MANAGERS: Final = 10
"""Of one group, the owner not among them, and named by one call."""
FOLLOWED: Final = 200
"""By one member in one group. Ours."""
GROUPS_AT_ONCE: Final = 20
"""Named by one question."""
WAITING: Final = 1000
"""Applications and invitations of one group that nobody has answered. Ours."""

PAGE_MEMBERS: Final = 100
PAGE_GROUPS: Final = 100
PAGE_APPLICATIONS: Final = 200
"""The most entries of a page."""

ANSWER_DAYS: Final = 7
"""How long an application or invitation can be answered."""
KEPT_DAYS: Final = 30
"""How long one is listed. Ours."""
DAY: Final = 86_400_000
"""Milliseconds."""

_GROUP_ID = re.compile(r"[a-zA-Z0-9+=\-_|:]{1,64}")


def check_group_id(id: str) -> None:
    """RC_GROUP_ID_INVALID (25430): not 1 to 64 of ``A-Z a-z 0-9 + = - _ | :``."""
    if _GROUP_ID.fullmatch(id) is None:
        raise ServiceError(ErrorCode.RC_GROUP_ID_INVALID)


def check_count(
    found: Sized,
    most: int,
    *,
    least: int = 1,
    code: ErrorCode = ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR,
) -> None:
    """Refuse with ``code`` what is too much or too little."""
    if not least <= len(found) <= most:
        raise ServiceError(code)


def check_users(users: Collection[str], most: int, *, least: int = 1) -> None:
    """RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): too many or few, or an id is no user's."""
    check_count(users, most, least=least)
    if not all(map(is_user_id, users)):
        raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)


def check_text(text: str, most: int, field: str) -> None:
    """RC_GROUP_PARAMETER_LENGTH_EXCEED_LIMIT (25406): more than ``most`` characters.

    RC_GROUP_PARAMETER_FORMAT_ERROR (25407): nothing but spaces, or a NUL in it. ``field``: what
    the client is told to be wrong.
    """
    if len(text) > most:
        raise _refusal(ErrorCode.RC_GROUP_PARAMETER_LENGTH_EXCEED_LIMIT, field)
    if "\0" in text or text.isspace():
        raise _refusal(ErrorCode.RC_GROUP_PARAMETER_FORMAT_ERROR, field)


def read_settings(items: Iterable[payloads.ProfileInfo]) -> dict[str, str]:
    """The settings of a request.

    RC_GROUP_PARAMETER_VALUE_CAN_ONLY_BE_NUMBERS (25408): a permission is no number.
    RC_GROUP_NAME_INVALID (25423): an empty name. RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): no such
    key, or no such permission. Besides, those of :func:`check_text`. The client is told the key.
    """
    found: dict[str, str] = {}
    for item in items:
        key, value = item.key, item.value
        if key in PERMISSIONS:
            value = _permission(key, value)
        elif key not in TEXTS:
            raise _refusal(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR, key)
        elif key == NAME and not value.strip():
            raise _refusal(ErrorCode.RC_GROUP_NAME_INVALID, key)
        else:
            check_text(value, TEXTS[key], key)
        found[key] = value
    return found


def read_extension(
    items: Iterable[payloads.ProfileInfo], before: Mapping[str, str]
) -> dict[str, str]:
    """What applications have added to a group, after a request; an empty value removes a key.

    RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): more than :data:`EXTENSION_KEYS`, or an empty key.
    Besides, those of :func:`check_text`.
    """
    found = dict(before)
    for item in items:
        key, value = item.key, item.value
        if not key:
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        check_text(key, EXTENSION_KEY_CHARACTERS, key[:EXTENSION_KEY_CHARACTERS])
        check_text(value, EXTENSION_VALUE_CHARACTERS, key)
        found[key] = value
        if not value:
            del found[key]
    check_count(found, EXTENSION_KEYS, least=0)
    return found


def profile(values: Mapping[str, str]) -> list[payloads.ProfileInfo]:
    """The same on the wire."""
    return [payloads.ProfileInfo(key=key, value=value) for key, value in values.items()]


def _permission(key: str, value: str) -> str:
    if not (value.isascii() and value.isdecimal()):
        raise _refusal(ErrorCode.RC_GROUP_PARAMETER_VALUE_CAN_ONLY_BE_NUMBERS, key)
    if len(value) > 1 or int(value) > PERMISSIONS[key]:
        raise _refusal(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR, key)
    return value


def _refusal(code: ErrorCode, field: str) -> ServiceError:
    return ServiceError(code, payloads.ChannelsOutput(censorFailedFields=[field]))
