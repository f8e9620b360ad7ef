"""The clients of a server that poll, from the request to the service and back (http 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto._lines import Lines
from improto._polling import PollingSessions
from improto.codes import ConnAckStatus, DisconnectStatus
from improto.config import Limits, Timing
from improto.events import CloseReason, ConnectionClosed, PublishReceived
from improto.frames import TimeMs
from improto.http import HttpRequest
from improto.operations import Topic
from tests.helpers import LOGIN_TIME

if TYPE_CHECKING:
    from improto.events import PullReceived, QueryReceived
    from improto.http import HttpResponse
    from improto.service import Peer

TEXT = '{"sessionId":3,"classname":"RC:TxtMsg","content":"{}"}'
PULL = '{"ispolling":false,"syncTime":0}'
CONNECT = "/websocket?appId=a&token=t&sdkVer=2.9.2&pid=17.5&apiVer=normal"


class Program:
    """A service that notes every call, and answers at once unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.peers: list[Peer] = []
        self.ends: list[ConnectionClosed] = []
        self.refuses_with: int | None = None
        self.is_slow = False
        self.fails_in = ""

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if self.fails_in == name:
            raise KeyError(name)

    def http(self, request: HttpRequest) -> HttpResponse:
        raise AssertionError(request)

    def opened(self, peer: Peer) -> None:
        self.peers.append(peer)
        self._note("opened")
        if self.refuses_with is not None:
            peer.refuse(self.refuses_with)
        elif not self.is_slow:
            peer.accept("u1", "guessable", timestamp=LOGIN_TIME)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        self._note("published")
        if not self.is_slow:
            peer.acknowledge(event.frame.message_id, timestamp=LOGIN_TIME, uid="U")

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        self._note("queried")
        peer.answer(event.frame.message_id, timestamp=LOGIN_TIME, data=b"\xff")

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        self._note("pulled")
        time = LOGIN_TIME
        peer.answer_pull(event.message_id, [], sync_time=time, newest=time, is_finished=True)

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        self.ends.append(event)
        self._note("closed")


class Asker:
    """A TCP connection that waits for an answer."""

    def __init__(self) -> None:
        self.address = "192.0.2.1:5000"
        self.response: HttpResponse | None = None

    def respond(self, response: HttpResponse) -> None:
        assert self.response is None
        self.response = response

    @property
    def said(self) -> Any:
        assert self.response is not None
        if self.response.status == 200:
            return json.loads(self.response.body)
        return self.response.body.decode()


class World:
    """A server's sessions, with its clock and the turns of its loop in the hand of the test."""

    def __init__(self, *, limits: Limits | None = None, timing: Timing | None = None) -> None:
        self.now = 100.0
        self.reports: list[Exception] = []
        self.program = Program()
        self.lines = Lines(
            limits=limits or Limits(),
            timing=timing or Timing(),
            clock=lambda: self.now,
            flush_soon=lambda: None,
            wake_at=lambda deadline: None,
            report=lambda address, error: self.reports.append(error),
        )
        self._ids = iter(f"S{number}" for number in range(1000))
        self.polling = PollingSessions(
            self.program, lines=self.lines, make_id=lambda: next(self._ids)
        )

    def ask(self, method: str, target: str, body: str = "") -> Asker:
        """Send a request and let the loop turn."""
        headers = (("origin", "http://page.example"),)
        request = HttpRequest(method=method, target=target, headers=headers, body=body.encode())
        assert self.polling.takes(request)
        asker = Asker()
        self.polling.ask(asker, request)
        self.lines.flush()
        return asker

    def connect(self, target: str = CONNECT) -> str:
        """Log in; gives the session id."""
        answer = self.ask("GET", target).said
        assert answer["status"] == 0
        return str(answer["sessionid"])

    def poll(self, session: str) -> Asker:
        return self.ask("GET", f"/pullmsg.js?sessionid={session}&timestrap=1&pid=17.5")

    def post(self, session: str, header: int, number: int, topic: str, body: str) -> Asker:
        query = f"messageid={number}&header={header}&sessionid={session}"
        return self.ask("POST", f"/websocket?{query}&topic={topic}&targetid=u1&pid=17.5", body)

    def publish(self, session: str, number: int = 1) -> Asker:
        return self.post(session, 50, number, "ppMsgP", TEXT)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.lines.handle_timeouts()
        self.lines.flush()

    def turn(self) -> None:
        self.lines.flush()


@pytest.fixture
def world() -> World:
    return World()


