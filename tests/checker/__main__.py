"""Play rounds of the history checker (docs/testing.md)."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.checker import campaign

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.checker", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first round")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where failed rounds are kept")
    options = parser.parse_args(arguments)
    directory = options.keep or Path(tempfile.mkdtemp(prefix="improto-checker-"))
    directory.mkdir(parents=True, exist_ok=True)
    say = partial(print, flush=True)
    verdicts = campaign.run(options.rounds, options.seed, directory, say)
    has_failed = any(verdict.violations for verdict in verdicts)
    if not has_failed and not options.keep:
        shutil.rmtree(directory)
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
