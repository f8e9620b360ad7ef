"""The reference server inside other people's servers, each as a process of its own."""

from __future__ import annotations

from signal import SIGTERM
from typing import TYPE_CHECKING, Final

from tests.interop.server import ImServer

if TYPE_CHECKING:
    from pathlib import Path

HOSTS: Final = {
    "hypercorn on asyncio": ("hypercorn", "-w", "0", "-k", "asyncio", "{app}()", "-b"),
    "hypercorn on trio": ("hypercorn", "-w", "0", "-k", "trio", "{app}()", "-b"),
    "uvicorn": ("uvicorn", "--factory", "{app}", "--port"),
}
"""How each is run; the address, or the port, comes last."""


class HostedServer(ImServer):
    """One server in one of :data:`HOSTS`."""

    # uvicorn ends by the signal that it has got.
    good_ends = (0, -SIGTERM)

    app = "improto_server.asgi:create_app"
    """What makes the application."""

    def __init__(self, folder: Path, host: str, **settings: str) -> None:
        # hypercorn would say of the web port, too, that it is running there.
        super().__init__(folder, IMPROTO_WEB_ENABLED="false", **settings)
        self._program = [part.format(app=self.app) for part in HOSTS[host]]

    def program(self) -> list[str]:
        is_port = self._program[-1] == "--port"
        return [*self._program, str(self.port) if is_port else f"{self.host}:{self.port}"]


class OrderedServer(HostedServer):
    """The same, and it takes orders of the application's own server."""

    app = "tests.interop.app_server:create_app"


class ExampleServer(ImServer):
    """A program that a reader could have written: a module in ``folder``, and its arguments, the
    last of which is the port."""

    good_ends = (0, -SIGTERM)

    def __init__(self, folder: Path, program: tuple[str, ...]) -> None:
        super().__init__(folder)
        self._program = program

    def program(self) -> list[str]:
        return [*self._program, str(self.port)]
