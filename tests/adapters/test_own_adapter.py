"""The two programs of docs/adapters.md, run against each other."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.samples import DOCS, programs

if TYPE_CHECKING:
    import pytest

    from tests.adapters.office import Office

PAGE = DOCS / "adapters.md"
PATIENCE = 20.0


def defined_by(program: str) -> dict[str, Any]:
    """What a program of the page defines."""
    namespace: dict[str, Any] = {}
    exec(compile(program, str(PAGE), "exec"), namespace)
    return namespace


def test_the_client_and_the_server_of_the_page(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    client, server_program = map(defined_by, programs(PAGE))
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
