"""Carries requests and messages over one connection after the other.

The driver of :mod:`improto_client.life`: one task stays connected, and in it every connection
has a task that receives, one that watches and one that goes back into chatrooms.

How a message survives an outage: every one has a unique id, which the server recognises. What
was sent is in the session's outbox, and the next connection sends it again before anything
else; what was not follows, in the order of the calls. So nothing is doubled, lost or overtaken.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import anyio

from improto import payloads
from improto.errors import (
    ConnectionEnded,
    DecodeError,
    LocalProtocolError,
    NotConnected,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import (
    CloseReason,
    FrameDropped,
    PublishAcknowledged,
    PullFailed,
    RequestFailed,
)
from improto.frames import TimeMs
from improto.messages import received, request
from improto.session import ClientSession
from improto_client.errors import (
    Disconnected,
    ImError,
    LoginFailed,
    Malformed,
    NotAnswered,
    Offline,
    Refused,
    Unreadable,
)
from improto_client.life import Over
from improto_client.receiving import Feed, Readers
from improto_client.values import read_message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskGroup

    from improto.codes import ConnectionStatus
    from improto.config import Limits
    from improto.contents import Registry
    from improto.events import ConnectionClosed, Receipt
    from improto.messages import Conversation, Outgoing
    from improto.operations import Topic
    from improto_asyncio import Client
    from improto_client.approach import Approach
    from improto_client.life import Life
    from improto_client.values import Message

M = TypeVar("M", bound=payloads.Message)

WhenOffline: TypeAlias = Literal["wait", "fail"]
"""What becomes of a request that is made while there is no connection."""

STATUSES_KEPT: Final = 1000
"""Changes of the status that wait for a reader. Ours; with the usual delays, hours of them."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Pending:
    """A message that the server has not answered yet."""

    message: Outgoing
    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: PublishAcknowledged | ImError | None = None
    withdraw: Callable[[], None] | None = None
    """Takes it back while it is with a connection and not sent yet."""


