"""What Tab makes of a line: commands, conversations, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from improto_server.chat.inputs import COMMANDS
from improto_server.chat.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prompt_toolkit.completion import CompleteEvent

_ROOM = "room:"


class ChatCompleter(Completer):
    """``known`` gives conversations as they are typed."""

    def __init__(self, known: Callable[[], list[str]]) -> None:
        self._known = known
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """For prompt_toolkit."""
        text = document.text_before_cursor
        command, blank, argument = text.partition(" ")
        if not blank:
            yield from _matching(text, sorted(COMMANDS) if text.startswith("/") else ())
        elif command == "/to":
            yield from _matching(argument, self._typeable())
        elif command == "/join":
            rooms = (name for name in self._typeable() if name.startswith(_ROOM))
            yield from _matching(argument, [name.removeprefix(_ROOM) for name in rooms])
        elif command == "/send":
            yield from self._paths.get_completions(Document(argument), complete_event)

    def _typeable(self) -> list[str]:
        # Others choose their ids; what cannot be shown cannot be typed either.
        return [name for name in self._known() if printable(name) == name]


def _matching(begin: str, words: Iterable[str]) -> Iterable[Completion]:
    for word in words:
        if word.startswith(begin):
            yield Completion(word, start_position=-len(begin))
