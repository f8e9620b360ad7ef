"""History, lists and deleting, by every function that SDK 5 has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import (
    CHATROOM,
    GROUP,
    PRIVATE,
    RECALL,
    Place,
    Refused,
    nothing_more,
    online,
)
from tests.interop.test_groups import group_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

BEFORE, AFTER = 0, 1
FOUND, MISSING = 0, 34304
"""What the SDK says of a message that it has asked for (sdk5 8.1)."""

LOAD = """async (options, count) => {
  const { createConversationListLoader } = await import("@rongcloud/imlib-next");
  const loader = (await createConversationListLoader(options)).data;
  const pages = [];
  do {
    const { code, data } = await loader.load(count);
    pages.push(code === 0 ? data.map(({ targetId }) => targetId) : code);
  } while (loader.hasMore && pages.length < 20);
  return pages;
}"""


def of(target: str, type: int = PRIVATE) -> dict[str, Any]:
    """A conversation, as the SDK wants it."""
    return {"conversationType": type, "targetId": target}


def entering(door5: Door, server: ImServer) -> NextPage:
    """A new user with a page."""
    page = door5.page(server)
    assert isinstance(page, NextPage)
    return online(page)


def talk(one: Party, other: Party, count: int) -> list[str]:
    """They speak in turn; the uids of what they say."""
    said = []
    for number in range(count):
        speaker, listener = ((one, other), (other, one))[number % 2]
        said.append(speaker.send(listener.user, {"content": f"sentence {number}"}).uid)
        listener.take(1)
    return said


def uids(messages: Sequence[dict[str, Any]]) -> list[str]:
    return [message["messageUId"] for message in messages]


def pages(
    reader: NextPage, function: str, place: dict[str, Any] | str, *, order: int, count: int
) -> list[list[str]]:
    """History, read page by page to its end."""
    found: list[list[str]] = []
    options = {"timestamp": 0, "count": count, "order": order}
    while True:
        answer = reader.call(function, place, options)
        page = answer["list"]
        found.append(uids(page))
        if not answer["hasMore"]:
            return found
        options["timestamp"] = page[-1 if order == AFTER else 0]["sentTime"]


@pytest.mark.parametrize("function", ["getHistoryMessages", "getRemoteHistoryMessages"])
def test_history_is_paged_through_from_either_end(
    door5: Door, server: ImServer, function: str
) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    a, b, c, d, e = talk(anna, bert, 5)
    for reader, place in ((anna, of(bert.user)), (bert, of(anna.user))):
        backward = pages(reader, function, place, order=BEFORE, count=2)
        assert backward == [[d, e], [b, c], [a]]
        forward = pages(reader, function, place, order=AFTER, count=2)
        assert forward == [[a, b], [c, d], [e]]
    page = anna.call(function, of(bert.user), {"timestamp": 0, "count": 5, "order": BEFORE})
    senders = [message["senderUserId"] for message in page["list"]]
    assert senders == [anna.user, bert.user, anna.user, bert.user, anna.user]
    assert {message["targetId"] for message in page["list"]} == {bert.user}
    nothing_more(anna, bert)


def test_history_of_a_room_is_read_as_it_comes(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    room = Place(CHATROOM, f"room-of-{anna.user}")
    for party in (anna, bert):
        party.join(room.id, count=-1)
    said = []
    for number in range(5):
        said.append(anna.send(room, {"content": f"sentence {number}"}).uid)
        bert.take(1)
    a, b, c, d, e = said
    for order, expected in ((BEFORE, [[d, e], [b, c], [a]]), (AFTER, [[a, b], [c, d], [e]])):
        found = pages(bert, "getChatroomHistoryMessages", room.id, order=order, count=2)
        assert found == expected
    nothing_more(anna, bert)


def test_what_was_taken_back_leaves_no_trace_in_history(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    sent = anna.send(bert.user, {"content": "1"})
    kept = anna.send(bert.user, {"content": "2"})
    bert.take(2)
    anna.recall(sent)
    (heard,) = bert.take(1)
    assert (heard.kind, heard.content["messageUId"]) == (RECALL, sent.uid)
    for reader, peer in ((anna, bert), (bert, anna)):
        for order in (BEFORE, AFTER):
            found = pages(reader, "getHistoryMessages", of(peer.user), order=order, count=1)
            assert found == [[kept.uid]]
    nothing_more(anna, bert)


def test_the_list_is_paged_through_from_either_end(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    group = group_of(server, anna, bert)
    first, second = f"first-of-{anna.user}", f"second-of-{anna.user}"
    anna.send(first, {"content": "1"})
    talk(bert, anna, 1)
    anna.send(group, {"content": "3"})
    bert.take(1)
    anna.send(second, {"content": "4"})
    newest_first = [second, group.id, bert.user, first]

    def page(**options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = anna.call("getConversationListByTimestamp", options)
        return found

    def targets(found: list[dict[str, Any]]) -> list[str]:
        return [each["targetId"] for each in found]

    everything = anna.call("getConversationList", {"count": 10, "startTime": 0, "order": BEFORE})
    assert targets(everything) == newest_first
    assert [each["latestMessage"]["content"]["content"] for each in everything] == [
        "4",
        "3",
        "sentence 0",
        "1",
    ]
    for order, expected in ((BEFORE, newest_first), (AFTER, newest_first[::-1])):
        start = page(count=3, startTime=0, order=order)
        assert targets(start) == expected[:3]
        rest = page(count=3, startTime=start[-1]["operationTime"], order=order)
        assert targets(rest) == expected[3:]
        assert page(count=3, startTime=rest[-1]["operationTime"], order=order) == []
    private = page(count=10, startTime=0, order=BEFORE, conversationTypes=[PRIVATE])
    assert targets(private) == [second, bert.user, first]
    robots = {"count": 10, "timestamp": 0, "conversationTypes": [PRIVATE]}
    assert anna.call("getConversationsIncludingRobots", robots) == []
    nothing_more(anna, bert)


def test_one_conversation(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    (uid,) = talk(anna, bert, 1)
    for reader, peer in ((anna, bert), (bert, anna)):
        found = reader.call("getConversation", of(peer.user))
        assert (found["targetId"], found["latestMessage"]["messageUId"]) == (peer.user, uid)
    # Nobody has said anything there, or nobody can.
    for place in (of("nobody"), of("lobby", CHATROOM)):
        assert anna.call("getConversation", place)["latestMessage"] is None
    nothing_more(anna, bert)


def test_conversations_are_taken_off_with_and_without_what_was_said(
    door5: Door, server: ImServer
) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    group = group_of(server, anna, bert)
    carl = f"carl-of-{anna.user}"
    said = talk(anna, bert, 2)
    kept = anna.send(carl, {"content": "hello"})
    anna.send(group, {"content": "hello"})
    bert.take(1)

    def listed(reader: NextPage) -> list[str]:
        return [entry.place.id for entry in reader.conversations()]

    assert listed(anna) == [group.id, carl, bert.user]
    anna.call("removeConversation", of(carl))
    assert listed(anna) == [group.id, bert.user]
    assert [message.uid for message in anna.history(carl, count=5)[0]] == [kept.uid]
    both = [of(group.id, GROUP), of(bert.user)]
    anna.call("batchDeleteConversations", {"identifiers": both, "deleteMessages": True})
    assert listed(anna) == []
    for place in (group, Place(PRIVATE, bert.user)):
        assert anna.history(place, count=5) == ([], False)
    # For the others nothing has happened.
    assert listed(bert) == [group.id, anna.user]
    assert [message.uid for message in bert.history(anna.user, count=5)[0]] == said
    anna.send(carl, {"content": "you again"})
    assert listed(anna) == [carl]
    nothing_more(anna, bert)


def test_history_is_cleared(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    group = group_of(server, anna, bert)
    a, b, c = talk(anna, bert, 3)
    for number in range(2):
        anna.send(group, {"content": f"{number}"})
    bert.take(2)
    times = {message.uid: message.time for message in bert.history(anna.user, count=5)[0]}

    def read(reader: NextPage, place: Place | str) -> list[str]:
        messages, has_more = reader.history(place, count=10)
        assert not has_more
        return [message.uid for message in messages]

    bert.call("clearHistoryMessages", of(anna.user), times[a])
    assert read(bert, anna.user) == [b, c]
    options = [{**of(anna.user), "timestamp": times[b]}, {**of(group.id, GROUP), "timestamp": 0}]
    bert.call("batchClearRemoteHistoryMessages", options)
    assert (read(bert, anna.user), read(bert, group)) == ([c], [])
    bert.call("clearHistoryMessages", of(anna.user), 0)
    assert read(bert, anna.user) == []
    assert (read(anna, bert.user), len(read(anna, group))) == ([a, b, c], 2)
    with pytest.raises(Refused):
        bert.call("clearHistoryMessages", of(anna.user), times[c] + 3_600_000)
    nothing_more(anna, bert)


def test_messages_are_deleted(door5: Door, server: ImServer) -> None:
    anna, bert = entering(door5, server), entering(door5, server)
    a, b, c = talk(anna, bert, 3)
    page = anna.call("getHistoryMessages", of(bert.user), {"timestamp": 0, "count": 5})
    chosen = [
        {key: message[key] for key in ("messageUId", "sentTime", "messageDirection")}
        for message in page["list"][:2]
    ]
    anna.call("deleteMessages", of(bert.user), chosen)
    assert [message.uid for message in anna.history(bert.user, count=5)[0]] == [c]
    assert [message.uid for message in bert.history(anna.user, count=5)[0]] == [a, b, c]
    nothing_more(anna, bert)


def test_messages_by_their_uids(door5: Door, server: ImServer) -> None:
    anna, bert, carl = (entering(door5, server) for _ in range(3))
    a, b = talk(anna, bert, 2)
    unknown = "CBPV-IN7E-0084-NCA0"

    def found(reader: NextPage, peer: NextPage, *wanted: str) -> list[tuple[str, int]]:
        request = {"conversationIdentifier": of(peer.user), "messageUIds": [*wanted]}
        answer = reader.call("getMessagesByUIds", request)
        for each in answer:
            assert each["code"] != FOUND or each["message"]["messageUId"] == each["messageUId"]
        return [(each["messageUId"], each["code"]) for each in answer]

    assert found(anna, bert, b, unknown, a) == [(b, FOUND), (unknown, MISSING), (a, FOUND)]
    assert found(carl, bert, a) == [(a, MISSING)]
    nothing_more(anna, bert, carl)


def test_lists_of_types_and_tags(door5: Door, server: ImServer) -> None:
    anna = entering(door5, server)
    group = group_of(server, anna)
    a, b, c = (f"{letter}-of-{anna.user}" for letter in "abc")
    for target in (a, b, c):
        anna.send(target, {"content": "hello"})
    anna.send(group, {"content": "hello"})

    def load(count: int, **options: Any) -> Any:
        return anna.script(LOAD, options, count)

    assert load(3) == [[group.id, c, b], [a]]
    assert load(3, order=AFTER) == [[a, b, c], [group.id]]
    assert load(3, conversationTypes=[GROUP]) == [[group.id]]
    anna.call("addTag", {"tagId": "work", "tagName": "Work"})
    anna.call("addConversationsToTag", "work", [of(a), of(c)])
    anna.call("setConversationToTopInTag", "work", of(a), True)
    anna.wait_until_tagged("work", [Place(PRIVATE, c), Place(PRIVATE, a)])
    assert load(3, tagFilter={"tagIds": ["work"]}) == [[c, a]]
    on_top = {"tagIds": ["work"], "topPriority": True}
    assert load(3, tagFilter=on_top) == [[a, c]]
    assert load(1, tagFilter=on_top) == [[a], [c]]
    assert load(3, tagFilter={"tagIds": ["fun"]}) == [[]]
    by_tag = anna.call("getConversationsFromTagByPage", "work", 10, 0)
    assert [each["latestMessage"]["content"]["content"] for each in by_tag] == ["hello"] * 2
    nothing_more(anna)
