"""One round: everybody talks, things break, everybody comes to rest.

Eight programs run on two event loops in threads of their own. This thread is the fate: it
waits for the moments that the script names and does what it says. Then it takes back all that
it did, lets everybody settle, then look back, and hands out the history.
"""

from __future__ import annotations

import time
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final

from anyio.from_thread import start_blocking_portal

import improto_asyncio
import improto_trio
from improto.messages import Conversation
from improto_server.services.accounts import Accounts
from tests.checker.history import Begun, Event, Failed, Fault, Killed
from tests.checker.lives import Lives
from tests.checker.program import PATIENCE, Program
from tests.checker.proxy import Proxy
from tests.checker.rules import Promise, check
from tests.checker.script import (
    GROUPS,
    PAIRS,
    STATUS_SHARE,
    TROUBLE,
    USERS,
    Crash,
    Kill,
    Script,
    StepClock,
)
from tests.checker.server_main import APP, SECRET, Start

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from improto.session import ClientSession
    from improto_asyncio import Client
    from tests.checker.program import Connect

_ADAPTERS: Final = {"asyncio": improto_asyncio.connect, "trio": improto_trio.connect}

_DAY: Final = 24 * 60 * 60

LONGEST_NEWS: Final = 10.0
"""Seconds until who is connected must have been shown everything. With nothing lost and nothing
broken any more it takes milliseconds; it is below the 20 s after which servers tell again."""


class World:
    """What all rounds share, because it takes long to make: two event loops and a parent of
    servers. :meth:`open` makes it.
    """

    def __init__(self, lives: Lives, portals: dict[str, BlockingPortal]) -> None:
        self.lives = lives
        self.portals = portals

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator[World]:
        """For one block. What servers complain of is found in ``servers.log``."""
        with ExitStack() as stack:
            lives = stack.enter_context(Lives.open(directory / "servers.log"))
            portals = {loop: stack.enter_context(start_blocking_portal(loop)) for loop in _ADAPTERS}
            yield cls(lives, portals)


class Round:
    """One round in a world; ``store`` is where its servers keep their messages."""

    def __init__(self, world: World, script: Script, store: Path) -> None:
        self.events: list[Event] = []
        """The history."""
        self.cuts = 0
        """How many connections were cut."""
        self._world = world
        self._script = script
        self._store = store
        self._clock_offset = 0
        self._programs: dict[str, tuple[BlockingPortal, Program]] = {}

    def run(self) -> None:
        """Live through it. RuntimeError or TimeoutError if the checker itself does not work."""
        script, lives = self._script, self._world.lives
        note = self.events.append
        conversations = {**GROUPS, **{"+".join(pair): pair for pair in PAIRS}}
        note(Begun(seed=script.seed, conversations=conversations))
        cuts = script.cuts()
        proxy = Proxy(cuts.next)
        lives.set_clock(0)
        lives.garble(script.garbled_share)
        proxy.target_port = self._start(0)
        _, listening = self._world.portals["asyncio"].start_task(proxy.serve)
        try:
            self._make_programs(proxy.port)
            living = self._spawn(Program.live)
            self._let_it_happen(proxy)
            note(Fault(what="peace from here on"))
            cuts.stop()
            lives.garble(0.0)
            self._call(Program.calm_down)
            if not script.garbled_share:
                self._await_news()
            self._call(Program.leave)
            join(living)
            # Twice, because the last to settle may have had something to send to the first.
            join(self._spawn(Program.settle))
            join(self._spawn(Program.look_back))
        except BaseException:
            # The programs must not live on in a world that has other rounds before it.
            self._call(Program.leave)
            self._call(Program.crash)
            raise
        finally:
            self._world.portals["asyncio"].call(listening.cancel)
            lives.kill()
            self.cuts = proxy.cuts

    # -- the server ------------------------------------------------------------------

    def _start(self, port: int) -> int:
        script = self._script
        return self._world.lives.start(
            Start(
                store=str(self._store),
                port=port,
                backend=script.backend,
                pull_messages=script.pull_messages,
                groups=GROUPS,
                seed=script.seed,
            )
        )

    # -- the clients -----------------------------------------------------------------

    def _make_programs(self, port: int) -> None:
        accounts = Accounts({APP: SECRET})
        for place, name in enumerate(USERS):
            loop = ("asyncio", "trio")[place % 2]
            # Good for a clock that is set forward and backward.
            token = accounts.issue(APP, name, now=time.time(), lifetime=_DAY)
            program = Program(
                name,
                connect=_connect(loop, port, token),
                conversations=_conversations(name),
                note=self.events.append,
                random=Random(f"{self._script.seed} {name}"),
                save_every=self._script.save_every,
                pause=self._script.pause,
                status_share=STATUS_SHARE,
            )
            self._programs[name] = (self._world.portals[loop], program)

    def _spawn(self, method: Callable[[Program], Coroutine[Any, Any, None]]) -> list[Future[None]]:
        return [
            portal.start_task_soon(method, program) for portal, program in self._programs.values()
        ]

    def _call(self, method: Callable[[Program], None]) -> None:
        for portal, program in self._programs.values():
            portal.call(method, program)

    def _await_news(self) -> None:
        """If nothing is garbled, nobody needs to come back to be shown everything."""
        deadline = time.monotonic() + LONGEST_NEWS
        while True:
            found = check(self.events[:])
            missing = [violation for violation in found if violation.promise is Promise.LOST]
            if not missing:
                return
            if time.monotonic() > deadline:
                self.events.append(Failed(who="server", what=f"told nobody: {missing[0].what}"))
                return
            time.sleep(0.02)

    # -- the faults ------------------------------------------------------------------

    def _let_it_happen(self, proxy: Proxy) -> None:
        begun = time.monotonic()
        for moment, fault in self._script.faults:
            _sleep_until(begun + moment)
            self._do(fault, proxy)
        _sleep_until(begun + TROUBLE)

    def _do(self, fault: Kill | StepClock | Crash, proxy: Proxy) -> None:
        self.events.append(Fault(what=str(fault)))
        match fault:
            case Kill():
                self.events.append(Killed())
                self._world.lives.kill()
                time.sleep(fault.down)
                self._start(proxy.target_port)
            case StepClock():
                self._clock_offset += fault.milliseconds
                self._world.lives.set_clock(self._clock_offset)
            case Crash():
                portal, program = self._programs[fault.user]
                portal.call(program.crash)


def _conversations(name: str) -> dict[Conversation, str]:
    """What a user takes part in, and what all others call it."""
    found = {Conversation.group(group): group for group in GROUPS if name in GROUPS[group]}
    for pair in PAIRS:
        if name in pair:
            (peer,) = (other for other in pair if other != name)
            found[Conversation.private(peer)] = "+".join(pair)
    return found


def _connect(loop: str, port: int, token: str) -> Connect:
    def connect(session: ClientSession) -> AbstractAsyncContextManager[Client]:
        return _ADAPTERS[loop]("127.0.0.1", port, app_key=APP, token=token, session=session)

    return connect


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def join(tasks: list[Future[None]]) -> None:
    """Wait for all. Raises what one of them raised, or TimeoutError."""
    _, late = wait(tasks, timeout=2 * PATIENCE)
    if late:
        raise TimeoutError(f"{len(late)} clients do not come to an end")
    for task in tasks:
        task.result()
