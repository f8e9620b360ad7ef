"""The server as a process of its own, as anybody would run it, and ready to be killed.

It is :mod:`tests.interop.app_server`, because somebody has to play the application's own server
and say who is in which group.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from improto_server.services.accounts import Accounts
from tests.interop.party import PATIENCE
from tests.interop.sdk import HERE

if TYPE_CHECKING:
    from pathlib import Path

_SOURCE: Final = HERE.parents[1] / "src"
_SECRETS: Final = {app: f"secret-of-{app}-".ljust(40, "x") for app in ("interop", "other")}
_ANSWER: Final = "answer:"
_LISTENING: Final = re.compile(r"(?:listening|unning) on http://127\.0\.0\.1:(\d+)")
"""What our server says, and what others do that ours lives in."""


class ImServer:
    """One server with one store. It keeps its port, so that clients find it again."""

    app_key: Final = "interop"
    host: Final = "127.0.0.1"
    good_ends: tuple[int, ...] = (0,)
    """What a process may end with that was asked to."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.settings = settings
        """More of the environment."""
        self.port = 0
        self.output: list[str] = []
        self._folder = folder
        self._accounts = Accounts(_SECRETS)
        self._process: subprocess.Popen[str] | None = None
        self._reader: Thread
        self._answers: SimpleQueue[str] = SimpleQueue()

    @property
    def navigation(self) -> str:
        """The address that SDKs are given."""
        return f"http://{self.host}:{self.port}"

    def token(
        self, user: str, *, app: str = "interop", age: float = 0.0, lifetime: float = 3600.0
    ) -> str:
        """A token, issued ``age`` seconds ago and good for ``lifetime`` seconds from then.

        There is another ``app``, "other", which no client says it belongs to.
        """
        return self._accounts.issue(app, user, now=time.time() - age, lifetime=lifetime)

    def program(self) -> list[str]:
        """The module to run, and its arguments."""
        return ["tests.interop.app_server"]

    def start(self) -> None:
        """Start it and wait until it listens."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("IMPROTO_")
        }
        environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, (_SOURCE, _SOURCE.parent))),
            "PYTHONUNBUFFERED": "1",
            "IMPROTO_APPS": " ".join(map(":".join, _SECRETS.items())),
            "IMPROTO_GATEWAY_HOST": self.host,
            "IMPROTO_GATEWAY_PORT": str(self.port),
            "IMPROTO_STORE_URL": f"sqlite:///{self._folder / 'messages.db'}",
            "IMPROTO_MESSAGES_RATE": "0",
            "IMPROTO_WEB_ENABLED": "true",
            "IMPROTO_WEB_PORT": "0",
            **self.settings,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self.program()],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ports: SimpleQueue[int | None] = SimpleQueue()
        self._reader = Thread(target=self._read, args=(self._process, ports), daemon=True)
        self._reader.start()
        try:
            port = ports.get(timeout=PATIENCE)
        except Empty:
            port = None
        if port is None:
            self.kill()
            raise AssertionError(f"the server does not start:\n{self.report()}")
        self.port = port

    def order(self, service: str, function: str, *arguments: Any, **options: Any) -> str:
        """Have a service function called, as the application's own server would; its result."""
        return self._call(service, function, [self.app_key, *arguments], options)

    def judge(self, user: str, function: str, *, until: int) -> None:
        """Mute or ban a user until a time, in milliseconds since 1970; 0: no longer."""
        self._call("standings", function, [[self.app_key, user]], {"until": until})

    def block(self, user: str, other: str) -> None:
        """Put somebody on a user's blacklist."""
        self._call("standings", "block", [[self.app_key, user], other], {})

    def _call(
        self, service: str, function: str, arguments: list[Any], options: dict[str, Any]
    ) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        line = json.dumps([service, function, arguments, options])
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        try:
            answer = json.loads(self._answers.get(timeout=PATIENCE))
        except Empty:
            raise AssertionError(f"no answer to {line}\n{self.report()}") from None
        assert "result" in answer, f"{line}: {answer}"
        result: str = answer["result"]
        return result

    def kill(self) -> None:
        """End it as a power cut would; harmless if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdin is not None
            self._process.stdin.close()

    def stop(self) -> None:
        """Ask it to end, and check that it does so in good order and has had no troubles."""
        assert self._process is not None
        self._process.terminate()
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        assert status in self.good_ends, self.report()
        assert not [line for line in self.output if "Traceback" in line], self.report()

    def report(self) -> str:
        """What is good to know when a test has failed."""
        return "\n  ".join(["the server's last words:", *self.output[-40:]])

    def _read(self, process: subprocess.Popen[str], ports: SimpleQueue[int | None]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.output.append(line.rstrip())
                if match := _LISTENING.search(line):
                    ports.put(int(match[1]))
                elif line.startswith(_ANSWER):
                    self._answers.put(line.removeprefix(_ANSWER))
        ports.put(None)
