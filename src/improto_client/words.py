"""What of a message is looked into by searches, and the form in which every store takes texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import contents
from improto.contents import BaseContent

if TYPE_CHECKING:
    from improto.contents import Content

SEARCHED: Final = 4000
"""Characters of a message that searches look into. Ours; a screen has fewer."""

_WORDS: Final = ("content", "title", "name", "message", "poi", "summary_list")
_WORDLESS: Final = (contents.Image, contents.Voice, contents.ShortVideo)
"""Their ``content`` is a picture or a sound."""


def searched(content: Content) -> str:
    """The words of a message that searches look into."""
    if not isinstance(content, BaseContent):
        return ""
    found: list[str] = []
    for name in _WORDS if not isinstance(content, _WORDLESS) else _WORDS[1:]:
        value = getattr(content, name, None)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(each for each in value if isinstance(each, str))
    return clean("\n".join(found))[:SEARCHED]


def clean(text: str) -> str:
    """Text that every store takes: programs have halves of characters, JSON has zeros."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
