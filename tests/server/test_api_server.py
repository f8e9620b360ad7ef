"""The REST API as HTTP has it (rest 1 to 4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.codes import ErrorCode
from improto_server.api import server as server_module
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Text
from improto_server.api.replies import (
    HTTP_STATUS,
    Calendar,
    Code,
    RefusedError,
    failure,
    refused_by,
    success,
)
from improto_server.api.server import BODY_BYTES, Api, Clocks
from improto_server.api.signing import Signing, SigningRules
from improto_server.errors import ServiceError
from improto_server.services.rosters import RosterFull
from tests.server.api_tools import SECRET, signed
from tests.server.rig import APP
from tests.server.web_tools import BACKENDS, Web, play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.server.web_tools import Answer

pytestmark = pytest.mark.parametrize("backend", BACKENDS)

WORD = Text("word", most_bytes=10, is_required=True)


HEAD = "".join(f"{name}: {value}\r\n" for name, value in signed().items())
BEGINNING = f"POST /echo.json HTTP/1.1\r\nHost: x\r\n{HEAD}Content-Length: 9\r\n\r\nwo".encode()
"""Of a request; the rest does not come."""


async def echo(call: Call) -> Reply:
    return {"word": call[WORD], "app": call.app}


async def fail(call: Call) -> Reply:
    raise RuntimeError("a mistake")


async def refuse(call: Call) -> Reply:
    raise ServiceError(ErrorCode.INTERNALERRROR)


def endpoint(path: str, call: Callable[[Call], Any], *, is_json: bool = False) -> Endpoint:
    parameters = (WORD,) if call is echo else ()
    return Endpoint(
        path=path, mark=Mark.CORE, about="", parameters=parameters, call=call, is_json=is_json
    )


def run(backend: str, scenario: Callable[[Web], Awaitable[None]], *, rate: int = 0) -> list[float]:
    """Run a scenario; returns what the clock is set by."""
    clock = [0.0]
    api = Api(
        [
            endpoint("/echo", echo),
            endpoint("/a/json", echo, is_json=True),
            endpoint("/fail", fail),
            endpoint("/refuse", refuse),
        ],
        signing=Signing({APP: SECRET}, SigningRules()),
        calls_per_second=rate,
        clocks=Clocks(now=lambda: 0.0, monotonic=lambda: clock[0]),
    )
    play(backend, [api.routes()], scenario)
    return clock


async def call(web: Web, path: str, body: bytes | None = b"", **headers: str) -> Answer:
    answer = await web.ask("POST", path, body, {**signed(), **headers})
    assert answer.headers["content-type"] == "application/json"
    return answer


def outcome(answer: Answer) -> tuple[int, int]:
    content = answer.content
    if answer.status != 200:
        assert content["errorMessage"]
    return answer.status, content["code"]


def test_a_call(backend: str) -> None:
    async def scenario(web: Web) -> None:
        answer = await call(web, "/echo.json", b"word=hi")
        assert answer.status == 200
        assert answer.content == {"code": 200, "word": "hi", "app": APP}
        kinds = ("application/x-www-form-urlencoded; charset=UTF-8", "application/json")
        for kind in kinds:
            answer = await call(web, "/echo.json", b"word=hi", **{"Content-Type": kind})
            assert answer.content["word"] == "hi"
        answer = await call(web, "/a/json.json", b'{"word": "\\u00e9"}')
        assert answer.content["word"] == "\u00e9"

    run(backend, scenario)


def test_what_is_refused_has_a_text(backend: str) -> None:
    async def scenario(web: Web) -> None:
        answer = await call(web, "/echo.json")
        assert answer.status == 400
        assert answer.content == {
            "code": 1002,
            "errorMessage": "word is missing",
            "url": "/echo.json",
        }
        assert outcome(await call(web, "/echo.json", b"word=0123456789a")) == (400, 1005)
        assert outcome(await call(web, "/a/json.json", b"{")) == (400, 1002)
        assert outcome(await call(web, "/nothing.json")) == (404, 404)
        assert outcome(await call(web, "/refuse.json")) == (500, 1000)

    run(backend, scenario)


def test_who_calls_is_looked_at_first(backend: str) -> None:
    async def scenario(web: Web) -> None:
        for path in ("/echo.json", "/nothing.json"):
            answer = await web.ask("POST", path, b"x" * 100)
            assert (answer.status, answer.content["code"]) == (401, 1004)
        answer = await web.ask("POST", "/echo.json", b"", signed(app="nobody"))
        assert (answer.status, answer.content["code"]) == (401, 1001)

    run(backend, scenario)


def test_a_body_has_a_limit(backend: str) -> None:
    async def scenario(web: Web) -> None:
        body = b"x=" + b"1" * (BODY_BYTES - 2)
        assert outcome(await call(web, "/echo.json", body)) == (400, 1002)
        assert outcome(await call(web, "/echo.json", body + b"1")) == (413, 1508)

    run(backend, scenario)


def test_a_body_that_does_not_come(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PATIENCE", 0.0)

    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(BEGINNING)
            received = b""
            while b"took more than" not in received:
                received += await stream.receive()
            assert received.startswith(b"HTTP/1.1 400")
            assert b'"code":1002' in received

    run(backend, scenario)


def test_who_goes_in_the_middle(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(BEGINNING)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
        assert (await call(web, "/echo.json", b"word=1")).status == 200

    run(backend, scenario)
    assert not caplog.records


def test_a_mistake_is_logged_and_not_told(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(web: Web) -> None:
        answer = await call(web, "/fail.json")
        assert answer.content["errorMessage"] == "internal error"
        assert outcome(answer) == (500, 1000)
        assert outcome(await call(web, "/echo.json", b"word=1")) == (200, 200)

    run(backend, scenario)
    assert "a mistake" in caplog.text


def test_each_endpoint_has_a_rate(backend: str) -> None:
    async def scenario(web: Web) -> None:
        for _ in range(2):
            assert outcome(await call(web, "/echo.json", b"word=1")) == (200, 200)
        assert outcome(await call(web, "/echo.json", b"word=1")) == (429, 1008)
        assert outcome(await call(web, "/a/json.json", b'{"word":"1"}')) == (200, 200)

    run(backend, scenario, rate=2)


def test_what_services_refuse(backend: str) -> None:
    found = {
        code: refused_by(error).code
        for code, error in {
            1: RosterFull(ErrorCode.RC_MSG_UNAUTHORIZED),
            2: ServiceError(ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT),
            3: ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER),
        }.items()
    }
    assert found == {1: Code.FULL, 2: Code.TOO_LONG, 3: Code.INVALID}
    assert set(HTTP_STATUS) == set(Code)


def test_bodies(backend: str) -> None:
    assert json.loads(success(None)) == {"code": 200}
    assert json.loads(failure(RefusedError(Code.FULL, "full"), "/x.json")) == {
        "code": 405,
        "errorMessage": "full",
        "url": "/x.json",
    }


@pytest.mark.parametrize(
    ("hours", "time", "text"),
    [
        (0, 1_700_000_000_000, "2023-11-14 22:13:20"),
        (8, 1_700_000_000_999, "2023-11-15 06:13:20"),
        (-12, 0, "1969-12-31 12:00:00"),
        (14, 2**63 - 1, "9999-12-31 14:00:00"),
    ],
)
def test_times(backend: str, hours: int, time: int, text: str) -> None:
    assert Calendar(hours).text(time) == text
