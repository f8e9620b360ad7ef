"""What people say of themselves, what others see of it, and what SDKs need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from improto import payloads
from improto_server.accounts.server import _navigation
from improto_server.accounts.visits import caller_of
from improto_server.services.accounts import Accounts, TokenOutcome
from improto_server.services.user_profiles import Visibility
from improto_server.store import names
from improto_server.waiting import finished
from tests.accounts.account_tools import ALICE, APP, BOB, PNG, SECRET, START, World, play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOUR = 60 * 60


def test_a_profile_is_changed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        told: list[str] = []
        world.system.user_profiles.on_change.append(lambda key: told.append(key[1]))
        answer = await alice.post(
            "/me", name="  Alicia ", gender=2, birthday="2001-02-03", location="Aachen"
        )
        assert answer.content == (await alice.get("/me")).content
        shown = {"name": "Alicia", "gender": 2, "birthday": "2001-02-03", "location": "Aachen"}
        assert answer.content.items() >= shown.items()
        # Whoever follows the profile hears of it: it is the message server's own.
        assert told == [alice.user]
        await alice.post("/me", birthday="", gender=0)
        assert (await alice.get("/me")).content.items() >= {
            "name": "Alicia",
            "gender": 0,
            "birthday": "",
            "location": "Aachen",
        }.items()

    play(tmp_path, scenario)


def test_markup_in_names_stays_text(tmp_path: Path) -> None:
    name = "<script>alert('&')</script>"

    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE | {"name": name})
        (_, subject, text) = (await world.mails())[0]
        # Who registers may name the address of somebody else, who reads what we write only.
        assert name not in subject + text
        answer = await alice.get("/me")
        assert answer.content["name"] == name
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        (found,) = (await alice.get("/people", query="<scr")).content["people"]
        assert found["name"] == name

    play(tmp_path, scenario)


def test_a_number_to_log_in_by(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        own = {"password": ALICE["password"]}
        answer = await alice.post("/phone", phone="+49 (30) 123-4567", **own)
        assert answer.content == {"phone": "+49301234567"}
        answer = await bob.post("/phone", phone="+49301234567", password=BOB["password"])
        assert (answer.status, answer.code, answer.field) == (409, "taken", "phone")
        answer = await alice.post("/phone", phone="+49301234567", **own)
        assert answer.status == 200
        phone = world.browser()
        answer = await phone.post("/login", account="+49 30 1234567", **own)
        assert answer.content == {"user": alice.user}
        assert (await phone.post("/phone", phone="", **own)).content == {"phone": ""}
        answer = await phone.post("/login", account="+49301234567", **own)
        assert answer.code == "wrong_login"
        answer = await bob.post("/phone", phone="+49301234567", password=BOB["password"])
        assert answer.status == 200

    play(tmp_path, scenario)


def test_another_address(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        old = alice.http.cookies
        wanted = {"email": "New@example.org", "password": ALICE["password"]}
        assert (await alice.post("/email", **wanted)).content == {}
        sent = [(to, subject) for to, subject, _ in await world.mails()]
        assert sent[1:] == [
            (ALICE["email"], "Your account is to get another e-mail address"),
            ("new@example.org", "Confirm your new e-mail address"),
        ]
        assert (await alice.get("/me")).content["email"] == ALICE["email"]
        link = await world.link("new@example.org")
        answer = await world.browser().post("/confirm", token=link)
        assert answer.content == {"user": alice.user}
        assert (await alice.get("/me")).content["email"] == "new@example.org"
        assert old
        await world.log_in(alice, ALICE | {"email": "new@example.org"})
        answer = await alice.post("/login", account=ALICE["email"], password=ALICE["password"])
        assert answer.code == "wrong_login"

    play(tmp_path, scenario)


def test_an_address_that_somebody_has(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        # He is asked for first, and confirmed before.
        await alice.post("/email", email=BOB["email"], password=ALICE["password"])
        link = await world.link(BOB["email"])
        await world.registered(BOB)
        assert (await alice.post("/confirm", token=link)).code == "used"
        # What is told does not depend on whether there is somebody.
        answer = await alice.post("/email", email=BOB["email"], password=ALICE["password"])
        assert (answer.status, answer.content) == (200, {})
        assert (await world.mails())[-1][:2] == (BOB["email"], "You have an account already")
        for _ in range(3):
            await alice.post("/email", email=BOB["email"], password=ALICE["password"])
        assert [to for to, _, _ in await world.mails()].count(BOB["email"]) == 5

    play(tmp_path, scenario)


def test_another_password_ends_all_sessions(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, other = await world.registered(ALICE), world.browser()
        await world.log_in(other, ALICE)
        answer = await alice.post(
            "/password", password=ALICE["password"], newPassword="another one"
        )
        assert answer.content == {"user": alice.user}
        assert (await alice.get("/me")).status == 200
        assert (await other.get("/me")).status == 401
        await world.log_in(other, ALICE | {"password": "another one"})
        answer = await other.post(
            "/password", password="another one", newPassword="a third one", bearer=True
        )
        assert set(answer.content) == {"user", "session"}

    play(tmp_path, scenario)


def test_two_who_change_a_password_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        passwords = world.accounts.house.passwords
        real = passwords.hash

        async def hash_but_slowly(password: str) -> str:
            monkeypatch.setattr(passwords, "hash", real)
            await world.browser().post("/forgot", email=ALICE["email"])
            link = await world.link(ALICE["email"])
            await world.browser().post("/reset", token=link, password="that of a reset")
            return await real(password)

        monkeypatch.setattr(passwords, "hash", hash_but_slowly)
        answer = await alice.post(
            "/password", password=ALICE["password"], newPassword="another one"
        )
        assert answer.code == "login_needed"
        await world.log_in(alice, ALICE | {"password": "that of a reset"})

    play(tmp_path, scenario)


# -- portraits ----------------------------------------------------------------------------------


def test_a_portrait(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        pictures = {
            PNG: "image/png",
            b"\xff\xd8\xff\xe0 picture": "image/jpeg",
            b"GIF89a picture": "image/gif",
            b"RIFF\x00\n\x00\x00WEBPVP8 ": "image/webp",
        }
        before = ""
        for data, kind in pictures.items():
            # What the sender says that it is interests nobody.
            answer = await alice.send(
                "PUT", "/account/portrait", data, **{"Content-Type": "text/html"}
            )
            assert answer.status == 200
            url = answer.content["portrait"]
            assert (await alice.get("/me")).content["portrait"] == url
            path = urlsplit(url).path.removeprefix("/account")
            answer = await world.browser().get(path)
            assert (answer.status, answer.content) == (200, data)
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            if before:
                assert (await alice.get(before)).status == 404
            before = path
        answer = await alice.send("DELETE", "/account/portrait", b"")
        assert answer.content == {"portrait": ""}
        assert (await alice.get(before)).status == 404
        assert (await alice.get("/me")).content["portrait"] == ""

    play(tmp_path, scenario)


def test_what_is_no_portrait(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        for data in (
            b"",
            b"<svg onload='alert(1)'/>",
            b"<html>",
            b"\x89PNG",
            b" " + PNG,
            b"RIFF1234WAVE",
        ):
            answer = await alice.send(
                "PUT", "/account/portrait", data, **{"Content-Type": "image/png"}
            )
            assert (answer.status, answer.code) == (415, "no_picture")
        answer = await alice.send("PUT", "/account/portrait", PNG + b"x" * 1024)
        assert (answer.status, answer.code) == (413, "too_large")
        assert answer.content["error"]["limit"] == 1024
        assert (await alice.get("/me")).content["portrait"] == ""

    play(tmp_path, scenario, accounts__portrait_bytes=1024)
    assert not list(tmp_path.glob("*-portraits/??/*"))


# -- others -------------------------------------------------------------------------------------


def test_people_are_found_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        guests = []
        for name in ("Älfred", "Alfons", "Boris"):
            guests.append(world.browser())
            await guests[-1].post("/anonymous", name=name)

        async def found(query: str) -> list[str]:
            answer = await alice.get("/people", query=query)
            return [one["name"] for one in answer.content["people"]]

        assert await found("al") == ["Alfons", "Alice"]
        assert await found(" ALF ") == ["Alfons"]
        assert await found("äL") == ["Älfred"]
        assert await found("lice") == await found("%") == await found("") == []
        await guests[2].post("/me", name="Alba")
        assert await found("al") == ["Alba", "Alfons", "Alice"]
        assert await found("bo") == []
        # Who hides is not found; who has his id may know the name.
        hide = payloads.UserProfilePermission(permission=Visibility.NOBODY)
        caller = caller_of(APP, alice.user)
        await finished(world.system.user_profiles.set_visibility(caller, "", hide))
        answer = await guests[0].get("/people", query="al")
        assert [one["name"] for one in answer.content["people"]] == ["Alba", "Alfons"]
        answer = await guests[0].get("/people", user=[alice.user, "nobody"])
        assert [(one["user"], one["name"]) for one in answer.content["people"]] == [
            (alice.user, "Alice"),
            ("nobody", ""),
        ]
        assert not answer.content["people"][0]["isOnline"]

    play(tmp_path, scenario)


def test_profiles_of_other_apps_and_users_without_account_are_no_business_of_ours(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        for app, user in (("other", alice.user), (APP, "somebody")):
            await finished(world.system.users.register(app, user, name="Albert"))
        await finished(world.system.user_profiles.change(APP, "no-name", basic={}, extra={}))
        answer = await alice.get("/people", query="al")
        assert [one["name"] for one in answer.content["people"]] == ["Alice"]

    play(tmp_path, scenario)


def test_what_an_sdk_needs(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        answer = await alice.post("/token")
        content: dict[str, Any] = answer.content
        assert SECRET not in str(content)
        assert content.keys() == {"user", "appKey", "token", "expires", "navigation"}
        assert (content["user"], content["appKey"]) == (alice.user, APP)
        assert content["expires"] == START + 2 * HOUR * 1000
        host, port = world.server.address
        assert content["navigation"] == f"http://{host}:{port}"
        issuer = Accounts({APP: SECRET})
        now = START / 1000
        for when, outcome in ((now, TokenOutcome.VALID), (now + 7200, TokenOutcome.EXPIRED)):
            check = issuer.check(APP, content["token"], now=when)
            assert check.outcome is outcome
        number = await world.accounts.house.records.read(
            partial(names.user_id, app=APP, name=alice.user)
        )
        assert number is not None

    play(tmp_path, scenario, accounts__token_hours=2)


def test_where_sdks_find_the_server() -> None:
    cases = [
        ("http://a", "10.0.0.1:8080", "chat.example", "http://10.0.0.1:8080"),
        ("http://a", "0.0.0.0:8080", "chat.example", "http://chat.example:8080"),
        ("http://a", "[::]:8080", "2001:db8::1", "http://[2001:db8::1]:8080"),
        ("https://a", "im.example:443", "chat.example", "https://im.example:443"),
    ]
    for base, gateway, host, url in cases:
        assert _navigation(lambda: base, lambda: gateway, host) == url  # noqa: B023


def test_rooms_are_offered(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        offered = [
            {"room": "lobby", "name": "The lobby", "memberCount": 0},
            {"room": "quiet", "name": "quiet", "memberCount": 0},
        ]
        assert (await alice.get("/rooms")).content == {"rooms": offered}
        await world.accounts.closing.tidy()
        await finished(
            world.system.rooms.join(caller_of(APP, alice.user), "lobby", payloads.ChrmInput())
        )
        offered[0]["memberCount"] = 1
        assert (await alice.get("/rooms")).content == {"rooms": offered}

    play(tmp_path, scenario, accounts__rooms=["lobby:The lobby", "quiet"])
