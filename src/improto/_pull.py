"""Notify, pull, batch, receipt: when to ask a stream for more.

One :class:`Pull` per stream, that is, for the inbox and for each followed room. It
decides *when* a pull is due; it sends nothing. At most one pull is outstanding, and the
next one waits until the program has acknowledged what the last one brought: this is
the flow control of the protocol, a slow program costs one small notification.
"""

from __future__ import annotations


class Pull:
    """The pull machine of one stream."""

    __slots__ = ("_announced", "_asked_from", "_has_news", "_is_wanted", "is_outstanding")

    def __init__(self) -> None:
        self.is_outstanding = False
        """A pull was sent and not answered."""
        self._is_wanted = False
        self._has_news = False
        self._announced = 0
        self._asked_from = 0

    @property
    def is_behind(self) -> bool:
        """True if something is waiting to be pulled, as far as we know."""
        return self.is_outstanding or self._is_wanted

    def want(self) -> None:
        """Pull as soon as possible."""
        self._is_wanted = True

    def announced(self, time: int, *, cursor: int) -> None:
        """The server says that the newest message has this time."""
        if time > cursor:
            self._announced = max(self._announced, time)
            if self.is_outstanding:
                self._has_news = True
            else:
                self._is_wanted = True

    def is_due(self, *, open_count: int) -> bool:
        """True if a pull should be sent now."""
        return self._is_wanted and not self.is_outstanding and open_count == 0

    def sent(self, *, asked_from: int) -> None:
        """A pull left, asking for what is later than this."""
        self.is_outstanding = True
        self._is_wanted = False
        self._has_news = False
        self._asked_from = asked_from

    def answered(self, sync_time: int, *, is_finished: bool) -> None:
        """A reply came.

        Ask again if it was cut, or if it ends before what was announced (session 8.4). If it
        brought us nowhere, ask only for what was announced since we asked: anything else
        would be an endless loop (session 15, rule 3).
        """
        self.is_outstanding = False
        has_advanced = sync_time > self._asked_from
        is_short = self._announced > sync_time and (has_advanced or self._has_news)
        if is_short or (has_advanced and not is_finished):
            self._is_wanted = True

    def failed(self) -> None:
        """No usable reply came.

        What was announced meanwhile is asked for; else somebody has to :meth:`want` again.
        """
        self.is_outstanding = False
        self._is_wanted = self._is_wanted or self._has_news
