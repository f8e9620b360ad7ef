"""Hypothesis strategies for payloads, built from the schema itself.

Every payload has its required fields, any of the optional ones, and values up to the
edges of their types, so it encodes and decodes to an equal one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st

from improto.payloads import MESSAGES, Message

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

M = TypeVar("M", bound=Message)

_SCALARS: dict[int, SearchStrategy[object]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=100),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_STRING: st.text(max_size=100),
}


def payloads(kind: type[M]) -> SearchStrategy[M]:
    """Every payload of one kind, without unknown fields."""
    return _fields(kind.__name__).map(lambda fields: kind(**fields))


def any_payload() -> SearchStrategy[Message]:
    """Payloads of all kinds."""
    return st.sampled_from(list(MESSAGES.values())).flatmap(payloads)


@cache
def _fields(name: str) -> SearchStrategy[dict[str, Any]]:
    """Arguments for the constructor of a message class, by its name.

    Calls itself for messages inside; the schema has none inside itself, so this ends.
    """
    required: dict[str, SearchStrategy[object]] = {}
    optional: dict[str, SearchStrategy[object]] = {}
    values: SearchStrategy[object]
    for field in MESSAGES[name].DESCRIPTOR.fields:
        if field.message_type is None:
            values = _SCALARS[field.type]
        else:
            values = payloads(MESSAGES[field.message_type.name])
        if field.is_repeated:
            values = st.lists(values, max_size=3)
        (required if field.is_required else optional)[field.name] = values
    return st.fixed_dictionaries(required, optional=optional)
