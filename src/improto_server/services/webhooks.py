"""What the application is told of, and in which words (rest 10.1 to 10.3).

An app that wants to hear nothing costs nothing: what happens is looked at only if some app has a
URL for it. Everything goes through the :class:`.outbox.Outbox`, in the order in which it happened.

Who is online is told by session, so that each beginning has its end. If the server dies, the end
is told when it is back: the store knows which sessions had begun.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from improto.contents import MemberStatus
from improto_server.services.attendance import Why
from improto_server.services.channels import CHANNELS, source
from improto_server.services.outbox import Kind, Stream
from improto_server.store import outbox as table
from improto_server.store.outbox import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from improto_server.clock import MessageClock
    from improto_server.hub import Device, Hub
    from improto_server.services.chatrooms import Room, Rooms
    from improto_server.services.data import Data
    from improto_server.services.letters import Letter
    from improto_server.services.messages import Messages
    from improto_server.services.outbox import Outbox
    from improto_server.store import NewMessage, Place

_encode: Final = msgspec.json.Encoder().encode

_NO_WORD: Final = "0"
_REPLACED_WORD: Final = "2"

_ONLINE: Final = "0"
_OFFLINE: Final = "1"
_LOGGED_OUT: Final = "2"


class RoomEvent(enum.IntEnum):
    """``type`` of the chatroom callback (rest 10.3)."""

    CREATED = 0
    JOINED = 1
    LEFT = 2
    DESTROYED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRules:
    """What the operator decides about webhooks."""

    wanted: Mapping[str, frozenset[Kind]] = field(default_factory=dict)
    """The kinds that each app has a URL for."""
    posts: bool = False
    """Whether messages of the REST API are told of as well."""
    most_waiting: int = 100_000
    """What may wait to be taken, of each app and kind."""
    keep_days: int = 3
    """How long it waits."""


class Webhooks:
    """The service.

    ``interrupted``: sessions of an earlier run. ``random``: so many bytes that nobody can guess.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        messages: Messages,
        rooms: Rooms,
        rules: HookRules,
        interrupted: Iterable[Session],
        random: Callable[[int], bytes],
    ) -> None:
        self._outbox = outbox
        self._data = data
        self._clock = clock
        self._rules = rules
        self._sessions: dict[Device, Session] = {}
        self._random = random
        subscribe: dict[Kind, Callable[[], None]] = {
            Kind.MESSAGES: lambda: messages.on_append.append(self._appended),
            Kind.ONLINE: lambda: self._watch(hub),
            Kind.CHATROOMS: lambda: self._visit(rooms),
        }
        for kind in frozenset[Kind]().union(*rules.wanted.values()):
            subscribe[kind]()
        for session in interrupted:
            self._end(session, _OFFLINE)

    # -- messages --------------------------------------------------------------------

    def _appended(self, letter: Letter, message: NewMessage) -> None:
        channel = CHANNELS.get(message.type)
        stream = self._stream(message.app, Kind.MESSAGES)
        if channel is None or stream is None or (letter.device is None and not self._rules.posts):
            return
        time = str(message.time)
        fields = {
            "fromUserId": message.sender,
            "toUserId": message.target,
            "objectName": message.object_name,
            "content": letter.up.content.decode(errors="replace"),
            "channelType": channel,
            "msgTimestamp": time,
            "timestamp": time,
            "msgUID": message.uid,
            "sensitiveType": _REPLACED_WORD if letter.has_replaced_words else _NO_WORD,
            "source": source(letter.device),
        }
        if letter.device is not None:
            fields["clientIp"] = letter.device.peer.address
        if letter.up.userId and not message.in_stream:
            fields["groupUserIds"] = _encode(list(message.receivers)).decode()
        self._outbox.put_message(
            stream,
            _encode(fields),
            time=message.time,
            uid=message.uid,
            in_history=message.in_history,
        )

    # -- who is online ---------------------------------------------------------------

    def _watch(self, hub: Hub) -> None:
        hub.on_join.append(self._joined)
        hub.on_leave.append(self._left)

    def _joined(self, device: Device) -> None:
        app, user = device.user.key
        if self._stream(app, Kind.ONLINE) is None:
            return
        session = Session(self._random(8).hex(), app, user, source(device), device.peer.address)
        self._sessions[device] = session
        self._data.write(partial(table.begin, session=session))
        self._tell_status(session, _ONLINE)

    def _left(self, device: Device) -> None:
        session = self._sessions.pop(device, None)
        if session is not None:
            self._end(session, _LOGGED_OUT if device.has_logged_out else _OFFLINE)

    def close(self) -> None:
        """The server ends, and with it all sessions."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            self._end(session, _OFFLINE)

    def _end(self, session: Session, status: str) -> None:
        self._data.write(partial(table.end, id=session.id))
        self._tell_status(session, status)

    def _tell_status(self, session: Session, status: str) -> None:
        time = self._clock.now()
        self._tell(
            Kind.ONLINE,
            session.app,
            {
                "userid": session.user,
                "status": status,
                "os": session.os,
                "time": time,
                "clientIp": session.address,
                "sessionId": session.id,
            },
            time,
        )

    # -- chatrooms -------------------------------------------------------------------

    def _visit(self, rooms: Rooms) -> None:
        rooms.on_created.append(partial(self._tell_room, RoomEvent.CREATED, Why.CALL))
        rooms.on_ended.append(self._ended)
        rooms.attendance.on_change.append(self._moved)

    def _ended(self, place: Place, why: Why) -> None:
        self._tell_room(RoomEvent.DESTROYED, why, place)

    def _moved(self, room: Room, user: str, status: MemberStatus, why: Why) -> None:
        event = RoomEvent.JOINED if status is MemberStatus.JOIN else RoomEvent.LEFT
        self._tell_room(event, why, room.place, user)

    def _tell_room(self, event: RoomEvent, why: Why, place: Place, *users: str) -> None:
        time = self._clock.now()
        self._tell(
            Kind.CHATROOMS,
            place.app,
            {
                "chatRoomId": place.id,
                "userIds": list(users),
                "status": int(why),
                "type": int(event),
                "time": time,
            },
            time,
        )

    # -- telling ---------------------------------------------------------------------

    def _stream(self, app: str, kind: Kind) -> Stream | None:
        """Where it goes, if the app wants to hear it."""
        return Stream(app, kind) if kind in self._rules.wanted.get(app, ()) else None

    def _tell(self, kind: Kind, app: str, fields: dict[str, Any], time: int) -> None:
        stream = self._stream(app, kind)
        if stream is not None:
            self._outbox.put(stream, _encode(fields), time=time)
