"""Bytes in, bytes out: HTTP, WebSocket and protocol of one TCP connection (http 1, session 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import DisconnectStatus
from improto.config import Limits, Timing
from improto.endpoint import ClientEndpoint, ServerEndpoint
from improto.errors import HandshakeRefused, RemoteProtocolError
from improto.events import (
    CaughtUp,
    CloseReason,
    Connected,
    ConnectionClosed,
    PublishAcknowledged,
    PublishReceived,
    PullReceived,
    QueryAnswered,
    QueryReceived,
)
from improto.frames import TimeMs
from improto.http import HttpRequest, HttpResponse
from improto.login import Login
from improto.messages import request
from improto.operations import Topic
from improto.payloads import PullUserSettingInput
from improto.session import ClientSession
from improto.transports import WsprotoFramer
from tests.helpers import LOGIN_TIME, outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto.events import ClientEvent
    from improto.service import Peer

GOOD: HttpResponse = HttpResponse(status=200, body=b"pong")


class Program:
    """A service that notes every call, and answers at once unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.refuses_with: int | None = None
        self.is_slow = False

    def http(self, request: HttpRequest) -> HttpResponse:
        self.calls.append(request.path)
        return GOOD

    def opened(self, peer: Peer) -> None:
        self.calls.append("opened")
        if self.refuses_with is not None:
            peer.refuse(self.refuses_with)
        elif not self.is_slow:
            peer.accept("u1", "s1", timestamp=LOGIN_TIME)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        self.calls.append(event)
        peer.acknowledge(event.frame.message_id, timestamp=LOGIN_TIME, uid="m1")

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        self.calls.append(event)
        peer.answer(event.frame.message_id, timestamp=LOGIN_TIME, status=5)

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        self.calls.append(event)
        time = LOGIN_TIME
        peer.answer_pull(event.message_id, [], sync_time=time, newest=time, is_finished=True)

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        assert not peer.is_open
        self.calls.append(event)

    @property
    def last(self) -> Any:
        return self.calls[-1]


class Rig:
    """A client and a server on one wire, without delay."""

    def __init__(self, *, sdk_version: str = "4.6.4", timing: Timing | None = None) -> None:
        self.now = 0.0
        self.wakes = 0
        self.program = Program()
        self.timing = timing or Timing()
        self.server = ServerEndpoint(
            self.program,
            address="192.0.2.1:5000",
            limits=Limits(),
            timing=self.timing,
            make_framer=WsprotoFramer,
            clock=lambda: self.now,
            wake=self._wake,
        )
        self.client = ClientEndpoint(
            ClientSession(),
            Login(app_key="app", token="token", sdk_version=sdk_version),
            host="example.org:80",
            limits=Limits.for_client(),
            timing=self.timing,
            make_framer=WsprotoFramer,
            now=0.0,
        )
        self.events: list[ClientEvent] = []

    def _wake(self) -> None:
        self.wakes += 1

    def exchange(self) -> None:
        """Carry bytes until both ends are silent; the client's program takes all events."""
        while True:
            self.events += self.client_events()
            to_server, to_client = self.client.data_to_send(), self.server.data_to_send()
            if to_server:
                self.server.receive_data(to_server, now=self.now)
            if to_client:
                self.client.receive_data(to_client, now=self.now)
            if not (to_server or to_client):
                return

    def client_events(self) -> Iterator[ClientEvent]:
        while (event := self.client.next_event(now=self.now)) is not None:
            yield event

    def take(self) -> list[ClientEvent]:
        events, self.events = self.events, []
        return events

    def expire(self, end: ClientEndpoint | ServerEndpoint) -> None:
        """Time passes up to one end's next deadline."""
        deadline = end.next_deadline()
        assert deadline is not None
        self.now = deadline
        end.handle_timeout(now=deadline)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def online(rig: Rig) -> Rig:
    rig.exchange()
    assert [type(event) for event in rig.take()] == [Connected, CaughtUp]
    return rig


REQUEST = b"GET /ping?r=1 HTTP/1.1\r\nHost: h\r\n\r\n"


