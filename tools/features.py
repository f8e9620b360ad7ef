"""The counts in docs/features.md, and whether the tests that it names exist.

The rows are written by hand: somebody has to read a test to know what it shows. What can be
computed is computed: how many rows each group and the whole page have of each state.

    python -m tools.features --write  # after changing a row
    python -m tools.features --check  # says what is wrong; status 1 if anything is

A row's last cell says what its state is: ``open: `` and what is missing, ``declined: `` and
why, or the tests that show the feature, each in backticks as pytest names it. What is open may
name tests of its parts.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT: Final = ROOT / "docs" / "features.md"

SHOWN: Final = "shown"
OPEN: Final = "open"
DECLINED: Final = "declined"

_GROUP: Final = re.compile(r"## (S\d[A-Z]?): ")
_ROW: Final = re.compile(r"\| (S\d[A-Z]?-\d+) \| (.+) \| (.+) \|")
_TEST: Final = r"`(tests/[^` ]+::[^` ]+)`"
_TESTS: Final = re.compile(f"{_TEST}(<br>{_TEST})*")
_COUNT: Final = re.compile(r"\*\*\d+ of \d+ shown.*\*\*")
_FUNCTION: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class Row(NamedTuple):
    """One feature."""

    group: str
    id: str
    text: str
    proof: str
    """The last cell."""

    @property
    def state(self) -> str:
        """One of the three states."""
        word, colon, _ = self.proof.partition(": ")
        return word if colon and word in (OPEN, DECLINED) else SHOWN

    @property
    def tests(self) -> list[str]:
        """The tests that show it, or parts of it, as pytest names them."""
        return re.findall(_TEST, self.proof)


def rows(document: str) -> list[Row]:
    """All features, in the order of the page."""
    found = []
    group = ""
    for line in document.splitlines():
        if heading := _GROUP.match(line):
            group = heading[1]
        elif row := _ROW.fullmatch(line):
            found.append(Row(group, *row.groups()))
    return found


def counted(document: str) -> str:
    """The page with the right counts: the first one is of all rows, the others of their group."""
    every = rows(document)
    lines = []
    group = ""
    for line in document.splitlines(keepends=True):
        if heading := _GROUP.match(line):
            group = heading[1]
        some = [row for row in every if row.group == group] if group else every
        lines.append(_COUNT.sub(_count(some), line))
    return "".join(lines)


def _count(some: list[Row]) -> str:
    states = Counter(row.state for row in some)
    parts = [f"{states[SHOWN]} of {len(some)} shown"]
    parts += [f"{states[state]} {state}" for state in (OPEN, DECLINED) if states[state]]
    return f"**{', '.join(parts)}**"


def mistakes(document: str) -> Iterator[str]:
    """What is wrong with the page, one sentence each."""
    if counted(document) != document:
        yield "the counts are not those of the rows: run python -m tools.features --write"
    every = rows(document)
    for id, times in Counter(row.id for row in every).items():
        if times > 1:
            yield f"{id} is there {times} times"
    for row in every:
        if not row.id.startswith(f"{row.group}-"):
            yield f"{row.id} stands in group {row.group or 'none'}"
        if row.state is SHOWN and not _TESTS.fullmatch(row.proof):
            yield f"{row.id}: neither tests nor a reason: {row.proof}"
        for test in row.tests:
            if not exists(test):
                yield f"{row.id}: there is no {test}"


def exists(test: str) -> bool:
    """Whether the suite has this test; parameters are not part of its name."""
    path, _, name = test.partition("::")
    return name in _tests_in(path)


@cache
def _tests_in(path: str) -> frozenset[str]:
    try:
        module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    except OSError:
        return frozenset()
    return frozenset(_names(module.body))


def _names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _names(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, _FUNCTION) and node.name.startswith("test_"):
            yield f"{prefix}{node.name}"


def main(arguments: list[str] | None = None) -> int:
    """Print the counts, write them into the page, or check it; the status of the process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the counts into the page")
    what.add_argument("--check", action="store_true", help="say what is wrong with the page")
    chosen = parser.parse_args(arguments)
    document = DOCUMENT.read_text(encoding="utf-8")
    if chosen.write:
        DOCUMENT.write_text(counted(document), encoding="utf-8")
    elif chosen.check:
        wrong = list(mistakes(document))
        for sentence in wrong:
            print(sentence)
        return int(bool(wrong))
    else:
        print(_count(rows(document)).strip("*"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
