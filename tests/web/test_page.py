"""The web page, as people use it: in and out, one-to-one chat, offline, on a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.web.visitors import PHONE, page_server_with, visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from improto_server.testing import ImServer
    from tests.web.tabs import Chromium
    from tests.web.visitors import Visitor

    Come = Callable[..., Visitor]

pytestmark = pytest.mark.interop

SETTINGS = {
    "accounts.enabled": True,
    "accounts.entries": 0,
    "messages.multi_device": True,
    "robot": True,
    "users.subscriptions": True,
    "web.enabled": True,
    "web.port": 0,
}

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mails land."""
    return tmp_path_factory.mktemp("mails")


@pytest.fixture(scope="module")
def page_server(mails: Path) -> Iterator[ImServer]:
    """The server of all tests; each has people of its own."""
    with page_server_with(SETTINGS, mails=mails) as server:
        yield server


@pytest.fixture
def come(chromium: Chromium, portal: BlockingPortal, page_server: ImServer) -> Iterator[Come]:
    """Let somebody come."""
    page_server.reset()
    with visitors(chromium, portal, page_server) as come:
        yield come


def test_an_account_from_its_mail_to_its_end(come: Come, mails: Path) -> None:
    visitor = come()
    visitor.press(".tabs button", "Register")
    visitor.fill("input[name=name]", "Zoe")
    visitor.fill("input[name=email]", "zoe@example.org")
    visitor.fill("input[name=newPassword]", "short")
    visitor.press(".fields button")
    # The browser itself refuses it.
    visitor.sees("input[name=newPassword]:invalid")
    visitor.fill("input[name=newPassword]", PASSWORD)
    visitor.press(".fields button")
    visitor.sees(".done", "zoe@example.org")
    visitor.until("!document.querySelector('.fields').ariaBusy?.match('true')")
    (link,) = [_link(path) for path in mails.glob("*.eml")]
    visitor.run("location.assign(a); location.reload()", link)
    visitor.sees(".done", "ready")
    assert "#confirm" not in visitor.run("return location.href")
    visitor.fill("input[name=account]", "zoe@example.org")
    visitor.fill("input[name=password]", "another one")
    visitor.press(".fields button")
    visitor.sees(".problem[role=alert]", "no such account")
    visitor.fill("input[name=password]", PASSWORD)
    visitor.press(".fields button")
    visitor.sees(".side")
    visitor.reload()
    visitor.press("nav a", "Me")
    visitor.sees(".me h2", "Zoe")
    visitor.press("button", name="Log out")
    visitor.sees(".settings p", "Log out?")
    visitor.press(".settings .danger", "Log out")
    visitor.sees(".entry")
    visitor.reload()
    visitor.sees(".entry")
    kept = "[...Object.keys(localStorage)].filter((each) => each.startsWith('page/user'))"
    assert visitor.run(f"return {kept}") == []


def _link(path: Path) -> str:
    text = re.sub(r"=\r?\n", "", path.read_text()).replace("=3D", "=")
    found = re.search(r"#confirm=\S+", text)
    assert found is not None
    return "/" + found[0]


def test_two_people_talk(come: Come) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna T")
    bert.enter_as_guest("Bert T")
    anna.open_chat("Bert T")
    assert anna.run("return document.querySelector('#search').value") == ""
    said = '<img src=x onerror="alert(1)"> & https://example.org/a.'
    anna.say(said)
    anna.sees(".message.mine .tick[aria-label=Sent]")
    bert.sees(".item .badge", "1")
    bert.until("document.title === '(1) improto'")
    assert bert.texts(".item-text") == [said]
    bert.press("a.item", "Anna T")
    bert.misses(".badge")
    anna.sees(".tick[aria-label=Read]")
    # Texts stay texts, and links are links to where they say.
    assert bert.texts(".message .content") == [said]
    assert bert.run("return document.querySelector('.content a').href") == "https://example.org/a"
    bert.run("document.querySelector('.composer textarea').focus()")
    bert.keys("H", "i", "Shift+Enter", "t")
    anna.sees(".subtitle.typing", "typing")
    bert.keys("Enter")
    anna.sees(".message:not(.mine) .content", "Hi")
    anna.misses(".typing")
    assert anna.texts(".message .content") == [said, "Hi\nt"]
    for number in range(5):
        anna.say(f"number {number}")
    bert.sees(".content", "number 4")
    assert bert.texts(".content")[2:] == [f"number {number}" for number in range(5)]


