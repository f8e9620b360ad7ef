"""The tree of errors: who is at fault, and what the error carries."""

import pytest

from improto import errors
from improto.errors import (
    ConnectionEnded,
    DecodeError,
    EncodeError,
    ForeignSession,
    HandshakeRefused,
    ImprotoError,
    LimitExceeded,
    LocalProtocolError,
    NotConnected,
    RemoteProtocolError,
    RequestError,
    RequestRefused,
    RequestTimedOut,
    UnexpectedFrame,
    WindowFull,
)
from improto.events import CloseReason


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (ImprotoError, Exception),
        (LocalProtocolError, ImprotoError),
        (NotConnected, LocalProtocolError),
        (WindowFull, LocalProtocolError),
        (EncodeError, LocalProtocolError),
        (RemoteProtocolError, ImprotoError),
        (DecodeError, RemoteProtocolError),
        (LimitExceeded, RemoteProtocolError),
        (UnexpectedFrame, RemoteProtocolError),
        (ForeignSession, UnexpectedFrame),
        (HandshakeRefused, RemoteProtocolError),
        (RequestError, ImprotoError),
        (RequestRefused, RequestError),
        (RequestTimedOut, RequestError),
        (ConnectionEnded, RequestError),
    ],
)
def test_tree(kind: type[Exception], parent: type[Exception]) -> None:
    assert kind.__bases__ == (parent,)


def test_every_error_is_one_of_ours() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, ImprotoError), name


@pytest.mark.parametrize(
    ("kind", "code"),
    [(RemoteProtocolError, 1002), (LimitExceeded, 1009), (UnexpectedFrame, 1002)],
)
def test_close_codes(kind: type[RemoteProtocolError], code: int) -> None:
    """RFC 6455 7.4.1: 1002 protocol error, 1007 inconsistent data, 1009 too big."""
    assert kind("text").close_code == code
    assert DecodeError("text", offset=0).close_code == 1007


def test_decode_error_says_where_and_why() -> None:
    error = DecodeError("topic of 9 bytes runs past the end", offset=1)
    assert error.reason == "topic of 9 bytes runs past the end"
    assert error.offset == 1
    assert str(error) == "topic of 9 bytes runs past the end (at byte 1)"


def test_a_refused_handshake_has_the_http_status() -> None:
    error = HandshakeRefused("403: Forbidden", status=403)
    assert str(error) == "403: Forbidden"
    assert error.status == 403
    assert error.close_code == 1002


def test_a_refused_request_has_the_status_of_the_answer() -> None:
    error = RequestRefused(22406, "NOT_IN_GROUP: not a member")
    assert str(error) == "NOT_IN_GROUP: not a member"
    assert error.code == 22406


def test_an_ended_connection_says_why() -> None:
    reason = next(iter(CloseReason))
    error = ConnectionEnded("replaced", reason=reason, status=1)
    assert str(error) == "replaced"
    assert (error.reason, error.status) == (reason, 1)
    assert ConnectionEnded("gone", reason=reason).status is None


def test_not_connected_says_why_the_connection_ended() -> None:
    reason = next(iter(CloseReason))
    error = NotConnected("the connection is closed", reason=reason)
    assert str(error) == "the connection is closed"
    assert error.reason is reason
    assert NotConnected("not open yet").reason is None
