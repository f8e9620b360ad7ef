"""Tokens that end before their time (rest 9.3).

A token says itself how long it is good, so it cannot be taken back. But of each user it can be
said before which time his tokens must have been issued to be void. As with bans
(:mod:`.standings`), a login waits for nothing: all such times are known from the start. One is
forgotten when every token that it is about is over by itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto.codes import DisconnectStatus
from improto_server.store import token_ends as table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.clock import UserKey
    from improto_server.hub import Hub
    from improto_server.services.data import Data


class TokenEnds:
    """The service. ``ends``: the times as the store has them at the start."""

    def __init__(self, data: Data, hub: Hub, *, ends: Mapping[UserKey, int]) -> None:
        self._data = data
        self._hub = hub
        self._ends = dict(ends)

    def is_void(self, key: UserKey, *, issued: float) -> bool:
        """Whether a user's token lets nobody in that was issued then: seconds since 1970."""
        return issued < self._ends.get(key, 0) / 1000

    async def end(self, key: UserKey, *, before: int) -> None:
        """Void the tokens of a user that were issued before a time: milliseconds since 1970.

        What was void stays so. Who is connected stays connected.
        """
        known = self._ends.get(key, 0)
        latest = self._ends[key] = max(before, known)
        try:
            await self._data.write(partial(table.end, app=key[0], user=key[1], before=latest))
        except Exception:
            # Unless somebody has said a later time since.
            if self._ends.get(key) == latest:
                self._ends[key] = known
            raise

    async def cut_off(self, key: UserKey, *, before: int) -> None:
        """The same, and whoever is connected as the user is sent away for good (codes 3)."""
        await self.end(key, before=before)
        self._hub.dismiss(key, DisconnectStatus.REMOTE_CLOSE)

    async def forget(self, *, before: int) -> None:
        """Forget the times before this one: what was issued then is over."""
        self._ends = {key: end for key, end in self._ends.items() if end >= before}
        await self._data.write(partial(table.forget, before=before))
