"""RTC rooms: coming, going, and talking (operations 18)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, TypeVar

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.frames import PubAck, Qos, Query
from improto.operations import Topic
from improto_server.services import Caller
from improto_server.services import rtc as service
from improto_server.services.rtc import KICK_SECONDS, NOT_IN_ROOM
from improto_server.store import Place
from tests.server.rig import APP, START, Rig, item

if TYPE_CHECKING:
    from pathlib import Path

    from improto.payloads import Message
    from tests.server.rig import Client

M = TypeVar("M", bound="Message")

ROOM = "studio"
EMPTY = payloads.SetUserStatusInput()


def query(client: Client, topic: Topic, request: Message, target: str = ROOM) -> tuple[int, bytes]:
    """Ask about a room; status and data."""
    data = payloads.encode(request)
    frame = Query(topic=topic, target_id=target, message_id=client._id(), data=data)
    client.send(frame)
    client.rig.settle()
    (answer,) = client.answers(frame.message_id)
    return answer.status, answer.data


def ask(client: Client, topic: Topic, request: Message, reply: type[M], target: str = ROOM) -> M:
    status, data = query(client, topic, request, target)
    assert status == 0
    return payloads.decode(reply, data)


def rtc(**fields: object) -> payloads.RtcInput:
    return payloads.RtcInput(roomType=0, **fields)  # type: ignore[arg-type]


def join(client: Client, target: str = ROOM, **fields: object) -> payloads.RtcUserListOutput:
    request = rtc(**fields)
    return ask(client, Topic.RTC_R_JOIN_DATA, request, payloads.RtcUserListOutput, target)


def watch(client: Client) -> payloads.RtcViewerJoinedOutput:
    return ask(client, Topic.VIEWER_JOIN_R, rtc(), payloads.RtcViewerJoinedOutput)


def members(client: Client, order: int = 0) -> list[str]:
    request = payloads.RtcQueryListInput(order=order)
    found = ask(client, Topic.RTC_U_LIST, request, payloads.RtcUserListOutput)
    return [user.userId for user in found.list]


def ping(client: Client) -> int:
    return query(client, Topic.RTC_PING, rtc())[0]


def tell(
    client: Client, content: str = "{}", *, topic: Topic = Topic.PR_MSG_S, to: str = ""
) -> int:
    users = [to] if to else []
    client.publish(ROOM, content, topic=topic, name="app:note", flags=0, userId=users)
    client.rig.settle()
    (ack,) = [frame for frame in client.frames() if isinstance(frame, PubAck)]
    assert (ack.uid == "") == (ack.status != 0)
    return ack.status


def states(client: Client) -> list[dict[str, object]]:
    """Who has come and gone, as others are told."""
    found = map(item, client.deliveries(Topic.S_MSG))
    return [
        user
        for message in found
        if message.classname == "RCRTC:state"
        for user in json.loads(message.content)["users"]
    ]


# -- coming and going ----------------------------------------------------------------


def test_who_joins_learns_what_is_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    value = payloads.RtcValueInfo
    first = join(
        alice,
        extraInnerData=value(key="a", value="1"),
        innerDatas=[value(key="b", value="2")],
        outerDatas=[value(key="c", value="3")],
    )
    second = join(bob)
    assert [user.userId for user in second.list] == ["alice", "bob"]
    assert {info.key: info.value for info in second.list[0].userData} == {"b": "2", "a": "1"}
    assert list(second.list[1].userData) == []
    assert first.sessionId == second.sessionId != ""
    assert len({first.token, second.token, first.sessionId}) == 3
    assert second.offlineKickTime == KICK_SECONDS
    assert members(bob) == ["alice", "bob"]
    assert members(bob, order=2) == ["bob", "alice"]


def test_rooms_and_apps_are_apart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, stranger = rig.online("alice"), rig.online("bob"), rig.online("bob", app="other")
    join(alice)
    for client, target in ((bob, "elsewhere"), (stranger, ROOM)):
        assert [user.userId for user in join(client, target).list] == ["bob"]
    assert members(alice) == ["alice"]


def test_leaving(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    session = join(alice).sessionId
    join(bob)
    assert [query(bob, Topic.RTC_R_EXIT, EMPTY)[0] for _ in range(2)] == [0, 0]
    assert members(alice) == ["alice"]
    query(alice, Topic.RTC_R_EXIT, EMPTY)
    assert query(alice, Topic.RTC_R_EXIT, EMPTY) == (0, b"")
    # Nobody was left, so it is another room.
    assert join(alice).sessionId != session


def test_who_is_silent_is_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    rig.advance(KICK_SECONDS)
    rig.system.tick()
    assert ping(alice) == 0
    rig.advance(1)
    rig.system.tick()
    assert members(alice) == ["alice"]
    assert ping(bob) == NOT_IN_ROOM
    rig.advance(KICK_SECONDS + 1)
    rig.system.tick()
    assert rig.system.rtc._rooms == rig.system.rtc._stays == {}


def test_joining_again_keeps_what_one_has(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    token = join(alice, innerDatas=[payloads.RtcValueInfo(key="a", value="1")]).token
    alice.leave()
    rig.advance(30)
    again = join(rig.online("alice"))
    assert again.token == token
    assert [user.userId for user in again.list] == ["alice"]
    assert [info.key for info in again.list[0].userData] == ["a"]
    rig.advance(40)
    rig.system.tick()
    assert len(rig.system.rtc._rooms) == 1


@pytest.mark.parametrize(("join_type", "status"), [(0, 0), (1, 20406), (2, 0)])
def test_a_second_device(tmp_path: Path, join_type: int, status: int) -> None:
    """It takes the first one's place, unless it wants that one to go first."""
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice"), rig.online("alice")
    join(first)
    assert query(second, Topic.RTC_R_JOIN_DATA, rtc(joinType=join_type))[0] == status
    assert query(first, Topic.RTC_R_JOIN_DATA, rtc(joinType=1))[0] == (0 if status else 20406)


