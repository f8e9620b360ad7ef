"""Which host to connect to: a race of small probes, and a memory of what has failed.

Sans-IO. One host answers first and wins; the others are not asked any further (session 2.1).
Only probes race and never logins: two hosts may be one server under two names, and a second
login would throw the first one out (session 10).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STAGGER: Final = 0.25
"""Seconds from one probe to the next while none has answered. SDK 2.5.3 waits 1 s (session 2.1);
this is what is usual for a race of addresses (RFC 8305, section 5)."""

PROBE_TIME: Final = 5.0
"""Seconds for one probe (session 13)."""

SHORT_LIVED: Final = 5.0
"""A host that loses a connection sooner is remembered as bad (session 4.2)."""

_HOST: Final = re.compile(
    r"((?P<name>[A-Za-z0-9._-]{1,253})|\[(?P<address>[0-9A-Fa-f:.]{2,45})\])(:(?P<port>[0-9]{1,6}))?"
)

_PORTS: Final = {False: 80, True: 443}
"""What an address without a port means, by whether it is encrypted (RFC 9110, 4.2)."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server is."""

    name: str
    port: int
    is_encrypted: bool = False

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"

    @property
    def probe(self) -> str:
        """The URL of its probe, without a query (http 3)."""
        return f"http{'s' if self.is_encrypted else ''}://{self}/ping"


def read_host(text: str, *, is_encrypted: bool) -> Host:
    """Read ``host`` or ``host:port`` (http 1.1); ValueError if it is neither."""
    found = _HOST.fullmatch(text.strip())
    port = int(found["port"] or _PORTS[is_encrypted]) if found else 0
    if found is None or not 0 < port < 65_536:
        raise ValueError(f"{text!r} is no host: write name:port or [address]:port")
    return Host(found["name"] or found["address"], port, is_encrypted)


class BadHosts:
    """Hosts that have failed; they are tried last, the one that failed longest ago first."""

    def __init__(self) -> None:
        self._failed: dict[Host, None] = {}

    def failed(self, host: Host) -> None:
        """It did not answer, or has lost a connection at once."""
        self._failed.pop(host, None)
        self._failed[host] = None

    def worked(self, host: Host) -> None:
        """It is good again."""
        self._failed.pop(host, None)

    def order(self, hosts: Iterable[Host]) -> list[Host]:
        """Each host once, in the order in which to try them."""
        unique = dict.fromkeys(hosts)
        good = [host for host in unique if host not in self._failed]
        return good + [host for host in self._failed if host in unique]


class Race:
    """Probes of several hosts: when to start which, and who has won.

    Ask :meth:`next_start` when to call :meth:`start`, and tell what becomes of each probe.
    """

    def __init__(self, hosts: Sequence[Host], *, now: float) -> None:
        self._waiting = list(hosts)
        self._running: set[Host] = set()
        self._next_start = now
        self.winner: Host | None = None
        self.problems: dict[Host, str] = {}
        """What was wrong with those that have failed."""

    @property
    def is_over(self) -> bool:
        """Somebody has won, or nobody can any more."""
        return self.winner is not None or not (self._waiting or self._running)

    def next_start(self) -> float | None:
        """When the next probe starts; None: there is no further one, or no need."""
        return None if self.winner is not None or not self._waiting else self._next_start

    def start(self, *, now: float) -> Host:
        """The next host to probe; IndexError if there is none."""
        host = self._waiting.pop(0)
        self._running.add(host)
        self._next_start = now + STAGGER
        return host

    def answered(self, host: Host) -> None:
        """A probe was answered; the first one wins."""
        self._running.discard(host)
        if self.winner is None:
            self.winner = host

    def failed(self, host: Host, problem: str, *, now: float) -> None:
        """A probe has failed; the next one need not wait for its turn."""
        self._running.discard(host)
        self.problems[host] = problem
        self._next_start = min(self._next_start, now)
