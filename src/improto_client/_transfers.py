"""Files over HTTP: a form with a file in it goes out, and a file comes in.

Nothing is kept in memory as a whole. What comes is written to a file beside the one that is
wanted and gets its name when it is complete, so nobody sees half a file; what an earlier try has
left is added to. What a file holds under one address never changes (operations 17), so both
halves belong together.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import anyio
import httpx
from anyio.to_thread import run_sync

from improto_client._http import PLAIN, words
from improto_client.file_errors import (
    DiskFull,
    FileError,
    FileTooLarge,
    FileUnusable,
    TransferBroken,
    TransferRefused,
    TransferStalled,
    local_error,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path
    from ssl import SSLContext

    from improto_client._sources import Opened

    Progress: TypeAlias = Callable[[int, int | None], object]
    """Called with the bytes that were transferred, and those there are if that is known."""

MOST_REDIRECTS: Final = 5
"""Followed on the way to a file. Ours."""

LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that is no file. Ours."""

NAME_KEPT: Final = 48
"""Characters of a file's name in that of its part: with four bytes each there is room for the rest
in the 255 bytes that file systems have for a name."""

REASON_CHARACTERS: Final = 300
"""Of what a storage says about a refusal."""

_RANGE_TOLD: Final = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)")
_TOO_LARGE_CODE: Final = re.compile(rb"<Code>EntityTooLarge</Code>")
_MOST_ALLOWED: Final = re.compile(rb"<MaxSizeAllowed>(\d{1,18})</MaxSizeAllowed>")
_REASON: Final = re.compile(r"<Message>([^<]*)</Message>")

_OK, _PARTIAL = 200, 206
_BAD_REQUEST, _REQUEST_TIMEOUT, _TOO_LARGE, _RANGE, _DISK_FULL = 400, 408, 413, 416, 507


def quiet(sent: int, total: int | None) -> None:
    """For who does not want to know."""


class Form(httpx.AsyncByteStream):
    """A body of type ``multipart/form-data`` (RFC 7578): fields, and then a file.

    It iterates without a generator, because nobody would close one that is left in the middle.
    """

    def __init__(
        self, fields: Mapping[str, str], source: Opened, *, name: str, mime: str, progress: Progress
    ) -> None:
        boundary = secrets.token_hex(16)
        begin = f"--{boundary}\r\nContent-Disposition: form-data; name="
        parts = [f'{begin}"{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()]
        parts.append(f'{begin}"file"; filename="{_quoted(name)}"\r\nContent-Type: {mime}\r\n\r\n')
        self._source = source
        self._progress = progress
        self._head = "".join(parts).encode(errors="replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.given = 0
        """Bytes of the file that have been handed out."""
        self._told: int | None = None
        self.headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        if source.size is None:
            self.headers["transfer-encoding"] = "chunked"
        else:
            length = len(self._head) + source.size + len(self._tail)
            self.headers["content-length"] = str(length)

    def __aiter__(self) -> Form:
        return self

    async def __anext__(self) -> bytes:
        # What was given before has been written, or nobody would ask for more.
        if self._told != self.given:
            self._told = self.given
            self._progress(self.given, self._source.size)
        if self._head:
            head, self._head = self._head, b""
            return head
        if not self._tail:
            raise StopAsyncIteration
        piece = await self._source.read()
        self.given += len(piece)
        self._check(is_end=not piece)
        if piece:
            return piece
        tail, self._tail = self._tail, b""
        return tail

    def _check(self, *, is_end: bool) -> None:
        size = self._source.size
        if size is not None and (self.given > size or (is_end and self.given < size)):
            raise FileUnusable(f"{size} bytes were announced, and {self.given} have come so far")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """Uploads and downloads. ``tls`` is for https; nothing may stand still for ``patience`` s."""

    tls: SSLContext
    patience: float

    async def upload(self, url: str, form: Form) -> None:
        """POST a form. Raises FileError, and what the form's source and progress raise."""
        with _named(self.patience):
            async with self._client() as client:
                request = client.build_request("POST", url, headers={**PLAIN, **form.headers})
                request.stream = form
                response = await client.send(request, stream=True)
                try:
                    body = await _beginning(response)
                finally:
                    await response.aclose()
        if not response.is_success:
            raise _refusal(response.status_code, body)

    async def download(self, url: str, path: Path, *, most: int, progress: Progress) -> None:
        """GET a file of at most ``most`` bytes. Raises FileError, and what ``progress`` raises."""
        part = path.with_name(
            f".{path.name[:NAME_KEPT]}.{sha256(url.encode()).hexdigest()[:16]}.part"
        )
        try:
            # It is closed by the block, which nothing can cancel.
            with await run_sync(_open, part) as file:
                target = _Target(file, part, most=most, progress=progress)
                try:
                    while not await self._try(url, target):
                        pass
                except BaseException:
                    if not target.size:
                        part.unlink()
                    raise
            part.replace(path)
        except OSError as error:
            raise local_error(path, error) from error

    async def _try(self, url: str, target: _Target) -> bool:
        """Ask for what is missing. False: what is there does not fit, and is gone."""
        begin = target.size
        headers = {**PLAIN, "range": f"bytes={begin}-"} if begin else PLAIN
        with _named(self.patience):
            async with (
                self._client() as client,
                client.stream("GET", url, headers=headers, follow_redirects=True) as response,
            ):
                status = response.status_code
                first, total = _range(response)
                if status == _OK:
                    await target.empty()
                    await target.take(response, _number(response.headers.get("content-length")))
                    return True
                if status == _PARTIAL and begin and first == begin:
                    await target.take(response, total)
                    # It may be less than what was asked for (RFC 9110, 15.3.7).
                    if target.size < (total or 0):
                        raise TransferBroken(f"{target.size} of {total} bytes have come")
                    return True
                if not begin or status not in (_PARTIAL, _RANGE):
                    raise _refusal(status, await _beginning(response))
                await _beginning(response)
                if status == _RANGE and total == begin:
                    return True
                await target.empty()
                return False

    def _client(self) -> httpx.AsyncClient:
        """Like the connection, it knows no proxies."""
        return httpx.AsyncClient(
            verify=self.tls, trust_env=False, timeout=self.patience, max_redirects=MOST_REDIRECTS
        )


def _open(path: Path) -> BinaryIO:
    """For writing at the end, but through no link: its name can be guessed."""
    beware: int = getattr(os, "O_NOFOLLOW", 0)
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags | beware, 0o666))


