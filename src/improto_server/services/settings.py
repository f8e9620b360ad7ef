"""What users have set for themselves (operations 11).

Of what clients ask for by ``pullUS`` there are tags so far. A version that nothing is newer than
is answered with itself: clients ask again for ever below the highest they have seen.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.store import settings as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

_DAYS: Final = {str(days): days for days in range(1, 8)}
"""For how long a user can have his messages kept (operations 11)."""

_TAG: Final = "Tag"
"""The key of tags (operations 11)."""

_logger = logging.getLogger(__name__)


class UserSettings:
    """The service.

    ``days``: users who want their messages kept for another number of days than the server's;
    it stays up to date.
    """

    def __init__(self, data: Data, *, days: dict[UserKey, int]) -> None:
        self._data = data
        self.days = days

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.PULL_US: self.changed,
            Topic.SET_OFFLINE_MSG_DUR: self.keep_messages,
            Topic.REPORTSDK: self.report_sdk,
        }

    async def changed(
        self, caller: Caller, target: str, request: payloads.PullUserSettingInput
    ) -> payloads.PullUserSettingOutput:
        """What has changed after a version, each change as an item, and the newest version."""
        version = max(0, request.version)
        return await self._data.read(partial(_changed, caller=caller, version=version))

    async def keep_messages(
        self, caller: Caller, target: str, request: payloads.SetUserSettingInput
    ) -> None:
        """A device without a cursor finds messages of so many days; not more than the server
        keeps. 33003 unless ``value`` is 1 to 7 in digits."""
        days = _DAYS.get(request.value)
        if days is None:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        app, user, *_ = caller
        await self._data.write(partial(table.set_window, app=app, user=user, days=days))
        self.days[caller.key] = days

    async def report_sdk(
        self, caller: Caller, target: str, request: payloads.ReportSDKInput
    ) -> None:
        """Which SDK the client is, as JSON text (operations 4)."""
        _logger.debug("%s of app %s uses %.200r", caller.user_id, caller.app, request.sdkInfo)


def _changed(
    connection: Connection, *, caller: Caller, version: int
) -> payloads.PullUserSettingOutput:
    app, user, *_ = caller
    tags = table.tags_of(connection, app=app, user=user, version=version)
    newest = max((tag.version for tag in tags), default=version)
    reply = payloads.PullUserSettingOutput(version=newest)
    for tag in sorted(tags, key=lambda tag: tag.version):
        item = reply.items.add(
            targetId=user,
            type=ConversationType.PRIVATE,
            key=_TAG,
            value=tag.tag.encode(),
            version=tag.version,
            status=tag.status,
        )
        item.tags.add(tagId=tag.tag, name=tag.name, createdTime=tag.created)
    return reply
