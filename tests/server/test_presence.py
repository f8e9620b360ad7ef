"""Who is told that somebody comes and goes (operations 10)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import Query
from improto.operations import Topic
from improto_server.services import presence
from improto_server.store import StoreError
from improto_server.store import presence as table
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

Shown = tuple[str, bool, list[str], int]
"""Whom it is about, whether he is online, on what, and his number."""

OLD = "2.5.3"


def read(output: payloads.GetUserStatusOutput) -> Shown:
    status = json.loads(output.status)
    assert status.keys() == {"us"}
    us = status["us"]
    assert us.keys() == {"o", "p", "s"}
    return output.subUserId, us["o"], us["p"], us["s"]


def shown(client: Client) -> list[Shown]:
    return [
        read(payloads.decode(payloads.GetUserStatusOutput, delivery.data))
        for delivery in client.deliveries(Topic.S_STAT)
    ]


def subscribe(client: Client, *names: str) -> list[Shown]:
    """Subscribe; what is shown at once."""
    message_id = client.query(Topic.SUB_USER_STATUS, payloads.SubUserStatusInput(userid=names))
    client.rig.settle()
    *pushes, answer = client.frames()
    assert (answer.message_id, answer.status) == (message_id, 0)  # type: ignore[union-attr]
    # SDK 2.5.3 gives up on an empty reply.
    assert answer.data != b""  # type: ignore[union-attr]
    found: list[Any] = [payloads.decode(payloads.GetUserStatusOutput, p.data) for p in pushes]  # type: ignore[union-attr]
    return [read(output) for output in found]


def set_status(client: Client, number: int) -> None:
    request = payloads.SetUserStatusInput(status=number)
    message_id = client.query(Topic.SET_USER_STATUS, request)
    client.rig.settle()
    answers = [f for f in client.frames() if getattr(f, "message_id", 0) == message_id]
    assert [(answer.status, answer.data != b"") for answer in answers] == [(0, True)]  # type: ignore[union-attr]


def refusal(client: Client, *names: str) -> int:
    request = payloads.SubUserStatusInput(userid=names)
    message_id = client.query(Topic.SUB_USER_STATUS, request)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status


def ask_about(client: Client, name: str) -> tuple[int, bytes]:
    frame = Query(topic=Topic.GET_USER_STATUS, target_id=name, message_id=client._id(), data=b"")
    client.send(frame)
    client.rig.settle()
    (answer,) = client.answers(frame.message_id)
    return answer.status, answer.data


def newcomer(rig: Rig, name: str) -> Client:
    """Somebody who has come and has been told whatever there is to tell."""
    client = rig.client(name, OLD)
    rig.settle()
    return client


# -- asking --------------------------------------------------------------------------


def test_how_somebody_is(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", OLD)
    status, data = ask_about(alice, "alice")
    assert status == 0
    output = payloads.decode(payloads.GetUserStatusOutput, data)
    assert output.status == '{"us":{"o":true,"p":["Web"],"s":1}}'
    assert output.subUserId == "alice"


def test_how_somebody_is_who_is_not_there(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", OLD)
    _, data = ask_about(alice, "nobody")
    assert read(payloads.decode(payloads.GetUserStatusOutput, data)) == ("nobody", False, [], 1)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65])
def test_asking_about_what_cannot_be_a_user(tmp_path: Path, name: str) -> None:
    alice = Rig(tmp_path).online("alice", OLD)
    assert ask_about(alice, name) == (ErrorCode.BIZ_ERROR_INVALID_PARAMETER, b"")


def test_the_number_that_a_user_sets_outlives_the_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    set_status(alice, 5)
    set_status(alice, 7)
    rig.store.store.close()
    _, data = ask_about(Rig(tmp_path).online("bob", OLD), "alice")
    assert read(payloads.decode(payloads.GetUserStatusOutput, data)) == ("alice", False, [], 7)


# -- being told ----------------------------------------------------------------------


def test_who_subscribes_is_shown_how_things_stand(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bob = rig.online("bob", OLD)
    set_status(bob, 3)
    alice = rig.online("alice", OLD)
    assert subscribe(alice, "bob", "carol", "bob") == [
        ("bob", True, ["Web"], 3),
        ("carol", False, [], 1),
    ]


def test_coming_going_and_setting_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    bob = rig.online("bob", "4.6.4")
    assert shown(alice) == [("bob", True, ["Web"], 1)]
    set_status(bob, 4)
    assert shown(alice) == [("bob", True, ["Web"], 4)]
    bob.leave()
    rig.settle()
    assert shown(alice) == [("bob", False, [], 4)]
    assert bob.deliveries(Topic.S_STAT) == []


def test_nobody_is_told_of_a_second_device(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    first = rig.online("bob")
    shown(alice)
    second = rig.online("bob")
    first.leave()
    rig.settle()
    assert shown(alice) == []
    second.leave()
    rig.settle()
    assert shown(alice) == [("bob", False, [], 1)]


def test_a_connection_that_replaces_another_is_no_absence(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    rig.online("bob")
    shown(alice)
    rig.online("bob")
    assert shown(alice) == []


def test_subscriptions_add_up(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    subscribe(alice, "carol")
    assert subscribe(alice) == []
    rig.online("bob")
    rig.online("carol")
    assert [name for name, *_ in shown(alice)] == ["bob", "carol"]


def test_one_may_watch_oneself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "alice")
    request = payloads.SetUserStatusInput(status=2)
    alice.query(Topic.SET_USER_STATUS, request)
    rig.settle()
    assert shown(alice) == [("alice", True, ["Web"], 2)]
    alice.leave()
    rig.settle()
    assert shown(newcomer(rig, "alice")) == [("alice", True, ["Web"], 2)]


def test_a_subscription_outlives_connection_and_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob", "carol")
    alice.leave()
    rig.online("bob")
    assert shown(alice) == []
    alice = newcomer(rig, "alice")
    # What he has missed meanwhile.
    assert shown(alice) == [("bob", True, ["Web"], 1), ("carol", False, [], 1)]
    rig.store.store.close()
    later = Rig(tmp_path)
    alice = later.online("alice", OLD)
    later.online("carol")
    assert shown(alice) == [("carol", True, ["Web"], 1)]


@pytest.mark.parametrize("sdk", ["2.9.2", "4.6.4"])
def test_sdks_that_do_not_know_the_topic_never_see_it(tmp_path: Path, sdk: str) -> None:
    """They may subscribe; an older SDK of the same user is told then (session 12)."""
    rig = Rig(tmp_path, multi_device=True)
    new = rig.online("alice", sdk)
    assert subscribe(new, "bob") == []
    old = newcomer(rig, "alice")
    assert shown(old) == [("bob", False, [], 1)]
    rig.online("bob")
    assert shown(old) == [("bob", True, ["Web"], 1)]
    assert new.deliveries(Topic.S_STAT) == []
    old.leave()
    rig.online("bob")
    assert new.deliveries(Topic.S_STAT) == []


def test_nothing_is_kept_of_those_who_are_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice", OLD), rig.online("alice", OLD)
    carol = rig.online("carol", OLD)
    subscribe(first, "bob")
    subscribe(carol, "bob")
    watching = rig.system.presence._watching
    assert set(watching._watchers[APP, "bob"]) == {(APP, "alice"), (APP, "carol")}
    first.leave()
    assert set(watching._watchers[APP, "bob"]) == {(APP, "alice"), (APP, "carol")}
    second.leave()
    carol.leave()
    assert len(watching) == 0
    assert watching._subjects == {}


def test_who_leaves_before_the_answer_watches_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    alice.query(Topic.SUB_USER_STATUS, payloads.SubUserStatusInput(userid=["bob"]))
    alice.leave()
    rig.settle()
    assert len(rig.system.presence._watching) == 0
    assert [name for name, *_ in shown(newcomer(rig, "alice"))] == ["bob"]


def test_the_unwatched_cost_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.client("bob").leave()
    assert rig.store.reads == 0


def test_watchers_of_another_app_see_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    rig.online("bob", app="other")
    assert shown(alice) == []


# -- what is refused -----------------------------------------------------------------


def test_all_or_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    assert refusal(alice, "bob", "a b") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    rig.online("bob")
    assert shown(alice) == []


def test_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SUBSCRIPTIONS", 2)
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    assert len(subscribe(alice, "bob", "carol")) == 2
    assert refusal(alice, "dave") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert len(subscribe(alice, "carol")) == 1
    rig.online("dave")
    assert shown(alice) == []


def test_a_store_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    subscribe(alice, "bob")
    rig.store.broken = StoreError("no room")
    assert refusal(alice, "carol") == ErrorCode.INTERNALERRROR
    assert ask_about(alice, "bob") == (ErrorCode.INTERNALERRROR, b"")
    message_id = alice.query(Topic.SET_USER_STATUS, payloads.SetUserStatusInput(status=2))
    rig.settle()
    assert [answer.status for answer in alice.answers(message_id)] == [ErrorCode.INTERNALERRROR]
    rig.client("bob")
    rig.settle()
    assert shown(alice) == []
    assert "presence could not be told: INTERNALERRROR" in caplog.text


# -- the tables ----------------------------------------------------------------------


def test_no_question_reads_a_table(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    subscribe(rig.online("alice", OLD), "bob")
    plans: list[str] = []

    def look(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.status(connection, app=APP, user="bob")
            assert table.subjects(connection, app=APP, subscriber="alice") == {"bob": 1}
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.read(look)

    rig.do(steps())
    assert len(plans) >= 5
    assert all(plan.startswith(("SEARCH", "USE TEMP B-TREE FOR ORDER BY")) for plan in plans)
