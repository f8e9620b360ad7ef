"""Times that were told to clients are not given again, whatever happens to server and clock."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ConversationType
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.data import AHEAD
from improto_server.store import StoreError
from improto_server.store.reserved import note
from improto_server.store.schema import reserved
from tests.server import room_tools
from tests.server.conversation_tools import PRIVATE, entries, history, lines, say, status
from tests.server.rig import APP, START, Rig, item, sent_at
from tests.server.room_tools import ROOM

if TYPE_CHECKING:
    from pathlib import Path

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
    later = Rig(tmp_path, has_reserve=True)
    later.wall = START - 3_600_000
    alice = later.online("alice")
    alice.publish("bob", "after")
    later.settle()
    assert sent_at(alice.ack()) > told
    (message,) = later.client("bob").pull(told).list
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


def again(rig: Rig, path: Path) -> Rig:
    """The server dies, and its machine's clock is put back by an hour."""
    rig.store.store.close()
    later = Rig(path)
    later.wall = START - 3_600_000
    return later


def test_what_is_said_after_a_kill_is_later_than_what_was_put_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    rig.advance(1000)
    off = payloads.RelationQryInput(type=PRIVATE, count=0)
    assert status(bob, Topic.DEL_RELATION, off, target="alice") == 0
    cleared = payloads.CleanHisMsgInput(
        targetId="alice", dataTime=rig.clock.now(), conversationType=PRIVATE
    )
    assert status(bob, Topic.CLEAN_P_MSG, cleared) == 0
    rig = again(rig, tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "2")
    assert entries(bob) == [("alice", "2", 1)]
    assert lines(history(bob, "alice")) == [2]


def test_what_is_said_after_a_kill_is_later_than_whoever_came_into_a_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.rooms.create(APP, ROOM))
    rig.advance(1000)
    came = room_tools.join(rig.online("alice"))
    rig = again(rig, tmp_path)
    bob = rig.online("bob")
    room_tools.join(bob)
    assert say(bob, ROOM, type=ConversationType.CHATROOM).time > came


def test_a_time_that_was_not_noted_down_is_noted_with_the_next_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.advance(1000)
    rig.store.broken = StoreError("the disk is full")
    with pytest.raises(ServiceError):
        rig.do(rig.system.rooms.create(APP, ROOM))
    assert "the disk is full" in caplog.text
    rig.store.broken = None
    rig.store.store.write(lambda connection: connection.execute(reserved.delete()), lambda _: None)
    rig.settle()
    rig.do(rig.system.rooms.create(APP, ROOM))
    now = rig.clock.now()
    assert again(rig, tmp_path).clock.now() > now


def test_a_note_is_never_taken_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for time in (START + 9_000, START + 5_000):
        rig.store.store.write(partial(note, time=time), lambda _: None)
    rig.settle()
    rig.do(rig.system.rooms.create(APP, ROOM))
    assert again(rig, tmp_path).clock.now() == START + 9_001
