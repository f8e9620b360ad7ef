"""The fuzz targets run: each on a few fixed inputs, without a fuzzer, so that none rots unseen.

Inputs that crashed once stand in :data:`PAST_CRASHES`, in hexadecimal.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = {
    "fuzz_codec": "check_message",
    "fuzz_dialogue": "one_input",
    "fuzz_payloads": "one_input",
    "fuzz_websocket": "one_input",
}
"""The function of each that takes one input."""

PAST_CRASHES: dict[str, tuple[str, ...]] = {
    "fuzz_codec": (),
    "fuzz_dialogue": (),
    "fuzz_payloads": (),
    "fuzz_websocket": (),
}

INPUTS = (
    b"",
    bytes(64),
    bytes(range(256)),
    b"\xff" * 64,
    *(Random(seed).randbytes(20 * seed) for seed in range(1, 21)),
)


class FuzzedDataProvider:
    """What the targets use of atheris: numbers and bytes from an input, zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def remaining_bytes(self) -> int:
        return len(self._data)

    def ConsumeBytes(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def ConsumeIntInRange(self, low: int, high: int) -> int:
        size = ((high - low).bit_length() + 7) // 8
        return low + int.from_bytes(self.ConsumeBytes(size)) % (high - low + 1)

    def ConsumeBool(self) -> bool:
        return self.ConsumeIntInRange(0, 1) == 1


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A target, with a fuzzer that only hands out bytes."""
    atheris = ModuleType("atheris")
    vars(atheris).update(
        FuzzedDataProvider=FuzzedDataProvider,
        instrument_imports=lambda include: nullcontext(),
    )
    monkeypatch.setitem(sys.modules, "atheris", atheris)
    monkeypatch.delitem(sys.modules, f"fuzz.{request.param}", raising=False)
    return importlib.import_module(f"fuzz.{request.param}")


def one_input(target: ModuleType) -> Callable[[bytes], None]:
    function: Callable[[bytes], None] = getattr(target, TARGETS[short_name(target)])
    return function


def short_name(target: ModuleType) -> str:
    return target.__name__.removeprefix("fuzz.")


def test_every_target_is_here() -> None:
    folder = Path(__file__).parent.parent / "fuzz"
    assert {path.stem for path in folder.glob("fuzz_*.py")} == set(TARGETS) == set(PAST_CRASHES)


def test_a_target_takes_any_input(target: ModuleType) -> None:
    for data in INPUTS:
        one_input(target)(data)


def test_a_target_takes_its_seeds(target: ModuleType, tmp_path: Path) -> None:
    if not hasattr(target, "write_seeds"):
        return
    target.write_seeds(tmp_path)
    seeds = list(tmp_path.iterdir())
    assert len(seeds) > 100
    for seed in seeds:
        one_input(target)(seed.read_bytes())


def test_what_crashed_once_does_not_crash_again(target: ModuleType) -> None:
    for data in PAST_CRASHES[short_name(target)]:
        one_input(target)(bytes.fromhex(data))
