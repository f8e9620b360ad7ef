"""Typing notices that were held up, and what has happened meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.frames import Delivery
from improto.operations import Topic
from tests.server.rig import Client, Rig, item, sent_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.store.store.close()


def types_to(client: Client, target: str) -> None:
    client.publish(target, "{}", topic=Topic.PP_MSG_S, name="RC:TypSts", flags=0)


def test_a_notice_does_not_pass_a_message_of_the_same_batch(rig: Rig) -> None:
    ann, ben, cleo = rig.online("ann"), rig.online("ben"), rig.online("cleo")
    ann.publish("ben")
    rig.settle()
    ben.pull_all()
    ann.frames()
    # Whether cleo may write is asked of the store behind the message; the answers come together.
    ann.publish("ben", "second")
    types_to(cleo, "ben")
    rig.settle()
    (delivery,) = ben.deliveries()
    assert item(delivery).dataTime == sent_at(ann.ack())


def test_a_notice_is_not_shown_to_its_sender_who_has_come_back(rig: Rig) -> None:
    first = rig.online("ann")
    types_to(first, "ben")
    first.leave()
    second = rig.client("ann")
    second.frames()
    rig.settle()
    assert not [frame for frame in second.frames() if isinstance(frame, Delivery)]
