"""Robots: users that are programs and answer (sdk5 4, 8.6).

SDK 5 asks for them at every login and tells its application which conversations are with one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.services import Caller, Operations

MOST_IDS: Final = 100
"""In one request. Ours."""


class Bots:
    """The service. ``names``: of the robots that every app has, by user id."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.Q_APP_BOT: self.all, Topic.Q_BOT: self.some}

    async def all(
        self, caller: Caller, target: str, request: payloads.BotInput
    ) -> payloads.BotOutput:
        """All robots of the app; whatever ids are named."""
        return self._described(self._names)

    async def some(
        self, caller: Caller, target: str, request: payloads.BotInput
    ) -> payloads.BotOutput:
        """Those that are named, without the ids that are no robots; 33003 for more than 100."""
        if len(request.ids) > MOST_IDS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return self._described({id: self._names[id] for id in request.ids if id in self._names})

    def _described(self, names: Mapping[str, str]) -> payloads.BotOutput:
        reply = payloads.BotOutput()
        for id, name in names.items():
            reply.bots.add(id=id, name=name)
        return reply
