"""HTTP requests and responses as plain values.

The protocol touches HTTP in three places: navigation, the host probe and the URL that
opens a connection (http 1). Whoever speaks HTTP, our transport or a host's own
server, hands these values to the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, in the order sent. Of a message received, names are in lower case and
values latin-1 text."""


def first_header(headers: Headers, name: str) -> str | None:
    """First value of a header, None if there is none; ``name`` in lower case."""
    return next((value for key, value in headers if key == name), None)


def header_tokens(headers: Headers, name: str) -> frozenset[str]:
    """What the lines of a comma-separated header say together, in lower case."""
    joined = ",".join(value for key, value in headers if key == name)
    return frozenset(token.strip().lower() for token in joined.split(",")) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A complete request."""

    method: str
    target: str
    """Path and query as sent, still percent-encoded."""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """First value of a header, None if there is none; ``name`` in lower case."""
        return first_header(self.headers, name)

    def tokens(self, name: str) -> frozenset[str]:
        """The items of a comma-separated header, in lower case; so is ``name``."""
        return header_tokens(self.headers, name)

    @property
    def path(self) -> str:
        """The decoded path, without the query."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters, decoded once; of a repeated name the first counts (http 4)."""
        return _fields(self.target.partition("?")[2])

    @property
    def form(self) -> Mapping[str, str]:
        """What the body says if it is a URL-encoded form, read like :attr:`query` (sdk5 2.1)."""
        return _fields(self.body.decode("utf-8", "replace"))


def _fields(encoded: str) -> dict[str, str]:
    return dict(reversed(parse_qsl(encoded, keep_blank_values=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A complete response; the length header is the transport's business."""

    status: int
    headers: Headers = ()
    body: bytes = b""
