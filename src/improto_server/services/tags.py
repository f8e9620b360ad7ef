"""Tags: names that a user makes to sort his conversations by (operations 8, sdk5 8.3).

SDKs disagree about the number for a tag that is missing (codes 7), and whether making one that is
there renames it: the caller's profile says so.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from improto import payloads
from improto.codes import CommandType, ErrorCode, SessionStateType, UserSettingStatus
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.access import conversation_type
from improto_server.store import names
from improto_server.store import settings as table
from improto_server.store.settings import Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from improto.codes import ConversationType
    from improto_server.clock import MessageClock
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

MOST_TAGS: Final = 20
"""Of one user (sdk5 11, 26004)."""

MOST_CONVERSATIONS: Final = 1000
"""In one request (sdk5 8.3)."""

TAG_CHARACTERS: Final = 64
"""The longest id and the longest name. Ours."""

_TAGS: Final = int(SessionStateType.TAGS)

_Attached: TypeAlias = dict[str, bool]
"""Ids of tags of a conversation, and whether it is on top among those with the tag."""

_Asked: TypeAlias = "dict[str, bool | None]"
"""The same in a request; None: it does not say."""

_Wanted: TypeAlias = "tuple[ConversationType, str, _Asked]"
"""A conversation, and which tags it is to get or lose."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Attached).decode


class Tags:
    """The service."""

    def __init__(self, *, data: Data, clock: MessageClock, hub: Hub) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.ADD_SE_TAG: self.make,
            Topic.DEL_SE_TAG: self.remove,
            Topic.DIS_TAG: self.dissolve,
            Topic.ADD_TAG: self.attach,
            Topic.DEL_TAG: self.detach,
        }

    async def make(
        self, caller: Caller, target: str, request: payloads.SessionTagAddInput
    ) -> payloads.SetUserSettingOutput:
        """Make tags, or give them other names.

        33101 if one is there and the caller's SDK makes a difference; 26004 if there would be
        more than 20 tags; 33003 if there is none in the request, or an id or a name is empty or
        longer than 64 characters.
        """
        new = {each.tagId: each for each in request.tags}
        texts = [text for each in request.tags for text in (each.tagId, each.name)]
        if not texts or not all(0 < len(text) <= TAG_CHARACTERS for text in texts):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        version = self._clock.stamp(caller.key)
        is_whole = await self._data.write(
            partial(_make, caller=caller, new=new, known=request.version, version=version)
        )
        self._tell_settings(caller, version)
        return _set(version, is_whole=is_whole)

    async def remove(
        self, caller: Caller, target: str, request: payloads.SessionTagDelInput
    ) -> payloads.SetUserSettingOutput:
        """Remove tags, also from the conversations that have them.

        33100, or 33101 for SDK 2.9.2, if one is not there; 33003 if there is none in the request.
        Of the conversations the caller is told as well: the answer says nothing about them.
        """
        chosen = {each.tagId for each in request.tags}
        if not chosen:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        version = self._clock.stamp(caller.key)
        is_whole = await self._data.write(
            partial(_remove, caller=caller, chosen=chosen, known=request.version, version=version)
        )
        self._tell_settings(caller, version)
        self._tell_conversations(caller, version, but=None)
        return _set(version, is_whole=is_whole)

    async def dissolve(
        self, caller: Caller, target: str, request: payloads.SessionDisTagReq
    ) -> None:
        """Remove tags from all conversations that have them; the tags stay. Codes as above."""
        version = self._clock.stamp(caller.key)
        chosen = {*request.tagId}
        await self._data.write(partial(_dissolve, caller=caller, chosen=chosen, version=version))
        self._tell_conversations(caller, version, but=caller.device)

    async def attach(
        self, caller: Caller, target: str, request: payloads.SessionStateModifyReq
    ) -> payloads.SessionStateModifyResp:
        """Give tags to conversations.

        Codes as above; 33003 for more than 1000 conversations, or one that cannot be.
        """
        return await self._change(caller, _attach, request)

    async def detach(
        self, caller: Caller, target: str, request: payloads.SessionStateModifyReq
    ) -> payloads.SessionStateModifyResp:
        """Take tags from conversations. Codes as above; 33102 if one does not have it."""
        return await self._change(caller, _detach, request)

    async def _change(
        self,
        caller: Caller,
        change: Callable[[_Attached, _Asked], None],
        request: payloads.SessionStateModifyReq,
    ) -> payloads.SessionStateModifyResp:
        wanted, known = _wanted(request), request.version
        version = self._clock.stamp(caller.key)
        is_whole = await self._data.write(
            partial(
                _each, caller=caller, change=change, wanted=wanted, known=known, version=version
            )
        )
        self._tell_conversations(caller, version, but=caller.device)
        return payloads.SessionStateModifyResp(version=version, updateVersion=is_whole)

    def _tell_settings(self, caller: Caller, version: int) -> None:
        notice = payloads.UserSettingNotification(version=version, reserve=False)
        self._hub.command(caller.key, Topic.S_US, notice, but=caller.device)

    def _tell_conversations(self, caller: Caller, version: int, *, but: Device | None) -> None:
        kind = CommandType.CONVERSATION_SETTINGS
        self._hub.prompt(caller.key, kind, time=version, but=but)


