"""From object name and bytes to a typed content, and back.

A content that cannot be read is never an error and never lost: it comes out as
:class:`Unknown` with its bytes.
"""

from collections.abc import Iterator
from typing import Final, Self, TypeVar

from improto.contents import _calls, _customer_service, _media, _notices, _signals
from improto.contents._base import BaseContent, Content, Unknown
from improto.contents._json import dump, parse
from improto.contents._schema import Misfit, struct_of
from improto.errors import EncodeError, LocalProtocolError

MAX_NAME_LENGTH: Final = 32
"""Characters of an object name (messages 4)."""

RESERVED_PREFIX: Final = "RC:"
"""Object names of the protocol's own types (messages 4)."""

_BUILT_IN: Final[tuple[type[BaseContent], ...]] = (
    *_media.TYPES,
    *_notices.TYPES,
    *_signals.TYPES,
    *_customer_service.TYPES,
    *_calls.TYPES,
)

_T = TypeVar("_T", bound=BaseContent)


class Registry:
    """The content types that :func:`decode` knows: the built-in ones and the application's.

    An ordinary object: make one, register types, pass it where contents are decoded.
    """

    def __init__(self) -> None:
        self._types = {content_type.object_name: content_type for content_type in _BUILT_IN}
        self._is_frozen = False

    def register(self, content_type: type[_T]) -> type[_T]:
        """Add a type; may be used as a decorator above ``@dataclass``.

        The class is a dataclass based on :class:`BaseContent` with an ``object_name`` of
        1 to 32 characters that is not taken and does not start with ``RC:`` (messages 4),
        and fields whose types can stand for JSON. Else LocalProtocolError.
        """
        name = getattr(content_type, "object_name", None)
        if self._is_frozen:
            raise LocalProtocolError("the registry is frozen; make one of your own: Registry()")
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
            raise LocalProtocolError(
                f"object_name: 1 to {MAX_NAME_LENGTH} characters, not {name!r}"
            )
        if name.startswith(RESERVED_PREFIX):
            raise LocalProtocolError(f"object_name: {RESERVED_PREFIX} is reserved, not {name!r}")
        if name in self._types:
            raise LocalProtocolError(f"object_name: {name!r} is taken")
        if not issubclass(content_type, BaseContent):
            raise LocalProtocolError(f"{name!r}: a content is based on BaseContent")
        struct_of(content_type)
        self._types[name] = content_type
        return content_type

    def freeze(self) -> Self:
        """Refuse further types; returns the registry itself."""
        self._is_frozen = True
        return self

    def find(self, object_name: str) -> type[BaseContent] | None:
        """The type with this object name."""
        return self._types.get(object_name)

    def __iter__(self) -> Iterator[type[BaseContent]]:
        """All types, the built-in ones first."""
        return iter(self._types.values())


DEFAULT: Final = Registry().freeze()
"""The built-in types only."""


def decode(object_name: str, data: bytes, *, registry: Registry | None = None) -> Content:
    """Read a content; never raises, whatever the bytes are.

    :class:`Unknown` if no type has this name or the bytes do not fit the type; its
    ``reason`` says what is wrong. Without a ``registry`` the built-in types are known.
    """
    content_type = (DEFAULT if registry is None else registry).find(object_name)
    if content_type is None:
        return Unknown(object_name=object_name, data=data, reason="no type has this name")
    try:
        content: BaseContent = struct_of(content_type).read(parse(data))
    except ValueError as error:
        return Unknown(
            object_name=object_name,
            data=data,
            reason=str(error),
            is_persisted=content_type.is_persisted,
            is_counted=content_type.is_counted,
        )
    return content


def encode(content: Content) -> bytes:
    """Write a content as compact JSON in UTF-8; an :class:`Unknown` as its own bytes.

    Members stand in declared order, the common ones (extra, user, mentionedInfo) after
    the type's own, then ``rest``. Raises EncodeError naming the member that has another
    type than declared or cannot be JSON.
    """
    if isinstance(content, Unknown):
        return content.data
    try:
        members = struct_of(type(content)).write(content)
    except Misfit as misfit:
        raise EncodeError(f"{content.object_name}: {misfit}") from None
    written = []
    for name, value in members.items():
        try:
            # One member at a time, so that the error can name it.
            written.append(dump({name: value})[1:-1])
        except ValueError as error:
            raise EncodeError(f"{content.object_name}: {name!r}: {error}") from error
    return b"{" + b",".join(written) + b"}"
