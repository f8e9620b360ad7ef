"""Clocks that jump: when nothing is ready and nothing arrives, it is already later.

Sockets stay real, so each jump first gives the kernel a millisecond to hand over what is on
its way between two of them.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

from trio.testing import MockClock

if TYPE_CHECKING:
    from selectors import SelectorKey

_GRACE = 0.001


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer; it moves the clock there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(min(timeout, _GRACE))
        if not ready:
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def backend(name: str) -> tuple[str, dict[str, Any]]:
    """What anyio's pytest plugin needs to run a test in virtual time."""
    if name == "trio":
        return name, {"clock": MockClock(autojump_threshold=_GRACE)}
    return name, {"loop_factory": _VirtualLoop}
