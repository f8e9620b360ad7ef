"""Where the coroutines of a program wait for what a connection brings.

Nothing here knows an event loop: a coroutine waits on a :class:`Wakeup`, and both
``asyncio.Event`` and ``trio.Event`` are one. Rules:

* Requests are sent in the order in which they were asked for. While the window or the
  socket is full they queue; a request that cannot be sent fails alone.
* Who stops waiting abandons the wait and not the request: what has been sent stays sent,
  and its answer is dropped quietly. What still queues is not sent at all.
* State changes before anything is awaited or after, never around it, so a cancelled wait
  loses nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from improto.errors import LocalProtocolError, WindowFull
from improto.events import (
    Connected,
    ConnectionClosed,
    MessageReceived,
    PublishAcknowledged,
    QueryAnswered,
    RequestFailed,
    Resent,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from improto._polling_client import PollingClientEndpoint
    from improto.config import Limits
    from improto.endpoint import ClientEndpoint
    from improto.events import ClientEvent, CloseReason, Receipt
    from improto.frames import MessageId
    from improto.messages import ChatMessage

T = TypeVar("T")

Answer: TypeAlias = PublishAcknowledged | QueryAnswered | RequestFailed
"""What becomes of a request that was sent."""

Outcome: TypeAlias = Answer | LocalProtocolError
"""What becomes of a request."""


class Wakeup(Protocol):
    """Something to wait for that happens once."""

    def set(self) -> None:
        """It has happened."""

    async def wait(self) -> object:
        """Wait until it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What coroutines need from their event loop."""

    make_wakeup: Callable[[], Wakeup]
    checkpoint: Callable[[], Awaitable[object]]
    """Let others run; may be cancelled."""


class Mailbox(Generic[T]):
    """Items on their way to one reader, who iterates.

    At most ``limit`` wait; for one more the oldest is dropped. No limit is for items that
    the protocol's flow control bounds.
    """

    def __init__(self, runtime: Runtime, *, limit: int | None = None) -> None:
        self.dropped = 0
        """How many items nobody has read in time."""
        self._runtime = runtime
        self._items: deque[T] = deque(maxlen=limit)
        self._is_ended = False
        self._reader: Wakeup | None = None

    def put(self, item: T) -> None:
        """One more item."""
        self.dropped += len(self._items) == self._items.maxlen
        self._items.append(item)
        self._wake()

    def take_all(self) -> list[T]:
        """Everything that waits, at once."""
        taken = list(self._items)
        self._items.clear()
        return taken

    def end(self) -> None:
        """No more items; those that wait may still be read."""
        self._is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None:
            self._reader.set()

    def __aiter__(self) -> Mailbox[T]:
        return self

    async def __anext__(self) -> T:
        if self._reader is not None:
            raise LocalProtocolError("another task is iterating already")
        self._reader = self._runtime.make_wakeup()
        try:
            if self._items or self._is_ended:
                await self._runtime.checkpoint()
            else:
                await self._reader.wait()
        finally:
            self._reader = None
        if not self._items:
            raise StopAsyncIteration
        return self._items.popleft()


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One request of the program, from the queue to its answer."""

    send: Callable[..., MessageId]
    """Takes ``now``."""
    size: int
    """Bytes of its payload."""
    done: Wakeup
    then: Callable[[Outcome], object] | None = None
    """Told of the outcome, for who does not wait."""
    outcome: Outcome | None = None
    """The answer, or why it could not be sent."""

    def finish(self, outcome: Outcome) -> None:
        """Wake who waits for it."""
        self.outcome = outcome
        self.done.set()
        if self.then is not None:
            self.then(outcome)


