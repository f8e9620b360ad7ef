"""Fuzzes both ends of a connection with dialogues: orders of steps, not only bytes.

Run as ``python -m fuzz.fuzz_dialogue -max_total_time=60 fuzz/corpus/fuzz_dialogue``.

An input chooses a world and then actions of :mod:`improto.testing.dialogues`; in a hostile one
also what either end hears, forged frames or any bytes. Nothing counts as a rejection. A broken
promise, an exception and a connection that does not end are crashes; the dialogue is printed
with them and can be put into ``tests/test_dialogues.py`` as it is.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["improto"]):
    from improto.testing.dialogues import WORLD, Dialogue, actions, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from improto.testing.dialogues import Step

LONGEST = 150
"""Steps; more of them only take longer."""

MOST_BYTES = 64
"""In one message of arbitrary bytes."""

LONG_INPUTS = ("-len_control=0", "-max_len=512")


def pick(data: atheris.FuzzedDataProvider, values: Sequence[Any]) -> Any:
    return values[data.ConsumeIntInRange(0, len(values) - 1)]


def pick_argument(data: atheris.FuzzedDataProvider, name: str, values: Sequence[Any]) -> Any:
    if name == "data" and data.ConsumeBool():
        return data.ConsumeBytes(data.ConsumeIntInRange(0, MOST_BYTES))
    return pick(data, values)


def read_dialogue(raw: bytes) -> Dialogue:
    """The dialogue that an input stands for; any bytes are one."""
    data = atheris.FuzzedDataProvider(raw)
    world = {name: pick(data, values) for name, values in WORLD.items()}
    possible = actions(is_hostile=world["is_hostile"])
    names = list(possible)
    steps: list[Step] = []
    while data.remaining_bytes() and len(steps) < LONGEST:
        name = pick(data, names)
        arguments = {
            argument: pick_argument(data, argument, values)
            for argument, values in possible[name].items()
        }
        steps.append((name, arguments))
    return Dialogue(**world, steps=steps)


def one_input(raw: bytes) -> None:
    dialogue = read_dialogue(raw)
    try:
        play(dialogue)
    except Exception:
        print(dialogue, file=sys.stderr)
        raise


if __name__ == "__main__":
    # Left alone, the fuzzer would spend its first hours on dialogues of a few steps.
    atheris.Setup([sys.argv[0], *LONG_INPUTS, *sys.argv[1:]], one_input)
    atheris.Fuzz()
