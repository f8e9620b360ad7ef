"""Clients of the protocol beside the routes of a FastAPI program: everybody hears everybody.

pip install 'improto[asgi]' fastapi uvicorn && uvicorn examples.fastapi_host:app
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from improto import payloads
from improto.asgi import ImApp
from improto.codes import ConversationType, ErrorCode
from improto.errors import DecodeError
from improto.frames import TimeMs
from improto.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from improto.events import ConnectionClosed, PublishReceived, PullReceived, QueryReceived
    from improto.service import Peer


class Square:
    """What is said to anybody is heard by all; nothing of it is kept."""

    def __init__(self) -> None:
        self.peers: set[Peer] = set()
        self._last = 0

    def next_time(self) -> TimeMs:
        """Each message has its own time, later than all before it."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return TimeMs(self._last)

    def http(self, request: HttpRequest) -> HttpResponse:
        """Plain requests that FastAPI has no route for."""
        headers = (("Access-Control-Allow-Origin", "*"),)
        if request.path == "/ping":
            return HttpResponse(status=200, headers=headers, body=b"pong")
        return HttpResponse(status=404, headers=headers)

    def opened(self, peer: Peer) -> None:
        """A real program checks app key and token here and may call refuse() instead."""
        self.peers.add(peer)
        peer.accept(peer.login.token, "session", timestamp=self.next_time())

    def published(self, peer: Peer, event: PublishReceived) -> None:
        stamp, message_id = self.next_time(), event.frame.message_id
        try:
            up = payloads.decode(payloads.UpStreamMessage, event.frame.data)
        except DecodeError:
            status = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
            peer.acknowledge(message_id, timestamp=stamp, status=status)
            return
        self.say(peer.user_id, up.classname, up.content, stamp)
        peer.acknowledge(message_id, timestamp=stamp, uid=f"{stamp:X}")

    def say(self, sender: str, classname: str, content: bytes, stamp: TimeMs) -> None:
        """Everybody but the sender hears it."""
        item = payloads.DownStreamMessage(
            fromUserId=sender,
            type=ConversationType.PRIVATE,
            classname=classname,
            content=content,
            dataTime=stamp,
            status=0,
            msgId=f"{stamp:X}",
        )
        for peer in self.peers:
            if peer.is_open and peer.user_id != sender:
                peer.push_status(payloads.encode(item), time=stamp)

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        peer.answer(
            event.frame.message_id, timestamp=self.next_time(), status=ErrorCode.NOT_SUPPORT
        )

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        now = self.next_time()
        peer.answer_pull(event.message_id, [], sync_time=now, newest=now, is_finished=True)

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        self.peers.discard(peer)


square = Square()
im = ImApp(square)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with im.running():
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/online")
async def online() -> list[str]:
    """Who is there."""
    return sorted(peer.user_id for peer in square.peers if peer.user_id)


app.mount("/", im)
