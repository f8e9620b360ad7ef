"""The two users of a demonstration, who have no passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto_server.addresses import is_loopback
from improto_server.config import SettingsError, load
from tests.accounts.account_tools import ALICE, APP, SECRET, World, play

if TYPE_CHECKING:
    from pathlib import Path


def test_they_come_without_a_password(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for user in ("root", "test", "root"):
            answer = await browser.post("/fixed", user=user)
            assert (answer.status, answer.content["user"]) == (200, user)
            # Tabs share cookies, so there is none.
            assert "set-cookie" not in answer.headers
            session = {"Authorization": f"Bearer {answer.content['session']}"}
            browser.headers |= session
            me = (await browser.get("/me")).content
            assert (me["user"], me["name"], me["isGuest"]) == (user, user, False)
            del browser.headers["Authorization"]
        assert (await browser.get("/me")).code == "login_needed"
        for user in ("alice", "", "x" * 65):
            answer = await browser.post("/fixed", user=user)
            assert (answer.status, answer.field) == (400, "user")

    play(tmp_path, scenario, accounts__fixed_users=True, accounts__fixed_users_anywhere=True)


def test_nobody_logs_in_as_one_of_them(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        await alice.post("/fixed", user="root")
        answer = await alice.post("/login", account="root", password="")
        assert answer.code == "wrong_login"

    play(tmp_path, scenario, accounts__fixed_users=True, accounts__fixed_users_anywhere=True)


@pytest.mark.parametrize("is_on", [False, True])
def test_they_are_there_only_by_an_address_of_this_machine(tmp_path: Path, is_on: bool) -> None:
    async def scenario(world: World) -> None:
        answer = await world.browser().post("/fixed", user="root")
        assert (answer.status, answer.code) == (403, "closed")
        here = world.browser()
        here.http.base_url = "http://localhost:8081"
        here.headers = {"Origin": "http://localhost:8081"}
        assert (await here.post("/fixed", user="root")).status == (200 if is_on else 403)

    play(tmp_path, scenario, accounts__fixed_users=is_on)


@pytest.mark.parametrize("key", ["gateway", "web"])
def test_they_are_refused_where_others_reach_the_server(key: str) -> None:
    wanted: dict[str, Any] = {
        "apps": [{"key": APP, "secret": SECRET}],
        "accounts.enabled": True,
        "accounts.fixed_users": True,
        "web.enabled": True,
        f"{key}.host": "0.0.0.0",
    }
    with pytest.raises(SettingsError, match=rf"{key}\.host is 0\.0\.0\.0"):
        load(environment={}, overrides=wanted)
    assert load(environment={}, overrides=wanted | {"accounts.fixed_users_anywhere": True})


def test_names_of_this_machine() -> None:
    for host in ("127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost", "LocalHost"):
        assert is_loopback(host)
    for host in ("", "0.0.0.0", "::", "192.0.2.1", "localhost.example", "127.0.0.1.example"):
        assert not is_loopback(host)
