"""Everything that this library raises on purpose, each with a code, its name and an advice.

All of it is an :class:`improto.errors.ImprotoError`. The tree follows what a program can do:

* :class:`LoginFailed`: there is no connection yet, and why.
* :class:`Ended`: there was one, and it does not come back by itself.
* :class:`Refused`, :class:`NotAnswered`, :class:`Unreadable`, :class:`Offline`: one request
  did not succeed.
* :class:`Malformed`: the request makes no sense, and was not sent.
* :class:`StoreError`: the local store cannot be used.
"""

from __future__ import annotations

from typing import ClassVar, Final

from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode, describe
from improto.errors import (
    ImprotoError,
    LocalProtocolError,
    RequestError,
    RequestRefused,
    RequestTimedOut,
)

_ASK_OPERATOR: Final = "Ask who runs the server."
_GET_TOKEN: Final = "Get a new token from the application's server."
_SLOW_DOWN: Final = "Wait a moment, then send less often."
_JOIN_FIRST: Final = "Join first; only members may do this."
_CHECK_ARGUMENTS: Final = "Check the arguments against the manual."
_NO_FUNCTION: Final = "The server does not offer this; do without it or have it switched on."
_MUTED: Final = "Wait until an administrator lets the user speak again."

_ADVICE: Final[dict[int, str]] = {
    ErrorCode.TIMEOUT: "Look at the result before you try again: the server may have acted.",
    ErrorCode.REJECTED_BY_BLACKLIST: "The receiver does not want messages of this user.",
    ErrorCode.RC_MSG_UNAUTHORIZED: _MUTED,
    ErrorCode.FORBIDDEN_IN_PRIVATE: _MUTED,
    ErrorCode.FORBIDDEN_IN_GROUP: _MUTED,
    ErrorCode.FORBIDDEN_IN_CHATROOM: _MUTED,
    ErrorCode.SEND_FREQUENCY_TOO_FAST: _SLOW_DOWN,
    ErrorCode.REQUEST_OVER_FREQUENCY: _SLOW_DOWN,
    ErrorCode.OPERATION_BLOCKED: _NO_FUNCTION,
    ErrorCode.OPERATION_NOT_SUPPORT: _NO_FUNCTION,
    ErrorCode.NOT_SUPPORT: _NO_FUNCTION,
    ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE: _NO_FUNCTION,
    ErrorCode.ROAMING_SERVICE_UNAVAILABLE_MESSAGE: _NO_FUNCTION,
    ErrorCode.CHATROOM_NOT_OPEN_HISTORYMSG_STORE: _NO_FUNCTION,
    ErrorCode.CHATROOM_KV_STORE_NOT_OPEN: _NO_FUNCTION,
    ErrorCode.READ_RECEIPT_ERROR: _NO_FUNCTION,
    ErrorCode.QNTKN_GET_ERROR: _NO_FUNCTION,
    ErrorCode.NOT_IN_DISCUSSION: _JOIN_FIRST,
    ErrorCode.NOT_IN_GROUP: _JOIN_FIRST,
    ErrorCode.NOT_IN_CHATROOM: _JOIN_FIRST,
    ErrorCode.SENSITIVE_SHIELD: "Send other words.",
    ErrorCode.SENSITIVE_REPLACE: "Nothing to do: it was delivered, with words replaced.",
    ErrorCode.RC_CHATROOM_USER_KICKED: "Stay away until an administrator lifts the ban.",
    ErrorCode.RC_CHATROOM_NOT_EXIST: "Join without existing=True to make the room.",
    ErrorCode.RC_CHATROOM_IS_FULL: "Try again when somebody has left.",
    ErrorCode.CHATROOM_KV_EXCEED: "Remove keys that are no longer needed.",
    ErrorCode.CHATROOM_KV_OVERWRITE_INVALID: "Use force=True to change a key of another user.",
    ErrorCode.RECALL_MESSAGE: "Recall your own messages only, and in time.",
    ErrorCode.INTERNALERRROR: "Try again later; if it stays, ask who runs the server.",
    ErrorCode.MESSAGE_KV_NOT_SUPPORT: "Send the message with expandable=True.",
    ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT: "Send a link to a file instead.",
    ErrorCode.BIZ_ERROR_INVALID_PARAMETER: _CHECK_ARGUMENTS,
    ErrorCode.PARAMETER_ERROR: _CHECK_ARGUMENTS,
    ErrorCode.RC_NET_CHANNEL_INVALID: "Wait until the status is CONNECTED, or call reconnect().",
    ErrorCode.RC_NET_UNAVAILABLE: "Check network, address and port; then try again.",
    ErrorCode.RC_NAVI_RESOURCE_ERROR: "Check the navigators' addresses; then try again.",
    ErrorCode.RC_SOCKET_NOT_CREATED: "Check that host and port are those of an IM server.",
    ErrorCode.RC_CONN_ID_REJECT: "Check the app key.",
    ErrorCode.RC_CONN_USER_OR_PASSWD_ERROR: _GET_TOKEN,
    ErrorCode.RC_CONN_TOKEN_EXPIRED: _GET_TOKEN,
    ErrorCode.RC_CONN_NOT_AUTHRORIZED: _GET_TOKEN,
    ErrorCode.RC_OTP_USED: _GET_TOKEN,
    ErrorCode.RC_CONN_REDIRECTED: "Try again; the server is being moved.",
    ErrorCode.SERVER_UNAVAILABLE: "Try again later; the server is full or shutting down.",
    ErrorCode.RC_CONN_APP_BLOCKED_OR_DELETED: _ASK_OPERATOR,
    ErrorCode.RC_CONN_USER_BLOCKED: _ASK_OPERATOR,
    ErrorCode.HAS_OHTER_SAME_CLIENT_ON_LINE: "Close the user's other connection first.",
    ErrorCode.RC_DISCONN_KICK: "Close the user's other connection, then call reconnect().",
    ErrorCode.RC_DISCONN_EXCEPTION: "Call reconnect() when the server wants the user back.",
    ErrorCode.CAN_NOT_RECONNECT: "Nothing to do: it is connected or connecting.",
}

