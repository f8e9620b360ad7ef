"""The samples of docs/improto-js.md, and what it says there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.samples import DOCS, samples_of

if TYPE_CHECKING:
    from tests.web.conftest import Desk
    from tests.web.tabs import Tab

pytestmark = pytest.mark.interop

PAGE = DOCS / "improto-js.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_samples_run(desk: Desk) -> None:
    """In a page that has what they take for granted."""
    bob = desk.online("bob")
    tab = desk.open_tab()
    first, *others = [each.text for each in samples_of(PAGE) if each.language == "js"]
    tokens = f"window.fetchToken = async () => {desk.server.token(desk.user('anna'))!r};"
    for old, new in (
        (r"import .*?;\n", ""),
        (r'"demo"', repr(desk.server.app_key)),
        (r'"http://127.0.0.1:8080"', repr(desk.server.navigation_url)),
        (r'\(await fetch\("/my/token"\)\)\.text\(\)', "fetchToken()"),
        (r'"bob"', repr(desk.user("bob"))),
    ):
        first, count = re.subn(old, new, first)
        assert count == 1, old
    tab.run(f"{tokens} {first} window.client = client;")
    assert bob.told("message")[0]["message"]["fields"] == {"content": "hello"}
    bob.run("await client.messages.send(privateChat(a), text('<b>hi'))", desk.user("anna"))
    tab.until("document.body.textContent.includes('<b>hi')")
    desk.server.group("g1", [desk.user("anna")])
    # What they find depends on what there is; that they are understood does not.
    known = "const bar = {}; const chat = privateChat('bob'); "
    known += "const canvas = document.createElement('canvas'); canvas.width = 9; "
    known += "const blob = await new Promise((resolve) => canvas.toBlob(resolve)); "
    codes = [
        tab.run(f"{known} return (await attempt(async () => {{ {other} }})).code ?? 0")
        for other in others
    ]
    assert codes == [0, 25429, 0]


def test_it_names_all_there_is(connected: Tab) -> None:
    names = connected.run(
        """
        const functions = (each) => Object.getOwnPropertyNames(Object.getPrototypeOf(each));
        const events = [...(await (await fetch(`${base}client.js`)).text())
          .matchAll(/(?:tell\\(|return \\[\\s*)"(\\w+)"/g)].map(([, name]) => name);
        return [
          ...Object.keys(improto),
          ...["messages", "conversations", "receipts", "files", "people"].flatMap(
            (part) => [`client.${part}`, ...functions(client[part])]),
          ...events,
        ];
        """
    )
    assert len(names) > 60
    missing = {name for name in names if not re.search(rf"\b{re.escape(name)}\b", TEXT)}
    assert missing <= {"constructor", "shown", "Command"}
