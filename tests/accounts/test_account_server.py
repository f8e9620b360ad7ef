"""The application server as a part of the whole: settings, chores, the manual, real sockets."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from improto.codes import ConnAckStatus
from improto.errors import ConnectionEnded
from improto_server.accounts.calls import PREFIX
from improto_server.app import Application
from improto_server.config import SettingsError, load
from tests.accounts.account_tools import ALICE, APP, PATIENCE, SECRET, World, play
from tests.server.test_app import ADAPTERS

MANUAL = Path(__file__).parents[2] / "docs" / "accounts.md"


def settings(path: Path, **more: Any) -> Any:
    overrides: dict[str, Any] = {
        "apps": [{"key": APP, "secret": SECRET}, {"key": "second", "secret": SECRET[::-1]}],
        "accounts.enabled": True,
        "gateway.port": 0,
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'messages.db'}",
        "web.enabled": True,
        "web.port": 0,
    }
    more = {name.replace("__", "."): value for name, value in more.items()}
    return load(environment={}, overrides=overrides | more)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_somebody_registers_and_connects(tmp_path: Path, backend: str) -> None:
    async def scenario() -> None:
        application = Application(settings(tmp_path, gateway__backend=backend))
        server = application.account_server
        assert server is not None
        assert server.mail_directory is not None
        directory = anyio.Path(server.mail_directory)
        assert application.chores()[-2:] == server.chores()
        async with application.listening() as (url,):
            base = application.site.url
            async with httpx.AsyncClient(base_url=base, headers={"Origin": base}) as browser:
                post = partial(_post, browser)
                await post("/register", ALICE)
                await server.house.outbox.deliver()
                (found,) = [each async for each in directory.glob("[0-9]*.eml")]
                text = (await found.read_text()).replace("=\n", "").replace("=3D", "=")
                token = re.search(r"#confirm=(\S+)", text)
                assert token is not None
                assert f"{base}/#confirm=" in text
                await post("/confirm", {"token": token[1]})
                login = {"account": ALICE["email"], "password": ALICE["password"]}
                user = (await post("/login", login))["user"]
                issued = await post("/token", {})
            assert issued["navigation"] == url
            host, port = issued["navigation"].removeprefix("http://").split(":")
            connected = ADAPTERS[backend].connect(
                host, int(port), app_key=issued["appKey"], token=issued["token"]
            )
            async with connected as client:
                assert client.user_id == user

    _run(scenario, backend)


def test_a_deleted_user_is_sent_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        application = Application(settings(tmp_path))
        async with application.listening() as (url,):
            base = application.site.url
            async with httpx.AsyncClient(base_url=base, headers={"Origin": base}) as browser:
                await _post(browser, "/anonymous", {})
                issued = await _post(browser, "/token", {})
                host, port = url.removeprefix("http://").split(":")
                connect = partial(
                    ADAPTERS["asyncio"].connect,
                    host,
                    int(port),
                    app_key=APP,
                    token=issued["token"],
                )
                async with connect() as client:
                    await _post(browser, "/delete", {})
                    async for _ in client.messages():
                        raise AssertionError("nobody has written")
                with pytest.raises(ConnectionEnded) as refusal:
                    async with connect():
                        raise AssertionError("he was let in")
                assert refusal.value.status == ConnAckStatus.TOKEN_EXPIRE

    _run(scenario, "asyncio")


def test_each_app_has_accounts_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        application = Application(settings(tmp_path, accounts__app="second"))
        async with application.listening():
            base = application.site.url
            async with httpx.AsyncClient(base_url=base, headers={"X-Improto": "1"}) as browser:
                await _post(browser, "/anonymous", {})
                assert (await _post(browser, "/token", {}))["appKey"] == "second"

    _run(scenario, "asyncio")


def test_there_are_none_unless_they_are_wanted(tmp_path: Path) -> None:
    async def scenario() -> None:
        application = Application(settings(tmp_path, accounts__enabled=False))
        assert application.account_server is None
        async with application.listening(), httpx.AsyncClient() as browser:
            response = await browser.get(f"{application.site.url}/account/me")
            assert response.status_code == 404

    _run(scenario, "asyncio")


def test_mails_are_sent_if_there_is_a_mail_server(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert world.accounts.mail_directory is None

    play(tmp_path, scenario, accounts__smtp_host="mail.example")


def test_settings_that_do_not_go_together(tmp_path: Path) -> None:
    for name, value, words in (
        ("web.enabled", False, "accounts.enabled can be true only if web.enabled is"),
        ("users.profiles", False, "accounts.enabled can be true only if users.profiles is"),
        ("accounts.app", "third", "accounts.app must be the key of an app, not 'third'"),
        ("accounts.page", "page", "accounts.page must be a path that begins with a slash"),
        ("accounts.rooms", ["a b"], "accounts.rooms must be a list of ID or ID:NAME"),
        ("accounts.mail_from", "nobody", "accounts.mail_from must be an e-mail address"),
    ):
        with pytest.raises(SettingsError, match=re.escape(words)):
            settings(tmp_path, **{name.replace(".", "__"): value})
    settings(tmp_path, accounts__enabled=False, web__enabled=False)


def test_the_manual_has_every_call_and_field(tmp_path: Path) -> None:
    text = MANUAL.read_text(encoding="utf-8")

    async def scenario(world: World) -> None:
        rows = re.findall(r"^\| (GET|POST|PUT|DELETE) ([^|]+)\| ([^|]*)\|", text, re.MULTILINE)
        told = {
            (method, PREFIX + path): fields
            for method, paths, fields in rows
            for path in re.findall(r"`(/[a-z/]+)`", paths)
        }
        assert told.keys() == world.accounts._calls.keys()
        for key, call in world.accounts._calls.items():
            if call.kind is None:
                continue
            given = {*call.kind.__struct_fields__}
            words = set(re.findall(r"`([a-zA-Z]+)`", told[key]))
            if key[1] == f"{PREFIX}/groups/create":
                words |= set(re.findall(r"`([a-zA-Z]+)`", told["POST", f"{PREFIX}/groups/update"]))
                words.discard("group")
            assert given <= words, key

    play(tmp_path, scenario)


async def _post(browser: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    response = await browser.post(f"/account{path}", json=body)
    assert response.status_code == 200, response.text
    return json.loads(response.content)


def _run(scenario: Any, backend: str) -> None:
    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await scenario()

    anyio.run(bounded, backend=backend)
