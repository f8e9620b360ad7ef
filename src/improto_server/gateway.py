"""One connection, one session: who gets in, what becomes of his requests, who is gone.

A client is one page with an id of its own (sdk5 3, http 5.1), or all connections of a user who
names none.
SDKs come back at once and for ever when they are sent elsewhere or lose a connection, so what
makes them come back is rationed for each client.

:class:`Gateway` is the :class:`improto.service.Service` that an adapter serves.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from improto.codes import ConnAckStatus, DisconnectStatus
from improto.events import CloseReason
from improto_server.rate import Shares, TokenBucket
from improto_server.services.accounts import TokenOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.events import ConnectionClosed, PublishReceived, PullReceived, QueryReceived
    from improto.http import HttpRequest, HttpResponse
    from improto.login import Login
    from improto.service import Peer
    from improto_server.clock import MessageClock
    from improto_server.hub import Device, DevicePolicy, Hub
    from improto_server.navigation import Navigation
    from improto_server.router import Router
    from improto_server.services.accounts import Accounts
    from improto_server.services.standings import Standings
    from improto_server.services.token_ends import TokenEnds

_REFUSALS: Final = {
    TokenOutcome.UNKNOWN_APP: ConnAckStatus.IDENTIFIER_REJECTED,
    TokenOutcome.MALFORMED: ConnAckStatus.TOKEN_INCORRECT,
    TokenOutcome.FORGED: ConnAckStatus.TOKEN_INCORRECT,
    TokenOutcome.FOREIGN_APP: ConnAckStatus.TOKEN_INCORRECT,
}
"""Of an expired or ended token each generation of SDKs is told differently (session 2.4)."""

_STORM: Final = (20, 10.0)
"""More logins of one client than these in so many seconds are a storm. Who has lost a connection
tries every 5 s (session 4.3, sdk5 3), and a page that is reloaded is another client or takes half
a second."""

_REDIRECTS: Final = (1, 60.0)
"""How often a client is sent elsewhere in so many seconds (sdk5 3)."""
_SHARED_REDIRECTS: Final = (8, 60.0)
"""The same for those who name no device: a user's pages cannot be told apart, and one that goes
round in circles does so hundreds of times a second (interop 4)."""

_WORTH_A_LINE: Final = frozenset({CloseReason.VIOLATION, CloseReason.SLOW_READER})
"""Ends that somebody should look into; the others are everyday."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRules:
    """What the operator decides about connections."""

    allowed_origins: frozenset[str] = frozenset()
    """Web origins that may connect; empty: all. Programs send none and may always."""
    blocked_users: frozenset[tuple[str, str]] = frozenset()
    """App key and user id of those who may not."""
    blocked_apps: frozenset[str] = frozenset()
    """App keys of which nobody may."""
    most_connections: int = 100_000
    """Beyond this many clients newcomers are turned away."""
    messages_per_second: float = 5.0
    """For each connection; 0: no limit (operations 2.2)."""
    repeats_per_second: float = 5.0
    """Equal requests of one connection; 0: no limit. See :mod:`.breaker`."""


class _Client(NamedTuple):
    """Who is rationed."""

    app_key: str
    user_id: str
    device_id: str


def _client(login: Login, user_id: str) -> _Client:
    return _Client(login.app_key, user_id, login.device_id)


