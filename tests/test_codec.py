"""The codec: bytes as the SDKs write them, and every way in which bytes can be wrong."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.codec import FORMAT_LIMITS, decode, encode
from improto.config import Limits
from improto.errors import DecodeError, EncodeError
from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    DeliveryAck,
    Disconnect,
    Frame,
    FrameType,
    MessageId,
    MessageUid,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    Role,
    SubAck,
    Subscribe,
    TimeMs,
    UnsubAck,
    Unsubscribe,
    Will,
)
from improto.testing.codec_properties import VIEWS, check_frame, check_message
from improto.testing.frame_strategies import frames

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent / "vectors" / "frames.jsonl").read_text().splitlines()
]
SENDERS = {"c2s": Role.CLIENT, "s2c": Role.SERVER}
V3, V4 = ProtocolVersion.V3, ProtocolVersion.V4

CLASSES: dict[Role, dict[FrameType, type[Frame]]] = {
    Role.CLIENT: {
        FrameType.CONNECT: Connect,
        FrameType.PUBLISH: Publish,
        FrameType.PUBACK: DeliveryAck,
        FrameType.QUERY: Query,
        FrameType.QUERYCON: QueryCon,
        FrameType.SUBSCRIBE: Subscribe,
        FrameType.UNSUBSCRIBE: Unsubscribe,
        FrameType.PINGREQ: PingReq,
        FrameType.DISCONNECT: Disconnect,
    },
    Role.SERVER: {
        FrameType.CONNACK: ConnAck,
        FrameType.PUBLISH: Delivery,
        FrameType.PUBACK: PubAck,
        FrameType.QUERYACK: QueryAck,
        FrameType.SUBACK: SubAck,
        FrameType.UNSUBACK: UnsubAck,
        FrameType.PINGRESP: PingResp,
        FrameType.DISCONNECT: Disconnect,
    },
}

# --- Golden vectors -----------------------------------------------------------------------

ATTRIBUTES = {
    "protocolId": "protocol_name",
    "protocolVersion": "protocol_version",
    "cleanSession": "clean_session",
    "keepAlive": "keep_alive",
    "clientId": "client_id",
    "appId": "app_id",
    "userId": "user_id",
    "sessionId": "session_id",
    "targetId": "target_id",
    "messageId": "message_id",
    "messageUId": "uid",
}
PRESENCE = {"user_id": 1, "session_id": 2, "timestamp": 4, "message_id": 8}


def decode_vector(vector: dict[str, Any]) -> Frame:
    return decode(
        bytes.fromhex(vector["hex"]),
        SENDERS[vector["direction"]],
        protocol_version=ProtocolVersion(vector.get("protocolVersion", 3)),
        limits=FORMAT_LIMITS,
    )


def vector_value(frame: Frame, name: str) -> object:
    """What the vectors call ``name``, read from a frame."""
    if name == "dup" and isinstance(frame, Delivery):
        return frame.is_sync
    if name == "flags":
        return sum(bit for key, bit in PRESENCE.items() if getattr(frame, key) is not None)
    value = getattr(frame, ATTRIBUTES.get(name, name))
    return value.hex() if isinstance(value, bytes) else value


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector_decodes_to_its_fields(vector: dict[str, Any]) -> None:
    frame = decode_vector(vector)
    expected = dict(vector["fields"])
    kinds = CLASSES[SENDERS[vector["direction"]]]
    assert type(frame) is kinds[FrameType[expected.pop("type")]]
    assert {name: vector_value(frame, name) for name in expected} == expected


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector_encodes_to_its_bytes(vector: dict[str, Any]) -> None:
    """All of them but those with four-byte UTF-8, which is only read; halves survive, too."""
    frame = decode_vector(vector)
    if vector.get("stringEncoding") == "utf-8":
        assert encode(frame) != bytes.fromhex(vector["hex"])
        check_frame(frame, SENDERS[vector["direction"]], protocol_version=V3)
    else:
        assert encode(frame) == bytes.fromhex(vector["hex"])


# --- The examples of the protocol notes ---------------------------------------------------

T = 1642057220386
UP = bytes.fromhex("08031209 52433a5478744d7367 1a107b22636f6e74656e74223a226869227d 4800")
DOWN = bytes.fromhex(
    "0a0275321001 2209 52433a5478744d7367 2a107b22636f6e74656e74223a226869227d"
    "30a282f391e52f 3830 4a13 313330312d4e424a512d4d4b33312d33343137"
)
PAGE = b"\x0a\x41" + DOWN + bytes.fromhex("10a282f391e52f 1801")
NOTIFY = bytes.fromhex("0801 10a282f391e52f")

EXAMPLES: list[tuple[str, Role, Frame]] = [
    (
        "10 0006 52436c6f7564 03 c2 00b4 0003 636964 0003 617070 0003 746f6b",
        Role.CLIENT,
        Connect(client_id="cid", keep_alive=180, app_id="app", token="tok"),
    ),
    (
        "20 00 00 0002 7531 0003 732d31 0000017e523cc122",
        Role.SERVER,
        ConnAck(status=0, user_id="u1", session_id="s-1", timestamp=TimeMs(T)),
    ),
    ("20 00 04", Role.SERVER, ConnAck(status=4)),
    (
        "20 00 00 0f 0002 7531 0003 732d31 0000017e523cc122 03e8",
        Role.SERVER,
        ConnAck(
            status=0,
            user_id="u1",
            session_id="s-1",
            timestamp=TimeMs(T),
            message_id=MessageId(1000),
            protocol_version=V4,
        ),
    ),
    ("c0", Role.CLIENT, PingReq()),
    ("d0", Role.SERVER, PingResp()),
    (
        "32 0006 70704d736750 0002 7532 0001" + UP.hex(),
        Role.CLIENT,
        Publish(topic="ppMsgP", target_id="u2", message_id=MessageId(1), data=UP),
    ),
    (
        "40 0001 61dfce04 0000 0182 0013 313330312d4e424a512d4d4b33312d33343137",
        Role.SERVER,
        PubAck(
            message_id=MessageId(1),
            date=1642057220,
            status=0,
            millisecond=386,
            uid=MessageUid("1301-NBJQ-MK31-3417"),
        ),
    ),
    (
        "40 0002 61dfce04 5786 0182 0013 313330312d4e424a512d4d4b33312d33343138",
        Role.SERVER,
        PubAck(
            message_id=MessageId(2),
            date=1642057220,
            status=22406,
            millisecond=386,
            uid=MessageUid("1301-NBJQ-MK31-3418"),
        ),
    ),
    (
        "52 0007 70756c6c4d7367 0002 7531 0002 08001000 20013000",
        Role.CLIENT,
        Query(
            topic="pullMsg",
            target_id="u1",
            message_id=MessageId(2),
            data=bytes.fromhex("08001000 20013000"),
            qos=Qos.AT_LEAST_ONCE,
        ),
    ),
    (
        "62 0002 61dfce04 0000" + PAGE.hex(),
        Role.SERVER,
        QueryAck(
            message_id=MessageId(2), date=1642057220, status=0, data=PAGE, qos=Qos.AT_LEAST_ONCE
        ),
    ),
    ("70 0002", Role.CLIENT, QueryCon(message_id=MessageId(2))),
    (
        "60 0009 61dfce04 5b72",
        Role.SERVER,
        QueryAck(message_id=MessageId(9), date=1642057220, status=23410, data=b""),
    ),
    (
        "32 61dfce04 0005 735f6e7466 0002 7531 ff00" + NOTIFY.hex(),
        Role.SERVER,
        Delivery(
            date=1642057220,
            topic="s_ntf",
            target_id="u1",
            message_id=MessageId(0xFF00),
            data=NOTIFY,
        ),
    ),
    (
        "32 61dfce04 0005 735f6d7367 0002 7531 ff01" + DOWN.hex(),
        Role.SERVER,
        Delivery(
            date=1642057220, topic="s_msg", target_id="u1", message_id=MessageId(0xFF01), data=DOWN
        ),
    ),
    ("40 ff01", Role.CLIENT, DeliveryAck(message_id=MessageId(0xFF01))),
    (
        "3a 61dfce04 0006 70704d736750 0002 7532 ff02" + UP.hex(),
        Role.SERVER,
        Delivery(
            date=1642057220,
            topic="ppMsgP",
            target_id="u2",
            message_id=MessageId(0xFF02),
            data=UP,
            is_sync=True,
        ),
    ),
    ("e0 00 01", Role.SERVER, Disconnect(status=1)),
    (
        "50 0008 6a6f696e4368726d 000c 61 eda0bd edb880 c3a9 e4b8ad ffff 0801",
        Role.CLIENT,
        Query(
            topic="joinChrm",
            target_id="a\U0001f600é中",
            message_id=MessageId(65535),
            data=b"\x08\x01",
        ),
    ),
]


@pytest.mark.parametrize(("text", "sender", "frame"), EXAMPLES)
def test_example(text: str, sender: Role, frame: Frame) -> None:
    """The worked examples of wire 6."""
    version = V4 if frame.__class__ is ConnAck and frame.message_id is not None else V3
    assert decode(bytes.fromhex(text), sender, protocol_version=version) == frame
    assert encode(frame) == bytes.fromhex(text)


def test_connect_with_everything() -> None:
    """Order and flags of the optional fields of CONNECT (wire 4.1)."""
    will = Will(topic="t", message="m", qos=Qos.EXACTLY_ONCE, retain=True)
    frame = Connect(client_id="c", clean_session=False, will=will, app_id="a", token="k")
    data = bytes.fromhex("10 0006 52436c6f7564 03 f4 0000 000163 000174 00016d 000161 00016b")
    assert encode(frame) == data
    assert decode(data, Role.CLIENT) == frame


# --- Properties ---------------------------------------------------------------------------


@pytest.mark.parametrize(("sender", "version"), VIEWS)
@given(data=st.data())
def test_every_frame_survives_and_no_prefix_is_mistaken(
    sender: Role, version: ProtocolVersion, data: st.DataObject
) -> None:
    frame = data.draw(frames(sender, protocol_version=version))
    check_frame(frame, sender, protocol_version=version)


@given(st.binary())
def test_any_bytes_are_a_frame_or_an_error(message: bytes) -> None:
    check_message(message)


def test_bytes_that_are_no_text_may_outgrow_their_field() -> None:
    """Each is replaced by a character of three bytes; such a frame is for logs (wire 7, rule 4)."""
    message = b"\x30\xff\xff" + b"\xff" * 65535 + b"\x00\x00\x00\x01"
    check_message(message)
    frame = decode(message, Role.CLIENT, limits=FORMAT_LIMITS)
    with pytest.raises(EncodeError, match="topic is 196605 bytes, the limit is 65535"):
        encode(frame)


@given(frames(Role.CLIENT) | frames(Role.SERVER) | frames(Role.SERVER, protocol_version=V4))
def test_frames_read_from_the_wrong_side_are_harmless(frame: Frame) -> None:
    check_message(encode(frame))


@given(frame=frames(Role.CLIENT) | frames(Role.SERVER), tail=st.binary())
def test_bytes_after_a_complete_frame_are_ignored(frame: Frame, tail: bytes) -> None:
    """Except where data runs to the end, and where CONNACK may go on (wire 7, rule 2)."""
    match frame:
        case Publish() | Delivery() | Query() | QueryAck():
            expected: Frame = replace(frame, data=frame.data + tail)
        case ConnAck():
            frame = replace(
                frame, user_id="u", session_id="s", timestamp=frame.timestamp or TimeMs(T)
            )
            expected = frame
        case _:
            expected = frame
    sender = next(role for role in Role if type(frame) in CLASSES[role].values())
    assert decode(encode(frame) + tail, sender) == expected


# --- What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("sender", Role)
@pytest.mark.parametrize("number", range(16))
def test_a_type_is_read_only_from_the_side_that_sends_it(sender: Role, number: int) -> None:
    """Wire 2; zeros are a complete body for every type."""
    message = bytes([number << 4]) + bytes(20)
    kind = {int(frame_type): kind for frame_type, kind in CLASSES[sender].items()}.get(number)
    if kind is None:
        with pytest.raises(DecodeError, match=f"a {sender.value} sends no frame of type {number}"):
            decode(message, sender)
    else:
        assert type(decode(message, sender)) is kind


def test_every_class_has_a_sender() -> None:
    sent = {kind for kinds in CLASSES.values() for kind in kinds.values()}
    assert sent == set(get_args(Frame))


@pytest.mark.parametrize(
    ("text", "sender", "version", "offset", "reason"),
    [
        ("", Role.CLIENT, V3, 0, "an empty message is no frame"),
        ("40 00", Role.CLIENT, V3, 2, "PUBACK is cut off"),
        ("70", Role.CLIENT, V3, 1, "QUERYCON is cut off"),
        ("e0 00", Role.SERVER, V3, 2, "DISCONNECT is cut off"),
        ("30 0001", Role.CLIENT, V3, 1, "topic of 1 bytes runs past the end"),
        ("30 0001 61 0001 62 00", Role.CLIENT, V3, 8, "PUBLISH is cut off"),
        ("30 0001 61 0002 62", Role.CLIENT, V3, 4, "target_id of 2 bytes runs past the end"),
        ("30 00000000 0001", Role.SERVER, V3, 5, "topic of 1 bytes runs past the end"),
        ("40 0001 00000000 0000 0000 0001", Role.SERVER, V3, 11, "uid of 1 bytes runs past"),
        ("60 0001 00000000 00", Role.SERVER, V3, 8, "QUERYACK is cut off"),
        ("20 00", Role.SERVER, V3, 2, "CONNACK is cut off"),
        ("20 00 00 00", Role.SERVER, V3, 4, "CONNACK is cut off"),
        ("20 00 00 0000 0000 00000000000000", Role.SERVER, V3, 14, "CONNACK is cut off"),
        ("20 00 00", Role.SERVER, V4, 3, "CONNACK is cut off"),
        ("20 00 00 04 00000000000000", Role.SERVER, V4, 11, "CONNACK is cut off"),
        ("20 00 00 08 00", Role.SERVER, V4, 5, "CONNACK is cut off"),
    ],
)
def test_incomplete_frames(
    text: str, sender: Role, version: ProtocolVersion, offset: int, reason: str
) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        decode(bytes.fromhex(text), sender, protocol_version=version)
    assert caught.value.offset == offset


def test_a_version_4_refusal_may_end_after_the_status() -> None:
    """With or without presence flags, it is the same frame (wire 4.2)."""
    refusal = ConnAck(status=4, protocol_version=V4)
    assert encode(refusal) == b"\x20\x00\x04"
    assert decode(b"\x20\x00\x04", Role.SERVER, protocol_version=V4) == refusal
    assert decode(b"\x20\x00\x04\x00", Role.SERVER, protocol_version=V4) == refusal


def test_limits_of_the_decoder() -> None:
    publish = Publish(topic="topic", target_id="four", message_id=MessageId(1), data=b"x" * 10)
    message = encode(publish)
    exact = Limits(message_bytes=len(message), string_bytes=5)
    assert decode(message, Role.CLIENT, limits=exact) == publish

    tight = replace(exact, string_bytes=4)
    with pytest.raises(DecodeError, match="topic is 5 bytes, the limit is 4") as caught:
        decode(message, Role.CLIENT, limits=tight)
    assert caught.value.offset == 1

    with pytest.raises(DecodeError, match="the frame is 26 bytes, the limit is 25") as caught:
        decode(message, Role.CLIENT, limits=replace(exact, message_bytes=25))
    assert caught.value.offset == 25


def test_limits_of_the_encoder() -> None:
    publish = Publish(topic="topic", target_id="four", message_id=MessageId(1), data=b"x" * 10)
    exact = Limits(outbound_bytes=26, string_bytes=5)
    assert len(encode(publish, limits=exact)) == 26
    with pytest.raises(EncodeError, match="topic is 5 bytes, the limit is 4"):
        encode(publish, limits=replace(exact, string_bytes=4))
    with pytest.raises(EncodeError, match="the frame is 26 bytes, the limit is 25"):
        encode(publish, limits=replace(exact, outbound_bytes=25))


def test_the_longest_string() -> None:
    """65535 bytes, whatever the limits say (wire 3)."""
    generous = replace(FORMAT_LIMITS, string_bytes=10**6)
    ack = PubAck(
        message_id=MessageId(1), date=0, status=0, millisecond=0, uid=MessageUid("x" * 65535)
    )
    assert decode(encode(ack, limits=generous), Role.SERVER, limits=generous) == ack
    with pytest.raises(EncodeError, match="uid is 65536 bytes, the limit is 65535"):
        encode(replace(ack, uid=MessageUid("\U0001f600" * 10922 + "abcd")), limits=generous)


MESSAGE_ID = MessageId(1)
PUBLISH = Publish(topic="t", target_id="u", message_id=MESSAGE_ID, data=b"")
DELIVERY = Delivery(date=0, topic="t", target_id="u", message_id=MESSAGE_ID, data=b"")
QUERY = Query(topic="t", target_id="u", message_id=MESSAGE_ID, data=b"")
PUBACK = PubAck(message_id=MESSAGE_ID, date=0, status=0, millisecond=0, uid=MessageUid(""))
QUERYACK = QueryAck(message_id=MESSAGE_ID, date=0, status=0, data=b"")
ACCEPTED = ConnAck(status=0, user_id="u", session_id="s", timestamp=TimeMs(0))

NUMBERS: list[tuple[Frame, str, int]] = [
    (Connect(client_id="c"), "protocol_version", 8),
    (Connect(client_id="c"), "keep_alive", 16),
    (ACCEPTED, "reserved", 8),
    (ACCEPTED, "status", 8),
    (ACCEPTED, "timestamp", 64),
    (replace(ACCEPTED, protocol_version=V4), "message_id", 16),
    (PUBLISH, "message_id", 16),
    (DELIVERY, "date", 32),
    (DELIVERY, "message_id", 16),
    (PUBACK, "message_id", 16),
    (PUBACK, "date", 32),
    (PUBACK, "status", 16),
    (PUBACK, "millisecond", 16),
    (DeliveryAck(message_id=MESSAGE_ID), "message_id", 16),
    (QUERY, "message_id", 16),
    (QUERYACK, "message_id", 16),
    (QUERYACK, "date", 32),
    (QUERYACK, "status", 16),
    (QueryCon(message_id=MESSAGE_ID), "message_id", 16),
    (Disconnect(status=0), "reserved", 8),
    (Disconnect(status=0), "status", 8),
]


@pytest.mark.parametrize(("frame", "field", "bits"), NUMBERS)
def test_numbers_out_of_range(frame: Frame, field: str, bits: int) -> None:
    """Every number of every frame: its edges fit, the next ones are refused by name."""
    for number in (0, 2**bits - 1):
        change: dict[str, Any] = {field: number}
        assert encode(replace(frame, **change))
    for wrong in (-1, 2**bits, 1.5, "1"):
        change = {field: wrong}
        limit = re.escape(f"{field} must be 0 to {2**bits - 1}, not {wrong!r}")
        with pytest.raises(EncodeError, match=limit):
            encode(replace(frame, **change))


STRINGS: list[tuple[Frame, str]] = [
    (Connect(client_id="c"), "client_id"),
    (Connect(client_id="c"), "protocol_name"),
    (Connect(client_id="c"), "app_id"),
    (Connect(client_id="c"), "token"),
    (ACCEPTED, "user_id"),
    (ACCEPTED, "session_id"),
    (PUBLISH, "topic"),
    (PUBLISH, "target_id"),
    (DELIVERY, "topic"),
    (DELIVERY, "target_id"),
    (QUERY, "topic"),
    (QUERY, "target_id"),
    (PUBACK, "uid"),
]


@pytest.mark.parametrize(("frame", "field"), STRINGS)
def test_strings_too_long(frame: Frame, field: str) -> None:
    """Every string of every frame is refused by name."""
    change: dict[str, Any] = {field: "é" * 32768}
    with pytest.raises(EncodeError, match=f"{field} is 65536 bytes, the limit is 65535"):
        encode(replace(frame, **change))


@pytest.mark.parametrize("field", ["topic", "message"])
def test_strings_of_a_will_too_long(field: str) -> None:
    change: dict[str, Any] = {field: "x" * 65536}
    will = replace(Will(topic="t", message="m"), **change)
    with pytest.raises(EncodeError, match=rf"will\.{field} is 65536 bytes"):
        encode(Connect(client_id="c", will=will))


@pytest.mark.parametrize("frame", [PUBLISH, DELIVERY, ACCEPTED, PingReq()])
def test_qos_out_of_range(frame: Frame) -> None:
    change: dict[str, Any] = {"qos": 4}
    with pytest.raises(EncodeError, match="qos must be 0 to 3, not 4"):
        encode(replace(frame, **change))


def test_qos_of_a_will_out_of_range() -> None:
    change: dict[str, Any] = {"qos": 4}
    will = replace(Will(topic="t", message="m"), **change)
    with pytest.raises(EncodeError, match=r"will\.qos must be 0 to 3, not 4"):
        encode(Connect(client_id="c", will=will))


@pytest.mark.parametrize(
    "frame",
    [
        replace(ACCEPTED, user_id=None),
        replace(ACCEPTED, session_id=None),
        replace(ACCEPTED, message_id=MESSAGE_ID),
    ],
)
def test_version_3_connack_has_no_gaps(frame: ConnAck) -> None:
    """Its fields are told apart by their order alone; version 4 has flags for them."""
    with pytest.raises(EncodeError, match="CONNACK version 3 has user_id, session_id"):
        encode(frame)
    in_version_4 = replace(frame, protocol_version=V4)
    assert decode(encode(in_version_4), Role.SERVER, protocol_version=V4) == in_version_4
