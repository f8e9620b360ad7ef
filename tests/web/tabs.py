"""Chromium with pages that have improto.js in them, driven from tests that do not wait.

The document is served from here and imports the modules from the server under test, as any
application's page may. Chromium gets no further than this machine.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from playwright.async_api import async_playwright

from tests.interop.browser import find_chromium

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.from_thread import BlockingPortal
    from playwright import async_api

    from improto_server.testing import ImServer

T = TypeVar("T")

PATIENCE: Final = 20.0
"""Seconds until something that does not happen is a failure."""

_POLLING: Final = 10.0
"""Milliseconds between two looks at a condition."""

_ARGUMENTS: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
)

DOCUMENT: Final = """<!doctype html><meta charset="utf-8"><title>test</title>
<script type="module">
  window.base = `${new URLSearchParams(location.search).get("server")}/static/improto/`;
  const improto = await import(`${base}improto.js`);
  const NAMES = ["status", "ended", "message", "sending", "sent", "failed", "typing", "read",
    "readelsewhere", "recall", "expansion", "edit", "receipt", "receiptrequest", "presence",
    "change", "settings", "entries", "unread", "roomleft", "trouble"];
  const plain = (value) => JSON.parse(JSON.stringify(value, (key, each) =>
    each instanceof Error ? { code: each.code, message: each.message } : each));
  Object.assign(window, improto, { improto, log: [] });
  window.told = (name) => log.filter(([each]) => each === name).map(([, detail]) => detail);
  window.begin = (options) => {
    const storage = options.isKept ? new BrowserStorage() : new MemoryStorage();
    const tokens = [...options.tokens];
    window.client = new Client({
      ...options, storage, token: async () => (tokens.length > 1 ? tokens.shift() : tokens[0]),
    });
    for (const name of NAMES) {
      client.addEventListener(name, ({ detail }) => log.push([name, plain(detail)]));
    }
  };
  window.attempt = async (call) => {
    try {
      return { result: await call() };
    } catch (error) {
      return { code: error.code, message: error.message };
    }
  };
  window.isReady = true;
</script>"""


class Tab:
    """A page, perhaps with a client in it."""

    def __init__(self, portal: BlockingPortal, page: async_api.Page, url: str) -> None:
        self.mistakes: list[str] = []
        """What a page may not do: exceptions that nobody has caught."""
        self.console: list[str] = []
        """What a page has written to the console."""
        self._portal = portal
        self._page = page
        self._url = url
        # They tell Chromium what is wanted, which its own thread has to do.
        portal.call(lambda: page.on("pageerror", lambda error: self.mistakes.append(str(error))))
        portal.call(lambda: page.on("console", lambda told: self.console.append(told.text)))

    def load(self) -> None:
        """Load the page, anew if it is there already."""
        self.wait(lambda: self._page.goto(self._url))
        self.until("window.isReady")

    def run(self, body: str, *arguments: Any) -> Any:
        """What an async function with this body and the parameters ``a``, ``b``, ... returns."""
        names = ", ".join("abcdefg"[: len(arguments)])
        script = f"([{names}]) => (async () => {{ {body} }})()"
        return self.wait(lambda: self._page.evaluate(script, list(arguments)), body)

    def until(self, condition: str, *arguments: Any) -> None:
        """Wait until an expression is true; ``a``, ``b``, ... are the arguments."""
        names = ", ".join("abcdefg"[: len(arguments)])
        script = f"([{names}]) => {condition}"
        self.wait(
            lambda: self._page.wait_for_function(
                script, arg=list(arguments), polling=_POLLING, timeout=PATIENCE * 1000
            ),
            condition,
        )

    def told(self, name: str, least: int = 1) -> list[Any]:
        """What events of a name have told, when there are so many."""
        self.until(f"told('{name}').length >= {least}")
        told: list[Any] = self.run(f"return told('{name}')")
        return told

    def wait(self, start: Callable[[], Awaitable[T]], what: str = "the page") -> T:
        """Wait for what the page does."""

        async def run() -> T:
            with anyio.fail_after(PATIENCE):
                return await start()

        try:
            return self._portal.call(run)
        except Exception as error:
            log = self._portal.call(lambda: self._page.evaluate("() => window.log ?? []"))
            lines = (f"{what}: {error}", *self.mistakes, *self.console, f"it was told {log}")
            raise AssertionError("\n".join(lines)) from error

    @property
    def page(self) -> async_api.Page:
        """What playwright knows, for :meth:`wait`."""
        return self._page


class Chromium:
    """The browser."""

    def __init__(self, portal: BlockingPortal, browser: async_api.Browser, site: str) -> None:
        self._portal = portal
        self._browser = browser
        self._site = site

    @classmethod
    @contextmanager
    def start(cls, portal: BlockingPortal) -> Iterator[Chromium | None]:
        """Run it for as long as the block lasts; None if it is not installed."""
        program = find_chromium()
        if program is None:
            yield None
            return
        with (
            _serve() as site,
            portal.wrap_async_context_manager(async_playwright()) as playwright,
            portal.wrap_async_context_manager(
                portal.call(
                    lambda: playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
                )
            ) as browser,
        ):
            yield cls(portal, browser, site)

    async def context(self, **options: Any) -> async_api.BrowserContext:
        """A profile of its own, with playwright's options."""
        return await self._browser.new_context(**options)

    @contextmanager
    def tabs(self, server: ImServer) -> Iterator[Callable[[], Tab]]:
        """Open pages; in the end they are closed and must have made no mistake.

        All pages of one block share their storage.
        """
        context = self._portal.call(self._browser.new_context)
        tabs: list[Tab] = []

        def open_tab() -> Tab:
            url = f"{self._site}/?server={server.web_url}"
            tab = Tab(self._portal, self._portal.call(context.new_page), url)
            tabs.append(tab)
            tab.load()
            return tab

        try:
            yield open_tab
            assert [mistake for tab in tabs for mistake in tab.mistakes] == []
        finally:
            self._portal.call(context.close)


class _Document(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = DOCUMENT.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what matters is in the page's own log."""


@contextmanager
def _serve() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Document) as site:
        thread = Thread(target=site.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{site.server_port}"
        finally:
            site.shutdown()
            thread.join()
