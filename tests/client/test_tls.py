"""Encryption: the navigator's scheme decides, and certificates have to be good."""

from __future__ import annotations

import ssl

import pytest

from improto_client import NavigationFailed, NoServer, connect
from tests.client.places import Post, connected, serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


async def test_straight_to_a_host(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with (
        serving(Post(), ssl=server_tls) as port,
        connected(port, "ann", host="localhost", ssl=client_tls) as im,
    ):
        assert im.user_id == "ann"


async def test_a_certificate_of_nobody(server_tls: ssl.SSLContext) -> None:
    async with serving(Post(), ssl=server_tls) as port:
        with pytest.raises(NoServer, match="certificate"):
            async with connected(port, "ann", host="localhost", ssl=ssl.create_default_context()):
                pytest.fail("it is connected")
        with pytest.raises(NavigationFailed, match="certificate"):
            async with connect(f"https://localhost:{port}", app_key="app", token="ann"):
                pytest.fail("it is connected")


async def test_https_leads_to_encrypted_hosts(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    post = Post()
    async with serving(post, ssl=server_tls) as port:
        post.navigation = {"server": f"localhost:{port}"}
        url = f"https://localhost:{port}"
        async with connect(url, app_key="app", token="ann", ssl=client_tls) as im:
            assert im.user_id == "ann"
    assert len(post.navigated) == 1
