"""Payloads: golden vectors in both directions, properties of every message, and errors."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improto import codes, payloads
from improto.errors import DecodeError, EncodeError
from improto.testing.payload_strategies import any_payload
from improto.testing.payload_strategies import payloads as payloads_of

VECTORS = [
    json.loads(line)
    for line in Path(__file__)
    .with_name("vectors")
    .joinpath("payloads.jsonl")
    .read_text(encoding="ascii")
    .splitlines()
]
REFUSED = [vector for vector in VECTORS if vector.get("reject")]
READABLE = [vector for vector in VECTORS if not vector.get("reject")]
WRITABLE = [vector for vector in READABLE if not vector.get("decodeOnly")]

Vector = dict[str, Any]


ROOT = Path(__file__).parent.parent


def parametrize(vectors: list[Vector]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


# --- Golden vectors ---------------------------------------------------------------------------


def test_vectors_cover_every_message_of_the_older_sdks() -> None:
    """What the newest one adds stands at the end of the schema, and is checked below."""
    of_the_older = itertools.takewhile(lambda name: name != "ReferenceData", payloads.MESSAGES)
    assert {vector["message"] for vector in VECTORS} == set(of_the_older)


@parametrize(READABLE)
def test_vector_is_read(vector: Vector) -> None:
    message = payloads.decode(payloads.MESSAGES[vector["message"]], bytes.fromhex(vector["hex"]))
    assert payloads.to_fields(message) == vector["fields"]


@parametrize(WRITABLE)
def test_vector_is_written(vector: Vector) -> None:
    message = payloads.from_fields(payloads.MESSAGES[vector["message"]], vector["fields"])
    assert payloads.encode(message).hex() == vector["hex"]


@parametrize(REFUSED)
def test_vector_is_refused(vector: Vector) -> None:
    with pytest.raises(DecodeError):
        payloads.decode(payloads.MESSAGES[vector["message"]], bytes.fromhex(vector["hex"]))


# --- Every message ----------------------------------------------------------------------------


def test_every_message_has_its_own_name() -> None:
    assert len(payloads.MESSAGES) == 292
    for name, kind in payloads.MESSAGES.items():
        assert getattr(payloads, name) is kind


# A fifth of the usual number of examples, because there are 292 messages.
@settings(max_examples=settings().max_examples // 5)
@pytest.mark.parametrize("kind", payloads.MESSAGES.values(), ids=payloads.MESSAGES)
@given(data=st.data())
def test_round_trip(kind: type[payloads.Message], data: st.DataObject) -> None:
    message = data.draw(payloads_of(kind))
    assert payloads.decode(kind, payloads.encode(message)) == message
    assert payloads.from_fields(kind, payloads.to_fields(message)) == message


@given(message=any_payload(), kind=st.sampled_from(list(payloads.MESSAGES.values())))
def test_payload_of_another_kind_is_read_or_refused(
    message: payloads.Message, kind: type[payloads.Message]
) -> None:
    read_or_refuse(kind, payloads.encode(message))


@given(data=st.binary(max_size=200), kind=st.sampled_from(list(payloads.MESSAGES.values())))
def test_any_bytes_are_read_or_refused(data: bytes, kind: type[payloads.Message]) -> None:
    read_or_refuse(kind, data)


def read_or_refuse(kind: type[payloads.Message], data: bytes) -> None:
    """Decode; what is read must be good enough to be written and read again."""
    try:
        message = payloads.decode(kind, data)
    except DecodeError:
        return
    assert payloads.decode(kind, payloads.encode(message)) == message
    payloads.to_fields(message)


# --- Errors -----------------------------------------------------------------------------------


def test_missing_fields_are_named_when_reading() -> None:
    data = payloads.DownStreamMessages(
        list=[payloads.DownStreamMessage()]
    ).SerializePartialToString()
    with pytest.raises(
        DecodeError, match=r"DownStreamMessages: .*syncTime.*list\[0\]\.classname"
    ) as caught:
        payloads.decode(payloads.DownStreamMessages, data)
    assert caught.value.offset == len(data)


def test_missing_fields_are_named_when_writing() -> None:
    with pytest.raises(EncodeError, match="GroupInfo: required but missing: id, name"):
        payloads.encode(payloads.GroupInfo())


def test_unreadable_data_is_refused_at_offset_zero() -> None:
    with pytest.raises(DecodeError, match="no GroupInfo") as caught:
        payloads.decode(payloads.GroupInfo, b"\x0a\x05ab")
    assert caught.value.offset == 0


def test_fields_after_an_unfinished_varint_are_not_searched_for_text() -> None:
    with pytest.raises(DecodeError):
        payloads.decode(payloads.GroupInfo, b"\x0a\x01\xff" + b"\xff" * 20)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"syncTime": 1, "nonsense": 1}, "nonsense"),
        ({"list": [{"nonsense": 1}]}, r"list.*nonsense"),
        ({"list": [{"fromUserId": 5}]}, r"list.*fromUserId"),
        ({"list": [{"content": "a"}]}, r"list.*content"),
        ({"list": [{"type": 2**31}]}, r"list.*type"),
        ({"list": 5}, "list"),
        ({"syncTime": 2**63}, "syncTime"),
        ({"syncTime": True}, "syncTime"),
        ({"syncTime": "soon"}, "syncTime"),
        ({"finished": 1}, "finished"),
    ],
)
def test_bad_fields_are_named(fields: dict[str, object], path: str) -> None:
    with pytest.raises(EncodeError, match=f"^DownStreamMessages: .*{path}") as caught:
        payloads.from_fields(payloads.DownStreamMessages, fields)
    assert "\n" not in str(caught.value)


def test_int64_may_be_an_int() -> None:
    message = payloads.from_fields(payloads.NotifyMsg, {"type": 1, "time": 5, "chrmId": None})
    assert message == payloads.NotifyMsg(type=1, time=5)


# --- What the schema and the runtime do not say -----------------------------------------------


def test_unknown_number_of_an_enumeration_is_kept() -> None:
    data = payloads.encode(payloads.RelationInfo(type=99, userId="u"))
    assert payloads.decode(payloads.RelationInfo, data).type == 99


def test_unknown_fields_are_kept() -> None:
    data = payloads.encode(payloads.NotifyMsg(type=1, time=5, chrmId="room"))
    assert payloads.encode(payloads.decode(payloads.ChrmInput, data)) == data


def test_remove_conversation_is_read_whichever_message_it_is() -> None:
    """SDK 2.9.2 sends RelationQryInput, whose tags 2 to 4 have other wire types."""
    data = payloads.encode(payloads.RelationQryInput(type=3, count=0, startTime=0, order=0))
    assert payloads.decode(payloads.RelationsInput, data).type == 3


def test_bad_text_is_replaced_wherever_it_is() -> None:
    half_an_emoji = b"\xed\xa0\xbd"
    message = payloads.UpStreamMessage(
        sessionId=3,
        classname="RC:TxtMsg",
        content=b"\xff",
        pushText="hi 123",
        configFlag=0,
        pushExt=payloads.PushExtra(title="ho 456", templateIdNoUse=7),
    )
    unknown = bytes.fromhex("9206 0212ff fd0600000000 f90600000000000000ff a307a407")
    data = payloads.encode(message) + unknown
    damaged = data.replace(b"123", half_an_emoji).replace(b"456", half_an_emoji)
    read = payloads.decode(payloads.UpStreamMessage, damaged)
    assert read.pushText == "hi ???"
    assert read.pushExt.title == "ho ???"
    assert payloads.encode(read) == data.replace(b"123", b"???").replace(b"456", b"???")


@given(text=st.text(), bad=st.binary(min_size=1, max_size=4), position=st.integers(0, 20))
def test_bad_text_never_costs_the_payload(text: str, bad: bytes, position: int) -> None:
    encoded = text.encode()
    name = encoded[:position] + bad + encoded[position:]
    data = payloads.encode(payloads.SetUserSettingInput(version=1, value="?" * len(name)))
    read = payloads.decode(payloads.SetUserSettingInput, data[: -len(name)] + name)
    assert len(read.value.encode()) == len(name)
    assert read.value.replace("?", "") == name.decode("utf-8", "ignore").replace("?", "")


@pytest.mark.parametrize(
    ("in_schema", "in_codes"),
    [
        ("ChannelType", codes.ConversationType),
        ("FileType", codes.FileType),
        ("GroupHashType", codes.GroupHashType),
        ("SessionStateType", codes.SessionStateType),
        ("RtcTargetType", codes.RtcTargetType),
        ("IdentityChangeType", codes.IdentityChangeType),
        ("JoinType", codes.JoinType),
    ],
)
def test_enumerations_have_the_numbers_of_the_schema(
    in_schema: str, in_codes: type[codes.FileType]
) -> None:
    enum = payloads.UpStreamMessage.DESCRIPTOR.file.enum_types_by_name[in_schema]
    assert {value.number for value in enum.values} <= {int(member) for member in in_codes}


def test_compiled_schema_is_fresh() -> None:
    missing = [name for name in ("grpc_tools", "mypy_protobuf") if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed, so the schema cannot be compiled")
    # In a process of its own: protoc forks, which a process with many threads may not survive.
    check = [sys.executable, "-m", "tools.make_proto", "--check"]
    run = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
