"""The IM server with groups in it from the start: `improto serve` has no command for that.

Run as ``python -m bench.prepared 100 500``, with its settings in the environment as for
`improto serve`; it makes a group of each size and prints its address.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio

from bench.processes import APP, group_id, group_members
from improto.codes import ConversationType
from improto_server.app import Application
from improto_server.config import load
from improto_server.steps import Pending, start
from improto_server.store import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from improto_server.config import Settings
    from improto_server.services.rosters import Rosters


async def serve(settings: Settings, sizes: Sequence[int]) -> None:
    """Serve until killed."""
    application = Application(settings)
    made: Pending[None] = Pending()
    is_made = anyio.Event()
    made.call(is_made.set)
    start(_make_groups(application.system.rosters, sizes), partial(_settle, made))
    await is_made.wait()
    made.result()
    async with application.listening() as urls:
        print(*urls, flush=True)
        await anyio.sleep_forever()


async def _make_groups(rosters: Rosters, sizes: Sequence[int]) -> None:
    for size in sizes:
        place = Place(APP, ConversationType.GROUP, group_id(size))
        await rosters.create(place, name=place.id, members=group_members(size))


def _settle(made: Pending[None], result: Exception | None) -> None:
    if isinstance(result, Exception):
        made.fail(result)
    else:
        made.settle(None)


if __name__ == "__main__":
    loaded = load(None, environment=os.environ, overrides={})
    numbers = [int(text) for text in sys.argv[1:]]
    anyio.run(serve, loaded, numbers, backend=loaded.gateway.backend.value)
