"""The contract of both ends: inputs, outputs, time and the end (session 3, 4)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto import codec
from improto._lifecycle import TRANSITIONS, Input, State
from improto.codes import DisconnectStatus
from improto.config import Limits, Timing
from improto.errors import (
    DecodeError,
    EncodeError,
    LimitExceeded,
    LocalProtocolError,
    NotConnected,
    RemoteProtocolError,
    WindowFull,
)
from improto.events import (
    CloseReason,
    ConnectionClosed,
    Farewell,
    FrameDropped,
    MessageReceived,
    PullReceived,
    Receipt,
    RequestFailed,
)
from improto.frames import (
    Connect,
    DeliveryAck,
    Disconnect,
    Frame,
    MessageId,
    PingReq,
    PingResp,
    Publish,
    Qos,
    Query,
    QueryCon,
    SubAck,
    Subscribe,
    TimeMs,
    UnsubAck,
    Unsubscribe,
)
from improto.messages import Outgoing, Request
from improto.operations import Topic
from tests.helpers import (
    AWKWARD_TIMES,
    LOGIN_TIME,
    ClientScript,
    Script,
    ServerScript,
    connack,
    down,
    drained,
    inbox_pull,
    item,
    notify,
    outgoing,
    page,
    puback,
    push,
    queryack,
    room_pull,
    snapshot,
    up,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# -- ends of connections in every state they can be in ------------------------------------------


def client_in(state: State) -> ClientScript:
    """A client in this state. There is no CLOSING: clients have no farewell (wire 4.10)."""
    client = ClientScript()
    if state is State.NEW:
        return client
    client.connection.connect(now=0.0)
    if state is State.HANDSHAKE:
        return client
    client.receive(connack())
    if state is State.CLOSED:
        client.connection.receive_eof(now=0.0)
    return client


def server_in(state: State) -> ServerScript:
    """A server in this state. There is no NEW: it is made when the transport is open."""
    server = ServerScript()
    if state is State.HANDSHAKE:
        return server
    server.accept()
    if state is State.CLOSING:
        server.dismiss(DisconnectStatus.REMOTE_CLOSE)
    elif state is State.CLOSED:
        server.connection.receive_eof(now=0.0)
    return server


CLIENT_STATES: Final = (State.NEW, State.HANDSHAKE, State.ONLINE, State.CLOSED)
SERVER_STATES: Final = (State.HANDSHAKE, State.ONLINE, State.CLOSING, State.CLOSED)
ENDS: Final[list[tuple[Callable[[State], Script], State]]] = [
    *((client_in, state) for state in CLIENT_STATES),
    *((server_in, state) for state in SERVER_STATES),
]
every_end = pytest.mark.parametrize(
    ("make", "state"), ENDS, ids=[f"{make.__name__}-{state.name}" for make, state in ENDS]
)
every_live_end = pytest.mark.parametrize(
    "make", [ClientScript.online, ServerScript.online], ids=["client", "server"]
)

FROM_SERVER: Final[list[tuple[Frame, Input]]] = [
    (connack(), Input.ACCEPTED),
    (connack(3), Input.REFUSED),
    (PingResp(), Input.HEARTBEAT),
    (notify(LOGIN_TIME), Input.TRAFFIC),
    (push(down(LOGIN_TIME)), Input.TRAFFIC),
    (puback(1), Input.TRAFFIC),
    (queryack(1), Input.TRAFFIC),
    (Disconnect(status=1), Input.DISMISSED),
]
FROM_CLIENT: Final[list[tuple[Frame, Input]]] = [
    (PingReq(), Input.HEARTBEAT),
    (
        Publish(topic=Topic.PP_MSG_P, target_id="u2", message_id=MessageId(1), data=up()),
        Input.TRAFFIC,
    ),
    (inbox_pull(1), Input.TRAFFIC),
    (room_pull(2, "r1"), Input.TRAFFIC),
    (DeliveryAck(message_id=MessageId(0)), Input.TRAFFIC),
    (QueryCon(message_id=MessageId(1)), Input.TRAFFIC),
]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Input | State) else type(value).__name__


def follow(state: State, happening: Input) -> State:
    """Where the table leads; what it does not list is a violation."""
    return TRANSITIONS.get((state, happening), State.CLOSED)


class TestTable:
    """Every frame in every state (session 3)."""

    @pytest.mark.parametrize("state", CLIENT_STATES, ids=name_of)
    @pytest.mark.parametrize(("frame", "happening"), FROM_SERVER, ids=name_of)
    def test_frames_of_a_server(self, state: State, frame: Frame, happening: Input) -> None:
        client = client_in(state)
        client.events()
        client.receive(frame)
        expected = follow(state, happening)
        # DISCONNECT is answered by closing, at once (session 4.1).
        if expected is State.CLOSING:
            expected = State.CLOSED
        assert client.connection.state is expected
        if (state, happening) not in TRANSITIONS and state is not State.CLOSED:
            assert client.closed().reason is CloseReason.VIOLATION

    @pytest.mark.parametrize("state", SERVER_STATES, ids=name_of)
    @pytest.mark.parametrize(("frame", "happening"), FROM_CLIENT, ids=name_of)
    def test_frames_of_a_client(self, state: State, frame: Frame, happening: Input) -> None:
        server = server_in(state)
        server.events()
        server.receive(frame)
        # After DISCONNECT the server waits for the end and for nothing else (session 4.1).
        expected = state if state is State.CLOSING else follow(state, happening)
        assert server.connection.state is expected
        if expected is State.CLOSED and state is not State.CLOSED:
            closed = server.closed()
            assert closed.reason is CloseReason.VIOLATION
            assert closed.close_code == 1002

    @given(data=st.binary(max_size=40))
    @every_end
    def test_whatever_the_bytes_receiving_never_raises(
        self, make: Callable[[State], Script], state: State, data: bytes
    ) -> None:
        """Wire 7, rule 1. What is no frame is the peer's mistake, an event."""
        end = make(state)
        end.connection.receive_message(data, now=0.0)
        end.connection.messages_to_send()
        drained(end.connection)

    @pytest.mark.parametrize(
        ("make", "kind"), [(client_in, FrameDropped), (server_in, ConnectionClosed)]
    )
    def test_bytes_that_are_no_frame_cost_a_server_its_client_only(
        self, make: Callable[[State], Script], kind: type[FrameDropped | ConnectionClosed]
    ) -> None:
        """A server closes (wire 7, rule 6), a client goes on (rule 7)."""
        end = make(State.ONLINE)
        drained(end.connection)
        end.connection.receive_message(b"\xff", now=0.0)
        [event] = drained(end.connection)
        assert isinstance(event, kind)
        assert isinstance(event.error, DecodeError)

    @pytest.mark.parametrize("state", [State.HANDSHAKE, State.ONLINE], ids=name_of)
    def test_a_client_may_say_goodbye(self, state: State) -> None:
        """No SDK does (wire 4.10)."""
        server = server_in(state)
        server.receive(Disconnect(status=4))
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.PEER, 4)

    @pytest.mark.parametrize("state", SERVER_STATES, ids=name_of)
    @pytest.mark.parametrize("frame", [Subscribe(), Unsubscribe()], ids=name_of)
    def test_numbers_without_a_use_are_ignored(self, state: State, frame: Frame) -> None:
        """Wire 4.8."""
        server = server_in(state)
        server.connection.receive_frame(frame, now=0.0)
        assert server.connection.state is state

    @pytest.mark.parametrize(
        "frame", [Connect(client_id="c"), *(frame for frame, _ in FROM_SERVER[:-1])], ids=name_of
    )
    def test_frames_that_no_client_sends_end_it(self, frame: Frame) -> None:
        """Wire 2: CONNECT after the upgrade included (wire 4.1)."""
        server = server_in(State.ONLINE)
        server.connection.receive_frame(frame, now=0.0)
        assert server.closed().reason is CloseReason.VIOLATION

    @pytest.mark.parametrize(
        "frame",
        [Connect(client_id="c"), SubAck(), UnsubAck(), *(frame for frame, _ in FROM_CLIENT)],
        ids=name_of,
    )
    def test_frames_that_no_server_sends_are_dropped(self, frame: Frame) -> None:
        """Wire 7, rule 7: a server's QUERY included (wire 4.5)."""
        client = client_in(State.ONLINE)
        client.events()
        client.connection.receive_frame(frame, now=0.0)
        [event] = client.events()
        assert isinstance(event, FrameDropped)
        assert client.connection.is_online


