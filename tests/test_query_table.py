"""The QUERY rows: rules that hold for all of them, and the exceptions by name."""

from __future__ import annotations

import pytest

from improto import payloads
from improto._operation import Direction, Operation, Signal, Target, Topic
from improto._query_table import ROWS
from improto.codes import ErrorCode


def parametrize(rows: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.topic)


def test_all_rows_are_asked_once_by_clients() -> None:
    assert {row.signal for row in ROWS} == {Signal.QUERY}
    assert {row.direction for row in ROWS} == {Direction.CLIENT_TO_SERVER}
    assert len({row.topic for row in ROWS}) == len(ROWS)


@parametrize([row for row in ROWS if row.sdks])
def test_what_an_sdk_sends_is_known(row: Operation) -> None:
    """The target of some is the uid of a message (sdk5 8.1, 8.2)."""
    assert row.request is not None
    of_a_message = {
        Topic.READ_RECEIPT,
        Topic.QRY_RECEIPT,
        Topic.QRY_RECEIPT_BATCH,
        Topic.UP_CONVERT_MSG,
    }
    assert (row.target is None) == (row.topic in of_a_message)


def test_what_no_sdk_sends_has_no_known_target() -> None:
    assert {row.target for row in ROWS if not row.sdks} == {None}


@parametrize([row for row in ROWS if row.reply_optional or row.reply_aliases])
def test_a_reply_that_is_special_exists(row: Operation) -> None:
    assert row.reply is not None


def test_quality_of_service_is_one_where_an_sdk_says_so() -> None:
    assert {row.topic for row in ROWS if row.qos == 1} == {Topic.QRY_MSG}
    assert {row.topic for row in ROWS if row.qos_sdk253 is not None} == {
        Topic.PULL_MSG,
        Topic.CHRM_PULL,
    }


@parametrize([row for row in ROWS if row.topic.startswith("qry") and row.topic.endswith("Msg")])
def test_history_is_asked_and_answered_alike(row: Operation) -> None:
    if row.topic is Topic.QRY_MSG:
        assert row.reply is payloads.MsgQueryAck
        return
    assert row.request is payloads.HistoryMsgInput
    assert row.reply is payloads.HistoryMsgOuput
    assert row.conversation is not None
    assert ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE in row.errors


@parametrize([row for row in ROWS if row.target_sdk253 is not None])
def test_the_target_differs_where_the_table_says_so(row: Operation) -> None:
    """The conversation in SDK 2.5.3 and the caller in the newer ones, or the other way round."""
    assert row.target is not row.target_sdk253
    assert Target.SELF in (row.target, row.target_sdk253)
    assert set(row.sdks) > {"2.5.3"}
