"""One request to the application: its signature, and what of the answer counts (rest 10)."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from improto_server.hooks.calling import ANSWER_BYTES, Caller, CallFailed, client
from tests.samples import DOCS, programs
from tests.server.hooks.hook_tools import reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

SECRET = "s" * 32
URL = "http://app.test/hook"
NOW = 1_700_000_000_123


def caller(http: httpx.AsyncClient) -> Caller:
    return Caller(http, app="app", secret=SECRET, wall_clock=lambda: NOW)


async def call(
    answer: Callable[[httpx.Request], Awaitable[httpx.Response]], url: str = URL
) -> tuple[int, bytes]:
    async with client(httpx.MockTransport(answer)) as http:
        return await caller(http).form(url, {"a": "1 &", "b": "敏"}, seconds=5.0)


@pytest.mark.parametrize(("url", "kept"), [(URL, {}), (f"{URL}?key=1&x=2", {"key": "1", "x": "2"})])
async def test_what_is_sent(url: str, kept: dict[str, str]) -> None:
    requests: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return reply(200, b"ok")

    assert await call(answer, url) == (200, b"ok")
    (request,) = requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.content == b"a=1+%26&b=%E6%95%8F"
    split = urlsplit(str(request.url))
    assert split.path == "/hook"
    query = {name: value for name, (value,) in parse_qs(split.query).items()}
    nonce = query.pop("nonce")
    assert 0 < len(nonce) <= 18
    digest = hashlib.sha1(f"{SECRET}{nonce}{NOW}".encode()).hexdigest()
    assert query == {
        **kept,
        "appKey": "app",
        "timestamp": str(NOW),
        "signTimestamp": str(NOW),
        "signature": digest,
    }


async def test_json() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/json"
        return reply(201, request.content)

    async with client(httpx.MockTransport(answer)) as http:
        assert await caller(http).json(URL, b"[1]", seconds=5.0) == (201, b"[1]")


async def test_an_answer_is_not_followed() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "app.test"
        return reply(302, location="http://elsewhere.test/")

    assert (await call(answer))[0] == 302


async def test_who_is_silent_is_not_waited_for() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(5.5)
        raise AssertionError

    start = anyio.current_time()
    with pytest.raises(CallFailed, match="no answer within 5 s"):
        await call(answer)
    assert anyio.current_time() - start == pytest.approx(5.0, abs=0.1)


async def test_an_answer_without_an_end() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(0.1)
            yield b"x" * 1000

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=pieces())

    with pytest.raises(CallFailed, match="no answer"):
        await call(answer)


async def test_an_answer_that_is_too_long() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return reply(200, b"x" * (ANSWER_BYTES + 1), b"more")

    with pytest.raises(CallFailed, match=f"the answer is longer than {ANSWER_BYTES} bytes"):
        await call(answer)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        OSError(5, "secret"),
        UnicodeError("label too long"),
        OverflowError("port"),
    ],
)
async def test_nobody_there(error: Exception) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(CallFailed, match=type(error).__name__):
        await call(answer)


async def test_a_url_that_is_none() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    with pytest.raises(CallFailed, match="InvalidURL"):
        await call(answer, "http://app.test:port/")


async def test_nothing_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with client() as http:
        assert not http.trust_env
        assert http._mounts == {}
        assert not http.follow_redirects


async def test_signatures_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return reply(200)

    with caplog.at_level(logging.INFO):
        await call(answer)
    assert "signature" not in caplog.text


async def test_the_sample_of_the_manual() -> None:
    [sample] = programs(DOCS / "webhooks.md")
    world: dict[str, Any] = {}
    exec(sample, world)
    async with client(httpx.MockTransport(lambda request: reply(200))) as http:
        signed = caller(http).signed(URL)
    query = {name: value for name, (value,) in parse_qs(urlsplit(signed).query).items()}
    assert world["is_ours"](query, SECRET)
    assert not world["is_ours"](query, "another")
