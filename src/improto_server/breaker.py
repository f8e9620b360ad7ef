"""A client that asks the same again and again is slowed down.

SDKs ask again at once, several hundred times a second, when an answer makes them believe that
there is more (sdk5 12, session 15). Our answers never do, but a mistake on either side would
keep a server busy that others need. Here is where it ends: a request that its connection has
just made many times waits for its turn.

Progress is a request that differs, such as a pull from a later time; it is never slowed down.
Nothing is refused or lost. Who is slowed down is logged once, and each wait is counted.

Requests of which others are told, thousands in a large group, have one share together, whatever
they say. Beyond it they are refused: they must not overtake each other, as they would if some
waited.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from improto_server.rate import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import TypeVar

    from improto_server.hub import Device

    K = TypeVar("K", bound=Hashable)

AT_ONCE: Final = 100
"""How many times a client may make a request before its rate counts. Programs that look for
something to happen ask the same too; SDKs in a loop pass this within half a second."""

REMEMBERED: Final = 8
"""Requests that are told apart for each connection, the latest; a loop repeats one or two."""

_logger = logging.getLogger(__name__)


class Breaker:
    """Decides when requests go on.

    ``rate``: equal ones a second, or such of which others are told; 0: no limit.
    """

    def __init__(self, rate: float, *, monotonic: Callable[[], float]) -> None:
        # In which a share is whole again.
        self._seconds = AT_ONCE / rate if rate else 0.0
        self._monotonic = monotonic
        self._held: deque[tuple[Device, int, Callable[[], None]]] = deque()
        self.slowed = 0
        """How many requests had to wait, of all connections."""

    def run(self, device: Device, request: Hashable, go_on: Callable[[], None]) -> None:
        """Call ``go_on``: now, or in a later :meth:`tick`. ``request``: all that it asks."""
        # The hash will do: a request that is taken for another one waits at worst.
        key = hash(request)
        refused = self._take(device, key)
        if not refused:
            go_on()
            return
        self.slowed += 1
        if refused == 1:
            _logger.warning(
                "%s (%s) asks the same again and again and is slowed down",
                device.peer.address,
                device.user.key[1],
            )
        self._held.append((device, key, go_on))

    def admits(self, device: Device) -> bool:
        """Whether the device may make one more request now of which others are told."""
        if device.changes is None:
            device.changes = Shares(AT_ONCE, self._seconds, remembered=1)
        return not self._take_share(device.changes, None)

    def tick(self) -> None:
        """To be called every second or so: those whose turn has come go on."""
        for _ in range(len(self._held)):
            device, key, go_on = self._held.popleft()
            if not device.is_open:
                continue
            if self._take(device, key):
                self._held.append((device, key, go_on))
            else:
                go_on()

    def _take(self, device: Device, key: int) -> int:
        """How often the request was refused lately; 0: it may go on."""
        if device.repeats is None:
            device.repeats = Shares(AT_ONCE, self._seconds, remembered=REMEMBERED)
        return self._take_share(device.repeats, key)

    def _take_share(self, shares: Shares[K], who: K) -> int:
        return shares.take(who, now=self._monotonic()) if self._seconds else 0
