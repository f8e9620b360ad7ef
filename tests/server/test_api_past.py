"""What was said, read, changed and put away over the REST API (rest 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.operations import Topic
from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = {"fromUserId": "alice", "objectName": "RC:TxtMsg"}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    rig = ApiRig(tmp_path)
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    return rig


def say(rig: ApiRig, text: str, **changes: Any) -> str:
    """Send bob a message; returns its uid. A second passes."""
    fields = {**MESSAGE, "toUserId": "bob", "content": f'{{"content":"{text}"}}', **changes}
    (sent,) = rig.ask("/message/private/publish", **fields)["messageUIDs"]
    rig.advance(1)
    uid: str = sent["messageUID"]
    return uid


def said(rig: ApiRig, user: str, target: str, **changes: Any) -> list[dict[str, Any]]:
    kind = "group" if target == "g" else "private"
    times = {"startTime": 0, "endTime": 10**14, **changes}
    asked = {"userId": user, "targetId": target, **times}
    texts = {name: str(value) for name, value in asked.items()}
    found: list[dict[str, Any]] = rig.ask(f"/v3/message/{kind}/query", **texts)["data"]
    return found


def test_reading(rig: ApiRig) -> None:
    first = say(rig, "one", expansion="true", extraContent='{"k":"v"}')
    second = say(rig, "two", fromUserId="bob", toUserId="alice")
    say(rig, "three")
    found = said(rig, "alice", "bob")
    assert [each["content"][12:-2] for each in found] == ["one", "two", "three"]
    assert [each["fromUserId"] for each in found] == ["alice", "bob", "alice"]
    assert [each["targetId"] for each in found] == ["bob"] * 3
    time = found[0]["msgTime"]
    assert found[0] == {
        "targetId": "bob",
        "fromUserId": "alice",
        "messageUID": first,
        "msgTime": time,
        "objectName": "RC:TxtMsg",
        "content": '{"content":"one"}',
        "expansion": True,
        "extraContent": '{"k":{"v":"v"}}',
    }
    assert len(said(rig, "bob", "alice", pageSize=2)) == 2
    assert len(said(rig, "alice", "bob", startTime=time)) == 2
    assert len(said(rig, "alice", "bob", startTime=time, includeStart="true")) == 3
    (last,) = said(rig, "alice", "bob", startTime=time, endTime=time + 1500)
    assert last["messageUID"] == second
    assert said(rig, "alice", "carol") == []


def test_reading_groups(rig: ApiRig) -> None:
    rig.ask("/message/group/publish", **MESSAGE, toGroupId="g", content="x")
    (found,) = said(rig, "bob", "g")
    assert (found["fromUserId"], found["targetId"]) == ("alice", "g")
    asked = {"targetId": "g", "startTime": "0", "endTime": "1"}
    assert rig.code("/v3/message/group/query", **asked, userId="carol") == 1002
    assert rig.code("/v3/message/group/query", **asked, userId="bob", pageSize="101") == 1502
    assert rig.code("/v3/message/group/query", userId="bob", targetId="g") == 1002


def test_editing(rig: ApiRig) -> None:
    uid = say(rig, "one")
    (sent,) = rig.ask("/message/group/publish", **MESSAGE, toGroupId="g", content='{"content":""}')[
        "messageUIDs"
    ]
    new = {"fromUserId": "alice", "content": '{"content":"new"}'}
    rig.ask("/message/private/modify", **new, targetId="bob", msgUID=uid)
    rig.ask("/message/group/modify", **new, targetId="g", msgUID=sent["messageUID"])
    for target, user in (("alice", "bob"), ("g", "bob")):
        (found,) = said(rig, user, target)
        assert found["content"] == new["content"]
    others = {**new, "fromUserId": "bob"}
    assert rig.code("/message/private/modify", **others, targetId="alice", msgUID=uid) == 1002
    assert rig.code("/message/private/modify", **new, targetId="bob", msgUID="x") == 1002
    assert rig.code("/message/group/modify", **new, targetId="~g", msgUID=uid) == 1002


def test_clearing(rig: ApiRig) -> None:
    """Others keep what they have."""
    say(rig, "one")
    bob = {"conversationType": 1, "fromUserId": "alice", "targetId": "bob"}
    time = said(rig, "alice", "bob")[0]["msgTime"]
    say(rig, "two")
    rig.ask("/conversation/message/history/clean", **bob, msgTimestamp=time)
    assert [each["content"][12:-2] for each in said(rig, "alice", "bob")] == ["two"]
    rig.ask("/conversation/message/history/clean", **bob)
    assert said(rig, "alice", "bob") == []
    assert len(said(rig, "bob", "alice")) == 2
    later = {**bob, "msgTimestamp": time + 10**9}
    assert rig.code("/conversation/message/history/clean", **later) == 1002
    rooms = {**bob, "conversationType": 4}
    assert rig.code("/conversation/message/history/clean", **rooms) == 1002


def test_clients_are_told_of_an_edit(rig: ApiRig) -> None:
    uid = say(rig, "one")
    bob = rig.online("bob", "5.38.0")
    new = {"fromUserId": "alice", "content": '{"content":"new"}'}
    rig.ask("/message/private/modify", **new, targetId="bob", msgUID=uid)
    assert [frame.topic for frame in bob.deliveries()] == [Topic.S_CMD]
    request = payloads.PullModifyMsgReq(pullVersion=1)
    found = bob.ask(Topic.PULL_MODIFY_MSG, request, payloads.PullModifyMsgResp)
    assert "new" in str(found)
