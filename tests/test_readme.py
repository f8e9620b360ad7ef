"""The programs that the README opens with, run against each other."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from tests.samples import programs
from tools.layout import ROOT

if TYPE_CHECKING:
    import pytest

README = ROOT / "README.md"
MOST_LINES = 16


def functions_of(program: str) -> dict[str, Any]:
    """What a program defines, without its last line, which would run it for ever."""
    body, last = program.rstrip().rsplit("\n", 1)
    assert last.startswith("asyncio.run(main(")
    namespace: dict[str, Any] = {}
    exec(compile(body, str(README), "exec"), namespace)
    return namespace


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_programs_are_short() -> None:
    assert len(programs(README)) == 2
    for program in programs(README):
        lines = [line for line in program.splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES


def test_the_client_talks_to_the_embedded_server(capsys: pytest.CaptureFixture[str]) -> None:
    client, server = map(functions_of, programs(README))
    port = free_port()

    async def run() -> None:
        serving = asyncio.create_task(server["main"](port))
        talking = asyncio.create_task(talk(client["main"], port))
        async with asyncio.timeout(20):
            while "stored as" not in (text := capsys.readouterr().out):
                assert not serving.done(), serving
                if talking.done():
                    talking.result()
                await asyncio.sleep(0)
            assert text == "stored as 1\n"
        for task in (talking, serving):
            task.cancel()
        await asyncio.gather(talking, serving, return_exceptions=True)

    asyncio.run(run())


async def talk(main: Any, port: int) -> None:
    """The server needs a moment to listen; a person would start it first."""
    while True:
        try:
            await main("127.0.0.1", port, "app", "alice")
        except OSError:
            await asyncio.sleep(0)
        else:
            return
