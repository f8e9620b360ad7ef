"""Results as tables, with the goal beside each number that has one.

A number of microseconds says something about a machine, a ratio says something about the code;
so a table shows both, and the recorded baseline holds ratios.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

QUESTION: Final = 1.2
"""A ratio this many times that of the baseline asks a question; it does not fail."""

TRIO_GOAL: Final = 1.5
"""Times what the same costs on asyncio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was measured."""

    name: str
    value: float
    goal: float | None = None
    """At most this, in the table's unit."""
    aim: float | None = None
    """What would be better still."""

    @property
    def verdict(self) -> str:
        """Whether the goal is reached; empty if there is none."""
        if self.goal is None:
            return ""
        if self.value > self.goal:
            return f"missed (goal {self.goal:g})"
        if self.aim is not None and self.value > self.aim:
            return f"reached {self.goal:g}, aim {self.aim:g}"
        return f"reached {self.aim or self.goal:g}"


def server_row(
    rows: Sequence[Row],
    value: float,
    backend: str,
    framer: str,
    *,
    goal: float | None = None,
    aim: float | None = None,
) -> Row:
    """A row of a server on an event loop with a framer, to be added to ``rows``.

    The goals are asyncio's; trio may take :data:`TRIO_GOAL` times what asyncio took with the same
    framer.
    """
    name = f"{backend}, {framer}"
    if backend == "asyncio":
        return Row(name=name, value=value, goal=goal, aim=aim)
    same = [row.value for row in rows if row.name == f"asyncio, {framer}"]
    return Row(name=name, value=value, goal=round(TRIO_GOAL * same[0], 1) if same else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Things measured in the same way, the first of them the plain one."""

    title: str
    unit: str
    rows: Sequence[Row]

    def ratio(self, row: Row) -> float:
        """How many times the plain thing's value; infinite if that was too small to measure."""
        plain = self.rows[0].value
        return row.value / plain if plain else math.inf

    def key(self, row: Row) -> str:
        """What the row is called in the baseline."""
        return f"{self.title}: {row.name}"


def lines_of(table: Table, baseline: dict[str, float]) -> Iterable[str]:
    """The table as text."""
    width = max(len(row.name) for row in table.rows)
    yield ""
    yield f"{table.title}, in {table.unit}"
    yield f"{'':{width}} {'value':>8} {'ratio':>7} {'was':>7}"
    for row in table.rows:
        ratio, was = table.ratio(row), baseline.get(table.key(row))
        remark = row.verdict
        if was is not None and ratio > was * QUESTION:
            remark += "  why more than it was?"
        text = f"{was:7.2f}" if was is not None else f"{'':7}"
        yield f"{row.name:{width}} {row.value:8.2f} {ratio:7.2f} {text}  {remark}".rstrip()


def read_baseline(path: Path) -> dict[str, float]:
    """The recorded ratios; empty if there are none."""
    if not path.exists():
        return {}
    ratios: dict[str, float] = json.loads(path.read_text(encoding="ascii"))
    return ratios


def write_baseline(path: Path, tables: Iterable[Table]) -> None:
    """Record the ratios of this run."""
    ratios = {
        table.key(row): round(table.ratio(row), 2) for table in tables for row in table.rows[1:]
    }
    path.write_text(json.dumps(ratios, indent=2) + "\n", encoding="ascii")
