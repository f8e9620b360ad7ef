"""Networks without WebSocket: the client polls, and finds its way back; on clocks that jump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.codes import ConnectionStatus
from improto.messages import Conversation
from improto_client import NoWebSocket, ServerBusy, connect
from improto_client.ways import FIRST_PAUSE
from tests.client.places import Post, connected, line_to, no_upgrade, serving, silence, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from improto_client import Im
    from improto_client.receiving import Feed

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

ANN, BOB = Conversation.private("ann"), Conversation.private("bob")


async def hang_up(stream: Any) -> None:
    """A proxy that wants no part in it."""


def taken(feed: Feed[ConnectionStatus]) -> list[int]:
    statuses = [int(status) for status in feed._items]
    feed._items.clear()
    return statuses


async def back(im: Im) -> None:
    """A connection that was lost is there again."""
    await until(lambda: im.status is not ConnectionStatus.CONNECTED)
    await until(lambda: im.status is ConnectionStatus.CONNECTED)


@pytest.mark.parametrize("hindrance", [no_upgrade, hang_up, silence])
async def test_without_websocket_it_polls(hindrance: Callable[[Any], Awaitable[None]]) -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line:
        line.hindrance = hindrance
        async with connected(line.port, "ann") as im:
            assert im.transport == "polling"
            await im.messages.send(BOB, "hi")
            post.deliver("ann", b'{"content":"hello"}')
            assert (await anext(aiter(im.messages))).text == "hello"
        assert line.hindered == 1
    assert post.logins == ["ann"]
    assert post.received == ['{"content":"hi"}']


async def test_with_websocket_it_does_not() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        assert im.transport == "websocket"
    assert post.logins == ["ann"]


async def test_navigation_is_asked_for_each_transport() -> None:
    post = Post()
    asked: list[str] = []
    real = post.http

    def http(request: Any) -> Any:
        asked.append(request.path)
        return real(request)

    post.http = http  # type: ignore[method-assign]
    async with serving(post) as port, line_to(port) as line:
        line.hindrance = no_upgrade
        post.navigation = {"server": f"127.0.0.1:{line.port}"}
        url = f"http://127.0.0.1:{port}"
        async with connect(url, app_key="app", token="ann") as im:
            assert im.transport == "polling"
    assert asked == ["/navi.js", "/cometnavi.js"]


async def test_a_server_without_long_polling() -> None:
    post = Post()
    post.refusals = [3]
    async with serving(post) as port, line_to(port) as line:
        line.hindrance = no_upgrade
        with pytest.raises(ServerBusy, match="HTTP status 400 and not with a WebSocket") as failed:
            async with connected(line.port, "ann"):
                pytest.fail("it is connected")
    assert failed.value.code == 35008
    assert post.logins == ["ann"]


async def test_a_program_that_wants_a_websocket_only() -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line:
        line.hindrance = no_upgrade
        with pytest.raises(NoWebSocket):
            async with connected(line.port, "ann", transport="websocket"):
                pytest.fail("it is connected")
    assert post.logins == []


async def test_a_busy_server_gets_no_polls_instead() -> None:
    post = Post()
    post.refusals = [3]
    async with serving(post) as port:
        with pytest.raises(ServerBusy):
            async with connected(port, "ann"):
                pytest.fail("it is connected")
    assert post.logins == ["ann"]


async def test_what_is_shown() -> None:
    async with (
        serving(Post()) as port,
        line_to(port) as line,
        connected(line.port, "ann") as im,
    ):
        feed = im.statuses()
        line.hindrance = no_upgrade
        line.cut()
        await back(im)
        assert taken(feed) == [3, 1, 7, 1, 0]
        assert im.transport == "polling"


async def test_the_way_back() -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line:
        line.hindrance = no_upgrade
        async with connected(line.port, "ann") as im:
            line.cut()
            await back(im)
            assert (im.transport, line.hindered) == ("polling", 1)
            await anyio.sleep(FIRST_PAUSE)
            assert len(post.logins) == 2
            line.cut()
            await back(im)
            assert (im.transport, line.hindered) == ("polling", 2)
            await anyio.sleep(2 * FIRST_PAUSE)
            line.hindrance = None
            line.cut()
            await back(im)
            assert im.transport == "websocket"
    assert len(post.logins) == 4


async def test_a_program_may_ask_for_the_way_back() -> None:
    async with serving(Post()) as port, line_to(port) as line:
        line.hindrance = no_upgrade
        async with connected(line.port, "ann") as im:
            line.hindrance = None
            await im.disconnect()
            await im.reconnect()
            assert im.transport == "websocket"


async def test_nothing_is_lost_doubled_or_overtaken_on_the_way() -> None:
    post = Post()
    numbers = [str(number) for number in range(60)]
    got: dict[str, list[str]] = {"ann": [], "bob": []}
    seen: set[str] = set()

    async def read(im: Im) -> None:
        async for message in im.messages:
            got[im.user_id].append(message.text or "")

    async def send(im: Im, to: Conversation) -> None:
        for number in numbers:
            await im.messages.send(to, number)
            await anyio.sleep(0.5)

    async def change(im: Im) -> None:
        while True:
            line.hindrance = None if line.hindrance else no_upgrade
            line.cut()
            await back(im)
            seen.add(im.transport)
            # The client would come to a WebSocket again in minutes only.
            im._link.approach.ways.begin()
            await anyio.sleep(3.0)

    async with serving(post) as port, line_to(port) as line:
        async with (
            connected(line.port, "ann", retry=[0.1] * 1000) as ann,
            connected(port, "bob") as bob,
            anyio.create_task_group() as tasks,
        ):
            for im in (ann, bob):
                tasks.start_soon(read, im)
            tasks.start_soon(change, ann)
            async with anyio.create_task_group() as sending:
                sending.start_soon(send, ann, BOB)
                sending.start_soon(send, bob, ANN)
            await until(lambda: len(got["ann"]) >= 60 <= len(got["bob"]))
            tasks.cancel_scope.cancel()
        assert line.cuts >= 6
    assert got == {"ann": numbers, "bob": numbers}
    assert len(post.received) == 120
    assert seen == {"websocket", "polling"}
