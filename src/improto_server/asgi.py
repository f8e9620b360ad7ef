"""The reference server as an ASGI application, for hosts that have a web server already.

``uvicorn --factory improto_server.asgi:create_app`` serves what ``improto serve`` does, by the
host's sockets instead of our own. There may be one process only: it is the one that knows who is
online, and the only one that writes to the store.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace

from improto.asgi import ImApp
from improto_server.app import Application
from improto_server.commands import DEFAULT_CONFIG
from improto_server.config import Backend, Settings, SettingsError, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from improto.asgi import Receive, Scope, Send
    from improto_server.system import System

_logger = logging.getLogger(__name__)


class ServerApp:
    """The ASGI application. :func:`create_app` makes it.

    The server runs from the startup to the shutdown of the host's life. Frameworks do not tell it
    to what is mounted in them; there, :meth:`running` does.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: ImApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, request or life of the host; RuntimeError if it never began to run."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None:
            raise RuntimeError("the server is not running: enter running() while the host lives")
        else:
            await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[System]:
        """Serve what the host brings for as long as the block lasts; it gets the services.

        At the end, messages that have arrived are stored and acknowledged, then everybody is sent
        away. All of it is bounded. Raises StoreError, and OSError if the web port is on and cannot
        be listened on.
        """
        gateway = replace(self._settings.gateway, backend=_backend())
        application = Application(replace(self._settings, gateway=gateway))
        # Where the host listens is not known; what clients ask for is where they find it.
        application.navigation.own_address = ""
        app = ImApp(
            application.gateway,
            limits=self._settings.limits.as_limits(),
            long_polling=gateway.long_polling,
        )
        site, store = application.site, application.store
        async with AsyncExitStack() as stack:
            # The second time, after a start that succeeded, nothing is left to do.
            stack.push_async_callback(store.aclose)
            await stack.enter_async_context(site.listening(beside=store.path))
            if site.storage is not None:
                application.navigation.upload_provider = site.storage.provider
            if gateway.hand_over_to:
                application.gateway.hand_over(gateway.hand_over_to)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            for chore in application.chores():
                tasks.start_soon(chore)
            await stack.enter_async_context(app.running())
            self._app = app
            try:
                yield application.system
            finally:
                application.gateway.drain()
                await store.aclose()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        stage = "startup"
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                stage = "shutdown"
                await receive()
        except Exception as error:
            # Not raised: hosts take that for an application without a life, and serve it.
            _logger.exception("the server could not %s", "start" if stage == "startup" else "end")
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings | None = None) -> ServerApp:
    """The application for these settings, or for those that ``improto serve`` would find here.

    Those of the gateway's socket mean nothing: host, port, framer and backend are the host's.
    Raises SettingsError, also if there is no app, or if the robot is on, which has to know where
    the server is.
    """
    if settings is None:
        path = DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None
        settings = load(path, environment=os.environ)
    if not settings.apps:
        raise SettingsError("there is no app; name one in IMPROTO_APPS or in a settings file")
    if settings.robot:
        raise SettingsError("robot must be false where another program's server is the host")
    return ServerApp(settings)


def _backend() -> Backend:
    """The event loop that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return Backend.TRIO
    return Backend.ASYNCIO
