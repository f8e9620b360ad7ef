"""What the official server SDKs talk to: ``im_server`` with a REST API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from improto_server.api.server import Api
from improto_server.testing import ImServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response


@dataclass
class Called:
    """Paths of endpoints, without the ``.json`` at their ends."""

    known: set[str] = field(default_factory=set)
    """All that there are, once one was called."""
    answered: set[str] = field(default_factory=set)
    """Those that were called and answered with HTTP status 200."""


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Called:
    """Filled while the server runs."""
    found = Called()
    answer = Api.answer

    async def noted(self: Api, request: Request) -> Response:
        found.known.update(path.removesuffix(".json") for path in self._endpoints)
        response = await answer(self, request)
        if response.status_code == 200:
            found.answered.add(request.url.path.removesuffix(".json"))
        return response

    monkeypatch.setattr(Api, "answer", noted)
    return found


@pytest.fixture
def im_server(called: Called) -> Iterator[ImServer]:
    """A server with a REST API, whose times are in UTC."""
    settings = {"web.enabled": True, "web.port": 0, "web.api_utc_hours": 0}
    with ImServer(settings=settings) as server:
        yield server
