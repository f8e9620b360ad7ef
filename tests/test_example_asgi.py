"""The ASGI example, driven by a host of a few lines and a client core."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from examples.asgi_host import app
from improto import ClientConnection, ClientSession, Conversation, Login, compose
from improto.contents import Text
from improto.events import (
    CaughtUp,
    Connected,
    ConnectionClosed,
    MessageReceived,
    PublishAcknowledged,
)


class Host:
    """What an ASGI server does for one WebSocket."""

    def __init__(self) -> None:
        self._to_app, self._app_receives = anyio.create_memory_object_stream[dict[str, Any]](100)
        self._app_sends, self.from_app = anyio.create_memory_object_stream[dict[str, Any]](100)

    async def run(self) -> None:
        target = Login(app_key="app", token="ann").target
        scope = {"type": "websocket", "query_string": target.partition("?")[2].encode()}
        await self._to_app.send({"type": "websocket.connect"})
        await app(scope, self._app_receives.receive, self._app_sends.send)

    async def deliver(self, client: ClientConnection) -> None:
        for message in client.messages_to_send():
            await self._to_app.send({"type": "websocket.receive", "bytes": message})

    async def hang_up(self) -> None:
        await self._to_app.send({"type": "websocket.disconnect", "code": 1000})

    async def close(self) -> None:
        for stream in (self._to_app, self._app_receives, self._app_sends, self.from_app):
            await stream.aclose()


async def until(host: Host, client: ClientConnection, kind: type) -> Any:
    """Feed the client until it tells an event of this kind."""
    while True:
        while (event := client.next_event()) is not None:
            if isinstance(event, kind):
                return event
        message = await host.from_app.receive()
        if message["type"] == "websocket.send":
            client.receive_message(message["bytes"], now=0.0)
        elif message["type"] == "websocket.close":
            client.receive_eof(now=0.0, clean=True)
        await host.deliver(client)


@pytest.mark.anyio
async def test_the_example_echoes_a_message() -> None:
    host = Host()
    client = ClientConnection(ClientSession())
    client.connect(now=0.0)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.run)
            assert (await until(host, client, Connected)).user_id == "ann"
            await until(host, client, CaughtUp)
            bob = Conversation.private("bob")
            client.publish(compose(bob, Text("hello")), now=0.0)
            await host.deliver(client)
            assert (await until(host, client, PublishAcknowledged)).status == 0
            echo = (await until(host, client, MessageReceived)).message
            assert echo.sender_id == "bob"
            assert echo.decoded() == Text("hello")
            await host.hang_up()
    await host.close()


@pytest.mark.anyio
async def test_the_example_closes_a_client_that_breaks_the_protocol() -> None:
    host = Host()
    client = ClientConnection(ClientSession())
    client.connect(now=0.0)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.run)
            await until(host, client, Connected)
            await host._to_app.send({"type": "websocket.receive", "bytes": b"\xff"})
            await until(host, client, ConnectionClosed)
    await host.close()
