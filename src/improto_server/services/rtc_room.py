"""An RTC room in memory: who is in it, and the keys and values of the room and of each member.

Values come in two kinds that do not see each other: inner ones, which RTC libraries use between
themselves, and outer ones, which belong to applications. What is not said to be outer is inner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.clock import UserKey
    from improto_server.hub import Device

VALUES: Final = 128
"""Most keys of one kind that a room or a member has. Ours, like the other limits here."""

DELETIONS: Final = 128
"""How many deletions of a room are remembered."""

KEY_CHARACTERS: Final = 128

VALUE_CHARACTERS: Final = 65_536
"""Descriptions of media streams are long."""

_DESCENDING: Final = 2
"""Order of members: the newest first (codes 8)."""

_DELETED: Final = 4
"""``status`` of an entry that is gone; the bit that keys of chatrooms have (operations 14.2)."""


class Values:
    """Keys and values of a room or of a member."""

    __slots__ = ("inner", "outer")

    def __init__(self) -> None:
        self.inner: dict[str, str] = {}
        self.outer: dict[str, str] = {}

    def of(self, *, interior: bool) -> dict[str, str]:
        """Those of one kind."""
        return self.inner if interior else self.outer

    def check(self, pairs: Iterable[tuple[str, str]], *, interior: bool) -> None:
        """Raise BIZ_ERROR_INVALID_PARAMETER if these cannot be set: a key is empty, or a limit of
        this module is passed."""
        new = dict(pairs)
        if len(self.of(interior=interior).keys() | new.keys()) > VALUES or not all(
            0 < len(key) <= KEY_CHARACTERS and len(value) <= VALUE_CHARACTERS
            for key, value in new.items()
        ):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)

    def put(self, pairs: Iterable[tuple[str, str]], *, interior: bool) -> None:
        """Set values that :meth:`check` has let through."""
        self.of(interior=interior).update(pairs)

    def delete(self, keys: Iterable[str], *, interior: bool) -> list[str]:
        """Delete values; returns the keys that there were."""
        known = self.of(interior=interior)
        gone = [key for key in dict.fromkeys(keys) if key in known]
        for key in gone:
            del known[key]
        return gone


class Member:
    """Somebody in a room. He is in it once, with the device that joined last."""

    __slots__ = ("device", "joined", "seen", "session_id", "values")

    def __init__(self, device: Device | None, *, session_id: str, joined: int, seen: float) -> None:
        self.device = device
        self.session_id = session_id
        """Names this stay."""
        self.joined = joined
        """Milliseconds since 1970."""
        self.seen = seen
        """When he last said that he is there, in seconds of the monotonic clock."""
        self.values = Values()


class Entry(NamedTuple):
    """An inner value of the room, as viewers follow it."""

    value: str
    time: int
    """When it was set or deleted, in milliseconds since 1970."""
    user: str
    """Who did it."""
    is_deleted: bool


class RtcRoom:
    """One room."""

    __slots__ = (
        "entries",
        "forgotten",
        "key",
        "members",
        "newest",
        "session_id",
        "values",
        "viewers",
    )

    def __init__(self, app: str, id: str, *, session_id: str) -> None:
        self.key: UserKey = (app, f"/12/{id}")
        """What the clock knows it by."""
        self.session_id = session_id
        """Names the time from the first who comes to the last who leaves."""
        self.members: dict[str, Member] = {}
        """By user id, the oldest first."""
        self.viewers: dict[str, Member] = {}
        """Those who only watch, likewise."""
        self.values = Values()
        self.entries: dict[str, Entry] = {}
        self.newest = 0
        """Time of the newest entry."""
        self.forgotten = 0
        """Of deletions up to this time not all are known any more."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return not (self.members or self.viewers)

    def note(self, keys: Iterable[str], *, user: str, time: int) -> None:
        """Inner values of the room have changed, or are gone."""
        for key in keys:
            value = self.values.inner.get(key)
            self.entries[key] = Entry(value or "", time, user, value is None)
        self.newest = time
        deleted = [(entry.time, key) for key, entry in self.entries.items() if entry.is_deleted]
        for self.forgotten, key in sorted(deleted)[: max(0, len(deleted) - DELETIONS)]:
            del self.entries[key]

    def is_known(self, time: int) -> bool:
        """Whether everything is known that has changed since; not of the beginning."""
        return time > 0 and time >= self.forgotten

    def entries_after(self, time: int) -> list[tuple[str, Entry]]:
        """What has changed later, the oldest first; all there is if not all of it is known."""
        is_known = self.is_known(time)
        found = [
            (key, entry)
            for key, entry in self.entries.items()
            if (entry.time > time if is_known else not entry.is_deleted)
        ]
        return sorted(found, key=lambda pair: pair[1].time)


def pairs(given: Iterable[payloads.RtcValueInfo]) -> list[tuple[str, str]]:
    """Keys and values out of a payload."""
    return [(info.key, info.value) for info in given]


def infos(values: dict[str, str]) -> list[payloads.RtcValueInfo]:
    """Keys and values for a payload."""
    return [payloads.RtcValueInfo(key=key, value=value) for key, value in values.items()]


def users(room: RtcRoom, order: int, *, with_data: bool) -> list[payloads.RtcUserInfo]:
    """The members, with their inner values or without."""
    found = [
        payloads.RtcUserInfo(userId=user, userData=infos(member.values.inner) if with_data else [])
        for user, member in room.members.items()
    ]
    return found[::-1] if order == _DESCENDING else found


def entries(room: RtcRoom, after: int = 0) -> list[payloads.RtcKVEntity]:
    """What :meth:`RtcRoom.entries_after` finds."""
    return [
        payloads.RtcKVEntity(
            key=key,
            value=entry.value,
            status=_DELETED if entry.is_deleted else 0,
            timestamp=entry.time,
            uid=entry.user,
        )
        for key, entry in room.entries_after(after)
    ]


def json_object(text: str) -> dict[str, Any]:
    """A JSON object out of a payload; BIZ_ERROR_INVALID_PARAMETER if it is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER) from None
