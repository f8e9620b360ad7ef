"""What an account's devices connect with, when its owner wants them gone (rest 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import DisconnectStatus
from improto_server.accounts import bodies, server
from improto_server.services.accounts import Accounts
from tests.accounts.account_tools import ALICE, APP, BOB, SECRET, World, play

if TYPE_CHECKING:
    from pathlib import Path

    from improto_server.clock import UserKey
    from tests.accounts.account_tools import Browser


def lets_in(world: World, token: str) -> bool:
    """Whether somebody may connect with a token."""
    check = Accounts({APP: SECRET}).check(APP, token, now=world.wall / 1000)
    assert check.user_id is not None
    return not world.system.token_ends.is_void((APP, check.user_id), issued=check.issued)


async def token_of(browser: Browser) -> str:
    token: str = (await browser.post("/token")).content["token"]
    return token


@pytest.mark.parametrize("way", ["/password", "/reset", "/logout", "/delete"])
def test_the_tokens_that_were_given_out_are_void(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    new = {"password": ALICE["password"], "newPassword": "another one"}

    async def scenario(world: World) -> None:
        away: list[tuple[UserKey, DisconnectStatus]] = []
        monkeypatch.setattr(world.system.hub, "dismiss", lambda *who: away.append(who))
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        tokens = [await token_of(alice)]
        world.advance(1)
        tokens.append(await token_of(alice))
        his = await token_of(bob)
        assert all(lets_in(world, token) for token in (*tokens, his))
        every: dict[str, dict[str, Any]] = {
            "/password": new,
            "/logout": {"everywhere": True},
            "/delete": {"password": ALICE["password"]},
        }
        fields = every.get(way, {})
        if way == "/reset":
            await alice.post("/forgot", email=ALICE["email"])
            fields = {"token": await world.link(ALICE["email"]), "password": "another one"}
        assert (await alice.post(way, **fields)).status == 200
        # Of the same millisecond, too.
        assert not any(lets_in(world, token) for token in tokens)
        assert lets_in(world, his)
        assert away == [((APP, alice.user), DisconnectStatus.REMOTE_CLOSE)]
        if way == "/password":
            world.advance(0.001)
            assert lets_in(world, await token_of(alice))

    play(tmp_path, scenario)


def test_who_logs_out_here_stays_connected_elsewhere(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        token = await token_of(alice)
        await alice.post("/logout")
        assert lets_in(world, token)
        # Nobody is logged in, so nothing ends.
        await alice.post("/logout", everywhere=True)
        assert lets_in(world, token)

    play(tmp_path, scenario)


def test_a_guest_ends_his_own(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        guest = world.browser()
        await guest.post("/anonymous")
        token = await token_of(guest)
        await guest.post("/logout", everywhere=True)
        assert not lets_in(world, token)

    play(tmp_path, scenario)


def test_a_wrong_password_ends_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        token = await token_of(alice)
        answer = await alice.post("/password", password="wrong", newPassword="another one")
        assert answer.code == "wrong_password"
        assert (await alice.post("/reset", token="x", password="another one")).status != 200
        assert lets_in(world, token)

    play(tmp_path, scenario)


def test_a_token_that_was_asked_for_slowly_is_void_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief's call was let in before the password changed, and its body comes after."""

    async def scenario(world: World) -> None:
        alice, thief = await world.registered(ALICE), world.browser()
        await world.log_in(thief, ALICE)
        read = bodies.read_json

        async def slow(request: Any, kind: Any) -> Any:
            if request.url.path == "/account/token":
                world.advance(5)
                new = {"password": ALICE["password"], "newPassword": "another one"}
                assert (await alice.post("/password", **new)).status == 200
                world.advance(5)
            return await read(request, kind)

        monkeypatch.setattr(server, "read_json", slow)
        assert not lets_in(world, await token_of(thief))

    play(tmp_path, scenario)
