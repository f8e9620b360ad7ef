"""What the application is told of, and what waits for it (rest 10.1 to 10.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import DisconnectStatus
from improto.frames import Disconnect, PubAck
from improto.operations import Topic
from improto_server.services.outbox import SLICE, Kind, Stream
from improto_server.services.webhooks import HookRules
from improto_server.store import StoreError, batches
from tests.server.api_tools import ApiRig
from tests.server.rig import APP, sent_at
from tests.server.room_tools import ROOM, join, leave
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

MESSAGES = Stream(APP, Kind.MESSAGES)
ONLINE = Stream(APP, Kind.ONLINE)
CHATROOMS = Stream(APP, Kind.CHATROOMS)
RULES = HookRules(wanted={APP: frozenset(Kind)})

DAY = 24 * 60 * 60

SLOW = ("SCAN outbox", "SCAN messages", "SCAN online_sessions", "USE TEMP")
"""Plans that read a whole table."""


class HookRig(ApiRig):
    """A rig whose outbox can be read."""

    def __init__(self, path: Path, rules: HookRules = RULES, **options: Any) -> None:
        super().__init__(path, hooks=rules, **options)
        self.outbox = self.system.outbox

    def told(self, stream: Stream) -> list[Any]:
        """What is told in a stream; it waits no longer."""
        self.settle()
        posts = self.do(self.outbox.next(stream, 1000))
        self.do(self.outbox.taken(stream, posts))
        return [json.loads(post.body) for post in posts]


@pytest.fixture
def rig(tmp_path: Path) -> HookRig:
    return HookRig(tmp_path)


def say(client: Client, words: str, target: str = "bob", **options: Any) -> PubAck:
    client.publish(target, json.dumps({"content": words}), **options)
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    return ack


# -- messages --------------------------------------------------------------------------


def test_a_message(rig: HookRig) -> None:
    ack = say(rig.online("alice"), "hello")
    time = str(sent_at(ack))
    assert rig.told(MESSAGES) == [
        {
            "fromUserId": "alice",
            "toUserId": "bob",
            "objectName": "RC:TxtMsg",
            "content": '{"content": "hello"}',
            "channelType": "PERSON",
            "msgTimestamp": time,
            "timestamp": time,
            "msgUID": ack.uid,
            "sensitiveType": "0",
            "source": "Websocket",
            "clientIp": "192.0.2.1:5000",
        }
    ]
    assert rig.told(MESSAGES) == []


def test_it_is_written_in_the_same_transaction(rig: HookRig) -> None:
    alice = rig.online("alice")
    rig.settle()
    alice.publish("bob")
    assert rig.settle() == 1
    assert rig.outbox.waiting[MESSAGES] == 1


def test_what_the_store_takes_is_told_even_if_nothing_more_fits(
    rig: HookRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = rig.online("alice")
    rig.settle()
    store = rig.store.store
    before = store.jobs
    monkeypatch.setattr(batches, "WAITING_BYTES", 3000)
    for _ in range(9):
        alice.publish("bob", json.dumps({"content": "x" * 400}))
    rig.settle()
    stored = [
        frame.uid for frame in alice.frames() if isinstance(frame, PubAck) and frame.status == 0
    ]
    assert 0 < len(stored) < 9
    assert store.jobs - before == 9 + len(stored)
    assert [told["msgUID"] for told in rig.told(MESSAGES)] == stored


def test_channels(rig: HookRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob", "carol"], groupId="g", groupName="G")
    alice = rig.online("alice")
    join(alice)
    say(alice, "all", "g", topic=Topic.PG_MSG_P)
    say(alice, "some", "g", topic=Topic.PG_MSG_P, userId=["bob", "nobody", "alice"])
    say(alice, "room", ROOM, topic=Topic.CHAT_MSG)
    found = [
        (each["toUserId"], each["channelType"], each.get("groupUserIds"))
        for each in rig.told(MESSAGES)
    ]
    assert found == [
        ("g", "GROUP", None),
        ("g", "GROUP", '["bob"]'),
        (ROOM, "TEMPGROUP", None),
    ]


def test_what_is_not_told(rig: HookRig) -> None:
    rig.ask("/sensitiveword/add", word="bad")
    alice = rig.online("alice")
    say(alice, "typing", topic=Topic.PP_MSG_S)
    say(alice, "bad")
    say(rig.online("dave", app="other"), "other app")
    rest = {"fromUserId": "alice", "toUserId": "bob", "objectName": "RC:TxtMsg", "content": "{}"}
    rig.ask("/message/private/publish", **rest)
    assert rig.told(MESSAGES) == []


def test_replaced_words(rig: HookRig) -> None:
    rig.ask("/sensitiveword/add", word="ugly", replaceWord="*")
    say(rig.online("alice"), "ugly")
    (told,) = rig.told(MESSAGES)
    assert (told["sensitiveType"], json.loads(told["content"])) == ("2", {"content": "*"})


def test_a_repeat_is_told_once(rig: HookRig) -> None:
    alice = rig.online("alice")
    first = say(alice, "once", clientUniqueId=7)
    again = say(alice, "once", clientUniqueId=7)
    assert first.uid == again.uid
    assert [each["msgUID"] for each in rig.told(MESSAGES)] == [first.uid]


def test_messages_of_the_rest_api(tmp_path: Path) -> None:
    rig = HookRig(tmp_path, HookRules(wanted={APP: frozenset({Kind.MESSAGES})}, posts=True))
    rest = {"fromUserId": "alice", "toUserId": "bob", "objectName": "RC:TxtMsg", "content": "{}"}
    rig.ask("/message/private/publish", **rest)
    rig.ask("/message/system/publish", **rest)
    (told,) = rig.told(MESSAGES)
    assert (told["source"], told["channelType"]) == ("Server", "PERSON")
    assert "clientIp" not in told


def test_a_store_that_fails_tells_nothing(rig: HookRig) -> None:
    alice = rig.online("alice")
    rig.told(ONLINE)
    rig.store.broken = StoreError("the disk is full")
    assert say(alice, "lost").status != 0
    rig.store.broken = None
    assert rig.outbox.waiting[MESSAGES] == 0


# -- who is online ---------------------------------------------------------------------


def test_sessions(tmp_path: Path) -> None:
    rig = HookRig(tmp_path, multi_device=True)
    alice, tablet = rig.online("alice"), rig.online("alice")
    # Of an app that wants to hear nothing.
    dave = rig.online("dave", app="other")
    join(dave)
    dave.leave()
    rig.advance(1)
    alice.leave()
    tablet.send(Disconnect(status=DisconnectStatus.LOGOUT))
    told = rig.told(ONLINE)
    one, two = told[0]["sessionId"], told[1]["sessionId"]
    assert one != two
    assert [(each["status"], each["sessionId"]) for each in told] == [
        ("0", one),
        ("0", two),
        ("1", one),
        ("2", two),
    ]
    assert {(each["userid"], each["os"], each["clientIp"]) for each in told} == {
        ("alice", "Websocket", "192.0.2.1:5000")
    }
    assert told[2]["time"] - told[0]["time"] == 1000
    assert rig.told(CHATROOMS) == []


def test_sessions_that_the_server_ends(rig: HookRig) -> None:
    rig.online("alice")
    rig.online("alice")
    rig.ask("/user/block", userId="alice", minute=1)
    assert [each["status"] for each in rig.told(ONLINE)] == ["0", "0", "1", "1"]


def test_after_a_crash_the_sessions_are_over(tmp_path: Path) -> None:
    first = HookRig(tmp_path)
    first.online("alice")
    first.online("bob").leave()
    first.settle()
    first.store.store.close()
    again = HookRig(tmp_path)
    again.online("alice")
    found = [(each["userid"], each["status"], each["sessionId"]) for each in again.told(ONLINE)]
    session = found[0][2]
    assert sorted(found[:3]) == sorted(
        [("alice", "0", session), ("bob", "0", found[1][2]), ("bob", "1", found[1][2])]
    )
    assert found[3] == ("alice", "1", session)
    assert found[4][:2] == ("alice", "0")
    again.store.store.close()
    assert again.outbox.waiting[ONLINE] == 0


def test_when_the_server_ends_so_do_all_sessions(tmp_path: Path) -> None:
    rig = HookRig(tmp_path)
    alice = rig.online("alice")
    rig.system.webhooks.close()
    alice.leave()
    assert [each["status"] for each in rig.told(ONLINE)] == ["0", "1"]
    rig.store.store.close()
    assert HookRig(tmp_path).told(ONLINE) == []


# -- chatrooms -------------------------------------------------------------------------


def test_coming_and_going(rig: HookRig) -> None:
    alice, bob, carol = rig.online("alice"), rig.online("bob"), rig.online("carol")
    for client in (alice, bob, carol):
        join(client)
    join(alice)
    leave(alice)
    rig.ask("/chatroom/user/block/add", userId="bob", chatroomId=ROOM, minute=1)
    carol.leave()
    rig.advance(31)
    rig.system.tick()
    rig.advance(3601)
    rig.system.tick()
    rig.settle()
    told = rig.told(CHATROOMS)
    assert [(each["type"], each["status"], each["userIds"]) for each in told] == [
        (0, 0, []),
        (1, 0, ["alice"]),
        (1, 0, ["bob"]),
        (1, 0, ["carol"]),
        (2, 0, ["alice"]),
        (2, 2, ["bob"]),
        (2, 1, ["carol"]),
        (3, 3, []),
    ]
    assert {each["chatRoomId"] for each in told} == {ROOM}
    assert told[-1]["time"] == rig.wall


def test_rooms_by_call(rig: HookRig) -> None:
    rig.post_body("/chatroom/create", b"chatroom[r]=R")
    rig.ask("/chatroom/destroy", chatroomId="r")
    assert [(each["type"], each["status"]) for each in rig.told(CHATROOMS)] == [(0, 0), (3, 0)]


# -- what waits ------------------------------------------------------------------------


def put(rig: HookRig, count: int) -> None:
    for number in range(count):
        rig.outbox.put(ONLINE, b"%d" % number, time=rig.wall)
    rig.settle()


def test_it_waits_over_a_restart(tmp_path: Path) -> None:
    first = HookRig(tmp_path)
    put(first, 3)
    first.store.store.close()
    again = HookRig(tmp_path)
    assert again.outbox.waiting == {ONLINE: 3}
    assert again.told(ONLINE) == [0, 1, 2]
    assert again.outbox.waiting[ONLINE] == 0


def test_the_oldest_go_if_there_is_too_much(tmp_path: Path) -> None:
    rig = HookRig(tmp_path, HookRules(wanted=RULES.wanted, most_waiting=10))
    put(rig, 10 + SLICE - 1)
    assert rig.outbox.dropped[ONLINE] == 0
    put(rig, 1)
    assert rig.outbox.dropped[ONLINE] == SLICE
    assert rig.outbox.waiting[ONLINE] == 10
    assert len(rig.told(ONLINE)) == 10


def test_who_lowers_the_limit_is_not_flooded(tmp_path: Path) -> None:
    first = HookRig(tmp_path)
    put(first, 2 * SLICE)
    first.store.store.close()
    rig = HookRig(tmp_path, HookRules(wanted=RULES.wanted, most_waiting=10))
    put(rig, 3 * SLICE)
    assert rig.outbox.dropped[ONLINE] == 3 * SLICE
    assert rig.outbox.waiting[ONLINE] == 2 * SLICE


def test_what_is_too_old_goes(rig: HookRig) -> None:
    put(rig, 2 * SLICE + 1)
    rig.advance(2 * DAY)
    put(rig, 1)
    rig.do(rig.outbox.drop_old(ONLINE))
    assert rig.outbox.dropped[ONLINE] == 0
    rig.advance(DAY + 1)
    rig.do(rig.outbox.drop_old(ONLINE))
    assert rig.outbox.dropped[ONLINE] == 2 * SLICE + 1
    assert rig.told(ONLINE) == [0]


def test_what_is_refused_is_counted(rig: HookRig) -> None:
    put(rig, 2)
    posts = rig.do(rig.outbox.next(ONLINE, 1))
    rig.do(rig.outbox.refused(ONLINE, posts))
    # It is gone already.
    rig.do(rig.outbox.refused(ONLINE, posts))
    assert (rig.outbox.waiting[ONLINE], rig.outbox.dropped[ONLINE]) == (1, 1)


def test_a_page_is_bounded(rig: HookRig) -> None:
    for _ in range(3):
        rig.outbox.put(ONLINE, b"x" * 600_000, time=rig.wall)
    rig.settle()
    assert len(rig.do(rig.outbox.next(ONLINE, 100))) == 1


def test_a_store_that_fails_drops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = HookRig(tmp_path, HookRules(wanted=RULES.wanted, most_waiting=10))
    put(rig, 10 + SLICE - 1)
    heard: list[Stream] = []
    rig.outbox.on_put.append(heard.append)
    rig.outbox.put(ONLINE, b"1", time=rig.wall)
    rig.settle_one()
    assert heard == [ONLINE]
    rig.store.broken = StoreError("the disk is full")
    rig.settle()
    assert "webhooks were not dropped" in caplog.text
    rig.store.broken = None
    assert rig.outbox.waiting[ONLINE] == 10 + SLICE


def test_no_query_reads_a_whole_table(rig: HookRig) -> None:
    database = rig.store.store._database
    with query_plans(database.writing) as writing, query_plans(database.reading) as reading:
        say(rig.online("alice"), "hello")
        rig.told(MESSAGES)
        rig.do(rig.outbox.drop_old(MESSAGES))
    assert writing
    assert reading
    assert [line for line in writing + reading if line.startswith(SLOW)] == []
