"""The robot: what it says, to whom, and that it says it once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto import Conversation
from improto.contents import DownFlag, Image, Text
from improto.frames import TimeMs
from improto.messages import ChatMessage, MessageDirection
from improto_server.app import Application
from improto_server.robot import HELP, USER, answer, question
from improto_server.steps import start
from tests.server.test_app import KEY, connect, next_message, run, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from improto_asyncio import Client
    from improto_server.config import Settings


def rolls(*numbers: int) -> Any:
    left: Iterator[int] = iter(numbers)
    return lambda low, high: min(max(next(left), low), high)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("echo hello", "hello"),
        ("  Echo two  words ", "two  words"),
        ("time", "It is 22:13:20 on 2023-11-14, UTC."),
        ("dice", "4"),
        ("DICE 3d10", "4 + 5 + 6 = 15"),
        ("dice 1d1000", "4"),
        ("dice 0d6", HELP),
        ("dice 21d6", HELP),
        ("dice 1d1001", HELP),
        ("dice 2d1", HELP),
        ("echo", HELP),
        ("", HELP),
        ("what?", HELP),
    ],
)
def test_what_it_says(asked: str, said: str) -> None:
    assert answer(asked, now=1_700_000_000.9, roll=rolls(4, 5, 6)) == said


def message(
    content: bytes,
    *,
    sender: str = "alice",
    conversation: Conversation | None = None,
    status: int = 0,
    name: str = "RC:TxtMsg",
) -> ChatMessage:
    return ChatMessage(
        conversation=conversation or Conversation.private("alice"),
        sender_id=sender,
        direction=MessageDirection.RECEIVED,
        object_name=name,
        content=content,
        uid=None,
        time=TimeMs(1),
        status=status,
    )


def test_what_is_for_it() -> None:
    group = Conversation.group("g")
    text = b'{"content":" @robot dice"}'
    assert question(message(b'{"content":"time"}')) == "time"
    assert question(message(text, conversation=group, status=DownFlag.MENTIONED)) == " dice"
    assert question(message(text, conversation=group)) is None
    assert question(message(text, sender=USER)) is None
    assert question(message(b'{"imageUri":"x"}', name=Image.object_name)) is None
    assert question(message(b"{}")) is None


@pytest.fixture(params=["asyncio", "trio"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_for(tmp_path, request.param)


async def ask(client: Client, text: str) -> None:
    await client.send(Conversation.private(USER), Text(text))


async def reply(client: Client) -> str | None:
    content = (await next_message(client)).decoded()
    assert isinstance(content, Text)
    return content.content


@asynccontextmanager
async def robot_of(application: Application) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        (robot,) = application.robots()
        tasks.start_soon(robot.run)
        yield
        tasks.cancel_scope.cancel()


def test_it_answers_on_its_server(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with (
            application.listening() as (url,),
            robot_of(application),
            connect(settings, url, "alice") as alice,
        ):
            await ask(alice, "echo \u4f60\u597d")
            assert await reply(alice) == "\u4f60\u597d"
            await ask(alice, "?")
            assert await reply(alice) == HELP

    run(settings, scenario)


def test_it_answers_once_what_was_asked_while_it_was_away(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with application.listening() as (url,), connect(settings, url, "alice") as alice:
            await ask(alice, "echo one")
            async with robot_of(application):
                assert await reply(alice) == "one"
                await ask(alice, "echo two")
                assert await reply(alice) == "two"
            await ask(alice, "echo three")
            # It may have died before it wrote down that it has answered.
            for _ in range(2):
                async with robot_of(application):
                    await ask(alice, "echo more")
                    assert await reply(alice) in ("three", "more")
            # Nothing is said again: three, more and more are all that can come.
            async with robot_of(application):
                await ask(alice, "echo last")
                heard = []
                while not heard or heard[-1] != "last":
                    heard.append(await reply(alice))
                assert heard in (["more", "last"], ["last"])

    run(settings, scenario)


def test_a_damaged_memory_is_no_obstacle(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = tmp_path / f"messages.db-{KEY}-robot"
    memory.write_text("{")

    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with (
            application.listening() as (url,),
            robot_of(application),
            connect(settings, url, "alice") as alice,
        ):
            await ask(alice, "echo here")
            assert await reply(alice) == "here"

    run(settings, scenario)
    assert "begins anew" in caplog.text


def test_who_has_blocked_it_does_not_stop_it(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with (
            application.listening() as (url,),
            connect(settings, url, "alice") as alice,
            connect(settings, url, "bob") as bob,
        ):
            await ask(alice, "echo one")
            await block(application, "alice")
            async with robot_of(application):
                await ask(bob, "echo two")
                assert await reply(bob) == "two"

    run(settings, scenario)


async def block(application: Application, name: str) -> None:
    done = anyio.Event()
    steps = application.system.standings.block((KEY, name), USER)
    start(steps, lambda _: done.set())
    await done.wait()
