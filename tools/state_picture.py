"""A table of states and steps, drawn: states one below the other, steps as arrows between them.

Steps to the same state stand on the left, to the next one in the column, all others on the
right. Nothing is placed by hand, so a changed table needs no work on the picture.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDTH: Final = 600
STEP: Final = 104
"""From the top of one state to the top of the next."""
TOP: Final = 44
LEFT: Final = 200
RIGHT: Final = 340
HEIGHT: Final = 40
BULGE: Final = 56
"""How far an arrow on the right goes out for each state that it passes."""

STYLE: Final = """\
text { font: 14px system-ui, sans-serif; fill: #1c2733 }
.state { font-weight: 600; text-anchor: middle }
.left { text-anchor: end }
.step { font-size: 12px; fill: #44546a }
rect { fill: #e8f0fa; stroke: #3a6ea5; stroke-width: 1.5 }
path { fill: none; stroke: #5a6b7f; stroke-width: 1.5; marker-end: url(#tip) }
.end { fill: #1c2733 }
.ring { fill: none; stroke: #1c2733; stroke-width: 1.5 }"""

TIP: Final = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><polygon points="0,0 8,4 0,8" fill="#5a6b7f"/></marker>'
)


class Step(NamedTuple):
    """One arrow."""

    before: str
    name: str
    after: str


def picture(title: str, states: Sequence[str], steps: Iterable[Step]) -> str:
    """The picture as SVG; the first state is where it begins, the last one where it ends."""
    names: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        names.setdefault((step.before, step.after), []).append(step.name)
    height = TOP + len(states) * STEP
    middle = (LEFT + RIGHT) // 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{TIP}</defs>",
        f'<circle class="end" cx="{middle}" cy="10" r="6"/>',
        f'<path d="M{middle},16 V{TOP}"/>',
    ]
    for number, state in enumerate(states):
        top = TOP + number * STEP
        lines.append(
            f'<rect x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{HEIGHT}" rx="8"/>'
        )
        lines.append(_text(middle, top + 25, state, "state"))
    for (before, after), some in names.items():
        lines += _arrow(states.index(before), states.index(after), some)
    bottom = TOP + (len(states) - 1) * STEP + HEIGHT
    lines += [
        f'<path d="M{middle},{bottom} V{bottom + 30}"/>',
        f'<circle class="ring" cx="{middle}" cy="{bottom + 40}" r="9"/>',
        f'<circle class="end" cx="{middle}" cy="{bottom + 40}" r="5"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _arrow(before: int, after: int, names: list[str]) -> Iterator[str]:
    top = TOP + before * STEP
    if after == before:
        out = LEFT - 50
        yield f'<path d="M{LEFT},{top + 8} C{out},{top - 6} {out},{top + 46} {LEFT},{top + 32}"/>'
        first = top + 24 - 8 * (len(names) - 1)
        for number, name in enumerate(names):
            yield _text(LEFT - 46, first + 16 * number, name, "step left")
    elif after == before + 1:
        middle = (LEFT + RIGHT) // 2
        yield f'<path d="M{middle},{top + HEIGHT} V{top + STEP}"/>'
        yield _text(middle + 10, top + HEIGHT + 36, ", ".join(names), "step")
    else:
        start, end = top + HEIGHT // 2, TOP + after * STEP + HEIGHT // 2
        out = RIGHT + BULGE * abs(after - before)
        yield f'<path d="M{RIGHT},{start} C{out},{start} {out},{end} {RIGHT},{end}"/>'
        # Where it leaves its state: arrows that end at the same one meet further on.
        yield _text(RIGHT + 10, start - 8, ", ".join(names), "step")


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
