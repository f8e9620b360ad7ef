"""Encryption: the navigator's scheme decides, and certificates have to be good."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from improto_client import NavigationFailed, NoServer, connect
from tests.client.places import Post, connected, serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(DATA / "localhost.pem", DATA / "localhost.key")
    return context


@pytest.fixture
def good() -> ssl.SSLContext:
    """Knows the server's certificate."""
    return ssl.create_default_context(cafile=str(DATA / "localhost.pem"))


async def test_straight_to_a_host(server_tls: ssl.SSLContext, good: ssl.SSLContext) -> None:
    async with (
        serving(Post(), ssl=server_tls) as port,
        connected(port, "ann", host="localhost", ssl=good) as im,
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
    server_tls: ssl.SSLContext, good: ssl.SSLContext
) -> None:
    post = Post()
    async with serving(post, ssl=server_tls) as port:
        post.navigation = {"server": f"localhost:{port}"}
        url = f"https://localhost:{port}"
        async with connect(url, app_key="app", token="ann", ssl=good) as im:
            assert im.user_id == "ann"
    assert len(post.navigated) == 1
