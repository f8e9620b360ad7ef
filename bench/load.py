"""Clients that do as little as possible, so that what they load is the bottleneck and not they.

They speak the protocol as the real clients do: log in, pull until there is nothing more, answer
every delivery with a PUBACK and every announcement with a pull. But what they send was encoded
before and is masked with zeros, and of what comes only the few bytes are read that matter.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.processes import APP, token
from improto import contents, payloads
from improto.codec import encode
from improto.codes import ConversationType, NotifyType
from improto.frames import DeliveryAck, FrameType, MessageId, PingReq, Publish, Query
from improto.login import Login
from improto.messages import Conversation, compose
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

TEXT: Final = "x" * 120
PATIENCE: Final = 120.0
"""Seconds for anything that should take a few."""

_SHORT: Final = struct.Struct(">H")
_LONG: Final = struct.Struct(">Q")
_LENGTH: Final = struct.Struct(">I")

_CONNACK: Final = FrameType.CONNACK << 4
_DELIVERY: Final = FrameType.PUBLISH << 4
_PUBACK: Final = FrameType.PUBACK << 4
_QUERYACK: Final = FrameType.QUERYACK << 4
_QOS: Final = 0x06
"""The two bits of QoS; a delivery is acknowledged unless they are zero (wire 4.3)."""

_PULL, _ROOM_PULL, _QUESTION = 0xFFFF, 0xFFFE, 0xFFFD
"""Message ids of queries; those of messages begin at 1."""

_ACCEPTED: Final = 0
_OK: Final = b"\x00\x00"

_ANNOUNCEMENT: Final = b"\x00\x05s_ntf"
"""The topic of an announcement, with its length; after the header and the date (wire 4.3)."""

_PAYLOAD: Final = 14
"""Bytes of a delivery before its target id: header, date, and a topic of five letters with its
length, then the length of the target id."""

_UNIQUE_ID: Final = (1 << 56) - 1
"""Stands for any number whose varint has eight bytes."""


class Framing(ABC):
    """How frames lie in a stream."""

    @abstractmethod
    def hello(self, user: str) -> bytes:
        """What a client says first."""

    @abstractmethod
    def skip_welcome(self, data: bytes) -> int | None:
        """Where the first frame begins; None if the answer to hello is not complete."""

    @abstractmethod
    def header(self, size: int) -> bytes:
        """What stands before a frame of a client."""

    @abstractmethod
    def cut(self, data: bytes, position: int) -> tuple[list[tuple[int, int]], int]:
        """Begin and end of each whole frame of a server, and where the rest begins."""


class WebSocketFraming(Framing):
    """As browsers do it (RFC 6455); masked with zeros, which costs the server as much as others."""

    def hello(self, user: str) -> bytes:
        target = Login(app_key=APP, token=token(user)).target
        return (
            f"GET {target} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def skip_welcome(self, data: bytes) -> int | None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        if not data.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no WebSocket: {data[:end].decode()}")
        return end + 4

    def header(self, size: int) -> bytes:
        short = bytes((0x82, 0x80 | size)) if size < 126 else b"\x82\xfe" + _SHORT.pack(size)
        return short + bytes(4)

    def cut(self, data: bytes, position: int) -> tuple[list[tuple[int, int]], int]:
        frames, available = [], len(data)
        while available - position >= 2:
            if data[position] != 0x82:
                raise ConnectionError(f"not a whole binary message: {data[position:][:130]!r}")
            size = data[position + 1]
            begin = position + 2
            if size == 126 and available - begin >= 2:
                (size,) = _SHORT.unpack_from(data, begin)
                begin += 2
            elif size == 127 and available - begin >= 8:
                (size,) = _LONG.unpack_from(data, begin)
                begin += 8
            elif size > 125:
                break
            if begin + size > available:
                break
            position = begin + size
            frames.append((begin, position))
        return frames, position


class LengthFraming(Framing):
    """As :mod:`bench.forwarder` does it."""

    def hello(self, user: str) -> bytes:
        return self.header(len(user)) + user.encode()

    def skip_welcome(self, data: bytes) -> int | None:
        return 0

    def header(self, size: int) -> bytes:
        return _LENGTH.pack(size)

    def cut(self, data: bytes, position: int) -> tuple[list[tuple[int, int]], int]:
        frames, available = [], len(data)
        while available - position >= _LENGTH.size:
            begin = position + _LENGTH.size
            end = begin + _LENGTH.unpack_from(data, position)[0]
            if end > available:
                break
            frames.append((begin, end))
            position = end
        return frames, position


class Client(asyncio.Protocol):
    """One connection of one user."""

    def __init__(self, user: str, framing: Framing) -> None:
        self._user = user
        self._framing = framing
        self._buffer = b""
        self._is_welcome = False
        self._out: list[bytes] = []
        self._waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Sending
        self._compose: Callable[[int], bytes] = partial(_impossible, "no target")
        self._left = 0
        self._count = 0
        self._unacknowledged = 0
        # Receiving
        self.received = 0
        """How many messages have come."""
        self._expected = 0
        self._delivery_ack = self._framed(encode(DeliveryAck(message_id=MessageId(0))))
        self._cursor = 0
        self._announced = 0
        self._newest_push = b""
        self._is_pulling = False
        # In a room
        self._room = ""
        self._room_cursor = 0
        self._room_announced = 0
        self._is_pulling_room = False
        # Asking
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    # -- what it is asked to do ------------------------------------------------------

    async def up_to_date(self) -> None:
        """Wait until it has logged in and pulled everything."""
        await self._waiting

    def talk_to(self, receiver: str, *, type: ConversationType = ConversationType.PRIVATE) -> None:
        """Write to this user, group or room from now on."""
        message = compose(
            Conversation(type=type, target_id=receiver),
            contents.Text(TEXT),
            unique_id=_UNIQUE_ID,
        )
        message_id = MessageId(0xFFFF)
        frame = encode(
            Publish(
                topic=message.topic, target_id=receiver, message_id=message_id, data=message.data
            )
        )
        before, _, after = frame.partition(_SHORT.pack(message_id))
        between, _, after = after.partition(_varint(_UNIQUE_ID))
        head = self._framing.header(len(frame)) + before

        def compose_number(number: int) -> bytes:
            unique = number | 1 << 55
            return b"".join(
                (head, _SHORT.pack(number % 65535 + 1), between, _varint(unique), after)
            )

        self._compose = compose_number

    async def send(self, count: int, *, window: int) -> None:
        """Write ``count`` messages, ``window`` at a time, until all are acknowledged."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._left = count
        self._publish(min(window, count))
        self._flush()
        await self._waiting

    async def receive(self, count: int) -> None:
        """Wait for ``count`` messages."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._expected = count
        await self._waiting

    async def ask(self, topic: Topic, target: str, request: payloads.Message) -> bytes:
        """Send a QUERY and return the payload of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._query(topic, target, request, _QUESTION)
        self._flush()
        return await self._answer

    async def join(self, room: str) -> None:
        """Go into a chatroom and read there from now on."""
        answer = await self.ask(Topic.JOIN_CHRM, room, payloads.ChrmInput(nothing=0))
        self._room = room
        self._room_cursor = payloads.ChrmOutput.FromString(answer).joinTime

    def close(self) -> None:
        """Leave without a word."""
        self._waiting.cancel()
        self._transport.abort()

    # -- asyncio.Protocol ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        transport.write(self._framing.hello(self._user))

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        position = 0
        if not self._is_welcome:
            begin = self._framing.skip_welcome(data)
            if begin is None:
                self._buffer = data
                return
            self._is_welcome, position = True, begin
        frames, position = self._framing.cut(data, position)
        self._buffer = data[position:]
        acknowledged = 0
        for begin, end in frames:
            kind = data[begin] & 0xF0
            if kind == _PUBACK:
                if data[begin + 7 : begin + 9] != _OK:
                    self._fail(f"PUBACK {data[begin:end].hex()}")
                acknowledged += 1
            elif kind == _DELIVERY:
                self._delivered(data[begin:end])
            elif kind == _QUERYACK:
                self._answered(data[begin:end])
            elif kind == _CONNACK:
                self._logged_in(data[begin:end])
        if acknowledged:
            self._acknowledged(acknowledged)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server closed the connection")

    # -- sending ---------------------------------------------------------------------

    def _publish(self, count: int) -> None:
        first = self._count
        self._count += count
        self._left -= count
        self._unacknowledged += count
        self._out.extend(map(self._compose, range(first, self._count)))

    def _acknowledged(self, count: int) -> None:
        self._unacknowledged -= count
        if self._left:
            self._publish(min(count, self._left))
        elif not self._unacknowledged:
            self._done()

    # -- receiving -------------------------------------------------------------------

    def _logged_in(self, frame: bytes) -> None:
        if frame[2] != _ACCEPTED:
            self._fail(f"CONNACK {frame[2]}")
        self._out.append(self._framed(encode(PingReq())))
        self._pull()

    def _delivered(self, frame: bytes) -> None:
        if frame[0] & _QOS:
            self._out.append(self._delivery_ack)
        if frame[5:12] == _ANNOUNCEMENT:
            announcement = payloads.NotifyMsg.FromString(_payload(frame))
            if announcement.type == NotifyType.CHATROOM:
                self._room_announced = max(self._room_announced, announcement.time)
                if not self._is_pulling_room:
                    self._pull_room()
                return
            self._announced = max(self._announced, announcement.time)
            if not self._is_pulling:
                self._pull()
        else:
            self._newest_push = frame
            self._received(1)

    def _pull(self) -> None:
        if self._newest_push:
            pushed = payloads.DownStreamMessage.FromString(_payload(self._newest_push))
            self._cursor = max(self._cursor, pushed.dataTime)
            self._newest_push = b""
        pull = payloads.SyncRequestMsg(
            syncTime=self._cursor,
            ispolling=False,
            isPullSend=True,
            sendBoxSyncTime=0,
            broadcastSyncTime=1,
        )
        self._query(Topic.PULL_MSG, self._user, pull, _PULL)
        self._is_pulling = True

    def _pull_room(self) -> None:
        pull = payloads.ChrmPullMsg(syncTime=self._room_cursor, count=10)
        self._query(Topic.CHRM_PULL, self._room, pull, _ROOM_PULL)
        self._is_pulling_room = True

    def _query(self, topic: Topic, target: str, request: payloads.Message, number: int) -> None:
        query = Query(
            topic=topic,
            target_id=target,
            message_id=MessageId(number),
            data=payloads.encode(request),
        )
        self._out.append(self._framed(encode(query)))

    def _answered(self, frame: bytes) -> None:
        (number,) = _SHORT.unpack_from(frame, 1)
        if frame[7:9] != _OK:
            self._fail(f"QUERYACK {frame[:9].hex()}")
        elif number == _PULL:
            self._pulled(frame)
        elif number == _ROOM_PULL:
            self._pulled_room(frame)
        else:
            self._answer.set_result(frame[9:])

    def _pulled_room(self, frame: bytes) -> None:
        self._is_pulling_room = False
        page = payloads.DownStreamMessages.FromString(frame[9:])
        self._room_cursor = max(self._room_cursor, page.syncTime)
        self._received(len(page.list))
        if self._room_announced > self._room_cursor:
            self._pull_room()

    def _pulled(self, frame: bytes) -> None:
        self._is_pulling = False
        page = payloads.DownStreamMessages.FromString(frame[9:])
        self._cursor = max(self._cursor, page.syncTime)
        if page.list:
            self._received(len(page.list))
        if not page.finished or self._announced > self._cursor:
            self._pull()
        elif not self._expected and not self._left and not self._unacknowledged:
            self._done()

    def _received(self, count: int) -> None:
        self.received += count
        if not self._expected:
            return
        self._expected -= count
        if self._expected == 0:
            self._done()
        elif self._expected < 0:
            self._fail("a message came that nobody had sent")

    # -- all -------------------------------------------------------------------------

    def _framed(self, frame: bytes) -> bytes:
        return self._framing.header(len(frame)) + frame

    def _flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _done(self) -> None:
        if not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, text: str) -> None:
        error = ConnectionError(f"{self._user}: {text}")
        if not self._waiting.done():
            self._waiting.set_exception(error)


