"""The web port: routes, errors, and its beginning and end on both event loops."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from improto_server.config import Backend
from improto_server.web import serving as serving_module
from improto_server.web.app import web_app
from improto_server.web.serving import serving
from tests.server.web_tools import BACKENDS, PATIENCE, Web, play

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def broken(request: Request) -> Response:
    raise RuntimeError("a mistake")


def test_it_says_that_it_is_well(backend: str) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/healthz")
        assert (answer.status, answer.body) == (200, b"ok")
        assert "server" not in answer.headers

    play(backend, [], scenario)


def test_parts_join_and_the_first_wins(backend: str) -> None:
    async def scenario(web: Web) -> None:
        assert (await web.ask("GET", "/a")).body == b"hello"
        assert (await web.ask("GET", "/healthz")).body == b"ok"

    play(backend, [[Route("/a", hello)], [Route("/a", broken), Route("/healthz", hello)]], scenario)


def test_errors_are_json(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/nothing")
        assert (answer.status, answer.content) == (404, {"error": "Not Found"})
        answer = await web.ask("DELETE", "/healthz")
        assert (answer.status, answer.content) == (405, {"error": "Method Not Allowed"})
        assert not caplog.records
        answer = await web.ask("GET", "/broken")
        assert (answer.status, answer.content) == (500, {"error": "internal error"})
        assert (await web.ask("GET", "/healthz")).status == 200

    play(backend, [[Route("/broken", broken)]], scenario)
    assert "a mistake" in caplog.text


def test_it_says_nothing_when_all_is_well(
    backend: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario(web: Web) -> None:
        await web.ask("GET", "/healthz")

    play(backend, [], scenario)
    assert not [each for each in caplog.records if each.name.startswith("hypercorn")]
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken(backend: str) -> None:
    async def scenario(web: Web) -> None:
        host, port = web.address
        with pytest.raises(OSError, match="in use") as caught:
            async with serving(web_app(), host, port, backend=Backend(backend)):
                pytest.fail("two servers listen at one port")
        assert caught.value.filename == f"{host} port {port}"

    play(backend, [], scenario)


def test_the_port_is_free_afterwards(backend: str) -> None:
    addresses = []

    async def scenario(web: Web) -> None:
        addresses.append(web.address)

    play(backend, [], scenario)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(addresses[0], timeout=PATIENCE)


def test_an_ipv6_address(backend: str) -> None:
    async def scenario() -> None:
        async with serving(web_app(), "::1", 0, backend=Backend(backend)) as address:
            assert (await Web(address).ask("GET", "/healthz")).status == 200

    anyio.run(scenario, backend=backend)


def test_a_request_may_end_after_the_server_was_told_to_stop(backend: str) -> None:
    async def scenario() -> None:
        arrived, go = anyio.Event(), anyio.Event()
        answers = []

        async def slow(request: Request) -> Response:
            arrived.set()
            await go.wait()
            return PlainTextResponse("done")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                app = web_app([Route("/slow", slow)])
                async with serving(app, "127.0.0.1", 0, backend=Backend(backend)) as address:

                    async def ask() -> None:
                        answers.append(await Web(address).ask("GET", "/slow"))

                    tasks.start_soon(ask)
                    await arrived.wait()
                    tasks.start_soon(go_on, go)
        assert [answer.body for answer in answers] == [b"done"]

    async def go_on(event: anyio.Event) -> None:
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        event.set()

    anyio.run(scenario, backend=backend)


POST = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


def test_the_answer_ends_when_the_request_does(backend: str) -> None:
    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            for _ in range(2):
                await stream.send(POST)
                received = b""
                while not received.endswith(b"hello"):
                    received += await stream.receive()
                for _ in range(1000):
                    await stream.send(b"x" * 1000)

    play(backend, [[Route("/hello", hello, methods=["POST"])]], scenario)


def test_who_goes_in_the_middle_costs_nothing(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(web: Web) -> None:
        # One request and some turns of the loop, and all that stays has begun.
        await web.ask("GET", "/healthz")
        for _ in range(1000):
            await anyio.lowlevel.checkpoint()
        before = len(anyio.get_running_tasks())
        for _ in range(10):
            async with await anyio.connect_tcp(*web.address) as stream:
                await stream.send(POST)
                for _ in range(500):
                    await stream.send(b"x" * 1000)
        while len(anyio.get_running_tasks()) > before:
            await anyio.lowlevel.checkpoint()

    play(backend, [[Route("/hello", hello, methods=["POST"])]], scenario)
    assert not caplog.records


def test_who_stays_and_sends_nothing_is_sent_away(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "PATIENCE", 0.05)

    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(POST)
            received = b"".join([data async for data in stream])
            assert received.endswith(b"hello")

    play(backend, [[Route("/hello", hello, methods=["POST"])]], scenario)


def test_a_request_that_does_not_end_is_cut(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "GRACE", 0.1)

    async def scenario() -> None:
        arrived = anyio.Event()
        cut = anyio.Event()

        async def endless(request: Request) -> Response:
            arrived.set()
            try:
                await anyio.sleep_forever()
            finally:
                cut.set()
            raise AssertionError("unreachable")

        with anyio.fail_after(PATIENCE):
            app = web_app([Route("/endless", endless)])
            async with serving(app, "127.0.0.1", 0, backend=Backend(backend)) as address:
                stream = await anyio.connect_tcp(*address)
                await stream.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                await arrived.wait()
            assert cut.is_set()
            await stream.aclose()

    anyio.run(scenario, backend=backend)
