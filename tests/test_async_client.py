"""The awaitable client against the awaitable server, in memory and step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto._async_client import host_header
from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.config import Limits, Timing
from improto.contents import Text
from improto.errors import (
    ConnectionEnded,
    EncodeError,
    HandshakeRefused,
    LocalProtocolError,
    NotConnected,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import (
    CaughtUp,
    CloseReason,
    ConnectionClosed,
    PublishReceived,
    PullReceived,
    QueryReceived,
    RequestFailed,
)
from improto.frames import Qos, TimeMs
from improto.messages import Conversation, Request, compose
from improto.operations import Topic
from improto.session import ClientSession
from tests.by_hand import Waiting
from tests.helpers import item
from tests.in_memory import SERVER_TIME, World

if TYPE_CHECKING:
    from improto._async_server import Session

BOB = Conversation.private("bob")


class Office:
    """What the server does; a test changes it."""

    def __init__(self) -> None:
        self.status = 0
        self.is_silent = False
        self.inbox: list[tuple[int, bytes]] = []
        self.pulls = 0
        self.sessions: list[Session] = []

    async def handle(self, session: Session) -> None:
        self.sessions.append(session)
        if session.login.token == "refused":
            session.refuse(ConnAckStatus.IDENTIFIER_REJECTED)
        else:
            session.accept(session.login.token)
        async for event in session:
            if not self.is_silent or isinstance(event, PullReceived):
                self._answer(session, event)

    def _answer(self, session: Session, event: Any) -> None:
        peer = session.peer
        match event:
            case PublishReceived():
                peer.acknowledge(
                    event.frame.message_id, timestamp=SERVER_TIME, status=self.status, uid="U1"
                )
            case QueryReceived():
                peer.answer(
                    event.frame.message_id,
                    timestamp=SERVER_TIME,
                    status=self.status,
                    data=event.frame.data,
                )
            case PullReceived():
                self.pulls += 1
                items = [(time, data) for time, data in self.inbox if time > event.sync_time]
                page, rest = items[:2], items[2:]
                newest = TimeMs(max([event.sync_time, *(time for time, _ in self.inbox)]))
                peer.answer_pull(
                    event.message_id,
                    [data for _, data in page],
                    sync_time=TimeMs(page[-1][0] if page else newest),
                    newest=newest,
                    is_finished=not rest,
                )


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def world(office: Office) -> World:
    return World(office.handle)


def wait_for(world: World, coroutine: Any) -> Any:
    """What a coroutine returns or raises, when everything else goes on."""
    waiting = Waiting(coroutine)
    world.run(waiting)
    return waiting.result


# -- the login ----------------------------------------------------------------------------------


def test_a_client_knows_who_it_is(world: World) -> None:
    session = ClientSession()
    client = world.connect("ann", session=session)
    assert (client.user_id, client.server_time) == ("ann", SERVER_TIME)
    assert client.session is session
    assert client.is_open
    assert client.close_event is None


def test_a_refused_login_is_told_with_its_status(world: World) -> None:
    logging_in, _ = world.open("refused")
    world.run(logging_in)
    with pytest.raises(ConnectionEnded, match=r"refused the login \(status 2\)") as refused:
        _ = logging_in.result
    assert (refused.value.reason, refused.value.status) == (CloseReason.REFUSED, 2)


def test_a_login_that_nobody_decides_ends(world: World, office: Office) -> None:
    logging_in, line = world.open()
    line.other.arriving.clear()
    world.advance(5.0)
    world.run(logging_in)
    with pytest.raises(ConnectionEnded, match="did not answer the login in time"):
        _ = logging_in.result


def test_a_handshake_that_is_refused_is_told_as_such(world: World) -> None:
    logging_in, line = world.open()
    line.other.arriving.clear()
    line.receive_data(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\ngo!!")
    world.run(logging_in)
    with pytest.raises(HandshakeRefused, match="403"):
        _ = logging_in.result


def test_a_socket_that_breaks_is_told_as_such(world: World) -> None:
    logging_in, line = world.open()
    line.lost(ConnectionResetError("reset"))
    world.run(logging_in)
    with pytest.raises(ConnectionResetError):
        _ = logging_in.result


@pytest.mark.parametrize(
    ("host", "port", "is_encrypted", "header"),
    [
        ("example.com", 8080, False, "example.com:8080"),
        ("example.com", 80, False, "example.com"),
        ("example.com", 80, True, "example.com:80"),
        ("example.com", 443, True, "example.com"),
        ("::1", 8080, False, "[::1]:8080"),
        ("::1", 80, False, "[::1]"),
    ],
)
def test_the_host_header(host: str, port: int, is_encrypted: bool, header: str) -> None:
    assert host_header(host, port, is_encrypted=is_encrypted) == header


# -- requests -----------------------------------------------------------------------------------


def test_sending_waits_for_the_server(world: World) -> None:
    client = world.connect()
    sent = wait_for(world, client.send(BOB, Text("hi"), push_text="Ann: hi"))
    assert (sent.uid, sent.timestamp) == ("U1", SERVER_TIME)


def test_a_refused_message_is_an_exception(world: World, office: Office) -> None:
    client = world.connect()
    office.status = ErrorCode.REJECTED_BY_BLACKLIST
    with pytest.raises(RequestRefused, match="REJECTED_BY_BLACKLIST") as refused:
        wait_for(world, client.send(BOB, Text("hi")))
    assert refused.value.code == ErrorCode.REJECTED_BY_BLACKLIST


def test_a_posted_message_tells_what_becomes_of_it(world: World, office: Office) -> None:
    client = world.connect()
    outcomes: list[Any] = []
    client.post(compose(BOB, Text("hi")), outcomes.append)
    world.run()
    office.status = ErrorCode.REJECTED_BY_BLACKLIST
    client.post(compose(BOB, Text("hi")), outcomes.append)
    world.run()
    assert [(each.uid, each.status) for each in outcomes] == [("U1", 0), ("U1", 405)]
    wait_for(world, client.aclose())
    client.post(compose(BOB, Text("too late")), outcomes.append)
    assert isinstance(outcomes[2], NotConnected)


def test_a_posted_message_is_withdrawn_while_it_waits(world: World, office: Office) -> None:
    client = world.connect(limits=Limits(requests_in_flight=1))
    world.run()
    office.is_silent = True
    outcomes: list[Any] = []
    first = client.post(compose(BOB, Text("first")), outcomes.append)
    second = client.post(compose(BOB, Text("second")), outcomes.append)
    second()
    first()
    world.advance(30.0)
    world.run()
    assert [type(each) for each in outcomes] == [RequestFailed]


def test_a_query_gives_the_data_of_the_answer(world: World) -> None:
    client = world.connect()
    request = Request(topic=Topic.PULL_US, target_id="ann", data=b"abc", qos=Qos.AT_MOST_ONCE)
    assert wait_for(world, client.query(request)) == b"abc"


def test_asking_reads_the_reply(world: World) -> None:
    client = world.connect()
    question = payloads.PullUserSettingInput(version=7)
    reply = wait_for(
        world, client.ask(Topic.PULL_US, "ann", question, payloads.PullUserSettingInput)
    )
    assert reply.version == 7


def test_a_request_without_an_answer_times_out(world: World, office: Office) -> None:
    client = world.connect()
    office.is_silent = True
    sending = Waiting(client.send(BOB, Text("hi")))
    world.run(sending)
    for _ in range(3):
        world.advance(15.0)
        world.run(sending)
    with pytest.raises(RequestTimedOut):
        _ = sending.result


def test_a_request_that_the_end_overtakes(world: World, office: Office) -> None:
    client = world.connect()
    office.is_silent = True
    sending = Waiting(client.send(BOB, Text("hi")))
    world.run(sending)
    office.sessions[0].peer.dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
    world.run(sending)
    with pytest.raises(ConnectionEnded) as ended:
        _ = sending.result
    assert (ended.value.reason, ended.value.status) == (CloseReason.KICKED, 1)


def test_a_request_after_the_end(world: World) -> None:
    client = world.connect()
    wait_for(world, client.aclose())
    with pytest.raises(ConnectionEnded, match="we ended it") as ended:
        wait_for(world, client.send(BOB, Text("hi")))
    assert isinstance(ended.value.__cause__, NotConnected)


def test_a_peer_that_breaks_the_protocol_is_named(world: World, office: Office) -> None:
    client = world.connect()
    client._line.receive_data(b"\x81\x05hello")
    with pytest.raises(ConnectionEnded, match="text message"):
        wait_for(world, client.send(BOB, Text("hi")))


def test_a_value_that_does_not_fit_is_refused_and_harms_nothing(world: World) -> None:
    client = world.connect()
    with pytest.raises(EncodeError, match="target_id"):
        wait_for(world, client.send(Conversation.private("x" * 2000), Text("hi")))
    assert wait_for(world, client.send(BOB, Text("hi"))).uid == "U1"


def test_requests_beyond_the_window_wait_for_their_turn(world: World, office: Office) -> None:
    client = world.connect(limits=Limits(requests_in_flight=2))
    world.run()
    office.is_silent = True
    sending = [Waiting(client.send(BOB, Text(str(number)))) for number in range(3)]
    world.run(*sending)
    assert office.sessions[0].peer.connection.unanswered == 2
    for message_id in (2, 3):
        office.sessions[0].peer.acknowledge(message_id, timestamp=SERVER_TIME)
    world.run(*sending)
    assert [waiting.is_done for waiting in sending] == [True, True, False]
    assert office.sessions[0].peer.connection.unanswered == 1


def test_a_cancelled_call_leaves_the_message_on_its_way(world: World, office: Office) -> None:
    client = world.connect()
    sending = Waiting(client.send(BOB, Text("hi")))
    sending.cancel()
    world.run()
    assert wait_for(world, client.send(BOB, Text("again"))).message_id == 3


# -- messages -----------------------------------------------------------------------------------


def arrive(office: Office, *times: int) -> None:
    """Messages are stored and offered."""
    for time in times:
        office.inbox.append((time, item(time)))
        office.sessions[-1].peer.offer(item(time), time=TimeMs(time))


def test_messages_are_acknowledged_when_the_next_one_is_asked_for(
    world: World, office: Office
) -> None:
    client = world.connect()
    world.run()
    arrive(office, 10, 20)
    messages = client.messages()
    assert aiter(messages) is messages
    assert wait_for(world, anext(messages)).time == 10
    assert client.session.inbox_cursor == 0
    assert wait_for(world, anext(messages)).time == 20
    assert client.session.inbox_cursor == 10
    asking = Waiting(anext(messages))
    assert client.session.inbox_cursor == 20
    asking.cancel()


def test_the_next_page_is_pulled_when_the_last_one_is_taken(world: World, office: Office) -> None:
    office.inbox = [(time, item(time)) for time in (10, 20, 30)]
    client = world.connect()
    world.run()
    messages = client.messages()
    for expected, pulls in ((10, 1), (20, 1), (30, 2)):
        assert wait_for(world, anext(messages)).time == expected
        assert office.pulls == pulls


def test_a_loop_that_breaks_has_taken_its_message_when_the_client_closes(
    world: World, office: Office
) -> None:
    client = world.connect()
    world.run()
    arrive(office, 10)

    async def take_one() -> None:
        async for _ in client.messages():
            break

    wait_for(world, take_one())
    assert client.session.inbox_cursor == 0
    wait_for(world, client.aclose())
    assert client.session.inbox_cursor == 10


def test_deliveries_are_acknowledged_by_their_receipts(world: World, office: Office) -> None:
    office.inbox = [(time, item(time)) for time in (10, 20, 30)]
    client = world.connect()
    world.run()
    deliveries = client.deliveries()
    first = wait_for(world, anext(deliveries))
    second = wait_for(world, anext(deliveries))
    client.acknowledge(second.receipt)
    assert (client.session.inbox_cursor, office.pulls) == (0, 1)
    client.acknowledge(first.receipt)
    world.run()
    assert (client.session.inbox_cursor, office.pulls) == (20, 2)
    with pytest.raises(LocalProtocolError, match="not open"):
        client.acknowledge(first.receipt)


def test_deliveries_are_taken_all_at_once(world: World, office: Office) -> None:
    office.inbox = [(time, item(time)) for time in (10, 20)]
    client = world.connect()
    world.run()
    taken = client.take_deliveries()
    assert [delivery.message.time for delivery in taken] == [10, 20]
    assert client.session.inbox_reach == 20
    assert client.take_deliveries() == []


def test_messages_end_with_the_connection(world: World, office: Office) -> None:
    client = world.connect()
    world.run()
    arrive(office, 10)
    world.run()
    office.sessions[0].peer.shut_down()
    world.run()
    messages = client.messages()
    assert wait_for(world, anext(messages)).time == 10
    with pytest.raises(StopAsyncIteration):
        wait_for(world, anext(messages))
    assert client.session.inbox_cursor == 10
    assert not client.is_open


def test_only_one_task_may_iterate(world: World) -> None:
    client = world.connect()
    first = Waiting(anext(client.messages()))
    with pytest.raises(LocalProtocolError, match="another task"):
        wait_for(world, anext(client.messages()))
    first.cancel()


# -- rooms --------------------------------------------------------------------------------------


def test_a_followed_room_is_pulled_until_it_is_forgotten(world: World, office: Office) -> None:
    client = world.connect()
    wait_for(world, client.follow_room("lobby", count=3))
    world.run()
    assert client.session.rooms == ("lobby",)
    assert office.pulls == 2
    client.forget_room("lobby")
    assert client.session.rooms == ()


def test_following_a_room_after_the_end(world: World) -> None:
    client = world.connect()
    wait_for(world, client.aclose())
    with pytest.raises(ConnectionEnded):
        wait_for(world, client.follow_room("lobby"))


# -- events and the end -------------------------------------------------------------------------


def test_events_end_with_the_connection(world: World, office: Office) -> None:
    client = world.connect(limits=Limits(events_queued=2))
    world.run()
    office.sessions[0].peer.shut_down()
    world.run()
    events = client.events()
    assert wait_for(world, anext(events)) == CaughtUp(room_id=None, cursor=TimeMs(0))
    last = wait_for(world, anext(events))
    assert isinstance(last, ConnectionClosed)
    assert last == client.close_event
    with pytest.raises(StopAsyncIteration):
        wait_for(world, anext(events))


def test_events_that_nobody_takes_are_counted(world: World) -> None:
    client = world.connect(limits=Limits(events_queued=1))
    world.run()
    assert client.events_dropped == 0
    for room in "ab":
        wait_for(world, client.follow_room(room))
    world.run()
    assert client.events_dropped == 2


def test_waiting_for_the_end(world: World, office: Office) -> None:
    client = world.connect()
    waiting = Waiting(client.wait_closed())
    world.run(waiting)
    assert not waiting.is_done
    office.sessions[0].peer.dismiss(DisconnectStatus.BLOCK)
    world.run(waiting)
    assert waiting.result.reason is CloseReason.BLOCKED


def test_closing_twice_is_harmless(world: World) -> None:
    client = world.connect()
    for _ in range(2):
        wait_for(world, client.aclose())
    assert client.close_event is not None
    assert client.close_event.reason is CloseReason.LOCAL


def test_closing_does_not_wait_for_a_dead_server(office: Office) -> None:
    world = World(office.handle, timing=Timing(close=1.0))
    client = world.connect()
    closing = Waiting(client.aclose())
    for line in world.lines:
        line.arriving.clear()
    world.advance(1.0)
    closing.step()
    assert closing.is_done


def test_a_client_that_polls() -> None:
    """With another connection for what it posts."""
    world = World(Office().handle)
    logging_in, line = world.open(transport="polling")
    world.run()
    logging_in.step()
    sending = Waiting(logging_in.result.send(BOB, Text("hi")))
    world.run(sending)
    assert sending.result.uid == "U1"
    assert line.endpoint.connection.is_online


def test_a_transport_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="websocket or polling"):
        World(Office().handle).open(transport="pigeons")