class TestOpening:
    """HTTP first, then a WebSocket on the path of http 4."""

    def test_a_client_opens_with_its_login_in_the_url(self, rig: Rig) -> None:
        head = rig.client.data_to_send()
        login = Login(app_key="app", token="token")
        assert head.startswith(f"GET {login.target} HTTP/1.1\r\n".encode())
        assert b"Host: example.org:80\r\n" in head

    def test_both_are_online_after_one_exchange(self, online: Rig) -> None:
        """The server speaks first (wire 4.2), the client pulls (session 2.2)."""
        assert online.client.connection.is_online
        assert online.server.peer is not None
        assert online.server.peer.user_id == "u1"
        first, pull = online.program.calls
        assert first == "opened"
        assert isinstance(pull, PullReceived)

    def test_the_program_learns_who_it_is(self, rig: Rig) -> None:
        rig.program.is_slow = True
        rig.exchange()
        assert rig.server.peer is not None
        assert rig.server.peer.login == Login(app_key="app", token="token")
        assert rig.server.peer.address == rig.server.address == "192.0.2.1:5000"
        assert rig.server.peer.origin is None

    def test_the_handshake_in_single_bytes(self, rig: Rig) -> None:
        """How bytes are cut makes no difference."""
        for end, other in ((rig.server, rig.client), (rig.client, rig.server)):
            for byte in other.data_to_send():
                end.receive_data(bytes([byte]), now=0.0)
        assert rig.client.connection.is_online

    def test_a_program_that_decides_later_wakes_the_adapter(self, rig: Rig) -> None:
        rig.program.is_slow = True
        rig.exchange()
        assert rig.wakes == 0
        assert rig.server.peer is not None
        rig.server.peer.accept("u1", "s1", timestamp=LOGIN_TIME)
        assert rig.wakes == 1
        rig.exchange()
        assert rig.client.connection.is_online

    def test_a_login_that_nobody_decides_ends(self, rig: Rig) -> None:
        """After 10 s (session 13), without a farewell."""
        rig.program.is_slow = True
        rig.exchange()
        rig.expire(rig.server)
        assert rig.program.last.reason is CloseReason.NO_LOGIN
        assert rig.server.is_over

    def test_a_refused_login_ends_for_both(self, rig: Rig) -> None:
        """CONNACK, then the server closes (session 2.3)."""
        rig.program.refuses_with = 4
        rig.exchange()
        [closed] = rig.take()
        assert isinstance(closed, ConnectionClosed)
        assert (closed.reason, closed.status) == (CloseReason.REFUSED, 4)
        assert rig.program.last.reason is CloseReason.REFUSED
        assert rig.server.peer is None
        assert rig.server.is_over
        assert rig.client.is_over

    def test_a_connack_that_never_comes_ends_the_client(self, rig: Rig) -> None:
        """Session 13: 5 s from the opened transport, the handshake included."""
        assert rig.client.next_deadline() == 5.0
        rig.expire(rig.client)
        [closed] = rig.client_events()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.NO_CONNACK
        assert rig.client.is_over

    def test_a_server_that_speaks_plain_http_is_an_error(self, rig: Rig) -> None:
        rig.client.data_to_send()
        response = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
        rig.client.receive_data(response, now=0.0)
        rig.client.receive_data(b"more", now=0.0)
        assert isinstance(rig.client.error, HandshakeRefused)
        assert rig.client.error.status == 403
        [closed] = rig.client_events()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.LOST
        assert rig.client.is_over

    def test_a_stream_that_ends_in_the_handshake_is_an_error(self, rig: Rig) -> None:
        rig.client.data_to_send()
        rig.client.receive_eof(now=0.0)
        assert isinstance(rig.client.error, RemoteProtocolError)
        assert [type(event) for event in rig.client_events()] == [ConnectionClosed]
        assert rig.client.is_over

    def test_half_an_answer_is_awaited(self, rig: Rig) -> None:
        rig.client.data_to_send()
        rig.client.receive_data(b"HTTP/1.1 101 Swi", now=0.0)
        assert rig.client.error is None
        assert not rig.client.is_over


