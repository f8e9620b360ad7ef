"""asyncio's event loop, as far as one client or one server needs it: clock, timer, turns, tasks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from improto._desk import Runtime
from improto._lines import Lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from improto.config import Limits, Timing

T = TypeVar("T")

logger = logging.getLogger("improto_asyncio")

RUNTIME: Final = Runtime(make_wakeup=asyncio.Event, checkpoint=partial(asyncio.sleep, 0))


class Loop:
    """One timer, one flush per turn, and the tasks that must not outlive it."""

    def __init__(self, *, limits: Limits, timing: Timing) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.lines = Lines(
            limits=limits,
            timing=timing,
            clock=self._loop.time,
            flush_soon=self._flush_soon,
            wake_at=self._wake_at,
            report=_report,
        )

    def spawn(self, run: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Run a coroutine until it ends or :meth:`aclose` cancels it."""
        task = self._loop.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Close all sockets and end all tasks."""
        self.lines.abort()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _flush_soon(self) -> None:
        self._loop.call_soon(self.lines.flush)

    def _wake_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self.lines.handle_timeouts)


@asynccontextmanager
async def open_loop(*, limits: Limits, timing: Timing) -> AsyncIterator[Loop]:
    """A loop for one block; what is left at its end is aborted."""
    loop = Loop(limits=limits, timing=timing)
    try:
        yield loop
    finally:
        await loop.aclose()


def _report(address: str, error: Exception) -> None:
    logger.error("the program failed; the connection of %s is dropped", address, exc_info=error)
