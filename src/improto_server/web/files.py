"""Uploads and downloads of files that are kept on this machine (operations 17, http 7).

``POST`` takes a form with ``token``, ``key`` and ``file``, in any order, as the upload clients of
web SDKs send it; they put the token last. ``PUT`` takes the bare file, with the token in the header
``Authorization: UpToken ...`` and the key in the URL. The answer is the same JSON either way.

A key may be another one than the ticket was made for, because those clients make their own. It
does no harm: a key that is taken cannot be taken again.

Whoever uploads may be anybody until the token has come, so all is bounded: sizes, time,
and how many do it at once. Every page may read the answers, because SDKs run in pages of others.
"""

from __future__ import annotations

import logging
import re
from errno import EDQUOT, ENOSPC
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from improto.codes import FileType
from improto_server.files.disk import TakenError
from improto_server.files.grants import GrantError, GrantExpiredError, clean_name, is_key
from improto_server.files.local import PATH
from improto_server.web.forms import FormBody, FormError, RawBody
from improto_server.web.serving import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from starlette.requests import Request

    from improto_server.files.disk import Disk, Incoming
    from improto_server.files.grants import Signer, Upload
    from improto_server.files.storage import SizeLimits
    from improto_server.web.forms import Body

MOST_UPLOADS: Final = 64
"""At once; each costs a file handle and, at times, a thread."""

_HEADERS: Final = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Range",
    "Access-Control-Max-Age": "86400",
}
_DOWNLOAD_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Disposition, Content-Range",
    # Links are secrets of those who have them, and end.
    "Cache-Control": "private, max-age=3600",
    # What is opened as a page of its own runs nothing, and is nobody's origin.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}

_SCHEME: Final = "UpToken "

_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+_-]{1,100}")
_UNKNOWN_TYPE: Final = "application/octet-stream"

_FAMILIES: Final[Mapping[int, str]] = {
    FileType.IMAGE: "image/",
    FileType.AUDIO: "audio/",
    FileType.VIDEO: "video/",
    FileType.SIGHT: "video/",
}
"""What a file of a kind must be, unless its sender does not know."""

_SHOWN: Final = re.compile(r"image/(?!svg)[a-z0-9.+-]+|(audio|video)/[a-z0-9.+-]+|text/plain")
"""What browsers show without running anything in it; all else is saved."""

_FULL: Final = frozenset({ENOSPC, EDQUOT})

_logger = logging.getLogger(__name__)