def ends(world: World) -> list[CloseReason]:
    return [end.reason for end in world.program.ends]


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "is_ours"),
    [
        ("GET", "/websocket?x=1", True),
        ("POST", "/websocket", True),
        ("GET", "/pullmsg.js", True),
        ("POST", "/pullmsg.js", False),
        ("OPTIONS", "/websocket", False),
        ("GET", "/ping", False),
    ],
)
def test_which_requests_are_long_polling(
    world: World, method: str, target: str, is_ours: bool
) -> None:
    assert world.polling.takes(HttpRequest(method=method, target=target)) is is_ours


def test_a_login_and_what_the_program_sees_of_it(world: World) -> None:
    assert world.connect() == "S0"
    [peer] = world.program.peers
    assert (peer.address, peer.origin) == ("192.0.2.1:5000", "http://page.example")
    assert (peer.login.device_id, peer.login.is_polling) == ("17.5", True)
    assert peer.user_id == "u1"
    assert peer.is_open
    assert len(world.polling) == 1


def test_a_refused_login(world: World) -> None:
    world.program.refuses_with = ConnAckStatus.TOKEN_INCORRECT
    answer = world.ask("GET", CONNECT).said
    assert answer == {"status": 4, "headerCode": 32, "messageId": 0}
    assert ends(world) == [CloseReason.REFUSED]
    assert len(world.polling) == 0


def test_a_login_that_is_not_decided_in_time(world: World) -> None:
    world.program.is_slow = True
    asker = world.ask("GET", CONNECT)
    world.pass_time(9.0)
    assert asker.response is None
    world.pass_time(1.0)
    assert asker.said["status"] == ConnAckStatus.SERVER_UNAVAILABLE
    assert ends(world) == [CloseReason.NO_LOGIN]


def test_a_client_that_leaves_before_the_login_is_decided(world: World) -> None:
    world.program.is_slow = True
    asker = world.ask("GET", CONNECT)
    world.polling.forget(asker)
    world.turn()
    assert ends(world) == [CloseReason.LOST]
    assert len(world.polling) == 0
    world.polling.forget(asker)


def test_sdk_5_has_no_long_polling(world: World) -> None:
    """Sdk5 1."""
    answer = world.ask("GET", CONNECT.replace("2.9.2", "5.38.0")).said
    assert answer["status"] == ConnAckStatus.SERVER_UNAVAILABLE
    assert world.program.calls == []


def test_there_is_a_limit_of_sessions() -> None:
    world = World(limits=Limits(polling_sessions=1))
    session = world.connect()
    assert world.ask("GET", CONNECT).said["status"] == ConnAckStatus.SERVER_UNAVAILABLE
    world.program.peers[0].shut_down()
    world.turn()
    assert world.poll(session).said == "lost params"
    world.connect()


@pytest.mark.parametrize("session", ["", "null", "S1"])
def test_an_unknown_session(world: World, session: str) -> None:
    world.connect()
    assert world.poll(session).said == "lost params"
    assert world.publish(session).said == "lost params"
    assert world.ask("POST", "/websocket").said == "lost params"


def test_requests_reach_the_program_and_answers_come_back(world: World) -> None:
    session = world.connect()
    poll = world.poll(session)
    [puback] = world.publish(session, 70_000).said
    assert (puback["messageId"], puback["messageUId"]) == (70_000, "U")
    [queryack] = world.post(session, 80, 5, "pullMsg", PULL).said
    page = {
        "list": [],
        "syncTime": LOGIN_TIME,
        "finished": True,
        "broadcastSyncTime": LOGIN_TIME,
    }
    assert json.loads(queryack["data"]).items() >= page.items()
    assert world.program.calls == ["opened", "published", "pulled"]
    assert poll.response is None


def test_what_the_program_says_reaches_the_poll(world: World) -> None:
    session = world.connect()
    poll = world.poll(session)
    [peer] = world.program.peers
    peer.notify(TimeMs(LOGIN_TIME + 1))
    peer.command(
        Topic.S_US, payloads.encode(payloads.UserSettingNotification(version=1, reserve=False))
    )
    assert poll.response is None
    world.turn()
    assert [signal["topic"] for signal in poll.said] == ["s_ntf", "s_us"]


def test_an_answer_that_comes_later(world: World) -> None:
    session = world.connect()
    world.program.is_slow = True
    asker = world.publish(session)
    world.pass_time(1.0)
    assert asker.response is None
    world.pass_time(29.0)
    assert asker.said == []


# -- the end -------------------------------------------------------------------------------------


def test_a_client_that_polls_stays(world: World) -> None:
    session = world.connect()
    for _ in range(10):
        poll = world.poll(session)
        world.pass_time(30.0)
        assert poll.said == []
        world.pass_time(50.0)
    assert world.program.peers[0].is_open


def test_a_client_that_does_not_poll_is_gone(world: World) -> None:
    """After 60 s, whatever it posts (http 5.5)."""
    session = world.connect()
    for _ in range(59):
        world.pass_time(1.0)
        world.publish(session)
    world.pass_time(1.0)
    assert ends(world) == [CloseReason.IDLE]
    assert world.poll(session).said == "lost params"


