"""A client that polls: what an adapter drives in place of a client with a WebSocket (http 5).

Two TCP connections at a time: one for the connect and then the polls, whose end is the end, and one
for posts, which is opened when there is something to post and closed when there is nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.client import ClientConnection
from improto.events import CloseReason, ConnectionClosed
from improto.transports.http_client import HttpClient
from improto.transports.polling_client import PollingClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto._lines import Line
    from improto.config import Limits, Timing
    from improto.errors import ImprotoError
    from improto.events import ClientEvent
    from improto.login import Login
    from improto.session import ClientSession


class PollingClientEndpoint:
    """The connection of the polls; otherwise as :class:`improto.endpoint.ClientEndpoint`.

    ``dial`` opens another TCP connection to the same ``address``, because nobody else knows the
    session, to be driven through what :meth:`begin_post` makes; or it calls :meth:`dial_failed`.
    ``wake`` is called when something was queued from outside of an input.
    """

    def __init__(
        self,
        session: ClientSession,
        login: Login,
        *,
        host: str,
        address: str,
        limits: Limits,
        timing: Timing,
        clock: Callable[[], float],
        dial: Callable[[PollingClientEndpoint], object],
        wake: Callable[[], None],
    ) -> None:
        self.connection = ClientConnection(
            session, protocol_version=login.protocol_version, limits=limits, timing=timing
        )
        self.error: ImprotoError | None = None
        """Why there was no answer to the connect that could be read."""
        self.is_over = False
        self.posts = PollingClient(login)
        self.host = host
        """What the Host header says."""
        self.address = address
        """Where the server is: ``host:port``, an IPv6 address in brackets."""
        self.limits = limits
        self.wake = wake
        self._http = HttpClient(host, limits=limits)
        self._timing = timing
        self._clock = clock
        self._dial = dial
        self._lane: PostLane | None = None
        self._is_dialling = False
        self._answer_by: float | None = None
        self.connection.connect(now=clock())

    def receive_data(self, data: bytes, *, now: float) -> None:
        """Bytes arrived."""
        self._http.receive_data(data)
        self._take_answer(now=now)

    def receive_eof(self, *, now: float) -> None:
        """The stream ended."""
        self._http.receive_eof()
        self._take_answer(now=now)
        self.connection.receive_eof(now=now)
        self.is_over = True

    def handle_timeout(self, *, now: float) -> None:
        """A deadline may have passed."""
        if self._answer_by is not None and self._answer_by <= now:
            self.connection.receive_eof(now=now)
        self.connection.handle_timeout(now=now)

    def next_event(self, *, now: float) -> ClientEvent | None:
        """Take the oldest event; after ConnectionClosed it is over."""
        event = self.connection.next_event()
        if isinstance(event, ConnectionClosed):
            self.is_over = True
            self._answer_by = None
            if self._lane is not None:
                self._lane.leave()
        return event

    def data_to_send(self) -> bytes:
        """Take everything that is ready for the socket of the polls."""
        self.posts.send_frames(self.connection.frames_to_send())
        self.take_frames(now=self._clock())
        if not self.is_over:
            if self._http.is_idle and (request := self.posts.next_poll()) is not None:
                self._http.ask(request)
                self._answer_by = self._clock() + self._timing.poll_reply
            if self.posts.has_posts and self._lane is None and not self._is_dialling:
                self._is_dialling = True
                self._dial(self)
        return self._http.data_to_send()

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        deadlines = (self.connection.next_deadline(), self._answer_by)
        return min((each for each in deadlines if each is not None), default=None)

    # -- posts -----------------------------------------------------------------------

    def begin_post(self, line: Line[PostLane], address: str) -> PostLane:
        """A connection for posts is open."""
        self._is_dialling = False
        self._lane = PostLane(self, address=address, wake=line.wake)
        if self.is_over:
            self._lane.leave()
        return self._lane

    def dial_failed(self) -> None:
        """There is no connection for posts: the server is gone."""
        self.connection.receive_eof(now=self._clock())
        self.wake()

    def hang_up(self) -> None:
        """The connection for posts is not used any more."""
        self._lane = None
        self.wake()

    # -- inside ----------------------------------------------------------------------

    def take_frames(self, *, now: float) -> None:
        """Hand on what has been understood, and what could not be."""
        connection, client = self.connection, self.posts
        while (frame := client.next_frame()) is not None:
            connection.receive_frame(frame, now=now)
            self.wake()
        error = client.error or self._http.error
        if error is not None and not connection.is_online:
            self.error = self.error or error
            connection.receive_eof(now=now)
        elif client.error is not None:
            connection.fail(client.error, now=now)
        elif client.is_lost or error is not None:
            connection.receive_eof(now=now, clean=client.is_lost)

    def _take_answer(self, *, now: float) -> None:
        response = self._http.next_response()
        if response is not None:
            self._answer_by = None
            self.posts.answer_poll(response)
        self.take_frames(now=now)


class PostLane:
    """A connection for posts, as a line drives it."""

    def __init__(
        self, owner: PollingClientEndpoint, *, address: str, wake: Callable[[], None]
    ) -> None:
        self.address = address
        self.is_over = False
        self._owner = owner
        self._wake = wake
        self._http = HttpClient(owner.host, limits=owner.limits)

    def leave(self) -> None:
        """The client has ended."""
        self.is_over = True
        self._wake()

    def receive_data(self, data: bytes, *, now: float) -> None:
        self._http.receive_data(data)
        response = self._http.next_response()
        if response is not None or self._http.error is not None:
            self._owner.posts.answer_post(response)
            self._owner.take_frames(now=now)
            self._owner.wake()

    def receive_eof(self, *, now: float) -> None:
        self._http.receive_eof()
        self._owner.posts.answer_post(self._http.next_response())
        self._owner.take_frames(now=now)
        self._end()

    def dispatch(self, *, now: float) -> None:
        """There is nobody to tell."""

    def handle_timeout(self, *, now: float) -> None:
        """It has no timer."""

    def shut_down(self, *, now: float) -> None:
        self._end()

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        self._end()

    def pause_sending(self, *, now: float) -> None:
        """One request at a time is never too much."""

    def resume_sending(self, *, now: float) -> None:
        """See :meth:`pause_sending`."""

    def data_to_send(self) -> bytes:
        """The next post, if there is one; otherwise it is over."""
        if not self.is_over and self._http.is_idle:
            post = self._owner.posts.next_post()
            if post is None:
                self._end()
            else:
                self._http.ask(post)
        elif self._http.error is not None:
            self._end()
        return self._http.data_to_send()

    def next_deadline(self) -> float | None:
        return None

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._owner.hang_up()
