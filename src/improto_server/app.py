"""Builds the server and runs it, on asyncio or trio: the only place that knows everything."""

from __future__ import annotations

import gc
import logging
import time
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from signal import SIGHUP, SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio

from improto.frames import ProtocolVersion
from improto_server import robot
from improto_server.accounts.server import AccountServer
from improto_server.addresses import EVERYWHERE
from improto_server.admin.server import Administration
from improto_server.api.server import Clocks
from improto_server.config import Backend, Unread
from improto_server.errors import ServiceError
from improto_server.gateway import LoginRules
from improto_server.hooks.running import audited, call_back, hook_rules
from improto_server.hub import DevicePolicy
from improto_server.metrics import Metrics
from improto_server.navigation import Navigation, Offer
from improto_server.places import robot_memory
from improto_server.rest import api_routes
from improto_server.robot import Robot
from improto_server.services.accounts import Accounts
from improto_server.store import Store, StoreError
from improto_server.system import MessageRules, ModerationRules, System, UserRules
from improto_server.tls import Certificate, own_client
from improto_server.waiting import finished
from improto_server.web.page import Page
from improto_server.web.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager

    from improto import ClientSession
    from improto.service import Service
    from improto_asyncio import Client, Server
    from improto_server.config import Settings

    Call = Callable[[], None]

MOST_CONNECTIONS: Final = 100_000
"""Clients beyond this number are told to come back; those beyond a tenth more, which may be
asking for navigation only, are not even answered."""

_FORGET_EVERY: Final = 3600.0
"""Seconds. Nobody notices whether an old message goes an hour sooner or later."""

_HOUR: Final = 60 * 60 * 1000
_DAY: Final = 24 * _HOUR

_logger = logging.getLogger(__name__)


class _Loop(NamedTuple):
    """How to get a function called by the event loop."""

    soon: Callable[[Call], None]
    """At the end of the loop's turn; from the loop's own thread."""
    from_thread: Callable[[Call], None]


