"""A line between clients and a server that can be cut: TCP through this machine, to be broken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

from tests.interop.party import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import SocketStream, TaskStatus
    from anyio.from_thread import BlockingPortal


class Proxy:
    """Passes connections on to ``target_port`` until it is cut."""

    def __init__(self, portal: BlockingPortal) -> None:
        self.port = 0
        self.target_port = 0
        self._portal = portal
        self._is_cut = False
        self._connections: set[anyio.CancelScope] = set()
        self._refused: anyio.Event

    @classmethod
    @contextmanager
    def listening(cls, portal: BlockingPortal) -> Iterator[Proxy]:
        """Run one for as long as the block lasts."""
        proxy = cls(portal)
        life, scope = portal.start_task(proxy._serve)
        try:
            yield proxy
        finally:
            portal.call(scope.cancel)
            life.result(PATIENCE)

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self._portal.call(self._cut)

    def wait_refused(self) -> None:
        """Wait until somebody has tried to connect since the cut."""
        self._portal.call(self._wait_refused)

    def mend(self) -> None:
        """Let new connections through again."""
        self._is_cut = False

    async def _serve(self, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        with anyio.CancelScope() as scope:
            async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
                self.port = listener.extra(SocketAttribute.local_port)
                task_status.started(scope)
                await listener.serve(self._pass_on)

    async def _cut(self) -> None:
        self._is_cut = True
        self._refused = anyio.Event()
        for connection in self._connections:
            connection.cancel()

    async def _wait_refused(self) -> None:
        with anyio.fail_after(PATIENCE):
            await self._refused.wait()

    async def _pass_on(self, near: SocketStream) -> None:
        async with near:
            if self._is_cut:
                self._refused.set()
                return
            with anyio.CancelScope() as connection:
                self._connections.add(connection)
                try:
                    async with (
                        await anyio.connect_tcp("127.0.0.1", self.target_port) as far,
                        anyio.create_task_group() as directions,
                    ):
                        directions.start_soon(_pump, near, far, connection)
                        directions.start_soon(_pump, far, near, connection)
                finally:
                    self._connections.discard(connection)


async def _pump(source: SocketStream, sink: SocketStream, connection: anyio.CancelScope) -> None:
    try:
        async for data in source:
            await sink.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    # Whoever hangs up ends it for both.
    connection.cancel()
