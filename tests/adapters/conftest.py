"""One suite for both adapters: ``adapter`` is improto_asyncio or improto_trio.

Most tests run in real time and finish in milliseconds; a test module that sets
``VIRTUAL_TIME = True`` runs on clocks that jump.
"""

from __future__ import annotations

import gc
import importlib
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.adapters import virtual_time
from tests.adapters.office import Office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECONDS = 60
VIRTUAL_SECONDS = 7200
"""What takes longer hangs."""

DATA = Path(__file__).parent.parent / "data"


def is_virtual(request: pytest.FixtureRequest) -> bool:
    """Whether the test runs on a clock that jumps."""
    return bool(getattr(request.module, "VIRTUAL_TIME", False))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    if is_virtual(request):
        return virtual_time.backend(request.param)
    return request.param


@pytest.fixture
def adapter(anyio_backend_name: str) -> Any:
    return importlib.import_module(f"improto_{anyio_backend_name}")


@pytest.fixture(scope="session", autouse=True)
def _small_heap() -> None:
    """What was imported needs no looking through after every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """Whatever a test forgets to close becomes a warning of this test, and so an error."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
async def _nothing_hangs(request: pytest.FixtureRequest, anyio_backend: Any) -> AsyncIterator[None]:
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
def office() -> Office:
    return Office()


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(DATA / "localhost.pem", DATA / "localhost.key")
    return context


@pytest.fixture
def client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(DATA / "localhost.pem"))
