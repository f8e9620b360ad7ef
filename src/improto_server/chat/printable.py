"""Text from elsewhere, made safe for a terminal.

A terminal obeys what it is told to print: a message with escape sequences could repaint the
screen, change the title, fill the clipboard. So everything that comes from the network passes
through here before it is shown: sequences are cut out whole, every other control character is
dropped, and so are the marks that turn the direction of writing and make one text look like
another. Emoji and all letters stay as they are.
"""

from __future__ import annotations

import re
from typing import Final

from improto.config import Limits

_SEQUENCE: Final = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]                             # CSI: colours, cursor
    | (?: \x1b[\]PX^_] | [\x9d\x90\x98\x9e\x9f] )                       # OSC, DCS, SOS, PM, APC:
      [^\x07\x1b\x90\x98\x9c-\x9f]* (?: \x07 | \x1b\\ | \x9c )           # title, clipboard, links
    | \x1b [ -/]* [0-~]                                                 # all others
    """,
    re.VERBOSE,
)
"""The body of the long ones ends where another one begins: a text full of beginnings would cost
the square of its length otherwise."""

_LINE_END: Final = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")

_UNSEEN: Final = re.compile(r"[\x00-\x09\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls other than the line feed, and the directional embeddings, overrides and isolates."""

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
"""JSON can name half a character; nothing can print it."""

_UNSAFE: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON allows in its texts and a terminal, or UTF-8, does not."""

_TAB_WIDTH: Final = 4


def printable(text: str) -> str:
    """The text without anything that a terminal would obey; lines end with ``\\n``."""
    text = _SEQUENCE.sub("", text)
    text = _LINE_END.sub("\n", text).replace("\t", " " * _TAB_WIDTH)
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub("", text))


def one_line(text: str) -> str:
    """Like :func:`printable`, with a space for every line end."""
    return printable(text).replace("\n", " ")


def escaped(json_text: str) -> str:
    """JSON in which what a terminal would obey is written with ``\\u``; it means the same."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def is_name(text: str) -> bool:
    """Whether this can be a user id: printable, no spaces, not too long for a frame (wire 7)."""
    return (
        bool(text)
        and not any(map(str.isspace, text))
        and printable(text) == text
        and len(text.encode()) <= Limits().string_bytes
    )
