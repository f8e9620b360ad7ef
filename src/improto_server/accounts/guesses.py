"""Keeps people from guessing passwords: who fails often waits, longer every time.

It counts by what was tried (an account, whether there is one or not) and by the address that
tries. An attempt counts before it is looked at, so a thousand at once are no more than one after
the other. Whoever waits is not looked at, right or wrong.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from improto_server.accounts.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

FREE_BY_ACCOUNT: Final = 5
FREE_BY_ADDRESS: Final = 30
"""Failures that cost nothing; many people may share an address."""

FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 900.0
"""Seconds. Each failure doubles the wait."""

FORGOTTEN_AFTER: Final = 3600.0
"""Seconds without an attempt."""

REMEMBERED: Final = 20_000
"""Of more, who has tried longest ago starts anew."""

_IPV6_SITE: Final = 64
"""Bits; whoever has one address of IPv6 has all that begin so."""


class _Record(NamedTuple):
    failures: int
    last: float
    until: float


class Guesses:
    """``monotonic``: seconds that never go back."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def attempt(self, who: str, address: str) -> None:
        """Somebody tries to be ``who``. RefusedError: he has to wait."""
        now = self._monotonic()
        keys = {("account", who): FREE_BY_ACCOUNT, ("address", site(address)): FREE_BY_ADDRESS}
        wait = max(self._record(key, now).until - now for key in keys)
        if wait > 0:
            seconds = math.ceil(wait)
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "locked",
                f"too many failures; try again in {seconds} s",
                wait=seconds,
            )
        for key, free in keys.items():
            count = self._record(key, now).failures + 1
            # More doublings than that make no difference.
            doublings = min(count - free, 20)
            pause = min(FIRST_WAIT * 2.0 ** (doublings - 1), LONGEST_WAIT)
            self._records[key] = _Record(count, now, now + pause if doublings > 0 else 0.0)
            self._records.move_to_end(key)
        while len(self._records) > REMEMBERED:
            self._records.popitem(last=False)

    def succeeded(self, who: str, address: str) -> None:
        """He was right: his failures are forgotten, and this was none of the address."""
        self._records.pop(("account", who), None)
        key = ("address", site(address))
        record = self._records.get(key)
        if record is not None:
            self._records[key] = record._replace(failures=record.failures - 1, until=0.0)

    def _record(self, key: tuple[str, str], now: float) -> _Record:
        record = self._records.get(key)
        if record is None or now - record.last > FORGOTTEN_AFTER:
            return _Record(0, now, 0.0)
        return record


def site(address: str) -> str:
    """Addresses that belong to one site are the same to us."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _IPV6_SITE), strict=False))
