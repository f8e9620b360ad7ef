"""Deadlines of one connection.

A deadline is a point in the caller's monotonic time, in seconds. Nothing here reads a
clock: whoever drives the connection wakes at :meth:`Timers.next` or later and asks
what has expired. Early, late and repeated questions are harmless.
"""

from __future__ import annotations

import enum
from typing import Final

NEVER: Final = float("inf")


class Timer(enum.IntEnum):
    """What a deadline is for. The values are positions in the table."""

    LOGIN = 0
    """Client: CONNACK must come. Server: the login must be decided."""
    HEARTBEAT = 1
    """Client: time for the next PINGREQ."""
    PONG = 2
    """Client: PINGRESP must come."""
    REQUEST = 3
    """Client: the oldest waiting request fails."""
    SYNC = 4
    """Client: the oldest held copy is given up."""
    PULL = 5
    """Client: time for the safety pull, or for the repeat of a failed one."""
    IDLE = 6
    """Server: the client must say something."""
    RENOTIFY = 7
    """Server: an announcement nobody reacted to is repeated."""
    CLOSE = 8
    """Server: the peer had its moment to close."""


class Timers:
    """A table with one optional deadline for each :class:`Timer`."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines = [NEVER] * len(Timer)

    def arm(self, timer: Timer, deadline: float) -> None:
        """Set or move a deadline."""
        self._deadlines[timer] = deadline

    def disarm(self, timer: Timer) -> None:
        """Forget a deadline; harmless if there is none."""
        self._deadlines[timer] = NEVER

    def disarm_all(self) -> None:
        """Forget every deadline."""
        self._deadlines = [NEVER] * len(Timer)

    def deadline(self, timer: Timer) -> float | None:
        """When a timer runs out; None if it is not armed."""
        deadline = self._deadlines[timer]
        return None if deadline == NEVER else deadline

    def next(self) -> float | None:
        """The earliest deadline; None if no timer is armed."""
        deadline = min(self._deadlines)
        return None if deadline == NEVER else deadline

    def expired(self, now: float) -> list[Timer]:
        """Disarm and return the timers that have run out, earliest deadline first."""
        due = [timer for timer in Timer if self._deadlines[timer] <= now]
        due.sort(key=self._deadlines.__getitem__)
        for timer in due:
            self.disarm(timer)
        return due
