"""Unread counts that the server keeps for SDK 5 (sdk5 2.2, 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import CommandType, ConversationType, ErrorCode
from improto.frames import Delivery, PubAck, Qos
from improto.operations import Topic
from improto_server.services import Caller
from improto_server.services.unread import MOST, PAGE
from improto_server.store import unread as table
from improto_server.store.unread import MOST_MENTIONS
from improto_server.uids import time_of
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

PRIVATE, GROUP = ConversationType.PRIVATE, ConversationType.GROUP
SDK = "5.38.0"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A server that counts, with a group of three."""
    rig = Rig(tmp_path, unread_on_server=True, multi_device=True)
    rig.do(rig.system.groups.create(APP, "team", members=["ann", "bob", "eve"], name="Team"))
    rig.advance(1)
    return rig


def say(client: Client, to: str, **fields: Any) -> str:
    """Send a message a second later; its uid."""
    client.rig.advance(1)
    topic = Topic.PG_MSG_P if to == "team" else Topic.PP_MSG_P
    client.publish(to, **{"topic": topic, **fields})
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    assert ack.status == 0
    return ack.uid


def pull(client: Client, version: int = 0, **fields: Any) -> payloads.SessionsOutput:
    """Ask for counts."""
    request = payloads.SessionQryInput(version=version, compress=True, **fields)
    return client.ask(Topic.PULL_SE, request, payloads.SessionsOutput)


def counts(client: Client, version: int = 0) -> dict[str, int]:
    """Unread counts by conversation."""
    return {each.targetId: each.unread.cnt for each in pull(client, version).session}


def commands(client: Client) -> list[int]:
    """The times of the commands to ask for counts."""
    found = []
    for frame in client.deliveries(Topic.S_CMD):
        notice = payloads.decode(payloads.NotifyMsg, frame.data)
        if notice.type == CommandType.UNREAD:
            found.append(notice.time)
    return found


def news(client: Client) -> dict[str, int]:
    """What has changed, by asking as the one command says."""
    (time,) = commands(client)
    return counts(client, time)


def read(client: Client, target: str, until: int, type: int = PRIVATE) -> int:
    """Say how far the client has read; the status."""
    request = payloads.SessionMsgReadInput(type=type, msgTime=until, channelId=target)
    client.publish_bytes(
        "self", payloads.encode(request), topic=Topic.UPD_R_TIME, qos=Qos.AT_MOST_ONCE
    )
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    return ack.status


def test_who_was_away_is_told_all_counts(rig: Rig) -> None:
    ann, eve = rig.online("ann", SDK), rig.online("eve")
    first = say(ann, "bob")
    say(ann, "bob")
    last = say(eve, "team")
    say(eve, "bob", flags=1)
    bob = rig.online("bob", SDK)
    assert counts(bob) == {"ann": 2, "team": 1, "eve": 0}
    group, private, _ = pull(bob).session
    assert (private.type, group.type) == (PRIVATE, GROUP)
    info = private.unread
    assert (info.clearTime, info.cutOffTime) == (0, private.version)
    assert (info.firstUnreadMsg.msgId, info.firstUnreadMsg.className) == (first, "RC:TxtMsg")
    assert info.firstUnreadMsg.msgTime == time_of(first)
    assert group.version == time_of(last)
    assert counts(ann) == {"bob": 0, "team": 1}


def test_what_is_put_away_is_told(rig: Rig) -> None:
    ann, bob, other = rig.online("ann", SDK), rig.online("bob", SDK), rig.online("bob", SDK)
    first = say(ann, "bob")
    say(ann, "bob")
    for client in (bob, other):
        assert news(client) == {"ann": 2}
    deletion = payloads.DeleteMsgInput(type=PRIVATE, conversationId="ann")
    deletion.msgs.add(msgId=first, msgDataTime=0)
    bob.ask(Topic.DEL_MSG, deletion, payloads.DeleteMsgOutput)
    assert news(other) == {"ann": 1}
    bob.query(Topic.CLEAN_P_MSG, payloads.CleanHisMsgInput(targetId="ann", dataTime=0))
    rig.settle()
    assert news(other) == {"ann": 0}


