"""Files: uploading and downloading, and sending them as messages (operations 17, http 7).

The message connection gives leave to upload and names the address of what was uploaded; the
files themselves travel over HTTP, to and from the storage that navigation names.
"""

from __future__ import annotations

import base64
import mimetypes
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode, FileType, UploadProvider
from improto.contents import File, HighQualityVoice, Image, ShortVideo
from improto.operations import Topic
from improto_client._sources import name_of, opened
from improto_client._transfers import Form, Transfers, quiet
from improto_client.errors import Malformed, Refused
from improto_client.file_errors import NoStorage
from improto_client.storages import Storage, UploadTicket, find_storage, named_storage
from improto_client.words import clean

if TYPE_CHECKING:
    from os import PathLike

    from improto.contents import Content
    from improto.messages import Conversation
    from improto_client._sources import Source
    from improto_client._transfers import Progress
    from improto_client.link import Link
    from improto_client.messages import Messages
    from improto_client.values import Message, Sent

PATIENCE: Final = 60.0
"""Seconds for which nothing may move, as at the server."""

LARGEST_DOWNLOAD: Final = 1024 * 1024 * 1024
"""Bytes of a file that are taken, unless the program says otherwise: an address comes from
whoever has sent the message, and may lead to something without an end. Ours."""

NAME_CHARACTERS: Final = 255
"""The longest name of a file, as in most file systems."""

_UNKNOWN: Final = "application/octet-stream"
_MIME: Final = re.compile(r"[a-z]+/[a-zA-Z0-9.+_-]{1,100}")
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
_KINDS: Final = {"image": FileType.IMAGE, "audio": FileType.AUDIO, "video": FileType.VIDEO}
"""What is uploaded as what, by the first half of its MIME type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that is with the storage."""

    url: str
    """Where everybody who has this address can download it; the storage decides for how long."""
    key: str
    """What the storage calls it."""
    name: str
    size: int
    """In bytes."""
    mime: str
    kind: FileType


