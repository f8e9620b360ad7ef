"""The administration as a part of the web port: how its calls are answered, and its page."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from improto_server.accounts.bodies import read_json, read_query
from improto_server.accounts.refusals import RefusedError, refused_by
from improto_server.admin.calls import AdminCalls
from improto_server.admin.gate import Gate
from improto_server.admin.traffic import Traffic
from improto_server.errors import ServiceError
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.requests import Request

    from improto_server.admin.calls import Call
    from improto_server.config import Settings
    from improto_server.services.letters import Letter
    from improto_server.store import NewMessage
    from improto_server.system import System

PREFIX: Final = "/admin"

LOGGED_CHARACTERS: Final = 300
"""Of what was asked for; the rest of a long text is not logged."""

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_PAGE_HEADERS: Final = {
    **_HEADERS,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_logger = logging.getLogger(__name__)


class Administration:
    """The part of the web port. ``database``: the file whose size is told."""

    def __init__(
        self,
        settings: Settings,
        *,
        system: System,
        database: Path,
        monotonic: Callable[[], float],
    ) -> None:
        web = settings.web
        self._gate = Gate(
            web.admin_token,
            is_open=web.admin_remote,
            proxies=settings.accounts.proxies,
            monotonic=monotonic,
        )
        self._traffic = Traffic(monotonic)
        system.messages.on_append.append(self._appended)
        calls = AdminCalls(
            apps=[app.key for app in settings.apps],
            system=system,
            traffic=self._traffic,
            storage=partial(_sizes, database),
            version=version("improto"),
            on_failure=_not_sent,
        )
        self._calls = {(call.method, PREFIX + call.path): call for call in calls.all()}
        self._page = (files("improto_server.web") / "static/admin/index.html").read_bytes()

    def routes(self) -> list[Route]:
        """Those of the page, and one for everything that is called like a call."""
        return [
            Route(PREFIX, self.page, methods=["GET"]),
            Route(PREFIX + "/", _to_the_page, methods=["GET"]),
            Route(PREFIX + "/{path:path}", self.answer, methods=["GET", "POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """The page. It knows nothing before it is given the token."""
        try:
            self._gate.check_place(request)
        except RefusedError as error:
            return _refusal(error)
        return Response(self._page, media_type="text/html", headers=_PAGE_HEADERS)

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        try:
            return _response(HTTPStatus.OK, await self._replied(request))
        except RefusedError as error:
            return _refusal(error)
        except ServiceError as error:
            return _refusal(refused_by(error))
        except ClientDisconnect:
            # Nobody is there to read it.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception:
            _logger.exception("%s could not be answered", request.url.path)
            return _refusal(
                RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "internal error")
            )

    async def _replied(self, request: Request) -> Mapping[str, Any]:
        caller = self._gate.check(request)
        call = self._call(request)
        if call.method == "GET":
            return await finished(call.handler(read_query(request, call.kind)))
        body = await read_json(request, call.kind)
        reply = await finished(call.handler(body))
        # Quoted, so what was asked for cannot look like another line.
        said = repr(body)[:LOGGED_CHARACTERS]
        _logger.warning("the operator at %s has called %s: %s", caller, call.path, said)
        return reply

    def _call(self, request: Request) -> Call:
        method = "GET" if request.method == "HEAD" else request.method
        path = request.url.path
        call = self._calls.get((method, path))
        if call is not None:
            return call
        if any(path == each for _, each in self._calls):
            status, code = HTTPStatus.METHOD_NOT_ALLOWED, "wrong_method"
        else:
            status, code = HTTPStatus.NOT_FOUND, "not_found"
        raise RefusedError(status, code, f"there is no {method} {path[:200]}")

    def _appended(self, letter: Letter, message: NewMessage) -> None:
        self._traffic.count()


async def _to_the_page(request: Request) -> Response:
    # Relative: a proxy may have put something before the path.
    return RedirectResponse("../admin", headers=_HEADERS)


def _sizes(database: Path) -> Mapping[str, int]:
    """Bytes of the store, and what is free on its disk."""
    log = database.with_name(database.name + "-wal")
    size = sum(each.stat().st_size for each in (database, log) if each.exists())
    return {"database": size, "free": shutil.disk_usage(database.parent).free}


def _not_sent(error: Exception) -> None:
    _logger.error("a broadcast was not sent to everybody: %s", error)


def _refusal(error: RefusedError) -> Response:
    headers = {"Retry-After": str(error.wait)} if error.wait else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(error.status, error.content, headers)


def _response(
    status: HTTPStatus, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type="application/json",
        headers={**_HEADERS, **(headers or {})},
    )
