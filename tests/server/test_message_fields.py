"""What SDK 5 says with a message besides its content (sdk5 5, 6, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import (
    ChatroomBan,
    ChatroomBlock,
    ChatroomMemberChange,
    ChatroomSync,
    ConfigChangeRequest,
    ExtFlag,
    OptionFlag,
)
from improto.operations import Topic
from tests.server.conversation_tools import (
    GROUP,
    PRIVATE,
    conversations,
    history,
    make_group,
    say,
)
from tests.server.rig import Rig, item

if TYPE_CHECKING:
    from pathlib import Path

    from improto.contents import BaseContent

NEW, MIDDLE, OLD = "5.38.0", "4.6.4", "2.9.2"

FIELDS: Any = {
    "optionBits": 3,
    "extMsgData": payloads.ExtMsgData(seqId=7, sendTime=8),
    "metadata": "{}",
    "refData": payloads.ReferenceData(msgId="uid", fromUserId="carol", classname="RC:TxtMsg"),
}


def test_whoever_reads_a_message_reads_all_its_fields(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other, bob = rig.online("alice", NEW), rig.online("alice", NEW), rig.online("bob", NEW)
    say(alice, "bob", clientUniqueId=1234567890123456, userId=["carol"], **FIELDS)
    found = [
        *bob.pull_all(),
        *other.pull_all(),
        *rig.client("bob", NEW).pull_all(),
        *history(bob, "alice").list,
        *history(alice, "bob").list,
        conversations(bob)[0].msg,
    ]
    assert len(found) == 6
    for each in found:
        assert {name: getattr(each, name) for name in FIELDS} == FIELDS
        assert each.clientUniqueId == 1234567890123456
        assert [*each.toUserIds] == [], "in a conversation of two nobody is chosen"
        assert not each.HasField("extStatus")


def test_without_them_nothing_is_said(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    say(alice, "bob", optionBits=0)
    (found,) = bob.pull_all()
    present = {field.name for field, _ in found.ListFields()}
    assert present & {*FIELDS, "clientUniqueId", "toUserIds", "extStatus"} == set()


def test_nobody_can_say_that_somebody_else_has_sent_a_receipt(tmp_path: Path) -> None:
    """Only the server knows who has (sdk5 8.2)."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    say(alice, "bob", optionBits=OptionFlag.WANTS_RECEIPT | OptionFlag.RECEIPT_SENT)
    (found,) = bob.pull_all()
    assert found.optionBits == OptionFlag.WANTS_RECEIPT


def test_a_message_for_some_members_says_for_whom(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob", "carol")
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    say(alice, "team", type=GROUP, userId=["bob", "bob", "dave"])
    (found,) = bob.pull_all()
    assert [*found.toUserIds] == ["bob", "dave"]


@pytest.mark.parametrize("sdk", [OLD, MIDDLE, NEW])
@pytest.mark.parametrize(
    ("name", "topic"), [("RC:TypSts", Topic.PP_MSG_P), ("app:status", Topic.PP_MSG_S)]
)
def test_status_messages_say_so(tmp_path: Path, sdk: str, name: str, topic: Topic) -> None:
    """SDK 5 shows a type that it does not know only then."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", sdk)
    say(alice, "bob", name=name, topic=topic, flags=0)
    (delivery,) = bob.deliveries(Topic.S_MSG)
    assert item(delivery).extStatus == ExtFlag.STATUS
    assert bob.pull_all() == []


def test_a_message_that_is_sent_again_is_answered_like_the_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    first = say(alice, "bob", clientUniqueId=42)
    alice.leave()
    rig.advance(600)
    again = say(rig.online("alice", NEW), "bob", clientUniqueId=42)
    assert (again.status, again.uid, again.time) == (0, first.uid, first.time)
    (found,) = bob.pull_all()
    assert found.clientUniqueId == 42
    assert say(rig.online("carol", NEW), "bob", clientUniqueId=42).uid != first.uid


@pytest.mark.parametrize("type", [PRIVATE, GROUP, ConversationType.CHATROOM])
@pytest.mark.parametrize(
    "kind",
    [ChatroomBan, ChatroomBlock, ChatroomMemberChange, ChatroomSync, ConfigChangeRequest],
)
def test_what_sdk_5_obeys_only_the_server_says(
    tmp_path: Path, kind: type[BaseContent], type: ConversationType
) -> None:
    rig = Rig(tmp_path)
    make_group(rig, "alice", "bob")
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    if type is ConversationType.CHATROOM:
        rig.do(rig.system.rooms.create("app", "team", name="Team"))
        for client in (alice, bob):
            request = payloads.ChrmInput(nothing=0)
            client.query(Topic.JOIN_CHRM, request, target="team")
        rig.settle()
    target = "bob" if type is PRIVATE else "team"
    said = say(alice, target, type=type, name=kind.object_name)
    assert said.status == ErrorCode.RC_MSG_UNAUTHORIZED
    assert bob.pull_all() == []
