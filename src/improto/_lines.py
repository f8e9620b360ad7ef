"""A TCP connection without its socket, and what the connections of one program share.

Drivers differ in how bytes reach a socket and in how a program waits. Everything else
that they do is here, still without I/O:

* A :class:`Line` drives one endpoint (:mod:`improto.endpoint`). Its inputs are what a socket
  tells; a driver derives from it and supplies five outputs.
* What an input causes is written at once, with one write. What the program queues at other
  times is gathered, for all :class:`Lines`, and written once per turn of the event loop.
* All lines share one timer. A deadline that moves later, as most do, moves nothing: the line
  looks at its old deadline, finds nothing due and asks to be woken at the new one.
* A line ends in steps, because closing a socket that holds unread bytes resets the
  connection and can destroy the farewell on its way: write everything, close the sending
  half, discard what the peer still says until it closes or ``timing.close`` has passed.
  Bytes that stay unwritten for ``timing.linger`` are given up.
* A program that raises loses the connection it was called for, and no other.
"""

from __future__ import annotations

import enum
import heapq
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar

from improto.events import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.config import Limits, Timing

NEVER: Final = float("inf")

EndpointT = TypeVar("EndpointT", bound="Endpoint")


class Endpoint(Protocol):
    """What a line drives; both ends of :mod:`improto.endpoint` fit, the client's in a desk."""

    @property
    def address(self) -> str:
        """Where the peer is, for logs."""

    @property
    def is_over(self) -> bool:
        """True if the socket should be closed when everything is written."""

    def receive_data(self, data: bytes, *, now: float) -> None:
        """Bytes arrived."""

    def receive_eof(self, *, now: float) -> None:
        """The stream ended."""

    def handle_timeout(self, *, now: float) -> None:
        """A deadline may have passed."""

    def dispatch(self, *, now: float) -> None:
        """The program has queued something: pass on the events that this caused."""

    def shut_down(self, *, now: float) -> None:
        """Say goodbye."""

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        """End without a goodbye."""

    def pause_sending(self, *, now: float) -> None:
        """More than ``limits.outbound_bytes`` are not written yet."""

    def resume_sending(self, *, now: float) -> None:
        """There is room again."""

    def data_to_send(self) -> bytes:
        """Take everything that is ready for the socket."""

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""


class Flushable(Protocol):
    """What may have something to say at the end of a loop turn."""

    def flush(self) -> None:
        """The loop turn is over."""


