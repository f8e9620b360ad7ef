"""What it costs the server to list somebody's conversations.

A user has written to many others, one message each, and asks for his list: the newest ones, as a
client does that shows a screen of them, and all. The plain thing beside it is a message and its
acknowledgement.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bench.load import PATIENCE, LengthFraming, WebSocketFraming, clients
from bench.processes import forwarder, im_server
from bench.report import Row, Table
from improto import payloads
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Client
    from bench.processes import Measured

SCREEN: Final = 20
"""Conversations that a client asks for first."""

ROUNDS: Final = 4
"""The best one counts; the first only warms up."""


def measure(conversations: int, *, requests: int, servers: Sequence[tuple[str, str]]) -> Table:
    """``requests``: in one round; ``servers`` are event loops and framers."""
    with forwarder() as process:
        cost = asyncio.run(_measure_forwarder(process, requests))
    rows = [Row(name="bare asyncio forwarder: a message", value=cost)]
    for backend, framer in servers:
        with im_server(backend=backend, framer=framer) as process:
            costs = asyncio.run(_measure(process, conversations, requests))
            rows += [
                Row(name=f"{backend}, {framer}: the newest {count}", value=cost)
                for count, cost in costs.items()
            ]
    return Table(title=f"Conversation list of {conversations}, a request", unit="us", rows=rows)


async def _measure_forwarder(process: Measured, requests: int) -> float:
    framing = LengthFraming()
    async with (
        clients(["r-0"], process.port, framing),
        clients(["s-0"], process.port, framing) as (writer,),
    ):
        writer.talk_to("0")
        costs = []
        for _ in range(ROUNDS):
            before = process.cpu()
            await writer.send(requests, window=1)
            costs.append((process.cpu() - before) / requests * 1e6)
        return min(costs[1:])


async def _measure(process: Measured, conversations: int, requests: int) -> dict[int, float]:
    """Microseconds for each request, by the number of conversations asked for."""
    async with clients(["popular"], process.port, WebSocketFraming()) as (user,):
        async with asyncio.timeout(PATIENCE):
            for number in range(conversations):
                user.talk_to(f"friend-{number}")
                await user.send(1, window=1)
        return {
            count: await _ask(process, user, count, requests) for count in (SCREEN, conversations)
        }


async def _ask(process: Measured, user: Client, count: int, requests: int) -> float:
    costs = []
    each = max(1, requests * SCREEN // count)
    for _ in range(ROUNDS):
        before = process.cpu()
        for _ in range(each):
            async with asyncio.timeout(PATIENCE):
                answer = await user.ask(
                    Topic.QRY_RELATION_R, "popular", payloads.RelationQryInput(count=count)
                )
        costs.append((process.cpu() - before) / each * 1e6)
        listed = len(payloads.RelationsOutput.FromString(answer).info)
        if listed != count:
            raise ConnectionError(f"{listed} of {count} conversations were listed")
    return min(costs[1:])
