"""Every public call is cancelled at its first checkpoint, at its second, and so on until it
completes. Each time the peer must have seen whole frames, and the connection must still work."""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from improto import payloads
from improto.contents import Text
from improto.events import CloseReason
from improto.messages import Conversation
from improto.operations import Topic
from tests.adapters.office import Office, connected, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

pytestmark = pytest.mark.anyio

BOB = Conversation.private("bob")
MOST_CHECKPOINTS = 200


class Sweep:
    """Cancels a call at one checkpoint after the other."""

    def __init__(self) -> None:
        self.checkpoint = 0
        self.completed = False

    async def run(self, call: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Make the call, and cancel it at the next checkpoint that was not tried yet."""
        self.checkpoint += 1
        assert self.checkpoint < MOST_CHECKPOINTS, "it never completes"
        with anyio.CancelScope() as scope:
            await self._watch(call(), scope.cancel)
        self.completed = not scope.cancel_called

    @types.coroutine
    def _watch(
        self, call: Coroutine[Any, Any, object], cancel: Callable[[], None]
    ) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = lambda: call.send(None)  # noqa: E731
        count = 0
        while True:
            try:
                wanted = step()
            except StopIteration:
                return
            count += 1
            if count == self.checkpoint:
                cancel()
            try:
                value = yield wanted
            except BaseException as error:
                raised = error
                step = lambda: call.throw(raised)  # noqa: B023, E731
            else:
                step = lambda: call.send(value)  # noqa: B023, E731


async def sweep(
    call: Callable[[], Coroutine[Any, Any, object]], check: Callable[[], Awaitable[object]]
) -> int:
    """Cancel a call everywhere, and check after each time; returns at how many places."""
    cancelling = Sweep()
    while not cancelling.completed:
        await cancelling.run(call)
        await check()
    return cancelling.checkpoint


CALLS = {
    "send": lambda client: client.send(BOB, Text("hi")),
    "ask": lambda client: client.ask(
        Topic.PULL_US,
        "ann",
        payloads.PullUserSettingInput(version=1),
        payloads.PullUserSettingInput,
    ),
    "next message": lambda client: anext(client.messages()),
    "next event": lambda client: anext(client.events()),
    "follow_room": lambda client: client.follow_room("lobby"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_calls_of_a_client(adapter: Any, office: Office, name: str) -> None:
    if name == "next message":
        office.deliver("ann", b"1")
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):

        async def still_works() -> None:
            assert (await client.send(BOB, Text("still here"))).uid

        async def call() -> None:
            await CALLS[name](client)

        assert await sweep(call, still_works) > 1
        assert server.connections == 1
    assert [end.reason for end in office.ends] == [CloseReason.PEER]


async def test_a_cancelled_reader_loses_no_message(adapter: Any, office: Office) -> None:
    received: list[bytes] = []
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        for number in range(5):
            office.deliver("ann", b"%d" % number)
            messages = client.messages()

            async def read(messages: Any = messages) -> None:
                received.append((await anext(messages)).content)

            async def nothing() -> None:
                pass

            await sweep(read, nothing)
    assert received == [b"%d" % number for number in range(5)]


async def test_waiting_for_the_window(adapter: Any, office: Office) -> None:
    """Cancelled in the queue, a request is not sent, and those behind it move up."""
    office.answers = False
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        client._desk.pause_sending(now=0.0)
        async with anyio.create_task_group() as group:

            async def give_up() -> None:
                with anyio.CancelScope() as scope:
                    scopes.append(scope)
                    await client.send(BOB, Text("never sent"))

            scopes: list[anyio.CancelScope] = []
            group.start_soon(give_up)
            await until(lambda: scopes)
            group.start_soon(client.send, BOB, Text("sent"))
            await anyio.wait_all_tasks_blocked()
            scopes[0].cancel()
            await anyio.wait_all_tasks_blocked()
            office.answers = True
            client._line.relieved()
    assert [Text("sent")] == [Text(content.decode()[12:-2]) for content in office.contents]


async def test_connecting(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:

        async def call() -> None:
            async with connected(adapter, server):
                pass

        async def nothing_is_left() -> None:
            await until(lambda: server.connections == 0)

        assert await sweep(call, nothing_is_left) > 2


async def test_connecting_with_tls(
    adapter: Any, office: Office, server_tls: Any, client_tls: Any
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:

        async def call() -> None:
            async with connected(adapter, server, ssl=client_tls):
                pass

        async def nothing_is_left() -> None:
            await until(lambda: server.connections == 0)

        assert await sweep(call, nothing_is_left) > 2


async def test_closing_a_client(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:

        async def call() -> None:
            async with connected(adapter, server) as client:
                await client.send(BOB, Text("hi"))
                await client.aclose()
                assert client.close_event.reason is CloseReason.LOCAL

        async def nothing_is_left() -> None:
            await until(lambda: server.connections == 0)

        await sweep(call, nothing_is_left)


async def test_serving(adapter: Any, office: Office, free_port: int) -> None:
    """However it is cancelled, the port is free afterwards."""

    async def call() -> None:
        async with (
            adapter.serve(office, "127.0.0.1", free_port) as server,
            connected(adapter, server),
        ):
            pass

    async def nothing_is_left() -> None:
        async with adapter.serve(office, "127.0.0.1", free_port):
            pass

    assert await sweep(call, nothing_is_left) > 2


async def test_closing_a_server(adapter: Any, office: Office, free_port: int) -> None:
    async def call() -> None:
        async with adapter.serve(office, "127.0.0.1", free_port) as server:
            async with connected(adapter, server):
                await server.aclose()
            await server.wait_closed()

    async def nothing_is_left() -> None:
        async with adapter.serve(office, "127.0.0.1", free_port):
            pass

    await sweep(call, nothing_is_left)


async def test_a_cancelled_server_says_goodbye(adapter: Any, office: Office) -> None:
    started = anyio.Event()
    servers: list[Any] = []

    async def serve() -> None:
        async with adapter.serve(office, "127.0.0.1", 0) as server:
            servers.append(server)
            started.set()
            await server.wait_closed()

    async with anyio.create_task_group() as outer:
        with anyio.CancelScope(shield=True):
            outer.start_soon(serve)
            await started.wait()
            async with connected(adapter, servers[0]) as client:
                outer.cancel_scope.cancel()
                assert (await client.wait_closed()).reason is CloseReason.PEER


async def test_a_cancelled_server_waits_for_its_handlers(
    adapter: Any, anyio_backend_name: str
) -> None:
    """Cancelled in the way of its runtime, and not by a scope of anyio, which never lets go."""
    finished: list[object] = []

    async def handler(session: Any) -> None:
        session.accept("ann")
        async for _ in session:
            pass
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        finished.append(session)

    async def serve() -> None:
        async with (
            adapter.serve_handler(handler, "127.0.0.1", 0) as server,
            connected(adapter, server),
        ):
            cancel()
            await anyio.sleep_forever()

    if anyio_backend_name == "trio":
        with trio.CancelScope() as scope:
            cancel = scope.cancel
            await serve()
    else:
        task = asyncio.create_task(serve())
        cancel = task.cancel  # type: ignore[assignment]
        await asyncio.wait([task])
    assert len(finished) == 1
