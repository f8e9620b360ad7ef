"""The protocol inside somebody else's server: an ASGI application that echoes messages.

The host (uvicorn, hypercorn, daphne, ...) speaks HTTP and WebSocket; the core speaks the
protocol. Try it:

    pip install 'improto[asyncio]' uvicorn && uvicorn examples.asgi_host:app
"""

from __future__ import annotations

import math
import time
from typing import Any
from urllib.parse import parse_qsl

import anyio

from improto import Login, ServerConnection, payloads
from improto.codes import ConversationType, ErrorCode
from improto.events import ConnectionClosed, PublishReceived, PullReceived, QueryReceived
from improto.frames import TimeMs


class EchoSession:
    """One WebSocket of the host."""

    def __init__(self, scope: dict[str, Any], send: Any) -> None:
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        login = Login.from_query(query)
        self.connection = ServerConnection(login, now=time.monotonic())
        self.inbox: list[tuple[TimeMs, bytes]] = []
        self._send = send
        # A real program checks app key and token here and may call refuse() instead.
        self.connection.accept(
            login.token, "session", timestamp=self._server_time(), now=time.monotonic()
        )

    def _server_time(self) -> TimeMs:
        newest = self.inbox[-1][0] if self.inbox else 0
        return TimeMs(max(int(time.time() * 1000), newest + 1))

    def handle(self, event: Any) -> None:
        connection, stamp, now = self.connection, self._server_time(), time.monotonic()
        match event:
            case PublishReceived():
                up = payloads.decode(payloads.UpStreamMessage, event.frame.data)
                connection.acknowledge(
                    event.frame.message_id, timestamp=stamp, uid=f"{stamp:X}", now=now
                )
                echo = payloads.DownStreamMessage(
                    fromUserId=event.frame.target_id,
                    type=ConversationType.PRIVATE,
                    classname=up.classname,
                    content=up.content,
                    dataTime=stamp + 1,
                    status=0,
                    msgId=f"{stamp + 1:X}",
                )
                self.inbox.append((TimeMs(stamp + 1), payloads.encode(echo)))
                connection.offer(self.inbox[-1][1], time=TimeMs(stamp + 1), now=now)
            case PullReceived():
                items = [item for at, item in self.inbox if at > event.sync_time]
                newest = self.inbox[-1][0] if self.inbox else TimeMs(0)
                connection.answer_pull(
                    event.message_id,
                    items,
                    sync_time=newest,
                    newest=newest,
                    is_finished=True,
                    now=now,
                )
            case QueryReceived():
                connection.answer(
                    event.frame.message_id,
                    timestamp=stamp,
                    status=ErrorCode.NOT_SUPPORT,
                    now=now,
                )

    async def pump(self) -> bool:
        """Handle what happened, send what is ready; False when it is over."""
        end = None
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, ConnectionClosed):
                end = event
            elif self.connection.is_online:
                self.handle(event)
        for message in self.connection.messages_to_send():
            await self._send({"type": "websocket.send", "bytes": message})
        if end is not None:
            await self._send({"type": "websocket.close", "code": end.close_code})
        return end is None


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket", "mount this below your own routes"
    await receive()
    await send({"type": "websocket.accept"})
    session = EchoSession(scope, send)
    await session.pump()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_time, session, tasks.cancel_scope)
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes") or b""
            session.connection.receive_message(data, now=time.monotonic())
            if not await session.pump():
                break
        tasks.cancel_scope.cancel()


async def keep_time(session: EchoSession, scope: anyio.CancelScope) -> None:
    """Wake the core when it asks for it; often enough is good enough."""
    while True:
        deadline = session.connection.next_deadline()
        await anyio.sleep(min(1.0, max(0.0, (deadline or math.inf) - time.monotonic())))
        session.connection.handle_timeout(now=time.monotonic())
        if not await session.pump():
            scope.cancel()
