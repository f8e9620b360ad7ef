"""The applications on both event loops, most of them in virtual time and without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests import virtual_time
from tests.adapters.office import Office
from tests.asgi.host import Host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VIRTUAL_SECONDS = 3600
"""What takes longer hangs."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual_time.backend(request.param)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def host(office: Office, anyio_backend: Any) -> AsyncIterator[Host]:
    """What an ASGI server does for an application around the office."""
    with anyio.fail_after(VIRTUAL_SECONDS):
        async with anyio.create_task_group() as tasks:
            yield Host(office, tasks)
            tasks.cancel_scope.cancel()
