"""The reference server inside other people's servers, each as a process of its own."""

from __future__ import annotations

from signal import SIGTERM
from typing import TYPE_CHECKING, Final

from tests.interop.server import ImServer

if TYPE_CHECKING:
    from pathlib import Path

_APP: Final = "improto_server.asgi:create_app"

HOSTS: Final = {
    "hypercorn on asyncio": ("hypercorn", "-w", "0", "-k", "asyncio", f"{_APP}()", "-b"),
    "hypercorn on trio": ("hypercorn", "-w", "0", "-k", "trio", f"{_APP}()", "-b"),
    "uvicorn": ("uvicorn", "--factory", _APP, "--port"),
}
"""How each is run; the address, or the port, comes last."""


class HostedServer(ImServer):
    """One server in one of :data:`HOSTS`."""

    # uvicorn ends by the signal that it has got.
    good_ends = (0, -SIGTERM)

    def __init__(self, folder: Path, host: str, **settings: str) -> None:
        # hypercorn would say of the web port, too, that it is running there.
        super().__init__(folder, IMPROTO_WEB_ENABLED="false", **settings)
        self._program = HOSTS[host]

    def program(self) -> list[str]:
        is_port = self._program[-1] == "--port"
        return [*self._program, str(self.port) if is_port else f"{self.host}:{self.port}"]


class ExampleServer(ImServer):
    """A program that a reader could have written: a module in ``folder``, and its arguments, the
    last of which is the port."""

    good_ends = (0, -SIGTERM)

    def __init__(self, folder: Path, program: tuple[str, ...]) -> None:
        super().__init__(folder)
        self._program = program

    def program(self) -> list[str]:
        return [*self._program, str(self.port)]
