"""What a user has set for his conversations (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Number, Text, user_id
from improto_server.services.access import conversation_type

if TYPE_CHECKING:
    from improto_server.services.conversation_settings import ConversationSettings

_TYPE: Final = Number("conversationType", least=1, most=8, default=1, is_required=True)
_USER: Final = user_id("requestId")
_TARGET: Final = Text("targetId", most_bytes=64, is_required=True)
_MUTED: Final = Number("isMuted", least=0, most=1, default=0, is_required=True)


class SettingsCalls:
    """Calls about settings."""

    def __init__(self, conversation_settings: ConversationSettings) -> None:
        self._settings = conversation_settings

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/conversation/notification/set",
                mark=Mark.SETTINGS,
                about="Mute a conversation of a user, or no longer; his devices are told.",
                parameters=(_TYPE, _USER, _TARGET, _MUTED),
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
        ]

    async def mute(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation."""
        type = conversation_type(call[_TYPE], call[_TARGET])
        await self._settings.mute(
            call.app, call[_USER], type, call[_TARGET], level=str(call[_MUTED])
        )
        return None

    async def is_muted(self, call: Call) -> Reply:
        """INVALID: there can be no such conversation."""
        type = conversation_type(call[_TYPE], call[_TARGET])
        muted = await self._settings.is_muted(call.app, call[_USER], type, call[_TARGET])
        return {"isMuted": int(muted)}
