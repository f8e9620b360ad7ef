"""Builds the server and runs it, on asyncio or trio: the only place that knows everything."""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from functools import partial
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from improto_server.clock import MessageClock
from improto_server.config import Backend
from improto_server.gateway import Gateway, LoginRules
from improto_server.hub import Hub
from improto_server.navigation import Navigation
from improto_server.router import Router
from improto_server.services.accounts import Accounts
from improto_server.services.messages import MessageRules, Messages
from improto_server.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from improto_asyncio import Server
    from improto_server.config import Settings

    Call = Callable[[], None]

MOST_CONNECTIONS: Final = 100_000
"""Clients beyond this number are told to come back; those beyond a tenth more, which may be
asking for navigation only, are not even answered."""

_FORGET_EVERY: Final = 3600.0
"""Seconds. Nobody notices whether an old message goes an hour sooner or later."""

_DAY: Final = 24 * 60 * 60 * 1000

_logger = logging.getLogger(__name__)


class _Loop(NamedTuple):
    """How to get a function called by the event loop."""

    soon: Callable[[Call], None]
    """At the end of the loop's turn; from the loop's own thread."""
    from_thread: Callable[[Call], None]


class Application:
    """The object graph of one server.

    Must be made on the backend that ``settings`` name. Raises StoreError if the store cannot be
    opened.
    """

    def __init__(self, settings: Settings) -> None:
        gateway, messages = settings.gateway, settings.messages
        loop = _loop(gateway.backend)
        limits = settings.limits.as_limits()
        accounts = Accounts({app.key: app.secret for app in settings.apps})
        self.store = Store.open(
            settings.store.url,
            soon=loop.soon,
            on_loop=lambda tell: loop.from_thread(partial(self._take_answers, tell)),
            durable=settings.store.durable,
        )
        self.clock = MessageClock(_wall_clock, floor=self.store.latest_time)
        self.hub = Hub(lambda key: self._messages.open_inbox(key))
        self._messages = Messages(
            store=self.store,
            clock=self.clock,
            hub=self.hub,
            limits=limits,
            rules=MessageRules(
                is_multi_device=messages.multi_device, offline_days=messages.offline_days
            ),
            monotonic=time.monotonic,
        )
        self.navigation = Navigation(
            accounts,
            own_address=_join(gateway.host, gateway.port),
            public_address=gateway.public_address,
            now=time.time,
        )
        self.gateway = Gateway(
            accounts=accounts,
            clock=self.clock,
            hub=self.hub,
            navigation=self.navigation,
            router=Router(messages=self._messages, store=self.store, clock=self.clock),
            rules=LoginRules(
                is_multi_device=messages.multi_device,
                allowed_origins=frozenset(gateway.allowed_origins),
                most_connections=MOST_CONNECTIONS,
                messages_per_second=messages.rate,
            ),
            monotonic=time.monotonic,
        )
        self._inbox_days = messages.offline_days
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
            async with self._serve() as server:
                _, port = server.addresses[0]
                self.navigation.own_address = _join(gateway.host, port)
                try:
                    yield tuple(f"http://{_join(*address)}" for address in server.addresses)
                finally:
                    self.gateway.drain()
                    await self._finish()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Store and acknowledge what has arrived; the second time nothing is left to do."""
        # Even if we are cancelled; the store has a deadline of its own.
        with anyio.CancelScope(shield=True):
            await self.store.aclose()

    async def forget_regularly(self) -> None:
        """Delete what is too old for every inbox, again and again (operations 2.1)."""
        while True:
            before = self.clock.now() - self._inbox_days * _DAY
            self.store.forget_before(before, _forgotten)
            await anyio.sleep(_FORGET_EVERY)

    def _serve(self) -> AbstractAsyncContextManager[Server]:
        gateway = self._settings.gateway
        if gateway.backend is Backend.TRIO:
            from improto_trio import serve
        else:
            from improto_asyncio import serve
        return serve(
            self.gateway,
            gateway.host,
            gateway.port,
            limits=self._limits,
            framer=gateway.framer.value,
            max_connections=MOST_CONNECTIONS + MOST_CONNECTIONS // 10,
        )

    def _take_answers(self, tell: Call) -> None:
        """The store has answered a batch: pass it on, then tell the devices about it."""
        for step in (tell, self._messages.deliver):
            try:
                step()
            except Exception:
                # A mistake in here must not take the event loop down.
                _logger.exception("the answers of the store could not be passed on")


async def serve_until_signalled(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run a server until SIGTERM or SIGINT; ``announce`` is called with each of its URLs."""
    with anyio.open_signal_receiver(SIGTERM, SIGINT) as signals:
        application = Application(settings)
        async with application.listening() as urls:
            for url in urls:
                announce(url)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(application.forget_regularly)
                async for _ in signals:
                    break
                tasks.cancel_scope.cancel()


def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """:func:`serve_until_signalled` on the backend that the settings name."""
    backend = settings.gateway.backend.value
    anyio.run(serve_until_signalled, settings, announce, backend=backend)


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


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
