"""Where clients connect to in these tests: a small server, a line that can be cut, and others."""

from __future__ import annotations

import importlib
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.abc import SocketAttribute
from sniffio import current_async_library

from improto import payloads
from improto.frames import TimeMs
from improto.http import HttpResponse
from improto_client import connect
from tests.inboxes import LOGIN_TIME, Inboxes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import ByteStream, SocketStream, TaskStatus

    from improto.events import PublishReceived, PullReceived, QueryReceived
    from improto.http import HttpRequest
    from improto.service import Peer
    from improto_client import Im

    Hindrance: TypeAlias = Callable[[SocketStream], Awaitable[None]]


class Post(Inboxes):
    """Private messages between users whose tokens are their names; a test changes the rest.

    Like the real server it recognises a message that is sent again, by its unique id.
    """

    page = 50

    def __init__(self) -> None:
        super().__init__()
        self.answered: dict[tuple[str, int], tuple[int, str]] = {}
        self.received: list[str] = []
        """What was sent to it, each once, as text."""
        self.logins: list[str] = []
        self.asked: list[str] = []
        """Topics of all queries."""
        self.navigated: list[dict[str, str]] = []
        self.navigation: dict[str, Any] | HttpResponse = {}
        self.ping = 200
        self.refusals: list[int] = []
        """Statuses of the next logins; 0 accepts."""
        self.is_silent = False
        self.status = 0
        self.reply = b""
        self.replies: dict[str, bytes] = {}
        """By topic, where it is not :attr:`reply`."""

    # -- the service -----------------------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/ping":
            return HttpResponse(status=self.ping)
        self.navigated.append(dict(request.query))
        if isinstance(self.navigation, HttpResponse):
            return self.navigation
        body = json.dumps({"code": 200} | self.navigation).encode()
        return HttpResponse(status=200, body=b"getServerEndpoint(" + body + b");")

    def opened(self, peer: Peer) -> None:
        user = peer.login.token
        self.logins.append(user)
        status = self.refusals.pop(0) if self.refusals else 0
        if status:
            peer.refuse(status)
            return
        self.peers[user] = peer
        peer.accept(user, "session", timestamp=LOGIN_TIME)

    def published(self, peer: Peer, event: PublishReceived) -> None:
        if self.is_silent:
            return
        up = payloads.decode(payloads.UpStreamMessage, event.frame.data)
        key = (peer.user_id or "", up.clientUniqueId)
        if key not in self.answered or not up.clientUniqueId:
            self.time += 1
            self.answered[key] = self.time, f"U{self.time}"
            self.received.append(up.content.decode())
            if not self.status:
                self.deliver(event.frame.target_id, up.content, sender=key[0])
        time, uid = self.answered[key]
        peer.acknowledge(
            event.frame.message_id, timestamp=TimeMs(time), status=self.status, uid=uid
        )

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        self.asked.append(event.frame.topic)
        if not self.is_silent:
            peer.answer(
                event.frame.message_id,
                timestamp=TimeMs(self.time),
                status=self.status,
                data=self.replies.get(event.frame.topic, self.reply),
            )

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        if event.room_id is not None:
            self.asked.append(f"pull {event.room_id}")
            now = TimeMs(self.time)
            peer.answer_pull(event.message_id, [], sync_time=now, newest=now, is_finished=True)
            return
        super().pulled(peer, event)


@asynccontextmanager
async def serving(post: Post, **options: Any) -> AsyncIterator[int]:
    """The server, on the loop that runs; gives its port."""
    adapter = importlib.import_module(f"improto_{current_async_library()}")
    async with adapter.serve(post, "127.0.0.1", 0, **options) as server:
        port: int = server.addresses[0][1]
        yield port


def connected(port: int, user: str, **options: Any) -> AbstractAsyncContextManager[Im]:
    """A client of it that needs no navigation and comes back without chance."""
    defaults: dict[str, Any] = {
        "host": "127.0.0.1",
        "app_key": "app",
        "token": user,
        "jitter": lambda low, high: high,
    }
    settings = defaults | options
    return connect(port=port if settings["host"] else None, **settings)


class Line:
    """A line to the server, through which everything goes byte by byte."""

    def __init__(self) -> None:
        self.port = 0
        self.is_dead = False
        """New connections end at once."""
        self.hindrance: Hindrance | None = None
        """What is done to requests for a WebSocket; None: they are passed on like all else."""
        self.hindered = 0
        self.cuts = 0
        self._scopes: set[anyio.CancelScope] = set()

    def cut(self) -> None:
        """Every connection breaks, with what is on its way."""
        self.cuts += 1
        for scope in self._scopes:
            scope.cancel()

    async def run(self, port: int, *, task_status: TaskStatus[None]) -> None:
        """Pass on to this port, until cancelled."""
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            self.port = listener.extra(SocketAttribute.local_port)
            task_status.started()
            await listener.serve(lambda near: self._pass_on(near, port))

    async def _pass_on(self, near: SocketStream, port: int) -> None:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            async with near:
                if self.is_dead:
                    return
                first = b""
                if self.hindrance is not None:
                    with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                        first = await near.receive()
                    if b"upgrade: websocket" in first.lower():
                        self.hindered += 1
                        await self.hindrance(near)
                        return
                async with (
                    await anyio.connect_tcp("127.0.0.1", port) as far,
                    anyio.create_task_group() as tasks,
                ):
                    await far.send(first)
                    tasks.start_soon(_pump, near, far, scope)
                    tasks.start_soon(_pump, far, near, scope)
        self._scopes.discard(scope)


async def _pump(source: ByteStream, sink: ByteStream, scope: anyio.CancelScope) -> None:
    try:
        async for data in source:
            await sink.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    scope.cancel()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to a server."""
    line = Line()
    async with anyio.create_task_group() as tasks:
        await tasks.start(line.run, port)
        yield line
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def answering(script: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """Something else on a port: every connection to it gets this script."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            try:
                await script(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, answer)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


def saying(answer: bytes) -> Callable[[SocketStream], Awaitable[None]]:
    """A script that says this to whatever is asked, and closes."""

    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(answer)

    return script


async def no_upgrade(stream: SocketStream) -> None:
    """What a proxy says that knows no WebSocket."""
    await stream.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


async def silence(stream: SocketStream) -> None:
    """A script that says nothing at all."""
    await anyio.sleep_forever()


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until something is so."""
    # Looking every now and then takes no time on a clock that jumps.
    while not condition():  # noqa: ASYNC110
        await anyio.sleep(0.01)