class TestPlainHttp:
    """Navigation, probes, anything else (http 1)."""

    def test_requests_are_the_programs(self, rig: Rig) -> None:
        """One after the other on one connection."""
        rig.server.receive_data(REQUEST + REQUEST, now=0.0)
        assert rig.program.calls == ["/ping", "/ping"]
        assert rig.server.data_to_send().count(b"HTTP/1.1 200") == 2
        assert rig.server.peer is None
        assert not rig.server.is_over

    def test_another_path_is_no_login(self, rig: Rig) -> None:
        """An upgrade of it is answered like any request."""
        head = rig.client.data_to_send().replace(b"/websocket?", b"/elsewhere?")
        rig.server.receive_data(head, now=0.0)
        assert rig.program.calls == ["/elsewhere"]
        rig.client.receive_data(rig.server.data_to_send(), now=0.0)
        assert rig.client.error is not None

    def test_a_broken_upgrade_is_refused_by_the_transport(self, rig: Rig) -> None:
        """RFC 6455 section 4.4."""
        head = rig.client.data_to_send().replace(b"Version: 13", b"Version: 12")
        rig.server.receive_data(head, now=0.0)
        assert rig.program.calls == []
        assert b"426" in rig.server.data_to_send()

    def test_a_connection_without_a_request_ends(self, rig: Rig) -> None:
        assert rig.server.next_deadline() == 10.0
        rig.expire(rig.server)
        assert rig.server.is_over

    def test_a_connection_that_the_client_closes_is_over(self, rig: Rig) -> None:
        rig.server.receive_eof(now=0.0)
        assert rig.server.is_over

    @pytest.mark.parametrize("ending", ["shut_down", "abandon"])
    def test_it_can_be_ended_at_any_time(self, rig: Rig, ending: str) -> None:
        """There is nobody to tell; nothing more is read or said."""
        if ending == "shut_down":
            rig.server.shut_down(now=0.0)
        else:
            rig.server.abandon(CloseReason.LOCAL, now=0.0)
        assert rig.server.is_over
        rig.server.receive_data(REQUEST, now=0.0)
        rig.server.receive_eof(now=0.0)
        rig.server.handle_timeout(now=1e6)
        assert rig.server.data_to_send() == b""
        assert rig.server.next_deadline() is None
        assert rig.program.calls == []


class TestOnline:
    """Requests and answers, both ways."""

    def test_each_event_reaches_its_method(self, online: Rig) -> None:
        connection = online.client.connection
        connection.publish(outgoing(), now=0.0)
        settings = request(Topic.PULL_US, "u1", PullUserSettingInput(version=0))
        connection.query(settings, now=0.0)
        online.exchange()
        assert [type(call) for call in online.program.calls[2:]] == [
            PublishReceived,
            QueryReceived,
        ]
        assert [type(event) for event in online.take()] == [PublishAcknowledged, QueryAnswered]

    def test_what_the_program_queues_is_written_when_asked_for(self, online: Rig) -> None:
        assert online.server.peer is not None
        online.server.peer.notify(TimeMs(LOGIN_TIME + 1))
        online.exchange()
        assert isinstance(online.program.last, PullReceived)

    def test_the_deadlines_are_those_of_the_protocol(self, online: Rig) -> None:
        """The heartbeat of the client, the patience of the server (session 5)."""
        assert online.client.next_deadline() == 15.0
        assert online.server.next_deadline() == 75.0
        online.expire(online.client)
        online.exchange()
        assert online.server.next_deadline() == 90.0

    def test_an_exception_of_the_program_comes_out_of_the_input(self, online: Rig) -> None:
        """The adapter then drops this connection, and no other."""
        online.client.connection.publish(outgoing(), now=0.0)
        data = online.client.data_to_send()
        online.program.published = None  # type: ignore[assignment, method-assign]
        with pytest.raises(TypeError):
            online.server.receive_data(data, now=0.0)
        online.server.abandon(CloseReason.LOCAL, now=0.0)
        assert online.program.last.reason is CloseReason.LOCAL
        assert online.server.is_over