class Alarm:
    """A call that will be made, unless it is cancelled."""

    __slots__ = ("_action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Never make the call, and forget everything that it would need."""
        self._action = None

    def ring(self) -> None:
        """Make the call, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Lines:
    """The open lines of one program: one clock, one timer, one flush per loop turn.

    ``clock`` gives monotonic seconds. ``flush_soon`` must call :meth:`flush` at the end of the
    loop turn, and ``wake_at`` must call :meth:`handle_timeouts` at the given time; a later call
    of it replaces the earlier. ``report`` is told of exceptions of the program, with the peer's
    address.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        timing: Timing,
        clock: Callable[[], float],
        flush_soon: Callable[[], object],
        wake_at: Callable[[float], object],
        report: Callable[[str, Exception], None],
    ) -> None:
        self.limits = limits
        self.timing = timing
        self.clock = clock
        self.report = report
        self.on_end: Callable[[], object] = _ignore
        """Called when nothing is left after :meth:`shut_down`, perhaps more than once."""
        self.on_shut_down: Callable[[], object] = _ignore
        """Called before the lines say goodbye or are aborted, perhaps more than once."""
        self._flush_soon = flush_soon
        self._wake_at = wake_at
        self._open: dict[Line[Any], None] = {}
        self._guests = 0
        self._to_flush: list[Flushable] = []
        self._is_flush_due = False
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._alarm_count = 0
        self._wakes_at = NEVER
        self._end_by: Alarm | None = None
        self._is_late = False

    def __len__(self) -> int:
        """How many lines have a socket."""
        return len(self._open)

    # -- for lines -------------------------------------------------------------------

    def add(self, line: Line[Any]) -> None:
        """A socket was opened."""
        self._open[line] = None

    def remove(self, line: Line[Any]) -> None:
        """A socket was closed."""
        del self._open[line]
        self._end_if_empty()

    def mark(self, speaker: Flushable) -> None:
        """A line, or what lives on lines, has something to say at the end of the loop turn."""
        self._to_flush.append(speaker)
        if not self._is_flush_due:
            self._is_flush_due = True
            self._flush_soon()

    def call_at(self, deadline: float, action: Callable[[], None]) -> Alarm:
        """Call ``action`` at ``deadline`` or later."""
        alarm = Alarm(action)
        self._alarm_count += 1
        heapq.heappush(self._alarms, (deadline, self._alarm_count, alarm))
        self._wake_in_time()
        return alarm

    # -- for drivers -----------------------------------------------------------------

    def flush(self) -> None:
        """The loop turn is over: write what has been queued."""
        while self._to_flush:
            speakers, self._to_flush = self._to_flush, []
            for speaker in speakers:
                speaker.flush()
        self._is_flush_due = False

    def handle_timeouts(self) -> None:
        """It is time, or not yet; early calls are harmless."""
        self._wakes_at = NEVER
        now = self.clock()
        due = []
        while self._alarms and self._alarms[0][0] <= now:
            due.append(heapq.heappop(self._alarms)[2])
        for alarm in due:
            alarm.ring()
        self._wake_in_time()

    # -- for programs ----------------------------------------------------------------

    def add_guest(self) -> None:
        """Something that is no line must end before ``on_end``, such as a handler."""
        self._guests += 1

    def remove_guest(self) -> None:
        """It has ended."""
        self._guests -= 1
        self._end_if_empty()

    def shut_down(self, *, within: float) -> None:
        """Say goodbye on all lines; after ``within`` seconds abort those that are left."""
        if self._end_by is not None:
            self._end_by.cancel()
        self._end_by = self.call_at(self.clock() + within, self._give_up)
        self.on_shut_down()
        for line in list(self._open):
            line.shut_down()
        self._end_if_empty()

    def abort(self) -> None:
        """Close all sockets at once."""
        self.on_shut_down()
        for line in list(self._open):
            line.abort()

    def _give_up(self) -> None:
        self._is_late = True
        self.abort()
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if self._end_by is None or self._open or (self._guests and not self._is_late):
            return
        self._end_by.cancel()
        self.on_end()

    def _wake_in_time(self) -> None:
        if self._alarms and self._alarms[0][0] < self._wakes_at:
            self._wakes_at = self._alarms[0][0]
            self._wake_at(self._wakes_at)


def _ignore() -> None:
    """Nobody wants to know."""


class _Phase(enum.Enum):
    OPEN = enum.auto()
    CLOSING = enum.auto()
    """The endpoint is done; the socket is not."""
    GONE = enum.auto()


