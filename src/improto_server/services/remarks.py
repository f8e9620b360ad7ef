"""What users call other users and groups, as the application says (rest 9.2).

The public service shows these names in pushes. Here they are kept for the application, and nothing
else is done with them; what users themselves call their friends is :mod:`.friends`' business.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto_server.errors import ListFull
from improto_server.store import remarks as table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from improto.codes import ConversationType
    from improto_server.clock import UserKey
    from improto_server.services.data import Data
    from improto_server.store.remarks import Remark

MOST_REMARKS: Final = 10_000
"""Of one user, about users and about groups. Ours."""


class Remarks:
    """The service, for the application's own server. ``type``: PRIVATE for users, or GROUP."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def put(self, key: UserKey, type: ConversationType, given: Mapping[str, str]) -> None:
        """Call users or groups so. ListFull: there would be more than :data:`MOST_REMARKS`."""
        app, owner = key
        await self._data.write(partial(_put, app=app, owner=owner, type=type, given=given))

    async def remove(self, key: UserKey, type: ConversationType, target: str) -> None:
        """A user or group is called nothing special; harmless if that is so."""
        app, owner = key
        await self._data.write(
            partial(table.remove, app=app, owner=owner, type=type, target=target)
        )

    async def find(self, key: UserKey, type: ConversationType, target: str) -> str | None:
        """What a user or group is called; None if nothing special."""
        app, owner = key
        return await self._data.read(
            partial(table.find, app=app, owner=owner, type=type, target=target)
        )

    async def page(
        self, key: UserKey, type: ConversationType, *, offset: int, count: int
    ) -> tuple[int, list[Remark]]:
        """How many there are, and some of them in the order of the ids."""
        app, owner = key
        return await self._data.read(
            partial(_page, app=app, owner=owner, type=type, offset=offset, count=count)
        )


def _put(
    connection: Connection, *, app: str, owner: str, type: int, given: Mapping[str, str]
) -> None:
    table.put(connection, app=app, owner=owner, type=type, given=given)
    if table.count(connection, app=app, owner=owner, type=type) > MOST_REMARKS:
        raise ListFull(f"there would be more than {MOST_REMARKS} remarks")


def _page(
    connection: Connection, *, app: str, owner: str, type: int, offset: int, count: int
) -> tuple[int, list[Remark]]:
    total = table.count(connection, app=app, owner=owner, type=type)
    found = table.page(connection, app=app, owner=owner, type=type, offset=offset, count=count)
    return total, found
