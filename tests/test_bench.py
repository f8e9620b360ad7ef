"""The benchmarks run and say what they mean; what they measure is not judged here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bench.__main__ import main
from bench.report import Row, Table, lines_of, read_baseline, server_row, write_baseline

if TYPE_CHECKING:
    from pathlib import Path

TABLE = Table(
    title="Walking",
    unit="us",
    rows=[
        Row(name="plain", value=2.0),
        Row(name="ours", value=5.0, goal=6.0, aim=4.0),
        Row(name="theirs", value=7.0, goal=6.0),
    ],
)


@pytest.mark.slow
def test_everything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    printed = capsys.readouterr().out
    for title in (
        "Core per frame, in us",
        "Durable private message, 1 pair, window 32, in us",
        "Durable private message, 50 pairs, window 32, in us",
        "Durable private message, 50 pairs, one message at a time, in us",
        "Group message, 10 members online, a delivery, in us",
        "Group message as the group grows, asyncio, websockets, a delivery, in us",
        "Private message to somebody absent, 50 senders, window 32, in us",
        "Pulling 100 waiting messages, each, in us",
        "Chatroom message, 10 members, a delivery, in us",
        "Conversation list of 30, a request, in us",
        "Memory per idle connection, 100 of them, in KiB",
        "Memory per waiting poll, 100 of them, in KiB",
        "Login: HTTP, token, CONNACK, first pull, 50 at once, in us",
        "Login: HTTP, token, CONNACK, first pull, one after the other, in us",
        "A client that receives what waited, a message, in us",
        "A client that sends, window 32, a message, in us",
        "Memory of a client that receives 400 messages, in KiB",
        "What is asked of a store that grows, a question, in us",
        "Chat while the web port works, slowest hundredth, in ms",
    ):
        assert f"\n{title}\n" in printed
    for row in ("bare struct", "bare asyncio forwarder", "trio, websockets", "asyncio, wsproto"):
        assert f"\n{row}" in printed


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row(name="", value=5.0), ""),
        (Row(name="", value=5.0, goal=5.0), "reached 5"),
        (Row(name="", value=5.1, goal=5.0), "missed (goal 5)"),
        (Row(name="", value=5.0, goal=6.0, aim=4.0), "reached 6, aim 4"),
        (Row(name="", value=4.0, goal=6.0, aim=4.0), "reached 4"),
    ],
)
def test_a_row_says_whether_its_goal_is_reached(row: Row, verdict: str) -> None:
    assert row.verdict == verdict


def test_a_table_shows_values_ratios_and_what_they_were() -> None:
    baseline = {"Walking: ours": 2.4, "Walking: theirs": 2.0}
    assert list(lines_of(TABLE, baseline)) == [
        "",
        "Walking, in us",
        "          value   ratio     was",
        "plain      2.00    1.00",
        "ours       5.00    2.50    2.40  reached 6, aim 4",
        "theirs     7.00    3.50    2.00  missed (goal 6)  why more than it was?",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["core", "jumping"], "there is no bench jumping"),
        (["core", "--record"], "a baseline is of one run of everything"),
    ],
)
def test_what_cannot_be_measured(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err


def test_trio_is_compared_with_asyncio() -> None:
    first = server_row([], 4.0, "asyncio", "wsproto", goal=3.0, aim=2.0)
    assert (first.name, first.goal, first.aim) == ("asyncio, wsproto", 3.0, 2.0)
    assert server_row([first], 5.0, "trio", "wsproto", goal=3.0).goal == 6.0
    assert server_row([first], 5.0, "trio", "websockets", goal=3.0).goal is None


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert read_baseline(path) == {}
    write_baseline(path, [TABLE])
    assert read_baseline(path) == {"Walking: ours": 2.5, "Walking: theirs": 3.5}


def test_what_cannot_be_compared_is_no_mistake() -> None:
    rows = [Row(name="plain", value=0.0), Row(name="ours", value=2.0)]
    table = Table(title="Title", unit="us", rows=rows)
    assert table.ratio(rows[1]) == math.inf
    assert any("inf" in line for line in lines_of(table, {}))
