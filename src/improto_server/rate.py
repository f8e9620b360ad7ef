"""How many messages a connection may send (operations 2.2, status 20604)."""

from __future__ import annotations


class TokenBucket:
    """``rate`` per second on average, as many at once; a rate of 0 is no limit.

    ``now`` is seconds of any clock that does not go backward.
    """

    __slots__ = ("_level", "_rate", "_size", "_then")

    def __init__(self, rate: float, *, now: float) -> None:
        self._rate = rate
        self._size = self._level = max(rate, 1.0)
        self._then = now

    def take(self, *, now: float) -> bool:
        """Take one; False if there is none."""
        if not self._rate:
            return True
        level = min(self._size, self._level + (now - self._then) * self._rate)
        self._then = now
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True
