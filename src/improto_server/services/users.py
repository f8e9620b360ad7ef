"""What users are called, as the application or they themselves have said (operations 13).

Nobody must be registered: ids belong to the application, and everything works with any id. Name
and portrait are for whoever asks for them; they are also part of the profiles that SDK 5 reads
(:mod:`.user_profiles`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.store import user_profiles as profiles
from improto_server.store import users as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.store.users import Profile


class Users:
    """The service."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock
        self.on_change: list[Callable[[UserKey, int], None]] = []
        """Called with each user to whom the application gives another name or portrait, and the
        new version of his profile."""

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.USER_INF: self.user_information}

    async def user_information(
        self, caller: Caller, target: str, request: payloads.GetUserInfoInput
    ) -> payloads.GetUserInfoOutput:
        """Name and portrait of the user that the frame names. GET_USERINFO_ERROR: unknown."""
        profile = await self.info(caller.app, target)
        if profile is None:
            raise ServiceError(ErrorCode.GET_USERINFO_ERROR)
        return payloads.GetUserInfoOutput(
            userId=target, userName=profile.name, userPortrait=profile.portrait
        )

    # -- for the application -------------------------------------------------------------

    async def register(self, app: str, user_id: str, *, name: str, portrait: str = "") -> None:
        """Register a user, or give him a new name and portrait (a URL, or empty).

        BIZ_ERROR_INVALID_PARAMETER: the id cannot be a user's.
        """
        if not is_user_id(user_id):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        write = partial(
            _register,
            app=app,
            user=user_id,
            name=name,
            portrait=portrait,
            time=self._clock.now(),
        )
        self._changed((app, user_id), await self._data.write(write))

    async def update(
        self, app: str, user_id: str, *, name: str | None = None, portrait: str | None = None
    ) -> None:
        """Change what is not None. Nothing happens if the user is not registered."""
        write = partial(
            _update, app=app, user=user_id, name=name, portrait=portrait, time=self._clock.now()
        )
        version = await self._data.write(write)
        if version is not None:
            self._changed((app, user_id), version)

    async def info(self, app: str, user_id: str) -> Profile | None:
        """What is known of a user; None if he was never registered."""
        return await self._data.read(partial(table.profile, app=app, user=user_id))

    async def everybody(self, app: str, *, after: str, count: int) -> list[str]:
        """The next users whom the server has heard of, in the order of their ids."""
        return await self._data.read(partial(table.everybody, app=app, after=after, count=count))

    def _changed(self, key: UserKey, version: int) -> None:
        for call in self.on_change:
            call(key, version)


def _register(
    connection: Connection, *, app: str, user: str, name: str, portrait: str, time: int
) -> int:
    table.register(connection, app=app, user=user, name=name, portrait=portrait, time=time)
    return profiles.change(connection, app=app, user=user, now=time)


def _update(
    connection: Connection,
    *,
    app: str,
    user: str,
    name: str | None,
    portrait: str | None,
    time: int,
) -> int | None:
    if not table.change(connection, app=app, user=user, name=name, portrait=portrait):
        return None
    return profiles.change(connection, app=app, user=user, now=time)
