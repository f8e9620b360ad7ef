"""Chromium, which all pages are in.

One browser serves all tests. It runs on an event loop in a thread of its own, because what
drives it wants one and the tests bring theirs. Each page is in a tab with its own storage, which
is emptied before a later page is loaded in it; so an SDK that starts knows nothing of earlier
ones. A page that a test has given another clock or other answers, or whose test has failed,
takes its tab with it.

Chromium gets no further than this machine: every host but this one is unknown to it, addresses
without names included. A page that has asked for one fails its test, unless its SDK is known to
do so.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from playwright.async_api import async_playwright

from tests.interop.page import THIS_MACHINE, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal
    from playwright import async_api

    from tests.interop.sdk import Sdk
    from tests.interop.server import ImServer

P = TypeVar("P", bound=Page)

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = (
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {', EXCLUDE '.join(THIS_MACHINE)}",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """Where Chromium is; ``IMPROTO_CHROMIUM`` says it if it is nowhere usual."""
    named = os.environ.get("IMPROTO_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Browser:
    """Chromium."""

    def __init__(self, portal: BlockingPortal, browser: async_api.Browser) -> None:
        self._portal = portal
        self._browser = browser
        self._idle: list[async_api.Page] = []
        """Tabs that are empty."""

    @classmethod
    @contextmanager
    def start(cls, portal: BlockingPortal, program: str) -> Iterator[Browser]:
        """Run it for as long as the block lasts. ``portal`` leads to an asyncio loop."""
        with (
            portal.wrap_async_context_manager(async_playwright()) as playwright,
            portal.wrap_async_context_manager(
                portal.call(
                    lambda: playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
                )
            ) as browser,
        ):
            yield cls(portal, browser)

    @contextmanager
    def page(self, kind: type[P], sdk: Sdk, site: str, server: ImServer, user: str) -> Iterator[P]:
        """Open a page that is ready to connect."""
        tab = self._idle.pop() if self._idle else self._portal.call(self._open_tab)
        page = kind(self._portal, tab, sdk, f"{site}/{sdk.page}", server, user)
        is_reusable = False
        try:
            page.listen()
            page.open()
            yield page
            print(page.report())
            assert page.mistakes == []
            assert [url for url in page.attempts if not re.fullmatch(sdk.outside, url)] == []
            is_reusable = not page.is_changed
        finally:
            page.leave()
            if is_reusable:
                self._portal.call(_empty, tab, site)
                self._idle.append(tab)
            else:
                self._portal.call(tab.context.close)

    async def _open_tab(self) -> async_api.Page:
        context = await self._browser.new_context()
        return await context.new_page()


async def _empty(tab: async_api.Page, site: str) -> None:
    """Leave nothing of a page in its tab."""
    await tab.goto("about:blank")
    session = await tab.context.new_cdp_session(tab)
    await session.send("Storage.clearDataForOrigin", {"origin": site, "storageTypes": "all"})
    await session.detach()
