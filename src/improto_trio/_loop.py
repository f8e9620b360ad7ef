"""trio's scheduler, as far as one client or one server needs it: clock, timer, turns, tasks."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from improto._desk import Runtime
from improto._lines import Lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from improto.config import Limits, Timing

logger = logging.getLogger("improto_trio")

RUNTIME: Final = Runtime(make_wakeup=trio.Event, checkpoint=trio.lowlevel.checkpoint)


class Loop:
    """Two tasks, and room for more: one waits for the timer, one for the end of a turn."""

    def __init__(self, *, limits: Limits, timing: Timing) -> None:
        self.is_running = trio.Event()
        self.lines = Lines(
            limits=limits,
            timing=timing,
            clock=trio.lowlevel.current_clock().current_time,
            flush_soon=self._flush_soon,
            wake_at=self._wake_at,
            report=_report,
        )
        self._nursery: trio.Nursery
        self._scope = trio.CancelScope(shield=True)
        self._timer = trio.CancelScope()
        self._turn = trio.Event()

    async def run(self) -> None:
        """Run all tasks until :meth:`stop`.

        Shielded, because a program that is cancelled still needs them to say goodbye. It says so
        with a deadline, and then it stops them.
        """
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._keep_time)
                self._nursery.start_soon(self._keep_flushing)
                self.is_running.set()

    def spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine until it ends or :meth:`stop` cancels it."""
        self._nursery.start_soon(run)

    def stop(self) -> None:
        """Close all sockets and end all tasks."""
        self.lines.abort()
        self._scope.cancel()

    def _flush_soon(self) -> None:
        self._turn.set()

    async def _keep_flushing(self) -> None:
        while True:
            await self._turn.wait()
            self._turn = trio.Event()
            self.lines.flush()

    def _wake_at(self, deadline: float) -> None:
        self._timer.deadline = deadline

    async def _keep_time(self) -> None:
        while True:
            with self._timer:
                await trio.sleep_forever()
            self._timer = trio.CancelScope()
            # After a long sleep of the machine, what has arrived meanwhile is read first.
            await trio.lowlevel.checkpoint()
            self.lines.handle_timeouts()


@asynccontextmanager
async def open_loop(*, limits: Limits, timing: Timing) -> AsyncIterator[Loop]:
    """A loop for one block; what is left at its end is aborted.

    The block's exception leaves it as it is, where a nursery would wrap it in a group.
    """
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        loop = Loop(limits=limits, timing=timing)
        nursery.start_soon(loop.run)
        try:
            await loop.is_running.wait()
            yield loop
        except BaseException as error:
            raised = error
        loop.stop()
    if raised is not None:
        try:
            raise raised
        finally:
            del raised


def _report(address: str, error: Exception) -> None:
    logger.error("the program failed; the connection of %s is dropped", address, exc_info=error)
