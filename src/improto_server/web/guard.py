"""What holds for every request and every answer of the web port, whichever part answers.

* A request that says twice how long it is, by ``Content-Length`` and by ``Transfer-Encoding``, is
  refused, and its connection ends: a proxy may have believed the one and we the other, and then
  the rest of one person's request is the beginning of another's (RFC 9112 section 6.1).
* An answer is what its type says, and nothing that a browser makes of its bytes.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_AMBIGUOUS: Final = "a request has Content-Length or Transfer-Encoding, not both"


class Guard:
    """Middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application, as what it is put around."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        headers = Headers(scope=scope)
        app = self._app
        if "content-length" in headers and "transfer-encoding" in headers:
            app = JSONResponse(
                {"error": _AMBIGUOUS},
                status_code=HTTPStatus.BAD_REQUEST,
                headers={"Connection": "close"},
            )
        await app(scope, receive, say)
