"""Unread counts that the server keeps, as SDK 5 shows them, and how devices hear what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.party import PRIVATE, SYNC_READ, nothing_more, online, texts
from tests.interop.server import ImServer
from tests.interop.test_groups import group_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.conftest import Door
    from tests.interop.next_page import NextPage

pytestmark = pytest.mark.interop


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[ImServer]:
    """A server that counts what is unread, and users with several devices."""
    yield from several_devices(tmp_path, "server")


@pytest.fixture
def syncing(tmp_path: Path) -> Iterator[ImServer]:
    """A server that is told read positions, and users with several devices."""
    yield from several_devices(tmp_path, "synced")


def several_devices(path: Path, unread: str) -> Iterator[ImServer]:
    server = ImServer(path, IMPROTO_MESSAGES_UNREAD=unread, IMPROTO_MESSAGES_MULTI_DEVICE="true")
    server.start()
    try:
        yield server
        print(server.report())
        server.stop()
    finally:
        server.kill()


def shows(page: NextPage, place: dict[str, Any], count: int) -> None:
    """Wait until the page shows this count."""
    of = [place["conversationType"], place["targetId"]]
    page.wait_for(f"im.unread({of}).then(({{ result }}) => result?.[0] === {count})")


def test_messages_while_away_are_counted(door5: Door, counting: ImServer) -> None:
    anna, bert = online(door5.page(counting)), door5.page(counting)
    group = group_of(counting, anna, bert)
    online(bert).disconnect()
    anna.send_all(bert.user, texts("one", "two"))
    sent = anna.send_all(group, texts("three"))
    private = {"conversationType": PRIVATE, "targetId": anna.user}
    in_group = {"conversationType": group.type, "targetId": group.id}
    bert.connect()
    bert.take(3)
    shows(bert, private, 2)
    shows(bert, in_group, 1)
    assert bert.call("getTotalUnreadCount") == 3
    first = bert.call("getFirstUnreadMessageInfo", in_group)
    assert first["messageUId"] == sent[0].uid
    phone = door5.page(counting, bert.user)
    phone.connect()
    shows(phone, private, 2)
    shows(phone, in_group, 1)
    phone.call("markRemoteConversationAsRead", private)
    shows(phone, private, 0)
    shows(bert, private, 0)
    phone.call("markRemoteConversationAsRead", in_group)
    shows(bert, in_group, 0)
    assert bert.call("getTotalUnreadCount") == 0
    anna.send(bert.user, {"content": "four"})
    for page in (bert, phone):
        shows(page, private, 1)


def test_what_is_taken_back_is_not_counted(door5: Door, counting: ImServer) -> None:
    anna, bert = online(door5.page(counting)), online(door5.page(counting))
    private = {"conversationType": PRIVATE, "targetId": anna.user}
    sent = anna.send_all(bert.user, texts("one", "two"))
    bert.take(2)
    shows(bert, private, 2)
    anna.recall(sent[0])
    bert.take(1)
    shows(bert, private, 1)
    bert.send(anna.user, {"content": "an answer"})
    anna.take(1)
    counted = counting.order("conversations", "unread", bert.user, PRIVATE, anna.user)
    assert int(counted) == 0
    shows(bert, private, 0)
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", ["4.6.4", "2.9.2", "asyncio"])
def test_what_was_read_is_known_everywhere(door5: Door, syncing: ImServer, kind: str) -> None:
    anna, desk = online(door5.program(syncing, "asyncio")), online(door5.page(syncing))
    phone = online(door5.page(syncing, desk.user))
    old = online(door5.party(syncing, kind, desk.user))
    group = group_of(syncing, anna, desk)
    for to in (desk.user, group):
        sent = anna.send(to, {"content": "read me"})
        (heard,) = desk.take(1)
        phone.take(1)
        old.take(1)
        type, target = (group.type, group.id) if to is group else (PRIVATE, anna.user)
        place = {"conversationType": type, "targetId": target}
        shows(desk, place, 1)
        shows(phone, place, 1)
        desk.call("sendSyncReadStatusMessage", place, heard.time)
        told = phone.wait_event("SYNC_READ_STATUS", count=1 + (to is group))
        assert (told["conversationType"], told["targetId"]) == (type, target)
        assert told["timestamp"] == sent.time
        shows(phone, place, 0)
        (mark,) = old.take(1)
        assert (mark.kind, mark.type, mark.conversation, mark.is_mine) == (
            SYNC_READ,
            type,
            target,
            True,
        )
        assert mark.content["lastMessageSendTime"] == sent.time
        assert int(syncing.order("conversations", "unread", desk.user, type, target)) == 0
    late = door5.page(syncing, desk.user)
    late.connect()
    late.take(2)
    late.wait_event("SYNC_READ_STATUS", count=2)
    nothing_more(anna, desk, phone, old, late)
    assert len(phone.events("SYNC_READ_STATUS")) == 2
    assert desk.events("SYNC_READ_STATUS") == []


def test_what_an_older_device_has_read(door5: Door, syncing: ImServer) -> None:
    anna, desk = online(door5.program(syncing, "trio")), online(door5.page(syncing))
    old = online(door5.party(syncing, "4.6.4", desk.user))
    place = {"conversationType": PRIVATE, "targetId": anna.user}
    anna.send(desk.user, {"content": "read me"})
    desk.take(1)
    (heard,) = old.take(1)
    shows(desk, place, 1)
    old.read_elsewhere(heard)
    shows(desk, place, 0)
    nothing_more(anna, desk, old)
    assert desk.events("SYNC_READ_STATUS") == []
