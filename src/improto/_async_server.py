"""The server that a program awaits, and the form of it that is a coroutine per client.

The same on every event loop: ``serve`` and ``serve_handler`` of ``improto_asyncio`` and
``improto_trio`` supply sockets and tasks, and give out these classes.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from improto._desk import Mailbox
from improto._polling import PollingSessions
from improto.endpoint import ServerEndpoint
from improto.events import (
    CloseReason,
    ConnectionClosed,
    PublishReceived,
    PullReceived,
    QueryReceived,
)
from improto.http import HttpResponse
from improto.transports import framer_factory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from improto._desk import Runtime
    from improto._lines import Begin, Line, Lines
    from improto.frames import TimeMs
    from improto.http import HttpRequest
    from improto.login import Login
    from improto.service import Peer, Service

ClientRequest: TypeAlias = PublishReceived | QueryReceived | PullReceived
"""What a client wants; answer each through the session's peer."""


def begin_with(
    service: Service,
    *,
    lines: Lines,
    framer: str,
    make_session_id: Callable[[], str] | None = None,
) -> Begin[ServerEndpoint]:
    """What makes the endpoint of a new connection; ValueError or ImportError for a bad framer.

    ``make_session_id`` makes ids that nobody guesses; without it there is no long polling.
    """
    make_framer = framer_factory(framer)
    polling = None
    if make_session_id is not None:
        polling = PollingSessions(service, lines=lines, make_id=make_session_id)

    def begin(line: Line[ServerEndpoint], address: str) -> ServerEndpoint:
        return ServerEndpoint(
            service,
            address=address,
            limits=lines.limits,
            timing=lines.timing,
            make_framer=make_framer,
            clock=lines.clock,
            wake=line.wake,
            polling=polling,
        )

    return begin


class Server:
    """A running server; ``serve()`` and ``serve_handler()`` make one."""

    def __init__(
        self,
        lines: Lines,
        *,
        addresses: list[tuple[str, int]],
        stop_accepting: Callable[[], object],
        runtime: Runtime,
    ) -> None:
        self.addresses = addresses
        """Where it listens: addresses with the ports that the system chose."""
        self._lines = lines
        self._stop_accepting = stop_accepting
        self._closed = runtime.make_wakeup()
        lines.on_end = self._closed.set

    @property
    def connections(self) -> int:
        """How many TCP connections are open, whatever they are used for."""
        return len(self._lines)

    async def wait_closed(self) -> None:
        """Wait until the server has been closed."""
        await self._closed.wait()

    async def aclose(self, deadline: float = 5.0) -> None:
        """Stop: accept nobody, send everybody away, and abort who is left after the deadline.

        ``deadline`` is in seconds from now. Each client is told in the way that makes it come
        back (session 4.2). A second call may set an earlier or a later deadline.
        """
        self._stop_accepting()
        self._lines.shut_down(within=deadline)
        await self._closed.wait()


class Session:
    """One client, for the coroutine that serves it.

    First ``accept`` or ``refuse`` it, within ``timing.login`` seconds; then iterate over what
    it wants. The iteration ends with the connection.
    """

    def __init__(
        self, peer: Peer, runtime: Runtime, *, number: int, clock: Callable[[], TimeMs]
    ) -> None:
        self.peer = peer
        """Everything that can be told to the client."""
        self.close_event: ConnectionClosed | None = None
        """How the connection ended; None while it has not."""
        self._number = number
        self._clock = clock
        self._requests: Mailbox[ClientRequest] = Mailbox(runtime)

    @property
    def login(self) -> Login:
        """App key, token and version of the client. Nothing of it has been checked."""
        return self.peer.login

    @property
    def address(self) -> str:
        """Where the client comes from, for logs."""
        return self.peer.address

    @property
    def time(self) -> TimeMs:
        """The server's clock, in milliseconds since 1970."""
        return self._clock()

    def accept(
        self, user_id: str, *, session_id: str | None = None, timestamp: TimeMs | None = None
    ) -> None:
        """Let the client in as this user, by default with the server's time and any id.

        Raises EncodeError if an id is too long, LocalProtocolError if it was decided already,
        NotConnected if the client has left.
        """
        self.peer.accept(
            user_id,
            str(self._number) if session_id is None else session_id,
            timestamp=self.time if timestamp is None else timestamp,
        )

    def refuse(self, status: int) -> None:
        """Turn the client away with a status of codes 2. Errors are those of ``accept``."""
        self.peer.refuse(status)

    def __aiter__(self) -> Session:
        return self

    async def __anext__(self) -> ClientRequest:
        return await self._requests.__anext__()


class HandlerService:
    """A service that runs one coroutine per client; ``spawn`` must start it as a task."""

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[None]],
        *,
        http: Callable[[HttpRequest], HttpResponse] | None,
        lines: Lines,
        spawn: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        clock: Callable[[], TimeMs],
        runtime: Runtime,
    ) -> None:
        self._handler = handler
        self._http = http or answer_ping
        self._lines = lines
        self._spawn = spawn
        self._clock = clock
        self._runtime = runtime
        self._sessions: dict[Peer, Session] = {}
        self._count = 0

    async def _run(self, session: Session) -> None:
        try:
            await self._handler(session)
        except Exception as error:
            self._lines.report(session.address, error)
            session.peer.abandon(CloseReason.LOCAL)
        else:
            session.peer.shut_down()
        finally:
            self._lines.remove_guest()

    def http(self, request: HttpRequest) -> HttpResponse:
        return self._http(request)

    def opened(self, peer: Peer) -> None:
        self._count += 1
        session = Session(peer, self._runtime, number=self._count, clock=self._clock)
        self._sessions[peer] = session
        self._lines.add_guest()
        self._spawn(partial(self._run, session))

    def published(self, peer: Peer, event: PublishReceived) -> None:
        self._sessions[peer]._requests.put(event)

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        self._sessions[peer]._requests.put(event)

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        self._sessions[peer]._requests.put(event)

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        session = self._sessions.pop(peer)
        session.close_event = event
        session._requests.end()


def answer_ping(request: HttpRequest) -> HttpResponse:
    """The probe of http 3 is answered, everything else is not found."""
    headers = (("access-control-allow-origin", "*"), ("content-type", "text/plain"))
    if request.path == "/ping":
        return HttpResponse(status=HTTPStatus.OK, headers=headers, body=b"pong")
    return HttpResponse(status=HTTPStatus.NOT_FOUND, headers=headers, body=b"not found")
