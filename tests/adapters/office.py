"""What the adapters' tests talk to: a small service, and a peer of which every byte is written
by the test."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from wsproto.utilities import generate_accept_token

from improto import codec, payloads
from improto.config import Limits
from improto.frames import ConnAck, Frame, ProtocolVersion, Role, TimeMs
from improto.http import HttpResponse
from improto.login import Login
from improto.transports import WsprotoFramer
from tests.inboxes import LOGIN_TIME, Inboxes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    from improto.events import PublishReceived, QueryReceived
    from improto.http import HttpRequest
    from improto.service import Peer


class Office(Inboxes):
    """Private messages between users; and switches for everything a test needs."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: list[bytes] = []
        """Of every message that was published."""
        self.login_status = 0
        self.decides_logins = True
        self.answers = True
        self.status = 0
        self.error: Exception | None = None

    # -- the service -----------------------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        self._fail()
        return HttpResponse(status=200, body=f"{request.method} {request.path}".encode())

    def opened(self, peer: Peer) -> None:
        if not self.decides_logins:
            return
        if self.login_status:
            peer.refuse(self.login_status)
            return
        user_id = peer.login.token
        self.peers[user_id] = peer
        peer.accept(user_id, "session", timestamp=LOGIN_TIME)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        self._fail()
        up = payloads.decode(payloads.UpStreamMessage, event.frame.data)
        self.contents.append(up.content)
        if not self.answers:
            return
        self.time += 1
        peer.acknowledge(
            event.frame.message_id,
            timestamp=TimeMs(self.time),
            status=self.status,
            uid=f"U{self.time}",
        )
        if self.status == 0:
            self.deliver(event.frame.target_id, up.content, sender=peer.user_id or "")

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        if self.answers:
            peer.answer(
                event.frame.message_id,
                timestamp=TimeMs(self.time),
                status=self.status,
                data=event.frame.data,
            )

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class RawPeer:
    """One end of a TCP connection, worked by hand: bytes, WebSocket messages, frames."""

    def __init__(self, stream: SocketStream, role: Role) -> None:
        self.stream = stream
        self.framer = WsprotoFramer(role, Limits.for_client())
        self.was_reset = False
        self._role = role

    async def receive(self) -> Frame | None:
        """The next frame; None at the end of the stream or of the WebSocket."""
        while (message := self.framer.next_message()) is None:
            try:
                self.framer.receive_data(await self.stream.receive())
                if answer := self.framer.data_to_send():
                    await self.stream.send(answer)
            except anyio.EndOfStream:
                return None
            except anyio.BrokenResourceError:
                self.was_reset = True
                return None
        return codec.decode(
            message,
            self._role.peer,
            protocol_version=ProtocolVersion.V3,
            limits=Limits.for_client(),
        )

    def queue(self, frame: Frame) -> None:
        """Put a frame behind what the framer will say next."""
        self.framer.send_message(codec.encode(frame, limits=Limits.for_client()))

    async def send(self, frame: Frame) -> None:
        """Send one frame."""
        self.queue(frame)
        await self.stream.send(self.framer.data_to_send())

    async def read_to_end(self) -> bytes:
        """Every byte until the stream ends, in whatever way."""
        data = b""
        try:
            while True:
                data += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return data

    async def read_head(self) -> bytes:
        """An HTTP head, byte by byte, so that nothing behind it is lost."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.stream.receive(1)
        return head


UPGRADE = (
    b"host: test\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def raw_client(address: tuple[str, int]) -> AsyncIterator[RawPeer]:
    """A TCP connection to a server."""
    async with await anyio.connect_tcp(*address) as stream:
        yield RawPeer(stream, Role.CLIENT)


@asynccontextmanager
async def upgraded_client(
    address: tuple[str, int], *, token: str = "ann", sdk_version: str = "4.6.4"
) -> AsyncIterator[RawPeer]:
    """A client whose WebSocket is open; what the server says next is the test's business."""
    target = Login(app_key="app", token=token, sdk_version=sdk_version).target
    async with raw_client(address) as raw:
        await raw.stream.send(f"GET {target} HTTP/1.1\r\n".encode() + UPGRADE)
        assert (await raw.read_head()).startswith(b"HTTP/1.1 101")
        yield raw


@asynccontextmanager
async def scripted_server(
    script: Callable[[RawPeer], Awaitable[None]],
) -> AsyncIterator[tuple[str, int]]:
    """A server for one connection: ``script`` is all that it does, until the block ends."""
    multi = await anyio.create_tcp_listener(local_host="127.0.0.1")
    (listener,) = multi.listeners

    async def serve() -> None:
        async with await listener.accept() as stream:
            await script(RawPeer(stream, Role.SERVER))

    async with multi, anyio.create_task_group() as group:
        group.start_soon(serve)
        address: Any = listener.extra(anyio.abc.SocketAttribute.local_address)
        yield address[:2]
        group.cancel_scope.cancel()


async def open_websocket(raw: RawPeer) -> None:
    """Answer a client's opening handshake."""
    head = await raw.read_head()
    (key,) = re.findall(rb"(?i)\r\nsec-websocket-key: *(\S+)", head)
    await raw.stream.send(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: " + generate_accept_token(key) + b"\r\n\r\n"
    )


async def log_in(raw: RawPeer) -> None:
    """Answer the opening handshake, then accept the client as Ann."""
    await open_websocket(raw)
    await raw.send(
        ConnAck(
            status=0,
            user_id="ann",
            session_id="session",
            timestamp=LOGIN_TIME,
            protocol_version=ProtocolVersion.V3,
        )
    )


# -- for either end -------------------------------------------------------------------------


def connected(adapter: Any, server: Any, **options: Any) -> Any:
    """Ann, logged in at a server."""
    return adapter.connect(*server.addresses[0], app_key="app", token="ann", **options)


async def first(events: Any, kind: type) -> Any:
    """The next event of a kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until something is so."""
    while not condition():
        await anyio.lowlevel.checkpoint()