class TestEnd:
    """One last event for each side, then the socket is closed (session 4)."""

    def test_a_client_that_leaves_closes_the_websocket(self, online: Rig) -> None:
        """Wire 4.10."""
        online.client.connection.disconnect(now=0.0)
        online.exchange()
        [closed] = online.take()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.LOCAL
        assert online.program.last.reason is CloseReason.PEER
        assert online.client.is_over
        assert online.server.is_over

    def test_the_peer_has_1_s_to_close_the_websocket(self, online: Rig) -> None:
        """timing.close; then the socket is closed all the same."""
        online.client.connection.disconnect(now=0.0)
        assert len(list(online.client_events())) == 1
        assert not online.client.is_over
        assert online.client.next_deadline() == 1.0
        online.client.handle_timeout(now=0.9)
        assert not online.client.is_over
        online.expire(online.client)
        assert online.client.is_over

    def test_a_dismissed_client_gets_disconnect_and_is_told_why(self, online: Rig) -> None:
        assert online.server.peer is not None
        online.server.peer.dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
        online.exchange()
        [closed] = online.take()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.KICKED
        assert online.program.last.reason is CloseReason.LOCAL
        assert online.program.last.status == 1
        assert online.server.is_over

    def test_a_server_that_shuts_down_says_1001(self, online: Rig) -> None:
        """Session 4.2; the client may come back."""
        online.server.shut_down(now=0.0)
        assert online.program.last.reason is CloseReason.LOCAL
        online.exchange()
        [closed] = online.take()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.PEER
        assert closed.reason.may_reconnect
        online.server.shut_down(now=0.0)
        assert online.program.calls.count(online.program.last) == 1

    def test_sdk_253_sees_the_transport_break_instead(self) -> None:
        """Without a closing handshake (session 4.2)."""
        rig = Rig(sdk_version="2.5.3")
        rig.exchange()
        rig.server.shut_down(now=0.0)
        assert rig.server.is_over
        assert rig.server.data_to_send() == b""

    def test_a_stream_that_breaks_is_lost_for_both(self, online: Rig) -> None:
        online.server.receive_eof(now=0.0)
        assert online.program.last.reason is CloseReason.LOST
        assert online.server.is_over
        online.client.receive_eof(now=0.0)
        [closed] = online.client_events()
        assert isinstance(closed, ConnectionClosed)
        assert closed.reason is CloseReason.LOST
        assert online.client.is_over

    def test_bytes_that_are_no_websocket_are_a_violation(self, online: Rig) -> None:
        online.server.receive_data(b"\xff" * 10, now=0.0)
        closed = online.program.last
        assert closed.reason is CloseReason.VIOLATION
        assert closed.close_code == 1002
        assert online.server.is_over

    @pytest.mark.parametrize("way", ["abandon", "pause_sending"])
    def test_a_client_that_does_not_read_is_dropped(self, online: Rig, way: str) -> None:
        """What the service has not seen it need not see any more, but the end it gets once."""
        online.client.connection.publish(outgoing(), now=0.0)
        assert online.server.peer is not None
        connection = online.server.peer.connection
        for message in online.client.connection.messages_to_send():
            connection.receive_message(message, now=0.0)
        if way == "abandon":
            online.server.abandon(CloseReason.SLOW_READER, now=0.0)
        else:
            online.server.pause_sending(now=0.0)
        assert online.program.last.reason is CloseReason.SLOW_READER
        assert isinstance(online.program.calls[-2], PullReceived)
        assert online.server.is_over
        online.server.resume_sending(now=0.0)
        online.server.abandon(CloseReason.LOCAL, now=0.0)
        assert online.program.last.reason is CloseReason.SLOW_READER

    def test_after_the_end_nothing_is_handed_out(self, online: Rig) -> None:
        """Frames that are still on the wire are ignored (session 10)."""
        online.client.connection.publish(outgoing(), now=0.0)
        late = online.client.data_to_send()
        online.server.shut_down(now=0.0)
        calls = list(online.program.calls)
        online.server.receive_data(late, now=0.0)
        online.server.dispatch(now=0.0)
        online.server.receive_eof(now=0.0)
        online.server.handle_timeout(now=1e6)
        assert online.program.calls == calls
        assert online.server.is_over


class Sessions:
    """Long polling that answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[ServerEndpoint, HttpRequest]] = []
        self.forgotten: list[ServerEndpoint] = []
        self.answers_at_once = False

    def takes(self, request: HttpRequest) -> bool:
        return request.path in ("/websocket", "/pullmsg.js")

    def ask(self, asker: ServerEndpoint, request: HttpRequest) -> None:
        self.asked.append((asker, request))
        if self.answers_at_once:
            asker.respond(HttpResponse(status=400, body=b"lost params"))

    def forget(self, asker: ServerEndpoint) -> None:
        self.forgotten.append(asker)


class Polled:
    """A server's end of a TCP connection on which a client polls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wakes = 0
        self.program = Program()
        self.sessions = Sessions()
        polling: Any = self.sessions
        self.server = ServerEndpoint(
            self.program,
            address="192.0.2.1:5000",
            limits=Limits(),
            timing=Timing(),
            make_framer=WsprotoFramer,
            clock=lambda: self.now,
            wake=self._wake,
            polling=polling,
        )

    def _wake(self) -> None:
        self.wakes += 1

    def say(self, data: bytes) -> bytes:
        self.server.receive_data(data, now=self.now)
        return self.server.data_to_send()

    def answer(self, body: bytes) -> bytes:
        asker, _ = self.sessions.asked[-1]
        asker.respond(HttpResponse(status=200, body=body))
        assert self.server.data_to_send() == b""
        self.server.dispatch(now=self.now)
        return self.server.data_to_send()