class Link:
    """What all parts of a client use to talk to the server.

    ``make_id`` gives numbers below 2**63 that were never used before; ``tasks`` runs the task
    that stays connected.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        limits: Limits,
        when_offline: WhenOffline,
        make_id: Callable[[], int],
        registry: Registry | None,
        tasks: TaskGroup,
        wall_ms: Callable[[], int],
    ) -> None:
        self.session = session
        self.user_id = session.user_id or ""
        """Who we are; empty before the first login."""
        self.clock_offset = 0
        """Milliseconds to add to the local clock to have the server's, as of the last login."""
        self.ended: ImError | None = None
        """Why there is no connection and will be none by itself; None while there is or may be."""
        self.readers = Readers(self._acknowledge)
        self.registry = registry
        self.on_login: Callable[[], Coroutine[Any, Any, None]]
        """Called after each login, beside everything else."""
        self.life: Life
        self.approach: Approach
        self._limits = limits
        self._when_offline = when_offline
        self._make_id = make_id
        self._tasks = tasks
        self._wall_ms = wall_ms
        self._client: Client | None = None
        """The last one that has logged in, open or not."""
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()
        self._pending: dict[int, _Pending] = {}
        self._feeds: list[Feed[ConnectionStatus]] = []

    # -- the connection --------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and stay so; returns with the first login and raises what hinders it."""
        self.life.begin()
        self.approach.ways.begin()
        self.ended = None
        self.readers.begin()
        self._scope = anyio.CancelScope()
        self._tasks.start_soon(self._live)
        await self._online()

    async def close(self) -> None:
        """Say goodbye and be connected no longer. Harmless if we are not."""
        if not self.life.is_living:
            return
        client = self._open_client
        if client is not None:
            await client.aclose()
        else:
            self._scope.cancel()
        while self.life.is_living:
            await self._changed.wait()

    def forget_session(self) -> None:
        """Begin anew: cursors, outbox and messages that nobody has taken are gone."""
        self.session = ClientSession(limits=self._limits)
        self.user_id = ""
        self._client = None
        self.readers.clear()
        self.approach.forget_route()

    def show(self, status: ConnectionStatus) -> None:
        """The status has changed; for :class:`Life`."""
        for feed in self._feeds:
            feed.put(status)

    def statuses(self) -> Feed[ConnectionStatus]:
        """Every change from now on, in order."""
        feed: Feed[ConnectionStatus] = Feed(limit=STATUSES_KEPT)
        self._feeds.append(feed)
        return feed

    def end_feeds(self) -> None:
        """There will be no status any more."""
        for feed in self._feeds:
            feed.end()

    @property
    def _open_client(self) -> Client | None:
        client = self._client
        return client if client is not None and client.is_open else None

    async def _live(self) -> None:
        with self._scope:
            error = await self._stay_connected()
        if self._scope.cancelled_caught:
            error = self.life.leave().error
        self._end(error)

    async def _stay_connected(self) -> ImError:
        while True:
            try:
                closed = await self.approach.attempt(self.session, self._serve)
            except LoginFailed as error:
                verdict = self.life.failed(error)
            else:
                if closed.reason is CloseReason.REDIRECTED:
                    self.approach.forget_route()
                verdict = self.life.lost(closed.reason, closed.status, now=anyio.current_time())
            if isinstance(verdict, Over):
                return verdict.error
            await anyio.sleep(verdict.delay)

    def _end(self, error: ImError) -> None:
        self.ended = error
        for unique_id, pending in self._pending.items():
            # Who is told that it has failed will not expect it to arrive after a reconnect().
            self.session.settle(unique_id)
            pending.outcome = error
            pending.done.set()
        self._pending.clear()
        self.readers.end(None if isinstance(error, Disconnected) else error)
        self._tell_change()

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _online(self) -> Client:
        """Wait for a connection; raises why there will be none."""
        while True:
            if self.ended is not None:
                raise self.ended.with_traceback(None)
            client = self._open_client
            if client is not None:
                return client
            await self._changed.wait()

    async def _serve(self, client: Client) -> ConnectionClosed:
        self._client = client
        self.user_id = client.user_id
        self.clock_offset = client.server_time - self._wall_ms()
        self.life.online(now=anyio.current_time())
        self._tell_change()
        self._post_waiting(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._receive, client)
            tasks.start_soon(self._watch, client)
            tasks.start_soon(self.on_login)
        return await client.wait_closed()

    # -- receiving -------------------------------------------------------------------

    def read(self, down: payloads.DownStreamMessage, conversation: Conversation) -> Message:
        """A message out of an answer, of this conversation whatever it says itself."""
        since = TimeMs(0 if self._client is None else self._client.server_time)
        raw = received(down, user_id=self.user_id, connected_at=since)
        return read_message(replace(raw, conversation=conversation), registry=self.registry)

    async def _receive(self, client: Client) -> None:
        async for delivery in client.deliveries():
            message = read_message(delivery.message, registry=self.registry)
            self.readers.deliver(message, delivery.receipt)

    def _acknowledge(self, receipt: Receipt) -> None:
        assert self._client is not None  # it, or one before it, has brought the message
        self._client.acknowledge(receipt)

    async def _watch(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case PublishAcknowledged(unique_id=int(unique_id)):
                    self._answered(unique_id, event)
                case PullFailed() | FrameDropped():
                    _logger.warning("%s: %s", self.user_id, event)

    # -- sending ---------------------------------------------------------------------

    async def publish(self, make: Callable[[int], Outgoing]) -> PublishAcknowledged:
        """Send what ``make`` makes of a unique id, over as many connections as it takes.

        Who is cancelled while he waits takes back what was not sent yet. Raises Refused,
        Malformed, Offline, or why there is no connection any more.
        """
        unique_id = self._make_id()
        try:
            pending = _Pending(make(unique_id))
        except LocalProtocolError as error:
            raise Malformed(str(error)) from error
        client = self._client_or_error()
        self._pending[unique_id] = pending
        if client is not None:
            self._post(client, unique_id, pending)
        try:
            await pending.done.wait()
        finally:
            self._pending.pop(unique_id, None)
            if pending.outcome is None and pending.withdraw is not None:
                pending.withdraw()
        outcome = pending.outcome
        assert outcome is not None  # that is what the event says
        if isinstance(outcome, ImError):
            raise outcome.with_traceback(None)
        if outcome.status != 0:
            raise Refused(outcome.status)
        return outcome

    async def publish_now(self, make: Callable[[], Outgoing]) -> None:
        """Send something that is of no use later; without a connection it is dropped quietly.

        Raises Refused, Malformed, Offline, or why there is no connection any more.
        """
        client = self._client_or_error()
        try:
            message = make()
            if client is not None:
                await client.publish(message)
        except RequestRefused as refusal:
            raise Refused(refusal.code) from None
        except (RequestTimedOut, ConnectionEnded):
            return
        except LocalProtocolError as error:
            raise Malformed(str(error)) from error

    def _client_or_error(self) -> Client | None:
        """The connection; None if there is none and the program is willing to wait."""
        if self.ended is not None:
            raise self.ended.with_traceback(None)
        client = self._open_client
        if client is None and self._when_offline == "fail":
            raise Offline
        return client

    def _post(self, client: Client, unique_id: int, pending: _Pending) -> None:
        pending.withdraw = client.post(pending.message, partial(self._told, unique_id, pending))

    def _post_waiting(self, client: Client) -> None:
        """Send what the last connection has not; what it has, the session sends itself."""
        outbox = client.session.outbox
        for unique_id, pending in list(self._pending.items()):
            if unique_id not in outbox:
                self._post(client, unique_id, pending)

    def _told(
        self,
        unique_id: int,
        pending: _Pending,
        outcome: PublishAcknowledged | RequestFailed | LocalProtocolError,
    ) -> None:
        """Called from inside the connection."""
        pending.withdraw = None
        if isinstance(outcome, PublishAcknowledged):
            self._answered(unique_id, outcome)
        elif isinstance(outcome, LocalProtocolError) and not isinstance(outcome, NotConnected):
            self._answered(unique_id, Malformed(str(outcome)))
        # All else: the session has it and sends it again, or the next connection gets it.

    def _answered(self, unique_id: int, outcome: PublishAcknowledged | ImError) -> None:
        pending = self._pending.pop(unique_id, None)
        if pending is not None:
            pending.outcome = outcome
            pending.done.set()

    # -- asking ----------------------------------------------------------------------

    async def ask(
        self,
        topic: Topic,
        target: str | None,
        payload: payloads.Message,
        reply: type[M],
        *,
        may_repeat: bool = False,
    ) -> M:
        """Send a QUERY and read its answer. For ``target`` None stands for the user himself.

        ``may_repeat``: asking twice does no harm, so if the connection breaks before the answer
        the next one asks again. Raises Refused, NotAnswered, Unreadable, Malformed, Offline, or
        why there is no connection any more.
        """
        data = await self.query(topic, target, payload, may_repeat=may_repeat)
        try:
            return payloads.decode(reply, data)
        except DecodeError as error:
            raise Unreadable(f"{topic}: {error}") from error

    async def query(
        self,
        topic: Topic,
        target: str | None,
        payload: payloads.Message,
        *,
        may_repeat: bool = False,
    ) -> bytes:
        """Like :meth:`ask`, where nobody reads the answer."""
        while True:
            client = self._client_or_error() or await self._online()
            try:
                asked = request(topic, client.user_id if target is None else target, payload)
                return await client.query(asked)
            except RequestRefused as refusal:
                raise Refused(refusal.code) from None
            except RequestTimedOut as error:
                raise NotAnswered(str(error)) from error
            except ConnectionEnded as error:
                if not may_repeat:
                    raise NotAnswered(str(error)) from error
            except LocalProtocolError as error:
                raise Malformed(str(error)) from error

    async def follow_room(self, room_id: str, *, count: int) -> None:
        """Receive the messages of a room; without a connection, from the next login on."""
        client = self._client_or_error()
        try:
            if client is not None:
                await client.follow_room(room_id, count=count)
        except ConnectionEnded:
            return
        except LocalProtocolError as error:
            raise Malformed(str(error)) from error

    def forget_room(self, room_id: str) -> None:
        """Receive no more of a room."""
        if self._client is not None:
            self._client.forget_room(room_id)
