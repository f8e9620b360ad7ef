"""Every error has a code, a name and an advice."""

from __future__ import annotations

import inspect

import pytest

from improto.codes import ConnAckStatus, ErrorCode
from improto.errors import ImprotoError, LocalProtocolError, RequestRefused, RequestTimedOut
from improto_client import errors
from improto_client.errors import (
    AppKeyRefused,
    ImError,
    LoginRefused,
    Malformed,
    NavigationFailed,
    NoServer,
    NotAnswered,
    NoToken,
    NoWebSocket,
    Offline,
    OriginRefused,
    Refused,
    ServerBusy,
    StoreError,
    TokenRefused,
    Unreadable,
    UserBlocked,
    login_error,
)


@pytest.mark.parametrize("code", [*ErrorCode, -77, 424242], ids=repr)
def test_every_refusal_says_what_to_do(code: int) -> None:
    refused = Refused(code)
    assert refused.code == code
    assert refused.advice.endswith(".")
    assert str(refused)
    assert refused.name == (code.name if isinstance(code, ErrorCode) else "")


def test_they_are_errors_of_the_core_too() -> None:
    assert isinstance(Refused(405), RequestRefused)
    assert isinstance(NotAnswered("late"), RequestTimedOut)
    assert isinstance(Malformed("wrong"), LocalProtocolError)
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    own = [kind for kind in kinds if kind.__module__ == errors.__name__]
    assert all(issubclass(kind, ImprotoError) for kind in own)
    assert all(issubclass(kind, ImError) for kind in own)
    assert all(kind.__doc__ for kind in own)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Offline(), "RC_NET_CHANNEL_INVALID"),
        (Unreadable("?"), "UNKNOWN"),
        (NotAnswered("?"), "TIMEOUT"),
        (Malformed("?"), "PARAMETER_ERROR"),
        (NoServer("?"), "RC_NET_UNAVAILABLE"),
        (NoWebSocket("?"), "RC_SOCKET_NOT_CREATED"),
        (NavigationFailed("?", is_late=False), "RC_NAVI_RESOURCE_ERROR"),
        (NoToken("?"), "BIZ_ERROR_CLIENT_NOT_INIT"),
        (StoreError("?"), "BIZ_ERROR_DATABASE_ERROR"),
    ],
)
def test_names(error: ImError, name: str) -> None:
    assert error.name == name
    assert error.advice.endswith(".")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (1, LoginRefused, 31001),
        (2, AppKeyRefused, 31002),
        (4, TokenRefused, 31004),
        (5, TokenRefused, 31005),
        (7, LoginRefused, 31007),
        (8, UserBlocked, 31008),
        (9, UserBlocked, 31009),
        (10, TokenRefused, 31020),
        (11, LoginRefused, 31021),
        (12, OriginRefused, 35009),
        (13, LoginRefused, 35010),
        (14, LoginRefused, 31024),
        (15, LoginRefused, 31025),
        (16, LoginRefused, 31026),
        (17, TokenRefused, 31027),
        (18, LoginRefused, 31028),
        (19, UserBlocked, 31029),
        (20, LoginRefused, 31030),
        (99, LoginRefused, 30002),
        (None, LoginRefused, 30002),
    ],
)
def test_refused_logins(status: int | None, kind: type[LoginRefused], code: int) -> None:
    error = login_error(status)
    assert type(error) is kind
    assert error.code == code
    assert isinstance(error, LoginRefused)
    assert error.status == status
    assert error.is_final


def test_every_known_status_has_its_error() -> None:
    known = set(ConnAckStatus) - {
        ConnAckStatus.ACCEPTED,
        ConnAckStatus.SERVER_UNAVAILABLE,
        ConnAckStatus.REDIRECT,
    }
    assert known == set(errors._REFUSALS)


def test_a_server_that_is_full_may_be_tried_again() -> None:
    error = login_error(3)
    assert isinstance(error, ServerBusy)
    assert (error.code, error.is_final) == (35008, False)
