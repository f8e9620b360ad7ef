"""Static files of pages, under ``/static``: what is in the folder ``static`` beside this module.

They are few and small, so all of them are read once. What is not among them then cannot be asked
for, however the path is spelled. They are public: pages of any origin may import the modules.
"""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

PATH: Final = "/static"
"""Where they are found."""

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served, by the ending of its name; other files are not. Ours, because what the machine
says about endings differs from one to the next, and modules of another type do not load."""

_HEADERS: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Origin": "*",
    # Kept, but asked for anew: pages and modules of two versions do not go together.
    "Cache-Control": "no-cache",
    # For what is opened as a page of its own; a script obeys the page that has loaded it.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class _Asset(NamedTuple):
    """A file as it is answered."""

    body: bytes
    headers: Mapping[str, str]


class Assets:
    """The part of the web port. ``folder``: another one than that of this package."""

    def __init__(self, folder: Traversable | None = None) -> None:
        root = files("improto_server.web") / "static" if folder is None else folder
        self._assets = {path: _asset(path, file.read_bytes()) for path, file in _walk(root)}

    def routes(self) -> list[Route]:
        """One; the path decides."""
        return [Route(PATH + "/{path:path}", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        """A file, or that the one which the browser has is still right."""
        asset = self._assets.get(request.path_params["path"])
        if asset is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, headers={"X-Content-Type-Options": "nosniff"})
        if _is_known(request.headers.get("if-none-match", ""), asset.headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=asset.headers)
        return Response(asset.body, headers=asset.headers)


def _walk(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}{entry.name}/")
        elif PurePosixPath(entry.name).suffix in TYPES:
            yield path + entry.name, entry


def _asset(path: str, body: bytes) -> _Asset:
    own = {
        "Content-Type": TYPES[PurePosixPath(path).suffix],
        "ETag": f'"{sha256(body).hexdigest()[:32]}"',
    }
    return _Asset(body, {**_HEADERS, **own})


def _is_known(said: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names the tag; proxies may have made it a weak one."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in said.split(","))
