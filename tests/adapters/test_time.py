"""Everything that waits, on clocks that jump: hours pass in milliseconds."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.config import Timing
from improto.contents import Text
from improto.errors import ConnectionEnded, RequestTimedOut
from improto.events import CloseReason, PublishReceived
from improto.frames import ConnAck, PingReq, PingResp
from improto.messages import Conversation
from improto.operations import Topic
from tests.adapters.office import (
    Office,
    RawPeer,
    connected,
    log_in,
    open_websocket,
    raw_client,
    scripted_server,
    upgraded_client,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

VIRTUAL_TIME = True

pytestmark = pytest.mark.anyio

BOB = Conversation.private("bob")
HOUR = 3600.0


def about(seconds: float) -> Any:
    """A clock that jumps may stop a little late, where it has been looked at twice."""
    return pytest.approx(seconds, abs=0.1)


async def ended(server: Any) -> float:
    """When the last connection goes."""
    # Looking every now and then takes no time on this clock.
    while server.connections:  # noqa: ASYNC110
        await anyio.sleep(0.01)
    return anyio.current_time()


# -- heartbeats ---------------------------------------------------------------------------------


async def test_an_hour_of_heartbeats(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        await anyio.sleep(HOUR)
        assert client.is_open
        assert server.connections == 1
        assert (await client.send(BOB, Text("still here"))).uid


async def test_a_server_that_falls_silent_is_given_up(adapter: Any) -> None:
    async def say_nothing(raw: RawPeer) -> None:
        await log_in(raw)
        while await raw.receive() is not None:
            pass

    timing = Timing(first_pong=5.0, pong=15.0)
    async with scripted_server(say_nothing) as address:
        begin = anyio.current_time()
        async with adapter.connect(*address, app_key="a", token="t", timing=timing) as client:
            closed = await client.wait_closed()
    assert closed.reason is CloseReason.NO_PONG
    assert anyio.current_time() - begin == about(20.0)


async def test_a_server_that_answers_pings_is_kept(adapter: Any) -> None:
    pings = 0

    async def answer_pings(raw: RawPeer) -> None:
        nonlocal pings
        await log_in(raw)
        while (frame := await raw.receive()) is not None:
            if isinstance(frame, PingReq):
                pings += 1
                await raw.send(PingResp())

    timing = Timing(heartbeat=15.0)
    async with (
        scripted_server(answer_pings) as address,
        adapter.connect(*address, app_key="a", token="t", timing=timing) as client,
    ):
        await anyio.sleep(10 * 15.0 + 1)
        assert client.is_open
        assert pings == 11


async def test_an_idle_client_is_dropped(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(idle=75.0)) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        begin = anyio.current_time()
        for _ in range(3):
            await anyio.sleep(70.0)
            await raw.send(PingReq())
            assert await raw.receive() == PingResp()
        await raw.read_to_end()
        assert anyio.current_time() - begin == about(3 * 70.0 + 75.0)
    assert [end.reason for end in office.ends] == [CloseReason.IDLE]


# -- logins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beginning", [b"", b"GET /websocket?appId=a HTTP/1.1\r\nho"])
async def test_half_open_connections_are_removed(
    adapter: Any, office: Office, beginning: bytes
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(login=10.0)) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        begin = anyio.current_time()
        if beginning:
            await raw.stream.send(beginning)
        answer = await raw.read_to_end()
        assert answer[:12] == (b"HTTP/1.1 408" if beginning else b"")
        assert anyio.current_time() - begin == about(10.0)
        await raw.stream.aclose()
        await ended(server)


async def test_a_client_that_trickles_is_removed(adapter: Any, office: Office) -> None:
    """One byte a second does not prolong anything."""
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(login=10.0)) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await anyio.sleep(0.5)
        begin = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(trickle, raw)
            assert (await raw.read_to_end()).startswith(b"HTTP/1.1 408")
            group.cancel_scope.cancel()
        assert anyio.current_time() - begin == about(9.5)


async def trickle(raw: RawPeer) -> None:
    for byte in b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 100:
        await raw.stream.send(bytes([byte]))
        await anyio.sleep(1.0)


async def test_a_login_that_nobody_decides_is_removed(adapter: Any, office: Office) -> None:
    office.decides_logins = False
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(login=10.0)) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        begin = anyio.current_time()
        assert await raw.receive() is None
        assert anyio.current_time() - begin == about(10.0)
    assert [end.reason for end in office.ends] == [CloseReason.NO_LOGIN]


async def test_a_login_without_an_answer_ends(adapter: Any) -> None:
    async def say_nothing(raw: RawPeer) -> None:
        await open_websocket(raw)
        await raw.read_to_end()

    async with scripted_server(say_nothing) as address:
        begin = anyio.current_time()
        with pytest.raises(ConnectionEnded) as refused:
            async with adapter.connect(
                *address, app_key="a", token="t", timing=Timing(connack=5.0)
            ):
                pass
    assert refused.value.reason is CloseReason.NO_CONNACK
    assert anyio.current_time() - begin == about(5.0)


async def test_a_server_that_does_not_even_speak_http(adapter: Any) -> None:
    async def say_nothing(raw: RawPeer) -> None:
        await raw.read_to_end()

    async with scripted_server(say_nothing) as address:
        begin = anyio.current_time()
        with pytest.raises(ConnectionEnded):
            async with adapter.connect(
                *address, app_key="a", token="t", timing=Timing(connack=5.0)
            ):
                pass
    assert anyio.current_time() - begin == about(5.0)


async def test_unfinished_tls_handshakes_are_removed(
    adapter: Any, office: Office, server_tls: ssl.SSLContext
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls, timing=Timing(login=10.0)) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        begin = anyio.current_time()
        await raw.stream.send(b"\x16\x03\x01\x02\x00\x01")
        await raw.read_to_end()
        assert anyio.current_time() - begin == about(10.0)


async def test_unfinished_tls_handshakes_of_a_client_end(
    adapter: Any, client_tls: ssl.SSLContext
) -> None:
    async def say_nothing(raw: RawPeer) -> None:
        await raw.read_to_end()

    async with scripted_server(say_nothing) as address:
        begin = anyio.current_time()
        with pytest.raises((OSError, ConnectionEnded)):
            async with adapter.connect(
                *address, app_key="a", token="t", ssl=client_tls, timing=Timing(connack=5.0)
            ):
                pass
    assert anyio.current_time() - begin == about(5.0)


# -- requests -----------------------------------------------------------------------------------


async def test_a_request_without_an_answer_times_out(adapter: Any, office: Office) -> None:
    office.answers = False
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server, timing=Timing(request=30.0)) as client,
    ):
        begin = anyio.current_time()
        with pytest.raises(RequestTimedOut):
            await client.send(BOB, Text("hi"))
        assert anyio.current_time() - begin == about(30.0)
        assert client.is_open


# -- endings ------------------------------------------------------------------------------------


async def test_a_peer_that_does_not_close_gets_a_moment(adapter: Any, office: Office) -> None:
    """One second for its close frame, one more for the end of its stream."""
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(close=1.0)) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        begin = anyio.current_time()
        office.peers["ann"].shut_down()
        await anyio.lowlevel.checkpoint()
        assert await ended(server) - begin == about(2.0)


async def test_closing_a_server_keeps_to_its_deadline(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=Timing(close=60.0)) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        begin = anyio.current_time()
        await server.aclose(deadline=3.0)
        assert anyio.current_time() - begin == about(3.0)
        assert server.connections == 0


async def test_closing_a_client_keeps_to_its_deadline(adapter: Any) -> None:
    async def never_close(raw: RawPeer) -> None:
        await log_in(raw)
        await anyio.sleep_forever()

    async with scripted_server(never_close) as address:
        async with adapter.connect(
            *address, app_key="a", token="t", timing=Timing(close=1.0)
        ) as client:
            begin = anyio.current_time()
        assert anyio.current_time() - begin == about(1.0)
        assert client.close_event.reason is CloseReason.LOCAL


async def test_bytes_that_nobody_takes_are_given_up(adapter: Any, office: Office) -> None:
    """A kicked client that does not read: its socket is full, and goes after the linger."""
    timing = Timing(linger=5.0, idle=HOUR, login=HOUR)
    async with (
        adapter.serve(office, "127.0.0.1", 0, timing=timing) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        peer = office.peers["ann"]
        (line,) = server._lines._open
        while not line._unwritten():
            peer.command(Topic.S_CMD, b"x" * 100_000)
            line.flush()
        begin = anyio.current_time()
        peer.shut_down()
        assert await ended(server) - begin == about(6.0)


async def test_handlers_that_do_not_finish_are_cancelled(adapter: Any) -> None:
    cancelled: list[float] = []

    async def stubborn(session: Any) -> None:
        session.accept("ann")
        try:
            async for event in session:
                assert not isinstance(event, PublishReceived)
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(anyio.current_time())
            raise

    async with adapter.serve_handler(stubborn, "127.0.0.1", 0) as server:
        async with connected(adapter, server):
            pass
        begin = anyio.current_time()
        await server.aclose(deadline=3.0)
        assert anyio.current_time() - begin == about(3.0)
        assert cancelled == []
    assert len(cancelled) == 1


# -- accepting ----------------------------------------------------------------------------------


@contextmanager
def no_more_files() -> Iterator[None]:
    """No further file can be opened in this block."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_file = os.dup(0)
    os.close(next_file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_file, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_no_more_files_is_a_pause_and_one_line_of_log(
    adapter: Any, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with socket.create_connection(server.addresses[0]):
            with no_more_files():
                await anyio.sleep(10.0)
                assert server.connections == 0
            await anyio.sleep(1.0)
            assert server.connections == 1
    assert [record.name for record in caplog.records] == [adapter.__name__]
    assert "Too many open files" in caplog.text


async def test_closing_during_the_pause(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with socket.create_connection(server.addresses[0]):
            with no_more_files():
                await anyio.sleep(0.1)
            await server.aclose()
            await anyio.sleep(2.0)
            assert server.connections == 0
