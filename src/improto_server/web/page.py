"""The web page: its document, and what it has to know before anybody is logged in.

Its modules are static files (assets.py). The document is answered here because its headers depend
on where the gateway and the files are: nothing else may be loaded from or connected to, and no
text is ever taken for HTML.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from improto_server import robot
from improto_server.accounts.settings import FIXED_USERS
from improto_server.config import StorageKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from improto_server.config import Settings

_ENTRY: Final = "/chat"
"""Where people log in, whatever else is at ``/``."""

_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=(self)",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_POLICY: Final = (
    "default-src 'none'",
    # libsodium is WebAssembly, which is loaded from here like everything else.
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    # Templates of the page itself are the only HTML there is.
    "require-trusted-types-for 'script'",
    "trusted-types lit-html",
)


class Page:
    """The part of the web port.

    ``navigation``: where SDKs find the server, for who calls a host; ``base_url``: where the web
    port is found.
    """

    def __init__(
        self, settings: Settings, *, navigation: Callable[[str], str], base_url: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._navigation = navigation
        self._base_url = base_url
        self._fixed = FIXED_USERS if settings.accounts.fixed_users else {}
        folder = files("improto_server.web") / "static" / "page"
        self._document = (folder / "index.html").read_bytes()

    def routes(self) -> list[Route]:
        """The document, and what it asks for first."""
        return [
            *(Route(path, self.document, methods=["GET"]) for path in ("/", _ENTRY, *self._fixed)),
            Route("/page/config.json", self.config, methods=["GET"]),
        ]

    async def document(self, request: Request) -> Response:
        """The page."""
        policy = "; ".join([*_POLICY, *self._sources(request.url.hostname or "")])
        headers = {**_HEADERS, "Content-Security-Policy": policy}
        return Response(self._document, media_type="text/html", headers=headers)

    async def config(self, request: Request) -> Response:
        """What is open to whom comes."""
        settings = self._settings
        content = {
            "registration": settings.accounts.registration,
            "guests": settings.accounts.guests,
            "robot": robot.USER if settings.robot else None,
            "recallMinutes": settings.messages.recall_minutes,
            "limits": _limits(settings),
            "entry": _ENTRY,
            "fixedUsers": self._fixed,
        }
        return JSONResponse(content, headers=_HEADERS)

    def _sources(self, host: str) -> list[str]:
        """What may be loaded: our own, the gateway, and files where they are kept."""
        kept = {_origin(self._base_url()), _origin(self._settings.uploads.s3_endpoint)} - {""}
        stored = " ".join(sorted(kept))
        gateways = {urlsplit(self._navigation(host)).netloc}
        gateways.add(self._settings.gateway.hand_over_to)
        reached = [
            f"{scheme}://{each}"
            for each in sorted(gateways - {""})
            for scheme in ("http", "https", "ws", "wss")
        ]
        return [
            f"img-src 'self' data: blob: {stored}",
            f"media-src 'self' data: blob: {stored}",
            f"connect-src 'self' {' '.join(reached)} {stored}",
        ]


def _limits(settings: Settings) -> dict[str, int] | None:
    """Bytes of a file by the first part of its type; None: files are kept nowhere."""
    uploads = settings.uploads
    if uploads.storage is StorageKind.NONE:
        return None
    return {
        "image": uploads.image_bytes,
        "audio": uploads.audio_bytes,
        "video": uploads.video_bytes,
        "file": uploads.file_bytes,
    }


def _origin(url: str) -> str:
    """Of an address, the part that policies know; empty if there is none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""
