"""Which messages may be left out in a busy chatroom, as the operator and the application say.

What the operator has in his settings is low for every app. What an app wants always is never left
out, whoever else says that it may be (rest 8).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto_server.errors import ListFull
from improto_server.store import priorities as table
from improto_server.store.priorities import Priority, PriorityRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.services.data import Data

__all__ = ["Priorities", "Priority"]

MOST_NAMES: Final = 20
"""On each list of an app (rest 8)."""


class Priorities:
    """The service. ``low``: the operator's list; ``rows``: what the store has at the start."""

    def __init__(self, data: Data, *, low: frozenset[str], rows: Iterable[PriorityRow]) -> None:
        self._data = data
        self._low = low
        self._listed: dict[tuple[str, Priority], dict[str, None]] = {}
        # What is asked with every message.
        self._low_of: dict[str, frozenset[str]] = {}
        for row in rows:
            self._listed.setdefault((row.app, row.priority), {})[row.object_name] = None
        for app, _ in self._listed:
            self._count(app)

    def low(self, app: str) -> frozenset[str]:
        """Object names of messages that may be left out."""
        return self._low_of.get(app, self._low)

    def listed(self, app: str, priority: Priority) -> list[str]:
        """What the app has put on a list."""
        return [*self._listed.get((app, priority), ())]

    async def add(self, app: str, priority: Priority, names: Iterable[str]) -> None:
        """Put object names on a list. ListFull: it would have more than :data:`MOST_NAMES`."""
        listed = {**self._listed.get((app, priority), {}), **dict.fromkeys(names)}
        if len(listed) > MOST_NAMES:
            raise ListFull(f"there would be more than {MOST_NAMES} object names")
        await self._write(app, priority, listed, names, is_listed=True)

    async def remove(self, app: str, priority: Priority, names: Iterable[str]) -> None:
        """Take object names off a list; harmless for those that are not on it."""
        gone = {*names}
        listed = dict.fromkeys(
            name for name in self._listed.get((app, priority), ()) if name not in gone
        )
        await self._write(app, priority, listed, names, is_listed=False)

    async def _write(
        self,
        app: str,
        priority: Priority,
        listed: dict[str, None],
        names: Iterable[str],
        *,
        is_listed: bool,
    ) -> None:
        before = self._listed.get((app, priority), {})
        self._put(app, priority, listed)
        rows = [PriorityRow(app, priority, name) for name in names]
        try:
            await self._data.write(partial(table.change, rows=rows, is_listed=is_listed))
        except Exception:
            self._put(app, priority, before)
            raise

    def _put(self, app: str, priority: Priority, listed: dict[str, None]) -> None:
        self._listed[app, priority] = listed
        self._count(app)

    def _count(self, app: str) -> None:
        low = self._listed.get((app, Priority.LOW), {})
        high = self._listed.get((app, Priority.HIGH), {})
        self._low_of[app] = (self._low | low.keys()) - high.keys()
