"""Measures everything and says which goals are reached: ``python -m bench``.

It takes about two minutes. ``--quick`` takes seconds and only shows that everything works;
``--record`` writes the ratios to the baseline that later runs are compared with.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import core, delivery, idle
from bench.processes import SERVERS, allow_many_sockets
from bench.report import lines_of, read_baseline, write_baseline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.report import Table

BASELINE: Final = Path(__file__).with_name("baseline.json")
CONNECTIONS: Final = 2_000
QUICK: Final = 100
"""Messages or connections; ratios of so few mean nothing."""


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Every table, as soon as it is known."""
    if is_quick:
        loads = [replace(load, messages=QUICK) for load in delivery.LOADS]
        yield core.measure(seconds=0.01)
        yield from delivery.measure(loads, servers=SERVERS[1:3])
        yield from idle.measure(QUICK, servers=SERVERS[:1])
    else:
        yield core.measure(seconds=1.0)
        yield from delivery.measure(delivery.LOADS, servers=SERVERS)
        yield from idle.measure(CONNECTIONS, servers=SERVERS)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure everything.")
    parser.add_argument("--quick", action="store_true", help="only show that everything works")
    parser.add_argument("--record", action="store_true", help="make this run the baseline")
    options = parser.parse_args(arguments)
    allow_many_sockets()
    baseline, measured = read_baseline(BASELINE), []
    for table in tables(is_quick=options.quick):
        print(*lines_of(table, baseline), sep="\n", flush=True)
        measured.append(table)
    if options.record:
        write_baseline(BASELINE, measured)


if __name__ == "__main__":
    main()
