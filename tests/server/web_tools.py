"""What tests of the web port share: a real server, and a client that knows nothing of it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from improto_server.config import Backend
from improto_server.web.app import web_app
from improto_server.web.serving import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.routing import BaseRoute

BOUNDARY = "the-boundary"

PATIENCE = 30.0
"""Seconds until something that does not happen is a failure."""

BACKENDS = sorted(backend.value for backend in Backend)


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


class Web:
    """A server's far end."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        return await run_sync(partial(self._ask, method, path, body, headers or {}))

    async def post(
        self, parts: Iterable[tuple[str, bytes, str | None, str | None]], path: str = "/files"
    ) -> Answer:
        """Send a form: see :func:`form`."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return await self.ask("POST", path, form(parts), headers)

    async def put(self, token: str, data: bytes, path: str = "/files", kind: str = "") -> Answer:
        """Send a bare file."""
        headers = {"Authorization": f"UpToken {token}"}
        if kind:
            headers["Content-Type"] = kind
        return await self.ask("PUT", path, data, headers)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()


def form(parts: Iterable[tuple[str, bytes, str | None, str | None]]) -> bytes:
    """A form with :data:`BOUNDARY`. A part: name, data, file name, content type."""
    lines = []
    for name, data, file_name, kind in parts:
        shown = "" if file_name is None else f'; filename="{file_name}"'
        lines.append(f"--{BOUNDARY}\r\n".encode())
        lines.append(f'Content-Disposition: form-data; name="{name}"{shown}\r\n'.encode())
        if kind is not None:
            lines.append(f"Content-Type: {kind}\r\n".encode())
        lines.append(b"\r\n" + data + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def play(
    backend: str,
    parts: Iterable[Iterable[BaseRoute]],
    scenario: Callable[[Web], Awaitable[None]],
) -> None:
    """Run a scenario against a real server."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            async with serving(
                web_app(*parts), "127.0.0.1", 0, backend=Backend(backend)
            ) as address:
                await scenario(Web(address))

    anyio.run(bounded, backend=backend)
