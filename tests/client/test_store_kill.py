"""A client that is killed at random instants loses nothing and doubles nothing."""

from __future__ import annotations

import random
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from improto_client.store import SqliteStore
from improto_server.services.accounts import Accounts
from tests.client.killed import LAST
from tests.client.places import until
from tests.client.test_im import ANN, BOB, KEY, SECRET, house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

KILLS = 8
SENT_IN_A_RUN = 16
"""By each side."""


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "tests.client.killed", *arguments]
    root = Path(__file__).parents[2]
    process = await anyio.open_process(command, cwd=root, stdout=None, stderr=None)
    async with process:
        yield process


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def say(bob: Im, texts: list[str]) -> None:
    for text in texts:
        await bob.messages.send(ANN, text)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_killed_at_any_instant(tmp_path: Path) -> None:
    chance = random.Random(20)
    store, log = tmp_path / "ann.db", tmp_path / "log"
    said: list[str] = []
    async with house(tmp_path) as at, at.connect("bob") as bob:
        token = Accounts({KEY: SECRET}).issue(KEY, "ann", now=time.time(), lifetime=600)
        for run in range(KILLS + 1):
            texts = [str(len(said) + number) for number in range(SENT_IN_A_RUN)]
            if run == KILLS:
                texts.append(LAST)
            said += texts
            half = SENT_IN_A_RUN // 2
            await say(bob, texts[:half])
            sends = str((run + 1) * SENT_IN_A_RUN)
            backend = ("asyncio", "trio")[run % 2]
            before = len(lines(log))
            async with (
                program(backend, at.url, token, str(store), str(log), sends) as ann,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(say, bob, texts[half:])
                if run == KILLS:
                    assert await ann.wait() == 0
                    continue
                seen = before + 1 + chance.randrange(SENT_IN_A_RUN)
                await until(lambda seen=seen: len(lines(log)) >= seen)  # type: ignore[misc]
                await anyio.sleep(chance.random() / 50)
                ann.kill()
                assert await ann.wait() == -signal.SIGKILL

        got = [(await anext(aiter(bob.messages))).text for _ in range((KILLS + 1) * SENT_IN_A_RUN)]
        truth = [message async for message in bob.messages.history(ANN, after=0, page=100)]

    assert got == [str(number) for number in range((KILLS + 1) * SENT_IN_A_RUN)]
    assert len(truth) == len(said) + len(got)
    check_what_the_loop_saw(lines(log), said)

    kept = SqliteStore(store)
    kept.open()
    with kept.transaction():
        own = kept.page(BOB, before=None, count=1000)[::-1]
        assert kept.waiting() == []
    kept.close()
    assert [each.raw.uid for each in own] == [message.uid for message in truth]
    assert [each.raw.time for each in own] == [message.time for message in truth]
    assert [each.raw.content for each in own] == [message.raw.content for message in truth]


def check_what_the_loop_saw(log: list[str], said: list[str]) -> None:
    """Everything, in its order; after a kill again what it had not asked to go on from, no more."""
    place = {text: number for number, text in enumerate(said)}
    next_new = 0
    runs: list[list[int]] = []
    for line in log:
        if line == "run":
            runs.append([])
        else:
            runs[-1].append(place[line])
    for run in runs:
        if not run:
            continue
        assert run == list(range(run[0], run[0] + len(run)))
        assert run[0] <= next_new
        next_new = run[-1] + 1
    assert len(runs) == KILLS + 1
    assert next_new == len(said)
