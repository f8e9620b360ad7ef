"""How long to wait before the next attempt to come back.

Delays grow and are jittered, so that the clients of a server that was away do not all come back
in the same second (session 3). A list of seconds is the one-shot behaviour of SDK 2.5.3, which
gives up when the list is used up (session 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Jitter: TypeAlias = Callable[[float, float], float]
    """Gives a number between two others, like :func:`random.uniform`."""


class Retry(Protocol):
    """A policy: how long to wait after how many failures."""

    def delay(self, failures: int, *, jitter: Jitter) -> float | None:
        """Seconds before the next attempt; None: give up.

        ``failures``: attempts that have failed since the last good connection, from 0 on.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """For ever, each delay ``factor`` times as long as the last, up to ``longest`` seconds.

    Of each delay a random part, at most half, is left out. ValueError if ``first`` is not above
    0, ``factor`` is below 1 or ``longest`` below ``first``.
    """

    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if not (0 < self.first <= self.longest and self.factor >= 1):
            raise ValueError("delays must be above 0 and may not shrink")

    def delay(self, failures: int, *, jitter: Jitter) -> float | None:
        """The next delay, jittered."""
        delay = self.first
        for _ in range(failures):
            delay *= self.factor
            if delay >= self.longest:
                delay = self.longest
                break
        return jitter(delay / 2, delay)


@dataclass(frozen=True, slots=True)
class Listed:
    """These delays one after the other, as they are, and then no more. ValueError: one is < 0."""

    delays: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(not delay >= 0 for delay in self.delays):
            raise ValueError("no delay may be below 0")

    def delay(self, failures: int, *, jitter: Jitter) -> float | None:
        """The delay of this place in the list."""
        return self.delays[failures] if failures < len(self.delays) else None


def policy(retry: Retry | Iterable[float] | None) -> Retry:
    """What a program has said: a policy, a list of seconds, or None for the usual one."""
    if retry is None:
        return Growing()
    if isinstance(retry, Iterable):
        return Listed(tuple(retry))
    return retry
