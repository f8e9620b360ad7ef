"""People on the web page: contacts, groups, rooms, who is there, and the two fixed users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.accounts.account_tools import PNG
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
    "accounts.fixed_users": True,
    "accounts.rooms": ["lobby:The lobby"],
    "chatrooms.member_notices": True,
    "messages.group_receipts": "receipts",
    "messages.multi_device": True,
    "robot": True,
    "users.subscriptions": True,
    "web.enabled": True,
    "web.port": 0,
}

ENTRY = "/chat"
PASSWORD = "correct horse"
SCRIPT = '<img src=x onerror="alert(1)">'

HIDDEN = """
  Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
  window.shown = [];
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { this.permission = "granted"; }
    constructor(title, options) { shown.push({ title, body: options.body, it: this }); }
    close() { this.isClosed = true; }
  };
"""


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


def guest(come: Come, name: str, **options: object) -> Visitor:
    """Somebody new."""
    visitor = come(ENTRY, **options)
    visitor.enter_as_guest(name)
    return visitor


def look_up(visitor: Visitor, name: str) -> None:
    """Find somebody's card."""
    visitor.press("nav a", "Contacts")
    visitor.fill("#people-search", name)
    visitor.press("a.item", name)
    visitor.sees(".sheet h3", name)


def befriend(one: Visitor, other: Visitor, name: str, their_name: str) -> None:
    """One asks, the other says yes."""
    look_up(one, their_name)
    one.press("[data-name^=add] button")
    other.press("nav a", "Contacts")
    other.press("a.item", "Requests")
    other.sees(".row-line", name)
    other.press(".row-line button", "Accept")
    other.sees(".row-line", "Accepted")
    one.sees("[data-name^=note]")


def test_two_tabs_are_the_two_fixed_users(come: Come) -> None:
    root = come("/")
    test = come("/test.html", beside=root)
    root.sees(".side")
    test.sees(".side")
    root.open_chat("test")
    root.say("hello")
    test.press("a.item", "root")
    test.sees(".content", "hello")
    test.say("hello, too")
    root.sees(".content", "hello, too")
    root.sees(".tick[aria-label=Read]")
    # Who comes again is who he was, and keeps his session.
    session = "return Object.values(sessionStorage)"
    before = root.run(session)
    root.reload()
    root.sees(".content", "hello, too")
    assert root.run(session) == before != test.run(session)
    assert root.run("return document.cookie") == ""
    # A session that has ended is replaced.
    root.run("sessionStorage.setItem('page/fixed/root', 'nonsense')")
    root.reload()
    root.sees("a.item", "test")
    # Who leaves is where everybody else comes in.
    root.press("nav a", "Me")
    root.press("button", name="Log out")
    root.press(".settings .danger")
    root.sees(".entry")
    assert root.run("return location.pathname") == ENTRY
    # Links of mails lead there, too.
    visitor = come("/#confirm=nonsense")
    visitor.sees(".problem", "link")
    assert visitor.run("return location.pathname") == ENTRY


def test_friends(come: Come) -> None:
    anna, bert = guest(come, "Anna F"), guest(come, "Bert F")
    look_up(anna, "Bert F")
    anna.fill("[data-name^=add] input", SCRIPT)
    anna.press("[data-name^=add] button")
    anna.sees(".done", "still to come")
    bert.sees("nav a .badge", "1")
    bert.press("nav a", "Contacts")
    bert.press("a.item", "Requests")
    bert.sees(".row-line", SCRIPT)
    bert.press(".row-line button", "Refuse")
    bert.sees(".row-line", "Refused")
    bert.misses("nav a .badge")
    anna.press("[data-name^=add] button")
    bert.press(".row-line button", "Accept")
    anna.sees("[data-name^=note]")
    # A note is what one calls a friend oneself, everywhere.
    anna.fill("[data-name^=note] input", "Bertie")
    anna.press("[data-name^=note] button")
    anna.sees(".pane-head h2", "Bertie")
    anna.sees(".sheet h3", "Bert F")
    anna.press(".sheet a.button", "Write a message")
    anna.sees(".pane-head h2", "Bertie")
    anna.say("hi")
    anna.reload()
    anna.sees(".item-title", "Bertie")
    anna.press("nav a", "Contacts")
    anna.sees(".item-text", "online")
    anna.press("a.item", "Bertie")
    anna.press("button", name="Remove from friends")
    anna.press("button", name="Cancel")
    anna.press("button", name="Remove from friends")
    anna.press(".sure .danger")
    anna.sees("[data-name^=add]")
    anna.sees(".pane-head h2", "Bert F")


