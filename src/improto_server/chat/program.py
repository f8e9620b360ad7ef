"""Puts a chat together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import improto_asyncio
from improto.session import ClientSession
from improto_server.chat.inputs import (
    Mistake,
    Quit,
    Say,
    ShowHelp,
    ShowHistory,
    ShowWho,
    TalkTo,
    understand,
)
from improto_server.chat.link import Link
from improto_server.chat.memory import StateError, StateFile
from improto_server.chat.painting import Painter
from improto_server.chat.plain import PlainScreen
from improto_server.chat.terminal import TerminalScreen
from improto_server.chat.view import View
from improto_server.chat.wording import counted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from improto_server.chat.inputs import Action
    from improto_server.chat.link import Connect
    from improto_server.chat.settings import ChatSettings
    from improto_server.chat.view import Line

PATIENCE: Final = 10.0
"""Seconds in which a chat without a terminal sends and receives what is left at its end."""

SHORT_PATIENCE: Final = 1.0
"""Seconds that a person waits for the last message to be sent."""

SAVE_AFTER: Final = 0.2
"""Seconds in which changes of the session gather before it is written."""

_UNIQUE_ID_BITS: Final = 62
"""Below 2**63, and so many that no two are ever the same."""

_FAREWELLS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Screen(Protocol):
    """Where lines are shown and typed."""

    @property
    def is_interactive(self) -> bool:
        """True if a person sits there, who types on while something is under way."""

    def show(self, line: Line) -> None:
        """Show a line."""

    def refresh(self) -> None:
        """The view has changed."""

    def inputs(self, view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        """What was typed; ``typing`` is told what stands there while it is typed."""

    async def finish(self) -> None:
        """Show what is not shown yet; the last call."""


class Keeper:
    """Writes the session to its file, if there is one, soon after each change."""

    def __init__(self, file: StateFile | None, session: ClientSession, view: View) -> None:
        self.file = file
        self._session = session
        self._view = view
        self._timer: asyncio.TimerHandle | None = None
        self._has_failed = False

    def changed(self) -> None:
        """The session is not what is in the file."""
        if self.file is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SAVE_AFTER, self.save)

    def save(self) -> None:
        """Write now what has changed. A failure is shown once; the next change tries again."""
        if self.file is None or self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        try:
            self.file.save(self._session)
        except StateError as error:
            if not self._has_failed:
                self._view.error(str(error))
            self._has_failed = True
        else:
            self._has_failed = False


class Chat:
    """One run of the program on a screen."""

    def __init__(self, settings: ChatSettings, screen: Screen, *, connect: Connect) -> None:
        self._screen = screen
        file = session = None
        if settings.state is not None:
            file = StateFile(settings.state, app_key=settings.app_key)
            session = file.load()
        self._session = session or ClientSession()
        self._view = View(
            server=settings.address,
            user=settings.user or self._session.user_id,
            peer=settings.peer,
            show=screen.show,
            changed=screen.refresh,
        )
        self._keeper = Keeper(file, self._session, self._view)
        self._make_link = partial(
            Link,
            settings,
            self._session,
            self._view,
            connect=connect,
            jitter=random.uniform,
            make_id=partial(secrets.randbits, _UNIQUE_ID_BITS),
            keep=self._keeper.changed,
            sends_receipts=screen.is_interactive,
        )

    async def run(self) -> int:
        """Chat until the person leaves or the server ends it; returns the exit status."""
        async with asyncio.TaskGroup() as tasks:
            link = self._make_link(tasks=tasks)
            talking = tasks.create_task(self._talk(link, tasks))
            tasks.create_task(link.run()).add_done_callback(lambda _: talking.cancel())
            with _farewells(talking.cancel):
                await asyncio.wait({talking})
            await link.leave()
        self._keeper.save()
        status = self._say_goodbye(link)
        await self._screen.finish()
        return status

    async def _talk(self, link: Link, tasks: asyncio.TaskGroup) -> None:
        """Do what is typed, then wait for what is under way."""
        screen, view = self._screen, self._view
        under_way: set[asyncio.Task[None]] = set()

        def typing(text: str) -> None:
            if view.peer is not None and isinstance(understand(text), Say):
                link.typing(view.peer)

        if not screen.is_interactive:
            # What a program has to say can wait in its pipe; the outbox has an end.
            await link.begin()
        async with contextlib.aclosing(screen.inputs(view, typing)) as inputs:
            async for text in inputs:
                action = understand(text)
                if isinstance(action, Quit):
                    break
                if action is not None:
                    doing = tasks.create_task(self._do(action, link))
                    under_way.add(doing)
                    doing.add_done_callback(under_way.discard)
                    if not screen.is_interactive:
                        await doing
        if under_way:
            await asyncio.wait(under_way, timeout=SHORT_PATIENCE)
        if not screen.is_interactive:
            await link.settle(PATIENCE)

    async def _do(self, action: Action, link: Link) -> None:
        view = self._view
        match action:
            case Say() | ShowHistory():
                await self._do_with(view.peer, action, link)
            case TalkTo():
                view.talk_to(action.peer)
            case ShowWho():
                view.who()
            case ShowHelp():
                view.help()
            case Mistake():
                view.error(action.hint)

    async def _do_with(self, peer: str | None, action: Say | ShowHistory, link: Link) -> None:
        if peer is None:
            self._view.error("whom to? /to USER")
        elif isinstance(action, Say):
            await link.say(peer, action.text)
        else:
            await link.show_history(peer, action.count)

    def _say_goodbye(self, link: Link) -> int:
        """The last lines, and the exit status."""
        view = self._view
        if link.ending is not None:
            view.error(link.ending)
        if view.waiting:
            fate = "lost" if self._keeper.file is None else f"kept in {self._keeper.file.path}"
            view.error(f"{counted(len(view.waiting), 'message')} not sent, {fate}")
        # A person has seen what was refused, and may have said it again in other words.
        has_failed = view.refusals > 0 and not self._screen.is_interactive
        is_well = link.was_online and link.ending is None and not view.waiting and not has_failed
        return 0 if is_well else 1


@contextlib.contextmanager
def _farewells(leave: Callable[[], object]) -> Iterator[None]:
    """Call ``leave`` when the system wants the program to end, or the person does."""
    loop = asyncio.get_running_loop()
    for number in _FAREWELLS:
        loop.add_signal_handler(number, leave)
    try:
        yield
    finally:
        for number in _FAREWELLS:
            loop.remove_signal_handler(number)


def run(settings: ChatSettings) -> int:
    """Chat until the person leaves or the server ends it.

    Returns the exit status: 0 if all went well; 1 if there never was a connection, if the server
    has ended it, if something is not sent, or if the state file is of no use.
    """
    try:
        return asyncio.run(_run(settings))
    except StateError as error:
        print(f"improto: {error}", file=sys.stderr)
        return 1


async def _run(settings: ChatSettings) -> int:
    painter = Painter(now=time.time)
    screen: Screen
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if is_terminal and os.environ.get("TERM", "dumb") != "dumb":
        screen = TerminalScreen(painter)
    else:
        screen = PlainScreen(painter, source=sys.stdin.fileno(), out=sys.stdout, err=sys.stderr)
    return await Chat(settings, screen, connect=improto_asyncio.connect).run()
