"""The end of an account, and what time alone brings about."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import func, select

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto_server.accounts import closing
from improto_server.accounts.visits import caller_of
from improto_server.errors import ServiceError
from improto_server.services.accounts import Accounts
from improto_server.store import Place, app_accounts, user_profiles, users
from improto_server.waiting import finished
from tests.accounts.account_tools import ALICE, APP, BOB, PNG, SECRET, World, play

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

HOUR = 60 * 60
DAY = 24 * HOUR


def rows(connection: Connection) -> dict[str, int]:
    """How many rows there are of what belongs to accounts."""
    tables = (
        app_accounts.app_accounts,
        app_accounts.app_sessions,
        app_accounts.app_pending,
        users.profiles,
        user_profiles.profile_details,
    )
    found = {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0
        for table in tables
    }
    return {name: count for name, count in found.items() if count}


def test_an_account_is_deleted(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        system, records = world.system, world.accounts.house.records
        bob = await world.registered(BOB)
        before = await records.read(rows)
        alice = await world.registered(ALICE)
        portrait = (await alice.send("PUT", "/account/portrait", PNG)).content["portrait"]
        await alice.post("/email", email="new@example.org", password=ALICE["password"])
        await finished(system.friends.befriend(APP, alice.user, bob.user))
        await finished(system.standings.block((APP, alice.user), "somebody"))
        await finished(system.standings.allow((APP, alice.user), "somebody"))
        groups = {}
        for name, owner, other in (
            ("hers", alice, None),
            ("heirs", alice, bob),
            ("his", bob, alice),
        ):
            members = [other.user] if other else []
            answer = await owner.post("/groups/create", name=name, users=members)
            groups[name] = answer.content["group"]
        await finished(system.groups.create(APP, "apps", members=[alice.user], name="apps"))
        invited = payloads.CreateDiscussionInput(name="talk")
        made = await finished(
            system.discussions.create(caller_of(APP, alice.user), alice.user, invited)
        )
        assert made is not None
        token = (await alice.post("/token")).content["token"]

        assert (await alice.post("/delete", password="wrong")).code == "wrong_password"
        assert (await alice.post("/delete", password=ALICE["password"])).content == {}

        assert (await alice.get("/me")).status == 401
        login = await alice.post("/login", account=ALICE["email"], password=ALICE["password"])
        assert login.code == "wrong_login"
        assert await records.read(rows) == before
        assert (await bob.get("/friends")).content["friends"] == []
        assert (await bob.get("/people", query="ali")).content["people"] == []
        roles = {
            name: (await bob.get("/groups/info", group=group)) for name, group in groups.items()
        }
        assert roles["hers"].code == "group_id_not_exist"
        for name in ("heirs", "his"):
            info = roles[name].content
            assert (info["owner"], info["memberCount"]) == (bob.user, 1)
        assert await finished(system.groups.members(APP, "apps")) == []
        kinds = (ConversationType.GROUP, ConversationType.DISCUSSION)
        for kind in kinds:
            assert await finished(system.rosters.places_of(APP, alice.user, kind)) == []
        standing = await finished(system.standings.load((APP, alice.user)))
        assert (standing.blocked, standing.allowed) == (frozenset(), frozenset())
        assert (await bob.get(portrait.partition("/account")[2])).status == 404
        # The token may be good for another day, but lets nobody in.
        issued = Accounts({APP: SECRET}).check(APP, token, now=world.wall / 1000).issued
        assert issued > 0
        assert system.token_ends.is_void((APP, alice.user), issued=issued)

        # The address is free, and its owner is somebody else from now on.
        again = await world.registered(ALICE)
        assert again.user != alice.user

    play(tmp_path, scenario)


def test_a_manager_inherits_before_older_members(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        guest = world.browser()
        user = (await guest.post("/anonymous")).content["user"]
        answer = await alice.post("/groups/create", name="g", users=[bob.user])
        group = answer.content["group"]
        await alice.post("/groups/invite", group=group, users=[user])
        await alice.post("/groups/managers", group=group, users=[user], isManager=True)
        await alice.post("/delete", password=ALICE["password"])
        assert (await bob.get("/groups/info", group=group)).content["owner"] == user

    play(tmp_path, scenario)


def test_a_guest_goes_without_a_password(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        guest = world.browser()
        token = (await guest.post("/anonymous")).content["token"]
        assert (await guest.post("/delete")).content == {}
        assert (await guest.post("/anonymous/resume", token=token)).code == "void"
        assert await world.accounts.house.records.read(rows) == {}

    play(tmp_path, scenario)


def test_a_deletion_goes_on_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        alice = await world.registered(ALICE)
        records = world.accounts.house.records

        async def broken(app: str, user: str) -> None:
            raise ServiceError(ErrorCode.INTERNALERRROR)

        with monkeypatch.context() as patched:
            patched.setattr(world.system.friends, "clear", broken)
            assert (await alice.post("/delete", password=ALICE["password"])).content == {}
        assert "a deletion will be finished later" in caplog.text
        # In the meantime nobody gets in, and the address is free.
        assert (await alice.get("/me")).status == 401
        again = await world.registered(ALICE)
        assert (await records.read(rows))["app_accounts"] == 2
        answer = await again.get("/people", query="Alice")
        assert [one["user"] for one in answer.content["people"]] == [again.user]
        await world.accounts.closing.tidy()
        assert (await records.read(rows))["app_accounts"] == 1
        assert (await again.get("/me")).status == 200

    play(tmp_path, scenario)


def test_what_is_over_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "AT_ONCE", 2)

    async def scenario(world: World) -> None:
        browser = world.browser()
        user = (await browser.post("/anonymous")).content["user"]
        for number in range(5):
            await browser.post("/register", **ALICE | {"email": f"{number}@example.org"})
        records = world.accounts.house.records
        assert (await records.read(rows))["app_pending"] == 5
        world.advance(DAY)
        await world.accounts.closing.tidy()
        left = await records.read(rows)
        assert "app_pending" not in left
        assert left["app_sessions"] == 1
        world.advance(29 * DAY)
        await world.accounts.closing.tidy()
        assert await records.read(rows) == {}
        gone = partial(app_accounts.account, app=APP, user=user)
        assert await records.read(gone) is None

    play(tmp_path, scenario)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_chores_go_on_after_a_mistake(
    tmp_path: Path, backend: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario(world: World) -> None:
        calls: list[float] = []

        async def sleep(seconds: float) -> None:
            calls.append(seconds)
            if len(calls) == 2:
                await anyio.sleep_forever()

        async def broken() -> None:
            raise ServiceError(ErrorCode.INTERNALERRROR)

        monkeypatch.setattr(world.accounts.closing, "tidy", broken)
        with monkeypatch.context() as patched:
            patched.setattr(closing.anyio, "sleep", sleep)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(world.accounts.closing.tidy_regularly)
                while len(calls) < 2:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert calls == [HOUR, HOUR]

    play(tmp_path, scenario, backend=backend)
    assert caplog.text.count("accounts could not be tidied up") == 2


def test_a_place_is_what_it_was(tmp_path: Path) -> None:
    """A closed account's discussions are left as their members leave them."""

    async def scenario(world: World) -> None:
        alice, bob = await world.registered(ALICE), await world.registered(BOB)
        system = world.system
        reply = await finished(
            system.discussions.create(
                caller_of(APP, alice.user),
                alice.user,
                payloads.CreateDiscussionInput(name="talk"),
            )
        )
        id = reply.id
        invite = payloads.ChannelInvitationInput(users=[bob.user])
        await finished(system.discussions.invite(caller_of(APP, alice.user), id, invite))
        await alice.post("/delete", password=ALICE["password"])
        roster = await finished(system.rosters.load(Place(APP, ConversationType.DISCUSSION, id)))
        assert (roster.owner, [*roster.members]) == (bob.user, [bob.user])

    play(tmp_path, scenario)