def test_a_message_is_taken_back(come: Come) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna R")
    bert.enter_as_guest("Bert R")
    anna.open_chat("Bert R")
    for text in ("first", "wrong", "third"):
        anna.say(text)
    bert.press("a.item", "Anna R")
    bert.sees(".content", "third")
    anna.sees(".tick[aria-label=Read]", count=3)
    anna.wait(lambda: anna.find(".message", has_text="wrong").hover())
    anna.wait(lambda: anna.find(".message", has_text="wrong").get_by_label("Take back").click())
    anna.sees(".notice", "You took a message back")
    bert.sees(".notice", "Anna R took a message back")
    bert.reload()
    for each, notice in ((anna, "You"), (bert, "Anna R")):
        each.misses(".content", "wrong")
        rows = [row.split("\n")[0] for row in each.texts(".row .content, .row .notice")]
        assert rows == ["first", f"{notice} took a message back", "third"]


def test_history_comes_when_one_scrolls_up(come: Come, page_server: ImServer) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna H")
    bert.enter_as_guest("Bert H")
    anna.open_chat("Bert H")
    anna.say("number 0")
    anna.sees(".tick[aria-label=Sent]")
    send = """
      const { theClient } = await import("/static/page/im.js");
      const { text } = await import("/static/improto/improto.js");
      const [, type, targetId] = location.hash.split("/").map(decodeURIComponent);
      const target = { type: Number(type), targetId };
      const sent = [];
      for (let n = 1; n < 90; n += 1) {
        sent.push(theClient().messages.send(target, text(`number ${n}`)));
      }
      await Promise.all(sent);
    """
    send = send.replace("const [, type", "const [, , type")
    anna.run(send)
    bert.sees(".item .badge", "90")
    bert.press("a.item", "Anna H")
    bert.sees(".content", "number 89")
    count = len(bert.texts(".content"))
    assert count < 90
    top = "document.querySelector('.log').getBoundingClientRect().top"
    first = (
        "[...document.querySelectorAll('.row')]"
        f".find((row) => row.getBoundingClientRect().bottom > {top})"
    )
    while count < 90:
        bert.run("document.querySelector('.log').scrollTop = 60")
        bert.run(f"window.row = {first}; window.at = row.getBoundingClientRect().top")
        bert.until(f"document.querySelectorAll('.content').length > {count}")
        bert.until("Math.abs(row.getBoundingClientRect().top - at) < 2")
        count = len(bert.texts(".content"))
    assert bert.texts(".content") == [f"number {number}" for number in range(90)]
    bert.press(".to-end")
    bert.until("document.querySelector('.row:last-child').getBoundingClientRect().bottom < 800")


def test_without_a_connection(come: Come, page_server: ImServer) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna O")
    bert.enter_as_guest("Bert O")
    anna.open_chat("Bert O")
    anna.say("before")
    anna.sees(".tick[aria-label=Sent]")
    user = anna.run("return (await (await fetch('/account/me')).json()).user")
    away = f"**:{page_server.port}/**"
    anna.wait(lambda: anna.page.route(away, lambda route: route.abort()))
    page_server.refuse(user, times=1000)
    page_server.cut(user)
    anna.sees(".banner", "No connection")
    anna.say("meanwhile")
    anna.sees(".tick[aria-label='Being sent']")
    # What is kept here can be read, and the list is there.
    anna.reload()
    anna.sees(".content", "before")
    anna.sees(".item", "Bert O")
    anna.sees(".banner", "No connection")
    page_server.reset()
    anna.wait(lambda: anna.page.unroute(away))
    anna.press(".banner button", "Try now")
    anna.misses(".banner")
    anna.sees(".tick[aria-label=Sent]", count=2)
    bert.sees(".item-text", "meanwhile")


def test_drafts_stay(come: Come) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna D")
    bert.enter_as_guest("Bert D")
    anna.open_chat("Bert D")
    anna.fill(".composer textarea", "not yet")
    anna.sees(".item-text", "Draft: not yet")
    anna.keys("Escape")
    anna.misses(".composer")
    anna.reload()
    anna.press("a.item", "Bert D")
    box = anna.find(".composer textarea")
    assert anna.wait(box.input_value) == "not yet"
    anna.fill(".composer textarea", "x" * 131_000)
    anna.keys("Enter")
    anna.sees(".composer .problem", "too long")
    assert len(anna.wait(box.input_value)) == 131_000
    anna.fill(".composer textarea", "")
    anna.misses(".composer .problem")


