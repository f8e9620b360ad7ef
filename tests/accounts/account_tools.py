"""What tests of the application server share: a whole server on hand clocks, and browsers.

Everything is real but the clocks, the cost of passwords and the socket of the web port: calls go
to the ASGI application itself.
"""

from __future__ import annotations

import email
import email.policy
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import httpx

from improto_server.accounts.server import AccountServer
from improto_server.app import Application
from improto_server.config import load
from improto_server.services.accounts import Accounts
from improto_server.web.app import web_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from improto_server.config import Settings

APP = "demo"
SECRET = "s" * 32
OTHER = "other"
PAGE = "http://chat.example"
PATIENCE = 60.0
"""Seconds until something that does not happen is a failure."""

START = 1_700_000_000_000
"""The wall clock at the beginning, in milliseconds."""

ALICE = {"email": "alice@example.org", "password": "correct horse", "name": "Alice"}
BOB = {"email": "bob@example.org", "password": "battery staple", "name": "Bob"}

PNG = b"\x89PNG\r\n\x1a\n and then some"


class Answer(NamedTuple):
    """A response."""

    status: int
    content: Any
    headers: httpx.Headers

    @property
    def code(self) -> str:
        """Why it was refused."""
        code: str = self.content["error"]["code"]
        return code

    @property
    def field(self) -> str:
        """What is at fault."""
        field: str = self.content["error"].get("field", "")
        return field


class Browser:
    """Somebody's, with cookies of its own."""

    def __init__(self, world: World, address: str = "192.0.2.1") -> None:
        transport = httpx.ASGITransport(world.asgi, client=(address, 5000))
        self.http = httpx.AsyncClient(transport=transport, base_url=PAGE)
        self.headers = {"Origin": PAGE}
        self.user = ""

    async def get(self, path: str, **query: Any) -> Answer:
        """Ask."""
        return _answer(await self.http.get(f"/account{path}", params=query, headers=self.headers))

    async def post(self, path: str, **fields: Any) -> Answer:
        """Change something."""
        return _answer(await self.http.post(f"/account{path}", json=fields, headers=self.headers))

    async def send(self, method: str, path: str, body: bytes, **headers: str) -> Answer:
        """Send anything."""
        return _answer(
            await self.http.request(method, path, content=body, headers=self.headers | headers)
        )


class World:
    """A server that runs; its accounts are made by hand, for the clocks' sake."""

    def __init__(self, settings: Settings, server: Application) -> None:
        self.wall = START
        self.now = 100.0
        self.server = server
        self.system = server.system
        self.accounts = AccountServer(
            settings,
            system=server.system,
            accounts=Accounts({APP: SECRET, OTHER: SECRET}),
            base_url=lambda: settings.web.public_url or server.site.url,
            gateway=lambda: server.navigation.own_address,
            beside=server.store.path,
            now=lambda: self.wall,
            monotonic=lambda: self.now,
        )
        self.asgi = web_app(self.accounts.routes())

    def advance(self, seconds: float) -> None:
        """Both clocks go on."""
        self.wall += round(seconds * 1000)
        self.now += seconds

    def browser(self, address: str = "192.0.2.1") -> Browser:
        """A new one."""
        return Browser(self, address)

    async def mails(self) -> list[tuple[str, str, str]]:
        """All that were sent: to whom, subject, text."""
        await self.accounts.house.outbox.deliver()
        directory = self.accounts.mail_directory
        assert directory is not None
        read = []
        for path in sorted(directory.glob("[0-9]*.eml")):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = mail.get_body()
            assert body is not None
            read.append((str(mail["To"]), str(mail["Subject"]), str(body.get_content())))
        return read

    async def link(self, address: str) -> str:
        """The token of the newest link that an address got."""
        (*_, text) = (body for to, _, body in await self.mails() if to == address)
        found = re.search(r"#(?:confirm|reset)=(\S+)", text)
        assert found is not None
        return found[1]

    async def registered(self, person: dict[str, str], address: str = "192.0.2.1") -> Browser:
        """Somebody who has an account and is logged in."""
        browser = self.browser(address)
        assert (await browser.post("/register", **person)).status == 200
        token = await self.link(person["email"])
        assert (await browser.post("/confirm", token=token)).status == 200
        await self.log_in(browser, person)
        return browser

    async def log_in(self, browser: Browser, person: dict[str, str]) -> None:
        """Log somebody in."""
        answer = await browser.post("/login", account=person["email"], password=person["password"])
        assert answer.status == 200, answer.content
        browser.user = answer.content["user"]


def play(
    path: Path,
    scenario: Callable[[World], Awaitable[None]],
    *,
    backend: str = "asyncio",
    **overrides: Any,
) -> None:
    """Run a scenario against a server of its own; settings have ``__`` for the dot."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            async with running(path, backend, **overrides) as world:
                await scenario(world)

    anyio.run(bounded, backend=backend)


@asynccontextmanager
async def running(path: Path, backend: str, **overrides: Any) -> AsyncIterator[World]:
    """A server for as long as the block lasts."""
    wanted = {
        "apps": [{"key": key, "secret": SECRET} for key in (APP, OTHER)],
        "gateway.backend": backend,
        "gateway.port": 0,
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'messages.db'}",
        "web.enabled": True,
        "web.port": 0,
        "web.public_url": PAGE,
    }
    wanted |= {name.replace("__", "."): value for name, value in overrides.items()}
    settings = load(environment={}, overrides=wanted | {"accounts.enabled": True})
    server = Application(load(environment={}, overrides=wanted))
    async with server.listening():
        yield World(settings, server)


def _answer(response: httpx.Response) -> Answer:
    is_json = response.headers.get("content-type", "").startswith("application/json")
    content = response.json() if is_json and response.content else response.content
    return Answer(response.status_code, content, response.headers)
