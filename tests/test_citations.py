"""Whatever section of the protocol the code or the manual cites is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.citations import CITATION, PAGES, Section, cited
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHERS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md")


def files() -> Iterator[Path]:
    yield from OTHERS
    yield from (ROOT / "docs").rglob("*.md")
    for folder in ("src", "tests", "fuzz", "bench", "examples", "tools"):
        yield from (ROOT / folder).rglob("*.py")


def sections(text: str, *, here: str | None = None) -> list[Section]:
    found = (cited(citation, here=here) for citation in CITATION.finditer(text))
    return [section for section in found if section is not None]


def test_every_section_that_is_cited_exists() -> None:
    missing = []
    count = 0
    for path in files():
        here = path.stem if path in PAGES.values() else None
        found = sections(path.read_text(encoding="utf-8"), here=here)
        count += len(found)
        missing += [(path.name, *each) for each in found if not each.exists]
    assert missing == []
    assert count > 500


@pytest.mark.parametrize(
    ("text", "here", "expected"),
    [
        ("(session 8.5, codes 5)", None, [Section("session", "8.5"), Section("codes", "5")]),
        ("see wire\n    7, rule 9.", None, [Section("wire", "7")]),
        ("interop 7", None, [Section("interop-quirks", "7")]),
        ("section 2.3", "http", [Section("http", "2.3")]),
        ("section 2.3", None, []),
        ("messages 34014; messages 1.500; two-session 8; messages 3s", None, []),
    ],
)
def test_what_a_citation_is(text: str, here: str | None, expected: list[Section]) -> None:
    assert sections(text, here=here) == expected


def test_a_section_that_is_not_there() -> None:
    assert Section("session", "8.5").exists
    assert not Section("session", "8.99").exists