def attached(entry: payloads.SessionStateItem, known: Mapping[str, Tag]) -> None:
    """Say which tags a conversation has, from the value that is stored."""
    stored = _decode(entry.value)
    entry.value = _encode([*stored]).decode()
    for tag, is_top in stored.items():
        entry.tags.add(
            tagId=tag, name=known[tag].name, createdTime=known[tag].created, isTop=is_top
        )


def _set(version: int, *, is_whole: bool) -> payloads.SetUserSettingOutput:
    return payloads.SetUserSettingOutput(version=version, reserve=False, updateVersion=is_whole)


def tagged(
    connection: Connection, *, app: str, user: str, tags: Collection[str]
) -> dict[int, bool]:
    """Numbers of the conversations that have one of ``tags``, and whether any is on top with it."""
    owner = names.user_id(connection, app, user) or 0
    found = {}
    for place, value in table.of_kind(connection, owner, _TAGS).items():
        on_top = [is_top for tag, is_top in _decode(value).items() if tag in tags]
        if on_top:
            found[place] = any(on_top)
    return found


def _wanted(request: payloads.SessionStateModifyReq) -> list[_Wanted]:
    if len(request.state) > MOST_CONVERSATIONS:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    wanted = []
    for state in request.state:
        type = conversation_type(state.type, state.channelId)
        tags = {
            tag.tagId: tag.isTop if tag.HasField("isTop") else None
            for item in state.stateItem
            for tag in item.tags
        }
        wanted.append((type, state.channelId, tags))
    return wanted


def _live(connection: Connection, caller: Caller) -> dict[str, Tag]:
    rows = table.tags_of(connection, app=caller.app, user=caller.user_id)
    return {row.tag: row for row in rows if row.status != UserSettingStatus.REMOVED}


def _require(caller: Caller, tags: Iterable[str], live: Mapping[str, Tag]) -> None:
    if not all(tag in live for tag in tags):
        raise ServiceError(caller.profile.tag_missing)


def _make(
    connection: Connection,
    *,
    caller: Caller,
    new: Mapping[str, payloads.SessionTagItem],
    known: int,
    version: int,
) -> bool:
    """Whether who knew all up to ``known`` now knows all."""
    live = _live(connection, caller)
    is_whole = known >= table.newest_of_user(connection, app=caller.app, user=caller.user_id)
    if new.keys() - live.keys() and len(live.keys() | new.keys()) > MOST_TAGS:
        raise ServiceError(ErrorCode.CONVERSATION_TAG_OVERSIZE)
    if not caller.profile.renames_tags and live.keys() & new.keys():
        raise ServiceError(ErrorCode.TAG_EXISTS)
    for id, wanted in new.items():
        old = live.get(id)
        tag = Tag(
            tag=id,
            name=wanted.name,
            created=wanted.createdTime or version if old is None else old.created,
            version=version,
            status=UserSettingStatus.ADDED if old is None else UserSettingStatus.UPDATED,
        )
        table.put_tag(connection, app=caller.app, user=caller.user_id, tag=tag)
    return is_whole


def _remove(
    connection: Connection, *, caller: Caller, chosen: set[str], known: int, version: int
) -> bool:
    app, user, *_ = caller
    live = _live(connection, caller)
    is_whole = known >= table.newest_of_user(connection, app=app, user=user)
    _dissolve(connection, caller=caller, chosen=chosen, version=version)
    table.forget_removed_tags(connection, app=app, user=user)
    for id in chosen:
        gone = live[id]._replace(version=version, status=UserSettingStatus.REMOVED)
        table.put_tag(connection, app=app, user=user, tag=gone)
    return is_whole


def _dissolve(connection: Connection, *, caller: Caller, chosen: set[str], version: int) -> None:
    _require(caller, chosen, _live(connection, caller))
    owner = names.ensure_user(connection, caller.app, caller.user_id)
    for place, value in table.of_kind(connection, owner, _TAGS).items():
        tags = _decode(value)
        left = {tag: is_top for tag, is_top in tags.items() if tag not in chosen}
        if left != tags:
            text = _encode(left).decode()
            table.put_number(connection, owner, place, kind=_TAGS, value=text, version=version)


def _each(
    connection: Connection,
    *,
    caller: Caller,
    change: Callable[[_Attached, _Asked], None],
    wanted: Sequence[_Wanted],
    known: int,
    version: int,
) -> bool:
    live = _live(connection, caller)
    is_whole = known >= table.newest(connection, app=caller.app, user=caller.user_id)
    owner = names.ensure_user(connection, caller.app, caller.user_id)
    stored = table.of_kind(connection, owner, _TAGS)
    for type, target, tags in wanted:
        _require(caller, tags, live)
        place = names.ensure_conversation(connection, caller.app, type, caller.user_id, target)
        attached = _decode(stored.get(place, "{}"))
        change(attached, tags)
        stored[place] = _encode(attached).decode()
        table.put_number(connection, owner, place, kind=_TAGS, value=stored[place], version=version)
    return is_whole


def _attach(attached: _Attached, tags: _Asked) -> None:
    for tag, is_top in tags.items():
        attached[tag] = attached.get(tag, False) if is_top is None else is_top


def _detach(attached: _Attached, tags: _Asked) -> None:
    for tag in tags:
        if attached.pop(tag, None) is None:
            raise ServiceError(ErrorCode.NO_TAG_IN_CONVER)
