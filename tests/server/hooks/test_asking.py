"""Asking the application: what its answers mean, and that it is not waited for (rest 10.4)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import httpx
import pytest

from improto_server.hooks.asking import Asker
from improto_server.hooks.calling import Caller, client
from improto_server.services.audit import Question, Verdict
from improto_server.steps import Pending
from tests.server.hooks.hook_tools import reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


class Audit:
    """The service's end."""

    def __init__(self) -> None:
        self.on_question: Callable[[Question], None] | None = None

    def ask(self, content: str = "hello") -> Pending[Verdict | None]:
        answer: Pending[Verdict | None] = Pending()
        assert self.on_question is not None
        self.on_question(Question("app", {"content": content}, answer))
        return answer


@asynccontextmanager
async def asking(
    answer: Callable[[httpx.Request], Awaitable[httpx.Response]],
) -> AsyncIterator[Audit]:
    audit: Any = Audit()
    async with (
        client(httpx.MockTransport(answer)) as http,
        anyio.create_task_group() as tasks,
    ):
        caller = Caller(http, app="app", secret="s", wall_clock=lambda: 0)
        asker = Asker(audit, callers={"app": caller}, urls={"app": "http://app.test/audit"})
        tasks.start_soon(asker.run)
        await anyio.sleep(1)
        yield audit
        tasks.cancel_scope.cancel()
    assert audit.on_question is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"pass":1}', Verdict(passes=True)),
        (200, b'{"pass":0}', Verdict(passes=False)),
        (200, b'{"pass":0,"content":"x","more":[]}', Verdict(False, b"x")),
        (200, '{"pass":1,"content":"敏"}'.encode(), Verdict(True, "敏".encode())),
        (200, b'{"content":"x"}', Verdict(True, b"x")),
        (200, b'{"pass":"0"}', Verdict(passes=True)),
        (200, b"{}", Verdict(passes=True)),
        (200, b"no JSON \xff", Verdict(passes=True)),
        (200, b"[" * 100_000, Verdict(passes=True)),
        (200, b"", Verdict(passes=True)),
        (302, b'{"pass":0}', None),
        (500, b'{"pass":0}', None),
    ],
)
async def test_answers(status: int, body: bytes, expected: Verdict | None) -> None:
    requests: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return reply(status, body)

    async with asking(answer) as audit:
        pending = audit.ask("敏 &")
        await anyio.sleep(1)
        assert pending.is_settled
        assert pending.result() == expected
    (request,) = requests
    assert parse_qs(request.content.decode()) == {"content": ["敏 &"]}


async def test_who_is_slow_is_asked_once_and_for_three_seconds() -> None:
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        (content,) = parse_qs(request.content.decode())["content"]
        asked.append(content)
        if content == "slow":
            await anyio.sleep(100)
        return reply(200, b'{"pass":0}')

    async with asking(answer) as audit:
        slow, quick = audit.ask("slow"), audit.ask("quick")
        await anyio.sleep(0.5)
        assert (slow.is_settled, quick.is_settled) == (False, True)
        await anyio.sleep(2.4)
        assert not slow.is_settled
        await anyio.sleep(0.2)
        assert slow.is_settled
        assert slow.result() is None
        await anyio.sleep(10)
    assert sorted(asked) == ["quick", "slow"]


async def test_a_mistake_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.StreamConsumed

    async with asking(answer) as audit:
        pending = audit.ask()
        await anyio.sleep(1)
        assert pending.is_settled
        assert pending.result() is None
    assert "app app is not asked" in caplog.text


async def test_what_follows_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return reply(200)

    def fail() -> None:
        raise ValueError("a mistake")

    async with asking(answer) as audit:
        audit.ask().call(fail)
        await anyio.sleep(1)
        second = audit.ask()
        await anyio.sleep(1)
        assert second.is_settled
    assert "could not be used" in caplog.text
