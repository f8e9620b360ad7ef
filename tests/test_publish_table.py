"""The PUBLISH rows: what follows from a topic's name must be what its row says."""

from __future__ import annotations

import pytest

from improto import payloads
from improto._operation import Direction, Kind, Operation, Signal, Target, Topic
from improto._publish_table import ROWS

MESSAGES = [row for row in ROWS if row.request is payloads.UpStreamMessage]
PUSHES = [row for row in ROWS if row.direction is Direction.SERVER_TO_CLIENT]


def parametrize(rows: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.topic or "empty topic")


def test_all_rows_are_published_once() -> None:
    assert {row.signal for row in ROWS} == {Signal.PUBLISH}
    assert len({row.topic for row in ROWS}) == len(ROWS)


@parametrize(list(ROWS))
def test_a_puback_carries_no_payload(row: Operation) -> None:
    assert row.request is not None
    assert row.reply is None
    assert not row.reply_optional
    assert not row.reply_aliases


@parametrize([row for row in MESSAGES if row.topic.endswith(("MsgP", "MsgN", "MsgS"))])
def test_kind_is_the_last_letter(row: Operation) -> None:
    assert row.kind is Kind(row.topic[-1])


@parametrize(MESSAGES)
def test_messages_ask_for_an_acknowledgement(row: Operation) -> None:
    assert row.qos == 1


@parametrize(PUSHES)
def test_what_the_server_sends_is_for_the_receiver(row: Operation) -> None:
    assert row.target is Target.RECEIVER
    assert row.sdks


def test_sync_frames_are_messages_and_read_positions() -> None:
    """What SDK 4.6.4 takes as a sync frame is among them (session 9.3)."""
    both = {row.topic for row in ROWS if row.direction is Direction.BOTH}
    assert both >= {
        Topic.PP_MSG_P,
        Topic.PP_MSG_S,
        Topic.PG_MSG_P,
        Topic.PG_MSG_S,
        Topic.CHAT_MSG,
        Topic.PC_MSG_P,
        Topic.PR_MSG_S,
        Topic.RECALL_MSG,
        Topic.UPD_UG_R_TIME,
    }
    assert both - {row.topic for row in MESSAGES} == {Topic.UPD_UG_R_TIME, Topic.UPD_R_TIME}


def test_rtc_and_read_positions_are_published_without_asking_for_an_acknowledgement() -> None:
    assert {row.topic for row in ROWS if row.qos == 0} == {
        Topic.RTC_SET_DATA,
        Topic.RTC_DEL_DATA,
        Topic.RTC_U_DEL,
        Topic.SEND_MSG_READ,
        Topic.UPD_R_TIME,
        Topic.UPD_RR_TIME,
    }
