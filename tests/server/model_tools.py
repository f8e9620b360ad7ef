"""Running a state machine, and saying how many steps it went."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

if TYPE_CHECKING:
    import pytest


class CountedMachine(RuleBasedStateMachine):
    """A machine that counts."""

    steps: ClassVar[int] = 0

    @invariant()
    def count(self) -> None:
        """Called after every step, and once before the first."""
        type(self).steps += 1


def play(
    machine: type[CountedMachine], capsys: pytest.CaptureFixture[str], *, longest: int
) -> None:
    """Play it, in runs of at most ``longest`` steps, and print how many there were in all."""
    machine.steps = 0
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=longest))
    with capsys.disabled():
        print(f"\n{machine.__name__}: {machine.steps} steps")
