"""What the scenarios stand on: SDKs from npm, one browser, one server, and people to talk.

A machine without Chromium or npm skips all of it with a reason; in CI that is a failure, see
``tests/conftest.py``.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest
from anyio.from_thread import start_blocking_portal

from tests.interop import sdk as sdks
from tests.interop.bare import Bare
from tests.interop.browser import Browser, find_chromium
from tests.interop.next_page import NextPage
from tests.interop.page import Page
from tests.interop.program import LOOPS, POLLING, Program
from tests.interop.results import CAST, Results
from tests.interop.server import ImServer
from tests.interop.website import serve_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from tests.interop.party import Party
    from tests.interop.sdk import Sdk

SERVER_KINDS: Final = {
    "asyncio": {"IMPROTO_GATEWAY_BACKEND": "asyncio", "IMPROTO_GATEWAY_FRAMER": "wsproto"},
    "trio": {"IMPROTO_GATEWAY_BACKEND": "trio", "IMPROTO_GATEWAY_FRAMER": "websockets"},
}
"""Each event loop and each framer once. Tests that share a server take the defaults."""

PROGRAM: Final = "program"
"""The kind of a party that is a program, on whatever loop."""

_LOOP_BESIDE: Final = {
    sdks.IMLIB_5_38_0.label: LOOPS[1],
    sdks.IMLIB_2_9_2_POLLING.label: LOOPS[1],
}
"""The loop of programs that meet a page, if it is not the first of them."""

_numbers = itertools.count(1)


@pytest.fixture(
    scope="session", params=(*sdks.SDKS, sdks.IMLIB_2_9_2_POLLING), ids=lambda sdk: sdk.name
)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """The SDK of a scenario that is told for each of them."""
    chosen: Sdk = request.param
    return chosen


@pytest.fixture(scope="session")
def portals() -> Iterator[dict[str, BlockingPortal]]:
    """Event loops in threads of their own, by name."""
    with ExitStack() as stack:
        yield {loop: stack.enter_context(start_blocking_portal(loop)) for loop in LOOPS}


@pytest.fixture(scope="session")
def browser(portals: dict[str, BlockingPortal]) -> Iterator[Browser]:
    """Chromium; each page has a storage of its own."""
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    with Browser.start(portals["asyncio"], program) as browser:
        yield browser


@pytest.fixture(scope="session")
def website() -> Iterator[str]:
    """The address of the pages."""
    with serve_pages() as address:
        yield address


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImServer]:
    """The server of all tests that leave it alive."""
    server = ImServer(tmp_path_factory.mktemp("server"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(shared_server: ImServer) -> Iterator[ImServer]:
    """The server; what it says belongs to the report of a test that fails."""
    begin = len(shared_server.output)
    yield shared_server
    print(*shared_server.output[begin:], sep="\n")


@pytest.fixture(scope="session")
def many_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImServer]:
    """A server whose users may have several devices at a time, and with the newer receipts."""
    server = ImServer(
        tmp_path_factory.mktemp("many-devices"),
        IMPROTO_MESSAGES_MULTI_DEVICE="true",
        IMPROTO_MESSAGES_GROUP_RECEIPTS="topics",
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=list(SERVER_KINDS))
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImServer]:
    """A server for one test, which may kill it. The test starts it."""
    yield from _server_of_one_test(ImServer(tmp_path, **SERVER_KINDS[request.param]))


@pytest.fixture
def lone_server(tmp_path: Path) -> Iterator[ImServer]:
    """The same with the defaults, where the event loop of the server makes no difference."""
    yield from _server_of_one_test(ImServer(tmp_path))


def _server_of_one_test(server: ImServer) -> Iterator[ImServer]:
    try:
        yield server
        print(server.report())
        server.stop()
    finally:
        server.kill()


def pytest_configure(config: pytest.Config) -> None:
    """Have the results written down."""
    config.pluginmanager.register(Results())


class Door:
    """Brings people in, not connected yet. Each test has its own, so tests may share a server."""

    def __init__(
        self,
        stack: ExitStack,
        cast: list[str],
        sdk: Sdk,
        browser: Browser,
        website: str,
        portals: dict[str, BlockingPortal],
    ) -> None:
        self.sdk = sdk
        self._stack = stack
        self._cast = cast
        self._browser = browser
        self._website = website
        self._portals = portals

    def page(self, server: ImServer, user: str | None = None, *, sdk: Sdk | None = None) -> Page:
        """A page, with the SDK of the scenario if none is named."""
        sdk = sdk or self.sdk
        try:
            sdks.install(sdk)
        except sdks.NotInstallable as error:
            pytest.skip(str(error))
        self._cast.append(sdk.label)
        kind = NextPage if sdk is sdks.IMLIB_5_38_0 else Page
        page = self._browser.page(kind, sdk, self._website, server, user or _new_user())
        return self._stack.enter_context(page)

    def program(
        self, server: ImServer, loop: str | None = None, user: str | None = None
    ) -> Program:
        """A program with our client, on a loop of LOOPS, and with POLLING or without.

        Where it makes no difference it is on that of the SDK, so that each loop meets pages.
        """
        loop = loop or _LOOP_BESIDE.get(self.sdk.label, LOOPS[0])
        name = loop.removesuffix(POLLING)
        self._cast.append(name)
        program = Program(self._portals[name], loop, server, user or _new_user())
        self._stack.callback(program.leave)
        return program

    def bare(self, server: ImServer, loop: str) -> Bare:
        """A program without our client library."""
        self._cast.append(loop)
        program = Bare(self._portals[loop], loop, server, _new_user())
        self._stack.callback(program.disconnect)
        return program

    def party(self, server: ImServer, kind: str, user: str | None = None) -> Party:
        """A page with the SDK of the scenario ("page") or of a version ("2.9.2"), or a program,
        perhaps on "asyncio" or "trio", or "asyncio polling"; ``user``: somebody's second device."""
        if kind == PROGRAM:
            return self.program(server, user=user)
        if kind.removesuffix(POLLING) in LOOPS:
            return self.program(server, kind, user)
        return self.page(server, user, sdk=sdks.BY_VERSION.get(kind, self.sdk))


@pytest.fixture
def doors(
    request: pytest.FixtureRequest,
    browser: Browser,
    website: str,
    portals: dict[str, BlockingPortal],
) -> Iterator[Callable[[Sdk], Door]]:
    """Gives the door of an SDK. Whoever comes in is sent home at the end of the test."""
    cast = request.node.stash.setdefault(CAST, [])
    with ExitStack() as stack:
        yield lambda sdk: Door(stack, cast, sdk, browser, website, portals)


@pytest.fixture
def door(doors: Callable[[Sdk], Door], sdk: Sdk) -> Door:
    """For scenarios that are told for each SDK."""
    return doors(sdk)


@pytest.fixture
def door5(doors: Callable[[Sdk], Door]) -> Door:
    """For scenarios that are told once: pages have SDK 5 if none is named."""
    return doors(sdks.IMLIB_5_38_0)


@pytest.fixture
def door4(doors: Callable[[Sdk], Door]) -> Door:
    """The same with SDK 4."""
    return doors(sdks.IMLIB_4_6_4)


def _new_user() -> str:
    return f"user-{next(_numbers)}"
