"""Tokens that are ended before their time (rest 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.frames import ConnAck, Disconnect
from improto_server.app import Application
from improto_server.errors import ServiceError
from improto_server.steps import start
from improto_server.store import StoreError, token_ends
from improto_server.waiting import finished
from tests.server.api_tools import ApiRig
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans
from tests.server.test_app import KEY, run, settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

ALICE = (APP, "alice")
DAY = 24 * 60 * 60 * 1000


def login(rig: Rig, name: str, sdk: str = "4.6.4", *, issued: int, app: str = APP) -> int:
    """What somebody is told who comes with a token issued then, in milliseconds."""
    rig.accounts.issued = issued / 1000
    ack, *_ = rig.client(name, sdk, app=app).frames()
    assert isinstance(ack, ConnAck)
    return ack.status


def test_what_was_issued_before_lets_nobody_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.token_ends.end(ALICE, before=START))
    assert login(rig, "alice", issued=START - 1) == ConnAckStatus.TOKEN_EXPIRE
    assert login(rig, "alice", issued=0) == ConnAckStatus.TOKEN_EXPIRE
    assert login(rig, "alice", issued=START) == ConnAckStatus.ACCEPTED
    assert login(rig, "bob", issued=0) == ConnAckStatus.ACCEPTED
    assert login(rig, "alice", issued=0, app="other") == ConnAckStatus.ACCEPTED


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2"])
def test_older_sdks_hear_that_the_token_is_incorrect(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.token_ends.end(ALICE, before=START))
    assert login(rig, "alice", sdk, issued=0) == ConnAckStatus.TOKEN_INCORRECT


@pytest.mark.parametrize("milliseconds", range(7))
def test_times_are_compared_to_the_millisecond(tmp_path: Path, milliseconds: int) -> None:
    rig, before = Rig(tmp_path), START + milliseconds
    rig.do(rig.system.token_ends.end(ALICE, before=before))
    for issued in (before - 1, before, before + 1):
        is_void = rig.system.token_ends.is_void(ALICE, issued=issued / 1000)
        assert is_void is (issued < before)


def test_an_earlier_time_makes_nothing_good_again(tmp_path: Path) -> None:
    ends = (rig := Rig(tmp_path)).system.token_ends
    rig.do(ends.end(ALICE, before=START))
    rig.do(ends.end(ALICE, before=START - 1000))
    assert login(rig, "alice", issued=START - 1) == ConnAckStatus.TOKEN_EXPIRE
    rig.do(ends.end(ALICE, before=START + 1000))
    assert login(rig, "alice", issued=START) == ConnAckStatus.TOKEN_EXPIRE


def test_who_is_connected_stays_or_is_sent_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.do(rig.system.token_ends.end(ALICE, before=START))
    assert alice.frames() == []
    rig.do(rig.system.token_ends.cut_off(ALICE, before=START))
    assert alice.frames() == [Disconnect(status=DisconnectStatus.REMOTE_CLOSE)]
    assert rig.hub.find(ALICE) is None
    # Harmless for who is not there.
    rig.do(rig.system.token_ends.cut_off((APP, "zoe"), before=START))


def test_ends_outlive_the_server_until_they_are_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for name, before in (("alice", START), ("bob", START - 1)):
        rig.do(rig.system.token_ends.end((APP, name), before=before))
    rig.store.store.close()
    later = Rig(tmp_path)
    for name in ("alice", "bob"):
        assert login(later, name, issued=0) == ConnAckStatus.TOKEN_EXPIRE
    later.do(later.system.token_ends.forget(before=START))
    assert login(later, "alice", issued=0) == ConnAckStatus.TOKEN_EXPIRE
    assert login(later, "bob", issued=0) == ConnAckStatus.ACCEPTED
    assert later.store.ask(token_ends.everything) == {ALICE: START}


def test_an_end_that_cannot_be_stored_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ends = rig.system.token_ends
    rig.do(ends.end(ALICE, before=START))
    rig.accounts.issued = START / 1000
    alice = rig.online("alice")
    rig.store.broken = StoreError("no")
    with pytest.raises(ServiceError) as refused:
        rig.do(ends.cut_off(ALICE, before=START + 1))
    assert refused.value.code is ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert not ends.is_void(ALICE, issued=START / 1000)
    assert ends.is_void(ALICE, issued=START / 1000 - 1)
    assert alice.frames() == []


def test_a_later_end_outlasts_one_that_cannot_be_stored(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ends = rig.system.token_ends
    results: list[Exception | None] = []
    rig.store.broken = StoreError("no")
    start(ends.end(ALICE, before=START), results.append)
    held = rig.store.next_batch()
    assert held is not None
    rig.store.broken = None
    start(ends.end(ALICE, before=START + 1), results.append)
    rig.store.broken = StoreError("no")
    rig.hear(held)
    assert ends.is_void(ALICE, issued=START / 1000)
    rig.store.broken = None
    rig.settle()
    assert [type(result) for result in results] == [ServiceError, type(None)]
    assert ends.is_void(ALICE, issued=START / 1000)


def test_no_end_is_searched_for(tmp_path: Path) -> None:
    def forget(connection: Connection) -> list[str]:
        with query_plans(connection) as plans:
            token_ends.forget(connection, before=START)
        return plans

    rig = Rig(tmp_path)

    async def write() -> list[str]:
        return await rig.system.data.write(forget)

    (plan,) = rig.do(write())
    assert plan.startswith("SEARCH")


@pytest.mark.parametrize(
    ("accounts", "days"),
    [({}, 3), ({"enabled": True}, 4), ({"enabled": True, "token_hours": 1}, 3)],
)
def test_an_end_is_kept_for_as_long_as_a_token_may_be_good(
    tmp_path: Path, accounts: dict[str, Any], days: int
) -> None:
    async def scenario() -> None:
        application = Application(settings, wall_clock=lambda: START)
        async with application.listening():
            ends = application.system.token_ends
            before = START - days * DAY
            for name, time in (("alice", before), ("bob", before - 1)):
                await finished(ends.end((KEY, name), before=time))
            await application._forget_token_ends()
            assert ends.is_void((KEY, "alice"), issued=0)
            assert not ends.is_void((KEY, "bob"), issued=0)

    wanted: dict[str, Any] = {
        f"accounts.{name}": value for name, value in ({"token_hours": 96} | accounts).items()
    }
    wanted |= {"web.enabled": True, "web.port": 0}
    settings = settings_for(tmp_path, "asyncio", token_days=3, **wanted)
    run(settings, lambda _: scenario())


def test_forgetting_may_fail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        application = Application(settings)
        async with application.listening():
            await application.store.aclose()
            await application._forget_token_ends()

    settings = settings_for(tmp_path, "asyncio")
    run(settings, lambda _: scenario())
    assert "times of tokens that are over were not forgotten" in caplog.text


def test_the_application_ends_tokens(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path)
    alice = rig.online("alice")
    assert rig.ask("/user/token/expire", userId=["alice", "nobody"], time=START) == {}
    assert alice.frames() == []
    alice.leave()
    assert login(rig, "alice", issued=START - 1) == ConnAckStatus.TOKEN_EXPIRE
    # What is issued afterwards is good, in the same millisecond too.
    token = rig.ask("/user/getToken", userId="alice", name="")["token"]
    issued = rig.real_accounts.check(APP, token, now=rig.wall / 1000).issued
    assert login(rig, "alice", issued=round(issued * 1000)) == ConnAckStatus.ACCEPTED


def test_no_time_to_come_ends_anything(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path)
    rig.ask("/user/token/expire", userId="alice", time=START + 60_000)
    assert login(rig, "alice", issued=START - 1) == ConnAckStatus.TOKEN_EXPIRE
    assert login(rig, "alice", issued=START) == ConnAckStatus.ACCEPTED


def test_what_cannot_be_a_call(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path)
    path = "/user/token/expire"
    assert rig.code(path, time=START) == rig.code(path, userId="alice") == 1002
    assert rig.code(path, userId="alice", time="now") == 1501
    assert rig.code(path, userId="alice", time=10**15 + 1) == 1502
    assert rig.code(path, userId="alice", time=-1) == 1502
    assert rig.code(path, userId=[f"u{number}" for number in range(21)], time=START) == 1502
