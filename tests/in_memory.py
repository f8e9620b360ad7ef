"""An adapter without sockets and without an event loop, for the API that programs await.

A :class:`World` holds both ends, a hand clock and the bytes between them; :meth:`World.run`
goes on until nothing moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improto._async_client import Opening
from improto._async_server import HandlerService, Server, begin_with
from improto._lines import EndpointT, Line, Lines
from improto.config import Limits, Timing
from improto.frames import TimeMs
from improto.session import ClientSession
from tests.by_hand import RUNTIME, Waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from improto._async_client import Client
    from improto._async_server import Session
    from improto._desk import Desk
    from improto._lines import Begin
    from improto.endpoint import ServerEndpoint
    from improto.http import HttpRequest, HttpResponse

SERVER_TIME = TimeMs(1_700_000_000_000)

_ROUNDS = 3
"""Rounds without a byte after which nothing will move: a task may yield a few times."""


class MemoryLine(Line[EndpointT]):
    """A driver whose socket is a list of bytes on their way to the other end."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self.other: MemoryLine[Any]
        self.arriving: list[bytes] = []

    def _write(self, data: bytes) -> None:
        self.other.arriving.append(data)

    def _unwritten(self) -> int:
        return 0

    def _finish(self) -> None:
        self.other.arriving.append(b"")

    def _close(self) -> None:
        self._finish()
        self.lost()

    def _abort(self) -> None:
        self._close()

    def deliver(self) -> bool:
        """Hand over what has arrived; False if there was nothing."""
        arrived, self.arriving = self.arriving, []
        for data in arrived:
            if data:
                self.receive_data(data)
            else:
                self.receive_eof()
        return bool(arrived)


class World:
    """A server with coroutines as handlers, and its clients."""

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[None]],
        *,
        http: Callable[[HttpRequest], HttpResponse] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.now = 0.0
        self.timing = timing or Timing()
        self.reports: list[Exception] = []
        self.tasks: list[Waiting[Any]] = []
        self.lines: list[MemoryLine[Any]] = []
        self.of_server = self.make_lines(Limits())
        self.is_accepting = True
        self.service = HandlerService(
            handler,
            http=http,
            lines=self.of_server,
            spawn=self.start,
            clock=lambda: SERVER_TIME,
            runtime=RUNTIME,
        )
        self._begin = begin_with(
            self.service, lines=self.of_server, framer="wsproto", make_session_id=lambda: "S"
        )
        self.server = Server(
            self.of_server,
            addresses=[("memory", 1)],
            stop_accepting=self._stop_accepting,
            runtime=RUNTIME,
        )

    def make_lines(self, limits: Limits) -> Lines:
        """The lines of a further program."""
        return Lines(
            limits=limits,
            timing=self.timing,
            clock=lambda: self.now,
            flush_soon=lambda: None,
            wake_at=lambda deadline: None,
            report=lambda address, error: self.reports.append(error),
        )

    def _stop_accepting(self) -> None:
        self.is_accepting = False

    def start(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine along with everything else."""
        self.tasks.append(Waiting(run()))

    def accept(self) -> MemoryLine[ServerEndpoint]:
        """A connection to the server; nobody is at its other end yet."""
        line: MemoryLine[ServerEndpoint] = MemoryLine(self.of_server)
        self.lines.append(line)
        line.open(self._begin(line, "client:1"))
        return line

    def open(
        self,
        token: str = "ann",
        *,
        session: ClientSession | None = None,
        limits: Limits | None = None,
        transport: str = "websocket",
    ) -> tuple[Waiting[Client], MemoryLine[Desk]]:
        """A client that is logging in."""
        limits = limits or Limits.for_client()
        lines = self.make_lines(limits)
        opening = Opening(
            "server",
            app_key="app",
            token=token,
            session=session or ClientSession(limits=limits),
            sdk_version="4.6.4",
            framer="wsproto",
            transport=transport,
            dial=lambda endpoint: self._join(MemoryLine(lines), endpoint.begin_post),
            lines=lines,
            runtime=RUNTIME,
        )
        line: MemoryLine[Desk] = MemoryLine(lines)
        self._join(line, opening.begin)
        return Waiting(opening.log_in(line)), line

    def _join(self, line: MemoryLine[EndpointT], begin: Begin[EndpointT]) -> None:
        """Open a client's line to the server."""
        line.other = server_line = self.accept()
        server_line.other = line
        self.lines.append(line)
        line.open(begin(line, "server:1"))

    def connect(self, token: str = "ann", **options: Any) -> Client:
        """A client that is logged in."""
        logging_in, _ = self.open(token, **options)
        self.run()
        logging_in.step()
        return logging_in.result

    def run(self, *waiting: Waiting[Any]) -> None:
        """Go on until nothing moves."""
        quiet_rounds = 0
        while quiet_rounds < _ROUNDS:
            for task in [*self.tasks, *waiting]:
                if not task.is_done:
                    task.step()
            for line in self.lines:
                line._lines.flush()
            delivered = [line.deliver() for line in self.lines]
            quiet_rounds = 0 if any(delivered) else quiet_rounds + 1

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.now += seconds
        for lines in {id(line._lines): line._lines for line in self.lines}.values():
            lines.handle_timeouts()
