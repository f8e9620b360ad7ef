"""How a class declares the members of a JSON object, and how they are read and written.

The field of a dataclass is the declaration: its type says what the member holds, its
name in camelCase is the member's name, and :class:`Wire` in an ``Annotated`` type says
so where the protocol spells it otherwise. Nothing else is written per class.

* A member that is absent or null gets the field's default; without a default it is
  mandatory.
* A number may come as text (``"12"``), a whole number as ``12.0``, a truth value as 0
  or 1; it is written back as the declared type. Any other type is a :class:`Misfit`.
* Members that no field declares are kept in ``rest`` and written back.
* None is left out when writing.
"""

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import partial
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from improto.contents._json import JSON
from improto.errors import LocalProtocolError

_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,19}\.[0-9]{1,19}")


class Misfit(ValueError):
    """A member does not have the declared type; the text names the member."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Marks a field, as in ``Annotated[str | None, Wire("messageUId")]``.

    ``name`` is the member's name if it is not the field's name in camelCase.
    ``is_common`` marks what every content may carry: written after the content's own
    members and, when it has a strange type, left in ``rest`` instead of spoiling the
    whole content.
    """

    name: str | None = None
    is_common: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Base of everything that is a JSON object on the wire.

    ``rest`` holds the members that no field declares, as parsed JSON.
    """

    rest: Mapping[str, JSON] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a member holds: from JSON to the field's value, and back."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One declared member of an object."""

    attribute: str
    name: str
    kind: Kind
    is_optional: bool
    is_mandatory: bool
    is_common: bool


@dataclass(frozen=True, slots=True)
class Struct:
    """All declared members of a class."""

    part: type[Part]
    members: tuple[Member, ...]

    def read(self, value: object) -> Any:
        """Make an instance from a parsed JSON object; Misfit if it does not fit."""
        if not isinstance(value, dict):
            raise Misfit("expected an object")
        rest: dict[str, JSON] = dict(value)
        values: dict[str, Any] = {}
        for member in self.members:
            raw = rest.pop(member.name, None)
            if raw is None:
                if member.is_mandatory:
                    raise Misfit(f"{member.name}: missing")
                continue
            try:
                values[member.attribute] = member.kind.read(raw)
            except Misfit as misfit:
                if not member.is_common:
                    raise Misfit(f"{member.name}: {misfit}") from None
                rest[member.name] = raw
        try:
            return self.part(rest=rest, **values)
        except (TypeError, ValueError) as error:
            # A class may check more in __post_init__ than types can say.
            raise Misfit(str(error)) from error

    def write(self, part: Part) -> dict[str, Any]:
        """Make a JSON object of an instance; Misfit if a value has the wrong type."""
        members: dict[str, Any] = {}
        for member in self.members:
            value = getattr(part, member.attribute)
            if value is None and member.is_optional:
                continue
            members[member.name] = _named(member.name, member.kind.write, value)
        for name, value in _named("rest", _REST.write, part.rest).items():
            if name in members:
                raise Misfit(f"{name}: given by a field and by rest")
            members[name] = value
        return members


_STRUCTS: Final[dict[type[Part], Struct]] = {}
"""Classes do not change, so each is read once."""


def struct_of(part: type[Part]) -> Struct:
    """The declarations of a class.

    Raises LocalProtocolError if the class is not a dataclass of its own, two fields have
    one name on the wire, or a field's type is none of: str, int, float, bool, JSON, a
    dataclass based on Part, ``tuple[T, ...]``, ``Mapping[str, T]``, or one of these
    ``| None`` with the default None.
    """
    struct = _STRUCTS.get(part)
    if struct is None:
        struct = _STRUCTS[part] = _read_declarations(part)
    return struct


def _read_declarations(part: type[Part]) -> Struct:
    if "__dataclass_fields__" not in vars(part):
        raise LocalProtocolError(f"{part.__name__} is not a dataclass")
    try:
        hints = get_type_hints(part, include_extras=True)
        members = [
            _member(part, declaration, hints[declaration.name])
            for declaration in fields(part)
            if declaration.name != "rest"
        ]
    except (NameError, RecursionError, TypeError) as error:
        raise LocalProtocolError(f"{part.__name__} cannot be read: {error}") from error
    if len({member.name for member in members}) != len(members):
        raise LocalProtocolError(f"{part.__name__} has two fields for one member")
    return Struct(part, tuple(sorted(members, key=lambda member: member.is_common)))


