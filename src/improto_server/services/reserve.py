"""Times that clients learn of, and that no message in the store has.

A status message moves the cursors of those who see it (messages 8.5) and is stored nowhere. If
the server died and the machine's clock had been put back, a later message could get the
same time, behind those cursors, and would never be pulled. So before such a time is told, the
store notes down that it was used, and a server that starts begins after it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto_server.services.data import AHEAD
from improto_server.store.reserved import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.services.data import Data
    from improto_server.steps import Pending


class Reserve:
    """How far times may be told."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._until = 0
        self._asked = 0
        self._pending: Pending[None] | None = None

    def call(self, time: int, then: Callable[[], None]) -> None:
        """Call ``then`` when ``time`` may be told: at once if it may be, not at all if the store
        fails. Calls come in the order in which they were asked for."""
        if time <= self._until:
            then()
            return
        if self._pending is None or time > self._asked:
            self._asked = time + AHEAD
            self._pending = self._data.write(partial(note, time=self._asked))
            self._pending.call(partial(self._noted, self._pending, self._asked))
        self._pending.call(partial(self._call, self._pending, then))

    def _noted(self, pending: Pending[None], time: int) -> None:
        if pending.error is None:
            self._until = time
        if self._pending is pending:
            self._pending = None
            self._asked = self._until

    def _call(self, pending: Pending[None], then: Callable[[], None]) -> None:
        if pending.error is None:
            then()