def test_a_poll_whose_connection_breaks_is_no_poll(world: World) -> None:
    session = world.connect()
    world.polling.forget(world.poll(session))
    world.turn()
    world.program.peers[0].notify(TimeMs(LOGIN_TIME + 1))
    world.turn()
    assert len(world.poll(session).said) == 1
    world.pass_time(60.0)
    assert ends(world) == [CloseReason.IDLE]


def test_a_kicked_client_is_told(world: World) -> None:
    session = world.connect()
    poll = world.poll(session)
    world.program.peers[0].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
    world.turn()
    assert poll.said == [{"headerCode": 224, "messageId": 0, "status": 1}]
    world.pass_time(1.0)
    assert ends(world) == [CloseReason.LOCAL]
    assert world.poll(session).said == "lost params"


def test_a_kicked_client_that_is_away_is_told_later(world: World) -> None:
    session = world.connect(CONNECT.replace("2.9.2", "2.5.3"))
    world.program.peers[0].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
    world.turn()
    world.pass_time(1.0)
    assert ends(world) == [CloseReason.LOCAL]
    assert world.poll(session).said == [{"headerCode": -32, "messageId": 0, "status": 1}]
    assert len(world.polling) == 0


def test_a_client_that_does_not_read_is_dropped() -> None:
    world = World(limits=Limits(outbound_bytes=1000))
    session = world.connect()
    for _ in range(10):
        payload = payloads.encode(payloads.UserSettingNotification(version=1, reserve=False))
        world.program.peers[0].command(Topic.S_US, payload)
    world.turn()
    assert ends(world) == [CloseReason.SLOW_READER]
    assert world.poll(session).said == "lost params"


def test_the_server_shuts_down(world: World) -> None:
    """Clients come back when they are told that their session is lost."""
    first, second = world.connect(), world.connect()
    poll = world.poll(first)
    world.lines.shut_down(within=5.0)
    world.turn()
    assert poll.said == "lost params"
    assert world.poll(second).said == "lost params"
    assert ends(world) == [CloseReason.LOCAL] * 2
    assert world.ask("GET", CONNECT).said["status"] == ConnAckStatus.SERVER_UNAVAILABLE
    world.lines.abort()
    assert len(world.program.ends) == 2


@pytest.mark.parametrize("place", ["opened", "published", "pulled", "closed"])
def test_a_program_that_fails_loses_one_client(world: World, place: str) -> None:
    other = world.connect()
    world.program.fails_in = place
    if place == "opened":
        answer = world.ask("GET", CONNECT).said
        assert answer["status"] == ConnAckStatus.SERVER_UNAVAILABLE
    else:
        session = world.connect()
        poll = world.poll(session)
        if place == "published":
            assert world.publish(session).said == "lost params"
        elif place == "pulled":
            assert world.post(session, 80, 1, "pullMsg", PULL).said == "lost params"
        else:
            world.program.peers[1].shut_down()
            world.turn()
        assert poll.said == "lost params"
    assert [str(error) for error in world.reports] == [repr(place)]
    assert ends(world) == [CloseReason.LOCAL]
    assert len(world.polling) == 1
    world.program.fails_in = ""
    assert world.publish(other).said[0]["status"] == 0


def test_a_program_that_fails_twice(world: World) -> None:
    """Even in hearing of the end that its failure has caused."""
    session = world.connect()
    note = world.program._note

    def fail(name: str) -> None:
        note(name)
        raise KeyError(name)

    world.program._note = fail  # type: ignore[method-assign]
    assert world.publish(session).said == "lost params"
    assert [str(error) for error in world.reports] == ["'published'", "'closed'"]
    assert len(world.polling) == 0


def test_an_answer_that_is_no_payload(world: World) -> None:
    """The program's mistake, which WebSocket does not notice."""
    session = world.connect()
    query = world.post(session, 80, 1, "pullUS", '{"version":1}')
    assert query.said == "lost params"
    assert len(world.reports) == 1
    assert ends(world) == [CloseReason.LOCAL]
    world.pass_time(100.0)
    assert len(world.program.ends) == 1


def test_a_last_word_that_is_no_payload(world: World) -> None:
    """There is an end for every beginning, whatever the program says in between."""
    session = world.connect()
    [peer] = world.program.peers
    peer.command(Topic.S_US, b"\xff")
    peer.connection.shut_down(now=world.now)
    poll = world.poll(session)
    assert poll.said == "lost params"
    assert len(world.reports) == 1
    assert ends(world) == [CloseReason.LOCAL]
    assert len(world.polling) == 0
