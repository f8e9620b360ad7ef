"""The clients of a server that poll: their sessions, and the connections behind them.

A WebSocket lives and ends with its TCP connection; a session of long polling borrows one for each
request (http 5). So the sessions of a server are kept here, beside its TCP connections, and each
has what a :class:`improto.endpoint.ServerEndpoint` has: a connection that is fed with frames, a
:class:`improto.service.Peer`, a deadline. The program sees no difference.

Whoever carries HTTP hands over a request with :meth:`PollingSessions.ask` and gets the answer by a
call of its ``respond``, at the end of this loop turn or later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from improto.codes import ConnAckStatus
from improto.events import CloseReason, ConnectionClosed
from improto.login import PATH, Login
from improto.profiles import profile_of
from improto.server import ServerConnection
from improto.service import Peer, pass_on
from improto.transports.polling import POLL_PATH, PollingSession, lost_params, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto._lines import Alarm, Lines
    from improto.http import HttpRequest, HttpResponse
    from improto.service import Service


class Asker(Protocol):
    """A TCP connection with a request that is not answered yet."""

    @property
    def address(self) -> str:
        """Where the client comes from, for logs."""

    def respond(self, response: HttpResponse) -> None:
        """The answer; harmless if the connection is gone."""


class PollingSessions:
    """All sessions of one server. ``make_id`` makes ids that nobody guesses, of letters, digits,
    ``-`` and ``_`` (http 5.1)."""

    def __init__(self, service: Service, *, lines: Lines, make_id: Callable[[], str]) -> None:
        self._service = service
        self._lines = lines
        self._make_id = make_id
        self._sessions: dict[str, _Guest] = {}
        self._askers: dict[Asker, _Guest] = {}
        self._is_shut_down = False
        lines.on_shut_down = self.shut_down

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def takes(self, request: HttpRequest) -> bool:
        """Whether the request is one of long polling. It must not ask for a WebSocket."""
        return request.method in _METHODS.get(request.path, ())

    def ask(self, asker: Asker, request: HttpRequest) -> None:
        """Take a request; the asker must have no other one."""
        if request.path == PATH and request.method == "GET":
            self._connect(asker, request)
            return
        guest = self._sessions.get(request.query.get("sessionid", ""))
        if guest is None:
            asker.respond(lost_params())
            return
        self._askers[asker] = guest
        if request.method == "POST":
            guest.post(asker, request)
        else:
            guest.poll(asker)

    def forget(self, asker: Asker) -> None:
        """The TCP connection is gone; harmless if it waits for nothing."""
        guest = self._askers.pop(asker, None)
        if guest is not None:
            guest.forget(asker)

    def shut_down(self) -> None:
        """End all sessions so that their clients come back, and let nobody in any more."""
        self._is_shut_down = True
        for guest in list(self._sessions.values()):
            guest.shut_down()

    def _connect(self, asker: Asker, request: HttpRequest) -> None:
        login = Login.from_query(request.query, is_polling=True)
        header = profile_of(login).polling_disconnect
        is_full = len(self._sessions) >= self._lines.limits.polling_sessions
        if header is None or is_full or self._is_shut_down:
            asker.respond(refused(ConnAckStatus.SERVER_UNAVAILABLE))
            return
        session = PollingSession(
            asker,
            session_id=self._make_id(),
            disconnect_header=header,
            limits=self._lines.limits,
            timing=self._lines.timing,
        )
        guest = _Guest(self, session, login, address=asker.address, origin=request.header("origin"))
        self._sessions[session.session_id] = self._askers[asker] = guest
        guest.open()


class _Guest:
    """One session with its connection."""

    __slots__ = (
        "_address",
        "_alarm",
        "_connection",
        "_host",
        "_is_marked",
        "_lines",
        "_peer",
        "_service",
        "_session",
        "_wakes_at",
    )

    def __init__(
        self,
        host: PollingSessions,
        session: PollingSession[Asker],
        login: Login,
        *,
        address: str,
        origin: str | None,
    ) -> None:
        self._host = host
        self._lines = lines = host._lines
        self._service = host._service
        self._session = session
        self._address = address
        timing = lines.timing
        # Its own patience must outlast a poll and the time until the session is over.
        self._connection = ServerConnection(
            login,
            now=lines.clock(),
            limits=lines.limits,
            timing=replace(timing, idle=timing.poll + 2 * timing.poll_absence),
        )
        self._peer = Peer(
            self._connection,
            address=address,
            origin=origin,
            clock=lines.clock,
            wake=self._wake,
        )
        self._is_marked = False
        self._alarm: Alarm | None = None
        self._wakes_at = float("inf")

    # -- inputs ----------------------------------------------------------------------

    def open(self) -> None:
        self._run(self._service.opened, self._peer)
        self._wake()

    def poll(self, asker: Asker) -> None:
        self._session.poll(asker, now=self._lines.clock())
        self._run(self._take_frames)
        self._wake()

    def post(self, asker: Asker, request: HttpRequest) -> None:
        self._session.post(asker, request, now=self._lines.clock())
        self._run(self._take_frames)
        self._wake()

    def forget(self, asker: Asker) -> None:
        now = self._lines.clock()
        if self._session.forget(asker, now=now):
            self._connection.receive_eof(now=now)
        self._wake()

    def shut_down(self) -> None:
        self._connection.shut_down(now=self._lines.clock())
        self.flush()

    def flush(self) -> None:
        """The end of the loop turn: hand out what the program has queued."""
        self._is_marked = False
        self._run(self._exchange)
        host, session = self._host, self._session
        while (answer := session.next_answer()) is not None:
            asker, response = answer
            host._askers.pop(asker, None)
            asker.respond(response)
        if not session.is_over:
            self._arm()
            return
        host._sessions.pop(session.session_id, None)
        if self._alarm is not None:
            self._alarm.cancel()

    # -- inside ----------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._is_marked:
            self._is_marked = True
            self._lines.mark(self)

    def _run(self, action: Callable[..., None], *arguments: Peer) -> None:
        """Do something that may call the program, whose failure costs it this client."""
        try:
            action(*arguments)
        except Exception as error:
            self._lines.report(self._address, error)
            self._abandon(CloseReason.LOCAL)

    def _take_frames(self) -> None:
        now = self._lines.clock()
        while (frame := self._session.next_frame()) is not None:
            self._connection.receive_frame(frame, now=now)
        self._dispatch()

    def _exchange(self) -> None:
        """Bring what has been queued to where it belongs."""
        now = self._lines.clock()
        self._session.send_frames(self._connection.frames_to_send(), now=now)
        if self._session.is_congested:
            self._connection.abandon(CloseReason.SLOW_READER, now=now)
        self._dispatch()

    def _dispatch(self) -> None:
        while (event := self._connection.next_event()) is not None:
            if isinstance(event, ConnectionClosed):
                self._finish(event)
            else:
                pass_on(event, self._peer, self._service)

    def _finish(self, end: ConnectionClosed) -> None:
        now = self._lines.clock()
        try:
            self._session.send_frames(self._connection.frames_to_send(), now=now)
        finally:
            # Also if the last frames are none that can be written: there is no second end.
            self._session.close(now=now)
            self._service.closed(self._peer, end)

    def _abandon(self, reason: CloseReason) -> None:
        """End it at once. The program hears of the end, if it has not, and of nothing else."""
        now = self._lines.clock()
        self._connection.abandon(reason, now=now)
        self._session.close(now=now)
        unseen = list(iter(self._connection.next_event, None))
        for event in [each for each in unseen if isinstance(each, ConnectionClosed)]:
            try:
                self._service.closed(self._peer, event)
            except Exception as error:
                self._lines.report(self._address, error)

    def _arm(self) -> None:
        """Be woken at the next deadline; one that moves later finds nothing due."""
        deadlines = (self._connection.next_deadline(), self._session.next_deadline())
        deadline = min((each for each in deadlines if each is not None), default=None)
        if deadline is not None and deadline < self._wakes_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._wakes_at = deadline
            self._alarm = self._lines.call_at(deadline, self._handle_timeout)

    def _handle_timeout(self) -> None:
        self._wakes_at = float("inf")
        now = self._lines.clock()
        self._session.handle_timeout(now=now)
        if self._session.is_absent(now=now):
            self._connection.abandon(CloseReason.IDLE, now=now)
        else:
            self._connection.handle_timeout(now=now)
        self.flush()


_METHODS = {PATH: ("GET", "POST"), POLL_PATH: ("GET",)}
"""The requests of long polling."""
