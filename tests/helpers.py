"""One end of a connection under test; the test speaks frames for the other end.

:class:`ClientScript` and :class:`ServerScript` hold a hand clock (``now``, seconds) and pass
everything through the codec, so that a test reads as a dialogue::

    client = ClientScript.online()
    client.receive(notify(100))
    [pull] = client.sent(Query)

Nothing here decides anything: what is not said by a test does not happen.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, TypeVar

from improto import codec, payloads
from improto.client import ClientConnection
from improto.codes import ConversationType, NotifyType
from improto.events import ConnectionClosed, MessageReceived
from improto.frames import (
    ConnAck,
    Delivery,
    MessageId,
    MessageUid,
    PingResp,
    ProtocolVersion,
    PubAck,
    Qos,
    Query,
    QueryAck,
    Role,
    TimeMs,
)
from improto.login import Login
from improto.messages import Outgoing
from improto.operations import Topic
from improto.server import ServerConnection
from improto.session import ClientSession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.codes import DisconnectStatus
    from improto.config import Limits, Timing
    from improto.connection import Connection
    from improto.events import ClientEvent, ServerEvent
    from improto.frames import Frame

T = TypeVar("T")

LOGIN_TIME: Final = TimeMs(1_700_000_000_000)
"""Server time of every login; any plausible date will do."""

AWKWARD_TIMES: Final = (0.0, 0.1, 1 / 3, 1e-9, 12345.678901234567, 86_400.1 * 365, 1e9 + 0.7)
"""Clock readings whose sums with durations are not exact."""


# -- payloads and frames of either side ---------------------------------------------------------


def down(
    time: int,
    uid: str | None = "",
    *,
    sender: str = "u2",
    type: ConversationType | int = ConversationType.PRIVATE,
    group: str | None = None,
    direction: int | None = None,
) -> payloads.DownStreamMessage:
    """A text message as its reader gets it; its uid is ``m<time>`` unless the test gives one."""
    return payloads.DownStreamMessage(
        fromUserId=sender,
        type=type,
        groupId=group,
        classname="RC:TxtMsg",
        content=b'{"content":"hi"}',
        dataTime=time,
        status=0x30,
        msgId=f"m{time}" if uid == "" else uid,
        direction=direction,
    )


def item(time: int) -> bytes:
    """The encoded form of :func:`down`, as a server stores it."""
    return payloads.encode(down(time))


def up(text: str = "hi") -> bytes:
    """An encoded text message as its sender writes it."""
    return payloads.encode(
        payloads.UpStreamMessage(
            sessionId=3,
            classname="RC:TxtMsg",
            content=f'{{"content":"{text}"}}'.encode(),
            configFlag=0,
        )
    )


def outgoing(unique_id: int | None = None, *, target: str = "u2") -> Outgoing:
    """A message that is ready to go."""
    return Outgoing(topic=Topic.PP_MSG_P, target_id=target, data=up(), unique_id=unique_id)


def connack(status: int = 0, *, user_id: str = "u1") -> ConnAck:
    """CONNACK version 3; a refusal has nothing but its status (wire 4.2)."""
    if status:
        return ConnAck(status=status)
    return ConnAck(status=0, user_id=user_id, session_id="s1", timestamp=LOGIN_TIME)


def delivery(
    topic: str,
    data: bytes,
    *,
    message_id: int = 0,
    target: str = "u1",
    qos: Qos = Qos.AT_LEAST_ONCE,
    is_sync: bool = False,
) -> Delivery:
    """A PUBLISH of the server."""
    return Delivery(
        date=LOGIN_TIME // 1000,
        topic=topic,
        target_id=target,
        message_id=MessageId(message_id),
        data=data,
        qos=qos,
        is_sync=is_sync,
    )


def notify(time: int, room_id: str | None = None) -> Delivery:
    """``s_ntf`` for the inbox, or for a room (session 8.6)."""
    kind = NotifyType.INBOX if room_id is None else NotifyType.CHATROOM
    message = payloads.NotifyMsg(type=kind, time=time, chrmId=room_id)
    return delivery(Topic.S_NTF, payloads.encode(message))


def push(message: payloads.DownStreamMessage) -> Delivery:
    """``s_msg`` (session 8.5)."""
    return delivery(Topic.S_MSG, payloads.encode(message))


def puback(
    message_id: int, *, status: int = 0, uid: str = "", time: int = LOGIN_TIME + 1
) -> PubAck:
    """The server's answer to a PUBLISH, or the end of a copy."""
    return PubAck(
        message_id=MessageId(message_id),
        date=time // 1000,
        status=status,
        millisecond=time % 1000,
        uid=MessageUid(uid),
    )


