"""What the tests of pages stand on: one browser, and servers in this process.

A machine without Chromium skips them with a reason; in CI that is a failure, see
``tests/conftest.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from anyio.from_thread import start_blocking_portal

from improto_server.testing import ImServer
from tests.web.tabs import Chromium, Tab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

SETTINGS = {
    "web.enabled": True,
    "web.port": 0,
    "messages.multi_device": True,
    "messages.group_receipts": "receipts",
}
"""As a page wants them."""


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own."""
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def chromium(portal: BlockingPortal) -> Iterator[Chromium]:
    """The browser."""
    with Chromium.start(portal) as chromium:
        if chromium is None:
            pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
        yield chromium


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ImServer]:
    """The server of all tests; each has users of its own."""
    with ImServer(settings=SETTINGS) as server:
        yield server


@pytest.fixture
def server(shared_server: ImServer) -> Iterator[ImServer]:
    """The server, without the trouble that others have made."""
    shared_server.reset()
    yield shared_server
    print(shared_server.transcript)


@pytest.fixture
def open_tab(chromium: Chromium, server: ImServer) -> Iterator[Callable[[], Tab]]:
    """Open a page."""
    with chromium.tabs(server) as open_tab:
        yield open_tab


class Desk:
    """Opens pages with users in front of them."""

    def __init__(self, server: ImServer, open_tab: Callable[[], Tab], name: str) -> None:
        self.server = server
        self.open_tab = open_tab
        self._name = name

    def user(self, name: str) -> str:
        """The id of a user of this test only."""
        return f"{name}-{self._name}"

    def prepared(self, name: str, tab: Tab | None = None, **options: Any) -> Tab:
        """A page with a client that is not connected."""
        tab = tab or self.open_tab()
        usual = {
            "appKey": self.server.app_key,
            "tokens": [self.server.token(self.user(name))],
        }
        if "address" not in options:
            usual["navigator"] = self.server.navigation_url
        tab.run("begin(a)", {**usual, **options})
        return tab

    def online(self, name: str, tab: Tab | None = None, **options: Any) -> Tab:
        """A page with a client that is connected."""
        tab = self.prepared(name, tab, **options)
        assert tab.run("return await client.connect()") == self.user(name)
        return tab


@pytest.fixture
def desk(request: pytest.FixtureRequest, server: ImServer, open_tab: Callable[[], Tab]) -> Desk:
    """Users and their pages."""
    return Desk(server, open_tab, str(crc32(request.node.name.encode())))


@pytest.fixture(scope="module")
def connected(chromium: Chromium, shared_server: ImServer) -> Iterator[Tab]:
    """One page of a user for tests that leave no trace."""
    with chromium.tabs(shared_server) as open_tab:
        yield Desk(shared_server, open_tab, "alone").online("zoe")