_ULTRALIMIT: Final = 1101
"""A connection status that is an error code too (session 4.4, codes 6)."""


class ImError(ImprotoError):
    """Base of what this library raises.

    ``code`` is the number an SDK would give (codes 5 and 6), ``name`` its name there, and
    ``advice`` one sentence about what to do.
    """

    advice_by_default: ClassVar[str] = _ASK_OPERATOR

    def __init__(self, code: int, text: str) -> None:
        # Some errors are those of the core as well, which take other arguments.
        Exception.__init__(self, text)
        self.code = code

    @property
    def name(self) -> str:
        """The name of the code, in the spelling of the SDKs; empty if nobody has named it."""
        if self.code == _ULTRALIMIT:
            return "ULTRALIMIT"
        try:
            return ErrorCode(self.code).name
        except ValueError:
            return ""

    @property
    def advice(self) -> str:
        """What to do about it, for a person."""
        return _ADVICE.get(self.code, self.advice_by_default)


# -- no connection ------------------------------------------------------------------------------


class LoginFailed(ImError):
    """There is no connection. ``is_final``: trying again with the same data is of no use."""

    is_final: ClassVar[bool] = False


class NavigationFailed(LoginFailed):
    """No navigator has told where to connect to; the text has what each one did."""

    def __init__(self, text: str, *, is_late: bool) -> None:
        super().__init__(ErrorCode.RC_NAVI_RESOURCE_ERROR, text)
        self.is_late = is_late
        """The last one did not answer in time."""


class NoToken(LoginFailed):
    """The program's function that fetches tokens has failed; the cause is what it raised."""

    advice_by_default = "Look at the cause: fetching the token has failed."

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.BIZ_ERROR_CLIENT_NOT_INIT, text)


class NoServer(LoginFailed):
    """No host could be reached; the text has what happened at each one."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.RC_NET_UNAVAILABLE, text)


class NoWebSocket(LoginFailed):
    """A host answers, but not as an IM server does; the text has what it said."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.RC_SOCKET_NOT_CREATED, text)