def test_nothing_to_tell_is_still_an_answer(rig: Rig) -> None:
    ann = rig.online("ann", SDK)
    message_id = ann.query(Topic.PULL_SE, payloads.SessionQryInput(version=0))
    rig.settle()
    (answer,) = ann.answers(message_id)
    assert (answer.status, answer.data != b"") == (0, True)
    zoe = rig.online("zoe", SDK)
    assert counts(ann) == counts(zoe) == {}


def test_a_message_is_told_to_all_whom_it_counts_for(rig: Rig) -> None:
    ann, bob, eve = (rig.online(name, SDK) for name in ("ann", "bob", "eve"))
    other = rig.online("ann", SDK)
    uid = say(ann, "team")
    sent = time_of(uid)
    assert sent is not None
    for client in (bob, eve, other):
        assert commands(client) == [sent - 1]
    assert counts(bob, sent - 1) == counts(eve, sent - 1) == {"team": 1}
    assert counts(other, sent - 1) == {"team": 0}
    assert counts(bob, sent) == {}


def test_a_device_is_told_once_until_it_asks(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    first = say(ann, "bob")
    say(ann, "bob")
    sent = time_of(first)
    assert sent is not None
    assert commands(bob) == [sent - 1]
    assert counts(bob, sent - 1) == {"ann": 2}
    say(ann, "bob")
    assert len(commands(bob)) == 1
    bob.leave()
    again = rig.online("bob", SDK)
    say(ann, "bob")
    assert len(commands(again)) == 1


def test_several_messages_of_one_batch_are_one_command(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    for _ in range(3):
        ann.publish("bob")
    rig.settle()
    assert news(bob) == {"ann": 3}


def test_what_does_not_count_is_not_told(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    say(ann, "bob", flags=1)
    say(ann, "bob", flags=0)
    ann.publish("bob", topic=Topic.PP_MSG_S, name="RC:TypSts", flags=0)
    rig.settle()
    assert commands(bob) == []


def test_older_sdks_hear_nothing_new(rig: Rig) -> None:
    ann, bob = rig.online("ann", "4.6.4"), rig.online("bob", "2.9.2")
    reads = rig.store.reads
    say(ann, "bob")
    assert bob.deliveries(Topic.S_CMD) == []
    assert rig.store.reads == reads


@pytest.mark.parametrize("kind", ["RC:ReadNtf", "RC:SRSMsg"])
def test_reading_is_told_to_all_devices(rig: Rig, kind: str) -> None:
    ann, bob, other = (rig.online(name, SDK) for name in ("ann", "bob", "bob"))
    time = time_of(say(ann, "bob"))
    assert time is not None
    assert news(other) == {"ann": 1}
    say(bob, "ann", name=kind, content=f'{{"lastMessageSendTime":{time}}}', flags=0)
    assert news(other) == {"ann": 0}
    (session,) = pull(other).session
    assert (session.unread.clearTime, session.unread.cutOffTime) == (time, time)
    assert not session.unread.HasField("firstUnreadMsg")


def test_a_read_position_is_shown_to_other_devices(rig: Rig) -> None:
    ann, bob, other = (rig.online(name, SDK) for name in ("ann", "bob", "bob"))
    old = rig.online("bob", "4.6.4")
    time = time_of(say(ann, "bob"))
    assert time is not None
    assert news(other) == {"ann": 1}
    pull(bob)
    old.frames()
    broken = rig.online("bob", SDK)
    broken.connection.receive_eof(now=rig.now)
    assert read(bob, "ann", time) == 0
    frames = [frame for frame in other.frames() if isinstance(frame, Delivery)]
    (copy,) = (frame for frame in frames if frame.topic == Topic.UPD_R_TIME)
    shown = payloads.decode(payloads.SessionMsgReadInput, copy.data)
    assert copy.is_sync
    assert (shown.channelId, shown.msgTime) == ("ann", time)
    assert [frame.topic for frame in frames if frame is not copy] == [Topic.S_CMD]
    assert [frame.topic for frame in old.deliveries()] == [Topic.S_NTF]
    assert marks(old) == [("ann", f'{{"lastMessageSendTime":{time}}}')]
    assert counts(other) == {"ann": 0}
    assert ann.deliveries() == []
    # Who was away finds it when he comes.
    assert marks(rig.client("bob", SDK)) == [("ann", f'{{"lastMessageSendTime":{time}}}')]


@pytest.mark.parametrize("target", ["ann", "team"])
@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4", SDK])
def test_a_read_position_is_known_to_every_sdk(tmp_path: Path, sdk: str, target: str) -> None:
    """Whoever counts: the topic means what RC:SRSMsg means (messages 8.4)."""
    rig = Rig(tmp_path, multi_device=True)
    rig.do(rig.system.groups.create(APP, "team", members=["ann", "bob"], name="Team"))
    ann, bob, other = rig.online("ann"), rig.online("bob", SDK), rig.online("bob", sdk)
    to, type = ("team", GROUP) if target == "team" else ("bob", PRIVATE)
    say(ann, to)
    other.pull_all()
    rig.advance(1)
    assert rig.do(rig.system.conversations.unread(APP, "bob", type, target)) == 1
    # On the wire this time begins like a character that SDK 2.5.3 cannot read.
    rig.wall = rig.wall & ~0x7F | 0xF0
    other.frames()
    assert read(bob, target, rig.wall + 10_000, type) == 0
    copies = [
        payloads.decode(payloads.SessionMsgReadInput, each.data).msgTime
        for each in other.deliveries(Topic.UPD_R_TIME)
    ]
    assert copies == ([rig.wall] if sdk == SDK else [])
    assert rig.do(rig.system.conversations.unread(APP, "bob", type, target)) == 0
    assert marks(other) == [(target, f'{{"lastMessageSendTime":{rig.wall}}}')]


def marks(client: Client) -> list[tuple[str, str]]:
    """The read positions that the client finds among what its user has sent: where, and what."""
    found = [each for each in client.pull_all() if each.classname == "RC:SRSMsg"]
    assert all(each.direction == 1 for each in found)
    return [
        (each.groupId if each.type == GROUP else each.fromUserId, each.content.decode())
        for each in found
    ]


def test_read_positions_count_as_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rate=1)
    bob = rig.online("bob", SDK)
    found = {read(bob, "ann", 1) for _ in range(20)}
    assert found == {0, ErrorCode.SEND_FREQUENCY_TOO_FAST}


def test_reading_less_than_before_is_told_from_there(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    first, second = time_of(say(ann, "bob")), time_of(say(ann, "bob"))
    assert first is not None
    assert second is not None
    assert commands(bob) == [first - 1]
    assert counts(bob) == {"ann": 2}
    say(ann, "bob")
    bob.frames()
    rig.do(
        rig.system.conversations.read(
            caller(bob), "", payloads.SessionMsgReadInput(type=1, msgTime=first, channelId="ann")
        )
    )
    assert commands(bob) == [first - 1]
    assert counts(bob, first - 1) == {"ann": 2}


def caller(client: Client) -> Caller:
    """Who asks, as the router says it."""
    user = client.rig.hub.find((APP, client.peer.user_id or ""))
    assert user is not None
    device = next(each for each in user.devices if each.peer is client.peer)
    return Caller(*user.key, device.profile, device)


def test_a_recall_is_told(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    first = say(ann, "team")
    second = say(ann, "team")
    assert news(bob) == {"team": 2}
    command = f'{{"messageUId":"{first}","conversationType":3,"targetId":"team"}}'
    ann.publish("ann", command, topic=Topic.RECALL_MSG, name="RC:RcCmd", flags=1)
    rig.settle()
    assert news(bob) == {"team": 1}
    (session,) = pull(bob).session
    assert session.unread.firstUnreadMsg.msgId == second


def test_what_is_taken_off_the_list_counts_nothing(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    say(ann, "bob")
    request = payloads.RelationsInput(type=1)
    bob.query(Topic.DEL_RELATION, request, target="ann")
    rig.settle()
    assert counts(bob) == {"ann": 0}
    say(ann, "bob")
    assert counts(bob) == {"ann": 2}


def test_mentions_are_counted(rig: Rig) -> None:
    ann, bob, eve = (rig.online(name, SDK) for name in ("ann", "bob", "eve"))
    some = '{"content":"x","mentionedInfo":{"type":2,"userIdList":["bob"]}}'
    everybody = '{"content":"x","mentionedInfo":{"type":1,"userIdList":[]}}'
    for content in (some, everybody, some, '{"content":"nobody"}'):
        say(ann, "team", content=content, flags=7)
    say(ann, "team", content=some)
    for client, to_all_and_him, to_him in ((bob, 3, 2), (eve, 1, 0)):
        (session,) = pull(client).session
        assert session.unread.cnt == 5
        found = session.unread.mentionCnt, session.unread.mentionMeCnt
        assert found == (to_all_and_him, to_him)


def test_only_the_newest_mentions_are_looked_at(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    everybody = '{"content":"x","mentionedInfo":{"type":1}}'
    for _ in range(MOST_MENTIONS + 1):
        ann.publish("team", everybody, topic=Topic.PG_MSG_P, flags=7)
    rig.settle()
    (session,) = pull(bob).session
    assert (session.unread.cnt, session.unread.mentionCnt) == (MOST_MENTIONS + 1, MOST_MENTIONS)


def test_pages(rig: Rig) -> None:
    people = [f"user{number}" for number in range(5)]
    for name in people:
        say(rig.online(name), "bob")
    bob = rig.online("bob", SDK)
    found = []
    token = ""
    sizes = []
    while True:
        page = pull(bob, count=2, pageToken=token)
        found += [each.targetId for each in page.session]
        sizes.append(len(page.session))
        token = page.pageToken
        if not token:
            break
    assert (found, sizes) == (people, [2, 2, 1])
    assert len(pull(bob).session) == 5 < PAGE


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"version": -1}, ErrorCode.BIZ_ERROR_INVALID_PARAMETER),
        ({"count": -1}, ErrorCode.BIZ_ERROR_INVALID_PARAMETER),
        ({"count": MOST + 1}, ErrorCode.BIZ_ERROR_INVALID_PARAMETER),
        ({"pageToken": "x"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
        ({"pageToken": "9" * 19}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
    ],
)
def test_questions_that_are_refused(rig: Rig, fields: dict[str, Any], code: ErrorCode) -> None:
    ann = rig.online("ann", SDK)
    message_id = ann.query(Topic.PULL_SE, payloads.SessionQryInput(**fields))
    rig.settle()
    (answer,) = ann.answers(message_id)
    assert (answer.status, answer.data) == (code, b"")


def test_positions_that_are_refused(rig: Rig) -> None:
    ann, other = rig.online("ann", SDK), rig.online("ann", SDK)
    for target, until, type in (("", 1, PRIVATE), ("bob", -1, PRIVATE), ("bob", 1, 4)):
        assert read(ann, target, until, type) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert read(ann, "others", 1, GROUP) == ErrorCode.NOT_IN_GROUP
    assert other.frames() == []


def test_when_clients_count_themselves(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    say(ann, "bob")
    assert commands(bob) == []
    off = ErrorCode.RC_SERVER_DRIVE_UNREAD_COUNT_INVALID
    message_id = bob.query(Topic.PULL_SE, payloads.SessionQryInput(version=0))
    rig.settle()
    (answer,) = bob.answers(message_id)
    assert answer.status == off


def test_an_application_reads_for_a_user(rig: Rig) -> None:
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    time = time_of(say(ann, "bob"))
    assert time is not None
    assert news(bob) == {"ann": 1}
    request = payloads.SessionMsgReadInput(type=PRIVATE, msgTime=time, channelId="ann")
    asker = caller(bob)._replace(device=None)
    rig.do(rig.system.unread.read(asker, "", request))
    assert rig.do(rig.system.unread.pull(asker, "", payloads.SessionQryInput())).session
    assert Topic.UPD_R_TIME in {frame.topic for frame in bob.deliveries()}
    rig.do(rig.system.unread.read(asker._replace(user_id="zoe"), "", request))


def test_no_query_reads_a_whole_table(rig: Rig) -> None:
    ann = rig.online("ann", SDK)
    everybody = '{"content":"x","mentionedInfo":{"type":1}}'
    say(ann, "team", content=everybody, flags=7)
    plans: list[str] = []

    def queries(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.changed(connection, app=APP, user="bob", version=0, after=0, count=10)
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.read(queries)

    rig.do(steps())
    assert any("messages_that_mention" in plan for plan in plans)
    scans = [plan for plan in plans if plan.startswith("SCAN") and "found" not in plan]
    assert not [plan for plan in scans if "mine" not in plan and "CONSTANT" not in plan]
