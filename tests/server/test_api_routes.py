"""The REST API of a whole server, on both event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto_server.app import Application
from improto_server.config import Settings, load
from tests.server.api_tools import SECRET, signed
from tests.server.rig import APP
from tests.server.web_tools import BACKENDS, PATIENCE, Web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


def play(
    backend: str,
    path: Path,
    scenario: Callable[[Web, Application], Awaitable[None]],
    **settings: Any,
) -> None:
    """Run a scenario against a server."""
    overrides = {
        "apps": [{"key": APP, "secret": SECRET}],
        "gateway.backend": backend,
        "gateway.port": 0,
        "store.url": f"sqlite:///{path / 'messages.db'}",
        "web.enabled": True,
        "web.port": 0,
    }
    for key, value in settings.items():
        overrides[key.replace("__", ".")] = value
    loaded: Settings = load(environment={}, overrides=overrides)

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            application = Application(loaded)
            async with application.listening():
                host, _, port = application.site.url.removeprefix("http://").rpartition(":")
                await scenario(Web((host, int(port))), application)

    anyio.run(bounded, backend=backend)


def test_a_user_from_beginning_to_end(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        path, body = "/user/getToken.json", b"userId=alice&name=Alice"
        answer = await web.ask("POST", path, body, signed())
        assert (answer.status, answer.content["userId"]) == (200, "alice")
        answer = await web.ask("POST", "/user/info.json", b"userId=alice", signed())
        assert answer.content["userName"] == "Alice"
        answer = await web.ask("POST", "/user/info.json", b"userId=bob", signed())
        assert (answer.status, answer.content["code"]) == (400, 1002)

    play(backend, tmp_path, scenario)


def test_it_can_be_switched_off(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        answer = await web.ask("POST", "/user/info.json", b"userId=alice", signed())
        assert (answer.status, answer.content) == (404, {"error": "Not Found"})
        assert (await web.ask("GET", "/healthz")).status == 200

    play(backend, tmp_path, scenario, web__api=False)


def test_settings_reach_it(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        answer = await web.ask("POST", "/user/info.json", b"userId=alice", signed())
        assert (answer.status, answer.content["code"]) == (401, 1004)

    play(backend, tmp_path, scenario, web__api_clock_seconds=60)


def test_whether_clients_should_come(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        answer = await web.ask("GET", "/readyz")
        assert (answer.status, answer.body) == (200, b"ok")
        application.site.is_ready = False
        answer = await web.ask("GET", "/readyz")
        assert (answer.status, answer.body) == (503, b"not ready")

    play(backend, tmp_path, scenario)


def test_clients_that_are_handed_over_should_not(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        assert (await web.ask("GET", "/readyz")).status == 503

    play(backend, tmp_path, scenario, gateway__hand_over_to="example.org:443")


def test_an_app_that_is_blocked(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web, application: Application) -> None:
        answer = await web.ask("POST", "/user/getToken.json", b"userId=alice", signed())
        assert (answer.status, answer.content["code"]) == (401, 1006)

    app = {"key": APP, "secret": SECRET, "blocked": True}
    play(backend, tmp_path, scenario, apps=[app])
