"""Getting in and out: registration, links, login, guests, sessions."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import jwt
import pytest

from improto_server.accounts import house as house_module
from improto_server.accounts.signatures import Purpose
from improto_server.accounts.visits import COOKIE, MOST_SESSIONS
from improto_server.store import mails
from tests.accounts.account_tools import ALICE, BOB, PAGE, SECRET, START, World, play

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 60 * 60
DAY = 24 * HOUR


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_somebody_registers_and_logs_in(tmp_path: Path, backend: str) -> None:
    async def scenario(world: World) -> None:
        alice = world.browser()
        answer = await alice.post("/register", **ALICE)
        assert (answer.status, answer.content) == (200, {})
        assert (await alice.get("/me")).code == "login_needed"
        login = {"account": ALICE["email"], "password": ALICE["password"]}
        assert (await alice.post("/login", **login)).code == "wrong_login"
        ((to, subject, text),) = await world.mails()
        assert (to, subject) == (ALICE["email"], "Confirm your e-mail address")
        assert text.startswith("Hello,\n")
        assert ALICE["name"] not in text
        assert f"{PAGE}/#confirm=" in text
        answer = await alice.post("/confirm", token=await world.link(ALICE["email"]))
        assert answer.status == 200
        user = answer.content["user"]
        assert re.fullmatch("u[a-z2-7]{16}", user)
        answer = await alice.post("/login", **login | {"account": " Alice@Example.org "})
        assert answer.content == {"user": user}
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        for word in ("HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={30 * DAY}"):
            assert word in cookie
        assert "Secure" not in cookie
        answer = await alice.get("/me")
        assert answer.content == {
            "user": user,
            "isGuest": False,
            "email": "alice@example.org",
            "phone": "",
            "created": START,
            "name": "Alice",
            "portrait": "",
            "gender": 0,
            "birthday": "",
            "location": "",
        }
        assert answer.headers["cache-control"] == "no-store"
        assert (await alice.post("/logout")).content == {}
        assert (await alice.get("/me")).status == 401
        assert (await alice.post("/logout")).content == {}

    play(tmp_path, scenario, backend=backend)


def test_a_link_is_good_for_once_and_for_a_day(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.post("/register", **ALICE)
        link = await world.link(ALICE["email"])
        assert (await browser.post("/confirm", token=link)).status == 200
        answer = await browser.post("/confirm", token=link)
        assert (answer.status, answer.code, answer.field) == (410, "used", "token")
        await browser.post("/register", **BOB)
        link = await world.link(BOB["email"])
        world.advance(DAY)
        answer = await browser.post("/confirm", token=link)
        assert (answer.status, answer.code) == (401, "expired")

    play(tmp_path, scenario)


def test_a_link_that_we_have_not_made(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.post("/register", **ALICE)
        good = await world.link(ALICE["email"])
        head, body, signature = good.split(".")
        claims = {"sub": "x", "epoch": 0, "exp": 9_999_999_999}
        forged = [
            f"{head}.{body}.{signature[::-1]}",
            f"{head}.{body}.",
            jwt.encode(claims, SECRET, "HS256"),
            jwt.encode(claims, None, "none"),
            world.accounts.house.sign(Purpose.RESET, "x", seconds=HOUR),
            world.accounts.house.signatures._keys[Purpose.CONFIRM].hex(),
            "a.b",
            "ä",
            "[" * 1000,
        ]
        for token in forged:
            for call in ("/confirm", "/anonymous/resume"):
                answer = await browser.post(call, token=token)
                assert (answer.status, answer.code) == (401, "forged"), token
        assert (await browser.post("/confirm", token="x" * 1025)).code == "too_long"
        assert (await browser.post("/confirm", token=good)).status == 200

    play(tmp_path, scenario)


def test_an_address_is_nobodys_before_it_is_confirmed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        links = []
        for number in range(4):
            await browser.post("/register", **ALICE | {"password": f"password {number}"})
            links.append(await world.link(ALICE["email"]))
        # The first was forgotten when the fourth came.
        assert (await browser.post("/confirm", token=links[0])).code == "used"
        assert (await browser.post("/confirm", token=links[2])).status == 200
        # The others with it: the address has its owner.
        assert (await browser.post("/confirm", token=links[3])).code == "used"
        for number, status in ((2, 200), (3, 401)):
            answer = await browser.post(
                "/login", account=ALICE["email"], password=f"password {number}"
            )
            assert answer.status == status

    play(tmp_path, scenario)


def test_nobody_finds_out_who_has_an_account(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        stranger = world.browser()
        for path, known, unknown in (
            ("/register", ALICE, BOB),
            ("/forgot", {"email": ALICE["email"]}, {"email": BOB["email"]}),
            (
                "/login",
                {"account": ALICE["email"], "password": "a wrong one"},
                {"account": "nobody@example.org", "password": "a wrong one"},
            ),
            (
                "/login",
                {"account": "+49 30 1234567", "password": "a wrong one"},
                {"account": "no number", "password": "a wrong one"},
            ),
        ):
            first = await stranger.post(path, **known)
            second = await stranger.post(path, **unknown)
            assert (first.status, first.content) == (second.status, second.content)
            assert first.headers.keys() == second.headers.keys()
        sent = [(to, subject) for to, subject, _ in await world.mails()]
        assert sent[1:] == [
            (ALICE["email"], "You have an account already"),
            (BOB["email"], "Confirm your e-mail address"),
            (ALICE["email"], "Set a new password"),
        ]
        assert (await alice.get("/me")).status == 200

    play(tmp_path, scenario)


def test_who_has_no_account_costs_as_much_as_who_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        await world.registered(ALICE)
        passwords = world.accounts.house.passwords
        compared = []
        real = passwords._is_same
        monkeypatch.setattr(
            passwords, "_is_same", lambda *each: compared.append(each[1]) or real(*each)
        )
        for account in (ALICE["email"], "nobody@example.org"):
            await world.browser().post("/login", account=account, password="")
        assert len(compared) == 2
        assert {text.rpartition("$")[0].rpartition("$")[0] for text in compared} == {
            "$argon2id$v=19$m=8,t=1,p=1"
        }

    play(tmp_path, scenario)


def test_a_forgotten_password_is_set_anew(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        stranger = world.browser()
        await stranger.post("/forgot", email=ALICE["email"])
        first = await world.link(ALICE["email"])
        await stranger.post("/forgot", email=ALICE["email"])
        second = await world.link(ALICE["email"])
        answer = await stranger.post("/reset", token=first, password="short")
        assert (answer.code, answer.field) == ("too_short", "password")
        assert (await stranger.post("/reset", token=first, password="a new one")).content == {}
        # It was good for once, and so were all that were mailed before.
        for link in (first, second):
            answer = await stranger.post("/reset", token=link, password="a newer one")
            assert (answer.status, answer.code) == (410, "used")
        assert (await alice.get("/me")).status == 401
        assert (
            await alice.post("/login", account=ALICE["email"], password=ALICE["password"])
        ).status == 401
        await world.log_in(alice, ALICE | {"password": "a new one"})
        await stranger.post("/forgot", email=ALICE["email"])
        late = await world.link(ALICE["email"])
        world.advance(2 * HOUR)
        answer = await stranger.post("/reset", token=late, password="a newer one")
        assert answer.code == "expired"
        gone = world.accounts.house.sign(Purpose.RESET, "nobody", seconds=HOUR)
        assert (await stranger.post("/reset", token=gone, password="a new one")).code == "used"

    play(tmp_path, scenario)


def test_a_session_begins_anew_and_ends(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        first = alice.http.cookies[COOKIE]
        await world.log_in(alice, ALICE)
        assert alice.http.cookies[COOKIE] != first
        # What somebody else may have planted is good for nobody now.
        thief = world.browser()
        thief.http.cookies.set(COOKIE, first)
        assert (await thief.get("/me")).status == 401
        thief.http.cookies.set(COOKIE, "planted")
        assert (await thief.get("/me")).status == 401
        world.advance(30 * DAY - 1)
        assert (await alice.get("/me")).status == 200
        world.advance(1)
        assert (await alice.get("/me")).status == 401

    play(tmp_path, scenario)


def test_logout_everywhere(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, other = await world.registered(ALICE), world.browser()
        await world.log_in(other, ALICE)
        await alice.post("/logout")
        assert (await other.get("/me")).status == 200
        await world.log_in(alice, ALICE)
        await alice.post("/logout", everywhere=True)
        assert (await other.get("/me")).status == 401
        guest = world.browser()
        token = (await guest.post("/anonymous")).content["token"]
        await guest.post("/logout", everywhere=True)
        answer = await guest.post("/anonymous/resume", token=token)
        assert (answer.status, answer.code) == (401, "void")

    play(tmp_path, scenario)


def test_the_oldest_of_many_sessions_ends(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browsers = [await world.registered(ALICE)]
        for _ in range(MOST_SESSIONS):
            world.advance(1)
            browsers.append(world.browser())
            await world.log_in(browsers[-1], ALICE)
        statuses = [(await each.get("/me")).status for each in (*browsers[:2], browsers[-1])]
        assert statuses == [401, 200, 200]

    play(tmp_path, scenario)


def test_a_session_for_programs(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.registered(ALICE)
        program = world.browser()
        program.headers = {"X-Improto": "1"}
        answer = await program.post(
            "/login", account=ALICE["email"], password=ALICE["password"], bearer=True
        )
        assert "set-cookie" not in answer.headers
        session = answer.content["session"]
        program.headers = {"Authorization": f"Bearer {session}"}
        assert (await program.get("/me")).content["name"] == "Alice"
        assert (await program.post("/me", name="Alicia")).content["name"] == "Alicia"
        for header in ("Bearer wrong", "Bearer ", "Basic YTpi", ""):
            program.headers = {"Authorization": header}
            assert (await program.get("/me")).code == "login_needed"
        program.headers = {"Authorization": f"Bearer {session}"}
        await program.post("/logout")
        assert (await program.get("/me")).status == 401

    play(tmp_path, scenario)


def test_the_cookie_is_for_encrypted_connections_only(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        answer = await browser.post("/anonymous")
        assert "Secure" in answer.headers["set-cookie"]

    play(tmp_path, scenario, web__public_url="https://chat.example")


def test_who_changes_between_looking_and_entering_is_not_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        passwords = world.accounts.house.passwords
        real = passwords.fits

        async def fits_but_slowly(password: str, kept: str) -> bool:
            result = await real(password, kept)
            monkeypatch.setattr(passwords, "fits", real)
            await alice.post("/password", password=ALICE["password"], newPassword="a new password")
            return result

        monkeypatch.setattr(passwords, "fits", fits_but_slowly)
        thief = world.browser()
        answer = await thief.post("/login", account=ALICE["email"], password=ALICE["password"])
        assert (answer.status, answer.code) == (401, "login_needed")
        assert (await alice.get("/me")).status == 200

    play(tmp_path, scenario)


# -- guests -------------------------------------------------------------------------------------


def test_a_guest_comes_and_comes_back(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        guest = world.browser()
        answer = await guest.post("/anonymous")
        user, token = answer.content["user"], answer.content["token"]
        assert re.fullmatch("guest-[a-z2-7]{16}", user)
        assert answer.content["name"] == f"Guest {user[-4:]}"
        assert answer.content["expires"] == START + 30 * DAY * 1000
        me = (await guest.get("/me")).content
        assert (me["user"], me["isGuest"], me["email"]) == (user, True, "")
        other = await world.browser().post("/anonymous", name="Ann")
        assert (other.content["user"] != user, other.content["name"]) == (True, "Ann")
        world.advance(29 * DAY)
        back = world.browser()
        answer = await back.post("/anonymous/resume", token=token, bearer=True)
        assert answer.content["user"] == user
        assert answer.content["expires"] == START + 59 * DAY * 1000
        later = answer.content["token"]
        world.advance(2 * DAY)
        assert (await back.post("/anonymous/resume", token=token)).code == "expired"
        assert (await back.post("/anonymous/resume", token=later)).content["user"] == user
        cut = later.rsplit(".", 1)[0]
        assert (await back.post("/anonymous/resume", token=cut + ".AAAA")).code == "forged"

    play(tmp_path, scenario)


def test_what_guests_cannot_do(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        guest = world.browser()
        await guest.post("/anonymous")
        for path, fields in (
            ("/email", {"email": "a@example.org", "password": ""}),
            ("/phone", {"phone": "+4930123456", "password": ""}),
            ("/password", {"password": "", "newPassword": "long enough"}),
        ):
            answer = await guest.post(path, **fields)
            assert (answer.status, answer.code) == (403, "guest")
        # No password fits whoever has none.
        answer = await world.browser().post("/login", account="+", password="")
        assert answer.code == "wrong_login"

    play(tmp_path, scenario)


def test_doors_that_are_closed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for path, fields in (("/register", ALICE), ("/anonymous", {})):
            answer = await browser.post(path, **fields)
            assert (answer.status, answer.code) == (403, "closed")

    play(tmp_path, scenario, accounts__registration=False, accounts__guests=False)


# -- limits -------------------------------------------------------------------------------------


def test_one_address_may_not_come_too_often(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for _ in range(2):
            assert (await browser.post("/anonymous")).status == 200
        answer = await browser.post("/anonymous")
        assert (answer.status, answer.code) == (429, "too_often")
        assert answer.content["error"]["limit"] == 2
        assert answer.headers["retry-after"] == "1801"
        assert (await browser.post("/register", **ALICE)).code == "too_often"
        assert (await browser.post("/forgot", email=ALICE["email"])).code == "too_often"
        assert (await world.browser("192.0.2.2").post("/anonymous")).status == 200
        world.advance(1801)
        assert (await browser.post("/anonymous")).status == 200

    play(tmp_path, scenario, accounts__entries=2)


def test_there_may_be_no_such_limit(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for _ in range(3):
            assert (await browser.post("/anonymous")).status == 200

    play(tmp_path, scenario, accounts__entries=0)


def test_behind_proxies_the_caller_counts(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()

        async def come(seen: str) -> int:
            browser.headers["X-Forwarded-For"] = seen
            return (await browser.post("/anonymous")).status

        # Two proxies are ours: the last two are what they saw, what is before may be a lie.
        assert await come("203.0.113.1, 203.0.113.9, 10.0.0.1") == 200
        assert await come("203.0.113.2, 203.0.113.9, 10.0.0.1") == 429
        assert await come("203.0.113.9, 10.0.0.1") == 429
        assert await come("203.0.113.8, 10.0.0.1") == 200
        assert await come("10.0.0.1") == 200

    play(tmp_path, scenario, accounts__entries=1, accounts__proxies=2)


def test_an_address_does_not_get_mails_without_end(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for _ in range(7):
            assert (await browser.post("/register", **ALICE)).content == {}
        assert (await browser.post("/forgot", email=ALICE["email"])).content == {}
        assert len(await world.mails()) == 5
        world.advance(HOUR)
        await browser.post("/register", **ALICE)
        assert len(await world.mails()) == 6

    play(tmp_path, scenario)


def test_mails_that_are_too_many_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house_module, "MOST_MAILS", 2)

    async def scenario(world: World) -> None:
        browser = world.browser()
        for person in (ALICE, BOB, ALICE):
            await browser.post("/register", **person)
        waiting = await world.accounts.house.records.read(
            partial(mails.due, now=world.wall, most=9)
        )
        assert [each.mail.recipient for each in waiting] == [ALICE["email"], BOB["email"]]

    play(tmp_path, scenario)
