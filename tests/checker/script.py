"""What goes wrong in a round, drawn from its seed.

The seed fixes the faults and their moments, not how the machine's threads take turns. So the
same seed is the same bad day, which need not end the same way; a fault that depends on the
moment may need a few more rounds to show again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

USERS: Final = ("ann", "ben", "cleo", "dan", "eva", "finn", "gina", "hugo")
"""The clients. Those in even places run on asyncio, the others on trio."""

PAIRS: Final = (("ann", "ben"), ("cleo", "dan"), ("eva", "finn"), ("gina", "hugo"))

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "family": ("ann", "ben", "cleo", "dan", "eva"),
    "team": ("ben", "dan", "finn", "gina", "hugo"),
}

TROUBLE: Final = 1.0
"""Seconds in which everybody talks and things break."""

LONGEST_STEP: Final = 10 * 60 * 1000
"""Milliseconds that the machine's clock jumps at most, in either direction."""

LONGEST_DOWN: Final = 0.1
"""Seconds from a kill to the next server."""

STATUS_SHARE: Final = 0.15
"""How many of the messages are typing notices."""

_FEWEST_BYTES: Final = 150
_MOST_BYTES: Final = 30_000
"""What a connection that is cut has passed on: from less than the handshake to a few pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """The server gets SIGKILL, and after a while comes back."""

    down: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClock:
    """The clock of the server's machine is set."""

    milliseconds: int
    """Forward; backward if negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A client dies, and goes on from what it has saved."""

    user: str


Fault: TypeAlias = Kill | StepClock | Crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a connection breaks: after so many bytes in one of the directions."""

    to_server: bool
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One round."""

    seed: int
    faults: tuple[tuple[float, Fault], ...]
    """What happens, and when: seconds from the beginning, in order."""
    cut_share: float
    """How many of the connections get cut: 0 to 1."""
    garbled_share: float
    """How much of what the server tells its clients is lost or doubled: 0 to 1."""
    backend: str
    """Of the server: asyncio or trio."""
    pull_messages: int
    """How long the pages of the inbox are. Short ones make more room for mistakes."""
    save_every: int
    """How many messages a client takes before it saves."""
    pause: float
    """Seconds between two messages of one sender to one conversation."""

    @classmethod
    def draw(cls, seed: int) -> Script:
        """The round of a seed."""
        random = Random(seed)
        kinds: list[Fault] = [
            *(Kill(down=random.uniform(0, LONGEST_DOWN)) for _ in range(random.randint(0, 3))),
            *(
                StepClock(milliseconds=random.randint(-LONGEST_STEP, LONGEST_STEP))
                for _ in range(random.randint(0, 4))
            ),
            *(Crash(user=random.choice(USERS)) for _ in range(random.randint(0, 6))),
        ]
        random.shuffle(kinds)
        moments = sorted(random.uniform(0, TROUBLE) for _ in kinds)
        return cls(
            seed=seed,
            faults=tuple(zip(moments, kinds, strict=True)),
            cut_share=random.choice((0.0, 0.3, 0.8)),
            garbled_share=random.choice((0.0, 0.2, 0.6)),
            backend=random.choice(("asyncio", "trio")),
            pull_messages=random.choice((2, 7, 200)),
            save_every=random.randint(1, 8),
            pause=random.choice((0.01, 0.02, 0.04)),
        )

    def cuts(self) -> Cuts:
        """Where the connections of the round break."""
        return Cuts(self)

    def count(self, kind: type[Fault]) -> int:
        """How often a fault happens."""
        return sum(isinstance(fault, kind) for _, fault in self.faults)


class Cuts:
    """Tells one connection after the other where it will break."""

    def __init__(self, script: Script) -> None:
        self._random = Random(script.seed)
        self._share = script.cut_share

    def next(self) -> Cut | None:
        """For the next connection; None if it holds."""
        is_cut = self._random.random() < self._share
        # As many short lives as long ones.
        after = round(_FEWEST_BYTES * (_MOST_BYTES / _FEWEST_BYTES) ** self._random.random())
        to_server = self._random.random() < 0.5
        return Cut(to_server=to_server, after=after) if is_cut else None

    def stop(self) -> None:
        """From now on all connections hold."""
        self._share = 0.0
