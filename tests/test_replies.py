"""Frames that a server writes, and the pulls that it reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto import payloads
from improto._replies import (
    delivery,
    join_items,
    notification,
    page,
    puback,
    queryack,
    read_pull,
)
from improto.errors import DecodeError, EncodeError
from improto.frames import (
    Delivery,
    MessageId,
    MessageUid,
    PubAck,
    Qos,
    Query,
    QueryAck,
    TimeMs,
)
from improto.operations import Topic
from tests.helpers import down, inbox_pull, room_pull

TIME = TimeMs(1_642_057_220_386)
"""The time of all examples in wire 6."""


def query(topic: str, data: bytes, target: str = "u1") -> Query:
    return Query(topic=topic, target_id=target, message_id=MessageId(1), data=data)


def test_puback_splits_the_time() -> None:
    """date x 1000 + millisecond is the time of the message (wire 4.4)."""
    frame = puback(MessageId(1), TIME, uid="1301-NBJQ-MK31-3417")
    assert frame == PubAck(
        message_id=MessageId(1),
        date=0x61DFCE04,
        status=0,
        millisecond=386,
        uid=MessageUid("1301-NBJQ-MK31-3417"),
    )
    assert frame.timestamp == TIME


def test_a_refusing_puback_has_an_empty_uid() -> None:
    """The uid is always written, readers expect it (wire 4.4)."""
    assert puback(MessageId(1), TIME, status=22406).uid == ""


def test_queryack_has_the_date_in_seconds() -> None:
    """Wire 4.6."""
    assert queryack(MessageId(9), TIME, qos=Qos.AT_MOST_ONCE, status=23410) == QueryAck(
        message_id=MessageId(9), date=0x61DFCE04, status=23410, data=b"", qos=Qos.AT_MOST_ONCE
    )


@pytest.mark.parametrize(
    "size", [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x20_0000], ids=lambda size: f"{size:#x}"
)
def test_joined_items_are_the_list_that_protobuf_would_write(size: int) -> None:
    """Architecture 2, rule 5: encoded once, joined for ever; lengths of 1 to 4 bytes."""
    message = down(100)
    message.content = b"x" * size
    items = [payloads.encode(message), payloads.encode(down(200))]
    whole = payloads.DownStreamMessages(list=[message, down(200)])
    assert join_items(items) == whole.SerializePartialToString()


@given(
    times=st.lists(st.integers(0, 2**63 - 1), max_size=5),
    sync_time=st.integers(0, 2**63 - 1),
    finished=st.booleans(),
)
def test_a_page_has_everything_that_some_client_needs(
    times: list[int], sync_time: int, finished: bool
) -> None:
    """finished and broadcastSyncTime are always written (session 8.3, rules 4 and 5)."""
    items = [payloads.encode(down(time)) for time in times]
    data = page(items, TimeMs(sync_time), is_finished=finished)
    read = payloads.decode(payloads.DownStreamMessages, data)
    assert [message.dataTime for message in read.list] == times
    assert read.syncTime == read.broadcastSyncTime == sync_time
    assert read.HasField("finished")
    assert read.finished is finished


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_page_with_an_impossible_time_is_refused(is_bare: bool) -> None:
    with pytest.raises(EncodeError, match="sync_time"):
        page([], TimeMs(2**63), is_finished=True, is_bare=is_bare)


def test_a_bare_page_has_items_and_time_and_nothing_else() -> None:
    """Sdk5 9, rule 2."""
    items = [payloads.encode(down(time)) for time in (5, 6)]
    data = page(items, TimeMs(7), is_finished=False, is_bare=True)
    assert payloads.decode(payloads.ChrmDownStreamMessages, data) == (
        payloads.ChrmDownStreamMessages(list=items, syncTime=7)
    )


def test_a_notification_of_the_inbox() -> None:
    """Session 8.6: the time must be present; the bytes are those of wire 6."""
    assert notification(None, TIME) == bytes.fromhex("08 01 10 a2 82 f3 91 e5 2f")


def test_a_notification_of_a_room() -> None:
    """Type 2 with chrmId (session 8.6)."""
    read = payloads.decode(payloads.NotifyMsg, notification("r1", TIME))
    assert (read.type, read.time, read.chrmId) == (2, TIME, "r1")


@pytest.mark.parametrize(("room_id", "time"), [("\ud83d", 1), (None, 2**63), ("r1", -(2**63) - 1)])
def test_a_notification_that_protobuf_cannot_hold_is_refused(
    room_id: str | None, time: int
) -> None:
    with pytest.raises(EncodeError, match="notification"):
        notification(room_id, TimeMs(time))


def test_an_inbox_pull_is_read() -> None:
    """Session 8.2."""
    pull = read_pull(inbox_pull(7, since=100, sent_since=90))
    assert pull is not None
    assert (pull.message_id, pull.sync_time, pull.sent_sync_time) == (7, 100, 90)
    assert pull.room_id is None


def test_own_messages_are_asked_for_by_the_presence_of_the_sent_cursor() -> None:
    """Also by 0, but not by none (session 8.3, rule 1)."""
    zero = read_pull(inbox_pull(1, sent_since=0))
    none = read_pull(inbox_pull(1, sent_since=None))
    assert zero is not None
    assert none is not None
    assert (zero.sent_sync_time, none.sent_sync_time) == (0, None)


@pytest.mark.parametrize("count", [-1, 0, 10])
def test_a_room_pull_is_read(count: int) -> None:
    """The target is the room (session 11)."""
    pull = read_pull(room_pull(7, "r1", since=100, count=count))
    assert pull is not None
    assert (pull.message_id, pull.sync_time, pull.room_id, pull.count) == (7, 100, "r1", count)
    assert pull.sent_sync_time is None


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_room_pull_shows_what_its_sender_reads(is_bare: bool) -> None:
    """Number 4 of the request (sdk5 9, rule 2)."""
    pull = read_pull(room_pull(7, "r1", is_bare=is_bare))
    assert pull is not None
    assert pull.is_bare is is_bare


def test_any_other_query_is_no_pull() -> None:
    assert read_pull(query(Topic.PULL_US, b"\xff")) is None


@pytest.mark.parametrize("topic", [Topic.PULL_MSG, Topic.CHRM_PULL])
@pytest.mark.parametrize("data", [b"", b"\xff"], ids=["empty", "rubbish"])
def test_a_pull_that_cannot_be_read_is_told_apart(topic: Topic, data: bytes) -> None:
    """It will be answered with 33003 (wire 7, rule 8)."""
    with pytest.raises(DecodeError):
        read_pull(query(topic, data))


def test_a_room_that_no_notification_can_name_is_refused() -> None:
    """Frames can hold half a surrogate pair (wire 3), payloads cannot."""
    frame = room_pull(1, "\ud83d")
    with pytest.raises(DecodeError, match="no text"):
        read_pull(frame)


def test_what_a_server_publishes_has_id_0() -> None:
    """Any other id could complete a request of the client (session 6)."""
    frame = delivery(
        Topic.S_MSG, b"item", target_id="u1", timestamp=TimeMs(5_999), qos=Qos.AT_MOST_ONCE
    )
    assert frame == Delivery(
        date=5,
        topic="s_msg",
        target_id="u1",
        message_id=MessageId(0),
        data=b"item",
        qos=Qos.AT_MOST_ONCE,
    )
