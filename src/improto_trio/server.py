"""Serve clients from trio."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import trio

from improto._async_server import HandlerService, Server, Session, begin_with
from improto.config import Limits, Timing
from improto.frames import TimeMs
from improto_trio._driver import Door
from improto_trio._loop import RUNTIME, open_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from ssl import SSLContext

    from improto.endpoint import ServerEndpoint
    from improto.http import HttpRequest, HttpResponse
    from improto.service import Service
    from improto_trio._loop import Loop

__all__ = ["Server", "Session", "serve", "serve_handler"]


@asynccontextmanager
async def serve(
    service: Service,
    host: str | None,
    port: int,
    *,
    ssl: SSLContext | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    framer: str = "wsproto",
    long_polling: bool = True,
    backlog: int = 1024,
    max_connections: int = 100_000,
) -> AsyncIterator[Server]:
    """Serve clients with ``service`` while the block runs, then send them away.

    ``host`` None listens on all interfaces, IPv4 and IPv6; with ``port`` 0 the system chooses,
    see ``Server.addresses``. Clients may come by WebSocket and, unless ``long_polling`` is False,
    by plain HTTP requests; the service sees no difference. A connection above ``max_connections``
    is closed at once. An exception of the service is logged under "improto_trio" and ends the
    connection that it was called for. Raises OSError if an address cannot be listened on.
    """
    async with open_loop(limits=limits or Limits(), timing=timing or Timing()) as loop:
        begin = begin_with(
            service,
            lines=loop.lines,
            framer=framer,
            make_session_id=token_urlsafe if long_polling else None,
        )
        door = Door(loop, begin, tls=ssl, max_connections=max_connections)
        async with _open(loop, door, host, port, backlog=backlog) as server:
            yield server


@asynccontextmanager
async def serve_handler(
    handler: Callable[[Session], Awaitable[None]],
    host: str | None,
    port: int,
    *,
    http: Callable[[HttpRequest], HttpResponse] | None = None,
    ssl: SSLContext | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    framer: str = "wsproto",
    long_polling: bool = True,
    backlog: int = 1024,
    max_connections: int = 100_000,
) -> AsyncIterator[Server]:
    """Serve each client by a coroutine of its own: a call of ``handler`` with its session.

    When the handler returns, the connection ends. At the end of the block the handlers find
    that their iteration is over; those that have not returned by the deadline are cancelled.
    ``http`` answers plain HTTP requests; without it ``/ping`` is answered and the rest is not
    found. Everything else is as for :func:`serve`.
    """
    async with open_loop(limits=limits or Limits(), timing=timing or Timing()) as loop:
        service = HandlerService(
            handler, http=http, lines=loop.lines, spawn=loop.spawn, clock=_now, runtime=RUNTIME
        )
        begin = begin_with(
            service,
            lines=loop.lines,
            framer=framer,
            make_session_id=token_urlsafe if long_polling else None,
        )
        door = Door(loop, begin, tls=ssl, max_connections=max_connections)
        async with _open(loop, door, host, port, backlog=backlog) as server:
            yield server


@asynccontextmanager
async def _open(
    loop: Loop, door: Door[ServerEndpoint], host: str | None, port: int, *, backlog: int
) -> AsyncIterator[Server]:
    addresses = await door.open(host, port, backlog=backlog)
    server = Server(loop.lines, addresses=addresses, stop_accepting=door.close, runtime=RUNTIME)
    try:
        yield server
    finally:
        # Its deadline bounds the shield: a cancelled server says goodbye, too.
        with trio.CancelScope(shield=True):
            await server.aclose()


def _now() -> TimeMs:
    return TimeMs(time.time_ns() // 1_000_000)
