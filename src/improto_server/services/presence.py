"""Who is online, for those who want to know, as SDK 2.5.3 asks for it (operations 10).

Online is who has a connection. A subscription lasts: SDK 2.5.3 does not repeat it when it comes
back; newer ones subscribe for a time, by :mod:`.subscriptions`. In memory are only those of users
who are online with an SDK that can be told, so that somebody nobody watches comes and goes at no
cost. Who comes online, and who subscribes, is told at once how things stand, because SDK 2.5.3
cannot ask for anybody but himself.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.watching import Watching, always
from improto_server.steps import start
from improto_server.store import presence as table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

SUBSCRIPTIONS: Final = 1000
"""Most users whose presence one user is told of. Ours."""

_PLATFORMS: Final = ("Web",)
"""What everybody who connects to this server is on."""

_logger = logging.getLogger(__name__)


class _UserStatus(msgspec.Struct, frozen=True):
    """Names as on the wire: online, platforms, status number."""

    o: bool
    p: tuple[str, ...]
    s: int


class _Status(msgspec.Struct, frozen=True):
    us: _UserStatus


class Presence:
    """The service."""

    def __init__(self, data: Data, hub: Hub) -> None:
        self._data = data
        self._hub = hub
        self._watching = Watching(hub, payloads.GetUserStatusOutput)
        hub.on_join.append(self._joined)
        hub.on_leave.append(self._left)

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.GET_USER_STATUS: self.get,
            Topic.SET_USER_STATUS: self.set,
            Topic.SUB_USER_STATUS: self.subscribe,
        }

    async def get(
        self, caller: Caller, target: str, request: payloads.GetUserStatusInput
    ) -> payloads.GetUserStatusOutput:
        """How things stand with the user that the frame names; SDK 2.5.3 names the caller.

        BIZ_ERROR_INVALID_PARAMETER: the id cannot be a user's.
        """
        if not is_user_id(target):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return await self._ask((caller.app, target))

    async def set(
        self, caller: Caller, target: str, request: payloads.SetUserStatusInput
    ) -> payloads.SetUserStatusOutput:
        """Set the caller's status number, and tell those who watch."""
        app, user = caller.key
        await self._data.write(partial(table.set_status, app=app, user=user, status=request.status))
        if caller.key in self._watching:
            await self._tell(caller.key)
        return payloads.SetUserStatusOutput(nothing=0)

    async def subscribe(
        self, caller: Caller, target: str, request: payloads.SubUserStatusInput
    ) -> payloads.SubUserStatusOutput:
        """Tell the caller from now on when these users come and go, and how they are now.

        BIZ_ERROR_INVALID_PARAMETER: an id cannot be a user's, or it would be more than
        :data:`SUBSCRIPTIONS`; then nothing has changed.
        """
        app, user = caller.key
        wanted = list(dict.fromkeys(request.userid))
        if not all(is_user_id(name) for name in wanted):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if wanted:
            subscribe = partial(_subscribe, app=app, subscriber=user, subjects=wanted)
            self._watch(caller.key, await self._data.write(subscribe))
        return payloads.SubUserStatusOutput(nothing=0)

    # -- who comes and goes ------------------------------------------------------------

    def _joined(self, device: Device) -> None:
        key = device.user.key
        if len(device.user.devices) == 1 and key in self._watching:
            start(self._tell(key), _logged)
        if self._watching.can_tell(device):
            start(self._resume(key), _logged)

    def _left(self, device: Device) -> None:
        key = device.user.key
        if not self._watching.is_reachable(key):
            self._watching.forget(key)
        if not device.user.devices and key in self._watching:
            start(self._tell(key), _logged)

    async def _resume(self, key: UserKey) -> None:
        """Somebody who can be told has come: tell him about everybody he watches."""
        app, user = key
        subjects = await self._data.read(partial(table.subjects, app=app, subscriber=user))
        self._watch(key, subjects)

    def _watch(self, key: UserKey, subjects: Mapping[str, int]) -> None:
        """Let him watch these users, and show him how they are. ``subjects`` have their numbers.

        Nothing happens if he has gone again, or came with an SDK that cannot be told.
        """
        app, _ = key
        if self._watching.watch(key, always((app, name) for name in subjects)):
            for name, number in subjects.items():
                self._watching.send(key, self._output((app, name), number))

    # -- telling -----------------------------------------------------------------------

    async def _tell(self, subject: UserKey) -> None:
        """Tell all who watch a user how he is now."""
        self._watching.tell(subject, await self._ask(subject))

    async def _ask(self, key: UserKey) -> payloads.GetUserStatusOutput:
        app, user = key
        number = await self._data.read(partial(table.status, app=app, user=user))
        return self._output(key, number)

    def _output(self, key: UserKey, number: int) -> payloads.GetUserStatusOutput:
        is_online = self._hub.find(key) is not None
        shown = _Status(_UserStatus(is_online, _PLATFORMS if is_online else (), number))
        text = msgspec.json.encode(shown).decode()
        return payloads.GetUserStatusOutput(status=text, subUserId=key[1])


def _subscribe(
    connection: Connection, *, app: str, subscriber: str, subjects: Sequence[str]
) -> dict[str, int]:
    known = table.subjects(connection, app=app, subscriber=subscriber)
    if len({*known, *subjects}) > SUBSCRIPTIONS:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    table.subscribe(connection, app=app, subscriber=subscriber, subjects=subjects)
    known = table.subjects(connection, app=app, subscriber=subscriber)
    return {name: known[name] for name in subjects}


def _logged(result: Exception | None) -> None:
    if result is not None:
        _logger.error("presence could not be told: %s", result)
