"""Answers that lock a puller of SDK 5, or let it ask for ever, and that no server may give.

It stops receiving until the page is loaded anew after one reply that it cannot read, and asks
again at once, several hundred times a second, when a reply promises more and brings nothing
(sdk5 12). Each of its streams is driven here the way it drives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import Disconnect, QueryAck
from improto.operations import OPERATIONS, Direction, Signal, Topic
from tests.server.rig import APP, Rig, minimal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from improto.payloads import Message
    from tests.server.rig import Client

SDK = "5.38.0"
FAR = 2**53 - 1
"""The latest time that a script can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How SDK 5 pulls something, and what it looks at in the answer."""

    topic: Topic
    request: Callable[[int], Message]
    """By the version that it has."""
    reply: type[Message]
    version: str
    """The field from which it goes on."""
    target: str | None = None
    more: str = ""
    """The field that makes it ask again at once, if it is true."""
    finished: str = ""
    """The same if it is false or absent."""


def _inbox(version: int) -> Message:
    return payloads.SyncRequestMsg(
        syncTime=version,
        ispolling=False,
        isPullSend=True,
        sendBoxSyncTime=version,
        broadcastSyncTime=1,
        compressioEnabled=True,
    )


ROOM = "room"
STREAMS = [
    Stream(
        topic=Topic.PULL_MSG,
        request=_inbox,
        reply=payloads.DownStreamMessages,
        version="syncTime",
        finished="finished",
    ),
    Stream(
        topic=Topic.PULL_EVENT_CHANGE,
        request=lambda version: payloads.QueryMsgChange(syncTime=version),
        reply=payloads.EventChangeList,
        version="syncTime",
        more="hasNext",
    ),
    Stream(
        topic=Topic.PULL_MODIFY_MSG,
        request=lambda version: payloads.PullModifyMsgReq(pullVersion=version, modifyType=[1]),
        reply=payloads.PullModifyMsgResp,
        version="nextVersion",
        finished="finished",
    ),
    Stream(
        topic=Topic.PULL_US,
        request=lambda version: payloads.PullUserSettingInput(version=version),
        reply=payloads.PullUserSettingOutput,
        version="version",
    ),
    Stream(
        topic=Topic.PULL_SE_ATTS,
        request=lambda version: payloads.SessionReq(time=version),
        reply=payloads.SessionStates,
        version="version",
    ),
    Stream(
        topic=Topic.PULL_USER_SUB,
        request=lambda version: payloads.PullUserSubReq(version=version),
        reply=payloads.PUllUserSubResp,
        version="version",
        more="hasNext",
    ),
    Stream(
        topic=Topic.PULL_SUB_DATA,
        request=lambda version: payloads.PullSubDataReq(versionTime=version, needAllData=False),
        reply=payloads.PullSubDataResp,
        version="versionTime",
        more="hasNext",
    ),
    Stream(
        topic=Topic.CHRM_PULL,
        request=lambda version: payloads.ChrmPullMsg(
            syncTime=version, count=10, compressioEnabled=True
        ),
        reply=payloads.ChrmDownStreamMessages,
        version="syncTime",
        target=ROOM,
    ),
    Stream(
        topic=Topic.PULL_KV,
        request=lambda version: payloads.QueryChrmKV(timestamp=version),
        reply=payloads.ChrmKVOutput,
        version="syncTime",
        target=ROOM,
    ),
]

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.topic)

ASKED = [
    row
    for row in OPERATIONS.values()
    if "5.38.0" in row.sdks
    and row.signal is Signal.QUERY
    and row.direction is Direction.CLIENT_TO_SERVER
]


def answer(client: Client, topic: str, request: Message, target: str | None) -> QueryAck:
    message_id = client.query(topic, request, target=target)
    client.rig.settle()
    (found,) = client.answers(message_id)
    return found


def pull(client: Client, stream: Stream, version: int) -> tuple[Any, int, bool]:
    """The reply, the version that it leads to, and whether SDK 5 would ask again at once."""
    found = answer(client, stream.topic, stream.request(version), stream.target)
    assert found.status == 0
    assert found.data
    reply = payloads.decode(stream.reply, found.data)
    assert reply.HasField(stream.version)
    goes_on = bool(stream.more) and getattr(reply, stream.more)
    if stream.finished:
        assert reply.HasField(stream.finished)
        goes_on = not getattr(reply, stream.finished)
    return reply, getattr(reply, stream.version), goes_on


def busy(rig: Rig) -> Client:
    """A user to whom much has happened, on a page that has seen nothing of it."""
    old, bob = rig.online("alice"), rig.online("bob", SDK)
    rig.do(rig.system.groups.create(APP, "group", members=["alice", "bob"], name=""))
    rig.do(rig.system.rooms.create(APP, ROOM))
    for client in (old, bob):
        answer(client, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), ROOM)
    for _ in range(260):
        bob.publish("alice")
        bob.publish("group", topic=Topic.PG_MSG_P)
        rig.settle()
    bob.publish(ROOM, topic=Topic.CHAT_MSG)
    rig.settle()
    for number in range(450):
        change = payloads.EventChange(businessId="group", changeType=12, operatorId=str(number))
        rig.do(rig.system.events.tell(APP, ["alice"], change))
    old.leave()
    alice = rig.client("alice", SDK)
    answer(alice, Topic.JOIN_CHRM_R, payloads.ChrmInput(nothing=1), ROOM)
    alice.frames()
    return alice


def idle(rig: Rig) -> Client:
    """A user to whom nothing has happened."""
    rig.do(rig.system.rooms.create(APP, ROOM))
    alice = rig.client("alice", SDK)
    answer(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), ROOM)
    alice.frames()
    return alice


@pytest.fixture(scope="module", params=[idle, busy], ids=["idle", "busy"])
def alice(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Streams are only read, so one life does for all of them."""
    life: Callable[[Rig], Client] = request.param
    return life(Rig(tmp_path_factory.mktemp("life")))


