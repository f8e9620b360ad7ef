"""Connect to a server from trio."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from improto._async_client import Client, Opening, host_header
from improto.config import Limits, Timing
from improto.session import ClientSession
from improto_trio import _driver
from improto_trio._loop import RUNTIME, open_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from improto._polling_client import PollingClientEndpoint
    from improto_trio._loop import Loop

__all__ = ["Client", "connect"]


@asynccontextmanager
async def connect(
    host: str,
    port: int,
    *,
    app_key: str,
    token: str,
    ssl: SSLContext | None = None,
    server_hostname: str | None = None,
    session: ClientSession | None = None,
    sdk_version: str = "4.6.4",
    limits: Limits | None = None,
    timing: Timing | None = None,
    framer: str = "wsproto",
    transport: str = "websocket",
) -> AsyncIterator[Client]:
    """Connect, log in and give the client; at the end of the block close it.

    With ``ssl`` the connection is encrypted and the certificate must be that of
    ``server_hostname``, by default ``host``. ``session`` is what an earlier connection has left.
    ``framer`` is "wsproto" or "websockets", and ``transport`` "websocket" or "polling": plain HTTP
    requests, for networks without WebSocket. They send one request at a time.

    Raises OSError if there is no connection, HandshakeRefused or RemoteProtocolError if the
    server opens no WebSocket, and ConnectionEnded with the status if it refuses the login, or
    does not decide within ``timing.connack`` seconds. A block that is left by an exception
    aborts the connection without a goodbye.
    """
    limits = limits or Limits.for_client()
    async with open_loop(limits=limits, timing=timing or Timing()) as loop:

        def dial(endpoint: PollingClientEndpoint) -> None:
            loop.spawn(partial(_dial, loop, endpoint, ssl, server_hostname or host))

        opening = Opening(
            host_header(host, port, is_encrypted=ssl is not None),
            app_key=app_key,
            token=token,
            session=session or ClientSession(limits=limits),
            sdk_version=sdk_version,
            framer=framer,
            transport=transport,
            dial=dial,
            lines=loop.lines,
            runtime=RUNTIME,
        )
        wire = await _driver.connect(
            loop, host, port, opening.begin, tls=ssl, server_hostname=server_hostname
        )
        client = await opening.log_in(wire)
        yield client
        await client.aclose()


async def _dial(
    loop: Loop, endpoint: PollingClientEndpoint, tls: SSLContext | None, server_hostname: str
) -> None:
    """Open a connection for posts."""
    host, _, port = endpoint.address.rpartition(":")
    try:
        await _driver.connect(
            loop,
            host.strip("[]"),
            int(port),
            endpoint.begin_post,
            tls=tls,
            server_hostname=server_hostname,
        )
    except OSError:
        endpoint.dial_failed()
