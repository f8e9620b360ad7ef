"""Coroutines without an event loop: a test runs each one step by step."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from improto._desk import Runtime

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

T = TypeVar("T")


@types.coroutine
def _suspend() -> Generator[None, None, None]:
    yield


class Wakeup:
    """The wakeup of no event loop: who waits looks again at every step."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    async def wait(self) -> None:
        while not self.is_set:
            await _suspend()


class Waiting(Generic[T]):
    """A coroutine under way. It is begun at once, as far as it goes without waiting."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self.is_done = False
        self.error: BaseException | None = None
        self._value: T | None = None
        self.step()

    def step(self) -> None:
        """Go on to the next wait."""
        try:
            self._coroutine.send(None)
        except StopIteration as stop:
            self.is_done, self._value = True, stop.value
        except BaseException as error:
            self.is_done, self.error = True, error

    def cancel(self) -> None:
        """Throw what a runtime would throw."""
        self._coroutine.close()
        self.is_done = True

    @property
    def result(self) -> T:
        """What it has returned; raises what it has raised."""
        assert self.is_done, "it still waits"
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]


RUNTIME = Runtime(make_wakeup=Wakeup, checkpoint=_suspend)
