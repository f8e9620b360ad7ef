"""A line that breaks after as many bytes as it was told."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from tests.checker.proxy import Proxy
from tests.checker.script import Cut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def echo_behind(*cuts: Cut | None) -> AsyncIterator[Proxy]:
    """A proxy in front of a server that says everything twice."""

    async def repeat(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError):
                async for data in stream:
                    await stream.send(data * 2)

    planned = deque(cuts)
    proxy = Proxy(planned.popleft)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        await tasks.start(proxy.serve)
        proxy.target_port = listener.extra(SocketAttribute.local_port)
        tasks.start_soon(listener.serve, repeat)
        yield proxy
        tasks.cancel_scope.cancel()


async def hear(proxy: Proxy, *words: bytes) -> bytes:
    """Say something, one word after the other, and listen until the line is dead."""
    heard = b""
    async with await anyio.connect_tcp("127.0.0.1", proxy.port) as stream:
        with anyio.fail_after(10):
            for word in words:
                await stream.send(word)
                try:
                    heard += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return heard
            with suppress(anyio.BrokenResourceError):
                async for data in stream:
                    heard += data
    return heard


async def test_a_cut_towards_the_server_lets_through_what_it_says() -> None:
    async with echo_behind(Cut(to_server=True, after=4)) as proxy:
        heard = await hear(proxy, b"ab", b"cdef")
        # Of the answer to the last bytes more or less may come, but of nothing else.
        assert heard[:4] == b"abab"
        assert b"ababcdcd".startswith(heard)
        assert proxy.cuts == 1


async def test_a_cut_towards_the_client_lets_through_what_it_says() -> None:
    async with echo_behind(Cut(to_server=False, after=5)) as proxy:
        assert await hear(proxy, b"ab", b"cd") == b"ababc"
        assert proxy.cuts == 1


async def test_a_line_without_a_cut_holds() -> None:
    async with (
        echo_behind(None) as proxy,
        await anyio.connect_tcp("127.0.0.1", proxy.port) as stream,
    ):
        await stream.send(b"x" * 50_000)
        heard = b""
        with anyio.fail_after(10):
            while len(heard) < 100_000:
                heard += await stream.receive()
        assert proxy.cuts == 0


async def test_without_a_server_the_line_is_dead_at_once() -> None:
    async with echo_behind(None) as proxy:
        proxy.target_port = 1
        assert await hear(proxy, b"ab") == b""
        assert proxy.cuts == 0
