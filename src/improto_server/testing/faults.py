"""Trouble between clients and the server, and a record of what they say to each other.

:class:`FaultyService` stands around the gateway. What comes in it holds up or refuses; what goes
out it takes from the connection itself, because some of it, such as a repeated announcement, is
the connection's own idea. All of it happens on the server's event loop, which is asyncio's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from improto.frames import Delivery
from improto.operations import Topic
from improto_server.testing.record import Teller

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.events import (
        ConnectionClosed,
        Offered,
        PublishReceived,
        PullReceived,
        QueryReceived,
    )
    from improto.frames import Frame, TimeMs
    from improto.http import HttpRequest, HttpResponse
    from improto.server import ServerConnection
    from improto.service import Peer, Service
    from improto_server.testing.record import Record


@dataclass(slots=True, kw_only=True)
class Refusal:
    """An error status instead of what was wanted."""

    status: int
    times: int
    topic: str | None = None
    """Of the requests that are meant; None: messages on any topic, or a login."""


@dataclass(slots=True)
class Faults:
    """What troubles a user."""

    delay: float = 0.0
    """Seconds until the server hears what he says."""
    is_deaf: bool = False
    """He is told nothing that he has not asked for."""
    logins: list[Refusal] = field(default_factory=list)
    requests: list[Refusal] = field(default_factory=list)


NONE: Final = Faults()


def take(refusals: list[Refusal], *topics: str | None) -> int | None:
    """The status of the first refusal for one of the topics, which then has one time less."""
    for refusal in refusals:
        if refusal.topic in topics:
            refusal.times -= 1
            if refusal.times <= 0:
                refusals.remove(refusal)
            return refusal.status
    return None


class FaultyService:
    """A :class:`improto.service.Service` around another.

    ``who_is`` finds the user of a connection that is not accepted yet, empty if nobody; ``now`` is
    milliseconds since 1970; ``faults`` are those of users, by id.
    """

    def __init__(
        self,
        service: Service,
        *,
        who_is: Callable[[Peer], str],
        now: Callable[[], TimeMs],
        faults: dict[str, Faults],
        record: Record,
    ) -> None:
        self._service = service
        self._who_is = who_is
        self._now = now
        self._faults = faults
        self._record = record
        self._count = 0
        self._clients: WeakKeyDictionary[Peer, _Client] = WeakKeyDictionary()

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a plain HTTP request; there is no trouble with those."""
        response = self._service.http(request)
        self._record.write(f"{request.method} {request.path}: {int(response.status)}")
        return response

    def opened(self, peer: Peer) -> None:
        """A client wants in."""
        self._count += 1
        user = self._who_is(peer)
        name = f"{user or 'somebody'}/{self._count}"
        self._record.write(f"{name} comes from {peer.address}, SDK {peer.login.sdk_version}")
        client = _Client(peer.connection, name, lambda: self._faults.get(user, NONE), self._record)
        self._clients[peer] = client
        status = take(client.faults.logins, None)
        if status is None:
            self._service.opened(peer)
        else:
            peer.refuse(status)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        """A client sent something."""
        topic, number = event.frame.topic, event.frame.message_id
        go_on = partial(self._service.published, peer, event)
        self._hear(peer, (topic, None), go_on, partial(peer.acknowledge, number))

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        """A client asks something."""
        topic, number = event.frame.topic, event.frame.message_id
        go_on = partial(self._service.queried, peer, event)
        self._hear(peer, (topic,), go_on, partial(peer.answer, number))

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        """A client asks for messages."""
        topic = Topic.PULL_MSG if event.room_id is None else Topic.CHRM_PULL
        go_on = partial(self._service.pulled, peer, event)
        self._hear(peer, (topic,), go_on, partial(peer.answer, event.message_id))

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        """A client is gone."""
        client = self._clients.pop(peer)
        detail = f" ({event.error})" if event.error else ""
        self._record.write(f"{client.name} is gone: {event.reason.value}{detail}")
        # Behind everything that was sent.
        client.later(partial(self._service.closed, peer, event))

    def _hear(
        self,
        peer: Peer,
        topics: tuple[str | None, ...],
        go_on: Callable[[], None],
        refuse: Callable[..., None],
    ) -> None:
        client = self._clients[peer]

        def hear() -> None:
            status = take(client.faults.requests, *topics)
            if status is None:
                go_on()
            else:
                refuse(timestamp=self._now(), status=status)

        client.later(hear)


class _Client:
    """One connection, and what is on the way from it."""

    def __init__(
        self,
        connection: ServerConnection,
        name: str,
        find_faults: Callable[[], Faults],
        record: Record,
    ) -> None:
        self.name = name
        self._find_faults = find_faults
        self._record = record
        self._teller = Teller()
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        """With when it is due, by the event loop's clock."""
        # Everything that the connection hears and says passes these, whoever wants it said.
        vars(connection).update(
            _handle_frame=partial(self._hear, connection._handle_frame),
            _send=partial(self._say, connection._send),
            _send_all=partial(self._say_all, connection._send_all),
            offer=partial(self._offer, connection.offer, connection.notify),
            push_status=partial(self._push, connection.push_status),
            sync=partial(self._push, connection.sync),
        )

    @property
    def faults(self) -> Faults:
        """What troubles the user at this moment."""
        return self._find_faults()

    def later(self, call: Callable[[], None]) -> None:
        """Make a call when the user's delay has passed, behind those that were there before."""
        delay = self.faults.delay
        if not delay:
            # At once again, and so is what has waited.
            self._make_due(math.inf)
            call()
            return
        loop = asyncio.get_running_loop()
        due = max(loop.time() + delay, self._waiting[-1][0] if self._waiting else 0.0)
        self._waiting.append((due, call))
        loop.call_at(due, self._make_due, due)

    def _make_due(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, call = self._waiting.popleft()
            call()

    # -- in place of the connection's own --------------------------------------------

    def _hear(self, handle: Callable[[Frame], None], frame: Frame) -> None:
        self._note("->", frame)
        handle(frame)

    def _say(self, send: Callable[[Frame], None], frame: Frame) -> None:
        if self.faults.is_deaf and isinstance(frame, Delivery):
            self._note("is not told", frame)
        else:
            send(frame)
            self._note("<-", frame)

    def _say_all(self, send_all: Callable[..., None], *frames: Frame) -> None:
        send_all(*frames)
        for frame in frames:
            self._note("<-", frame)

    def _offer(
        self,
        offer: Callable[..., Offered],
        notify: Callable[..., Offered],
        item: bytes,
        *,
        time: TimeMs,
        now: float,
    ) -> Offered:
        """A push that is lost would be lost for good (session 8.5), an announcement is not."""
        if self.faults.is_deaf:
            return notify(time, now=now)
        return offer(item, time=time, now=now)

    def _push(self, push: Callable[..., bool], *arguments: Any, **options: Any) -> bool:
        return not self.faults.is_deaf and push(*arguments, **options)

    def _note(self, direction: str, frame: Frame) -> None:
        line = self._teller.tell(frame)
        if line is not None:
            self._record.write(f"{self.name} {direction} {line}")
