"""Carries requests and messages over one connection after the other.

The driver of :mod:`improto_client.life`: one task stays connected, and in it every connection
has a task that receives, one that watches and one that goes back into chatrooms.

How a message survives an outage: every one has a unique id, which the server recognises. What
was sent is in the session's outbox, and the next connection sends it again before anything
else; what was not follows, in the order of the calls. So nothing is doubled, lost or overtaken.

All of that passes the local store: what arrives is there before a reader gets it, and what is
sent before it leaves. A run that dies leaves both to the next one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import anyio

from improto import payloads
from improto.errors import (
    ConnectionEnded,
    DecodeError,
    LocalProtocolError,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import (
    CaughtUp,
    CloseReason,
    FrameDropped,
    PublishAcknowledged,
    PullFailed,
)
from improto.frames import TimeMs
from improto.messages import received, request
from improto.session import ClientSession
from improto_client.arrivals import Arrivals
from improto_client.departures import Departures
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
from improto_client.receiving import Feed
from improto_client.values import read_message
from improto_client.words import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskGroup

    from improto.codes import ConnectionStatus
    from improto.config import Limits
    from improto.contents import Content, Registry
    from improto.events import ConnectionClosed
    from improto.messages import Conversation, Outgoing
    from improto.operations import Topic
    from improto_asyncio import Client
    from improto_client.approach import Approach
    from improto_client.book import Saved
    from improto_client.errors import StoreError
    from improto_client.keeping import Keeper
    from improto_client.life import Life
    from improto_client.values import Message

M = TypeVar("M", bound=payloads.Message)

WhenOffline: TypeAlias = Literal["wait", "fail"]
"""What becomes of a request that is made while there is no connection."""

STATUSES_KEPT: Final = 1000
"""Changes of the status that wait for a reader. Ours; with the usual delays, hours of them."""

_logger = logging.getLogger(__name__)


class Link:
    """What all parts of a client use to talk to the server.

    ``make_id`` gives numbers below 2**63 that were never used before; ``tasks`` runs the task
    that stays connected.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        keeper: Keeper,
        limits: Limits,
        when_offline: WhenOffline,
        make_id: Callable[[], int],
        registry: Registry | None,
        tasks: TaskGroup,
        wall_ms: Callable[[], int],
    ) -> None:
        self._arrivals = Arrivals(session, keeper=keeper, registry=registry)
        self._departures = Departures(self._arrivals, keeper=keeper)
        self.user_id = session.user_id or ""
        """Who we are; empty before the first login."""
        self.clock_offset = 0
        """Milliseconds to add to the local clock to have the server's, as of the last login."""
        self.ended: ImError | None = None
        """Why there is no connection and will be none by itself; None while there is or may be."""
        self.readers = self._arrivals.readers
        self.registry = registry
        self.keeper = keeper
        self.on_login: Callable[[], Coroutine[Any, Any, None]]
        """Called after each login, beside everything else."""
        self.life: Life
        self.approach: Approach
        self._limits = limits
        self._when_offline = when_offline
        self._make_id = make_id
        self._tasks = tasks
        self._wall_ms = wall_ms
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()
        self._feeds: list[Feed[ConnectionStatus]] = []
        self._is_caught_up = False
        self._failure: StoreError | None = None
        keeper.on_failure = self._store_failed

    # -- the connection --------------------------------------------------------------

    def resume(self, saved: Saved) -> None:
        """Go on where the last run has ended; DamagedStore if that makes no sense."""
        self._arrivals.resume(saved, limits=self._limits)
        self.user_id = self.session.user_id or ""

    @property
    def session(self) -> ClientSession:
        """What outlives a connection."""
        return self._arrivals.session

    @property
    def _client(self) -> Client | None:
        """The last one that has logged in, open or not."""
        return self._arrivals.client

    async def open(self) -> None:
        """Connect, and stay so; returns with the first login and raises what hinders it."""
        self.life.begin()
        self.approach.ways.begin()
        self.ended = self._failure = None
        self.keeper.resume()
        self.readers.begin()
        self._scope = anyio.CancelScope()
        self._tasks.start_soon(self._live)
        await self._online()

    async def close(self) -> None:
        """Say goodbye and be connected no longer. Harmless if we are not."""
        if not self.life.is_living:
            return
        client = self._arrivals.open_client
        if client is not None:
            await client.aclose()
        else:
            self._scope.cancel()
        while self.life.is_living:
            await self._changed.wait()

    def forget_session(self) -> None:
        """Begin anew: cursors, outbox and messages that nobody has taken are gone."""
        self._arrivals.forget(ClientSession(limits=self._limits))
        self.user_id = ""
        self.keeper.put(lambda book: book.wipe())
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

    def abandon(self) -> None:
        """Nothing will happen any more: tell whoever waits, and say no goodbye."""
        if self.life.is_living:
            self._end(self.life.leave().error)
        for feed in self._feeds:
            feed.end()

    async def _live(self) -> None:
        with self._scope:
            error = await self._stay_connected()
        self._arrivals.rescue()
        if self._scope.cancelled_caught:
            left = self.life.leave().error
            error = self._failure or left
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

    def _store_failed(self, error: StoreError) -> None:
        """What cannot be kept must not be received."""
        _logger.error("%s: the local store has failed: %s", self.user_id, error)
        self._failure = error
        self._scope.cancel()

    def _end(self, error: ImError) -> None:
        self.ended = error
        self._departures.fail(error)
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
            client = self._arrivals.open_client
            if client is not None:
                return client
            await self._changed.wait()

    async def _serve(self, client: Client) -> ConnectionClosed:
        self._arrivals.client = client
        self.user_id = user_id = client.user_id
        routes = self.approach.routes_text()
        self.keeper.put(lambda book: book.logged_in(user_id, routes=routes))
        self.clock_offset = client.server_time - self._wall_ms()
        self.life.online(now=anyio.current_time())
        self._tell_change()
        self._departures.connected(client)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._receive, client)
                tasks.start_soon(self._watch, client)
                tasks.start_soon(self.on_login)
        finally:
            self._is_caught_up = False
        return await client.wait_closed()

    async def caught_up(self) -> None:
        """Wait until the inbox has nothing more to fetch and all of it is taken."""
        while not self._is_caught_up:
            if self.ended is not None:
                raise self.ended.with_traceback(None)
            await self._changed.wait()

    def now(self) -> int:
        """The server's time, as far as we know it."""
        return self._wall_ms() + self.clock_offset

    # -- receiving -------------------------------------------------------------------

    def read(self, down: payloads.DownStreamMessage, conversation: Conversation) -> Message:
        """A message out of an answer, of this conversation whatever it says itself."""
        since = TimeMs(0 if self._client is None else self._client.server_time)
        raw = received(down, user_id=self.user_id, connected_at=since)
        return read_message(replace(raw, conversation=conversation), registry=self.registry)

    async def _receive(self, client: Client) -> None:
        async for delivery in client.deliveries():
            self._arrivals.arrived([delivery, *client.take_deliveries()])

    async def _watch(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case PublishAcknowledged(unique_id=int(unique_id)):
                    self._departures.answered(unique_id, event)
                case CaughtUp(room_id=None):
                    self._is_caught_up = True
                    self._tell_change()
                case PullFailed() | FrameDropped():
                    _logger.warning("%s: %s", self.user_id, event)

    # -- sending ---------------------------------------------------------------------

    async def publish(
        self, to: Conversation, content: Content, make: Callable[[int], Outgoing]
    ) -> PublishAcknowledged:
        """Send what ``make`` makes of a unique id, over as many connections as it takes.

        ``content`` is what it says and ``to`` the conversation that it belongs to. Who is
        cancelled while he waits takes back what was not sent yet. Raises Refused, Malformed,
        Offline, or why there is no connection any more.
        """
        unique_id = self._make_id()
        try:
            message = make(unique_id)
        except LocalProtocolError as error:
            raise Malformed(str(error)) from error
        if clean(to.target_id) != to.target_id:
            raise Malformed(f"target_id: {to.target_id!a} has characters that no store takes")
        self._client_or_error()
        answer = await self._departures.send(
            unique_id, message, content, to=to, user_id=self.user_id, now=self.now()
        )
        if answer.status != 0:
            raise Refused(answer.status)
        return answer

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
        client = self._arrivals.open_client
        if client is None and self._when_offline == "fail":
            raise Offline
        return client

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
