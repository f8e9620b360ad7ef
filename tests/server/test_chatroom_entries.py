"""Keys and values of chatrooms (operations 14.1, 14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import CommandType, ErrorCode, NotifyType
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.chatrooms import ChatroomRules, Mark
from improto_server.services.entries import DELETED, DELETIONS_KEPT, OVERWRITE, Keys
from improto_server.steps import start
from improto_server.store.chatrooms import AUTO_DELETE, EntryRow
from tests.server.rig import APP, START, Rig
from tests.server.room_tools import (
    BROKEN,
    PRESENT,
    ROOM,
    answer,
    ask,
    drop,
    entry,
    join,
    keys,
    leave,
    notices,
    pull,
    pull_keys,
    put,
    status,
    texts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

NOTIFICATION = payloads.UpStreamMessage(
    sessionId=0, classname="RC:chrmKVNotiMsg", content=b'{"key":"k","type":1}'
)


def inside(rig: Rig, *names: str, sdk: str = "4.6.4") -> list[Client]:
    """Clients who are in the room and have pulled."""
    clients = [rig.online(name, sdk) for name in names]
    for client in clients:
        join(client)
        pull(client)
    return clients


def several(
    client: Client, topic: str, *entries: payloads.ChrmKVEntity
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Change several keys: the status, errors by key, times by key."""
    found = answer(client, topic, payloads.SetChrmKVS(entry=entries))
    reply = payloads.decode(payloads.ChrmKVSOutput, found.data)
    return (
        found.status,
        {each.key: each.errorCode for each in reply.errorKeys},
        {each.key: each.version for each in reply.keysVersion},
    )


# -- setting and deleting --------------------------------------------------------------


def test_a_key_is_set_and_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    request = payloads.SetChrmKV(entry=entry("key", "value", AUTO_DELETE | DELETED))
    assert ask(alice, Topic.SET_KV, request, payloads.ChrmOutput).nothing == 1
    reply = pull_keys(bob)
    assert reply.bFullUpdate
    (found,) = reply.entries
    assert (found.key, found.value, found.status, found.uid) == ("key", "value", 1, "alice")
    assert found.timestamp == found.version == reply.syncTime > START


def test_keys_belong_to_who_has_set_them(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    assert put(alice, "key", "one") == 0
    assert put(bob, "key", "two") == ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
    assert drop(bob, "key") == ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
    assert put(alice, "key", "three") == 0
    assert keys(bob) == {"key": "three"}
    assert put(bob, "key", "four", OVERWRITE) == 0
    assert put(alice, "key", "five") == ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
    assert drop(alice, "key", DELETED | OVERWRITE) == 0
    assert drop(alice, "key") == ErrorCode.CHATROOM_KEY_NOT_EXIST
    assert keys(bob) == {}


def test_the_user_id_of_a_request_means_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(alice, "key")
    lie = payloads.ChrmKVEntity(key="key", value="x", uid="alice", timestamp=1, version=1)
    request = payloads.SetChrmKV(entry=lie)
    assert status(bob, Topic.SET_KV, request) == ErrorCode.CHATROOM_KV_OVERWRITE_INVALID


@pytest.mark.parametrize("key", ["k", "a_Z09=+-", "x" * 128])
@pytest.mark.parametrize("value", ["", "v", "\U0001f600" * 4096])
def test_what_may_be_set(tmp_path: Path, key: str, value: str) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    assert put(alice, key, value) == 0
    assert keys(alice) == {key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "v"), ("x" * 129, "v"), ("a b", "v"), ("a\n", "v"), ("é", "v"), ("k", "v" * 4097)],
)
def test_what_may_not_be_set(tmp_path: Path, key: str, value: str) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    bad = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert put(alice, key, value) == bad
    assert drop(alice, key) == (ErrorCode.CHATROOM_KEY_NOT_EXIST if key == "k" else bad)
    assert several(alice, Topic.SET_KVS, entry(key, value))[1] == {key: bad}
    assert keys(alice) == {}


def test_a_request_without_a_key_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    message_id = alice.query(Topic.SET_KV, b"\x10\x01", target=ROOM)
    (found,) = alice.answers(message_id)
    assert found.status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_there_is_no_end_of_keys_but_the_limit(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(most_keys=2))
    (alice,) = inside(rig, "alice")
    assert [put(alice, key) for key in "abc"] == [0, 0, ErrorCode.CHATROOM_KV_EXCEED]
    assert put(alice, "a", "other") == 0
    assert drop(alice, "a") == 0
    assert put(alice, "c") == 0