class ServerBusy(LoginFailed):
    """The server is full, shutting down (CONNACK 3) or keeps sending us elsewhere (6)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)


class LoginRefused(LoginFailed):
    """The server does not let this user in. ``status`` is that of CONNACK, or None."""

    is_final = True

    def __init__(self, code: int, text: str, *, status: int | None = None) -> None:
        super().__init__(code, text)
        self.status = status


class TokenRefused(LoginRefused):
    """The token is unknown, malformed, expired, used up, or of another app."""


class AppKeyRefused(LoginRefused):
    """Nobody knows the app key."""


class UserBlocked(LoginRefused):
    """The user, or the whole app, is banned."""


class OriginRefused(LoginRefused):
    """Connections from here are not allowed."""


# -- the connection has ended -------------------------------------------------------------------


class Ended(ImError):
    """The connection has ended and does not come back by itself; ``reconnect()`` may."""


class Disconnected(Ended):
    """This program has ended it."""

    advice_by_default = "Call reconnect() if that was not meant."

    def __init__(self) -> None:
        super().__init__(ErrorCode.RC_NET_CHANNEL_INVALID, "this program has disconnected")


class Kicked(Ended):
    """A newer connection of the same user has taken over."""

    def __init__(self) -> None:
        text = describe(DisconnectStatus.OTHER_DEVICE_LOGIN)
        super().__init__(ErrorCode.RC_DISCONN_KICK, text)


class KickedTooOften(Ended):
    """Two programs with one user throw each other out (session 4.4)."""

    advice_by_default = "Stop the other program; then connect anew."

    def __init__(self) -> None:
        super().__init__(_ULTRALIMIT, "replaced by other connections more than five times")


class Banned(Ended):
    """The user, or the app, was banned while online."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.RC_CONN_USER_BLOCKED, describe(DisconnectStatus.BLOCK))


class GaveUp(Ended):
    """The list of delays is used up; the text says what went wrong last."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.RC_NET_UNAVAILABLE, f"no further attempt: {text}")


class SentAway(Ended):
    """The server has ended it for good. ``status`` is that of DISCONNECT."""

    def __init__(self, status: int | None) -> None:
        text = f"the server ended the connection for good (status {status})"
        super().__init__(ErrorCode.RC_DISCONN_EXCEPTION, text)
        self.status = status


# -- a request did not succeed ------------------------------------------------------------------


class Refused(ImError, RequestRefused):
    """The server has answered with an error status, which is ``code``."""

    advice_by_default = "See the meaning of the code."

    def __init__(self, code: int) -> None:
        super().__init__(code, describe(code))


class NotAnswered(ImError, RequestTimedOut):
    """Nobody knows whether the server has acted: no answer in time, or the connection broke."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.TIMEOUT, text)


class Offline(ImError, RequestError):
    """There is no connection now, and the request was not to wait for one."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.RC_NET_CHANNEL_INVALID, "there is no connection now")


class Unreadable(ImError, RequestError):
    """The server has answered with something that is no answer."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.UNKNOWN, text)


class Malformed(ImError, LocalProtocolError):
    """An argument does not fit; nothing was sent."""

    def __init__(self, text: str, *, code: int = ErrorCode.PARAMETER_ERROR) -> None:
        super().__init__(code, text)


# -- the local store ----------------------------------------------------------------------------


class StoreError(ImError):
    """The local store cannot be used, or not any more; the text says what it was.

    A client that cannot keep what it receives does not receive it: its connection ends with this.
    """

    advice_by_default = "Look at the text: what is wrong is on this machine."

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.BIZ_ERROR_DATABASE_ERROR, text)


class ForeignStore(StoreError, LoginRefused):
    """The store belongs to another app key or another user; nothing in it was changed."""

    advice_by_default = "Use one store for each app key and user."

    def __init__(self, text: str) -> None:
        LoginRefused.__init__(self, ErrorCode.BIZ_ERROR_DATABASE_ERROR, text)


class LockedStore(StoreError):
    """Another client has the store open."""

    advice_by_default = "Stop the other program, or use another file."


