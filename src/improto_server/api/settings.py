"""What a user has set for his conversations and for himself (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.common import USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Flag, Formed, Number, Text, user_id
from improto_server.services.access import conversation_type
from improto_server.services.settings import MOST_QUIET_MINUTES, TIME_OF_DAY
from improto_server.store.settings import QuietHours

if TYPE_CHECKING:
    from improto_server.services.conversation_settings import ConversationSettings
    from improto_server.services.settings import UserSettings

_TYPE: Final = Number("conversationType", least=1, most=8, default=1, is_required=True)
_USER: Final = user_id("requestId")
_TARGET: Final = Text("targetId", most_bytes=64, is_required=True)
_MUTED: Final = Number("isMuted", least=0, most=1, default=0, is_required=True)
_LEVEL: Final = Number[int | None]("unpushLevel", least=-1, most=5, default=None)
_TYPE_LEVEL: Final = Number("unpushLevel", least=-1, most=5, default=0, is_required=True)
_TOP: Final = Flag("setTop", is_required=True)
_START: Final = Formed("startTime", pattern=TIME_OF_DAY, limit="a time of day, HH:MM:SS")
_PERIOD: Final = Number("period", least=1, most=MOST_QUIET_MINUTES, default=1, is_required=True)
_QUIET: Final = Formed("level", pattern="[015]", limit="0, 1 or 5", is_required=False)


class SettingsCalls:
    """Calls about settings."""

    def __init__(
        self, conversation_settings: ConversationSettings, user_settings: UserSettings
    ) -> None:
        self._settings = conversation_settings
        self._of_users = user_settings

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/conversation/notification/set",
                mark=Mark.SETTINGS,
                about="Mute a conversation of a user, or no longer; his devices are told. With"
                " unpushLevel: how loud it is, from -1 for all to 5 for nothing.",
                parameters=(_TYPE, _USER, _TARGET, _MUTED, _LEVEL),
                call=self.mute,
            ),
            Endpoint(
                path="/conversation/notification/get",
                mark=Mark.SETTINGS,
                about="Whether a user has muted a conversation.",
                parameters=(_TYPE, _USER, _TARGET),
                call=self.is_muted,
                reply="isMuted: 1 or 0",
            ),
            Endpoint(
                path="/conversation/type/notification/set",
                mark=Mark.SETTINGS,
                about="Say how loud a user's conversations of a type are that have no level of"
                " their own; his devices are told.",
                parameters=(_TYPE, _USER, _TYPE_LEVEL),
                call=self.mute_type,
            ),
            Endpoint(
                path="/conversation/type/notification/get",
                mark=Mark.SETTINGS,
                about="How loud they are.",
                parameters=(_TYPE, _USER),
                call=self.level_of_type,
                reply="isMuted: the level",
            ),
            Endpoint(
                path="/conversation/top/set",
                mark=Mark.SETTINGS,
                about="Keep a conversation on top of a user's list, or no longer; his devices are"
                " told.",
                parameters=(USER, _TYPE, _TARGET, _TOP),
                call=self.put_on_top,
            ),
            Endpoint(
                path="/user/blockPushPeriod/set",
                mark=Mark.SETTINGS,
                about="Say when a user is to be left alone every day, for how many minutes and at"
                " which level: 0 as the application has it, 1 all but mentions, 5 all. His"
                " devices find it among his settings.",
                parameters=(USER, _START, _PERIOD, _QUIET),
                call=self.set_quiet_hours,
            ),
            Endpoint(
                path="/user/blockPushPeriod/get",
                mark=Mark.SETTINGS,
                about="When a user is to be left alone.",
                parameters=(USER,),
                call=self.quiet_hours,
                reply="data: {startTime, period, unPushLevel}, empty for never",
            ),
            Endpoint(
                path="/user/blockPushPeriod/delete",
                mark=Mark.SETTINGS,
                about="He is never to be left alone.",
                parameters=(USER,),
                call=self.end_quiet_hours,
            ),
        ]

    async def mute(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation."""
        type = conversation_type(call[_TYPE], call[_TARGET])
        level = call[_MUTED] if call[_LEVEL] is None else call[_LEVEL]
        await self._settings.mute(call.app, call[_USER], type, call[_TARGET], level=str(level))
        return None

    async def is_muted(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation."""
        type = conversation_type(call[_TYPE], call[_TARGET])
        muted = await self._settings.is_muted(call.app, call[_USER], type, call[_TARGET])
        return {"isMuted": int(muted)}

    async def mute_type(self, call: Call) -> Reply:
        """INVALID: there are no such conversations."""
        await self._settings.mute_type(call.app, call[_USER], call[_TYPE], level=call[_TYPE_LEVEL])
        return None

    async def level_of_type(self, call: Call) -> Reply:
        """0, if nobody has said."""
        level = await self._settings.level_of_type(call.app, call[_USER], call[_TYPE])
        return {"isMuted": level}

    async def put_on_top(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation."""
        type, target = conversation_type(call[_TYPE], call[_TARGET]), call[_TARGET]
        await self._settings.put_on_top(call.app, call[USER], type, target, is_top=call[_TOP])
        return None

    async def set_quiet_hours(self, call: Call) -> Reply:
        """What was set before is forgotten."""
        hours = QuietHours(call[_START], call[_PERIOD], int(call[_QUIET] or "1"), "")
        await self._of_users.put_hours((call.app, call[USER]), hours)
        return None

    async def quiet_hours(self, call: Call) -> Reply:
        """Numbers are numbers here."""
        hours = await self._of_users.hours((call.app, call[USER]))
        if hours is None:
            return {"data": {}}
        return {
            "data": {
                "startTime": hours.start,
                "period": hours.minutes,
                "unPushLevel": hours.level,
            }
        }

    async def end_quiet_hours(self, call: Call) -> Reply:
        """Harmless if he has none."""
        await self._of_users.put_hours((call.app, call[USER]), None)
        return None
