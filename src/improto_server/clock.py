"""The clock that gives messages their times.

A time is also a message's place: clients ask for "everything after this time" and drop
what is not later. So within one inbox times must rise strictly, in the order in which
messages become visible, whatever the machine's clock does (session 1, architecture 2).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from improto.frames import TimeMs

if TYPE_CHECKING:
    from collections.abc import Callable

UserKey: TypeAlias = tuple[str, str]
"""App key and user id: the name of an inbox."""


class MessageClock:
    """Milliseconds since 1970 that never go backward.

    ``read`` is the machine's clock; ``floor`` the highest time in the store, which nothing
    new may share or precede. While the machine's clock stands or steps back, time stands
    still and only the inboxes in use count on.
    """

    __slots__ = ("_last", "_now", "_read")

    def __init__(self, read: Callable[[], int], *, floor: int = 0) -> None:
        self._read = read
        self._now = floor + 1
        # Inboxes whose last time is not in the past yet, the longest untouched first.
        self._last: OrderedDict[UserKey, int] = OrderedDict()

    def __len__(self) -> int:
        """How many inboxes are remembered."""
        return len(self._last)

    def now(self) -> TimeMs:
        """The server's time."""
        read = self._read()
        if read > self._now:
            self._now = read
        return TimeMs(self._now)

    def stamp(self, *inboxes: UserKey) -> TimeMs:
        """A time for a message, later than all that these inboxes have."""
        last = self._last
        time = now = self.now()
        for inbox in inboxes:
            previous = last.pop(inbox, 0)
            if previous >= time:
                time = TimeMs(previous + 1)
        for inbox in inboxes:
            last[inbox] = time
        # One more than this adds, so that the table shrinks again after a rush.
        for _ in range(len(inboxes) + 1):
            if not last or next(iter(last.values())) >= now:
                break
            last.popitem(last=False)
        return time

    def pass_by(self, inbox: UserKey, time: int) -> None:
        """Something of the inbox has this time, and what comes is later."""
        if time >= self.now() and time > self._last.get(inbox, 0):
            self._last[inbox] = time
            self._last.move_to_end(inbox)

    def next(self, inbox: UserKey) -> TimeMs:
        """The earliest time that the next message of the inbox can have; all others are before."""
        return TimeMs(max(self.now(), self._last.get(inbox, 0) + 1))

    def latest(self, inbox: UserKey) -> TimeMs:
        """No message of the inbox has a later time."""
        return TimeMs(max(self._now, self._last.get(inbox, 0)))
