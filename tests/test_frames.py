"""Frames as values."""

from dataclasses import fields, is_dataclass, replace
from typing import get_args

import pytest

from improto.frames import (
    Connect,
    Delivery,
    Frame,
    FrameType,
    MessageId,
    MessageUid,
    PingReq,
    PubAck,
    Publish,
    Qos,
    Role,
    Will,
)

FRAMES = get_args(Frame)


def test_each_role_has_the_other_as_its_peer() -> None:
    assert Role.CLIENT.peer is Role.SERVER
    assert Role.SERVER.peer is Role.CLIENT


def test_numbers_on_the_wire() -> None:
    """Wire 2: types are 1 to 14 without a gap, 0 and 15 are unused; QoS has two bits."""
    assert sorted(FrameType) == list(range(1, 15))
    assert sorted(Qos) == [0, 1, 2, 3]


def test_one_class_for_each_type_and_two_where_directions_differ() -> None:
    assert len(FRAMES) == len(FrameType) + 2


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_has_the_header_flags(kind: type[Frame]) -> None:
    """Bit 3 of a Delivery is no dup bit (wire 2)."""
    bit3 = "is_sync" if kind is Delivery else "dup"
    assert {"qos", bit3, "retain"} <= {field.name for field in fields(kind)}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_plain_values(kind: type[Frame]) -> None:
    assert is_dataclass(kind)
    assert kind.__bases__ == (object,)
    assert "__slots__" in vars(kind)


def test_frames_compare_by_value() -> None:
    publish = Publish(topic="ppMsgP", target_id="u2", message_id=MessageId(1), data=b"")
    assert publish == replace(publish)
    assert hash(publish) == hash(replace(publish))
    assert publish != replace(publish, data=b"x")


def test_what_a_frame_is_unless_told_otherwise() -> None:
    """QoS 1 for what wants an answer by itself; the name and version of wire 4.1."""
    publish = Publish(topic="ppMsgP", target_id="u2", message_id=MessageId(1), data=b"")
    assert publish.qos is Qos.AT_LEAST_ONCE
    assert PingReq().qos is Qos.AT_MOST_ONCE
    connect = Connect(client_id="c")
    assert (connect.protocol_name, connect.protocol_version) == ("RCloud", 3)
    assert connect.will is None
    assert Will(topic="t", message="m").qos is Qos.AT_MOST_ONCE


def test_time_of_a_puback() -> None:
    """date x 1000 + millisecond (wire 4.4), also where the sum carries."""
    ack = PubAck(
        message_id=MessageId(1),
        date=1642057220,
        status=0,
        millisecond=386,
        uid=MessageUid("1301-NBJQ-MK31-3417"),
    )
    assert ack.timestamp == 1642057220386
    assert replace(ack, millisecond=65535).timestamp == 1642057285535
