"""What an ASGI host says of a request, as the rest of improto says it, and the answer back."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from improto.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

LOGGER: Final = logging.getLogger("improto.asgi")

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def path_of(scope: Scope) -> str:
    """The path without that of the place where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def request_of(scope: Scope, body: bytes = b"") -> HttpRequest:
    """The request of a scope, of HTTP or for a WebSocket."""
    query: bytes = scope.get("query_string", b"")
    target = quote(path_of(scope))
    if query:
        target += f"?{query.decode('latin-1')}"
    return HttpRequest(
        method=scope.get("method", "GET"),
        target=target,
        headers=tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ),
        body=body,
    )


async def send_response(scope: Scope, send: Send, response: HttpResponse) -> None:
    """Give the host the answer to a request."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    if response.status not in _BODILESS:
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send(
        {
            "type": "http.response.start",
            "status": int(response.status),
            "headers": [(name.lower(), value) for name, value in headers],
        }
    )
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})