# -- our own mistakes ---------------------------------------------------------------------------

TOO_LONG: Final = "x" * (Limits().string_bytes + 1)
BAD_QOS: Final = Outgoing(
    topic=Topic.PP_MSG_P,
    target_id="u2",
    data=b"",
    qos=9,  # type: ignore[arg-type]
)

CLIENT_CALLS: Final[dict[str, Callable[[ClientScript], object]]] = {
    "connect": lambda client: client.connection.connect(now=0.0),
    "publish": lambda client: client.connection.publish(outgoing(), now=0.0),
    "publish, repeated unique id": lambda client: client.connection.publish(outgoing(1), now=0.0),
    "publish, target too long": lambda client: client.connection.publish(
        outgoing(5, target=TOO_LONG), now=0.0
    ),
    "publish, no such QoS": lambda client: client.connection.publish(BAD_QOS, now=0.0),
    "query": lambda client: client.connection.query(
        Request(topic=Topic.PULL_US, target_id="u1", data=b""), now=0.0
    ),
    "query, target too long": lambda client: client.connection.query(
        Request(topic=Topic.PULL_US, target_id=TOO_LONG, data=b""), now=0.0
    ),
    "acknowledge, unknown receipt": lambda client: client.connection.acknowledge(
        Receipt(99), now=0.0
    ),
    "follow_room": lambda client: client.connection.follow_room("r1", now=0.0),
    "follow_room, id too long": lambda client: client.connection.follow_room(TOO_LONG, now=0.0),
    "follow_room, count too large": lambda client: client.connection.follow_room(
        "r1", count=2**31, now=0.0
    ),
    "follow_room, count too small": lambda client: client.connection.follow_room(
        "r1", count=-2, now=0.0
    ),
}

