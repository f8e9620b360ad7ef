"""Processes under measurement: started, asked what they have used, and ended."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from improto_server.services.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

APP: Final = "bench"
SECRET: Final = "a-secret-that-only-the-benchmark-knows"

SERVERS: Final = (
    ("asyncio", "websockets"),
    ("trio", "websockets"),
    ("asyncio", "wsproto"),
    ("trio", "wsproto"),
)
"""Every event loop with every framer."""

OPEN_FILES: Final = 8192
"""Sockets that each process may have."""

_ROOT: Final = Path(__file__).parent.parent
_PORT: Final = re.compile(r":(\d+)\b")
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A running process."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds that its threads have run, in user and kernel mode."""
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        spent = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
        return spent / _NANOSECONDS

    def memory(self) -> int:
        """Bytes that nobody else has: what would be free without the process."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        sizes = re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB$", rollup, re.MULTILINE)
        return sum(map(int, sizes)) * 1024


def group_id(size: int) -> str:
    """The group of so many members that a server is made with."""
    return f"group-{size}"


def group_members(size: int) -> list[str]:
    """Who is in it."""
    return [f"member-{size}-{number}" for number in range(size)]


@contextmanager
def im_server(
    *,
    backend: str,
    framer: str,
    groups: Sequence[int] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Measured]:
    """`improto serve` with a durable store of its own, and no limit on the rate of messages.

    ``groups``: sizes of the groups that it has from the start; ``settings``: more of them, as in
    the environment.
    """
    with tempfile.TemporaryDirectory(prefix="improto-bench-") as folder:
        wanted = {
            "IMPROTO_APPS": f"{APP}:{SECRET}",
            "IMPROTO_GATEWAY_BACKEND": backend,
            "IMPROTO_GATEWAY_FRAMER": framer,
            "IMPROTO_GATEWAY_PORT": "0",
            "IMPROTO_MESSAGES_RATE": "0",
            "IMPROTO_GATEWAY_REPEATS": "0",
            "IMPROTO_STORE_URL": f"sqlite:///{folder}/messages.db",
            **(settings or {}),
        }
        program = ["-m", "improto_server", "serve"]
        if groups:
            program = ["-m", "bench.prepared", *map(str, groups)]
        with _process(program, wanted, folder) as measured:
            yield measured


@contextmanager
def forwarder() -> Iterator[Measured]:
    """What everything is compared with."""
    with _process(["-m", "bench.forwarder"], {}, str(_ROOT)) as measured:
        yield measured


def token(user: str) -> str:
    """What a user logs in with."""
    return Accounts({APP: SECRET}).issue(APP, user, now=time.time(), lifetime=3600)


def allow_many_sockets() -> None:
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _process(
    arguments: Sequence[str], settings: Mapping[str, str], folder: str
) -> Iterator[Measured]:
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("IMPROTO_")}
    path = os.pathsep.join([str(_ROOT / "src"), str(_ROOT)])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, **settings, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        # If it cannot start, it ends and so does its output.
        line = process.stdout.readline()
        match = _PORT.search(line)
        if match is None:
            raise RuntimeError(f"{' '.join(arguments)} does not start")
        yield Measured(pid=process.pid, port=int(match[1]))
    finally:
        process.kill()
        process.communicate()
