"""Files: leave to upload one, and where to download it (operations 17).

The upload itself is an ordinary HTTP request to the storage that navigation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from improto import payloads
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto.codes import FileType
    from improto_client.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTicket:
    """Leave to upload one file."""

    token: str
    deadline: int
    """Until when it is good, in ms since 1970."""
    fields: Mapping[str, str]
    """What else the storage wants, by its name on the wire; depends on the provider."""


class Files:
    """``im.files``. All methods raise Refused with 41001 for no file type and 41002 if there is
    no storage, and what every request raises."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def ticket(self, kind: FileType, *, key: str = "") -> UploadTicket:
        """Leave to upload a file under a key; without one, whoever uploads chooses it."""
        asked = payloads.GetQNupTokenInput(type=kind)
        if key:
            asked.key = key
        reply = await self._link.ask(
            Topic.QN_TKN, None, asked, payloads.GetQNupTokenOutput, may_repeat=True
        )
        told = {field.name: value for field, value in reply.ListFields() if isinstance(value, str)}
        token = told.pop("token", "")
        return UploadTicket(token=token, deadline=reply.deadline, fields=MappingProxyType(told))

    async def link(self, kind: FileType, key: str, *, name: str = "") -> str:
        """The URL under which a file can be downloaded, to be saved as ``name``."""
        asked = payloads.GetQNdownloadUrlInput(type=kind, key=key, fileName=name)
        reply = await self._link.ask(
            Topic.QN_URL, None, asked, payloads.GetQNdownloadUrlOutput, may_repeat=True
        )
        return reply.downloadUrl
