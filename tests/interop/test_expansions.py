"""Pairs of keys and values that are attached to a message later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import PRIVATE, Place, Refused, nothing_more, online
from tests.interop.test_groups import KINDS, group_of

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_attached_and_taken_off(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    group = group_of(server, anna, bert)
    for party in (anna, bert):
        online(party)
    for sender, receiver in ((anna, bert), (bert, anna)):
        for place in (Place(PRIVATE, receiver.user), group):
            sent = sender.send(place, {"content": "vote!"}, is_expandable=True)
            assert receiver.take(1)[0].expansion == {}
            sender.expand(sent.uid, {"yes": "1", "no": "0"})
            assert receiver.take_expansions(1) == [(sent.uid, {"yes": "1", "no": "0"})]
            receiver.expand(sent.uid, {"no": "2"})
            assert sender.take_expansions(1) == [(sent.uid, {"no": "2"})]
            sender.remove_expansion(sent.uid, ["yes"])
            assert receiver.take_expansions(1) == [(sent.uid, ["yes"])]
            other = Place(PRIVATE, sender.user) if place is not group else group
            assert attached(sender, place, sent.uid) == {"no": "2"}
            assert attached(receiver, other, sent.uid) == {"no": "2"}
    nothing_more(anna, bert)


def attached(reader: Party, place: Place, uid: str) -> object:
    """What history says is attached to the last message."""
    messages, _ = reader.history(place, count=2)
    assert messages[-1].uid == uid
    return messages[-1].expansion


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_can_be_attached_to_ordinary_messages(
    door: Door, server: ImServer, kind: str
) -> None:
    anna, bert = online(door.party(server, kind)), online(door.page(server))
    sent = anna.send(bert.user, {"content": "just text"})
    bert.take(1)
    for party in (anna, bert):
        # SDK 5 has a code of its own for what it knows itself.
        with pytest.raises(Refused, match="35036" if isinstance(party, NextPage) else "34008"):
            party.expand(sent.uid, {"like": "1"})
    nothing_more(anna, bert)


def test_who_comes_later_reads_what_is_attached(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), door.page(server)
    sent = anna.send(bert.user, {"content": "vote!"}, is_expandable=True)
    anna.expand(sent.uid, {"yes": "1"})
    bert.connect()
    (heard,) = bert.take(1)
    assert (heard.uid, heard.expansion) == (sent.uid, {"yes": "1"})
    assert bert.take_expansions(1) == [(sent.uid, {"yes": "1"})]
    nothing_more(anna, bert)
