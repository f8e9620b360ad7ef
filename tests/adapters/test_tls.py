"""Encrypted connections, on both runtimes."""

from __future__ import annotations

import ssl
from typing import Any

import anyio
import pytest

from improto.contents import Text
from improto.errors import RemoteProtocolError
from improto.events import CloseReason
from improto.messages import Conversation
from tests.adapters.office import Office, connected, raw_client, until

pytestmark = pytest.mark.anyio

HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01"
"""The beginning of a ClientHello."""

BOB = Conversation.private("bob")


async def test_an_encrypted_conversation(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    for number in range(3):
        office.deliver("ann", b"%d" % number)
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server,
        connected(adapter, server, ssl=client_tls) as client,
    ):
        for size in (1, 20_000, 120_000):
            await client.send(BOB, Text("x" * size))
        messages = client.messages()
        assert [(await anext(messages)).content for _ in range(3)] == [b"0", b"1", b"2"]
    assert client.close_event.reason is CloseReason.LOCAL
    assert [end.reason for end in office.ends] == [CloseReason.PEER]


async def test_the_server_may_end_it(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server,
        connected(adapter, server, ssl=client_tls) as client,
    ):
        await server.aclose()
        assert (await client.wait_closed()).reason is CloseReason.PEER


async def test_the_end_is_said_under_encryption(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Or an answer that somebody has cut short would look like a whole one."""
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server,
        await anyio.connect_tcp(
            *server.addresses[0], ssl_context=client_tls, tls_standard_compatible=True
        ) as stream,
    ):
        await stream.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while not answer.endswith(b"GET /"):
            answer += await stream.receive()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_the_certificate_may_be_for_another_name(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:
        async with connected(adapter, server, ssl=client_tls, server_hostname="localhost"):
            pass
        with pytest.raises(ssl.SSLCertVerificationError, match="example"):
            async with connected(adapter, server, ssl=client_tls, server_hostname="example.org"):
                pass


async def test_an_unknown_certificate_is_an_error(
    adapter: Any, office: Office, server_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(adapter, server, ssl=ssl.create_default_context()):
                pass
        await until(lambda: server.connections == 0)
    assert office.ends == []


async def test_a_client_that_does_not_encrypt(
    adapter: Any, office: Office, server_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:
        with pytest.raises((RemoteProtocolError, OSError)):
            async with connected(adapter, server):
                pass
        await until(lambda: server.connections == 0)


async def test_a_server_that_does_not_encrypt(
    adapter: Any, office: Office, client_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with pytest.raises(ssl.SSLError):
            async with connected(adapter, server, ssl=client_tls):
                pass


async def test_a_block_that_raises_aborts(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:
        with pytest.raises(KeyError):
            async with connected(adapter, server, ssl=client_tls):
                raise KeyError
        await until(lambda: server.connections == 0)
    assert [end.reason for end in office.ends] == [CloseReason.LOST]


async def test_a_handshake_under_way_does_not_hold_the_server_up(
    adapter: Any, office: Office, server_tls: ssl.SSLContext
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(HALF_A_HELLO)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(3):
            await server.aclose()


async def test_unfinished_handshakes_count_as_connections(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0, ssl=server_tls, max_connections=1) as server,
        raw_client(server.addresses[0]) as raw,
    ):
        await raw.stream.send(HALF_A_HELLO)
        with pytest.raises(OSError, match=r".*"):
            async with connected(adapter, server, ssl=client_tls):
                pass
