"""What it costs the server that somebody comes: connection, HTTP, token, CONNACK, first pull.

Each has a token of his own. Many come at once, as after a restart of the server, or one after
the other; then half of the cost is that the process goes to sleep and wakes up again for each
of four steps. The plain thing beside it accepts a connection and reads one frame.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, im_server
from bench.report import Row, Table, server_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Framing
    from bench.processes import Measured

GOAL: Final = 250.0
"""Microseconds on asyncio."""

ROUNDS: Final = 4
"""The best one counts; the first only warms up."""

_SETTLE: Final = 0.2
"""Seconds."""


CROWD: Final = 50
"""How many come at once."""


def measure(logins: int, *, servers: Sequence[tuple[str, str]]) -> list[Table]:
    """``logins``: in one round; ``servers`` are event loops and framers."""
    crowd: list[Row] = []
    single: list[Row] = []
    with forwarder() as process:
        for rows, at_once in ((crowd, CROWD), (single, 1)):
            cost = asyncio.run(_measure(process, logins, LengthFraming(), at_once=at_once))
            rows.append(Row(name="bare asyncio forwarder: a connection", value=cost))
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            for rows, at_once, goal in ((crowd, CROWD, GOAL), (single, 1, None)):
                cost = asyncio.run(_measure(process, logins, WebSocketFraming(), at_once=at_once))
                rows.append(server_row(rows, cost, backend, framer, goal=goal))
    title = "Login: HTTP, token, CONNACK, first pull"
    return [
        Table(title=f"{title}, {CROWD} at once", unit="us", rows=crowd),
        Table(title=f"{title}, one after the other", unit="us", rows=single),
    ]


async def _measure(process: Measured, logins: int, framing: Framing, *, at_once: int) -> float:
    costs = []
    for number in range(ROUNDS):
        # Those of the round before have left; that is not to be counted.
        await asyncio.sleep(_SETTLE)
        names = [f"r{at_once}-{number}-{each}" for each in range(logins)]
        before = process.cpu()
        async with clients(names, process.port, framing, at_once=at_once):
            # The forwarder has nothing to answer, so nobody has waited for it.
            await asyncio.sleep(_SETTLE)
            costs.append((process.cpu() - before) / logins * 1e6)
    return min(costs[1:])
