"""One server for each place where clients may meet, and programs of one kind."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest
from anyio.from_thread import start_blocking_portal

from tests.asgi.serving import OrderedServer
from tests.interop.program import LOOPS, POLLING, Program
from tests.interop.server import ImServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

    from tests.interop.sdk import Sdk

PLACES: Final = ("direct", "asgi")
_HOSTS: Final = {"asyncio": "uvicorn", "trio": "hypercorn on trio"}
_TRANSPORTS: Final = {"websocket": "", "polling": POLLING}

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """The event loop of the server and of its clients."""
    name: str = request.param
    return name


@pytest.fixture(scope="session", params=PLACES)
def server(
    request: pytest.FixtureRequest, loop: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImServer]:
    """One that listens itself, or one in somebody else's."""
    folder = tmp_path_factory.mktemp("matrix")
    settings = {
        "IMPROTO_MESSAGES_MULTI_DEVICE": "true",
        "IMPROTO_MESSAGES_GROUP_RECEIPTS": "topics",
        "IMPROTO_STORE_DURABLE": "false",
    }
    if request.param == "direct":
        server = ImServer(folder, IMPROTO_GATEWAY_BACKEND=loop, **settings)
    else:
        server = OrderedServer(folder, _HOSTS[loop], **settings)
    server.start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def portal(loop: str) -> Iterator[BlockingPortal]:
    """The loop of the clients, in a thread of its own."""
    with start_blocking_portal(loop) as portal:
        yield portal


class Programs:
    """A door of tests.interop through which programs come, whoever is called."""

    def __init__(self, stack: ExitStack, portal: BlockingPortal, kind: str) -> None:
        self._stack = stack
        self._portal = portal
        self._kind = kind

    def program(
        self, server: ImServer, loop: str | None = None, user: str | None = None
    ) -> Program:
        """A program of the kind that this door is for."""
        user = user or f"user-{next(_numbers)}"
        program = Program(self._portal, self._kind, server, user)
        self._stack.callback(program.leave)
        return program

    def page(self, server: ImServer, user: str | None = None, *, sdk: Sdk | None = None) -> Program:
        """The same."""
        return self.program(server, user=user)

    def party(self, server: ImServer, kind: str, user: str | None = None) -> Program:
        """The same."""
        return self.program(server, user=user)


@pytest.fixture(params=list(_TRANSPORTS))
def door(request: pytest.FixtureRequest, loop: str, portal: BlockingPortal) -> Iterator[Programs]:
    """Brings in programs by one transport, and sees them out."""
    with ExitStack() as stack:
        yield Programs(stack, portal, loop + _TRANSPORTS[request.param])
