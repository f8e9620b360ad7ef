"""Gathering: one thread, one batch of jobs under way, the next one growing meanwhile.

A hop between threads costs more than writing a message, and a commit more than a hop. So
jobs are gathered on the loop's thread, taken over all at once, and answered all at once:

* The first job of an idle lane waits for the end of the loop's turn (``soon``), so that
  what arrives in one turn goes together.
* While a batch is under way the next one gathers. It starts when the first is back on the
  loop's thread, before the answers are told, so that thread and loop work side by side.
* Answers are told in the order of the jobs, one hop (``on_loop``) for a whole batch.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from improto_server.store.values import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Callback: TypeAlias = Callable[[], None]

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Batch: TypeAlias = "list[tuple[Job, Callable[[Answer | StoreError], None]]]"

WAITING_BYTES: Final = 64 * 1024 * 1024
"""A lane is full when the waiting jobs weigh more: a second's work or so. What piles up beyond
it would be answered when nobody waits for it any more."""

JOB_BYTES: Final = 1024
"""What a job weighs besides its contents: its objects in memory."""


class Lane(Generic[Job, Answer]):
    """A thread that does batches of jobs.

    ``work`` runs on the thread and answers every job of a batch; if it raises instead,
    ``failure`` makes the answer of all of them. All methods belong to the loop's thread.
    """

    def __init__(
        self,
        name: str,
        *,
        work: Callable[[list[Job]], Sequence[Answer | StoreError]],
        failure: Callable[[Exception], StoreError],
        soon: Callable[[Callback], None],
        on_loop: Callable[[Callback], None],
    ) -> None:
        self._work = work
        self._failure = failure
        self._soon = soon
        self._on_loop = on_loop
        self._waiting: Batch[Job, Answer] = []
        self._waiting_bytes = 0
        # A batch is under way, or will be when `soon` comes round.
        self._is_busy = False
        self._is_closed = False
        self.batches = 0
        """How many were begun."""
        self.jobs = 0
        """How many jobs were in them."""
        # None: the end.
        self._batches: SimpleQueue[Batch[Job, Answer] | None] = SimpleQueue()
        # A daemon, because a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """True if so much is waiting that no more should be put."""
        return self._waiting_bytes > WAITING_BYTES

    def put(self, job: Job, done: Callable[[Answer | StoreError], None], *, size: int = 0) -> None:
        """Have a job done. ``size``: bytes that it holds.

        ``done`` gets the answer later, after the answers of the jobs before.
        """
        if self._is_closed:
            self._soon(partial(done, StoreError("the store is closed")))
            return
        self._waiting.append((job, done))
        self._waiting_bytes += JOB_BYTES + size
        if not self._is_busy:
            self._is_busy = True
            self._soon(self._start)

    def close(self) -> None:
        """Take no more jobs; end the thread when those that wait are done."""
        self._is_closed = True
        self._start()
        self._batches.put(None)

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the thread's end; False if it is not over."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _start(self) -> None:
        if self._waiting:
            self._batches.put(self._waiting)
            self.batches += 1
            self.jobs += len(self._waiting)
            self._waiting = []
            self._waiting_bytes = 0
        else:
            self._is_busy = False

    def _run(self) -> None:
        for batch in iter(self._batches.get, None):
            answers: Sequence[Answer | StoreError]
            try:
                answers = self._work([job for job, _ in batch])
            except Exception as error:
                answers = [self._failure(error)] * len(batch)
            # Asyncio and trio say so by a RuntimeError if the loop has ended, and with it
            # everyone who waits for an answer.
            with suppress(RuntimeError):
                self._on_loop(partial(self._tell, batch, answers))

    def _tell(
        self,
        batch: Batch[Job, Answer],
        answers: Sequence[Answer | StoreError],
    ) -> None:
        self._start()
        errors = []
        for (_, done), answer in zip(batch, answers, strict=True):
            try:
                done(answer)
            except Exception as error:
                # The others are waiting for theirs.
                errors.append(error)
        if errors:
            raise ExceptionGroup("what was to be done with the store's answers failed", errors)
