"""Mutes and bans (codes 2, 3 and 5), and what the store keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.frames import ConnAck, Disconnect
from improto_server.services import ServiceError
from improto_server.steps import start
from improto_server.store import StoreError, relations
from improto_server.store.schema import FOREVER
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

ALICE = (APP, "alice")
MINUTE = 60_000


def login(rig: Rig, name: str, sdk: str = "4.6.4", *, app: str = APP) -> int:
    ack, *_ = rig.client(name, sdk, app=app).frames()
    assert isinstance(ack, ConnAck)
    return ack.status


def send(client: Client, target: str) -> int:
    client.publish(target)
    client.rig.settle()
    return client.ack().status


# -- mutes ---------------------------------------------------------------------------


def test_the_muted_may_not_send_to_anybody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.do(rig.system.standings.mute(ALICE, until=START + MINUTE))
    assert send(alice, "bob") == ErrorCode.RC_MSG_UNAUTHORIZED
    assert send(alice, "carol") == ErrorCode.RC_MSG_UNAUTHORIZED
    assert send(bob, "alice") == 0
    alice.frames()
    rig.advance(60)
    assert send(alice, "bob") == 0


def test_the_muted_may_not_send_while_it_is_not_known_whether_they_are(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, standings = rig.online("alice"), rig.system.standings
    rig.do(standings.mute(ALICE, until=START + MINUTE))
    # No name that can be stored: what was known of alice is forgotten, while she waits for zoe.
    start(standings.block(ALICE, "\ud800"), lambda _: None)
    assert send(alice, "zoe") == ErrorCode.INTERNALERRROR
    assert send(alice, "zoe") == ErrorCode.RC_MSG_UNAUTHORIZED


def test_a_mute_can_be_lifted_and_outlives_the_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.standings.mute(ALICE, until=FOREVER))
    rig.store.store.close()
    later = Rig(tmp_path)
    alice = later.online("alice")
    assert send(alice, "bob") == ErrorCode.RC_MSG_UNAUTHORIZED
    later.do(later.system.standings.mute(ALICE, until=0))
    assert send(alice, "bob") == 0


def test_a_mute_and_a_blacklist_know_nothing_of_each_other(tmp_path: Path) -> None:
    standings = (rig := Rig(tmp_path)).system.standings
    rig.do(standings.block(ALICE, "bob"))
    rig.do(standings.mute(ALICE, until=9))
    assert rig.do(standings.load(ALICE)) == relations.Standing(frozenset({"bob"}), 9)
    rig.do(standings.unblock(ALICE, "bob"))
    assert rig.do(standings.load(ALICE)) == relations.Standing(frozenset(), 9)
    assert standings.get(ALICE) == relations.Standing(frozenset(), 9)


# -- bans ----------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
def test_the_banned_do_not_get_in(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.standings.ban(ALICE, until=START + MINUTE))
    assert login(rig, "alice", sdk) == ConnAckStatus.BLOCK
    assert login(rig, "bob", sdk) == 0
    assert login(rig, "alice", sdk, app="other") == 0
    rig.advance(60)
    assert login(rig, "alice", sdk) == 0


def test_whoever_is_online_is_sent_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    devices = [rig.online("alice", sdk) for sdk in ("2.5.3", "4.6.4")]
    bob = rig.online("bob")
    rig.do(rig.system.standings.ban(ALICE, until=FOREVER))
    for device in devices:
        assert device.frames() == [Disconnect(status=DisconnectStatus.BLOCK)]
    assert bob.frames() == []
    assert rig.hub.find(ALICE) is None
    assert rig.hub.connections == 1


def test_bans_are_known_before_anybody_comes(tmp_path: Path) -> None:
    """Without the store being asked at the login."""
    rig = Rig(tmp_path)
    rig.do(rig.system.standings.ban(ALICE, until=FOREVER))
    rig.do(rig.system.standings.ban((APP, "bob"), until=START + MINUTE))
    rig.do(rig.system.standings.ban((APP, "carol"), until=0))
    rig.store.store.close()
    later = Rig(tmp_path)
    assert login(later, "alice") == login(later, "bob") == ConnAckStatus.BLOCK
    assert login(later, "carol") == 0
    assert later.store.reads == 0
    standings = later.system.standings
    assert standings.banned(APP, now=START) == {"alice": FOREVER, "bob": START + MINUTE}
    assert standings.banned(APP, now=START + MINUTE) == {"alice": FOREVER}
    assert standings.banned("other", now=START) == {}


def test_a_ban_can_be_lifted(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.standings.ban(ALICE, until=FOREVER))
    rig.do(rig.system.standings.ban(ALICE, until=0))
    assert login(rig, "alice") == 0
    rig.store.store.close()
    assert login(Rig(tmp_path), "alice") == 0


def test_lifting_a_ban_sends_nobody_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.do(rig.system.standings.ban(ALICE, until=0))
    assert alice.frames() == []


def test_a_ban_that_is_not_stored_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.store.broken = StoreError("no room")
    with pytest.raises(ServiceError):
        rig.do(rig.system.standings.ban(ALICE, until=FOREVER))
    assert login(rig, "alice") == 0


def test_the_operator_s_own_list_counts_too(tmp_path: Path) -> None:
    assert login(Rig(tmp_path, blocked=("alice",)), "alice") == ConnAckStatus.BLOCK


# -- the tables ----------------------------------------------------------------------


def test_no_question_about_one_user_reads_a_table(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.standings.block(ALICE, "bob"))

    def look(connection: Connection) -> list[str]:
        with query_plans(connection) as plans:
            relations.standing(connection, app=APP, user="alice")
        return plans

    plans = rig.do(_read(rig, look))
    assert len(plans) >= 3
    assert all(plan.startswith("SEARCH") for plan in plans), plans


async def _read(rig: Rig, look: object) -> list[str]:
    return await rig.system.data.read(look)  # type: ignore[arg-type, no-any-return]
