"""Editing messages (sdk5 8.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.config import Limits
from improto.contents import ExtFlag
from improto.operations import Topic
from improto_server.services import Caller
from improto_server.services.rosters import DISCUSSION_MARK
from improto_server.store import StoreError
from improto_server.store import edits as table
from tests.server.conversation_tools import (
    DISCUSSION,
    GROUP,
    PRIVATE,
    TEAM,
    Said,
    conversations,
    history,
    make_group,
    recall,
    say,
    status,
)
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans
from tests.server.test_event_stream import commands

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from improto.codes import ConversationType
    from tests.server.rig import Client

NEW, MIDDLE, OLD = "5.38.0", "4.6.4", "2.9.2"
UNSUPPORTED = ErrorCode.MESSAGE_UNSUPPORTED_MODIFY
NOT_OWN = ErrorCode.MODIFIED_MESSAGE_IS_NOT_SENT
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def text(content: str, **members: object) -> str:
    return json.dumps({"content": content, **members})


def request(
    said: Said | str, target: str, content: str, type: ConversationType | int = PRIVATE
) -> payloads.MsgChangeReq:
    """What SDK 5 sends."""
    uid = said if isinstance(said, str) else said.uid
    return payloads.MsgChangeReq(
        fromUserId="", targetId=target, type=type, msgUID=uid, msgTime=0, content=content
    )


def edit(
    client: Client,
    said: Said,
    target: str,
    content: str,
    type: ConversationType = PRIVATE,
) -> payloads.ModifyMsgResp:
    wanted = request(said, target, text(content), type)
    return client.ask(Topic.MODIFY_MSG, wanted, payloads.ModifyMsgResp)


def refused(
    client: Client, said: Said | str, target: str, content: str = "", type: int = PRIVATE
) -> int:
    return status(client, Topic.MODIFY_MSG, request(said, target, content or text("x"), type))


def words(items: Iterable[payloads.DownStreamMessage]) -> list[str]:
    return [json.loads(each.content)["content"] for each in items]


def pull(client: Client, start: int) -> payloads.PullModifyMsgResp:
    wanted = payloads.PullModifyMsgReq(pullVersion=start, modifyType=[1])
    reply = client.ask(Topic.PULL_MODIFY_MSG, wanted, payloads.PullModifyMsgResp)
    assert reply.HasField("finished")
    assert reply.HasField("nextVersion")
    assert all(each.modifyType == 1 for each in reply.msg)
    return reply


def edited(client: Client, start: int) -> list[str]:
    """What the messages say that were edited since."""
    reply = pull(client, start)
    assert reply.finished
    return words(each.msg for each in reply.msg)


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    bob.pull_all()
    reply = edit(alice, said, "bob", "2")
    assert reply.modifyTime == said.time + 1000
    own = reply.msg
    assert (own.msgId, own.dataTime, own.direction) == (said.uid, said.time, 1)
    assert (own.fromUserId, own.extStatus) == ("bob", ExtFlag.EDITED)
    assert json.loads(own.convertExt) == {"modify": {"time": reply.modifyTime}}
    for client, peer in ((alice, "bob"), (bob, "alice")):
        (found,) = history(client, peer).list
        assert (found.content, found.extStatus) == (b'{"content": "2"}', ExtFlag.EDITED)
        assert words([conversations(client)[0].msg]) == ["2"]
    for sdk in (OLD, MIDDLE):
        assert words(history(rig.online("bob", sdk), "alice").list) == ["2"]


def test_who_has_not_pulled_it_yet_pulls_the_new_content(tmp_path: Path) -> None:
    """From memory as well as from the store."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    edit(alice, said, "bob", "2")
    assert words(bob.pull_all()) == ["2"]
    assert words(rig.client("bob", NEW).pull_all()) == ["2"]