def test_a_device_that_was_replaced_takes_nobody_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice"), rig.online("alice")
    join(first)
    join(second)
    assert query(first, Topic.RTC_R_EXIT, EMPTY)[0] == 0
    assert members(second) == ["alice"]
    second.leave()
    assert query(first, Topic.RTC_R_JOIN_DATA, rtc(joinType=1))[0] == 0


def test_in_which_rooms_one_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob, "elsewhere")
    request = payloads.RtcQueryUserJoinedInput(userId="alice")
    reply = ask(alice, Topic.RTC_QUERY_JOINED, request, payloads.RtcQueryUserJoinedOutput, "alice")
    (info,) = reply.info
    assert (info.roomId, info.joinTime, info.deviceId != "") == (ROOM, START, True)
    assert query(bob, Topic.RTC_QUERY_JOINED, request)[0] == ErrorCode.RC_MSG_UNAUTHORIZED


def test_nobody_is_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STAYS", 2)
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for name in "abc":
        join(bob if name == "c" else alice, name)
    assert query(alice, Topic.RTC_R_JOIN_DATA, rtc(), "d")[0] == ErrorCode.RC_MSG_UNAUTHORIZED
    assert query(alice, Topic.VIEWER_JOIN_R, rtc(), "c")[0] == ErrorCode.RC_MSG_UNAUTHORIZED
    join(alice, "a")
    query(alice, Topic.RTC_R_EXIT, EMPTY, "a")
    assert query(alice, Topic.VIEWER_JOIN_R, rtc(), "c")[0] == 0
    request = payloads.RtcQueryUserJoinedInput(userId="alice")
    joined = ask(alice, Topic.RTC_QUERY_JOINED, request, payloads.RtcQueryUserJoinedOutput)
    assert [info.roomId for info in joined.info] == ["b"]


def test_members_are_told_who_comes_and_goes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = (rig.online(name) for name in ("alice", "bob", "carol"))
    join(alice)
    watch(carol)
    join(bob)
    assert states(alice) == [{"userId": "bob", "state": "0"}]
    assert states(carol) == []
    join(bob)
    assert states(alice) == []
    query(bob, Topic.RTC_R_EXIT, EMPTY)
    query(bob, Topic.RTC_R_EXIT, EMPTY)
    assert states(alice) == [{"userId": "bob", "state": "1"}]
    join(bob)
    states(alice)
    rig.advance(KICK_SECONDS)
    ping(alice)
    rig.advance(1)
    rig.system.tick()
    assert states(alice) == [{"userId": "bob", "state": "2"}]


