"""Pairs of keys and values that are attached to a message and change later (messages 8.6).

Whoever may write in a conversation may change what hangs on its messages. A change is a message
itself, RC:MsgExMsg, which the others get like any other. Before it is sent, what it says is
merged into the message that it is about, so that whoever reads that one later, in history or
in his inbox, reads what is attached now.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from improto import contents, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import ExpansionChange, UpFlag
from improto_server.services import ServiceError
from improto_server.store import Place, recalls
from improto_server.store.schema import LISTED
from improto_server.uids import time_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.clock import UserKey
    from improto_server.hub import Hub
    from improto_server.services.data import Data
    from improto_server.services.letters import Letter
    from improto_server.services.messages import Messages
    from improto_server.services.rosters import Rosters

KEYS_AT_ONCE: Final = 20
"""Of one change of a client's (messages 8.6)."""

KEYS_OF_APPLICATIONS: Final = 100
"""Of one change of the application's (rest 9.3)."""

MOST_KEYS: Final = 300
"""Of one message (messages 8.6)."""

VALUE_CHARACTERS: Final = 4096
"""The longest value; SDK 2.9.2 keeps to 64 (messages 8.6)."""

PAIRS_BYTES: Final = 512 * 1024
"""Everything that is attached to one message, as it is written into it. Ours: half a page of an
inbox (session 8.3), because a message must fit into a frame with all that hangs on it."""

_KEY: Final = re.compile(r"[A-Za-z0-9=+\-_/]{1,32}")
_EXPANDABLE: Final = int(UpFlag.EXPANDABLE)
_GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})


class Attached(NamedTuple):
    """What hangs on a message."""

    time: int
    """When the message was sent, in milliseconds since 1970."""
    pairs: dict[str, str]


class _Where(NamedTuple):
    """The conversation of a message, as the one who changes it sees it."""

    sender: UserKey
    type: ConversationType
    target: str


class _Change(msgspec.Struct, rename={"delete": "del"}):
    """What RC:MsgExMsg says."""

    mid: str
    put: dict[str, str] | None = None
    delete: list[str] | None = None
    removeAll: bool | None = None


_decode_change = msgspec.json.Decoder(_Change).decode
_Pairs: TypeAlias = "dict[str, dict[str, str | float | bool | None]]"
_decode_pairs = msgspec.json.Decoder(dict[str, dict[str, str | float | bool | None]]).decode


class Expansions:
    """The service; it has no topics of its own."""

    def __init__(self, *, data: Data, hub: Hub, messages: Messages, rosters: Rosters) -> None:
        self._data = data
        self._hub = hub
        self._messages = messages
        self._rosters = rosters
        messages.checks[ExpansionChange.object_name] = self.change

    async def change(self, letter: Letter) -> None:
        """Do what RC:MsgExMsg says before it is sent.

        34008 if the message is unknown or not expandable; 34010 if more than 20 keys are changed
        at once, or more than 300 or :data:`PAIRS_BYTES` would be attached; 33003 if the content is
        none, a key is not 1 to 32 of ``A-Z a-z 0-9 = + - _ /``, or a value is longer than 4096
        characters.
        """
        change = _parse(letter.up.content, most=KEYS_AT_ONCE)
        await self._apply(_Where(letter.sender, letter.type, letter.target), change)

    # -- for the application -------------------------------------------------------------

    async def change_for(
        self,
        app: str,
        user: str,
        type: ConversationType,
        target: str,
        change: ExpansionChange,
        *,
        in_sent_box: bool,
    ) -> None:
        """Do the same in the name of a user, wherever he is, with up to 100 keys, and tell the
        others; ``in_sent_box``: his own devices as well."""
        content = contents.encode(change)
        where = _Where((app, user), type, target)
        notice = payloads.UpStreamMessage(
            classname=ExpansionChange.object_name, content=content, sessionId=0
        )
        fault = self._messages.fault(type, target, notice)
        if fault is not None:
            raise ServiceError(fault)
        await self._apply(where, _parse(content, most=KEYS_OF_APPLICATIONS))
        await self._messages.post(app, user, type, target, notice, in_sent_box=in_sent_box)

    async def attached(self, app: str, uid: str) -> Attached | None:
        """What is attached to a message of an app; None if there is none with this uid."""
        time = time_of(uid)
        if time is None:
            return None
        item = await self._data.read(partial(recalls.item, app=app, uid=uid, time=time))
        if not item:
            return None
        pairs = _pairs(payloads.decode(payloads.DownStreamMessage, item).extraContent)
        return Attached(time, {key: str(pair.get("v", "")) for key, pair in pairs.items()})

    # -- how it is done --------------------------------------------------------------

    async def _apply(self, where: _Where, change: _Change) -> None:
        """Merge a change into the message that it is about."""
        time = time_of(change.mid)
        if time is None or where.type not in LISTED:
            raise ServiceError(ErrorCode.MESSAGE_KV_NOT_SUPPORT)
        app, sender = where.sender
        await self._data.write(partial(_merge, where=where, time=time, change=change))
        # What is kept in memory for them has no longer what the store has.
        if where.type in _GROUPS:
            roster = await self._rosters.load(Place(app, where.type, where.target))
            people = roster.inboxes
        else:
            people = ((app, sender), (app, where.target))
        for key in people:
            online = self._hub.find(key)
            if online is not None:
                online.inbox.forget(time, time)


def _parse(content: bytes, *, most: int) -> _Change:
    try:
        change = _decode_change(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER) from None
    put = change.put or {}
    keys = [*put, *(change.delete or ())]
    if len(keys) > most:
        raise ServiceError(ErrorCode.EXPANSION_LIMIT_EXCEET)
    if not all(map(_KEY.fullmatch, keys)) or any(
        len(value) > VALUE_CHARACTERS for value in put.values()
    ):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return change


def _merge(connection: Connection, *, where: _Where, time: int, change: _Change) -> None:
    app, sender = where.sender
    original = recalls.find(
        connection,
        app=app,
        user=sender,
        type=where.type,
        target=where.target,
        uid=change.mid,
        time=time,
    )
    if original is None or not original.item or not original.flags & _EXPANDABLE:
        raise ServiceError(ErrorCode.MESSAGE_KV_NOT_SUPPORT)
    down = payloads.decode(payloads.DownStreamMessage, original.item)
    pairs = {} if change.removeAll else _pairs(down.extraContent)
    pairs.update((key, {"v": value}) for key, value in (change.put or {}).items())
    for key in change.delete or ():
        pairs.pop(key, None)
    if len(pairs) > MOST_KEYS:
        raise ServiceError(ErrorCode.EXPANSION_LIMIT_EXCEET)
    attached = msgspec.json.encode(pairs)
    if len(attached) > PAIRS_BYTES:
        raise ServiceError(ErrorCode.EXPANSION_LIMIT_EXCEET)
    down.extraContent = attached.decode()
    recalls.rewrite(connection, original, payloads.encode(down))


def _pairs(text: str) -> _Pairs:
    """What its sender has attached; nothing, if that is not what the SDKs write."""
    try:
        return _decode_pairs(text) if text else {}
    except msgspec.MsgspecError:
        return {}
