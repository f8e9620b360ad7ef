"""The protocol inside an aiohttp server, without any adapter of ours: private messages, in memory.

aiohttp speaks HTTP and WebSocket, the core speaks the protocol. Try it:

    pip install improto aiohttp && python examples/aiohttp_host.py 8080
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

from aiohttp import WSMsgType, web

from improto import Login, ServerConnection, payloads
from improto.codes import ConversationType, ErrorCode
from improto.errors import DecodeError
from improto.events import ConnectionClosed, Farewell, PublishReceived, PullReceived
from improto.frames import TimeMs


class Post:
    """Everybody's messages, and who is connected."""

    def __init__(self) -> None:
        self.inboxes: dict[str, list[tuple[TimeMs, bytes]]] = {}
        self.lines: set[Line] = set()
        self._last = 0

    def next_time(self) -> TimeMs:
        """Each message has its own time, later than all before it."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return TimeMs(self._last)

    def send(self, sender: str, to: str, up: payloads.UpStreamMessage) -> TimeMs:
        """Keep a message and tell its receiver; returns its time."""
        stamp = self.next_time()
        item = payloads.DownStreamMessage(
            fromUserId=sender,
            type=ConversationType.PRIVATE,
            classname=up.classname,
            content=up.content,
            dataTime=stamp,
            status=0,
            msgId=f"{stamp:X}",
        )
        data = payloads.encode(item)
        self.inboxes.setdefault(to, []).append((stamp, data))
        for line in self.lines:
            if line.connection.is_online and line.connection.user_id == to:
                line.connection.offer(data, time=stamp, now=line.now())
                line.news.set()
        return stamp


class Line:
    """One WebSocket. Its handler listens, and a task of its own speaks and keeps time."""

    def __init__(self, post: Post, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.now = asyncio.get_running_loop().time
        self.connection = ServerConnection(Login.from_query(request.query), now=self.now())
        self.news = asyncio.Event()
        self._post = post
        self._request = request
        self._socket = socket
        self._end: ConnectionClosed | None = None
        # A real program checks app key and token here and may call refuse() instead.
        user = self.connection.login.token
        self.connection.accept(user, "session", timestamp=post.next_time(), now=self.now())

    async def listen(self) -> None:
        """Hear the client out."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                break
            self.connection.receive_message(message.data, now=self.now())
            self._handle_events()
            self.news.set()

    async def speak(self) -> None:
        """Send what is ready, and look at the clock when the core wants it."""
        while self._end is None:
            self.news.clear()
            self.connection.handle_timeout(now=self.now())
            self._handle_events()
            with suppress(ConnectionError):
                for message in self.connection.messages_to_send():
                    await self._socket.send_bytes(message)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self.connection.next_deadline()):
                    await self.news.wait()
        if self._end.farewell is Farewell.ABORT and self._request.transport is not None:
            self._request.transport.abort()
        await self._socket.close(code=self._end.close_code)

    def _handle_events(self) -> None:
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, ConnectionClosed):
                self._end = event
                self.news.set()
            elif isinstance(event, PublishReceived):
                self._take_message(event)
            elif isinstance(event, PullReceived):
                self._answer_pull(event)
            else:
                self.connection.answer(
                    event.frame.message_id,
                    timestamp=self._post.next_time(),
                    status=ErrorCode.NOT_SUPPORT,
                    now=self.now(),
                )

    def _take_message(self, event: PublishReceived) -> None:
        frame, status = event.frame, 0
        try:
            up = payloads.decode(payloads.UpStreamMessage, frame.data)
        except DecodeError:
            stamp, status = self._post.next_time(), ErrorCode.BIZ_ERROR_INVALID_PARAMETER
        else:
            stamp = self._post.send(self.connection.user_id, frame.target_id, up)
        self.connection.acknowledge(
            frame.message_id, timestamp=stamp, status=status, uid=f"{stamp:X}", now=self.now()
        )

    def _answer_pull(self, event: PullReceived) -> None:
        inbox = self._post.inboxes.get(self.connection.user_id, [])
        found = [(at, item) for at, item in inbox if at > event.sync_time]
        page, rest = found[:100], found[100:]
        newest = inbox[-1][0] if inbox else event.sync_time
        self.connection.answer_pull(
            event.message_id,
            [item for _, item in page],
            sync_time=page[-1][0] if page else newest,
            newest=newest,
            is_finished=not rest,
            now=self.now(),
        )


async def serve(request: web.Request) -> web.WebSocketResponse:
    """One client, from beginning to end."""
    socket = web.WebSocketResponse(max_msg_size=256 * 1024, compress=False)
    await socket.prepare(request)
    post = request.app[POST]
    line = Line(post, request, socket)
    post.lines.add(line)
    speaker = asyncio.create_task(line.speak())
    try:
        await line.listen()
    finally:
        post.lines.discard(line)
        speaker.cancel()
    return socket


async def ping(request: web.Request) -> web.Response:
    """What SDKs ask before they connect. Their navigation belongs here, too."""
    return web.Response(text="pong", headers={"Access-Control-Allow-Origin": "*"})


POST = web.AppKey("post", Post)

app = web.Application()
app[POST] = Post()
app.add_routes([web.get("/websocket", serve), web.get("/ping", ping)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
