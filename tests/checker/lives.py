"""Starting and killing servers: the other end of :mod:`tests.checker.server_main`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.checker.server_main import Start


class Lives:
    """One server process after the other. Blocks until each thing is done."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self._parent = parent

    @classmethod
    @contextmanager
    def open(cls, log: Path) -> Iterator[Lives]:
        """For one block, which may leave a server running. ``log``: where servers complain."""
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("IMPROTO_")
        }
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        with (
            log.open("w", encoding="utf-8") as complaints,
            subprocess.Popen(
                [sys.executable, "-m", "tests.checker.server_main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment,
                text=True,
            ) as parent,
        ):
            # Leaving the block ends its input, and that ends the server and itself.
            yield cls(parent)

    def start(self, start: Start) -> int:
        """Begin the next one; returns its port. RuntimeError if it does not come up."""
        port: int = self._tell("start", msgspec.to_builtins(start))["port"]
        if port == 0:
            raise RuntimeError("the server does not start; its log says why")
        return port

    def kill(self) -> None:
        """End it as a power cut would; harmless if there is none."""
        self._tell("kill", None)

    def set_clock(self, milliseconds: int) -> None:
        """Let this and all later servers believe that it is so much later."""
        self._tell("clock", milliseconds)

    def garble(self, share: float) -> None:
        """Lose or double this share of what servers tell clients, 0 to 1."""
        self._tell("garble", share)

    def _tell(self, command: str, argument: Any) -> dict[str, Any]:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({command: argument}) + "\n")
        self._parent.stdin.flush()
        answer: dict[str, Any] = json.loads(self._parent.stdout.readline())
        return answer
