"""The desk: who waits for what, without an event loop and without a network."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from improto._desk import Desk, Mailbox
from improto.codes import ConversationType
from improto.config import Limits
from improto.errors import (
    EncodeError,
    LocalProtocolError,
    NotConnected,
    RemoteProtocolError,
    WindowFull,
)
from improto.events import (
    CaughtUp,
    CloseReason,
    Connected,
    ConnectionClosed,
    FailureCause,
    MessageReceived,
    PublishAcknowledged,
    QueryAnswered,
    Receipt,
    RequestFailed,
    Resent,
)
from improto.frames import MessageId, MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from tests.by_hand import RUNTIME, Waiting

if TYPE_CHECKING:
    from improto.events import ClientEvent

NOW = 100.0


class Connection:
    """A ClientConnection, as far as a desk knows it."""

    def __init__(self, events: deque[ClientEvent]) -> None:
        self.requests_in_flight = 0
        self.acknowledged: list[Receipt] = []
        self._events = events

    def acknowledge(self, receipt: Receipt, *, now: float) -> None:
        self.acknowledged.append(receipt)

    def disconnect(self, *, now: float) -> None:
        self._events.append(ConnectionClosed(reason=CloseReason.LOCAL))

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        self._events.append(ConnectionClosed(reason=reason))


class Endpoint:
    """A ClientEndpoint that tells what the test has put into ``events``."""

    def __init__(self) -> None:
        self.events: deque[ClientEvent] = deque()
        self.connection = Connection(self.events)
        self.error: Exception | None = None
        self.is_over = False
        self.told: list[object] = []

    def receive_data(self, data: bytes, *, now: float) -> None:
        self.told.append(data)

    def receive_eof(self, *, now: float) -> None:
        self.told.append("eof")

    def handle_timeout(self, *, now: float) -> None:
        self.told.append("timeout")

    def next_event(self, *, now: float) -> ClientEvent | None:
        return self.events.popleft() if self.events else None

    def data_to_send(self) -> bytes:
        return b"data"

    def next_deadline(self) -> float | None:
        return 105.0


class Sender:
    """A request: what happens when it is its turn."""

    def __init__(self, message_id: int, *errors: Exception) -> None:
        self.message_id = MessageId(message_id)
        self.errors = list(errors)
        self.tries = 0

    def __call__(self, *, now: float) -> MessageId:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.message_id


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def desk(endpoint: Endpoint) -> Desk:
    limits = Limits(events_queued=3, outbound_bytes=1000)
    return Desk(endpoint, RUNTIME, address="server:1", limits=limits)  # type: ignore[arg-type]


def tell(desk: Desk, *events: ClientEvent) -> None:
    """The connection tells something."""
    desk._endpoint.events.extend(events)  # type: ignore[attr-defined]
    desk.dispatch(now=NOW)


def puback(message_id: int) -> PublishAcknowledged:
    return PublishAcknowledged(
        message_id=MessageId(message_id), status=0, uid=MessageUid("U"), timestamp=TimeMs(1)
    )


def queryack(message_id: int) -> QueryAnswered:
    return QueryAnswered(message_id=MessageId(message_id), status=0, date=1, data=b"")


def failed(message_id: int) -> RequestFailed:
    return RequestFailed(message_id=MessageId(message_id), cause=FailureCause.TIMED_OUT)


def message(receipt: int) -> MessageReceived:
    chat = ChatMessage(
        conversation=Conversation(type=ConversationType.PRIVATE, target_id="bob"),
        sender_id="bob",
        direction=MessageDirection.RECEIVED,
        object_name="RC:TxtMsg",
        content=b"{}",
        uid=None,
        time=TimeMs(receipt),
    )
    return MessageReceived(message=chat, receipt=Receipt(receipt))


CAUGHT_UP = CaughtUp(room_id=None, cursor=TimeMs(1))


# -- mailboxes ----------------------------------------------------------------------------------


def test_items_come_in_order_and_each_one_lets_others_run() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    box.put(1)
    box.put(2)
    for expected in (1, 2):
        reading = Waiting(aiter(box).__anext__())
        assert not reading.is_done
        reading.step()
        assert reading.result == expected


def test_everything_that_waits_is_taken_at_once() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    assert box.take_all() == []
    box.put(1)
    box.put(2)
    assert box.take_all() == [1, 2]
    assert box.take_all() == []


def test_a_reader_waits_for_the_next_item() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    reading = Waiting(box.__anext__())
    reading.step()
    assert not reading.is_done
    box.put(1)
    reading.step()
    assert reading.result == 1


def test_the_end_comes_after_the_last_item() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    box.put(1)
    box.end()
    for expected in (None, StopAsyncIteration, StopAsyncIteration):
        reading = Waiting(box.__anext__())
        reading.step()
        assert (reading.error and type(reading.error)) == expected


def test_the_end_wakes_the_reader() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    reading = Waiting(box.__anext__())
    box.end()
    reading.step()
    with pytest.raises(StopAsyncIteration):
        _ = reading.result


def test_a_full_mailbox_drops_the_oldest_and_counts() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME, limit=2)
    for item in (1, 2, 3):
        box.put(item)
    assert box.dropped == 1
    reading = Waiting(box.__anext__())
    reading.step()
    assert reading.result == 2


@pytest.mark.parametrize("is_filled", [False, True])
def test_only_one_reader_at_a_time(is_filled: bool) -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    if is_filled:
        box.put(1)
    first = Waiting(box.__anext__())
    second = Waiting(box.__anext__())
    assert isinstance(second.error, LocalProtocolError)
    first.cancel()
    third = Waiting(box.__anext__())
    assert not third.is_done
    third.cancel()


def test_a_cancelled_reader_loses_nothing() -> None:
    box: Mailbox[int] = Mailbox(RUNTIME)
    box.put(1)
    Waiting(box.__anext__()).cancel()
    reading = Waiting(box.__anext__())
    reading.step()
    assert reading.result == 1


# -- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [puback(7), queryack(7), failed(7)])
def test_an_answer_finds_its_request(desk: Desk, answer: ClientEvent) -> None:
    call = desk.place(Sender(7), size=10, now=NOW)
    other = desk.place(Sender(8), size=10, now=NOW)
    tell(desk, answer)
    assert call.outcome == answer
    assert call.done.is_set  # type: ignore[attr-defined]
    assert other.outcome is None


def test_who_does_not_wait_is_told(desk: Desk) -> None:
    outcomes: list[object] = []
    desk.place(Sender(7), size=10, now=NOW, then=outcomes.append)
    assert outcomes == []
    tell(desk, puback(7))
    assert outcomes == [puback(7)]


def test_requests_queue_while_the_window_is_full(desk: Desk, endpoint: Endpoint) -> None:
    endpoint.connection.requests_in_flight = 1
    first = Sender(1, WindowFull("full"), WindowFull("full"))
    second = Sender(2)
    desk.place(first, size=10, now=NOW)
    desk.place(second, size=10, now=NOW)
    assert second.tries == 0
    tell(desk, queryack(99))
    assert (first.tries, second.tries) == (3, 1)


def test_a_window_that_nothing_can_empty_is_an_error(desk: Desk) -> None:
    full = WindowFull("the outbox is full")
    call = desk.place(Sender(1, full), size=10, now=NOW)
    following = desk.place(Sender(2), size=10, now=NOW)
    assert call.outcome is full
    tell(desk, puback(2))
    assert following.outcome == puback(2)


def test_a_request_that_cannot_be_sent_fails_alone(desk: Desk, endpoint: Endpoint) -> None:
    endpoint.connection.requests_in_flight = 1
    error = EncodeError("target_id: too long")
    desk.place(Sender(1, WindowFull("full"), WindowFull("full")), size=10, now=NOW)
    bad = desk.place(Sender(2, error), size=10, now=NOW)
    good = Sender(3)
    desk.place(good, size=10, now=NOW)
    tell(desk, CAUGHT_UP)
    assert bad.outcome is error
    assert good.tries == 1


def test_requests_queue_while_the_socket_is_full(desk: Desk) -> None:
    desk.pause_sending(now=NOW)
    sender = Sender(1)
    desk.place(sender, size=10, now=NOW)
    assert sender.tries == 0
    desk.resume_sending(now=NOW)
    assert sender.tries == 1


def test_what_one_turn_sends_is_bounded_before_the_socket_knows_of_it(desk: Desk) -> None:
    senders = [Sender(number) for number in range(1, 6)]
    for sender in senders:
        desk.place(sender, size=400, now=NOW)
    assert [sender.tries for sender in senders] == [1, 1, 1, 0, 0]
    tell(desk, puback(1))
    assert [sender.tries for sender in senders] == [1, 1, 1, 0, 0]
    desk.data_to_send()
    tell(desk, puback(2))
    assert [sender.tries for sender in senders] == [1, 1, 1, 1, 1]


def test_the_end_fails_what_queues(desk: Desk) -> None:
    gone = NotConnected("the connection has ended")
    desk.pause_sending(now=NOW)
    call = desk.place(Sender(1, gone), size=10, now=NOW)
    tell(desk, ConnectionClosed(reason=CloseReason.LOST))
    assert call.outcome is gone


def test_who_leaves_the_queue_sends_nothing(desk: Desk) -> None:
    desk.pause_sending(now=NOW)
    sender = Sender(1)
    desk.leave(desk.place(sender, size=10, now=NOW))
    desk.resume_sending(now=NOW)
    assert sender.tries == 0


def test_who_leaves_later_is_not_missed(desk: Desk) -> None:
    desk.leave(desk.place(Sender(1), size=10, now=NOW))
    tell(desk, puback(1))
    assert read_notices(desk) == []


# -- the login and the end ----------------------------------------------------------------------


def test_a_login_is_decided(desk: Desk) -> None:
    connected = Connected(user_id="ann", session_id="s", server_time=TimeMs(5))
    assert not desk.decided.is_set  # type: ignore[attr-defined]
    tell(desk, connected)
    assert desk.connected == connected
    assert desk.decided.is_set  # type: ignore[attr-defined]
    assert not desk.ended.is_set  # type: ignore[attr-defined]


def test_the_end_is_told_to_everybody(desk: Desk, endpoint: Endpoint) -> None:
    reading = Waiting(desk.next_message())
    endpoint.error = RemoteProtocolError("not HTTP")
    closed = ConnectionClosed(reason=CloseReason.LOST)
    tell(desk, closed)
    reading.step()
    assert isinstance(reading.error, StopAsyncIteration)
    assert desk.closed == closed
    assert desk.error is endpoint.error
    assert desk.decided.is_set  # type: ignore[attr-defined]
    assert desk.ended.is_set  # type: ignore[attr-defined]
    assert read_notices(desk) == [closed]


# -- messages and notices -----------------------------------------------------------------------


def read(desk: Desk) -> ChatMessage:
    reading = Waiting(desk.next_message())
    reading.step()
    return reading.result


def read_notices(desk: Desk) -> list[object]:
    """What the program would find now."""
    return list(desk.notices._items)


def test_a_message_is_acknowledged_when_it_is_settled(desk: Desk, endpoint: Endpoint) -> None:
    desk.settle(now=NOW)
    tell(desk, message(1), message(2))
    assert read(desk).time == 1
    assert endpoint.connection.acknowledged == []
    desk.settle(now=NOW)
    desk.settle(now=NOW)
    assert endpoint.connection.acknowledged == [1]
    assert read(desk).time == 2


def test_messages_can_be_had_with_their_receipts(desk: Desk) -> None:
    tell(desk, message(1))
    reading = Waiting(anext(desk.deliveries))
    reading.step()
    assert reading.result == message(1)


def test_the_end_of_messages_comes_after_those_received(desk: Desk) -> None:
    tell(desk, message(1), ConnectionClosed(reason=CloseReason.PEER))
    assert read(desk).time == 1
    with pytest.raises(StopAsyncIteration):
        read(desk)


def test_notices_are_bounded(desk: Desk) -> None:
    tell(desk, *[CAUGHT_UP] * 5)
    assert len(read_notices(desk)) == 3
    assert desk.notices.dropped == 2


@pytest.mark.parametrize("fate", [puback(4), failed(4)])
def test_what_was_sent_again_has_nobody_who_waits_so_its_fate_is_a_notice(
    desk: Desk, fate: ClientEvent
) -> None:
    resent = Resent(message_id=MessageId(4), unique_id=11)
    tell(desk, resent, fate, fate)
    assert read_notices(desk) == [resent, fate]


# -- as an endpoint -----------------------------------------------------------------------------


def test_a_desk_is_an_endpoint(desk: Desk, endpoint: Endpoint) -> None:
    endpoint.events.append(CAUGHT_UP)
    desk.receive_data(b"chunk", now=NOW)
    desk.receive_eof(now=NOW)
    desk.handle_timeout(now=NOW)
    assert endpoint.told == [b"chunk", "eof", "timeout"]
    assert read_notices(desk) == [CAUGHT_UP]
    assert desk.address == "server:1"
    assert desk.data_to_send() == b"data"
    assert desk.next_deadline() == 105.0
    endpoint.is_over = True
    assert desk.is_over


def test_shutting_down_disconnects(desk: Desk) -> None:
    desk.shut_down(now=NOW)
    assert desk.closed == ConnectionClosed(reason=CloseReason.LOCAL)


def test_abandoning_tells_why(desk: Desk) -> None:
    desk.abandon(CloseReason.LOST, now=NOW)
    assert desk.closed == ConnectionClosed(reason=CloseReason.LOST)
