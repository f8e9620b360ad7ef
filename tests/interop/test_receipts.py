"""Who has read what: private receipts, and the two schemes for groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.next_page import NextPage
from tests.interop.page import Page
from tests.interop.party import (
    PRIVATE,
    RECEIPT,
    Place,
    Refused,
    hears,
    nothing_more,
    online,
    texts,
)
from tests.interop.test_groups import KINDS, group_of

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kind", KINDS)
def test_the_sender_learns_that_he_is_read(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), door.party(server, kind)
    online(bert)
    for writer, reader in ((anna, bert), (bert, anna)):
        words = texts("have you", "read this?")
        sent = writer.send_all(reader.user, words)
        hears(reader, writer, words, sent)
        reader.tell_read(reader.heard()[-1])
        assert writer.take_read() == (reader.user, sent[1].uid, sent[1].time)
        unread = server.order("conversations", "unread", reader.user, PRIVATE, writer.user)
        assert int(unread) == 0
    nothing_more(anna, bert)


def test_a_receipt_waits_for_its_receiver(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.program(server, "asyncio"))
    sent = anna.send(bert.user, {"content": "read this later"})
    (heard,) = bert.take(1)
    anna.disconnect()
    bert.tell_read(heard)
    anna.connect()
    assert anna.take_read() == (bert.user, sent.uid, sent.time)
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_group_are_asked_by_a_message(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    carl = door.program(server, "asyncio")
    group = group_of(server, anna, bert, carl)
    for party in (anna, bert, carl):
        online(party)
    sent = anna.send(group, {"content": "who has read this?"})
    anna.ask_receipts(group, sent)
    for reader in (bert, carl):
        reader.take(1)
        assert reader.take_request() == (anna.user, sent.uid)
        answer(reader, group, anna, sent.uid)
    assert anna.receipts(2) == [{sent.uid: 1}, {sent.uid: 2}]
    if not isinstance(anna, NextPage):
        receipts = anna.take(2)
        assert {(each.kind, each.conversation) for each in receipts} == {(RECEIPT, group.id)}
        assert {each.sender for each in receipts} == {bert.user, carl.user}
    for party in (anna, bert, carl):
        # SDK 5 has a code of its own for what it knows itself.
        with pytest.raises(Refused, match="34014" if isinstance(party, NextPage) else "35003"):
            party.readers(group.id, sent.uid)


def answer(reader: Party, group: Place, asker: Party, uid: str) -> None:
    """Say that a message has been read, as this client does."""
    if isinstance(reader, Page):
        reader.answer_receipts(group)
    else:
        receipt = {"receiptMessageDic": {asker.user: [uid]}}
        reader.send(group, receipt, kind=RECEIPT, only=[asker.user])


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_group_are_asked_by_a_topic(
    door: Door, many_devices: ImServer, kind: str
) -> None:
    anna, bert = door.page(many_devices), door.party(many_devices, kind)
    carl, stranger = door.program(many_devices, "trio"), door.program(many_devices, "trio")
    group = group_of(many_devices, anna, bert, carl)
    for party in (anna, bert, carl, stranger):
        online(party)
    for writer, reader in ((anna, bert), (bert, anna)):
        sent = writer.send_all(group, texts("one", "two", "three"))
        reader.take(3)
        carl.take(3)
        reader.report_read(group.id, [sent[0].uid, sent[2].uid])
        carl.report_read(group.id, [sent[0].uid])
        assert writer.readers(group.id, sent[0].uid) == (2, [reader.user, carl.user])
        assert writer.readers(group.id, sent[1].uid) == (2, [])
        assert writer.readers(group.id, sent[2].uid) == (2, [reader.user])
        with pytest.raises(Refused, match="22406"):
            stranger.report_read(group.id, [sent[1].uid])
    nothing_more(anna, bert, carl, stranger)
