"""Callbacks of a whole server: over real sockets, on both event loops."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import pytest
from starlette.responses import Response
from starlette.routing import Route

import improto_asyncio
import improto_trio
from improto import Conversation
from improto.contents import Text
from improto_server.app import Application
from improto_server.config import Backend, SettingsError, load
from improto_server.hooks.running import audited, hook_rules
from improto_server.services.accounts import Accounts
from improto_server.services.outbox import Kind, Stream
from improto_server.web.app import web_app
from improto_server.web.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

    from improto_server.config import Settings

KEY = "demo"
SECRET = "s" * 32
ADAPTERS = {"asyncio": improto_asyncio, "trio": improto_trio}

PATIENCE = 30.0
"""Seconds until something that does not happen is a failure."""


class Receiver:
    """The application's server: hears everything, and passes no message that says ``bad``."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._news = anyio.Event()

    async def messages(self, request: Request) -> Response:
        return self._hear("messages", _form(await request.body()))

    async def online(self, request: Request) -> Response:
        return self._hear("online", await request.json())

    async def audit(self, request: Request) -> Response:
        form = _form(await request.body())
        verdict = {"pass": int("bad" not in form["content"])}
        self._hear("audit", form)
        return Response(json.dumps(verdict))

    def _hear(self, kind: str, what: Any) -> Response:
        self.heard.append((kind, what))
        self._news.set()
        self._news = anyio.Event()
        return Response()

    async def wait_for(self, kind: str, count: int) -> list[Any]:
        """The first so many of a kind."""
        while len(found := [what for each, what in self.heard if each == kind]) < count:
            await self._news.wait()
        return found[:count]


def _form(body: bytes) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(body.decode()).items()}


@asynccontextmanager
async def receiving(backend: str, port: int = 0) -> AsyncIterator[tuple[Receiver, int]]:
    receiver = Receiver()
    routes = [
        Route(f"/{name}", getattr(receiver, name), methods=["POST"])
        for name in ("messages", "online", "audit")
    ]
    app = web_app(routes)
    async with serving(app, "127.0.0.1", port, backend=Backend(backend)) as (_, own):
        yield receiver, own


def settings_for(path: Path, backend: str, urls: dict[str, str]) -> Settings:
    return load(
        environment={},
        overrides={
            "apps": [{"key": KEY, "secret": SECRET, "webhooks": urls}],
            "gateway.backend": backend,
            "gateway.port": 0,
            "store.durable": False,
            "store.url": f"sqlite:///{path / 'messages.db'}",
        },
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[Application, Any]]:
    """A server, and what connects a user to it."""
    application = Application(settings)
    adapter = ADAPTERS[settings.gateway.backend.value]
    accounts = Accounts({KEY: SECRET})

    def connect(user: str) -> Any:
        host, port = application.address
        token = accounts.issue(KEY, user, now=1e9, lifetime=1e9)
        return adapter.connect(host, port, app_key=KEY, token=token)

    async with application.listening(), anyio.create_task_group() as tasks:
        for chore in application.chores():
            tasks.start_soon(chore)
        yield application, connect
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("backend", sorted(ADAPTERS))
def test_a_server_tells_and_asks(tmp_path: Path, backend: str) -> None:
    async def scenario() -> None:
        with anyio.fail_after(PATIENCE):
            async with receiving(backend) as (receiver, port):
                names = ("messages", "online", "audit")
                urls = {name: f"http://127.0.0.1:{port}/{name}" for name in names}
                settings = settings_for(tmp_path, backend, urls)
                async with running(settings) as (_, connect), connect("alice") as alice:
                    target = Conversation.private("bob")
                    for words in ("one", "bad", "two"):
                        await alice.send(target, Text(content=words))
                    told = await receiver.wait_for("messages", 2)
                    asked = await receiver.wait_for("audit", 3)
                    (online,) = (await receiver.wait_for("online", 1))[0]
            assert [json.loads(each["content"])["content"] for each in told] == ["one", "two"]
            assert [json.loads(each["content"])["content"] for each in asked] == [
                "one",
                "bad",
                "two",
            ]
            assert (online["userid"], online["status"]) == ("alice", "0")

    anyio.run(scenario, backend=backend)


def test_what_was_not_taken_is_told_after_a_restart(tmp_path: Path, free_port: int) -> None:
    """The application is away, then the server, and then both are back."""

    async def scenario() -> None:
        url = f"http://127.0.0.1:{free_port}/messages"
        settings = settings_for(tmp_path, "asyncio", {"messages": url})
        with anyio.fail_after(PATIENCE):
            async with running(settings) as (application, connect), connect("alice") as alice:
                await alice.send(Conversation.private("bob"), Text(content="waits"))
                outbox = application.system.outbox
                assert outbox.waiting == {Stream(KEY, Kind.MESSAGES): 1}
            async with receiving("asyncio", free_port) as (receiver, _), running(settings):
                (told,) = await receiver.wait_for("messages", 1)
            assert "waits" in told["content"]

    anyio.run(scenario)


def test_without_webhooks_there_is_nothing_to_do(tmp_path: Path) -> None:
    async def scenario() -> None:
        application = Application(settings_for(tmp_path, "asyncio", {}))
        async with application.listening():
            with anyio.fail_after(PATIENCE):
                await application.call_back()

    anyio.run(scenario)


def test_settings(tmp_path: Path) -> None:
    urls = {"online": "https://app.test/?x=1", "audit": "http://[::1]:81/a"}
    settings = settings_for(tmp_path, "asyncio", urls)
    assert hook_rules(settings).wanted == {KEY: frozenset({Kind.ONLINE})}
    assert audited(settings) == {KEY}
    assert audited(settings_for(tmp_path, "asyncio", {})) == frozenset()
    # They may have secrets in them.
    assert "app.test" not in repr(settings)


@pytest.mark.parametrize(
    "urls",
    [
        {"messages": "ftp://app.test/"},
        {"messages": "http://user:password@app.test/"},
        {"messages": "http://app.test/a b"},
        {"messages": "http:///path"},
        {"messages": "http://app.test/" + "x" * 2048},
        {"message": "http://app.test/"},
        {"messages": 5},
    ],
)
def test_urls_that_are_none(tmp_path: Path, urls: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"apps must be .*webhooks"):
        settings_for(tmp_path, "asyncio", urls)
