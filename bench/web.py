"""Whether people who chat notice what the web port does at the same time.

Passwords cost a core for some dozen milliseconds each, and calls of the REST API write to the same
store as messages. So one pair exchanges a message every ten milliseconds, while 200 people
register, confirm and log in, and the application publishes 1,000 messages; and alone before,
between and after that, since a machine is not the same from one minute to the next. What counts
is the slowest hundredth of the messages, from sending to arrival.

The requests come from another process, which is started before and waits for its turns.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import re
import socket
import tempfile
import time
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from bench.processes import APP, SECRET, im_server, token
from bench.report import Row, Table
from improto import Conversation
from improto.contents import Text
from improto_asyncio import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from multiprocessing.connection import Connection

    from improto_asyncio import Client

GOAL: Final = 2.0
"""Times what the same takes while nothing else goes on."""

LOGINS_AT_ONCE: Final = 25
"""Above 30 from one address, the server takes them for guesses."""

CALLS_AT_ONCE: Final = 20

_PAUSE: Final = 0.01
"""Seconds between two messages."""

_LINK: Final = re.compile(r"#confirm=(\S+)")
_PATIENCE: Final = 120.0


def measure(people: int, calls: int, *, seconds: float) -> list[Table]:
    """``seconds``: how long the pair is left alone, five times."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="improto-bench-mails-") as mails:
        port = _free_port()
        settings = {
            "IMPROTO_WEB_ENABLED": "true",
            "IMPROTO_WEB_PORT": str(port),
            "IMPROTO_ACCOUNTS_ENABLED": "true",
            "IMPROTO_ACCOUNTS_ENTRIES": "0",
            "IMPROTO_ACCOUNTS_MAIL_DIRECTORY": mails,
        }
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        load = context.Process(target=_work, args=(theirs, port, mails, people, calls))
        with im_server(backend="asyncio", framer="websockets", settings=settings) as server:
            load.start()
            try:
                rows += asyncio.run(_all_phases(server.port, ours, people, calls, seconds))
            finally:
                load.kill()
                load.join()
    title = "Chat while the web port works, slowest hundredth"
    return [Table(title=title, unit="ms", rows=rows)]


async def _all_phases(
    port: int, load: Connection, people: int, calls: int, seconds: float
) -> list[Row]:
    async with (
        connect("127.0.0.1", port, app_key=APP, token=token("ann")) as ann,
        connect("127.0.0.1", port, app_key=APP, token=token("ben")) as ben,
    ):
        await asyncio.to_thread(load.recv)
        alone = await _chat(ann, ben, _for(seconds))
        found: list[tuple[str, float]] = []
        for phase, name in (
            ("register", f"{people} people register"),
            ("confirm", f"{people} people follow the link"),
            ("log_in", f"{people} people log in"),
            ("publish", f"{calls} calls publish a message"),
        ):
            load.send(phase)
            times = await _chat(ann, ben, lambda: not load.poll())
            if failure := load.recv():
                raise RuntimeError(failure)
            found.append((name, _slowest(times)))
            alone += await _chat(ann, ben, _for(seconds))
    plain = _slowest(alone)
    goal = round(GOAL * plain, 1)
    return [
        Row(name="nothing else", value=plain),
        *(Row(name=name, value=value, goal=goal) for name, value in found),
    ]


def _for(seconds: float) -> Callable[[], bool]:
    """True for so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


async def _chat(sender: Client, receiver: Client, goes_on: Callable[[], bool]) -> list[float]:
    """Milliseconds that each message takes."""
    times: list[float] = []
    messages = receiver.messages()
    while goes_on() or not times:
        begin = time.perf_counter()
        await sender.send(Conversation.private("ben"), Text("x"))
        await anext(messages)
        times.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(_PAUSE)
    return times


def _slowest(times: Sequence[float]) -> float:
    """What all but a hundredth stay below."""
    return sorted(times)[int(len(times) * 0.99)]


# -- in the other process ------------------------------------------------------------------------


def _work(turns: Connection, port: int, mails: str, people: int, calls: int) -> None:
    """Do one phase for each word that comes; what went wrong is the answer."""
    turns.send("")
    crowd = _Crowd(port, Path(mails), people, calls)
    while True:
        phase = turns.recv()
        try:
            asyncio.run(getattr(crowd, phase)())
        except Exception as error:
            turns.send(f"{phase}: {error!r}")
        else:
            turns.send("")


class _Crowd:
    """Those who come to the web port, and the application's server."""

    def __init__(self, port: int, mails: Path, people: int, calls: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._mails = mails
        self._people = [f"user{number}@example.org" for number in range(people)]
        self._calls = calls

    async def register(self) -> None:
        bodies = [
            {"email": email, "password": "correct horse", "name": email} for email in self._people
        ]
        await self._account("register", bodies, at_once=len(bodies))

    async def confirm(self) -> None:
        # Each is read once: what this process does must not be what slows the chat down.
        links: dict[Path, str] = {}
        async with asyncio.timeout(_PATIENCE):
            while len(links) < len(self._people):
                await asyncio.sleep(_PAUSE)
                for path in self._mails.glob("[0-9]*.eml"):
                    links[path] = links.get(path) or _link(path)
        bodies = [{"token": link} for link in links.values()]
        await self._account("confirm", bodies, at_once=CALLS_AT_ONCE)

    async def log_in(self) -> None:
        bodies = [{"account": email, "password": "correct horse"} for email in self._people]
        await self._account("login", bodies, at_once=LOGINS_AT_ONCE)

    async def publish(self) -> None:
        stamp = str(int(time.time()))
        headers = {
            "App-Key": APP,
            "Nonce": "n",
            "Timestamp": stamp,
            "Signature": hashlib.sha1(f"{SECRET}n{stamp}".encode()).hexdigest(),
        }
        fields = {
            "fromUserId": "system",
            "toUserId": "cleo",
            "objectName": "RC:TxtMsg",
            "content": '{"content":"news"}',
        }
        async with httpx.AsyncClient(base_url=self._url, timeout=_PATIENCE) as client:

            async def call() -> None:
                answer = await client.post(
                    "/message/private/publish.json", data=fields, headers=headers
                )
                answer.raise_for_status()

            await _all([call] * self._calls, at_once=CALLS_AT_ONCE)

    async def _account(self, name: str, bodies: Sequence[dict[str, str]], *, at_once: int) -> None:
        headers = {"X-Improto": "1"}
        limits = httpx.Limits(max_connections=at_once)
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, timeout=_PATIENCE, limits=limits
        ) as client:

            async def call(body: dict[str, str]) -> None:
                (await client.post(f"/account/{name}", json=body)).raise_for_status()

            await _all([partial(call, body) for body in bodies], at_once=at_once)


async def _all(calls: Sequence[Callable[[], Coroutine[None, None, None]]], *, at_once: int) -> None:
    turn = asyncio.Semaphore(at_once)

    async def wait_and_call(call: Callable[[], Coroutine[None, None, None]]) -> None:
        async with turn:
            await call()

    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(wait_and_call(call))


def _link(path: Path) -> str:
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = mail.get_body()
    found = _LINK.search(body.get_content()) if body is not None else None
    if found is None:
        raise RuntimeError(f"{path} has no link")
    return found[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
