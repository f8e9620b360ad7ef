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
TRANSPORTS = ("websocket", "polling")
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


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("loop", CONNECT)
def test_a_conversation(server: HostedServer, loop: str, transport: str) -> None:
    async def scenario() -> None:
        people = f"{loop}-{transport}"
        async with (
            connect(loop, server, f"alice-{people}", transport=transport) as alice,
            connect(loop, server, f"bob-{people}", transport=transport) as bob,
        ):
            sent = await alice.send(Conversation.private(bob.user_id), Text("hello"))
            message = await heard(bob)
            assert (message.uid, message.decoded()) == (sent.uid, Text("hello"))
            await bob.send(message.conversation, Text("hello yourself"))
            assert (await heard(alice)).decoded() == Text("hello yourself")

    run(loop, scenario)


@pytest.mark.parametrize(("transport", "count"), [("websocket", 300), ("polling", 50)])
def test_a_burst_comes_in_order(server: HostedServer, transport: str, count: int) -> None:
    texts = [f"message {number}" for number in range(count)]

    async def scenario() -> None:
        async with (
            connect("asyncio", server, f"carol-{transport}", transport=transport) as carol,
            connect("asyncio", server, f"dave-{transport}", transport=transport) as dave,
        ):
            async with anyio.create_task_group() as tasks:
                for text in texts:
                    tasks.start_soon(carol.send, Conversation.private(dave.user_id), Text(text))
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
    assert (status, body) == (200, b'{"status":2,"headerCode":32,"messageId":0}')
    status, _, body = asked(server, "GET", "/pullmsg.js?sessionid=unknown")
    assert (status, body) == (400, b"lost params")
    status, _, body = asked(server, "POST", "/v2/navi.json", "x" * 300_000)
    assert status == 413


def test_a_host_waits_for_nobody_who_has_stopped_polling(tmp_path: Path) -> None:
    """uvicorn waits for every request under way: a poll that nobody waits for must be none."""
    server = HostedServer(tmp_path, "uvicorn")

    async def scenario() -> None:
        async with connect("asyncio", server, "alice", transport="polling") as alice:
            await alice.send(Conversation.private("bob"), Text("bye"))

    try:
        server.start()
        run("asyncio", scenario)
        server.stop()
    finally:
        server.kill()


ENDS = [
    ("hypercorn on trio", "websocket"),
    ("hypercorn on trio", "polling"),
    ("uvicorn", "websocket"),
]
"""Not hypercorn on asyncio: it cancels what is left, and Python then logs how that went. And not
polls under uvicorn, which it waits for."""


@pytest.mark.parametrize(("host", "transport"), ENDS)
def test_clients_come_back_after_a_restart(host: str, transport: str, tmp_path: Path) -> None:
    server = HostedServer(tmp_path, host)

    async def say() -> None:
        async with connect("asyncio", server, "alice", transport=transport) as alice:
            await alice.send(Conversation.private("bob"), Text("before"))
            server.stop()
            end = await alice.wait_closed()
            assert end.reason.may_reconnect

    async def hear() -> None:
        async with connect("asyncio", server, "bob", transport=transport) as bob:
            assert (await heard(bob)).decoded() == Text("before")

    try:
        for scenario in (say, hear):
            server.start()
            run("asyncio", scenario)
        server.stop()
    finally:
        server.kill()
