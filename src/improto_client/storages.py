"""Which storage takes a file, and what has to stand in the form (http 2.3, operations 17).

Sans-IO. Navigation names the storages with a priority each; a ticket has what they want to see.
Two kinds are known: one that takes a ticket in the field ``token``, and stores that speak S3.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from improto.codes import UploadProvider
from improto_client.file_errors import NoStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_STORAGES: Final = 32
"""Looked at in one answer of navigation. Ours."""

_PROVIDERS: Final = {"qiniu": UploadProvider.QINIU, "s3": UploadProvider.S3}
"""Those that we can upload to, by their names in ``ossConfig``."""

_LAST: Final = 1_000_000
"""The place of a storage that has no priority."""

_S3_FIELDS: Final = {
    "x-amz-credential": "s3Credential",
    "x-amz-algorithm": "s3Algorithm",
    "x-amz-date": "s3Date",
    "policy": "s3Policy",
    "x-amz-signature": "s3Signature",
}
"""What a store that speaks S3 calls the fields of a ticket."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTicket:
    """Leave to upload one file."""

    token: str
    deadline: int
    """Until when it is good, in ms since 1970."""
    fields: Mapping[str, str]
    """What else the storage wants, by its name on the wire; depends on the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where a form with a file goes."""

    provider: UploadProvider
    scheme: str
    place: str
    """Host, perhaps with port and path."""

    def form(self, ticket: UploadTicket, key: str, mime: str) -> tuple[str, dict[str, str]]:
        """The URL, and the fields that come before the file. NoStorage: not such a ticket."""
        if self.provider is UploadProvider.QINIU:
            return f"{self.scheme}://{self.place}", {"token": ticket.token, "key": key}
        bucket = ticket.fields.get("s3BucketName", "")
        if _BUCKET.fullmatch(bucket) is None or not ticket.fields.get("s3Policy"):
            raise NoStorage("the ticket is not for the store that navigation names")
        fields = {shown: ticket.fields.get(name, "") for shown, name in _S3_FIELDS.items()}
        fields |= {"Content-Type": mime, "Content-Disposition": "attachment", "key": key}
        return f"{self.scheme}://{bucket}.{self.place}", fields


def named_storage(address: str) -> Storage:
    """The storage at an address that the program knows. ValueError if it is none."""
    scheme, _, place = address.partition("://")
    if scheme not in ("http", "https") or not place:
        raise ValueError(f"{address!r} is no address of a storage: write https://host/path")
    return Storage(provider=UploadProvider.QINIU, scheme=scheme, place=place)


def find_storage(fields: Mapping[str, Any], *, is_encrypted: bool) -> Storage:
    """The storage that navigation prefers, of those that we know. NoStorage if there is none.

    It is encrypted if the servers are: navigation does not say.
    """
    scheme = "https" if is_encrypted else "http"
    listed = _listed(fields.get("ossConfig"))
    for _, name, place in listed:
        if name in _PROVIDERS:
            return Storage(provider=_PROVIDERS[name], scheme=scheme, place=place)
    host = fields.get("uploadServer")
    if not listed and host and isinstance(host, str):
        return Storage(provider=UploadProvider.QINIU, scheme=scheme, place=host)
    names = ", ".join(sorted({name for _, name, _ in listed}))
    raise NoStorage(f"nobody here can upload to {names}" if names else "the server has no storage")


def _listed(text: object) -> list[tuple[int, str, str]]:
    """Priority, name and place of each, the best first. What is not of that form is no storage."""
    try:
        entries = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        entries = []
    if not isinstance(entries, list):
        return []
    found: list[tuple[int, str, str]] = []
    for entry in entries[:MOST_STORAGES]:
        if isinstance(entry, dict):
            said = str(entry.get("p"))
            priority = int(said) if re.fullmatch("[0-9]{1,6}", said) else _LAST
            found += [
                (priority, name, place)
                for name, place in entry.items()
                if name != "p" and isinstance(place, str) and place
            ]
    return sorted(found)
