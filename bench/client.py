"""What a message costs the client library, and that messages leave nothing behind in it.

Here the client is this process and everybody else is in another, so its own CPU time counts. One
user comes whom others have written to, and takes everything, page after page; then he writes to
somebody who is not there, with as many messages under way as a pipelining program has. Beside the
library stand a client that reads only the bytes that matter, and the adapter that the library is
built on: what they cost the library cannot save.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

import improto_asyncio
from bench.load import PATIENCE, TEXT, WebSocketFraming, clients
from bench.processes import APP, Measured, im_server, token
from bench.report import Row, Table
from improto.contents import Text
from improto.messages import Conversation
from improto_client import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RECEIVE_GOAL: Final = 25.0
"""Microseconds for each message on asyncio."""

MEMORY_GOAL: Final = 1024
"""KiB by which the client may grow after the first tenth of the messages."""

WRITERS: Final = 20
WINDOW: Final = 32
SLEEPER: Final = "sleeper"
ABSENT: Final = Conversation.private("absent")
LOOPS: Final = ("asyncio", "trio")

ROUNDS: Final = 3
"""The best one counts, because the others were disturbed."""


def measure(messages: int, memory: int) -> list[Table]:
    """Tables of receiving and of sending ``messages``, and of memory while ``memory`` come."""
    with im_server(backend="asyncio", framer="websockets") as process:
        asyncio.run(_fill(process.port, messages))
        plain = partial(_best, messages, "asyncio")
        received = [
            Row(name="bare client", value=plain(_receive_plainly, process.port)),
            Row(name="improto_asyncio", value=plain(_receive_by_adapter, process.port)),
        ]
        sent = [
            Row(name="bare client", value=plain(_send_plainly, process.port)),
            Row(name="improto_asyncio", value=plain(_send_by_adapter, process.port)),
        ]
        for loop in LOOPS:
            goal = RECEIVE_GOAL if loop == "asyncio" else None
            cost = _best(messages, loop, _receive, process.port)
            received.append(Row(name=f"improto_client, {loop}", value=cost, goal=goal))
            cost = _best(messages, loop, _send, process.port)
            sent.append(Row(name=f"improto_client, {loop}", value=cost))
    with im_server(backend="asyncio", framer="websockets") as process:
        asyncio.run(_fill(process.port, memory))
        early, late = asyncio.run(_grow(process.port, memory))
    return [
        Table(title="A client that receives what waited, a message", unit="us", rows=received),
        Table(title=f"A client that sends, window {WINDOW}, a message", unit="us", rows=sent),
        Table(
            title=f"Memory of a client that receives {memory} messages",
            unit="KiB",
            rows=[
                Row(name="after a tenth of them", value=early),
                Row(name="after all", value=late, goal=round(early + MEMORY_GOAL)),
            ],
        ),
    ]


async def _fill(port: int, messages: int) -> None:
    """Write to one who is not there."""
    async with clients([f"w{n}" for n in range(WRITERS)], port, WebSocketFraming()) as writers:
        for writer in writers:
            writer.talk_to(SLEEPER)
        each = messages // WRITERS
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(writer.send(each, window=WINDOW) for writer in writers))


def _best(
    messages: int, loop: str, run: Callable[[int, int], Awaitable[float]], port: int
) -> float:
    """Microseconds of this process for each message."""

    async def bounded() -> float:
        with anyio.fail_after(PATIENCE):
            return await run(port, messages)

    return min(anyio.run(bounded, backend=loop) for _ in range(ROUNDS)) / messages * 1e6


# -- receiving ------------------------------------------------------------------------------


async def _receive_plainly(port: int, messages: int) -> float:
    begun = time.process_time()
    async with clients([SLEEPER], port, WebSocketFraming()) as (client,):
        if client.received != messages:
            raise ConnectionError(f"{client.received} of {messages} messages came")
        return time.process_time() - begun


async def _receive_by_adapter(port: int, messages: int) -> float:
    async with improto_asyncio.connect(
        "127.0.0.1", port, app_key=APP, token=token(SLEEPER), framer="websockets"
    ) as client:
        begun, count = time.process_time(), 0
        async for message in client.messages():
            message.decoded()
            count += 1
            if count == messages:
                break
        return time.process_time() - begun


async def _receive(port: int, messages: int) -> float:
    async with connect(
        host="127.0.0.1", port=port, app_key=APP, token=token(SLEEPER), framer="websockets"
    ) as im:
        begun, count = time.process_time(), 0
        async for _ in im.messages:
            count += 1
            if count == messages:
                break
        return time.process_time() - begun


# -- sending --------------------------------------------------------------------------------


async def _send_plainly(port: int, messages: int) -> float:
    async with clients(["sender"], port, WebSocketFraming()) as (client,):
        client.talk_to(ABSENT.target_id)
        begun = time.process_time()
        await client.send(messages, window=WINDOW)
        return time.process_time() - begun


async def _send_by_adapter(port: int, messages: int) -> float:
    async with improto_asyncio.connect(
        "127.0.0.1", port, app_key=APP, token=token("sender"), framer="websockets"
    ) as client:
        return await _in_turns(lambda: client.send(ABSENT, Text(TEXT)), messages)


async def _send(port: int, messages: int) -> float:
    async with connect(
        host="127.0.0.1", port=port, app_key=APP, token=token("sender"), framer="websockets"
    ) as im:
        return await _in_turns(lambda: im.messages.send(ABSENT, TEXT), messages)


async def _in_turns(send: Callable[[], Awaitable[object]], messages: int) -> float:
    """Send by as many tasks as there may be messages under way."""
    left = messages
    begun = time.process_time()

    async def keep_sending() -> None:
        nonlocal left
        while left:
            left -= 1
            await send()

    async with anyio.create_task_group() as tasks:
        for _ in range(WINDOW):
            tasks.start_soon(keep_sending)
    return time.process_time() - begun


# -- memory ---------------------------------------------------------------------------------


async def _grow(port: int, messages: int) -> tuple[float, float]:
    """KiB of this process when a tenth of the messages has been taken, and when all have."""
    sizes = []
    async with connect(
        host="127.0.0.1", port=port, app_key=APP, token=token(SLEEPER), framer="websockets"
    ) as im:
        count = 0
        async for _ in im.messages:
            count += 1
            if count in (messages // 10, messages):
                gc.collect()
                sizes.append(Measured(pid=os.getpid(), port=port).memory() / 1024)
            if count == messages:
                break
    early, late = sizes
    return early, late
