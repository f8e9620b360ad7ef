"""The store as calls see it, which run in tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from anyio import CapacityLimiter

from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto_server.services.data import Data
    from improto_server.steps import Pending

T = TypeVar("T")

CHANGES_AT_ONCE: Final = 4
"""A change takes a millisecond or two, and messages wait for the whole batch that it is in."""


class Records:
    """The same as :class:`.services.data.Data`, to be awaited in a task."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._turns = CapacityLimiter(CHANGES_AT_ONCE)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query on what is committed. ServiceError: the store could not do it."""
        return await finished(_answer(self._data.read(query)))

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run a change when it is its turn, and wait until it is committed. Likewise."""
        async with self._turns:
            return await finished(_answer(self._data.write(change)))


async def _answer(pending: Pending[T]) -> T:
    return await pending
