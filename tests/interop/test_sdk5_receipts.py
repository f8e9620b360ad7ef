"""Read receipts of groups in the two ways that only SDK 5 knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.party import PRIVATE, Refused, nothing_more, online, texts
from tests.interop.server import ImServer
from tests.interop.test_groups import group_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.conftest import Door
    from tests.interop.next_page import NextPage
    from tests.interop.party import Place

pytestmark = pytest.mark.interop

NEWS = "MESSAGE_RECEIPT_RESPONSE_V5"


@pytest.fixture(params=["positions", "receipts"])
def receipts(request: pytest.FixtureRequest) -> str:
    """How members of groups say what they have read."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def own_way(tmp_path: Path, receipts: str) -> Iterator[ImServer]:
    """A server on which they say it in this way."""
    server = ImServer(tmp_path, IMPROTO_MESSAGES_GROUP_RECEIPTS=receipts)
    server.start()
    try:
        yield server
        print(server.report())
        server.stop()
    finally:
        server.kill()


def named(place: Place) -> dict[str, Any]:
    """A conversation as SDK 5 names it."""
    return {"conversationType": place.type, "targetId": place.id}


def ask_for_receipts(page: NextPage, place: dict[str, Any], *words: str) -> list[str]:
    """Send messages that want receipts; their uids."""
    return [
        page.call("sendMessage", place, {"$new": ["TextMessage", content]}, {"needReceipt": True})[
            "messageUId"
        ]
        for content in texts(*words)
    ]


@pytest.mark.parametrize("receipts", ["positions"], indirect=True)
def test_members_say_how_far_they_have_read(door5: Door, own_way: ImServer) -> None:
    anna, bert, carl = (online(door5.page(own_way)) for _ in range(3))
    group = group_of(own_way, anna, bert, carl)
    place = named(group)
    sent = anna.send_all(group, texts("one", "two", "three"))
    first, second, third = (each.uid for each in sent)
    for reader in (bert, carl):
        reader.take(3)
    bert.call("sendReadReceiptMessageV4", place, second, first)
    carl.call("sendReadReceiptMessageV4", place, first)
    found = anna.call("getMessageReadReceiptV4", place, first)
    assert (found["totalCount"], found["readCount"]) == (2, 2)
    assert {reader["userId"] for reader in found["list"]} == {bert.user, carl.user}
    found = anna.call("getMessageReadReceiptV4", place, second)
    assert [reader["userId"] for reader in found["list"]] == [bert.user]
    assert found["list"][0]["readTime"] >= sent[1].time
    counts = anna.call("batchGetMessageReadReceiptInfoV4", place, [first, second, third])
    assert [(each["messageUId"], each["readedCount"], each["totalCount"]) for each in counts] == [
        (first, 2, 2),
        (second, 1, 2),
        (third, 0, 2),
    ]
    with pytest.raises(Refused, match="26007"):
        bert.call("sendReadReceiptMessageV4", place, first, third)
    stranger = online(door5.page(own_way))
    with pytest.raises(Refused, match="22406"):
        stranger.call("getMessageReadReceiptV4", place, first)
    nothing_more(anna, bert, carl, stranger)


@pytest.mark.parametrize("receipts", ["receipts"], indirect=True)
def test_members_say_what_they_have_read(door5: Door, own_way: ImServer) -> None:
    anna, bert, carl = (online(door5.page(own_way)) for _ in range(3))
    place = named(group_of(own_way, anna, bert, carl))
    first, second = ask_for_receipts(anna, place, "one", "two")
    for reader in (bert, carl):
        assert [message.uid for message in reader.take(2)] == [first, second]
        wanted = [each["needReceipt"] for each in reader.wait_event("MESSAGES")["messages"]]
        assert all(wanted)
    bert.call("sendReadReceiptResponseV5", place, [first])
    (news,) = anna.wait_event(NEWS)
    assert (news["identifier"]["targetId"], news["messageUId"]) == (place["targetId"], first)
    assert (news["readCount"], news["unreadCount"], news["totalCount"]) == (1, 1, 2)
    assert [user["userId"] for user in news["users"]] == [bert.user]
    carl.call("sendReadReceiptResponseV5", place, [first, second])
    anna.wait_for(f"events.filter(([name]) => name === '{NEWS}').flatMap(([, d]) => d).length >= 3")
    counts = anna.call("getMessageReadReceiptInfoV5", place, [first, second])
    assert [(each["messageUId"], each["readCount"], each["unreadCount"]) for each in counts] == [
        (first, 2, 0),
        (second, 1, 1),
    ]

    def users(uid: str, **how: Any) -> dict[str, Any]:
        option = {"pageCount": 1, "readStatus": 0, "order": 1, **how}
        page: dict[str, Any] = anna.call("getMessagesReadReceiptUsersByPageV5", place, uid, option)
        return page

    page = users(first)
    assert [user["userId"] for user in page["users"]] == [bert.user]
    assert page["totalCount"] == 2
    page = users(first, pageToken=page["pageToken"])
    assert [user["userId"] for user in page["users"]] == [carl.user]
    assert page["pageToken"] == ""
    page = users(first, order=0)
    assert [user["userId"] for user in page["users"]] == [carl.user]
    page = users(second, readStatus=1)
    assert [user["userId"] for user in page["users"]] == [bert.user]
    found = anna.call("getMessagesReadReceiptByUsersV5", place, second, [bert.user, carl.user])
    assert {user["userId"]: user["timestamp"] > 0 for user in found["users"]} == {
        bert.user: False,
        carl.user: True,
    }
    with pytest.raises(Refused, match="26320"):
        bert.call("getMessageReadReceiptInfoV5", place, [first])
    nothing_more(anna, bert, carl)


@pytest.mark.parametrize("receipts", ["receipts"], indirect=True)
def test_private_messages_and_who_was_away(door5: Door, own_way: ImServer) -> None:
    anna, bert = online(door5.page(own_way)), online(door5.page(own_way))
    place = {"conversationType": PRIVATE, "targetId": bert.user}
    (uid,) = ask_for_receipts(anna, place, "read this")
    bert.take(1)
    anna.disconnect()
    bert.call(
        "sendReadReceiptResponseV5", {"conversationType": PRIVATE, "targetId": anna.user}, [uid]
    )
    anna.connect()
    (counts,) = anna.call("getMessageReadReceiptInfoV5", place, [uid])
    assert (counts["readCount"], counts["totalCount"]) == (1, 1)
    plain = anna.send(bert.user, {"content": "no receipt"})
    bert.take(1)
    with pytest.raises(Refused, match="26321"):
        bert.call(
            "sendReadReceiptResponseV5",
            {"conversationType": PRIVATE, "targetId": anna.user},
            [plain.uid],
        )
    nothing_more(anna, bert)
