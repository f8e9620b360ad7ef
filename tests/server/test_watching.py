"""What is the same for all requests at the web port: their names, their log, their limits."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from improto_server.commands import serving as serving_command
from improto_server.config import AccessLog, Backend
from improto_server.web import serving as serving_module
from improto_server.web import watching
from improto_server.web.app import web_app
from improto_server.web.serving import serving
from improto_server.web.watching import Watched
from tests.server.web_tools import BACKENDS, PATIENCE, Web, play

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


class Hand:
    """One request that is made by hand, on hand clocks."""

    def __init__(self, app: Any = None, **options: Any) -> None:
        self.now = 5.0
        self.sent: list[Any] = []
        options = {"log": AccessLog.NONE, "proxies": 0, **options}
        self.app = Watched(
            app or web_app([Route("/hello/{rest:path}", hello)]),
            now=lambda: 1_700_000_000.5,
            monotonic=lambda: self.now,
            **options,
        )

    async def ask(
        self, path: str = "/hello/x", client: Any = ("192.0.2.1", 1), **headers: str
    ) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.sent.append(message)
            self.now += 0.25

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"token=secret",
            "headers": [
                (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
            ],
            "client": client,
        }
        await self.app(scope, receive, send)

    def header(self, name: str) -> str:
        return str(dict(self.sent[0]["headers"])[name.encode()].decode())


@pytest.fixture(autouse=True)
def _undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that other tests have run may have sent the lines elsewhere."""
    monkeypatch.setattr(watching.logger, "propagate", True)
    monkeypatch.setattr(watching.logger, "handlers", [])


def logged(caplog: pytest.LogCaptureFixture, hand: Hand, *arguments: Any, **headers: str) -> str:
    caplog.set_level(logging.INFO, watching.logger.name)
    anyio.run(lambda: hand.ask(*arguments, **headers))
    return caplog.messages[-1]


def test_a_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    hand = Hand(log=AccessLog.JSON)
    assert json.loads(logged(caplog, hand, x_request_id="r-1")) == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "method": "GET",
        "path": "/hello/x",
        "status": 200,
        "ms": 500,
        "bytes": 5,
        "client": "192.0.2.1",
        "id": "r-1",
    }


def test_a_line_of_logfmt(caplog: pytest.LogCaptureFixture) -> None:
    hand = Hand(log=AccessLog.LOGFMT, proxies=1)
    line = logged(caplog, hand, '/a "b"\nc=d', x_request_id="r", x_forwarded_for="198.51.100.7")
    assert line == (
        "time=2023-11-14T22:13:20.500+00:00 method=GET"
        ' path="/a \\"b\\"\\nc=d" status=404 ms=500 bytes=21 client=198.51.100.7 id=r'
    )


def test_nothing_secret_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    line = logged(caplog, Hand(log=AccessLog.LOGFMT), "/files/" + "k" * 41 + "/" + "n" * 40)
    assert "secret" not in line
    assert f"path=/files/kkkkkkkk.../{'n' * 40} " in line


def test_no_line_unless_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    anyio.run(Hand().ask)
    assert caplog.messages == []


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "é", "a\nb"])
def test_a_bad_id_is_replaced(given: str) -> None:
    hand = Hand()
    anyio.run(lambda: hand.ask(x_request_id=given))
    assert hand.header("x-request-id") != given
    assert len(hand.header("x-request-id")) == 16


def test_a_good_id_comes_back() -> None:
    hand = Hand()
    anyio.run(lambda: hand.ask(x_request_id="trace:1.2_3-4"))
    assert hand.header("x-request-id") == "trace:1.2_3-4"


def test_what_is_no_request_is_left_alone() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*arguments: Any) -> Any: ...

    anyio.run(Hand(app).app, {"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


def test_too_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_REQUESTS", 1)
    waiting = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await waiting.wait()
        await PlainTextResponse("late")(scope, receive, send)

    hand = Hand(app)

    async def scenario() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hand.ask)
            await anyio.lowlevel.checkpoint()
            await hand.ask()
            assert (hand.sent[0]["status"], hand.header("retry-after")) == (503, "1")
            assert json.loads(hand.sent[1]["body"]) == {"error": "too many requests at a time"}
            waiting.set()
        hand.sent.clear()
        await hand.ask()
        assert hand.sent[0]["status"] == 200

    anyio.run(scenario)


def test_a_mistake_is_logged_as_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a mistake")

    hand = Hand(app, log=AccessLog.LOGFMT)
    with pytest.raises(RuntimeError, match="a mistake"):
        logged(caplog, hand)
    assert "status=0 ms=0 bytes=0 " in caplog.messages[-1]


HUGE = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"
MOST_SENT = 100_000_000
"""Far more than fits into the buffers between two sockets."""


# -- by sockets ------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence_ends_a_request(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SILENCE", 0.05)

    async def hang(request: Request) -> Response:
        await anyio.sleep_forever()
        raise AssertionError("unreachable")

    async def begin(request: Request) -> Response:
        async def endless() -> Any:
            yield b"some"
            await anyio.sleep_forever()

        return StreamingResponse(endless())

    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/hang")
        assert (answer.status, answer.content) == (503, {"error": "nothing has moved for 0 s"})
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(b"GET /begin HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b"".join([data async for data in stream])
        assert received.endswith(b"4\r\nsome\r\n")
        assert (await web.ask("GET", "/healthz")).status == 200

    play(backend, [[Route("/hang", hang), Route("/begin", begin)]], scenario)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("head", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nA: b", b""])
def test_headers_that_take_their_time(
    backend: str, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "IDLE", 0.05)

    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            if head:
                await stream.send(head)
            assert b"".join([data async for data in stream]) == b""

    play(backend, [], scenario)


@pytest.mark.parametrize("backend", BACKENDS)
def test_headers_that_are_too_long(backend: str) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/healthz", headers={"X": "x" * 15_000})
        assert answer.status == 200
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000)
            received = b""
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while data := await stream.receive():
                    received += data
            assert not received or received.split()[1] in (b"400", b"431")

    play(backend, [], scenario)


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_goes_on_and_on_is_cut_off(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "MOST_FORGOTTEN", 100_000)

    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(HUGE)
            sent = 0
            with suppress(anyio.BrokenResourceError):
                while sent < MOST_SENT:
                    await stream.send(b"x" * 100_000)
                    sent += 100_000
            assert sent < MOST_SENT

    play(backend, [[Route("/hello", hello, methods=["POST"])]], scenario)


def test_the_log_of_a_port(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, watching.logger.name)

    async def scenario() -> None:
        with anyio.fail_after(PATIENCE):
            async with serving(
                web_app(), "127.0.0.1", 0, backend=Backend.ASYNCIO, log=AccessLog.JSON
            ) as address:
                answer = await Web(address).ask("GET", "/healthz?a=secret")
        (line,) = caplog.messages
        found = json.loads(line)
        assert (found["path"], found["client"]) == ("/healthz", "127.0.0.1")
        assert found["id"] == answer.headers["x-request-id"]

    anyio.run(scenario)


def test_lines_go_to_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.Logger("access", logging.ERROR)
    monkeypatch.setattr(watching, "logger", logger)
    serving_command._show_requests()
    serving_command._show_requests()
    logger.info("%s", "a=1")
    assert capsys.readouterr() == ("a=1\n", "")
