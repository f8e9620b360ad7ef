"""The newest end of an online user's inbox, in memory.

Most pulls ask for the last few messages. They are answered from here, at once, without
the store. The store stays the truth: whatever an :class:`Inbox` cannot vouch for is read
from there. What it can vouch for is kept apart for received and sent messages, because
clients ask for them from two different times (session 8.2).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from improto.frames import TimeMs

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_MESSAGES: Final = 256
"""More than a pull page of 200 (session 8.3), so that a client on its second page is served."""

KEPT_BYTES: Final = 256 * 1024
"""Text messages take about 200 bytes, so this binds only where contents are large."""


class Entry(NamedTuple):
    """A message as one user reads it."""

    time: TimeMs
    is_sent: bool
    """The user sent it from one of his devices (direction 1, session 9.2)."""
    item: bytes
    """The encoded DownStreamMessage."""


class Page(NamedTuple):
    """What a pull is answered with."""

    entries: Sequence[Entry]
    is_finished: bool


class Inbox:
    """What was committed to one inbox since its user came online, oldest first.

    ``complete_from``: the highest time that a message may have had at that moment.
    """

    __slots__ = (
        "_bytes",
        "_entries",
        "_received_from",
        "_sent_from",
        "forgotten",
        "last_append",
        "newest",
    )

    def __init__(self, *, complete_from: int, last_append: int) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        # All messages later than these times are in _entries.
        self._received_from: int = complete_from
        self._sent_from: int = complete_from
        self.forgotten = 0
        """How many entries were dropped; tells a reader of the store that it was too slow."""
        self.newest = TimeMs(0)
        """Time of the newest message known to be committed."""
        self.last_append = last_append
        """Number of the last append that may concern this inbox."""

    def __len__(self) -> int:
        """How many messages are held."""
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """A message was committed, later than all before it."""
        self._entries.append(entry)
        self._bytes += len(entry.item)
        self.newest = entry.time
        while len(self._entries) > KEPT_MESSAGES or self._bytes > KEPT_BYTES:
            self._forget_oldest()

    def after(
        self, received_after: int, sent_after: int | None, *, limit: int, max_bytes: int
    ) -> Page | None:
        """The messages after these times, or None if only the store knows them all.

        ``sent_after`` None: no sent messages are wanted. At most ``limit`` messages and, beyond
        the first, ``max_bytes`` bytes.
        """
        if received_after < self._received_from:
            return None
        if sent_after is not None and sent_after < self._sent_from:
            return None
        found: list[Entry] = []
        size = 0
        for entry in self._entries:
            if entry.is_sent:
                if sent_after is None or entry.time <= sent_after:
                    continue
            elif entry.time <= received_after:
                continue
            size += len(entry.item)
            if len(found) == limit or (found and size > max_bytes):
                return Page(found, False)
            found.append(entry)
        return Page(found, True)

    def learn(self, page: Page, received_after: int, sent_after: int | None) -> None:
        """The store answered with the last page after these times: there was nothing else.

        Only if nothing was forgotten since the store was asked.
        """
        received = [entry.time for entry in page.entries if not entry.is_sent]
        self._received_from = min(self._received_from, max(received, default=received_after))
        if sent_after is not None:
            sent = [entry.time for entry in page.entries if entry.is_sent]
            self._sent_from = min(self._sent_from, max(sent, default=sent_after))

    def forget(self, received_until: int, sent_until: int) -> None:
        """All devices have the messages up to these times."""
        entries = self._entries
        while entries and entries[0].time <= (sent_until if entries[0].is_sent else received_until):
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        entry = self._entries.popleft()
        self._bytes -= len(entry.item)
        self.forgotten += 1
        if entry.is_sent:
            self._sent_from = max(self._sent_from, entry.time)
        else:
            self._received_from = max(self._received_from, entry.time)
