"""The web page, where people have their messages sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.web.test_page import come as come
from tests.web.test_page import mails as mails
from tests.web.test_page import page_server as page_server
from tests.web.visitors import PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.visitors import Visitor

    Come = Callable[..., Visitor]

pytestmark = pytest.mark.interop


def numbers(visitor: Visitor) -> dict[str, str]:
    """What is to be compared."""
    visitor.sees(".number", count=2)
    return {whose: visitor.texts(f".number[data-whose={whose}]")[0] for whose in ("own", "other")}


def pair(come: Come, name: str, **options: Any) -> tuple[Visitor, Visitor]:
    """Two people of a test, each with the other's chat open."""
    anna, bert = come(**options), come()
    anna.enter_as_guest(f"Anna {name}")
    bert.enter_as_guest(f"Bert {name}")
    anna.open_chat(f"Bert {name}")
    bert.open_chat(f"Anna {name}")
    return anna, bert


def turn_on(visitor: Visitor) -> None:
    """Open the pane of the chat and use its switch."""
    visitor.press("button", name="Encryption is off")
    visitor.press(".sealing [role=switch]")


def both_on(anna: Visitor, bert: Visitor) -> None:
    """The first one finds nobody to seal for, but has keys from then on."""
    turn_on(bert)
    bert.sees(".toast.error", "no device")
    turn_on(anna)
    anna.sees(".sealing [role=switch][aria-checked=true]")
    bert.press(".sealing [role=switch]")
    bert.sees(".sealing [role=switch][aria-checked=true]")


def back(visitor: Visitor) -> None:
    """From the pane to the chat."""
    visitor.press(".pane-head a[aria-label=Back]")
    visitor.sees(".composer")


def test_two_people_talk_in_private(come: Come) -> None:
    anna, bert = pair(come, "P")
    turn_on(anna)
    anna.sees(".toast.error", "no device with encryption")
    turn_on(bert)
    bert.sees(".sealing [role=switch][aria-checked=true]")
    anna.press(".sealing [role=switch]")
    anna.sees(".sealing [role=switch][aria-checked=true]")
    here, there = numbers(anna), numbers(bert)
    assert (here["own"], here["other"]) == (there["other"], there["own"])
    assert len(here["own"].split()) == 6
    anna.press("button", name="They are the same")
    anna.sees(".sealing", "the number was compared")
    for each in (anna, bert):
        back(each)
    anna.say("a secret of two")
    for each in (anna, bert):
        each.sees(".message .content", "a secret of two")
        each.sees(".message .seal")
        each.sees(".item-text", "a secret of two")
    anna.sees(".message.mine .tick[aria-label=Read]")
    bert.say("and an answer")
    anna.sees(".message:not(.mine) .seal[aria-label*='was compared']")
    # It is opened again from what is kept.
    anna.reload()
    anna.sees(".message .content", "and an answer")
    anna.sees("button[aria-label='Encryption is on']")


def test_a_new_device_stops_sending(come: Come) -> None:
    anna, bert = pair(come, "N")
    turn_on(bert)
    bert.sees(".toast.error", "no device")
    turn_on(anna)
    anna.sees(".sealing [role=switch][aria-checked=true]")
    back(anna)
    # Bert's browser makes keys anew.
    bert.press("button", name="End encryption in this browser")
    bert.sees(".sealing [role=switch][aria-checked=false]")
    bert.press(".sealing [role=switch]")
    bert.sees(".sealing [role=switch][aria-checked=true]")
    back(bert)
    bert.say("it is still me")
    anna.sees(".message .seal.bad")
    anna.sees(".message .seal-note", "not accepted")
    anna.say("is it")
    anna.sees(".toast.error", "new devices")
    anna.until("document.querySelector('.composer textarea').value === 'is it'")
    anna.press("button", name="Encryption is on")
    anna.sees(".sealing [role=alert]", "not accepted")
    anna.press("button", name="Accept without comparing")
    anna.sees(".sealing", "was not compared")
    back(anna)
    anna.wait(lambda: anna.find(".composer textarea").press("Enter"))
    bert.sees(".message .content", "is it")


def test_who_has_no_keys_reads_that_it_is_sealed(come: Come) -> None:
    anna, bert = pair(come, "K")
    both_on(anna, bert)
    anna.press("button", name="End encryption in this browser")
    anna.sees(".sealing [role=switch][aria-checked=false]")
    back(anna)
    back(bert)
    # For a minute his page does not know that it is gone.
    bert.say("for nobody")
    anna.sees(".message .unknown", "this browser has no keys")
    bert.reload()
    bert.sees(".message .content", "for nobody")
    bert.say("not lost")
    bert.sees(".toast.error", "no device")
    bert.until("document.querySelector('.composer textarea').value === 'not lost'")


def test_on_a_phone(come: Come) -> None:
    anna, bert = pair(come, "H", **PHONE)
    both_on(anna, bert)
    anna.sees(".number", count=2)
    assert anna.run("return document.documentElement.scrollWidth") == 375
    back(anna)
    anna.say("a secret on the way, which is so long that it needs a second line here")
    bert.press(".pane-head a[aria-label=Back]")
    bert.sees(".message .content", "a secret on the way")
    for each in (anna, bert):
        each.press("button", name="Encryption is on")
        each.sees(".number", count=2)
    assert numbers(anna)["own"] == numbers(bert)["other"]
