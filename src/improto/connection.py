"""What both ends of a connection have in common: queues, time and the end.

The contract of :class:`improto.client.ClientConnection` and
:class:`improto.server.ServerConnection`:

* State changes on input, only there. Inputs are the methods with a ``now``: seconds of
  any monotonic clock. A ``now`` that goes backward counts as the largest one seen.
* Outputs (``messages_to_send``, ``frames_to_send``, ``next_event``, ``next_deadline``)
  never change protocol state. Drain them when you like, in any order.
* ``receive_*`` and ``handle_timeout`` never raise for what a peer did. Calls of ours that
  make no sense raise :class:`improto.errors.LocalProtocolError` and change nothing.
* What cannot be encoded is refused when it is queued, so draining cannot fail.
* After :class:`improto.events.ConnectionClosed` every input is ignored.

``receive_message``/``messages_to_send`` speak whole WebSocket messages;
``receive_frame``/``frames_to_send`` are the same queue for transports that carry frames
in another encoding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from improto import codec
from improto._lifecycle import Input, Lifecycle, State
from improto._timers import Timer, Timers
from improto.errors import LocalProtocolError, NotConnected, RemoteProtocolError, UnexpectedFrame
from improto.events import CloseReason, ConnectionClosed, Farewell

if TYPE_CHECKING:
    from improto.config import Limits, Timing
    from improto.frames import Frame, ProtocolVersion, Role

EventT = TypeVar("EventT")


class Connection(ABC, Generic[EventT]):
    """One transport's lifetime. Use the two subclasses; make no others."""

    def __init__(
        self, role: Role, *, protocol_version: ProtocolVersion, limits: Limits, timing: Timing
    ) -> None:
        self._role = role
        self._protocol_version = protocol_version
        self._limits = limits
        self._timing = timing
        self._lifecycle = Lifecycle()
        self._timers = Timers()
        self._events: deque[EventT | ConnectionClosed] = deque()
        self._outbound: list[tuple[Frame, bytes]] = []
        self._now = float("-inf")
        self._closed: ConnectionClosed | None = None
        self._dismissed_with: int | None = None

    # -- state -----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._lifecycle.state

    @property
    def is_online(self) -> bool:
        """True between CONNACK 0 and the end."""
        return self._lifecycle.state is State.ONLINE

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it ended; None while it has not."""
        return self._closed.reason if self._closed else None

    @property
    def limits(self) -> Limits:
        """The limits it was made with."""
        return self._limits

    # -- outputs ---------------------------------------------------------------------

    def messages_to_send(self) -> list[bytes]:
        """Take the messages that are ready for the transport, oldest first."""
        outbound = self._outbound
        if not outbound:
            return []
        self._outbound = []
        return [message for _, message in outbound]

    def frames_to_send(self) -> list[Frame]:
        """Take the same queue as frames, for a transport with an encoding of its own."""
        outbound, self._outbound = self._outbound, []
        return [frame for frame, _ in outbound]

    def next_event(self) -> EventT | ConnectionClosed | None:
        """Take the oldest event; None if there is none now."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` wants to be called; None: not at all for now."""
        return self._timers.next()

    # -- inputs ----------------------------------------------------------------------

    def receive_message(self, data: bytes, *, now: float) -> None:
        """One whole message arrived."""
        self._tick(now)
        if self._ignores_input():
            return
        try:
            frame = codec.decode(
                data,
                self._role.peer,
                protocol_version=self._protocol_version,
                limits=self._limits,
            )
        except RemoteProtocolError as error:
            self._handle_bad_frame(error)
        else:
            self._handle_frame(frame)

    def receive_frame(self, frame: Frame, *, now: float) -> None:
        """One frame arrived over a transport with an encoding of its own."""
        self._tick(now)
        if not self._ignores_input():
            self._handle_frame(frame)

    def receive_eof(self, *, now: float, clean: bool = False) -> None:
        """The transport is gone; ``clean`` if the peer said goodbye in its way."""
        self._tick(now)
        if self._lifecycle.state is State.CLOSING:
            self._finish_closing()
        else:
            self._end(CloseReason.PEER if clean else CloseReason.LOST)

    def fail(self, error: RemoteProtocolError, *, now: float) -> None:
        """The transport found that the peer broke the transport's rules."""
        self._tick(now)
        if self._lifecycle.state is State.CLOSING:
            self._finish_closing()
        else:
            self._violated(error)

    def abandon(self, reason: CloseReason = CloseReason.LOCAL, *, now: float) -> None:
        """End at once and drop what is not sent; for a peer that does not read."""
        self._tick(now)
        if self._closed is None:
            self._outbound.clear()
            self._end(reason, farewell=Farewell.ABORT)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. May be called late, early or twice."""
        self._tick(now)
        for timer in self._timers.expired(self._now):
            if self._closed is None:
                self._handle_timer(timer)

    # -- for the subclasses ----------------------------------------------------------

    @abstractmethod
    def _handle_frame(self, frame: Frame) -> None: ...

    @abstractmethod
    def _handle_bad_frame(self, error: RemoteProtocolError) -> None: ...

    @abstractmethod
    def _handle_timer(self, timer: Timer) -> None: ...

    def _before_end(self) -> None:
        """Report what the end leaves unfinished."""

    def _finish_closing(self) -> None:
        """The peer's answer to our goodbye, or the end of our patience."""
        self._end(CloseReason.LOCAL, status=self._dismissed_with)

    def _tick(self, now: float) -> None:
        if now > self._now:
            self._now = now

    def _ignores_input(self) -> bool:
        return self._lifecycle.state in _DEAF

    def _encode(self, frame: Frame) -> bytes:
        return codec.encode(frame, limits=self._limits)

    def _send(self, frame: Frame) -> None:
        self._outbound.append((frame, self._encode(frame)))

    def _send_all(self, *frames: Frame) -> None:
        """Queue all of them, or none if one cannot be encoded."""
        self._outbound += [(frame, self._encode(frame)) for frame in frames]

    def _require(self, happening: Input) -> None:
        """LocalProtocolError unless the table allows what we are about to do."""
        if not self._lifecycle.allows(happening):
            state = self._lifecycle.state
            if state in (State.CLOSING, State.CLOSED):
                raise NotConnected("the connection has ended", reason=self.close_reason)
            if happening is Input.TRAFFIC:
                raise NotConnected("the connection is not established yet")
            raise LocalProtocolError(f"{happening.value}: not possible in state {state.value!r}")

    def _accepts(self, happening: Input, frame: Frame) -> bool:
        """Step for the peer; False and the end if the table does not list it."""
        if self._lifecycle.advance(happening):
            return True
        name = type(frame).__name__
        state = self._lifecycle.state.value
        self._violated(UnexpectedFrame(f"{name} is not allowed in state {state!r}"))
        return False

    def _violated(self, error: RemoteProtocolError) -> None:
        self._end(CloseReason.VIOLATION, error=error, close_code=error.close_code)

    def _end(
        self,
        reason: CloseReason,
        *,
        status: int | None = None,
        error: RemoteProtocolError | None = None,
        farewell: Farewell = Farewell.CLOSE,
        close_code: int = 1000,
    ) -> None:
        if self._closed is not None:
            return
        self._closed = ConnectionClosed(
            reason=reason, status=status, error=error, farewell=farewell, close_code=close_code
        )
        self._before_end()
        self._lifecycle.advance(Input.ENDED)
        self._timers.disarm_all()
        self._events.append(self._closed)


_DEAF = frozenset({State.CLOSING, State.CLOSED})