ID: Final = MessageId(7)
TIME: Final = TimeMs(LOGIN_TIME + 1)
SERVER_CALLS: Final[dict[str, Callable[[ServerScript], object]]] = {
    "accept": lambda server: server.connection.accept("u1", "s1", timestamp=TIME, now=0.0),
    "accept, id too long": lambda server: server.connection.accept(
        TOO_LONG, "s1", timestamp=TIME, now=0.0
    ),
    "accept, time before 1970": lambda server: server.connection.accept(
        "u1", "s1", timestamp=TimeMs(-1), now=0.0
    ),
    "refuse": lambda server: server.connection.refuse(4, now=0.0),
    "refuse with 0": lambda server: server.connection.refuse(0, now=0.0),
    "refuse with -1": lambda server: server.connection.refuse(-1, now=0.0),
    "acknowledge": lambda server: server.connection.acknowledge(ID, timestamp=TIME, now=0.0),
    "answer": lambda server: server.connection.answer(ID, timestamp=TIME, now=0.0),
    "answer_pull": lambda server: server.connection.answer_pull(
        ID, [], sync_time=TIME, newest=TIME, is_finished=True, now=0.0
    ),
    "offer": lambda server: server.connection.offer(item(TIME), time=TIME, now=0.0),
    "push_status": lambda server: server.connection.push_status(item(TIME), time=TIME, now=0.0),
    "notify": lambda server: server.connection.notify(TIME, now=0.0),
    "notify, no time": lambda server: server.connection.notify(TimeMs(2**63), now=0.0),
    "notify, room id no text": lambda server: server.connection.notify(
        TIME, room_id="\ud83d", now=0.0
    ),
    "command": lambda server: server.connection.command(Topic.S_CMD, b"", now=0.0),
    "command, target too long": lambda server: server.connection.command(
        Topic.S_CMD, b"", target_id=TOO_LONG, now=0.0
    ),
    "sync": lambda server: server.connection.sync(
        Topic.PP_MSG_P, "u2", up(), uid="m1", timestamp=TIME, now=0.0
    ),
    "sync, target too long": lambda server: server.connection.sync(
        Topic.PP_MSG_P, TOO_LONG, up(), uid="m1", timestamp=TIME, now=0.0
    ),
    "sync, uid too long": lambda server: server.connection.sync(
        Topic.PP_MSG_P, "u2", up(), uid=TOO_LONG, timestamp=TIME, now=0.0
    ),
    "dismiss": lambda server: server.connection.dismiss(DisconnectStatus.BLOCK, now=0.0),
    "dismiss with 0": lambda server: server.connection.dismiss(DisconnectStatus.REDIRECT, now=0.0),
    "dismiss with 6": lambda server: server.connection.dismiss(
        DisconnectStatus.REDIRECT_NEW, now=0.0
    ),
}

