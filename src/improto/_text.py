"""Text inside frames, which is not UTF-8 (wire 3).

The SDKs write each UTF-16 code unit by itself, as CESU-8 does, so a character outside the
basic plane takes six bytes. They read four-byte UTF-8 as well, and never fail. Text inside
payloads is plain UTF-8 and does not come here.
"""

from __future__ import annotations

import codecs
import struct
from typing import Final

_SURROGATES: Final = "improto.surrogates"


def _surrogate_or_replacement(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    half = error.object[error.start : error.start + 3]
    try:
        return half.decode("utf-8", "surrogatepass"), error.start + 3
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}", error.end


codecs.register_error(_SURROGATES, _surrogate_or_replacement)


def encode_text(text: str) -> bytes:
    """The bytes of a ``str`` field, without its length (wire 3).

    Each UTF-16 code unit is written by itself, so a character outside the basic plane
    takes six bytes, as two halves. All other text comes out as UTF-8.
    """
    if text.isascii():
        return text.encode()
    units = text.encode("utf-16-be", "surrogatepass")
    halves = "".join(map(chr, struct.unpack(f">{len(units) // 2}H", units)))
    return halves.encode("utf-8", "surrogatepass")


def decode_text(data: bytes) -> str:
    """The text of a ``str`` field, never an error (wire 3; wire 7, rule 4).

    Pairs of halves and four-byte UTF-8 both become one character. A half without its
    other half stays as it is: such text cannot be encoded as strict UTF-8. Bytes that
    are neither become U+FFFD.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        halves = data.decode("utf-8", _SURROGATES)
        return halves.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")
