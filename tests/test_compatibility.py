"""docs/compatibility.md names the scenarios that there are, and its table is made of results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tools import compatibility

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tools.compatibility import Result

FIRST = "test_login.py::test_the_browser_reaches_nobody_but_this_machine"
SECOND = "test_messages.py::test_text_goes_both_ways"
THIRD = "test_standings.py::test_a_program_is_sent_away_when_its_user_is_banned"

TABLE = """\
| scenario | 2.9.2 | 5.38.0 | 10.0 polling | programs only |
| --- | --- | --- | --- | --- |
| **[test_login.py](../tests/interop/test_login.py)**: \
Coming in, being turned away, being thrown out. |  |  |  |  |
| the browser reaches nobody but this machine | - | alone | - | - |
| **[test_messages.py](../tests/interop/test_messages.py)**: \
Messages between two people who are there, each with a page or a program. |  |  |  |  |
| text goes both ways | itself, 5.38.0, trio | 2.9.2, 10.0 polling, asyncio, trio | 5.38.0 | - |
| **[test_standings.py](../tests/interop/test_standings.py)**: \
Users who may not speak or not come in, by order of the application. |  |  |  |  |
| a program is sent away when its user is banned | - | - | - | asyncio, trio |
"""


def results() -> dict[str, Result]:
    """Of a run of three scenarios, told in another order than they are written."""
    return {
        THIRD: {"casts": [["trio"], ["asyncio"]], "failed": []},
        SECOND: {
            "casts": [
                ["2.9.2", "2.9.2"],
                ["2.9.2", "5.38.0"],
                ["10.0 polling", "5.38.0"],
                ["2.9.2", "trio"],
                ["5.38.0", "asyncio", "trio"],
            ],
            "failed": [],
        },
        FIRST: {"casts": [["5.38.0"]], "failed": []},
    }


def test_the_document_names_exactly_the_scenarios() -> None:
    """After a new scenario: make interop && python -m tools.compatibility."""
    document = compatibility.DOCUMENT.read_text(encoding="utf-8")
    assert compatibility.named(document) == list(compatibility.scenarios())


def test_the_table_says_who_took_part_with_whom() -> None:
    assert compatibility.table(results()) == TABLE


def test_the_names_in_a_table_are_found() -> None:
    document = f"text\n{compatibility.BEGIN}{TABLE}{compatibility.END}more"
    assert compatibility.named(document) == [FIRST, SECOND, THIRD]


def test_a_run_that_leaves_something_out_or_fails_is_no_base_of_a_table() -> None:
    run = results()
    run[FIRST]["failed"].append("Chromium is not installed")
    mistakes = list(compatibility.mistakes(run))
    assert mistakes[-1] == f"{FIRST}: Chromium is not installed"
    untold = {sentence.removesuffix(" was not told") for sentence in mistakes[:-1]}
    assert untold == set(compatibility.scenarios()) - set(run)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document, cache = tmp_path / "compatibility.md", tmp_path / "results"
    monkeypatch.setattr(compatibility, "DOCUMENT", document)
    monkeypatch.setattr(compatibility, "RESULTS", cache)
    assert compatibility.main() == 1
    assert capsys.readouterr().err == "there are no results: run make interop\n"

    run: dict[str, Result] = {
        id: {"casts": [["2.9.2"]], "failed": []} for id in compatibility.scenarios()
    }
    document.write_text(f"a{compatibility.BEGIN}old{compatibility.END}b", encoding="utf-8")
    cache.write_text(json.dumps(run), encoding="utf-8")
    assert compatibility.main() == 0
    text = document.read_text(encoding="utf-8")
    assert compatibility.named(text) == list(compatibility.scenarios())
    assert (text[0], text[-1]) == ("a", "b")

    run[FIRST]["failed"].append("a reason")
    cache.write_text(json.dumps(run), encoding="utf-8")
    assert compatibility.main() == 1
    assert capsys.readouterr().err == f"{FIRST}: a reason\n"
    assert document.read_text(encoding="utf-8") == text
