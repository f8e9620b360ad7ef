"""What a message in a chatroom costs the server for each member who reads it.

One member writes; when all the others have read his message he writes the next one. Rooms are
not pushed to: each member is notified and pulls (session 11), so a delivery is two frames out
and one in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import PATIENCE, LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, im_server
from bench.report import Row, Table, server_row
from improto.codes import ConversationType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Client
    from bench.processes import Measured

ROOM: Final = "room"

COME_AT_ONCE: Final = 50

ROUNDS: Final = 3
"""The best one counts; the first only warms up."""


def measure(members: int, *, messages: int, servers: Sequence[tuple[str, str]]) -> Table:
    """``messages``: in one round; ``servers`` are event loops and framers."""
    rows: list[Row] = []
    with forwarder() as process:
        cost = asyncio.run(_measure_forwarder(process, members, messages))
        rows.append(Row(name="bare asyncio forwarder, which pushes", value=cost))
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            cost = asyncio.run(_measure(process, members, messages))
            rows.append(server_row(rows, cost, backend, framer))
    return Table(title=f"Chatroom message, {members} members, a delivery", unit="us", rows=rows)


async def _measure_forwarder(process: Measured, members: int, messages: int) -> float:
    framing = LengthFraming()
    async with (
        clients(["r-room"] * (members - 1), process.port, framing) as readers,
        clients(["s-room"], process.port, framing) as (writer,),
    ):
        writer.talk_to(ROOM)
        return await _rounds(process, writer, readers, messages)


async def _measure(process: Measured, members: int, messages: int) -> float:
    names = [f"guest-{number}" for number in range(members)]
    framing = WebSocketFraming()
    async with clients(names, process.port, framing, at_once=COME_AT_ONCE) as guests:
        for guest in guests:
            await guest.join(ROOM)
        writer, *readers = guests
        writer.talk_to(ROOM, type=ConversationType.CHATROOM)
        return await _rounds(process, writer, readers, messages)


async def _rounds(
    process: Measured, writer: Client, readers: Sequence[Client], messages: int
) -> float:
    """Microseconds of the process's CPU time for each delivery."""
    costs = []
    for _ in range(ROUNDS):
        before = process.cpu()
        for _ in range(messages):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(
                    *(reader.receive(1) for reader in readers), writer.send(1, window=1)
                )
        costs.append((process.cpu() - before) / (messages * len(readers)) * 1e6)
    return min(costs[1:])
