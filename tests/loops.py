"""Fixtures of tests that wait: each runs on asyncio and on trio, and none hangs or leaves a mess.

A ``conftest.py`` takes those that it wants. Most such tests run in real time and finish in
milliseconds; a test module that sets ``VIRTUAL_TIME = True`` runs on clocks that jump.
"""

from __future__ import annotations

import gc
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECONDS = 60
VIRTUAL_SECONDS = 100_000
"""What takes longer hangs."""

DATA = Path(__file__).parent / "data"


def is_virtual(request: pytest.FixtureRequest) -> bool:
    """Whether the test runs on a clock that jumps."""
    return bool(getattr(request.module, "VIRTUAL_TIME", False))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    if is_virtual(request):
        return virtual_time.backend(request.param)
    return request.param


@pytest.fixture(scope="session", autouse=True)
def small_heap() -> None:
    """What was imported needs no looking through after every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_is_left_open() -> Iterator[None]:
    """Whatever a test forgets to close becomes a warning of this test, and so an error."""
    yield
    gc.collect()


@pytest.fixture
async def nothing_hangs(
    request: pytest.FixtureRequest, anyio_backend: Any, nothing_is_left_open: None
) -> AsyncIterator[None]:
    with anyio.fail_after(VIRTUAL_SECONDS if is_virtual(request) else SECONDS):
        yield


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(DATA / "localhost.pem", DATA / "localhost.key")
    return context


@pytest.fixture
def client_tls() -> ssl.SSLContext:
    """Knows the server's certificate."""
    return ssl.create_default_context(cafile=str(DATA / "localhost.pem"))
