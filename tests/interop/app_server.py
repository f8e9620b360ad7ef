"""`improto serve`, and what an application's own server would tell it.

The program serves as the command does, with the settings of the environment, and takes orders
as lines of JSON on its standard input: the name of a service, of one of its functions, and the
arguments. It answers each with one line that begins with ``answer:``. :func:`create_app` is the
same in somebody else's server.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.routing import Mount

from improto_server import asgi
from improto_server.app import Application
from improto_server.config import load
from improto_server.steps import start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from improto_server.system import System


async def obey(system: System, line: bytes) -> Any:
    """Do what one line says; the result, or what went wrong."""
    service, function, arguments, options = json.loads(line)
    # A user is a pair of app and name, and what JSON calls a list is no key.
    values = (tuple(each) if isinstance(each, list) else each for each in arguments)
    steps = getattr(getattr(system, service), function)(*values, **options)
    return await _finished(steps)


async def _finished(steps: Coroutine[Any, Any, Any]) -> Any:
    is_done = anyio.Event()
    results: list[Any] = []

    def done(result: Any) -> None:
        results.append(result)
        is_done.set()

    start(steps, done)
    await is_done.wait()
    return results[0]


async def serve() -> None:
    """Serve until SIGTERM."""
    application = Application(load(environment=os.environ))
    with anyio.open_signal_receiver(SIGTERM) as signals:
        async with application.listening() as urls, anyio.create_task_group() as tasks:
            for work in application.chores():
                tasks.start_soon(work)
            print(f"listening on {urls[0]}", flush=True)
            tasks.start_soon(_take_orders, application.system)
            async for _ in signals:
                break
            tasks.cancel_scope.cancel()


def create_app() -> Starlette:
    """The ASGI application, mounted in a framework as in docs/embedding.md."""
    server = asgi.create_app(load(environment=os.environ))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with server.running() as system, anyio.create_task_group() as tasks:
            tasks.start_soon(_take_orders, system)
            yield
            tasks.cancel_scope.cancel()

    return Starlette(lifespan=lifespan, routes=[Mount("/", server)])


async def _take_orders(system: System) -> None:
    stdin = sys.stdin.fileno()
    rest = b""
    while True:
        await anyio.wait_readable(stdin)
        data = os.read(stdin, 65_536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            result = await obey(system, line)
            is_error = isinstance(result, Exception)
            answer = {"error": str(result)} if is_error else {"result": repr(result)}
            print(f"answer: {json.dumps(answer)}", flush=True)


if __name__ == "__main__":
    anyio.run(serve, backend=os.environ.get("IMPROTO_GATEWAY_BACKEND", "asyncio"))
