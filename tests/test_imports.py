"""The import rules of the core, told in sentences.

ruff sees single lines and import-linter sees the graph; this test sees the same rules through the
syntax tree and a fresh interpreter, and says in words what was broken where.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.layout import CORE, ROOT, is_testing, sans_io_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITING = "the core is called and returns; waiting and scheduling are the adapter's"
SOCKETS = "the core is handed bytes; sockets and encryption are the adapter's"
CLOCKS = "the core has no clock; every input takes `now`"
CHANCE = "the core takes no chances; ids are counters or passed in, and jitter is the adapter's"
SYSTEM = "the core asks the system nothing and tells it nothing"
LAYERS = "the core knows nothing of the packages that are built on it"
FRAMERS = "only improto.transports may know the libraries that cut bytes into messages"

FORBIDDEN = {
    "anyio": WAITING,
    "asyncio": WAITING,
    "concurrent": WAITING,
    "multiprocessing": WAITING,
    "queue": WAITING,
    "select": WAITING,
    "selectors": WAITING,
    "threading": WAITING,
    "trio": WAITING,
    "socket": SOCKETS,
    "ssl": SOCKETS,
    "datetime": CLOCKS,
    "time": CLOCKS,
    "random": CHANCE,
    "secrets": CHANCE,
    "uuid": CHANCE,
    "logging": SYSTEM,
    "os": SYSTEM,
    "subprocess": SYSTEM,
    "improto_asyncio": LAYERS,
    "improto_client": LAYERS,
    "improto_server": LAYERS,
    "improto_trio": LAYERS,
    "h11": FRAMERS,
    "websockets": FRAMERS,
    "wsproto": FRAMERS,
}


def allowed_here(path: Path, package: str) -> bool:
    """The two exceptions: a framer for the transports, seeded chance for the test tools."""
    if FORBIDDEN[package] is FRAMERS:
        return path.is_relative_to(CORE / "transports")
    return package == "random" and is_testing(path)


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Every (line, module) that a source text imports, inside functions and type checks too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.Call(
                func=ast.Name("__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module


def broken_rules(path: Path, source: str) -> list[str]:
    """One sentence for each import of the file that its place does not allow."""
    return [
        f"{path.relative_to(ROOT).as_posix()}, line {line}, imports {module}: {FORBIDDEN[package]}."
        for line, module in imported_modules(source)
        if (package := module.partition(".")[0]) in FORBIDDEN and not allowed_here(path, package)
    ]


@pytest.mark.parametrize(
    "path", sans_io_files(), ids=lambda path: path.relative_to(CORE).as_posix()
)
def test_core_imports_nothing_forbidden(path: Path) -> None:
    broken = broken_rules(path, path.read_text(encoding="utf-8"))
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("place", "source", "sentence"),
    [
        (
            "codec.py",
            "import struct\nimport asyncio.events",
            f"src/improto/codec.py, line 2, imports asyncio.events: {WAITING}.",
        ),
        (
            "codec.py",
            "def f():\n    from time import monotonic",
            f"src/improto/codec.py, line 2, imports time: {CLOCKS}.",
        ),
        (
            "codec.py",
            "import importlib\nimportlib.import_module('socket')",
            f"src/improto/codec.py, line 2, imports socket: {SOCKETS}.",
        ),
        (
            "codec.py",
            "__import__('os')",
            f"src/improto/codec.py, line 1, imports os: {SYSTEM}.",
        ),
        (
            "codec.py",
            "import random",
            f"src/improto/codec.py, line 1, imports random: {CHANCE}.",
        ),
        (
            "testing/links.py",
            "import h11",
            f"src/improto/testing/links.py, line 1, imports h11: {FRAMERS}.",
        ),
        (
            "testing/links.py",
            "import uuid",
            f"src/improto/testing/links.py, line 1, imports uuid: {CHANCE}.",
        ),
        (
            "transports/websocket.py",
            "from random import Random",
            f"src/improto/transports/websocket.py, line 1, imports random: {CHANCE}.",
        ),
        (
            "events.py",
            "from improto_server import app",
            f"src/improto/events.py, line 1, imports improto_server: {LAYERS}.",
        ),
    ],
)
def test_broken_rule_is_told(place: str, source: str, sentence: str) -> None:
    assert broken_rules(CORE / place, source) == [sentence]


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("transports/websocket.py", "import wsproto.events\nfrom websockets import frames"),
        ("transports/polling.py", "import h11"),
        ("testing/links.py", "from random import Random"),
        ("codec.py", "import struct\nfrom . import frames\nimport timeit\nfrom improto import os"),
    ],
)
def test_what_the_rules_allow(place: str, source: str) -> None:
    assert broken_rules(CORE / place, source) == []


def test_import_improto_loads_no_runtime_and_no_framer() -> None:
    """``import improto`` is for hosts with their own WebSocket: they never need h11 or wsproto."""
    unwanted = ("anyio", "asyncio", "h11", "random", "ssl", "trio", "websockets", "wsproto")
    program = (
        "import sys; before = set(sys.modules); import improto;"
        f"print(*sorted((set(sys.modules) - before) & set({unwanted!r})))"
    )
    fresh = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": str(CORE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert fresh.stderr == ""
    assert fresh.stdout.split() == []
