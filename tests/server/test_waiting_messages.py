"""What a device sends while something must be found out first keeps its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.codes import ErrorCode
from improto.frames import PubAck
from improto_server.errors import ServiceError
from improto_server.store import StoreError
from tests.server.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from improto_server.services.letters import Letter
    from tests.server.rig import Client


def acks(client: Client) -> list[tuple[int, int]]:
    return [(ack.message_id, ack.status) for ack in client.frames() if isinstance(ack, PubAck)]


def texts(client: Client) -> list[bytes]:
    return [item.content for item in client.pull_all()]


def test_a_first_message_waits_and_the_next_ones_wait_behind_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    # Nobody has asked for dora yet; bob is known.
    first = alice.last_id + 1
    for number, target in enumerate(["dora", "bob", "dora", "erik", "bob", "erik"]):
        alice.publish(target, str(number))
    assert acks(alice) == []
    rig.settle()
    assert acks(alice) == [(number, 0) for number in range(first, first + 6)]
    assert texts(rig.client("bob")) == [b"1", b"4"]
    assert texts(rig.client("dora")) == [b"0", b"2"]
    assert texts(rig.client("erik")) == [b"3", b"5"]
    times = [
        item.dataTime for name in ("dora", "bob", "erik") for item in rig.client(name).pull_all()
    ]
    assert len(set(times)) == 6


def test_another_device_does_not_wait(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, carol = rig.online("alice"), rig.online("carol")
    alice.publish("dora", "slow")
    carol.publish("bob", "fast")
    rig.settle_one()
    assert acks(carol) == [(carol.last_id, 0)]
    assert acks(alice) == []
    rig.settle()
    assert acks(alice) == [(alice.last_id, 0)]


def test_what_cannot_be_found_out_refuses_one_message_at_a_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.store.broken = StoreError("the disk is gone")
    alice.publish("dora")
    alice.publish("erik")
    rig.settle()
    assert [status for _, status in acks(alice)] == [ErrorCode.INTERNALERRROR] * 2
    rig.store.broken = None
    alice.publish("dora")
    rig.settle()
    assert [status for _, status in acks(alice)] == [0]
    assert caplog.messages == ["a request could not be answered: the disk is gone"] * 2


def test_a_mistake_in_a_check_costs_one_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")

    async def check(letter: Letter) -> None:
        raise RuntimeError("a mistake")

    rig.messages.checks["app:Odd"] = check
    alice.publish("bob", name="app:Odd")
    alice.publish("bob", "even")
    rig.settle()
    assert [status for _, status in acks(alice)] == [ErrorCode.INTERNALERRROR, 0]
    assert texts(rig.client("bob")) == [b"even"]
    assert caplog.messages == ["a message could not be judged"]


def test_a_check_may_refuse_and_is_asked_only_of_those_who_may_send(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    asked = []

    async def check(letter: Letter) -> None:
        asked.append(letter.sender)
        raise ServiceError(ErrorCode.SENSITIVE_SHIELD)

    rig.messages.checks["app:Odd"] = check
    rig.do(rig.system.standings.block(("app", "carol"), "bob"))
    alice.publish("carol", name="app:Odd")
    bob.publish("carol", name="app:Odd")
    rig.settle()
    assert [status for _, status in acks(alice)] == [ErrorCode.SENSITIVE_SHIELD]
    assert [status for _, status in acks(bob)] == [ErrorCode.REJECTED_BY_BLACKLIST]
    assert asked == [("app", "alice")]


def test_who_leaves_meanwhile_has_still_sent_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("dora", "one")
    alice.publish("dora", "two")
    alice.leave()
    rig.settle()
    assert texts(rig.client("dora")) == [b"one", b"two"]