def test_who_is_blocked_cannot_write(come: Come) -> None:
    anna, bert = guest(come, "Anna B"), guest(come, "Bert B")
    look_up(anna, "Bert B")
    anna.press("button", name="Block")
    anna.press(".sure .danger")
    anna.sees(".sheet p", "is blocked")
    bert.open_chat("Anna B")
    bert.say("hello?")
    bert.sees(".failure", "does not want messages")
    anna.reload()
    anna.sees(".sheet p", "is blocked")
    anna.press("button", name="Unblock")
    anna.sees("button", "Block")
    bert.press(".message.failed button[aria-label='Send again']")
    bert.sees(".tick[aria-label=Sent]")


def test_a_new_name_and_a_portrait_reach_the_others(come: Come, tmp_path: Path) -> None:
    anna, bert = guest(come, "Anna N"), guest(come, "Bert N")
    anna.open_chat("Bert N")
    anna.say("hi")
    bert.press("a.item", "Anna N")
    bert.say("hello")
    anna.sees(".content", "hello")
    anna.until("true")
    bert.press("nav a", "Me")
    bert.fill("[data-name=rename] input", "Bertold N")
    bert.press("[data-name=rename] button")
    bert.sees(".me h2", "Bertold N")
    anna.sees(".toast", "Bert N is now called Bertold N")
    anna.sees(".pane-head h2", "Bertold N")
    bert.fill("[data-name=rename] input", "")
    bert.press("[data-name=rename] button")
    bert.sees(".toast.error", "Name: at least 1 characters")
    picture = tmp_path / "me.png"
    picture.write_bytes(PNG)
    bert.wait(lambda: bert.find("input[name=portrait]").set_input_files(picture))
    bert.sees("button", "No picture")
    anna.until("document.querySelector('.pane-head .avatar img')?.src.includes('/portraits/')")
    bert.wait(lambda: bert.find(".me select").first.select_option("2"))
    bert.fill("[data-name=location] input", "Basel")
    bert.press("[data-name=location] button")
    look_up(anna, "Bertold N")
    anna.reload()
    anna.sees(".facts", "Female")
    anna.sees(".facts", "Basel")
    bert.press("button", name="No picture")
    anna.misses(".sheet .avatar img")


def test_an_account_changes_and_ends(come: Come, mails: Path) -> None:
    visitor = come(ENTRY)
    visitor.press(".tabs button", "Register")
    visitor.fill("input[name=name]", "Zoe")
    visitor.fill("input[name=email]", "zoe@example.org")
    visitor.fill("input[name=newPassword]", PASSWORD)
    visitor.press(".fields button")
    visitor.sees(".done", "zoe@example.org")
    # It is written after the answer.
    for _ in range(2000):
        letters = [*mails.glob("*.eml")]
        if letters:
            break
        visitor.sees(".done")
    text = re.sub(r"=\r?\n", "", letters[0].read_text()).replace("=3D", "=")
    found = re.search(r"#confirm=\S+", text)
    assert found is not None
    visitor.run("location.assign(a); location.reload()", ENTRY + found[0])
    visitor.sees(".done", "ready")
    log_in(visitor, PASSWORD)
    other = come(ENTRY)
    log_in(other, PASSWORD)
    visitor.press("nav a", "Me")
    visitor.press("summary", "password")
    form = "[data-name=entrance]"
    visitor.fill(f"{form} input[name=phone]", "+49 30 123456")
    visitor.fill(f"{form} input[name=newPassword]", "another horse")
    visitor.fill(f"{form} input[name=password]", "wrong")
    visitor.press(f"{form} button")
    visitor.sees(".toast.error", "not the password")
    visitor.fill(f"{form} input[name=password]", PASSWORD)
    visitor.press(f"{form} button")
    visitor.sees(".toast", "Saved")
    other.reload()
    other.sees(".entry")
    log_in(other, "another horse")
    visitor.press("summary", "for good")
    visitor.press("button", name="Log out everywhere")
    visitor.press(".sure .danger")
    visitor.sees(".entry")
    other.reload()
    other.sees(".entry")
    visitor.fill("input[name=account]", "+4930123456")
    visitor.fill("input[name=password]", "another horse")
    visitor.press(".fields button")
    visitor.press("nav a", "Me")
    visitor.press("summary", "for good")
    visitor.fill("[data-name=delete] input", "another horse")
    visitor.press("[data-name=delete] button")
    visitor.sees(".entry")
    visitor.fill("input[name=account]", "zoe@example.org")
    visitor.fill("input[name=password]", "another horse")
    visitor.press(".fields button")
    visitor.sees(".problem", "no such account")


