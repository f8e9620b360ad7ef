"""A chat without a terminal: a line in is a message, a message is a line out.

What is said goes to standard output, everything else (notices, errors, what still waits) to
standard error, so that a program can read the one and a person the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final, TextIO

from improto_server.chat.lines import Tone

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from improto_server.chat.lines import Line
    from improto_server.chat.painting import Painter
    from improto_server.chat.view import View

_LINES_AHEAD: Final = 64
"""Lines read before they are wanted."""

_PREFIXES: Final = {Tone.WAITING: "(waiting) ", Tone.NOTICE: "* ", Tone.ERROR: "! "}
"""Of the lines that go to standard error."""


class PlainScreen:
    """Reads the file descriptor ``source``, writes to ``out`` and ``err``."""

    is_interactive = False

    def __init__(self, painter: Painter, *, source: int, out: TextIO, err: TextIO) -> None:
        self._painter = painter
        self._source = source
        self._out = out
        self._err = err
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(_LINES_AHEAD)
        self._is_broken = False

    def show(self, line: Line) -> None:
        """Write a line."""
        prefix = _PREFIXES.get(line.tone)
        file = self._out if prefix is None else self._err
        try:
            file.write(f"{prefix or ''}{self._painter.plain(line)}\n")
            file.flush()
        except BrokenPipeError:
            if file is self._out:
                # Nobody reads what is said: that is the end of the conversation.
                self._is_broken = True
                self._end()

    def refresh(self) -> None:
        """Nothing here is drawn twice."""

    async def inputs(self, view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        """What is to be said, line by line, until the source ends."""
        loop = asyncio.get_running_loop()
        # A daemon, because a blocked read cannot be interrupted.
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()
        while (line := await self._lines.get()) is not None:
            self._room.release()
            yield line

    def _end(self) -> None:
        """Let ``inputs`` end after the lines that have been read."""
        self._lines.put_nowait(None)

    async def finish(self) -> None:
        """Leave no unwritten text behind that Python would fail to write at its end."""
        if self._is_broken:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._out.fileno())
            os.close(nowhere)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread. It has a file object of its own: the end of Python closes ``sys.stdin``."""
        # The event loop may end before the source does, and the source with a terminal.
        with contextlib.suppress(RuntimeError):
            with contextlib.suppress(OSError):
                self._read_lines(loop)
            loop.call_soon_threadsafe(self._end)

    def _read_lines(self, loop: asyncio.AbstractEventLoop) -> None:
        with open(self._source, encoding="utf-8", errors="replace", closefd=False) as source:
            for line in source:
                self._room.acquire()
                loop.call_soon_threadsafe(self._lines.put_nowait, line.removesuffix("\n"))
