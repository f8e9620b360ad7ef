"""Chatrooms: coming, talking, leaving, and what is written on the wall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import (
    CHATROOM,
    ENTRY,
    Place,
    Refused,
    hears,
    nothing_more,
    online,
    texts,
)
from tests.interop.proxy import Proxy

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from tests.interop.conftest import Door
    from tests.interop.party import Heard, Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

KINDS = ("page", "program")

_LOOKS = 50
"""A look is a round trip or two, and what is waited for takes the server a commit."""


def room_of(first: Party) -> Place:
    """A room that nobody has entered yet."""
    return Place(CHATROOM, f"room-of-{first.user}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_room_lives(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    room = room_of(anna)
    with pytest.raises(Refused):
        anna.send(room, {"content": "nobody is here"})
    anna.join(room.id, count=10)
    early = texts("one", "two", "three")
    before = anna.send_all(room, early)
    bert.join(room.id, count=2)
    hears(bert, anna, early[1:], before[1:], place=room)
    assert bert.room_info(room.id, count=10).total == 2
    assert anna.room_info(room.id, count=10).members == [anna.user, bert.user]
    for speaker, listener in ((anna, bert), (bert, anna)):
        words = texts("hello room", "\U0001f600")
        hears(listener, speaker, words, speaker.send_all(room, words), place=room)
    bert.quit(room.id)
    assert anna.room_info(room.id, count=10).members == [anna.user]
    anna.send(room, {"content": "alone again"})
    with pytest.raises(Refused):
        bert.send(room, {"content": "I have left"})
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_on_the_wall(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    room = room_of(anna)
    for party in (anna, bert):
        party.join(room.id, count=-1)
    anna.set_entry(room.id, "topic", "tea")
    anna.set_entry(room.id, "host", "anna", auto_delete=True)
    wall(bert, room, {"topic": "tea", "host": "anna"})
    with pytest.raises(Refused, match="23424"):
        bert.set_entry(room.id, "topic", "coffee")
    bert.set_entry(room.id, "topic", "coffee", force=True)
    wall(anna, room, {"topic": "coffee", "host": "anna"})
    with pytest.raises(Refused, match="23427"):
        bert.remove_entry(room.id, "no-such-key", force=True)
    bert.remove_entry(room.id, "topic")
    wall(anna, room, {"host": "anna"})
    anna.quit(room.id)
    wall(bert, room, {})
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_the_others_are_told_what_is_written(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    room = room_of(anna)
    for party in (anna, bert):
        party.join(room.id, count=-1)
    for writer, reader in ((anna, bert), (bert, anna)):
        writer.set_entry(room.id, "host", writer.user, force=True, is_told=True)
        (notice,) = reader.take(1)
        assert (notice.kind, notice.sender, notice.conversation) == (ENTRY, writer.user, room.id)
        told = {key: notice.content[key] for key in ("type", "key", "value")}
        assert told == {"type": 1, "key": "host", "value": writer.user}
        wall(reader, room, {"host": writer.user})
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_room_has_said(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    room = room_of(anna)
    for party in (anna, bert):
        party.join(room.id, count=-1)
    said = []
    for number in range(5):
        speaker, listener = ((anna, bert), (bert, anna))[number % 2]
        sent = speaker.send(room, {"content": f"sentence {number}"})
        listener.take(1)
        said.append((speaker.user, sent.uid, sent.time))
    for reader in (anna, bert):
        newest, has_more = reader.history(room, count=3)
        assert (seen(newest, reader), has_more) == (said[2:], True)
        oldest, has_more = reader.history(room, count=3, time=newest[0].time)
        assert (seen(oldest, reader), has_more) == (said[:2], False)
        later, has_more = reader.history(room, count=2, time=said[0][2], is_forward=True)
        assert (seen(later, reader), has_more) == (said[1:3], True)
    nothing_more(anna, bert)


def seen(messages: list[Heard], reader: Party) -> list[tuple[str, str, int]]:
    """Sender, uid and time. SDK 2.9.2 gives one's own messages in a room no sender."""
    senders = [reader.user if message.is_mine else message.sender for message in messages]
    return [
        (sender, message.uid, message.time)
        for sender, message in zip(senders, messages, strict=True)
    ]


def test_only_a_room_that_is_there_can_be_entered_again(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.program(server))
    room = room_of(anna)
    join = bert.im.chatrooms.join
    with pytest.raises(Refused, match="23410"):
        bert.call(join, room.id, history=0, existing=True)
    with pytest.raises(Refused, match="23406"):
        bert.quit(room.id)
    anna.join(room.id, count=-1)
    for _ in range(2):
        bert.call(join, room.id, history=0, existing=True)
    info = anna.room_info(room.id, count=5)
    assert (info.total, info.members) == (2, [anna.user, bert.user])
    server.order("rooms", "destroy", room.id)
    with pytest.raises(Refused):
        anna.send(room, {"content": "is anybody here?"})
    nothing_more(anna, bert)


def wall(reader: Party, room: Place, expected: dict[str, str]) -> None:
    """Check what somebody reads in the room's store, as soon as he can know everything.

    Who has left is told before it is written down what has gone with him.
    """
    for _ in range(_LOOKS):
        reader.settle()
        if reader.entries(room.id) == expected:
            return
    assert reader.entries(room.id) == expected


def test_a_room_is_entered_again_after_the_line_was_cut(
    door: Door, lone_server: ImServer, portals: dict[str, BlockingPortal]
) -> None:
    with Proxy.listening(portals["asyncio"]) as line:
        lone_server.settings["IMPROTO_GATEWAY_PUBLIC_ADDRESS"] = line.address
        lone_server.start()
        line.target_port = lone_server.port
        anna, bert = door.page(lone_server), online(door.program(lone_server, "trio"))
        online(anna).hold_clock()
        room = room_of(anna)
        for party in (anna, bert):
            party.join(room.id, count=10)
        anna.set_entry(room.id, "topic", "tea")

        line.cut()
        anna.wait_lost()
        words = texts("can you hear me?", "no?")
        sent = bert.send_all(room, words)
        line.wait_refused()
        line.mend()
        anna.pass_time(6)
        anna.wait_back()

        hears(anna, bert, words, sent, place=room)
        hears(bert, anna, words, anna.send_all(room, words), place=room)
        wall(anna, room, {"topic": "tea"})
        nothing_more(anna, bert)


def test_a_room_outlives_its_server(door: Door, lone_server: ImServer) -> None:
    lone_server.start()
    anna = online(door.page(lone_server))
    bert = online(door.program(lone_server, "asyncio"))
    room = room_of(anna)
    for party in (anna, bert):
        party.join(room.id, count=10)
    anna.set_entry(room.id, "topic", "tea")
    early = texts("before")
    hears(bert, anna, early, anna.send_all(room, early), place=room)
    anna.settle()
    anna.hold_clock()
    lone_server.kill()
    bert.wait_disconnected()
    anna.wait_lost()
    lone_server.start()
    bert.connect()
    bert.join(room.id, count=-1)
    anna.pass_time(6)
    anna.wait_back()
    words = texts("after")
    sent = bert.send_all(room, words)
    hears(anna, bert, words, sent, place=room)
    wall(bert, room, {"topic": "tea"})
    nothing_more(anna, bert)