class Files:
    """``im.files``.

    Besides what every request raises, uploads and downloads raise
    :class:`improto_client.FileError`: NoStorage, FileTooLarge, TransferRefused, TransferBroken,
    TransferStalled, DiskFull or FileUnusable. No file is ever in memory as a whole.
    """

    def __init__(self, link: Link, messages: Messages) -> None:
        self._link = link
        self._messages = messages

    # -- to the storage --------------------------------------------------------------

    async def upload(
        self,
        source: Source,
        *,
        name: str = "",
        kind: FileType | None = None,
        mime: str = "",
        size: int | None = None,
        progress: Progress | None = None,
        storage: str | None = None,
        patience: float = PATIENCE,
    ) -> Uploaded:
        """Upload a file under a new key.

        ``source`` is a path, bytes, or an asynchronous iterable of bytes, of which ``size`` may be
        said; stores that speak S3 want to know it. ``name`` is what it is called, for a path its
        last part. ``mime`` and ``kind`` follow from the name's ending if they are not given; a
        server may refuse a kind that does not fit (TransferRefused with 415).

        ``progress`` is called with the bytes that have gone and those there are, or None.
        ``storage`` is the address of one, for programs that connect without navigation.
        Nothing may stand still for ``patience`` seconds.

        A file that changes meanwhile is FileUnusable. Malformed for a name of more than 255
        characters or what is no MIME type. Cancelling leaves nothing behind at the storage.
        """
        name = name or name_of(source) or "file"
        if len(name) > NAME_CHARACTERS:
            raise Malformed(f"name: at most {NAME_CHARACTERS} characters, not {len(name)}")
        mime = mime or mimetypes.guess_type(name)[0] or _UNKNOWN
        if _MIME.fullmatch(mime) is None:
            raise Malformed(f"mime: {mime!r} is none")
        kind = _KINDS.get(mime.partition("/")[0], FileType.FILE) if kind is None else kind
        key = secrets.token_hex(16) + _ending(name)
        place = self._storage(storage)
        async with opened(source, size=size) as file:
            try:
                ticket = await self.ticket(kind, key=key)
            except Refused as refusal:
                if refusal.code == ErrorCode.QNTKN_GET_ERROR:
                    raise NoStorage("the server gives no tickets: it has no storage") from refusal
                raise
            url, fields = place.form(ticket, key, mime)
            form = Form(fields, file, name=name, mime=mime, progress=progress or quiet)
            await self._transfers(patience).upload(url, form)
        url = await self.link(kind, key, name=name, provider=place.provider)
        return Uploaded(url=url, key=key, name=name, size=form.given, mime=mime, kind=kind)

    async def send(
        self,
        to: Conversation | Message,
        source: Source,
        *,
        name: str = "",
        kind: FileType | None = None,
        mime: str = "",
        size: int | None = None,
        thumbnail: bytes = b"",
        duration: float | None = None,
        progress: Progress | None = None,
        storage: str | None = None,
        patience: float = PATIENCE,
    ) -> Sent:
        """Upload a file and send a message with its address; arguments as of :meth:`upload`.

        Receivers show pictures and videos by a small picture inside the message, and sounds by
        their length; this library can make neither. So a picture with a ``thumbnail`` (a JPEG of
        a few kilobytes) is sent as an Image, a sound with a ``duration`` in seconds as a
        HighQualityVoice, a video with both as a ShortVideo; everything else is sent as a File.
        """
        uploaded = await self.upload(
            source,
            name=name,
            kind=kind,
            mime=mime,
            size=size,
            progress=progress,
            storage=storage,
            patience=patience,
        )
        return await self._messages.send(to, _content(uploaded, thumbnail, duration))

    async def ticket(self, kind: FileType, *, key: str = "") -> UploadTicket:
        """Leave to upload a file under a key; without one, whoever uploads chooses it.

        Refused with 41001 for no file type and with 41002 if there is no storage.
        """
        asked = payloads.GetQNupTokenInput(type=kind)
        if key:
            asked.key = key
        reply = await self._link.ask(
            Topic.QN_TKN, None, asked, payloads.GetQNupTokenOutput, may_repeat=True
        )
        told = {field.name: value for field, value in reply.ListFields() if isinstance(value, str)}
        token = told.pop("token", "")
        return UploadTicket(token=token, deadline=reply.deadline, fields=MappingProxyType(told))

    # -- from the storage ------------------------------------------------------------

    async def link(
        self,
        kind: FileType,
        key: str,
        *,
        name: str = "",
        provider: UploadProvider = UploadProvider.QINIU,
    ) -> str:
        """The URL under which a file can be downloaded, to be saved as ``name``.

        Refused as :meth:`ticket`.
        """
        if provider is UploadProvider.S3:
            told = await self._link.ask(
                Topic.S3_URL,
                None,
                payloads.GetDownloadUrlInput(type=kind, key=key, fileName=name),
                payloads.GetDownloadUrlOutput,
                may_repeat=True,
            )
            return told.downloadUrl
        asked = payloads.GetQNdownloadUrlInput(type=kind, key=key, fileName=name)
        reply = await self._link.ask(
            Topic.QN_URL, None, asked, payloads.GetQNdownloadUrlOutput, may_repeat=True
        )
        return reply.downloadUrl

    async def download(
        self,
        url: str,
        path: str | PathLike[str],
        *,
        progress: Progress | None = None,
        largest: int = LARGEST_DOWNLOAD,
        patience: float = PATIENCE,
    ) -> Path:
        """Download what is at an address into a file, which is replaced if it is there.

        The file appears when it is complete. Until then it has another name beside it; if the
        download fails or is cancelled, the next one of the same address and path goes on from
        there, if the storage can. Let only one run at a time. FileTooLarge for more than
        ``largest`` bytes; Malformed for what is no http or https address, or no name of a file.

        The address comes from whoever has sent the message: do not download where strangers must
        not lead you, such as into your own network.
        """
        if not url.startswith(("http://", "https://")):
            raise Malformed("url: only http and https addresses can be downloaded")
        if clean(url) != url:
            raise Malformed(f"url: {url!a} has characters that no address has")
        target = Path(path)
        if not target.name or "\0" in str(target):
            raise Malformed(f"path: {str(target)!a} cannot be the name of a file")
        transfers = self._transfers(patience)
        await transfers.download(url, target, most=largest, progress=progress or quiet)
        return target

    # -- inside ----------------------------------------------------------------------

    def _transfers(self, patience: float) -> Transfers:
        return Transfers(tls=self._link.approach.tls, patience=patience)

    def _storage(self, address: str | None) -> Storage:
        if address is not None:
            try:
                return named_storage(address)
            except ValueError as error:
                raise Malformed(f"storage: {error}") from error
        route = self._link.approach.route
        if route is None:
            raise NoStorage("nobody has said where files go: name a navigator, or a storage")
        return find_storage(route.fields, is_encrypted=route.hosts[0].is_encrypted)


def _ending(name: str) -> str:
    """What a key ends in, so that it can be seen what it is."""
    suffix = Path(name).suffix
    return suffix if _ENDING.fullmatch(suffix) else ""


def _content(uploaded: Uploaded, thumbnail: bytes, duration: float | None) -> Content:
    """The message that a receiver can show best."""
    small = base64.b64encode(thumbnail).decode()
    kind, url = uploaded.kind, uploaded.url
    ending = Path(uploaded.name).suffix.removeprefix(".").lower()
    if kind is FileType.IMAGE and small:
        return Image(content=small, image_uri=url)
    if kind is FileType.AUDIO and duration is not None:
        return HighQualityVoice(type=ending or "aac", remote_url=url, duration=duration)
    if kind in (FileType.VIDEO, FileType.SIGHT) and small and duration is not None:
        return ShortVideo(
            sight_url=url,
            content=small,
            duration=duration,
            size=uploaded.size,
            name=uploaded.name,
        )
    return File(name=uploaded.name, size=uploaded.size, type=ending, file_url=url)
