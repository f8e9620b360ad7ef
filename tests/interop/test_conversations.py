"""The list of conversations, what is unread in them, and taking messages back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import (
    PRIVATE,
    RECALL,
    Listed,
    Place,
    Refused,
    hears,
    nothing_more,
    online,
    texts,
)
from tests.interop.test_groups import group_of

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

KINDS = ("page", "program")


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_has_the_newest_message_of_each(door: Door, server: ImServer, kind: str) -> None:
    anna, bert, carl = door.party(server, kind), door.page(server), door.page(server)
    group = group_of(server, anna, bert, carl)
    assert online(anna).conversations() == []
    for party in (bert, carl):
        online(party)
    last = []
    for sender, place in ((bert, anna.user), (carl, group), (carl, anna.user), (bert, group)):
        for content in texts("earlier", "latest"):
            sent = sender.send(place, content)
        shown = Place(PRIVATE, sender.user) if place == anna.user else group
        last.append(Listed(place=shown, uid=sent.uid, content={"content": "latest"}))
    expected = [last[3], last[2], last[0]]
    anna.take(8)
    assert anna.conversations() == expected
    anna.remove_conversation(carl.user)
    assert anna.conversations() == [last[3], last[0]]
    answer = anna.send(carl.user, {"content": "you again"})
    newest = Listed(place=expected[1].place, uid=answer.uid, content={"content": "you again"})
    assert anna.conversations() == [newest, last[3], last[0]]
    for receiver in (bert, carl):
        receiver.take({bert: 2, carl: 3}[receiver])
    nothing_more(anna, bert, carl)


def test_a_long_list(door: Door, server: ImServer) -> None:
    program = online(door.program(server, "asyncio"))
    peers = [f"peer-{number}-of-{program.user}" for number in range(250)]
    for peer in peers:
        program.send(peer, {"content": "hello"})
    program.disconnect()
    page = door.page(server, program.user)
    page.connect()
    newest = [Place(PRIVATE, peer) for peer in reversed(peers)]
    assert [entry.place for entry in page.conversations(count=300)] == newest
    assert [entry.place for entry in page.conversations(count=20)] == newest[:20]


def test_what_is_unread(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.program(server, "asyncio"))
    for number in (1, 2, 3):
        bert.send(anna.user, {"content": "hello"})
        anna.take(1)
        assert anna.unread(bert.user) == anna.total_unread() == number
    assert unread_on_server(server, anna, bert) == 3
    middle = anna.heard()[1]
    anna.tell_read(middle)
    assert bert.take_read() == (anna.user, middle.uid, middle.time)
    assert unread_on_server(server, anna, bert) == 1
    anna.send(bert.user, {"content": "I have read it all"})
    bert.take(1)
    assert unread_on_server(server, anna, bert) == 0
    nothing_more(anna, bert)


def unread_on_server(server: ImServer, reader: Party, other: Party) -> int:
    """How many the server counts."""
    return int(server.order("conversations", "unread", reader.user, PRIVATE, other.user))


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_taken_back(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    group = group_of(server, anna, bert)
    for party in (anna, bert):
        online(party)
    for sender, receiver in ((anna, bert), (bert, anna)):
        for place in (Place(PRIVATE, receiver.user), group):
            words = texts("keep this", "not this")
            sent = sender.send_all(place, words)
            shown = None if place is not group else group
            hears(receiver, sender, words, sent, place=shown)
            notice = sender.recall(sent[1])
            (heard,) = receiver.take(1)
            assert (heard.kind, heard.sender, heard.time) == (RECALL, sender.user, notice.time)
            assert heard.content["messageUId"] == sent[1].uid
            # SDK 5 names the sender's notice after what is taken back.
            assert notice.uid in (heard.uid, f"Cmd:{sent[1].uid}")
            seen = Place(PRIVATE, sender.user) if place is not group else group
            page, _ = receiver.history(seen, count=2)
            # SDK 5 wants no notices in history.
            notices = [] if isinstance(receiver, NextPage) else [heard.uid]
            assert [message.uid for message in page][-1 - len(notices) :] == [
                sent[0].uid,
                *notices,
            ]
    nothing_more(anna, bert)


def test_only_ones_own_messages_can_be_taken_back(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.program(server, "trio"))
    sent = bert.send(anna.user, {"content": "mine"})
    anna.take(1)
    with pytest.raises(Refused):
        anna.recall(sent)
    assert bert.recall(sent) == bert.recall(sent)
    anna.take(1)
    nothing_more(anna, bert)
