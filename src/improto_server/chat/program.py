"""Puts a chat together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, Protocol

from improto_server.chat.inputs import Quit, Say, understand
from improto_server.chat.link import Link
from improto_server.chat.painting import Painter
from improto_server.chat.plain import PlainScreen
from improto_server.chat.requests import Requests
from improto_server.chat.running import FAILURE, SUCCESS, perform
from improto_server.chat.targets import target_text
from improto_server.chat.terminal import TerminalScreen
from improto_server.chat.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from improto.messages import Conversation
    from improto_client import Im
    from improto_server.chat.access import Access
    from improto_server.chat.inputs import Action
    from improto_server.chat.lines import Line

PATIENCE: Final = 10.0
"""Seconds in which a chat without a terminal receives what is left at its end."""

SHORT_PATIENCE: Final = 1.0
"""Seconds that a person waits for the last message to be sent."""

_FAREWELLS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_MOST_COMPLAINTS: Final = 100
"""Different ones of the client library that are shown in one run. Ours."""


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


class Chat:
    """One run of the program on a screen."""

    def __init__(self, access: Access, screen: Screen, *, peer: Conversation | None) -> None:
        self._access = access
        self._screen = screen
        self._peer = peer

    async def run(self) -> int:
        """Chat until the person leaves or the server ends it; returns the exit status.

        Raises what :meth:`Access.connect` does.
        """
        async with self._access.connect() as im:
            return await self._converse(im)

    async def _converse(self, im: Im) -> int:
        screen = self._screen
        view = View(
            server=self._access.address,
            user=im.user_id,
            peer=self._peer,
            show=screen.show,
            changed=screen.refresh,
        )
        view.online()
        async with asyncio.TaskGroup() as tasks:
            link = Link(im, view, tasks=tasks, tells_reading=screen.is_interactive)
            talking = tasks.create_task(self._talk(im, view, link, tasks))
            living = tasks.create_task(link.run())
            living.add_done_callback(lambda _: talking.cancel())
            with _complaints(view), _farewells(talking.cancel):
                await asyncio.wait({talking})
            await im.disconnect()
        status = self._say_goodbye(view, link)
        await screen.finish()
        return status

    async def _talk(self, im: Im, view: View, link: Link, tasks: asyncio.TaskGroup) -> None:
        """Do what is typed, then wait for what is under way."""
        screen, requests = self._screen, Requests(im, view)
        under_way: set[asyncio.Task[None]] = set()

        def typing(text: str) -> None:
            if view.peer is not None and isinstance(understand(text), Say):
                link.typing(view.peer)

        async def do(action: Action) -> None:
            if isinstance(action, Say) and view.peer is not None:
                await link.say(view.peer, action.text)
            else:
                await requests.do(action)

        async with contextlib.aclosing(screen.inputs(view, typing)) as inputs:
            async for text in inputs:
                action = understand(text)
                if isinstance(action, Quit):
                    break
                if action is not None:
                    doing = tasks.create_task(do(action))
                    under_way.add(doing)
                    doing.add_done_callback(under_way.discard)
                    if not screen.is_interactive:
                        # What a program has to say can wait in its pipe.
                        await doing
        if under_way:
            await asyncio.wait(under_way, timeout=SHORT_PATIENCE)
        if not screen.is_interactive:
            await link.settle(PATIENCE)

    def _say_goodbye(self, view: View, link: Link) -> int:
        """The last lines, and the exit status."""
        if link.ending is not None:
            view.error(link.ending)
        for unsent in view.waiting.values():
            view.error(f"not sent to {target_text(unsent.target)}: {unsent.text}")
        # A person has seen what was refused, and may have said it again in other words.
        has_failed = view.refusals > 0 and not self._screen.is_interactive
        return FAILURE if link.ending is not None or view.waiting or has_failed else SUCCESS


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


class _Complaints(logging.Handler):
    """Shows what the client library logs, each text once: it would write over the prompt."""

    def __init__(self, view: View) -> None:
        super().__init__(logging.WARNING)
        self._view = view
        self._made: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._made and len(self._made) < _MOST_COMPLAINTS:
            self._made.add(text)
            self._view.error(text)


@contextlib.contextmanager
def _complaints(view: View) -> Iterator[None]:
    logger = logging.getLogger("improto_client")
    handler = _Complaints(view)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def run(access: Access, peer: Conversation | None) -> int:
    """Chat until the person leaves or the server ends it.

    Returns the exit status of :mod:`improto_server.chat.running`; 1 also if something is not sent
    or, without a terminal, was refused.
    """
    return perform(lambda: Chat(access, _screen(), peer=peer).run())


def _screen() -> Screen:
    painter = Painter(now=time.time)
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if is_terminal and os.environ.get("TERM", "dumb") != "dumb":
        return TerminalScreen(painter)
    return PlainScreen(painter, source=sys.stdin.fileno(), out=sys.stdout, err=sys.stderr)
