"""Everything the core can raise.

Two rules. *Our* mistake (a call that makes no sense now, a value that cannot be
encoded) raises :class:`LocalProtocolError` at once and changes nothing. *The
peer's* mistake never raises out of a ``receive_*`` call: it becomes a
:class:`RemoteProtocolError` inside the last event. The codec alone raises
:class:`DecodeError` directly, because it has no events.

What the protocol itself defines as a refusal (login refused, negative
acknowledgement, kick) is an event or a status value, not an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from improto.events import CloseReason


class ImprotoError(Exception):
    """Base of every exception that improto raises on purpose."""


class LocalProtocolError(ImprotoError):
    """The caller asked for something the protocol does not allow now.

    The connection, its queues and its deadlines are exactly as before the call.
    """


class NotConnected(LocalProtocolError):
    """The call needs an open connection and there is none (any more).

    ``reason`` is why the connection ended, or None if it was never opened.
    """

    def __init__(self, message: str, *, reason: CloseReason | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class WindowFull(LocalProtocolError):
    """Too many requests are waiting for an answer; wait for one and try again."""


class EncodeError(LocalProtocolError):
    """A value does not fit its field on the wire; the text names field and limit."""


class RemoteProtocolError(ImprotoError):
    """The peer broke the protocol.

    ``close_code`` is the WebSocket close code that fits (RFC 6455 section 7.4.1).
    """

    close_code = 1002


class DecodeError(RemoteProtocolError):
    """Bytes that are no frame, or no payload.

    ``offset`` is the position (in bytes, from 0) at which reading failed and
    ``reason`` a short sentence that says why.
    """

    close_code = 1007

    def __init__(self, reason: str, *, offset: int) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than a limit of :class:`improto.config.Limits` allows."""

    close_code = 1009


class HandshakeRefused(RemoteProtocolError):
    """A server answered the request for a WebSocket with an HTTP status other than 101.

    ``status`` is that status; the text has the beginning of the answer's body.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnexpectedFrame(RemoteProtocolError):
    """A well-formed frame that its sender may not send, or not now."""


class ForeignSession(UnexpectedFrame):
    """The login was accepted for another user than the session belongs to."""


class RequestError(ImprotoError):
    """A request of ours did not succeed. Raised by the adapters, not by the core."""


class RequestRefused(RequestError):
    """The server answered with an error status.

    ``code`` is the status (codes 5); the text gives its name and meaning.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class RequestTimedOut(RequestError):
    """The server did not answer in time; whether it acted is unknown."""


class ConnectionEnded(RequestError):
    """The connection ended before the answer came, or before the call.

    ``reason`` says why; ``status`` is the CONNACK or DISCONNECT status, if one came.
    """

    def __init__(self, message: str, *, reason: CloseReason, status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