def test_members_are_told_who_only_watches_now(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    states(alice)
    for to, state in ((1, "1"), (2, "0")):
        for _ in range(2):
            query(bob, Topic.RTC_IDENTITY_CHANGE, rtc(identityChangeType=to))
        assert states(alice) == [{"userId": "bob", "state": state, "switchRoleType": to}]
    watch(bob)
    assert states(alice) == [{"userId": "bob", "state": "1"}]


def test_a_device_that_was_replaced_is_told_so_by_its_ping(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice"), rig.online("alice")
    join(first)
    join(second)
    assert (ping(first), ping(second)) == (NOT_IN_ROOM, 0)


# -- viewers -------------------------------------------------------------------------


def test_viewers_see_and_are_not_seen(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    assert watch(bob).rtcToken != ""
    assert watch(bob).rtcToken != ""
    assert members(bob) == ["alice"]
    assert ping(bob) == NOT_IN_ROOM
    assert query(bob, Topic.VIEWER_EXIT_R, EMPTY)[0] == 0
    assert query(bob, Topic.RTC_U_LIST, payloads.RtcQueryListInput())[0] == 20406


def test_nobody_watches_an_empty_room(tmp_path: Path) -> None:
    bob = Rig(tmp_path).online("bob")
    assert query(bob, Topic.VIEWER_JOIN_R, rtc())[0] == ErrorCode.RC_MSG_UNAUTHORIZED


def test_viewers_need_not_ping_but_be_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    watch(bob)
    query(alice, Topic.RTC_R_EXIT, EMPTY)
    rig.advance(1000)
    rig.system.tick()
    assert members(bob) == []
    bob.leave()
    rig.system.tick()
    assert rig.system.rtc._rooms == {}


def test_hosts_become_viewers_and_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)

    def change(client: Client, to: int) -> list[str]:
        request = rtc(identityChangeType=to)
        reply = ask(client, Topic.RTC_IDENTITY_CHANGE, request, payloads.RtcUserListOutput)
        return [user.userId for user in reply.list]

    assert change(bob, 1) == ["alice"]
    assert change(bob, 1) == ["alice"]
    assert change(bob, 2) == ["alice", "bob"]
    assert ping(bob) == 0
    assert query(bob, Topic.RTC_IDENTITY_CHANGE, rtc())[0] == 33003
    watch(bob)
    assert members(alice) == ["alice"]
    join(bob)
    assert members(alice) == ["alice", "bob"]
    stranger = rig.online("carol")
    assert query(stranger, Topic.RTC_IDENTITY_CHANGE, rtc(identityChangeType=2))[0] == 20406


# -- messages ------------------------------------------------------------------------


@pytest.mark.parametrize("topic", [Topic.PR_MSG_S, Topic.PR_MSG_P])
@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
def test_the_others_hear_what_one_says(tmp_path: Path, topic: Topic, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = rig.online("alice"), rig.online("bob", sdk), rig.online("carol")
    join(alice)
    join(bob)
    assert tell(alice, '{"a":1}', topic=topic) == 0
    (message,) = map(item, bob.deliveries(Topic.S_MSG))
    assert message.type == ConversationType.RTC_ROOM
    assert (message.groupId, message.fromUserId) == (ROOM, "alice")
    assert (message.classname, message.content) == ("app:note", b'{"a":1}')
    assert carol.frames() == []
    # It is shown and forgotten.
    assert bob.pull_all() == []


def test_a_message_for_some(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = (rig.online(name) for name in ("alice", "bob", "carol"))
    for client in (carol, bob, alice):
        join(client)
    states(bob)
    states(carol)
    assert tell(alice, to="carol") == 0
    assert bob.frames() == []
    assert len(carol.deliveries(Topic.S_MSG)) == 1


def test_who_may_not_speak(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = (rig.online(name) for name in ("alice", "bob", "carol"))
    join(alice)
    join(bob)
    watch(carol)
    assert tell(carol) == ErrorCode.RC_MSG_UNAUTHORIZED
    assert tell(rig.online("dave")) == ErrorCode.RC_MSG_UNAUTHORIZED
    rig.do(rig.system.standings.mute((APP, "alice"), until=START + 1000))
    assert tell(alice) == ErrorCode.RC_MSG_UNAUTHORIZED
    assert tell(bob, "null") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    rig.advance(1)
    alice.frames()
    assert tell(alice) == 0


def test_even_without_an_id_a_message_is_acknowledged(tmp_path: Path) -> None:
    """SDK 2.9.2 sends status messages with id 0 (operations 2)."""
    rig = Rig(tmp_path)
    alice = rig.online("alice", "2.9.2")
    join(alice)
    alice.publish(ROOM, topic=Topic.PR_MSG_S, flags=0, message_id=0, qos=Qos.AT_MOST_ONCE)
    rig.settle()
    assert alice.ack().status == 0


# -- the rest ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.RTC_R_JOIN_DATA, rtc()),
        (Topic.RTC_R_EXIT, EMPTY),
        (Topic.RTC_PING, rtc()),
        (Topic.RTC_TOKEN, rtc()),
        (Topic.VIEWER_JOIN_R, rtc()),
        (Topic.RTC_U_LIST, payloads.RtcQueryListInput()),
    ],
)
@pytest.mark.parametrize("target", ["", "a b", "x" * 65])
def test_what_cannot_be_a_room(
    tmp_path: Path, topic: Topic, request_: Message, target: str
) -> None:
    alice = Rig(tmp_path).online("alice")
    assert query(alice, topic, request_, target) == (33003, b"")


def test_a_token_is_another_one_each_time(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    first, second = (
        ask(alice, Topic.RTC_TOKEN, rtc(), payloads.RtcTokenOutput).rtcToken for _ in range(2)
    )
    assert "" not in (first, second)
    assert first != second


def test_what_rtc_libraries_report_goes_to_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="improto_server.services.rtc")
    alice = Rig(tmp_path).online("alice")
    ask(alice, Topic.RTC_USER_STATE, payloads.MCFollowInput(id="R1\nx"), payloads.RtcOutput)
    assert caplog.messages == ["alice in RTC room 'studio': 'R1\\nx'"]


def test_there_is_no_call_engine(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", "2.5.3")
    request = payloads.VoipDynamicInput(engineType=1, channelName="c")
    assert query(alice, Topic.QRY_VOIP_K, request) == (ErrorCode.NOVOIP, b"")


def test_an_rtc_room_can_belong_to_a_chatroom(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    request = payloads.SetRtcRoomIdInput(rtcRoomId=ROOM)
    place = Place(APP, ConversationType.CHATROOM, "lobby")
    assert query(alice, Topic.SET_RTC_ROOM_ID, request, "lobby")[0] == 23410
    ask(alice, Topic.JOIN_CHRM, payloads.ChrmInput(nothing=1), payloads.ChrmOutput, "lobby")
    ask(alice, Topic.SET_RTC_ROOM_ID, request, payloads.SetRtcRoomIdOutput, "lobby")
    assert rig.system.rtc.bound(place) == ROOM
    assert query(rig.online("bob"), Topic.SET_RTC_ROOM_ID, request, "lobby")[0] == 23406
    bad = payloads.SetRtcRoomIdInput(rtcRoomId="a b")
    assert query(alice, Topic.SET_RTC_ROOM_ID, bad, "lobby")[0] == 33003
    for forget in rig.system.rooms.on_destroyed:
        forget(place)
    assert rig.system.rtc.bound(place) is None


def test_programs_without_a_connection_may_join_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    robot = Caller(APP, "robot", alice.peer.connection.profile)
    rig.do(rig.system.rtc.join(robot, ROOM, rtc()))
    rig.do(rig.system.rtc.join(robot, ROOM, rtc(joinType=1)))
    join(alice)
    assert members(alice) == ["robot", "alice"]
