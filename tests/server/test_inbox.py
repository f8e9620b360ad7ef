from __future__ import annotations

import pytest

from improto.frames import TimeMs
from improto_server.inbox import KEPT_BYTES, KEPT_MESSAGES, Entry, Inbox, Page


def entry(time: int, *, is_sent: bool = False, size: int = 1) -> Entry:
    return Entry(TimeMs(time), is_sent, bytes(size))


def inbox_with(*entries: Entry, complete_from: int = 100) -> Inbox:
    inbox = Inbox(complete_from=complete_from, last_append=0)
    for each in entries:
        inbox.add(each)
    return inbox


def after(inbox: Inbox, received: int, sent: int | None = None, **options: int) -> Page | None:
    return inbox.after(received, sent, **{"limit": 100, "max_bytes": 1000, **options})


def times(page: Page | None) -> list[int]:
    assert page is not None
    return [each.time for each in page.entries]


def test_what_came_before_the_user_is_not_known() -> None:
    inbox = inbox_with(entry(101))
    assert after(inbox, 99) is None
    assert times(after(inbox, 100)) == [101]


def test_only_what_is_later_is_found() -> None:
    inbox = inbox_with(entry(101), entry(102), entry(103))
    assert times(after(inbox, 101)) == [102, 103]
    assert times(after(inbox, 103)) == []


def test_sent_messages_have_a_place_of_their_own() -> None:
    inbox = inbox_with(entry(101), entry(102, is_sent=True), entry(103), entry(104, is_sent=True))
    assert times(after(inbox, 101)) == [103]
    assert times(after(inbox, 101, 103)) == [103, 104]
    assert times(after(inbox, 103, 100)) == [102, 104]
    assert after(inbox, 103, 99) is None


def test_a_page_is_cut_at_its_limit() -> None:
    inbox = inbox_with(entry(101), entry(102), entry(103))
    page = after(inbox, 100, limit=2)
    assert times(page) == [101, 102]
    assert page is not None
    assert not page.is_finished
    whole = after(inbox, 100, limit=3)
    assert whole is not None
    assert whole.is_finished


def test_a_page_is_cut_at_its_bytes_but_never_empty() -> None:
    inbox = inbox_with(entry(101, size=60), entry(102, size=40), entry(103, size=1))
    assert times(after(inbox, 100, max_bytes=100)) == [101, 102]
    assert times(after(inbox, 100, max_bytes=10)) == [101]


def test_the_newest_is_that_of_the_last_message() -> None:
    assert inbox_with().newest == 0
    assert inbox_with(entry(101), entry(105, is_sent=True)).newest == 105


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    inbox = inbox_with(*(entry(101 + number) for number in range(KEPT_MESSAGES)))
    assert times(after(inbox, 100, limit=1)) == [101]
    inbox.add(entry(10_000))
    assert len(inbox) == KEPT_MESSAGES
    assert inbox.forgotten == 1
    assert after(inbox, 100) is None
    assert times(after(inbox, 101, limit=1)) == [102]


def test_the_oldest_is_forgotten_when_they_are_too_large() -> None:
    inbox = inbox_with(entry(101, size=KEPT_BYTES // 2), entry(102, size=KEPT_BYTES // 2))
    assert len(inbox) == 2
    inbox.add(entry(103))
    assert len(inbox) == 2
    assert after(inbox, 100) is None


def test_forgetting_what_was_sent_leaves_what_was_received() -> None:
    inbox = inbox_with(entry(101, is_sent=True), entry(102))
    inbox.forget(0, 101)
    assert times(after(inbox, 100)) == [102]
    assert after(inbox, 100, 100) is None
    assert times(after(inbox, 100, 101)) == [102]


def test_what_all_devices_have_is_forgotten() -> None:
    inbox = inbox_with(entry(101), entry(102, is_sent=True), entry(103), entry(104))
    inbox.forget(103, 101)
    assert times(after(inbox, 101, 101)) == [102, 103, 104]
    inbox.forget(103, 102)
    assert len(inbox) == 1
    assert after(inbox, 102, 102) is None
    assert times(after(inbox, 103, 102)) == [104]


def test_an_empty_inbox_forgets_nothing() -> None:
    inbox = inbox_with()
    inbox.forget(1000, 1000)
    assert inbox.forgotten == 0


@pytest.mark.parametrize("sent_after", [None, 40])
def test_an_empty_page_of_the_store_vouches_for_the_time_asked_from(
    sent_after: int | None,
) -> None:
    inbox = inbox_with(entry(101))
    inbox.learn(Page([], True), 50, sent_after)
    assert after(inbox, 49) is None
    assert times(after(inbox, 50)) == [101]
    assert (after(inbox, 50, 40) is None) == (sent_after is None)
    assert after(inbox, 50, 39) is None


def test_a_page_of_the_store_vouches_for_the_time_of_its_last_messages() -> None:
    inbox = inbox_with(entry(101))
    page = Page([entry(60), entry(70, is_sent=True), entry(80), entry(90, is_sent=True)], True)
    inbox.learn(page, 50, 50)
    assert after(inbox, 79, 90) is None
    assert after(inbox, 80, 89) is None
    assert times(after(inbox, 80, 90)) == [101]


def test_nothing_is_unlearnt() -> None:
    inbox = inbox_with(entry(101))
    inbox.learn(Page([], True), 50, 50)
    inbox.learn(Page([entry(200), entry(201, is_sent=True)], True), 100, 100)
    assert times(after(inbox, 50, 50)) == [101]
