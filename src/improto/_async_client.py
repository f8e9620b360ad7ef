"""The client that a program awaits, the same on every event loop.

``improto_asyncio.connect`` and ``improto_trio.connect`` supply the socket and the loop, and
give out this class. It waits only on wakeups of its desk (:mod:`improto._desk`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from improto import payloads
from improto._desk import Desk
from improto._polling_client import PollingClientEndpoint
from improto.codes import describe
from improto.endpoint import ClientEndpoint
from improto.errors import (
    ConnectionEnded,
    LocalProtocolError,
    NotConnected,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import FailureCause, PublishAcknowledged, QueryAnswered, RequestFailed
from improto.login import Login, bare_token
from improto.messages import compose, request
from improto.transports import framer_factory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from improto._desk import Outcome, Runtime
    from improto._lines import Line, Lines
    from improto.contents import Content
    from improto.events import (
        ClientEvent,
        Connected,
        ConnectionClosed,
        MessageReceived,
        Receipt,
    )
    from improto.frames import MessageId
    from improto.messages import ChatMessage, Conversation, Outgoing, Request
    from improto.operations import Kind, Topic
    from improto.payloads import Message
    from improto.session import ClientSession

M = TypeVar("M", bound="Message")

_TRANSPORTS = ("websocket", "polling")

_PORTS = {False: 80, True: 443}
"""Ports that a Host header leaves out, by whether the connection is encrypted (RFC 9110, 4.2)."""


def host_header(host: str, port: int, *, is_encrypted: bool) -> str:
    """What the Host header says about an address."""
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[is_encrypted] else f"{name}:{port}"


class Opening:
    """A client until it is logged in.

    ``dial`` opens further connections for the transport "polling". Raises ValueError or
    ImportError for a framer or a transport that is not there.
    """

    def __init__(
        self,
        host: str,
        *,
        app_key: str,
        token: str,
        session: ClientSession,
        sdk_version: str,
        framer: str,
        transport: str = "websocket",
        dial: Callable[[PollingClientEndpoint], object] | None = None,
        lines: Lines,
        runtime: Runtime,
    ) -> None:
        if transport not in _TRANSPORTS:
            raise ValueError(f"transport must be {' or '.join(_TRANSPORTS)}, not {transport!r}")
        self._host = host
        self._login = Login(
            app_key=app_key,
            token=bare_token(token),
            sdk_version=sdk_version,
            is_polling=transport == "polling",
        )
        self._dial = dial
        self._session = session
        self._make_framer = framer_factory(framer)
        self._lines = lines
        self._runtime = runtime

    def begin(self, line: Line[Desk], address: str) -> Desk:
        """The socket is connected: ask for a WebSocket, or for a session of long polling."""
        limits = self._lines.limits
        endpoint: ClientEndpoint | PollingClientEndpoint
        if self._login.is_polling:
            assert self._dial is not None  # whoever offers the transport can dial
            endpoint = PollingClientEndpoint(
                self._session,
                self._login,
                host=self._host,
                address=address,
                limits=limits,
                timing=self._lines.timing,
                clock=self._lines.clock,
                dial=self._dial,
                wake=line.wake,
            )
            return Desk(endpoint, self._runtime, address=address, limits=limits)
        endpoint = ClientEndpoint(
            self._session,
            self._login,
            host=self._host,
            limits=limits,
            timing=self._lines.timing,
            make_framer=self._make_framer,
            now=self._lines.clock(),
        )
        return Desk(endpoint, self._runtime, address=address, limits=limits)

    async def log_in(self, line: Line[Desk]) -> Client:
        """Wait for CONNACK; raises what went wrong."""
        desk = line.endpoint
        await desk.decided.wait()
        if desk.connected is None:
            raise line.failure or desk.error or _ended(desk)
        return Client(desk, desk.connected, line, self._lines, self._runtime)


class Client:
    """A logged-in connection; ``connect()`` makes one.

    Requests may be made by many tasks at once. They leave in the order of the calls and wait
    while ``limits.requests_in_flight`` or ``limits.outbound_bytes`` is reached. Cancelling a
    call abandons the wait; what has been sent stays sent.

    Every request raises RequestRefused if the server answered with an error status,
    RequestTimedOut if it did not answer within ``timing.request`` seconds, ConnectionEnded,
    or EncodeError if a value does not fit its field.
    """

    def __init__(
        self, desk: Desk, connected: Connected, line: Line[Desk], lines: Lines, runtime: Runtime
    ) -> None:
        self.user_id = connected.user_id
        """Who the server says we are."""
        self.server_time = connected.server_time
        """The server's clock at the login."""
        self._desk = desk
        self._connection = desk.connection
        self._line = line
        self._lines = lines
        self._runtime = runtime
        self._gone = runtime.make_wakeup()
        lines.on_end = self._gone.set

    @property
    def session(self) -> ClientSession:
        """What to keep for the next connection."""
        return self._connection.session

    @property
    def is_open(self) -> bool:
        """True until the connection ends."""
        return self._connection.is_online

    @property
    def close_event(self) -> ConnectionClosed | None:
        """How the connection ended; None while it has not."""
        return self._desk.closed

    @property
    def events_dropped(self) -> int:
        """How many events were dropped because nobody took them in time."""
        return self._desk.notices.dropped

    # -- sending ---------------------------------------------------------------------

    async def send(
        self,
        conversation: Conversation,
        content: Content,
        *,
        flags: int | None = None,
        receivers: tuple[str, ...] = (),
        unique_id: int | None = None,
        push_text: str | None = None,
        kind: Kind | None = None,
    ) -> PublishAcknowledged:
        """Send a chat message and wait until the server has it.

        For the arguments see :func:`improto.messages.compose`. With a ``unique_id`` the session
        keeps the message until it is acknowledged, and the next connection sends it again.
        """
        message = compose(
            conversation,
            content,
            flags=flags,
            receivers=receivers,
            unique_id=unique_id,
            push_text=push_text,
            kind=kind,
        )
        return await self.publish(message)

    async def publish(self, message: Outgoing) -> PublishAcknowledged:
        """Send a PUBLISH and wait for its PUBACK."""
        answer = await self._ask(partial(self._connection.publish, message), size=len(message.data))
        assert isinstance(answer, PublishAcknowledged)  # the core keeps the kinds apart
        return answer

    def post(
        self,
        message: Outgoing,
        then: Callable[[PublishAcknowledged | RequestFailed | LocalProtocolError], object],
    ) -> Callable[[], None]:
        """Send a PUBLISH and have ``then`` called with what becomes of it, once.

        For programs that keep a window of messages under way, or an order, without a task for
        each. A call of what is returned withdraws the message if it still waits for its turn;
        ``then`` is not called any more in that case. ``then`` is called from inside the
        connection and may neither send nor raise.
        """

        def told(outcome: Outcome) -> None:
            assert not isinstance(outcome, QueryAnswered)  # the core keeps the kinds apart
            then(outcome)

        send = partial(self._connection.publish, message)
        call = self._desk.place(send, size=len(message.data), now=self._lines.clock(), then=told)
        self._line.wake()
        return partial(self._desk.leave, call)

    async def query(self, request: Request) -> bytes:
        """Send a QUERY and wait for the data of its answer."""
        answer = await self._ask(partial(self._connection.query, request), size=len(request.data))
        assert isinstance(answer, QueryAnswered)  # the core keeps the kinds apart
        return answer.data

    async def ask(self, topic: Topic, target_id: str, payload: Message, reply: type[M]) -> M:
        """Send a QUERY with a payload and read the reply; DecodeError if it is malformed."""
        return payloads.decode(reply, await self.query(request(topic, target_id, payload)))

    # -- receiving -------------------------------------------------------------------

    def messages(self) -> AsyncIterator[ChatMessage]:
        """Iterate over the messages received, until the connection has ended.

        A message counts as taken when the next one is asked for, or when the client is closed
        in the normal way. A loop that is left by an exception, out of the ``async with`` too,
        has not taken its last message: the next connection of the session brings it again.
        Only one task may iterate at a time, LocalProtocolError otherwise.
        """
        return _Messages(self)

    def deliveries(self) -> AsyncIterator[MessageReceived]:
        """Iterate like :meth:`messages`, and say by :meth:`acknowledge` what has been taken.

        For programs that work on several messages at a time. What waits to be taken holds up
        the next pull. Use either this or :meth:`messages`.
        """
        return self._desk.deliveries

    def take_deliveries(self) -> list[MessageReceived]:
        """What the iterator of :meth:`deliveries` would give without waiting, all at once."""
        return self._desk.deliveries.take_all()

    def acknowledge(self, receipt: Receipt) -> None:
        """A message of :meth:`deliveries`, of this or an earlier connection, has been taken.

        In any order, and after the end too. Raises LocalProtocolError for a receipt that is not
        open.
        """
        self._connection.acknowledge(receipt, now=self._lines.clock())
        self._line.wake()

    def events(self) -> AsyncIterator[ClientEvent]:
        """Iterate over what happens besides messages and answers; ConnectionClosed is the last.

        Announced, CaughtUp, PullFailed, FrameDropped, and for a message that this connection sent
        again Resent and then PublishAcknowledged or RequestFailed. While nobody iterates,
        ``limits.events_queued`` are kept; then the oldest are dropped and counted.
        """
        return self._desk.notices

    async def follow_room(self, room_id: str, *, count: int = 10) -> None:
        """Receive the messages of a chatroom that was joined, beginning with ``count`` old ones.

        With -1 there are no old ones. Raises ConnectionEnded, EncodeError, or LocalProtocolError
        for more than ``limits.rooms``.
        """
        await self._runtime.checkpoint()
        try:
            self._connection.follow_room(room_id, count=count, now=self._lines.clock())
        except NotConnected as error:
            raise _ended(self._desk) from error
        self._line.wake()

    def forget_room(self, room_id: str) -> None:
        """Receive no more of a chatroom that was left."""
        self._connection.forget_room(room_id)

    # -- the end ---------------------------------------------------------------------

    async def wait_closed(self) -> ConnectionClosed:
        """Wait for the end, whoever causes it."""
        await self._desk.ended.wait()
        assert self._desk.closed is not None  # that is what the wakeup says
        return self._desk.closed

    async def aclose(self) -> None:
        """Say goodbye and close, within ``timing.close`` seconds. Twice is harmless."""
        self._settle()
        self._lines.shut_down(within=self._lines.timing.close)
        await self._gone.wait()

    # -- inside ----------------------------------------------------------------------

    async def _ask(
        self, send: Callable[..., MessageId], *, size: int
    ) -> PublishAcknowledged | QueryAnswered:
        call = self._desk.place(send, size=size, now=self._lines.clock())
        self._line.wake()
        try:
            await call.done.wait()
        finally:
            self._desk.leave(call)
        outcome = call.outcome
        assert outcome is not None  # that is what the wakeup says
        if isinstance(outcome, RequestFailed):
            if outcome.cause is FailureCause.TIMED_OUT:
                raise RequestTimedOut("the server did not answer in time")
            raise _ended(self._desk)
        if isinstance(outcome, NotConnected):
            raise _ended(self._desk) from outcome
        if isinstance(outcome, LocalProtocolError):
            raise outcome
        if outcome.status != 0:
            raise RequestRefused(outcome.status, describe(outcome.status))
        return outcome

    def _settle(self) -> None:
        self._desk.settle(now=self._lines.clock())
        self._line.wake()


class _Messages:
    """The iterator of :meth:`Client.messages`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> ChatMessage:
        self._client._settle()
        return await self._client._desk.next_message()


def _ended(desk: Desk) -> ConnectionEnded:
    closed = desk.closed
    assert closed is not None  # only asked for after the end
    text = f"the connection has ended: {closed.reason.value}"
    if closed.status is not None:
        text += f" (status {closed.status})"
    if closed.error is not None:
        text += f" ({closed.error})"
    error = ConnectionEnded(text, reason=closed.reason, status=closed.status)
    error.__cause__ = closed.error
    return error