def queryack(
    message_id: int, data: bytes = b"", *, status: int = 0, qos: Qos = Qos.AT_MOST_ONCE
) -> QueryAck:
    """The server's answer to a QUERY."""
    return QueryAck(
        message_id=MessageId(message_id),
        date=LOGIN_TIME // 1000,
        status=status,
        data=data,
        qos=qos,
    )


def page(
    message_id: int,
    *messages: payloads.DownStreamMessage,
    sync_time: int,
    finished: bool | None = True,
    broadcast: int | None = None,
    qos: Qos = Qos.AT_MOST_ONCE,
) -> QueryAck:
    """The server's answer to a pull (session 8.3)."""
    reply = payloads.DownStreamMessages(
        list=messages, syncTime=sync_time, finished=finished, broadcastSyncTime=broadcast
    )
    return queryack(message_id, payloads.encode(reply), qos=qos)


def inbox_pull(
    message_id: int,
    *,
    since: int = 0,
    sent_since: int | None = 0,
    qos: Qos = Qos.AT_MOST_ONCE,
) -> Query:
    """``pullMsg`` (session 8.2)."""
    request = payloads.SyncRequestMsg(
        syncTime=since, ispolling=False, isPullSend=True, sendBoxSyncTime=sent_since
    )
    return Query(
        topic=Topic.PULL_MSG,
        target_id="u1",
        message_id=MessageId(message_id),
        data=payloads.encode(request),
        qos=qos,
    )


def room_pull(
    message_id: int, room_id: str, *, since: int = 0, count: int = 10, is_bare: bool = False
) -> Query:
    """``chrmPull`` (session 11); ``is_bare``: as SDK 5 sends it."""
    request = payloads.ChrmPullMsg(syncTime=since, count=count)
    if is_bare:
        request.compressioEnabled = True
    return Query(
        topic=Topic.CHRM_PULL,
        target_id=room_id,
        message_id=MessageId(message_id),
        data=payloads.encode(request),
    )


# -- one end of a connection --------------------------------------------------------------------


def snapshot(connection: Connection[Any], *, horizon: int = 3) -> list[object]:
    """All that can be observed of a connection, now and at its next deadlines.

    The connection itself is left alone: a copy is asked.
    """
    twin = copy.deepcopy(connection)
    observed: list[object] = []
    for _ in range(horizon):
        observed += [twin.state, twin.close_reason, twin.next_deadline()]
        observed += twin.messages_to_send()
        observed += map(repr, drained(twin))
        if isinstance(twin, ClientConnection):
            observed += [twin.session.to_state(), twin.requests_in_flight]
        if isinstance(twin, ServerConnection):
            observed += [twin.user_id, twin.unanswered, twin.is_up_to_date]
        deadline = twin.next_deadline()
        if deadline is None:
            break
        twin.handle_timeout(now=deadline)
    return observed


def drained(connection: Connection[Any]) -> list[Any]:
    """All events there are."""
    return list(iter(connection.next_event, None))


def only(events: Iterable[object], kind: type[T]) -> list[T]:
    """Those of one type, in order."""
    return [event for event in events if isinstance(event, kind)]


class Script:
    """What both ends have in common."""

    connection: Connection[Any]
    role: Role
    protocol_version = ProtocolVersion.V3

    def __init__(self, now: float) -> None:
        self.now = now

    def receive(self, *frames: Frame) -> None:
        """The peer sends these."""
        for frame in frames:
            self.connection.receive_message(codec.encode(frame), now=self.now)

    def sent(self, kind: type[T] | None = None) -> list[Any]:
        """What we sent since the last look; of one type if the test looks for that only."""
        messages = self.connection.messages_to_send()
        frames = [
            codec.decode(message, self.role, protocol_version=self.protocol_version)
            for message in messages
        ]
        return frames if kind is None else only(frames, kind)

    def wait(self, seconds: float) -> None:
        """Time passes, with a timeout handled at each deadline on the way."""
        end = self.now + seconds
        while (deadline := self.connection.next_deadline()) is not None and deadline <= end:
            self.now = deadline
            self.connection.handle_timeout(now=deadline)
            following = self.connection.next_deadline()
            assert following is None or following > deadline, "a deadline does not move on"
        self.now = end

    def expire(self) -> None:
        """Time passes up to the next deadline."""
        deadline = self.connection.next_deadline()
        assert deadline is not None, "no timer is armed"
        self.wait(deadline - self.now)

    def closed(self) -> ConnectionClosed:
        """The one terminal event; the events before it are dropped."""
        *before, last = drained(self.connection)
        assert isinstance(last, ConnectionClosed)
        assert not only(before, ConnectionClosed)
        return last


