"""Taking messages back (messages 7).

Taken back and told to the others is one thing: the tombstone and the notice are committed
together. So nobody loses a message without being told why. A notice has the number of the
message in it, so whoever takes it back once more, because he did not hear the first answer, is
answered like the first time, and the others hear nothing new.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import contents, operations, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import RecallCommand, UpFlag
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type, stored_type
from improto_server.services.letters import refuse
from improto_server.services.room import Room
from improto_server.services.rosters import Roster
from improto_server.store import Place, recalls
from improto_server.uids import time_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto.operations import Operation
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.data import Data
    from improto_server.services.letters import Sent
    from improto_server.services.messages import Messages
    from improto_server.services.rosters import Rosters
    from improto_server.store.recalls import Original

_MINUTE: Final = 60 * 1000
_STORED: Final = int(UpFlag.STORED)
_GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})
_RECALL: Final = operations.operation(Topic.RECALL_MSG)


class _Command(msgspec.Struct):
    """Of RC:RcCmd, what a server has to know."""

    messageUId: str
    conversationType: int
    targetId: str
    isAdmin: bool | None = None


_decode = msgspec.json.Decoder(_Command).decode


class Recalls:
    """The service. ``within_minutes``: how long a message can be taken back; 0: for ever."""

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        messages: Messages,
        rosters: Rosters,
        rooms: Rooms,
        within_minutes: int,
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self._messages = messages
        self._rosters = rosters
        self._rooms = rooms
        self._window = within_minutes * _MINUTE
        # Only the server says it, after it has looked whose the message was.
        messages.checks[RecallCommand.object_name] = refuse

    def publishes(self) -> Operations:
        """The topics it answers."""
        return {Topic.RECALL_MSG: self.recall}

    async def recall(self, caller: Caller, target: str, request: payloads.UpStreamMessage) -> Sent:
        """Take back a message of the caller's own, or, as owner of a group, of anybody in it.

        The content, RC:RcCmd, names the conversation and the message; ``target`` says nothing.
        25101 if it names none, if the message is unknown, too old or somebody else's; 22406,
        21406, 23406 if the caller is not where it was sent; 30016 if the content is too large;
        20604 for too many per second, together with what else the device sends.
        """
        if caller.device is not None and not self._messages.admits(caller.device):
            raise ServiceError(ErrorCode.SEND_FREQUENCY_TOO_FAST)
        command = _parse(request)
        app, user, *_ = caller
        type, place = await self._find_place(caller, command)
        time = time_of(command.messageUId)
        if time is None:
            raise ServiceError(ErrorCode.RECALL_MESSAGE)
        known, original = await self._data.read(
            partial(_find, app=app, user=user, type=type, time=time, command=command)
        )
        if original is None or not self._may(user, command, original, place):
            raise ServiceError(ErrorCode.RECALL_MESSAGE)
        return await self._take_back(
            caller.key,
            known,
            command,
            original,
            place,
            content=request.content,
            device=caller.device,
            copied_as=(_RECALL, payloads.encode(request)),
        )

    # -- for the application -------------------------------------------------------------

    async def take_back(
        self, app: str, user: str, type: ConversationType, command: RecallCommand
    ) -> Sent:
        """Take back a message that ``user`` has sent, however long ago and wherever he is.

        A message that is not known any more is taken back as well: the conversation is told
        (rest 6.3). 25101: it is somebody else's, or such a notice; 33003, 20407: there can be no
        such conversation.
        """
        content = contents.encode(command)
        named = _decode(content)
        time = time_of(named.messageUId)
        place: Roster | Room | None = None
        if type is ConversationType.CHATROOM:
            place = await self._rooms.load(app, named.targetId)
        elif type in _GROUPS:
            place = await self._rosters.load(Place(app, type, named.targetId))
        known, original = await self._data.read(
            partial(_find, app=app, user=user, type=type, time=time or 0, command=named)
        )
        if original is None:
            notice = payloads.UpStreamMessage(
                sessionId=_STORED, classname=RecallCommand.object_name, content=content
            )
            return await self._messages.post(app, user, known, named.targetId, notice)
        if (
            user not in (original.sender, original.recalled_by)
            or original.object_name == RecallCommand.object_name
        ):
            raise ServiceError(ErrorCode.RECALL_MESSAGE)
        return await self._take_back((app, user), known, named, original, place, content=content)

    # -- how it is done --------------------------------------------------------------

    async def _take_back(
        self,
        key: UserKey,
        type: ConversationType,
        command: _Command,
        original: Original,
        place: Roster | Room | None,
        *,
        content: bytes,
        device: Device | None = None,
        copied_as: tuple[Operation, bytes] | None = None,
    ) -> Sent:
        """Bury a message, and tell those who may have it."""
        app, user = key
        # One for some members is taken back from them; if none is left, from nobody else.
        named = None if original.named is None else original.named or [user]
        notice = payloads.UpStreamMessage(
            sessionId=_STORED,
            classname=RecallCommand.object_name,
            content=content,
            userId=named,
            clientUniqueId=-original.id,
        )
        fault = self._messages.fault(type, command.targetId, notice)
        if fault is not None:
            raise ServiceError(fault)
        # Both go into the same batch, because nothing is awaited in between.
        buried = self._data.write(partial(recalls.bury, app=app, user=user, original=original))
        sent = await self._messages.post(
            app, user, type, command.targetId, notice, device=device, copied_as=copied_as
        )
        await buried
        self._forget(app, user, command, original, place)
        return sent

    async def _find_place(
        self, caller: Caller, command: _Command
    ) -> tuple[ConversationType, Roster | Room | None]:
        """The type of the conversation, and the group or room that it is."""
        app, user, *_ = caller
        if command.conversationType == ConversationType.CHATROOM:
            room = await self._rooms.require(app, command.targetId, user)
            return ConversationType.CHATROOM, room
        type = conversation_type(command.conversationType, command.targetId)
        if type not in _GROUPS:
            return type, None
        roster = await self._rosters.load(Place(app, type, command.targetId))
        refusal = roster.outsider(user)
        if refusal is not None:
            raise ServiceError(refusal)
        return type, roster

    def _may(
        self, user: str, command: _Command, original: Original, place: Roster | Room | None
    ) -> bool:
        if original.object_name == RecallCommand.object_name:
            return False
        if original.recalled_by is not None:
            return original.recalled_by == user
        if self._window and self._clock.now() - original.time > self._window:
            return False
        is_owner = isinstance(place, Roster) and place.owner == user
        return original.sender == user or (is_owner and command.isAdmin is True)

    def _forget(
        self,
        app: str,
        user: str,
        command: _Command,
        original: Original,
        place: Roster | Room | None,
    ) -> None:
        """Nobody shall pull the message from memory."""
        if isinstance(place, Room):
            place.remove(command.messageUId)
            return
        people = place.members if place is not None else (user, command.targetId)
        for name in people:
            online = self._hub.find((app, name))
            if online is not None:
                online.inbox.forget(original.time, original.time)


def _parse(request: payloads.UpStreamMessage) -> _Command:
    if request.classname != RecallCommand.object_name:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    try:
        return _decode(request.content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ServiceError(ErrorCode.RECALL_MESSAGE) from None


def _find(
    connection: Connection,
    *,
    app: str,
    user: str,
    type: ConversationType,
    time: int,
    command: _Command,
) -> tuple[ConversationType, Original | None]:
    target = command.targetId
    known = stored_type(connection, app, user, type, target)
    uid = command.messageUId
    original = recalls.find(
        connection, app=app, user=user, type=known, target=target, uid=uid, time=time
    )
    return known, original