def log_in(visitor: Visitor, password: str) -> None:
    """As Zoe."""
    visitor.fill("input[name=account]", "zoe@example.org")
    visitor.fill("input[name=password]", password)
    visitor.press(".fields button")
    visitor.sees(".side")


def test_a_group_from_its_begin_to_its_end(come: Come) -> None:
    anna, bert = guest(come, "Anna G"), guest(come, "Bert G")
    befriend(anna, bert, "Anna G", "Bert G")
    anna.press("nav a", "Contacts")
    anna.fill("#people-search", "")
    anna.press("a.item", "New group")
    anna.fill("input[name=name]", SCRIPT)
    anna.wait(lambda: anna.find("input[name=user]").check())
    anna.press("button", name="Create group")
    anna.sees(".pane-head h2", SCRIPT)
    anna.sees(".subtitle", "2 members")
    # An @ offers names; Enter takes the first.
    anna.run("document.querySelector('.composer textarea').focus()")
    anna.keys("H", "i", "Space", "@", "b", "e")
    anna.sees(".options button", "Bert G")
    anna.keys("Enter", "!", "Enter")
    anna.sees(".message.mine .mention", "@Bert G")
    bert.press("nav a", "Chats")
    bert.sees(".item .badge", "@1")
    bert.sees(".item-text", "Anna G: Hi @Bert G")
    bert.press("a.item", SCRIPT)
    bert.sees(".sender", "Anna G")
    bert.sees(".meta .mention", "You were mentioned")
    anna.press(".read-count", "1 of 1 read")
    anna.sees(".row-line", "Bert G")
    anna.press("a[aria-label=Back] >> visible=true")
    # A notice and a nickname reach the others.
    anna.press("button", name="About this group")
    anna.fill("[data-name^=notice] input", "Meet at nine")
    anna.press("[data-name^=notice] button")
    bert.sees(".bar", "Meet at nine")
    anna.fill("[data-name^=nickname] input", "Boss")
    anna.press("[data-name^=nickname] button")
    bert.sees(".sender", "Boss")
    for key, role in (("Make manager", "Manager"), ("No longer a manager", "")):
        anna.press(".more:not([open]) summary") if role else None
        anna.press("button", name=key)
        anna.press(".sure .danger")
        if role:
            anna.sees(".row-line .item-text", role)
        else:
            anna.misses(".row-line .item-text", "Manager")
    anna.press("button", name="Make owner")
    anna.press(".sure .danger")
    anna.misses("button", "Dismiss the group")
    bert.press("button", name="About this group")
    bert.press(".more summary")
    bert.press("button", name="Remove")
    bert.press(".sure .danger")
    bert.sees(".sheet h3", "1 member")
    anna.sees(".sheet p", "not in this group")
    anna.press("button", name="Join")
    anna.sees(".toast", "consent")
    bert.press("nav a", "Contacts")
    bert.press("a.item", "Requests")
    bert.press(".row-line button", "Accept")
    anna.sees("h3", "2 members")
    anna.press("button", name="Leave the group")
    anna.press(".sure .danger")
    anna.sees(".pane .empty")
    bert.press("nav a", "Contacts")
    bert.press("a.item", SCRIPT)
    bert.press("button", name="About this group")
    bert.press("summary", "Invite")
    bert.wait(lambda: bert.find("details input[name=user]").check())
    bert.press("details.settings .button")
    bert.sees("h3", "2 members")
    bert.press("button", name="Dismiss the group")
    bert.press(".sure .danger")
    bert.misses("a.item", SCRIPT)