POLL = b"GET /pullmsg.js?sessionid=S HTTP/1.1\r\nHost: h\r\n\r\n"


class TestLongPolling:
    """Requests that are answered later (http 5)."""

    def test_a_poll_waits_for_its_answer(self) -> None:
        polled = Polled()
        assert polled.say(POLL) == b""
        [(asker, request)] = polled.sessions.asked
        assert asker is polled.server
        assert request.query == {"sessionid": "S"}
        assert polled.server.next_deadline() is None
        assert polled.answer(b"[]").endswith(b"\r\n\r\n[]")
        assert polled.wakes == 1
        assert not polled.server.is_over

    def test_polls_come_one_after_the_other_with_others_between(self) -> None:
        polled = Polled()
        polled.say(POLL + REQUEST + POLL)
        assert len(polled.sessions.asked) == 1
        answer = polled.answer(b"[1]")
        assert answer.endswith(b"pong")
        assert b"[1]" in answer
        assert len(polled.sessions.asked) == 2
        assert polled.answer(b"[2]").endswith(b"[2]")
        assert polled.program.calls == ["/ping"]

    def test_some_answers_are_known_at_once(self) -> None:
        polled = Polled()
        polled.sessions.answers_at_once = True
        answer = polled.say(POLL + POLL + REQUEST)
        assert answer.count(b"lost params") == 2
        assert answer.endswith(b"pong")

    def test_a_websocket_is_still_a_websocket(self) -> None:
        polled = Polled()
        client = ClientEndpoint(
            ClientSession(),
            Login(app_key="app", token="token"),
            host="h",
            limits=Limits.for_client(),
            timing=Timing(),
            make_framer=WsprotoFramer,
            now=0.0,
        )
        assert b" 101 " in polled.say(client.data_to_send())
        assert polled.sessions.asked == []
        polled.server.abandon(CloseReason.LOCAL, now=0.0)
        assert polled.server.is_over

    def test_a_handshake_that_we_do_not_know_is_refused(self) -> None:
        polled = Polled()
        upgrade = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n"
        answer = polled.say(b"GET /websocket HTTP/1.1\r\nHost: h\r\n" + upgrade + b"\r\n")
        assert b" 426 " in answer
        assert polled.sessions.asked == []

    def test_who_closes_while_polling_waits_no_more(self) -> None:
        polled = Polled()
        polled.say(POLL)
        polled.server.receive_eof(now=1.0)
        assert polled.sessions.forgotten == [polled.server]
        assert polled.server.is_over
        polled.server.respond(HttpResponse(status=200, body=b"late"))
        polled.server.dispatch(now=1.0)
        assert polled.server.data_to_send() == b""

    @pytest.mark.parametrize("is_time", [True, False])
    def test_an_answer_is_sent_by_whatever_comes_first(self, is_time: bool) -> None:
        """A line has no second look at what an input has left."""
        polled = Polled()
        polled.say(POLL)
        polled.server.respond(HttpResponse(status=200, body=b"[1]"))
        if is_time:
            polled.server.handle_timeout(now=1.0)
            assert polled.server.data_to_send().endswith(b"[1]")
        else:
            assert polled.say(POLL).endswith(b"[1]")
            assert len(polled.sessions.asked) == 2

    def test_who_closes_between_two_polls_is_gone(self) -> None:
        polled = Polled()
        polled.server.receive_eof(now=1.0)
        assert polled.server.is_over

    def test_who_sends_too_much_ahead_gets_no_answer(self) -> None:
        polled = Polled()
        polled.say(POLL)
        polled.say(b"x" * 300_000)
        assert polled.server.is_over
        assert polled.sessions.forgotten == [polled.server]
        assert polled.answer(b"[]") == b""

    def test_a_connection_that_is_dropped_waits_no_more(self) -> None:
        polled = Polled()
        polled.say(POLL)
        polled.server.abandon(CloseReason.SLOW_READER, now=1.0)
        assert polled.sessions.forgotten == [polled.server]
        assert polled.server.is_over

    def test_the_last_answer_is_sent_when_the_server_shuts_down(self) -> None:
        polled = Polled()
        polled.say(POLL)
        polled.sessions.asked[0][0].respond(HttpResponse(status=400, body=b"lost params"))
        polled.server.shut_down(now=1.0)
        assert polled.server.data_to_send().endswith(b"lost params")
        assert polled.server.is_over
        polled.server.shut_down(now=2.0)
        assert polled.server.data_to_send() == b""
