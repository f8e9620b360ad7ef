"""Messages that SDK 5 edits, quotes and sends again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import GROUP, PRIVATE, Place, Refused, nothing_more, online
from tests.interop.sdk import IMLIB_2_9_2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

MODIFIED = "MESSAGE_MODIFIED"
BEFORE, AFTER = {"content": "before"}, {"content": "after"}


def page_of(door5: Door, server: ImServer) -> NextPage:
    page = door5.page(server)
    assert isinstance(page, NextPage)
    return page


def edit(page: NextPage, uid: str, place: Place, content: Mapping[str, Any]) -> None:
    conversation = {"conversationType": place.type, "targetId": place.id}
    page.call(
        "modifyMessageWithParams",
        {"messageUId": uid, "messageContent": content, "conversation": conversation},
    )


def test_everybody_sees_an_edit(door5: Door, server: ImServer) -> None:
    anna, bert, away = (page_of(door5, server) for _ in range(3))
    old = door5.page(server, sdk=IMLIB_2_9_2)
    ours = door5.program(server, "asyncio")
    members = (anna, bert, away, old, ours)
    group = Place(GROUP, f"group-of-{anna.user}")
    names = [member.user for member in members]
    server.order("groups", "create", group.id, owner=anna.user, members=names, name="friends")
    for party in (anna, bert, old, ours):
        online(party)
    sent = anna.send(group, BEFORE)
    for party in (bert, old, ours):
        assert [message.content for message in party.take(1)] == [BEFORE]
    edit(anna, sent.uid, group, AFTER)
    for page in (bert, anna):
        (news,) = page.wait_event(MODIFIED)
        assert (news["messageUId"], news["content"]) == (sent.uid, AFTER)
        assert (news["senderUserId"], news["targetId"]) == (anna.user, group.id)
        assert news["sentTime"] == sent.time
        assert news["modifyInfo"]["timestamp"] > sent.time
    away.connect()
    assert [message.content for message in away.take(1)] == [AFTER]
    (news,) = away.wait_event(MODIFIED)
    assert (news["messageUId"], news["content"]) == (sent.uid, AFTER)
    for party in members:
        messages, _ = party.history(group, count=10)
        assert [(message.uid, message.content) for message in messages] == [(sent.uid, AFTER)]
    nothing_more(*members)
    with pytest.raises(Refused, match="33401"):
        edit(bert, sent.uid, group, BEFORE)


def test_between_two_as_often_as_one_likes(door5: Door, server: ImServer) -> None:
    anna, bert = online(page_of(door5, server)), online(page_of(door5, server))
    place = Place(PRIVATE, bert.user)
    sent = anna.send(bert.user, BEFORE)
    bert.take(1)
    for number in range(1, 4):
        content = {"content": f"edit {number}"}
        edit(anna, sent.uid, place, content)
        for page, peer in ((bert, anna.user), (anna, bert.user)):
            (news,) = page.wait_event(MODIFIED, count=number)
            assert (news["messageUId"], news["content"], news["targetId"]) == (
                sent.uid,
                content,
                peer,
            )
            assert page.conversations()[0].content == content
    nothing_more(anna, bert)


def test_quotes_and_messages_that_are_sent_again(door5: Door, server: ImServer) -> None:
    anna, bert = online(page_of(door5, server)), online(page_of(door5, server))
    first = bert.send(anna.user, BEFORE)
    anna.take(1)
    quote = {"messageUId": first.uid, "senderId": bert.user, "objectName": "RC:TxtMsg"}
    place = {"conversationType": PRIVATE, "targetId": bert.user}
    message = {"$new": ["TextMessage", AFTER]}
    options = {"quoteInfo": quote | {"quoteMessageStatus": 0}, "messageId": 4711}
    answers = [anna.call("sendMessage", place, message, options) for _ in range(2)]
    assert answers[0]["messageUId"] == answers[1]["messageUId"]
    assert answers[0]["sentTime"] == answers[1]["sentTime"]
    assert [heard.content for heard in bert.take(1)] == [AFTER]
    (heard,) = bert.wait_event("MESSAGES")["messages"]
    assert heard["messageId"] == 4711
    assert {name: heard["quoteInfo"][name] for name in quote} == quote
    nothing_more(anna, bert)


def test_a_server_has_no_robots_unless_it_is_told(door5: Door, server: ImServer) -> None:
    anna = online(page_of(door5, server))
    anna.wait_event("ROBOTS_SYNCED")
    assert anna.call("getAllRobots") == []


def test_a_status_message_of_the_application_is_shown_at_once(
    door5: Door, server: ImServer
) -> None:
    anna, bert = online(page_of(door5, server)), online(page_of(door5, server))
    for page in (anna, bert):
        page.register("app:status", ["mood"], is_kept=False)
    anna.call(
        "sendMessage",
        {"conversationType": PRIVATE, "targetId": bert.user},
        {"$new": ["app:status", {"mood": "fine"}]},
        {"isStatusMessage": True},
    )
    (heard,) = bert.take(1)
    assert (heard.kind, heard.content) == ("app:status", {"mood": "fine"})
    nothing_more(anna, bert)
