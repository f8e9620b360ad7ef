"""docs/features.md: complete, counted right, and naming tests that are there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tools import features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The ids of the designs' list, all of them.
IDS = """
    S0-01..32
    S1A-01..09 S1B-01..10 S1Q-01..13 S1C-01..12 S1D-01..34 S1E-01..29 S1F-001..116 S1G-01..27
    S1M-01..21 S1H-01..46 S1I-01..05 S1S-01..15 S1X-001..103 S1L-01..68 S1V-01..45
    S2-01..28 S3-01..24 S4-01..31
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
    assert len(wanted) == len(set(wanted)) == 668
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
        ("open: not there", "open: see `tests/no.py::test_x`", "S0-02: there is no tests/no.py::"),
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
