"""What users are called, as far as the application has said so (operations 13).

Nobody must be registered: ids belong to the application, and everything works with any id. The
profile is for whoever asks for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.store import users as table

if TYPE_CHECKING:
    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.store.users import Profile


class Users:
    """The service."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock

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
        now = self._clock.now()
        await self._data.write(
            partial(table.register, app=app, user=user_id, name=name, portrait=portrait, time=now)
        )

    async def update(
        self, app: str, user_id: str, *, name: str | None = None, portrait: str | None = None
    ) -> None:
        """Change what is not None. Nothing happens if the user is not registered."""
        await self._data.write(
            partial(table.change, app=app, user=user_id, name=name, portrait=portrait)
        )

    async def info(self, app: str, user_id: str) -> Profile | None:
        """What is known of a user; None if he was never registered."""
        return await self._data.read(partial(table.profile, app=app, user=user_id))
