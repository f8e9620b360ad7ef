"""A PUBACK is a promise: the server is killed in the middle of things, again and again.

Each round a server process serves users who all send at once, until it gets SIGKILL after a
random while. The next process opens what the last one has left, and is asked what became of
every message:

* what was acknowledged is delivered, exactly once and in the order of its sender;
* what was not, is sent again by its sender's session, and not doubled if it was stored after all.

The users are of two kinds, because a message takes two ways. *Talkers* are connected when the
server dies; *listeners* come only afterwards and pull.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from random import Random
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

import pytest

from improto.codes import ConversationType
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CaughtUp, ConnectionClosed
from improto.messages import Conversation, compose
from improto.session import ClientSession
from improto_asyncio import connect
from improto_server.services.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from improto_asyncio import Client

ROUNDS: Final = 50
SEED: Final = int(os.environ.get("IMPROTO_KILL_SEED", "20221"))
"""Of the moments of death; not of what the processes do until then."""

TALKERS: Final = ("ann", "ben", "cleo")
LISTENERS: Final = ("lea", "max")

WINDOW: Final = 8
"""Messages that a talker has on their way at any time."""

LONGEST_LIFE: Final = 0.15
"""Seconds from the first acknowledgement; enough for a few dozen batches of the store."""

PATIENCE: Final = 20.0
"""Seconds for anything that cannot fail."""

APP: Final = "app"
SECRET: Final = "known-to-the-operator-of-the-app-and-to-nobody-else"

PARENT: Final = """
import os
import sys
from improto_server.commands import application
while sys.stdin.readline():
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        application(["serve"])
    os.waitpid(child, 0)
    print("dead", flush=True)
"""
"""``improto serve`` for each line that it reads. What takes most of the time, to import
everything, happens only once."""


class Servers:
    """One server process after the other, on the same store."""

    def __init__(self, parent: asyncio.subprocess.Process) -> None:
        self._parent = parent
        self._pid: int | None = None

    async def start(self) -> int:
        """Start the next one; returns its port."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(b"\n")
        self._pid = int(await self._line())
        line = await self._line()
        assert "listening" in line, f"the server does not start, it says {line!r}"
        return int(line.split(":")[-1].split()[0])

    async def kill(self) -> None:
        """End it as a power cut would; harmless if there is none."""
        if self._pid is not None:
            os.kill(self._pid, SIGKILL)
            self._pid = None
            assert await self._line() == "dead"

    async def _line(self) -> str:
        assert self._parent.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._parent.stdout.readline()).decode().strip()


@asynccontextmanager
async def servers(store: Path) -> AsyncIterator[Servers]:
    """Servers for one block, which may leave one running."""
    settings = {
        "IMPROTO_APPS": f"{APP}:{SECRET}",
        "IMPROTO_GATEWAY_PORT": "0",
        "IMPROTO_MESSAGES_RATE": "0",
        "IMPROTO_STORE_URL": f"sqlite:///{store}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=store.parent,
        env={**os.environ, **settings},
    )
    lives = Servers(parent)
    try:
        yield lives
    finally:
        await lives.kill()
        parent.kill()
        await parent.wait()


