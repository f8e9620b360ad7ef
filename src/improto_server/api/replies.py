"""Replies of the REST API, and how it refuses (rest 4).

Whatever happens, the body is JSON with an integer ``code``, and an error has a text: the SDKs
fail without.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from improto.codes import ErrorCode
from improto_server.errors import ListFull
from improto_server.services.rosters import RosterFull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.errors import ServiceError

SUCCESS: Final = 200
"""The ``code`` of a reply that is no error, and its HTTP status."""

_LATEST: Final = 253_402_214_400_000
"""The last day that a text of four digits for the year can name, in milliseconds."""


class Code(enum.IntEnum):
    """Why a call is refused (rest 4)."""

    NOT_FOUND = 404
    FULL = 405
    INTERNAL = 1000
    UNKNOWN_APP = 1001
    INVALID = 1002
    BAD_SIGNATURE = 1004
    TOO_LONG = 1005
    BLOCKED_APP = 1006
    TOO_OFTEN = 1008
    TOO_MANY_WORDS = 1019
    NO_NUMBER = 1501
    OUT_OF_RANGE = 1502
    TOO_LARGE = 1508


HTTP_STATUS: Final[Mapping[Code, int]] = MappingProxyType(
    {
        Code.NOT_FOUND: 404,
        Code.FULL: 405,
        Code.INTERNAL: 500,
        Code.UNKNOWN_APP: 401,
        Code.INVALID: 400,
        Code.BAD_SIGNATURE: 401,
        Code.TOO_LONG: 400,
        Code.BLOCKED_APP: 401,
        Code.TOO_OFTEN: 429,
        Code.TOO_MANY_WORDS: 400,
        Code.NO_NUMBER: 400,
        Code.OUT_OF_RANGE: 400,
        Code.TOO_LARGE: 413,
    }
)
"""The status of the response by code (rest 4)."""

_CODES: Final[Mapping[ErrorCode, Code]] = MappingProxyType(
    {
        ErrorCode.INTERNALERRROR: Code.INTERNAL,
        ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT: Code.TOO_LONG,
        ErrorCode.BLACK_ADD_ERROR: Code.OUT_OF_RANGE,
        ErrorCode.CHATROOM_KV_EXCEED: Code.OUT_OF_RANGE,
        ErrorCode.EXPANSION_LIMIT_EXCEET: Code.OUT_OF_RANGE,
    }
)
"""Of services' refusals, those that are no invalid parameter."""


class RefusedError(Exception):
    """A call is refused. The text is told to the caller."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def refused_by(error: ServiceError) -> RefusedError:
    """What a service's refusal is called here."""
    if isinstance(error, RosterFull):
        return RefusedError(Code.FULL, "the group is full")
    if isinstance(error, ListFull):
        return RefusedError(Code.OUT_OF_RANGE, str(error))
    return RefusedError(_CODES.get(error.code, Code.INVALID), str(error))


def success(fields: Mapping[str, Any] | None) -> bytes:
    """The body of a reply that is no error."""
    return msgspec.json.encode({"code": SUCCESS, **(fields or {})})


def failure(error: RefusedError, path: str) -> bytes:
    """The body of one that is."""
    return msgspec.json.encode({"code": int(error.code), "errorMessage": str(error), "url": path})


class Calendar:
    """Writes times as the application's people read them (rest 4); ``utc_hours``: their zone."""

    def __init__(self, utc_hours: int) -> None:
        self._zone = timezone(timedelta(hours=utc_hours))

    def text(self, time: int) -> str:
        """``YYYY-MM-DD HH:MM:SS`` of a time in milliseconds since 1970; for ever is in 9999."""
        moment = datetime.fromtimestamp(min(time, _LATEST) / 1000, self._zone)
        return moment.strftime("%Y-%m-%d %H:%M:%S")

    def hour(self, text: str) -> int | None:
        """When an hour begins, ``YYYYMMDDHH``, in milliseconds since 1970; None: it is none."""
        try:
            moment = datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=self._zone)
            return int(moment.timestamp()) * 1000
        except (ValueError, OverflowError):
            return None
