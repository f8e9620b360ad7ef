"""The two programs of docs/adapters.md, run against each other."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.adapters.office import Office

PAGE = Path(__file__).parent.parent.parent / "docs" / "adapters.md"
PATIENCE = 20.0


@pytest.fixture
def programs() -> list[dict[str, Any]]:
    """What each program of the page defines."""
    found = []
    for source in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        namespace: dict[str, Any] = {}
        exec(compile(source, str(PAGE), "exec"), namespace)
        found.append(namespace)
    return found


def test_the_client_and_the_server_of_the_page(
    programs: list[dict[str, Any]], office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    client, server_program = programs
    server = server_program["Server"](office, "127.0.0.1", 0)
    office.deliver("ann", b'{"content":"good morning"}')
    talking = threading.Thread(
        target=client["run_client"], args=(*server.listener.getsockname(), "ann"), daemon=True
    )
    end = time.monotonic() + PATIENCE
    with server.listener, server.selector:
        talking.start()
        while talking.is_alive() or server.wires:
            server.turn()
            assert time.monotonic() < end
    printed = capsys.readouterr().out
    assert re.search(r"^stored as U\d+$", printed, re.MULTILINE)
    assert len(office.contents) == 1
    assert len(office.ends) == 1
