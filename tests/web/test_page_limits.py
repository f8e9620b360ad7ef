"""The web page where things get large, full, quick or wrong, and for who has only keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from improto_server.testing import ImServer
from tests.web.furnished import ONLINE
from tests.web.visitors import visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from tests.web.tabs import Chromium
    from tests.web.visitors import Visitor

    Come = Callable[..., Visitor]

pytestmark = pytest.mark.interop

SETTINGS: Final = {
    "accounts.enabled": True,
    "accounts.entries": 0,
    "messages.multi_device": True,
    "robot": True,
    "web.enabled": True,
    "web.port": 0,
}

_DAYS: Final = "const now = Date.now; Date.now = () => now() + 3 * 86_400_000;"
"""A clock that is three days ahead."""

_FULL: Final = """
  const full = () => { throw new DOMException("full", "QuotaExceededError"); };
  IDBObjectStore.prototype.put = full;
  Storage.prototype.setItem = full;
"""
"""A browser that has no room."""

_MODULES: Final = """
  const { state } = await import("/static/page/state.js");
  const chats = await import("/static/page/chats.js");
  const im = await import("/static/page/im.js");
  const archive = await import("/static/page/archive.js");
  const { user } = state.me;
  const robot = { type: 1, targetId: "robot" };
  const message = (n) => ({
    name: "RC:TxtMsg", fields: { content: `number ${n}` }, conversation: robot, senderId: "robot",
    isMine: false, id: null, uid: `u${n}`, key: `u${n}`, time: 1e12 + n * 1000,
    isStored: true, isCounted: true,
  });
  const many = (count) => Array.from({ length: count }, (_, n) => message(n));
"""

_LOADED: Final = """
  const frame = () => new Promise(requestAnimationFrame);
  while (chats.chatOf(robot).source !== "server") await frame();
