"""Tags: names that users sort their conversations by (operations 8, codes 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import tags as module
from tests.server.conversation_tools import status
from tests.server.rig import START, Rig
from tests.server.test_settings import pulled

if TYPE_CHECKING:
    from pathlib import Path

    from improto.payloads import Message
    from tests.server.rig import Client

OLD, NEW = "2.9.2", "4.6.4"
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
EXISTS, MISSING = ErrorCode.TAG_EXISTS, ErrorCode.TAG_NOT_EXIST


def to_make(*tags: tuple[str, str]) -> payloads.SessionTagAddInput:
    request = payloads.SessionTagAddInput(version=0)
    for id, name in tags:
        request.tags.add(tagId=id, name=name)
    return request


def to_remove(*tags: str) -> payloads.SessionTagDelInput:
    request = payloads.SessionTagDelInput(version=0)
    for id in tags:
        request.tags.add(tagId=id)
    return request


def to_attach(*wanted: tuple[str, str, bool], type: int = 1) -> payloads.SessionStateModifyReq:
    request = payloads.SessionStateModifyReq(version=0)
    for target, id, is_top in wanted:
        item = request.state.add(type=type, channelId=target).stateItem.add(
            sessionStateType=3, value=""
        )
        item.tags.add(tagId=id, isTop=is_top)
    return request


def made(client: Client, *tags: tuple[str, str]) -> int:
    """The version."""
    reply = client.ask(Topic.ADD_SE_TAG, to_make(*tags), payloads.SetUserSettingOutput)
    assert not reply.reserve
    return reply.version


def settings(client: Client, version: int = 0) -> payloads.PullUserSettingOutput:
    request = payloads.PullUserSettingInput(version=version)
    return client.ask(Topic.PULL_US, request, payloads.PullUserSettingOutput)


def tags(client: Client, version: int = 0) -> list[tuple[int, str, str, int]]:
    """Status, id, name and when it was made."""
    reply = settings(client, version)
    assert all((item.key, item.targetId, item.type) == ("Tag", "alice", 1) for item in reply.items)
    return [
        (item.status, tag.tagId, tag.name, tag.createdTime)
        for item in reply.items
        for tag in item.tags
    ]


def attached(client: Client, after: int = 0) -> list[tuple[str, str, list[tuple[str, str, bool]]]]:
    return [
        (
            state.channelId,
            item.value,
            [(tag.tagId, tag.name, tag.isTop) for tag in item.tags],
        )
        for state in pulled(client, after).state
        for item in state.stateItem
    ]


def test_making_and_removing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other, old = rig.online("alice"), rig.online("alice", OLD), rig.online("alice", "2.5.3")
    rig.advance(5)
    first = made(alice, ("w", "Work"))
    (notice,) = other.deliveries(Topic.S_US)
    told = payloads.decode(payloads.UserSettingNotification, notice.data)
    assert (told.version, told.reserve) == (first, False)
    assert [*alice.frames(), *old.frames()] == []
    assert tags(other) == [(1, "w", "Work", first)]
    assert settings(other).version == first
    second = made(alice, ("h", "Home"))
    assert tags(other, first) == [(1, "h", "Home", second)]
    removal = alice.ask(Topic.DEL_SE_TAG, to_remove("w"), payloads.SetUserSettingOutput)
    assert tags(other, second) == [(3, "w", "Work", first)]
    assert settings(other, removal.version) == payloads.PullUserSettingOutput(
        version=removal.version
    )
    assert made(alice, ("w", "Work again")) > removal.version
    assert tags(rig.online("bob")) == []


def test_the_old_sdk_renames_by_making_once_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    first = made(alice, ("w", "Work"))
    made(alice, ("w", "Job"))
    assert tags(alice) == [(2, "w", "Job", first)]
    request = to_make(("w", "Work"), ("h", "Home"))
    assert status(rig.online("alice", NEW), Topic.ADD_SE_TAG, request) == EXISTS
    assert tags(rig.online("alice", NEW)) == [(2, "w", "Job", first)]


def test_the_time_that_the_client_says(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.SessionTagAddInput(version=0)
    request.tags.add(tagId="w", name="Work", createdTime=START - 5)
    assert status(alice, Topic.ADD_SE_TAG, request) == 0
    assert tags(alice) == [(1, "w", "Work", START - 5)]


@pytest.mark.parametrize("tag", [("", "Work"), ("w", ""), ("w" * 65, "Work"), ("w", "n" * 65)])
def test_tags_that_cannot_be(tmp_path: Path, tag: tuple[str, str]) -> None:
    alice = Rig(tmp_path).online("alice")
    assert status(alice, Topic.ADD_SE_TAG, to_make(("ok", "Fine"), tag)) == INVALID
    assert tags(alice) == []


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TAGS", 2)
    monkeypatch.setattr(module, "MOST_CONVERSATIONS", 2)
    alice = Rig(tmp_path).online("alice", OLD)
    made(alice, ("a", "A"), ("b", "B"))
    made(alice, ("a", "A"), ("b", "B"))
    assert status(alice, Topic.ADD_SE_TAG, to_make(("c", "C"))) == INVALID
    wanted = [(name, "a", False) for name in ("bob", "carol", "dave")]
    assert status(alice, Topic.ADD_TAG, to_attach(*wanted)) == INVALID
    assert status(alice, Topic.ADD_TAG, to_attach(*wanted[:2])) == 0


def test_attaching_and_detaching(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice", OLD), rig.online("alice", NEW)
    made(alice, ("w", "Work"), ("h", "Home"))
    other.frames()
    request = to_attach(("bob", "w", False), ("bob", "h", True), ("carol", "w", False))
    reply = alice.ask(Topic.ADD_TAG, request, payloads.SessionStateModifyResp)
    (notice,) = other.deliveries(Topic.S_CMD)
    told = payloads.decode(payloads.NotifyMsg, notice.data)
    assert (told.type, told.time) == (3, reply.version)
    assert sorted(attached(other)) == [
        ("bob", '["w","h"]', [("w", "Work", False), ("h", "Home", True)]),
        ("carol", '["w"]', [("w", "Work", False)]),
    ]
    assert status(alice, Topic.DEL_TAG, to_attach(("bob", "w", False))) == 0
    assert attached(other, reply.version) == [("bob", '["h"]', [("h", "Home", True)])]
    # A tag that is removed is nowhere any more.
    version = pulled(other).version
    assert status(alice, Topic.DEL_SE_TAG, to_remove("h")) == 0
    assert attached(other, version) == [("bob", "[]", [])]


def test_taking_a_tag_from_all_conversations(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", OLD)
    made(alice, ("w", "Work"), ("h", "Home"))
    assert status(alice, Topic.ADD_TAG, to_attach(("bob", "w", False), ("carol", "h", False))) == 0
    version = pulled(alice).version
    assert status(alice, Topic.DIS_TAG, payloads.SessionDisTagReq(tagId=["w"])) == 0
    assert attached(alice, version) == [("bob", "[]", [])]
    assert len(tags(alice)) == 2


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.DEL_SE_TAG, to_remove("w", "x")),
        (Topic.DIS_TAG, payloads.SessionDisTagReq(tagId=["w", "x"])),
        (Topic.ADD_TAG, to_attach(("bob", "w", False), ("bob", "x", False))),
        (Topic.DEL_TAG, to_attach(("bob", "x", False))),
    ],
)
@pytest.mark.parametrize(("sdk", "code"), [(OLD, EXISTS), (NEW, MISSING)])
def test_a_tag_that_is_missing(
    tmp_path: Path, topic: Topic, request_: Message, sdk: str, code: ErrorCode
) -> None:
    """The number that SDK 2.9.2 takes for it means the contrary to SDK 4.6.4."""
    alice = Rig(tmp_path).online("alice", sdk)
    version = made(alice, ("w", "Work"))
    assert status(alice, topic, request_) == code
    assert tags(alice, version) == []
    assert attached(alice) == []
    # One that is gone is missing as well.
    assert status(alice, Topic.DEL_SE_TAG, to_remove("w")) == 0
    assert status(alice, Topic.DEL_SE_TAG, to_remove("w")) == code


def test_a_conversation_without_the_tag(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", OLD)
    made(alice, ("w", "Work"))
    request = to_attach(("bob", "w", False))
    assert status(alice, Topic.DEL_TAG, request) == ErrorCode.NO_TAG_IN_CONVER
    assert status(alice, Topic.ADD_TAG, to_attach(("a b", "w", False))) == INVALID
    assert status(alice, Topic.ADD_TAG, to_attach(("lobby", "w", False), type=4)) == INVALID
