"""Chatrooms: joining, leaving, who is in, and their keys and values."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, MemberOrder
from improto.contents import ChatroomKeyChange, KeyOperation, encode
from improto.operations import Topic
from improto_client.book import Kept
from improto_client.errors import ImError, Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto_client.link import Link

MOST_MEMBERS: Final = 20
"""Members told in one answer (operations 14)."""

_logger = logging.getLogger(__name__)

_AUTO_DELETE, _OVERWRITE, _DELETED = 1, 2, 4
"""``status`` of an entry (operations 14.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomInfo:
    """How many are in a room, and some of them."""

    total: int
    members: tuple[tuple[str, int], ...]
    """User ids with the times of their joining."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A value of a room."""

    value: str
    owner_id: str
    """Who has set it."""
    time: int


class Chatrooms:
    """``im.chatrooms``.

    A room that was joined stays joined over reconnects; its messages come to the readers of
    ``im.messages``. All methods raise Refused, NotAnswered and what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._joined: dict[str, None] = {}

    @property
    def joined(self) -> tuple[str, ...]:
        """The rooms that this client is in."""
        return tuple(self._joined)

    async def join(self, room_id: str, *, history: int = 10, existing: bool = False) -> None:
        """Go into a room and receive its messages, beginning with up to ``history`` old ones.

        The room is made if it does not exist; with ``existing`` it is Refused with 23410 then.
        Further refusals: 23409 banned, 23411 full, 23412 no room id. Malformed for more rooms
        than limits.rooms or a ``history`` below 0.
        """
        if history < 0:
            raise Malformed("history: there are no fewer than 0 old messages")
        topic = Topic.JOIN_CHRM_R if existing else Topic.JOIN_CHRM
        payload = payloads.ChrmInput(nothing=1)
        await self._link.query(topic, room_id, payload, may_repeat=True)
        # On the wire 0 is "as many as usual", and -1 none (session 11).
        await self._link.follow_room(room_id, count=history or -1)
        self._joined[room_id] = None

    async def quit(self, room_id: str) -> None:
        """Leave a room; Refused with 23406 by a user who is not in it."""
        self._joined.pop(room_id, None)
        self._link.forget_room(room_id)
        await self._link.query(Topic.EXIT_CHRM, room_id, payloads.ChrmInput(nothing=1))
        self._link.keeper.put(lambda book: book.set_entries(room_id, {}))

    async def rejoin(self) -> None:
        """Go back into all rooms after a login; the client does it by itself (session 2.2).

        A room that does not want the user any more is forgotten.
        """
        for room_id in self.joined:
            try:
                payload = payloads.ChrmInput(nothing=1)
                await self._link.query(Topic.JOIN_CHRM_R, room_id, payload)
                await self._link.follow_room(room_id, count=0)
            except Refused as refusal:
                _logger.warning("not in chatroom %s any more: %s", room_id, refusal)
                self._joined.pop(room_id, None)
                self._link.forget_room(room_id)
            except ImError as error:
                _logger.info("chatroom %s waits for the next connection: %s", room_id, error)

    def forget_all(self) -> None:
        """Be in no room any more, after a logout."""
        self._joined.clear()

    async def info(
        self, room_id: str, *, count: int = MOST_MEMBERS, newest_first: bool = False
    ) -> RoomInfo:
        """How many are in, and ``count`` of them by the time of their joining (operations 14).

        Refused with 23410 if there is no such room. Malformed unless ``count`` is 0 to 20.
        """
        if not 0 <= count <= MOST_MEMBERS:
            raise Malformed(f"count must be 0 to {MOST_MEMBERS}, not {count}")
        order = MemberOrder.DESCENDING if newest_first else MemberOrder.ASCENDING
        reply = await self._link.ask(
            Topic.QUERY_CHRM_I,
            room_id,
            payloads.QueryChatroomInfoInput(count=count, order=order if count else 0),
            payloads.QueryChatroomInfoOutput,
            may_repeat=True,
        )
        return RoomInfo(
            total=reply.userTotalNums,
            members=tuple((member.id, member.time) for member in reply.userInfos),
        )

    # -- keys and values -------------------------------------------------------------

    async def entries(self, room_id: str) -> dict[str, Entry]:
        """All keys and values of a room (operations 14.1). Refused with 23426: switched off."""
        reply = await self._link.ask(
            Topic.PULL_KV,
            room_id,
            payloads.QueryChrmKV(timestamp=0),
            payloads.ChrmKVOutput,
            may_repeat=True,
        )
        found = {
            entry.key: Entry(value=entry.value, owner_id=entry.uid, time=entry.timestamp)
            for entry in reply.entries
            if not entry.status & _DELETED
        }
        kept = {key: Kept(each.value, each.owner_id, each.time) for key, each in found.items()}
        self._link.keeper.put(lambda book: book.set_entries(room_id, kept))
        return found

    async def entry(self, room_id: str, key: str) -> Entry | None:
        """One of them; None if there is no such key."""
        return (await self.entries(room_id)).get(key)

    async def set_entry(
        self,
        room_id: str,
        key: str,
        value: str,
        *,
        force: bool = False,
        auto_delete: bool = False,
        is_told: bool = False,
        extra: str | None = None,
    ) -> None:
        """Set a key (operations 14.2).

        ``force``: also if it is somebody else's, which is Refused with 23424 otherwise;
        ``auto_delete``: it goes when this user leaves; ``is_told``: the members get a message
        about it, with ``extra`` in it. Refused with 23423 if there are too many, and with 33003
        for a key that is not 1 to 128 of ``A-Za-z0-9_=+-`` or a value of more than 4096.
        """
        status = auto_delete * _AUTO_DELETE | force * _OVERWRITE
        payload = payloads.SetChrmKV(entry=self._entity(key, value, status))
        if is_told:
            self._tell(payload, key, value, KeyOperation.SET, extra)
        await self._link.query(Topic.SET_KV, room_id, payload, may_repeat=True)
        self._keep(room_id, {key: value})

    async def remove_entry(
        self,
        room_id: str,
        key: str,
        *,
        force: bool = False,
        is_told: bool = False,
        extra: str | None = None,
    ) -> None:
        """Remove a key; arguments and refusals as of :meth:`set_entry`, 23427: no such key."""
        payload = payloads.SetChrmKV(entry=self._entity(key, "", _DELETED | force * _OVERWRITE))
        if is_told:
            self._tell(payload, key, "", KeyOperation.DELETE, extra)
        await self._link.query(Topic.DEL_KV, room_id, payload)
        self._keep(room_id, {key: None})

    async def set_entries(
        self,
        room_id: str,
        values: Mapping[str, str],
        *,
        force: bool = False,
        auto_delete: bool = False,
    ) -> None:
        """Set up to ten keys at once; Refused with 23428 if some of them failed."""
        status = auto_delete * _AUTO_DELETE | force * _OVERWRITE
        payload = payloads.SetChrmKVS(
            entry=[self._entity(key, value, status) for key, value in values.items()]
        )
        await self._link.query(Topic.SET_KVS, room_id, payload, may_repeat=True)
        self._keep(room_id, values)

    async def remove_entries(
        self, room_id: str, keys: Iterable[str], *, force: bool = False
    ) -> None:
        """Remove up to ten keys at once; Refused with 23428 if some of them failed."""
        status = _DELETED | force * _OVERWRITE
        gone: dict[str, str | None] = dict.fromkeys(keys)
        payload = payloads.SetChrmKVS(entry=[self._entity(key, "", status) for key in gone])
        await self._link.query(Topic.DEL_KVS, room_id, payload)
        self._keep(room_id, gone)

    def _keep(self, room_id: str, changes: Mapping[str, str | None]) -> None:
        """In the local store; None: the key is gone."""
        owner_id, time = self._link.user_id, self._link.now()
        entries = {
            key: None if value is None else Kept(value, owner_id, time)
            for key, value in changes.items()
        }
        self._link.keeper.put(lambda book: book.change_entries(room_id, entries))

    def _entity(self, key: str, value: str, status: int) -> payloads.ChrmKVEntity:
        return payloads.ChrmKVEntity(key=key, value=value, status=status, uid=self._link.user_id)

    def _tell(
        self,
        payload: payloads.SetChrmKV,
        key: str,
        value: str,
        operation: KeyOperation,
        extra: str | None,
    ) -> None:
        notice = ChatroomKeyChange(key=key, value=value, type=operation, extra=extra)
        payload.bNotify = True
        payload.notification.sessionId = 1
        payload.notification.classname = notice.object_name
        payload.notification.content = encode(notice)
        payload.type = ConversationType.CHATROOM
