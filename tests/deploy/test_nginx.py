"""deploy/nginx.conf in front of a real server: what gets through, and what does not.

The file is used as it is, but for ports, paths and the certificate.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import httpx
import pytest
from anyio.to_thread import run_sync

from improto import Conversation
from improto.codes import FileType
from improto.contents import Text
from improto_asyncio import connect
from improto_server.accounts import server as account_server
from improto_server.accounts.passwords import Passwords
from improto_server.app import Application
from improto_server.config import load
from improto_server.files.grants import Download, Signer, Upload
from improto_server.services.accounts import Accounts
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from improto.messages import ChatMessage
    from improto_asyncio import Client

CONF: Final = ROOT / "deploy" / "nginx.conf"
DATA: Final = ROOT / "tests" / "data"
APP: Final = "demo"
SECRET: Final = "s" * 32
PATIENCE: Final = 30.0

MAIN: Final = """\
pid {home}/nginx.pid;
error_log {home}/main.log crit;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""


class Door(NamedTuple):
    """Where nginx is."""

    home: Path
    http: int
    https: int
    tls: ssl.SSLContext
    server: Application

    def browser(self, address: str = "127.0.0.1") -> httpx.Client:
        """Whose machine has this address."""
        transport = httpx.HTTPTransport(verify=self.tls, local_address=address)
        return httpx.Client(
            transport=transport, base_url=f"https://127.0.0.1:{self.https}", timeout=PATIENCE
        )

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.home.glob("*.log")))


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"deploy/nginx.conf has no {old!r} any more"
        text = text.replace(old, new)
    return text


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def nginx(home: Path, *, http: int, https: int, gateway: int, web: int) -> Iterator[None]:
    """It listens when the command that starts it has ended."""
    site = replaced(
        CONF.read_text(),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        ("/etc/letsencrypt/live/chat.example.org/fullchain.pem", str(DATA / "localhost.pem")),
        ("/etc/letsencrypt/live/chat.example.org/privkey.pem", str(DATA / "localhost.key")),
        ("/var/log/nginx/", f"{home}/"),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{gateway}"),
        ("http://127.0.0.1:8081", f"http://127.0.0.1:{web}"),
    )
    (home / "site.conf").write_text(site)
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "main.conf").write_text(MAIN.format(home=home, user=user))
    command = [
        "nginx",
        "-e",
        str(home / "main.log"),
        "-p",
        str(home),
        "-c",
        str(home / "main.conf"),
    ]
    subprocess.run(command, check=True, timeout=PATIENCE)
    try:
        yield
    finally:
        subprocess.run([*command, "-s", "stop"], check=True, timeout=PATIENCE)


