"""Service functions for callers that have tasks: HTTP requests, and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from improto_server.steps import start

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def finished(steps: Coroutine[Any, Any, T]) -> T:
    """Run ``steps`` and wait for their end; raises what they raise.

    Whoever stops waiting does not stop them.
    """
    results: list[T | Exception] = []
    is_done = anyio.Event()

    def done(result: T | Exception) -> None:
        results.append(result)
        is_done.set()

    start(steps, done)
    await is_done.wait()
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result
