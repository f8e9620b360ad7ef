"""What calls are given: types with limits, and how a body or a query becomes one.

The limits stand in the types, so a refusal can name them.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from improto_server.accounts.refusals import RefusedError, invalid
from improto_server.bodies import BodyTooLargeError, BodyTooSlowError, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_BYTES: Final = 16 * 1024
"""The largest JSON."""

PATIENCE: Final = 15.0
"""Seconds that a body may take."""

PASSWORD_LEAST: Final = 8
PASSWORD_MOST: Final = 256
"""Characters. Longer ones would only cost time."""

PAGE_MOST: Final = 100
"""Entries of a page, as the message server has it (sdk5 8.5)."""

USERS_AT_ONCE: Final = 30
"""Users who are named by one call; as many can be invited at once (sdk5 8.5)."""

Email = Annotated[str, Meta(min_length=3, max_length=254)]
Phone = Annotated[str, Meta(max_length=32)]
Password = Annotated[str, Meta(min_length=PASSWORD_LEAST, max_length=PASSWORD_MOST)]
Typed = Annotated[str, Meta(max_length=PASSWORD_MOST)]
"""A password that is to be compared, so it may be too short."""
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Ids = Annotated[list[Id], Meta(max_length=USERS_AT_ONCE)]
Line = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=128)]
Signed = Annotated[str, Meta(min_length=1, max_length=1024)]
Count = Annotated[int, Meta(ge=1, le=PAGE_MOST)]


class Nothing(Struct, forbid_unknown_fields=True):
    """No fields."""


class Entry(Struct, forbid_unknown_fields=True, kw_only=True):
    """Part of calls that log somebody in."""

    bearer: bool = False
    """Answer with a session for the header ``Authorization`` instead of a cookie."""


B = TypeVar("B", bound=Struct)

# What HTML takes for an address (the input field of type email), in small letters, but nothing
# with =? in it: in mails that begins a text in another coding, which could be another address.
_EMAIL: Final = re.compile(
    r"(?!.*=\?)[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN_DIGITS: Final = re.compile(r"[ ()./-]")

_PLACE: Final = re.compile(r" - at `\$\.?([A-Za-z]*)")
_BOUND: Final = re.compile(r"(<=|>=) (\d+)")
_NAMED: Final = re.compile(r"field `([^`]{0,64})`")


def read_email(text: str, field: str = "email") -> str:
    """An address, in small letters: what HTML takes for one."""
    email = text.strip().lower()
    if _EMAIL.fullmatch(email) is None:
        raise invalid(field, f"{field} is no e-mail address")
    return email


def read_phone(text: str, field: str = "phone") -> str:
    """A number as E.164 has it: + and 7 to 15 digits; what people write between them is left out.

    Empty stays empty.
    """
    phone = _BETWEEN_DIGITS.sub("", text)
    if phone and _PHONE.fullmatch(phone) is None:
        raise invalid(field, f"{field} must be + and 7 to 15 digits")
    return phone


def read_name(text: str, field: str = "name") -> str:
    """A name to be shown: not only spaces, and nothing that cannot be seen."""
    name = text.strip()
    if not name or not name.isprintable():
        raise invalid(field, f"{field} must have something to be seen, and no control characters")
    return name


async def read_bytes(request: Request, *, most: int) -> bytes:
    """A body of at most ``most`` bytes."""
    try:
        return await read_body(request, most=most, seconds=PATIENCE)
    except BodyTooLargeError:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"the body is larger than {most} bytes",
            limit=most,
        ) from None
    except BodyTooSlowError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"the body took more than {PATIENCE:.0f} s"
        ) from None


async def read_json(request: Request, kind: type[B]) -> B:
    """The fields of a call that changes something."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body must be application/json",
        )
    body = await read_bytes(request, most=BODY_BYTES)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("", "the body is no JSON object") from None


def read_query(request: Request, kind: type[B]) -> B:
    """The fields of a call that asks for something; those that are lists may be repeated."""
    lists = {each.name for each in msgspec.structs.fields(kind) if each.default == ()}
    query = request.query_params
    found: dict[str, Any] = {
        name: query.getlist(name) if name in lists else value for name, value in query.items()
    }
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: msgspec.ValidationError) -> RefusedError:
    """Which field it is, and which limit."""
    text = str(error)
    place, named, bound = _PLACE.search(text), _NAMED.search(text), _BOUND.search(text)
    if named is not None:
        is_missing = "missing" in text
        field = named[1]
        return invalid(field, f"{field} is missing" if is_missing else f"there is no {field}")
    field = place[1] if place is not None else ""
    if bound is None:
        return invalid(field, f"{field or 'the body'}: {text.partition(' - at ')[0]}")
    side, limit = bound.groups()
    what = "characters" if "`str`" in text else "items" if "`array`" in text else ""
    words = "at most" if side == "<=" else "at least"
    code = "too_long" if side == "<=" else "too_short"
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        code if what else "out_of_range",
        f"{field} must {'have' if what else 'be'} {words} {limit} {what}".rstrip(),
        field=field,
        limit=int(limit),
    )
