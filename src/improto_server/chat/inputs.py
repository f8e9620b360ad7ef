"""What a line that somebody typed means."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

from improto_server.chat.printable import is_name

if TYPE_CHECKING:
    from collections.abc import Callable

HISTORY_COUNT: Final = 20
"""Messages that ``/history`` shows if it is not told."""

MOST_HISTORY: Final = 100
"""Servers give no more in one answer (operations 5)."""

HELP: Final = f"""\
/to USER      talk to USER from now on
/history [N]  show the last N messages with them (1 to {MOST_HISTORY}, else {HISTORY_COUNT})
/who          show who you are and whom you talk to
/quit         leave; so do Ctrl-C and Ctrl-D
//TEXT        send /TEXT as a message"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTo:
    """Talk to somebody else."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowHistory:
    """Show the last messages."""

    count: int = HISTORY_COUNT


@dataclass(frozen=True, slots=True)
class ShowWho:
    """Show who is talking."""


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """Show the commands."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Nothing of all this; ``hint`` says what was meant, perhaps."""

    hint: str


Action: TypeAlias = Say | TalkTo | ShowHistory | ShowWho | ShowHelp | Quit | Mistake


def understand(line: str) -> Action | None:
    """What to do about a line; None if it is blank."""
    if not line.strip():
        return None
    if not line.startswith("/"):
        return Say(text=line)
    if line.startswith("//"):
        return Say(text=line[1:])
    name, _, argument = line.strip().partition(" ")
    reader = COMMANDS.get(name)
    if reader is None:
        similar = get_close_matches(name, COMMANDS, n=1)
        advice = f"did you mean {similar[0]}?" if similar else "/help shows them all"
        return Mistake(hint=f"there is no command {name}; {advice}")
    return reader(argument.strip())


def _talk_to(argument: str) -> Action:
    if not argument:
        return Mistake(hint="whom to? /to USER")
    if not is_name(argument):
        return Mistake(hint=f"{argument!r} cannot be a user id")
    return TalkTo(peer=argument)


def _show_history(argument: str) -> Action:
    if not argument:
        return ShowHistory()
    # The length comes first: Python refuses to read numbers of thousands of digits.
    is_count = len(argument) <= len(str(MOST_HISTORY)) and argument.isdecimal()
    if not (is_count and 1 <= int(argument) <= MOST_HISTORY):
        return Mistake(hint=f"how many? /history N, with N from 1 to {MOST_HISTORY}")
    return ShowHistory(count=int(argument))


def _alone(action: Action) -> Callable[[str], Action]:
    return lambda argument: Mistake(hint=f"{argument!r} is too much") if argument else action


COMMANDS: Final[dict[str, Callable[[str], Action]]] = {
    "/to": _talk_to,
    "/history": _show_history,
    "/who": _alone(ShowWho()),
    "/help": _alone(ShowHelp()),
    "/quit": _alone(Quit()),
}
"""By name; each takes the rest of the line."""
