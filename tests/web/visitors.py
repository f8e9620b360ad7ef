"""People in front of the web page, each with a browser profile of his own.

They look for what people see: roles, names and texts, through playwright's locators.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect

from improto_server.accounts import server as account_server
from improto_server.accounts.passwords import Passwords
from improto_server.testing import ImServer
from tests.web.tabs import PATIENCE, Tab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from playwright.async_api import BrowserContext, Locator

    from tests.web.tabs import Chromium

DESKTOP: Final = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final = {
    "viewport": {"width": 375, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@contextmanager
def page_server_with(settings: Mapping[str, Any], *, mails: Path) -> Iterator[ImServer]:
    """A server with the page whose passwords cost little; its mails land in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(account_server, "Passwords", partial(Passwords, memory=8, rounds=1))
        with ImServer(settings={**settings, "accounts.mail_directory": str(mails)}) as server:
            yield server


_ALLOWED: Final = ("WebSocket connection to", "Failed to load resource", "improto:", "the list of")
"""What a console may say while a server is away or refuses something."""


class Visitor(Tab):
    """Somebody with the page in front of him."""

    def __init__(
        self, portal: BlockingPortal, context: BrowserContext, server: ImServer, path: str = "/"
    ) -> None:
        super().__init__(portal, portal.call(context.new_page), server.web_url + path)
        self.context = context
        self._server = server
        self.load()

    def load(self) -> None:
        """Load the page, anew if it is there already."""
        self.wait(lambda: self.page.goto(self._url))
        self.sees("#page > :not(.starting):not(.toasts)")

    def reload(self) -> None:
        """Load what is there anew."""
        self.wait(self.page.reload)
        self.sees("#page > :not(.starting):not(.toasts)")

    def find(self, selector: str, **options: Any) -> Locator:
        """By CSS, with playwright's ``has_text`` and so on."""
        return self.page.locator(selector, **options)

    def press(self, selector: str, text: str | None = None, name: str | None = None) -> None:
        """Click; ``name``: of the button or link, ``selector`` being its role."""
        if name is not None:
            role: Any = selector
            found = self.page.get_by_role(role, name=name, exact=True)
        else:
            found = self.find(selector, has_text=text)
        self.wait(lambda: found.first.click(), f"press {selector} {text or name}")

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.wait(lambda key=key: self.page.keyboard.press(key), key)  # type: ignore[misc]

    def fill(self, selector: str, text: str) -> None:
        """Write into a field."""
        self.wait(lambda: self.find(selector).fill(text), f"fill {selector}")

    def sees(self, selector: str, text: str | None = None, count: int | None = None) -> None:
        """Wait until it is there, so many times."""
        found = self.find(selector, has_text=text)
        if count is None:
            looking = lambda: expect(found.first).to_be_visible(timeout=PATIENCE * 500)  # noqa: E731
        else:
            looking = lambda: expect(found).to_have_count(count, timeout=PATIENCE * 500)  # noqa: E731
        self.wait(looking, f"see {selector} {text or ''}")

    def misses(self, selector: str, text: str | None = None) -> None:
        """Wait until it is not there."""
        self.sees(selector, text, 0)

    def texts(self, selector: str) -> list[str]:
        """What is written there, without spaces around it."""
        found = self.wait(lambda: self.find(selector).all_inner_texts())
        return [each.strip() for each in found]

    def shot(self, path: Path) -> None:
        """Take a picture."""
        self.wait(lambda: self.page.screenshot(path=path))

    # -- what people do -----------------------------------------------------------------------

    def enter_as_guest(self, name: str) -> None:
        """Come in under a name."""
        self.press(".tabs button >> nth=-1")
        self.fill("input[name=guestName]", name)
        self.press(".fields button")
        self.sees(".side")

    def open_chat(self, name: str) -> None:
        """Search for somebody and open the chat with him."""
        self.fill("#search", name)
        self.press("a.item", name)
        self.sees(".pane-head h2", name)

    def say(self, text: str) -> None:
        """Write and press Enter."""
        self.fill(".composer textarea", text)
        self.wait(lambda: self.find(".composer textarea").press("Enter"))


@contextmanager
def visitors(
    chromium: Chromium, portal: BlockingPortal, server: ImServer
) -> Iterator[Callable[..., Visitor]]:
    """Let people come; in the end they leave, and their pages must have made no mistake."""
    contexts: list[BrowserContext] = []
    there: list[Visitor] = []

    def come(path: str = "/", *, beside: Visitor | None = None, **options: Any) -> Visitor:
        """``beside``: another tab of the same browser."""
        if beside is None:
            context = portal.call(lambda: chromium.context(**{**DESKTOP, **options}))
            contexts.append(context)
        else:
            context = beside.context
        visitor = Visitor(portal, context, server, path)
        there.append(visitor)
        return visitor

    try:
        yield come
        assert [mistake for each in there for mistake in each.mistakes] == []
        for each in there:
            odd = [line for line in each.console if not line.startswith(_ALLOWED)]
            assert not odd, "\n".join(odd)
    finally:
        for context in contexts:
            portal.call(context.close)
