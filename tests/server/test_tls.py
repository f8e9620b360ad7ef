"""Encrypted ports, and certificates that are renewed while the server runs."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.to_thread import run_sync

import improto_asyncio
import improto_trio
from improto_server import app
from improto_server.app import Application, serve_until_signalled
from improto_server.config import SettingsError, load
from improto_server.services.accounts import Accounts
from improto_server.tls import Certificate, own_client
from tests.server.web_tools import BACKENDS, PATIENCE
from tools.layout import ROOT

if TYPE_CHECKING:
    from improto_server.config import Settings

DATA = ROOT / "tests" / "data"
SECRET = "s" * 32
SECRET_KEY = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAipzH5QXFJICQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEECAFLzQuhMlYkGStISW5nIwEgZDK
kyw11rNtG9UoQgAmZgIV76oYFdLtCSkLUfVy3bXg+m4aSwOCFkfafv58X2uSOKWT
Hu2moHVuRAEgQFWxeBt334lIg17QZpCtAfUr+j/4FYeRXDDNKO6EJ8WZHtSaqFY2
uiODR00Vmf4nBOhqehjrX0pFB+CoeY2WJiPSm9SuQ+fE9nsGEbP8n/4+JFxSCn8=
-----END ENCRYPTED PRIVATE KEY-----
"""
"""Its password is x."""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key, which a test may change."""
    for name in ("localhost.pem", "localhost.key"):
        shutil.copy(DATA / name, tmp_path)
    return str(tmp_path / "localhost.pem"), str(tmp_path / "localhost.key")


def settings(path: Path, files: tuple[str, str], backend: str, **more: Any) -> Settings:
    certificate, key = files
    return load(
        environment={},
        overrides={
            "apps": [{"key": "app", "secret": SECRET}],
            "gateway.backend": backend,
            "gateway.port": 0,
            "gateway.certificate": certificate,
            "gateway.key": key,
            "web.enabled": True,
            "web.port": 0,
            "web.certificate": certificate,
            "web.key": key,
            "store.url": f"sqlite:///{path / 'messages.db'}",
            **more,
        },
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_ports_are_encrypted(tmp_path: Path, files: tuple[str, str], backend: str) -> None:
    trusted = ssl.create_default_context(cafile=DATA / "localhost.pem")
    connect: Any = improto_asyncio.connect if backend == "asyncio" else improto_trio.connect
    accounts = Accounts({"app": SECRET})

    async def scenario() -> None:
        application = Application(settings(tmp_path, files, backend, robot=True))
        async with application.listening() as (url,):
            assert url.startswith("https://127.0.0.1:")
            assert application.site.url.startswith("https://127.0.0.1:")

            def ask(url: str) -> httpx.Response:
                return httpx.get(url, verify=trusted, trust_env=False)

            assert (await run_sync(ask, application.site.url + "/healthz")).text == "ok"
            assert (await run_sync(ask, url + "/ping")).status_code == 200
            token = accounts.issue("app", "alice", now=0, lifetime=1e12)
            host, port = application.address
            async with connect(host, port, ssl=trusted, app_key="app", token=token) as client:
                assert client.user_id == "alice"
            (robot,) = application.robots()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(robot.run)
                while application.system.hub.find(("app", "robot")) is None:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await scenario()

    anyio.run(bounded, backend=backend)


def test_a_plain_request_to_an_encrypted_port_harms_nobody(
    tmp_path: Path, files: tuple[str, str]
) -> None:
    async def scenario() -> None:
        application = Application(settings(tmp_path, files, BACKENDS[0]))
        async with application.listening() as (url,):
            for each in (url, application.site.url):
                with pytest.raises(httpx.HTTPError):
                    await run_sync(httpx.get, each.replace("https", "http"))
            trusted = ssl.create_default_context(cafile=files[0])

            def ask() -> str:
                address = application.site.url + "/healthz"
                return httpx.get(address, verify=trusted, trust_env=False).text

            assert await run_sync(ask) == "ok"

    anyio.run(scenario, backend=BACKENDS[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_sighup_reads_them_again(
    tmp_path: Path,
    files: tuple[str, str],
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reloaded: list[str] = []

    def reload(application: Application) -> None:
        reloaded.append("again")
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(app.Application, "reload", reload)

    def announce(url: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await serve_until_signalled(settings(tmp_path, files, backend), announce)

    anyio.run(bounded, backend=backend)
    assert reloaded == ["again"]


def test_an_application_reads_those_of_both_ports(
    tmp_path: Path, files: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "improto_server.tls")

    async def scenario() -> None:
        both = Application(settings(tmp_path, files, BACKENDS[0]))
        both.reload()
        await both.store.aclose()
        none = Application(
            load(environment={}, overrides={"store.url": f"sqlite:///{tmp_path}/x.db"})
        )
        none.reload()
        await none.store.aclose()

    anyio.run(scenario, backend=BACKENDS[0])
    assert caplog.messages == [
        "gateway.certificate is read again",
        "web.certificate is read again",
    ]


def test_what_is_no_good_later_leaves_the_old_one(
    files: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate("web", *files)
    Path(files[0]).write_text("nonsense")
    certificate.reload()
    (line,) = caplog.messages
    assert line.startswith("web.certificate and web.key cannot be used: ")
    assert line.endswith("; the old one stays")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_what_is_no_good_at_the_start_is_said(
    files: tuple[str, str], which: int, content: str | None
) -> None:
    if content is None:
        Path(files[which]).unlink()
    else:
        Path(files[which]).write_text(content)
    with pytest.raises(
        SettingsError, match=r"^gateway\.certificate and gateway\.key cannot be used"
    ):
        Certificate("gateway", *files)


def test_a_key_with_a_password_is_said(files: tuple[str, str]) -> None:
    Path(files[1]).write_text(SECRET_KEY)
    with pytest.raises(SettingsError, match="the key has a password"):
        Certificate("gateway", *files)


@pytest.mark.parametrize("table", ["gateway", "web"])
@pytest.mark.parametrize("which", ["certificate", "key"])
def test_one_needs_the_other(table: str, which: str) -> None:
    with pytest.raises(SettingsError, match=rf"{table}\.certificate and {table}\.key go together"):
        load(environment={}, overrides={f"{table}.{which}": "x.pem"})


def test_our_own_clients_believe_that_certificate_alone() -> None:
    context = own_client(str(DATA / "localhost.pem"))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
    with pytest.raises(OSError, match="No such file"):
        own_client("none.pem")
