"""What a user has set for his conversations: muted, on top of the list (operations 8).

SDK 2.5.3 mutes by topics of its own; both families read and write the same. What one device sets
the others are told, unless they are too old to ask.
"""

from __future__ import annotations

import re
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_CHANGES: Final = 1000
"""Settings in one request (sdk5 8.3 has it for tags; the rest is ours)."""

NOT_MUTED: Final = 1
"""The status that says so, and the only one that SDK 2.5.3 understands (operations 8)."""

_LEVEL: Final = re.compile(r"-1|[0-5]")
"""The value of a setting: 0 or 1, or a level as later SDKs have them (operations 8, sdk5 8.3)."""

_LOUD: Final = frozenset({"-1", "0"})
"""Levels at which a conversation is not muted."""

_SILENT: Final = int(SessionStateType.IS_SILENT)
_TAGS: Final = int(SessionStateType.TAGS)
_KINDS: Final = frozenset({SessionStateType.IS_SILENT, SessionStateType.IS_TOP})


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
        """Settings that were changed after ``time``, and the newest change.

        Without any, ``time`` itself: clients ask again for ever below what they know.
        """
        return await self._data.read(partial(_changed, caller=caller, after=max(0, request.time)))

    async def change(
        self, caller: Caller, target: str, request: payloads.SessionStateModifyReq
    ) -> payloads.SessionStateModifyResp:
        """Mute conversations or keep them on top.

        33003 if there are more than 1000 changes, one of a conversation that cannot be one, of an
        unknown kind, or with a value that is no number from -1 to 5.
        """
        changes: list[tuple[ConversationType, str, int, str]] = []
        for state in request.state:
            type = conversation_type(state.type, state.channelId)
            for each in state.stateItem:
                if each.sessionStateType not in _KINDS or not _LEVEL.fullmatch(each.value):
                    raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
                changes.append((type, state.channelId, each.sessionStateType, each.value))
        if len(changes) > MOST_CHANGES:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        version = await self._write(caller.key, changes, device=caller.device)
        return payloads.SessionStateModifyResp(version=version)

    async def mute(
        self, app: str, user: str, type: ConversationType, target: str, *, level: str
    ) -> None:
        """Mute one conversation: level "1"; "0" is not muted."""
        await self._write((app, user), [(type, target, _SILENT, level)], device=None)

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
        change = (_type(type, target), target, _SILENT, level)
        await self._write(caller.key, [change], device=caller.device)

    async def _write(
        self,
        key: UserKey,
        changes: Sequence[tuple[ConversationType, str, int, str]],
        *,
        device: Device | None,
    ) -> int:
        version = self._clock.stamp(key)
        await self._data.write(partial(_put, key=key, changes=changes, version=version))
        notice = payloads.NotifyMsg(type=CommandType.CONVERSATION_SETTINGS, time=version)
        self._hub.command(key, Topic.S_CMD, notice, but=device)
        return version


def _type(type: ConversationType, target: str) -> ConversationType:
    is_discussion = type is ConversationType.GROUP and target.startswith(DISCUSSION_MARK)
    return conversation_type(ConversationType.DISCUSSION if is_discussion else type, target)


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


def _changed(connection: Connection, *, caller: Caller, after: int) -> payloads.SessionStates:
    app, user, *_ = caller
    rows = table.changed(connection, app=app, user=user, version=after)
    reply = payloads.SessionStates(version=rows[0].version if rows else after)
    states: dict[tuple[int, str], payloads.SessionState] = {}
    known = None
    for row in reversed(rows):
        place = (row.type, row.target)
        state = states.get(place)
        if state is None:
            state = states[place] = reply.state.add(type=row.type, channelId=row.target)
        state.time = row.version
        entry = state.stateItem.add(sessionStateType=row.kind, value=row.value)
        if row.kind == _TAGS:
            if known is None:
                known = {tag.tag: tag for tag in table.tags_of(connection, app=app, user=user)}
            attached(entry, known)
    return reply