class Application:
    """The object graph of one server.

    Must be made on the backend that ``settings`` name. ``wall_clock``: milliseconds since 1970,
    None for the machine's. Raises StoreError if the store cannot be opened.
    """

    def __init__(self, settings: Settings, *, wall_clock: Callable[[], int] | None = None) -> None:
        gateway, messages = settings.gateway, settings.messages
        read_clock = wall_clock or _wall_clock
        loop = _loop(gateway.backend)
        limits = settings.limits.as_limits()
        self._certificate = Certificate.of("gateway", gateway)
        self._accounts = accounts = Accounts({app.key: app.secret for app in settings.apps})
        self.site = Site(settings)
        self.store = Store.open(
            settings.store.url,
            soon=loop.soon,
            on_loop=lambda tell: loop.from_thread(partial(self._take_answers, tell)),
            durable=settings.store.durable,
        )
        receipts = messages.group_receipts.version
        unread_on_server = messages.unread is Unread.SERVER
        self.navigation = Navigation(
            accounts,
            own_address=_join(gateway.host, gateway.port),
            public_address=gateway.public_address,
            offer=Offer(
                protocol=ProtocolVersion(gateway.protocol),
                receipts=receipts,
                several_rooms=settings.chatrooms.several_rooms,
                room_keys=settings.chatrooms.keys,
                profiles=settings.users.profiles,
                subscriptions=settings.users.subscriptions,
                unread_on_server=unread_on_server,
                read_times=messages.unread is Unread.SYNCED,
                edit_minutes=messages.edit_minutes,
            ),
            now=lambda: read_clock() / 1000,
        )
        self.system = System(
            store=self.store,
            accounts=accounts,
            navigation=self.navigation,
            limits=limits,
            login_rules=LoginRules(
                allowed_origins=frozenset(gateway.allowed_origins),
                blocked_apps=frozenset(each.key for each in settings.apps if each.blocked),
                most_connections=MOST_CONNECTIONS,
                messages_per_second=messages.rate,
                repeats_per_second=gateway.repeats,
            ),
            devices=DevicePolicy(
                messages.multi_device,
                {
                    each.key: each.multi_device
                    for each in settings.apps
                    if each.multi_device is not None
                },
            ),
            message_rules=MessageRules(
                offline_days=messages.offline_days,
                recall_minutes=messages.recall_minutes,
                edit_minutes=messages.edit_minutes,
                receipts=receipts,
                unread_on_server=unread_on_server,
            ),
            wall_clock=read_clock,
            monotonic=time.monotonic,
            chatroom_rules=settings.chatrooms.as_rules(),
            user_rules=UserRules(
                profiles=settings.users.profiles,
                subscriptions=settings.users.subscriptions,
                white_lists=settings.users.white_lists,
            ),
            moderation_rules=ModerationRules(
                most_words=settings.moderation.most_words,
                screens_posts=settings.moderation.api_messages,
                audit=settings.moderation.audit_rules(audited(settings)),
            ),
            hook_rules=hook_rules(settings),
            storage=self.site.storage,
            link_days=settings.uploads.link_days,
            robots={robot.USER: robot.NAME} if settings.robot else {},
        )
        if settings.web.api:
            self.site.parts.append(
                api_routes(
                    self.system,
                    settings,
                    accounts=accounts,
                    base_url=lambda: settings.web.public_url or self.site.url,
                    clocks=Clocks(now=lambda: read_clock() / 1000, monotonic=time.monotonic),
                )
            )
        self.account_server: AccountServer | None = None
        """The application server, if there is one."""
        if settings.accounts.enabled:
            self.account_server = AccountServer(
                settings,
                system=self.system,
                accounts=accounts,
                base_url=lambda: settings.web.public_url or self.site.url,
                gateway=lambda: gateway.public_address or self.navigation.own_address,
                beside=self.store.path,
                now=read_clock,
                monotonic=time.monotonic,
            )
            self.site.parts.append(self.account_server.routes())
            page = Page(
                settings,
                navigation=self.account_server.house.navigation,
                base_url=self.account_server.house.base_url,
            )
            self.site.parts.append(page.routes())
        if settings.web.admin_token:
            administration = Administration(
                settings, system=self.system, database=self.store.path, monotonic=time.monotonic
            )
            self.site.parts.append(administration.routes())
        if settings.web.metrics:
            metrics = Metrics(self.system, self.store, token=settings.web.metrics_token)
            self.site.parts.append(metrics.routes())
        self.gateway = self.system.gateway
        self.service: Service = self.gateway
        """What the socket serves: the gateway, or what was put around it before listening."""
        self.address = ("", 0)
        """Where the server is found from this machine, while it is listening."""
        self._inbox_days = messages.offline_days
        self._token_life = _token_life(settings)
        self._wall_clock = read_clock
        self._limits = limits
        self._settings = settings

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[str, ...]]:
        """Serve for as long as the block lasts; it gets the URLs. Raises OSError.

        At the end, messages that have arrived are stored and acknowledged, then everybody is
        sent away. All of it is bounded.
        """
        gateway = self._settings.gateway
        try:
            async with self.site.listening(beside=self.store.path), self._serve() as server:
                if self.site.storage is not None:
                    self.navigation.upload_provider = self.site.storage.provider
                host, port = server.addresses[0]
                self.address = (EVERYWHERE.get(host, host), port)
                self.navigation.own_address = _join(gateway.host, port)
                if gateway.hand_over_to:
                    self.gateway.hand_over(gateway.hand_over_to)
                self.site.is_ready = not gateway.hand_over_to
                try:
                    scheme = "http" if self._certificate is None else "https"
                    yield tuple(f"{scheme}://{_join(*address)}" for address in server.addresses)
                finally:
                    self.site.is_ready = False
                    self.gateway.drain()
                    self.system.webhooks.close()
                    await self._finish()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Store and acknowledge what has arrived; the second time nothing is left to do."""
        # Even if we are cancelled; the store has a deadline of its own.
        with anyio.CancelScope(shield=True):
            await self.store.aclose()

    def reload(self) -> None:
        """Read certificates again, which may have been renewed."""
        for certificate in (self._certificate, self.site.certificate):
            if certificate is not None:
                certificate.reload()

    async def tick_regularly(self) -> None:
        """Let the server do what time alone brings about, again and again."""
        while True:
            try:
                self.system.tick()
            except Exception:
                # A mistake in here must not take the server down.
                _logger.exception("what time brings about could not be done")
            await anyio.sleep(1.0)

    async def call_back(self) -> None:
        """Tell and ask the apps that want it (rest 10)."""
        await call_back(self.system, self._settings.apps, wall_clock=self._wall_clock)

    async def forget_regularly(self) -> None:
        """Delete what is too old for every inbox, again and again (operations 2.1)."""
        while True:
            before = self.system.clock.now() - self._inbox_days * _DAY
            self.store.forget_before(before, _forgotten)
            await self._forget_token_ends()
            await anyio.sleep(_FORGET_EVERY)

    async def _forget_token_ends(self) -> None:
        before = self._wall_clock() - self._token_life
        try:
            await finished(self.system.token_ends.forget(before=before))
        except ServiceError as error:
            _logger.error("times of tokens that are over were not forgotten: %s", error)

    def chores(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run beside the server while it is listening, each until cancelled."""
        robots = self.robots() if self._settings.robot else []
        return [
            self.forget_regularly,
            self.site.forget_regularly,
            self.tick_regularly,
            self.call_back,
            *(robot.run for robot in robots),
            *(self.account_server.chores() if self.account_server is not None else ()),
        ]

    def robots(self) -> list[Robot]:
        """One for each app, while the server is listening."""
        return [
            Robot(partial(self._connect, app.key), robot_memory(self.store.path, app.key))
            for app in self._settings.apps
        ]

    def _connect(
        self, app_key: str, *, session: ClientSession
    ) -> AbstractAsyncContextManager[Client]:
        """Log the robot in to ourselves, with a token for this one time."""
        if self._settings.gateway.backend is Backend.TRIO:
            from improto_trio import connect
        else:
            from improto_asyncio import connect
        token = self._accounts.issue(app_key, robot.USER, now=time.time(), lifetime=_DAY / 1000)
        host, port = self.address
        certificate = self._settings.gateway.certificate
        tls = own_client(certificate) if certificate else None
        return connect(host, port, ssl=tls, app_key=app_key, token=token, session=session)

    def _serve(self) -> AbstractAsyncContextManager[Server]:
        gateway = self._settings.gateway
        if gateway.backend is Backend.TRIO:
            from improto_trio import serve
        else:
            from improto_asyncio import serve
        return serve(
            self.service,
            gateway.host,
            gateway.port,
            ssl=self._certificate.context if self._certificate is not None else None,
            limits=self._limits,
            framer=gateway.framer.value,
            long_polling=gateway.long_polling,
            max_connections=MOST_CONNECTIONS + MOST_CONNECTIONS // 10,
        )

    def _take_answers(self, tell: Call) -> None:
        """The store has answered a batch: pass it on, then tell the devices about it."""
        for step in (tell, self.system.settle):
            try:
                step()
            except Exception:
                # A mistake in here must not take the event loop down.
                _logger.exception("the answers of the store could not be passed on")


