"""What tests of safety share: a whole server with two apps, and requests as bytes."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync

from improto_server.app import Application
from improto_server.config import load
from improto_server.services.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

RED: Final = "red"
BLUE: Final = "blue"
SECRETS: Final = {RED: "r" * 32, BLUE: "b" * 32}
PATIENCE: Final = 30.0


class Far:
    """A server, seen from outside."""

    def __init__(self, server: Application) -> None:
        self.server = server
        self.gateway = server.address
        self.web = ("127.0.0.1", int(server.site.url.rpartition(":")[2]))
        self.url = server.site.url

    async def raw(self, address: tuple[str, int], *pieces: bytes) -> bytes:
        """All that is answered until the server ends the connection."""
        return await run_sync(partial(_raw, address, pieces))


def token(app: str, user: str, *, lifetime: float = 600) -> str:
    return Accounts(SECRETS).issue(app, user, now=time.time(), lifetime=lifetime)


def play(
    path: Path,
    scenario: Callable[[Far], Awaitable[None]],
    *,
    backend: str = "asyncio",
    **more: Any,
) -> None:
    """Run a scenario against a server of its own; settings have ``__`` for the dot."""
    wanted = {
        "apps": [{"key": app, "secret": secret} for app, secret in SECRETS.items()],
        "gateway.backend": backend,
        "gateway.port": 0,
        "messages.rate": 0,
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'server' / 'messages.db'}",
        "web.enabled": True,
        "web.port": 0,
    }
    wanted |= {name.replace("__", "."): value for name, value in more.items()}
    settings = load(environment={}, overrides=wanted)

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            server = Application(settings)
            async with server.listening():
                await scenario(Far(server))

    anyio.run(bounded, backend=backend)


def _raw(address: tuple[str, int], pieces: tuple[bytes, ...]) -> bytes:
    answer = b""
    with socket.create_connection(address, timeout=PATIENCE) as stream:
        try:
            for piece in pieces:
                stream.sendall(piece)
            while data := stream.recv(65_536):
                answer += data
        except (BrokenPipeError, ConnectionResetError):
            # It did not want to hear the rest.
            pass
    return answer
