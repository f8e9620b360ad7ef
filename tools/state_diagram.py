"""The manual's page and picture of a connection's life, made from the table that the code runs on.

python -m tools.state_diagram          # say whether they are up to date
python -m tools.state_diagram --write  # bring them up to date
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from improto._lifecycle import TRANSITIONS, Input, State
from tools.layout import ROOT
from tools.state_picture import Step, picture

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "connection-states.md"
PICTURE = ROOT / "docs" / "pictures" / "connection.svg"

INTRODUCTION = """\
# The life of a connection

Both ends of a connection follow one table, and each end judges both what it does itself
and what its peer does by it. What the table does not list is not allowed: a call of ours
raises `LocalProtocolError`, a frame of the peer ends the connection as a violation. In
`CLOSING` and `CLOSED` the peer's frames are ignored.

This page is made from `improto/_lifecycle.py` by `python -m tools.state_diagram --write`.

![The states and the steps between them, as in the table below](pictures/connection.svg)
"""


def page() -> str:
    """The page as it should be."""
    lines = [INTRODUCTION]
    lines += ["| state | meaning | what can happen | next state |", "| --- | --- | --- | --- |"]
    for (state, happening), following in TRANSITIONS.items():
        lines.append(
            f"| {state.name} | {state.value} | {happening.name}: {happening.value} "
            f"| {following.name} |"
        )
    unused = [happening.name for happening in Input if not _is_used(happening)]
    assert not unused, f"inputs without a transition: {unused}"
    return "\n".join(lines) + "\n"


def drawing() -> str:
    """The picture as it should be."""
    steps = (
        Step(state.name, happening.name, following.name)
        for (state, happening), following in TRANSITIONS.items()
    )
    return picture("The life of a connection", [state.name for state in State], steps)


def files() -> dict[Path, str]:
    """What is made, and what it should hold."""
    return {PAGE: page(), PICTURE: drawing()}


def _is_used(happening: Input) -> bool:
    return any(happening is known for _, known in TRANSITIONS)


def main() -> int:
    """Write the files or compare them; how the process should end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="bring them up to date")
    if parser.parse_args().write:
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [
        path
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is stale; run: python -m tools.state_diagram --write")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
