"""What the server has allowed somebody to do with a file, as text that nobody else can make.

A grant goes to a client over its message connection and comes back over HTTP, where there is no
login. It is signed with HMAC-SHA256, by a key that is derived from the app's secret and good for
one purpose, so that a link never passes as a ticket. It reads ``app:signature:statement``, the
latter two in URL-safe base64. The upload clients that SDKs are used with look into a ticket: they
want a JSON object with ``scope`` and ``deadline`` there.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

GRANT_CHARACTERS: Final = 4096
"""No longer grant is looked at. A key of 512 bytes and a name of 255 characters that need three
bytes each, in base64, make 1800."""

KEY_BYTES: Final = 512
"""The longest key in UTF-8. The newer SDKs make keys of about 60 (operations 17); stores that
speak S3 allow 1024."""

NAME_CHARACTERS: Final = 255
"""The longest file name, as in most file systems."""

_ASCII_SPACE: Final = 0x20
_DELETE: Final = 0x7F


class GrantError(Exception):
    """A grant is none; the text says why."""


class GrantExpiredError(GrantError):
    """It was one."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to upload one file."""

    app: str
    user_id: str
    kind: int
    """A number of ``FileType`` (codes 8)."""
    key: str = ""
    """What the file will be called; empty if the uploader chooses."""
    until: int
    """Seconds since 1970."""


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to download one file."""

    app: str
    key: str
    name: str = ""
    """What it is shown under; empty for no name."""
    until: int
    """Seconds since 1970."""


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to fetch the messages of an hour (rest 6)."""

    app: str
    date: str
    """``YYYYMMDDHH``."""
    until: int
    """Seconds since 1970."""


class _Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload client may want to see: ``scope`` is the app, a colon and the key."""

    scope: str
    deadline: int
    user: str
    kind: int


_Statement = TypeVar("_Statement", _Ticket, Download, Fetch)


class Signer:
    """Writes and reads grants. ``secrets``: the secret of each app key."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)

    def ticket(self, upload: Upload) -> str:
        """The text that lets somebody upload."""
        statement = _Ticket(
            scope=f"{upload.app}:{upload.key}",
            deadline=upload.until,
            user=upload.user_id,
            kind=upload.kind,
        )
        return self._written(upload.app, statement)

    def link(self, download: Download) -> str:
        """The text that lets somebody download. It can stand in a URL as it is."""
        return self._written(download.app, download)

    def fetch(self, fetch: Fetch) -> str:
        """The text that lets somebody fetch an hour. It can stand in a URL as it is."""
        return self._written(fetch.app, fetch)

    def read_ticket(self, text: str, *, now: float) -> Upload:
        """What :meth:`ticket` made. Raises GrantError. ``now``: seconds since 1970."""
        app, statement = self._read(text, _Ticket)
        if statement.deadline <= now:
            raise GrantExpiredError("the ticket's time is over")
        return Upload(
            app=app,
            user_id=statement.user,
            kind=statement.kind,
            key=statement.scope.partition(":")[2],
            until=statement.deadline,
        )

    def read_link(self, text: str, *, now: float) -> Download:
        """What :meth:`link` made. Raises GrantError. ``now``: seconds since 1970."""
        _, statement = self._read(text, Download)
        if statement.until <= now:
            raise GrantExpiredError("the link's time is over")
        return statement

    def read_fetch(self, text: str, *, now: float) -> Fetch:
        """What :meth:`fetch` made. Raises GrantError. ``now``: seconds since 1970."""
        _, statement = self._read(text, Fetch)
        if statement.until <= now:
            raise GrantExpiredError("the link's time is over")
        return statement

    def _written(self, app: str, statement: _Ticket | Download | Fetch) -> str:
        text = urlsafe_b64encode(msgspec.json.encode(statement)).decode()
        return f"{app}:{self._signature(app, type(statement), text)}:{text}"

    def _read(self, text: str, kind: type[_Statement]) -> tuple[str, _Statement]:
        if len(text) <= GRANT_CHARACTERS and text.isascii():
            app, _, rest = text.partition(":")
            signature, _, statement = rest.partition(":")
            if app in self._secrets and hmac.compare_digest(
                signature, self._signature(app, kind, statement)
            ):
                return app, msgspec.json.decode(urlsafe_b64decode(statement), type=kind)
        raise GrantError("this server has not signed that")

    def _signature(self, app: str, kind: type[_Ticket | Download | Fetch], text: str) -> str:
        key = hmac.digest(self._secrets[app].encode(), f"files {kind.__name__}".encode(), "sha256")
        return urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


def is_key(text: str) -> bool:
    """Whether a file can be called so: 1 to :data:`KEY_BYTES` bytes, no control characters.

    Nor may it have the parts ``.`` and ``..``, which URLs lose on their way.
    """
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return (
        0 < length <= KEY_BYTES
        and not any(_is_control(each) for each in text)
        and not {".", ".."}.intersection(text.split("/"))
    )


def clean_name(text: str) -> str:
    """A name for a download: without directories and control characters, not too long."""
    name = text.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in name if not _is_control(each))
    return kept.encode(errors="replace").decode()[:NAME_CHARACTERS]


def _is_control(character: str) -> bool:
    number = ord(character)
    return number < _ASCII_SPACE or number == _DELETE