"""
"""Waits until the server has been asked, whose answer takes the place of what is there."""


@pytest.fixture(scope="module")
def limit_server() -> Iterator[ImServer]:
    """The server of all tests; each has people of its own."""
    with ImServer(settings=SETTINGS) as server:
        yield server


@pytest.fixture
def come(chromium: Chromium, portal: BlockingPortal, limit_server: ImServer) -> Iterator[Come]:
    """Let somebody come."""
    with visitors(chromium, portal, limit_server) as come:
        yield come


def test_older_messages_are_no_reason_to_miss_the_newest(come: Come) -> None:
    """Scrolling begins before the newest are there, when one goes from chat to chat."""
    anna = come()
    anna.enter_as_guest("Anna Q")
    anna.run(ONLINE)
    source = anna.run(
        f"""{_MODULES}
          await Promise.all([im.load(robot), im.loadOlder(robot), im.load(robot)]);
          return chats.chatOf(robot).source;"""
    )
    assert source == "server"


def test_of_many_messages_the_newest_are_shown(come: Come) -> None:
    anna = come()
    anna.enter_as_guest("Anna M")
    anna.run("location.hash = '#/chat/1/robot'")
    anna.sees(".log .empty")
    anna.run(f"{_MODULES} {_LOADED} chats.put(robot, many(5000));")
    anna.sees(".content", "number 4999")
    anna.sees(".notice", "Only the newest 2000")
    anna.until("document.querySelectorAll('.row').length === 2000")
    assert anna.run("return document.querySelectorAll('*').length") < 50_000
    anna.run("document.querySelector('.log').scrollTop = 0")
    anna.sees(".content", "number 3000")


def test_a_recall_that_makes_no_sense_harms_nobody(come: Come) -> None:
    anna = come()
    anna.enter_as_guest("Anna R")
    anna.run("location.hash = '#/chat/1/robot'")
    anna.sees(".log .empty")
    anna.run(
        f"""{_MODULES} {_LOADED}
          const odd = [null, {{ toString: 1 }}, [], 1e300, "1e300", -1, "", true];
          const recalls = odd.map((each, n) => (
            {{ ...message(n), name: "RC:RcCmd", fields: {{ messageUId: each, sentTime: each }} }}
          ));
          chats.put(robot, [...recalls, message(99)]);"""
    )
    anna.sees(".content", "number 99")
    assert len(anna.texts(".notice")) >= 7


def test_what_is_kept_is_bounded(come: Come) -> None:
    anna = come()
    anna.enter_as_guest("Anna B")
    kept = anna.run(
        f"""{_MODULES}
          const entry = (n) => ({{ conversation: {{ type: 1, targetId: `c${{n}}` }}, time: n }});
          for (let n = 0; n < 520; n += 1) archive.putConversation("x", `1:c${{n}}`, entry(n));
          await archive.putMessages("x", "1:c519", many(1500));
          await archive.putMessages("x", "1:c0", many(3));
          const before = await archive.messagesBefore("x", "1:c519", Infinity, 9999);
          const [first] = await archive.conversations("x");
          const after = await archive.messagesBefore("x", "1:c519", Infinity, 9999);
          const gone = await archive.messagesBefore("x", "1:c0", Infinity, 9999);
          const listed = await archive.conversations("x");
          await archive.forgetAll("x");
          const none = await archive.conversations("x");
          const [oldest] = after;
          return [first.time, before.length, after.length, oldest.uid, gone.length, listed.length,
            none.length];"""
    )
    assert kept == [519, 1500, 1000, "u500", 0, 500, 0]


def test_what_cannot_be_kept_is_shown_all_the_same(come: Come) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna F")
    bert.enter_as_guest("Bert F")
    anna.run(_FULL)
    anna.open_chat("Bert F")
    anna.say("no room here")
    anna.sees(".tick[aria-label=Sent]")
    bert.press("a.item", "Anna F")
    bert.say("here there is")
    anna.sees(".content", "here there is")


def test_a_clock_that_is_wrong(come: Come) -> None:
    anna, bert = come(), come()
    anna.wait(lambda: anna.page.add_init_script(_DAYS))
    anna.reload()
    anna.enter_as_guest("Anna C")
    bert.enter_as_guest("Bert C")
    anna.open_chat("Bert C")
    anna.say("one")
    bert.press("a.item", "Anna C")
    bert.sees(".content", "one")
    bert.say("two")
    anna.sees(".content", "two")
    anna.say("three")
    anna.sees(".tick[aria-label=Read]", count=2)
    assert anna.texts(".content") == ["one", "two", "three"]
    anna.reload()
    anna.sees(".content", "three")
    assert anna.texts(".content") == ["one", "two", "three"]


def test_logging_out_is_not_said_before_it_is_done(come: Come, limit_server: ImServer) -> None:
    anna = come()
    anna.enter_as_guest("Anna L")
    anna.run("location.hash = '#/me'")
    anna.press("button", name="Log out")
    path = f"**:{limit_server.web_url.rsplit(':', 1)[1]}/account/logout"
    anna.wait(lambda: anna.page.route(path, lambda route: route.abort()))
    anna.press(".settings .danger", "Log out")
    anna.sees(".toast.error")
    anna.sees(".side")
    anna.wait(lambda: anna.page.unroute(path))
    anna.press(".settings .danger", "Log out")
    anna.sees(".entry")
    anna.reload()
    anna.sees(".entry")


def test_keys_alone_and_where_they_go(come: Come) -> None:
    anna = come()
    anna.enter_as_guest("Anna K")
    anna.run("document.activeElement.blur(); document.querySelector('.frame').scrollIntoView()")
    focused = "document.activeElement"
    anna.run("document.querySelector('.skip').focus()")
    anna.keys("Enter")
    anna.until(f"{focused}.matches('.pane')")
    anna.run("document.querySelector('.empty a').focus()")
    anna.keys("Enter")
    anna.until(f"{focused}.matches('.composer textarea')")
    anna.keys("h", "i", "Enter")
    anna.sees(".message.mine .content", "hi")
    # A menu gives the keys back to its button.
    menu = "button[aria-haspopup=menu]"
    anna.run(f'document.querySelector("{menu}").focus()')
    anna.keys("Enter")
    anna.until(f"{focused}.matches('[role=menuitem]')")
    anna.keys("Escape")
    anna.until(f"{focused}.matches('{menu}')")
    # So do emoji, to the text.
    anna.run("document.querySelector('button[aria-label=Emoji]').focus()")
    anna.keys("Enter", "Tab")
    anna.run("document.querySelector('.emoji button').focus()")
    anna.keys("ArrowRight", "Enter", "Escape")
    anna.misses(".emoji")
    anna.until(f"{focused}.matches('.composer textarea')")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    anna.keys("Tab")
    assert anna.run(f"return {outline}") == "solid"
    # Whoever reads the page aloud knows the language.
    assert anna.run("return document.documentElement.lang") == "en"
    anna.run("location.hash = '#/me'")
    anna.wait(lambda: anna.find(".me select").first.select_option("zh"))
    anna.until("document.documentElement.lang === 'zh-CN'")
