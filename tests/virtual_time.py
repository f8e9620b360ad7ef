"""Clocks that jump: when nothing is ready and nothing arrives, it is already later.

Sockets stay real, so each jump first gives the machine some milliseconds to hand over what is on
its way between two of them, and to look up a name in a thread, however busy it is.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

from trio.testing import MockClock

if TYPE_CHECKING:
    from selectors import SelectorKey

_GRACE = 0.005
_PATIENCE = 1.0


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer; it moves the clock there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0
        """What is under way in threads, and takes real time."""

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(min(timeout, _PATIENCE if self.threads else _GRACE))
        if not ready and not self.threads:
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self._clock.threads += 1
        result = super().run_in_executor(executor, func, *args)
        result.add_done_callback(self._came_back)
        return result

    def _came_back(self, result: object) -> None:
        self._clock.threads -= 1


def backend(name: str) -> tuple[str, dict[str, Any]]:
    """What anyio's pytest plugin needs to run a test in virtual time."""
    if name == "trio":
        return name, {"clock": MockClock(autojump_threshold=_GRACE)}
    return name, {"loop_factory": _VirtualLoop}
