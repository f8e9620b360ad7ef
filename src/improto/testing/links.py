"""Simulated connections between a client and a server, without I/O.

A link takes messages with a time and says when they arrive and in which shape. It is
as deterministic as its seed. :class:`OrderedLink` does what a WebSocket can do: delay,
and break with messages lost at the border. :class:`HostileLink` does what nothing should
do; programs must survive it, no more.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from improto.frames import Role

if TYPE_CHECKING:
    from random import Random


class Eof(enum.Enum):
    """The end of what a side can receive."""

    BROKEN = "the connection broke"
    CLOSED = "the other side closed it"


Arrival: TypeAlias = bytes | Eof


class OrderedLink:
    """Two directions, each in order, each message delayed.

    ``latency`` is the range of delays in seconds; changing it keeps the order.
    """

    def __init__(self, random: Random, *, latency: tuple[float, float] = (0.005, 0.08)) -> None:
        self._random = random
        self.latency = latency
        self._flying: dict[Role, deque[tuple[float, Arrival]]] = {
            Role.CLIENT: deque(),
            Role.SERVER: deque(),
        }
        self._is_open = True
        self.log: list[tuple[Role, bytes]] = []
        """Everything that was sent, with its sender, in order."""

    @property
    def is_open(self) -> bool:
        """False once one side has closed it or it was cut."""
        return self._is_open

    def send(self, sender: Role, message: bytes, *, now: float) -> None:
        """Put a message on its way; lost without a word if the link is not open."""
        if self._is_open:
            self.log.append((sender, message))
            self._push(sender.peer, message, now=now)

    def close(self, sender: Role, *, now: float) -> None:
        """``sender`` closes the connection after what it has sent."""
        if self._is_open:
            self._is_open = False
            self._push(sender.peer, Eof.CLOSED, now=now)

    def cut(self, *, now: float) -> None:
        """Break the connection: of what is on its way, only a part still arrives."""
        if not self._is_open:
            return
        self._is_open = False
        for receiver, flying in self._flying.items():
            for _ in range(self._random.randint(0, len(flying))):
                flying.pop()
            self._push(receiver, Eof.BROKEN, now=now)

    def arrivals(self, receiver: Role, *, now: float) -> list[Arrival]:
        """Take what has arrived at one side by now."""
        flying = self._flying[receiver]
        arrived: list[Arrival] = []
        while flying and flying[0][0] <= now:
            arrived.append(flying.popleft()[1])
        return arrived

    def next_deadline(self) -> float | None:
        """When the next message arrives; None if nothing is on its way."""
        times = [flying[0][0] for flying in self._flying.values() if flying]
        return min(times, default=None)

    def _push(self, receiver: Role, arrival: Arrival, *, now: float) -> None:
        flying = self._flying[receiver]
        time = now + self._random.uniform(*self.latency)
        if flying:
            time = max(time, flying[-1][0])
        flying.append((time, arrival))


class HostileLink(OrderedLink):
    """Drops, repeats, swaps and corrupts messages.

    ``rate`` is the chance of each of these for each message, 0..0.25.
    """

    def __init__(
        self, random: Random, *, latency: tuple[float, float] = (0.005, 0.08), rate: float = 0.1
    ) -> None:
        super().__init__(random, latency=latency)
        self._rate = rate

    def send(self, sender: Role, message: bytes, *, now: float) -> None:
        """Put a message on its way, or something like it."""
        if not self._is_open:
            return
        dice = self._random.random()
        if dice < self._rate:
            return
        if dice < 2 * self._rate:
            super().send(sender, message, now=now)
        elif dice < 3 * self._rate:
            message = self._corrupted(message)
        super().send(sender, message, now=now)
        flying = self._flying[sender.peer]
        if dice > 1 - self._rate and len(flying) > 1:
            (early, first), (late, second) = flying[-2], flying[-1]
            flying[-2], flying[-1] = (early, second), (late, first)

    def _corrupted(self, message: bytes) -> bytes:
        damaged = bytearray(message)
        for _ in range(self._random.randint(1, _MOST_DAMAGE)):
            if damaged:
                damaged[self._random.randrange(len(damaged))] = self._random.randrange(256)
        return bytes(damaged[: self._random.randint(0, len(damaged))])


_MOST_DAMAGE: Final = 4
"""Bytes changed in one corrupted message: enough to break any field."""
