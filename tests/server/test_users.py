"""Names and portraits (operations 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import Query
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.store import users as table
from improto_server.store.users import Profile
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client


def ask(client: Client, name: str) -> tuple[int, bytes]:
    data = payloads.encode(payloads.GetUserInfoInput(nothing=1))
    frame = Query(topic=Topic.USER_INF, target_id=name, message_id=client._id(), data=data)
    client.send(frame)
    client.rig.settle()
    (answer,) = client.answers(frame.message_id)
    return answer.status, answer.data


def test_users_are_called_what_the_application_says(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    users = rig.system.users
    rig.do(users.register(APP, "alice", name="Alice", portrait="http://a/1.png"))
    rig.do(users.register(APP, "bob", name="Bob"))
    bob = rig.online("bob", "2.5.3")
    status, data = ask(bob, "alice")
    assert status == 0
    assert payloads.decode(payloads.GetUserInfoOutput, data) == payloads.GetUserInfoOutput(
        userId="alice", userName="Alice", userPortrait="http://a/1.png"
    )
    status, data = ask(bob, "bob")
    assert payloads.decode(payloads.GetUserInfoOutput, data).userPortrait == ""


@pytest.mark.parametrize("name", ["carol", "", "a b", "bob"])
def test_nothing_is_known_of_others(tmp_path: Path, name: str) -> None:
    """Of bob the store has heard, but nobody has said what he is called."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob")
    rig.settle()
    bob.frames()
    assert ask(bob, name) == (ErrorCode.GET_USERINFO_ERROR, b"")


def test_profiles_change_and_outlive_the_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    users = rig.system.users
    rig.do(users.register(APP, "alice", name="Alice", portrait="1"))
    rig.advance(5)
    rig.do(users.register(APP, "alice", name="Ally", portrait="2"))
    assert rig.do(users.info(APP, "alice")) == Profile("Ally", "2", START)
    rig.do(users.update(APP, "alice", name="Al"))
    rig.do(users.update(APP, "alice"))
    assert rig.do(users.info(APP, "alice")) == Profile("Al", "2", START)
    rig.do(users.update(APP, "alice", portrait=""))
    rig.store.store.close()
    users = (rig := Rig(tmp_path)).system.users
    assert rig.do(users.info(APP, "alice")) == Profile("Al", "", START)
    assert rig.do(users.info("other", "alice")) is None


def test_changing_somebody_unknown_does_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.users.update(APP, "alice", name="Alice"))
    assert rig.do(rig.system.users.info(APP, "alice")) is None


@pytest.mark.parametrize("name", ["", "a b", "rongcloudsystem"])
def test_what_cannot_be_registered(tmp_path: Path, name: str) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.users.register(APP, name, name="x"))
    assert refusal.value.code is ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_no_question_reads_a_table(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    plans: list[str] = []

    def look(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.profile(connection, app=APP, user="alice")
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.read(look)

    rig.do(steps())
    assert len(plans) == 2
    assert all(plan.startswith("SEARCH") for plan in plans)