class _Target:
    """A file that is being written, at its end. ``size``: how many bytes it has."""

    def __init__(self, file: BinaryIO, path: Path, *, most: int, progress: Progress) -> None:
        self.size = file.seek(0, os.SEEK_END)
        self._file = file
        self._path = path
        self._most = most
        self._progress = progress

    async def empty(self) -> None:
        """Begin anew."""
        if self.size:
            self.size = 0
            await run_sync(self._file.truncate, 0)

    async def take(self, response: httpx.Response, total: int | None) -> None:
        """Write what comes. ``total``: how many bytes there will be in the end, if known."""

        async def write(piece: bytes) -> None:
            if max(self.size + len(piece), total or 0) > self._most:
                await self.empty()
                raise FileTooLarge(self._most)
            try:
                await run_sync(self._file.write, piece)
            except OSError as error:
                raise local_error(self._path, error) from error
            self.size += len(piece)
            self._progress(self.size, total)

        self._progress(self.size, total)
        await _each(response, write)


@contextmanager
def _named(patience: float) -> Iterator[None]:
    """What went wrong on the network, as errors of ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise TransferStalled(f"nothing has moved for {patience:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise TransferBroken(words(error)) from error
    except ExceptionGroup as group:
        # What asyncio raises for a port above 65535, which httpx lets through.
        raise TransferBroken(words(group.exceptions[0])) from group


async def _each(response: httpx.Response, take: Callable[[bytes], Awaitable[None]]) -> None:
    """Give every piece to a function. What that raises ends it, and is raised.

    Httpx cannot be left in the middle, because its generators would stay open; so it is
    cancelled where it waits for the next piece.
    """
    raised: BaseException | None = None
    with anyio.CancelScope() as scope:
        async for piece in response.aiter_raw():
            if raised is None:
                try:
                    await take(piece)
                except BaseException as error:
                    raised = error
                    scope.cancel()
    if raised is not None:
        raise raised


class _Enough(Exception):
    """No more is wanted."""


async def _beginning(response: httpx.Response) -> bytes:
    """The first bytes of a body, of which the rest is of no interest."""
    body = bytearray()

    async def keep(piece: bytes) -> None:
        body.extend(piece[: LARGEST_ANSWER - len(body)])
        if len(body) == LARGEST_ANSWER:
            raise _Enough

    with suppress(_Enough):
        await _each(response, keep)
    return bytes(body)


def _range(response: httpx.Response) -> tuple[int | None, int | None]:
    """Where a part begins, and how long the whole is (RFC 9110, 14.4); None: not told."""
    found = _RANGE_TOLD.fullmatch(response.headers.get("content-range", ""))
    first, total = found.groups() if found else (None, None)
    return _number(first), _number(total)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _refusal(status: int, body: bytes) -> FileError:
    """What a storage says when it does not do it: JSON, or XML as stores that speak S3."""
    try:
        members: Any = json.loads(body)
    except (ValueError, RecursionError):
        members = None
    members = members if isinstance(members, dict) else {}
    if status == _TOO_LARGE or (status == _BAD_REQUEST and _TOO_LARGE_CODE.search(body)):
        said = members.get("limit")
        found = _MOST_ALLOWED.search(body)
        return FileTooLarge(int(found[1]) if found else said if isinstance(said, int) else None)
    reason = members.get("error")
    if not isinstance(reason, str):
        told = _REASON.search(body.decode("utf-8", "replace"))
        reason = told[1] if told else ""
    reason = "".join(filter(str.isprintable, reason))[:REASON_CHARACTERS]
    if status == _DISK_FULL:
        return DiskFull(f"at the storage: {reason or 'no room'}")
    if status == _REQUEST_TIMEOUT:
        return TransferStalled(f"the storage did not wait any longer: {reason}")
    return TransferRefused(status, reason)


def _quoted(text: str) -> str:
    """A name inside of quotation marks, as browsers write it (HTML, 4.10.21.8)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
