"""What the core costs for each frame of a small message, against a bare struct parse.

A private message of 120 bytes is four frames for a server (PUBLISH and its PUBACK, the delivery
and its PUBACK), and the same four for two clients. A row is the mean over its frames: decoding,
state, encoding.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Final

from bench.report import Row, Table
from improto import contents, payloads
from improto.client import ClientConnection
from improto.codec import decode, encode
from improto.codes import ConversationType
from improto.config import Limits
from improto.events import MessageReceived, PublishReceived
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    MessageId,
    MessageUid,
    PubAck,
    Publish,
    Query,
    QueryAck,
    Role,
    TimeMs,
)
from improto.login import Login
from improto.messages import Conversation, compose
from improto.operations import Topic
from improto.server import ServerConnection
from improto.session import ClientSession
from improto.transports import framer_factory

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL: Final = 6.0
"""Microseconds per frame (design budget: a fifth of what an event loop costs)."""

TEXT: Final = "x" * 120
START: Final = TimeMs(1_700_000_000_000)

_MESSAGE: Final = compose(
    Conversation(type=ConversationType.PRIVATE, target_id="receiver"), contents.Text(TEXT)
)
_ITEM: Final = payloads.encode(
    payloads.DownStreamMessage(
        fromUserId="sender",
        type=ConversationType.PRIVATE,
        classname=contents.Text.object_name,
        content=contents.encode(contents.Text(TEXT)),
        dataTime=START + 1,
        status=0x30,
        msgId="C0FF-EE00-C0FF-EE00",
    )
)
_PUBLISH: Final = encode(
    Publish(topic=_MESSAGE.topic, target_id="receiver", message_id=MessageId(1), data=_MESSAGE.data)
)
_ACK: Final = PubAck(
    message_id=MessageId(1),
    date=START // 1000,
    status=0,
    millisecond=1,
    uid=MessageUid("C0FF-EE00-C0FF-EE00"),
)


def measure(*, seconds: float) -> Table:
    """All rows, each for about ``seconds``."""

    def row(name: str, action: Callable[[], object], frames: int, **goals: float) -> Row:
        return Row(name=name, value=_cost(action, seconds) / frames, **goals)

    server = _server()
    publishing, receiving = _client(), _client()
    return Table(
        title="Core per frame",
        unit="us",
        rows=[
            row("bare struct: read PUBLISH, write PUBACK", _bare_struct, 2),
            row("codec: read PUBLISH, write PUBACK", _codec, 2),
            row("server: one message in, one out", lambda: _serve(server), 4, goal=GOAL),
            row("client: publish, PUBACK", lambda: _publish(publishing), 2),
            row("client: delivery with its payload, PUBACK", _Receiver(receiving), 2),
            row("wsproto: message in, message out", _framing("wsproto"), 2),
            row("websockets: message in, message out", _framing("websockets"), 2),
        ],
    )


def _cost(action: Callable[[], object], seconds: float) -> float:
    """Microseconds of the fastest of several rounds: the others were disturbed."""
    rounds, best = 5, float("inf")
    for _ in range(rounds):
        count, begin = 0, time.process_time()
        spent = 0.0
        while spent < seconds / rounds:
            for _ in range(100):
                action()
            count += 100
            spent = time.process_time() - begin
        best = min(best, spent / count)
    return best * 1e6


def _bare_struct() -> bytes:
    """The least that anybody could do for the same bytes."""
    message = _PUBLISH
    (size,) = _SIZE.unpack_from(message, 1)
    topic = message[3 : 3 + size].decode()
    offset = 3 + size
    (size,) = _SIZE.unpack_from(message, offset)
    target = message[offset + 2 : offset + 2 + size].decode()
    offset += 2 + size
    (message_id,) = _SIZE.unpack_from(message, offset)
    data = message[offset + 2 :]
    assert topic and target and data  # noqa: PT018 (one statement, because it is measured)
    uid = _ACK.uid.encode()
    return _PUBACK.pack(0x40, message_id, _ACK.date, 0, 1, len(uid)) + uid


_SIZE: Final = struct.Struct(">H")
_PUBACK: Final = struct.Struct(">BHIHHH")


def _codec() -> bytes:
    decode(_PUBLISH, Role.CLIENT)
    return encode(_ACK)


def _server() -> ServerConnection:
    """A connection whose client is up to date, so that messages are delivered directly."""
    server = ServerConnection(Login(app_key="app", token=""), now=0.0)
    server.accept("receiver", "session", timestamp=START, now=0.0)
    pull = payloads.encode(payloads.SyncRequestMsg(syncTime=0, ispolling=False))
    query = Query(topic=Topic.PULL_MSG, target_id="", message_id=MessageId(1), data=pull)
    server.receive_message(encode(query), now=0.0)
    server.answer_pull(MessageId(1), [], sync_time=START, newest=START, is_finished=True, now=0.0)
    while server.next_event() is not None:
        pass
    server.messages_to_send()
    return server


def _serve(server: ServerConnection) -> None:
    server.receive_message(_PUBLISH, now=1.0)
    event = server.next_event()
    assert isinstance(event, PublishReceived)
    server.acknowledge(event.frame.message_id, timestamp=START, uid=_ACK.uid, now=1.0)
    server.offer(_ITEM, time=TimeMs(START + 1), now=1.0)
    out = server.messages_to_send()
    assert len(out) == 2
    server.receive_message(_DELIVERY_ACK, now=1.0)
    server.next_deadline()


_DELIVERY_ACK: Final = encode(DeliveryAck(message_id=MessageId(0)))


def _client() -> ClientConnection:
    client = ClientConnection(ClientSession())
    client.connect(now=0.0)
    accepted = ConnAck(status=0, user_id="receiver", session_id="session", timestamp=START)
    client.receive_frame(accepted, now=0.0)
    page = payloads.DownStreamMessages(syncTime=START, finished=True)
    answer = QueryAck(message_id=MessageId(1), date=0, status=0, data=payloads.encode(page))
    client.receive_frame(answer, now=0.0)
    while client.next_event() is not None:
        pass
    client.messages_to_send()
    return client


def _publish(client: ClientConnection) -> None:
    message_id = client.publish(_MESSAGE, now=1.0)
    client.messages_to_send()
    answer = b"\x40" + message_id.to_bytes(2) + _ACK_AFTER_ID
    client.receive_message(answer, now=1.0)
    client.next_event()
    client.next_deadline()


_ACK_AFTER_ID: Final = encode(_ACK)[3:]


class _Receiver:
    """Takes one pushed message after the other, each with a time and uid of its own."""

    def __init__(self, client: ClientConnection) -> None:
        self._client = client
        self._count = 0
        head = encode(
            Delivery(
                date=0, topic=Topic.S_MSG, target_id="receiver", message_id=MessageId(0), data=_ITEM
            )
        )
        self._before, self._after = head.split(b"C0FF-EE00-C0FF-EE00")

    def __call__(self) -> None:
        self._count += 1
        client = self._client
        message = self._before + b"%019d" % self._count + self._after
        client.receive_message(message, now=1.0)
        event = client.next_event()
        assert isinstance(event, MessageReceived)
        client.acknowledge(event.receipt, now=1.0)
        client.messages_to_send()
        client.next_deadline()


def _framing(name: str) -> Callable[[], None]:
    """The other half of what a server does with bytes, for comparison."""
    make = framer_factory(name)
    client, server = make(Role.CLIENT, Limits()), make(Role.SERVER, Limits())
    client.send_message(_PUBLISH)
    received, answer = client.data_to_send(), encode(_ACK)

    def run() -> None:
        server.receive_data(received)
        server.next_message()
        server.send_message(answer)
        server.data_to_send()

    return run