class DamagedStore(StoreError):
    """The file is no store of this library, or cannot be read any more."""

    advice_by_default = "Use another file; the server brings what it still has."


class NewerStore(StoreError):
    """A newer version of this library has written the store."""

    advice_by_default = "Install the newer version, or use another file."


class UnusableStore(StoreError):
    """The file cannot be opened or written: a full disk, no permission, no such directory."""

    advice_by_default = "Make room or give permission; then connect again."


# -- from statuses ------------------------------------------------------------------------------

_REFUSALS: Final[dict[int, tuple[type[LoginRefused], ErrorCode]]] = {
    ConnAckStatus.UNACCEPTABLE_PROTOCOL_VERSION: (
        LoginRefused,
        ErrorCode.RC_CONN_PROTO_VERSION_ERROR,
    ),
    ConnAckStatus.IDENTIFIER_REJECTED: (AppKeyRefused, ErrorCode.RC_CONN_ID_REJECT),
    ConnAckStatus.TOKEN_INCORRECT: (TokenRefused, ErrorCode.RC_CONN_USER_OR_PASSWD_ERROR),
    ConnAckStatus.NOT_AUTHORIZED: (TokenRefused, ErrorCode.RC_CONN_NOT_AUTHRORIZED),
    ConnAckStatus.PACKAGE_ERROR: (LoginRefused, ErrorCode.RC_CONN_PACKAGE_NAME_INVALID),
    ConnAckStatus.APP_BLOCK_OR_DELETE: (UserBlocked, ErrorCode.RC_CONN_APP_BLOCKED_OR_DELETED),
    ConnAckStatus.BLOCK: (UserBlocked, ErrorCode.RC_CONN_USER_BLOCKED),
    ConnAckStatus.TOKEN_EXPIRE: (TokenRefused, ErrorCode.RC_CONN_TOKEN_EXPIRED),
    ConnAckStatus.DEVICE_ERROR: (LoginRefused, ErrorCode.RC_CONN_DEVICE_ERROR),
    ConnAckStatus.HOSTNAME_ERROR: (OriginRefused, ErrorCode.HOSTNAME_ERROR),
    ConnAckStatus.HASOHTERSAMECLIENTONLINE: (
        LoginRefused,
        ErrorCode.HAS_OHTER_SAME_CLIENT_ON_LINE,
    ),
    ConnAckStatus.LICENSE_COUNT: (LoginRefused, ErrorCode.RC_LISCENSE_COUNT_OUT_OF_LIMIT),
    ConnAckStatus.WRONG_CLUSTER: (LoginRefused, ErrorCode.RC_CONN_WRONG_CLUSTER),
    ConnAckStatus.APP_AUTH_NOT_PASS: (LoginRefused, ErrorCode.RC_APP_AUTH_NOT_PASS),
    ConnAckStatus.OTP_USED: (TokenRefused, ErrorCode.RC_OTP_USED),
    ConnAckStatus.PLATFORM_ERROR: (LoginRefused, ErrorCode.RC_PLATFORM_ERROR),
    ConnAckStatus.ACCOUNT_CANCELLED: (UserBlocked, ErrorCode.RC_ACCOUNT_CANCELLATION),
    ConnAckStatus.LICENSE_EXPIRED: (LoginRefused, ErrorCode.RC_LICENSE_EXPIRED),
}
"""What a refusing CONNACK means, and the number that newer SDKs give for it (session 2.3)."""


def login_error(status: int | None) -> LoginFailed:
    """What a refusing CONNACK raises (codes 2). Unknown statuses are final, as in the SDKs."""
    if status == ConnAckStatus.SERVER_UNAVAILABLE:
        return ServerBusy(ErrorCode.SERVER_UNAVAILABLE, describe(ConnAckStatus.SERVER_UNAVAILABLE))
    kind, code = _REFUSALS.get(status or 0, (LoginRefused, ErrorCode.RC_NET_UNAVAILABLE))
    try:
        text = describe(ConnAckStatus(status or 0)) if status else "no reason was given"
    except ValueError:
        text = f"status {status}, which nobody knows"
    return kind(code, f"the server refused the login: {text}", status=status)
