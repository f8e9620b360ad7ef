"""What a message to a group costs the server for each member who gets it.

One member writes, one message at a time; all are online. The server stores the message once.
It counts when its sender has the PUBACK and every other member has the message, pushed or
pulled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import PATIENCE, LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, group_id, group_members, im_server
from bench.report import Row, Table, server_row
from improto.codes import ConversationType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Client
    from bench.processes import Measured

GOAL: Final = 14.0
"""Microseconds for each delivery on asyncio."""

SIZES: Final = (100, 500, 1000)
"""Members of the groups; the goal is for the one in the middle."""

ROUNDS: Final = 4
"""The best one counts; the first only warms up."""


def measure(
    sizes: Sequence[int], *, deliveries: int, servers: Sequence[tuple[str, str]]
) -> list[Table]:
    """A table for the group size in the middle, and one that shows how the cost grows.

    ``deliveries``: of each group, in one round.
    """
    size = sizes[len(sizes) // 2]
    rows = []
    with forwarder() as process:
        cost = asyncio.run(_measure_forwarder(process, size, deliveries))
        rows.append(Row(name="bare asyncio forwarder", value=cost))
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer, groups=[size]) as process:
            cost = asyncio.run(_measure(process, size, deliveries))
            rows.append(server_row(rows, cost, backend, framer, goal=GOAL))
    backend, framer = servers[0]
    growth: list[Row] = []
    with im_server(backend=backend, framer=framer, groups=sizes) as process:
        for each in sizes:
            cost = asyncio.run(_measure(process, each, deliveries))
            goal = round(growth[0].value * LINEAR, 1) if growth else None
            growth.append(Row(name=f"{each} members online", value=cost, goal=goal))
    return [
        Table(title=f"Group message, {size} members online, a delivery", unit="us", rows=rows),
        Table(
            title=f"Group message as the group grows, {backend}, {framer}, a delivery",
            unit="us",
            rows=growth,
        ),
    ]


LINEAR: Final = 1.2
"""Times what a delivery costs in the smallest group: no more, so nothing grows faster."""


async def _measure_forwarder(process: Measured, size: int, deliveries: int) -> float:
    framing = LengthFraming()
    names = ["r-group"] * (size - 1)
    async with (
        clients(names, process.port, framing) as readers,
        clients(["s-group"], process.port, framing) as (writer,),
    ):
        writer.talk_to("group")
        return await _rounds(process, writer, readers, deliveries)


async def _measure(process: Measured, size: int, deliveries: int) -> float:
    async with clients(group_members(size), process.port, WebSocketFraming()) as members:
        writer, *readers = members
        writer.talk_to(group_id(size), type=ConversationType.GROUP)
        return await _rounds(process, writer, readers, deliveries)


async def _rounds(
    process: Measured, writer: Client, readers: Sequence[Client], deliveries: int
) -> float:
    """Microseconds of the process's CPU time for each delivery."""
    each = max(1, deliveries // len(readers))
    costs = []
    for _ in range(ROUNDS):
        before = process.cpu()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                *(reader.receive(each) for reader in readers), writer.send(each, window=1)
            )
        costs.append((process.cpu() - before) / (each * len(readers)) * 1e6)
    return min(costs[1:])
