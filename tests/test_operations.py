"""Looking things up in the operation table, and the table against what the SDKs really sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.errors import LocalProtocolError
from improto.operations import (
    GENERAL_ERRORS,
    OPERATIONS,
    Direction,
    Kind,
    Operation,
    Signal,
    Target,
    Topic,
    clean_topic,
    find,
    history_topic,
    message_topic,
    operation,
)

SDKS = {"2.5.3", "2.9.2", "4.6.4", "5.38.0"}
Vector = dict[str, Any]


def sent_by_sdks(file: str = "frames.jsonl") -> list[Vector]:
    """Frames that the public functions of the SDKs produced; an empty payload says nothing."""
    path = Path(__file__).with_name("vectors") / file
    vectors = map(json.loads, path.read_text(encoding="ascii").splitlines())
    return [
        vector
        for vector in vectors
        if vector["name"].startswith("c2s/api-") and "payload" in vector
    ]


TARGET_ELSEWHERE = {
    ("4.6.4", Topic.OPERATE): True,
    ("5.38.0", Topic.RTC_QUERY_JOINED): False,
    ("5.38.0", Topic.UP_CONVERT_MSG): None,
}
"""Whether it is the caller, where a row cannot say it for all SDKs; None: now so, now so."""

OUT_OF_REACH = {
    Topic.PB_MSG_P: "SDK 5 refuses by itself to write to a system account, 20109",
    Topic.QRY_C_MSG: "SDK 5 refuses by itself to ask for it, 34209",
    Topic.CLEAN_C_MSG: "SDK 5 refuses by itself to ask for it, 34209",
}
"""What SDK 5 could send, but no public function lets it."""


every_row = pytest.mark.parametrize(
    "row",
    OPERATIONS.values(),
    ids=lambda row: f"{row.signal.value} {row.topic}",
)
every_vector = pytest.mark.parametrize(
    "vector",
    [*sent_by_sdks(), *sent_by_sdks("sdk5.jsonl")],
    ids=lambda vector: vector["name"].removeprefix("c2s/api-"),
)


# --- Looking up -------------------------------------------------------------------------------


def test_a_frame_finds_its_row() -> None:
    row = find("pullMsg", Signal.QUERY)
    assert row is not None
    assert row.topic is Topic.PULL_MSG
    assert row.request is payloads.SyncRequestMsg
    assert row.reply is payloads.DownStreamMessages


@pytest.mark.parametrize(
    ("topic", "signal"),
    [("no such topic", Signal.QUERY), ("pullMsg", Signal.PUBLISH), ("", Signal.QUERY)],
)
def test_an_unknown_topic_has_no_row(topic: str, signal: Signal) -> None:
    assert find(topic, signal) is None


@every_row
def test_a_row_is_found_by_its_text(row: Operation) -> None:
    assert find(str(row.topic), row.signal) is row


@pytest.mark.parametrize("topic", Topic)
def test_every_topic_has_a_row(topic: Topic) -> None:
    assert operation(topic).topic is topic


def test_of_two_rows_the_newer_one_counts() -> None:
    twice = {topic for topic in Topic if all(find(topic, signal) for signal in Signal)}
    rtc = {Topic.RTC_SET_DATA, Topic.RTC_DEL_DATA, Topic.RTC_U_DEL}
    asked_by_sdk_5 = {Topic.MODIFY_MSG, Topic.QRY_MSG_CHANGE, Topic.UP_MSG_EX}
    assert twice == rtc | asked_by_sdk_5
    for topic in rtc:
        assert operation(topic).signal is Signal.PUBLISH
        assert OPERATIONS[topic, Signal.QUERY].sdks == ("2.5.3",)
    for topic in asked_by_sdk_5:
        assert operation(topic).signal is Signal.QUERY
        assert OPERATIONS[topic, Signal.PUBLISH].sdks == ("4.6.4",)


# --- Topics of conversations ------------------------------------------------------------------


@pytest.mark.parametrize("conversation", ConversationType)
@pytest.mark.parametrize("kind", Kind)
def test_message_topic_is_of_its_conversation(conversation: ConversationType, kind: Kind) -> None:
    try:
        row = operation(message_topic(conversation, kind))
    except LocalProtocolError:
        rows = [row for row in OPERATIONS.values() if row.conversation is conversation]
        assert conversation is ConversationType.SYSTEM or all(row.kind is not kind for row in rows)
    else:
        assert row.conversation is conversation
        assert (row.kind is Kind.STATUS) == (kind is Kind.STATUS)


def test_messages_are_stored_unless_said_otherwise() -> None:
    assert message_topic(ConversationType.PRIVATE) is Topic.PP_MSG_P
    assert message_topic(ConversationType.PRIVATE, Kind.NO_PUSH) is Topic.PP_MSG_N
    assert message_topic(ConversationType.PRIVATE, Kind.STATUS) is Topic.PP_MSG_S
    assert message_topic(ConversationType.PUBLIC_SERVICE) is Topic.PMP_MSG_N


def test_nobody_writes_to_a_system_account() -> None:
    with pytest.raises(LocalProtocolError, match=r"SYSTEM .* STORED"):
        message_topic(ConversationType.SYSTEM)


@pytest.mark.parametrize("conversation", set(ConversationType) - {ConversationType.RTC_ROOM})
def test_history_topic_is_of_its_conversation(conversation: ConversationType) -> None:
    row = operation(history_topic(conversation))
    assert row.request is payloads.HistoryMsgInput
    services = {ConversationType.APP_PUBLIC_SERVICE, ConversationType.PUBLIC_SERVICE}
    expected = ConversationType.PRIVATE if conversation in services else conversation
    assert row.conversation is expected


def test_an_rtc_room_has_no_history() -> None:
    with pytest.raises(LocalProtocolError, match="RTC_ROOM"):
        history_topic(ConversationType.RTC_ROOM)


@pytest.mark.parametrize("conversation", ConversationType)
def test_clean_topic_is_of_its_conversation(conversation: ConversationType) -> None:
    rows = {
        row.conversation: row.topic
        for row in OPERATIONS.values()
        if row.request is payloads.CleanHisMsgInput
    }
    if conversation in rows:
        assert clean_topic(conversation) is rows[conversation]
    else:
        with pytest.raises(LocalProtocolError, match=conversation.name):
            clean_topic(conversation)


# --- The table --------------------------------------------------------------------------------


@every_row
def test_row_makes_sense(row: Operation) -> None:
    assert row.meaning
    assert "\n" not in row.meaning
    assert set(row.sdks) <= SDKS
    assert list(row.sdks) == sorted(row.sdks)
    assert row.qos in (0, 1)
    for message in (row.request, row.reply, *row.request_aliases, *row.reply_aliases):
        assert message is None or message in payloads.MESSAGES.values()
    assert len(set(row.errors)) == len(row.errors)
    assert not set(row.errors) & set(GENERAL_ERRORS)


def test_no_status_means_something_else_to_a_client() -> None:
    """1 to 99 are rewritten or taken for reasons of calls (codes 4)."""
    statuses = {*GENERAL_ERRORS, *(code for row in OPERATIONS.values() for code in row.errors)}
    assert all(code >= 100 for code in statuses)
    assert ErrorCode.SUCCESS not in statuses


# --- The table against the SDKs ---------------------------------------------------------------


def test_vectors_are_there() -> None:
    assert len(sent_by_sdks()) > 150


@every_vector
def test_row_is_what_the_sdk_sends(vector: Vector) -> None:
    frame = vector["fields"]
    row = find(frame["topic"], Signal(frame["type"]))
    assert row is not None
    assert row.direction is not Direction.SERVER_TO_CLIENT
    assert set(vector["sdk"]) <= set(row.sdks)
    sent = payloads.MESSAGES[vector["payload"]["message"]]
    assert sent is row.request or sent in row.request_aliases
    *_, newest = vector["sdk"]
    old = newest == "2.5.3"
    qos = row.qos_sdk253 if old and row.qos_sdk253 is not None else row.qos
    asked_by_sdk_5 = newest == "5.38.0" and row.signal is Signal.QUERY
    assert frame["qos"] == (0 if asked_by_sdk_5 else qos)
    target = row.target_sdk253 if old and row.target_sdk253 is not None else row.target
    is_self = TARGET_ELSEWHERE.get((newest, row.topic), target is Target.SELF)
    assert is_self is None or (frame["targetId"] == vector.get("user", "user_me")) == is_self


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in OPERATIONS.values()
        if "5.38.0" in row.sdks and row.direction is not Direction.SERVER_TO_CLIENT
    ],
    ids=lambda row: row.topic,
)
def test_what_sdk_5_sends_has_been_seen(row: Operation) -> None:
    path = Path(__file__).with_name("vectors") / "sdk5.jsonl"
    vectors = map(json.loads, path.read_text(encoding="ascii").splitlines())
    seen = [
        vector["name"]
        for vector in vectors
        if vector["name"].startswith("c2s/api-")
        and (vector["fields"]["topic"], vector["fields"]["type"]) == (row.topic, row.signal.value)
    ]
    assert bool(seen) != (row.topic in OUT_OF_REACH)