def test_a_room(come: Come) -> None:
    anna, bert = guest(come, "Anna R"), guest(come, "Bert R")
    for each in (anna, bert):
        each.press("nav a", "Rooms")
        each.press("a.item", "The lobby")
        each.sees(".pane-head h2", "The lobby")
        each.sees("nav a[aria-current]", "Rooms")
    anna.sees(".subtitle", "2 people here")
    anna.sees(".notice", "Bert R came in")
    bert.say("hello, all")
    anna.sees(".sender", "Bert R")
    anna.sees(".content", "hello, all")
    # Nothing of it is on the list of conversations, and nobody counts what is unread.
    anna.press("nav a", "Chats")
    anna.misses("a.item", "The lobby")
    bert.say("anybody?")
    anna.press("nav a", "Rooms")
    anna.sees(".item .badge", "1")
    assert anna.run("return document.title") == "improto"
    # The next page is in again.
    anna.reload()
    anna.press("a.item", "The lobby")
    anna.sees(".content", "anybody?")
    bert.press("nav a", "Me")
    bert.fill("[data-name=rename] input", "Bertold R")
    bert.press("[data-name=rename] button")
    anna.sees(".toast", "Bert R is now called Bertold R")
    anna.sees(".sender", "Bertold R")
    anna.press("button", name="Who is here")
    anna.sees(".row-line", "Bertold R")
    bert.press("nav a", "Rooms")
    bert.press("a.item", "The lobby")
    bert.press(".pane-head button[aria-haspopup]")
    bert.press("[role=menuitem]", "Leave the room")
    anna.sees(".sheet h3", "1 person here")
    anna.press("a[aria-label=Back] >> visible=true")
    anna.sees(".notice", "Bertold R left")
    # Rooms that are not offered are entered by their ids.
    anna.press("nav a", "Rooms")
    anna.fill("[data-name=openroom] input", "cellar")
    anna.press("[data-name=openroom] button")
    anna.sees(".subtitle", "1 person here")
    anna.fill("[data-name=openroom] input", "no such/id")
    anna.press("[data-name=openroom] button")
    anna.sees(".toast.error", "no room of this name")


def test_who_comes_and_goes_and_what_is_told_in_the_background(come: Come) -> None:
    anna, bert = guest(come, "Anna P"), guest(come, "Bert P")
    anna.open_chat("Bert P")
    anna.say("hi")
    bert.sees("a.item", "Anna P")
    anna.sees(".pane-head .online")
    # What is told of him first may be older than our following him.
    bert.run("location.assign('about:blank')")
    anna.misses(".pane-head .online")
    bert.load()
    anna.sees(".pane-head .online")
    bert.run("location.assign('about:blank')")
    anna.sees(".toast", "Bert P is offline")
    anna.misses(".pane-head .online")
    bert.load()
    anna.sees(".toast", "Bert P is online")
    anna.press("nav a", "Me")
    anna.wait(lambda: anna.find("input[role=switch]").first.uncheck())
    anna.run(HIDDEN)
    anna.press("nav a", "Contacts")
    anna.press("nav a", "Me")
    anna.press("button", name="Allow notifications")
    anna.misses("button", "Allow notifications")
    bert.press("a.item", "Anna P")
    bert.say("are you there?")
    anna.until("shown.length === 1")
    assert anna.run("return [shown[0].title, shown[0].body]") == ["Bert P", "are you there?"]
    anna.until("document.title === '(1) improto'")
    assert "data:image/svg" in anna.run("return document.querySelector('link[rel=icon]').href")
    anna.run("shown[0].it.onclick()")
    anna.sees(".content", "are you there?")
    anna.run(HIDDEN.split(";")[0].replace("hidden", "visible"))
    anna.run("document.dispatchEvent(new Event('visibilitychange'))")
    anna.until("document.querySelector('link[rel=icon]').href.endsWith('logo.svg')")
    bert.run("location.assign('about:blank')")
    anna.misses(".pane-head .online")
    assert [each for each in anna.texts(".toast") if "Bert P is offline" in each][1:] == []


