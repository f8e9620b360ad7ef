"""What RTC rooms and their members share: keys and values (operations 18).

Inner values of a room are followed by everybody in it: each change is announced by ``rtc_ntf``
and pulled by ``rtcPullKv``. Where a request says so, a change is told by a message as well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.rtc_room import entries, infos, pairs, users

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from improto_server.clock import MessageClock
    from improto_server.hub import Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.rtc import RtcRooms
    from improto_server.services.rtc_room import Member, RtcRoom, Values

_NTF_KEYS_CHANGED: Final = 1
"""``type`` of RtcNotifyMsg (session 12)."""

_ROOM: Final = 1
_SELF: Final = 2


class RtcData:
    """The service."""

    def __init__(self, rooms: RtcRooms, *, clock: MessageClock, hub: Hub) -> None:
        self._rooms = rooms
        self._clock = clock
        self._hub = hub

    def operations(self) -> Operations:
        """The queries it answers."""
        return {
            Topic.RTC_U_DATA: partial(self.members, True),
            Topic.RTC_U_LIST: partial(self.members, False),
            Topic.RTC_U_PUT: partial(self.put, _SELF),
            Topic.RTC_R_PUT: partial(self.put, _ROOM),
            Topic.RTC_U_DEL: partial(self.remove, _SELF),
            Topic.RTC_R_DEL: partial(self.remove, _ROOM),
            Topic.RTC_R_INFO: self.info,
            Topic.RTC_SET_DATA: self.set_data,
            Topic.RTC_DEL_DATA: self.delete_data,
            Topic.RTC_QRY_DATA: self.query_data,
            Topic.RTC_SET_OUT_DATA: self.set_outer,
            Topic.RTC_QRY_USER_OUT_DATA: self.query_outer,
            Topic.USER_SET_DATA: self.publish_media,
            Topic.RTC_PULL_KV: self.pull_entries,
        }

    def publishes(self) -> Operations:
        """What it takes as PUBLISH: the newer SDKs publish what SDK 2.5.3 asks."""
        return {
            Topic.RTC_SET_DATA: self.set_data,
            Topic.RTC_DEL_DATA: self.delete_data,
            Topic.RTC_U_DEL: partial(self.remove, _SELF),
        }

    # -- what is in a room ---------------------------------------------------------------

    async def members(
        self,
        with_data: bool,
        caller: Caller,
        target: str,
        request: payloads.RtcQueryListInput,
    ) -> payloads.RtcUserListOutput:
        """Who is in, the oldest first or, for order 2, the newest; with inner values or without."""
        room, member = self._rooms.require(caller, target, is_viewer_enough=True)
        return payloads.RtcUserListOutput(
            list=users(room, request.order, with_data=with_data),
            token=member.session_id,
            sessionId=room.session_id,
        )

    async def info(
        self, caller: Caller, target: str, request: payloads.RtcQueryListInput
    ) -> payloads.RtcRoomInfoOutput:
        """Everything about the room."""
        room, _ = self._rooms.require(caller, target, is_viewer_enough=True)
        return payloads.RtcRoomInfoOutput(
            roomId=target,
            roomData=infos(room.values.inner),
            userCount=len(room.members),
            list=users(room, request.order, with_data=True),
        )

    async def query_data(
        self, caller: Caller, target: str, request: payloads.RtcDataInput
    ) -> payloads.RtcQryOutput:
        """Values of the room or of the caller; without keys, all of them."""
        room, member = self._rooms.require(caller, target, is_viewer_enough=True)
        known = _owner(room, member, request.target).of(interior=request.interior)
        wanted = [key for key in request.key if key in known] if request.key else [*known]
        return payloads.RtcQryOutput(outInfo=infos({key: known[key] for key in wanted}))

    async def query_outer(
        self, caller: Caller, target: str, request: payloads.RtcQryUserOutDataInput
    ) -> payloads.RtcUserOutDataOutput:
        """Outer values of those of the named users who are in."""
        room, _ = self._rooms.require(caller, target, is_viewer_enough=True)
        reply = payloads.RtcUserOutDataOutput()
        for user in dict.fromkeys(request.userId):
            member = room.members.get(user)
            if member is not None:
                reply.user.add(userId=user, userData=infos(member.values.outer))
        return reply

    async def pull_entries(
        self, caller: Caller, target: str, request: payloads.RtcPullKV
    ) -> payloads.RtcKVOutput:
        """Inner values of the room that have changed after a time; all there are from the
        beginning, or if the change is too long ago."""
        room, _ = self._rooms.require(caller, request.roomId, is_viewer_enough=True)
        return payloads.RtcKVOutput(
            entries=entries(room, request.timestamp),
            bFullUpdate=not room.is_known(request.timestamp),
            syncTime=room.newest,
        )

    # -- changing it ---------------------------------------------------------------------

    async def put(
        self, owner: int, caller: Caller, target: str, request: payloads.RtcValueInfo
    ) -> None:
        """Set an inner value."""
        self._put(caller, target, owner, [(request.key, request.value)], interior=True)

    async def remove(
        self, owner: int, caller: Caller, target: str, request: payloads.RtcKeyDeleteInput
    ) -> None:
        """Delete inner values; those that there are not do no harm."""
        self._delete(caller, target, owner, request.key, interior=True)

    async def set_data(
        self, caller: Caller, target: str, request: payloads.RtcSetDataInput
    ) -> payloads.RtcOutput:
        """Set a value, and tell the others if the request says how."""
        self._put(
            caller,
            target,
            request.target,
            [(request.key, request.value)],
            interior=request.interior,
            notices=[(request.objectName, request.content)],
        )
        return payloads.RtcOutput(nothing=0)

    async def delete_data(
        self, caller: Caller, target: str, request: payloads.RtcDataInput
    ) -> payloads.RtcOutput:
        """Delete values, and tell the others if the request says how."""
        self._delete(
            caller,
            target,
            request.target,
            request.key,
            interior=request.interior,
            notices=[(request.objectName, request.content)],
        )
        return payloads.RtcOutput(nothing=0)

    async def set_outer(
        self, caller: Caller, target: str, request: payloads.RtcSetOutDataInput
    ) -> payloads.RtcOutput:
        """Set several outer values, and tell the others if the request says how."""
        self._put(
            caller,
            target,
            request.target,
            pairs(request.valueInfo),
            interior=False,
            notices=[(request.objectName, request.content)],
        )
        return payloads.RtcOutput(nothing=0)

    async def publish_media(
        self, caller: Caller, target: str, request: payloads.RtcUserSetDataInput
    ) -> None:
        """Set inner values of the caller, and tell the others twice.

        ``content`` has the name and content of a message that says what is new, for RTC libraries
        that go by that; a message named ``objectName`` has all of the values.
        """
        new = pairs(request.valueInfo)
        everything = msgspec.json.encode({key: _json(value) for key, value in new}).decode()
        notices = [*pairs(request.content), (request.objectName, everything)]
        self._put(caller, target, _SELF, new, interior=True, notices=notices)

    # -- helpers -------------------------------------------------------------------------

    def _put(
        self,
        caller: Caller,
        target: str,
        owner: int,
        new: Sequence[tuple[str, str]],
        *,
        interior: bool,
        notices: Sequence[tuple[str, str]] = (),
    ) -> None:
        room, member = self._rooms.require(caller, target)
        values = _owner(room, member, owner)
        values.check(new, interior=interior)
        # First, because a message can be refused; nobody can ask before all of it is done.
        for notice in notices:
            self._rooms.tell(caller, target, *notice)
        values.put(new, interior=interior)
        if values is room.values and interior:
            self._note(caller, target, room, [key for key, _ in new])

    def _delete(
        self,
        caller: Caller,
        target: str,
        owner: int,
        keys: Iterable[str],
        *,
        interior: bool,
        notices: Sequence[tuple[str, str]] = (),
    ) -> None:
        room, member = self._rooms.require(caller, target)
        values = _owner(room, member, owner)
        for notice in notices:
            self._rooms.tell(caller, target, *notice)
        gone = values.delete(keys, interior=interior)
        if values is room.values and interior:
            self._note(caller, target, room, gone)

    def _note(self, caller: Caller, target: str, room: RtcRoom, keys: list[str]) -> None:
        """Inner values of the room have changed: whoever is in shall pull them (session 12)."""
        if not keys:
            return
        time = self._clock.stamp(room.key)
        room.note(keys, user=caller.user_id, time=time)
        notice = payloads.RtcNotifyMsg(type=_NTF_KEYS_CHANGED, time=time, roomId=target)
        for user in (*room.members, *room.viewers):
            self._hub.command((caller.app, user), Topic.RTC_NTF, notice, but=caller.device)


def _owner(room: RtcRoom, member: Member, target: int) -> Values:
    """Whose values are meant: 1 the room's, 2 the caller's; 33003 otherwise (codes 8)."""
    if target == _ROOM:
        return room.values
    if target == _SELF:
        return member.values
    raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)


def _json(text: str) -> object:
    """What JSON text says; the text itself if it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