def member_names(part: type[Part]) -> dict[str, str]:
    """The declared members in the order they are written: field name -> name on the wire."""
    return {member.attribute: member.name for member in struct_of(part).members}


def _member(part: type[Part], declaration: Field[Any], hint: Any) -> Member:
    wire = Wire()
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        wire = next((mark for mark in marks if isinstance(mark, Wire)), wire)
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    is_optional = types.NoneType in alternatives
    where = f"{part.__name__}.{declaration.name}"
    if is_optional is not (declaration.default is None):
        raise LocalProtocolError(f"{where}: the default None and a type `| None` belong together")
    remaining = [alternative for alternative in alternatives if alternative is not types.NoneType]
    kind = _kind(remaining[0]) if len(remaining) == 1 else None
    if kind is None:
        raise LocalProtocolError(f"{where}: a member cannot have the type {hint}")
    return Member(
        attribute=declaration.name,
        name=wire.name or _camel_case(declaration.name),
        kind=kind,
        is_optional=is_optional,
        is_mandatory=declaration.default is MISSING and declaration.default_factory is MISSING,
        is_common=wire.is_common,
    )


def _camel_case(attribute: str) -> str:
    first, *others = attribute.split("_")
    return first + "".join(map(str.capitalize, others))


def _kind(hint: Any) -> Kind | None:
    """The kind for a type without its ``| None``; None if there is none for it."""
    if hint in _KINDS:
        return _KINDS[hint]
    if isinstance(hint, type) and issubclass(hint, Part):
        return _part_kind(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and arguments[1:] == (...,):
        element = _kind(arguments[0])
        return element and _list_kind(element)
    if origin is Mapping and arguments[0] is str:
        element = _kind(arguments[1])
        return element and _mapping_kind(element)
    return None


def _part_kind(part: type[Part]) -> Kind:
    def write(value: object) -> dict[str, Any]:
        if not isinstance(value, part):
            raise Misfit(f"expected {part.__name__}")
        return struct_of(type(value)).write(value)

    return Kind(struct_of(part).read, write)


def _list_kind(element: Kind) -> Kind:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Misfit("expected a list")
        return tuple(_named(index, element.read, item) for index, item in enumerate(value))

    def write(value: object) -> list[Any]:
        if not isinstance(value, tuple):
            raise Misfit("expected a tuple")
        return [_named(index, element.write, item) for index, item in enumerate(value)]

    return Kind(read, write)


def _mapping_kind(element: Kind) -> Kind:
    def each(convert: Callable[[Any], Any], value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit("expected an object")
        return {
            _named(name, _text, name): _named(name, convert, item) for name, item in value.items()
        }

    return Kind(partial(each, element.read), partial(each, element.write))


def _named(name: object, convert: Callable[[Any], Any], value: object) -> Any:
    """Convert a value; if it does not fit, say where it stands."""
    try:
        return convert(value)
    except Misfit as misfit:
        raise Misfit(f"{name}: {misfit}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Misfit("expected text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Misfit("expected a whole number")
    return value


def _read_whole(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return _whole(value)


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Misfit("expected a number")
    return value


def _read_number(value: object) -> float:
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        if _DECIMAL.fullmatch(value):
            return float(value)
    return _number(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Misfit("expected true or false")
    return value


def _read_truth(value: object) -> bool:
    return _truth(bool(value) if value in (0, 1) else value)


def _json(value: Any) -> Any:
    return value


_KINDS: Final[Mapping[Any, Kind]] = {
    str: Kind(_text, _text),
    int: Kind(_read_whole, _whole),
    float: Kind(_read_number, _number),
    bool: Kind(_read_truth, _truth),
    JSON: Kind(_json, _json),
}
_REST: Final = _mapping_kind(_KINDS[JSON])
