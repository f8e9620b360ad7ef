"""One friendly object for everything that a client of the protocol can do."""

from __future__ import annotations

import random
import secrets
import time
from contextlib import asynccontextmanager
from os import PathLike
from ssl import SSLContext, create_default_context
from typing import TYPE_CHECKING, Any

import anyio

from improto.config import Limits, Timing
from improto.session import ClientSession
from improto.transports import framer_factory
from improto_client._http import Http
from improto_client.approach import Account, Approach
from improto_client.calls import Calls
from improto_client.chatrooms import Chatrooms
from improto_client.conversations import Conversations
from improto_client.customer_services import CustomerServices
from improto_client.discussions import Discussions
from improto_client.errors import LoginFailed
from improto_client.files import Files
from improto_client.friends import Friends
from improto_client.groups import Groups
from improto_client.hosts import Host, read_host
from improto_client.keeping import Keeper
from improto_client.life import Life
from improto_client.link import Link
from improto_client.local import Local
from improto_client.messages import Messages
from improto_client.navigation import Navigator, Routes
from improto_client.public_services import PublicServices
from improto_client.relations import Blacklist, Presence
from improto_client.retry import policy
from improto_client.settings import Settings
from improto_client.store import MemoryStore, SqliteStore
from improto_client.users import Users
from improto_client.ways import Ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from improto.codes import ConnectionStatus
    from improto.contents import Registry
    from improto_client._http import Fetch
    from improto_client.approach import Token
    from improto_client.errors import ImError
    from improto_client.link import WhenOffline
    from improto_client.navigation import Transport
    from improto_client.receiving import Feed
    from improto_client.retry import Jitter, Retry
    from improto_client.store import Store
    from improto_client.ways import Wish


class Im:
    """A user's client; :func:`connect` makes one.

    Every request may raise, besides what its own description says: Refused if the server
    answers with an error status, NotAnswered if it does not answer within ``timing.request``
    seconds or a connection breaks that cannot be asked again, Unreadable for an answer that is
    none, Malformed for an argument that does not fit, Offline with ``when_offline="fail"``, and
    once everything is over the reason of :attr:`ended`.

    Cancelling a call abandons the wait: what has been sent stays sent.
    """

    def __init__(self, link: Link) -> None:
        self.messages = Messages(link)
        self.conversations = Conversations(link)
        self.groups = Groups(link)
        self.discussions = Discussions(link)
        self.chatrooms = Chatrooms(link)
        self.users = Users(link)
        self.friends = Friends(link)
        self.blacklist = Blacklist(link)
        self.presence = Presence(link)
        self.settings = Settings(link)
        self.files = Files(link, self.messages)
        self.public_services = PublicServices(link, self.messages)
        self.customer_services = CustomerServices(self.messages)
        self.calls = Calls(link)
        self.local = Local(link)
        self._link = link
        link.on_login = self.chatrooms.rejoin

    # -- how it is -------------------------------------------------------------------

    @property
    def user_id(self) -> str:
        """Who the server says we are."""
        return self._link.user_id

    @property
    def status(self) -> ConnectionStatus:
        """How the connection is now."""
        return self._link.life.status

    def statuses(self) -> Feed[ConnectionStatus]:
        """Every change of :attr:`status` from now on, in order; for ``async for``.

        It ends when the block of :func:`connect` does. 1000 changes wait for a slow reader.
        """
        return self._link.statuses()

    @property
    def transport(self) -> Transport:
        """How it is connected, or how it was tried last: "websocket" or "polling"."""
        return self._link.approach.ways.transport

    @property
    def ended(self) -> ImError | None:
        """Why there is no connection and none will come by itself; None while one may."""
        return self._link.ended

    @property
    def session(self) -> ClientSession:
        """What to keep for the next time (``to_state()``), so that nothing comes twice."""
        return self._link.session

    @property
    def clock_offset(self) -> int:
        """Milliseconds to add to this machine's clock to have the server's (session 8.7)."""
        return self._link.clock_offset

    @property
    def navigation(self) -> Mapping[str, Any]:
        """What the navigator has told (http 2.3); empty without one."""
        route = self._link.approach.route
        return {} if route is None else route.fields

    async def caught_up(self) -> None:
        """Wait until all that has waited at the server has come and has been taken by readers.

        It is so from then on, until the connection is lost. Raises the reason of :attr:`ended`.
        """
        await self._link.caught_up()

    # -- connecting ------------------------------------------------------------------

    async def reconnect(self) -> None:
        """Connect again after an end: a kick, a ban, or :meth:`disconnect`.

        Returns with the login. Raises LoginFailed, KickedTooOften, or Malformed (35007) while
        it is connected or about to be.
        """
        await self._link.open()

    async def disconnect(self) -> None:
        """Say goodbye, within ``timing.close`` seconds. Twice is harmless.

        Loops over messages end; requests raise Disconnected.
        """
        await self._link.close()

    async def logout(self) -> None:
        """Disconnect, and forget the session: what was read, what was not sent, which rooms."""
        await self._link.close()
        self._link.forget_session()
        self.chatrooms.forget_all()