def test_only_members_have_keys(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    requests = {
        Topic.SET_KV: payloads.SetChrmKV(entry=entry("k", "v")),
        Topic.DEL_KV: payloads.SetChrmKV(entry=entry("k")),
        Topic.SET_KVS: payloads.SetChrmKVS(entry=[entry("k", "v")]),
        Topic.DEL_KVS: payloads.SetChrmKVS(entry=[entry("k")]),
        Topic.PULL_KV: payloads.QueryChrmKV(timestamp=0),
    }
    for topic, request in requests.items():
        assert status(alice, topic, request) == ErrorCode.RC_CHATROOM_NOT_EXIST
        assert status(alice, topic, request, room="a/b") == ErrorCode.RC_CHATROOM_NOT_EXIST
    inside(rig, "bob")
    for topic, request in requests.items():
        assert status(alice, topic, request) == ErrorCode.NOT_IN_CHATROOM


def test_keys_can_be_switched_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chatrooms=ChatroomRules(has_keys=False))
    (alice,) = inside(rig, "alice")
    assert put(alice, "key") == ErrorCode.CHATROOM_KV_STORE_NOT_OPEN
    request = payloads.QueryChrmKV(timestamp=0)
    assert status(alice, Topic.PULL_KV, request) == ErrorCode.CHATROOM_KV_STORE_NOT_OPEN
    leave(alice)
    rig.settle()


# -- several at once -------------------------------------------------------------------


def test_several_keys_are_set_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(bob, "b", "bob's")
    failed, errors, times = several(
        alice, Topic.SET_KVS, entry("a", "1"), entry("b", "2"), entry("", "3"), entry("c", "4")
    )
    assert failed == ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS
    assert errors == {
        "b": ErrorCode.CHATROOM_KV_OVERWRITE_INVALID,
        "": ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
    }
    assert times["a"] < times["c"]
    assert keys(alice) == {"b": "bob's", "a": "1", "c": "4"}
    assert several(alice, Topic.SET_KVS, entry("d", "1"), entry("d", "2"))[:2] == (0, {})
    assert keys(alice)["d"] == "2"


def test_several_keys_are_deleted_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    for key in "ab":
        put(alice, key)
    assert several(alice, Topic.DEL_KVS, entry("a"), entry("c"))[:2] == (
        ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS,
        {"c": ErrorCode.CHATROOM_KEY_NOT_EXIST},
    )
    assert several(alice, Topic.DEL_KVS, entry("b"))[:2] == (0, {})
    assert keys(alice) == {}


def test_how_many_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    many = [entry(f"k{number}", "v") for number in range(11)]
    request = payloads.SetChrmKVS(entry=many)
    assert status(alice, Topic.SET_KVS, request) == ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT
    none = payloads.SetChrmKVS()
    assert status(alice, Topic.SET_KVS, none) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert several(alice, Topic.SET_KVS, *many[:10])[0] == 0
    assert len(keys(alice)) == 10


# -- what has changed ------------------------------------------------------------------


