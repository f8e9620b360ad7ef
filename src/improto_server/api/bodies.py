"""Bodies of requests, as the official SDKs write them (rest 3).

A form is not quite what forms are elsewhere: one SDK encodes nothing, so a value may have raw
bytes, spaces and equals signs in it. Forms and JSON both become fields, so that nothing behind
this module has to know which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from improto_server.api.replies import Code, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_PAIRS: Final = 4096
"""In one form; a call has lists of at most 1000 (rest 5)."""

Fields: TypeAlias = "Mapping[str, list[str]]"
"""Values by name, in the order in which they came."""


def form(body: bytes) -> Fields:
    """The fields of a form. OUT_OF_RANGE: more than :data:`MOST_PAIRS`; INVALID: no UTF-8."""
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > MOST_PAIRS:
        raise RefusedError(Code.OUT_OF_RANGE, f"there are more than {MOST_PAIRS} parameters")
    fields: dict[str, list[str]] = {}
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        fields.setdefault(_text(name), []).append(_text(value))
    return fields


def json(body: bytes) -> Fields:
    """The fields of a JSON object; what is nested stays JSON text. INVALID: there is none."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RefusedError(Code.INVALID, "the body is no JSON object") from None
    return {name: _values(value) for name, value in found.items()}


def _text(encoded: bytes) -> str:
    try:
        return unquote_to_bytes(encoded.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise RefusedError(Code.INVALID, "the body is no UTF-8") from None


def _values(value: Any) -> list[str]:
    if isinstance(value, list):
        if len(value) > MOST_PAIRS:
            raise RefusedError(Code.OUT_OF_RANGE, f"a list has more than {MOST_PAIRS} items")
        return [_value(each) for each in value]
    return [] if value is None else [_value(value)]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
