"""Pages in Chromium, each with an SDK in it and a user in front of it.

One browser serves all tests. It runs on an event loop in a thread of its own, because what
drives it wants one and the tests bring theirs. Each page has its own storage, so an SDK that
starts knows nothing of earlier ones.

Chromium gets no further than this machine: every host but this one is unknown to it, addresses
without names included, and a page that has asked for one fails its test.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio
from playwright.async_api import async_playwright

from tests.interop.party import PATIENCE, SETTLING, TEXT, Heard, Party, Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from anyio.from_thread import BlockingPortal
    from playwright import async_api

    from tests.interop.party import Content
    from tests.interop.sdk import Sdk
    from tests.interop.server import ImServer

T = TypeVar("T")

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_THIS_MACHINE: Final = ("127.0.0.1", "localhost")
_ARGUMENTS: Final = (
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {', EXCLUDE '.join(_THIS_MACHINE)}",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
_POLLING: Final = 10.0
"""Milliseconds between two looks at a condition."""


def find_chromium() -> str | None:
    """Where Chromium is; ``IMPROTO_CHROMIUM`` says it if it is nowhere usual."""
    named = os.environ.get("IMPROTO_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Browser:
    """Chromium."""

    def __init__(self, portal: BlockingPortal, browser: async_api.Browser) -> None:
        self._portal = portal
        self._browser = browser

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
    def page(self, sdk: Sdk, site: str, server: ImServer, user: str) -> Iterator[Page]:
        """Open a page that is ready to connect."""
        context = self._portal.call(self._browser.new_context)
        try:
            tab = self._portal.call(context.new_page)
            page = Page(self._portal, tab, sdk, f"{site}/{sdk.page}", server, user)
            page.listen()
            page.open()
            yield page
            print(page.report())
            assert page.mistakes == []
        finally:
            self._portal.call(context.close)


class Page(Party):
    """A page. ``im`` in its scripts is described in ``pages/imlib-v2.js``."""

    def __init__(
        self,
        portal: BlockingPortal,
        page: async_api.Page,
        sdk: Sdk,
        url: str,
        server: ImServer,
        user: str,
    ) -> None:
        super().__init__(user)
        self.sdk = sdk
        self.sockets = 0
        """How many WebSockets it has opened."""
        self._portal = portal
        self._page = page
        self._url = url
        self._server = server
        self._console: list[str] = []
        self.mistakes: list[str] = []
        """What must not happen and has: exceptions, and requests that leave the machine."""

    def listen(self) -> None:
        """Notice what the page does, from now on."""

        async def listen() -> None:
            page = self._page
            page.on("console", lambda message: self._console.append(message.text))
            page.on("pageerror", lambda error: self.mistakes.append(f"exception: {error}"))
            page.on("request", lambda request: self._note_address(request.url))
            page.on("websocket", self._note_socket)

        self._run(listen)

    def open(self) -> None:
        """Load the SDK, anew if it is there already, and tell it where the server is."""
        self._taken = 0
        self._run(lambda: self._page.goto(self._url))
        self.script("(k, n) => im.init(k, n)", self._server.app_key, self._server.navigation)

    def log_in(self, token: str) -> Any:
        """What the SDK says to an attempt to connect: ``result`` or ``error``."""
        return self.script("token => im.connect(token)", token)

    def connect(self) -> None:
        answer = self.log_in(self._server.token(self.user))
        assert answer == {"result": [self.user]}, self.report()

    def disconnect(self) -> None:
        self.script("() => im.disconnect()")

    def register(self, kind: str, properties: Sequence[str]) -> None:
        self.script("(k, p) => im.register('OwnMessage', k, p)", kind, properties)

    def send_all(self, to: str, contents: Sequence[Content], *, kind: str = TEXT) -> list[Sent]:
        answers = self.script("(...all) => im.sendAll(...all)", to, kind, contents)
        assert not [answer for answer in answers if "error" in answer], self.report()
        messages = [_heard(answer["result"]) for answer in answers]
        return [Sent(uid=message.uid, time=message.time) for message in messages]

    def send_typing(self, to: str) -> None:
        """Tell somebody that this user is typing."""
        self.script("to => im.sendTyping(to)", to)

    def history(
        self, peer: str, *, time: int = 0, count: int, is_forward: bool = False
    ) -> tuple[list[Heard], bool]:
        """A page of the conversation, and whether there is more."""
        answer = self.script("(...all) => im.history(...all)", peer, time, count, int(is_forward))
        assert "result" in answer, f"{answer}\n{self.report()}"
        messages, has_more = answer["result"]
        return [_heard(message) for message in messages], has_more

    def conversations(self) -> Any:
        """What the SDK says about the list of conversations: ``result`` or ``error``."""
        return self.script("() => im.conversations()")

    def settle(self) -> None:
        for _ in range(SETTLING):
            self.history(self.user, count=1)

    def heard(self, least: int = 0) -> list[Heard]:
        try:
            self.wait_for(f"messages.length >= {least}")
        except AssertionError as error:
            count = self.script("() => im.messages.length")
            raise AssertionError(f"{error}; there are {count}") from None
        return [_heard(message) for message in self.script("() => im.messages")]

    @property
    def statuses(self) -> list[int]:
        """All statuses of the connection so far."""
        statuses: list[int] = self.script("() => im.statuses")
        return statuses

    @property
    def typing(self) -> list[dict[str, str]]:
        """Who has typed so far: ``conversation``, ``user`` and ``kind`` of message."""
        typing: list[dict[str, str]] = self.script("() => im.typing")
        return typing

    def wait_for(self, condition: str) -> None:
        """Wait for something about ``messages``, ``statuses`` or ``typing``."""
        names = "{ messages, statuses, typing }"
        script = f"() => {{ const {names} = im; return {condition}; }}"
        self._run(lambda: self._page.wait_for_function(script, polling=_POLLING), condition)

    def hold_clock(self) -> None:
        """From now on the page has a clock that :meth:`pass_time` can turn."""
        self._run(self._page.clock.install)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the page, and everything happen that waits for it to pass."""
        self._run(lambda: self._page.clock.run_for(round(seconds * 1000)))

    def script(self, function: str, *arguments: Any) -> Any:
        """Call a function in the page and wait for what its promise gives."""
        call = f"all => ({function})(...all)"
        return self._run(lambda: self._page.evaluate(call, arguments), function)

    def report(self) -> str:
        """What is good to know when a test has failed."""
        title = f"what the page of {self.user} with {self.sdk.name} has said:"
        return "\n  ".join([title, *self.mistakes, *self._console[-20:]])

    def _run(self, start: Callable[[], Awaitable[T]], what: str = "the page") -> T:
        async def run() -> T:
            with anyio.fail_after(PATIENCE):
                return await start()

        try:
            return self._portal.call(run)
        except TimeoutError:
            raise AssertionError(f"{self.user} waits in vain for: {what}") from None

    def _note_address(self, url: str) -> None:
        if urlsplit(url).hostname not in (*_THIS_MACHINE, None):
            self.mistakes.append(f"request to {url}")

    def _note_socket(self, socket: async_api.WebSocket) -> None:
        self.sockets += 1
        self._note_address(socket.url)


def _heard(message: dict[str, Any]) -> Heard:
    return Heard(is_offline=message.pop("isOffline"), **message)
