"""Strict JSON for message contents.

A content is a JSON object in UTF-8 (messages 5) that comes from a stranger and is
read again by other programs. So what two readers could understand differently
(a member given twice, NaN, half a surrogate pair) is an error here, and whatever
:func:`parse` accepts, :func:`dump` can write.
"""

import json
import math
import re
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
else:
    # Declarations are read at run time, where a recursive type only gets in the way.
    JSON = object

MAX_DEPTH: Final = 100
"""Lists and objects inside each other, outermost included.

Ours, a tenth of CPython's recursion limit: with the bare limit, the same bytes would be
read or refused depending on how deep the caller's own stack is.
"""

MAX_DIGITS: Final = 310
"""Characters of a whole number, sign included: what the largest double needs (IEEE 754).

Readers that keep every number as a double, as the SDKs do, would see infinity beyond.
"""

_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]+")
_ASTRAL_LEAD: Final = re.compile(rb"[\xf0-\xff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a member twice")
    return members


_DECODER: Final = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
)
# Judges syntax only: numbers are never converted, so no number is too large.
_SYNTAX: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse(data: bytes) -> JSON:
    """Read a JSON text; ValueError says why it is none.

    UTF-8, and also UTF-8 with the halves of surrogate pairs encoded one by one,
    which the readers of all SDKs understand (wire 3).
    """
    text = _decode_text(data)
    try:
        value: JSON = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    _check_depth(value, text)
    if _SURROGATE_ESCAPE.search(text):
        _encode_text(_ENCODER.encode(value))
    return value


def dump(value: object) -> bytes:
    """Write a value as compact JSON, characters above ASCII as themselves.

    Raises ValueError for what JSON cannot say (NaN, half a surrogate pair, a value of
    another type) and for too deep nesting.
    """
    try:
        text = _ENCODER.encode(value)
    except TypeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    _check_depth(value, text)
    return _encode_text(text)


def escape_astral(data: bytes) -> bytes:
    r"""Write every 4-byte character of a JSON text as an escape pair like ``\ud83d\ude00``.

    SDKs before 2.6 read message contents over WebSocket with a decoder that garbles
    4-byte UTF-8 in silence, but understand the escapes (wire 3, item 4). All other bytes
    stay as they are, and so does data that is not JSON in UTF-8, or is nested so deeply
    that it cannot be checked.
    """
    if data.isascii() or _ASTRAL_LEAD.search(data) is None:
        return data
    try:
        text = data.decode()
        _SYNTAX.decode(text)
    except (ValueError, RecursionError):
        return data
    # Outside its strings JSON is pure ASCII, so each match stands inside a string.
    return _ASTRAL.sub(lambda match: json.dumps(match[0])[1:-1], text).encode()


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        halves = data.decode("utf-8", "surrogatepass")
        return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def _encode_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair") from None


def _check_depth(value: object, text: str) -> None:
    """Raise ValueError if ``value``, written as ``text``, is nested too deeply."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _containers(parent)]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def _containers(value: object) -> list[object]:
    """The objects and lists directly inside a value."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [child for child in value if isinstance(child, dict | list | tuple)]
