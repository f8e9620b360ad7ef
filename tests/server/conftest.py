"""What every test of the server's parts leaves behind: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.rig import OPENED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def stores_are_closed() -> Iterator[None]:
    """Close the stores of a test's rigs. Those of its module were opened before, and stay."""
    count = len(OPENED)
    yield
    for store in OPENED[count:]:
        store.close()
    del OPENED[count:]