def test_what_has_changed_since(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    for key in "abc":
        put(alice, key)
    before = pull_keys(bob).syncTime
    put(alice, "a", "new")
    drop(alice, "b")
    put(alice, "d")
    drop(alice, "d")
    put(alice, "d", "again")
    reply = pull_keys(bob, before)
    assert not reply.bFullUpdate
    assert {each.key: (each.value, each.status) for each in reply.entries} == {
        "a": ("new", OVERWRITE),
        "d": ("again", OVERWRITE),
        "b": ("", DELETED | OVERWRITE),
    }
    times = [each.timestamp for each in reply.entries]
    assert len(set(times)) == 3
    assert min(times) > before
    assert max(times) == reply.syncTime
    nothing = pull_keys(bob, reply.syncTime)
    assert (list(nothing.entries), nothing.syncTime) == ([], reply.syncTime)


def test_a_time_that_is_to_come_is_given_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    put(alice, "key")
    reply = pull_keys(alice, START * 2)
    assert (list(reply.entries), reply.syncTime) == ([], START * 2)


def test_a_time_below_zero_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    request = payloads.QueryChrmKV(timestamp=-1)
    assert status(alice, Topic.PULL_KV, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_room_without_keys_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    reply = pull_keys(alice)
    assert reply.bFullUpdate
    assert reply.syncTime >= START
    assert list(reply.entries) == []


def test_what_was_deleted_long_ago_is_not_known_any_more() -> None:
    known = Keys([EntryRow("kept", "v", "alice", 0, 1)])
    for number in range(DELETIONS_KEPT):
        known.delete(f"key{number}", 2 + number)
    assert known.complete_from == 0
    known.delete("one more", 5000)
    assert known.complete_from == 2
    assert len(known.deleted) == DELETIONS_KEPT
    assert known.newest == 5000


def test_keys_outlast_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.advance(100.0)
    (alice,) = inside(rig, "alice")
    for key in "ab":
        put(alice, key)
    before = pull_keys(alice).syncTime
    drop(alice, "a")
    put(alice, "c")
    rig.store.store.close()
    # The machine's clock has been put back meanwhile.
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    reply = pull_keys(alice, before)
    assert reply.bFullUpdate
    assert [each.key for each in reply.entries] == ["b", "c"]
    assert reply.syncTime > before
    put(alice, "d")
    (new,) = pull_keys(alice, reply.syncTime).entries
    assert new.key == "d"


# -- being told ------------------------------------------------------------------------


def test_members_are_told_and_the_caller_is_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice, bob) = inside(rig, "alice", "bob")
    (newer,) = inside(rig, "carol", sdk="2.9.2")
    (oldest,) = inside(rig, "dave", sdk="2.5.3")
    outsider = rig.online("erin")
    for client in (alice, bob, newer, oldest, outsider):
        client.frames()
    message_id = alice.query(Topic.SET_KV, payloads.SetChrmKV(entry=entry("key", "v")), target=ROOM)
    rig.settle()
    (found,) = alice.frames()
    assert found.message_id == message_id  # type: ignore[union-attr]
    changed = pull_keys(rig_member(bob)).syncTime
    for client in (newer,):
        assert notices(client, Topic.S_CMD) == [(CommandType.CHATROOM_KV, changed, ROOM)]
    assert oldest.frames() == []
    assert outsider.frames() == []


def rig_member(client: Client) -> Client:
    """The same client, which has been told."""
    ((type, _, room),) = notices(client, Topic.S_CMD)
    assert (type, room) == (CommandType.CHATROOM_KV, ROOM)
    return client


def test_what_two_change_at_once_both_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = inside(rig, "alice", "bob", "carol")
    pull_keys(alice)
    for client in (alice, bob):
        request = payloads.SetChrmKV(entry=entry(client.peer.user_id or "", "v"))
        client.query(Topic.SET_KV, request, target=ROOM)
    rig.settle()
    told = [notices(client, Topic.S_CMD) for client in (alice, bob, carol)]
    assert [len(each) for each in told] == [1, 1, 1]
    assert told[0] == told[1] == told[2]


def test_a_change_may_bring_a_message(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    request = payloads.SetChrmKV(
        entry=entry("k", "v"), bNotify=True, notification=NOTIFICATION, type=4
    )
    assert status(alice, Topic.SET_KV, request) == 0
    ((type, _, _),) = notices(bob, Topic.S_NTF)
    assert type == NotifyType.CHATROOM
    (item,) = pull(bob).list
    assert (item.classname, item.fromUserId) == ("RC:chrmKVNotiMsg", "alice")
    assert item.content == NOTIFICATION.content
    assert texts(pull(alice)) == []
    gone = payloads.SetChrmKV(entry=entry("k", "", 4), bNotify=True, notification=NOTIFICATION)
    assert status(alice, Topic.DEL_KV, gone) == 0
    both = payloads.SetChrmKVS(
        entry=[entry("a", "v"), entry("b", "v")], bNotify=True, notification=NOTIFICATION
    )
    assert status(alice, Topic.SET_KVS, both) == 0
    assert len(pull(bob).list) == 3


@pytest.mark.parametrize(
    "notification",
    [None, payloads.UpStreamMessage(sessionId=0, classname="", content=b"")],
    ids=["absent", "empty"],
)
def test_a_message_that_is_none_is_not_sent(
    tmp_path: Path, notification: payloads.UpStreamMessage | None
) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    request = payloads.SetChrmKV(entry=entry("k", "v"), bNotify=True, notification=notification)
    assert status(alice, Topic.SET_KV, request) == 0
    assert keys(bob) == {"k": "v"}
    assert texts(pull(bob)) == []


def test_a_message_is_sent_only_if_wanted_and_only_by_those_who_may_speak(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    silent = payloads.SetChrmKV(entry=entry("a", "v"), notification=NOTIFICATION)
    assert status(alice, Topic.SET_KV, silent) == 0
    rig.do(rig.system.rooms.mark(APP, ROOM, "alice", Mark.GAGGED, until=START * 2))
    loud = payloads.SetChrmKV(entry=entry("b", "v"), bNotify=True, notification=NOTIFICATION)
    assert status(alice, Topic.SET_KV, loud) == 0
    assert keys(bob) == {"a": "v", "b": "v"}
    assert texts(pull(bob)) == []


# -- going with the owner --------------------------------------------------------------


def test_some_keys_go_with_their_owner(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(alice, "gone", bits=AUTO_DELETE)
    put(alice, "stays")
    put(bob, "bob", bits=AUTO_DELETE)
    before = pull_keys(bob).syncTime
    bob.frames()
    leave(alice)
    assert len(notices(bob, Topic.S_CMD)) == 1
    reply = pull_keys(bob, before)
    assert [(each.key, each.status) for each in reply.entries] == [("gone", DELETED | OVERWRITE)]
    assert keys(bob) == {"stays": "v", "bob": "v"}


def test_a_key_goes_with_the_last_who_has_set_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(alice, "key", bits=AUTO_DELETE)
    put(bob, "key", "bob's", bits=AUTO_DELETE | OVERWRITE)
    leave(alice)
    assert keys(bob) == {"key": "bob's"}
    join(alice)
    leave(bob)
    assert keys(alice) == {}


def test_keys_go_with_who_has_stayed_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(alice, "key", bits=AUTO_DELETE)
    alice.leave()
    rig.advance(29.0)
    rig.system.tick()
    rig.settle()
    assert keys(bob) == {"key": "v"}
    rig.advance(1.0)
    rig.system.tick()
    rig.settle()
    assert keys(bob) == {}


@pytest.mark.parametrize("comes_back", [False, True])
def test_keys_go_with_who_does_not_come_back_after_a_restart(
    tmp_path: Path, comes_back: bool
) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    put(alice, "key", bits=AUTO_DELETE)
    put(alice, "stays")
    rig.store.store.close()
    rig = Rig(tmp_path)
    (bob,) = inside(rig, "bob")
    if comes_back:
        inside(rig, "alice")
    rig.advance(30.0)
    rig.system.tick()
    rig.settle()
    assert keys(bob) == ({"key": "v", "stays": "v"} if comes_back else {"stays": "v"})


def test_who_leaves_a_room_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (alice,) = inside(rig, "alice")
    put(alice, "key", bits=AUTO_DELETE)
    rig.store.store.close()
    rig = Rig(tmp_path)
    rig.do(rig.system.rooms.destroy(APP, ROOM))
    rig.advance(30.0)
    rig.system.tick()
    rig.settle()
    assert rig.do(rig.system.entries.list(APP, ROOM)) == []


def test_who_leaves_while_the_keys_are_read_leaves_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    join(alice)
    asked = alice.query(Topic.PULL_KV, payloads.QueryChrmKV(timestamp=0), target=ROOM)
    alice.query(Topic.EXIT_CHRM, PRESENT, target=ROOM)
    rig.settle()
    (refusal,) = alice.answers(asked)
    assert refusal.status == ErrorCode.NOT_IN_CHATROOM


# -- when the store fails --------------------------------------------------------------


def test_a_change_that_is_not_stored_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    put(alice, "key")
    before = pull_keys(bob).syncTime
    rig.store.broken = BROKEN
    assert put(alice, "other") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    # What is true is read again, and everybody gets all of it.
    reply = pull_keys(bob, before)
    assert reply.bFullUpdate


def test_keys_that_cannot_be_deleted_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    put(alice, "key", bits=AUTO_DELETE)
    rig.store.broken = BROKEN
    alice.query(Topic.EXIT_CHRM, PRESENT, target=ROOM)
    rig.settle()
    assert "keys of a user who has left a room were not deleted" in caplog.text


# -- what the application's server asks ------------------------------------------------


def test_the_applications_server_may_change_everything(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = inside(rig, "alice", "bob")
    entries = rig.system.entries
    put(alice, "a")
    put(alice, "b")
    for client in (alice, bob):
        client.frames()
    rig.do(
        entries.change(
            APP, ROOM, "bob", [entry("a", "new"), entry("c", "new", AUTO_DELETE), entry("b", "", 4)]
        )
    )
    for client in (alice, bob):
        assert len(notices(client, Topic.S_CMD)) == 1
    rows = rig.do(entries.list(APP, ROOM))
    assert [(row.key, row.value, row.owner, row.status) for row in rows] == [
        ("a", "new", "bob", OVERWRITE),
        ("c", "new", "bob", AUTO_DELETE | OVERWRITE),
    ]


def test_the_first_that_fails_ends_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    inside(rig, "alice")
    changes = [entry("a", "v"), entry("none", "", 4), entry("b", "v")]
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.entries.change(APP, ROOM, "bob", changes))
    assert refusal.value.code == ErrorCode.CHATROOM_KEY_NOT_EXIST
    rows = rig.do(rig.system.entries.list(APP, ROOM))
    assert [row.key for row in rows] == ["a"]


def test_without_a_room_there_are_no_keys(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert rig.do(rig.system.entries.list(APP, ROOM)) == []
    with pytest.raises(ServiceError) as refusal:
        rig.do(rig.system.entries.change(APP, ROOM, "bob", [entry("a", "v")]))
    assert refusal.value.code == ErrorCode.RC_CHATROOM_NOT_EXIST


def test_a_change_of_nothing_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, _ = inside(rig, "alice", "bob")
    done: list[object] = []
    start(rig.system.entries.change(APP, ROOM, "bob", []), done.append)
    rig.settle()
    assert done == [None]
    assert notices(alice, Topic.S_CMD) == []
