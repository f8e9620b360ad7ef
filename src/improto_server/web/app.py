"""The ASGI application, put together from the routes of its parts.

Errors are JSON, whoever finds them: upload clients read every answer as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from improto_server.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute


def web_app(*parts: Iterable[BaseRoute], is_ready: Callable[[], bool] = lambda: True) -> Starlette:
    """The application. ``parts``: the routes of each part; the first that fits is taken.

    ``is_ready``: whether clients should be sent here.
    """

    async def readyz(request: Request) -> Response:
        """For whoever decides where clients go."""
        if is_ready():
            return PlainTextResponse("ok")
        return PlainTextResponse("not ready", status_code=503)

    routes: list[BaseRoute] = [Route("/healthz", _healthz), Route("/readyz", readyz)]
    for part in parts:
        routes.extend(part)
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
    app.add_middleware(Guard)
    # A path is right or wrong; programs rarely follow where a form is sent on to.
    app.router.redirect_slashes = False
    return app


async def _healthz(request: Request) -> Response:
    """For whoever watches the server: it runs, and its event loop turns."""
    return PlainTextResponse("ok")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": error.detail}, status_code=error.status_code, headers=error.headers
    )


async def _failed(request: Request, error: Exception) -> Response:
    """The server logs the traceback; nobody else needs it."""
    return JSONResponse({"error": "internal error"}, status_code=500)
