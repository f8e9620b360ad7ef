"""Parameters of calls: what they are called, what they may be, and how they are read (rest 3, 5).

One that is missing, or empty, or no id is refused with 1002, one that is too long with 1005, no
number with 1501, and one that is out of range, or has too many items, with 1502.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from improto.codes import ConversationType
from improto_server.api.replies import Code, RefusedError
from improto_server.services.accounts import USER_ID, is_user_id
from improto_server.services.rosters import is_place_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.api.bodies import Fields

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S", bound=msgspec.Struct)
D = TypeVar("D", int, "int | None")

ID_BYTES: Final = 64
"""The longest id (rest 5)."""

MOST_DIGITS: Final = 18
"""Of a number: what is below fits into 64 bits."""

_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


class Parameter(ABC, Generic[T_co]):
    """One of them. ``limit``: what it may be, in words."""

    is_list: bool = False
    """Whether it may be there several times."""

    def __init__(self, name: str, *, is_required: bool, limit: str) -> None:
        self.name = name
        self.is_required = is_required
        self.limit = limit

    @abstractmethod
    def read(self, fields: Fields) -> T_co:
        """Its value. RefusedError."""

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """What it may be, as JSON Schema."""

    def last(self, fields: Fields) -> str:
        """The last value, if it is not missing although it must be there; empty for none."""
        values = fields.get(self.name)
        text = values[-1] if values else ""
        if self.is_required and not text:
            raise self.refused(Code.INVALID, "is missing")
        return text

    def refused(self, code: Code, why: str) -> RefusedError:
        """What to raise."""
        return RefusedError(code, f"{self.name} {why}")


class Text(Parameter[str]):
    """Any text of at most so many bytes, or characters; empty if it is not there."""

    def __init__(
        self, name: str, *, most_bytes: int = 0, most_characters: int = 0, is_required: bool = False
    ) -> None:
        unit = f"{most_bytes} bytes" if most_bytes else f"{most_characters} characters"
        super().__init__(name, is_required=is_required, limit=f"up to {unit}")
        self._unit = unit
        self._most_bytes = most_bytes
        self._most_characters = most_characters

    def read(self, fields: Fields) -> str:
        """TOO_LONG, or INVALID."""
        return self.checked(self.last(fields))

    def checked(self, text: str) -> str:
        """The text, if it is not too long."""
        if 0 < self._most_bytes < len(text.encode()) or (0 < self._most_characters < len(text)):
            raise self.refused(Code.TOO_LONG, f"is longer than {self._unit}")
        return text

    @property
    def schema(self) -> dict[str, Any]:
        found = {"type": "string", "maxLength": self._most_bytes or self._most_characters}
        return {**found, "minLength": 1} if self.is_required else found


class Ids(Parameter[list[str]]):
    """One id or several, each once and in order. ``fits`` says what can be one.

    ``is_parallel``: another list belongs to it, item by item, so ids may be there again.
    ``may_be_empty``: a list without items is one, if it is there.
    """

    is_list = True

    def __init__(
        self,
        name: str,
        *,
        most: int,
        fits: Callable[[str], bool],
        is_required: bool = True,
        is_parallel: bool = False,
        may_be_empty: bool = False,
        most_bytes: int = ID_BYTES,
    ) -> None:
        super().__init__(
            name, is_required=is_required, limit=f"up to {most}, each up to {most_bytes} bytes"
        )
        self.most = most
        self._most_bytes = most_bytes
        self._fits = fits
        self._is_parallel = is_parallel
        self._may_be_empty = may_be_empty

    def read(self, fields: Fields) -> list[str]:
        """INVALID, TOO_LONG or OUT_OF_RANGE."""
        values = fields.get(self.name, [])
        if len(values) > self.most:
            raise self.refused(Code.OUT_OF_RANGE, f"is there more than {self.most} times")
        # Where there may be none, an empty one is none.
        ids = values if self.is_required else [value for value in values if value]
        if self.is_required and not (ids or (self._may_be_empty and self.name in fields)):
            raise self.refused(Code.INVALID, "is missing")
        for id in ids:
            if len(id.encode()) > self._most_bytes:
                raise self.refused(Code.TOO_LONG, f"is longer than {self._most_bytes} bytes")
            if not self._fits(id):
                raise self.refused(Code.INVALID, "cannot be such an id")
        return ids if self._is_parallel else list(dict.fromkeys(ids))

    @property
    def schema(self) -> dict[str, Any]:
        found = {"type": "array", "items": self.item_schema, "maxItems": self.most}
        return found if self._may_be_empty or not self.is_required else {**found, "minItems": 1}

    @property
    def item_schema(self) -> dict[str, Any]:
        """What one of them may be, as JSON Schema."""
        if self._fits is is_user_id:
            return {"type": "string", "pattern": f"^{USER_ID}$"}
        return {"type": "string", "minLength": 1, "maxLength": self._most_bytes}


class Id(Parameter[str]):
    """One id; empty if it is not there."""

    def __init__(self, name: str, *, fits: Callable[[str], bool], is_required: bool = True) -> None:
        super().__init__(name, is_required=is_required, limit=f"up to {ID_BYTES} bytes")
        self._one = Ids(name, most=1, fits=fits, is_required=is_required)

    def read(self, fields: Fields) -> str:
        """INVALID or TOO_LONG."""
        text = self.last(fields)
        return self._one.read({self.name: [text]})[0] if text else ""

    @property
    def schema(self) -> dict[str, Any]:
        return self._one.item_schema


class Number(Parameter[D]):
    """A whole number; ``default`` if it is not there."""

    def __init__(
        self, name: str, *, least: int, most: int, default: D, is_required: bool = False
    ) -> None:
        super().__init__(name, is_required=is_required, limit=f"{least} to {most}")
        self._least = least
        self._most = most
        self._default: D = default

    def read(self, fields: Fields) -> D:
        """NO_NUMBER, OUT_OF_RANGE or INVALID."""
        text = self.last(fields)
        if not text:
            return self._default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise self.refused(Code.NO_NUMBER, "is no number")
        if len(digits) > MOST_DIGITS or not self._least <= int(text) <= self._most:
            raise self.refused(Code.OUT_OF_RANGE, f"must be {self.limit}")
        return int(text)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self._least, "maximum": self._most}


class Flag(Parameter[bool]):
    """True or false, in any letter case, or 1 or 0."""

    def __init__(self, name: str, *, default: bool = False, is_required: bool = False) -> None:
        super().__init__(name, is_required=is_required, limit="0 or 1, false or true")
        self._default = default

    def read(self, fields: Fields) -> bool:
        """NO_NUMBER: it is neither."""
        text = self.last(fields)
        if not text:
            return self._default
        value = _TRUTHS.get(text.lower())
        if value is None:
            raise self.refused(Code.NO_NUMBER, f"must be {self.limit}")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": [*_TRUTHS]}


class Named(Parameter[dict[str, str]]):
    """Ids with a name each, written ``name[ID]=NAME``."""

    is_list = True

    def __init__(
        self,
        name: str,
        *,
        most: int,
        most_characters: int,
        fits: Callable[[str], bool],
        is_required: bool = True,
    ) -> None:
        super().__init__(
            f"{name}[ID]",
            is_required=is_required,
            limit=f"up to {most}, names up to {most_characters} characters",
        )
        self._before = f"{name}["
        self._most = most
        self._ids = Ids(name, most=most, fits=fits, is_required=is_required)
        self._text = Text(name, most_characters=most_characters)

    def read(self, fields: Fields) -> dict[str, str]:
        """INVALID, TOO_LONG or OUT_OF_RANGE."""
        found = {
            key[len(self._before) : -1]: values[-1]
            for key, values in fields.items()
            if key.startswith(self._before) and key.endswith("]")
        }
        ids = self._ids.read({self._ids.name: [*found]})
        return {id: self._text.checked(found[id]) for id in ids}

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "description": "one for each ID, which is part of the name"}


class Formed(Parameter[str]):
    """A text of a certain form; empty if it is not there. ``limit`` says which, in words."""

    def __init__(self, name: str, *, pattern: str, limit: str, is_required: bool = True) -> None:
        super().__init__(name, is_required=is_required, limit=limit)
        self._pattern = pattern
        self._matches = re.compile(pattern).fullmatch

    def read(self, fields: Fields) -> str:
        """INVALID."""
        text = self.last(fields)
        if text and not self._matches(text):
            raise self.refused(Code.INVALID, f"must be {self.limit}")
        return text

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self._pattern})$"}


class Object(Parameter[S]):
    """A JSON object; what it says if nothing is said, if it is not there.

    In a form it is JSON text.
    """

    def __init__(self, name: str, kind: type[S], *, is_required: bool = True, limit: str) -> None:
        super().__init__(name, is_required=is_required, limit=limit)
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, fields: Fields) -> S:
        """INVALID."""
        text = self.last(fields)
        try:
            return self._decode(text or "{}")
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self.refused(Code.INVALID, f"is not right: {error}") from None

    @property
    def schema(self) -> dict[str, Any]:
        _, found = msgspec.json.schema_components([self._kind])
        return dict(found[self._kind.__name__])


class Pairs(Parameter[dict[str, str]]):
    """An object of texts, written as JSON; empty if it is not there."""

    def __init__(self, name: str, *, most: int, most_characters: int) -> None:
        super().__init__(
            name,
            is_required=False,
            limit=f"JSON text, up to {most} keys, values up to {most_characters} characters",
        )
        self._most = most
        self._value = Text(name, most_characters=most_characters)

    def read(self, fields: Fields) -> dict[str, str]:
        """INVALID, TOO_LONG or OUT_OF_RANGE."""
        text = self.last(fields)
        return self.parsed(text) if text else {}

    def parsed(self, text: str) -> dict[str, str]:
        """What a JSON text says."""
        try:
            found: dict[str, str] = _decode_pairs(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self.refused(Code.INVALID, "is no JSON object of texts") from None
        if len(found) > self._most:
            raise self.refused(Code.OUT_OF_RANGE, f"has more than {self._most} keys")
        for value in found.values():
            self._value.checked(value)
        return found

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/json"}


class ListOfPairs(Parameter[list[dict[str, str]]]):
    """A list of objects of texts."""

    is_list = True

    def __init__(self, name: str, *, most: int, most_keys: int, most_characters: int) -> None:
        super().__init__(
            name,
            is_required=True,
            limit=f"up to {most} objects of up to {most_keys} keys,"
            f" values up to {most_characters} characters",
        )
        self._most = most
        self._item = Pairs(name, most=most_keys, most_characters=most_characters)

    def read(self, fields: Fields) -> list[dict[str, str]]:
        """INVALID, TOO_LONG or OUT_OF_RANGE."""
        values = fields.get(self.name, [])
        if not values:
            raise self.refused(Code.INVALID, "is missing")
        if len(values) > self._most:
            raise self.refused(Code.OUT_OF_RANGE, f"has more than {self._most} items")
        return [self._item.parsed(value) for value in values]

    @property
    def schema(self) -> dict[str, Any]:
        item = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"type": "array", "items": item, "maxItems": self._most}


def user_ids(name: str, *, most: int, is_required: bool = True) -> Ids:
    """User ids."""
    return Ids(name, most=most, fits=is_user_id, is_required=is_required)


def user_id(name: str, *, is_required: bool = True) -> Id:
    """A user id."""
    return Id(name, fits=is_user_id, is_required=is_required)


def is_group_id(text: str) -> bool:
    """Whether it can be that of a group."""
    return is_place_id(ConversationType.GROUP, text)


def is_discussion_id(text: str) -> bool:
    """Whether it can be that of a discussion."""
    return is_place_id(ConversationType.DISCUSSION, text)


_decode_pairs = msgspec.json.Decoder(dict[str, str]).decode
