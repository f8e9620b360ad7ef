"""What the manual shows works: programs run, settings load.

Programs that are a whole page's subject are run by a test of their own. All others run here,
page by page: the samples of a page share one world, as a reader has one program, and a page's
world provides what its text presupposes.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import json
import random
import re
import time
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

import improto_asyncio
from improto import ClientSession, Conversation, Login, ServerConnection, payloads
from improto.codes import DisconnectStatus
from improto.errors import ConnectionEnded
from improto.frames import TimeMs
from improto.operations import Topic
from improto_asyncio import connect as real_connect
from improto_server.config import load
from tests.adapters.office import Office, until
from tests.samples import DOCS, manual, programs, samples, samples_of
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from improto.events import QueryReceived
    from improto.service import Peer
    from tests.samples import Sample

LANGUAGES = {"console", "js", "json", "pycon", "python", "text", "toml", "", "{eval-rst}"}
LANGUAGES |= {"{include} ../CONTRIBUTING.md", "{include} ../CHANGELOG.md"}


def ids(some: list[Sample]) -> list[str]:
    return [sample.place for sample in some]


# --- Programs -----------------------------------------------------------------------------


def compiled(sample: Sample) -> Any:
    """A sample may await at its top level, as its reader does inside a function."""
    return compile(sample.text, sample.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def run(sample: Sample, world: dict[str, Any]) -> None:
    result = eval(compiled(sample), world)
    if inspect.isawaitable(result):
        await result


class Desk(Office):
    """An office that also answers for history."""

    def queried(self, peer: Peer, event: QueryReceived) -> None:
        assert event.frame.topic == Topic.QRY_P_MSG
        history = payloads.HistoryMsgOuput(syncTime=0, hasMsg=0)
        data = payloads.encode(history)
        peer.answer(event.frame.message_id, timestamp=TimeMs(self.time), data=data)


class FirstClient:
    """The world of docs/first-client.md: Ann's."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.names: dict[str, Any] = {
            "APP_KEY": "app",
            "TOKEN": "ann",
            "ClientSession": ClientSession,
            "ConnectionEnded": ConnectionEnded,
            "asyncio": asyncio,
            "conversation": Conversation.private("bob"),
            "random": random,
        }

    def connect(self, *_: Any, session: ClientSession | None = None, **__: Any) -> Any:
        """What a sample connects to, whatever address it names."""
        return real_connect(*self.address, app_key="app", token="ann", session=session)

    async def run(self, sample: Sample) -> None:
        """The samples share names; each has an open client."""
        async with self.connect() as client:
            self.names["client"] = client
            await run(sample, self.names)


def test_the_first_client(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect, send, repeat, receive, restart, ask, come_back = [
        sample for sample in samples_of(DOCS / "first-client.md") if sample.language == "python"
    ]
    office = Desk()

    async def kick_when(condition: Callable[[], object]) -> None:
        """What ends a sample that goes on until its connection is over."""
        await until(condition)
        office.peers.pop("ann").dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(20), improto_asyncio.serve(office, "127.0.0.1", 0) as server:
            world = FirstClient(server.addresses[0])
            monkeypatch.setattr(improto_asyncio, "connect", world.connect)
            for sample in (connect, send, repeat, restart, ask):
                await world.run(sample)
            office.deliver("ann", b'{"content":"hello"}')
            answer = b'{"content":"you said: hello"}'
            await asyncio.gather(world.run(receive), kick_when(lambda: answer in office.contents))
            await asyncio.gather(
                run(come_back, world.names), kick_when(lambda: "ann" in office.peers)
            )
            return world.names

    names = asyncio.run(main())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "I am ann"
    assert re.fullmatch(r"U\d+ \d+", printed[1])
    assert office.contents.count(b'{"content":"pay once"}') == 1
    assert names["page"] == payloads.HistoryMsgOuput(syncTime=0, hasMsg=0)


def test_a_websocket_of_ones_own() -> None:
    class WebSocket:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        async def send(self, message: bytes) -> None:
            self.sent.append(message)

    # The others are run by tests/asgi/test_examples.py.
    sample = next(each for each in samples_of(DOCS / "embedding.md") if each.language == "python")
    websocket = WebSocket()
    world = {
        "Login": Login,
        "ServerConnection": ServerConnection,
        "milliseconds": 1_700_000_000_000,
        "query": {"appId": "app", "token": "ann"},
        "session_id": "session",
        "time": time,
        "user_id": "ann",
        "websocket": websocket,
    }
    asyncio.run(run(sample, world))
    [connack] = websocket.sent
    assert b"ann" in connack


def test_the_testing_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    transcript, dialogue = programs(DOCS / "testing.md")
    exec(transcript, {})
    assert capsys.readouterr().out.endswith("\nd0\n")
    world: dict[str, Any] = {}
    exec(
        "from hypothesis import given\nfrom improto.testing.dialogues import *\n" + dialogue, world
    )
    world["test_nothing_breaks"]()


def test_a_scenario_for_sdk_5() -> None:
    """It needs a browser to run; that its names and methods exist can be seen without."""
    from tests.interop import next_page, party, server

    [sample] = programs(DOCS / "interop.md")
    world = {"Door": object, "ImServer": server.ImServer, "online": party.online}
    exec(sample, world)
    [function] = (value for name, value in world.items() if name.startswith("test_"))
    called = set(re.findall(r"\b(?:desk|phone)\.(\w+)\(", sample))
    assert callable(function)
    assert all(hasattr(next_page.NextPage, name) for name in called)


def test_no_program_is_left_out() -> None:
    """A page with Python samples is named by the test that runs them, here or elsewhere."""
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    pages = {sample.page.rpartition("/")[2] for sample in samples("python")}
    assert [page for page in sorted(pages) if not any(f'"{page}"' in test for test in tests)] == []


@pytest.mark.parametrize("page", sorted({sample.page for sample in samples("pycon")}))
def test_dialogues_with_the_interpreter(page: str) -> None:
    """All of a page are one dialogue."""
    text = "\n".join(sample.text for sample in samples("pycon") if sample.page == page)
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    results = doctest.DocTestRunner().run(test)
    assert results.failed == 0
    assert results.attempted >= text.count(">>> ")


# --- Settings and data --------------------------------------------------------------------

TOML = samples("toml")
JSON = samples("json")


@pytest.mark.parametrize("sample", TOML, ids=ids(TOML))
def test_settings_load(sample: Sample, tmp_path: Path) -> None:
    """Every table and key is known, and every value is one that is allowed."""
    assert tomllib.loads(sample.text)
    file = tmp_path / "improto.toml"
    file.write_text(sample.text, encoding="utf-8")
    load(file, environment={})


@pytest.mark.parametrize("sample", JSON, ids=ids(JSON))
def test_json_is_json(sample: Sample) -> None:
    assert json.loads(sample.text)


def test_every_sample_says_what_it_is() -> None:
    languages = {sample.language for page in manual() for sample in samples_of(page)}
    assert languages <= LANGUAGES
