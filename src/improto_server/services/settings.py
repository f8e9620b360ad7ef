"""What users have set for themselves (operations 11, sdk5 8.3).

Clients ask by ``pullUS`` for what has changed. A version that nothing is newer than is answered
with itself: clients ask again for ever below the highest they have seen. Quiet hours they ask
for when they need them. The server pushes to no phone and translates nothing, so to itself these
settings make no difference; it keeps them for the user's devices.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode, UserSettingStatus
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.store import settings as table
from improto_server.store.settings import QuietHours, UserSetting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

_DAYS: Final = {str(days): days for days in range(1, 8)}
"""For how long a user can have his messages kept (operations 11)."""

_TAG: Final = "Tag"
"""The key of tags (operations 11)."""

_LANGUAGE: Final = Topic.TRANS_LAN.value
"""The key of the language that the user reads, spelt like the topic that sets it (sdk5 7)."""

_AUTOMATIC: Final = Topic.AUTO_TRANS.value
"""The same for whether messages are translated unasked."""

LANGUAGE_CHARACTERS: Final = 64
"""The longest name of a language. Ours."""

_BOTH: Final = frozenset({"0", "1"})

TIME_OF_DAY: Final = r"([01][0-9]|2[0-3])(:[0-5][0-9]){2}"
"""``HH:mm:ss``."""

MOST_QUIET_MINUTES: Final = 24 * 60 - 1
"""Of quiet hours (sdk5 8.3)."""

_TIME_OF_DAY: Final = re.compile(TIME_OF_DAY)
_TIMEZONE: Final = re.compile(r"[A-Za-z0-9_+:/-]{0,64}")
_MINUTES: Final = range(1, MOST_QUIET_MINUTES + 1)
_QUIET_LEVELS: Final = frozenset({0, 1, 5})
"""As the application has it, mentions only, nothing (sdk5 8.3)."""

_logger = logging.getLogger(__name__)


class UserSettings:
    """The service.

    ``days``: users who want their messages kept for another number of days than the server's;
    it stays up to date.
    """

    def __init__(
        self, data: Data, *, clock: MessageClock, hub: Hub, days: dict[UserKey, int]
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self.days = days

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.PULL_US: self.changed,
            Topic.TRANS_LAN: self.read_in,
            Topic.AUTO_TRANS: self.translate,
            Topic.ADD_UNPUSH: self.set_quiet_hours,
            Topic.DEL_UNPUSH: self.end_quiet_hours,
            Topic.QRY_UNPUSH: self.quiet_hours,
            Topic.SET_OFFLINE_MSG_DUR: self.keep_messages,
            Topic.REPORTSDK: self.report_sdk,
        }

    async def changed(
        self, caller: Caller, target: str, request: payloads.PullUserSettingInput
    ) -> payloads.PullUserSettingOutput:
        """What has changed after a version, each setting as an item, and the newest version.

        Tags are one setting: if one has changed, all that there are.
        """
        version = max(0, request.version)
        return await self._data.read(partial(_changed, caller=caller, version=version))

    async def read_in(
        self, caller: Caller, target: str, request: payloads.SetUserSettingInput
    ) -> payloads.SetUserSettingOutput:
        """Set the language that the user reads; 33003 unless it has 1 to 64 characters."""
        if not 0 < len(request.value) <= LANGUAGE_CHARACTERS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return await self._set(caller, _LANGUAGE, request)

    async def translate(
        self, caller: Caller, target: str, request: payloads.SetUserSettingInput
    ) -> payloads.SetUserSettingOutput:
        """Set whether messages are translated unasked; 33003 unless ``value`` is 0 or 1."""
        if request.value not in _BOTH:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return await self._set(caller, _AUTOMATIC, request)

    async def set_quiet_hours(
        self, caller: Caller, target: str, request: payloads.AddUnpushPeriodInput
    ) -> None:
        """Set when the user wants to be left alone every day.

        26001 unless it begins at a time of day, ``HH:mm:ss``, takes 1 to 1439 minutes, has a level
        of 0, 1 or 5 or none, and a time zone of up to 64 letters, digits and ``_+-:/`` or none.
        """
        if not (
            _TIME_OF_DAY.fullmatch(request.startTime)
            and request.spanMinutes in _MINUTES
            and request.level in _QUIET_LEVELS
            and _TIMEZONE.fullmatch(request.timezone)
        ):
            raise ServiceError(ErrorCode.PUSHSETTING_PARAMETER_INVALID)
        hours = QuietHours(request.startTime, request.spanMinutes, request.level, request.timezone)
        await self.put_hours(caller.key, hours)

    async def end_quiet_hours(
        self, caller: Caller, target: str, request: payloads.DeleteUnpushPeriodInput
    ) -> None:
        """The user has no quiet hours any more."""
        await self.put_hours(caller.key, None)

    async def quiet_hours(
        self, caller: Caller, target: str, request: payloads.QueryUnpushPeriodInput
    ) -> payloads.QueryUnpushPeriodOutput:
        """The user's quiet hours; ``isUnpush`` is 0 if he has none."""
        hours = await self.hours(caller.key)
        if hours is None:
            return payloads.QueryUnpushPeriodOutput(isUnpush=0)
        return payloads.QueryUnpushPeriodOutput(
            isUnpush=1,
            startTime=hours.start,
            spanMinutes=hours.minutes,
            level=hours.level,
            timezone=hours.timezone or None,
        )

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

    # -- for the application -------------------------------------------------------------

    async def put_hours(self, key: UserKey, hours: QuietHours | None) -> None:
        """Set when a user is to be left alone every day; None: never."""
        app, user = key
        await self._data.write(partial(table.put_hours, app=app, user=user, hours=hours))

    async def hours(self, key: UserKey) -> QuietHours | None:
        """A user's quiet hours; None if he has none."""
        app, user = key
        return await self._data.read(partial(table.hours, app=app, user=user))

    async def _set(
        self, caller: Caller, key: str, request: payloads.SetUserSettingInput
    ) -> payloads.SetUserSettingOutput:
        version = self._clock.stamp(caller.key)
        setting = UserSetting(key, request.value, version)
        is_whole = await self._data.write(
            partial(_put, caller=caller, setting=setting, known=request.version)
        )
        notice = payloads.UserSettingNotification(version=version, reserve=False)
        self._hub.command(caller.key, Topic.S_US, notice, but=caller.device)
        return payloads.SetUserSettingOutput(version=version, reserve=False, updateVersion=is_whole)


