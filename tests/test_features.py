"""docs/features.md: complete, counted right, and naming tests that are there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tools import features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The ids of the designs' list that concern the protocol or the server.
IDS = """
    S0-03..06 S0-11..12 S0-15..19 S0-22 S0-24..28
    S1A-01..08
    S1B-01 S1B-03..08 S1B-10
    S1Q-01..02 S1Q-04..11 S1Q-13
    S1C-05..08 S1C-11
    S1D-07 S1D-09 S1D-12..13 S1D-15..20 S1D-22..23 S1D-29 S1D-31
    S1E-01 S1E-06..07 S1E-16..28
    S1F-004..007 S1F-012 S1F-014 S1F-018..023 S1F-028 S1F-030 S1F-039..043 S1F-045 S1F-049..054
    S1F-060 S1F-073 S1F-077..078 S1F-081 S1F-083..094 S1F-097..114
    S1G-01..04 S1G-06..08 S1G-11..24
    S1M-01..21
    S1H-01..38 S1H-40 S1H-42..46
    S1I-01..03
    S1S-01..15
    S1X-001..029 S1X-044..055 S1X-092..097
    S1L-33..67
    S1V-04..07 S1V-12..13 S1V-15..17 S1V-19..26 S1V-28..29 S1V-31 S1V-35..38 S1V-41
    S2-02..06 S2-08..13 S2-16..19
    S3-02..09 S3-11 S3-17..19 S3-21..22
    S4-01 S4-04..20 S4-23..24 S4-26..27 S4-29..31
"""

HERE = "`tests/test_features.py::test_the_page_is_right`"

PAGE = f"""\
# Features

**2 of 4 shown, 1 open, 1 declined**

## S0: a group

**1 of 2 shown, 1 open**

| id | feature | shown by |
| --- | --- | --- |
| S0-01 | one | {HERE} |
| S0-02 | two | open: not there |

## S1A: another one

**1 of 2 shown, 1 declined**

| S1A-01 | three | {HERE}<br>`tests/test_codec.py::test_connect_with_everything` |
| S1A-02 | four | declined: not wanted |
"""


def document() -> str:
    return features.DOCUMENT.read_text(encoding="utf-8")


def ids() -> Iterator[str]:
    """The list above, written out."""
    for word in IDS.split():
        group, _, numbers = word.partition("-")
        first, _, last = numbers.partition("..")
        for number in range(int(first), int(last or first) + 1):
            yield f"{group}-{number:0{len(first)}}"


def test_the_page_is_right() -> None:
    assert list(features.mistakes(document())) == []


def test_every_id_is_there_once() -> None:
    wanted = list(ids())
    assert len(wanted) == len(set(wanted)) == 405
    assert Counter(row.id for row in features.rows(document())) == Counter(wanted)


def test_rows_are_in_order() -> None:
    """The ids of a group rise."""
    rows = features.rows(document())
    for group in {row.group for row in rows}:
        some = [row.id for row in rows if row.group == group]
        assert some == sorted(some)


def test_a_row_is_read() -> None:
    one, two, three, four = features.rows(PAGE)
    assert one == ("S0", "S0-01", "one", HERE)
    assert [row.state for row in (one, two, three, four)] == ["shown", "open", "shown", "declined"]
    assert one.tests == [HERE.strip("`")]
    assert len(three.tests) == 2
    assert two.tests == four.tests == []


def test_counts_are_those_of_the_rows() -> None:
    assert features.counted(PAGE) == PAGE
    wrong = PAGE.replace("**1 of 2 shown, 1 open**", "**9 of 9 shown**")
    assert features.counted(wrong) == PAGE
    assert list(features.mistakes(wrong)) == [
        "the counts are not those of the rows: run python -m tools.features --write"
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("S0-02", "S0-01", "S0-01 is there 2 times"),
        ("S0-02", "S1A-02", "S1A-02 is there 2 times"),
        ("S1A-02", "S1B-02", "S1B-02 stands in group S1A"),
        ("test_the_page_is_right", "test_nothing", "no tests/test_features.py::test_nothing"),
        ("tests/test_codec", "tests/test_nothing", "no tests/test_nothing.py::"),
        (HERE, "some day", "S0-01: neither tests nor a reason: some day"),
        ("<br>", " and ", "S1A-01: neither tests nor a reason"),
        ("open: not there", "open", "S0-02: neither tests nor a reason: open"),
    ],
)
def test_a_mistake_is_told(right: str, wrong: str, sentence: str) -> None:
    page = features.counted(PAGE.replace(right, wrong, 1))
    assert any(sentence in mistake for mistake in features.mistakes(page))


def test_a_row_before_all_groups_is_a_mistake() -> None:
    page = features.counted(f"| S0-09 | nine | open: not there |\n{PAGE}")
    assert "S0-09 stands in group none" in features.mistakes(page)


def test_tests_in_classes_have_the_name_of_the_class() -> None:
    name = "test_custom_type"
    assert features.exists(f"tests/test_contents.py::TestRegistry::{name}")
    assert not features.exists(f"tests/test_contents.py::{name}")
    assert not features.exists("tests/test_features.py::document")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "features.md"
    monkeypatch.setattr(features, "DOCUMENT", path)
    path.write_text(PAGE.replace("**2 of", "**3 of"), encoding="utf-8")
    assert features.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("the counts are not those of the rows")
    assert features.main(["--write"]) == features.main(["--check"]) == features.main([]) == 0
    assert path.read_text(encoding="utf-8") == PAGE
    assert capsys.readouterr().out == "2 of 4 shown, 1 open, 1 declined\n"