@every_stream
def test_a_stream_comes_to_an_end_and_always_goes_forward(alice: Client, stream: Stream) -> None:
    """Endless loops and version errors (sdk5 12, rows 3 and 7)."""
    version = 1
    goes_on = True
    rounds = 0
    while goes_on:
        _, reached, goes_on = pull(alice, stream, version)
        assert reached > version or not goes_on
        assert reached >= version
        version = reached
        rounds += 1
    assert rounds <= 4
    _, reached, goes_on = pull(alice, stream, version)
    assert (reached >= version, goes_on) == (True, False)


@every_stream
def test_who_knows_more_than_there_is_keeps_it(alice: Client, stream: Stream) -> None:
    """A version that goes down is an exception (sdk5 12, row 7)."""
    reply, reached, goes_on = pull(alice, stream, FAR)
    assert reached >= FAR
    assert not goes_on
    assert not any(values for field, values in reply.ListFields() if field.is_repeated)


def test_what_is_granted_can_be_read(tmp_path: Path) -> None:
    """A success without the reply that is expected locks a puller (sdk5 4, 12)."""
    alice = idle(Rig(tmp_path))
    granted = set()
    for row in ASKED:
        assert row.request is not None
        found = answer(alice, row.topic, minimal(row.request), None)
        if found.status or row.reply is None:
            assert found.status == 0 or found.status >= 100, row.topic
            continue
        granted.add(row.topic)
        assert found.data or row.reply_optional, row.topic
        payloads.decode(row.reply, found.data)
    assert granted > {stream.topic for stream in STREAMS} - {Topic.CHRM_PULL, Topic.PULL_KV}


def test_an_answer_that_is_refused_has_no_bytes_that_nobody_can_read(tmp_path: Path) -> None:
    """What is not done is told at once, and without data (sdk5 4)."""
    alice = Rig(tmp_path).online("alice", SDK)
    found = answer(alice, Topic.UP_CONVERT_MSG, payloads.ConvertMsgInput(businessType=1), None)
    assert (found.status, found.data) == (ErrorCode.NOT_SUPPORT, b"")


@pytest.mark.parametrize("content", [b"null", b" null\n"])
def test_a_content_that_breaks_a_pull_gets_nowhere(tmp_path: Path, content: bytes) -> None:
    """SDK 5 cannot read a field of it (sdk5 5)."""
    rig = Rig(tmp_path)
    bob, alice = rig.online("bob"), rig.online("alice", SDK)
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=content)
    bob.publish_bytes("alice", payloads.encode(up))
    rig.settle()
    assert bob.ack().status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert alice.pull_all() == []


def test_a_room_is_never_told_that_it_is_finished(tmp_path: Path) -> None:
    """Number 3 would make it wait for compressed data, 4 be one (sdk5 1, row 3)."""
    alice = busy(Rig(tmp_path))
    reply, _, _ = pull(alice, next(each for each in STREAMS if each.target == ROOM), 0)
    assert {field.number for field, _ in reply.ListFields()} <= {1, 2}
    assert reply.list
    for item in reply.list:
        payloads.decode(payloads.DownStreamMessage, item)


def test_who_is_sent_away_is_cut_off(tmp_path: Path) -> None:
    """SDK 5 leaves the socket to the server (sdk5 3)."""
    rig = Rig(tmp_path)
    first = rig.online("alice", SDK)
    rig.online("alice", SDK)
    assert [type(frame) for frame in first.frames()] == [Disconnect]
    assert first.closed is None
    rig.advance(2.0)
    first.pass_time()
    assert first.closed is not None
