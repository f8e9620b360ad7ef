"""How often somebody may do something: a connection send messages (operations 2.2, status
20604), a client log in (:mod:`improto_server.gateway`)."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")


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


class _Share:
    __slots__ = ("level", "refused", "then")

    def __init__(self, level: float, now: float) -> None:
        self.level = level
        self.then = now
        self.refused = 0


class Shares(Generic[K]):
    """Each of many may do something ``most`` times at once, and as often again in ``seconds``.

    ``remembered`` of them are known at a time; of more, who has asked longest ago starts anew.
    ``now`` is seconds of any clock that does not go backward.
    """

    def __init__(self, most: int, seconds: float, *, remembered: int) -> None:
        self._most = most
        self._seconds = seconds
        self._remembered = remembered
        self._shares: dict[K, _Share] = {}
        """Who has asked longest ago comes first."""

    def __len__(self) -> int:
        return len(self._shares)

    def take(self, who: K, *, now: float) -> int:
        """Take one of his share; 0 if there was one.

        Otherwise how many he was refused since he last had his whole share.
        """
        share = self._shares.pop(who, None)
        self._forget(now)
        if share is None:
            share = _Share(self._most, now)
        level = share.level + (now - share.then) * self._most / self._seconds
        if level >= self._most:
            level = self._most
            share.refused = 0
        share.then = now
        self._shares[who] = share
        if level >= 1.0:
            share.level = level - 1.0
            return 0
        share.level = level
        share.refused += 1
        return share.refused

    def _forget(self, now: float) -> None:
        """Those who have their whole share again, and who are too many."""
        while self._shares:
            who, share = next(iter(self._shares.items()))
            if now - share.then < self._seconds and len(self._shares) < self._remembered:
                return
            del self._shares[who]
