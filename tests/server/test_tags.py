"""Tags: names that users sort their conversations by (operations 8, codes 7, sdk5 8.3)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import Delivery, QueryAck
from improto.operations import Topic, operation
from improto_server.services import tags as module
from improto_server.store import settings as table
from tests.server.conversation_tools import status
from tests.server.rig import APP, START, Rig
from tests.server.test_settings import pulled, read

if TYPE_CHECKING:
    from pathlib import Path

    from improto.payloads import Message
    from tests.server.rig import Client

OLD, NEW, NEWEST = "2.9.2", "4.6.4", "5.38.0"
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
EXISTS, MISSING = ErrorCode.TAG_EXISTS, ErrorCode.TAG_NOT_EXIST
OVERSIZE = ErrorCode.CONVERSATION_TAG_OVERSIZE


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


def tags(client: Client, version: int = 0) -> list[tuple[str, str, int]] | None:
    """Id, name and when it was made; None if nothing has changed.

    SDKs take the last item for all that there are.
    """
    items = settings(client, version).items
    if not items:
        return None
    (item,) = items
    assert (item.key, item.targetId, item.type, item.status) == ("Tag", "alice", 1, 2)
    return [(tag.tagId, tag.name, tag.createdTime) for tag in item.tags]


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
    assert tags(other) == [("w", "Work", first)]
    assert settings(other).version == first
    second = made(alice, ("h", "Home"))
    assert tags(other, first) == [("h", "Home", second), ("w", "Work", first)]
    other.frames()
    removal = alice.ask(Topic.DEL_SE_TAG, to_remove("w"), payloads.SetUserSettingOutput)
    assert len(other.deliveries(Topic.S_US)) == 1
    assert tags(other, second) == [("h", "Home", second)]
    assert settings(other).version == removal.version
    assert settings(other, removal.version) == payloads.PullUserSettingOutput(
        version=removal.version
    )
    last = alice.ask(Topic.DEL_SE_TAG, to_remove("h"), payloads.SetUserSettingOutput)
    assert tags(other, removal.version) == []
    assert settings(other).version == last.version
    assert made(alice, ("w", "Work again")) > last.version
    assert tags(rig.online("bob")) is None


def test_who_removes_a_tag_is_told_that_conversations_lost_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    made(alice, ("w", "Work"))
    message_id = alice.query(Topic.DEL_SE_TAG, to_remove("w"))
    rig.settle()
    frames = alice.frames()
    (prompt,) = (frame for frame in frames if isinstance(frame, Delivery))
    (answer,) = (frame for frame in frames if isinstance(frame, QueryAck))
    assert answer.message_id == message_id
    told = payloads.decode(payloads.NotifyMsg, prompt.data)
    removal = payloads.decode(payloads.SetUserSettingOutput, answer.data)
    assert (prompt.topic, told.type, told.time) == (Topic.S_CMD, 3, removal.version)


def test_removed_tags_do_not_pile_up(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEWEST)
    for number in range(3):
        made(alice, (f"t{number}", "Tag"))
        assert status(alice, Topic.DEL_SE_TAG, to_remove(f"t{number}")) == 0
    rows = rig.do(read(rig, partial(table.tags_of, app=APP, user="alice")))
    assert [row.tag for row in rows] == ["t2"]


@pytest.mark.parametrize("sdk", [OLD, NEWEST])
def test_who_renames_by_making_once_more(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", sdk)
    first = made(alice, ("w", "Work"))
    made(alice, ("w", "Job"))
    assert tags(alice) == [("w", "Job", first)]
    request = to_make(("w", "Work"), ("h", "Home"))
    assert status(rig.online("alice", NEW), Topic.ADD_SE_TAG, request) == EXISTS
    assert tags(rig.online("alice", NEW)) == [("w", "Job", first)]


def test_who_missed_nothing_need_not_ask_again(tmp_path: Path) -> None:
    """A version that the client takes over would hide what it has missed."""
    alice = Rig(tmp_path).online("alice", NEWEST)

    def asked(topic: Topic, request: Any, known: int) -> tuple[int, bool]:
        request.version = known
        reply: Any = alice.ask(topic, request, operation(topic).reply)
        return reply.version, reply.updateVersion

    first, is_whole = asked(Topic.ADD_SE_TAG, to_make(("w", "Work")), 0)
    assert is_whole
    second, is_whole = asked(Topic.ADD_SE_TAG, to_make(("h", "Home")), first)
    assert is_whole
    assert not asked(Topic.ADD_SE_TAG, to_make(("x", "Other")), first)[1]
    bob = to_attach(("bob", "w", False))
    third, is_whole = asked(Topic.ADD_TAG, bob, 0)
    assert is_whole
    assert not asked(Topic.ADD_TAG, to_attach(("carol", "w", False)), 0)[1]
    assert not asked(Topic.DEL_TAG, bob, third)[1]
    assert not asked(Topic.DEL_SE_TAG, to_remove("h"), second)[1]
    newest = settings(alice).version
    assert asked(Topic.DEL_SE_TAG, to_remove("w"), newest)[1]


def test_the_time_that_the_client_says(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.SessionTagAddInput(version=0)
    request.tags.add(tagId="w", name="Work", createdTime=START - 5)
    assert status(alice, Topic.ADD_SE_TAG, request) == 0
    assert tags(alice) == [("w", "Work", START - 5)]


@pytest.mark.parametrize("tag", [("", "Work"), ("w", ""), ("w" * 65, "Work"), ("w", "n" * 65)])
def test_tags_that_cannot_be(tmp_path: Path, tag: tuple[str, str]) -> None:
    alice = Rig(tmp_path).online("alice")
    assert status(alice, Topic.ADD_SE_TAG, to_make(("ok", "Fine"), tag)) == INVALID
    assert tags(alice) is None


@pytest.mark.parametrize(
    ("topic", "request_"), [(Topic.ADD_SE_TAG, to_make()), (Topic.DEL_SE_TAG, to_remove())]
)
def test_no_tag_at_all(tmp_path: Path, topic: Topic, request_: Message) -> None:
    alice = Rig(tmp_path).online("alice")
    assert status(alice, topic, request_) == INVALID
    assert tags(alice) is None


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TAGS", 2)
    monkeypatch.setattr(module, "MOST_CONVERSATIONS", 2)
    alice = Rig(tmp_path).online("alice", OLD)
    made(alice, ("a", "A"), ("b", "B"))
    made(alice, ("a", "A"), ("b", "B"))
    assert status(alice, Topic.ADD_SE_TAG, to_make(("c", "C"))) == OVERSIZE
    # Who had more before there was a limit can still rename them.
    monkeypatch.setattr(module, "MOST_TAGS", 1)
    made(alice, ("a", "A"), ("b", "B"))
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
    # Who attaches it again and does not say whether on top leaves that as it is.
    request = to_attach(("bob", "h", False), ("carol", "h", False))
    for state in request.state:
        state.stateItem[0].tags[0].ClearField("isTop")
    before = pulled(other).version
    assert status(alice, Topic.ADD_TAG, request) == 0
    assert sorted(attached(other, before)) == [
        ("bob", '["h"]', [("h", "Home", True)]),
        ("carol", '["w","h"]', [("w", "Work", False), ("h", "Home", False)]),
    ]
    assert status(alice, Topic.DEL_TAG, to_attach(("carol", "h", False))) == 0
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
    assert len(tags(alice) or ()) == 2


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.DEL_SE_TAG, to_remove("w", "x")),
        (Topic.DIS_TAG, payloads.SessionDisTagReq(tagId=["w", "x"])),
        (Topic.ADD_TAG, to_attach(("bob", "w", False), ("bob", "x", False))),
        (Topic.DEL_TAG, to_attach(("bob", "x", False))),
    ],
)
@pytest.mark.parametrize(("sdk", "code"), [(OLD, EXISTS), (NEW, MISSING), (NEWEST, MISSING)])
def test_a_tag_that_is_missing(
    tmp_path: Path, topic: Topic, request_: Message, sdk: str, code: ErrorCode
) -> None:
    """The number that SDK 2.9.2 takes for it means the contrary to SDK 4.6.4."""
    alice = Rig(tmp_path).online("alice", sdk)
    version = made(alice, ("w", "Work"))
    assert status(alice, topic, request_) == code
    assert tags(alice, version) is None
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