class ClientScript(Script):
    """A client; the test is its server and its program."""

    role = Role.CLIENT

    def __init__(
        self,
        session: ClientSession | None = None,
        *,
        now: float = 0.0,
        limits: Limits | None = None,
        timing: Timing | None = None,
        protocol_version: ProtocolVersion = ProtocolVersion.V3,
    ) -> None:
        super().__init__(now)
        self.session = ClientSession(limits=limits) if session is None else session
        self.protocol_version = protocol_version
        self.connection: ClientConnection = ClientConnection(
            self.session, protocol_version=protocol_version, limits=limits, timing=timing
        )

    @classmethod
    def online(
        cls,
        session: ClientSession | None = None,
        *,
        now: float = 0.0,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> ClientScript:
        """A client that is logged in, heard PINGRESP, pulled and found nothing new."""
        client = cls(session, now=now, limits=limits, timing=timing)
        client.log_in()
        cursor = client.session.inbox_cursor
        [pull] = client.sent(Query)
        client.receive(PingResp(), page(pull.message_id, sync_time=cursor))
        client.events()
        client.sent()
        return client

    def log_in(self) -> None:
        """Connect and be accepted."""
        self.connection.connect(now=self.now)
        self.receive(connack())

    def events(self, kind: type[T] | None = None) -> list[Any]:
        """Events since the last look; of one type if the test looks for that only."""
        events: list[ClientEvent] = drained(self.connection)
        return events if kind is None else only(events, kind)

    def publish(self, unique_id: int | None = None) -> MessageId:
        """The program sends something."""
        return self.connection.publish(outgoing(unique_id), now=self.now)

    def acknowledge(self, *messages: MessageReceived) -> None:
        """The program has taken these."""
        for message in messages:
            self.connection.acknowledge(message.receipt, now=self.now)


class ServerScript(Script):
    """A server's end; the test is its client and its program."""

    role = Role.SERVER

    def __init__(
        self,
        *,
        now: float = 0.0,
        sdk_version: str = "4.6.4",
        protocol_version: ProtocolVersion = ProtocolVersion.V3,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> None:
        super().__init__(now)
        self.protocol_version = protocol_version
        self.connection: ServerConnection = ServerConnection(
            Login(
                app_key="app",
                token="token",
                sdk_version=sdk_version,
                protocol_version=protocol_version,
            ),
            now=now,
            limits=limits,
            timing=timing,
        )

    @classmethod
    def online(
        cls,
        *,
        now: float = 0.0,
        sdk_version: str = "4.6.4",
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> ServerScript:
        """A client is let in and has not asked for anything yet."""
        server = cls(now=now, sdk_version=sdk_version, limits=limits, timing=timing)
        server.accept()
        server.sent()
        return server

    @classmethod
    def up_to_date(
        cls,
        *,
        sdk_version: str = "4.6.4",
        limits: Limits | None = None,
        timing: Timing | None = None,
        position: int = LOGIN_TIME,
    ) -> ServerScript:
        """A client that has pulled its inbox up to ``position``."""
        server = cls.online(sdk_version=sdk_version, limits=limits, timing=timing)
        server.receive(inbox_pull(1))
        server.answer_pull(1, sync_time=position)
        server.events()
        server.sent()
        return server

    def accept(self) -> None:
        """Let the client in."""
        self.connection.accept("u1", "s1", timestamp=LOGIN_TIME, now=self.now)

    def events(self, kind: type[T] | None = None) -> list[Any]:
        """Events since the last look; of one type if the test looks for that only."""
        events: list[ServerEvent] = drained(self.connection)
        return events if kind is None else only(events, kind)

    def answer_pull(
        self,
        message_id: int,
        *items: bytes,
        sync_time: int,
        newest: int | None = None,
        finished: bool = True,
    ) -> None:
        """Answer a pull; ``newest`` is ``sync_time`` unless the test says otherwise."""
        self.connection.answer_pull(
            MessageId(message_id),
            items,
            sync_time=TimeMs(sync_time),
            newest=TimeMs(sync_time if newest is None else newest),
            is_finished=finished,
            now=self.now,
        )

    def notify(self, time: int, room_id: str | None = None) -> Any:
        """Tell of a message with this time."""
        return self.connection.notify(TimeMs(time), room_id=room_id, now=self.now)

    def offer(self, time: int) -> Any:
        """A message with this time is in the client's inbox."""
        return self.connection.offer(item(time), time=TimeMs(time), now=self.now)

    def dismiss(self, status: DisconnectStatus) -> None:
        """Send the client away."""
        self.connection.dismiss(status, now=self.now)


def notified(frame: Delivery) -> payloads.NotifyMsg:
    """What an ``s_ntf`` says."""
    assert frame.topic == Topic.S_NTF
    return payloads.decode(payloads.NotifyMsg, frame.data)


def page_of(frame: QueryAck) -> payloads.DownStreamMessages:
    """What the answer to a pull says."""
    return payloads.decode(payloads.DownStreamMessages, frame.data)
