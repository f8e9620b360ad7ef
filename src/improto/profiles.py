"""What differs between the generations of clients, as data.

Everything a server does differently for one generation of SDK is a field here;
nothing else in the project compares version numbers. A profile is chosen once, from
the login, and travels with the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto.codes import CommandType
from improto.operations import Topic

if TYPE_CHECKING:
    from improto.login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to treat one generation of clients."""

    name: str
    escape_astral: bool
    """Write characters above U+FFFF in content as JSON escapes (wire 3, rule 4)."""
    highest_connack_status: int
    """A higher CONNACK status makes the client hang (wire 4.2)."""
    notify_after_unfinished: bool
    """The client does not go on pulling by itself (session 8.4)."""
    direct_push: bool
    """Messages may come as ``s_msg`` when the client is up to date (session 8.5). False where
    a push that crosses a pull would be shown twice (interop 7, rule 5)."""
    vanish: bool
    """Only a transport that breaks without a farewell is noticed (session 4.2)."""
    token_expired_status: int
    """CONNACK status for an expired token (session 2.4)."""
    notices: frozenset[Topic]
    """Which of the server's topics it knows, besides those of messages (session 12)."""
    commands: frozenset[CommandType]
    """Types of ``s_cmd`` that it takes over WebSocket (session 12)."""
    strict_tags: bool
    """To make a tag that exists is an error, 33101, and a missing one is 33100. Otherwise the tag
    gets another name, and 33101 says that one is missing (operations 8, codes 7)."""
    sync_topics: frozenset[Topic]
    """Topics whose copies may come as sync frames (session 9.3)."""


_SDK_2_5 = Profile(
    name="2.5",
    escape_astral=True,
    highest_connack_status=12,
    notify_after_unfinished=True,
    direct_push=False,
    vanish=True,
    token_expired_status=4,
    notices=frozenset({Topic.S_STAT}),
    commands=frozenset(),
    strict_tags=False,
    sync_topics=frozenset(
        {
            Topic.PP_MSG_P,
            Topic.PD_MSG_P,
            Topic.PG_MSG_P,
            Topic.CHAT_MSG,
            Topic.PC_MSG_P,
            Topic.RECALL_MSG,
        }
    ),
)

_SDK_2_9 = Profile(
    name="2.9",
    escape_astral=False,
    highest_connack_status=255,
    notify_after_unfinished=False,
    direct_push=True,
    vanish=False,
    token_expired_status=4,
    notices=frozenset({Topic.S_CMD, Topic.S_US, Topic.RTC_NTF}),
    commands=frozenset({CommandType.CHATROOM_KV, CommandType.CONVERSATION_SETTINGS}),
    strict_tags=False,
    sync_topics=frozenset({Topic.PP_MSG_P, Topic.PG_MSG_P, Topic.CHAT_MSG, Topic.PC_MSG_P}),
)

_SDK_4 = Profile(
    name="4",
    escape_astral=False,
    highest_connack_status=255,
    notify_after_unfinished=False,
    direct_push=True,
    vanish=False,
    token_expired_status=10,
    notices=frozenset({Topic.S_CMD, Topic.S_US, Topic.RTC_NTF, Topic.S_OP_NTF}),
    commands=frozenset(CommandType),
    strict_tags=True,
    sync_topics=frozenset(
        {
            Topic.PP_MSG_P,
            Topic.PP_MSG_S,
            Topic.PG_MSG_P,
            Topic.PG_MSG_S,
            Topic.CHAT_MSG,
            Topic.PC_MSG_P,
            Topic.PR_MSG_S,
            Topic.RECALL_MSG,
        }
    ),
)

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")


def profile_of(login: Login) -> Profile:
    """The profile of a login; a version that cannot be read counts as the newest."""
    match = _VERSION.match(login.sdk_version)
    version = (int(match[1]), int(match[2] or 0)) if match else (4, 0)
    if version < (2, 6):
        return _SDK_2_5
    if version < (4, 0):
        return _SDK_2_9
    return _SDK_4
