"""A line between clients and server that breaks where it is told to: in the middle of a frame,
of a handshake, of a byte that matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream, TaskStatus

    from tests.checker.script import Cut


class Proxy:
    """Passes connections on to ``target_port``."""

    def __init__(self, next_cut: Callable[[], Cut | None]) -> None:
        self.port = 0
        self.target_port = 0
        self.cuts = 0
        """How many connections were cut."""
        self._next_cut = next_cut

    async def serve(self, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        """Listen until the scope that this starts with is cancelled."""
        with anyio.CancelScope() as scope:
            async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
                self.port = listener.extra(SocketAttribute.local_port)
                task_status.started(scope)
                await listener.serve(self._pass_on)

    async def _pass_on(self, near: SocketStream) -> None:
        cut = self._next_cut()
        to_server = cut.after if cut is not None and cut.to_server else None
        to_client = cut.after if cut is not None and not cut.to_server else None
        async with near:
            try:
                far = await anyio.connect_tcp("127.0.0.1", self.target_port)
            except OSError:
                # There is no server for the moment.
                return
            async with far, anyio.create_task_group() as directions:
                scope = directions.cancel_scope
                directions.start_soon(self._pump, near, far, to_server, scope)
                directions.start_soon(self._pump, far, near, to_client, scope)

    async def _pump(
        self,
        source: SocketStream,
        sink: SocketStream,
        left: int | None,
        connection: anyio.CancelScope,
    ) -> None:
        """Pass on ``left`` bytes, or all. Whichever side ends, ends both."""
        try:
            async for data in source:
                await sink.send(data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        self.cuts += 1
                        break
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        connection.cancel()