def play(
    path: Path, scenario: Callable[[Door], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a scenario against a server behind nginx."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    monkeypatch.setattr(account_server, "Passwords", partial(Passwords, memory=8, rounds=1))
    home = path / "nginx"
    home.mkdir()
    http, https = free_ports(2)
    settings = load(
        environment={},
        overrides={
            "apps": [{"key": APP, "secret": SECRET}],
            "gateway.port": 0,
            "gateway.public_address": f"127.0.0.1:{https}",
            "store.durable": False,
            "store.url": f"sqlite:///{path / 'messages.db'}",
            "web.enabled": True,
            "web.port": 0,
            "web.public_url": f"https://127.0.0.1:{https}",
            "web.metrics": True,
            "accounts.enabled": True,
            "accounts.entries": 1,
            "accounts.proxies": 1,
        },
    )

    async def main() -> None:
        server = Application(settings)
        with anyio.fail_after(PATIENCE):
            async with server.listening():
                web = int(server.site.url.rpartition(":")[2])
                with nginx(home, http=http, https=https, gateway=server.address[1], web=web):
                    tls = ssl.create_default_context(cafile=str(DATA / "localhost.pem"))
                    await scenario(Door(home, http, https, tls, server))

    anyio.run(main, backend="asyncio")


def token(user: str) -> str:
    return Accounts({APP: SECRET}).issue(APP, user, now=time.time(), lifetime=600)


async def next_message(client: Client) -> ChatMessage:
    async for message in client.messages():
        return message
    raise AssertionError("the connection ended before a message came")


# -- what gets through ---------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_two_users_talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
    async def scenario(door: Door) -> None:
        async def online(user: str) -> Client:
            client: Client = await stack.enter_async_context(
                connect(
                    "127.0.0.1",
                    door.https,
                    app_key=APP,
                    token=token(user),
                    ssl=door.tls,
                    transport=transport,
                )
            )
            return client

        async with AsyncExitStack() as stack:
            alice, bob = await online("alice"), await online("bob")
            await alice.send(Conversation.private("bob"), Text("hello"))
            assert (await next_message(bob)).decoded() == Text("hello")
            await bob.send(Conversation.private("alice"), Text("hello yourself"))
            assert (await next_message(alice)).decoded() == Text("hello yourself")

    play(tmp_path, scenario, monkeypatch)


def test_navigation_names_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        def ask() -> None:
            with door.browser() as browser:
                query = {"appId": APP, "token": token("alice"), "v": "4.6.4"}
                found = browser.get("/navi.js", params=query).json()
                assert found["server"] == f"127.0.0.1:{door.https}"
                assert browser.get("/ping").text == "pong"
                form = {"token": token("alice"), "v": "5.38.0"}
                answer = browser.post("/v2/navi.json", data=form, headers={"RC-Appkey": APP})
                assert answer.json()["server"] == f"127.0.0.1:{door.https}"
                assert "max-age" in answer.headers["strict-transport-security"]

        await run_sync(ask)

    play(tmp_path, scenario, monkeypatch)


def test_files_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        signer = Signer({APP: SECRET})
        until = int(time.time()) + 600
        ticket = signer.ticket(
            Upload(app=APP, user_id="alice", kind=int(FileType.FILE), until=until)
        )
        link = signer.link(Download(app=APP, key="large", until=until))
        data = os.urandom(3_000_000)

        def carry() -> None:
            with door.browser() as browser:
                for path, key in (("/files", "large"), ("/", "small")):
                    form = {"token": ticket, "key": key}
                    answer = browser.post(path, data=form, files={"file": ("f", data)})
                    assert (answer.status_code, answer.json()["key"]) == (200, key)
                assert browser.get(f"/files/{link}").content == data
                part = browser.get(f"/files/{link}", headers={"Range": "bytes=5-9"})
                assert (part.status_code, part.content) == (206, data[5:10])
                # Only files may be that large.
                assert browser.post("/account/login", content=data).status_code == 413

        await run_sync(carry)
        assert link not in door.logs()
        assert 'POST /files"' in door.logs()
        assert 'GET /files/..."' in door.logs()

    play(tmp_path, scenario, monkeypatch)


def test_the_server_sees_who_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address may come in once; whom somebody says that he is makes no difference."""

    async def scenario(door: Door) -> None:
        def knock(address: str, said: str) -> int:
            headers = {"Origin": f"https://127.0.0.1:{door.https}", "X-Forwarded-For": said}
            with door.browser(address) as browser:
                return browser.post("/account/anonymous", json={}, headers=headers).status_code

        def come() -> None:
            assert knock("127.0.0.1", "") == 200
            assert knock("127.0.0.1", "") == 429
            assert knock("127.0.0.1", "192.0.2.7") == 429
            assert knock("127.0.0.2", "127.0.0.1") == 200

        await run_sync(come)

    play(tmp_path, scenario, monkeypatch)


# -- what does not -------------------------------------------------------------------------------


def test_what_is_not_for_the_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        def raw(target: str, *headers: str) -> str:
            """The answer's head, however odd the request."""
            lines = [f"GET {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
            with (
                socket.create_connection(("127.0.0.1", door.https), timeout=PATIENCE) as plain,
                door.tls.wrap_socket(plain, server_hostname="localhost") as stream,
            ):
                stream.sendall("\r\n".join(lines).encode())
                with stream.makefile("rb") as file:
                    return file.read().decode(errors="replace")

        def knock() -> None:
            for path in ("/metrics", "/admin", "/admin/status", "/openapi.json", "/healthz"):
                assert raw(path).startswith("HTTP/1.1 404 "), path
            for path in ("/user/getToken.json", "/message/broadcast.json", "/nothing"):
                assert raw(path).startswith("HTTP/1.1 404 "), path
            for path in (
                "/files/../metrics",
                "/files/%2e%2e/metrics",
                "/files/..%2fmetrics",
                "/account/../metrics",
                "/static//../metrics",
                "/static/..%2f..%2fmetrics",
                "//metrics",
                "/ping/../metrics",
                "/account/%2e%2e%2fmetrics",
            ):
                answer = raw(path)
                assert "improto_connections" not in answer, path
                assert not answer.startswith("HTTP/1.1 2"), path
            # It is there, for programs on this machine.
            assert "improto_connections" in httpx.get(f"{door.server.site.url}/metrics").text
            # Nobody may talk past nginx by changing the protocol.
            for path in ("/files", "/account/me", "/websocket"):
                answer = raw(
                    path, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Origin: https://x"
                )
                assert not answer.startswith("HTTP/1.1 101 "), path

        await run_sync(knock)

    play(tmp_path, scenario, monkeypatch)


def test_plain_http_leads_to_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        answer = await run_sync(httpx.get, f"http://127.0.0.1:{door.http}/account/me")
        assert (answer.status_code, answer.headers["location"]) == (
            301,
            "https://127.0.0.1/account/me",
        )

    play(tmp_path, scenario, monkeypatch)


def test_tokens_stay_out_of_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = token("alice")

    async def scenario(door: Door) -> None:
        def ask(status: int) -> None:
            with door.browser() as browser:
                query = {"appId": APP, "token": secret}
                assert browser.get("/navi.js", params=query).status_code == status

        await run_sync(ask, 200)
        # The server is gone, which nginx complains about.
        door.server.gateway.drain()
        await run_sync(ask, 503)
        site = (door.home / "site.conf").read_text()
        (closed,) = free_ports(1)
        site = re.sub(r"http://127\.0\.0\.1:\d+", f"http://127.0.0.1:{closed}", site)
        (door.home / "site.conf").write_text(site)
        main = str(door.home / "main.conf")
        command = ["nginx", "-e", f"{door.home}/main.log", "-p", str(door.home), "-c", main]
        await run_sync(partial(subprocess.run, [*command, "-s", "stop"], check=True))
        while (door.home / "nginx.pid").exists():
            await anyio.lowlevel.checkpoint()
        await run_sync(partial(subprocess.run, command, check=True))
        await run_sync(ask, 502)
        # It writes down what it has answered already.
        with anyio.fail_after(PATIENCE):
            while door.logs().count("GET /navi.js") < 3:
                await anyio.lowlevel.checkpoint()
        logs = door.logs()
        assert secret not in logs
        assert secret[:20] not in logs

    play(tmp_path, scenario, monkeypatch)
