"""Functions that wait for the store, without tasks.

What a service does often goes in steps: look something up, decide, write. It is written as an
``async def`` that awaits nothing but :class:`Pending` answers, and :func:`start` drives it: up to
the first answer at once, and on from there inside the callback that brings the answer. So one
text runs on asyncio, on trio and under a test's hand, a request costs no task, and between
two awaits nothing else happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable

T = TypeVar("T")


class Pending(Generic[T]):
    """An answer that will come. Await it inside a function that :func:`start` drives."""

    __slots__ = ("_answer", "_waiting", "error", "is_settled")

    def __init__(self) -> None:
        self.is_settled = False
        """True once the answer is there, or sure not to come."""
        self.error: Exception | None = None
        """Why there will be no answer."""
        self._answer: T | None = None
        self._waiting: list[Callable[[], None]] = []

    def settle(self, answer: T) -> None:
        """The answer has come; those who wait go on before this returns."""
        self._answer = answer
        self._go_on()

    def fail(self, error: Exception) -> None:
        """There will be no answer; those who wait get ``error`` raised."""
        self.error = error
        self._go_on()

    def call(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the answer is there: at once if it is."""
        if self.is_settled:
            then()
        else:
            self._waiting.append(then)

    def __await__(self) -> Generator[Pending[Any], None, T]:
        """Wait for the answer."""
        if not self.is_settled:
            yield self
        return self.result()

    def result(self) -> T:
        """The answer, once settled; raises what it failed with."""
        if self.error is not None:
            raise self.error
        return cast("T", self._answer)

    def _go_on(self) -> None:
        self.is_settled = True
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


def start(steps: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
    """Run ``steps`` as far as they go, and on whenever what they wait for has come.

    ``done`` gets what they return, or the exception that ended them; before :func:`start` returns
    if nothing had to be waited for.
    """
    result: T | Exception
    try:
        awaited = steps.send(None)
    except StopIteration as end:
        result = end.value
    except Exception as error:
        result = error
    else:
        if not isinstance(awaited, Pending):
            steps.close()
            raise TypeError(f"a service function may await Pending only, not {awaited!r}")
        awaited.call(lambda: start(steps, done))
        return
    done(result)


async def together(all_steps: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several things, begun in a row: what they write reaches the store together.

    Raises what the first that fails raises; the others are done all the same.
    """
    return [await each for each in [begin(steps) for steps in all_steps]]


def begin(steps: Coroutine[Any, Any, T]) -> Pending[T]:
    """Run ``steps`` as far as they go; what they will return can be awaited.

    What is begun in a row, without an await in between, reaches the store together.
    """
    result: Pending[T] = Pending()

    def done(outcome: T | Exception) -> None:
        if isinstance(outcome, Exception):
            result.fail(outcome)
        else:
            result.settle(outcome)

    start(steps, done)
    return result
