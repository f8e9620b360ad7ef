"""How much memory a connection takes that says nothing.

The connections are as real clients leave them after the login: they have pinged, and pulled an
empty inbox. Those that poll have a poll waiting.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from bench.load import PATIENCE, WebSocketFraming, clients
from bench.processes import APP, im_server, token
from bench.report import Row, Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bench.processes import Measured

GOAL: Final = 16.0
"""KiB for each connection."""

POLLING_GOAL: Final = 30.0
"""KiB for each poll that waits: 60 MiB for 2,000."""

WARM_UP: Final = 100
"""Connections that come first: what the server has one of, or caches, is not theirs."""

_SETTLE: Final = 1.0
"""Seconds for the server to do what it does later."""


def measure(connections: int, *, servers: Sequence[tuple[str, str]]) -> Table:
    """``servers`` are event loops and framers."""
    rows = []
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            size = asyncio.run(_measure(process, connections))
            rows.append(Row(name=f"{backend}, {framer}", value=size, goal=GOAL))
    return Table(title=f"Memory per idle connection, {connections} of them", unit="KiB", rows=rows)


def measure_polls(polls: int, *, servers: Sequence[tuple[str, str]]) -> Table:
    """The same for long polling, where the framer makes no difference."""
    rows = []
    for backend in sorted({backend for backend, _ in servers}):
        with im_server(backend=backend, framer="wsproto") as process:
            size = asyncio.run(_measure(process, polls, connected=_polling))
            rows.append(Row(name=f"{backend}, long polling", value=size, goal=POLLING_GOAL))
    return Table(title=f"Memory per waiting poll, {polls} of them", unit="KiB", rows=rows)


def _with_websocket(users: Sequence[str], port: int) -> AbstractAsyncContextManager[object]:
    return clients(users, port, WebSocketFraming())


@asynccontextmanager
async def _polling(users: Sequence[str], port: int) -> AsyncIterator[None]:
    """These users, polling for one block, each on one connection."""
    writers = []
    try:
        for user in users:
            async with asyncio.timeout(PATIENCE):
                writers.append(await _poll(user, port))
        yield
    finally:
        for writer in writers:
            writer.close()


async def _poll(user: str, port: int) -> asyncio.StreamWriter:
    """Log in, pull, and leave a poll waiting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    login = urlencode({"appId": APP, "token": token(user), "sdkVer": "2.9.2", "pid": user})
    session = (await _ask(reader, writer, f"GET /websocket?{login}"))["sessionid"]
    pull = f"messageid=1&header=80&sessionid={session}&topic=pullMsg&targetid={user}&pid={user}"
    await _ask(reader, writer, f"POST /websocket?{pull}", b'{"syncTime":0,"ispolling":false}')
    writer.write(_request(f"GET /pullmsg.js?sessionid={session}&timestrap=1&pid={user}"))
    return writer


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, body: bytes = b""
) -> Any:
    writer.write(_request(line, body))
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split()[0])
    return json.loads(await reader.readexactly(length))


def _request(line: str, body: bytes = b"") -> bytes:
    """As long as that of a browser."""
    head = f"{line} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
    return f"{head}User-Agent: {'x' * 300}\r\n\r\n".encode() + body


async def _measure(
    process: Measured,
    connections: int,
    *,
    connected: Callable[
        [Sequence[str], int], AbstractAsyncContextManager[object]
    ] = _with_websocket,
) -> float:
    """KiB for each connection."""
    early = [f"early-{number}" for number in range(WARM_UP)]
    late = [f"late-{number}" for number in range(connections)]
    async with connected(early, process.port):
        await asyncio.sleep(_SETTLE)
        before = process.memory()
        async with connected(late, process.port):
            await asyncio.sleep(_SETTLE)
            return (process.memory() - before) / connections / 1024
