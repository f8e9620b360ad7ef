"""The server's end of a connection.

It lets a client in or refuses it, answers the heartbeat, keeps account of what must be
answered, tells clients about new messages without flooding them, and ends the
connection in the way this client understands. What a message means is the program's
business. See :mod:`improto.connection` for the contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from improto._announce import Announcements, StreamTable
from improto._inflight import PeerRequests
from improto._lifecycle import Input, State
from improto._replies import delivery, notification, page, puback, queryack, read_pull
from improto._timers import Timer
from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.config import Limits, Timing
from improto.connection import Connection
from improto.errors import DecodeError, LocalProtocolError, RemoteProtocolError, UnexpectedFrame
from improto.events import (
    CloseReason,
    Farewell,
    Offered,
    PublishReceived,
    QueryReceived,
    ServerEvent,
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
    Publish,
    Qos,
    Query,
    QueryCon,
    Role,
    Subscribe,
    TimeMs,
    Unsubscribe,
)
from improto.operations import Signal, Topic, find
from improto.profiles import Profile, profile_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from improto.login import Login

_LAST_TIME: Final = 0xFFFF_FFFF * 1000 + 999
"""``date`` is 32 bits of seconds (wire 4); a later clock stands still, but nothing breaks."""

_GOING_AWAY: Final = 1001
"""WebSocket close code of an endpoint that is going away (RFC 6455 section 7.4.1)."""


class ServerConnection(Connection[ServerEvent]):
    """One client.

    Made when the transport is open; ``login`` is its URL. Decide with :meth:`accept` or
    :meth:`refuse` within ``timing.login`` seconds.
    """

    def __init__(
        self,
        login: Login,
        *,
        now: float,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> None:
        super().__init__(
            Role.SERVER,
            protocol_version=login.protocol_version,
            limits=limits or Limits(),
            timing=timing or Timing(),
        )
        self.login = login
        self.profile: Profile = profile_of(login)
        """How this generation of client wants to be treated."""
        self.user_id: str | None = None
        """Who it is, once accepted."""
        self._requests = PeerRequests(self._limits.requests_in_flight)
        self._streams = StreamTable()
        self._clock_offset = 0.0
        self._tick(now)
        self._lifecycle.advance(Input.OPENED)
        self._timers.arm(Timer.LOGIN, self._now + self._timing.login)

    @property
    def unanswered(self) -> int:
        """How many requests of the client wait for our answer."""
        return self._requests.count

    @property
    def is_up_to_date(self) -> bool:
        """True if the client has pulled its inbox and nothing newer is waiting."""
        return self._streams.inbox.is_up_to_date

    # -- the login -------------------------------------------------------------------

    def accept(self, user_id: str, session_id: str, *, timestamp: TimeMs, now: float) -> None:
        """Let the client in: CONNACK 0. ``timestamp`` is the server's time (session 2.4).

        Raises EncodeError if an id is too long, LocalProtocolError if it was decided already.
        """
        self._require(Input.ACCEPTED)
        is_v4 = self._protocol_version is ProtocolVersion.V4
        frame = ConnAck(
            status=ConnAckStatus.ACCEPTED,
            user_id=user_id,
            session_id=session_id,
            timestamp=timestamp,
            message_id=MessageId(0) if is_v4 else None,
            protocol_version=self._protocol_version,
        )
        self._send(frame)
        self._tick(now)
        self._lifecycle.advance(Input.ACCEPTED)
        self.user_id = user_id
        self._clock_offset = timestamp / 1000 - self._now
        self._timers.disarm(Timer.LOGIN)
        self._timers.arm(Timer.IDLE, self._now + self._timing.idle)

    def refuse(self, status: int, *, now: float) -> None:
        """Turn the client away: CONNACK with a status of codes 2, then the end.

        A status this client cannot read is replaced by 3 (wire 4.2). One that would take 3 for
        good is told nothing, so that it comes back (sdk5 3). Raises LocalProtocolError if it was
        decided already or if ``status`` is 0.
        """
        self._require(Input.REFUSED)
        if status == ConnAckStatus.ACCEPTED:
            raise LocalProtocolError("status 0 accepts; call accept()")
        if status > self.profile.highest_connack_status:
            status = ConnAckStatus.SERVER_UNAVAILABLE
        is_silent = (
            self.profile.unavailable_by_closing and status == ConnAckStatus.SERVER_UNAVAILABLE
        )
        if not is_silent:
            self._send(ConnAck(status=status, protocol_version=self._protocol_version))
        self._tick(now)
        self._lifecycle.advance(Input.REFUSED)
        self._end(CloseReason.REFUSED, status=status)

    # -- answers ---------------------------------------------------------------------

    def acknowledge(
        self,
        message_id: MessageId,
        *,
        timestamp: TimeMs,
        status: int = 0,
        uid: str = "",
        now: float,
    ) -> None:
        """Answer a PUBLISH: PUBACK with the message's time and uid, or with an error status.

        Raises NotConnected, LocalProtocolError if no such PUBLISH waits, EncodeError.
        """
        self._require_online()
        self._requests.require_publish(message_id)
        self._send(puback(message_id, timestamp, status=status, uid=uid))
        self._tick(now)
        self._requests.answer_publish(message_id)

    def answer(
        self,
        message_id: MessageId,
        *,
        timestamp: TimeMs,
        status: int = 0,
        data: bytes = b"",
        now: float,
    ) -> None:
        """Answer a QUERY: QUERYACK with the encoded reply, or with an error status.

        A pull is answered with :meth:`answer_pull`, or here with an error status. Raises
        NotConnected, LocalProtocolError if no such QUERY waits, EncodeError.
        """
        self._require_online()
        qos = self._requests.require_query(message_id)
        is_pull = self._streams.has_pull(message_id)
        if is_pull and status == 0:
            raise LocalProtocolError("a pull is answered with answer_pull()")
        self._send(queryack(message_id, timestamp, qos=qos, status=status, data=data))
        self._tick(now)
        self._requests.answer_query(message_id)
        if is_pull:
            self._announce_if_due(self._streams.refuse_pull(message_id).room_id)

    def answer_pull(
        self,
        message_id: MessageId,
        items: Sequence[bytes],
        *,
        sync_time: TimeMs,
        newest: TimeMs,
        is_finished: bool,
        now: float,
    ) -> None:
        """Answer a pull with encoded DownStreamMessages, oldest first (session 8.3).

        ``sync_time`` is the time of the last item, or of the newest message of the stream
        if ``is_finished``; ``newest`` is the time of the newest message either way. The
        reply's syncTime is raised where the rules ask for it. Raises NotConnected,
        LocalProtocolError if no such pull waits, EncodeError if the page is too large.
        """
        self._require_online()
        room_id, asked_from, stream, is_bare = self._streams.require_pull(message_id)
        if is_finished:
            sync_time = TimeMs(max(sync_time, asked_from, stream.announced))
        elif sync_time <= asked_from:
            raise LocalProtocolError("a cut page must end later than the pull began")
        qos = self._requests.require_query(message_id)
        reply = page(items, sync_time, is_finished=is_finished, is_bare=is_bare)
        self._send(queryack(message_id, self._server_time(), qos=qos, data=reply))
        self._tick(now)
        self._requests.answer_query(message_id)
        self._streams.take_pull(message_id)
        stream.note(newest)
        stream.pull_answered(
            sync_time,
            is_finished=is_finished,
            pulls_again=not is_bare and not self.profile.notify_after_unfinished,
        )
        self._announce_if_due(room_id)

    # -- telling the client ----------------------------------------------------------

    def offer(self, item: bytes, *, time: TimeMs, now: float) -> Offered:
        """A new message is in the client's inbox: push it, or announce it (session 8.5).

        ``item`` is its encoded DownStreamMessage. Raises NotConnected or EncodeError.
        """
        self._require_online()
        if self.profile.direct_push and self.is_up_to_date:
            self._push(item, time, now)
            return Offered.PUSHED
        return self.notify(time, now=now)

    def push_status(self, item: bytes, *, time: TimeMs, now: float) -> bool:
        """Push a message that is never stored; False if it has to be dropped.

        It is dropped unless the client is up to date, because it would move the client's
        cursor past what is waiting (messages 8.5). Raises NotConnected or EncodeError.
        """
        self._require_online()
        if not self.is_up_to_date:
            return False
        self._push(item, time, now)
        return True

    def notify(self, time: TimeMs, *, room_id: str | None = None, now: float) -> Offered:
        """The inbox, or a room, has a message with this time (session 8.6).

        Raises NotConnected or EncodeError.
        """
        self._require_online()
        self._tick(now)
        stream = self._streams[room_id]
        if stream.should_announce(time):
            self._announce(room_id, stream, max(stream.newest, time))
            return Offered.ANNOUNCED
        stream.note(time)
        return Offered.REMEMBERED

    def forget_room(self, room_id: str) -> None:
        """The user has left a room; harmless if nothing is known of it."""
        self._streams.forget(room_id)

    def command(
        self, topic: Topic, payload: bytes, *, target_id: str | None = None, now: float
    ) -> None:
        """Publish on one of the other server topics (operations 3), by default to the user.

        Raises NotConnected or EncodeError.
        """
        self._require_online()
        self._tick(now)
        self._publish(topic, payload, to=target_id)

    def sync(
        self,
        topic: Topic,
        target_id: str,
        data: bytes,
        *,
        uid: str,
        timestamp: TimeMs,
        now: float,
    ) -> bool:
        """Show what the user sent from another device (session 9.3, way B).

        ``data`` is the UpStreamMessage as it was sent. False if this client does not
        understand copies of the topic; it will find the message by pulling. Raises
        NotConnected or EncodeError.
        """
        self._require_online()
        if topic not in self.profile.sync_topics:
            return False
        self._tick(now)
        message_id = self._requests.next_sync_id()
        copy = Delivery(
            date=timestamp // 1000,
            topic=topic,
            target_id=target_id,
            message_id=message_id,
            data=data,
            is_sync=True,
        )
        self._send_all(copy, puback(message_id, timestamp, uid=uid))
        self._requests.sync_sent(message_id)
        return True

    # -- the end ---------------------------------------------------------------------

    def dismiss(self, status: DisconnectStatus, *, now: float) -> None:
        """Send the client away: DISCONNECT, then the end (session 4.1).

        It comes back only after a redirect, if it follows any. A status to stay away that this
        client does not know is replaced by 2. Raises NotConnected, or LocalProtocolError for a
        redirect that the client does not survive (codes 3).
        """
        if status not in self.profile.dismissals:
            if status in _REDIRECTS:
                raise LocalProtocolError(f"DISCONNECT {status.value} must not be sent (codes 3)")
            status = DisconnectStatus.BLOCK
        self._require_online()
        self._send(Disconnect(status=status))
        self._tick(now)
        self._lifecycle.advance(Input.DISMISSED)
        self._dismissed_with = status
        self._timers.disarm_all()
        self._timers.arm(Timer.CLOSE, self._now + self._timing.close)

    def shut_down(self, *, now: float) -> None:
        """End the connection so that the client comes back (session 4.2)."""
        self._tick(now)
        self._end(CloseReason.LOCAL, farewell=self._farewell, close_code=_GOING_AWAY)

    @property
    def _farewell(self) -> Farewell:
        return Farewell.ABORT if self.profile.vanish else Farewell.CLOSE

    # -- frames ----------------------------------------------------------------------

    def _handle_frame(self, frame: Frame) -> None:
        handler = _HANDLERS.get(type(frame))
        if handler is None:
            error = UnexpectedFrame(f"a client never sends {type(frame).__name__}")
            self._violated(error)
            return
        if self._lifecycle.state is State.ONLINE:
            self._timers.arm(Timer.IDLE, self._now + self._timing.idle)
        handler(self, frame)

    def _handle_bad_frame(self, error: RemoteProtocolError) -> None:
        self._violated(error)

    def _violated(self, error: RemoteProtocolError) -> None:
        self._end(
            CloseReason.VIOLATION,
            error=error,
            farewell=self._farewell,
            close_code=error.close_code,
        )

    def _on_ping(self, frame: PingReq) -> None:
        """Allowed from the moment the transport is open (session 2.1)."""
        self._send(PingResp())

    def _on_publish(self, frame: Publish) -> None:
        if not self._accepts_traffic(frame):
            return
        message_id = frame.message_id
        if self._requests.is_full:
            busy = ErrorCode.SEND_FREQUENCY_TOO_FAST
            self._send(puback(message_id, self._server_time(), status=busy))
            return
        self._requests.add_publish(message_id)
        self._events.append(
            PublishReceived(frame=frame, operation=find(frame.topic, Signal.PUBLISH))
        )

    def _on_query(self, frame: Query) -> None:
        if not self._accepts_traffic(frame):
            return
        if self._requests.is_full:
            self._refuse_query(frame, ErrorCode.SEND_FREQUENCY_TOO_FAST)
            return
        if self._requests.has_query(frame.message_id):
            # Its sender could not tell the two answers apart.
            self._refuse_query(frame, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        try:
            pull = read_pull(frame)
        except DecodeError:
            self._refuse_query(frame, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        self._requests.add_query(frame.message_id, frame.qos)
        if pull is None:
            operation = find(frame.topic, Signal.QUERY)
            self._events.append(QueryReceived(frame=frame, operation=operation))
            return
        self._streams.pull_received(pull)
        self._events.append(pull)

    def _refuse_query(self, frame: Query, status: ErrorCode) -> None:
        time = self._server_time()
        self._send(queryack(frame.message_id, time, qos=frame.qos, status=status))

    def _on_confirmation(self, frame: DeliveryAck | QueryCon) -> None:
        """These are no receipts (session 7); nothing follows from them."""
        self._accepts_traffic(frame)

    def _on_goodbye(self, frame: Disconnect) -> None:
        self._end(CloseReason.PEER, status=frame.status)

    def _on_unused(self, frame: Subscribe | Unsubscribe) -> None:
        """Numbers without a use; a server may ignore them (wire 4.8)."""

    # -- time ------------------------------------------------------------------------

    def _handle_timer(self, timer: Timer) -> None:
        if timer is Timer.RENOTIFY:
            self._renotify()
        elif timer is Timer.CLOSE:
            self._finish_closing()
        elif timer is Timer.LOGIN:
            self._end(CloseReason.NO_LOGIN, farewell=Farewell.ABORT)
        else:
            self._end(CloseReason.IDLE, farewell=Farewell.ABORT)

    def _renotify(self) -> None:
        for room_id, stream in self._streams.waiting():
            self._announce(room_id, stream, stream.newest)

    # -- helpers ---------------------------------------------------------------------

    def _require_online(self) -> None:
        if self._lifecycle.state is not State.ONLINE:
            self._require(Input.TRAFFIC)

    def _accepts_traffic(self, frame: Frame) -> bool:
        # The table says the same; this is the path of every message.
        return self._lifecycle.state is State.ONLINE or self._accepts(Input.TRAFFIC, frame)

    def _server_time(self) -> TimeMs:
        return TimeMs(min(max(0, int((self._now + self._clock_offset) * 1000)), _LAST_TIME))

    def _publish(
        self, topic: Topic, payload: bytes, *, to: str | None = None, qos: Qos = Qos.AT_LEAST_ONCE
    ) -> None:
        target_id = self.user_id or "" if to is None else to
        time = self._server_time()
        self._send(delivery(topic, payload, target_id=target_id, timestamp=time, qos=qos))

    def _push(self, item: bytes, time: TimeMs, now: float) -> None:
        self._tick(now)
        # Its PUBACK would say nothing (session 7) and cost as much as the push itself.
        self._publish(Topic.S_MSG, item, qos=Qos.AT_MOST_ONCE)
        self._streams.inbox.pushed(time)

    def _announce_if_due(self, room_id: str | None) -> None:
        stream = self._streams.get(room_id)
        if stream is not None and stream.should_announce(stream.newest):
            self._announce(room_id, stream, stream.newest)
        elif any(self._streams.waiting()):
            self._expect_pull()
        else:
            self._timers.disarm(Timer.RENOTIFY)

    def _announce(self, room_id: str | None, stream: Announcements, time: int) -> None:
        self._publish(Topic.S_NTF, notification(room_id, TimeMs(time)))
        stream.told(time)
        self._expect_pull()

    def _expect_pull(self) -> None:
        # An earlier deadline stays: a busy stream must not put off the repeat for another one.
        if self._timers.deadline(Timer.RENOTIFY) is None:
            self._timers.arm(Timer.RENOTIFY, self._now + self._timing.renotify)


_REDIRECTS: Final = frozenset({DisconnectStatus.REDIRECT, DisconnectStatus.REDIRECT_NEW})

_HANDLERS: Final[dict[type[Frame], Callable[[ServerConnection, Any], None]]] = {
    PingReq: ServerConnection._on_ping,
    Publish: ServerConnection._on_publish,
    Query: ServerConnection._on_query,
    DeliveryAck: ServerConnection._on_confirmation,
    QueryCon: ServerConnection._on_confirmation,
    Disconnect: ServerConnection._on_goodbye,
    Subscribe: ServerConnection._on_unused,
    Unsubscribe: ServerConnection._on_unused,
}
