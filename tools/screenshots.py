"""Take the pictures of the web page that the manual shows: ``python -m tools.screenshots``.

They are of the demo's people (``improto demo``), so they show what a reader gets. It needs Chromium
and fonts for Chinese; look at the pictures before you keep them.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anyio.from_thread import start_blocking_portal

from tests.web.tabs import Chromium
from tests.web.test_demo import demo, log_in
from tests.web.visitors import DESKTOP, PHONE, Visitor
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = ROOT / "docs" / "pictures"

LARGEST: Final = 150_000
"""Bytes of one picture."""

_SETTLED: Final = 500.0
"""Milliseconds after which nothing moves any more."""

_TALK: Final = (
    ("bob", "Anna says the ridge path is open again"),
    ("alice", "@Bob great, then let us take it. I bring the map 🗺️"),
    ("bob", "And I bring tea. See you at the station!"),
    ("alice", "See you there 👋"),
)


def main() -> None:
    """Write them."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        chromium = stack.enter_context(Chromium.start(portal))
        if chromium is None:
            raise SystemExit("Chromium is not installed; on Debian: apt-get install chromium")
        shown = stack.enter_context(demo(Path(stack.enter_context(tempfile.TemporaryDirectory()))))

        def come(name: str, **options: Any) -> Visitor:
            context = portal.call(
                lambda: chromium.context(
                    **{**DESKTOP, "color_scheme": "light", "reduced_motion": "reduce", **options}
                )
            )
            stack.callback(lambda: portal.call(context.close))
            visitor = Visitor(portal, context, shown, "/chat")  # type: ignore[arg-type]
            log_in(visitor, name, shown.password)
            visitor.misses(".banner")
            return visitor

        _take_all(come)


def _take_all(come: Callable[..., Visitor]) -> None:
    people = {"alice": come("alice"), "bob": come("bob")}
    for each in people.values():
        _open(each, "Sunday hike")
        each.sees(".content", "train")
    for name, said in _TALK:
        people[name].say(said)
        for each in people.values():
            each.sees(".content", said)
    alice = people["alice"]
    alice.sees(".read-count")
    _take(alice, "page-light")
    alice.run("document.documentElement.dataset.theme = 'dark'")
    _take(alice, "page-dark")
    phone = come("alice", **{**PHONE, "device_scale_factor": 1.5})
    _open(phone, "Sunday hike")
    phone.sees(".content", _TALK[-1][1])
    _take(phone, "page-phone")
    carol = come("carol", locale="zh-CN")
    _open(carol, "Alice")
    carol.sees(".content", "周末")
    _open(alice, "卡萝 Carol")
    alice.say("有空! 一起去爬山吧 🥾")
    carol.sees(".content", "爬山")
    carol.say("太好了, 周日早上九点车站见。")
    carol.sees(".tick")
    _take(carol, "page-chinese")


def _open(visitor: Visitor, title: str) -> None:
    visitor.press(f"a.item:has(.item-title:text-is('{title}'))")
    visitor.sees(".pane-head h2", title)


def _take(visitor: Visitor, name: str) -> None:
    visitor.run("document.activeElement.blur()")
    visitor.run("for (const each of document.querySelectorAll('.toast button')) each.click()")
    visitor.wait(lambda: visitor.page.mouse.move(0, 0))
    visitor.wait(lambda: visitor.page.wait_for_timeout(_SETTLED))
    path = FOLDER / f"{name}.png"
    visitor.shot(path)
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path.name} has {size} bytes, which is more than {LARGEST}")
    print(f"{path.name}: {size} bytes")


if __name__ == "__main__":
    main()
