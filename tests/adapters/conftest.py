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

SECONDS = 7200
"""A test may take this long, on its clock: what hangs in virtual time is there at once, and what
hangs in real time is the business of whoever runs the suite."""

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    if getattr(request.module, "VIRTUAL_TIME", False):
        return virtual_time.backend(request.param)
    return request.param


@pytest.fixture
def adapter(anyio_backend_name: str) -> Any:
    return importlib.import_module(f"improto_{anyio_backend_name}")


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """Whatever a test forgets to close becomes a warning of this test, and so an error."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
async def _nothing_hangs(anyio_backend: Any) -> AsyncIterator[None]:
    with anyio.fail_after(SECONDS):
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
