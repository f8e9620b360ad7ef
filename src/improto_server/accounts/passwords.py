"""Passwords: argon2, in threads of its own, a few at a time.

A hash takes a core for some dozen milliseconds, and that must not keep messages waiting: one
thread calculates, others wait for their turn, and when too many wait they are sent away. A
comparison costs the same whether there is something to compare with or not.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from improto_server.accounts.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MEMORY_KIB: Final = 19_456
ROUNDS: Final = 2
"""What OWASP recommends for argon2id at least, with one lane."""

MOST_WAITING: Final = 200
"""Who wait for their turn; at 40 a second the last of them does for 5 s."""


class Passwords:
    """Makes hashes and compares with them. To be made inside the event loop."""

    def __init__(self, *, memory: int = MEMORY_KIB, rounds: int = ROUNDS) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory, parallelism=1)
        self._limiter = CapacityLimiter(1)
        self._under_way = 0
        self._nobodys = self._hasher.hash("")

    async def hash(self, password: str) -> str:
        """What to keep of a password."""
        return await self._calculate(lambda: self._hasher.hash(password))

    async def fits(self, password: str, kept: str) -> bool:
        """Whether it is the password of whom :meth:`hash` was kept; empty: nobody, never."""
        return await self._calculate(lambda: self._is_same(password, kept or self._nobodys)) and (
            kept != ""
        )

    def _is_same(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except VerificationError:
            return False

    async def _calculate(self, work: Callable[[], T]) -> T:
        if self._under_way > MOST_WAITING:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", "too many log in at once", wait=5
            )
        self._under_way += 1
        try:
            return await run_sync(work, limiter=self._limiter)
        finally:
            self._under_way -= 1