class Desk:
    """An endpoint of a client, with a WebSocket or polling, and those who wait at it.

    It is an endpoint itself, the one that a line drives.
    """

    def __init__(
        self,
        endpoint: ClientEndpoint | PollingClientEndpoint,
        runtime: Runtime,
        *,
        address: str,
        limits: Limits,
    ) -> None:
        self.address = address
        self.connected: Connected | None = None
        """The login, once it is accepted."""
        self.closed: ConnectionClosed | None = None
        """The end, once it has come."""
        self.decided = runtime.make_wakeup()
        """Set when the login is accepted or cannot be any more."""
        self.ended = runtime.make_wakeup()
        """Set when ``closed`` is."""
        self.notices: Mailbox[ClientEvent] = Mailbox(runtime, limit=limits.events_queued)
        """Everything that nobody has asked for and that is no message."""
        self.connection = endpoint.connection
        self._endpoint = endpoint
        self._runtime = runtime
        self._messages: Mailbox[MessageReceived] = Mailbox(runtime)
        self._taken: Receipt | None = None
        self._queue: dict[Call, None] = {}
        self._calls: dict[MessageId, Call] = {}
        self._resent: set[MessageId] = set()
        self._is_paused = False
        self._outbound_bytes = limits.outbound_bytes
        self._unwritten = 0

    @property
    def error(self) -> Exception | None:
        """What went wrong before the login, if it was not the login."""
        return self._endpoint.error

    # -- for the program -------------------------------------------------------------

    @property
    def deliveries(self) -> Mailbox[MessageReceived]:
        """The messages, each with the receipt that acknowledges it."""
        return self._messages

    def place(
        self,
        send: Callable[..., MessageId],
        *,
        size: int,
        now: float,
        then: Callable[[Outcome], object] | None = None,
    ) -> Call:
        """Send a request as soon as it is its turn. ``size``: bytes of its payload.

        ``then`` is called with its outcome; it may neither send nor end anything.
        """
        call = Call(send=send, size=size, done=self._runtime.make_wakeup(), then=then)
        self._queue[call] = None
        self._send_queued(now=now)
        return call

    def leave(self, call: Call) -> None:
        """Nobody waits for this request any more."""
        self._queue.pop(call, None)

    async def next_message(self) -> ChatMessage:
        """The next message; StopAsyncIteration if there will be none."""
        received = await self._messages.__anext__()
        self._taken = received.receipt
        return received.message

    def settle(self, *, now: float) -> None:
        """The program is done with the message that it took last."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self.connection.acknowledge(taken, now=now)

    # -- for the line ----------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self._endpoint.is_over

    def receive_data(self, data: bytes, *, now: float) -> None:
        self._endpoint.receive_data(data, now=now)
        self.dispatch(now=now)

    def receive_eof(self, *, now: float) -> None:
        self._endpoint.receive_eof(now=now)
        self.dispatch(now=now)

    def handle_timeout(self, *, now: float) -> None:
        self._endpoint.handle_timeout(now=now)
        self.dispatch(now=now)

    def shut_down(self, *, now: float) -> None:
        self.connection.disconnect(now=now)
        self.dispatch(now=now)

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        self.connection.abandon(reason, now=now)
        self.dispatch(now=now)

    def pause_sending(self, *, now: float) -> None:
        self._is_paused = True

    def resume_sending(self, *, now: float) -> None:
        self._is_paused = False
        self._send_queued(now=now)

    def data_to_send(self) -> bytes:
        self._unwritten = 0
        return self._endpoint.data_to_send()

    def next_deadline(self) -> float | None:
        return self._endpoint.next_deadline()

    def dispatch(self, *, now: float) -> None:
        """Hand the events to those who wait for them."""
        while (event := self._endpoint.next_event(now=now)) is not None:
            match event:
                case PublishAcknowledged() | QueryAnswered() | RequestFailed():
                    self._answered(event)
                case MessageReceived():
                    self._messages.put(event)
                case Connected():
                    self.connected = event
                    self.decided.set()
                case ConnectionClosed():
                    self._close(event)
                case _:
                    if isinstance(event, Resent):
                        self._resent.add(event.message_id)
                    self.notices.put(event)
        self._send_queued(now=now)

    # -- inside ----------------------------------------------------------------------

    def _answered(self, event: Answer) -> None:
        call = self._calls.pop(event.message_id, None)
        if call is not None:
            call.finish(event)
        elif event.message_id in self._resent or not event.message_id:
            # Nobody waits for what an earlier connection has left behind.
            self._resent.discard(event.message_id)
            self.notices.put(event)

    def _close(self, event: ConnectionClosed) -> None:
        self.closed = event
        self.notices.put(event)
        self.notices.end()
        self._messages.end()
        self.decided.set()
        self.ended.set()

    def _send_queued(self, *, now: float) -> None:
        while self._queue:
            # What is sent in one turn of the loop is written at its end; the socket does not
            # know of it yet. More is sent when answers come.
            is_full = self._is_paused or self._unwritten >= self._outbound_bytes
            if is_full and self.closed is None:
                return
            call = next(iter(self._queue))
            try:
                message_id = call.send(now=now)
            except LocalProtocolError as error:
                if isinstance(error, WindowFull) and self.connection.requests_in_flight:
                    return
                call.finish(error)
            else:
                self._calls[message_id] = call
                self._unwritten += call.size
            del self._queue[call]
