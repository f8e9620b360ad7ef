"""A line as text: with colours for a terminal, without for everything else.

Whatever a line says becomes printable here, so no screen has to think of it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.style import Style
from rich.text import Text

from improto_server.chat.lines import Fate, Tone
from improto_server.chat.printable import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from improto_server.chat.lines import Line

_COLOURS: Final = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan")
"""Of people's names. Everybody keeps the same one, on every machine."""

_OWN: Final = Style(bold=True)
_FAINT: Final = Style(dim=True)
_STYLES: Final = {
    Tone.RECEIVED: Style.null(),
    Tone.SENT: Style.null(),
    Tone.PAST: _FAINT,
    Tone.WAITING: Style(dim=True, italic=True),
    Tone.NOTICE: _FAINT,
    Tone.ERROR: Style(color="red", bold=True),
}

_MARKS: Final = {Tone.NOTICE: "* ", Tone.ERROR: "! "}
"""Before what the program says; people do not, because their names come first."""

_CONTINUED: Final = "\n  \N{BOX DRAWINGS LIGHT VERTICAL} "
"""Before every further line of a text, so that none looks like a line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """Writes lines; ``now`` gives the seconds since 1970, ``zone`` None is the local time."""

    now: Callable[[], float]
    zone: tzinfo | None = None

    def rich(self, line: Line) -> Text:
        """For a terminal. Times are as short as they can be."""
        style = _STYLES[line.tone]
        painted = Text(style=style)
        if line.time is not None:
            painted.append(f"{self._short(line.time)} ", _FAINT)
        if line.speaker:
            is_own = line.tone in (Tone.SENT, Tone.WAITING)
            colour = Style(color=_colour(line.speaker), bold=True)
            painted.append(one_line(line.speaker), _OWN if is_own else colour)
            if line.target:
                painted.append(f" \N{RIGHTWARDS ARROW} {one_line(line.target)}", _FAINT)
            painted.append(": ")
        else:
            painted.append(_MARKS[line.tone])
        if line.number is not None:
            painted.append(f"#{line.number} ", _OWN)
        painted.append(printable(line.brief or line.text).replace("\n", _CONTINUED))
        if line.fate is not Fate.UNKNOWN:
            painted.append(f" {line.fate.value}", Style(color="green"))
        return painted

    def plain(self, line: Line) -> str:
        """For a file or a program: one line, whatever it says."""
        text = printable(line.text).replace("\n", "\\n")
        if line.speaker:
            target = f" -> {one_line(line.target)}" if line.target else ""
            text = f"{one_line(line.speaker)}{target}: {text}"
        if line.time is not None:
            text = f"{self._long(line.time)} {text}"
        return text

    def _short(self, time: int) -> str:
        """Time of day; with the date if that is not today."""
        then = self._local(time / 1000)
        today = self._local(self.now())
        if then is None or today is None:
            return "--:--"
        if then.date() == today.date():
            return f"{then:%H:%M}"
        return f"{then:%m-%d %H:%M}" if then.year == today.year else f"{then:%Y-%m-%d %H:%M}"

    def _long(self, time: int) -> str:
        then = self._local(time / 1000)
        return "-" if then is None else then.isoformat(timespec="seconds")

    def _local(self, seconds: float) -> datetime | None:
        try:
            return datetime.fromtimestamp(seconds, self.zone).astimezone(self.zone)
        except (OverflowError, ValueError, OSError):
            # A server may send any number.
            return None


def _colour(name: str) -> str:
    return _COLOURS[zlib.crc32(name.encode(errors="replace")) % len(_COLOURS)]