POSSIBLE_IN: Final = {
    "connect": State.NEW,
    "accept": State.HANDSHAKE,
    "refuse": State.HANDSHAKE,
    "publish": State.ONLINE,
    "query": State.ONLINE,
    "follow_room": State.ONLINE,
    "offer": State.ONLINE,
    "push_status": State.ONLINE,
    "notify": State.ONLINE,
    "command": State.ONLINE,
    "sync": State.ONLINE,
    "dismiss": State.ONLINE,
}
"""The others make no sense anywhere: there is no request with the id that they answer, and what
stands behind a comma does not fit."""


class TestLocalErrors:
    """What makes no sense raises at once and changes nothing."""

    @pytest.mark.parametrize("state", CLIENT_STATES, ids=name_of)
    @pytest.mark.parametrize("name", CLIENT_CALLS)
    def test_of_a_client(self, state: State, name: str) -> None:
        client = client_in(state)
        if state is State.ONLINE:
            client.publish(1)
        self.check(client, CLIENT_CALLS[name], is_possible=POSSIBLE_IN.get(name) is state)

    @pytest.mark.parametrize("state", SERVER_STATES, ids=name_of)
    @pytest.mark.parametrize("name", SERVER_CALLS)
    def test_of_a_server(self, state: State, name: str) -> None:
        server = server_in(state)
        self.check(server, SERVER_CALLS[name], is_possible=POSSIBLE_IN.get(name) is state)

    @staticmethod
    def check(end: Any, call: Callable[[Any], object], *, is_possible: bool) -> None:
        if is_possible:
            call(end)
            return
        before = snapshot(end.connection)
        with pytest.raises(LocalProtocolError) as caught:
            call(end)
        assert snapshot(end.connection) == before
        if isinstance(caught.value, NotConnected):
            assert not end.connection.is_online
            assert caught.value.reason is end.connection.close_reason

    def test_a_full_window(self) -> None:
        client = ClientScript.online(limits=Limits(requests_in_flight=1))
        client.publish()
        before = snapshot(client.connection)
        request = Request(topic=Topic.PULL_US, target_id="u1", data=b"")
        calls: list[Callable[[], object]] = [
            client.publish,
            lambda: client.publish(5),
            lambda: client.connection.query(request, now=9.0),
        ]
        for call in calls:
            with pytest.raises(WindowFull):
                call()
            assert snapshot(client.connection) == before

    def test_an_outbox_that_is_full_or_has_the_message(self) -> None:
        client = ClientScript.online(limits=Limits(outbox_messages=2))
        client.publish(1)
        client.publish(2)
        before = snapshot(client.connection)
        for unique_id in (2, 3):
            with pytest.raises(LocalProtocolError):
                client.publish(unique_id)
            assert snapshot(client.connection) == before

    def test_too_many_rooms(self) -> None:
        client = ClientScript.online(limits=Limits(rooms=1))
        client.connection.follow_room("r1", now=0.0)
        before = snapshot(client.connection)
        with pytest.raises(LocalProtocolError):
            client.connection.follow_room("r2", now=9.0)
        assert snapshot(client.connection) == before

    def test_a_receipt_that_was_used(self) -> None:
        client = ClientScript.online()
        client.receive(push(down(LOGIN_TIME)))
        [message] = client.events(MessageReceived)
        client.acknowledge(message)
        before = snapshot(client.connection)
        with pytest.raises(LocalProtocolError):
            client.acknowledge(message)
        assert snapshot(client.connection) == before

    def test_answers_that_cannot_be_written(self) -> None:
        """They can be given again, with a smaller page or another time."""
        server = ServerScript.online(limits=Limits(outbound_bytes=200))
        server.receive(*(frame for frame, _ in FROM_CLIENT))
        server.events()
        server.sent()
        before = snapshot(server.connection)
        connection, now = server.connection, 9.0
        calls: list[Callable[[], object]] = [
            lambda: connection.acknowledge(MessageId(1), timestamp=TIME, uid=TOO_LONG, now=now),
            lambda: connection.acknowledge(MessageId(1), timestamp=TimeMs(2**60), now=now),
            lambda: connection.answer(MessageId(1), timestamp=TIME, status=70000, now=now),
            lambda: server.answer_pull(1, b"x" * 200, sync_time=TIME),
            lambda: server.answer_pull(1, sync_time=2**63),
        ]
        for call in calls:
            with pytest.raises(EncodeError):
                call()
            assert snapshot(connection) == before

    def test_answers_of_the_wrong_kind(self) -> None:
        server = ServerScript.online()
        query = Query(topic="t", target_id="u1", message_id=MessageId(3), data=b"")
        server.receive(inbox_pull(1, since=TIME), query)
        server.events()
        before = snapshot(server.connection)
        connection = server.connection
        calls: list[Callable[[], object]] = [
            lambda: connection.acknowledge(MessageId(1), timestamp=TIME, now=9.0),
            lambda: connection.answer(MessageId(1), timestamp=TIME, now=9.0),
            lambda: server.answer_pull(3, sync_time=TIME),
            lambda: server.answer_pull(1, sync_time=TIME, finished=False),
        ]
        for call in calls:
            with pytest.raises(LocalProtocolError):
                call()
            assert snapshot(connection) == before

    def test_what_is_too_large_to_push(self) -> None:
        server = ServerScript.up_to_date(limits=Limits(outbound_bytes=100))
        before = snapshot(server.connection)
        for call in (server.connection.offer, server.connection.push_status):
            with pytest.raises(EncodeError):
                call(b"x" * 100, time=TIME, now=9.0)
            assert snapshot(server.connection) == before

    @every_end
    def test_none_is_confused_with_a_lost_race(
        self, make: Callable[[State], Script], state: State
    ) -> None:
        """NotConnected says that there is no connection, and why there is none any more."""
        end: Any = make(state)
        is_client = isinstance(end, ClientScript)
        call = (CLIENT_CALLS if is_client else SERVER_CALLS)[
            "publish, target too long" if is_client else "acknowledge"
        ]
        with pytest.raises(LocalProtocolError) as caught:
            call(end)
        if state is State.ONLINE:
            assert not isinstance(caught.value, NotConnected)
        else:
            assert isinstance(caught.value, NotConnected)
            assert caught.value.reason is (CloseReason.LOST if state is State.CLOSED else None)


