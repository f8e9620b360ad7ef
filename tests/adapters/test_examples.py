"""The examples of both ends, run against each other; for trio as a reader would change them."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.adapters.office import Office, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
MOST_STATEMENTS = 15


@pytest.fixture
def example(adapter: Any, tmp_path: Path) -> Callable[[str], Any]:
    """The ``main`` of an example, for the runtime of the test."""

    def load(name: str) -> Any:
        source = (EXAMPLES / name).read_text(encoding="utf-8")
        program = tmp_path / name
        program.write_text(source.replace("improto_asyncio", adapter.__name__), encoding="utf-8")
        return runpy.run_path(str(program))["main"]

    return load


async def test_the_client_talks_to_the_embedded_server(
    example: Callable[[str], Any], free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = ""

    def has_arrived() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return "hello there" in printed

    async with anyio.create_task_group() as group:
        group.start_soon(example("embed_handler.py"), str(free_port))
        # It listens at once: nothing is looked up for a numeric address.
        await anyio.wait_all_tasks_blocked()
        group.start_soon(
            example("client.py"),
            *("127.0.0.1", str(free_port), "app", "ann", "bob", "hello there"),
        )
        await until(has_arrived)
        group.cancel_scope.cancel()
    assert printed.startswith("to bob: ")


async def test_the_client_prints_what_arrives(
    adapter: Any,
    office: Office,
    example: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        anyio.create_task_group() as group,
    ):
        host, port = server.addresses[0]
        office.deliver("ann", b'{"content":"good morning"}', sender="bob")
        group.start_soon(example("client.py"), host, str(port), "app", "ann", "bob", "hi")
        await until(lambda: "good morning" in capsys.readouterr().out)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["client.py", "embed_handler.py"])
def test_the_examples_are_short(name: str) -> None:
    """Statements of the program itself: neither docstring nor imports nor the last two lines."""
    tree = ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))
    body = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert len(body) - 2 <= MOST_STATEMENTS
