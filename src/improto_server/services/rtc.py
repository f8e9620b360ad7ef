"""RTC rooms: who is in, and what they say to each other (operations 18).

Members are told who comes and goes by a message that RTC libraries read: ``RCRTC:state``.

The server keeps who is in which room and the values they share (:mod:`.rtc_data`), and hands
messages on. It has no media and knows no media server, so its tokens are random and open
nothing. All of it is in memory and gone with the process; clients join again.

Who is in a room must say so again and again (``rtcPing``), else he is out after
:data:`KICK_SECONDS`. Viewers are in while they are online. Whoever is not in a room may not
ask or do anything there (20406).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError, StatusAnswer
from improto_server.services.accounts import is_user_id
from improto_server.services.rtc_room import Member, RtcRoom, Values, entries, infos, pairs, users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.letters import Sent
    from improto_server.services.messages import Messages
    from improto_server.services.standings import Standings
    from improto_server.store import Place

KICK_SECONDS: Final = 60
"""After that time without a ping a member is out (operations 18)."""

NOT_IN_ROOM: Final = 40003
"""The status of a ping by which RTC libraries understand that they are out."""

STAYS: Final = 16
"""In how many rooms a user may be at a time. Ours."""

_STATE: Final = "RCRTC:state"
_JOINED: Final = "0"
_LEFT: Final = "1"
_LOST: Final = "2"

_JOIN_REFUSE: Final = 1
_TO_VIEWER: Final = 1
_TO_HOST: Final = 2

_logger = logging.getLogger(__name__)


class RtcRooms:
    """The service. ``random`` gives that many random bytes; ``monotonic`` is in seconds."""

    def __init__(
        self,
        *,
        clock: MessageClock,
        hub: Hub,
        messages: Messages,
        standings: Standings,
        chatrooms: Rooms,
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._clock = clock
        self._hub = hub
        self._messages = messages
        self._standings = standings
        self._chatrooms = chatrooms
        self._monotonic = monotonic
        self._random = random
        self._rooms: dict[tuple[str, str], RtcRoom] = {}
        # Of users, the rooms they are in.
        self._stays: dict[UserKey, set[str]] = {}
        # Of chatrooms, the RTC rooms that belong to them.
        self._bound: dict[Place, str] = {}
        chatrooms.on_destroyed.append(self._unbind)

    def operations(self) -> Operations:
        """The queries it answers."""
        return {
            Topic.RTC_R_JOIN_DATA: self.join,
            Topic.RTC_R_EXIT: self.exit,
            Topic.RTC_PING: self.ping,
            Topic.RTC_TOKEN: self.token,
            Topic.RTC_USER_STATE: self.report,
            Topic.VIEWER_JOIN_R: self.watch,
            Topic.VIEWER_EXIT_R: self.exit,
            Topic.RTC_IDENTITY_CHANGE: self.change_identity,
            Topic.RTC_QUERY_JOINED: self.joined,
            Topic.SET_RTC_ROOM_ID: self.bind,
            Topic.QRY_VOIP_K: self.call_key,
        }

    def publishes(self) -> Operations:
        """What it takes as PUBLISH."""
        return {Topic.PR_MSG_S: self.send, Topic.PR_MSG_P: self.send}

    def tick(self) -> None:
        """Whoever has not been heard of is out. To be called every second or so."""
        limit = self._monotonic() - KICK_SECONDS
        for (app, id), room in [*self._rooms.items()]:
            late = [user for user, member in room.members.items() if member.seen < limit]
            away = [user for user in room.viewers if self._hub.find((app, user)) is None]
            for user in (*late, *away):
                self._leave(app, id, room, user, state=_LOST)

    # -- coming and going ----------------------------------------------------------------

    async def join(
        self, caller: Caller, target: str, request: payloads.RtcInput
    ) -> payloads.RtcUserListOutput:
        """Come into a room, which is made if need be; what is in it.

        Whoever is in already stays in, with this device from now on; but if the request says
        that the device he is in with goes first, and that is another one, 20406; also if he is in
        :data:`STAYS` rooms.
        """
        room = self._room(caller.app, target)
        known = room.members.get(caller.user_id) if room is not None else None
        if request.joinType == _JOIN_REFUSE and _is_elsewhere(known, caller):
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        values = Values() if known is None else known.values
        inner = pairs(request.innerDatas)
        if request.HasField("extraInnerData"):
            inner += pairs([request.extraInnerData])
        outer = pairs(request.outerDatas)
        values.check(inner, interior=True)
        values.check(outer, interior=False)
        self._enter(caller, target)
        values.put(inner, interior=True)
        values.put(outer, interior=False)
        if room is None:
            room = self._rooms[caller.app, target] = RtcRoom(
                caller.app, target, session_id=self._name()
            )
        room.viewers.pop(caller.user_id, None)
        member = room.members[caller.user_id] = self._member(caller, known)
        member.values = values
        if known is None:
            self._announce(caller.app, target, room, caller.user_id, _JOINED)
        return self._state(room, member)

    async def exit(self, caller: Caller, target: str, request: payloads.SetUserStatusInput) -> None:
        """Go, as a member or a viewer; harmless if the caller is not in, or with another device."""
        room = self._room(caller.app, target)
        if room is not None and not _is_elsewhere(room.members.get(caller.user_id), caller):
            self._leave(caller.app, target, room, caller.user_id)

    async def ping(self, caller: Caller, target: str, request: payloads.RtcInput) -> None:
        """The caller is still there. :data:`NOT_IN_ROOM`: he is out, or in with another device."""
        room = self._room(caller.app, target)
        member = room.members.get(caller.user_id) if room is not None else None
        if member is None or _is_elsewhere(member, caller):
            raise StatusAnswer(NOT_IN_ROOM)
        member.seen = self._monotonic()

    async def token(
        self, caller: Caller, target: str, request: payloads.RtcInput
    ) -> payloads.RtcTokenOutput:
        """A random token, another one each time."""
        self._room(caller.app, target)
        return payloads.RtcTokenOutput(rtcToken=self._name())

    async def watch(
        self, caller: Caller, target: str, request: payloads.RtcInput
    ) -> payloads.RtcViewerJoinedOutput:
        """Come into a room as a viewer. 20406 if nobody is in it, or the caller in too many."""
        room = self._room(caller.app, target)
        if room is None:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        self._enter(caller, target)
        if room.members.pop(caller.user_id, None) is not None:
            self._announce(caller.app, target, room, caller.user_id, _LEFT)
        viewer = self._member(caller, room.viewers.get(caller.user_id))
        room.viewers[caller.user_id] = viewer
        return payloads.RtcViewerJoinedOutput(
            rtcToken=viewer.session_id, entries=entries(room), syncTime=room.newest
        )

    async def change_identity(
        self, caller: Caller, target: str, request: payloads.RtcInput
    ) -> payloads.RtcUserListOutput:
        """A host becomes a viewer (1), or a viewer a host (2); other numbers are 33003."""
        room, member = self.require(caller, target, is_viewer_enough=True)
        if request.identityChangeType not in (_TO_VIEWER, _TO_HOST):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        is_host = request.identityChangeType == _TO_HOST
        old, new = (room.viewers, room.members) if is_host else (room.members, room.viewers)
        has_changed = old.pop(caller.user_id, None) is not None
        new[caller.user_id] = member
        if has_changed:
            state, role = (_JOINED, _TO_HOST) if is_host else (_LEFT, _TO_VIEWER)
            self._announce(caller.app, target, room, caller.user_id, state, switchRoleType=role)
        member.seen = self._monotonic()
        return self._state(room, member)

    async def joined(
        self, caller: Caller, target: str, request: payloads.RtcQueryUserJoinedInput
    ) -> payloads.RtcQueryUserJoinedOutput:
        """In which rooms the caller is. Others are nobody's business: 20406."""
        if request.userId != caller.user_id:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        reply = payloads.RtcQueryUserJoinedOutput()
        for id in sorted(self._stays.get(caller.key, ())):
            member = self._rooms[caller.app, id].members.get(caller.user_id)
            if member is not None:
                # Devices have no ids on the web (session 1), stays do.
                reply.info.add(deviceId=member.session_id, roomId=id, joinTime=member.joined)
        return reply

    # -- the rest ------------------------------------------------------------------------

    async def send(self, caller: Caller, target: str, request: payloads.UpStreamMessage) -> Sent:
        """Show a message to the other members who are there; it is not kept.

        If it names users, only to these. 20406: the caller is muted or not in.
        """
        standing = await self._standings.load(caller.key)
        if standing.muted_until > self._clock.now():
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        room, _ = self.require(caller, target)
        others = [user for user in room.members if user != caller.user_id]
        if request.userId:
            others = [user for user in others if user in request.userId]
        return self._messages.show(
            *caller.key, ConversationType.RTC_ROOM, target, request, receivers=others
        )

    async def report(
        self, caller: Caller, target: str, request: payloads.MCFollowInput
    ) -> payloads.RtcOutput:
        """A text for the log."""
        _logger.debug("%s in RTC room %.64r: %.200r", caller.user_id, target, request.id)
        return payloads.RtcOutput(nothing=0)

    async def bind(
        self, caller: Caller, target: str, request: payloads.SetRtcRoomIdInput
    ) -> payloads.SetRtcRoomIdOutput:
        """Bind an RTC room to a chatroom that the caller is in (23406, 23410)."""
        if not is_user_id(request.rtcRoomId):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        room = await self._chatrooms.require(caller.app, target, caller.user_id)
        self._bound[room.place] = request.rtcRoomId
        return payloads.SetRtcRoomIdOutput(nothing=0)

    async def call_key(
        self, caller: Caller, target: str, request: payloads.VoipDynamicInput
    ) -> None:
        """A key for a call engine: there is none (24014)."""
        raise ServiceError(ErrorCode.NOVOIP)

    def bound(self, place: Place) -> str | None:
        """The RTC room that a chatroom is bound to."""
        return self._bound.get(place)

    # -- helpers -------------------------------------------------------------------------

    def find(self, app: str, id: str) -> RtcRoom | None:
        """A room that somebody is in."""
        return self._rooms.get((app, id))

    def _announce(
        self, app: str, id: str, room: RtcRoom, user: str, state: str, **more: int
    ) -> None:
        """Tell the others that somebody has come or gone."""
        content = msgspec.json.encode({"users": [{"userId": user, "state": state, **more}]})
        others = [other for other in room.members if other != user]
        self.show(app, user, id, _STATE, content, to=others)

    def show(
        self, app: str, sender: str, id: str, object_name: str, content: bytes, *, to: Iterable[str]
    ) -> None:
        """Show a message in a room to those of these users who are there. Raises ServiceError."""
        up = payloads.UpStreamMessage(sessionId=0, classname=object_name, content=content)
        self._messages.show(app, sender, ConversationType.RTC_ROOM, id, up, receivers=to)

    def _room(self, app: str, id: str) -> RtcRoom | None:
        if not is_user_id(id):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return self._rooms.get((app, id))

    def require(
        self, caller: Caller, id: str, *, is_viewer_enough: bool = False
    ) -> tuple[RtcRoom, Member]:
        room = self._room(caller.app, id)
        member = room.members.get(caller.user_id) if room is not None else None
        if member is None and room is not None and is_viewer_enough:
            member = room.viewers.get(caller.user_id)
        if room is None or member is None:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        return room, member

    def _member(self, caller: Caller, known: Member | None) -> Member:
        if known is None:
            return Member(
                caller.device,
                session_id=self._name(),
                joined=self._clock.now(),
                seen=self._monotonic(),
            )
        known.device = caller.device
        known.seen = self._monotonic()
        return known

    def _enter(self, caller: Caller, id: str) -> None:
        stays = self._stays.setdefault(caller.key, set())
        if id not in stays and len(stays) >= STAYS:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        stays.add(id)

    def _leave(self, app: str, id: str, room: RtcRoom, user: str, *, state: str = _LEFT) -> None:
        if room.members.pop(user, None) is not None:
            self._announce(app, id, room, user, state)
        room.viewers.pop(user, None)
        stays = self._stays.get((app, user), set())
        stays.discard(id)
        if not stays:
            self._stays.pop((app, user), None)
        if room.is_empty:
            self._rooms.pop((app, id), None)

    def _name(self) -> str:
        return self._random(16).hex()

    def _state(self, room: RtcRoom, member: Member) -> payloads.RtcUserListOutput:
        return payloads.RtcUserListOutput(
            list=users(room, 0, with_data=True),
            token=member.session_id,
            sessionId=room.session_id,
            roomInfo=infos(room.values.inner),
            entries=entries(room),
            syncTime=room.newest,
            offlineKickTime=KICK_SECONDS,
        )

    def tell(self, caller: Caller, target: str, object_name: str, content: str) -> None:
        """Tell the other members something, if it has a name."""
        if object_name:
            room, _ = self.require(caller, target)
            others = [user for user in room.members if user != caller.user_id]
            self.show(*caller.key, target, object_name, content.encode(), to=others)

    def _unbind(self, place: Place) -> None:
        self._bound.pop(place, None)


def _is_elsewhere(member: Member | None, caller: Caller) -> bool:
    """Whether he is in with another device, which is still there."""
    device = member.device if member is not None else None
    return device is not None and device is not caller.device and device.is_open
