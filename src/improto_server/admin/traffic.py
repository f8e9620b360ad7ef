"""How many messages there are."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE: Final = 60
"""Seconds that are remembered."""


class Traffic:
    """Counts by second of ``monotonic``."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._begun = monotonic()
        # Seconds and how many there were in each, the oldest first.
        self._seconds: deque[list[int]] = deque()
        self._recent = 0
        self.total = 0
        """Since the beginning."""

    def count(self) -> None:
        """There is one more."""
        self.total += 1
        now = self._forget()
        if not self._seconds or self._seconds[-1][0] != now:
            self._seconds.append([now, 0])
        self._seconds[-1][1] += 1
        self._recent += 1

    @property
    def last_minute(self) -> int:
        """In the last minute."""
        self._forget()
        return self._recent

    @property
    def per_second(self) -> float:
        """On average over the last minute, or since the beginning if that is less."""
        return self.last_minute / max(1.0, min(MINUTE, self.uptime))

    @property
    def uptime(self) -> float:
        """Seconds since the beginning."""
        return self._monotonic() - self._begun

    def _forget(self) -> int:
        now = int(self._monotonic())
        while self._seconds and self._seconds[0][0] <= now - MINUTE:
            self._recent -= self._seconds.popleft()[1]
        return now
