"""Round after round, one line each; what has failed is kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from tests.checker import history
from tests.checker.history import Acknowledged, Sent
from tests.checker.round import Round, World
from tests.checker.rules import check
from tests.checker.script import Crash, Kill, Script, StepClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.checker.history import Event
    from tests.checker.rules import Violation


class Verdict(NamedTuple):
    """What came of one round."""

    seed: int
    messages: int
    """Sent."""
    violations: list[Violation]
    """None if all promises were kept."""


def run(rounds: int, first_seed: int, directory: Path, say: Callable[[str], None]) -> list[Verdict]:
    """Run so many rounds, with one seed after the other.

    ``say`` gets a line for each and a summary. Histories and stores of rounds that fail stay in
    ``directory``, in files that say their seeds.
    """
    begun = time.monotonic()
    with World.open(directory) as world:
        verdicts = [
            run_round(world, Script.draw(seed), directory, say)
            for seed in range(first_seed, first_seed + rounds)
        ]
    failed = [verdict.seed for verdict in verdicts if verdict.violations]
    messages = sum(verdict.messages for verdict in verdicts)
    outcome = f"failed seeds {failed}" if failed else "all promises kept"
    seconds = time.monotonic() - begun
    say(f"{rounds} rounds, {messages} messages, {seconds:.0f} s: {outcome}")
    return verdicts


def run_round(world: World, script: Script, directory: Path, say: Callable[[str], None]) -> Verdict:
    """One of them."""
    begun = time.monotonic()
    record = directory / f"seed-{script.seed}.jsonl"
    store = directory / f"seed-{script.seed}.db"
    played = Round(world, script, store)
    try:
        played.run()
    except BaseException:
        # The checker itself does not work; whatever it is, the history may tell.
        history.write(record, played.events)
        raise
    violations = check(played.events)
    seconds = time.monotonic() - begun
    say(f"{_describe(script, played)}, {seconds:.1f} s: {'FAILED' if violations else 'ok'}")
    if violations:
        history.write(record, played.events)
        say(f"  {violations[0]}")
        say(f"  {len(violations)} violations; the history is kept in {record}")
        say(f"  again: python -m tests.checker --rounds 1 --seed {script.seed}")
    else:
        for file in directory.glob(f"{store.name}*"):
            file.unlink()
    return Verdict(script.seed, _count(played.events, Sent), violations)


def _describe(script: Script, played: Round) -> str:
    return (
        f"seed {script.seed}: {_count(played.events, Sent)} messages,"
        f" {_count(played.events, Acknowledged)} PUBACKs,"
        f" {script.count(Kill)} kills, {script.count(Crash)} crashes, {played.cuts} cuts,"
        f" {script.count(StepClock)} clock steps, {script.garbled_share:.0%} garbled"
    )


def _count(events: list[Event], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)
