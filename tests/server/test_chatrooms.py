"""Chatrooms: coming and going, and what members read (session 11, operations 14)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from improto import contents, payloads
from improto.codes import CommandType, ErrorCode, NotifyType
from improto.config import Limits
from improto.contents import ChatroomMemberChange
from improto.frames import Delivery, PubAck, QueryAck
from improto.http import HttpRequest
from improto.operations import Topic
from improto_server.app import Application
from improto_server.config import ChatroomSettings, GatewaySettings, Settings, StoreSettings
from improto_server.errors import ServiceError
from improto_server.navigation import Navigation, Offer
from improto_server.services.chatrooms import ChatroomRules, Mark
from improto_server.services.roomnotices import MOST_CHANGES
from improto_server.steps import start
from tests.server.rig import APP, START, FakeAccounts, Rig, sent_at
from tests.server.room_tools import (
    BROKEN,
    PRESENT,
    ROOM,
    ask,
    join,
    keys,
    leave,
    members,
    notices,
    pull,
    put,
    say,
    status,
    texts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

HOUR = 3600.0


def inside(rig: Rig, *names: str, sdk: str = "4.6.4") -> list[Client]:
    """Clients who are in the room and have pulled."""
    clients = [rig.online(name, sdk) for name in names]
    for client in clients:
        join(client)
        pull(client)
    return clients


def restart(rig: Rig, path: Path, **options: object) -> Rig:
    """The server ends and comes back a minute later."""
    rig.store.store.close()
    new = Rig(path, **options)  # type: ignore[arg-type]
    new.advance(60.0)
    return new


def of(rig: Rig, *clients: Client) -> None:
    """Forget what has come so far."""
    rig.settle()
    for client in clients:
        client.frames()


# -- coming in -------------------------------------------------------------------------


def test_who_joins_first_makes_the_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    assert status(bob, Topic.JOIN_CHRM_R, PRESENT) == ErrorCode.RC_CHATROOM_NOT_EXIST
    assert join(alice) == START
    assert join(bob) == START + 1
    assert members(alice) == ["alice", "bob"]


def test_a_user_is_in_once_with_all_his_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    one, other = inside(rig, "alice", "alice")
    since = rig.system.rooms.get(APP, ROOM)
    assert since is not None
    assert since.members == {"alice": START}
    leave(other)
    assert status(one, Topic.EXIT_CHRM, PRESENT) == ErrorCode.NOT_IN_CHATROOM


@pytest.mark.parametrize("room", ["", "a/b", "x" * 65, "\U0001f600", "rongcloudsystem"])
def test_no_room_can_have_such_an_id(tmp_path: Path, room: str) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    bad = ErrorCode.RC_CHATROOM_PATAMETER_INVALID
    assert status(alice, Topic.JOIN_CHRM, PRESENT, room=room) == bad
    assert status(alice, Topic.JOIN_CHRM_R, PRESENT, room=room) == bad
    assert status(alice, Topic.EXIT_CHRM, PRESENT, room=room) == ErrorCode.NOT_IN_CHATROOM
    info = payloads.QueryChatroomInfoInput(count=1, order=1)
    assert status(alice, Topic.QUERY_CHRM_I, info, room=room) == bad
    page = payloads.ChrmPullMsg(syncTime=0, count=1)
    nowhere = ErrorCode.RC_CHATROOM_NOT_EXIST
    assert status(alice, Topic.CHRM_PULL, page, room=room) == nowhere
    assert members(alice) == ["alice"]


def test_a_full_room_takes_nobody_new(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(most_members=2))
    alice, _ = inside(rig, "alice", "bob")
    carol = rig.online("carol")
    assert status(carol, Topic.JOIN_CHRM, PRESENT) == ErrorCode.RC_CHATROOM_IS_FULL
    join(alice)
    leave(alice)
    join(carol)


def test_who_is_banned_is_put_out_and_stays_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    until = START + 60_000
    rig.do(rig.system.rooms.mark(APP, ROOM, "bob", Mark.BANNED, until=until))
    assert members(alice) == ["alice"]
    for topic in (Topic.JOIN_CHRM, Topic.JOIN_CHRM_R):
        assert status(bob, topic, PRESENT) == ErrorCode.RC_CHATROOM_USER_KICKED
    assert say(bob) == ErrorCode.RC_CHATROOM_USER_KICKED
    rig.advance(61.0)
    join(bob)


def test_a_ban_comes_before_its_room_and_outlasts_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    for user in ("alice", "bob"):
        rig.do(rooms.mark(APP, ROOM, user, Mark.BANNED, until=START + 10**9))
    rig.do(rooms.mark(APP, ROOM, "bob", Mark.BANNED, until=0))
    rig = restart(rig, tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    assert status(alice, Topic.JOIN_CHRM, PRESENT) == ErrorCode.RC_CHATROOM_USER_KICKED
    join(bob)
    rig.do(rig.system.rooms.mark(APP, ROOM, "alice", Mark.BANNED, until=0))
    join(alice)


def test_a_mark_needs_somebody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.rooms.mark(APP, ROOM, "a/b", Mark.BANNED, until=1))
    assert refusal.value.code == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_mark_for_a_room_that_is_forgotten_meanwhile(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    results: list[object] = []
    start(rooms.mark(APP, ROOM, "bob", Mark.GAGGED, until=START * 2), results.append)
    rig.settle_one()
    rig.do(rooms.create(APP, ROOM))
    destroyed: list[object] = []
    start(rooms.mark(APP, ROOM, "bob", Mark.GAGGED, until=START * 2), results.append)
    start(rooms.destroy(APP, ROOM), destroyed.append)
    rig.settle()
    assert results == [None, None]
    assert destroyed == [None]
    join(rig.online("bob"))
    assert say(rig.online("bob")) == 0


def test_rooms_outlast_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    for number in range(60):
        assert say(alice, str(number)) == 0
    rig = restart(rig, tmp_path)
    bob = rig.online("bob")
    assert status(bob, Topic.EXIT_CHRM, PRESENT) == ErrorCode.NOT_IN_CHATROOM
    ask(bob, Topic.JOIN_CHRM_R, PRESENT, payloads.ChrmOutput)
    assert texts(pull(bob, count=50)) == [str(number) for number in range(10, 60)]


def test_after_a_restart_with_a_clock_that_is_slow_times_go_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.advance(1000.0)
    inside(rig, "alice")
    rig = restart(rig, tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    assert say(alice) == 0
    (item,) = pull(bob).list
    assert item.dataTime > START + 1_000_000


def test_the_clients_cursor_starts_behind_everything_that_was_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    bob = rig.online("bob")
    sent = alice.publish(ROOM, topic=Topic.CHAT_MSG)
    joined = bob.query(Topic.JOIN_CHRM, PRESENT, target=ROOM)
    rig.settle_one()
    (ack,) = [frame for frame in alice.frames() if isinstance(frame, PubAck)]
    assert ack.message_id == sent
    frames = bob.frames()
    (answered,) = [frame for frame in frames if isinstance(frame, QueryAck)]
    assert answered.message_id == joined
    assert payloads.decode(payloads.ChrmOutput, answered.data).joinTime > sent_at(ack)
    assert texts(pull(bob)) == ['{"content":"hello"}']


def test_a_user_is_in_one_room_if_the_operator_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(several_rooms=False))
    (alice,) = inside(rig, "alice")
    join(alice)
    join(alice, room="other")
    assert say(alice) == ErrorCode.NOT_IN_CHATROOM
    assert say(alice, room="other") == 0
    assert members(alice) == []


def test_a_user_is_in_several_rooms(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    join(alice, room="other")
    assert say(alice) == 0
    assert say(alice, room="other") == 0
    leave(alice)
    assert say(alice, room="other") == 0


@pytest.mark.parametrize("is_there", [False, True])
def test_a_store_that_fails_lets_nobody_in(tmp_path: Path, is_there: bool) -> None:
    rig = Rig(tmp_path)
    if is_there:
        inside(rig, "carol")
    alice, bob = rig.online("alice"), rig.online("bob")
    asked = [client.query(Topic.JOIN_CHRM, PRESENT, target=ROOM) for client in (alice, bob)]
    if not is_there:
        rig.settle_one()
    rig.store.broken = BROKEN
    rig.settle()
    for client, message_id in zip((alice, bob), asked, strict=True):
        (refusal,) = client.answers(message_id)
        assert refusal.status == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert "alice" not in members(alice)
    join(bob)
    assert members(alice) == (["carol"] if is_there else []) + ["bob"]


def test_who_was_in_stays_in_if_joining_again_fails(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    rig.store.broken = BROKEN
    assert status(alice, Topic.JOIN_CHRM, PRESENT) == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    assert say(alice) == 0


# -- who is in -------------------------------------------------------------------------


def test_who_is_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    names = [f"user{number:02}" for number in range(25)]
    for name in names:
        join(rig.online(name))
    alice = rig.online("alice")

    def listed(count: int, order: int) -> list[str]:
        request = payloads.QueryChatroomInfoInput(count=count, order=order)
        reply = ask(alice, Topic.QUERY_CHRM_I, request, payloads.QueryChatroomInfoOutput)
        assert reply.userTotalNums == 25
        times = [info.time for info in reply.userInfos]
        assert times == sorted(times, reverse=order == 2)
        return [info.id for info in reply.userInfos]

    assert listed(3, 1) == names[:3]
    assert listed(3, 2) == names[:-4:-1]
    assert listed(3, 0) == []
    assert listed(0, 1) == []
    assert listed(100, 1) == names[:20]


@pytest.mark.parametrize(("count", "order"), [(-1, 1), (1, 3), (1, -1)])
def test_a_question_that_is_none(tmp_path: Path, count: int, order: int) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    request = payloads.QueryChatroomInfoInput(count=count, order=order)
    bad = ErrorCode.RC_CHATROOM_PATAMETER_INVALID
    assert status(alice, Topic.QUERY_CHRM_I, request) == bad


def test_nobody_knows_of_a_room_that_is_not_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    request = payloads.QueryChatroomInfoInput(count=1, order=1)
    assert status(alice, Topic.QUERY_CHRM_I, request) == ErrorCode.RC_CHATROOM_NOT_EXIST
    assert say(alice) == ErrorCode.RC_CHATROOM_NOT_EXIST
    assert say(alice, room="a/b") == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


# -- reading ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "found"), [(-1, 0), (-5, 0), (0, 10), (3, 3), (50, 50), (2**31 - 1, 50)]
)
def test_how_much_a_newcomer_reads(tmp_path: Path, count: int, found: int) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    bob = rig.online("bob")
    for number in range(55):
        say(alice, str(number))
    join(bob)
    page = pull(bob, count=count)
    assert texts(page) == [str(number) for number in range(55 - found, 55)]
    newest = rig.system.rooms.get(APP, ROOM)
    assert newest is not None
    assert page.syncTime == newest.newest
    assert texts(pull(bob, page.syncTime)) == []


def test_an_empty_room_has_a_time_all_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    joined = join(alice)
    assert pull(alice).syncTime == joined


@pytest.mark.parametrize("count", [-1, 0, 2])
def test_from_a_cursor_on_everything_is_read(tmp_path: Path, count: int) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    for number in range(30):
        say(alice, str(number))
    first = pull(bob, count=30).list[14]
    assert texts(pull(bob, first.dataTime, count)) == [str(number) for number in range(15, 30)]


def test_a_cursor_below_zero_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    request = payloads.ChrmPullMsg(syncTime=-1, count=1)
    assert status(alice, Topic.CHRM_PULL, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_who_is_not_in_reads_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    request = payloads.ChrmPullMsg(syncTime=0, count=1)
    nowhere = ErrorCode.RC_CHATROOM_NOT_EXIST
    assert status(alice, Topic.CHRM_PULL, request, room="none") == nowhere
    leave(alice)
    say(bob)
    assert status(alice, Topic.CHRM_PULL, request) == ErrorCode.NOT_IN_CHATROOM
    assert notices(alice, Topic.S_NTF) == []


def test_a_page_is_no_heavier_than_a_pull_may_be(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=Limits(pull_bytes=4096))
    alice, bob = inside(rig, "alice", "bob")
    for number in range(5):
        say(alice, f"{number}" * 1000)
    assert [text[0] for text in texts(pull(bob))] == ["2", "3", "4"]
    say(alice, "x" * 5000)
    assert len(texts(pull(bob))[0]) == 5000


def test_contents_are_written_for_the_reader(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    (old,) = inside(rig, "bob", sdk="2.5.3")
    say(alice, '{"content":"\U0001f600"}')
    assert texts(pull(old)) == ['{"content":"\\ud83d\\ude00"}']


def test_what_i_sent_is_for_my_other_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    one, other = inside(rig, "alice", "alice")
    before = pull(one).syncTime
    say(one)
    assert pull(one).list == []
    (item,) = pull(other, before).list
    assert (item.direction, item.fromUserId, item.groupId) == (1, "alice", ROOM)
    assert len(pull(other).list) == 1


def test_who_comes_back_with_his_cursor_does_not_read_himself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    before = pull(alice).syncTime
    say(alice, "one")
    alice.publish(ROOM, "two", topic=Topic.CHAT_MSG)
    alice.leave()
    rig.settle()
    again = rig.online("alice")
    join(again)
    assert texts(pull(again, before)) == []
    # Who begins anew does.
    assert texts(pull(again)) == ["one", "two"]


def test_who_leaves_and_comes_again_reads_what_was_said(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    say(alice, "one")
    alice.publish(ROOM, "two", topic=Topic.CHAT_MSG)
    leave(alice)
    join(alice)
    assert texts(pull(alice)) == ["one", "two"]


def test_a_recalled_message_is_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    for text in ("one", "two", "three"):
        say(alice, text)
    room = rig.system.rooms.get(APP, ROOM)
    assert room is not None
    _, two, _ = pull(bob).list
    assert room.remove(two.msgId)
    assert not room.remove(two.msgId)
    assert texts(pull(bob)) == ["one", "three"]


def test_members_read_what_was_said_before(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    outsider = rig.online("carol")
    for text in ("one", "two"):
        say(alice, text)
    request = payloads.HistoryMsgInput(targetId=ROOM, time=0, count=20, order=0)
    for topic in (Topic.QRY_CH_MSG, Topic.QRY_C_MSG):
        reply = ask(bob, topic, request, payloads.HistoryMsgOuput)
        assert [item.content for item in reply.list] == [b"two", b"one"]
        assert status(outsider, topic, request) == ErrorCode.NOT_IN_CHATROOM


def test_a_message_is_recalled_in_the_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    say(alice, "one")
    say(alice, "two")
    one, _ = pull(bob).list
    command = {"messageUId": one.msgId, "conversationType": 4, "targetId": ROOM}
    alice.publish("alice", json.dumps(command), topic=Topic.RECALL_MSG, name="RC:RcCmd", flags=0)
    rig.settle()
    assert [item.classname for item in pull(bob).list] == ["RC:TxtMsg", "RC:RcCmd"]
    rig = restart(rig, tmp_path)
    (bob,) = inside(rig, "bob")
    assert [item.classname for item in pull(bob).list] == ["RC:TxtMsg", "RC:RcCmd"]


def test_who_may_read_history(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    inside(rig, "alice")
    rig.do(rooms.may_read(APP, ROOM, "alice"))
    for room, user, code in (
        (ROOM, "bob", ErrorCode.NOT_IN_CHATROOM),
        ("none", "bob", ErrorCode.RC_CHATROOM_NOT_EXIST),
        ("a/b", "bob", ErrorCode.RC_CHATROOM_NOT_EXIST),
    ):
        with pytest.raises(ServiceError) as refusal:
            rig.do(rooms.may_read(APP, room, user))
        assert refusal.value.code == code


def test_history_can_be_switched_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(has_history=False))
    inside(rig, "alice")
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.rooms.may_read(APP, ROOM, "alice"))
    assert refusal.value.code == ErrorCode.CHATROOM_NOT_OPEN_HISTORYMSG_STORE


def test_a_room_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    rig.store.broken = BROKEN
    request = payloads.ChrmPullMsg(syncTime=0, count=1)
    assert status(alice, Topic.CHRM_PULL, request) == ErrorCode.INTERNALERRROR


# -- being told ------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
def test_members_are_told_and_the_sender_is_not(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob", sdk=sdk)
    outsider = rig.online("carol", sdk)
    message_id = alice.publish(ROOM, topic=Topic.CHAT_MSG)
    rig.settle()
    (ack,) = alice.frames()
    assert isinstance(ack, PubAck)
    assert ack.message_id == message_id
    assert notices(bob, Topic.S_NTF) == [(NotifyType.CHATROOM, sent_at(ack), ROOM)]
    assert notices(outsider, Topic.S_NTF) == []


def test_the_senders_other_devices_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    one, other = inside(rig, "alice", "alice")
    say(one)
    assert len(notices(other, Topic.S_NTF)) == 1
    assert notices(one, Topic.S_NTF) == []


def test_a_burst_costs_one_notification(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = inside(rig, "alice", "bob", "carol")
    for _ in range(20):
        alice.publish(ROOM, topic=Topic.CHAT_MSG)
    bob.publish(ROOM, topic=Topic.CHAT_MSG)
    rig.settle()
    ((_, newest, _),) = notices(carol, Topic.S_NTF)
    assert [time for _, time, _ in notices(alice, Topic.S_NTF)] == [newest]
    # His own message is the newest; he is told of the others.
    assert [time for _, time, _ in notices(bob, Topic.S_NTF)] == [newest - 1]


def test_who_comes_again_is_told_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    say(alice)
    assert len(notices(bob, Topic.S_NTF)) == 1
    leave(bob)
    join(bob)
    say(alice)
    assert len(notices(bob, Topic.S_NTF)) == 1


def test_a_member_whose_connection_is_ending_is_passed_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    bob.connection.receive_eof(now=rig.now)
    assert say(alice) == 0
    bob.dispatch()
    assert say(alice) == 0


def test_a_message_that_comes_out_of_a_room_that_is_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    sent = alice.publish(ROOM, topic=Topic.CHAT_MSG)
    done: list[object] = []
    start(rig.system.rooms.destroy(APP, ROOM), done.append)
    rig.settle()
    assert done == [None]
    assert [frame.message_id for frame in alice.frames() if isinstance(frame, PubAck)] == [sent]
    assert notices(bob, Topic.S_NTF) == []


def test_in_a_busy_room_messages_of_low_priority_are_left_out(tmp_path: Path) -> None:
    rules = ChatroomRules(low_priority=frozenset({"app:like"}), busy_rate=3)
    rig = Rig(tmp_path, chatrooms=rules)
    alice, bob = inside(rig, "alice", "bob")
    for number in range(5):
        assert say(alice, f"like {number}", name="app:like") == 0
    assert say(alice, "text") == 0
    assert texts(pull(bob)) == ["like 0", "like 1", "like 2", "text"]
    assert rig.system.rooms.cast.dropped == 2
    rig.advance(1.0)
    say(alice, "like 5", name="app:like")
    assert texts(pull(bob))[-1] == "like 5"


# -- going -----------------------------------------------------------------------------


def test_who_leaves_is_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    leave(alice)
    assert status(alice, Topic.EXIT_CHRM, PRESENT) == ErrorCode.NOT_IN_CHATROOM
    assert say(alice) == ErrorCode.NOT_IN_CHATROOM
    assert members(alice) == ["bob"]


def test_who_stays_away_is_put_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    bob.leave()
    rig.advance(29.0)
    rig.system.tick()
    assert members(alice) == ["alice", "bob"]
    rig.advance(1.0)
    rig.system.tick()
    assert members(alice) == ["alice"]


def test_who_comes_back_in_time_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    bob.leave()
    rig.advance(20.0)
    bob = rig.online("bob")
    say(alice)
    assert len(notices(bob, Topic.S_NTF)) == 1
    rig.advance(20.0)
    rig.system.tick()
    assert members(alice) == ["alice", "bob"]
    # And from the next time he goes it counts anew.
    bob.leave()
    rig.advance(20.0)
    bob = rig.online("bob")
    bob.leave()
    rig.advance(20.0)
    rig.system.tick()
    assert members(alice) == ["alice", "bob"]
    rig.advance(10.0)
    rig.system.tick()
    assert members(alice) == ["alice"]


def test_joining_again_ends_the_waiting(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    bob.leave()
    bob = rig.online("bob")
    ask(bob, Topic.JOIN_CHRM_R, PRESENT, payloads.ChrmOutput)
    rig.advance(31.0)
    rig.system.tick()
    assert members(alice) == ["alice", "bob"]


def test_one_of_two_devices_may_go(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    one, other = inside(rig, "alice", "alice")
    one.leave()
    rig.advance(31.0)
    rig.system.tick()
    assert members(other) == ["alice"]


def test_who_is_gone_before_he_is_let_in_is_put_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    bob = rig.online("bob")
    bob.query(Topic.JOIN_CHRM, PRESENT, target="other")
    bob.leave()
    rig.settle()
    assert members(alice, room="other") == ["bob"]
    rig.advance(30.0)
    rig.system.tick()
    assert members(alice, room="other") == []


# -- the end of a room -----------------------------------------------------------------


def is_there(rig: Rig, room: str = ROOM) -> bool:
    return rig.do(rig.system.rooms.load(APP, room)).exists


def test_a_room_that_stays_empty_is_destroyed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    put(alice, "key")
    leave(alice)
    rig.advance(HOUR - 1)
    rig.system.tick()
    rig.settle()
    assert is_there(rig)
    rig.advance(1.0)
    rig.system.tick()
    rig.settle()
    assert not is_there(rig)
    join(alice)
    assert keys(alice) == {}
    rig.advance(2 * HOUR)
    rig.system.tick()
    rig.settle()
    assert is_there(rig)


def test_a_room_that_was_made_and_never_used_is_destroyed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.create(APP, ROOM, name="The room"))
    rig.do(rooms.create(APP, ROOM, name="Another name"))
    assert rig.do(rooms.load(APP, ROOM)).name == "The room"
    rig = restart(rig, tmp_path)
    assert rig.do(rig.system.rooms.load(APP, ROOM)).name == "The room"
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    assert not is_there(rig)


def test_after_a_restart_the_hour_begins_anew(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    inside(rig, "alice")
    rig = restart(rig, tmp_path)
    rig.system.tick()
    rig.settle()
    rig.advance(HOUR - 61)
    rig.system.tick()
    rig.settle()
    assert is_there(rig)
    rig.advance(1.0)
    rig.system.tick()
    rig.settle()
    assert not is_there(rig)


def test_who_comes_at_the_last_moment_keeps_the_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    inside(rig, "alice")
    rig = restart(rig, tmp_path)
    alice = rig.online("alice")
    rig.advance(HOUR)
    joined = alice.query(Topic.JOIN_CHRM_R, PRESENT, target=ROOM)
    rig.system.tick()
    rig.settle()
    (reply,) = alice.answers(joined)
    assert reply.status == 0
    assert members(alice) == ["alice"]


def test_a_room_that_is_kept_lasts(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.create(APP, ROOM))
    rig.do(rooms.change(APP, ROOM, is_kept=True))
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    assert is_there(rig)
    rig = restart(rig, tmp_path)
    rooms = rig.system.rooms
    assert rig.do(rooms.load(APP, ROOM)).is_kept
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    assert is_there(rig)
    rig.do(rooms.change(APP, ROOM, is_kept=False))
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    assert not is_there(rig)


def test_two_changes_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.create(APP, ROOM))
    start(rooms.change(APP, ROOM, is_muted=True), lambda _: None)
    start(rooms.change(APP, ROOM, is_kept=True), lambda _: None)
    rig.settle()
    for _ in range(2):
        room = rig.do(rig.system.rooms.load(APP, ROOM))
        assert (room.is_muted, room.is_kept) == (True, True)
        rig = restart(rig, tmp_path)


def test_what_is_not_there_cannot_be_changed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.rooms.change(APP, ROOM, is_kept=True))
    assert refusal.value.code == ErrorCode.RC_CHATROOM_NOT_EXIST


def test_members_learn_that_the_room_is_destroyed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (newest,) = inside(rig, "alice")
    (newer,) = inside(rig, "bob", sdk="2.9.2")
    (oldest,) = inside(rig, "carol", sdk="2.5.3")
    say(newest)
    of(rig, newest, newer, oldest)
    rig.do(rig.system.rooms.destroy(APP, ROOM))
    (frame,) = newest.frames()
    assert isinstance(frame, Delivery)
    assert (frame.topic, frame.target_id) == (Topic.S_CMD, ROOM)
    told = payloads.decode(payloads.NotifyMsg, frame.data)
    assert (told.type, told.chrmId) == (CommandType.CHATROOM_DESTROYED, ROOM)
    assert newer.frames() == []
    assert oldest.frames() == []
    assert say(newest) == ErrorCode.RC_CHATROOM_NOT_EXIST
    request = payloads.ChrmPullMsg(syncTime=0, count=1)
    assert status(newest, Topic.CHRM_PULL, request) == ErrorCode.RC_CHATROOM_NOT_EXIST
    rig.do(rig.system.rooms.destroy(APP, ROOM))


def test_nothing_of_a_destroyed_room_is_in_the_next(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    rooms = rig.system.rooms
    put(alice, "key")
    say(alice)
    rig.do(rooms.mark(APP, ROOM, "alice", Mark.GAGGED, until=START * 2))
    rig.do(rooms.destroy(APP, ROOM))
    for _ in range(2):
        alice = rig.online("alice")
        join(alice)
        assert texts(pull(alice)) == []
        assert keys(alice) == {}
        assert rig.do(rooms.load(APP, ROOM)).refusal("alice", now=START) is None
        rig = restart(rig, tmp_path)
        rooms = rig.system.rooms


def test_a_room_that_cannot_be_destroyed_is_tried_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.create(APP, ROOM))
    rig.store.broken = BROKEN
    with pytest.raises(ServiceError):
        rig.do(rooms.destroy(APP, ROOM))
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    rig.store.broken = None
    rig.advance(HOUR)
    rig.system.tick()
    rig.settle()
    assert not is_there(rig)


def test_a_room_that_cannot_be_made(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.load(APP, ROOM))
    rig.store.broken = BROKEN
    with pytest.raises(ServiceError):
        rig.do(rooms.create(APP, ROOM))
    assert rooms.get(APP, ROOM) is None


def test_a_room_that_is_neither_made_nor_destroyed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rooms = rig.system.rooms
    rig.do(rooms.load(APP, ROOM))
    rig.store.broken = BROKEN
    results: list[object] = []
    start(rooms.create(APP, ROOM), results.append)
    start(rooms.destroy(APP, ROOM), results.append)
    rig.settle()
    assert [type(result) for result in results] == [ServiceError, ServiceError]


# -- who may speak ---------------------------------------------------------------------


def test_who_is_gagged_reads_and_does_not_speak(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    rig.do(rig.system.rooms.mark(APP, ROOM, "alice", Mark.GAGGED, until=START + 60_000))
    assert say(alice) == ErrorCode.FORBIDDEN_IN_CHATROOM
    assert say(bob) == 0
    assert len(pull(alice).list) == 1
    rig.advance(60.0)
    assert say(alice) == 0


def test_in_a_muted_room_only_the_allowed_speak(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    rooms = rig.system.rooms
    rig.do(rooms.change(APP, ROOM, is_muted=True))
    rig.do(rooms.mark(APP, ROOM, "alice", Mark.ALLOWED, until=START * 2))
    assert say(alice) == 0
    assert say(bob) == ErrorCode.FORBIDDEN_IN_CHATROOM
    rig = restart(rig, tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    assert say(alice) == 0
    assert say(bob) == ErrorCode.FORBIDDEN_IN_CHATROOM
    rig.do(rig.system.rooms.change(APP, ROOM, is_muted=False))
    assert say(bob) == 0


# -- notices ---------------------------------------------------------------------------


def changes(page: payloads.DownStreamMessages) -> list[list[tuple[str | None, int | None]]]:
    found = []
    for item in page.list:
        if item.classname == ChatroomMemberChange.object_name:
            content = contents_of(item)
            assert content.user_list is not None
            found.append([(each.user_id, each.status) for each in content.user_list])
    return found


def contents_of(item: payloads.DownStreamMessage) -> ChatroomMemberChange:
    content = contents.decode(item.classname, item.content)
    assert isinstance(content, ChatroomMemberChange)
    return content


def test_members_are_told_who_comes_and_goes_if_wanted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(member_notices=True))
    alice, bob, carol = inside(rig, "alice", "bob", "carol")
    join(bob)
    leave(carol)
    leave(bob)
    rig.system.tick()
    rig.settle()
    assert changes(pull(alice)) == [[("alice", 1), ("carol", 0), ("bob", 0)]]
    rig.system.tick()
    rig.settle()
    assert len(changes(pull(alice))) == 1


def test_notices_are_off_by_default(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    rig.system.tick()
    rig.settle()
    assert changes(pull(alice)) == []


def test_of_a_room_that_is_gone_nothing_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(member_notices=True))
    inside(rig, "alice")
    rig.do(rig.system.rooms.destroy(APP, ROOM))
    rig.system.tick()
    assert rig.settle() == 0


def test_a_crowd_is_told_in_parts(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(member_notices=True))
    (alice,) = inside(rig, "alice")
    attendance = rig.system.rooms.attendance
    room = rig.do(rig.system.rooms.load(APP, ROOM))
    for number in range(MOST_CHANGES):
        attendance.enter(room, f"user{number}", room.newest)
    rig.system.tick()
    rig.settle()
    assert [len(part) for part in changes(pull(alice))] == [MOST_CHANGES, 1]


def test_a_notice_that_cannot_be_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(member_notices=True))
    inside(rig, "alice")
    rig.store.broken = BROKEN
    rig.system.tick()
    rig.settle()
    assert "members were not told who has come and gone" in caplog.text


# -- settings and the application ------------------------------------------------------


def test_the_settings_have_the_defaults_of_the_service() -> None:
    assert ChatroomSettings().as_rules() == ChatroomRules()


@pytest.mark.parametrize("is_on", [False, True])
def test_clients_are_told_what_rooms_can_do(is_on: bool) -> None:
    navigation = Navigation(
        FakeAccounts(APP),
        own_address="127.0.0.1:8080",
        public_address="",
        offer=Offer(several_rooms=is_on, room_keys=is_on),
        now=lambda: START / 1000,
    )
    request = HttpRequest(method="GET", target=f"/navi.js?appId={APP}&token=alice", headers=())
    fields = json.loads(navigation.respond(request).body)
    assert (fields["joinMChrm"], fields["kvStorage"]) == (is_on, int(is_on))


def test_time_goes_on_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        gateway=GatewaySettings(port=0),
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'messages.db'}", durable=False),
    )

    async def scenario() -> None:
        application = Application(settings)
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            if ticks == 1:
                raise ZeroDivisionError
            tasks.cancel_scope.cancel()

        async def sleep(seconds: float) -> None:
            assert seconds == 1.0
            await anyio.lowlevel.checkpoint()

        monkeypatch.setattr(application.system, "tick", tick)
        async with application.listening(), anyio.create_task_group() as tasks:
            with monkeypatch.context() as quick:
                quick.setattr(anyio, "sleep", sleep)
                await application.tick_regularly()
        assert ticks == 2

    anyio.run(scenario)
    assert caplog.messages == ["what time brings about could not be done"]
