"""Groups: what the application says of them, and what becomes of messages to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import DownFlag
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services import groups as module
from improto_server.services import rosters
from improto_server.services.rosters import ID_BYTES, NAME_CHARACTERS, RosterFull
from improto_server.store import Place, StoreError
from improto_server.store.queries import history
from tests.server.rig import APP, START, Rig, item, sent_at

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from improto.frames import MessageId
    from improto_server.store import InboxItem
    from tests.server.rig import Client

GROUP = ConversationType.GROUP
BAD_IDS = ("", "~talk", "a b", "g" * (ID_BYTES + 1))


def team(rig: Rig, *members: str, owner: str = "") -> None:
    rig.do(rig.system.groups.create(APP, "team", owner=owner, members=members, name="Team"))


def write(
    client: Client, content: str = '{"content":"hi"}', *, to: str = "team", **fields: Any
) -> MessageId:
    """Send a message to the group."""
    return client.publish(to, content, topic=fields.pop("topic", Topic.PG_MSG_P), **fields)


def status_of(client: Client, **fields: Any) -> int:
    """Send a message to the group; what its PUBACK says."""
    write(client, **fields)
    client.rig.settle()
    return client.ack().status


def texts(messages: list[payloads.DownStreamMessage]) -> list[str]:
    return [message.content.decode() for message in messages]


def remembered(rig: Rig, *, target: str = "team", type: int = GROUP) -> list[InboxItem]:
    """What history has, newest first."""

    async def steps() -> list[InboxItem]:
        page = await rig.system.data.read(
            lambda connection: history(
                connection, app=APP, type=type, reader="zoe", target=target, count=100
            )
        )
        return list(page.items)

    return rig.do(steps())


def refused(steps: Coroutine[Any, Any, Any], rig: Rig) -> ErrorCode:
    with pytest.raises(ServiceError) as error:
        rig.do(steps)
    return error.value.code


# -- what the application says -------------------------------------------------------


def test_a_group_is_made(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    create = groups.create(APP, "team", owner="ann", members=["bob", "eve", "ann"], name="Team")
    assert rig.do(create) == ["ann", "bob", "eve"]
    info = rig.do(groups.info(APP, "team"))
    assert (info.exists, info.name, info.owner) == (True, "Team", "ann")
    assert rig.do(groups.members(APP, "team")) == ["ann", "bob", "eve"]


def test_making_it_again_adds_members_and_names_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann", owner="ann")
    assert rig.do(groups.create(APP, "team", members=["ann", "bob"], name="Other")) == ["bob"]
    info = rig.do(groups.info(APP, "team"))
    assert (info.name, info.owner) == ("Other", "ann")
    rig.do(groups.create(APP, "team", owner="bob", name="Other"))
    assert info.owner == "bob"


def test_joining_makes_a_group_but_names_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    assert rig.do(groups.join(APP, "team", ["ann"], name="Team")) == ["ann"]
    assert rig.do(groups.join(APP, "team", ["ann", "bob"], name="Other")) == ["bob"]
    info = rig.do(groups.info(APP, "team"))
    assert (info.name, info.owner) == ("Team", "")


def test_quitting_and_dismissing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann", "bob", "eve")
    assert rig.do(groups.quit(APP, "team", ["ann", "zoe"])) == ["ann"]
    assert rig.do(groups.members(APP, "team")) == ["bob", "eve"]
    rig.do(groups.dismiss(APP, "team"))
    assert not rig.do(groups.info(APP, "team")).exists
    assert rig.do(groups.members(APP, "team")) == []


def test_renaming(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann")
    rig.do(groups.rename(APP, "team", "n" * NAME_CHARACTERS))
    assert rig.do(groups.info(APP, "team")).name == "n" * NAME_CHARACTERS


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    assert rig.do(groups.quit(APP, "none", ["ann"])) == []
    rig.do(groups.dismiss(APP, "none"))
    rig.do(groups.rename(APP, "none", "Name"))
    rig.do(groups.mute_member(APP, "none", "ann"))
    assert rig.do(groups.members(APP, "none")) == []
    assert not rig.do(groups.info(APP, "none")).exists
    assert rig.do(groups.groups_of(APP, "nobody")) == []


def test_a_users_groups_are_synchronised(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    for group_id in ("a", "b"):
        rig.do(groups.create(APP, group_id, members=["ann", "bob"], name=f"old {group_id}"))
    rig.do(groups.create(APP, "c", members=["bob"], name="old c"))
    rig.do(groups.sync_user(APP, "ann", {"b": "new b", "c": "new c", "d": "new d"}))
    assert rig.do(groups.groups_of(APP, "ann")) == [("b", "old b"), ("c", "old c"), ("d", "new d")]
    assert rig.do(groups.members(APP, "a")) == ["bob"]
    rig.do(groups.sync_user(APP, "ann", {}))
    assert rig.do(groups.groups_of(APP, "ann")) == []


def test_groups_that_are_muted_are_listed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann")
    assert rig.do(groups.muted_groups(APP)) == []
    rig.do(groups.mute_all(APP, "team", is_muted=True))
    rig.do(groups.mute_all(APP, "none", is_muted=True))
    assert rig.do(groups.muted_groups(APP)) == ["team", "none"]
    rig.do(groups.mute_all(APP, "team", is_muted=False))
    assert rig.do(groups.muted_groups(APP)) == ["none"]


@pytest.mark.parametrize("group_id", BAD_IDS)
def test_ids_that_are_none_are_refused(tmp_path: Path, group_id: str) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    steps = [
        groups.create(APP, group_id, name="Team"),
        groups.join(APP, group_id, ["ann"]),
        groups.quit(APP, group_id, ["ann"]),
        groups.dismiss(APP, group_id),
        groups.rename(APP, group_id, "Team"),
        groups.info(APP, group_id),
        groups.members(APP, group_id),
        groups.mute_member(APP, group_id, "ann"),
        groups.mute_all(APP, group_id, is_muted=True),
        groups.exempt(APP, group_id, "ann", is_exempt=True),
        groups.sync_user(APP, "ann", {group_id: "Team"}),
    ]
    for step in steps:
        assert refused(step, rig) == ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID


def test_users_and_names_that_are_none_are_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    long_name = "n" * (NAME_CHARACTERS + 1)
    steps = [
        groups.create(APP, "team", name=long_name),
        groups.create(APP, "team", owner="a b", name="Team"),
        groups.create(APP, "team", members=[""], name="Team"),
        groups.join(APP, "team", ["ann"], name=long_name),
        groups.join(APP, "team", ["ann", "a b"]),
        groups.join(APP, "team", [f"u{n}" for n in range(module.USERS_AT_ONCE + 1)]),
        groups.quit(APP, "team", ["a b"]),
        groups.rename(APP, "team", long_name),
        groups.groups_of(APP, "a b"),
        groups.mute_member(APP, "team", "a b"),
        groups.exempt(APP, "team", "", is_exempt=True),
        groups.sync_user(APP, "a b", {}),
        groups.sync_user(APP, "ann", {"team": long_name}),
    ]
    for step in steps:
        assert refused(step, rig) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert not rig.do(groups.info(APP, "team")).exists


def test_a_full_group_takes_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_MEMBERS", 2)
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    with pytest.raises(RosterFull):
        rig.do(rig.system.groups.join(APP, "team", ["eve"]))
    assert rig.do(rig.system.groups.members(APP, "team")) == ["ann", "bob"]


def test_clients_cannot_change_groups(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann = rig.online("ann")
    group = payloads.GroupInput(groupInfo=[payloads.GroupInfo(id="team", name="Team")])
    requests = {
        Topic.JOIN_GRP: group,
        Topic.P_GRPS: group,
        Topic.EXIT_GRP: payloads.LeaveChannelInput(nothing=1),
        Topic.U_GCMPR: payloads.GroupHashInput(userId="ann", groupHashCode="0"),
    }
    for topic, request in requests.items():
        (answer,) = ann.answers(ann.query(topic, request))
        assert answer.status == ErrorCode.NOT_SUPPORT
    assert not rig.do(rig.system.groups.info(APP, "team")).exists


# -- messages ------------------------------------------------------------------------


def test_a_message_reaches_the_members_who_are_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob", "eve")
    ann, bob, eve, zoe = (rig.online(name) for name in ("ann", "bob", "eve", "zoe"))
    message_id = write(ann)
    assert bob.frames() == []
    rig.settle()
    ack = ann.ack()
    assert (ack.message_id, ack.status) == (message_id, 0)
    for member in (bob, eve):
        (push,) = member.deliveries()
        assert push.target_id == member.peer.user_id
        message = item(push)
        assert (message.type, message.groupId, message.fromUserId) == (GROUP, "team", "ann")
        assert (message.msgId, message.dataTime) == (ack.uid, sent_at(ack))
        assert message.status == DownFlag.STORED | DownFlag.COUNTED
        assert message.direction == 2
    assert zoe.frames() == []
    assert ann.pull_all() == zoe.pull_all() == []
    (entry,) = remembered(rig)
    assert (entry.sender, entry.target) == ("ann", "team")


def test_a_member_who_was_away_finds_it_when_he_comes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob", "eve")
    ann, eve = rig.online("ann"), rig.online("eve")
    for number in range(3):
        write(ann, f'"{number}"')
        rig.settle()
    ann.frames()
    found = rig.client("bob").pull_all()
    assert texts(found) == ['"0"', '"1"', '"2"']
    assert [message.direction for message in found] == [2, 2, 2]
    assert texts(eve.pull_all()) == ['"0"', '"1"', '"2"']


def test_the_first_message_after_a_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    rig.store.store.close()
    later = Rig(tmp_path)
    later.wall = START - 5000
    ann = later.online("ann")
    write(ann)
    write(ann, '"second"')
    later.settle()
    assert [frame.status for frame in ann.frames() if isinstance(frame, PubAck)] == [0, 0]
    assert texts(later.client("bob").pull_all()) == ['{"content":"hi"}', '"second"']


@pytest.mark.parametrize("target", BAD_IDS)
@pytest.mark.parametrize("topic", [Topic.PG_MSG_P, Topic.PG_MSG_S])
def test_a_group_that_cannot_be_one(tmp_path: Path, topic: Topic, target: str) -> None:
    ann = Rig(tmp_path).online("ann")
    write(ann, to=target, topic=topic)
    ack = ann.ack()
    assert (ack.status, ack.uid) == (ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID, "")


@pytest.mark.parametrize("topic", [Topic.PG_MSG_P, Topic.PG_MSG_S])
def test_only_members_write(tmp_path: Path, topic: Topic) -> None:
    rig = Rig(tmp_path)
    team(rig, "bob")
    ann, bob = rig.online("ann"), rig.online("bob")
    assert status_of(ann, topic=topic) == ErrorCode.NOT_IN_GROUP
    assert status_of(ann, to="none", topic=topic) == ErrorCode.NOT_IN_GROUP
    assert bob.frames() == []
    assert bob.pull_all() == []
    assert remembered(rig) == []


def test_who_is_muted_reads_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann", "bob")
    ann, bob = rig.online("ann"), rig.online("bob")
    rig.do(groups.mute_member(APP, "team", "ann", until=START + 60_000))
    assert status_of(ann) == ErrorCode.FORBIDDEN_IN_GROUP
    assert status_of(ann, topic=Topic.PG_MSG_S) == ErrorCode.FORBIDDEN_IN_GROUP
    assert status_of(bob) == 0
    assert len(ann.deliveries(Topic.S_MSG)) == 1
    rig.advance(60)
    assert status_of(ann) == 0
    rig.do(groups.mute_member(APP, "team", "ann"))
    rig.advance(10**9)
    assert status_of(ann) == ErrorCode.FORBIDDEN_IN_GROUP
    rig.do(groups.mute_member(APP, "team", "ann", until=0))
    assert status_of(ann) == 0


def test_in_a_muted_group_few_write(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann", "bob", "eve", owner="ann")
    clients = [rig.online(name) for name in ("ann", "bob", "eve")]
    rig.do(groups.mute_all(APP, "team", is_muted=True))
    rig.do(groups.exempt(APP, "team", "bob", is_exempt=True))
    statuses = []
    for client in clients:
        client.frames()
        statuses.append(status_of(client))
    assert statuses == [0, 0, ErrorCode.FORBIDDEN_IN_GROUP]
    rig.do(groups.mute_all(APP, "team", is_muted=False))
    clients[2].frames()
    assert status_of(clients[2]) == 0


def test_who_is_muted_in_the_app_is_muted_in_groups(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann")
    rig.do(rig.system.standings.mute((APP, "ann"), until=START + 1000))
    assert status_of(rig.online("ann")) == ErrorCode.RC_MSG_UNAUTHORIZED


def test_only_what_was_sent_during_the_membership_is_found(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann")
    ann = rig.online("ann")
    for text, step in [
        ('"before"', groups.join(APP, "team", ["bob"])),
        ('"during"', groups.quit(APP, "team", ["bob"])),
        ('"between"', groups.join(APP, "team", ["bob"])),
        ('"again"', groups.dismiss(APP, "team")),
    ]:
        assert status_of(ann, content=text) == 0
        rig.do(step)
    assert texts(rig.client("bob").pull_all()) == ['"during"', '"again"']
    assert status_of(rig.online("bob")) == ErrorCode.NOT_IN_GROUP


def test_joining_and_leaving_while_online(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann")
    ann, bob = rig.online("ann"), rig.online("bob")
    rig.do(groups.join(APP, "team", ["bob"]))
    write(ann, '"in"')
    rig.settle()
    (push,) = bob.deliveries()
    assert item(push).content == b'"in"'
    rig.do(groups.quit(APP, "team", ["bob"]))
    write(ann, '"out"')
    rig.settle()
    assert bob.frames() == []
    assert texts(bob.pull_all()) == ['"in"']
    assert status_of(bob) == ErrorCode.NOT_IN_GROUP


def test_what_is_sent_before_leaving_is_stored_counts(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    groups = rig.system.groups
    team(rig, "ann", "bob")
    ann = rig.online("ann")
    assert status_of(ann, userId=["zoe"]) == 0
    write(ann, '"in time"')
    rig.do(groups.quit(APP, "team", ["bob", "ann"]))
    ann.frames()
    assert texts(rig.client("bob").pull_all()) == ['"in time"']


def test_a_message_for_some_members(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob", "eve", "joe")
    ann, bob, joe, zoe = (rig.online(name) for name in ("ann", "bob", "joe", "zoe"))
    write(ann, '"psst"', userId=["bob", "eve", "zoe", "ann", "bob"])
    rig.settle()
    assert ann.ack().status == 0
    (push,) = bob.deliveries()
    assert (item(push).type, item(push).groupId) == (GROUP, "team")
    assert joe.frames() == zoe.frames() == []
    assert texts(rig.client("eve").pull_all()) == ['"psst"']
    assert texts(bob.pull_all()) == ['"psst"']
    assert joe.pull_all() == zoe.pull_all() == ann.pull_all() == []
    assert remembered(rig) == []


def test_a_message_for_nobody_who_is_a_member(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    ann, bob = rig.online("ann"), rig.online("bob")
    assert status_of(ann, userId=["zoe"]) == 0
    assert bob.pull_all() == rig.client("zoe").pull_all() == []
    assert remembered(rig) == []


@pytest.mark.parametrize(
    ("mentioned", "who"),
    [('{"type":1}', {"bob", "eve"}), ('{"type":2,"userIdList":["ann","bob"]}', {"bob"})],
)
def test_mentions(tmp_path: Path, mentioned: str, who: set[str]) -> None:
    rig = Rig(tmp_path, multi_device=True)
    team(rig, "ann", "bob", "eve")
    ann, other, bob, eve = (rig.online(name) for name in ("ann", "ann", "bob", "eve"))
    write(ann, f'{{"content":"hi","mentionedInfo":{mentioned}}}', flags=7)
    rig.settle()
    for client in (bob, eve):
        (push,) = client.deliveries()
        pulled = client.pull_all() + rig.client(str(client.peer.user_id)).pull_all()
        for message in (item(push), *pulled):
            is_told = bool(message.status & DownFlag.MENTIONED)
            assert is_told is (client.peer.user_id in who)
            assert message.status & (DownFlag.STORED | DownFlag.COUNTED)
    for message in other.pull_all():
        assert not message.status & DownFlag.MENTIONED


def test_a_mention_in_a_message_for_some(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob", "eve")
    ann = rig.online("ann")
    write(ann, '{"mentionedInfo":{"type":1}}', flags=7, userId=["bob"])
    rig.settle()
    (found,) = rig.client("bob").pull_all()
    assert found.status & DownFlag.MENTIONED
    assert rig.client("eve").pull_all() == []


@pytest.mark.parametrize(
    ("topic", "name"), [(Topic.PG_MSG_S, "RC:TypSts"), (Topic.PG_MSG_P, "RC:TypSts")]
)
def test_status_messages_are_shown_and_forgotten(tmp_path: Path, topic: Topic, name: str) -> None:
    rig = Rig(tmp_path, multi_device=True)
    team(rig, "ann", "bob", "eve")
    ann, other, bob = (rig.online(who) for who in ("ann", "ann", "bob"))
    write(ann, "{}", topic=topic, name=name, flags=0)
    rig.settle()
    assert ann.ack().status == 0
    (push,) = bob.deliveries()
    assert (push.topic, item(push).classname) == (Topic.S_MSG, name)
    # The sender's own device may be shown a copy, but not as if somebody else had typed.
    assert Topic.S_MSG not in [frame.topic for frame in other.deliveries()]
    assert bob.pull_all() == rig.client("eve").pull_all() == other.pull_all() == []
    assert remembered(rig) == []


def test_a_command_is_kept_for_those_who_are_away_but_not_in_history(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    assert status_of(rig.online("ann"), name="RC:CmdMsg", flags=0) == 0
    (found,) = rig.client("bob").pull_all()
    assert (found.classname, found.status) == ("RC:CmdMsg", 0)
    assert remembered(rig) == []


def test_the_senders_other_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    team(rig, "ann", "bob")
    ann, other, old = rig.online("ann"), rig.online("ann"), rig.online("ann", sdk="2.5.3")
    write(ann)
    rig.settle()
    ack = ann.ack()
    for device in (other, old):
        (copy,) = device.deliveries()
        assert (copy.topic, copy.target_id) == (Topic.PG_MSG_P, "team")
    (found,) = other.pull_all()
    assert (found.msgId, found.direction, found.groupId) == (ack.uid, 1, "team")
    assert found.fromUserId == "ann"
    (late,) = rig.client("ann").pull_all()
    assert (late.msgId, late.direction) == (ack.uid, 1)


def test_a_read_position_goes_to_the_readers_devices_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    team(rig, "ann", "bob")
    ann, other, bob = (rig.online(name) for name in ("ann", "ann", "bob"))
    write(
        ann,
        f'{{"lastMessageSendTime":{START}}}',
        name="RC:SRSMsg",
        flags=0,
        userId=["ann"],
    )
    rig.settle()
    assert ann.ack().status == 0
    assert [copy.topic for copy in other.deliveries()] == [Topic.PG_MSG_P]
    assert bob.frames() == []
    assert bob.pull_all() == []


def test_a_repeat_is_answered_like_the_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    ann, bob = rig.online("ann"), rig.online("bob")
    write(ann, clientUniqueId=7)
    rig.settle()
    first = ann.ack()
    rig.advance(5)
    write(ann, clientUniqueId=7)
    rig.settle()
    second = ann.ack()
    assert (second.uid, sent_at(second), second.status) == (first.uid, sent_at(first), 0)
    assert len(bob.deliveries(Topic.S_MSG)) == 1
    assert len(rig.client("bob").pull_all()) == len(remembered(rig)) == 1


def test_nobody_overtakes_himself_while_the_group_is_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    rig.store.store.close()
    later = Rig(tmp_path)
    ann, bob = later.online("ann"), later.online("bob")
    write(ann, '"1"')
    ann.publish("bob", '"2"')
    write(ann, '"3"', to="none")
    write(ann, '"4"')
    later.settle()
    statuses = [frame.status for frame in ann.frames() if isinstance(frame, PubAck)]
    assert sorted(statuses) == [0, 0, 0, ErrorCode.NOT_IN_GROUP]
    assert texts(bob.pull_all()) == ['"1"', '"2"', '"4"']


def test_a_group_that_cannot_be_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    rig.store.store.close()
    later = Rig(tmp_path)
    ann = later.online("ann")
    later.store.broken = StoreError("the disk is gone")
    assert status_of(ann) == ErrorCode.INTERNALERRROR
    later.store.broken = None
    assert status_of(ann) == 0
    assert len(later.client("bob").pull_all()) == 1


def test_a_group_that_had_to_be_forgotten_while_it_was_written_to(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann", "bob")
    ann = rig.online("ann")
    place = Place(APP, GROUP, "team")

    async def forget(letter: object) -> None:
        rig.system.rosters._known.forget(place)

    rig.messages.checks["app:late"] = forget
    assert status_of(ann, name="app:late") == ErrorCode.INTERNALERRROR
    assert rig.client("bob").pull_all() == []


def test_services_post_without_being_members(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    team(rig, "ann")
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=b"{}")
    sent = rig.do(rig.messages.post(APP, "robot", GROUP, "team", up))
    (found,) = rig.client("ann").pull_all()
    assert (found.msgId, found.fromUserId) == (sent.uid, "robot")
    post = rig.messages.post(APP, "robot", GROUP, "~team", up)
    assert refused(post, rig) == ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID
