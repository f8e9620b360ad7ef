"""What keeps people out: foreign pages, guessing, bad bodies, wrong paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from improto_server.accounts import bodies, guesses, passwords
from improto_server.accounts.guesses import Guesses, site
from improto_server.accounts.passwords import Passwords
from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.visits import COOKIE
from tests.accounts.account_tools import ALICE, BOB, PAGE, PNG, World, play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


# -- pages of others ----------------------------------------------------------------------------


def test_a_page_of_somebody_else_changes_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        for headers in (
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://chat.example.evil.example"},
            {"Origin": "http://evil.example/chat.example"},
            {"Origin": f"{PAGE}:81"},
            {"Referer": f"{PAGE}/"},
        ):
            alice.headers = headers
            for answer in (
                await alice.post("/me", name="Eve"),
                await alice.post("/login", account="a", password="b"),
                await alice.post("/anonymous"),
                await alice.send("PUT", "/account/portrait", PNG),
                await alice.send("DELETE", "/account/portrait", b""),
            ):
                assert (answer.status, answer.code) == (403, "foreign")
            assert (await alice.get("/me")).content["name"] == "Alice"
        for headers in ({"Origin": PAGE}, {"X-Improto": "1"}):
            alice.headers = headers
            assert (await alice.post("/me", name="Alice A.")).status == 200
        # A form of another page can send no JSON, and what it can send is not read.
        alice.headers = {"Origin": PAGE}
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await alice.send(
                "POST", "/account/me", b'{"name":"Eve"}', **{"Content-Type": kind}
            )
            assert (answer.status, answer.code) == (415, "not_json")

    play(tmp_path, scenario)


def test_the_own_origin_is_that_of_the_call_or_of_the_setting(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        browser.http.base_url = httpx.URL("http://127.0.0.1:8081")
        for origin in ("http://127.0.0.1:8081", "https://127.0.0.1:8081", PAGE):
            browser.headers = {"Origin": origin}
            assert (await browser.post("/anonymous")).status == 200
        browser.headers = {"Origin": "http://127.0.0.1:8082"}
        assert (await browser.post("/anonymous")).code == "foreign"

    play(tmp_path, scenario)


def test_asking_changes_nothing_and_needs_no_origin(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        alice.headers = {}
        assert (await alice.get("/me")).status == 200
        answer = await alice.send("HEAD", "/account/me", b"")
        assert (answer.status, "access-control-allow-origin" in answer.headers) == (200, False)
        for path in ("/logout", "/delete", "/confirm"):
            answer = await alice.get(path)
            assert (answer.status, answer.code) == (405, "wrong_method")
        assert (await alice.get("/me")).status == 200

    play(tmp_path, scenario)


# -- guessing -----------------------------------------------------------------------------------


def test_who_guesses_waits_longer_and_longer(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.registered(ALICE)
        for account in (ALICE["email"], "nobody@example.org"):
            browser = world.browser(f"192.0.2.{len(account)}")

            async def guess(password: str = "wrong", *, who: str = account) -> tuple[int, str]:
                answer = await browser.post("/login", account=who, password=password)  # noqa: B023
                return answer.status, answer.headers.get("retry-after", "")

            for _ in range(6):
                assert await guess() == (401, "")
            assert await guess() == (429, "2")
            # Right or wrong: it is not looked at.
            assert await guess(ALICE["password"]) == (429, "2")
            world.advance(2)
            assert await guess() == (401, "")
            assert await guess() == (429, "4")
            for _ in range(20):
                world.advance(900)
                assert (await guess())[0] == 401
            assert await guess() == (429, "900")
        world.advance(900)
        await world.log_in(world.browser(), ALICE)
        # From then on it begins anew.
        other = world.browser("192.0.2.99")
        for _ in range(6):
            answer = await other.post("/login", account=ALICE["email"], password="wrong")
            assert answer.status == 401

    play(tmp_path, scenario)


def test_who_is_in_cannot_guess_the_password_either(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        for _ in range(6):
            answer = await alice.post("/delete", password="wrong")
            assert (answer.status, answer.code, answer.field) == (403, "wrong_password", "password")
        answer = await alice.post("/password", password="wrong", newPassword="long enough")
        assert (answer.status, answer.code) == (429, "locked")
        assert answer.content["error"]["wait"] == 2

    play(tmp_path, scenario)


def test_guesses_by_address() -> None:
    now = 0.0
    counting = Guesses(lambda: now)
    for number in range(31):
        counting.attempt(f"user{number}", "2001:db8::1")
    with pytest.raises(RefusedError, match="try again in 2 s") as refusal:
        counting.attempt("another", "2001:db8::2")
    assert refusal.value.wait == 2
    counting.attempt("another", "2001:db8:0:1::2")
    now = 2.0
    counting.attempt("another", "2001:db8::1")
    # Who was right has not failed: neither he nor his address waits.
    counting.succeeded("another", "2001:db8::1")
    counting.attempt("another", "2001:db8::1")
    now = 2.0 + guesses.FORGOTTEN_AFTER + 1
    for number in range(30):
        counting.attempt(f"user{number}", "2001:db8::1")
    counting.succeeded("unknown", "198.51.100.1")


def test_guesses_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "REMEMBERED", 4)
    counting = Guesses(lambda: 0.0)
    for number in range(9):
        counting.attempt(f"user{number}", f"192.0.2.{number}")
    assert len(counting) == 4


def test_sites() -> None:
    assert site("192.0.2.1") == "192.0.2.1"
    assert site("2001:db8::1") == site("2001:db8::ffff:1") == "2001:db8::/64"
    assert site("unix") == "unix"


def test_too_many_at_once_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 1)

    async def scenario() -> None:
        busy = Passwords(memory=8, rounds=1)
        outcomes: list[str] = []

        async def one() -> None:
            try:
                await busy.hash("a password")
            except RefusedError as error:
                outcomes.append(error.code)
            else:
                outcomes.append("done")

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
        assert sorted(outcomes) == ["busy", "busy", "done", "done"]

    anyio.run(scenario)


# -- bodies and queries -------------------------------------------------------------------------


WRONG: list[tuple[str, Any, str, str, int | None]] = [
    ("/register", {**ALICE, "name": "x" * 65}, "too_long", "name", 64),
    ("/register", {**ALICE, "name": ""}, "too_short", "name", 1),
    ("/register", {**ALICE, "name": "  "}, "invalid", "name", None),
    ("/register", {**ALICE, "name": "a\nb"}, "invalid", "name", None),
    ("/register", {**ALICE, "name": "\u202eevil"}, "invalid", "name", None),
    ("/register", {**ALICE, "name": 5}, "invalid", "name", None),
    ("/register", {**ALICE, "password": "1234567"}, "too_short", "password", 8),
    ("/register", {**ALICE, "password": "x" * 257}, "too_long", "password", 256),
    ("/register", {**ALICE, "email": "x" * 250 + "@e.org"}, "too_long", "email", 254),
    ("/register", {**ALICE, "email": "alice"}, "invalid", "email", None),
    ("/register", {**ALICE, "email": "a@b\r\nBcc: c@d"}, "invalid", "email", None),
    ("/register", {**ALICE, "email": "a,b@example.org"}, "invalid", "email", None),
    ("/register", {**ALICE, "email": "älice@example.org"}, "invalid", "email", None),
    ("/register", {"email": "a@b", "name": "A"}, "invalid", "password", None),
    ("/register", {**ALICE, "admin": True}, "invalid", "admin", None),
    ("/register", [], "invalid", "", None),
    ("/anonymous", {"name": "x" * 65}, "too_long", "name", 64),
    ("/anonymous", {"bearer": 1}, "invalid", "bearer", None),
    ("/me", {"gender": 3}, "out_of_range", "gender", 2),
    ("/me", {"gender": -1}, "out_of_range", "gender", 0),
    ("/me", {"birthday": "x" * 33}, "too_long", "birthday", 32),
    ("/phone", {"phone": "911", "password": ""}, "invalid", "phone", None),
    ("/friends/remove", {"users": ["u"] * 31}, "too_long", "users", 30),
    ("/friends/remove", {"users": ["u" * 65]}, "too_long", "users", 64),
    ("/friends/add", {"user": "u", "text": "x" * 129}, "too_long", "text", 128),
    ("/groups/create", {"name": "g", "joinPerm": 4}, "out_of_range", "joinPerm", 3),
]


def test_fields_that_are_wrong(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.post("/anonymous")
        for path, body, code, field, limit in WRONG:
            answer = await browser.send(
                "POST",
                f"/account{path}",
                json.dumps(body).encode(),
                **{"Content-Type": "application/json"},
            )
            assert (answer.status, answer.code, answer.field) == (400, code, field), body
            error = answer.content["error"]
            assert error.get("limit") == limit
            assert field in error["message"]
        assert await world.mails() == []

    play(tmp_path, scenario)


def test_bodies_that_are_no_json(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        kind = {"Content-Type": "application/json; charset=utf-8"}
        for body in (b"", b"{", b"\xff", b'{"name":"\\ud800"}', b"[" * 10_000, b'{"name":"\xff"}'):
            answer = await browser.send("POST", "/account/anonymous", body, **kind)
            assert (answer.status, answer.code) == (400, "invalid"), body
        answer = await browser.send("POST", "/account/anonymous", b" " * 16_385, **kind)
        assert (answer.status, answer.code) == (413, "too_large")
        assert answer.content["error"]["limit"] == 16_384
        assert (await browser.send("POST", "/account/anonymous", b"{}", **kind)).status == 200

    play(tmp_path, scenario)


def test_a_body_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0)

    async def scenario(world: World) -> None:
        async def slowly() -> AsyncIterator[bytes]:
            await anyio.lowlevel.checkpoint()
            yield b"{}"

        browser = world.browser()
        response = await browser.http.post(
            "/account/anonymous",
            content=slowly(),
            headers={"Origin": PAGE, "Content-Type": "application/json"},
        )
        assert (response.status_code, response.json()["error"]["code"]) == (408, "too_slow")

    play(tmp_path, scenario)


def test_who_goes_in_the_middle_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        sent = []

        async def receive() -> dict[str, object]:
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/account/anonymous",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"x-improto", b"1")],
            "client": None,
        }
        await world.asgi(scope, receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 400

    play(tmp_path, scenario)
    assert not caplog.records


def test_questions_that_are_wrong(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.post("/anonymous")
        for path, query, code, field in (
            ("/friends", {"count": "0"}, "out_of_range", "count"),
            ("/friends", {"count": "101"}, "out_of_range", "count"),
            ("/friends", {"count": "many"}, "invalid", "count"),
            ("/friends", {"after": "x" * 65}, "too_long", "after"),
            ("/friends", {"before": "1"}, "invalid", "before"),
            ("/people", {"query": "x" * 65}, "too_long", "query"),
            ("/people", {"user": ["u"] * 51}, "too_long", "user"),
            ("/people", {"user": "x" * 65}, "too_long", "user"),
            ("/groups/info", {}, "invalid", "group"),
            ("/me", {"user": "u"}, "invalid", "user"),
        ):
            answer = await browser.get(path, **query)
            assert (answer.status, answer.code, answer.field) == (400, code, field), path

    play(tmp_path, scenario)


def test_paths_that_are_none(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for path in ("/nothing", "/me/", "/me%2f..", "/portraits", "/" + "x" * 5000):
            answer = await browser.get(path)
            assert (answer.status, answer.code) == (404, "not_found"), path
            assert len(answer.content["error"]["message"]) < 300
        for name in ("../messages.db", "..%2fmessages.db", "%2e%2e", "0" * 32, "0" * 31, "a/b"):
            answer = await browser.get(f"/portraits/{name}")
            assert (answer.status, answer.code) == (404, "not_found"), name
        answer = await browser.post("/people", query="a")
        assert (answer.status, answer.code) == (405, "wrong_method")

    play(tmp_path, scenario)


def test_nobody_is_in_without_a_session(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        valid = {
            "/friends/add": {"user": "u"},
            "/groups/create": {"name": "g"},
            "/email": {"email": BOB["email"], "password": ""},
            "/token": {},
            "/delete": {},
            "/me": {},
        }
        for cookie in ("", "x", "x" * 10_000, '"\\303"'):
            browser.headers["Cookie"] = f"{COOKIE}={cookie}"
            for path, fields in valid.items():
                answer = await browser.post(path, **fields)
                assert (answer.status, answer.code) == (401, "login_needed")
            for path in ("/me", "/friends", "/groups", "/people?user=u"):
                assert (await browser.get(path)).code == "login_needed"
            assert (await browser.send("PUT", "/account/portrait", PNG)).code == "login_needed"

    play(tmp_path, scenario)


def test_a_mistake_is_told_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        async def broken(password: str) -> str:
            raise RuntimeError("a secret")

        monkeypatch.setattr(world.accounts.house.passwords, "hash", broken)
        browser = world.browser()
        answer = await browser.post("/register", **ALICE)
        assert (answer.status, answer.content) == (
            500,
            {"error": {"code": "internal", "message": "internal error"}},
        )
        assert (await browser.post("/anonymous")).status == 200

    play(tmp_path, scenario)
    assert "/account/register could not be answered" in caplog.text
