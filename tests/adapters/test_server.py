"""What clients and programs see of a server, on both runtimes."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto import payloads
from improto.codes import ConnAckStatus, DisconnectStatus
from improto.config import Limits
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CloseReason, Farewell, PublishReceived, PullReceived
from improto.frames import (
    ConnAck,
    MessageId,
    PingReq,
    PingResp,
    Publish,
    Query,
    TimeMs,
)
from improto.login import Login
from improto.messages import Conversation, compose, request
from improto.operations import Topic
from improto.transports import FramerState
from tests.adapters.office import (
    UPGRADE,
    Office,
    connected,
    raw_client,
    until,
    upgraded_client,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

BOB = Conversation.private("bob")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


# -- listening ----------------------------------------------------------------------------------


async def test_a_server_says_where_it_listens(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        [(host, port)] = server.addresses
        assert host == "127.0.0.1"
        assert port > 0
        assert server.connections == 0
        async with connected(adapter, server):
            assert server.connections == 1


@needs_ipv6
async def test_ipv6(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "::1", 0) as server, connected(adapter, server) as client:
        await client.send(BOB, Text("hi"))
        assert office.peers["ann"].address.startswith("[::1]:")


@needs_ipv6
@pytest.mark.parametrize("host", [None, ""])
async def test_no_host_is_all_interfaces(adapter: Any, office: Office, host: str | None) -> None:
    async with adapter.serve(office, host, 0) as server:
        assert sorted(address for address, _ in server.addresses) == ["0.0.0.0", "::"]
        for address, port in server.addresses:
            local = {"0.0.0.0": "127.0.0.1", "::": "::1"}[address]
            async with adapter.connect(local, port, app_key="app", token="ann"):
                pass


async def test_an_address_that_is_taken(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match=r".*") as taken:
            async with adapter.serve(office, *server.addresses[0]):
                pass
    assert taken.value.errno == errno.EADDRINUSE


async def test_an_address_that_is_taken_at_the_last_moment(
    adapter: Any, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(sock: socket.socket, backlog: int) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(socket.socket, "listen", listen)
    with pytest.raises(OSError, match="in use"):
        async with adapter.serve(office, "127.0.0.1", 0):
            pass


async def test_nagle_is_off(adapter: Any, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[int, ...]] = []
    real = socket.socket.setsockopt

    def setsockopt(sock: socket.socket, *option: Any) -> None:
        options.append(option)
        real(sock, *option)

    monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)
    async with adapter.serve(office, "127.0.0.1", 0) as server, connected(adapter, server):
        pass
    assert options.count((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)) >= 2


# -- HTTP ---------------------------------------------------------------------------------------


async def test_plain_http_is_the_services_business(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        for _ in range(2):
            await raw.stream.send(b"GET /navi.js HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await raw.read_head()).startswith(b"HTTP/1.1 200")
            assert await raw.stream.receive(12) == b"GET /navi.js"
        await raw.stream.send(b"GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await raw.read_to_end()).endswith(b"GET /last")


async def test_a_request_whose_sender_is_done_is_answered(adapter: Any, office: Office) -> None:
    """A half-closed connection, as ``nc -N`` makes it."""
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n")
        await raw.stream.send_eof()
        assert (await raw.read_to_end()).endswith(b"GET /ping")


async def test_garbage_is_refused(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert (await raw.read_to_end()).startswith(b"HTTP/1.1 400")
        await raw.stream.aclose()
        await until(lambda: server.connections == 0)


# -- endings ------------------------------------------------------------------------------------


async def test_a_kicked_client_is_told(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        office.peers["ann"].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
        closed = await client.wait_closed()
        assert (closed.reason, closed.status) == (CloseReason.KICKED, 1)
        await until(lambda: server.connections == 0)


async def test_a_client_that_breaks_the_protocol_is_told_and_dropped(
    adapter: Any, office: Office
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        raw.framer.send_message(b"\xff\xff\xff")
        await raw.stream.send(raw.framer.data_to_send())
        assert await raw.receive() is None
        assert raw.framer.close_code == 1007
        await raw.stream.aclose()
        await until(lambda: server.connections == 0)
    assert [end.reason for end in office.ends] == [CloseReason.VIOLATION]


@pytest.mark.parametrize(("sdk_version", "code"), [("4.6.4", 1001), ("2.5.3", 1006)])
async def test_shutting_down_makes_each_generation_come_back(
    adapter: Any, office: Office, sdk_version: str, code: int
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        upgraded_client(server.addresses[0], sdk_version=sdk_version) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        async with anyio.create_task_group() as group:
            group.start_soon(server.aclose)
            assert await raw.receive() is None
            raw.framer.receive_eof()
            assert raw.framer.close_code == code
            await raw.stream.aclose()
        assert server.connections == 0


async def test_closing_ends_http_connections_too(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n")
        await raw.read_head()
        async with anyio.create_task_group() as group:
            group.start_soon(server.aclose)
            await raw.read_to_end()
            await raw.stream.aclose()


async def test_a_closed_server_accepts_nobody(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(server.wait_closed)
            await server.aclose()
        await server.aclose()
        with pytest.raises(OSError, match=r".*"):
            async with connected(adapter, server):
                pass


async def test_a_farewell_is_not_lost_to_bytes_that_nobody_reads(
    adapter: Any, office: Office
) -> None:
    """A socket that is closed with bytes unread is reset, and what was sent may be lost."""
    office.login_status = ConnAckStatus.SERVER_UNAVAILABLE
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        raw.queue(PingReq())
        ping = raw.framer.data_to_send()
        target = Login(app_key="app", token="ann").target.encode()
        await raw.stream.send(b"GET " + target + b" HTTP/1.1\r\n" + UPGRADE + 60_000 * ping)
        assert (await raw.read_head()).startswith(b"HTTP/1.1 101")
        answer = await raw.receive()
        assert isinstance(answer, ConnAck)
        assert answer.status == ConnAckStatus.SERVER_UNAVAILABLE
        assert await raw.receive() is None
        assert raw.framer.close_code == 1000
        assert not raw.was_reset


# -- limits -------------------------------------------------------------------------------------


async def test_who_does_not_read_is_dropped(adapter: Any, office: Office) -> None:
    limits = Limits(outbound_bytes=100_000)
    async with (
        adapter.serve(office, "127.0.0.1", 0, limits=limits) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        peer = office.peers["ann"]
        for _ in range(1000):
            if not peer.is_open:
                break
            for _ in range(10):
                peer.command(Topic.S_CMD, b"x" * 10_000)
            await anyio.lowlevel.checkpoint()
        assert [end.reason for end in office.ends] == [CloseReason.SLOW_READER]
        assert office.ends[0].farewell is Farewell.ABORT
        await until(lambda: server.connections == 0)


async def test_connections_above_the_limit_are_closed_at_once(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, max_connections=2) as server,
        connected(adapter, server) as first,
        raw_client(server.addresses[0]),
    ):
        async with raw_client(server.addresses[0]) as third:
            assert await third.read_to_end() == b""
        await first.send(BOB, Text("the others work on"))
        assert server.connections == 2


async def test_a_place_that_becomes_free_is_given_away(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, max_connections=1) as server:
        for _ in range(3):
            async with connected(adapter, server) as client:
                await client.send(BOB, Text("hi"))
            await until(lambda: server.connections == 0)


# -- failures -----------------------------------------------------------------------------------


async def test_a_service_that_raises_loses_one_connection(
    adapter: Any, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as ann,
        adapter.connect(*server.addresses[0], app_key="app", token="eve") as eve,
    ):
        office.error = RuntimeError("a bug")
        with pytest.raises(ConnectionEnded):
            await ann.send(BOB, Text("hi"))
        office.error = None
        await eve.send(BOB, Text("hi"))
        await until(lambda: server.connections == 1)
    assert [record.name for record in caplog.records] == [adapter.__name__]
    assert caplog.records[0].exc_info is not None
    assert "a bug" in str(caplog.records[0].exc_info[1])
    assert [end.reason for end in office.ends] == [CloseReason.LOCAL, CloseReason.PEER]


async def test_a_service_that_raises_on_http_loses_one_connection(
    adapter: Any, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.error = RuntimeError("a bug")
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await raw.read_to_end() == b""
        await until(lambda: server.connections == 0)
    assert len(caplog.records) == 1


async def test_a_peer_that_vanishes_is_noticed(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        async with upgraded_client(server.addresses[0]) as raw:
            assert isinstance(await raw.receive(), ConnAck)
            reset(raw.stream)
        await until(lambda: server.connections == 0)
    assert [end.reason for end in office.ends] == [CloseReason.LOST]


def reset(stream: Any) -> None:
    """Make the close of this stream a reset of its connection."""
    bare = stream.extra(anyio.abc.SocketAttribute.raw_socket)
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


async def test_the_last_request_of_a_client_that_leaves_is_served(
    adapter: Any, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """PUBLISH, QUERY and the close frame in one piece: their answers have nowhere to go."""
    message = compose(BOB, Text("bye"))
    question = request(Topic.PULL_US, "ann", payloads.PullUserSettingInput(version=1))
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        raw.queue(
            Publish(
                topic=message.topic, target_id="bob", message_id=MessageId(1), data=message.data
            )
        )
        raw.queue(
            Query(
                topic=question.topic, target_id="ann", message_id=MessageId(2), data=question.data
            )
        )
        raw.framer.close()
        await raw.stream.send(raw.framer.data_to_send())
        assert await raw.receive() is None
        await raw.stream.aclose()
        await until(lambda: server.connections == 0)
    assert len(office.contents) == 1
    assert [end.reason for end in office.ends] == [CloseReason.PEER]
    assert caplog.records == []


# -- writing ------------------------------------------------------------------------------------


async def test_what_one_turn_causes_is_one_write(adapter: Any, office: Office) -> None:
    """Twenty commands of the program arrive as one chunk."""
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        for _ in range(20):
            office.peers["ann"].command(Topic.S_CMD, b"x" * 10)
        chunk = await raw.stream.receive(65536)
        raw.framer.receive_data(chunk)
        frames = 0
        while raw.framer.next_message() is not None:
            frames += 1
        assert frames == 20
        assert raw.framer.state is FramerState.OPEN


async def test_the_heartbeat_is_answered(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        upgraded_client(server.addresses[0]) as raw,
    ):
        assert isinstance(await raw.receive(), ConnAck)
        await raw.send(PingReq())
        assert await raw.receive() == PingResp()


# -- handlers -----------------------------------------------------------------------------------


async def echo(session: Any) -> None:
    """Send back whatever comes in."""
    session.accept(session.login.token)
    async for event in session:
        match event:
            case PublishReceived():
                session.peer.acknowledge(event.frame.message_id, timestamp=session.time, uid="U")
            case PullReceived():
                session.peer.answer_pull(
                    event.message_id, [], sync_time=TimeMs(1), newest=TimeMs(1), is_finished=True
                )


async def test_a_handler_serves_each_client(adapter: Any) -> None:
    async with (
        adapter.serve_handler(echo, "127.0.0.1", 0) as server,
        connected(adapter, server) as one,
        connected(adapter, server) as two,
    ):
        assert (await one.send(BOB, Text("hi"))).uid == "U"
        assert (await two.send(BOB, Text("hi"))).uid == "U"


async def test_a_handler_that_fails_loses_its_client(
    adapter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: Any) -> None:
        session.accept("ann")
        async for _ in session:
            raise RuntimeError("a bug")

    async with (
        adapter.serve_handler(handler, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        assert (await client.wait_closed()).reason is CloseReason.LOST
    assert [record.name for record in caplog.records] == [adapter.__name__]


async def test_a_handler_learns_of_the_end_and_may_finish(adapter: Any) -> None:
    finished: list[object] = []

    async def handler(session: Any) -> None:
        session.accept("ann")
        async for _ in session:
            pass
        await anyio.lowlevel.checkpoint()
        finished.append(session.close_event.reason)

    async with (
        adapter.serve_handler(handler, "127.0.0.1", 0) as server,
        connected(adapter, server),
    ):
        await server.aclose()
    assert finished == [CloseReason.LOCAL]


async def test_handlers_may_answer_http(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve_handler(echo, "127.0.0.1", 0, http=office.http) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await raw.read_to_end()).endswith(b"GET /x")


async def test_the_blocks_exception_leaves_a_server_as_it_is(adapter: Any, office: Office) -> None:
    error = KeyError("mine")

    async def fail(serve: Callable[..., Any], what: Any) -> None:
        async with serve(what, "127.0.0.1", 0):
            raise error

    for serve, what in ((adapter.serve, office), (adapter.serve_handler, echo)):
        with pytest.raises(KeyError) as raised:
            await fail(serve, what)
        assert raised.value is error