async def serve_until_signalled(
    settings: Settings,
    announce: Callable[[str], None],
    furnish: Callable[[Application], Awaitable[None]] | None = None,
) -> None:
    """Run a server until SIGTERM or SIGINT; SIGHUP has it read its certificates again.

    ``announce`` is called with each of its URLs; before that, ``furnish`` may put something in.
    """
    # Without a certificate SIGHUP ends the program, as it does when its terminal is closed.
    has_tls = bool(settings.gateway.certificate or settings.web.certificate)
    heard = (SIGTERM, SIGINT, SIGHUP) if has_tls else (SIGTERM, SIGINT)
    with anyio.open_signal_receiver(*heard) as signals:
        application = Application(settings)
        async with application.listening() as urls:
            if furnish is not None:
                await furnish(application)
            with _settled():
                for url in urls:
                    announce(url)
                async with anyio.create_task_group() as tasks:
                    for chore in application.chores():
                        tasks.start_soon(chore)
                    async for signal in signals:
                        if signal is not SIGHUP:
                            break
                        application.reload()
                    tasks.cancel_scope.cancel()


def run(
    settings: Settings,
    announce: Callable[[str], None],
    furnish: Callable[[Application], Awaitable[None]] | None = None,
) -> None:
    """:func:`serve_until_signalled` on the backend that the settings name."""
    backend = settings.gateway.backend.value
    anyio.run(serve_until_signalled, settings, announce, furnish, backend=backend)


@contextmanager
def _settled() -> Iterator[None]:
    """For as long as the block lasts, what there is by now is not looked through for garbage.

    It is the program itself: to look through all of it stops every thread for 80 ms.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _loop(backend: Backend) -> _Loop:
    if backend is Backend.TRIO:
        import trio

        token = trio.lowlevel.current_trio_token()
        return _Loop(token.run_sync_soon, token.run_sync_soon)
    import asyncio

    loop = asyncio.get_running_loop()

    def soon(call: Call) -> None:
        loop.call_soon(call)

    def from_thread(call: Call) -> None:
        loop.call_soon_threadsafe(call)

    return _Loop(soon, from_thread)


def _forgotten(entries: int | StoreError) -> None:
    if isinstance(entries, StoreError):
        _logger.error("old messages could not be deleted: %s", entries)
    elif entries:
        _logger.info("%d inbox entries were too old and are deleted", entries)


def _token_life(settings: Settings) -> int:
    """How long a token may be good, whoever gives it out, in milliseconds."""
    accounts = settings.accounts
    return max(settings.token_days * _DAY, accounts.token_hours * _HOUR if accounts.enabled else 0)


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
