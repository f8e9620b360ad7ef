"""The client's end of a connection.

It logs in, keeps the heartbeat, matches answers to requests, pulls what is announced
and hands out each message once. See :mod:`improto.connection` for the contract and
:mod:`improto.session` for what survives.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto._inflight import Asked, OwnRequests, Waiting
from improto._lifecycle import Input
from improto._streams import Streams
from improto._timers import Timer
from improto.codes import ConnAckStatus, DisconnectStatus
from improto.config import Limits, Timing
from improto.connection import Connection
from improto.errors import (
    DecodeError,
    EncodeError,
    ForeignSession,
    RemoteProtocolError,
    UnexpectedFrame,
    WindowFull,
)
from improto.events import (
    Announced,
    ClientEvent,
    CloseReason,
    Connected,
    FailureCause,
    FrameDropped,
    PublishAcknowledged,
    QueryAnswered,
    RequestFailed,
    Resent,
)
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    Disconnect,
    Frame,
    MessageId,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    Role,
    TimeMs,
)
from improto.operations import Signal, Topic, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.events import Receipt
    from improto.messages import Outgoing, Request
    from improto.session import ClientSession

_MISSED_PONGS: Final = 2
"""PINGRESP missed in a row that end a connection (session 15, rule 2)."""

_LARGEST_COUNT: Final = 2**31 - 1
"""``count`` of a pull is an int32."""

_DISMISSALS: Final[dict[int, CloseReason]] = {
    DisconnectStatus.OTHER_DEVICE_LOGIN: CloseReason.KICKED,
    DisconnectStatus.BLOCK: CloseReason.BLOCKED,
    DisconnectStatus.BLOCK_NEW: CloseReason.BLOCKED,
    DisconnectStatus.REDIRECT: CloseReason.REDIRECTED,
    DisconnectStatus.REDIRECT_NEW: CloseReason.REDIRECTED,
}
"""What a DISCONNECT status means; any other ends it for good (session 4.1)."""


class ClientConnection(Connection[ClientEvent]):
    """One login of one session.

    ``protocol_version`` is what the connection URL says (:class:`improto.login.Login`).
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        protocol_version: ProtocolVersion = ProtocolVersion.V3,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> None:
        super().__init__(
            Role.CLIENT,
            protocol_version=protocol_version,
            limits=limits or Limits.for_client(),
            timing=timing or Timing(),
        )
        self.session = session
        self._requests = OwnRequests(self._limits.requests_in_flight)
        self._streams = Streams(session, limits=self._limits, events=self._events)
        self._to_resend: deque[tuple[int, Outgoing]] = deque()
        self._bad_frames = 0
        self._missed_pongs = 0

    @property
    def requests_in_flight(self) -> int:
        """How many requests wait for an answer, pulls included."""
        return len(self._requests)

    # -- what the program does -------------------------------------------------------

    def connect(self, *, now: float) -> None:
        """The transport is open; wait for CONNACK."""
        self._require(Input.OPENED)
        self._tick(now)
        self._lifecycle.advance(Input.OPENED)
        self._timers.arm(Timer.LOGIN, self._now + self._timing.connack)

    def publish(self, message: Outgoing, *, now: float) -> MessageId:
        """Send a PUBLISH; PublishAcknowledged or RequestFailed tells what became of it.

        Raises NotConnected, WindowFull, EncodeError (payload or target too long), or
        LocalProtocolError if its ``unique_id`` is already in the outbox.
        """
        self._require(Input.TRAFFIC)
        if self._to_resend:
            raise WindowFull("earlier messages are still being sent again")
        if message.unique_id is not None:
            self.session.require_outbox_place(message.unique_id)
        self._tick(now)
        message_id = self._publish(message)
        if message.unique_id is not None:
            self.session.keep(message, message.unique_id)
        return message_id

    def query(self, request: Request, *, now: float) -> MessageId:
        """Send a QUERY; QueryAnswered or RequestFailed tells what became of it.

        Raises NotConnected, WindowFull, or EncodeError (payload or target too long).
        """
        self._require(Input.TRAFFIC)
        self._tick(now)
        return self._query(request, Waiting(asked=Asked.QUERY, sent_at=self._now))

    def acknowledge(self, receipt: Receipt, *, now: float) -> None:
        """The program has taken a message; LocalProtocolError if the receipt is not open.

        Legal after the end too: the session remembers it.
        """
        room_id = self.session.acknowledge(receipt)
        self._tick(now)
        self._pull_if_due(room_id)

    def follow_room(self, room_id: str, *, count: int = 10, now: float) -> None:
        """Pull a room that was joined, now and whenever it is announced (session 11).

        ``count`` is how many earlier messages to begin with; -1: none. A room that the
        session knows continues from its cursor. Raises NotConnected, EncodeError, or
        LocalProtocolError if too many rooms are followed.
        """
        self._require(Input.TRAFFIC)
        if not -1 <= count <= _LARGEST_COUNT:
            raise EncodeError(f"count must be -1 to {_LARGEST_COUNT}, not {count!r}")
        self._check_target(Topic.CHRM_PULL, room_id)
        self._streams.follow(room_id, count)
        self._tick(now)
        self._pull_if_due(room_id)

    def forget_room(self, room_id: str) -> None:
        """Stop pulling a room that was left; harmless if it is not followed."""
        self._streams.forget(room_id)

    def disconnect(self, *, now: float) -> None:
        """Leave. There is no frame for it: clients close the transport (wire 4.10)."""
        self._tick(now)
        self._end(CloseReason.LOCAL)

    # -- sending ---------------------------------------------------------------------

    def _check_target(self, topic: Topic, target_id: str) -> None:
        """EncodeError if such a target passes a limit."""
        self._encode(Query(topic=topic, target_id=target_id, message_id=MessageId(1), data=b""))

    def _publish(self, message: Outgoing) -> MessageId:
        message_id = self._requests.next_id(avoid=self._streams.copies)
        self._send(
            Publish(
                topic=message.topic,
                target_id=message.target_id,
                message_id=message_id,
                data=message.data,
                qos=message.qos,
            )
        )
        self._sent(
            message_id,
            Waiting(asked=Asked.PUBLISH, sent_at=self._now, unique_id=message.unique_id),
        )
        return message_id

    def _query(self, request: Request, waiting: Waiting) -> MessageId:
        message_id = self._requests.next_id(avoid=self._streams.copies)
        self._send(
            Query(
                topic=request.topic,
                target_id=request.target_id,
                message_id=message_id,
                data=request.data,
                qos=request.qos,
            )
        )
        self._sent(message_id, waiting)
        return message_id

    def _sent(self, message_id: MessageId, waiting: Waiting) -> None:
        self._requests.add(message_id, waiting)
        if len(self._requests) == 1:
            self._timers.arm(Timer.REQUEST, self._now + self._timing.request)

    def _pull_if_due(self, room_id: str | None) -> None:
        if self._closed is not None or self._requests.is_full:
            return
        request = self._streams.due(room_id)
        if request is None:
            return
        self._query(request, Waiting(asked=Asked.PULL, sent_at=self._now, room_id=room_id))
        self._streams.sent(room_id)
        if room_id is None:
            self._timers.arm(Timer.PULL, self._now + self._timing.pull)

    def _pull_all(self) -> None:
        for room_id in (None, *self._streams.rooms):
            self._pull_if_due(room_id)

    # -- frames ----------------------------------------------------------------------

    def _handle_frame(self, frame: Frame) -> None:
        handler = _HANDLERS.get(type(frame))
        if handler is None:
            error = UnexpectedFrame(f"a server never sends {type(frame).__name__}")
            self._handle_bad_frame(error)
        else:
            self._bad_frames = 0
            handler(self, frame)

    def _handle_bad_frame(self, error: RemoteProtocolError) -> None:
        """Go on without the frame, but not for ever (wire 7, rule 7)."""
        self._bad_frames += 1
        if self._bad_frames >= self._limits.bad_frames_in_a_row:
            self._violated(error)
        else:
            self._drop(error)

    def _drop(self, error: RemoteProtocolError) -> None:
        self._streams.hint(FrameDropped(error=error))

    def _on_connack(self, frame: ConnAck) -> None:
        if frame.status != ConnAckStatus.ACCEPTED:
            if self._accepts(Input.REFUSED, frame):
                redirected = frame.status == ConnAckStatus.REDIRECT
                reason = CloseReason.REDIRECTED if redirected else CloseReason.REFUSED
                self._end(reason, status=frame.status)
        elif self._accepts(Input.ACCEPTED, frame):
            self._logged_in(frame)

    def _logged_in(self, frame: ConnAck) -> None:
        user_id = frame.user_id or ""
        owner = self.session.user_id
        if owner not in (None, user_id):
            text = f"CONNACK is for user {user_id!r}, the session belongs to {owner!r}"
            self._violated(ForeignSession(text))
            return
        try:
            # It is the target of every pull, and what was read need not fit again.
            self._check_target(Topic.PULL_MSG, user_id)
        except EncodeError as error:
            self._violated(UnexpectedFrame(f"CONNACK: nobody can use this user id: {error}"))
            return
        self.session.user_id = self._streams.user_id = user_id
        server_time = frame.timestamp or TimeMs(0)
        self._streams.connected_at = server_time
        if frame.message_id is not None:
            self._requests.start_after(frame.message_id)
        self._timers.disarm(Timer.LOGIN)
        self._events.append(
            Connected(user_id=user_id, session_id=frame.session_id or "", server_time=server_time)
        )
        self._send(PingReq())
        self._timers.arm(Timer.PONG, self._now + self._timing.first_pong)
        self._pull_inbox()
        self._to_resend.extend(self.session.outbox.items())
        self._resend()

    def _resend(self) -> None:
        """Send what the last connection left in the outbox, as far as the window allows."""
        while self._to_resend and not self._requests.is_full:
            unique_id, message = self._to_resend.popleft()
            try:
                message_id = self._publish(message)
            except EncodeError:
                # It was kept under other limits, or its saved state was damaged.
                self.session.settle(unique_id)
                cause = FailureCause.UNSENDABLE
                self._events.append(RequestFailed(message_id=MessageId(0), cause=cause))
            else:
                self._events.append(Resent(message_id=message_id, unique_id=unique_id))

    def _on_delivery(self, frame: Delivery) -> None:
        if not self._accepts(Input.TRAFFIC, frame):
            return
        if frame.is_sync:
            self._streams.hold(frame, now=self._now)
            self._arm_for_copies()
            return
        if frame.qos != Qos.AT_MOST_ONCE:
            self._send(DeliveryAck(message_id=frame.message_id))
        known = find(frame.topic, Signal.PUBLISH)
        if known is None or known.request is None:
            self._drop(UnexpectedFrame(f"unknown topic {frame.topic!r}"))
            return
        try:
            payload = payloads.decode(known.request, frame.data)
        except DecodeError as error:
            self._drop(error)
            return
        self._delivered(known.topic, frame.target_id, payload)

    def _delivered(self, topic: Topic, target_id: str, payload: payloads.Message) -> None:
        if isinstance(payload, payloads.DownStreamMessage):
            self._streams.pushed(payload)
            return
        if topic is Topic.S_NTF and isinstance(payload, payloads.NotifyMsg):
            try:
                room_id = self._streams.notified(payload)
            except KeyError:
                pass
            else:
                self._pull_if_due(room_id)
                return
        self._streams.hint(Announced(topic=topic, target_id=target_id, payload=payload))

    def _on_puback(self, frame: PubAck) -> None:
        if not self._accepts(Input.TRAFFIC, frame):
            return
        if self._streams.complete(frame):
            self._arm_for_copies()
            return
        waiting = self._requests.take(frame.message_id, Asked.PUBLISH)
        if waiting is None:
            return
        if frame.uid:
            self.session.remember(frame.uid)
        if waiting.unique_id is not None:
            self.session.settle(waiting.unique_id)
        self._events.append(
            PublishAcknowledged(
                message_id=frame.message_id,
                status=frame.status,
                uid=frame.uid,
                timestamp=frame.timestamp,
                unique_id=waiting.unique_id,
            )
        )
        self._after_answer()

    def _on_queryack(self, frame: QueryAck) -> None:
        if not self._accepts(Input.TRAFFIC, frame):
            return
        if frame.qos != Qos.AT_MOST_ONCE:
            self._send(QueryCon(message_id=frame.message_id))
        waiting = self._requests.take(frame.message_id, Asked.QUERY, Asked.PULL)
        if waiting is None:
            return
        if waiting.asked is Asked.QUERY:
            self._events.append(
                QueryAnswered(
                    message_id=frame.message_id,
                    status=frame.status,
                    date=frame.date,
                    data=frame.data,
                )
            )
        elif not self._streams.answered(waiting.room_id, frame) and waiting.room_id is None:
            self._timers.arm(Timer.PULL, self._now + self._timing.pull_retry)
        self._after_answer()

    def _after_answer(self) -> None:
        """An answer makes room in the window and may let a stream go on."""
        self._resend()
        self._arm_for_requests()
        self._pull_all()

    def _arm_for_requests(self) -> None:
        oldest = self._requests.oldest
        if oldest is None:
            self._timers.disarm(Timer.REQUEST)
        else:
            self._timers.arm(Timer.REQUEST, oldest + self._timing.request)

    def _arm_for_copies(self) -> None:
        oldest = self._streams.oldest_copy
        if oldest is None:
            self._timers.disarm(Timer.SYNC)
        else:
            self._timers.arm(Timer.SYNC, oldest + self._timing.request)

    def _on_pong(self, frame: PingResp) -> None:
        if self._accepts(Input.HEARTBEAT, frame):
            self._missed_pongs = 0
            self._timers.disarm(Timer.PONG)
            self._timers.arm(Timer.HEARTBEAT, self._now + self._timing.heartbeat)

    def _on_disconnect(self, frame: Disconnect) -> None:
        if self._accepts(Input.DISMISSED, frame):
            reason = _DISMISSALS.get(frame.status, CloseReason.ENDED)
            self._end(reason, status=frame.status)

    # -- time ------------------------------------------------------------------------

    def _handle_timer(self, timer: Timer) -> None:
        _TIMER_HANDLERS[timer](self)

    def _login_expired(self) -> None:
        self._end(CloseReason.NO_CONNACK)

    def _heartbeat_due(self) -> None:
        self._send(PingReq())
        self._timers.arm(Timer.PONG, self._now + self._timing.pong)

    def _pong_missed(self) -> None:
        self._missed_pongs += 1
        if self._missed_pongs >= _MISSED_PONGS:
            self._end(CloseReason.NO_PONG)
        else:
            self._heartbeat_due()

    def _requests_expired(self) -> None:
        late = self._requests.take_late(self._timing.request, now=self._now)
        outbox = self.session.outbox
        for message_id, waiting in late:
            self._fail(message_id, waiting, FailureCause.TIMED_OUT)
            if waiting.unique_id is not None:
                self._to_resend.append((waiting.unique_id, outbox[waiting.unique_id]))
        self._after_answer()

    def _copies_expired(self) -> None:
        self._streams.drop_late_copies(self._timing.request, now=self._now)
        self._arm_for_copies()

    def _pull_inbox(self) -> None:
        """Right after the login, and whenever nothing was pulled for long (session 5)."""
        self._streams.want_inbox()
        self._timers.arm(Timer.PULL, self._now + self._timing.pull)
        self._pull_if_due(None)

    def _fail(self, message_id: MessageId, waiting: Waiting, cause: FailureCause) -> None:
        if waiting.asked is Asked.PULL:
            self._streams.failed(waiting.room_id)
            if waiting.room_id is None:
                self._timers.arm(Timer.PULL, self._now + self._timing.pull_retry)
            return
        self._events.append(
            RequestFailed(
                message_id=message_id,
                cause=cause,
                will_resend=waiting.unique_id is not None,
            )
        )

    def _before_end(self) -> None:
        for message_id, waiting in self._requests.take_all():
            self._fail(message_id, waiting, FailureCause.CLOSED)


_HANDLERS: Final[dict[type[Frame], Callable[[ClientConnection, Any], None]]] = {
    ConnAck: ClientConnection._on_connack,
    Delivery: ClientConnection._on_delivery,
    PubAck: ClientConnection._on_puback,
    QueryAck: ClientConnection._on_queryack,
    PingResp: ClientConnection._on_pong,
    Disconnect: ClientConnection._on_disconnect,
}

_TIMER_HANDLERS: Final[dict[Timer, Callable[[ClientConnection], None]]] = {
    Timer.LOGIN: ClientConnection._login_expired,
    Timer.HEARTBEAT: ClientConnection._heartbeat_due,
    Timer.PONG: ClientConnection._pong_missed,
    Timer.REQUEST: ClientConnection._requests_expired,
    Timer.SYNC: ClientConnection._copies_expired,
    Timer.PULL: ClientConnection._pull_inbox,
}
