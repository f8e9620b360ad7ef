"""The life of a client over many connections: its status, and when it comes back.

Sans-IO. A driver tells what happens and asks what to do next; :mod:`improto_client.link` is the
one that is here. Rules:

* Every status of codes 1 is shown when the SDKs show it, each change once and in order.
* What the server has ended on purpose stays ended (session 15, rule 7). Everything else comes
  back by itself, after a delay that grows with each failure in a row.
* A first attempt that fails is told and not repeated: the program has mistyped something as
  often as not. Once we were online, we come back for as long as the policy says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from improto.codes import ConnectionStatus, ErrorCode
from improto.events import CloseReason
from improto_client.errors import (
    AppKeyRefused,
    Banned,
    Disconnected,
    GaveUp,
    Kicked,
    KickedTooOften,
    Malformed,
    NavigationFailed,
    NoServer,
    NoWebSocket,
    OriginRefused,
    SentAway,
    ServerBusy,
    UserBlocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_client.errors import Ended, LoginFailed
    from improto_client.retry import Jitter, Retry

MOST_KICKS: Final = 5
"""Kicks in a row after which nothing is tried any more (session 4.4)."""

STEADY: Final = 10.0
"""Seconds after which a connection was a good one, so that delays begin from the start again. A
server that drops us at once must not be asked every second. Ours."""

_LOSSES: Final = {
    CloseReason.PEER: ConnectionStatus.CONNECTION_CLOSED,
    CloseReason.REDIRECTED: ConnectionStatus.REDIRECT,
    CloseReason.VIOLATION: ConnectionStatus.WEBSOCKET_ERROR,
}
"""What is shown for an end after which we come back; for all others NETWORK_UNAVAILABLE."""

_FAILURES: Final = {
    AppKeyRefused: ConnectionStatus.APPKEY_IS_FAKE,
    UserBlocked: ConnectionStatus.BLOCKED,
    OriginRefused: ConnectionStatus.DOMAIN_INCORRECT,
    NoServer: ConnectionStatus.NETWORK_UNAVAILABLE,
    ServerBusy: ConnectionStatus.NETWORK_UNAVAILABLE,
    NoWebSocket: ConnectionStatus.WEBSOCKET_UNAVAILABLE,
}
"""What is shown for an attempt that has failed. Navigation has shown its failure before; for
other refusals the SDKs have no status, so we are disconnected."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after so many seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Over:
    """It is over until the program begins again."""

    error: Ended | LoginFailed


Verdict: TypeAlias = Again | Over


class Life:
    """What is shown, and what is done next.

    ``show`` is called with every change of :attr:`status`.
    """

    def __init__(
        self, *, retry: Retry, jitter: Jitter, show: Callable[[ConnectionStatus], None]
    ) -> None:
        self.status = ConnectionStatus.DISCONNECTED
        self.is_living = False
        """Connected, connecting, or waiting to connect again."""
        self._retry = retry
        self._jitter = jitter
        self._on_change = show
        self._was_online = False
        self._online_since = 0.0
        self._failures = 0
        self._redirects = 0
        self._kicks = 0

    def _show(self, status: ConnectionStatus) -> None:
        if status is not self.status:
            self.status = status
            self._on_change(status)

    # -- the program -----------------------------------------------------------------

    def begin(self) -> None:
        """The program wants to be connected.

        Raises Malformed (35007) if it is connected or about to be, and KickedTooOften.
        """
        if self.is_living:
            text = "it is connected, or about to be"
            raise Malformed(text, code=ErrorCode.CAN_NOT_RECONNECT)
        if self._kicks > MOST_KICKS:
            self._show(ConnectionStatus.ULTRALIMIT)
            raise KickedTooOften
        self.is_living = True
        self._was_online = False
        self._failures = self._redirects = 0

    def leave(self) -> Over:
        """The program wants to be connected no longer."""
        self._kicks = 0
        return self._end(Disconnected(), ConnectionStatus.DISCONNECTED)

    # -- an attempt ------------------------------------------------------------------

    def asking(self) -> None:
        """A navigator is asked."""
        self._show(ConnectionStatus.REQUEST_NAVI)

    def answered(self) -> None:
        """A navigator has told where to connect to."""
        self._show(ConnectionStatus.RESPONSE_NAVI)

    def unanswered(self, *, is_late: bool) -> None:
        """A navigator has failed, or did not answer in time."""
        late, wrong = ConnectionStatus.RESPONSE_NAVI_TIMEOUT, ConnectionStatus.RESPONSE_NAVI_ERROR
        self._show(late if is_late else wrong)

    def connecting(self) -> None:
        """A host is looked for and connected to."""
        self._show(ConnectionStatus.CONNECTING)

    def hindered(self) -> None:
        """No host has given a WebSocket; long polling is next (session 2.1)."""
        self._show(ConnectionStatus.WEBSOCKET_UNAVAILABLE)

    def redirected(self) -> None:
        """A host has sent us to another one; navigation is asked next."""
        self._show(ConnectionStatus.REDIRECT)

    def online(self, *, now: float) -> None:
        """The server has accepted us; ``now``: seconds of a clock that does not go backward."""
        self._was_online = True
        self._online_since = now
        self._show(ConnectionStatus.CONNECTED)

    def failed(self, error: LoginFailed) -> Verdict:
        """The attempt has failed."""
        if not isinstance(error, NavigationFailed):
            self._show(_FAILURES.get(type(error), ConnectionStatus.DISCONNECTED))
        if error.is_final or not self._was_online:
            self.is_living = False
            return Over(error)
        return self._again(str(error))

    # -- the end of a connection -----------------------------------------------------

    def lost(self, reason: CloseReason, status: int | None, *, now: float) -> Verdict:
        """A connection has ended, for a reason and perhaps with a status of the server."""
        if reason is not CloseReason.KICKED:
            self._kicks = 0
        if now - self._online_since >= STEADY:
            self._failures = self._redirects = 0
        if reason is CloseReason.LOCAL:
            return self.leave()
        if reason is CloseReason.KICKED:
            self._kicks += 1
            return self._end(Kicked(), ConnectionStatus.KICKED_OFFLINE_BY_OTHER_CLIENT)
        if reason is CloseReason.BLOCKED:
            return self._end(Banned(), ConnectionStatus.BLOCKED)
        if not reason.may_reconnect:
            return self._end(SentAway(status), ConnectionStatus.DISCONNECT_BY_SERVER)
        self._show(_LOSSES.get(reason, ConnectionStatus.NETWORK_UNAVAILABLE))
        if reason is CloseReason.REDIRECTED and not self._redirects:
            self._redirects += 1
            return Again(0.0)
        return self._again(reason.value)

    def _end(self, error: Ended, status: ConnectionStatus) -> Over:
        """The SDKs show DISCONNECTED before another final status (session 4.1)."""
        self.is_living = False
        self._show(ConnectionStatus.DISCONNECTED)
        self._show(status)
        return Over(error)

    def _again(self, problem: str) -> Verdict:
        delay = self._retry.delay(self._failures, jitter=self._jitter)
        self._failures += 1
        if delay is None:
            self.is_living = False
            self._show(ConnectionStatus.NETWORK_UNAVAILABLE)
            return Over(GaveUp(problem))
        return Again(delay)
