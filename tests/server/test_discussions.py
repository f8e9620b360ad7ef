"""Discussions: who may do what, what the others are told, and what SDK 2.5.3 needs to hear."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import DownFlag
from improto.frames import PubAck, Query
from improto.operations import Topic
from improto_server.services import Caller, rosters
from improto_server.services.discussions import FIRST_MEMBERS, ID_BYTES, Discussions
from improto_server.services.rosters import NAME_CHARACTERS
from improto_server.store import Place, StoreError
from tests.server.rig import APP, Rig, item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.rig import Client

DISCUSSION = ConversationType.DISCUSSION


def ask(client: Client, topic: Topic, target: str, request: payloads.Message) -> tuple[int, bytes]:
    """Ask about a discussion; status and data of the answer."""
    message_id = client._id()
    data = payloads.encode(request)
    client.send(Query(topic=topic, target_id=target, message_id=message_id, data=data))
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status, answer.data


def create(client: Client, name: str = "Talk") -> str:
    request = payloads.CreateDiscussionInput(name=name)
    return client.ask(Topic.CR_DIZ, request, payloads.CreateDiscussionOutput).id


def invite(client: Client, id: str, *users: str) -> int:
    return ask(client, Topic.INVT_DIZ, id, payloads.ChannelInvitationInput(users=users))[0]


def info(client: Client, id: str) -> payloads.ChannelInfoOutput:
    status, data = ask(client, Topic.DIZ_INF, id, payloads.ChannelInfoInput(nothing=1))
    assert status == 0
    return payloads.decode(payloads.ChannelInfoOutput, data)


def quit(client: Client, id: str) -> int:
    return ask(client, Topic.QUIT_DIZ, id, payloads.LeaveChannelInput(nothing=1))[0]


def evict(client: Client, id: str, user: str) -> int:
    return ask(client, Topic.EVCT_DIZ, id, payloads.ChannelEvictionInput(user=user))[0]


def open_to(client: Client, id: str, status: int) -> int:
    return ask(client, Topic.PD_OPEN, id, payloads.ModifyPermissionInput(openStatus=status))[0]


def rename(client: Client, id: str, name: str) -> int:
    return ask(client, Topic.RENAME, id, payloads.RenameChannelInput(name=name))[0]


def notices(client: Client) -> list[tuple[str, Any]]:
    """What a client pulls, which must be notices: who did what."""
    found = []
    for message in client.pull_all():
        assert message.classname == "RC:DizNtf"
        assert (message.type, message.groupId[:1]) == (DISCUSSION, "~")
        assert message.status == DownFlag.STORED
        content = json.loads(message.content)
        assert content.pop("operation") == message.fromUserId
        found.append((message.fromUserId, content))
    return found


def talk(rig: Rig, *names: str, sdk: str = "2.5.3") -> tuple[str, list[Client]]:
    """A discussion of users who are online and have seen all notices; the first is the owner."""
    clients = [rig.online(name, sdk=sdk) for name in names]
    id = create(clients[0])
    if len(names) > 1:
        assert invite(clients[0], id, *names[1:]) == 0
    for client in clients:
        client.pull_all()
        client.frames()
    return id, clients


# -- making one ----------------------------------------------------------------------


def test_who_makes_a_discussion_owns_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann = rig.online("ann", sdk="2.5.3")
    id = create(ann)
    assert re.fullmatch("~[a-z2-7]{16}", id)
    found = info(ann, id)
    assert (found.type, found.channelId, found.channelName) == (DISCUSSION, id, "Talk")
    assert (found.adminUserId, found.firstTenUserIds, found.openStatus) == ("ann", ["ann"], 0)
    assert create(ann) != id
    assert ann.pull_all() == []


def test_a_discussion_may_have_no_name(tmp_path: Path) -> None:
    ann = Rig(tmp_path).online("ann", sdk="2.5.3")
    id = ann.ask(Topic.CR_DIZ, payloads.CreateDiscussionInput(), payloads.CreateDiscussionOutput).id
    found = info(ann, id)
    # SDK 2.5.3 cannot read a reply without it.
    assert found.HasField("channelName")
    assert found.channelName == ""


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    ann = Rig(tmp_path).online("ann")
    request = payloads.CreateDiscussionInput(name="n" * (NAME_CHARACTERS + 1))
    assert ask(ann, Topic.CR_DIZ, "ann", request)[0] == ErrorCode.CREATE_DISCUSSION


def test_an_id_that_is_taken_is_not_given_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    numbers = iter([0, 0, 2**80 - 1])

    def random(size: int) -> bytes:
        assert size == ID_BYTES
        return next(numbers).to_bytes(size)

    discussions = Discussions(rosters=rig.system.rosters, messages=rig.messages, random=random)
    caller = Caller(APP, "ann", rig.online("ann").peer.connection.profile)
    ids = [
        rig.do(discussions.create(caller, "ann", payloads.CreateDiscussionInput())).id
        for _ in range(2)
    ]
    assert ids == ["~" + "a" * 16, "~" + "7" * 16]


# -- coming and going ----------------------------------------------------------------


def test_members_invite(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert invite(bob, id, "eve", "ann", "joe", "eve") == 0
    joined = ("bob", {"type": 1, "extension": "eve,joe"})
    assert notices(ann) == notices(rig.client("eve")) == notices(rig.client("joe")) == [joined]
    assert notices(bob) == []
    assert info(ann, id).firstTenUserIds == ["ann", "bob", "eve", "joe"]


def test_who_is_invited_is_told_so_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann,) = talk(rig, "ann")
    eve = rig.online("eve", sdk="4.6.4")
    invite(ann, id, "eve")
    (push,) = eve.deliveries(Topic.S_MSG)
    assert item(push).classname == "RC:DizNtf"


def test_inviting_members_again_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert invite(ann, id, "bob") == 0
    assert notices(bob) == []


def test_invitations_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_MEMBERS", 3)
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    zoe = rig.online("zoe")
    assert invite(zoe, id, "zoe") == ErrorCode.NOT_IN_DISCUSSION
    assert invite(ann, id) == ErrorCode.JOIN_IN_DISCUSSION
    assert invite(ann, id, "joe", "a b") == ErrorCode.JOIN_IN_DISCUSSION
    assert invite(ann, id, "joe", "eve") == ErrorCode.JOIN_IN_DISCUSSION
    assert notices(bob) == []
    assert info(ann, id).firstTenUserIds == ["ann", "bob"]


def test_into_a_closed_discussion_only_the_owner_invites(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert open_to(ann, id, 1) == 0
    assert info(bob, id).openStatus == 1
    assert invite(bob, id, "eve") == ErrorCode.INVITE_DICUSSION
    assert invite(ann, id, "joe") == 0
    assert open_to(ann, id, 0) == 0
    assert invite(bob, id, "eve") == 0
    assert notices(bob) == [
        ("ann", {"type": 5, "extension": "1"}),
        ("ann", {"type": 1, "extension": "joe"}),
        ("ann", {"type": 5, "extension": "0"}),
    ]


def test_only_the_owner_closes_a_discussion(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert open_to(bob, id, 1) == ErrorCode.INVITE_DICUSSION
    assert open_to(rig.online("zoe"), id, 1) == ErrorCode.INVITE_DICUSSION
    assert open_to(ann, id, 2) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert notices(bob) == []
    assert info(bob, id).openStatus == 0


def test_who_leaves_hears_no_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, eve) = talk(rig, "ann", "bob", "eve")
    assert quit(bob, id) == 0
    assert notices(ann) == notices(eve) == [("bob", {"type": 2, "extension": "bob"})]
    assert notices(bob) == []
    assert quit(bob, id) == ErrorCode.NOT_IN_DISCUSSION
    assert info(ann, id).adminUserId == "ann"


def test_after_the_owner_the_oldest_member_owns_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, eve) = talk(rig, "ann", "bob", "eve")
    assert quit(ann, id) == 0
    found = info(eve, id)
    assert (found.adminUserId, found.firstTenUserIds) == ("bob", ["bob", "eve"])
    assert open_to(bob, id, 1) == 0
    rig.store.store.close()
    later = Rig(tmp_path)
    assert info(later.online("eve"), id).adminUserId == "bob"


def test_without_members_there_is_no_discussion(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert quit(ann, id) == quit(bob, id) == 0
    roster = rig.do(rig.system.rosters.load(Place(APP, DISCUSSION, id)))
    assert not roster.exists
    assert ask(bob, Topic.DIZ_INF, id, payloads.ChannelInfoInput(nothing=1)) == (
        ErrorCode.NOT_IN_DISCUSSION,
        b"",
    )


def test_the_owner_removes_members(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, eve) = talk(rig, "ann", "bob", "eve")
    assert evict(bob, id, "eve") == ErrorCode.RC_MSG_UNAUTHORIZED
    assert evict(ann, id, "zoe") == ErrorCode.NOT_IN_DISCUSSION
    assert evict(ann, id, "ann") == ErrorCode.RC_MSG_UNAUTHORIZED
    assert evict(rig.online("zoe"), id, "eve") == ErrorCode.NOT_IN_DISCUSSION
    assert evict(ann, id, "eve") == 0
    removed = [("ann", {"type": 4, "extension": "eve"})]
    assert notices(bob) == removed
    # Who is removed is told so, and nothing after it.
    assert rename(ann, id, "Without eve") == 0
    assert notices(eve) == removed
    assert info(ann, id).firstTenUserIds == ["ann", "bob"]


def test_members_rename_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob")
    assert rename(bob, id, "Other") == 0
    assert info(ann, id).channelName == "Other"
    assert notices(ann) == [("bob", {"type": 3, "extension": "Other"})]
    assert rename(rig.online("zoe"), id, "No") == ErrorCode.NOT_IN_DISCUSSION
    for name in ("", "n" * (NAME_CHARACTERS + 1)):
        assert rename(bob, id, name) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert notices(ann) == []


def test_the_first_members_are_the_oldest(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann,) = talk(rig, "ann")
    users = [f"user{number:02}" for number in range(FIRST_MEMBERS + 3)]
    for user in reversed(users):
        assert invite(ann, id, user) == 0
    assert info(ann, id).firstTenUserIds == ["ann", *reversed(users[4:])]


@pytest.mark.parametrize(
    "act",
    [
        lambda client, id: invite(client, id, "eve"),
        quit,
        lambda client, id: evict(client, id, "eve"),
        lambda client, id: open_to(client, id, 1),
        lambda client, id: rename(client, id, "Other"),
    ],
    ids=["invite", "quit", "evict", "open", "rename"],
)
def test_ids_that_name_nothing(tmp_path: Path, act: Callable[[Client, str], int]) -> None:
    rig = Rig(tmp_path)
    ann = rig.online("ann")
    for id in ("", "team", "ann", "~", "~a b"):
        assert act(ann, id) == ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID
    assert act(ann, "~nothing") in (ErrorCode.NOT_IN_DISCUSSION, ErrorCode.INVITE_DICUSSION)


def test_a_change_and_its_notice_are_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, _) = talk(rig, "ann", "bob", "eve")
    rig.store.broken = StoreError("the disk is gone")
    assert invite(ann, id, "joe") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    request = payloads.ChannelEvictionInput(user="eve")
    ann.send(
        Query(
            topic=Topic.EVCT_DIZ,
            target_id=id,
            message_id=ann._id(),
            data=payloads.encode(request),
        )
    )
    # The roster is read anew, and then change and notice go in one batch.
    assert rig.settle() == 2
    assert ("ann", {"type": 4, "extension": "eve"}) in notices(bob)
    assert "eve" not in info(bob, id).firstTenUserIds


# -- messages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "sdk"),
    [(Topic.PD_MSG_P, "2.5.3"), (Topic.PP_MSG_P, "2.9.2"), (Topic.PP_MSG_P, "4.6.4")],
)
def test_messages_reach_the_members(tmp_path: Path, topic: Topic, sdk: str) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, eve) = talk(rig, "ann", "bob", "eve", sdk=sdk)
    eve.leave()
    ann.publish(id, topic=topic)
    rig.settle()
    ack = ann.ack()
    assert ack.status == 0
    found = []
    # Eve was away, and begins with the invitation.
    for message in (*bob.pull_all(), *rig.client("eve").pull_all()[1:]):
        assert (message.type, message.groupId, message.fromUserId) == (DISCUSSION, id, "ann")
        found.append(message.msgId)
    assert found == [ack.uid, ack.uid]


@pytest.mark.parametrize("topic", [Topic.PD_MSG_P, Topic.PP_MSG_P, Topic.PP_MSG_S])
def test_only_members_write(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    id, (ann,) = talk(rig, "ann")
    zoe = rig.online("zoe")
    for target in (id, "~nothing"):
        zoe.publish(target, topic=topic)
        rig.settle()
        assert zoe.ack().status == ErrorCode.NOT_IN_DISCUSSION
    assert ann.frames() == []


@pytest.mark.parametrize("target", ["", "team", "~", "~a b", "~" + "a" * 64])
def test_a_discussion_that_cannot_be_one(tmp_path: Path, target: str) -> None:
    ann = Rig(tmp_path).online("ann")
    ann.publish(target, topic=Topic.PD_MSG_P)
    assert ann.ack().status == ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID


def test_a_message_for_some_members(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob, eve) = talk(rig, "ann", "bob", "eve")
    ann.publish(id, topic=Topic.PD_MSG_P, userId=["bob"])
    rig.settle()
    assert len(bob.pull_all()) == 1
    assert eve.pull_all() == []


def test_typing_in_a_discussion(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann, bob) = talk(rig, "ann", "bob", sdk="4.6.4")
    ann.publish(id, "{}", topic=Topic.PP_MSG_S, name="RC:TypSts", flags=0)
    rig.settle()
    (push,) = bob.deliveries(Topic.S_MSG)
    assert (item(push).type, item(push).groupId) == (DISCUSSION, id)
    assert bob.pull_all() == []


def test_a_public_room_of_that_name_is_no_discussion(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    id, (ann,) = talk(rig, "ann")
    ann.publish(id, topic=Topic.PG_MSG_P)
    assert [frame.status for frame in ann.frames() if isinstance(frame, PubAck)] == [
        ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID
    ]


def test_the_acting_users_other_device_sees_the_notice(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    id, (ann, _) = talk(rig, "ann", "bob")
    other = rig.online("ann")
    assert rename(ann, id, "Other") == 0
    (notice,) = other.pull_all()
    assert (notice.classname, notice.direction, notice.groupId) == ("RC:DizNtf", 1, id)


def test_nobody_is_let_in_whom_the_notice_cannot_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann = rig.online("ann", "2.5.3")
    id = create(ann)
    many = [f"{number:064}" for number in range(rig.limits.content_bytes // 64)]
    assert invite(ann, id, *many) == ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT
    assert info(ann, id).firstTenUserIds == ["ann"]
    assert invite(ann, id, *many[:1000]) == 0
