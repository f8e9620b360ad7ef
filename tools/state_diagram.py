"""The manual's picture of a connection's life, drawn from the table that the code runs on.

python -m tools.state_diagram          # say whether docs/connection-states.md is up to date
python -m tools.state_diagram --write  # bring it up to date
"""

from __future__ import annotations

import argparse
import sys

from improto._lifecycle import TRANSITIONS, Input, State
from tools.layout import ROOT

PAGE = ROOT / "docs" / "connection-states.md"

INTRODUCTION = """\
# The life of a connection

Both ends of a connection follow one table, and each end judges both what it does itself
and what its peer does by it. What the table does not list is not allowed: a call of ours
raises `LocalProtocolError`, a frame of the peer ends the connection as a violation. In
`CLOSING` and `CLOSED` the peer's frames are ignored.

This page is made from `improto/_lifecycle.py` by `python -m tools.state_diagram --write`.
"""


def page() -> str:
    """The page as it should be."""
    lines = [INTRODUCTION, "```mermaid", "stateDiagram-v2", f"    [*] --> {State.NEW.name}"]
    for (state, happening), following in TRANSITIONS.items():
        lines.append(f"    {state.name} --> {following.name}: {happening.name}")
    lines += [f"    {State.CLOSED.name} --> [*]", "```", ""]
    lines += ["| state | meaning | what can happen | next state |", "| --- | --- | --- | --- |"]
    for (state, happening), following in TRANSITIONS.items():
        lines.append(
            f"| {state.name} | {state.value} | {happening.name}: {happening.value} "
            f"| {following.name} |"
        )
    unused = [happening.name for happening in Input if not _is_used(happening)]
    assert not unused, f"inputs without a transition: {unused}"
    return "\n".join(lines) + "\n"


def _is_used(happening: Input) -> bool:
    return any(happening is known for _, known in TRANSITIONS)


def main() -> int:
    """Write the page or compare it; how the process should end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="bring the page up to date")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.relative_to(ROOT)} is stale; run: python -m tools.state_diagram --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