def _put(connection: Connection, *, caller: Caller, setting: UserSetting, known: int) -> bool:
    """Whether who knew all up to ``known`` now knows all."""
    app, user, *_ = caller
    is_whole = known >= table.newest_of_user(connection, app=app, user=user)
    table.put_of_user(connection, app=app, user=user, setting=setting)
    return is_whole


def _changed(
    connection: Connection, *, caller: Caller, version: int
) -> payloads.PullUserSettingOutput:
    app, user, *_ = caller
    settings = table.of_user(connection, app=app, user=user, version=version)
    tags = table.tags_of(connection, app=app, user=user)
    changed_tags = max((tag.version for tag in tags), default=0)
    if changed_tags > version:
        settings.append(UserSetting(_TAG, _TAG, changed_tags))
    settings.sort(key=lambda setting: setting.version)
    reply = payloads.PullUserSettingOutput(version=version)
    for setting in settings:
        reply.version = setting.version
        item = reply.items.add(
            targetId=user,
            type=ConversationType.PRIVATE,
            key=setting.key,
            value=setting.value.encode(),
            version=setting.version,
            status=UserSettingStatus.UPDATED,
        )
        # SDKs forget all tags that they are not told of here.
        for tag in tags if setting.key == _TAG else ():
            if tag.status != UserSettingStatus.REMOVED:
                item.tags.add(tagId=tag.tag, name=tag.name, createdTime=tag.created)
    return reply