# -- outputs ------------------------------------------------------------------------------------


class TestOutputs:
    """Drain them when you like, in any order; they change nothing."""

    def test_messages_and_frames_are_two_views_of_one_queue(self) -> None:
        client, twin = ClientScript(), ClientScript()
        for one in (client, twin):
            one.log_in()
        frames = twin.connection.frames_to_send()
        assert [codec.encode(frame) for frame in frames] == client.connection.messages_to_send()
        assert twin.connection.messages_to_send() == []
        assert twin.connection.frames_to_send() == []

    def test_frames_go_in_as_messages_do(self) -> None:
        """For transports with an encoding of their own (http 5)."""
        client, twin = ClientScript.online(), ClientScript.online()
        for frame, _ in FROM_SERVER[3:7]:
            client.receive(frame)
            twin.connection.receive_frame(frame, now=0.0)
        assert snapshot(client.connection) == snapshot(twin.connection)

    @given(drains=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=9))
    def test_draining_is_never_owed(self, drains: list[tuple[bool, bool, bool]]) -> None:
        """The same inputs give the same outputs, whenever somebody looks."""
        assert self.played(drains) == self.played([])

    @staticmethod
    def played(drains: list[tuple[bool, bool, bool]]) -> tuple[object, ...]:
        client = ClientScript(limits=Limits(requests_in_flight=4))
        connection = client.connection
        frames, events = [], []
        steps: list[Callable[[], object]] = [
            client.log_in,
            lambda: client.receive(page(1, down(100), sync_time=100)),
            lambda: connection.acknowledge(Receipt(1), now=1.0),
            lambda: client.publish(7),
            lambda: client.receive(notify(200), push(down(300)), connack()),
            lambda: connection.handle_timeout(now=500.0),
            lambda: connection.receive_eof(now=501.0),
        ]
        looks = [*drains, *[(False, False, False)] * len(steps)]
        for step, (look_at_messages, look_at_events, look_at_deadline) in zip(
            steps, looks, strict=False
        ):
            step()
            if look_at_messages:
                frames += connection.messages_to_send()
            if look_at_events:
                events += drained(connection)
            if look_at_deadline:
                connection.next_deadline()
        frames += connection.messages_to_send()
        events += drained(connection)
        return frames, list(map(repr, events)), connection.next_deadline()

    def test_two_runs_are_the_same_whatever_the_hash_seed(self) -> None:
        """Replay: nothing in the core depends on the order of a set or on identity."""
        root = Path(__file__).parent.parent
        runs = [
            subprocess.run(
                [sys.executable, "-m", "tests.dialogue"],
                cwd=root,
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root / "src")},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            for seed in ("0", "1")
        ]
        assert runs[0] == runs[1]
        assert "ConnectionClosed" in runs[0]


