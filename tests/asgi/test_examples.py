"""The programs of docs/embedding.md and examples/ that have other people's servers around them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto import Conversation, payloads
from improto.contents import Text
from improto.errors import RequestRefused
from improto.messages import request
from improto.operations import Topic
from tests.asgi.serving import ExampleServer
from tests.asgi.test_hosts import asked, connect, heard, run
from tests.samples import DOCS, programs
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

UVICORN = ("uvicorn", "program:app", "--port")
MOST_LINES = 20
"""Of the text between imports and mounting."""


def play(
    folder: Path, source: str, program: tuple[str, ...], scenario: Callable[[Any], Awaitable[None]]
) -> list[str]:
    """Run a program as its reader would, and a scenario against it; what it has printed."""
    (folder / "program.py").write_text(source, encoding="utf-8")
    server = ExampleServer(folder, program)
    server.start()
    try:
        run("asyncio", lambda: scenario(server))
        server.stop()
    finally:
        server.kill()
    return server.output


def samples() -> list[str]:
    _, mounted, whole = programs(DOCS / "embedding.md")
    return [mounted, whole]


async def is_refused(client: Any) -> None:
    """What it does not understand has an answer, too."""
    asking = request(Topic.QRY_P_MSG, "bob", payloads.HistoryMsgInput(targetId="bob", count=1))
    with pytest.raises(RequestRefused):
        await client.query(asking)


def test_the_mounted_handler(tmp_path: Path) -> None:
    async def scenario(server: ExampleServer) -> None:
        async with connect("asyncio", server, "alice") as alice:
            sent = await alice.send(Conversation.private("bob"), Text("hello"))
            assert sent.uid == "1"
            await is_refused(alice)
        assert asked(server, "GET", "/ping")[2] == b"pong"

    printed = play(tmp_path, samples()[0], UVICORN, scenario)
    assert any(line.startswith("bob b'") and "hello" in line for line in printed)


def test_the_mounted_server(tmp_path: Path) -> None:
    async def scenario(server: ExampleServer) -> None:
        assert asked(server, "GET", "/hello")[2] == b'"hello"'
        async with (
            connect("asyncio", server, "alice") as alice,
            connect("asyncio", server, "bob") as bob,
        ):
            await alice.send(Conversation.private("bob"), Text("hello"))
            assert (await heard(bob)).decoded() == Text("hello")

    play(tmp_path, samples()[1], UVICORN, scenario)


def test_the_handler_is_short() -> None:
    handler = samples()[0].partition("class ")[2].partition("im = ")[0]
    assert len([line for line in handler.splitlines() if line]) <= MOST_LINES


def test_the_fastapi_example(tmp_path: Path) -> None:
    source = (ROOT / "examples" / "fastapi_host.py").read_text(encoding="utf-8")

    async def scenario(server: ExampleServer) -> None:
        async with (
            connect("asyncio", server, "alice") as alice,
            connect("asyncio", server, "bob") as bob,
        ):
            assert asked(server, "GET", "/online")[2].count(b".") == 4
            await alice.send(Conversation.private("anybody"), Text("hello"))
            message = await heard(bob)
            assert message.decoded() == Text("hello")
            await is_refused(bob)
        assert asked(server, "GET", "/ping")[2] == b"pong"
        assert asked(server, "GET", "/nothing")[0] == 404

    play(tmp_path, source, UVICORN, scenario)


def test_the_aiohttp_example(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "aiohttp_host.py", tmp_path)
    source = (tmp_path / "aiohttp_host.py").read_text(encoding="utf-8")

    async def scenario(server: ExampleServer) -> None:
        # A token is a user id to this example, so it says who is meant.
        bob = Conversation.private(server.token("bob"))
        async with connect("asyncio", server, "alice") as alice:
            for number in range(150):
                await alice.send(bob, Text(f"before {number}"))
            async with connect("asyncio", server, "bob", token=bob.target_id) as client:
                for number in range(150):
                    assert (await heard(client)).decoded() == Text(f"before {number}")
                await alice.send(bob, Text("now"))
                assert (await heard(client)).decoded() == Text("now")
                await is_refused(client)
            with anyio.fail_after(5):
                await alice.aclose()
        assert asked(server, "GET", "/ping")[2] == b"pong"

    play(tmp_path, source, ("program",), scenario)
