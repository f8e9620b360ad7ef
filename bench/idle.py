"""How much memory a connection takes that says nothing.

The connections are as real clients leave them after the login: they have pinged, and pulled an
empty inbox.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import WebSocketFraming, clients
from bench.processes import im_server
from bench.report import Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.processes import Measured

GOAL: Final = 16.0
"""KiB for each connection."""

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


async def _measure(process: Measured, connections: int) -> float:
    """KiB for each connection."""
    framing = WebSocketFraming()
    early = [f"early-{number}" for number in range(WARM_UP)]
    late = [f"late-{number}" for number in range(connections)]
    async with clients(early, process.port, framing):
        await asyncio.sleep(_SETTLE)
        before = process.memory()
        async with clients(late, process.port, framing):
            await asyncio.sleep(_SETTLE)
            return (process.memory() - before) / connections / 1024
