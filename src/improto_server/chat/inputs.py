"""What a line that somebody typed means."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from improto.messages import Conversation
from improto_server.chat.printable import is_name
from improto_server.chat.targets import read_target

if TYPE_CHECKING:
    from collections.abc import Callable

HISTORY_COUNT: Final = 20
"""Messages that ``/history`` shows if it is not told."""

MOST_HISTORY: Final = 100
"""Servers give no more in one answer (operations 5)."""

_LARGEST_NUMBER: Final = 999_999
"""Of a file or a conversation. Longer ones nobody types."""

HELP: Final = """\
/to TARGET    USER, group:ID, room:ID
/conversations  yours; pick: /to #1
/join ROOM    enter a chatroom
/leave        leave this chatroom
/history [N]  the last messages here
/more         those before them
/send FILE    send a file
/save N [AS]  download file #N
/recall       unsay your last one
/search TEXT  messages seen here
/who          who is there
/quit         leave; so does Ctrl-D
//TEXT        sends /TEXT"""
"""Fits into 40 columns together with what a notice has before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTo:
    """Talk to somebody else."""

    target: Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Talk in a conversation of the list that was shown last."""

    number: int


@dataclass(frozen=True, slots=True)
class ShowConversations:
    """Show the conversations with what is unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Enter a chatroom and talk there."""

    room: Conversation


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the chatroom in which we talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowHistory:
    """Show the last messages."""

    count: int = HISTORY_COUNT


@dataclass(frozen=True, slots=True)
class ShowMore:
    """Show the messages before those that were shown last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFile:
    """Send a file."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveFile:
    """Download the file of a message."""

    number: int
    path: Path | None = None
    """None: by its own name, here."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Take back the last message that we have sent here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Show messages with a text in them, of all conversations."""

    text: str


@dataclass(frozen=True, slots=True)
class ShowWho:
    """Show who is talking, and who is there."""


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """Show the commands."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave the chat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Nothing of all this; ``hint`` says what was meant, perhaps."""

    hint: str


Action: TypeAlias = (
    Say
    | TalkTo
    | Pick
    | ShowConversations
    | Join
    | Leave
    | ShowHistory
    | ShowMore
    | SendFile
    | SaveFile
    | Recall
    | Search
    | ShowWho
    | ShowHelp
    | Quit
    | Mistake
)


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
        return Mistake(hint="whom to? /to TARGET")
    if argument.startswith("#"):
        number = _number(argument[1:], most=_LARGEST_NUMBER)
        if number is None:
            return Mistake(hint="which one? /to #N, with a number that /conversations shows")
        return Pick(number=number)
    try:
        return TalkTo(target=read_target(argument))
    except ValueError as error:
        return Mistake(hint=str(error))


def _join(argument: str) -> Action:
    room_id = argument.removeprefix("room:")
    if not is_name(room_id):
        return Mistake(hint="which chatroom? /join ROOM")
    return Join(room=Conversation.chatroom(room_id))


def _show_history(argument: str) -> Action:
    if not argument:
        return ShowHistory()
    count = _number(argument, most=MOST_HISTORY)
    if count is None:
        return Mistake(hint=f"how many? /history N, with N from 1 to {MOST_HISTORY}")
    return ShowHistory(count=count)


def _send_file(argument: str) -> Action:
    return SendFile(path=_path(argument)) if argument else Mistake(hint="which file? /send FILE")


def _save_file(argument: str) -> Action:
    given, _, path = argument.partition(" ")
    number = _number(given.removeprefix("#"), most=_LARGEST_NUMBER)
    if number is None:
        return Mistake(hint="which file? /save N, with the number of its message")
    return SaveFile(number=number, path=_path(path.strip()) if path.strip() else None)


def _search(argument: str) -> Action:
    return Search(text=argument) if argument else Mistake(hint="for what? /search TEXT")


def _path(text: str) -> Path:
    # A "~" may stand for somebody whom nobody knows, and is a letter then.
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _number(text: str, *, most: int) -> int | None:
    """A number from 1 to ``most``."""
    # The length comes first: Python refuses to read numbers of thousands of digits.
    is_number = len(text) <= len(str(most)) and text.isdecimal()
    return int(text) if is_number and 1 <= int(text) <= most else None


def _alone(action: Action) -> Callable[[str], Action]:
    return lambda argument: Mistake(hint=f"{argument!r} is too much") if argument else action


COMMANDS: Final[dict[str, Callable[[str], Action]]] = {
    "/to": _talk_to,
    "/conversations": _alone(ShowConversations()),
    "/join": _join,
    "/leave": _alone(Leave()),
    "/history": _show_history,
    "/more": _alone(ShowMore()),
    "/send": _send_file,
    "/save": _save_file,
    "/recall": _alone(Recall()),
    "/search": _search,
    "/who": _alone(ShowWho()),
    "/help": _alone(ShowHelp()),
    "/quit": _alone(Quit()),
}
"""By name; each takes the rest of the line."""
