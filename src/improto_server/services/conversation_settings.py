"""What a user has set for his conversations: muted, on top of the list (operations 8, sdk5 8.3).

SDK 2.5.3 mutes by topics of its own, and SDK 5 by levels; all read and write the same. What one
device sets the others are told, unless they are too old to ask. The server pushes to no phone,
so to itself it makes no difference how loud a conversation is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import CommandType, ConversationType, ErrorCode, SessionStateType
from improto.operations import Topic
from improto_server.services import ServiceError, StatusAnswer
from improto_server.services.access import conversation_type
from improto_server.services.rosters import DISCUSSION_MARK
from improto_server.services.tags import attached
from improto_server.store import settings as table
from improto_server.store.schema import LISTED
from improto_server.store.settings import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_CHANGES: Final = 1000
"""Settings in one request (sdk5 8.3 has it for tags; the rest is ours)."""

NOT_MUTED: Final = 1
"""The status that says so, and the only one that SDK 2.5.3 understands (operations 8)."""

_LEVELS: Final = range(-1, 6)
"""How loud something can be to a user, from all to nothing (sdk5 8.3)."""

_LOUD: Final = frozenset({"-1", "0"})
"""Levels at which a conversation is not muted."""

_SILENT: Final = int(SessionStateType.IS_SILENT)
_TOP: Final = int(SessionStateType.IS_TOP)
_TAGS: Final = int(SessionStateType.TAGS)
_TRANSLATE: Final = int(SessionStateType.AUTO_TRANSLATE)
_VALUES: Final = {
    _SILENT: frozenset(map(str, _LEVELS)),
    _TOP: frozenset({"0", "1"}),
    # As the user has set it for all, yes, no.
    _TRANSLATE: frozenset({"0", "1", "2"}),
}
"""What can be set by kind, and to what (operations 8, sdk5 8.3)."""


class ConversationSettings:
    """The service."""

    def __init__(self, *, data: Data, clock: MessageClock, hub: Hub) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.PULL_SE_ATTS: self.changed,
            Topic.SET_SE_ATT: self.change,
            Topic.SET_TYPE_UNPUSH: self.set_type_level,
            Topic.QRY_P_PUSH: self.is_user_muted,
            Topic.QRY_D_PUSH: self.is_group_muted,
            Topic.BLK_P_PUSH: self.mute_user,
            Topic.BLK_D_PUSH: self.mute_group,
            Topic.UNBLK_P_PUSH: self.unmute_user,
            Topic.UNBLK_D_PUSH: self.unmute_group,
        }

    async def changed(
        self, caller: Caller, target: str, request: payloads.SessionReq
    ) -> payloads.SessionStates:
        """All settings of conversations of which one was changed after ``time``, levels of types
        that were, and the newest change.

        Without any, ``time`` itself: clients ask again for ever below what they know.
        """
        return await self._data.read(partial(_changed, caller=caller, after=max(0, request.time)))

    async def change(
        self, caller: Caller, target: str, request: payloads.SessionStateModifyReq
    ) -> payloads.SessionStateModifyResp:
        """Mute conversations, keep them on top, or have them translated or not.

        33003 if there are more than 1000 changes, one of a conversation that cannot be one, of an
        unknown kind, or with a value that its kind does not have: -1 to 5, 0 or 1, 0 to 2.
        """
        changes: list[tuple[ConversationType, str, int, str]] = []
        for state in request.state:
            type = conversation_type(state.type, state.channelId)
            for each in state.stateItem:
                if each.value not in _VALUES.get(each.sessionStateType, ()):
                    raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
                changes.append((type, state.channelId, each.sessionStateType, each.value))
        if len(changes) > MOST_CHANGES:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        version, is_whole = await self._write(
            caller.key,
            partial(_put, key=caller.key, changes=changes),
            known=request.version,
            device=caller.device,
        )
        return payloads.SessionStateModifyResp(version=version, updateVersion=is_whole)

    async def set_type_level(
        self, caller: Caller, target: str, request: payloads.TypeUnpushInput
    ) -> payloads.TypeUnpushOutput:
        """Say how loud all conversations of a type are that have no level of their own.

        33003 for a type that lists do not have, or a level that is not -1 to 5.
        """
        if request.type not in LISTED or request.unpushLevel not in _LEVELS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        version, is_whole = await self._write(
            caller.key,
            partial(_put_level, key=caller.key, type=request.type, level=request.unpushLevel),
            known=request.version,
            device=caller.device,
        )
        return payloads.TypeUnpushOutput(version=version, updateVersion=is_whole)

    async def mute(
        self, app: str, user: str, type: ConversationType, target: str, *, level: str
    ) -> None:
        """Say how loud one conversation is, -1 to 5: level "1" is muted; "0" is not."""
        await self._put(app, user, type, target, _SILENT, level)

    async def put_on_top(
        self, app: str, user: str, type: ConversationType, target: str, *, is_top: bool
    ) -> None:
        """Keep one conversation on top of the list, or no longer."""
        await self._put(app, user, type, target, _TOP, str(int(is_top)))

    async def mute_type(self, app: str, user: str, type: int, *, level: int) -> None:
        """Say how loud all conversations of a type are that have no level of their own, -1 to 5.

        33003 for a type that lists do not have.
        """
        if type not in LISTED:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        key = (app, user)
        await self._write(key, partial(_put_level, key=key, type=type, level=level))

    async def level_of_type(self, app: str, user: str, type: int) -> int:
        """How loud conversations of a type are; 0 if nobody has said."""
        levels = await self._data.write(partial(table.levels, app=app, user=user, version=-1))
        return next((each.level for each in levels if each.type == type), 0)

    async def is_muted(self, app: str, user: str, type: ConversationType, target: str) -> bool:
        """Whether the user has muted a conversation."""
        value = await self._data.read(
            partial(table.value, app=app, user=user, type=type, target=target, kind=_SILENT)
        )
        return value is not None and value not in _LOUD

    async def is_user_muted(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """Status 0 if a user is muted, 1 if not."""
        await self._answer(caller, ConversationType.PRIVATE, request)

    async def is_group_muted(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """Status 0 if a group or discussion is muted, 1 if not."""
        await self._answer(caller, ConversationType.GROUP, request)

    async def mute_user(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """Mute a user."""
        await self._mute(caller, ConversationType.PRIVATE, request, level="1")

    async def mute_group(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """Mute a group or discussion."""
        await self._mute(caller, ConversationType.GROUP, request, level="1")

    async def unmute_user(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """No longer mute a user."""
        await self._mute(caller, ConversationType.PRIVATE, request, level="0")

    async def unmute_group(
        self, caller: Caller, target: str, request: payloads.BlockPushInput
    ) -> None:
        """No longer mute a group or discussion."""
        await self._mute(caller, ConversationType.GROUP, request, level="0")

    async def _answer(
        self, caller: Caller, type: ConversationType, request: payloads.BlockPushInput
    ) -> None:
        target = request.blockeeId
        if not await self.is_muted(caller.app, caller.user_id, _type(type, target), target):
            raise StatusAnswer(NOT_MUTED)

    async def _mute(
        self,
        caller: Caller,
        type: ConversationType,
        request: payloads.BlockPushInput,
        *,
        level: str,
    ) -> None:
        target = request.blockeeId
        changes = [(_type(type, target), target, _SILENT, level)]
        await self._write(
            caller.key, partial(_put, key=caller.key, changes=changes), device=caller.device
        )

    async def _put(
        self, app: str, user: str, type: ConversationType, target: str, kind: int, value: str
    ) -> None:
        key = (app, user)
        await self._write(key, partial(_put, key=key, changes=[(type, target, kind, value)]))

    async def _write(
        self,
        key: UserKey,
        change: Callable[..., None],
        *,
        known: int = 0,
        device: Device | None = None,
    ) -> tuple[int, bool]:
        """The version of the change, and whether who knew all up to ``known`` now knows all."""
        version = self._clock.stamp(key)
        is_whole = await self._data.write(
            partial(_apply, key=key, change=change, known=known, version=version)
        )
        self._hub.prompt(key, CommandType.CONVERSATION_SETTINGS, time=version, but=device)
        return version, is_whole


def _type(type: ConversationType, target: str) -> ConversationType:
    is_discussion = type is ConversationType.GROUP and target.startswith(DISCUSSION_MARK)
    return conversation_type(ConversationType.DISCUSSION if is_discussion else type, target)


def _apply(
    connection: Connection,
    *,
    key: UserKey,
    change: Callable[..., None],
    known: int,
    version: int,
) -> bool:
    app, user = key
    is_whole = known >= table.newest(connection, app=app, user=user)
    change(connection, version=version)
    return is_whole


def _put(
    connection: Connection,
    *,
    key: UserKey,
    changes: Sequence[tuple[ConversationType, str, int, str]],
    version: int,
) -> None:
    app, user = key
    for type, target, kind, value in changes:
        table.put(
            connection,
            app=app,
            user=user,
            type=type,
            target=target,
            kind=kind,
            value=value,
            version=version,
        )


def _put_level(
    connection: Connection, *, key: UserKey, type: int, level: int, version: int
) -> None:
    app, user = key
    table.put_level(connection, app=app, user=user, level=Level(type, level, version))


def _changed(connection: Connection, *, caller: Caller, after: int) -> payloads.SessionStates:
    app, user, profile, *_ = caller
    rows = table.changed(connection, app=app, user=user, version=after)
    reply = payloads.SessionStates()
    states: dict[tuple[int, str], payloads.SessionState] = {}
    known = None
    for row in rows:
        value = row.value
        if not profile.setting_levels:
            if row.kind == _TRANSLATE:
                continue
            if row.kind == _SILENT:
                value = str(int(value not in _LOUD))
        place = (row.type, row.target)
        state = states.get(place)
        if state is None:
            state = states[place] = reply.state.add(type=row.type, channelId=row.target)
        state.time = row.version
        entry = state.stateItem.add(sessionStateType=row.kind, value=value, time=row.version)
        if row.kind == _TAGS:
            if known is None:
                known = {tag.tag: tag for tag in table.tags_of(connection, app=app, user=user)}
            attached(entry, known)
    levels = table.levels(connection, app=app, user=user, version=after)
    if profile.setting_levels:
        for each in levels:
            # A state without a conversation is of a whole type (sdk5 8.3).
            state = reply.state.add(type=each.type, channelId="", time=each.version)
            state.stateItem.add(sessionStateType=_SILENT, value=str(each.level), time=each.version)
    reply.version = max([after, *(row.version for row in rows), *(row.version for row in levels)])
    return reply
