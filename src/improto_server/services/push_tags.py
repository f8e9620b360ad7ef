"""Tags by which the application knows kinds of users (rest 9.2).

They have nothing to do with the tags that users sort their conversations by (:mod:`.tags`), and
nobody but the application sees them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from improto_server.store import push_tags as table
from improto_server.store.push_tags import Search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.services.data import Data
    from improto_server.store.push_tags import Tagged

__all__ = ["Audience", "PushTags", "Search"]


class Audience(NamedTuple):
    """Users by their tags. At least one tag is named."""

    all_of: tuple[str, ...] = ()
    """They have all of these."""
    any_of: tuple[str, ...] = ()
    """And one of these, if there are any."""

    def searches(self) -> list[Search]:
        """What to look for, so that everybody is found once."""
        if self.any_of:
            return [
                Search(tag, self.all_of, self.any_of[:position])
                for position, tag in enumerate(self.any_of)
            ]
        return [Search(self.all_of[0], self.all_of[1:])]


class PushTags:
    """The service, for the application's own server."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def set(self, app: str, users: Iterable[str], tags: Sequence[str]) -> None:
        """These are all tags that the users have, who need not be registered."""
        await self._data.write(partial(_set, app=app, users=users, tags=tags))

    async def of(self, app: str, users: Sequence[str]) -> dict[str, list[str]]:
        """The tags of each of these users; none for who has none."""
        return await self._data.write(partial(table.tags_of, app=app, people=users))

    async def find(self, app: str, search: Search, *, after: int, count: int) -> list[Tagged]:
        """The next users with certain tags, by their numbers."""
        return await self._data.read(
            partial(table.find, app=app, search=search, after=after, count=count)
        )


def _set(connection: Connection, *, app: str, users: Iterable[str], tags: Sequence[str]) -> None:
    for user in users:
        table.set_tags(connection, app=app, user=user, tags=tags)
