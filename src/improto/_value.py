"""Values of which one is made for every message.

A frozen dataclass costs four times as much to make as another, because it sets its fields in a
roundabout way. So frames and events are frozen in the eyes of a type checker only: who changes
one is told so by mypy and pyright, and not by an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass with slots, made by keywords, compared and hashed by value."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)
