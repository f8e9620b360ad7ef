"""One suite for both adapters: ``adapter`` is improto_asyncio or improto_trio."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.adapters.office import Office
from tests.loops import anyio_backend as anyio_backend
from tests.loops import client_tls as client_tls
from tests.loops import free_port as free_port
from tests.loops import nothing_hangs as nothing_hangs
from tests.loops import nothing_is_left_open as nothing_is_left_open
from tests.loops import server_tls as server_tls
from tests.loops import small_heap as small_heap


@pytest.fixture(autouse=True)
def _every_test_ends(nothing_hangs: None) -> None:
    """No test here has to ask for it."""


@pytest.fixture
def adapter(anyio_backend_name: str) -> Any:
    return importlib.import_module(f"improto_{anyio_backend_name}")


@pytest.fixture
def office() -> Office:
    return Office()
