"""Lists that a server gives out page by page."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from improto_client.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

MOST_PAGES: Final = 10_000
"""Of one list. A server that always has one more would keep us for ever. Ours."""


class Pages(Generic[T]):
    """A list that is fetched as it is needed; for ``async for``.

    It raises what every request raises, and Unreadable if there is no end to it.
    """

    def __init__(self, ask: Callable[[str], Awaitable[tuple[list[T], str]]]) -> None:
        self.has_more = True
        """The server has more than what was fetched so far."""
        self._ask = ask
        self._token = ""
        self._asked = 0
        self._fetched: deque[T] = deque()

    def __aiter__(self) -> Pages[T]:
        return self

    async def __anext__(self) -> T:
        while not self._fetched:
            if not self.has_more:
                raise StopAsyncIteration
            self._fetched.extend(await self.next_page())
        return self._fetched.popleft()

    async def next_page(self) -> list[T]:
        """The next page; empty at the end."""
        if not self.has_more:
            return []
        if self._asked == MOST_PAGES:
            raise Unreadable(f"the list has more than {MOST_PAGES} pages")
        found, self._token = await self._ask(self._token)
        self._asked += 1
        self.has_more = bool(self._token)
        return found
