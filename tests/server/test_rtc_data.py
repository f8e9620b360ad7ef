"""What RTC rooms and their members share (operations 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import PubAck, Publish, Qos
from improto.operations import Topic
from improto_server.services import rtc_room
from tests.server.rig import Rig, item
from tests.server.test_rtc import ROOM, ask, join, query, watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from improto.payloads import Message, RtcValueInfo
    from tests.server.rig import Client

THE_ROOM, ONESELF = 1, 2
OLD, NEW = "2.5.3", "4.6.4"


def pair(key: str, value: str = "1") -> RtcValueInfo:
    return payloads.RtcValueInfo(key=key, value=value)


def as_dict(infos: Iterable[RtcValueInfo]) -> dict[str, str]:
    return {info.key: info.value for info in infos}


def world(tmp_path: Path, sdk: str = NEW) -> tuple[Rig, Client, Client]:
    """alice and bob are in the room."""
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", sdk), rig.online("bob", sdk)
    join(alice)
    join(bob)
    alice.frames()
    return rig, alice, bob


def do(client: Client, topic: Topic, request: Message) -> int:
    """Send an order in the way of the client's generation; its status."""
    if client.peer.connection.profile.name == "2.5":
        return query(client, topic, request)[0]
    data = payloads.encode(request)
    frame = Publish(
        topic=topic,
        target_id=ROOM,
        message_id=client._id(),
        data=data,
        qos=Qos.AT_MOST_ONCE,
    )
    client.send(frame)
    client.rig.settle()
    (ack,) = [found for found in client.frames() if isinstance(found, PubAck)]
    assert ack.message_id == frame.message_id
    return ack.status


def set_data(
    client: Client,
    key: str,
    value: str = "1",
    *,
    of: int = ONESELF,
    inner: bool = True,
    **notice: str,
) -> int:
    request = payloads.RtcSetDataInput(interior=inner, target=of, key=key, value=value, **notice)
    return do(client, Topic.RTC_SET_DATA, request)


def delete_data(
    client: Client, *keys: str, of: int = ONESELF, inner: bool = True, **notice: str
) -> int:
    request = payloads.RtcDataInput(interior=inner, target=of, key=keys, **notice)
    return do(client, Topic.RTC_DEL_DATA, request)


def data_of(client: Client, *keys: str, of: int = ONESELF, inner: bool = True) -> dict[str, str]:
    request = payloads.RtcDataInput(interior=inner, target=of, key=keys)
    return as_dict(ask(client, Topic.RTC_QRY_DATA, request, payloads.RtcQryOutput).outInfo)


def entries(client: Client, time: int = 0) -> payloads.RtcKVOutput:
    request = payloads.RtcPullKV(timestamp=time, roomId=ROOM)
    return ask(client, Topic.RTC_PULL_KV, request, payloads.RtcKVOutput, "self")


@pytest.mark.parametrize("sdk", [OLD, "2.9.2", NEW])
@pytest.mark.parametrize("of", [THE_ROOM, ONESELF])
@pytest.mark.parametrize("inner", [True, False])
def test_setting_reading_deleting(tmp_path: Path, sdk: str, of: int, inner: bool) -> None:
    _, alice, bob = world(tmp_path, sdk)
    assert set_data(alice, "a", "1", of=of, inner=inner) == 0
    assert set_data(alice, "b", "2", of=of, inner=inner) == 0
    assert set_data(alice, "a", "3", of=of, inner=inner) == 0
    assert data_of(alice, of=of, inner=inner) == {"a": "3", "b": "2"}
    assert data_of(alice, "b", "c", of=of, inner=inner) == {"b": "2"}
    assert data_of(alice, of=of, inner=not inner) == {}
    assert data_of(alice, of=3 - of, inner=inner) == {}
    assert data_of(bob, of=of, inner=inner) == ({"a": "3", "b": "2"} if of == THE_ROOM else {})
    assert delete_data(alice, "a", "c", of=of, inner=inner) == 0
    assert data_of(alice, of=of, inner=inner) == {"b": "2"}


