"""Requests on their way: sent and not yet answered, received and not yet answered.

The two directions have separate tables and separate ids. Mixing them up is the
classic mistake of this family of protocols: a server PUBLISH then completes a client
request (session 6).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto.errors import LocalProtocolError, WindowFull
from improto.frames import MessageId, Qos

if TYPE_CHECKING:
    from collections.abc import Container

LAST_ID: Final = 65535
"""Ids have 16 bits; a client counts 1..65535 and starts over (session 6)."""

FIRST_SYNC_ID: Final = 32768
"""A server counts the ids of its copies downward from 65535 to here (session 6)."""


class Asked(enum.Enum):
    """What a client is waiting for."""

    PUBLISH = "PUBACK"
    QUERY = "QUERYACK"
    PULL = "QUERYACK of a pull the core sent by itself"


@dataclass(slots=True)
class Waiting:
    """One request of ours that has no answer yet."""

    asked: Asked
    sent_at: float
    unique_id: int | None = None
    room_id: str | None = None
    """For a pull: the room, or None for the inbox."""


class OwnRequests:
    """Requests of a client, oldest first."""

    __slots__ = ("_last", "_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._waiting: dict[MessageId, Waiting] = {}
        self._last = 0
        self._limit = limit

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._waiting

    @property
    def is_full(self) -> bool:
        """True if one more request would pass the window."""
        return len(self._waiting) >= self._limit

    def start_after(self, message_id: MessageId) -> None:
        """Continue counting from an id; CONNACK version 4 sets it (wire 4.2)."""
        self._last = message_id

    def next_id(self, *, avoid: Container[MessageId] = ()) -> MessageId:
        """An id that is neither in flight nor in ``avoid``; WindowFull if the window is."""
        if self.is_full:
            raise WindowFull(f"{self._limit} requests are already waiting for an answer")
        candidate = self._last
        while True:
            candidate = candidate % LAST_ID + 1
            message_id = MessageId(candidate)
            if message_id not in self._waiting and message_id not in avoid:
                return message_id

    def add(self, message_id: MessageId, waiting: Waiting) -> None:
        """A request left with this id; the next one continues from there."""
        self._last = message_id
        self._waiting[message_id] = waiting

    def take(self, message_id: MessageId, *asked: Asked) -> Waiting | None:
        """Remove a request that waits for one of these answers; None if there is none."""
        waiting = self._waiting.get(message_id)
        if waiting is None or waiting.asked not in asked:
            return None
        del self._waiting[message_id]
        return waiting

    @property
    def oldest(self) -> float | None:
        """When the longest waiting request was sent."""
        for waiting in self._waiting.values():
            return waiting.sent_at
        return None

    def take_late(self, timeout: float, *, now: float) -> list[tuple[MessageId, Waiting]]:
        """Remove the requests that were sent ``timeout`` seconds ago or earlier."""
        late = [item for item in self._waiting.items() if item[1].sent_at + timeout <= now]
        for message_id, _ in late:
            del self._waiting[message_id]
        return late

    def take_all(self) -> list[tuple[MessageId, Waiting]]:
        """Remove everything."""
        everything = list(self._waiting.items())
        self._waiting = {}
        return everything


class PeerRequests:
    """Requests of a client that a server has not answered yet.

    A PUBLISH may wait several times under one id: SDK 2.9.2 sends all status messages with
    id 0 (session 6). A QUERY may not; nobody could tell the answers apart.
    """

    __slots__ = ("_last_sync", "_limit", "_publishes", "_queries", "count")

    def __init__(self, limit: int) -> None:
        self._publishes: dict[MessageId, int] = {}
        self._queries: dict[MessageId, Qos] = {}
        self._limit = limit
        self._last_sync = FIRST_SYNC_ID
        self.count = 0
        """How many requests wait."""

    @property
    def is_full(self) -> bool:
        """True if one more request would pass the limit."""
        return self.count >= self._limit

    def add_publish(self, message_id: MessageId) -> None:
        """A PUBLISH arrived."""
        self._publishes[message_id] = self._publishes.get(message_id, 0) + 1
        self.count += 1

    def add_query(self, message_id: MessageId, qos: Qos) -> None:
        """A QUERY arrived; its QoS is repeated in the answer (wire 9)."""
        self._queries[message_id] = qos
        self.count += 1

    def has_query(self, message_id: MessageId) -> bool:
        """True if a QUERY with this id waits."""
        return message_id in self._queries

    def require_publish(self, message_id: MessageId) -> None:
        """LocalProtocolError unless a PUBLISH with this id waits."""
        if message_id not in self._publishes:
            raise LocalProtocolError(f"no PUBLISH with id {message_id} waits for an answer")

    def require_query(self, message_id: MessageId) -> Qos:
        """QoS of the waiting QUERY with this id; LocalProtocolError if there is none."""
        qos = self._queries.get(message_id)
        if qos is None:
            raise LocalProtocolError(f"no QUERY with id {message_id} waits for an answer")
        return qos

    def answer_publish(self, message_id: MessageId) -> None:
        """One PUBLISH with this id is answered."""
        left = self._publishes[message_id] - 1
        if left:
            self._publishes[message_id] = left
        else:
            del self._publishes[message_id]
        self.count -= 1

    def answer_query(self, message_id: MessageId) -> None:
        """The QUERY with this id is answered."""
        del self._queries[message_id]
        self.count -= 1

    def next_sync_id(self) -> MessageId:
        """An id for a copy that no request of the client is waiting with (session 6)."""
        candidate = self._last_sync
        while True:
            candidate = LAST_ID if candidate == FIRST_SYNC_ID else candidate - 1
            message_id = MessageId(candidate)
            if message_id not in self._publishes and message_id not in self._queries:
                return message_id

    def sync_sent(self, message_id: MessageId) -> None:
        """A copy left with this id; the next one continues from there."""
        self._last_sync = message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCopy:
    """A copy from another device that waits for its PUBACK (session 9.3)."""

    topic: str
    target_id: str
    data: bytes
    since: float
    """When it came, in the caller's monotonic seconds."""
