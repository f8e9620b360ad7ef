"""Payloads as long polling carries them: JSON instead of protobuf (http 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given

from improto import payloads
from improto.errors import DecodeError
from improto.testing.payload_strategies import any_payload
from improto.transports._payload_json import covers, dump, from_json, load, to_json

if TYPE_CHECKING:
    from improto.payloads import Message

UP: dict[str, Any] = {"sessionId": 3, "classname": "RC:TxtMsg", "content": "{}"}


def has_bytes(message: Message) -> bool:
    return any(
        field.type == FieldDescriptor.TYPE_BYTES or (field.message_type and has_bytes(value))
        for field, values in message.ListFields()
        for value in (values if field.is_repeated else [values])
    )


@given(message=any_payload())
def test_what_was_written_is_read_again(message: Message) -> None:
    again = from_json(type(message), load(dump(to_json(message))))
    assert again == message or has_bytes(message)


def test_lists_are_always_there_and_nothing_else() -> None:
    """SDKs loop over them (http 5.6)."""
    assert to_json(payloads.DownStreamMessages(syncTime=5)) == {"list": [], "syncTime": 5}


def test_bytes_are_text() -> None:
    message = from_json(payloads.UpStreamMessage, UP | {"content": '{"content":"hé 😀"}'})
    assert message.content == '{"content":"hé 😀"}'.encode()
    assert to_json(message)["content"] == '{"content":"hé 😀"}'
    assert to_json(payloads.UpStreamMessage(content=b"\xff"))["content"] == "\ufffd"


def test_half_an_emoji_costs_no_message() -> None:
    message = from_json(payloads.UpStreamMessage, UP | {"content": "a\ud83d", "pushText": "\udc00"})
    assert (message.content, message.pushText) == (b"a?", "?")


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        (payloads.MCFollowInput, {"id": "m"}, {"state": "m"}),
        (payloads.GrpReadReceiptMsg, {"channelId": "c"}, {"busChannel": "c"}),
        (payloads.RtcUserListOutput, {"list": [{"userId": "u"}]}, {"users": [{"userId": "u"}]}),
    ],
)
def test_names_that_differ_between_builds(
    kind: type[Message], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Both are read, and both are written."""
    assert from_json(kind, ours) == from_json(kind, theirs)
    assert covers(kind, ours)
    assert covers(kind, theirs)
    assert (ours | theirs).keys() <= to_json(from_json(kind, theirs)).keys()


def test_a_name_that_no_build_has() -> None:
    assert not covers(payloads.NotifyMsg, {"type": 1, "nothing": 1})
    assert from_json(payloads.NotifyMsg, {"type": 1, "nothing": 1}).type == 1


def test_half_an_emoji_is_no_name_either() -> None:
    assert not covers(payloads.NotifyMsg, load('{"\\ud800":1}'))
    assert from_json(payloads.NotifyMsg, load('{"\\ud800":1,"type":1}')).type == 1


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ({"users": [{"userId": "a"}], "list": [{"userId": "b"}]}, "b"),
        ({"list": [{"userId": "b"}], "users": [{"userId": "a"}]}, "b"),
        ({"users": [{"userId": "a"}], "list": None}, "a"),
    ],
)
def test_of_two_names_that_of_the_schema_counts(values: dict[str, object], user: str) -> None:
    [found] = from_json(payloads.RtcUserListOutput, values).list
    assert found.userId == user


def test_null_is_absent() -> None:
    message = from_json(payloads.NotifyMsg, {"type": 1, "chrmId": None})
    assert not message.HasField("chrmId")


def test_an_empty_object_is_no_message_where_something_is_required() -> None:
    """SDK 2.5.3 sends one with deletions (http 5.7)."""
    values = {"entry": {"key": "k", "value": ""}, "notification": {}}
    assert not from_json(payloads.DeleteChrmKV, values).HasField("notification")
    values["notification"] = {"classname": "RC:TxtMsg"}
    assert from_json(payloads.DeleteChrmKV, values).HasField("notification")


def test_an_empty_object_is_a_message_where_nothing_is_required() -> None:
    assert from_json(payloads.UpStreamMessage, UP | {"pushExt": {}}).HasField("pushExt")


def test_an_empty_object_is_an_empty_list() -> None:
    """So SDK 4.6.4 writes it in ``userSetData``."""
    values = {"objectName": "RCRTC:CDN", "valueInfo": {}}
    assert not from_json(payloads.RtcUserSetDataInput, values).valueInfo


def test_a_bare_value_is_a_list_of_one() -> None:
    """So SDK 2.9.2 writes it in ``rrList``."""
    assert from_json(payloads.GrpReadReceiptMsg, {"msgId": "U"}).msgId == ["U"]


@pytest.mark.parametrize(("given", "meant"), [(7, 7), (7.0, 7), (-1, -1), (1e3, 1000)])
def test_whole_numbers(given: float, meant: int) -> None:
    assert from_json(payloads.NotifyMsg, {"type": given}).type == meant


@pytest.mark.parametrize(("given", "meant"), [(True, True), (False, False), (1, True), (0, False)])
def test_truth(given: object, meant: bool) -> None:
    assert from_json(payloads.SyncRequestMsg, {"ispolling": given}).ispolling is meant


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (payloads.NotifyMsg, []),
        (payloads.NotifyMsg, "text"),
        (payloads.NotifyMsg, {"type": "1"}),
        (payloads.NotifyMsg, {"type": True}),
        (payloads.NotifyMsg, {"type": 1.5}),
        (payloads.NotifyMsg, {"type": float("inf")}),
        (payloads.NotifyMsg, {"type": 2**40}),
        (payloads.NotifyMsg, {"time": 2**64}),
        (payloads.NotifyMsg, {"chrmId": 5}),
        (payloads.SyncRequestMsg, {"ispolling": 2}),
        (payloads.SyncRequestMsg, {"ispolling": 1.0}),
        (payloads.SyncRequestMsg, {"ispolling": "true"}),
        (payloads.UpStreamMessage, {"content": {}}),
        (payloads.UpStreamMessage, {"userId": 1}),
        (payloads.UpStreamMessage, {"userId": [1]}),
        (payloads.SetChrmKV, {"entry": "e"}),
        (payloads.SetChrmKVS, {"entry": {"key": "k"}}),
        (payloads.SetChrmKVS, {"entry": [5]}),
    ],
)
def test_values_of_the_wrong_type(kind: type[Message], values: object) -> None:
    with pytest.raises(DecodeError):
        from_json(kind, values)


@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff", "[" * 100_000, "1" * 5000])
def test_no_json(text: str | bytes) -> None:
    with pytest.raises(DecodeError):
        load(text)


def test_the_form_is_that_of_a_browser() -> None:
    """SDKs compare it with their own (http 5.1)."""
    assert (
        dump({"a": [1, "é😀\u2028/\n\x01"], "b": True})
        == '{"a":[1,"é😀\u2028/\\n\\u0001"],"b":true}'
    )
