"""What a program gives to a server adapter, and what it gets for each client.

``improto_asyncio.serve`` and ``improto_trio.serve`` call a :class:`Service`. All of its
methods are synchronous and must not block: they run between two reads of the network.
Work that takes time is started elsewhere and answered later through the
:class:`Peer`, from the same thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from improto.errors import NotConnected
from improto.events import PublishReceived, PullReceived, QueryReceived

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from improto.codes import DisconnectStatus
    from improto.events import CloseReason, ConnectionClosed, Offered, ServerEvent
    from improto.frames import MessageId, TimeMs
    from improto.http import HttpRequest, HttpResponse
    from improto.login import Login
    from improto.operations import Topic
    from improto.server import ServerConnection


class Peer:
    """One connected client, for the program.

    The methods are those of :class:`improto.server.ServerConnection` without ``now``: the
    adapter's clock is filled in and what they queue is sent at the end of the loop turn.

    A client may leave right behind its last request, and the service sees the request all the
    same, because what was sent counts. Answers to it are dropped; everything else raises
    NotConnected, so ask ``is_open`` first.
    """

    __slots__ = ("__weakref__", "_clock", "_wake", "address", "connection", "data", "origin")

    def __init__(
        self,
        connection: ServerConnection,
        *,
        address: str,
        origin: str | None,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.connection = connection
        self.address = address
        """Where the client comes from, for logs: ``host:port``."""
        self.origin = origin
        """The Origin header of the request, if there was one (http 4)."""
        self.data: Any = None
        """Whatever the program wants to keep with the client."""
        self._clock = clock
        self._wake = wake

    @property
    def login(self) -> Login:
        """App key, token and version of the client."""
        return self.connection.login

    @property
    def user_id(self) -> str | None:
        """Who it is, once accepted."""
        return self.connection.user_id

    @property
    def is_open(self) -> bool:
        """True while the client is online and may be told something."""
        return self.connection.is_online

    def accept(self, user_id: str, session_id: str, *, timestamp: TimeMs) -> None:
        """See :meth:`improto.server.ServerConnection.accept`."""
        self.connection.accept(user_id, session_id, timestamp=timestamp, now=self._clock())
        self._wake()

    def refuse(self, status: int) -> None:
        """See :meth:`improto.server.ServerConnection.refuse`."""
        self.connection.refuse(status, now=self._clock())
        self._wake()

    def acknowledge(
        self, message_id: MessageId, *, timestamp: TimeMs, status: int = 0, uid: str = ""
    ) -> None:
        """See :meth:`improto.server.ServerConnection.acknowledge`; dropped if it has left."""
        try:
            self.connection.acknowledge(
                message_id, timestamp=timestamp, status=status, uid=uid, now=self._clock()
            )
        except NotConnected:
            return
        self._wake()

    def answer(
        self, message_id: MessageId, *, timestamp: TimeMs, status: int = 0, data: bytes = b""
    ) -> None:
        """See :meth:`improto.server.ServerConnection.answer`; dropped if it has left."""
        try:
            self.connection.answer(
                message_id, timestamp=timestamp, status=status, data=data, now=self._clock()
            )
        except NotConnected:
            return
        self._wake()

    def answer_pull(
        self,
        message_id: MessageId,
        items: Sequence[bytes],
        *,
        sync_time: TimeMs,
        newest: TimeMs,
        is_finished: bool,
    ) -> None:
        """See :meth:`improto.server.ServerConnection.answer_pull`; dropped if it has left."""
        try:
            self.connection.answer_pull(
                message_id,
                items,
                sync_time=sync_time,
                newest=newest,
                is_finished=is_finished,
                now=self._clock(),
            )
        except NotConnected:
            return
        self._wake()

    def offer(self, item: bytes, *, time: TimeMs) -> Offered:
        """See :meth:`improto.server.ServerConnection.offer`."""
        offered = self.connection.offer(item, time=time, now=self._clock())
        self._wake()
        return offered

    def push_status(self, item: bytes, *, time: TimeMs) -> bool:
        """See :meth:`improto.server.ServerConnection.push_status`."""
        pushed = self.connection.push_status(item, time=time, now=self._clock())
        self._wake()
        return pushed

    def notify(self, time: TimeMs, *, room_id: str | None = None) -> Offered:
        """See :meth:`improto.server.ServerConnection.notify`."""
        offered = self.connection.notify(time, room_id=room_id, now=self._clock())
        self._wake()
        return offered

    def command(self, topic: Topic, payload: bytes, *, target_id: str | None = None) -> None:
        """See :meth:`improto.server.ServerConnection.command`."""
        self.connection.command(topic, payload, target_id=target_id, now=self._clock())
        self._wake()

    def sync(
        self, topic: Topic, target_id: str, data: bytes, *, uid: str, timestamp: TimeMs
    ) -> bool:
        """See :meth:`improto.server.ServerConnection.sync`."""
        shown = self.connection.sync(
            topic, target_id, data, uid=uid, timestamp=timestamp, now=self._clock()
        )
        self._wake()
        return shown

    def dismiss(self, status: DisconnectStatus) -> None:
        """See :meth:`improto.server.ServerConnection.dismiss`."""
        self.connection.dismiss(status, now=self._clock())
        self._wake()

    def shut_down(self) -> None:
        """See :meth:`improto.server.ServerConnection.shut_down`."""
        self.connection.shut_down(now=self._clock())
        self._wake()

    def abandon(self, reason: CloseReason) -> None:
        """See :meth:`improto.connection.Connection.abandon`."""
        self.connection.abandon(reason, now=self._clock())
        self._wake()


def pass_on(event: ServerEvent, peer: Peer, service: Service) -> None:
    """Call the function of the service that an event of a client is for."""
    if isinstance(event, PublishReceived):
        service.published(peer, event)
    elif isinstance(event, QueryReceived):
        service.queried(peer, event)
    elif isinstance(event, PullReceived):
        service.pulled(peer, event)
    else:
        service.closed(peer, event)


class Service(Protocol):
    """A program that serves clients."""

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a plain HTTP request: navigation, ``/ping``, anything else."""
        ...

    def opened(self, peer: Peer) -> None:
        """A client wants in; call ``peer.accept`` or ``peer.refuse``, now or later."""
        ...

    def published(self, peer: Peer, event: PublishReceived) -> None:
        """A client sent something; call ``peer.acknowledge``, now or later."""
        ...

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        """A client asks something; call ``peer.answer``, now or later."""
        ...

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        """A client asks for messages; call ``peer.answer_pull``, now or later."""
        ...

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        """A client is gone; nothing follows. Called once for every ``opened``."""
        ...
