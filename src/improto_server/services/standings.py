"""How users stand to each other and to the server, known at once when one writes or comes.

As with :mod:`.rosters`, a change counts from the moment it is submitted. Lists and mutes
are read when they are needed. Bans are few, and a login waits for nothing: they are all known
from the start.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto.codes import DisconnectStatus
from improto_server.services.data import Facts
from improto_server.store import relations as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from improto_server.clock import UserKey
    from improto_server.hub import Hub
    from improto_server.services.data import Data
    from improto_server.store.relations import Standing


class Standings:
    """Blacklists, white lists, mutes and bans of all users.

    ``bans``: who may not connect, and before which time, as the store has it at the start.
    """

    def __init__(self, data: Data, hub: Hub, *, bans: Mapping[UserKey, int]) -> None:
        self._data = data
        self._hub = hub
        self._known: Facts[UserKey, Standing] = Facts(data, _read)
        self._bans = dict(bans)

    def get(self, key: UserKey) -> Standing | None:
        """A user's standing, or None if it must be loaded first."""
        return self._known.get(key)

    async def load(self, key: UserKey) -> Standing:
        """A user's standing, known from now on."""
        return await self._known.load(key)

    async def block(self, key: UserKey, other: str) -> None:
        """Put somebody on the user's blacklist; harmless if he is on it."""
        standing = await self.load(key)
        changed = standing._replace(blocked=standing.blocked | {other})
        await self._write(key, changed, partial(table.block, app=key[0], owner=key[1], other=other))

    async def unblock(self, key: UserKey, other: str) -> None:
        """Take somebody off the user's blacklist; harmless if he is not on it."""
        standing = await self.load(key)
        changed = standing._replace(blocked=standing.blocked - {other})
        change = partial(table.unblock, app=key[0], owner=key[1], other=other)
        await self._write(key, changed, change)

    async def allow(self, key: UserKey, other: str) -> None:
        """Put somebody on the user's white list; harmless if he is on it."""
        standing = await self.load(key)
        changed = standing._replace(allowed=standing.allowed | {other})
        await self._write(key, changed, partial(table.allow, app=key[0], owner=key[1], other=other))

    async def disallow(self, key: UserKey, other: str) -> None:
        """Take somebody off the user's white list; harmless if he is not on it."""
        standing = await self.load(key)
        changed = standing._replace(allowed=standing.allowed - {other})
        change = partial(table.disallow, app=key[0], owner=key[1], other=other)
        await self._write(key, changed, change)

    async def mute(self, key: UserKey, *, until: int) -> None:
        """Let the user send nothing before ``until`` (milliseconds since 1970); 0: he may."""
        standing = await self.load(key)
        changed = standing._replace(muted_until=until)
        await self._write(key, changed, partial(table.mute, app=key[0], user=key[1], until=until))

    async def ban(self, key: UserKey, *, until: int) -> None:
        """Let the user not connect before ``until`` (milliseconds since 1970); 0: he may.

        If he is online, his devices are sent away for good (codes 3).
        """
        before = self._bans.get(key, 0)
        self._set_ban(key, until)
        if until:
            self._hub.dismiss(key, DisconnectStatus.BLOCK)
        try:
            await self._data.write(partial(table.ban, app=key[0], user=key[1], until=until))
        except Exception:
            self._set_ban(key, before)
            raise

    def is_banned(self, key: UserKey, *, now: int) -> bool:
        """Whether the user may not connect at the time ``now``."""
        return bool(self.banned_until(key, now=now))

    def banned_until(self, key: UserKey, *, now: int) -> int:
        """Before which time the user may not connect; 0: he may."""
        until = self._bans.get(key, 0)
        return until if until > now else 0

    def banned(self, app: str, *, now: int) -> dict[str, int]:
        """The users of an app who may not connect, and until when."""
        return {
            name: until
            for (where, name), until in self._bans.items()
            if where == app and until > now
        }

    def _set_ban(self, key: UserKey, until: int) -> None:
        if until:
            self._bans[key] = until
        else:
            self._bans.pop(key, None)

    async def _write(
        self, key: UserKey, changed: Standing, change: Callable[[Connection], None]
    ) -> None:
        self._known.put(key, changed)
        try:
            await self._data.write(change)
        except Exception:
            self._known.forget(key)
            raise


def _read(connection: Connection, key: UserKey) -> Standing:
    app, user = key
    return table.standing(connection, app=app, user=user)