class User:
    """Somebody with a session that outlives all servers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: dict[str, int] = defaultdict(int)
        """How many messages were written, by receiver; they are numbered from 1."""
        self.received: dict[str, list[int]] = defaultdict(list)
        """The numbers of the messages that came, by sender."""
        self.acknowledged: dict[str, int] = defaultdict(int)
        """The highest number that the server said it has, by receiver."""
        self._session = ClientSession()
        self._last_unique_id = 0
        accounts = Accounts({APP: SECRET})
        self._token = accounts.issue(APP, name, now=time.time(), lifetime=3600)

    @asynccontextmanager
    async def online(self, port: int) -> AsyncIterator[Client]:
        """Be connected and read, until the block or the connection ends."""
        async with connect(
            "127.0.0.1", port, app_key=APP, token=self._token, session=self._session
        ) as client:
            reading = asyncio.create_task(self._read(client))
            yield client
            await client.aclose()
            await reading

    async def come_in(self, port: int) -> None:
        """Pull everything, and send again what has no acknowledgement; then leave."""
        async with self.online(port) as client, asyncio.timeout(PATIENCE):
            is_up_to_date = False
            async for event in client.events():
                assert not isinstance(event, ConnectionClosed)
                is_up_to_date |= isinstance(event, CaughtUp) and event.room_id is None
                if is_up_to_date and not self._session.outbox:
                    break

    async def talk(self, client: Client, target: str, heard: asyncio.Event) -> None:
        """Write one message after the other until the server is gone.

        ``heard`` is set when the server has acknowledged one.
        """
        while True:
            self.sent[target] = number = self.sent[target] + 1
            self._last_unique_id += 1
            message = compose(
                Conversation(type=ConversationType.PRIVATE, target_id=target),
                Text(str(number)),
                unique_id=self._last_unique_id,
            )
            try:
                await client.publish(message)
            except ConnectionEnded:
                if message.unique_id not in self._session.outbox:
                    # It was still waiting for its turn and will never be sent.
                    self.sent[target] -= 1
                return
            self.acknowledged[target] = max(self.acknowledged[target], number)
            heard.set()

    async def _read(self, client: Client) -> None:
        async for message in client.messages():
            content = message.decoded()
            assert isinstance(content, Text)
            self.received[message.sender_id].append(int(content.content))


def check(senders: list[User], receivers: list[User]) -> None:
    """Nothing acknowledged is missing, nothing is doubled, nothing has overtaken."""
    for sender in senders:
        for receiver in receivers:
            numbers = receiver.received[sender.name]
            way = f"from {sender.name} to {receiver.name}"
            assert numbers == list(range(1, len(numbers) + 1)), way
            assert len(numbers) >= sender.acknowledged[receiver.name], f"lost {way}"


async def live(user: User, port: int, heard: asyncio.Event) -> None:
    """Talk to all others at once until the server is gone."""
    targets = [name for name in (*TALKERS, *LISTENERS) if name != user.name]
    async with user.online(port) as client:
        await asyncio.gather(
            *(user.talk(client, targets[slot % len(targets)], heard) for slot in range(WINDOW))
        )


async def live_and_die(lives: Servers, port: int, talkers: list[User], *, delay: float) -> None:
    """Everybody talks; ``delay`` seconds after the first acknowledgement the server is killed."""
    heard = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for user in talkers:
            tasks.create_task(live(user, port, heard))
        await heard.wait()
        await asyncio.sleep(delay)
        await lives.kill()


async def all_lives(store: Path) -> int:
    """Returns how many messages were written."""
    random = Random(SEED)
    talkers = [User(name) for name in TALKERS]
    listeners = [User(name) for name in LISTENERS]
    everybody = [*listeners, *talkers]
    async with servers(store) as lives:
        for number in range(ROUNDS):
            port = await lives.start()
            # In every second round the talkers send again in peace, in the others while all talk.
            visitors = everybody if number % 2 else listeners
            for user in visitors:
                await user.come_in(port)
            check(talkers, visitors)
            await live_and_die(lives, port, talkers, delay=random.uniform(0, LONGEST_LIFE))
        port = await lives.start()
        # Twice, because the last to come may have something to send to the first.
        for user in everybody * 2:
            await user.come_in(port)
    check(talkers, everybody)
    for sender in talkers:
        for receiver in everybody:
            assert len(receiver.received[sender.name]) == sender.sent[receiver.name]
    return sum(sum(user.sent.values()) for user in talkers)


@pytest.mark.slow
def test_acknowledged_messages_survive_sigkill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    messages = asyncio.run(all_lives(tmp_path / "messages.db"))
    seconds = time.monotonic() - begin
    with capsys.disabled():
        print(f"\nseed {SEED}: {ROUNDS} kills, {messages} messages, {seconds:.0f} s", end="")
    assert messages > ROUNDS * len(TALKERS) * WINDOW