def test_all_devices_of_both_are_told_to_ask(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other, bob, old = (
        rig.online(name, sdk)
        for name, sdk in (("alice", NEW), ("alice", NEW), ("bob", NEW), ("bob", MIDDLE))
    )
    said = say(alice, "bob", text("1"))
    for client in (other, bob, old):
        client.pull_all()
        client.frames()
    message_id = alice.query(Topic.MODIFY_MSG, request(said, "bob", text("2")))
    rig.settle()
    time = rig.clock.now()
    for client in (other, bob):
        assert commands(client) == [(CommandType.EDITS, time + 1)]
    assert commands(old) == []
    assert len(alice.answers(message_id)) == 1
    for client, direction, peer in ((alice, 1, "bob"), (other, 1, "bob"), (bob, 2, "alice")):
        reply = pull(client, said.time)
        ((each,), edge) = reply.msg, reply.nextVersion
        assert (each.msg.direction, each.msg.fromUserId) == (direction, peer)
        assert (words([each.msg]), edge) == (["2"], time + 1)
        assert edited(client, edge) == []


def test_a_command_in_the_middle_of_a_pull_is_later_than_what_the_pull_brings(
    tmp_path: Path,
) -> None:
    """While SDK 5 pulls, it forgets commands that are no later than the answer."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    bob.pull_all()
    edit(alice, said, "bob", "2")
    bob.frames()
    reply = pull(bob, said.time)
    edit(alice, said, "bob", "3")
    ((_, time),) = commands(bob)
    assert time > reply.nextVersion
    assert pull(bob, reply.nextVersion).nextVersion == time


def test_in_a_group(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice, bob, carol, dave = (rig.online(name, NEW) for name in ("alice", "bob", "carol", "dave"))
    info = {"type": 2, "userIdList": ["bob"], "mentionedContent": ""}
    said = say(alice, "team", text("1", mentionedInfo=info), type=GROUP, flags=7)
    for client in (bob, carol):
        client.pull_all()
        client.frames()
    wanted = request(said, "team", text("2", mentionedInfo=info), GROUP)
    reply = alice.ask(Topic.MODIFY_MSG, wanted, payloads.ModifyMsgResp)
    assert (reply.msg.groupId, reply.msg.direction) == ("team", 1)
    time = reply.modifyTime
    for client, flags in ((bob, 0x70), (carol, 0x30)):
        assert commands(client) == [(CommandType.EDITS, time + 1)]
        (each,) = pull(client, time).msg
        assert (each.msg.groupId, each.msg.fromUserId) == ("team", "alice")
        assert (each.msg.status, words([each.msg])) == (flags, ["2"])
        assert words(history(client, "team", type=GROUP).list) == ["2"]
    assert commands(dave) == []
    assert edited(dave, 0) == []


def test_members_are_told_of_what_was_sent_and_edited_while_they_were_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    first = say(alice, "team", text("1"), type=GROUP)
    edit(alice, first, "team", "1 edited", GROUP)
    rig.advance(1)
    rig.do(rig.system.rosters.join(TEAM, ["carol"]))
    carol = rig.online("carol", NEW)
    rig.advance(1)
    second = say(alice, "team", text("2"), type=GROUP)
    edit(alice, second, "team", "2 edited", GROUP)
    rig.advance(1)
    edit(alice, first, "team", "1 again", GROUP)
    rig.advance(1)
    assert edited(carol, 0) == ["2 edited"]
    assert edited(bob, 0) == ["2 edited", "1 again"]
    rig.do(rig.system.rosters.leave(TEAM, ["bob"]))
    rig.advance(1)
    edit(alice, first, "team", "1 at last", GROUP)
    edit(alice, second, "team", "2 at last", GROUP)
    assert edited(bob, 0) == []
    assert edited(carol, 0) == ["2 at last"]


def test_whoever_was_away_asks_from_the_time_of_his_first_unread_message(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    edit(alice, said, "bob", "2")
    bob = rig.client("bob", NEW)
    (found,) = bob.pull_all()
    assert words([found]) == ["2"]
    assert edited(bob, found.dataTime) == ["2"]


def test_an_edit_at_the_time_of_the_login_is_not_missed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    bob = rig.online("bob", NEW)
    login = rig.clock.now()
    assert edit(alice, said, "bob", "2").modifyTime == login
    assert edited(bob, login) == ["2"]


def test_edited_twice_it_comes_once_as_it_is_now(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    first, second = say(alice, "bob", text("1")), say(alice, "bob", text("2"))
    edit(alice, first, "bob", "1 edited")
    edit(alice, second, "bob", "2 edited")
    time = edit(alice, first, "bob", "1 again").modifyTime
    assert edited(bob, 0) == ["2 edited", "1 again"]
    assert pull(bob, 0).nextVersion == time + 1


def test_what_was_taken_back_cannot_be_edited_and_is_not_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    edit(alice, said, "bob", "2")
    assert recall(alice, said, "bob").status == 0
    assert edited(bob, 0) == []
    assert refused(alice, said, "bob") == NOT_OWN


@pytest.mark.parametrize("is_cleared", [True, False])
def test_what_the_reader_has_deleted_does_not_come_back(tmp_path: Path, is_cleared: bool) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    if is_cleared:
        clean = payloads.CleanHisMsgInput(targetId="alice", dataTime=said.time, conversationType=1)
        assert status(bob, Topic.CLEAN_P_MSG, clean) == 0
    else:
        gone = payloads.DeleteMsgInput(type=1, conversationId="alice")
        gone.msgs.add(msgId=said.uid, msgDataTime=said.time)
        assert status(bob, Topic.DEL_MSG, gone) == 0
    edit(alice, said, "bob", "2")
    assert edited(bob, 0) == []
    assert edited(alice, 0) == ["2"]


def test_only_ones_own_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    assert refused(bob, said, "alice") == NOT_OWN
    assert refused(alice, said, "carol") == NOT_OWN
    for uid in ("", "nonsense", said.uid[:-1] + ("2" if said.uid[-1] != "2" else "3")):
        assert refused(alice, uid, "bob") == NOT_OWN
    assert words(history(bob, "alice").list) == ["1"]
    assert edited(bob, 0) == []


def test_a_message_to_oneself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    said = say(alice, "alice", text("1"))
    edit(alice, said, "alice", "2")
    assert edited(alice, 0) == ["2"]


@pytest.mark.parametrize("type", [DISCUSSION, 4, 5, 6, 7, 10, 99])
def test_other_conversations_cannot_be_edited(tmp_path: Path, type: int) -> None:
    rig = Rig(tmp_path)
    assert refused(rig.online("alice", NEW), "x", "bob", type=type) == UNSUPPORTED


def test_discussions_come_under_another_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert refused(rig.online("alice", NEW), "x", DISCUSSION_MARK + "1") == UNSUPPORTED


def test_what_only_the_server_or_nobody_keeps_cannot_be_edited(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice = rig.online("alice", NEW)
    unstored = say(alice, "bob", text("1"), flags=0)
    assert refused(alice, unstored, "bob") == UNSUPPORTED
    directed = say(alice, "team", text("1"), type=GROUP, userId=["bob"])
    assert refused(alice, directed, "team", type=GROUP) == UNSUPPORTED
    notice = recall(alice, say(alice, "bob", text("1")), "bob")
    assert refused(alice, notice, "bob") == UNSUPPORTED


def test_only_for_some_minutes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit_minutes=1)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    rig.advance(59)
    edit(alice, said, "bob", "2")
    rig.advance(0.001)
    assert refused(alice, said, "bob") == ErrorCode.MESSAGE_OVER_MODIFY_TIME_FAIL
    assert words(history(alice, "bob").list) == ["2"]


@pytest.mark.parametrize(
    "content",
    ["null", "[]", "1", "", "{", '{"content":1}', '{"a":' * 5000, '"' + "\ud7ff" + '"'],
)
def test_a_content_that_does_not_fit(tmp_path: Path, content: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    wanted = request(said, "bob", content)
    assert status(alice, Topic.MODIFY_MSG, wanted) == INVALID
    assert words(history(alice, "bob").list) == ["1"]


def test_types_of_the_application_say_what_they_like(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"), name="app:thing")
    wanted = request(said, "bob", '{"content":1}')
    alice.ask(Topic.MODIFY_MSG, wanted, payloads.ModifyMsgResp)
    (found,) = history(alice, "bob").list
    assert (found.classname, found.content) == ("app:thing", b'{"content":1}')


def test_a_content_that_is_too_large(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=Limits(content_bytes=100))
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    assert refused(alice, said, "bob", text("é" * 50)) == ErrorCode.MESSAGE_SIZE_EXCEEDED


def test_whoever_may_not_write_there_may_not_edit_either(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice = rig.online("alice", NEW)
    private, shared = say(alice, "bob", text("1")), say(alice, "team", text("1"), type=GROUP)
    rig.do(rig.system.standings.block((APP, "bob"), "alice"))
    assert refused(alice, private, "bob") == ErrorCode.REJECTED_BY_BLACKLIST
    rig.do(rig.system.rosters.leave(TEAM, ["alice"]))
    assert refused(alice, shared, "team", type=GROUP) == ErrorCode.NOT_IN_GROUP
    assert refused(alice, shared, "unknown", type=GROUP) == ErrorCode.NOT_IN_GROUP
    assert refused(alice, shared, "", type=GROUP) == INVALID


def test_too_many_per_second(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rate=1)
    alice = rig.online("alice", NEW)
    said = say(alice, "bob", text("1"))
    assert status(alice, Topic.MODIFY_MSG, request(said, "bob", text("2"))) == 0
    while (code := refused(alice, said, "bob")) == 0:
        pass
    assert code == ErrorCode.SEND_FREQUENCY_TOO_FAST
    caller = Caller(APP, "alice", alice.connection.profile)
    answer = rig.do(rig.system.edits.edit(caller, "", request(said, "bob", text("3"))))
    assert words([answer.msg]) == ["3"], "without a device nobody counts"


def test_a_store_that_fails(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = say(alice, "bob", text("1"))
    rig.store.broken = StoreError("the disk is full")
    assert refused(alice, said, "bob") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert [delivery.topic for delivery in bob.deliveries(Topic.S_CMD)] == []


def test_what_was_edited_has_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    said = [say(alice, "bob", text(str(number))) for number in range(5)]
    for each in said:
        edit(alice, each, "bob", "edited " + "x" * 100)
    monkeypatch.setattr(table, "PAGE_EDITS", 2)
    start, pages = 0, []
    while True:
        reply = pull(bob, start)
        pages.append([each.msg.msgId for each in reply.msg])
        assert reply.nextVersion > start
        start = reply.nextVersion
        if reply.finished:
            break
    assert pages == [[each.uid for each in said[a : a + 2]] for a in (0, 2, 4)]
    monkeypatch.setattr(table, "PAGE_BYTES", 1)
    reply = pull(bob, 0)
    assert ([each.msg.msgId for each in reply.msg], reply.finished) == ([said[0].uid], False)


def test_other_changes_than_edits_are_not_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    edit(alice, say(alice, "bob", text("1")), "bob", "2")
    wanted = payloads.PullModifyMsgReq(pullVersion=7, modifyType=[2, 3])
    reply = alice.ask(Topic.PULL_MODIFY_MSG, wanted, payloads.PullModifyMsgResp)
    assert (len(reply.msg), reply.nextVersion, reply.finished) == (0, 7, True)
    everything = payloads.PullModifyMsgReq(pullVersion=7)
    reply = alice.ask(Topic.PULL_MODIFY_MSG, everything, payloads.PullModifyMsgResp)
    assert len(reply.msg) == 1


def test_a_version_that_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    wanted = payloads.PullModifyMsgReq(pullVersion=-1, modifyType=[1])
    assert status(alice, Topic.PULL_MODIFY_MSG, wanted) == INVALID
    assert pull(alice, 2**62).nextVersion == 2**62


def test_sdks_before_5_edit_nothing(tmp_path: Path) -> None:
    """They publish where SDK 5 asks."""
    rig = Rig(tmp_path)
    alice = rig.online("alice", MIDDLE)
    said = say(alice, "bob", text("1"))
    wanted = payloads.encode(request(said, "bob", text("2")))
    alice.publish_bytes("bob", wanted, topic=Topic.MODIFY_MSG)
    rig.settle()
    assert alice.ack().status == ErrorCode.NOT_SUPPORT


def test_no_table_is_scanned(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    private, shared = say(alice, "bob", text("1")), say(alice, "team", text("1"), type=GROUP)
    database = rig.store.store._database
    with query_plans(database.writing) as writing, query_plans(database.reading) as reading:
        edit(alice, private, "bob", "2")
        edit(alice, shared, "team", "2", GROUP)
        assert edited(bob, 0) == ["2", "2"]
    assert [line for line in writing if line.startswith(("SCAN", "USE TEMP"))] == []
    assert [line for line in reading if line.startswith("SCAN") and line != "SCAN told"] == []
