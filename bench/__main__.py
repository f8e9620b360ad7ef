"""Measures everything and says which goals are reached: ``python -m bench``.

It takes about four minutes; names of benches after it choose some. ``--quick`` takes seconds
and only shows that everything works; ``--record`` writes the ratios to the baseline that later
runs are compared with.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import (
    client,
    conversations,
    core,
    delivery,
    fanout,
    idle,
    login,
    offline,
    rooms,
    scale,
    web,
)
from bench.processes import SERVERS, allow_many_sockets
from bench.report import lines_of, read_baseline, write_baseline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.report import Table

BASELINE: Final = Path(__file__).with_name("baseline.json")

MOST: Final = SERVERS[:3]
"""What all but the most important is measured with: trio with one framer is enough."""

BENCHES: Final[Mapping[str, Callable[[], Sequence[Table]]]] = {
    "core": lambda: [core.measure(seconds=1.0)],
    "delivery": lambda: delivery.measure(delivery.LOADS, servers=SERVERS),
    "fanout": lambda: fanout.measure(fanout.SIZES, deliveries=20_000, servers=MOST),
    "offline": lambda: offline.measure(24_000, 10_000, servers=MOST),
    "rooms": lambda: [rooms.measure(2_000, messages=6, servers=MOST)],
    "conversations": lambda: [conversations.measure(1_000, requests=300, servers=MOST)],
    "login": lambda: login.measure(500, servers=MOST),
    "idle": lambda: [
        idle.measure(2_000, servers=SERVERS),
        idle.measure_polls(2_000, servers=SERVERS),
    ],
    "client": lambda: client.measure(10_000, 100_000),
    "scale": lambda: [scale.measure(10_000, 1_000_000)],
    "web": lambda: web.measure(200, 1_000, seconds=2.0),
}
QUICK: Final[Mapping[str, Callable[[], Sequence[Table]]]] = {
    "core": lambda: [core.measure(seconds=0.01)],
    "delivery": lambda: delivery.measure(
        [replace(load, messages=100) for load in delivery.LOADS], servers=SERVERS[1:3]
    ),
    "fanout": lambda: fanout.measure((5, 10, 20), deliveries=20, servers=SERVERS[:1]),
    "offline": lambda: offline.measure(100, 100, servers=SERVERS[:1]),
    "rooms": lambda: [rooms.measure(10, messages=1, servers=SERVERS[:1])],
    "conversations": lambda: [conversations.measure(30, requests=1, servers=SERVERS[:1])],
    "login": lambda: login.measure(50, servers=SERVERS[:1]),
    "idle": lambda: [
        idle.measure(100, servers=SERVERS[:1]),
        idle.measure_polls(100, servers=SERVERS[:1]),
    ],
    "client": lambda: client.measure(200, 400),
    "scale": lambda: [scale.measure(1_000, 2_000)],
    "web": lambda: web.measure(5, 10, seconds=0.2),
}
"""So little that the ratios mean nothing."""


def tables(names: Sequence[str], *, is_quick: bool) -> Iterator[Table]:
    """Every table of these benches, as soon as it is known."""
    benches = QUICK if is_quick else BENCHES
    for name in names or benches:
        yield from benches[name]()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure everything.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"only some of {', '.join(BENCHES)}"
    )
    parser.add_argument("--quick", action="store_true", help="only show that everything works")
    parser.add_argument("--record", action="store_true", help="make this run the baseline")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}")
    if options.record and options.names:
        parser.error("a baseline is of one run of everything")
    allow_many_sockets()
    baseline, measured = read_baseline(BASELINE), []
    for table in tables(options.names, is_quick=options.quick):
        print(*lines_of(table, baseline), sep="\n", flush=True)
        measured.append(table)
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    if options.record:
        write_baseline(BASELINE, measured)


if __name__ == "__main__":
    main()
