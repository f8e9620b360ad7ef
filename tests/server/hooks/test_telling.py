"""Telling the application: in order, again if need be, and not for ever (rest 10)."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import httpx
import pytest

from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.hooks.calling import Caller, client
from improto_server.hooks.telling import PAGE, Teller
from improto_server.services.outbox import Kind, Stream
from improto_server.store.outbox import Post
from tests.server.hooks.hook_tools import reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

MESSAGES = Stream("app", Kind.MESSAGES)
ONLINE = Stream("app", Kind.ONLINE)
URLS = {MESSAGES: "http://app.test/messages", ONLINE: "http://app.test/online"}


class Outbox:
    """An outbox in memory."""

    def __init__(self) -> None:
        self.waiting: Counter[Stream] = Counter()
        self.posts: dict[Stream, list[Post]] = {MESSAGES: [], ONLINE: []}
        self.given_up: list[int] = []
        self.on_put: list[Callable[[Stream], None]] = []
        self.too_old: set[int] = set()
        self.broken: list[Exception] = []

    def put(self, stream: Stream, *numbers: int) -> None:
        for number in numbers:
            body = json.dumps({"n": str(number)}).encode()
            self.posts[stream].append(Post(number, 0, body))
            self.waiting[stream] += 1
            for call in self.on_put:
                call(stream)

    async def next(self, stream: Stream, count: int) -> list[Post]:
        if self.broken:
            raise self.broken.pop(0)
        return self.posts[stream][:count]

    async def taken(self, stream: Stream, posts: Sequence[Post]) -> None:
        self.posts[stream] = [post for post in self.posts[stream] if post not in posts]

    async def refused(self, stream: Stream, posts: Sequence[Post]) -> None:
        self.given_up += [post.id for post in posts]
        await self.taken(stream, posts)

    async def drop_old(self, stream: Stream) -> None:
        await self.taken(stream, [each for each in self.posts[stream] if each.id in self.too_old])


class Application:
    """What the application hears, and when."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.times: list[float] = []
        self.answers: list[int | Exception] = []
        """Statuses of the next answers; then 200."""
        self.patience = 0.0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.times.append(anyio.current_time())
        status = self.answers.pop(0) if self.answers else 200
        await anyio.sleep(self.patience)
        if isinstance(status, Exception):
            raise status
        if request.url.path == "/messages":
            self.heard.append((status, int(parse_qs(request.content.decode())["n"][0])))
        else:
            self.heard.append((status, [int(each["n"]) for each in json.loads(request.content)]))
        return reply(status)

    @property
    def pauses(self) -> list[int]:
        """Seconds between the requests."""
        return [round(later - sooner) for sooner, later in pairwise(self.times)]


@asynccontextmanager
async def telling(outbox: Outbox, application: Application) -> AsyncIterator[None]:
    async with (
        client(httpx.MockTransport(application.answer)) as http,
        anyio.create_task_group() as tasks,
    ):
        caller = Caller(http, app="app", secret="s", wall_clock=lambda: 0)
        teller = Teller(outbox, callers={"app": caller}, urls=URLS)  # type: ignore[arg-type]
        tasks.start_soon(teller.run)
        yield
        tasks.cancel_scope.cancel()


async def test_messages_are_told_one_by_one_in_order() -> None:
    outbox, application = Outbox(), Application()
    outbox.put(MESSAGES, *range(PAGE + 1))
    async with telling(outbox, application):
        await anyio.sleep(1)
        outbox.put(MESSAGES, 1000)
        outbox.put(MESSAGES, 1001)
        await anyio.sleep(1)
    assert application.heard == [(200, number) for number in (*range(PAGE + 1), 1000, 1001)]
    assert outbox.posts[MESSAGES] == []


async def test_other_things_are_told_together() -> None:
    outbox, application = Outbox(), Application()
    outbox.put(ONLINE, *range(PAGE + 2))
    async with telling(outbox, application):
        await anyio.sleep(1)
    assert application.heard == [(200, [*range(PAGE)]), (200, [PAGE, PAGE + 1])]


async def test_streams_do_not_wait_for_each_other() -> None:
    outbox, application = Outbox(), Application()
    application.answers = [503]
    outbox.put(MESSAGES, 1)
    async with telling(outbox, application):
        await anyio.sleep(0.5)
        outbox.put(ONLINE, 2)
        await anyio.sleep(1)
    assert application.heard == [(503, 1), (200, [2]), (200, 1)]


async def test_later_and_later() -> None:
    outbox, application = Outbox(), Application()
    application.answers = [500, 302, 404, 429, httpx.ConnectError(""), OSError(), 500, 500, 500]
    outbox.put(MESSAGES, 1, 2)
    async with telling(outbox, application):
        await anyio.sleep(400)
        assert application.heard[-2:] == [(200, 1), (200, 2)]
    assert application.pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 0]


async def test_no_answer_is_no(caplog: pytest.LogCaptureFixture) -> None:
    outbox, application = Outbox(), Application()
    application.patience = 10.0
    outbox.put(ONLINE, 1)
    async with telling(outbox, application):
        await anyio.sleep(20)
        application.patience = 0.0
        await anyio.sleep(20)
    assert application.pauses == [6, 7, 9]
    assert caplog.messages == ["app app (online) is not told: no answer within 5 s"]


async def test_what_is_wrong_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    outbox, application = Outbox(), Application()
    application.answers = [400, 400, 413]
    outbox.put(MESSAGES, 1, 2)
    async with telling(outbox, application):
        await anyio.sleep(10)
    assert application.heard == [(400, 1), (400, 1), (413, 1), (200, 2)]
    assert outbox.given_up == [1]
    assert caplog.messages[-1] == "app app (messages) does not take a webhook: status 413"


async def test_being_away_is_not_saying_that_it_is_wrong() -> None:
    outbox, application = Outbox(), Application()
    application.answers = [503, 503, 503, 400, 503, 400, 200, 400, 400, 400]
    outbox.put(MESSAGES, 1, 2)
    async with telling(outbox, application):
        await anyio.sleep(300)
    assert application.heard[6:] == [(200, 1), (400, 2), (400, 2), (400, 2)]
    assert outbox.given_up == [2]


async def test_what_is_too_old_is_told_no_more() -> None:
    outbox, application = Outbox(), Application()
    application.answers = [503]
    outbox.put(MESSAGES, 1, 2)
    outbox.too_old = {1}
    async with telling(outbox, application):
        await anyio.sleep(10)
    assert (200, 2) in application.heard
    assert (200, 1) not in application.heard


async def test_the_past_is_cleared_every_hour() -> None:
    outbox, application = Outbox(), Application()
    forgotten = Stream("gone", Kind.MESSAGES)
    outbox.posts[forgotten] = []
    async with telling(outbox, application):
        await anyio.sleep(1)
        outbox.put(forgotten, 7)
        outbox.too_old = {7}
        await anyio.sleep(3500)
        assert outbox.posts[forgotten]
        await anyio.sleep(100)
    assert outbox.posts[forgotten] == []
    assert application.heard == []


async def test_a_store_that_fails_for_a_while() -> None:
    outbox, application = Outbox(), Application()
    outbox.put(ONLINE, 1)
    outbox.broken = [ServiceError(ErrorCode.INTERNALERRROR), ValueError("a mistake")]
    async with telling(outbox, application):
        await anyio.sleep(10)
    assert application.heard == [(200, [1])]