class Line(ABC, Generic[EndpointT]):
    """One connection. A driver derives from it, calls the inputs and supplies the outputs."""

    __slots__ = (
        "_alarm",
        "_has_eof",
        "_is_marked",
        "_is_stuck",
        "_lines",
        "_phase",
        "_wakes_at",
        "endpoint",
        "failure",
    )

    endpoint: EndpointT
    """Whose bytes it carries; set by :meth:`open`."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._phase = _Phase.OPEN
        self._alarm: Alarm | None = None
        self._wakes_at = NEVER
        self._is_marked = False
        self._is_stuck = False
        self._has_eof = False
        self.failure: OSError | None = None
        """What broke the socket before the endpoint was done with it."""

    # -- outputs: what the driver does -----------------------------------------------

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Write, or keep what the socket does not take now; never raise."""

    @abstractmethod
    def _unwritten(self) -> int:
        """How many bytes the socket has not taken yet."""

    @abstractmethod
    def _finish(self) -> None:
        """Close the sending half when everything is written, and go on reading."""

    @abstractmethod
    def _close(self) -> None:
        """Close the socket when everything is written."""

    @abstractmethod
    def _abort(self) -> None:
        """Close the socket now."""

    # -- inputs: what the driver tells -----------------------------------------------

    def open(self, endpoint: EndpointT) -> None:
        """The socket is connected."""
        self.endpoint = endpoint
        self._lines.add(self)
        self._pump(self._lines.clock())

    def receive_data(self, data: bytes) -> None:
        """Bytes arrived. At the end they are discarded."""
        self._feed(self.endpoint.receive_data, data)

    def receive_eof(self) -> None:
        """The peer sends no more."""
        self._has_eof = True
        if self._phase is _Phase.OPEN:
            self._feed(self.endpoint.receive_eof)
        elif self._phase is _Phase.CLOSING:
            self._close()

    def congested(self) -> None:
        """More than ``limits.outbound_bytes`` are not written."""
        self._feed(self.endpoint.pause_sending)
        if self.endpoint.is_over:
            # Who has not read so far will not read the farewell.
            self.abort()

    def relieved(self) -> None:
        """After :meth:`congested`: most of it has been written."""
        self._feed(self.endpoint.resume_sending)

    def lost(self, error: OSError | None = None) -> None:
        """The socket is closed, because of an error of the system or not. Nothing may follow."""
        if self._phase is _Phase.GONE:
            return
        if self._phase is _Phase.OPEN:
            self.failure = error
        self._end(self.endpoint.receive_eof)
        self._phase = _Phase.GONE
        if self._alarm is not None:
            self._alarm.cancel()
        self._lines.remove(self)

    # -- inputs: what the program wants ----------------------------------------------

    def wake(self) -> None:
        """The program has queued something. Harmless at any time, and cheap when repeated."""
        if not self._is_marked:
            self._is_marked = True
            self._lines.mark(self)

    def shut_down(self) -> None:
        """Say goodbye, then close."""
        self._feed(self.endpoint.shut_down)

    def abort(self) -> None:
        """Close the socket at once, without a goodbye."""
        self._end(partial(self.endpoint.abandon, CloseReason.LOCAL))
        if self._phase is _Phase.CLOSING:
            self._abort()

    # -- for Lines -------------------------------------------------------------------

    def flush(self) -> None:
        """Write what was queued, unless an input has done so meanwhile."""
        if self._is_marked:
            self._feed(self.endpoint.dispatch)

    # -- inside ----------------------------------------------------------------------

    def _feed(self, action: Callable[..., None], *arguments: bytes) -> None:
        """Tell the endpoint something, then do what it wants done."""
        if self._phase is not _Phase.OPEN:
            return
        now = self._lines.clock()
        # Whatever the program queues on this line from within is written below.
        self._is_marked = True
        try:
            action(*arguments, now=now)
        except Exception as error:
            self._lines.report(self.endpoint.address, error)
            self.abort()
        else:
            self._pump(now)

    def _pump(self, now: float) -> None:
        self._is_marked = False
        endpoint = self.endpoint
        data = endpoint.data_to_send()
        if data:
            self._write(data)
        if endpoint.is_over:
            self._wind_up(now)
            return
        deadline = endpoint.next_deadline()
        if deadline is not None and deadline < self._wakes_at:
            self._arm(deadline)

    def _end(self, action: Callable[..., None]) -> None:
        """Tell the endpoint that nothing it says will be written any more."""
        if self._phase is not _Phase.OPEN:
            return
        self._phase = _Phase.CLOSING
        try:
            action(now=self._lines.clock())
        except Exception as error:
            self._lines.report(self.endpoint.address, error)

    def _wind_up(self, now: float) -> None:
        if self._phase is not _Phase.OPEN:
            return
        self._phase = _Phase.CLOSING
        self._is_stuck = self._unwritten() > 0
        timing = self._lines.timing
        self._arm(now + (timing.linger if self._is_stuck else timing.close))
        if self._has_eof:
            self._close()
        else:
            self._finish()

    def _arm(self, deadline: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._wakes_at = deadline
        self._alarm = self._lines.call_at(deadline, self._handle_timeout)

    def _handle_timeout(self) -> None:
        self._wakes_at = NEVER
        if self._phase is _Phase.OPEN:
            self._feed(self.endpoint.handle_timeout)
        elif self._is_stuck and not self._unwritten():
            # It was written in the end; now the peer has its moment to close.
            self._is_stuck = False
            self._arm(self._lines.clock() + self._lines.timing.close)
        else:
            self._abort()


Begin: TypeAlias = "Callable[[Line[EndpointT], str], EndpointT]"
"""Makes the endpoint of a new connection, given its line and the peer's address."""


def show_address(address: tuple[Any, ...] | None) -> str:
    """``host:port`` of a socket address, for logs."""
    if address is None:
        return "unknown"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
