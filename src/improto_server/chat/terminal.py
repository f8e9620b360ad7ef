"""A chat in a terminal: a prompt and a toolbar below, the conversation above.

What was said scrolls by like the output of any program, so it can be scrolled back, searched
and copied. Only the prompt, the messages that wait and the toolbar are drawn again.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import create_output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth
from rich.console import Console

from improto_server.chat.completion import ChatCompleter
from improto_server.chat.lines import Tone
from improto_server.chat.printable import one_line
from improto_server.chat.targets import target_text
from improto_server.chat.view import Mark

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from prompt_toolkit.application import Application
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output

    from improto_server.chat.lines import Line
    from improto_server.chat.painting import Painter
    from improto_server.chat.view import Transfer, View

_REDRAW_EVERY: Final = 1.0
"""Seconds: typing ends by itself."""

_WAITING_SHOWN: Final = 5
"""Messages not sent yet that are shown above the prompt."""

_BAR_COLUMNS: Final = 20
"""Of a file's bar, in a terminal of any width."""

_STYLE: Final = Style.from_dict(
    {
        "bottom-toolbar": "noreverse bg:#303030 #d0d0d0",
        "good": "bg:#303030 #87d787",
        "bad": "bg:#303030 #ffaf5f bold",
        "waiting": "italic #8a8a8a",
        "prompt": "bold",
    }
)
_CLASSES: Final = {Mark.PLAIN: "", Mark.GOOD: "class:good", Mark.BAD: "class:bad"}


class TerminalScreen:
    """Draws with prompt_toolkit and colours with rich. ``input`` and ``output`` are for tests."""

    is_interactive = True

    def __init__(
        self, painter: Painter, *, input: Input | None = None, output: Output | None = None
    ) -> None:
        self._painter = painter
        self._input = input
        self._output = output or create_output()
        self._console = Console(file=io.StringIO(), force_terminal=True)
        self._unshown: list[Line] = []
        self._showing: asyncio.Task[None] | None = None
        self._prompt: PromptSession[str] | None = None

    def show(self, line: Line) -> None:
        """Put a line above the prompt. One that waits is there already, see ``inputs``."""
        if line.tone is not Tone.WAITING:
            self._unshown.append(line)
            if self._showing is None:
                self._showing = asyncio.get_running_loop().create_task(self._show_all())

    def refresh(self) -> None:
        """Draw the prompt and the toolbar again."""
        if self._prompt is not None:
            self._prompt.app.invalidate()

    async def inputs(self, view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        """What was typed, until Ctrl-C or Ctrl-D."""
        self._prompt = prompt = self._make_prompt(view)
        typed: asyncio.Queue[str | None] = asyncio.Queue()

        def changed(buffer: Buffer) -> None:
            typing(buffer.text)

        def accept(buffer: Buffer) -> bool:
            typed.put_nowait(buffer.text)
            return False  # which empties the line; the prompt goes on

        prompt.default_buffer.on_text_changed += changed
        prompt.default_buffer.accept_handler = accept
        prompting = asyncio.create_task(prompt.prompt_async())
        prompting.add_done_callback(lambda _: typed.put_nowait(None))
        try:
            while (line := await typed.get()) is not None:
                yield line
        finally:
            prompting.cancel()
            with contextlib.suppress(EOFError, asyncio.CancelledError):
                await prompting

    async def finish(self) -> None:
        """Show what has not been shown yet."""
        if self._showing is not None:
            await self._showing

    # -- above the prompt ------------------------------------------------------------

    async def _show_all(self) -> None:
        while self._unshown:
            if (app := self._running_app()) is not None:
                # The terminal may still be telling where the prompt was before.
                await app.renderer.wait_for_cpr_responses()
            # All lines that have come meanwhile at once: the prompt is drawn again each time.
            lines, self._unshown = self._unshown, []
            self._write("".join(map(self._coloured, lines)))
        self._showing = None

    def _coloured(self, line: Line) -> str:
        with self._console.capture() as capture:
            self._console.print(self._painter.rich(line), soft_wrap=True)
        return capture.get()

    def _write(self, text: str) -> None:
        # prompt_toolkit's own way, run_in_terminal(), gives the terminal back to the system for a
        # moment. What is typed in this moment would be shown twice, and Ctrl-D would be lost.
        app = self._running_app()
        if app is not None:
            app.renderer.erase()
        self._output.write_raw(text.replace("\n", "\r\n"))
        self._output.flush()
        if app is not None:
            if not app.is_done and not app.key_processor.input_queue:
                app.renderer.request_absolute_cursor_position()
            app.invalidate()

    # -- the prompt ------------------------------------------------------------------

    def _running_app(self) -> Application[str] | None:
        app = None if self._prompt is None else self._prompt.app
        return app if app is not None and app.is_running else None

    def _make_prompt(self, view: View) -> PromptSession[str]:
        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        return PromptSession(
            message=lambda: [*self._above(view), ("class:prompt", view.prompt())],
            bottom_toolbar=lambda: self._toolbar(view),
            completer=ChatCompleter(lambda: view.known),
            complete_while_typing=False,
            erase_when_done=True,
            interrupt_exception=EOFError,
            key_bindings=keys,
            refresh_interval=_REDRAW_EVERY,
            style=_STYLE,
            input=self._input,
            output=self._output,
        )

    def _above(self, view: View) -> StyleAndTextTuples:
        waiting = list(view.waiting.values())
        shown = [
            f"(waiting) {target_text(unsent.target)}: {unsent.text}"
            for unsent in waiting[:_WAITING_SHOWN]
        ]
        if len(waiting) > _WAITING_SHOWN:
            shown.append(f"(waiting) and {len(waiting) - _WAITING_SHOWN} more")
        width = self._output.get_size().columns - 1
        drawn = [cut(one_line(text), width) for text in shown]
        drawn += [bar(transfer, width) for transfer in view.transfers.values()]
        return [("class:waiting", f"{text}\n") for text in drawn]

    def _toolbar(self, view: View) -> StyleAndTextTuples:
        fragments: StyleAndTextTuples = []
        for mark, text in view.toolbar(now=asyncio.get_running_loop().time()):
            fragments += [("", " | " if fragments else " "), (_CLASSES[mark], text)]
        return fragments


def cut(text: str, width: int) -> str:
    """As much of the text as fits into so many columns."""
    columns = end = 0
    for position, character in enumerate(text, 1):
        columns += get_cwidth(character)
        if columns > width:
            return f"{text[:end]}\N{HORIZONTAL ELLIPSIS}"
        if columns < width:
            end = position
    return text


def bar(transfer: Transfer, width: int) -> str:
    """How far a file is, in so many columns."""
    total = transfer.total
    if not total:
        return cut(f"{one_line(transfer.name)}: {transfer.done} bytes", width)
    done = min(transfer.done / total, 1.0)
    filled = round(done * _BAR_COLUMNS)
    drawn = "\N{FULL BLOCK}" * filled + "\N{LIGHT SHADE}" * (_BAR_COLUMNS - filled)
    end = f" {drawn} {done:4.0%}"
    return f"{cut(one_line(transfer.name), max(width - len(end), 1))}{end}"
