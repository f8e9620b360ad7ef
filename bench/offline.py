"""What a message costs whose receiver is not there, and what it costs when he comes.

Writers in the same number and with the same window as in :mod:`bench.delivery`, so that the
difference is the delivery. A message counts when its sender has the PUBACK. Then one user comes
whom all of them have written to, and pulls page after page until there is nothing more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import PATIENCE, LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, im_server
from bench.report import Row, Table, server_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Client, Framing
    from bench.processes import Measured

STORE_GOAL: Final = 22.0
"""Microseconds for each message on asyncio."""

DRAIN_GOAL: Final = 10.0
"""The same: 100,000 messages in a second of the server's CPU time."""

WRITERS: Final = 50
WINDOW: Final = 32
SLEEPER: Final = "sleeper"

ROUNDS: Final = 4
"""The best one counts; the first only warms up."""


def measure(messages: int, waiting: int, *, servers: Sequence[tuple[str, str]]) -> list[Table]:
    """A table of storing ``messages``, and one of pulling ``waiting`` of one user."""
    stored, drained = [], []
    with forwarder() as process:
        cost = asyncio.run(_measure_forwarder(process, messages))
        stored.append(Row(name="bare asyncio forwarder, to one who is there", value=cost))
        drained.append(stored[0])
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            store, drain = asyncio.run(_measure(process, messages, waiting))
            stored.append(server_row(stored, store, backend, framer, goal=STORE_GOAL))
            drained.append(server_row(drained, drain, backend, framer, goal=DRAIN_GOAL))
    return [
        Table(
            title=f"Private message to somebody absent, {WRITERS} senders, window {WINDOW}",
            unit="us",
            rows=stored,
        ),
        Table(title=f"Pulling {waiting} waiting messages, each", unit="us", rows=drained),
    ]


async def _measure_forwarder(process: Measured, messages: int) -> float:
    framing = LengthFraming()
    async with (
        clients([f"r{number}" for number in range(WRITERS)], process.port, framing),
        clients([f"s{number}" for number in range(WRITERS)], process.port, framing) as writers,
    ):
        for number, writer in enumerate(writers):
            writer.talk_to(f"r{number}")
        return await _store(process, writers, messages)


async def _measure(process: Measured, messages: int, waiting: int) -> tuple[float, float]:
    framing = WebSocketFraming()
    names = [f"writer-{number}" for number in range(WRITERS)]
    async with clients(names, process.port, framing) as writers:
        for number, writer in enumerate(writers):
            writer.talk_to(f"absent-{number}")
        store = await _store(process, writers, messages)
        for writer in writers:
            writer.talk_to(SLEEPER)
        await _write(writers, waiting // WRITERS)
    return store, await _drain(process, waiting, framing)


async def _store(process: Measured, writers: Sequence[Client], messages: int) -> float:
    """Microseconds of the process's CPU time for each message."""
    each = max(1, messages // len(writers) // ROUNDS)
    costs = []
    for _ in range(ROUNDS):
        before = process.cpu()
        await _write(writers, each)
        costs.append((process.cpu() - before) / (each * len(writers)) * 1e6)
    return min(costs[1:])


async def _write(writers: Sequence[Client], each: int) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(writer.send(each, window=WINDOW) for writer in writers))


async def _drain(process: Measured, waiting: int, framing: Framing) -> float:
    """The same for each message that is pulled; with the login, which is one of thousands."""
    costs = []
    for _ in range(ROUNDS):
        before = process.cpu()
        async with clients([SLEEPER], process.port, framing) as (sleeper,):
            if sleeper.received != waiting:
                raise ConnectionError(f"{sleeper.received} of {waiting} messages came")
            costs.append((process.cpu() - before) / waiting * 1e6)
    return min(costs[1:])