@asynccontextmanager
async def clients(
    users: Sequence[str], port: int, framing: Framing, *, at_once: int = 1
) -> AsyncIterator[list[Client]]:
    """These users, connected for one block. Of an IM server they are up to date.

    ``at_once``: how many of them come together; the next come when these are up to date.
    """
    connected: list[Client] = []
    try:
        for first in range(0, len(users), at_once):
            together = users[first : first + at_once]
            async with asyncio.timeout(PATIENCE):
                connected += await asyncio.gather(
                    *(_client(user, port, framing) for user in together)
                )
        yield connected
    finally:
        for client in connected:
            client.close()


async def _client(user: str, port: int, framing: Framing) -> Client:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(partial(Client, user, framing), "127.0.0.1", port)
    if isinstance(framing, WebSocketFraming):
        await client.up_to_date()
    return client


def _varint(number: int) -> bytes:
    """Eight bytes, for numbers from 2**49 to 2**56 - 1."""
    low = (number >> shift & 0x7F | 0x80 for shift in range(0, 49, 7))
    return bytes((*low, number >> 49))


def _payload(frame: bytes) -> bytes:
    """What a delivery on a topic of five letters carries."""
    (size,) = _SHORT.unpack_from(frame, _PAYLOAD - 2)
    return frame[_PAYLOAD + size + 2 :]


def _impossible(text: str, number: int) -> bytes:
    raise RuntimeError(text)
