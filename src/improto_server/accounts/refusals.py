"""How calls are refused: a status, and JSON that says what is wrong and where.

What only a program wants to know is a short ``code``; the ``message`` is a sentence for people.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from improto.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.errors import ServiceError

_STATUS: Final[Mapping[ErrorCode, HTTPStatus]] = MappingProxyType(
    {
        ErrorCode.INTERNALERRROR: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.RC_FRIEND_ALREADY_FRIEND: HTTPStatus.CONFLICT,
        ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST: HTTPStatus.NOT_FOUND,
        ErrorCode.RC_FRIEND_NOT_FRIEND: HTTPStatus.NOT_FOUND,
        ErrorCode.RC_GROUP_APPLICATION_ALREADY_HANDLE: HTTPStatus.CONFLICT,
        ErrorCode.RC_GROUP_APPLICATION_NOT_EXIST: HTTPStatus.NOT_FOUND,
        ErrorCode.RC_GROUP_AUTHORITY_ERROR: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_GROUP_ILLEGAL_ERROR: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_GROUP_ID_NOT_EXIST: HTTPStatus.NOT_FOUND,
        ErrorCode.RC_GROUP_MEMBERS_ALREADY_IN_GROUP: HTTPStatus.CONFLICT,
        ErrorCode.RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT: HTTPStatus.CONFLICT,
        ErrorCode.RC_GROUP_NOT_ALLOW_JOIN: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_GROUP_NO_INVITE_PERMISSION: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_GROUP_OLD_GROUP_NOT_ENTRUST: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_GROUP_USER_NOT_IN_GROUP: HTTPStatus.FORBIDDEN,
        ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST: HTTPStatus.NOT_FOUND,
    }
)
"""Refusals of the message server's services; all others are bad requests."""


class RefusedError(Exception):
    """A call is refused."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        field: str = "",
        limit: int | None = None,
        number: int | None = None,
        wait: int = 0,
    ) -> None:
        """``field``: what is at fault; empty: no field of the call. ``limit``: what the field
        may have at most, or must have at least. ``number``: what the message server says
        (codes 5). ``wait``: seconds after which it can be tried again."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field
        self.limit = limit
        self.number = number
        self.wait = wait

    @property
    def content(self) -> dict[str, Any]:
        """The body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.field:
            error["field"] = self.field
        if self.limit is not None:
            error["limit"] = self.limit
        if self.number is not None:
            error["number"] = self.number
        if self.wait:
            error["wait"] = self.wait
        return {"error": error}


def invalid(field: str, message: str, *, limit: int | None = None) -> RefusedError:
    """A field is not what it must be."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "invalid", message, field=field, limit=limit)


def refused_by(error: ServiceError) -> RefusedError:
    """What a refusal of the message server's services is called here."""
    fields = getattr(error.reply, "censorFailedFields", None) or [""]
    return RefusedError(
        _STATUS.get(error.code, HTTPStatus.BAD_REQUEST),
        error.code.name.lower().removeprefix("rc_"),
        str(error),
        field=getattr(error.reply, "key", "") or fields[0],
        number=int(error.code),
    )
