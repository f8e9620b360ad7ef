"""Rooms of calls, as values, and how they stand in requests and answers (operations 18).

What can be done with them is in :mod:`.calls`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.contents import encode
from improto.errors import EncodeError
from improto_client.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto.contents import Content

DELETED: Final = 4
"""``status`` of a value that is gone, as of the keys of chatrooms (operations 14.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMember:
    """Somebody in a room."""

    user_id: str
    values: Mapping[str, str]
    """His inner values, if they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRoom:
    """What a room was when this user came in."""

    room_id: str
    session_id: str
    """The same for everybody, for as long as somebody is in."""
    token: str
    """For the media server."""
    members: tuple[CallMember, ...]
    """This user among them, if he is no viewer."""
    values: Mapping[str, str]
    """The inner ones of the room."""
    synced: int
    """Where :meth:`Calls.changes` goes on."""
    kicked_after: int
    """Seconds without a ping after which a member is out; 0: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanges:
    """What has become of the inner values of a room."""

    values: Mapping[str, str]
    """Those that were set."""
    removed: frozenset[str]
    is_everything: bool
    """All that there is, and not only what has changed."""
    synced: int
    """Where the next question goes on."""


def pairs(values: Mapping[str, str]) -> list[payloads.RtcValueInfo]:
    """Keys and values on the wire."""
    return [payloads.RtcValueInfo(key=key, value=value) for key, value in values.items()]


def read_members(told: Iterable[payloads.RtcUserInfo]) -> tuple[CallMember, ...]:
    """Members with their values."""
    return tuple(
        CallMember(
            user_id=each.userId,
            values=MappingProxyType({value.key: value.value for value in each.userData}),
        )
        for each in told
    )


def read_values(entries: Iterable[payloads.RtcKVEntity]) -> Mapping[str, str]:
    """The values that there are, without those that are gone."""
    return MappingProxyType({each.key: each.value for each in entries if not each.status & DELETED})


def notice_of(content: Content | None) -> tuple[str, str]:
    """Name and content of the message that tells the others; empty: they are not told.

    Malformed for what cannot be sent.
    """
    if content is None:
        return "", ""
    try:
        return content.object_name, encode(content).decode()
    except (EncodeError, UnicodeDecodeError) as error:
        raise Malformed(f"notice: {error}") from error


def json_text(members: Mapping[str, Any]) -> str:
    """A JSON object. Malformed if it cannot be one."""
    try:
        return json.dumps(dict(members), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"info: {error}") from error
