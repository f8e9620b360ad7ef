"""Times that were told to clients are not given again, whatever happens to server and clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.operations import Topic
from improto_server.services.reserve import AHEAD
from improto_server.store import StoreError
from tests.server.rig import START, Rig, item, sent_at

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.server.rig import Client


def shown(client: Client) -> list[bytes]:
    return [item(push).content for push in client.deliveries(Topic.S_MSG)]


def type_something(client: Client, text: str = "typing") -> None:
    client.publish("bob", text, topic=Topic.PP_MSG_S, flags=0)


def test_a_status_is_shown_when_its_time_is_noted_down(tmp_path: Path) -> None:
    rig = Rig(tmp_path, has_reserve=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    type_something(alice, "one")
    type_something(alice, "two")
    assert len(alice.frames()) == 2
    assert shown(bob) == []
    assert rig.settle() == 1
    assert shown(bob) == [b"one", b"two"]
    type_something(alice, "three")
    assert shown(bob) == [b"three"]
    rig.advance(AHEAD / 1000 + 1)
    type_something(alice, "four")
    assert shown(bob) == []
    rig.settle()
    assert shown(bob) == [b"four"]


def test_a_status_that_waits_for_more_time_keeps_its_place(tmp_path: Path) -> None:
    rig = Rig(tmp_path, has_reserve=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    type_something(alice, "one")
    rig.advance(AHEAD / 1000 + 1)
    type_something(alice, "two")
    rig.settle()
    assert shown(bob) == [b"one", b"two"]


def test_a_status_does_not_come_behind_a_message(tmp_path: Path) -> None:
    rig = Rig(tmp_path, has_reserve=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    type_something(alice)
    alice.publish("bob", "said")
    rig.settle()
    assert shown(bob) == [b"said"]


def test_a_server_that_starts_again_begins_after_what_was_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, has_reserve=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    type_something(alice)
    rig.settle()
    (push,) = bob.deliveries(Topic.S_MSG)
    told = item(push).dataTime
    rig.store.store.close()
    again = Rig(tmp_path, has_reserve=True)
    again.wall = START - 3_600_000
    alice = again.online("alice")
    alice.publish("bob", "after")
    again.settle()
    assert sent_at(alice.ack()) > told
    (message,) = again.client("bob").pull(told).list
    assert message.content == b"after"


def test_nothing_is_shown_that_cannot_be_noted_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, has_reserve=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    rig.store.broken = StoreError("the disk is full")
    type_something(alice, "lost")
    rig.settle()
    assert shown(bob) == []
    assert "the disk is full" in caplog.text
    rig.store.broken = None
    type_something(alice, "shown")
    rig.settle()
    assert shown(bob) == [b"shown"]
