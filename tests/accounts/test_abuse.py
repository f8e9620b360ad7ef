"""People who mean ill, or only come at a bad time: what they must not bring about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event, text

from improto_server.accounts import closing, entry, house
from improto_server.accounts.mail import FIRST_PAUSE, MOST_TRIES, Outbox
from improto_server.services.friends import Friends
from improto_server.store import app_accounts, mails
from improto_server.store.mails import Mail
from tests.accounts.account_tools import ALICE, APP, BOB, PAGE, PNG, World, play

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

THIEF = "thief@example.org"


# -- accounts of others -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["/password", "/reset", "/logout"])
def test_an_address_that_a_thief_wanted_is_void_once_its_owner_acts(
    tmp_path: Path, way: str
) -> None:
    async def scenario(world: World) -> None:
        alice, thief = await world.registered(ALICE), world.browser("192.0.2.9")
        await world.log_in(thief, ALICE)
        await thief.post("/email", email=THIEF, password=ALICE["password"])
        theirs = await world.link(THIEF)
        if way == "/password":
            new = {"password": ALICE["password"], "newPassword": "another one"}
            assert (await alice.post(way, **new)).status == 200
        elif way == "/reset":
            await alice.post("/forgot", email=ALICE["email"])
            token = await world.link(ALICE["email"])
            assert (await alice.post(way, token=token, password="another one")).status == 200
        else:
            assert (await alice.post(way, everywhere=True)).status == 200
        assert (await thief.post("/confirm", token=theirs)).code == "used"

    play(tmp_path, scenario)


def test_a_reminder_costs_the_same_whether_there_is_an_account(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.registered(ALICE)
        await world.mails()
        changes: list[list[str]] = []

        def change(connection: Connection, email: str) -> None:
            def note(*statement: Any) -> None:
                changes[-1].append(statement[2].split()[0])

            changes.append([])
            event.listen(connection, "before_cursor_execute", note)
            calls = next(
                call.handler.__self__  # type: ignore[attr-defined]
                for (_, path), call in world.accounts._calls.items()
                if path == "/account/forgot"
            )
            assert isinstance(calls, entry.EntryCalls)
            calls._remind(connection, email=email)
            event.remove(connection, "before_cursor_execute", note)

        for address in (ALICE["email"], "nobody@example.org"):
            await world.accounts.house.records.write(partial(change, email=address))
        known, unknown = changes
        assert "INSERT" in known
        assert [each for each in unknown if each != "DELETE"] == known
        assert [to for to, *_ in await world.mails()].count("nobody@example.org") == 0

    play(tmp_path, scenario)


# -- how many from where ------------------------------------------------------------------------


def test_what_is_behind_one_site_is_one_address(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        answers = [
            await world.browser(f"2001:db8::{number}").post("/anonymous") for number in (1, 2, 3)
        ]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert (await world.browser("2001:db8:0:1::1").post("/anonymous")).status == 200

    play(tmp_path, scenario, accounts__entries=2)


def test_a_header_of_the_client_before_that_of_the_proxy_says_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        statuses = []
        for number in (1, 2, 3):
            answer = await world.browser().http.post(
                "/account/anonymous",
                json={},
                headers=[
                    ("Origin", PAGE),
                    ("X-Forwarded-For", f"203.0.113.{number}"),
                    ("X-Forwarded-For", "198.51.100.7"),
                ],
            )
            statuses.append(answer.status_code)
        assert statuses == [200, 200, 429]

    play(tmp_path, scenario, accounts__entries=2, accounts__proxies=1)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "://", "http://", "\xff"])
def test_an_origin_that_is_none_is_foreign(
    tmp_path: Path, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        browser.headers = {}
        answer = await browser.http.post(
            "/account/anonymous", json={}, headers={"Origin": origin.encode("latin-1")}
        )
        assert answer.status_code == 403

    play(tmp_path, scenario)
    assert "could not be answered" not in caplog.text


def test_an_account_changes_only_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "MOST_CHANGES", 2)

    async def scenario(world: World) -> None:
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        answers = [await alice.post("/me", location=str(number)) for number in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        refusal = answers[-1].content["error"]
        assert (refusal["code"], refusal["limit"], refusal["wait"]) == ("too_often", 2, 1801)
        assert (await alice.get("/me")).content["location"] == "1"
        assert (await bob.post("/me", location="x")).status == 200
        world.advance(1801)
        assert (await alice.post("/me", location="y")).status == 200

    play(tmp_path, scenario)


# -- mails --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["=?utf-8?q??=@example.org", "=?utf-8?q?alice=40example.org?=@example.net"]
)
def test_an_address_in_another_coding_is_none(tmp_path: Path, address: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.browser().post("/register", **ALICE | {"email": address})
        assert (answer.status, answer.field) == (400, "email")

    play(tmp_path, scenario)


def test_a_mail_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        tries = 0

        def send(self, mail: Mail) -> None:
            self.tries += 1
            raise IndexError("what the library says to an odd address")

    async def scenario(world: World) -> None:
        sender, records = Broken(), world.accounts.house.records
        box = Outbox(records, sender, now=lambda: world.wall)
        put = partial(mails.put, mail=Mail("a@b", "s", "b"), now=world.wall, most=9)
        assert await records.write(put) is not None
        for _ in range(MOST_TRIES):
            await box.deliver()
            world.advance(FIRST_PAUSE * 2**MOST_TRIES)
        await box.deliver()
        assert sender.tries == MOST_TRIES
        assert await records.read(partial(mails.due, now=2**60, most=9)) == []

    play(tmp_path, scenario)
    assert "a mail to a@b is given up: IndexError" in caplog.text


def test_one_mail_that_waits_long_does_not_keep_others_from_waiting(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        records = world.accounts.house.records
        put = partial(mails.put, mail=Mail("a@b", "s", "b"), now=0, most=3)
        first = await records.write(put)
        assert first is not None
        for _ in range(5):
            id = await records.write(put)
            assert id is not None
            await records.write(partial(mails.remove, id=id))
        assert [await records.write(put) is None for _ in range(3)] == [False, False, True]

    play(tmp_path, scenario)


# -- what would grow ----------------------------------------------------------------------------


def test_portraits_that_come_at_once_leave_one(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                data = PNG + bytes([number])
                tasks.start_soon(alice.send, "PUT", "/account/portrait", data)

    play(tmp_path, scenario)
    assert len([*tmp_path.glob("*-portraits/??/*/about.json")]) == 1


def test_a_portrait_of_somebody_who_is_going_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        house = world.accounts.house
        keep = world.accounts._people._portraits.keep

        async def slow(data: bytes) -> str:
            name = await keep(data)
            await house.records.write(partial(app_accounts.close, app=APP, user=alice.user))
            return name

        monkeypatch.setattr(world.accounts._people._portraits, "keep", slow)
        answer = await alice.send("PUT", "/account/portrait", PNG)
        assert (answer.status, answer.code) == (401, "login_needed")

    play(tmp_path, scenario)
    assert not [*tmp_path.glob("*-portraits/??/*/about.json")]


def test_all_guests_whose_time_is_over_go_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "AT_ONCE", 2)

    async def scenario(world: World) -> None:
        users = [(await world.browser().post("/anonymous")).content["user"] for _ in range(5)]
        world.advance(31 * 24 * 3600)
        await world.accounts.closing.tidy()
        ends = world.system.token_ends
        assert all(ends.is_void((APP, user), issued=world.wall / 1000) for user in users)
        assert world.system.standings.banned(APP, now=0) == {}
        gone = partial(app_accounts.guests_gone, app=APP, now=world.wall, most=9)
        assert await world.accounts.house.records.read(gone) == []

    play(tmp_path, scenario)


def test_one_deletion_that_does_not_end_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        records, clear = world.accounts.house.records, Friends.clear

        async def sometimes(self: Friends, app: str, user: str) -> None:
            if user == alice.user:
                raise OSError("a disk is full")
            await clear(self, app, user)

        monkeypatch.setattr(Friends, "clear", sometimes)
        for browser in (alice, bob):
            await records.write(partial(app_accounts.close, app=APP, user=browser.user))
        await world.accounts.closing.tidy()
        closed = partial(app_accounts.closed, app=APP, most=9)
        assert await records.read(closed) == [(alice.user, "")]

    play(tmp_path, scenario)


def test_the_chore_looks_at_none_of_the_accounts_that_stay(tmp_path: Path) -> None:
    plans: list[str] = []

    def explain(connection: Connection) -> None:
        def note(*call: Any) -> None:
            statement, parameters = call[2:4]
            if not statement.startswith("EXPLAIN"):
                rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
                plans.append(rows.all()[0].detail)

        connection.execute(text("SELECT 1"))
        event.listen(connection, "before_cursor_execute", note)
        app_accounts.guests_gone(connection, app=APP, now=1, most=9)
        app_accounts.closed(connection, app=APP, most=9)
        event.remove(connection, "before_cursor_execute", note)

    async def scenario(world: World) -> None:
        await world.accounts.house.records.read(explain)

    play(tmp_path, scenario)
    assert ["app_accounts_guests" in plans[0], "app_accounts_closed" in plans[1]] == [True, True]


def test_mails_that_are_too_many_are_named_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(house, "MOST_MAILS", 1)

    async def scenario(world: World) -> None:
        for person in (ALICE, BOB):
            await world.browser().post("/register", **person)

    play(tmp_path, scenario)
    assert "1 mails are waiting; one is not sent" in caplog.text
