"""The reference server as an application: its life, and what it says when it has none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.frames import ConnAck
from improto.login import Login
from improto_server.asgi import create_app
from improto_server.config import SettingsError, load
from improto_server.services.accounts import Accounts
from tests.adapters.office import until
from tests.asgi.host import Call, answer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from improto_server.asgi import ServerApp
    from improto_server.config import Settings

KEY = "demo"
SECRET = "s" * 32
FAR_AWAY = 4_000_000_000.0
"""Seconds since 1970."""
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def settings_in(path: Path, **more: Any) -> Settings:
    overrides = {
        "apps": [{"key": KEY, "secret": SECRET}],
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'messages.db'}",
    }
    return load(environment={}, overrides=overrides | more)


def token(user: str) -> str:
    return Accounts({KEY: SECRET}).issue(KEY, user, now=0, lifetime=FAR_AWAY)


def run(loop: str, scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(30):
            await scenario()

    anyio.run(bounded, backend=loop)


async def ask(app: ServerApp, path: str, **scope: Any) -> tuple[int, dict[str, str], bytes]:
    call = Call(type="http", method="GET", path=path, **scope)
    call.tell("http.request")
    await call.run(app)
    return answer_of(call)


@asynccontextmanager
async def client(app: ServerApp, user: str, *, sdk_version: str = "4.6.4") -> AsyncIterator[Call]:
    """A WebSocket that has been answered."""
    login = Login(app_key=KEY, token=token(user), sdk_version=sdk_version)
    query = login.target.partition("?")[2].encode()
    call = Call(type="websocket", path="/websocket", query_string=query)
    call.tell("websocket.connect")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.run, app)
        await until(lambda: call.frames)
        yield call
        tasks.cancel_scope.cancel()


@LOOPS
def test_a_life(tmp_path: Path, loop: str) -> None:
    app = create_app(settings_in(tmp_path))

    async def scenario() -> None:
        life = Call(type="lifespan")
        life.tell("lifespan.startup")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(life.run, app)
            await until(lambda: life.sent)
            assert life.sent == [{"type": "lifespan.startup.complete"}]
            assert (await ask(app, "/ping"))[2] == b"pong"
            async with client(app, "alice") as alice:
                (welcome,) = alice.frames
                assert isinstance(welcome, ConnAck)
                assert welcome.user_id == "alice"
                life.tell("lifespan.shutdown")
                await until(lambda: life.is_over)
                assert alice.closed_with == 1001
            assert life.sent[1:] == [{"type": "lifespan.shutdown.complete"}]
        assert (await ask(app, "/ping"))[0] == 503

    run(loop, scenario)


@LOOPS
def test_a_host_that_tells_no_life(tmp_path: Path, loop: str) -> None:
    app = create_app(settings_in(tmp_path))

    async def scenario() -> None:
        async with app.running(), client(app, "alice") as alice:
            assert isinstance(alice.frames[0], ConnAck)

    run(loop, scenario)


def test_it_is_told_that_it_must_run() -> None:
    app = create_app(load(environment={"IMPROTO_APPS": f"{KEY}:{SECRET}"}))

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match=r"running\(\)"):
            await ask(app, "/ping")

    run("asyncio", scenario)


@LOOPS
def test_a_start_that_fails(tmp_path: Path, loop: str, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "no-directory"
    place.touch()
    app = create_app(settings_in(place))

    async def scenario() -> None:
        life = Call(type="lifespan")
        life.tell("lifespan.startup")
        await life.run(app)
        (failed,) = life.sent
        assert failed["type"] == "lifespan.startup.failed"
        assert "no-directory" in failed["message"]

    run(loop, scenario)
    assert "could not start" in caplog.text


def test_an_end_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings_in(tmp_path))

    async def scenario() -> None:
        life = Call(type="lifespan")
        life.tell("lifespan.startup")
        life.tell("lifespan.shutdown")
        await life.run(app)
        assert [message["type"] for message in life.sent] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.failed",
        ]

    def fail(*_: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("improto_server.gateway.Gateway.drain", fail)
    run("asyncio", scenario)
    assert "could not end" in caplog.text


def test_files_and_another_server(tmp_path: Path) -> None:
    more = {"web.enabled": True, "web.port": 0, "gateway.hand_over_to": "other.test:80"}
    app = create_app(settings_in(tmp_path, **more))

    async def scenario() -> None:
        async with app.running():
            query = f"appId={KEY}&token={token('alice')}".encode()
            _, _, body = await ask(app, "/navi.js", query_string=query)
            assert b'"server":"other.test:80"' in body
            assert b'"ossConfig":"[{' in body

    run("asyncio", scenario)


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no app"):
        create_app(load(environment={}))
    with pytest.raises(SettingsError, match="robot"):
        create_app(settings_in(tmp_path, robot=True))


def test_settings_are_found_where_the_server_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="no app"):
        create_app()
    monkeypatch.setenv("IMPROTO_APPS", f"{KEY}:{SECRET}")
    create_app()
    (tmp_path / "improto.toml").write_text("robot = true\n")
    with pytest.raises(SettingsError, match="robot"):
        create_app()
