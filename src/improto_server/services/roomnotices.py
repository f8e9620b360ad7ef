"""Telling the members of chatrooms who comes and who goes, if the operator wants it (messages 5).

A busy room has many comings and goings. So what happens between two ticks goes into one message,
and of somebody who comes and goes only the end is told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from improto import contents, payloads
from improto.contents import ChatroomMemberChange, MemberChange, MemberStatus
from improto_server.steps import start

if TYPE_CHECKING:
    from improto_server.services.attendance import Why
    from improto_server.services.chatrooms import Room, Rooms
    from improto_server.services.letters import Sent
    from improto_server.services.messages import Messages

MOST_CHANGES: Final = 500
"""In one message: at most 50 KiB, which the default limit of contents lets pass (codes 5)."""

_logger = logging.getLogger(__name__)


class RoomNotices:
    """Sends RC:ChrmMemChange. It comes from the last user whom it is about."""

    def __init__(self, rooms: Rooms, messages: Messages) -> None:
        self._messages = messages
        self._changes: dict[Room, dict[str, MemberStatus]] = {}
        if rooms.rules.member_notices:
            rooms.attendance.on_change.append(self._changed)

    def tick(self) -> None:
        """To be called every second: tell what has happened since."""
        changes, self._changes = self._changes, {}
        for room, users in changes.items():
            people = [*users.items()]
            for first in range(0, len(people), MOST_CHANGES):
                if room.exists:
                    start(self._send(room, people[first : first + MOST_CHANGES]), _log)

    def _changed(self, room: Room, user: str, status: MemberStatus, why: Why) -> None:
        # The last change is the last in the table.
        users = self._changes.setdefault(room, {})
        users.pop(user, None)
        users[user] = status

    async def _send(self, room: Room, people: list[tuple[str, MemberStatus]]) -> Sent:
        app, type, id = room.place
        sender, _ = people[-1]
        changes = tuple(MemberChange(user_id=user, status=status) for user, status in people)
        content = ChatroomMemberChange(user_list=changes)
        up = payloads.UpStreamMessage(
            sessionId=0, classname=content.object_name, content=contents.encode(content)
        )
        return await self._messages.post(app, sender, type, id, up)


def _log(result: Sent | Exception) -> None:
    if isinstance(result, Exception):
        _logger.error("members were not told who has come and gone: %s", result)
