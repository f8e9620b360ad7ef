"""The reference server inside hypercorn and uvicorn, with real sockets and our own clients."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import improto_asyncio
import improto_trio
from improto import Conversation
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CloseReason
from tests.asgi.serving import HOSTS, HostedServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from improto.messages import ChatMessage
    from improto_asyncio import Client
    from tests.interop.server import ImServer

pytestmark = pytest.mark.slow

CONNECT = {"asyncio": improto_asyncio.connect, "trio": improto_trio.connect}
PATIENCE = 30.0
"""Seconds until something that does not happen is a failure."""


@pytest.fixture(scope="module", params=HOSTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path_factory.mktemp("hosted"), request.param)
    server.start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def connect(loop: str, server: ImServer, user: str, **options: Any) -> Any:
    options = {"app_key": server.app_key, "token": server.token(user), **options}
    return CONNECT[loop](server.host, server.port, **options)


def run(loop: str, scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await scenario()

    anyio.run(bounded, backend=loop)


async def heard(client: Client) -> ChatMessage:
    async for message in client.messages():
        return message
    raise AssertionError("the connection has ended")


@pytest.mark.parametrize("loop", CONNECT)
def test_a_conversation(server: HostedServer, loop: str) -> None:
    async def scenario() -> None:
        async with (
            connect(loop, server, f"alice-{loop}") as alice,
            connect(loop, server, f"bob-{loop}") as bob,
        ):
            sent = await alice.send(Conversation.private(bob.user_id), Text("hello"))
            message = await heard(bob)
            assert (message.uid, message.decoded()) == (sent.uid, Text("hello"))
            await bob.send(message.conversation, Text("hello yourself"))
            assert (await heard(alice)).decoded() == Text("hello yourself")

    run(loop, scenario)


def test_a_burst_comes_in_order(server: HostedServer) -> None:
    texts = [f"message {number}" for number in range(300)]

    async def scenario() -> None:
        async with (
            connect("asyncio", server, "carol") as carol,
            connect("asyncio", server, "dave") as dave,
        ):
            async with anyio.create_task_group() as tasks:
                for text in texts:
                    tasks.start_soon(carol.send, Conversation.private("dave"), Text(text))
            found = []
            async for message in dave.messages():
                found.append(message.decoded())
                if len(found) == len(texts):
                    break
            assert found == [Text(text) for text in texts]

    run("asyncio", scenario)


def test_a_second_device_replaces_the_first(server: HostedServer) -> None:
    async def scenario() -> None:
        async with connect("asyncio", server, "erin") as first:
            async with connect("asyncio", server, "erin"):
                end = await first.wait_closed()
            assert end.reason is CloseReason.KICKED

    run("asyncio", scenario)


def test_a_wrong_token_is_refused(server: HostedServer) -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionEnded) as error:
            async with improto_asyncio.connect(
                server.host, server.port, app_key=server.app_key, token="wrong"
            ):
                raise AssertionError("it is in")
        assert error.value.reason is CloseReason.REFUSED

    run("asyncio", scenario)


def asked(server: ImServer, method: str, target: str, body: str = "", **headers: str) -> Any:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_navigation_leads_to_where_it_was_asked(server: HostedServer) -> None:
    token = server.token("alice")
    form = {"Content-Type": "application/x-www-form-urlencoded", "RC-Appkey": server.app_key}
    status, headers, body = asked(
        server, "POST", "/v2/navi.json", f"token={token}&v=5.38.0", **form
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == "*"
    reply = json.loads(body)
    assert (reply["userId"], reply["server"]) == ("alice", f"127.0.0.1:{server.port}")
    target = f"/navi.js?appId={server.app_key}&token={token}&v=2.9.2&callBack=getServerEndpoint"
    status, _, body = asked(server, "GET", target)
    assert body.startswith(b"getServerEndpoint(")


def test_plain_requests(server: HostedServer) -> None:
    status, _, body = asked(server, "GET", "/ping")
    assert (status, body) == (200, b"pong")
    status, _, body = asked(server, "HEAD", "/ping")
    assert (status, body) == (405, b"")
    status, _, body = asked(server, "GET", "/websocket?appId=a&token=t")
    assert (status, body) == (200, b'{"status":3,"headerCode":32,"messageId":0}')
    status, _, body = asked(server, "POST", "/v2/navi.json", "x" * 300_000)
    assert status == 413


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "hypercorn on asyncio"])
def test_clients_come_back_after_a_restart(host: str, tmp_path: Path) -> None:
    """hypercorn cancels what is left, and on asyncio Python then logs how that went."""
    server = HostedServer(tmp_path, host)

    async def say() -> None:
        async with connect("asyncio", server, "alice") as alice:
            await alice.send(Conversation.private("bob"), Text("before"))
            server.stop()
            end = await alice.wait_closed()
            assert end.reason.may_reconnect

    async def hear() -> None:
        async with connect("asyncio", server, "bob") as bob:
            assert (await heard(bob)).decoded() == Text("before")

    try:
        for scenario in (say, hear):
            server.start()
            run("asyncio", scenario)
        server.stop()
    finally:
        server.kill()