def test_the_older_calls_are_about_inner_values(tmp_path: Path) -> None:
    _, alice, bob = world(tmp_path, OLD)
    assert query(alice, Topic.RTC_U_PUT, pair("a", "1")) == (0, b"")
    assert query(alice, Topic.RTC_R_PUT, pair("r", "2")) == (0, b"")
    assert data_of(alice) == {"a": "1"}
    request = payloads.RtcQueryListInput(order=1)
    info = ask(bob, Topic.RTC_R_INFO, request, payloads.RtcRoomInfoOutput)
    assert (info.roomId, info.userCount, as_dict(info.roomData)) == (ROOM, 2, {"r": "2"})
    assert [(user.userId, as_dict(user.userData)) for user in info.list] == [
        ("alice", {"a": "1"}),
        ("bob", {}),
    ]
    listed = ask(bob, Topic.RTC_U_DATA, request, payloads.RtcUserListOutput).list
    assert listed == info.list
    assert as_dict(join(bob).roomInfo) == {"r": "2"}
    keys = payloads.RtcKeyDeleteInput(key=["a", "r"])
    assert query(alice, Topic.RTC_U_DEL, keys) == (0, b"")
    assert query(alice, Topic.RTC_R_DEL, keys) == (0, b"")
    assert data_of(alice) == data_of(alice, of=THE_ROOM) == {}


def test_newer_sdks_publish_what_the_oldest_asks(tmp_path: Path) -> None:
    _, alice, _ = world(tmp_path)
    query(alice, Topic.RTC_U_PUT, pair("a"))
    assert do(alice, Topic.RTC_U_DEL, payloads.RtcKeyDeleteInput(key=["a"])) == 0
    assert data_of(alice) == {}


def test_outer_values(tmp_path: Path) -> None:
    _, alice, bob = world(tmp_path)
    request = payloads.RtcSetOutDataInput(
        target=ONESELF, valueInfo=[pair("a", "1"), pair("b", "2")]
    )
    ask(alice, Topic.RTC_SET_OUT_DATA, request, payloads.RtcOutput)
    wanted = payloads.RtcQryUserOutDataInput(userId=["alice", "nobody", "bob", "alice"])
    found = ask(bob, Topic.RTC_QRY_USER_OUT_DATA, wanted, payloads.RtcUserOutDataOutput).user
    assert [(user.userId, as_dict(user.userData)) for user in found] == [
        ("alice", {"a": "1", "b": "2"}),
        ("bob", {}),
    ]


# -- telling the others --------------------------------------------------------------


def test_a_change_can_be_told(tmp_path: Path) -> None:
    _, alice, bob = world(tmp_path)
    notice = {"objectName": "app:data", "content": '{"x":1}'}
    set_data(alice, "a", **notice)
    delete_data(alice, "a", **notice)
    request = payloads.RtcSetOutDataInput(target=ONESELF, valueInfo=[pair("a")], **notice)
    ask(alice, Topic.RTC_SET_OUT_DATA, request, payloads.RtcOutput)
    told = [*map(item, bob.deliveries(Topic.S_MSG))]
    assert [(each.classname, each.content, each.type) for each in told] == [
        ("app:data", b'{"x":1}', 12)
    ] * 3
    set_data(alice, "b")
    assert bob.deliveries(Topic.S_MSG) == []


def test_published_media_are_told_in_two_ways(tmp_path: Path) -> None:
    """For RTC libraries that read what is new, and for those that read all there is."""
    _, alice, bob = world(tmp_path)
    request = payloads.RtcUserSetDataInput(
        valueInfo=[pair("uris", '[{"a":1}]'), pair("other", "no JSON")],
        objectName="RCRTC:TotalContentResources",
        content=[pair("RCRTC:PublishResource", '{"uris":[],"ignore":true}')],
    )
    assert query(alice, Topic.USER_SET_DATA, request) == (0, b"")
    told = [*map(item, bob.deliveries(Topic.S_MSG))]
    assert [(each.classname, each.content) for each in told] == [
        ("RCRTC:PublishResource", b'{"uris":[],"ignore":true}'),
        ("RCRTC:TotalContentResources", b'{"uris":[{"a":1}],"other":"no JSON"}'),
    ]
    assert data_of(alice) == {"uris": '[{"a":1}]', "other": "no JSON"}


