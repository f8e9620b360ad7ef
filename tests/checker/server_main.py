"""A server that a test can kill, lie to about the time, and interrupt when it speaks.

``python -m tests.checker.server_main`` reads one JSON object a line and answers each with one:

* ``{"start": {...}}``, the fields of :class:`Start`: a server process begins; the answer has
  its ``port``.
* ``{"kill": null}``: it gets SIGKILL; the answer comes when it is gone.
* ``{"clock": 60000}``: from now on its clock is this many milliseconds ahead of the machine's.
* ``{"garble": 0.5}``: from now on this share of what it tells its clients is lost or doubled.

The server itself is the one that ``improto serve`` runs, in a process forked from this one,
because to import everything takes longer than a round may. Clock and losses are in memory that
both share, so they hold at once, and for the next server, too.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
import time
import traceback
from random import Random
from signal import SIGKILL
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec

from improto.operations import Topic
from improto.server import ServerConnection
from improto_server.app import Application
from improto_server.config import load
from improto_server.services.groups import Groups
from improto_server.steps import start as start_steps

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from improto.events import Offered
    from improto.frames import TimeMs

APP: Final = "app"
SECRET: Final = "known-to-the-operator-of-the-app-and-to-nobody-else"


_HOW_OFTEN: Final = {Topic.S_NTF: 0, Topic.S_MSG: 2}
"""How often a frame leaves when it is garbled."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve."""

    store: str
    """Path of the database."""
    port: int
    backend: str
    pull_messages: int
    groups: dict[str, tuple[str, ...]]
    """Ids of the groups that there shall be, and their members; the first one is the owner."""
    seed: int
    """Chooses what is garbled."""


class _Circumstances(ctypes.Structure):
    """What the test decides while the server runs."""

    _fields_ = (("clock_offset", ctypes.c_int64), ("garbled_share", ctypes.c_double))


class Parent:
    """The process that starts servers and kills them."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, ctypes.sizeof(_Circumstances))
        self._circumstances = _Circumstances.from_buffer(memory)
        self._pid: int | None = None
        # Nothing is ever written to it. Its end in the server's hands ends with this process.
        self._life_line = os.pipe()

    def run(self) -> None:
        """Obey until the input ends."""
        try:
            for line in sys.stdin:
                ((command, argument),) = json.loads(line).items()
                _say(getattr(self, f"_{command}")(argument))
        finally:
            self._kill(None)

    def _start(self, fields: dict[str, Any]) -> dict[str, Any]:
        start = msgspec.convert(fields, Start)
        told, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(told)
            os.close(self._life_line[1])
            try:
                serve(start, self._circumstances, life_line=self._life_line[0], tell=tell)
            except BaseException:
                traceback.print_exc()
            # Nothing of what the parent still has to do is this process' business.
            os._exit(0)
        os.close(tell)
        with open(told) as answer:
            return {"port": int(answer.read() or 0)}

    def _kill(self, _: None) -> dict[str, Any]:
        if self._pid is not None:
            os.kill(self._pid, SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
        return {}

    def _clock(self, milliseconds: int) -> dict[str, Any]:
        self._circumstances.clock_offset = milliseconds
        return {}

    def _garble(self, share: float) -> dict[str, Any]:
        self._circumstances.garbled_share = share
        return {}


def serve(start: Start, circumstances: _Circumstances, *, life_line: int, tell: int) -> None:
    """Be the server: write the port to ``tell`` when it listens, and go on until killed."""
    _set_clock(circumstances)
    _garble(circumstances, Random(start.seed))
    anyio.run(_serve, start, life_line, tell, backend=start.backend)


async def _serve(start: Start, life_line: int, tell: int) -> None:
    settings = load(
        environment={},
        overrides={
            "apps": [{"key": APP, "secret": SECRET}],
            "gateway.backend": start.backend,
            "gateway.port": start.port,
            "limits.pull_messages": start.pull_messages,
            "messages.rate": 0,
            "store.url": f"sqlite:///{start.store}",
        },
    )
    application = Application(settings)
    groups = Groups(application.system.rosters)
    async with application.listening() as (url,):
        for group_id, (owner, *members) in start.groups.items():
            made = groups.create(APP, group_id, owner=owner, members=members, name=group_id)
            await _result(made)
        os.write(tell, url.rsplit(":", 1)[1].encode())
        os.close(tell)
        await anyio.wait_readable(life_line)


async def _result(steps: Coroutine[Any, Any, object]) -> None:
    """Wait until a service function is done; raises what it raised."""
    is_done = anyio.Event()
    results: list[object] = []

    def done(result: object) -> None:
        results.append(result)
        is_done.set()

    start_steps(steps, done)
    await is_done.wait()
    if isinstance(results[0], Exception):
        raise results[0]


def _set_clock(circumstances: _Circumstances) -> None:
    true_time = time.time_ns

    def time_ns() -> int:
        return true_time() + circumstances.clock_offset * 1_000_000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def _garble(circumstances: _Circumstances, random: Random) -> None:
    """Spoil what the server tells its clients, one in so many times.

    A notification is lost: the frame, after the server has noted that it was sent. A direct push
    comes twice, or becomes a notification; lost it cannot be, because a push lost in front of
    another would lose the message by the rules of the protocol (session 8.5).
    """
    offer, publish = ServerConnection.offer, ServerConnection._publish

    def is_garbled() -> bool:
        return random.random() < circumstances.garbled_share

    def garbled_offer(self: ServerConnection, item: bytes, *, time: TimeMs, now: float) -> Offered:
        if is_garbled():
            return self.notify(time, now=now)
        return offer(self, item, time=time, now=now)

    def garbled_publish(
        self: ServerConnection, topic: Topic, payload: bytes, **options: Any
    ) -> None:
        times = 1
        if topic in _HOW_OFTEN and is_garbled():
            times = _HOW_OFTEN[topic]
        for _ in range(times):
            publish(self, topic, payload, **options)

    ServerConnection.offer = garbled_offer  # type: ignore[method-assign]
    ServerConnection._publish = garbled_publish  # type: ignore[method-assign]


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    Parent().run()
