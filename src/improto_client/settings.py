"""What a user has set for himself (operations 11, sdk5 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.operations import Topic
from improto_client.errors import Malformed

if TYPE_CHECKING:
    from improto_client.link import Link

_DAYS: Final = range(1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A time of every day in which nothing makes a noise."""

    start: str
    """``HH:MM:SS``."""
    minutes: int


class Settings:
    """``im.settings``. All methods raise Refused and what every request raises."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def keep_offline_messages(self, days: int) -> None:
        """For how many days to keep messages for this user; Malformed unless 1 to 7."""
        if days not in _DAYS:
            raise Malformed(f"days must be 1 to 7, not {days}")
        payload = payloads.SetUserSettingInput(version=0, value=str(days))
        await self._link.query(Topic.SET_OFFLINE_MSG_DUR, None, payload, may_repeat=True)

    async def quiet_hours(self) -> QuietHours | None:
        """The quiet hours; None if there are none."""
        reply = await self._link.ask(
            Topic.QRY_UNPUSH,
            None,
            payloads.QueryUnpushPeriodInput(nothing=1),
            payloads.QueryUnpushPeriodOutput,
            may_repeat=True,
        )
        if not reply.isUnpush:
            return None
        return QuietHours(start=reply.startTime, minutes=reply.spanMinutes)

    async def set_quiet_hours(self, start: str, minutes: int) -> None:
        """Be quiet every day from ``HH:MM:SS`` on; Refused with 26001 for what is no such time."""
        payload = payloads.AddUnpushPeriodInput(startTime=start, spanMinutes=minutes)
        await self._link.query(Topic.ADD_UNPUSH, None, payload, may_repeat=True)

    async def end_quiet_hours(self) -> None:
        """Have no quiet hours any more."""
        payload = payloads.DeleteUnpushPeriodInput(nothing=1)
        await self._link.query(Topic.DEL_UNPUSH, None, payload, may_repeat=True)
