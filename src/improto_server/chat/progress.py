"""Bars and counters on standard error, for who looks there."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from improto_server.chat.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for a transfer; to be called with the bytes done and, if known, all there are."""
    with _progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task(one_line(what), total=None)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield show


@contextmanager
def counter(what: str) -> Iterator[Callable[[], None]]:
    """A number that grows; to be called for every one."""
    with _progress(MofNCompleteColumn()) as progress:
        task = progress.add_task(one_line(what), total=None)
        yield lambda: progress.advance(task)


def _progress(*columns: ProgressColumn) -> Progress:
    # Nobody looks at a file; and what is shown must not mix with what is said.
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}", markup=False),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