# -- time ---------------------------------------------------------------------------------------


class TestTime:
    """``now`` is any monotonic clock; wake-ups may be early, late and repeated."""

    @every_live_end
    def test_a_clock_that_goes_backward_stands_still(self, make: Callable[..., Script]) -> None:
        end, twin = make(now=100.0), make(now=100.0)
        beat = PingResp() if isinstance(end, ClientScript) else PingReq()
        for now in (50.0, -1.0, float("-inf"), float("nan")):
            end.connection.handle_timeout(now=now)
            end.connection.receive_frame(beat, now=now)
            twin.connection.receive_frame(beat, now=100.0)
        assert snapshot(end.connection) == snapshot(twin.connection)

    @every_live_end
    @pytest.mark.parametrize("as_bytes", [True, False])
    def test_whatever_arrives_is_a_look_at_the_clock(
        self, make: Callable[..., Script], as_bytes: bool
    ) -> None:
        """The heartbeat and the patience of a server count from there (session 5)."""
        end = make()
        beat = PingResp() if isinstance(end, ClientScript) else PingReq()
        before = end.connection.next_deadline()
        assert before is not None
        if as_bytes:
            end.connection.receive_message(codec.encode(beat), now=10.0)
        else:
            end.connection.receive_frame(beat, now=10.0)
        assert end.connection.next_deadline() == before + 10.0

    @every_live_end
    def test_an_early_wake_up_changes_nothing(self, make: Callable[..., Script]) -> None:
        end = make()
        before = snapshot(end.connection)
        deadline = end.connection.next_deadline()
        assert deadline is not None
        end.connection.handle_timeout(now=deadline - 0.001)
        assert snapshot(end.connection) == before

    @every_live_end
    def test_a_second_wake_up_changes_nothing(self, make: Callable[..., Script]) -> None:
        end = make()
        deadline = end.connection.next_deadline()
        assert deadline is not None
        end.connection.handle_timeout(now=deadline)
        after = snapshot(end.connection)
        end.connection.handle_timeout(now=deadline)
        assert snapshot(end.connection) == after

    @every_live_end
    def test_a_very_late_wake_up_ends_what_is_long_dead_or_goes_on(
        self, make: Callable[..., Script]
    ) -> None:
        """A machine that slept: no deadline is left behind in the past."""
        end = make()
        end.connection.handle_timeout(now=1e6)
        deadline = end.connection.next_deadline()
        assert deadline is None or deadline > 1e6

    @pytest.mark.parametrize("start", AWKWARD_TIMES)
    @pytest.mark.parametrize("duration", [0.1, 1 / 3, 15.0])
    def test_a_driver_never_spins(self, start: float, duration: float) -> None:
        """After handle_timeout at the deadline the next one is later; sums of floats are not
        exact, and that must not matter."""
        timing = Timing(
            heartbeat=duration,
            pong=duration,
            first_pong=duration,
            request=duration,
            pull=duration,
            pull_retry=duration,
            renotify=duration,
            idle=duration * 50,
        )
        client = ClientScript.online(now=start, timing=timing)
        client.publish(1)
        client.receive(notify(LOGIN_TIME))
        client.wait(duration * 20)
        server = ServerScript.online(now=start, timing=timing)
        server.notify(LOGIN_TIME)
        server.wait(duration * 60)
        assert client.closed().reason is CloseReason.NO_PONG
        assert server.closed().reason is CloseReason.IDLE

    def test_a_timer_that_ends_the_connection_is_the_last_one(self) -> None:
        """Several may be due at a late wake-up."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(connack())
        client.publish()
        client.events()
        client.connection.handle_timeout(now=5.0)
        client.connection.handle_timeout(now=1000.0)
        assert client.closed().reason is CloseReason.NO_PONG
        assert client.connection.next_deadline() is None


# -- the end ------------------------------------------------------------------------------------

ENDINGS: Final[dict[str, Callable[[Any], object]]] = {
    "eof": lambda end: end.connection.receive_eof(now=1.0),
    "clean eof": lambda end: end.connection.receive_eof(now=1.0, clean=True),
    "framing": lambda end: end.connection.fail(LimitExceeded("too large"), now=1.0),
    "abandoned": lambda end: end.connection.abandon(now=1.0),
    "violation": lambda end: end.connection.receive_frame(
        connack() if isinstance(end, ClientScript) else Connect(client_id="c"), now=1.0
    ),
    "time": lambda end: end.wait(1000.0),
}


class TestEnd:
    """One terminal event, then silence."""

    @every_live_end
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_after_it_everything_is_ignored(self, make: Callable[..., Script], ending: str) -> None:
        end: Any = make()
        ENDINGS[ending](end)
        assert end.connection.state is State.CLOSED
        closed = end.closed()
        assert end.connection.close_reason is closed.reason
        end.sent()
        for other in ENDINGS.values():
            other(end)
        for frame, _ in (*FROM_SERVER, *FROM_CLIENT):
            end.connection.receive_frame(frame, now=2000.0)
        end.connection.receive_message(b"\xff", now=2000.0)
        end.connection.handle_timeout(now=1e9)
        assert [end.connection.next_event() for _ in range(3)] == [None] * 3
        assert end.sent() == []
        assert end.connection.next_deadline() is None
        assert end.connection.close_reason is closed.reason

    @pytest.mark.parametrize(
        ("ending", "reason"),
        [
            ("eof", CloseReason.LOST),
            ("clean eof", CloseReason.PEER),
            ("framing", CloseReason.VIOLATION),
            ("abandoned", CloseReason.LOCAL),
            ("violation", CloseReason.VIOLATION),
        ],
    )
    @every_live_end
    def test_the_reason_says_whose_doing_it_was(
        self, make: Callable[..., Script], ending: str, reason: CloseReason
    ) -> None:
        end = make()
        ENDINGS[ending](end)
        assert end.closed().reason is reason

    @every_end
    def test_a_transport_may_break_in_any_state(
        self, make: Callable[[State], Script], state: State
    ) -> None:
        end = make(state)
        end.connection.receive_eof(now=1.0)
        closed = end.closed()
        assert closed.reason is (CloseReason.LOCAL if state is State.CLOSING else CloseReason.LOST)

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_what_it_leaves_unfinished_is_told_before_it(self, ending: str) -> None:
        """Nobody waits for an answer that cannot come."""
        client = ClientScript.online()
        client.publish(7)
        ENDINGS[ending](client)
        *before, closed = client.events()
        assert isinstance(closed, ConnectionClosed)
        assert isinstance(before[0], RequestFailed)

    @every_live_end
    def test_what_was_queued_before_a_violation_is_still_told(
        self, make: Callable[..., Script]
    ) -> None:
        """Everything valid before it stays, events and frames."""
        end: Any = make()
        if isinstance(end, ClientScript):
            end.receive(push(down(LOGIN_TIME)))
            kind: type = MessageReceived
        else:
            end.receive(inbox_pull(1), PingReq())
            kind = PullReceived
        ENDINGS["violation"](end)
        first, last = end.events()
        assert isinstance(first, kind)
        assert isinstance(last, ConnectionClosed)
        assert len(end.sent()) == 1

    @every_live_end
    def test_a_framing_error_gives_its_close_code(self, make: Callable[..., Script]) -> None:
        """RFC 6455 section 7.4.1: 1009 is for what is too large."""
        end = make()
        error = LimitExceeded("too large")
        end.connection.fail(error, now=1.0)
        closed = end.closed()
        assert closed.error is error
        assert closed.close_code == 1009

    def test_a_framing_error_after_the_goodbye_is_the_expected_end(self) -> None:
        """After DISCONNECT the client closes, in whatever way (session 4.1)."""
        server = server_in(State.CLOSING)
        server.connection.fail(RemoteProtocolError("half a frame"), now=1.0)
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.LOCAL, 3)

    @every_live_end
    def test_an_abandoned_peer_gets_nothing_more(self, make: Callable[..., Script]) -> None:
        """It does not read; what is queued for it is dropped."""
        end: Any = make()
        is_client = isinstance(end, ClientScript)
        end.receive(queryack(1, qos=Qos.AT_LEAST_ONCE) if is_client else PingReq())
        end.connection.abandon(CloseReason.SLOW_READER, now=1.0)
        assert end.sent() == []
        closed = end.closed()
        assert (closed.reason, closed.farewell) == (CloseReason.SLOW_READER, Farewell.ABORT)

    @every_live_end
    def test_an_abandoned_end_stays_ended_as_it_was(self, make: Callable[..., Script]) -> None:
        end = make()
        end.connection.receive_eof(now=1.0)
        end.connection.abandon(now=1.0)
        assert end.closed().reason is CloseReason.LOST


@every_end
def test_is_online_between_connack_and_the_end(
    make: Callable[[State], Script], state: State
) -> None:
    assert make(state).connection.is_online is (state is State.ONLINE)


def test_limits_can_be_read_back() -> None:
    limits = Limits(rooms=3)
    assert ClientScript(limits=limits).connection.limits is limits
    assert ServerScript(limits=limits).connection.limits is limits
    assert ClientScript().connection.limits == Limits.for_client()
    assert ServerScript().connection.limits == Limits()
