"""Clients that poll, over real sockets on both runtimes (http 5)."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from improto.config import Limits
from improto.events import CloseReason
from tests.adapters.office import LOGIN_TIME, Office

pytestmark = pytest.mark.anyio

TEXT = '{"sessionId":3,"classname":"RC:TxtMsg","content":"hi"}'
PULL = '{"ispolling":false,"syncTime":0}'


class Page:
    """A browser's page: one connection for each request."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.session = ""

    async def ask(self, method: str, target: str, body: str = "") -> Any:
        head = f"{method} {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        async with await anyio.connect_tcp(*self.address) as stream:
            await stream.send(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            answer = b"".join([data async for data in stream])
        head_bytes, _, content = answer.partition(b"\r\n\r\n")
        assert b"access-control-allow-origin: *" in head_bytes.lower()
        return json.loads(content) if b" 200 " in head_bytes else content.decode()

    async def log_in(self, token: str) -> Any:
        answer = await self.ask("GET", f"/websocket?appId=app&token={token}&sdkVer=2.9.2&pid=1")
        self.session = answer.get("sessionid", "")
        return answer

    async def poll(self) -> Any:
        return await self.ask("GET", f"/pullmsg.js?sessionid={self.session}&timestrap=1&pid=1")

    async def post(self, header: int, topic: str, target: str, body: str) -> Any:
        query = f"messageid=1&header={header}&sessionid={self.session}"
        return await self.ask("POST", f"/websocket?{query}&topic={topic}&targetid={target}", body)


async def test_a_conversation(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        ann, bob = Page(server.addresses[0]), Page(server.addresses[0])
        assert (await ann.log_in("ann"))["timestamp"] == LOGIN_TIME
        await bob.log_in("bob")
        assert ann.session != bob.session
        for page in (ann, bob):
            [pulled] = await page.post(82, "pullMsg", "x", PULL)
            assert json.loads(pulled["data"])["list"] == []
        [acknowledged] = await ann.post(50, "ppMsgP", "bob", TEXT)
        assert (acknowledged["headerCode"], acknowledged["status"]) == (64, 0)
        [signal] = await bob.poll()
        message = json.loads(signal["data"])
        assert (signal["topic"], message["content"]) == ("s_msg", "hi")


async def test_sessions_end_with_the_server(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        ann, bob = Page(server.addresses[0]), Page(server.addresses[0])
        await ann.log_in("ann")
        stream = await anyio.connect_tcp(*ann.address)
        poll = f"GET /pullmsg.js?sessionid={ann.session} HTTP/1.1\r\nhost: h\r\n\r\n"
        await stream.send(poll.encode())
        # The server reads in the order in which it was written to.
        await bob.log_in("bob")
    async with stream:
        assert b"".join([data async for data in stream]).endswith(b"lost params")
    assert [end.reason for end in office.ends] == [CloseReason.LOCAL] * 2


async def test_a_program_that_fails_loses_the_session_only(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        ann, bob = Page(server.addresses[0]), Page(server.addresses[0])
        await ann.log_in("ann")
        await bob.log_in("bob")
        office.error = KeyError("mine")
        assert await ann.post(50, "ppMsgP", "bob", TEXT) == "lost params"
        office.error = None
        assert await ann.poll() == "lost params"
        assert len(await bob.post(50, "ppMsgP", "ann", TEXT)) == 1


async def test_long_polling_can_be_switched_off(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, long_polling=False) as server,
        await anyio.connect_tcp(*server.addresses[0]) as stream,
    ):
        await stream.send(b"GET /websocket HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        answer = b"".join([data async for data in stream])
        assert answer.endswith(b"GET /websocket")


async def test_there_is_a_limit_of_sessions(adapter: Any, office: Office) -> None:
    limits = Limits(polling_sessions=1)
    async with adapter.serve(office, "127.0.0.1", 0, limits=limits) as server:
        page = Page(server.addresses[0])
        assert (await page.log_in("ann"))["status"] == 0
        assert (await page.log_in("bob"))["status"] == 3
