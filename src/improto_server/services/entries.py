"""Keys and values of chatrooms (operations 14.1, 14.2).

A change counts from the moment it is asked for, and members are told after the commit. Which
keys were deleted is known in memory only: whoever asks for what has changed since before that
gets everything instead, and is told so.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.frames import TimeMs
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.data import Facts
from improto_server.steps import start
from improto_server.store import chatrooms as table
from improto_server.store.chatrooms import AUTO_DELETE, EntryRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.hub import Device
    from improto_server.services import Caller, Operations
    from improto_server.services.chatrooms import Room, Rooms
    from improto_server.services.data import Data
    from improto_server.services.messages import Messages
    from improto_server.store import Place

OVERWRITE: Final = 2
"""Status bit: whoever has set the key, change it (operations 14.2)."""
DELETED: Final = 4
"""Status bit: the key is gone (operations 14.2)."""

VALUE_CHARACTERS: Final = 4096
"""The longest value (operations 14.2)."""

MOST_AT_ONCE: Final = 10
"""Keys in one request (operations 14.1)."""

DELETIONS_KEPT: Final = 1000
"""Deleted keys of one room that are remembered for those who ask what has changed."""

_KEY: Final = re.compile(r"[A-Za-z0-9_=+-]{1,128}")

_logger = logging.getLogger(__name__)


class Keys:
    """The keys of one room."""

    def __init__(self, rows: Sequence[EntryRow]) -> None:
        self.rows = {row.key: row for row in rows}
        """By key, the longest unchanged first."""
        self.deleted: dict[str, int] = {}
        """Keys that are gone, and since when; the longest first."""
        self.newest = rows[-1].time if rows else 0
        """Time of the newest change."""
        self.complete_from = 0
        """All changes after this time are known; 0: not yet set."""

    def put(self, row: EntryRow) -> None:
        """Set a key."""
        self.remove(row.key)
        self.rows[row.key] = row
        self.newest = row.time

    def delete(self, key: str, time: int) -> None:
        """A key is gone."""
        self.remove(key)
        self.deleted[key] = self.newest = time
        if len(self.deleted) > DELETIONS_KEPT:
            self.complete_from = self.deleted.pop(next(iter(self.deleted)))

    def remove(self, key: str) -> None:
        """Know nothing of a key."""
        self.rows.pop(key, None)
        self.deleted.pop(key, None)


class _Outcome(NamedTuple):
    """What became of the keys of a request."""

    times: dict[str, int]
    """Of those that were changed, when."""
    errors: list[tuple[str, ErrorCode]]


class Entries:
    """The service."""

    def __init__(
        self, *, data: Data, clock: MessageClock, rooms: Rooms, messages: Messages
    ) -> None:
        self._data = data
        self._clock = clock
        self._rooms = rooms
        self._messages = messages
        self._known: Facts[Place, Keys] = Facts(data, _read)
        rooms.attendance.on_left.append(self._left)
        rooms.on_destroyed.append(self._known.forget)

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.SET_KV: self.set,
            Topic.DEL_KV: self.delete,
            Topic.SET_KVS: self.set_several,
            Topic.DEL_KVS: self.delete_several,
            Topic.PULL_KV: self.pull,
        }

    # -- what clients ask ------------------------------------------------------------

    async def set(
        self, caller: Caller, target: str, request: payloads.SetChrmKV
    ) -> payloads.ChrmOutput:
        """Set a key.

        33003: a key or a value that is none; 23423: too many keys; 23424: somebody else's key,
        and not the overwrite bit. Of all topics: 23426: switched off; 23410, 23406.
        """
        return await self._change_one(caller, target, request, is_deletion=False)

    async def delete(
        self, caller: Caller, target: str, request: payloads.SetChrmKV
    ) -> payloads.ChrmOutput:
        """Delete a key. 23427: there is none; 33003 and 23424 as for :meth:`set`."""
        return await self._change_one(caller, target, request, is_deletion=True)

    async def set_several(
        self, caller: Caller, target: str, request: payloads.SetChrmKVS
    ) -> payloads.ChrmKVSOutput:
        """Set several keys, one after the other.

        23429: more than :data:`MOST_AT_ONCE`; 33003: none. 23428: some failed, for the reasons
        of :meth:`set`; the reply names them.
        """
        return await self._change_several(caller, target, request, is_deletion=False)

    async def delete_several(
        self, caller: Caller, target: str, request: payloads.SetChrmKVS
    ) -> payloads.ChrmKVSOutput:
        """Delete several keys; statuses as for :meth:`set_several` and :meth:`delete`."""
        return await self._change_several(caller, target, request, is_deletion=True)

    async def pull(
        self, caller: Caller, target: str, request: payloads.QueryChrmKV
    ) -> payloads.ChrmKVOutput:
        """What has changed after a time; everything if that cannot be said. 33003: below 0.

        SDK 2.9.2 judges changes once more: it takes those of a key that somebody else has set
        only with the overwrite bit. So they all have it.
        """
        since = request.timestamp
        if since < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        _, keys = await self._open(caller, target)
        is_full = since < keys.complete_from
        reply = payloads.ChrmKVOutput(bFullUpdate=is_full, syncTime=max(since, keys.newest))
        for row in keys.rows.values():
            if is_full:
                _add(reply, row)
            elif row.time > since:
                _add(reply, row._replace(status=row.status | OVERWRITE))
        if not is_full:
            for key, time in keys.deleted.items():
                if time > since:
                    _add(reply, EntryRow(key, "", "", DELETED | OVERWRITE, time))
        return reply

    # -- what the application's server asks ------------------------------------------

    async def list(self, app: str, id: str) -> list[EntryRow]:
        """All keys of a room, the longest unchanged first; none if there is no such room."""
        room = await self._rooms.load(app, id)
        return [*(await self._load(room)).rows.values()] if room.exists else []

    async def change(
        self, app: str, id: str, owner: str, changes: Sequence[payloads.ChrmKVEntity]
    ) -> None:
        """Set keys, or delete those with the :data:`DELETED` bit, whoever has set them before.

        The first that fails is refused as in :meth:`set` and :meth:`delete`; those before it
        are done. 23410: no such room.
        """
        room = await self._rooms.load(app, id)
        keys = await self._load(room)
        if not room.exists:
            raise ServiceError(ErrorCode.RC_CHATROOM_NOT_EXIST)
        outcome = _Outcome({}, [])
        for entry in changes:
            entry.status |= OVERWRITE
            is_deletion = bool(entry.status & DELETED)
            self._apply(outcome, room, keys, owner, entry, is_deletion=is_deletion)
            if outcome.errors:
                break
        await self._write(room, keys, outcome, None)
        for _, code in outcome.errors:
            raise ServiceError(code)

    # -- how it is done --------------------------------------------------------------

    async def _open(self, caller: Caller, target: str) -> tuple[Room, Keys]:
        """A room and its keys, for a member."""
        if not self._rooms.rules.has_keys:
            raise ServiceError(ErrorCode.CHATROOM_KV_STORE_NOT_OPEN)
        room = await self._rooms.require(caller.app, target, caller.user_id)
        keys = await self._load(room)
        # It took a while, and much may have happened.
        refusal = room.outsider(caller.user_id)
        if refusal is not None:
            raise ServiceError(refusal)
        return room, keys

    async def _load(self, room: Room) -> Keys:
        keys = await self._known.load(room.place)
        if not keys.complete_from:
            # What was deleted before is not known.
            self._clock.pass_by(room.key, keys.newest)
            keys.newest = keys.complete_from = self._clock.stamp(room.key)
        return keys

    async def _change_one(
        self, caller: Caller, target: str, request: payloads.SetChrmKV, *, is_deletion: bool
    ) -> payloads.ChrmOutput:
        room, keys = await self._open(caller, target)
        outcome = _Outcome({}, [])
        user = caller.user_id
        self._apply(outcome, room, keys, user, request.entry, is_deletion=is_deletion)
        for _, code in outcome.errors:
            raise ServiceError(code)
        await self._write(room, keys, outcome, caller.device)
        await self._notify(caller, room, request)
        return payloads.ChrmOutput(nothing=1)

    async def _change_several(
        self, caller: Caller, target: str, request: payloads.SetChrmKVS, *, is_deletion: bool
    ) -> payloads.ChrmKVSOutput:
        if not request.entry:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if len(request.entry) > MOST_AT_ONCE:
            raise ServiceError(ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT)
        room, keys = await self._open(caller, target)
        outcome = _Outcome({}, [])
        for entry in request.entry:
            self._apply(outcome, room, keys, caller.user_id, entry, is_deletion=is_deletion)
        reply = payloads.ChrmKVSOutput()
        if outcome.times:
            await self._write(room, keys, outcome, caller.device)
            await self._notify(caller, room, request)
        for key, time in outcome.times.items():
            reply.keysVersion.add(key=key, version=time)
        if outcome.errors:
            for key, code in outcome.errors:
                reply.errorKeys.add(key=key, errorCode=int(code))
            raise ServiceError(ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS, reply)
        return reply

    def _apply(
        self,
        outcome: _Outcome,
        room: Room,
        keys: Keys,
        owner: str,
        entry: payloads.ChrmKVEntity,
        *,
        is_deletion: bool,
    ) -> None:
        """Change a key in memory, if that can be."""
        code = self._fault(keys, owner, entry, is_deletion=is_deletion)
        if code is not None:
            outcome.errors.append((entry.key, code))
            return
        time = outcome.times[entry.key] = self._clock.stamp(room.key)
        if is_deletion:
            keys.delete(entry.key, time)
        else:
            status = entry.status & (AUTO_DELETE | OVERWRITE)
            keys.put(EntryRow(entry.key, entry.value, owner, status, time))

    def _fault(
        self, keys: Keys, owner: str, entry: payloads.ChrmKVEntity, *, is_deletion: bool
    ) -> ErrorCode | None:
        if _KEY.fullmatch(entry.key) is None or len(entry.value) > VALUE_CHARACTERS:
            return ErrorCode.BIZ_ERROR_INVALID_PARAMETER
        row = keys.rows.get(entry.key)
        if row is None:
            if is_deletion:
                return ErrorCode.CHATROOM_KEY_NOT_EXIST
            if len(keys.rows) >= self._rooms.rules.most_keys:
                return ErrorCode.CHATROOM_KV_EXCEED
        elif row.owner != owner and not entry.status & OVERWRITE:
            return ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
        return None

    async def _write(
        self, room: Room, keys: Keys, outcome: _Outcome, device: Device | None
    ) -> None:
        """Write down what has become of these keys, and tell the members."""
        if not outcome.times:
            return
        put = [keys.rows[key] for key in outcome.times if key in keys.rows]
        removed = [key for key in outcome.times if key not in keys.rows]
        change = partial(table.change_entries, place=room.place, put=put, removed=removed)
        try:
            await self._data.write(change)
        except ServiceError:
            self._known.forget(room.place)
            raise
        self._rooms.cast.changed(room, TimeMs(keys.newest), device)

    async def _notify(
        self, caller: Caller, room: Room, request: payloads.SetChrmKV | payloads.SetChrmKVS
    ) -> None:
        """Send the message that came with a change, if its sender may speak.

        That the key was changed stays true if the message is refused. SDK 2.5.3 sends an
        empty one with deletions over long polling (http 5.6).
        """
        up = request.notification
        if not request.bNotify or room.refusal(caller.user_id, now=self._clock.now()) is not None:
            return
        try:
            await self._messages.post(
                caller.app,
                caller.user_id,
                ConversationType.CHATROOM,
                room.place.id,
                up,
                device=caller.device,
            )
        except ServiceError as error:
            _logger.debug("the notification of a key was not sent: %s", error)

    def _left(self, place: Place, user: str) -> None:
        start(self._clean(place, user), _log)

    async def _clean(self, place: Place, user: str) -> None:
        """Delete what goes with its owner."""
        room = await self._rooms.load(place.app, place.id)
        keys = await self._load(room)
        if not room.exists:
            return
        outcome = _Outcome({}, [])
        for row in [*keys.rows.values()]:
            if row.owner == user and row.status & AUTO_DELETE:
                outcome.times[row.key] = self._clock.stamp(room.key)
                keys.delete(row.key, outcome.times[row.key])
        await self._write(room, keys, outcome, None)


def _add(reply: payloads.ChrmKVOutput, row: EntryRow) -> None:
    reply.entries.add(
        key=row.key,
        value=row.value,
        status=row.status,
        timestamp=row.time,
        uid=row.owner,
        version=row.time,
    )


def _read(connection: Connection, place: Place) -> Keys:
    return Keys(table.all_entries(connection, place))


def _log(result: Exception | None) -> None:
    if result is not None:
        _logger.error("keys of a user who has left a room were not deleted: %s", result)
