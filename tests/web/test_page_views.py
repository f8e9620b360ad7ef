"""Every view of the web page, full of what others may write: it stays text, and people who see
little, hear nothing or have no mouse can use it.

The second half is what axe-core finds. It is installed by npm; a machine without npm skips that.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from improto_server.testing import ImServer
from tests.web.furnished import MARKUP, NAME, SETTINGS, furnish
from tests.web.visitors import visitors
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

    from tests.web.furnished import House
    from tests.web.tabs import Chromium
    from tests.web.visitors import Visitor

pytestmark = pytest.mark.interop

_NODE: Final = ROOT / "tests" / "web" / "node"
_INSTALL_PATIENCE: Final = 120.0
"""Seconds for npm."""

_SIZES: Final = ({"width": 1280, "height": 800}, {"width": 375, "height": 740})

VIEWS: Final = {
    "list": "a.item",
    "chat": ".message",
    "group chat": ".message",
    "room": ".subtitle >> text=1 person",
    "contacts": "a.item >> nth=2",
    "requests": ".pane h2",
    "person": ".sheet h3",
    "stranger": ".sheet h3",
    "new group": "input[name=user]",
    "group": ".row-line",
    "readers": ".sheet .row-line",
    "rooms": ".side a.item",
    "people in the room": ".sheet .row-line",
    "me": ".me h2",
    "encryption": ".sealing",
}
"""By name, with what is there when it is there."""


@pytest.fixture(scope="module")
def house(chromium: Chromium, portal: BlockingPortal) -> Iterator[House]:
    """A server with Anna in front of a page."""
    with (
        ImServer(settings=SETTINGS) as server,
        visitors(chromium, portal, server) as come,
    ):
        yield furnish(come)


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that looks for faults."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; on Debian: apt-get install npm")
    script = _NODE / "node_modules" / "axe-core" / "axe.min.js"
    with (_NODE / "package-lock.json").open() as lock:
        # Tests may run in several processes, and one of them is enough to do it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            command = [npm, "ci", "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund"]
            try:
                subprocess.run(command, cwd=_NODE, check=True, timeout=_INSTALL_PATIENCE)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                pytest.skip("npm could not install axe-core")
    return script.read_text(encoding="utf-8")


def visit(house: House, view: str) -> Visitor:
    """Let Anna go there."""
    house.anna.run("location.hash = a ? `#/${a}` : ''", house.views[view])
    house.anna.sees(VIEWS[view])
    return house.anna


def faults(visitor: Visitor, axe: str) -> list[Any]:
    """What stands in somebody's way, in both colours and on both sizes of screen."""
    visitor.wait(lambda: visitor.page.evaluate(axe))
    found = []
    for size in _SIZES:
        visitor.wait(lambda size=size: visitor.page.set_viewport_size(size))  # type: ignore[misc]
        for theme in ("light", "dark"):
            visitor.run("document.documentElement.dataset.theme = a", theme)
            found += visitor.run(
                """const { violations } = await axe.run(document);
                return violations
                  .filter(({ impact }) => impact === "serious" || impact === "critical")
                  .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
                    [a, id, html.slice(0, 200), failureSummary]));""",
                f"{theme} {size['width']}",
            )
    visitor.wait(lambda: visitor.page.set_viewport_size(_SIZES[0]))
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_what_others_write_stays_text(house: House, view: str) -> None:
    anna = visit(house, view)
    anna.until("document.body.innerText.includes(a)", NAME if view == "person" else MARKUP)
    assert anna.run("return hits") == 0
    odd = """
      const links = [...document.querySelectorAll("[href], [src], [poster]")];
      const allowed =
        /^(https?:|#|\\/static\\/|\\/account\\/|blob:|data:image\\/(jpeg|svg\\+xml)[;,]|$)/;
      return links
        .flatMap((each) => ["href", "src", "poster"].map((name) => each.getAttribute(name)))
        .filter((each) => each !== null && !allowed.test(each));
    """
    assert anna.run(odd) == []
    outside = "[...document.querySelectorAll('a[target=_blank]')]"
    assert anna.run(f"return {outside}.every(({{ rel }}) => rel.includes('noopener'))")
    assert anna.mistakes == []


@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_use_it(house: House, axe: str, view: str) -> None:
    assert faults(visit(house, view), axe) == []


_MENU: Final = "button[aria-label='What to do with this conversation']"
_MORE: Final = "button[aria-label='Send something else']"

OPENED: Final = {
    "search": ("list", lambda anna: anna.fill("#search", "Bert"), ".list >> nth=0"),
    "menu": ("chat", lambda anna: anna.press(_MENU), "[role=menuitem]"),
    "emoji": ("chat", lambda anna: anna.press("button[aria-label=Emoji]"), ".emoji button"),
    "sending something else": ("chat", lambda anna: anna.press(_MORE), ".attach-choice"),
    "question": ("me", lambda anna: anna.press(".settings .plain", "Log out"), ".danger"),
}
"""What opens in a view: the view, how, and what is there then."""


@pytest.mark.parametrize("name", OPENED)
def test_everybody_can_use_what_opens(house: House, axe: str, name: str) -> None:
    view, opened, there = OPENED[name]
    anna = visit(house, view)
    opened(anna)
    anna.sees(there)
    found = faults(anna, axe)
    anna.keys("Escape")
    anna.reload()
    assert found == []


@pytest.mark.parametrize("form", ["Log in", "Register", "Guest"])
def test_everybody_can_come_in(house: House, axe: str, form: str) -> None:
    visitor = house.come(reduced_motion="reduce")
    visitor.press(".tabs button", form)
    visitor.press(".fields button")
    assert faults(visitor, axe) == []
    visitor.run("localStorage.clear()")
    visitor.wait(visitor.page.close)
