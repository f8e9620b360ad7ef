"""Runs an ASGI application under hypercorn, inside our own event loop.

Hypercorn is told when to stop and is given a bounded time for it. It would hold signals
and write logs of its own, both of which are the program's.
"""

from __future__ import annotations

import logging
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from hypercorn.config import Config

from improto_server.config import AccessLog, Backend
from improto_server.web.watching import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE: Final = 3.0
"""Seconds that requests have to end when the server does."""

PATIENCE: Final = 60.0
"""Seconds that a client may send nothing while it has more to send."""

IDLE: Final = 10.0
"""Seconds that a connection may take to begin its next request, headers and all."""

HEAD_BYTES: Final = 16 * 1024
"""The longest headers."""

MOST_FORGOTTEN: Final = 64 * 1024 * 1024
"""Bytes that are heard out after the answer; of who sends more, the connection ends."""

HANDSHAKE: Final = 10.0
"""Seconds that encryption may take to begin."""

_BACKLOG: Final = 100

_GONE: Final = {"type": "http.disconnect"}
"""What ASGI says when a client has gone."""

_logger = logging.getLogger("hypercorn.error")


@asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    backend: Backend,
    tls: SSLContext | None = None,
    log: AccessLog = AccessLog.NONE,
    proxies: int = 0,
) -> AsyncIterator[tuple[str, int]]:
    """Serve for as long as the block lasts; it gets the address. Raises OSError.

    ``port`` 0 takes any; ``backend`` is the event loop that runs; ``tls`` encrypts. ``log`` and
    ``proxies`` are as for :class:`.watching.Watched`. At the end, requests have :data:`GRACE`
    seconds to finish.
    """
    listener = await anyio.to_thread.run_sync(_listen, host, port)
    address = listener.getsockname()[:2]
    config = _Config(tls)
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = None
    config.errorlog = _logger
    config.graceful_timeout = GRACE
    config.keep_alive_timeout = IDLE
    config.h11_max_incomplete_size = HEAD_BYTES
    config.include_server_header = False
    # Where it listens is for the program to say.
    _logger.setLevel(logging.WARNING)
    watched = Watched(_HearingOut(app), log=log, proxies=proxies)
    stop, stopped = anyio.Event(), anyio.Event()

    async def run() -> None:
        try:
            serve: Any
            if backend is Backend.TRIO:
                from hypercorn.trio import serve
            else:
                from hypercorn.asyncio import serve
            await serve(watched, config, mode="asgi", shutdown_trigger=stop.wait)
        finally:
            stopped.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield address
        finally:
            stop.set()
            with anyio.move_on_after(GRACE + 1, shield=True):
                await stopped.wait()
            tasks.cancel_scope.cancel()


class _Config(Config):
    """Hypercorn's settings, with certificates that are read by us."""

    ssl_handshake_timeout = HANDSHAKE

    def __init__(self, tls: SSLContext | None) -> None:
        self._tls = tls

    @property
    def ssl_enabled(self) -> bool:
        """Whether the port is encrypted."""
        return self._tls is not None

    def create_ssl_context(self) -> SSLContext | None:
        """How it is."""
        return self._tls


class _HearingOut:
    """Ends an answer only when the client has said all it wants to say.

    A browser that is still sending a file when the connection ends shows no answer at all. And
    hypercorn waits, while it sends, for somebody to take what has come: for ever. So from the
    beginning of the answer on, the rest of the request is taken and forgotten.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        async with anyio.create_task_group() as tasks:
            request = _Request(receive)

            async def say(message: Message) -> None:
                if message["type"] == "http.response.start" and not request.is_over:
                    tasks.start_soon(request.hear_out)
                    request.is_forgotten = True
                is_last = message["type"] == "http.response.body" and not message.get("more_body")
                if not (is_last and request.is_forgotten):
                    await send(message)
                    return
                await send({**message, "more_body": True})
                await request.heard.wait()
                await send({"type": "http.response.body"})

            await self._app(scope, request.hear, say)


class _Request:
    """What a client says."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self.is_over = False
        """Nothing more will come."""
        self.is_forgotten = False
        """What will come interests nobody."""
        self.heard = anyio.Event()
        """It has come, or the client has gone, or has been silent or gone on for too long."""

    async def hear(self) -> Message:
        """The next message, for the application."""
        if self.is_forgotten:
            await self.heard.wait()
        return _GONE if self._is_gone else await self._next()

    async def hear_out(self) -> None:
        """Take the rest."""
        size = 0
        while not self.is_over and size <= MOST_FORGOTTEN:
            with anyio.move_on_after(PATIENCE) as patience:
                size += len((await self._next()).get("body", b""))
            if patience.cancelled_caught:
                break
        self.heard.set()

    async def _next(self) -> Message:
        message = await self._receive()
        self._is_gone = message["type"] == "http.disconnect"
        self.is_over = not message.get("more_body", False)
        return message


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        error.filename = f"{host} port {port}"
        raise
    return listener
