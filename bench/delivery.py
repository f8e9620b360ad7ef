"""What a private message costs the server, from its PUBLISH to its PUBACK and its delivery.

Users in pairs: one writes, the other reads, both are connected. The server stores every message
before it acknowledges it. A message counts when its sender has the PUBACK and its receiver has
the message, pushed or pulled. Only the CPU time of the server process counts, all threads and
the kernel's work for it included.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.load import PATIENCE, LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, im_server
from bench.report import Row, Table, server_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Client, Framing
    from bench.processes import Measured

ROUNDS: Final = 4
"""The best one counts, because the others were disturbed; the first only warms up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much at once."""

    pairs: int
    window: int
    """Messages of each sender that wait for their PUBACK."""
    messages: int
    goal: float | None = None
    """Microseconds on asyncio."""
    aim: float | None = None

    @property
    def title(self) -> str:
        """For people."""
        pairs = "1 pair" if self.pairs == 1 else f"{self.pairs} pairs"
        how = "one message at a time" if self.window == 1 else f"window {self.window}"
        return f"Durable private message, {pairs}, {how}"


LOADS: Final = (
    Load(pairs=1, window=32, messages=8_000),
    Load(pairs=50, window=32, messages=24_000, goal=55, aim=22),
    Load(pairs=50, window=1, messages=12_000, goal=85),
)


def measure(loads: Sequence[Load], *, servers: Sequence[tuple[str, str]]) -> list[Table]:
    """One table for each load; ``servers`` are event loops and framers."""
    costs: dict[Load, list[Row]] = {load: [] for load in loads}
    with forwarder() as process:
        for load in loads:
            cost = asyncio.run(_measure(process, load, LengthFraming()))
            costs[load].append(Row(name="bare asyncio forwarder", value=cost))
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            for load in loads:
                cost = asyncio.run(_measure(process, load, WebSocketFraming()))
                rows = costs[load]
                rows.append(server_row(rows, cost, backend, framer, goal=load.goal, aim=load.aim))
    return [Table(title=load.title, unit="us", rows=rows) for load, rows in costs.items()]


async def _measure(process: Measured, load: Load, framing: Framing) -> float:
    """Microseconds of the server's CPU time for each message."""
    # Nobody has had messages before: each load has users of its own.
    senders = [f"s{load.pairs}-{load.window}-{number}" for number in range(load.pairs)]
    receivers = [f"r{name[1:]}" for name in senders]
    async with (
        clients(receivers, process.port, framing) as readers,
        clients(senders, process.port, framing) as writers,
    ):
        for writer, receiver in zip(writers, receivers, strict=True):
            writer.talk_to(receiver)
        each = max(1, load.messages // load.pairs // ROUNDS)
        costs = []
        for _ in range(ROUNDS):
            before = process.cpu()
            await _exchange(writers, readers, each, window=load.window)
            costs.append((process.cpu() - before) / (each * load.pairs) * 1e6)
        return min(costs[1:])


async def _exchange(
    writers: Sequence[Client], readers: Sequence[Client], each: int, *, window: int
) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(
            *(reader.receive(each) for reader in readers),
            *(writer.send(each, window=window) for writer in writers),
        )
