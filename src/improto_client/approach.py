"""One attempt to get connected: token, navigation, choice of a host, login.

What is decidable without I/O is decided elsewhere (:mod:`.navigation`, :mod:`.hosts`,
:mod:`.ways`, :mod:`.life`); this carries it out. Limits of
time: 10 s for each navigator, 5 s for each probe, and for each host and transport 10 s from the
first packet to the end of the login.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from improto.codes import ErrorCode
from improto.errors import (
    ConnectionEnded,
    ForeignSession,
    HandshakeRefused,
    RemoteProtocolError,
)
from improto.events import CloseReason
from improto_client._http import FetchFailed
from improto_client.errors import (
    ForeignStore,
    LoginFailed,
    NavigationFailed,
    NoServer,
    NoToken,
    NoWebSocket,
    ServerBusy,
    TokenRefused,
    login_error,
)
from improto_client.hosts import PROBE_TIME, SHORT_LIVED, BadHosts, Race
from improto_client.navigation import TIMEOUT, Navigation, navigators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from ssl import SSLContext

    from improto.config import Limits, Timing
    from improto.events import ConnectionClosed
    from improto.session import ClientSession
    from improto_asyncio import Client
    from improto_client._http import Fetch
    from improto_client.hosts import Host
    from improto_client.life import Life
    from improto_client.navigation import Navigator, Route, Routes
    from improto_client.ways import Ways

    Token: TypeAlias = "str | Callable[[], Awaitable[str]]"
    """A token, or what fetches a fresh one."""

    Serve: TypeAlias = Callable[[Client], Awaitable[ConnectionClosed]]
    """What is done with a connection, until it ends."""

LOGIN_TIME: Final = 10.0
"""Seconds for connecting to one host and for its CONNACK, for which the newer SDKs wait 5 s
(session 13); the system would wait for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who wants to connect, and how."""

    app_key: str
    token: Token = field(repr=False)
    navigators: tuple[str, ...] = ()
    """Whom to ask where the server is."""
    host: Host | None = None
    """Where it is; navigators are not asked then."""
    tls: SSLContext
    """For whatever is encrypted."""
    sdk_version: str = "4.6.4"
    limits: Limits
    timing: Timing
    framer: str = "wsproto"


class _Redirected(Exception):
    """CONNACK 6: ask navigation again."""


def connect_of_this_loop() -> Callable[..., AbstractAsyncContextManager[Client]]:
    """The adapter for the event loop that runs."""
    # Who runs on trio has imported it, and who does not need not have it.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        import improto_trio

        return improto_trio.connect
    import improto_asyncio

    return improto_asyncio.connect


class Approach:
    """Makes attempts. What one learns, the next one uses: token, route, bad hosts."""

    def __init__(
        self,
        account: Account,
        *,
        ways: Ways,
        fetch: Fetch,
        routes: Routes,
        life: Life,
        wall_ms: Callable[[], int],
    ) -> None:
        self.route: Route | None = None
        """What navigation has told last."""
        self.ways = ways
        self._account = account
        self._fetch = fetch
        self._routes = routes
        self._life = life
        self._wall_ms = wall_ms
        self._bad = BadHosts()
        self._connect = connect_of_this_loop()
        self._token = account.token if isinstance(account.token, str) else ""

    async def attempt(self, session: ClientSession, serve: Serve) -> ConnectionClosed:
        """Connect, do ``serve`` with the connection, and say how it ended.

        Raises LoginFailed if there is none. A token that was refused is fetched anew, and
        navigation that has led astray is asked anew, each once.
        """
        is_fresh = await self._have_token()
        is_redirected = False
        while True:
            try:
                return await self._approach(session, serve)
            except TokenRefused:
                if is_fresh or isinstance(self._account.token, str):
                    raise
                self._token = ""
                is_fresh = await self._have_token()
            except _Redirected:
                # SDK 5 would come back at once and for ever (sdk5 1).
                if is_redirected or not self._asked:
                    text = "the server wants us to look for another one (CONNACK 6)"
                    raise ServerBusy(ErrorCode.RC_CONN_REDIRECTED, text) from None
                is_redirected = True
                self._life.redirected()
                self.forget_route()

    @property
    def tls(self) -> SSLContext:
        """For whatever is encrypted."""
        return self._account.tls

    def routes_text(self) -> str:
        """What navigators have told, for the next run."""
        return self._routes.to_text(now=anyio.current_time(), wall_ms=self._wall_ms())

    def forget_route(self) -> None:
        """Ask navigation next time."""
        self.route = None
        self._routes.forget(self._account.app_key, self._token, self._asked)

    # -- the token -------------------------------------------------------------------

    async def _have_token(self) -> bool:
        """Get a token if there is none; True if it is fresh."""
        if self._token or isinstance(self._account.token, str):
            return False
        try:
            token = await self._account.token()
        except Exception as error:
            # It is the program's; whatever it raises, there is no token now.
            raise NoToken(f"no token could be fetched: {error!r}") from error
        if not isinstance(token, str) or not token:
            raise NoToken(f"what fetches the token has returned {type(token).__name__}")
        self._token = token
        return True

    # -- where to --------------------------------------------------------------------

    @property
    def _asked(self) -> tuple[Navigator, ...]:
        if self._account.host is not None:
            return ()
        return navigators(self._account.navigators, self._token)

    async def _approach(self, session: ClientSession, serve: Serve) -> ConnectionClosed:
        """Connect by a WebSocket, or where that is hindered by long polling."""
        failures: list[LoginFailed] = []
        self.ways.start(now=anyio.current_time())
        while True:
            tried: list[LoginFailed] = []
            closed = await self._try_hosts(session, serve, tried)
            if closed is not None:
                return closed
            failures += tried
            # The next attempt shall not rely on what has led here.
            self.forget_route()
            if not self.ways.failed(tried, now=anyio.current_time()):
                raise _summary(failures)
            self._life.hindered()

    async def _try_hosts(
        self, session: ClientSession, serve: Serve, failures: list[LoginFailed]
    ) -> ConnectionClosed | None:
        """Try one host after the other, the quickest first; None: ``failures`` says why not."""
        try:
            hosts = [self._account.host] if self._account.host else (await self._routed()).hosts
        except NavigationFailed as error:
            failures.append(error)
            return None
        left = self._bad.order(hosts)
        self._life.connecting()
        while left:
            try:
                host = await self._quickest(left)
            except NoServer as error:
                failures.append(error)
                break
            left.remove(host)
            try:
                return await self._log_in(host, session, serve)
            except (NoServer, NoWebSocket, ServerBusy) as error:
                self._bad.failed(host)
                failures.append(error)
        return None

    async def _routed(self) -> Route:
        account, now = self._account, anyio.current_time()
        asked, transport = self._asked, self.ways.transport
        route = self._routes.find(account.app_key, self._token, asked, now=now, transport=transport)
        if route is None:
            route = await self._navigate(asked)
            self._routes.keep(
                account.app_key, self._token, asked, route, now=now, transport=transport
            )
        self.route = route
        return route

    async def _navigate(self, asked: tuple[Navigator, ...]) -> Route:
        navigation = Navigation(asked)
        while True:
            self._life.asking()
            is_late = False
            try:
                url = navigation.current.request(
                    app_key=self._account.app_key,
                    token=self._token,
                    sdk_version=self._account.sdk_version,
                    wall_ms=self._wall_ms(),
                    transport=self.ways.transport,
                )
                try:
                    status, body = await self._fetch(url, timeout=TIMEOUT)
                except FetchFailed as failure:
                    is_late = failure.is_late
                    navigation.failed(str(failure), is_late=is_late)
                else:
                    if (route := navigation.answered(status, body)) is not None:
                        self._life.answered()
                        return route
            except NavigationFailed as error:
                self._life.unanswered(is_late=error.is_late)
                raise
            self._life.unanswered(is_late=is_late)

    async def _quickest(self, hosts: Sequence[Host]) -> Host:
        """The first host to answer a probe; a single one is not probed."""
        if len(hosts) == 1:
            return hosts[0]
        race = Race(hosts, now=anyio.current_time())
        async with anyio.create_task_group() as probes:
            while not race.is_over:
                start = race.next_start()
                if start is not None and start <= anyio.current_time():
                    host = race.start(now=anyio.current_time())
                    probes.start_soon(self._probe, race, host)
                    continue
                self._news = anyio.Event()
                with anyio.CancelScope(deadline=math.inf if start is None else start):
                    await self._news.wait()
            probes.cancel_scope.cancel()
        for host in race.problems:
            self._bad.failed(host)
        if race.winner is None:
            told = "; ".join(f"{host}: {text}" for host, text in race.problems.items())
            raise NoServer(f"no host answers: {told}")
        return race.winner

    async def _probe(self, race: Race, host: Host) -> None:
        try:
            status, _ = await self._fetch(f"{host.probe}?r={self._wall_ms()}", timeout=PROBE_TIME)
        except FetchFailed as failure:
            race.failed(host, str(failure), now=anyio.current_time())
        else:
            if status == 200:
                race.answered(host)
            else:
                race.failed(host, f"HTTP status {status}", now=anyio.current_time())
        self._news.set()

    # -- the login -------------------------------------------------------------------

    async def _log_in(self, host: Host, session: ClientSession, serve: Serve) -> ConnectionClosed:
        account = self._account
        # Around the whole connection, for scopes must be left in the order of their nesting; it
        # ends with the login by losing its deadline.
        with anyio.CancelScope(deadline=anyio.current_time() + LOGIN_TIME) as scope:
            try:
                async with self._connect(
                    host.name,
                    host.port,
                    app_key=account.app_key,
                    token=self._token,
                    ssl=account.tls if host.is_encrypted else None,
                    session=session,
                    sdk_version=account.sdk_version,
                    limits=account.limits,
                    timing=account.timing,
                    framer=account.framer,
                    transport=self.ways.transport,
                ) as client:
                    scope.deadline = math.inf
                    self.ways.online()
                    self._bad.worked(host)
                    begun = anyio.current_time()
                    closed = await serve(client)
                    if anyio.current_time() - begun < SHORT_LIVED and closed.reason.may_reconnect:
                        self._bad.failed(host)
                    return closed
            except ConnectionEnded as error:
                raise _refusal(host, error) from error
            except HandshakeRefused as error:
                wanted = "long polling" if self.ways.transport == "polling" else "a WebSocket"
                text = f"{host} answers with HTTP status {error.status} and not with {wanted}"
                raise NoWebSocket(text) from error
            except RemoteProtocolError as error:
                raise NoWebSocket(f"{host} speaks another protocol: {error}") from error
            except (OSError, UnicodeError) as error:
                # The second is what the system's names say to a label above 63 characters.
                raise NoServer(f"{host}: {error}") from error
        raise NoServer(f"{host}: no login within {LOGIN_TIME:g} s")


def _refusal(host: Host, error: ConnectionEnded) -> Exception:
    """What a login has come to that the server has not accepted."""
    if error.reason is CloseReason.REDIRECTED:
        return _Redirected()
    if error.reason is CloseReason.REFUSED:
        return login_error(error.status)
    if isinstance(error.__cause__, ForeignSession):
        return ForeignStore(f"another user's token: {error.__cause__}")
    if error.reason is CloseReason.VIOLATION:
        return NoWebSocket(f"{host} speaks another protocol: {error}")
    return NoServer(f"{host}: {error}")


def _summary(failures: Sequence[LoginFailed]) -> LoginFailed:
    """One failure for all: that of the host that came nearest to a login."""
    if len(failures) == 1:
        return failures[0]
    text = "; ".join(str(failure) for failure in failures)
    for failure in failures:
        if isinstance(failure, ServerBusy):
            return ServerBusy(failure.code, text)
    if any(isinstance(failure, NoWebSocket) for failure in failures):
        return NoWebSocket(text)
    return NoServer(text)