def test_the_list_is_kept_by_the_server(come: Come) -> None:
    anna, bert = guest(come, "Anna L"), guest(come, "Bert L")
    anna.open_chat("Bert L")
    anna.say("one")
    anna.open_chat("Robot")
    anna.say("help")
    anna.sees(".message:not(.mine)")
    anna.press("a.item", "Bert L")
    for action in ("Pin", "Mute"):
        anna.press(".pane-head button[aria-haspopup]")
        anna.press("[role=menuitem]", action)
    anna.sees(".item.pinned", "Bert L")
    anna.sees(".item .muted")
    # Another browser of the same user shows the same.
    anna.run("for (const each of await indexedDB.databases()) indexedDB.deleteDatabase(each.name)")
    anna.reload()
    anna.sees(".item.pinned", "Bert L")
    assert anna.texts(".item-title") == ["Bert L", "Robot"]
    anna.keys("Escape")
    bert.press("a.item", "Anna L")
    bert.say("two")
    anna.sees(".item .badge.quiet", "1")
    assert anna.run("return document.title") == "improto"
    anna.press("button", name="Mark all as read")
    anna.misses(".item .badge")
    anna.misses("button", "Mark all as read")
    anna.reload()
    anna.sees(".item-text", "two")
    anna.misses(".item .badge")
    anna.fill("#search", "help")
    anna.press("a.item", "Robot")
    anna.press(".pane-head button[aria-haspopup]")
    anna.press("[role=menuitem]", "Remove from the list")
    anna.misses("a.item", "Robot")
    anna.reload()
    anna.sees("a.item", "Bert L")
    anna.misses("a.item", "Robot")


def test_on_a_phone(come: Come) -> None:
    anna, bert = guest(come, "Anna M", **PHONE), guest(come, "Bert M")
    befriend(bert, anna, "Bert M", "Anna M")
    small = """
      return [...document.querySelectorAll("button, a, select, input:not(.hidden), summary")]
        .filter((each) => each.checkVisibility() && !each.closest(".content, .meta, label"))
        .map((each) => [each.outerHTML, each.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 44 || height < 44)
        .map(([html]) => html);
    """

    def fits(selector: str) -> None:
        anna.sees(selector)
        assert anna.run("return document.documentElement.scrollWidth") == 375
        assert anna.run(small) == []

    fits(".row-line small")
    anna.press("a[aria-label=Back] >> visible=true")
    anna.press("a.item", "New group")
    anna.fill("input[name=name]", "Group M")
    anna.wait(lambda: anna.find("input[name=user]").check())
    fits(".choices")
    anna.press("button", name="Create group")
    fits(".composer [aria-label='Mention somebody']")
    assert anna.run(
        "return document.querySelector('.send').getBoundingClientRect().right <= innerWidth"
    )
    anna.press("button", name="About this group")
    anna.press(".more summary")
    fits(".more button")
    anna.press("a[aria-label=Back] >> visible=true")
    anna.press(".back")
    anna.press("nav a", "Rooms")
    fits("a.item")
    anna.press("a.item", "The lobby")
    fits(".composer")
    anna.press(".back")
    anna.sees("h1", "Rooms")
    anna.press("nav a", "Me")
    fits("[data-name=location]")
    anna.press("nav a", "Contacts")
    anna.press("a.item", "Bert M")
    fits("[data-name^=note]")
