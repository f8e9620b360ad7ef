"""Who may not write in any group, in any chatroom, or to any user (rest 9.1).

The application says so of people, not of places: it holds in groups and rooms that are made later,
and for those who come into them later. They go on reading. As with bans, whoever is silenced is
known from the start, and a change counts from the moment it is submitted.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType, ErrorCode
from improto_server.store import silences as table
from improto_server.store.silences import Scope, SilenceRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.clock import UserKey
    from improto_server.services.data import Data

__all__ = ["Scope", "Silences"]

_SCOPES: Final = {
    ConversationType.PRIVATE: (Scope.USERS, ErrorCode.FORBIDDEN_IN_PRIVATE),
    ConversationType.GROUP: (Scope.GROUPS, ErrorCode.FORBIDDEN_IN_GROUP),
    ConversationType.CHATROOM: (Scope.ROOMS, ErrorCode.FORBIDDEN_IN_CHATROOM),
}


class Silences:
    """The service, for the application's own server. ``rows``: what the store has at the start."""

    def __init__(self, data: Data, *, rows: Iterable[SilenceRow]) -> None:
        self._data = data
        self._known: dict[tuple[str, Scope], dict[str, int]] = {}
        for row in rows:
            self._put(row)

    async def silence(self, key: UserKey, scope: Scope, *, until: int) -> None:
        """Let a user not write before a time, in milliseconds since 1970; 0: he may again."""
        app, user = key
        before = self._known.get((app, scope), {}).get(user, 0)
        row = SilenceRow(app, user, scope, until)
        self._put(row)
        try:
            await self._data.write(partial(table.silence, row=row))
        except Exception:
            self._put(row._replace(until=before))
            raise

    def refusal(self, key: UserKey, type: ConversationType, *, now: int) -> ErrorCode | None:
        """Why a user may not write in conversations of a type, None if he may."""
        scope, code = _SCOPES.get(type, (None, None))
        if scope is None:
            return None
        app, user = key
        return code if self._known.get((app, scope), {}).get(user, 0) > now else None

    def silenced(self, app: str, scope: Scope, *, now: int) -> dict[str, int]:
        """The users of an app who may not write, and until when; in the order of silencing."""
        known = self._known.get((app, scope), {})
        return {user: until for user, until in known.items() if until > now}

    def _put(self, row: SilenceRow) -> None:
        known = self._known.setdefault((row.app, row.scope), {})
        if row.until:
            known[row.user] = row.until
        else:
            known.pop(row.user, None)
