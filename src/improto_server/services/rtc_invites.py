"""Calls between RTC rooms: invite, answer, end (operations 18).

Each is handed on as a message of type 12 in the room of those whom it is for, in the form that
RTC libraries read. What two rooms have agreed on is kept as an inner value of both, so that
newcomers find it, and is deleted at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.rtc_room import json_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto import payloads
    from improto_server.services import Caller, Operations
    from improto_server.services.rtc import RtcRooms
    from improto_server.services.rtc_room import RtcRoom


class RtcInvites:
    """The service. Whoever calls is in the room that the frame names; others get 20406. So does
    he if the one he means is not in the room that he says; an information that is no JSON object
    is 33003."""

    def __init__(self, rooms: RtcRooms) -> None:
        self._rooms = rooms

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.RTC_INVITE: self.invite,
            Topic.RTC_CANCEL_INVITE: self.cancel,
            Topic.RTC_INVITE_ANSWER: self.answer,
            Topic.RTC_END_INVITE: self.end,
        }

    async def invite(self, caller: Caller, target: str, request: payloads.RtcInviteInput) -> None:
        """Ask somebody in another room for a call. How long he rings is the clients' business."""
        self._ask(caller, target, "RCRTC:invite", request)

    async def cancel(
        self, caller: Caller, target: str, request: payloads.RtcCancelInviteInput
    ) -> None:
        """Take an invitation back."""
        self._ask(caller, target, "RCRTC:cancelInvite", request)

    async def answer(
        self, caller: Caller, target: str, request: payloads.RtcInviteAnswerInput
    ) -> None:
        """Take an invitation (1) or refuse it (0)."""
        own, _ = self._rooms.require(caller, target)
        other = self._other(caller, request.inviteRoomId, request.inviteUserId)
        content = {
            "answerCode": request.answerCode,
            "inviteContent": json_object(request.content),
        }
        pairs = [(request.key, request.value)] if request.key and request.answerCode else []
        for room in (own, other):
            room.values.check(pairs, interior=True)
        self._tell(
            caller, request.inviteRoomId, "RCRTC:answerInvite", content, [request.inviteUserId]
        )
        for room in (own, other):
            room.values.put(pairs, interior=True)

    async def end(self, caller: Caller, target: str, request: payloads.RtcEndInviteInput) -> None:
        """End the call. All in the other room are told; if nobody is left there, nobody."""
        own, _ = self._rooms.require(caller, target)
        content = {"inviteInfo": json_object(request.inviteContent)}
        rooms = [own]
        other = self._rooms.find(caller.app, request.inviteRoomId)
        if other is not None:
            rooms.append(other)
            self._tell(caller, request.inviteRoomId, "RCRTC:endInvite", content, [*other.members])
        for room in rooms:
            room.values.delete(request.inviteRoomKeys, interior=True)

    def _ask(
        self,
        caller: Caller,
        target: str,
        name: str,
        request: payloads.RtcInviteInput | payloads.RtcCancelInviteInput,
    ) -> None:
        self._rooms.require(caller, target)
        self._other(caller, request.invitedRoomId, request.invitedUserId)
        content = {"inviteInfo": json_object(request.inviteInfo)}
        self._tell(caller, request.invitedRoomId, name, content, [request.invitedUserId])

    def _other(self, caller: Caller, id: str, user: str) -> RtcRoom:
        room = self._rooms.find(caller.app, id)
        if room is None or user not in room.members:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        return room

    def _tell(
        self, caller: Caller, room_id: str, name: str, content: dict[str, Any], to: Iterable[str]
    ) -> None:
        text = msgspec.json.encode(content)
        self._rooms.show(caller.app, caller.user_id, room_id, name, text, to=to)