class _RefusedError(Exception):
    """A request is refused with a status and JSON about why."""

    def __init__(self, status: HTTPStatus, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.content = {"error": error, **more}


class Files:
    """The part of the web port. ``now`` is seconds since 1970."""

    def __init__(
        self, disk: Disk, signer: Signer, limits: SizeLimits, *, now: Callable[[], float]
    ) -> None:
        self._disk = disk
        self._signer = signer
        self._limits = limits
        self._now = now
        self._under_way = 0

    def routes(self) -> list[Route]:
        """Uploads come to ``/`` as well: some upload clients know a host and no path."""
        return [
            Route(PATH, self.upload, methods=["POST", "PUT"]),
            Route("/", self.upload, methods=["POST"]),
            Route(PATH, _preflight, methods=["OPTIONS"]),
            Route("/", _preflight, methods=["OPTIONS"]),
            Route(PATH + "/{link}", self.download, methods=["GET"]),
            Route(PATH + "/{link}", _preflight, methods=["OPTIONS"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Take a file: ``{"key": ..., "hash": ..., "name": ...}``, or ``{"error": ...}``."""
        stream = request.stream()
        self._under_way += 1
        try:
            content = await self._take(request, stream)
            return JSONResponse(content, headers=_HEADERS)
        except _RefusedError as refusal:
            return JSONResponse(refusal.content, status_code=refusal.status, headers=_HEADERS)
        except ClientDisconnect:
            # Nobody is there to read it.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        finally:
            self._under_way -= 1
            await stream.aclose()

    async def download(self, request: Request) -> Response:
        """Give a file, or a part of it, under the name that the link has."""
        try:
            link = self._signer.read_link(request.path_params["link"], now=self._now())
        except GrantError as error:
            return _error(HTTPStatus.FORBIDDEN, str(error))
        found = await run_sync(self._disk.find, link.app, link.key)
        if found is None:
            return _error(HTTPStatus.NOT_FOUND, "there is no such file")
        path, file = found
        is_shown = _SHOWN.fullmatch(file.content_type) is not None
        try:
            status = await run_sync(path.stat)
        except FileNotFoundError:
            return _error(HTTPStatus.NOT_FOUND, "there is no such file")
        return FileResponse(
            path,
            stat_result=status,
            media_type=file.content_type,
            headers=_DOWNLOAD_HEADERS,
            filename=clean_name(link.name) or clean_name(link.key),
            content_disposition_type="inline" if is_shown else "attachment",
        )

    async def _take(self, request: Request, stream: AsyncGenerator[bytes, None]) -> dict[str, str]:
        if self._under_way > MOST_UPLOADS:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too many uploads at once")
        header = request.headers.get("authorization", "")
        token = header.removeprefix(_SCHEME) if header.startswith(_SCHEME) else ""
        upload = self._allowed(token) if token else None
        body = _body(request)
        incoming = await self._disk_call(self._disk.begin)
        try:
            upload = await self._receive(stream, body, incoming, upload)
            key = request.query_params.get("key") or body.fields.get("key") or upload.key
            if not is_key(key):
                raise _RefusedError(HTTPStatus.BAD_REQUEST, "this cannot be a key", field="key")
            content_type = _content_type(body, upload)
            kept = await self._disk_call(partial(incoming.keep, upload.app, key, content_type))
        except TakenError:
            raise _RefusedError(
                HTTPStatus.CONFLICT, "there is another file with this key", field="key"
            ) from None
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(incoming.discard)
        return {"key": key, "hash": kept.hash, "name": clean_name(body.name) or key}

    async def _receive(
        self,
        stream: AsyncGenerator[bytes, None],
        body: Body,
        incoming: Incoming,
        upload: Upload | None,
    ) -> Upload:
        """Write what comes; until the token has come, the largest limit holds."""
        size = 0
        try:
            while data := await _next(stream):
                piece = b"".join(body.feed(data))
                size += len(piece)
                self._check_size(size, upload)
                await self._disk_call(partial(incoming.write, piece))
            body.end()
        except FormError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        if upload is None:
            upload = self._allowed(body.fields.get("token", ""))
            self._check_size(size, upload)
        return upload

    def _allowed(self, token: str) -> Upload:
        try:
            return self._signer.read_ticket(token, now=self._now())
        except GrantExpiredError as error:
            raise _RefusedError(HTTPStatus.FORBIDDEN, str(error), field="token") from None
        except GrantError as error:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, str(error), field="token") from None

    def _check_size(self, size: int, upload: Upload | None) -> None:
        limit = self._limits.largest if upload is None else self._limits.of(upload.kind)
        if size > limit:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the file is larger than {limit} bytes",
                field="file",
                limit=limit,
            )

    async def _disk_call(self, call: Callable[[], Any]) -> Any:
        try:
            return await run_sync(call)
        except OSError as error:
            _logger.error("a file could not be written: %s", error)
            status = (
                HTTPStatus.INSUFFICIENT_STORAGE
                if error.errno in _FULL
                else HTTPStatus.INTERNAL_SERVER_ERROR
            )
            raise _RefusedError(status, "the file could not be written") from error


def _body(request: Request) -> Body:
    content_type = request.headers.get("content-type", "")
    if request.method == "PUT":
        return RawBody(content_type)
    try:
        return FormBody(content_type)
    except FormError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None


def _content_type(body: Body, upload: Upload) -> str:
    """What the file will be given out as. It must fit what it was announced as."""
    said = body.content_type.partition(";")[0].strip().lower()
    if _CONTENT_TYPE.fullmatch(said) is None:
        said = _UNKNOWN_TYPE
    family = _FAMILIES.get(upload.kind, "")
    if said != _UNKNOWN_TYPE and not said.startswith(family):
        raise _RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the ticket is for {family}*, not for {said}",
            field="file",
        )
    return said


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes:
    """What comes next; nothing at the end."""
    try:
        with anyio.fail_after(PATIENCE):
            return await anext(stream, b"")
    except TimeoutError:
        raise _RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, f"nothing came for {PATIENCE:.0f} s"
        ) from None


async def _preflight(request: Request) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)


def _error(status: HTTPStatus, error: str) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers=_HEADERS)
