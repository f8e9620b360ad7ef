"""`im.caught_up`: all that has waited is there, and has been taken."""

from __future__ import annotations

import anyio
import pytest

from improto_client import Kicked, connect
from improto_server.testing import ImServer
from tests.client.places import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


async def test_everything_has_been_taken() -> None:
    with ImServer() as server:
        ann = server.user("ann")
        with server.user("bob").online() as bob:
            for text in ("one", "two"):
                bob.send("ann", text)
        async with connect(
            host=server.host, port=server.port, app_key=server.app_key, token=ann.token
        ) as im:
            done = anyio.Event()

            async def wait() -> None:
                await im.caught_up()
                done.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                reader = aiter(im.messages)
                assert [(await anext(reader)).text for _ in range(2)] == ["one", "two"]
                assert not done.is_set()
                reader.settle()
                await done.wait()
            await im.caught_up()
            server.kick("ann")
            await until(lambda: im.ended)
            with pytest.raises(Kicked):
                await im.caught_up()
