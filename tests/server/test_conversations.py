"""The list of conversations, and what is unread (operations 7, messages 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import conversations as module
from improto_server.store import Place, views
from tests.server.conversation_tools import (
    DISCUSSION,
    GROUP,
    PRIVATE,
    TEAM,
    conversations,
    entries,
    history,
    make_group,
    recall,
    say,
    status,
)
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans
from tests.server.test_deletions import clear, delete
from tests.server.test_history import post

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client


NEWEST = "5.38.0"
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def unread(rig: Rig, user: str, target: str, type: ConversationType = PRIVATE) -> int:
    return rig.do(rig.system.conversations.unread(APP, user, type, target))


def total(rig: Rig, user: str) -> int:
    return rig.do(rig.system.conversations.total_unread(APP, user))


def remove(client: Client, target: str, type: int = PRIVATE) -> int:
    return status(client, Topic.DEL_RELATION, payloads.RelationsInput(type=type), target=target)


# -- the list ----------------------------------------------------------------------------


def told_read(client: Client, request: payloads.SessionMsgReadInput) -> int:
    """Say how far the client has read; the status."""
    client.frames()
    client.publish_bytes("self", payloads.encode(request), topic=Topic.UPD_RR_TIME)
    client.rig.settle()
    return client.ack().status


def test_nobody_has_written_yet(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert conversations(rig.online("alice")) == []
    assert total(rig, "alice") == unread(rig, "alice", "bob") == 0


def test_newest_first_and_both_see_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    say(alice, "carol", "2")
    assert entries(alice) == [("carol", "2", 0), ("bob", "1", 0)]
    say(bob, "alice", "3")
    assert entries(alice) == [("bob", "3", 1), ("carol", "2", 0)]
    assert entries(bob) == [("alice", "3", 0)]
    assert entries(rig.online("alice", app="other")) == []


def test_who_sent_the_message(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    say(alice, "team", "2", type=GROUP)
    group, private = conversations(alice)
    # In a conversation of two, the peer (session 9.2).
    assert (private.type, private.userId) == (1, "bob")
    assert (private.msg.direction, private.msg.fromUserId) == (1, "bob")
    assert (group.type, group.userId) == (3, "team")
    assert (group.msg.direction, group.msg.fromUserId) == (1, "alice")
    assert group.msg.groupId == "team"
    group, private = conversations(bob)
    assert (private.userId, private.msg.direction, private.msg.fromUserId) == ("alice", 2, "alice")
    assert (group.userId, group.msg.direction, group.msg.fromUserId) == ("team", 2, "alice")


def test_a_conversation_with_oneself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    say(alice, "alice", "1")
    assert entries(alice) == [("alice", "1", 0)]


def test_the_oldest_sdk_asks_by_a_topic_of_its_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", "2.5.3")
    say(alice, "bob", '{"content":"\U0001f600"}')
    say(alice, "carol", "2")
    request = payloads.RelationsInput(type=1, count=0)
    reply = alice.ask(Topic.QRY_RELATION, request, payloads.RelationsOutput)
    carol, bob = reply.info
    assert (carol.userId, bob.userId) == ("carol", "bob")
    assert bob.msg.content == b'{"content":"\\ud83d\\ude00"}'
    assert reply.isFinished
    request = payloads.RelationsInput(type=1, count=1)
    reply = alice.ask(Topic.QRY_RELATION, request, payloads.RelationsOutput)
    assert [each.userId for each in reply.info] == ["carol"]
    assert not reply.isFinished


def test_pages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for number in range(5):
        say(alice, f"u{number}", str(number))
    first = conversations(alice, count=2)
    assert [each.userId for each in first] == ["u4", "u3"]
    second = conversations(alice, count=2, time=first[-1].msg.dataTime)
    assert [each.userId for each in second] == ["u2", "u1"]
    third = conversations(alice, count=2, time=second[-1].msg.dataTime)
    assert [each.userId for each in third] == ["u0"]


def test_a_page_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for number in range(4):
        say(alice, f"u{number}", "x" * 1000)

    def page(max_bytes: int, count: int = 10) -> views.ListPage:
        def query(connection: Connection) -> views.ListPage:
            return views.conversations(
                connection, app=APP, user="alice", count=count, max_bytes=max_bytes
            )

        return rig.do(_read(rig, query))

    assert [(len(page(size).entries), page(size).is_finished) for size in (1, 2500, 10_000)] == [
        (1, False),
        (2, False),
        (4, True),
    ]
    monkeypatch.setattr(module, "MOST_CONVERSATIONS", 3)
    assert len(conversations(alice)) == len(conversations(alice, count=9)) == 3


@pytest.mark.parametrize("topic", [Topic.QRY_RELATION, Topic.QRY_RELATION_R])
@pytest.mark.parametrize("fields", [{"count": -1}, {"startTime": -1}])
def test_negative_numbers_are_refused(tmp_path: Path, topic: Topic, fields: dict[str, int]) -> None:
    alice = Rig(tmp_path).online("alice")
    kind = payloads.RelationsInput if topic is Topic.QRY_RELATION else payloads.RelationQryInput
    request = payloads.from_fields(kind, {"type": 1, **fields})
    assert status(alice, topic, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize(
    "fields",
    [
        {"endTime": -1},
        {"order": 2},
        {"order": -1},
        {"channelType": [1] * 101},
    ],
)
def test_what_the_newest_list_refuses(tmp_path: Path, fields: dict[str, Any]) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.RelationQryInput(**fields)
    assert status(alice, Topic.QRY_RELATION_R, request) == INVALID


def relations(client: Client, **fields: Any) -> tuple[str, bool]:
    """A page of the list, targets with a letter; and whether it is the last."""
    request = payloads.RelationQryInput(**fields)
    reply = client.ask(Topic.QRY_RELATION_R, request, payloads.RelationsOutput)
    assert reply.HasField("isFinished")
    return "".join(each.userId for each in reply.info), reply.isFinished


def test_the_list_from_either_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    a, b, c, d, e = (say(alice, letter, letter).time for letter in "abcde")
    assert relations(alice) == ("edcba", True)
    assert relations(alice, order=1) == ("abcde", True)
    assert relations(alice, order=1, count=2) == ("ab", False)
    assert relations(alice, order=1, startTime=b, count=2) == ("cd", False)
    assert relations(alice, order=1, startTime=d, count=2) == ("e", True)
    assert relations(alice, startTime=d, endTime=a) == ("cb", True)
    assert relations(alice, order=1, startTime=a, endTime=d) == ("bc", True)
    assert relations(alice, order=1, endTime=c) == ("ab", True)
    assert relations(alice, endTime=e) == relations(rig.online("z")) == ("", True)
    # Where to go on, for those who look at nothing else.
    assert [each.versionTime for each in conversations(alice)] == [e, d, c, b, a]


def test_the_list_of_some_types(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", place=Place(APP, GROUP, "g"))
    alice = rig.online("alice")
    say(alice, "p", "1")
    say(alice, "g", "1", type=GROUP)
    post(rig, "s", ConversationType.SYSTEM, "alice", "1")
    assert relations(alice) == relations(alice, channelType=[*range(100)]) == ("sgp", True)
    assert relations(alice, channelType=[1, 6]) == ("sp", True)
    assert relations(alice, channelType=[1, 6], count=1) == ("s", False)
    assert relations(alice, channelType=[4, 10]) == ("", True)


def test_there_are_no_robots(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    say(alice, "b", "1")
    answers = [relations(alice, botType=bot) for bot in range(3)]
    assert answers == [("b", True), ("b", True), ("", True)]


def test_a_list_without_what_was_said(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    said = say(alice, "bob", '{"content":"hello"}')
    request = payloads.RelationQryInput(isEraseMsgContent=True, compressioEnabled=True)
    reply = alice.ask(Topic.QRY_RELATION_R, request, payloads.RelationsOutput)
    ((entry),) = reply.info
    assert (entry.msg.content, entry.msg.msgId) == (b"{}", said.uid)
    assert (reply.compressioEnabled, reply.compressedData) == (False, b"")


# -- conversations by name, type and tag -------------------------------------------------


def naming(*names: tuple[str, int], is_cleared: bool = False) -> payloads.RelationDelBatchReq:
    request = payloads.RelationDelBatchReq(cleanMsg=is_cleared)
    for target, type in names:
        request.relation.add(conversationId=target, conversationType=type)
    return request


def named(client: Client, *names: tuple[str, int]) -> list[tuple[str, int, str]]:
    """Target, type and content of the newest message."""
    reply = client.ask(Topic.QRY_RL_BATCH, naming(*names), payloads.RelationsOutput)
    assert reply.isFinished
    return [(each.userId, each.type, each.msg.content.decode()) for each in reply.info]


def test_conversations_by_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    make_group(rig, "bob", place=Place(APP, GROUP, "others"))
    make_group(rig, "alice", "bob", place=Place(APP, DISCUSSION, "~talk"))
    alice, bob = rig.online("alice", NEWEST), rig.online("bob")
    say(bob, "alice", "1")
    say(bob, "alice", "2")
    say(bob, "team", "3", type=GROUP)
    say(bob, "others", "4", type=GROUP)
    say(bob, "~talk", "5", topic=Topic.PD_MSG_P)
    post(rig, "news", ConversationType.PUBLIC_SERVICE, "alice", "6")
    # In the order and by the names of the request, as SDK 5 needs them.
    wanted = [("team", 3), ("bob", 1), ("others", 3), ("~talk", 1), ("news", 1), ("carol", 1)]
    found = [("team", 3, "3"), ("bob", 1, "2"), ("~talk", 1, "5"), ("news", 1, "6")]
    assert named(alice, *wanted) == found
    # Also those that are off the list.
    assert status(alice, Topic.DEL_RELATION_BATCH, naming(*wanted)) == 0
    assert conversations(alice) == []
    assert named(alice, *wanted) == found
    assert named(alice) == named(rig.online("stranger"), ("bob", 1)) == []


@pytest.mark.parametrize("topic", [Topic.QRY_RL_BATCH, Topic.DEL_RELATION_BATCH])
def test_names_that_cannot_be(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    say(alice, "bob", "1")
    for bad in ([("bob", 1), ("lobby", 4)], [("bob", 1), ("", 1)], [("bob", 1)] * 101):
        assert status(alice, topic, naming(*bad)) == INVALID
    assert len(conversations(alice)) == 1
    assert status(alice, topic, naming(*[("bob", 1)] * 100)) == 0


def test_a_page_of_named_ones_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    for letter in "abc":
        say(alice, letter, "x" * 1000)
    monkeypatch.setattr(module, "PAGE_BYTES", 2500)
    request = naming(("a", 1), ("b", 1), ("c", 1))
    reply = alice.ask(Topic.QRY_RL_BATCH, request, payloads.RelationsOutput)
    assert [each.userId for each in reply.info] == ["a", "b"]
    assert not reply.isFinished


@pytest.mark.parametrize("is_cleared", [False, True])
def test_taking_several_off_at_once(tmp_path: Path, is_cleared: bool) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob", NEWEST)
    say(alice, "bob", "1")
    say(alice, "team", "2", type=GROUP)
    post(rig, "news", ConversationType.SYSTEM, "bob", "3")
    names = [("alice", 1), ("team", 3), ("nobody", 1)]
    assert status(bob, Topic.DEL_RELATION_BATCH, naming(*names, is_cleared=is_cleared)) == 0
    assert entries(bob) == [("news", "3", 1)]
    assert total(rig, "bob") == 1
    for target, type in (("alice", PRIVATE), ("team", GROUP)):
        assert len(history(bob, target, type=type).list) == (0 if is_cleared else 1)
    assert len(history(alice, "bob").list) == len(conversations(alice)) - 1 == 1
    say(alice, "bob", "4")
    assert entries(bob)[0] == ("alice", "4", 1 if is_cleared else 2)


def tag(client: Client, id: str, on_top: str, others: str = "") -> None:
    """Give a new tag to conversations with users of one letter."""
    making = payloads.SessionTagAddInput(version=0)
    making.tags.add(tagId=id, name=id)
    assert status(client, Topic.ADD_SE_TAG, making) == 0
    giving = payloads.SessionStateModifyReq(version=0)
    for letter in on_top + others:
        item = giving.state.add(type=1, channelId=letter).stateItem.add(sessionStateType=3)
        item.value = ""
        item.tags.add(tagId=id, isTop=letter in on_top)
    assert status(client, Topic.ADD_TAG, giving) == 0


def filtered(client: Client, **fields: Any) -> str:
    """The pages of a filtered list, joined by dots."""
    pages, token = [], ""
    while True:
        request = payloads.RelationQryFilter(pageToken=token, **fields)
        reply = client.ask(Topic.QRY_RELATION_FILTER, request, payloads.RelationsOutput)
        pages.append("".join(each.userId for each in reply.info))
        token = reply.pageToken
        assert reply.isFinished == (token == "")
        if reply.isFinished:
            return ".".join(pages)


def test_lists_by_type_and_tag(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", place=Place(APP, GROUP, "g"))
    alice = rig.online("alice", NEWEST)
    for letter in "abcdef":
        say(alice, letter, letter)
    say(alice, "g", "g", type=GROUP)
    assert filtered(alice) == "gfedcba"
    assert filtered(alice, count=3, order=1) == "abc.def.g"
    assert filtered(alice, type=[1], count=3) == "fed.cba"
    assert filtered(alice, type=[3, 4]) == "g"
    tag(alice, "red", on_top="be", others="af")
    tag(alice, "blue", on_top="a", others="bdx")
    assert filtered(alice, tags=["red"]) == "feba"
    assert filtered(alice, tags=["red"], order=1, count=3) == "abe.f"
    assert filtered(alice, tags=["red", "blue", "green"]) == "fedba"
    assert filtered(alice, tags=["red"], type=[3]) == filtered(alice, tags=["green"]) == ""
    # On top with one of the tags is on top.
    assert filtered(alice, tags=["red"], isTagTop=True) == "ebfa"
    assert filtered(alice, tags=["red", "blue"], isTagTop=True) == "ebafd"
    assert filtered(alice, tags=["red", "blue"], isTagTop=True, order=1) == "abedf"
    for count, pages in ((1, "e.b.f.a"), (2, "eb.fa"), (3, "ebf.a"), (4, "ebfa")):
        assert filtered(alice, tags=["red"], isTagTop=True, count=count) == pages
    assert filtered(alice, tags=["red"], isTagTop=True, order=1, count=3) == "bea.f"
    assert filtered(alice, isTagTop=True, count=6) == "gfedcb.a"
    # What is off the list is in no list.
    assert remove(alice, "b") == 0
    assert filtered(alice, tags=["red"], isTagTop=True) == "efa"
    assert filtered(rig.online("bob", NEWEST), tags=["red"]) == ""


def test_a_filtered_page_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    for letter in "abcd":
        say(alice, letter, "x" * 1000)
    tag(alice, "red", on_top="a", others="bcd")
    monkeypatch.setattr(module, "PAGE_BYTES", 2500)
    assert filtered(alice, tags=["red"], isTagTop=True) == "ad.cb"
    monkeypatch.setattr(module, "MOST_CONVERSATIONS", 1)
    assert filtered(alice, tags=["red"], isTagTop=True, count=9) == "a.d.c.b"


@pytest.mark.parametrize(
    "fields",
    [
        {"count": -1},
        {"order": 2},
        {"type": [1] * 101},
        {"tags": ["red"] * 101},
        {"pageToken": "x"},
        {"pageToken": "2-1"},
        {"pageToken": "0-9999999999999999"},
    ],
)
def test_what_a_filtered_list_refuses(tmp_path: Path, fields: dict[str, Any]) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    request = payloads.RelationQryFilter(**fields)
    assert status(alice, Topic.QRY_RELATION_FILTER, request) == INVALID


def test_a_token_of_another_list_ends_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    say(alice, "bob", "1")
    request = payloads.RelationQryFilter(pageToken="1-5")
    reply = alice.ask(Topic.QRY_RELATION_FILTER, request, payloads.RelationsOutput)
    assert reply == payloads.RelationsOutput(isFinished=True)


@pytest.mark.parametrize("topic", [Topic.QRY_SESSIONS, Topic.QRY_SESSIONS_UNREAD])
def test_real_time_conversations_are_off(tmp_path: Path, topic: Topic) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    assert status(alice, topic) == ErrorCode.NOT_SUPPORT


# -- which there are ---------------------------------------------------------------------


def test_types_that_are_listed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    talk = Place(APP, DISCUSSION, "~talk")
    make_group(rig, "alice", "bob")
    make_group(rig, "alice", "bob", place=talk)
    bob = rig.online("bob")
    for type in views_types():
        target = {GROUP: "team", DISCUSSION: "~talk"}.get(type, "bob")
        post(rig, "alice", type, target, "1")
    assert {each.type for each in conversations(bob)} == {*views_types()}


def views_types() -> list[ConversationType]:
    return [ConversationType(number) for number in (1, 2, 3, 5, 6, 7, 8)]


def test_chatrooms_never_appear(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    assert status(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), target="lobby") == 0
    say(alice, "lobby", "1", type=ConversationType.CHATROOM)
    assert conversations(alice) == []


def test_only_stored_messages_are_shown(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "0", flags=0)
    say(alice, "bob", "2", flags=2)
    assert conversations(bob) == []
    say(alice, "bob", "1", flags=1)
    say(alice, "bob", "0", flags=0)
    assert entries(bob) == [("alice", "1", 0)]


def test_groups_only_while_in_them(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice")
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "team", "1", type=GROUP)
    rig.do(rig.system.rosters.join(TEAM, ["bob"]))
    assert conversations(bob) == []
    say(alice, "team", "2", type=GROUP)
    assert entries(bob) == [("team", "2", 1)]
    rig.do(rig.system.rosters.leave(TEAM, ["bob"]))
    assert conversations(bob) == []
    assert total(rig, "bob") == unread(rig, "bob", "team", GROUP) == 0
    say(alice, "team", "3", type=GROUP)
    rig.do(rig.system.rosters.join(TEAM, ["bob"]))
    assert conversations(bob) == []
    say(alice, "team", "4", type=GROUP)
    assert entries(bob) == [("team", "4", 1)]


# -- taking conversations off the list ---------------------------------------------------


@pytest.mark.parametrize("kind", [payloads.RelationsInput, payloads.RelationQryInput])
def test_removed_until_the_next_message(tmp_path: Path, kind: type[Any]) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    request = kind(type=1)
    assert status(bob, Topic.DEL_RELATION, request, target="alice") == 0
    assert conversations(bob) == []
    assert len(conversations(alice)) == 1
    assert total(rig, "bob") == 0
    say(alice, "bob", "2")
    assert entries(bob) == [("alice", "2", 2)]
    assert len(history(bob, "alice").list) == 2


def test_a_message_of_the_same_millisecond_puts_it_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob", "1")
    rig.settle()
    assert remove(bob, "alice") == 0
    alice.publish("bob", "2")
    rig.settle()
    assert entries(bob) == [("alice", "2", 2)]


def test_removing_what_is_not_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    assert remove(alice, "bob") == 0
    assert remove(alice, "team", GROUP) == 0
    say(alice, "bob", "1")
    assert remove(alice, "bob", GROUP) == 0
    assert len(conversations(alice)) == 1
    for target, type in (("bob", 4), ("bob", 0), ("", 1), ("a b", 1)):
        assert remove(alice, target, type) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_several_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONVERSATIONS", 2)
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    for name in ("bob", "carol", "dave"):
        say(alice, name, "1")
    request = payloads.DeleteSessionsInput()
    for name in ("bob", "carol"):
        request.sessions.add(type=1, channelId=name)
    reply = alice.ask(Topic.DEL_SESSIONS, request, payloads.DeleteSessionsOutput)
    assert reply == payloads.DeleteSessionsOutput(nothing=0)
    assert [each.userId for each in conversations(alice)] == ["dave"]
    request.sessions.add(type=1, channelId="dave")
    assert status(alice, Topic.DEL_SESSIONS, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert len(conversations(alice)) == 1


# -- what is unread ----------------------------------------------------------------------


def test_counted_messages_of_others_are_unread(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    say(alice, "bob", "2", flags=1)
    say(alice, "bob", "3", flags=2)
    say(alice, "team", "1", type=GROUP)
    say(alice, "team", "2", type=GROUP)
    say(alice, "team", "3", type=GROUP, userId=["bob"])
    assert unread(rig, "bob", "alice") == 1
    assert unread(rig, "bob", "team", GROUP) == 2
    assert total(rig, "bob") == 3
    assert total(rig, "alice") == 0
    # Who answers has read.
    say(bob, "alice", "4")
    assert (unread(rig, "bob", "alice"), unread(rig, "alice", "bob")) == (0, 1)
    assert total(rig, "bob") == 2


def test_read_marks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(3)]
    content = f'{{"lastMessageSendTime":{said[0].time}}}'
    say(bob, "alice", content, name="RC:ReadNtf", flags=0)
    assert unread(rig, "bob", "alice") == 2
    content = f'{{"lastMessageSendTime":{said[2].time}}}'
    say(bob, "alice", content, name="RC:SRSMsg", flags=0)
    assert unread(rig, "bob", "alice") == 0
    # A mark that comes late does not make anything unread again.
    say(bob, "alice", f'{{"lastMessageSendTime":{said[1].time}}}', name="RC:SRSMsg", flags=0)
    assert unread(rig, "bob", "alice") == 0


def test_a_message_of_the_same_millisecond_is_not_read_yet(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    say(alice, "bob", "1")
    now = rig.clock.now()
    request = payloads.SessionMsgReadInput(type=PRIVATE, msgTime=now, channelId="alice")
    assert told_read(bob, request) == 0
    say(alice, "bob", "2")
    assert unread(rig, "bob", "alice") == 1


def test_whoever_is_blocked_may_say_how_far_he_has_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = say(alice, "bob", "1")
    rig.do(rig.system.standings.block((APP, "alice"), "bob"))
    content = f'{{"lastMessageSendTime":{said.time}}}'
    assert say(bob, "alice", "{}").status == ErrorCode.REJECTED_BY_BLACKLIST
    assert say(bob, "alice", content, name="RC:SRSMsg", flags=0).status == 0
    assert unread(rig, "bob", "alice") == 0


def test_a_read_position_is_in_nobodys_history(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    make_group(rig, "alice", "bob")
    content = '{"lastMessageSendTime":5}'
    say(alice, "bob", content, name="RC:SRSMsg", flags=3)
    say(alice, "team", content, name="RC:SRSMsg", flags=3, type=GROUP)
    assert entries(bob) == []
    assert total(rig, "bob") == 0


def test_the_read_position_has_a_topic_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(3)]

    def read(time: int, **fields: Any) -> int:
        values = {"type": 1, "channelId": "alice", "msgTime": time} | fields
        request = payloads.from_fields(payloads.SessionMsgReadInput, values)
        return told_read(bob, request)

    assert read(said[1].time) == 0
    assert unread(rig, "bob", "alice") == 1
    assert read(-1) == read(1, type=4) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    # A time to come counts as now, so that messages to come are unread.
    assert read(2**60) == 0
    assert unread(rig, "bob", "alice") == 0
    rig.advance(1)
    say(alice, "bob", "4")
    assert unread(rig, "bob", "alice") == 1


def test_what_is_gone_is_not_unread(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    said = [say(alice, "bob", str(number)) for number in range(6)]
    recall(alice, said[1], "bob")
    assert unread(rig, "bob", "alice") == 5
    delete(bob, "alice", said[2].uid, said[3].uid)
    assert unread(rig, "bob", "alice") == 3
    # Hidden first, and then recalled: it was one message.
    recall(alice, said[3], "bob")
    assert unread(rig, "bob", "alice") == 3
    assert unread(rig, "alice", "bob") == 0
    clear(bob, "alice", said[4].time)
    assert unread(rig, "bob", "alice") == 1
    recall(alice, said[5], "bob")
    assert unread(rig, "bob", "alice") == 0
    (only,) = conversations(bob)
    assert (only.msg.classname, only.unreadCount) == ("RC:RcCmd", 0)


def test_the_summary(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, bob = rig.online("alice"), rig.online("bob")
    request = payloads.SessionsAttQryInput(nothing=1)

    def summary(client: Client) -> tuple[int, int, int]:
        reply = client.ask(Topic.QRY_SESSIONS_ATT, request, payloads.SessionsAttOutput)
        return reply.inboxTime, reply.sendboxTime, reply.totalUnreadCount

    assert summary(alice) == (0, 0, 0)
    sent, received = say(alice, "bob", "1"), say(bob, "alice", "2")
    assert summary(alice) == (received.time, sent.time, 1)
    assert sent.time == START


def test_lists_and_counts_cost_no_more_when_there_are_more_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice = rig.online("alice")
    said = say(alice, "bob", "1")
    say(alice, "team", "1", type=GROUP)

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            views.conversations(connection, app=APP, user="bob", count=10)
            views.conversations(connection, app=APP, user="bob", count=10, is_forward=True)
            views.last(connection, app=APP, user="bob", type=PRIVATE, target="alice")
            views.total_unread(connection, app=APP, user="bob")
            views.unread(connection, app=APP, user="bob", type=PRIVATE, target="alice")
            views.newest_times(connection, app=APP, user="bob", now=said.time)
        return found

    steps = rig.do(_read(rig, plans))
    assert steps
    # The user's conversations are gone through one by one, and sorted, but nothing else is.
    bad = [step for step in steps if "SCAN" in step and step not in ("SCAN listed", "SCAN mine")]
    assert not bad
    # Nor are the messages of all conversations gone through, or all that one ever had.
    assert "SEARCH messages USING INDEX messages_by_time (in_history=?)" not in steps
    assert sum("AND time=?)" in step for step in steps if "messages" in step) == 3


async def _read(rig: Rig, query: Any) -> Any:
    return await rig.system.data.read(query)
