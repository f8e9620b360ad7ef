"""What a simulation keeps of each connection and of the server's store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from improto.codec import decode
from improto.frames import Delivery, MessageId, PubAck, Publish, Query, QueryAck, Role, TimeMs

if TYPE_CHECKING:
    from improto.client import ClientConnection
    from improto.events import ConnectionClosed
    from improto.messages import MessageDirection
    from improto.server import ServerConnection
    from improto.testing.links import OrderedLink


@dataclass(slots=True)
class Entry:
    """One message in the server's store."""

    time: TimeMs
    uid: str
    item: bytes
    direction: MessageDirection


@dataclass(slots=True)
class PullReply:
    """What the store held when a pull came; by the time it is sent there may be more."""

    message_id: MessageId
    items: list[bytes]
    sync_time: TimeMs
    newest: TimeMs
    is_finished: bool


@dataclass(slots=True)
class Attempt:
    """One connection, seen from both sides."""

    link: OrderedLink
    client: ClientConnection
    server: ServerConnection
    client_ends: list[ConnectionClosed] = field(default_factory=list)
    server_ends: list[ConnectionClosed] = field(default_factory=list)
    to_acknowledge: list[tuple[MessageId, Entry]] = field(default_factory=list)
    to_answer: list[PullReply] = field(default_factory=list)
    in_flight: set[MessageId] = field(default_factory=set)
    """Ids of the client's requests that have no answer yet."""

    def check_request(self, message: bytes) -> None:
        """AssertionError if a request takes the id of one that has no answer yet."""
        frame = decode(message, Role.CLIENT)
        if isinstance(frame, Publish | Query):
            assert frame.message_id not in self.in_flight, "an id is in flight twice"
            self.in_flight.add(frame.message_id)

    def check_answer(self, message: bytes) -> None:
        """AssertionError if what a server publishes could complete a request (session 6)."""
        frame = decode(message, Role.SERVER)
        if isinstance(frame, PubAck | QueryAck):
            self.in_flight.discard(frame.message_id)
        elif isinstance(frame, Delivery):
            assert frame.message_id == 0, "a server publishes under an id of its own"

    @property
    def is_over(self) -> bool:
        """True if nothing can happen here any more."""
        return bool(self.client_ends and self.server_ends) and self.link.next_deadline() is None
