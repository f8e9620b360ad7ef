"""Payloads as long polling carries them: JSON instead of protobuf (http 5.6).

Keys are the schema's names, an int64 is a number, bytes are text. Rules:

* What is absent is left out, but a list is always there, because SDKs loop over it.
* Some fields have another name in some builds. Both are read, and both are written.
* Keys that nobody knows are skipped, as protobuf skips numbers that nobody knows. A value of the
  wrong type makes the payload unreadable.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from improto.errors import DecodeError
from improto.payloads import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=Message)

_OTHER_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "RtcUserListOutput": {"list": "users"},
    "MCFollowInput": {"id": "state"},
    "RelationInfo": {"busChannel": "channelId"},
    "GrpReadReceiptMsg": {"channelId": "busChannel"},
    "GrpReadReceiptQryReq": {"channelId": "busChannel"},
}
"""Message, field, and what some build calls it; the list at the top of the schema."""

_NONE: Final[Mapping[str, str]] = {}

_Field: TypeAlias = Any
"""A FieldDescriptor; each runtime of protobuf has a class of its own for them."""

_Descriptor: TypeAlias = Any
"""The Descriptor of a message, likewise."""

_INTEGERS: Final = frozenset({FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64})


def dump(value: object) -> str:
    """JSON text in the one form that SDKs compare with their own: compact, characters and no
    escapes (http 5.1)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(text: str | bytes) -> Any:
    """What a JSON text says. Raises DecodeError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"no JSON: {error}", offset=0) from error


def to_json(message: Message) -> dict[str, object]:
    """A payload as JSON values."""
    names = _OTHER_NAMES.get(message.DESCRIPTOR.name, _NONE)
    values: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        name = field.name
        if field.is_repeated:
            values[name] = [_to_json(field, item) for item in getattr(message, name)]
        elif message.HasField(name):
            values[name] = _to_json(field, getattr(message, name))
        else:
            continue
        if name in names:
            values[names[name]] = values[name]
    return values


def from_json(kind: type[M], values: object) -> M:
    """The inverse of :func:`to_json`.

    ``null`` is as good as absent; so is an object without anything in it where something is
    required, which SDK 2.5.3 sends for a message that it does not send (http 5.7). Raises
    DecodeError for a value of the wrong type or size. Required fields of the payload itself are
    not checked here.
    """
    message = kind()
    _fill(message, values)
    return message


def covers(kind: type[Message], values: Mapping[str, object]) -> bool:
    """Whether a payload has a field for each of these keys."""
    return values.keys() <= _fields_by_key(kind.DESCRIPTOR).keys()


@cache
def _fields_by_key(kind: _Descriptor) -> dict[str, _Field]:
    """The fields of a payload by the keys that they may have."""
    fields = {field.name: field for field in kind.fields}
    names = _OTHER_NAMES.get(kind.name, _NONE)
    return fields | {other: fields[name] for name, other in names.items()}


def _to_json(field: _Field, value: Any) -> object:
    if field.message_type is not None:
        return to_json(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _fill(message: Message, values: object) -> None:
    kind = message.DESCRIPTOR
    if not isinstance(values, dict):
        raise DecodeError(f"{kind.name}: no JSON object", offset=0)
    fields = _fields_by_key(kind)
    # By what is there: a list of empty objects must not cost a look at every field of each.
    for key, value in values.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        if key != field.name and values.get(field.name) is not None:
            continue
        try:
            _set(message, field, value)
        except (TypeError, ValueError) as error:
            raise DecodeError(f"{kind.name}.{field.name}: {error}", offset=0) from error


def _set(message: Message, field: _Field, value: object) -> None:
    name = field.name
    if field.is_repeated:
        items = getattr(message, name)
        for item in _items(value):
            if field.message_type is not None:
                _fill(items.add(), item)
            else:
                items.append(_scalar(field, item))
    elif field.message_type is None:
        setattr(message, name, _scalar(field, value))
    else:
        inner = type(getattr(message, name))()
        _fill(inner, value)
        if value or inner.IsInitialized():
            getattr(message, name).CopyFrom(inner)


def _items(value: object) -> list[object]:
    """A list, however it is written.

    SDK 2.9.2 has a bare value for a list of one in ``rrList``, and SDK 4.6.4 an empty object for an
    empty one in ``userSetData``.
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [value]
    if value:
        raise TypeError("no array")
    return []


def _scalar(field: _Field, value: object) -> object:
    """The value for protobuf, which checks the range."""
    if field.cpp_type in _INTEGERS:
        # JavaScript has one kind of number, and a program may send a whole one as 1.0.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise TypeError("no integer")
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if value in (0, 1) and isinstance(value, int):
            return bool(value)
        raise TypeError("no boolean")
    if not isinstance(value, str):
        raise TypeError("no text")
    # Half an emoji must not cost a whole message (wire 7, rule 4).
    data = value.encode("utf-8", "replace")
    return data if field.type == FieldDescriptor.TYPE_BYTES else data.decode()
