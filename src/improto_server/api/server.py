"""The routes of the REST API: from an HTTP request to a service and back (rest 1 to 4).

Who calls is checked before anything that was sent is looked at. Services run in the server's own
event loop, one after the other, like everything else that they do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from improto_server.api.description import openapi
from improto_server.api.replies import (
    HTTP_STATUS,
    SUCCESS,
    Code,
    RefusedError,
    failure,
    refused_by,
    success,
)
from improto_server.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from improto_server.errors import ServiceError
from improto_server.rate import TokenBucket
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from improto_server.api.endpoints import Endpoint, Reply
    from improto_server.api.signing import Signing

BODY_BYTES: Final = 1024 * 1024
"""The largest body (rest 3)."""

PATIENCE: Final = 10.0
"""Seconds that a body may take; then the SDKs have given up as well (rest 1)."""

_REQUEST_ID: Final = 36
"""Characters of a request's id that are logged (rest 1)."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """``now``: seconds since 1970; ``monotonic``: seconds that never go back."""

    now: Callable[[], float]
    monotonic: Callable[[], float]


class Api:
    """The part of the web port.

    An app may call each endpoint ``calls_per_second`` times; 0: as often as it likes.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        *,
        signing: Signing,
        calls_per_second: int,
        clocks: Clocks,
    ) -> None:
        self._endpoints = {endpoint.url: endpoint for endpoint in endpoints}
        self._signing = signing
        self._rate = calls_per_second
        self._clocks = clocks
        # As many as there are apps and endpoints.
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def routes(self) -> list[Route]:
        """One for everything that is called like an endpoint; what is none gets code 404.

        Whoever wants may read the description: it tells nothing of apps and users.
        """
        return [
            Route("/{path:path}.json", self.answer, methods=["POST"]),
            Route("/openapi.json", self.describe, methods=["GET"]),
        ]

    async def describe(self, request: Request) -> Response:
        """What can be called, as an OpenAPI document."""
        return _response(SUCCESS, msgspec.json.encode(openapi(self._endpoints.values())))

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        path = request.url.path
        try:
            return _response(SUCCESS, success(await self._call(request, path)))
        except RefusedError as error:
            refusal = error
        except ServiceError as error:
            refusal = refused_by(error)
        except ClientDisconnect:
            # Nobody is there to read it.
            return Response(status_code=HTTP_STATUS[Code.INVALID])
        except Exception:
            _logger.exception("%s could not be answered", path)
            refusal = RefusedError(Code.INTERNAL, "internal error")
        _logger.debug(
            "%s refused with %d: %s; request %.*s",
            path,
            refusal.code,
            refusal,
            _REQUEST_ID,
            request.headers.get("x-request-id", ""),
        )
        return _response(HTTP_STATUS[refusal.code], failure(refusal, path))

    async def _call(self, request: Request, path: str) -> Reply:
        app = self._signing.check(request.headers, now=self._clocks.now())
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            raise RefusedError(Code.NOT_FOUND, "there is no such call")
        if not self._bucket(app, path).take(now=self._clocks.monotonic()):
            raise RefusedError(Code.TOO_OFTEN, f"more than {self._rate} calls per second")
        call = endpoint.read(app, await _body(request))
        return await finished(endpoint.call(call))

    def _bucket(self, app: str, path: str) -> TokenBucket:
        bucket = self._buckets.get((app, path))
        if bucket is None:
            bucket = TokenBucket(float(self._rate), now=self._clocks.monotonic())
            self._buckets[app, path] = bucket
        return bucket


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, most=BODY_BYTES, seconds=PATIENCE)
    except BodyTooLargeError:
        raise RefusedError(Code.TOO_LARGE, f"the body is larger than {BODY_BYTES} bytes") from None
    except BodyTooSlowError:
        raise RefusedError(Code.INVALID, f"the body took more than {PATIENCE:.0f} s") from None


def _response(status: int, body: bytes) -> Response:
    return Response(
        body,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
