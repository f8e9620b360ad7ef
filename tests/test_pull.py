"""When a stream is pulled: at most one at a time, never in circles (session 8.4, 15)."""

from __future__ import annotations

import pytest

from improto._pull import Pull


def asked(since: int = 0) -> Pull:
    """A pull is on its way."""
    pull = Pull()
    pull.want()
    pull.sent(asked_from=since)
    return pull


def is_due(pull: Pull) -> bool:
    return pull.is_due(open_count=0)


def test_nothing_is_pulled_unasked() -> None:
    pull = Pull()
    assert not is_due(pull)
    assert not pull.is_behind


def test_what_is_wanted_is_due_once() -> None:
    """At most one pull is outstanding."""
    pull = Pull()
    pull.want()
    assert is_due(pull)
    assert pull.is_behind
    pull.sent(asked_from=0)
    pull.want()
    assert not is_due(pull)
    assert pull.is_outstanding


def test_a_pull_waits_until_the_program_has_taken_the_last_page() -> None:
    """This is the flow control of the protocol."""
    pull = Pull()
    pull.want()
    assert not pull.is_due(open_count=1)
    assert is_due(pull)


def test_a_newer_time_is_pulled_for() -> None:
    """Session 15, rule 3."""
    pull = Pull()
    pull.announced(101, cursor=100)
    assert is_due(pull)


@pytest.mark.parametrize("time", [0, 99, 100])
def test_an_announcement_at_or_below_the_cursor_is_old(time: int) -> None:
    """Session 8.6: also one without a time."""
    pull = Pull()
    pull.announced(time, cursor=100)
    assert not is_due(pull)


def test_a_finished_reply_ends_it() -> None:
    pull = asked()
    pull.answered(100, is_finished=True)
    assert not is_due(pull)
    assert not pull.is_behind


def test_a_cut_reply_is_followed_by_the_next_pull() -> None:
    """Session 15, rule 3: repeat while finished = false."""
    pull = asked()
    pull.answered(100, is_finished=False)
    assert is_due(pull)


@pytest.mark.parametrize("sync_time", [100, 99, 0])
def test_a_cut_reply_that_does_not_advance_stops_it(sync_time: int) -> None:
    """Session 15, rule 3: anything else is an endless loop."""
    pull = asked(since=100)
    pull.answered(sync_time, is_finished=False)
    assert not is_due(pull)


def test_a_reply_that_reaches_what_was_announced_meanwhile_is_enough() -> None:
    """Session 8.4: pull again only if it is above the returned syncTime."""
    pull = asked()
    pull.announced(100, cursor=0)
    pull.answered(100, is_finished=True)
    assert not is_due(pull)


def test_a_reply_short_of_what_was_announced_meanwhile_is_followed_by_another() -> None:
    """Session 8.4, even if the reply itself brought nothing."""
    pull = asked(since=50)
    pull.announced(101, cursor=50)
    assert not is_due(pull)
    pull.answered(50, is_finished=True)
    assert is_due(pull)


def test_a_reply_short_of_what_was_announced_before_is_followed_if_it_advanced() -> None:
    """Session 8.4."""
    pull = Pull()
    pull.announced(100, cursor=0)
    pull.sent(asked_from=0)
    pull.answered(60, is_finished=True)
    assert is_due(pull)


def test_a_server_that_never_reaches_what_it_announced_is_not_asked_for_ever() -> None:
    """Interop 7, rule 3: a thousand requests a second otherwise."""
    pull = Pull()
    pull.announced(100, cursor=0)
    pulls = 0
    while is_due(pull) and pulls < 10:
        pulls += 1
        pull.sent(asked_from=60)
        pull.answered(60, is_finished=True)
    assert pulls == 1


def test_news_count_for_one_more_pull_and_no_longer() -> None:
    """The same, if the announcement came while a pull was under way."""
    pull = asked(since=60)
    pull.announced(100, cursor=60)
    pull.answered(60, is_finished=True)
    assert is_due(pull)
    pull.sent(asked_from=60)
    pull.answered(60, is_finished=True)
    assert not is_due(pull)


def test_a_failed_pull_is_not_repeated_by_itself() -> None:
    """Whoever sends pulls decides when to try again."""
    pull = asked()
    pull.failed()
    assert not pull.is_outstanding
    assert not is_due(pull)
    pull.want()
    assert is_due(pull)


def test_what_was_announced_during_a_failed_pull_is_pulled_for() -> None:
    pull = asked()
    pull.announced(100, cursor=0)
    pull.failed()
    assert is_due(pull)


def test_a_wish_during_a_pull_outlives_its_reply() -> None:
    """For example a push that had to be dropped."""
    pull = asked()
    pull.want()
    pull.answered(100, is_finished=True)
    assert is_due(pull)