class Gateway:
    """Lets clients in and passes on what they want."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        clock: MessageClock,
        hub: Hub,
        navigation: Navigation,
        router: Router,
        rules: LoginRules,
        devices: DevicePolicy,
        standings: Standings,
        token_ends: TokenEnds,
        monotonic: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._hub = hub
        self._navigation = navigation
        self._router = router
        self._rules = rules
        self._devices = devices
        self._standings = standings
        self._token_ends = token_ends
        self._monotonic = monotonic
        self._is_draining = False
        known = rules.most_connections
        self._logins: Shares[_Client] = Shares(*_STORM, remembered=known)
        self._redirects: Shares[_Client] = Shares(*_REDIRECTS, remembered=known)
        self._shared_redirects: Shares[_Client] = Shares(*_SHARED_REDIRECTS, remembered=known)
        self.shed_logins = 0
        """How many logins were turned away because their clients came too often."""

    def drain(self) -> None:
        """Take nothing new, neither clients nor what they send: the server is about to end.

        What is not answered when a connection ends is sent again by clients that care.
        """
        self._is_draining = self._navigation.is_draining = True

    def hand_over(self, address: str) -> None:
        """Send all clients, and those who come from now on, to another server's ``host:port``.

        Those who are connected are told if they would follow, otherwise cut off, so that they
        come back and are told then (session 4.1). Raises ValueError if the address is this
        server's own.
        """
        self._navigation.hand_over(address)
        for device in self._hub.everybody():
            peer = device.peer
            self._hub.leave(device)
            if (
                device.profile.follows_redirects
                and device.is_open
                and self._may_be_redirected(_client(peer.login, device.user.key[1]))
            ):
                peer.dismiss(DisconnectStatus.REDIRECT_NEW)
            else:
                peer.shut_down()

    # -- improto.service.Service -----------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a plain HTTP request."""
        return self._navigation.respond(request)

    def opened(self, peer: Peer) -> None:
        """A client wants in: check it, register it, accept it (session 2.4)."""
        verdict = self._judge(peer)
        if isinstance(verdict, ConnAckStatus):
            _logger.warning("%s was refused: %s", peer.address, verdict.meaning)
            peer.refuse(verdict)
        elif away := self._turn_away(_client(peer.login, verdict)):
            peer.refuse(away)
        else:
            self._accept(peer, verdict)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        """A client sent something."""
        if not self._is_draining:
            self._router.published(peer.data, event)

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        """A client asks something."""
        if not self._is_draining:
            self._router.queried(peer.data, event)

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        """A client asks for messages."""
        if not self._is_draining:
            self._router.pulled(peer.data, event)

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        """A client is gone."""
        device: Device | None = peer.data
        if device is not None:
            # With a status there was a DISCONNECT (session 4.1).
            device.has_logged_out = event.reason is CloseReason.PEER and event.status is not None
            self._hub.leave(device)
        if event.reason in _WORTH_A_LINE:
            who = peer.user_id or "somebody"
            detail = event.error or event.reason.value
            _logger.warning("%s (%s) was cut off: %s", peer.address, who, detail)

    # -- the login -------------------------------------------------------------------

    def _judge(self, peer: Peer) -> str | ConnAckStatus:
        """The user's id, or why the client is turned away."""
        rules, login = self._rules, peer.login
        if self._is_draining or self._hub.connections >= rules.most_connections:
            return ConnAckStatus.SERVER_UNAVAILABLE
        check = self._accounts.check(login.app_key, login.token, now=self._clock.now() / 1000)
        if check.outcome is TokenOutcome.EXPIRED:
            return ConnAckStatus(peer.connection.profile.token_expired_status)
        if check.user_id is None:
            return _REFUSALS[check.outcome]
        if login.app_key in rules.blocked_apps:
            return ConnAckStatus.APP_BLOCK_OR_DELETE
        if rules.allowed_origins and peer.origin not in (None, *rules.allowed_origins):
            return ConnAckStatus.HOSTNAME_ERROR
        key = (login.app_key, check.user_id)
        if self._token_ends.is_void(key, issued=check.issued):
            return ConnAckStatus(peer.connection.profile.token_expired_status)
        if key in rules.blocked_users or self._standings.is_banned(key, now=self._clock.now()):
            return ConnAckStatus.BLOCK
        return check.user_id

    def _turn_away(self, client: _Client) -> ConnAckStatus | None:
        """Who may come in, but not here or not yet. It is logged once, not each time."""
        if self._navigation.hands_over:
            is_first = self._may_be_redirected(client)
            return ConnAckStatus.REDIRECT if is_first else ConnAckStatus.SERVER_UNAVAILABLE
        return ConnAckStatus.SERVER_UNAVAILABLE if self._comes_too_often(client) else None

    def _may_be_redirected(self, client: _Client) -> bool:
        redirects = self._redirects if client.device_id else self._shared_redirects
        times = redirects.take(client, now=self._monotonic())
        if times == 1:
            _logger.warning(
                "%s of app %s is back after it was sent to another server",
                client.user_id,
                client.app_key,
            )
        return not times

    def _comes_too_often(self, client: _Client) -> bool:
        times = self._logins.take(client, now=self._monotonic())
        self.shed_logins += bool(times)
        if times == 1:
            _logger.warning(
                "%s of app %s logs in more than %d times in %d s and has to wait",
                client.user_id,
                client.app_key,
                *_STORM,
            )
        return bool(times)

    def _accept(self, peer: Peer, user_id: str) -> None:
        allowance = TokenBucket(self._rules.messages_per_second, now=self._monotonic())
        key = (peer.login.app_key, user_id)
        device = self._hub.join(key, peer, allowance)
        # Known before CONNACK, so that nothing falls between the first pull and the first
        # notification.
        peer.data = device
        # From the inbox's own clock: what is older was sent while the client was away, even if a
        # burst has run ahead of the machine's clock (session 8.7).
        peer.accept(user_id, secrets.token_hex(16), timestamp=self._clock.next(key))
        self._hub.replace_older(device)
        if not self._devices.allows_many(peer.login.app_key):
            self._hub.dismiss_others(device, DisconnectStatus.OTHER_DEVICE_LOGIN)