@pytest.mark.parametrize(
    "notice", [{"objectName": "x" * 65}, {"objectName": "x", "content": "null"}]
)
def test_what_cannot_be_told_is_not_done(tmp_path: Path, notice: dict[str, str]) -> None:
    _, alice, bob = world(tmp_path)
    assert set_data(alice, "a", **notice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert data_of(alice) == {}
    set_data(alice, "a")
    assert delete_data(alice, "a", **notice) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert data_of(alice) == {"a": "1"}
    assert bob.frames() == []


# -- entries -------------------------------------------------------------------------


def test_inner_values_of_the_room_are_followed(tmp_path: Path) -> None:
    rig, alice, bob = world(tmp_path)
    carol, old = rig.online("carol", "2.9.2"), rig.online("old", OLD)
    join(old)
    assert watch(carol).syncTime == 0
    set_data(alice, "a", "1", of=THE_ROOM)
    for client in (bob, carol):
        (push,) = client.deliveries(Topic.RTC_NTF)
        notice = payloads.decode(payloads.RtcNotifyMsg, push.data)
        assert (notice.type, notice.roomId) == (1, ROOM)
        found = entries(client)
        assert found.bFullUpdate
        assert found.syncTime == notice.time
        (entry,) = found.entries
        assert (entry.key, entry.value, entry.uid, entry.status) == ("a", "1", "alice", 0)
        assert entry.timestamp == notice.time
    # The one who has done it knows, and SDK 2.5.3 does not know the topic (session 12).
    assert alice.deliveries(Topic.RTC_NTF) == old.deliveries(Topic.RTC_NTF) == []
    assert list(watch(carol).entries) == list(join(bob).entries) == [entry]


def test_other_values_are_not(tmp_path: Path) -> None:
    _, alice, bob = world(tmp_path)
    set_data(alice, "a")
    set_data(alice, "a", of=THE_ROOM, inner=False)
    delete_data(alice, "a", of=THE_ROOM, inner=False)
    delete_data(alice, "nothing", of=THE_ROOM)
    assert bob.frames() == []
    assert list(entries(bob).entries) == []


def test_entries_since_a_time(tmp_path: Path) -> None:
    _, alice, bob = world(tmp_path)
    set_data(alice, "a", of=THE_ROOM)
    set_data(alice, "b", of=THE_ROOM)
    time = entries(bob).syncTime
    assert list(entries(bob, time).entries) == []
    delete_data(alice, "a", of=THE_ROOM)
    set_data(bob, "c", of=THE_ROOM)
    later = entries(bob, time)
    assert not later.bFullUpdate
    assert [(entry.key, entry.value, entry.status, entry.uid) for entry in later.entries] == [
        ("a", "", 4, "alice"),
        ("c", "1", 0, "bob"),
    ]
    assert time < later.entries[0].timestamp < later.entries[1].timestamp == later.syncTime
    assert [entry.key for entry in entries(bob).entries] == ["b", "c"]


def test_deletions_of_long_ago_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then whoever has not heard of them gets everything."""
    monkeypatch.setattr(rtc_room, "DELETIONS", 2)
    _, alice, bob = world(tmp_path)
    for key in "abcd":
        set_data(alice, key, of=THE_ROOM)
    first = entries(bob).syncTime
    delete_data(alice, "a", of=THE_ROOM)
    second = entries(bob).syncTime
    delete_data(alice, "b", "c", of=THE_ROOM)
    found = entries(bob, first)
    assert found.bFullUpdate
    assert [entry.key for entry in found.entries] == ["d"]
    found = entries(bob, second)
    assert not found.bFullUpdate
    assert [(entry.key, entry.status) for entry in found.entries] == [("b", 4), ("c", 4)]


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.RTC_U_DATA, payloads.RtcQueryListInput()),
        (Topic.RTC_U_PUT, pair("a")),
        (Topic.RTC_R_PUT, pair("a")),
        (Topic.RTC_U_DEL, payloads.RtcKeyDeleteInput(key=["a"])),
        (Topic.RTC_R_DEL, payloads.RtcKeyDeleteInput(key=["a"])),
        (Topic.RTC_R_INFO, payloads.RtcQueryListInput()),
        (Topic.RTC_SET_DATA, payloads.RtcSetDataInput(interior=True, target=1, key="a", value="")),
        (Topic.RTC_DEL_DATA, payloads.RtcDataInput(interior=True, target=1)),
        (Topic.RTC_QRY_DATA, payloads.RtcDataInput(interior=True, target=1)),
        (Topic.RTC_SET_OUT_DATA, payloads.RtcSetOutDataInput(target=1)),
        (Topic.RTC_QRY_USER_OUT_DATA, payloads.RtcQryUserOutDataInput()),
        (Topic.USER_SET_DATA, payloads.RtcUserSetDataInput(objectName="")),
        (Topic.RTC_PULL_KV, payloads.RtcPullKV(timestamp=0, roomId=ROOM)),
    ],
)
def test_strangers_see_and_change_nothing(tmp_path: Path, topic: Topic, request_: Message) -> None:
    rig, _, _ = world(tmp_path)
    carol = rig.online("carol")
    assert query(carol, topic, request_) == (ErrorCode.RC_MSG_UNAUTHORIZED, b"")
    assert query(carol, topic, request_, "nowhere")[0] == ErrorCode.RC_MSG_UNAUTHORIZED


def test_viewers_change_nothing(tmp_path: Path) -> None:
    rig, _, _ = world(tmp_path)
    carol = rig.online("carol")
    watch(carol)
    assert set_data(carol, "a", of=THE_ROOM) == ErrorCode.RC_MSG_UNAUTHORIZED
    assert delete_data(carol, "a", of=THE_ROOM) == ErrorCode.RC_MSG_UNAUTHORIZED
    assert data_of(carol, of=THE_ROOM) == {}


@pytest.mark.parametrize("of", [0, 3])
def test_values_of_nobody(tmp_path: Path, of: int) -> None:
    _, alice, _ = world(tmp_path)
    assert set_data(alice, "a", of=of) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert delete_data(alice, "a", of=of) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "1"),
        ("k" * (rtc_room.KEY_CHARACTERS + 1), "1"),
        ("k", "v" * (rtc_room.VALUE_CHARACTERS + 1)),
    ],
)
def test_keys_and_values_have_an_end(tmp_path: Path, key: str, value: str) -> None:
    _, alice, _ = world(tmp_path)
    assert set_data(alice, key, value) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert data_of(alice) == {}
    longest = "k" * rtc_room.KEY_CHARACTERS, "v" * rtc_room.VALUE_CHARACTERS
    assert set_data(alice, *longest) == 0


def test_nobody_has_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtc_room, "VALUES", 2)
    _, alice, _ = world(tmp_path)
    assert [set_data(alice, key) for key in "abca"] == [0, 0, 33003, 0]
    assert set_data(alice, "c", inner=False) == 0
    carol = alice.rig.online("carol")
    request = payloads.RtcInput(roomType=0, outerDatas=[pair(key) for key in "abc"])
    assert query(carol, Topic.RTC_R_JOIN_DATA, request)[0] == 33003
    assert query(carol, Topic.RTC_R_INFO, payloads.RtcQueryListInput())[0] == 20406


@pytest.mark.parametrize("data", [b"", b"\xff"])
def test_an_order_that_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    _, alice, _ = world(tmp_path)
    alice.publish_bytes(ROOM, data, topic=Topic.RTC_SET_DATA, qos=Qos.AT_MOST_ONCE)
    alice.rig.settle()
    assert alice.ack().status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_more_than_a_frame_takes_is_not_told_and_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig, alice, _ = world(tmp_path)
    keys = rig.limits.outbound_bytes // rtc_room.VALUE_CHARACTERS
    for number in range(keys):
        put = pair(f"key{number}", "x" * rtc_room.VALUE_CHARACTERS)
        assert query(alice, Topic.RTC_R_PUT, put)[0] == 0
    everything = payloads.RtcQueryListInput(order=1)
    assert query(alice, Topic.RTC_R_INFO, everything)[0] == ErrorCode.INTERNALERRROR
    assert "a request could not be answered" in caplog.text
    assert alice.peer.is_open
    assert query(alice, Topic.RTC_U_LIST, everything)[0] == 0
