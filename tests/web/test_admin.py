"""The page of whoever runs the server, in a browser."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto.contents import Text
from improto_server.testing import ImServer
from tests.web.conftest import SETTINGS
from tests.web.tabs import PATIENCE, Chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal
    from playwright.async_api import Page

TOKEN = "the-token-of-an-operator-in-a-test"
EVIL = '<img src=x onerror="window.isHurt=true"><b>Eve</b>'

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}


@pytest.fixture(scope="module")
def server() -> Iterator[ImServer]:
    with ImServer(settings={**SETTINGS, "web.admin_token": TOKEN}) as server:
        yield server


class Operator:
    """Somebody in front of the page."""

    def __init__(self, portal: BlockingPortal, page: Page) -> None:
        self._portal = portal
        self.page = page

    def do(self, call: Callable[[], Any]) -> Any:
        return self._portal.call(call)

    def see(self, text: str) -> None:
        """Wait until a text is there."""
        self.do(lambda: self.page.get_by_text(text).first.wait_for(timeout=PATIENCE * 1000))

    def see_no_more(self, text: str) -> None:
        first = self.page.get_by_text(text, exact=True).first
        self.do(lambda: first.wait_for(state="detached", timeout=PATIENCE * 1000))

    def press(self, name: str, *, role: Any = "button") -> None:
        self.do(lambda: self.page.get_by_role(role, name=name, exact=True).click())

    def write(self, label: str, text: str) -> None:
        self.do(lambda: self.page.get_by_label(label, exact=True).fill(text))

    def enter(self, token: str = TOKEN) -> None:
        self.write("Token", token)
        self.press("Enter")

    def answer(self, name: str) -> None:
        """Press a button of the question."""
        dialog = self.page.get_by_role("dialog")
        self.do(lambda: dialog.get_by_role("button", name=name, exact=True).click())

    def pass_time(self) -> None:
        """The page looks again by itself."""
        self.do(partial(self.page.clock.fast_forward, 6000))

    def run(self, script: str) -> Any:
        return self.do(lambda: self.page.evaluate(script))


@pytest.fixture
def opened(
    chromium: Chromium, portal: BlockingPortal, server: ImServer
) -> Iterator[Callable[..., Operator]]:
    """Open the page; in the end it must have made no mistake."""
    mistakes: list[str] = []
    said: list[str] = []

    made: list[Any] = []

    def open_page(size: Any = DESKTOP) -> Operator:
        made.append(portal.call(partial(chromium.context, viewport=size)))
        page = portal.call(made[-1].new_page)
        portal.call(page.clock.install)
        portal.call(partial(page.on, "pageerror", lambda error: mistakes.append(str(error))))
        portal.call(partial(page.on, "console", lambda told: said.append(told.text)))
        portal.call(lambda: page.goto(server.web_url + "/admin"))
        return Operator(portal, page)

    try:
        yield open_page
        assert mistakes == [each for each in said if "Security Policy" in each] == []
    finally:
        for each in made:
            portal.call(each.close)


def test_only_the_token_gets_in(opened: Callable[..., Operator]) -> None:
    operator = opened()
    operator.enter("x")
    operator.see("that is not the token")
    operator.enter()
    operator.see("Users online")
    assert operator.run("Object.keys(localStorage).length + document.cookie.length") == 0
    operator.do(operator.page.reload)
    operator.see("Users online")
    operator.press("Leave")
    operator.see("It is web.admin_token")
    assert operator.run("sessionStorage.length") == 0


def test_users_are_seen_kicked_and_blocked(
    opened: Callable[..., Operator], server: ImServer
) -> None:
    operator = opened()
    operator.enter()
    operator.see("Nobody is online.")
    eve = server.user("eve", name=EVIL)
    with eve.online():
        operator.pass_time()
        operator.see(EVIL)
        operator.press("Kick")
        operator.answer("Cancel")
        assert server.connections("eve") == 1
        operator.press("Kick")
        operator.answer("Kick")
        operator.see("eve was kicked.")
        assert server.connections("eve") == 0
    operator.see("Nobody is online.")
    operator.do(operator.page.get_by_label("online only").uncheck)
    operator.write("Search", "ev")
    operator.see(EVIL)
    operator.press("Block")
    operator.do(lambda: operator.page.get_by_label("Nobody gets in").select_option("1440"))
    operator.answer("Block")
    operator.see("eve is blocked until")
    operator.press("Blocked")
    operator.press("Unblock")
    operator.answer("Unblock")
    operator.see("Nobody is blocked.")
    operator.press("Users")
    operator.write("Search", "zzz")
    operator.see("Nobody is found.")
    assert operator.run("window.isHurt") is None
    assert operator.run("document.querySelectorAll('#root img').length") == 0


def test_rooms_end(opened: Callable[..., Operator], server: ImServer) -> None:
    operator = opened(PHONE)
    operator.enter()
    operator.press("Rooms")
    operator.see("There are no rooms.")
    server.room("tea", name=EVIL[:60])
    operator.pass_time()
    operator.see(EVIL[:60])
    operator.press("Destroy")
    operator.answer("Destroy")
    operator.see("tea is no more.")
    operator.see("There are no rooms.")
    width = operator.run("document.documentElement.scrollWidth")
    assert width == PHONE["width"]


def test_a_broadcast_is_sent_after_a_look(
    opened: Callable[..., Operator], server: ImServer
) -> None:
    operator = opened()
    operator.enter()
    operator.press("Broadcast")
    operator.write("Text", "Back at nine")
    with server.user("ann").online() as ann:
        operator.press("Send…")
        operator.see("To who is online; it is kept nowhere:")
        operator.do(lambda: operator.page.keyboard.press("Escape"))
        operator.press("Send…")
        operator.answer("Send")
        operator.see("It is on its way.")
        assert ann.receive().decoded() == Text(content="Back at nine")


def test_pages_of_many(opened: Callable[..., Operator], server: ImServer) -> None:
    for number in range(51):
        server.room(f"r{number:02}")
    operator = opened()
    operator.enter()
    operator.press("Rooms")
    operator.see("r49")
    operator.press("More")
    operator.see("r50")
    operator.press("Back")
    operator.see("r00")


def test_a_server_that_is_gone(opened: Callable[..., Operator], server: ImServer) -> None:
    operator = opened()
    operator.enter()
    operator.see("Users online")
    operator.do(lambda: operator.page.context.set_offline(True))
    operator.press("Blocked")
    operator.see("The server cannot be reached.")
    operator.do(lambda: operator.page.context.set_offline(False))
    operator.press("Rooms")
    operator.see_no_more("The server cannot be reached.")
