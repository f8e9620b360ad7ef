"""The samples of the manual: every fenced block of README.md, CONTRIBUTING.md and docs/."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from tools.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"

FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Sample(NamedTuple):
    """One block."""

    page: str
    """Relative to the root of the repository."""
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def manual() -> list[Path]:
    """Every page."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def samples_of(page: Path) -> list[Sample]:
    """The samples of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Sample(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, found.start()) + 1,
            found[2],
            textwrap.dedent(found[3]),
        )
        for found in FENCE.finditer(text)
    ]


def samples(language: str) -> list[Sample]:
    """The samples of the whole manual in one language; ``""`` for blocks that name none."""
    return [
        sample for page in manual() for sample in samples_of(page) if sample.language == language
    ]


def programs(page: Path) -> list[str]:
    """The Python programs of a page."""
    return [sample.text for sample in samples_of(page) if sample.language == "python"]
