"""Forms with a file in them, read piece by piece.

Sans-IO: bytes in, the file's bytes out; what is small is kept. So a file is never in memory as
a whole, and its fields may come before or after it.
"""

from __future__ import annotations

from typing import Final, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

FIELDS: Final = 32
"""The most fields of a form; upload clients send three to eight."""

FIELD_BYTES: Final = 8192
"""The longest field; a ticket is the longest that we read, and half of it."""

_DEFAULT_TYPE: Final = "application/octet-stream"


class FormError(Exception):
    """The body is no form with a file in it; the text says why."""


class Body(Protocol):
    """A request's body with a file in it."""

    fields: dict[str, str]
    """What has come so far beside the file."""
    content_type: str
    """What the sender says the file is."""
    name: str
    """What the sender calls the file; empty if it does not say."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; returns those of the file. Raises FormError."""

    def end(self) -> None:
        """There are no more. Raises FormError if there should be."""


class RawBody:
    """A body that is the file."""

    def __init__(self, content_type: str) -> None:
        self.fields: dict[str, str] = {}
        self.content_type = content_type or _DEFAULT_TYPE
        self.name = ""

    def feed(self, data: bytes) -> list[bytes]:
        """All of it."""
        return [data]

    def end(self) -> None:
        """Any time is right."""


class FormBody:
    """A body of type ``multipart/form-data`` (RFC 7578); the file is the part with a file name.

    ``content_type`` is that of the request. Raises FormError if it has no boundary.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise FormError("the body must be multipart/form-data")
        self.fields: dict[str, str] = {}
        self.content_type = _DEFAULT_TYPE
        self.name = ""
        self._file: list[bytes] = []
        self._has_file = False
        self._is_complete = False
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._part: bytearray | None = None
        self._field = ""
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise FormError("the body's boundary is too long") from error

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; returns those of the file. Raises FormError."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise FormError("the body is not a well-formed form") from error
        pieces, self._file = self._file, []
        return pieces

    def end(self) -> None:
        """There are no more bytes. Raises FormError if the form is not complete."""
        if not self._is_complete:
            raise FormError("the form ends too early")
        if not self._has_file:
            raise FormError("the form has no file")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"filename")
        if name is None:
            self._field = options.get(b"name", b"").decode(errors="replace")
            self._part = bytearray()
            if len(self.fields) == FIELDS:
                raise FormError(f"the form has more than {FIELDS} fields")
            return
        if self._has_file:
            raise FormError("the form has more than one file")
        self._has_file = True
        self._part = None
        self.name = name.decode(errors="replace")
        self.content_type = (
            self._headers.get(b"content-type", b"").decode("latin-1") or _DEFAULT_TYPE
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            self._file.append(data[start:end])
            return
        self._part += data[start:end]
        if len(self._part) > FIELD_BYTES:
            raise FormError(f"the field {self._field} is longer than {FIELD_BYTES} bytes")

    def _on_part_end(self) -> None:
        if self._part is not None:
            self.fields[self._field] = self._part.decode(errors="replace")

    def _on_end(self) -> None:
        self._is_complete = True
