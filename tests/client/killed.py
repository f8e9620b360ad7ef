"""A program with a local store that may be killed at any instant. :mod:`.test_store_kill` does.

It writes down every message that its loop gets, and sends numbered texts: the next one is what its
own store says. ``python -m tests.client.killed backend url token store log sends``.
"""

from __future__ import annotations

import os
import sys

import anyio

from improto.messages import Conversation
from improto_client import Im, connect

BOB = Conversation.private("bob")
LAST = "last"
"""After this text it ends by itself."""


async def next_number(im: Im) -> int:
    """How many texts were sent before, by this run's ancestors."""
    found = await im.local.messages(BOB, count=1000)
    return max((int(each.text or "") + 1 for each in found if each.message.is_mine), default=0)


async def send(im: Im, until: int) -> None:
    first = await next_number(im)
    window = anyio.CapacityLimiter(5)

    async def send_one(number: int) -> None:
        try:
            await im.messages.send(BOB, str(number))
        finally:
            window.release_on_behalf_of(number)

    async with anyio.create_task_group() as tasks:
        for number in range(first, until):
            await window.acquire_on_behalf_of(number)
            tasks.start_soon(send_one, number)
            # Trio starts tasks in any order, and the order of the calls is what counts.
            await anyio.sleep(0.001)


async def receive(im: Im, log: int) -> None:
    async for message in im.messages:
        os.write(log, f"{message.text}\n".encode())
        if message.text == LAST:
            return
        # So that there is always something that has come and was not taken.
        await anyio.sleep(0.005)


async def main(url: str, token: str, store: str, log_path: str, until: int) -> None:
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, b"run\n")
    async with (
        connect(url, app_key="demo", token=token, store=store) as im,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(send, im, until)
        tasks.start_soon(receive, im, log)


if __name__ == "__main__":
    backend, *arguments, sends = sys.argv[1:]
    url, token, store, log = arguments
    anyio.run(main, url, token, store, log, int(sends), backend=backend)