def test_who_is_blocked_is_told(come: Come, page_server: ImServer) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna B")
    bert.enter_as_guest("Bert B")
    me = "return (await (await fetch('/account/me')).json()).user"
    page_server.block(bert.run(me), anna.run(me))
    anna.open_chat("Bert B")
    anna.say("hello?")
    anna.sees(".failure[role=alert]", "does not want messages")
    page_server.unblock(bert.run(me), anna.run(me))
    anna.press(".message.failed button[aria-label='Send again']")
    anna.sees(".tick[aria-label=Sent]")
    anna.misses(".failed")
    assert anna.texts(".content") == ["hello?"]
    bert.sees(".item-text", "hello?")


def test_on_a_phone_in_chinese(come: Come) -> None:
    anna = come(locale="zh-CN", color_scheme="dark", **PHONE)
    anna.sees(".entry h1", "欢迎")
    anna.enter_as_guest("小明")
    anna.press(".empty a", "机器人")
    anna.sees(".pane-head h2", "机器人")
    anna.misses(".side:visible")
    anna.say("echo 你好")
    anna.sees(".message:not(.mine) .content", "你好")
    assert anna.run("return document.documentElement.scrollWidth") == 375
    small = """
      return [...document.querySelectorAll("button, a, select, textarea")]
        .filter((each) => each.checkVisibility() && !each.closest(".content"))
        .map((each) => [each.outerHTML, each.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 44 || height < 44)
        .map(([html]) => html);
    """
    assert anna.run(small) == []
    anna.press(".back")
    anna.sees(".side")
    anna.sees(".item-text", "你好")
    anna.press("nav a", "我")
    anna.wait(lambda: anna.find(".setting", has_text="语言").locator("select").select_option("en"))
    anna.sees("h1", "Me")
    anna.reload()
    anna.sees("h1", "Me")
    dark = anna.run("return getComputedStyle(document.body).backgroundColor")
    anna.wait(
        lambda: anna.find(".setting", has_text="Colours").locator("select").select_option("light")
    )
    assert anna.run("return getComputedStyle(document.body).backgroundColor") != dark


def test_on_top_quiet_and_off_the_list(come: Come) -> None:
    anna, bert, cleo = come(), come(), come()
    for each, name in ((anna, "Anna P"), (bert, "Bert P"), (cleo, "Cleo P")):
        each.enter_as_guest(name)
    for each in (bert, cleo):
        each.open_chat("Anna P")
        each.say("hello")
        anna.sees(".item-text", "hello")
    anna.until("document.querySelectorAll('.item').length === 2")
    anna.press("a.item", "Bert P")
    menu = "[aria-label='What to do with this conversation']"
    anna.press(menu)
    anna.press("[role=menuitem]", "Pin")
    anna.until("document.querySelector('.item-title').innerText === 'Bert P'")
    anna.press("a.item", "Cleo P")
    anna.press(menu)
    anna.keys("ArrowDown", "Enter")
    anna.sees(".item .muted")
    anna.press("a.item", "Bert P")
    cleo.say("quietly")
    anna.sees(".badge.quiet", "1")
    assert anna.run("return document.title") == "improto"
    anna.reload()
    anna.sees(".item .muted", count=1)
    assert anna.texts(".item-title") == ["Bert P", "Cleo P"]
    anna.press("a.item", "Cleo P")
    anna.press(menu)
    anna.press("[role=menuitem]", "Remove")
    anna.sees(".item", count=1)
    anna.sees(".pane .empty")
    cleo.say("back again")
    anna.sees(".item", count=2)


def test_with_the_keyboard_alone(come: Come) -> None:
    anna, bert = come(), come()
    bert.enter_as_guest("Bert K")
    anna.enter_as_guest("Anna K")
    anna.keys("Control+k", "B", "e", "r", "t", "Space", "K")
    anna.sees("a.item", "Bert K")
    anna.keys("ArrowDown", "Enter")
    anna.sees(".pane-head h2", "Bert K")
    anna.until("document.activeElement.matches('.composer textarea')")
    anna.keys("o", "k", "Enter")
    anna.sees(".content", "ok")
    anna.keys("Escape")
    anna.sees(".pane .empty")
    anna.sees("a.item", "Bert K")


def test_another_tab_of_the_same_user(come: Come) -> None:
    anna, bert = come(), come()
    anna.enter_as_guest("Anna 2")
    bert.enter_as_guest("Bert 2")
    other = come(beside=anna)
    other.sees(".side")
    anna.open_chat("Bert 2")
    anna.say("hi")
    other.sees(".item-text", "hi")
    bert.press("a.item", "Anna 2")
    bert.say("answer")
    anna.sees(".content", "answer")
    other.misses(".badge")
    other.press("a.item", "Bert 2")
    other.sees(".tick[aria-label=Read]")
    assert other.texts(".content") == ["hi", "answer"]