@asynccontextmanager
async def connect(
    navigators: str | Iterable[str] = (),
    *,
    app_key: str,
    token: Token,
    host: str | None = None,
    port: int | None = None,
    ssl: SSLContext | None = None,
    session: ClientSession | None = None,
    store: Store | str | PathLike[str] | None = None,
    when_offline: WhenOffline = "wait",
    retry: Retry | Iterable[float] | None = None,
    registry: Registry | None = None,
    routes: Routes | None = None,
    sdk_version: str = "4.6.4",
    limits: Limits | None = None,
    timing: Timing | None = None,
    framer: str = "wsproto",
    transport: Wish = "auto",
    jitter: Jitter = random.uniform,
    make_id: Callable[[], int] = lambda: secrets.randbits(63),
    fetch: Fetch | None = None,
) -> AsyncIterator[Im]:
    """Connect on the event loop that runs, asyncio's or trio's, and stay connected.

    ``navigators`` are asked where the server is, in turn; or it is at ``host`` and ``port``,
    encrypted if there is an ``ssl`` context. With navigators the scheme decides, and ``ssl``
    only says which certificates are good.

    ``token`` is a text, or an async function that fetches one; it is called again when the
    server refuses the token, once per attempt. ``store`` is where everything is kept that arrives
    and is sent: the path of a file, an object of :mod:`improto_client.store` or of a class of your
    own, by default memory. What the last run has left there is gone on with. ``session`` is for
    programs that keep only that; one of the two is enough, ValueError for both.
    ``when_offline`` says whether requests wait for the next connection or raise Offline.
    ``retry`` is a policy or a list of seconds, by default growing delays for ever; ``jitter``
    gives a number between two others. ``registry`` knows the application's own contents,
    ``routes`` keeps answers of navigators and may be shared; without one the store keeps them.
    ``transport`` is "websocket", "polling", or "auto": a WebSocket, and long polling for a while
    where none can be opened.

    Raises StoreError before anything is connected if the store cannot be used, ForeignStore if it
    belongs to another app key or user, and LoginFailed when each navigator and each host was
    tried once with each transport: within 10 s for every navigator, 5 s for the probes and 10 s
    for every host. ValueError: neither navigators nor a host, or both, a session and a store, an
    address that is none, or an unknown transport or
    framer. Later failures come back by themselves, see :attr:`Im.status`. A block that is left by
    an exception says no goodbye.
    """
    limits = limits or Limits.for_client()
    # Known now, not with the first connection: it would be no failure of that one.
    framer_factory(framer)
    account = Account(
        app_key=app_key,
        token=token,
        navigators=_checked_navigators(navigators, host),
        host=_checked_host(host, port, is_encrypted=ssl is not None),
        tls=ssl or create_default_context(),
        sdk_version=sdk_version,
        limits=limits,
        timing=timing or Timing(),
        framer=framer,
    )
    ways = Ways(transport)
    retry = policy(retry)
    if session is not None and store is not None:
        raise ValueError("a store has the session of the last run: give one of the two")
    keeper = Keeper(_checked_store(store), app_key=app_key, registry=registry)
    saved = await keeper.open()
    is_led = False
    if routes is None:
        routes = Routes()
        is_led = routes.read(saved.routes, now=anyio.current_time(), wall_ms=_wall_ms())
    raised: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            link = Link(
                session or ClientSession(limits=limits),
                keeper=keeper,
                limits=limits,
                when_offline=when_offline,
                make_id=make_id,
                registry=registry,
                tasks=tasks,
                wall_ms=_wall_ms,
            )
            link.life = Life(retry=retry, jitter=jitter, show=link.show)
            link.approach = Approach(
                account,
                ways=ways,
                fetch=fetch or Http(account.tls),
                routes=routes,
                life=link.life,
                wall_ms=_wall_ms,
            )
            im = Im(link)
            # The block's exception leaves it as it is, where a task group would wrap it.
            try:
                if session is None:
                    link.resume(saved)
                tasks.start_soon(keeper.run)
                await _first_login(link, is_led=is_led)
                yield im
                im.messages.settle()
                await link.close()
                await keeper.flush()
            except BaseException as error:
                raised = error
            # Who waits in a task outside of the block is not cancelled with it.
            link.abandon()
            tasks.cancel_scope.cancel()
    finally:
        await keeper.close()
    if raised is not None:
        try:
            raise raised
        finally:
            del raised


def _checked_navigators(navigators: str | Iterable[str], host: str | None) -> tuple[str, ...]:
    listed = (navigators,) if isinstance(navigators, str) else tuple(navigators)
    if bool(listed) == (host is not None):
        raise ValueError("say where to connect to: either navigators or a host")
    return tuple(Navigator.read(each).url for each in listed)


def _checked_host(host: str | None, port: int | None, *, is_encrypted: bool) -> Host | None:
    if host is None:
        return None
    if port is None:
        return read_host(f"[{host}]" if ":" in host else host, is_encrypted=is_encrypted)
    if not host or not 0 < port < 65_536:
        raise ValueError(f"{host!r} and {port} are no host and port")
    return Host(host, port, is_encrypted)


async def _first_login(link: Link, *, is_led: bool) -> None:
    try:
        await link.open()
    except LoginFailed as error:
        if error.is_final or not is_led:
            raise
        # Where the last run was led to may be gone by now. The navigator is asked this time.
        await link.open()


def _checked_store(store: Store | str | PathLike[str] | None) -> Store:
    if store is None:
        return MemoryStore()
    return SqliteStore(store) if isinstance(store, str | PathLike) else store


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
