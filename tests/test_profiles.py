"""What a server does differently for each generation of clients."""

from __future__ import annotations

import pytest

from improto.login import Login
from improto.operations import Topic
from improto.profiles import Profile, profile_of


def profile(version: str) -> Profile:
    return profile_of(Login(app_key="k", token="t", sdk_version=version))


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("1.0", "2.5"),
        ("2.5.3", "2.5"),
        ("2.5", "2.5"),
        ("2", "2.5"),
        ("2.6.0", "2.9"),
        ("2.9.2", "2.9"),
        ("2.10", "2.9"),
        ("3.9999.1-beta", "2.9"),
        ("4", "4"),
        ("4.6.4", "4"),
        ("10.0", "4"),
        ("9999.9999", "4"),
    ],
)
def test_the_generation_follows_from_the_version(version: str, name: str) -> None:
    """The border is 2.6 (wire 3 and 4.2)."""
    assert profile(version).name == name


@pytest.mark.parametrize("version", ["", "beta", ".5", "v2.5.3", " 2.5", "-1.0"])
def test_an_unreadable_version_counts_as_the_newest(version: str) -> None:
    assert profile(version).name == "4"


def test_what_sdk_253_needs() -> None:
    """Its CONNACK ends at 12, its text at U+FFFF; it must be told again and must lose its
    transport to notice (wire 3, wire 4.2, session 8.4, session 4.2)."""
    old = profile("2.5.3")
    assert old.highest_connack_status == 12
    assert old.escape_astral
    assert old.notify_after_unfinished
    assert old.vanish
    assert not old.direct_push
    assert old.token_expired_status == 4


@pytest.mark.parametrize("version", ["2.9.2", "4.6.4"])
def test_what_the_newer_sdks_do_by_themselves(version: str) -> None:
    """Session 4.2, 8.4 and 8.5."""
    new = profile(version)
    assert new.highest_connack_status == 255
    assert not new.escape_astral
    assert not new.notify_after_unfinished
    assert not new.vanish
    assert new.direct_push


def test_only_the_newest_understands_an_expired_token() -> None:
    """Session 2.4."""
    assert profile("2.9.2").token_expired_status == 4
    assert profile("4.6.4").token_expired_status == 10


def test_status_messages_are_copied_to_the_newest_only() -> None:
    """SDK 2.9.2 throws on them (session 9.3)."""
    status = {Topic.PP_MSG_S, Topic.PG_MSG_S}
    assert status <= profile("4.6.4").sync_topics
    assert not status & profile("2.9.2").sync_topics
    assert not status & profile("2.5.3").sync_topics


def test_recalls_are_copied_to_those_who_read_the_conversation_from_them() -> None:
    """SDK 2.9.2 shows them in a conversation with oneself (messages 7, rule 5)."""
    assert Topic.RECALL_MSG in profile("2.5.3").sync_topics
    assert Topic.RECALL_MSG not in profile("2.9.2").sync_topics
    assert Topic.RECALL_MSG in profile("4.6.4").sync_topics


@pytest.mark.parametrize("version", ["2.5.3", "2.9.2", "4.6.4"])
def test_ordinary_messages_are_copied_to_everybody(version: str) -> None:
    """Session 9.3."""
    assert {Topic.PP_MSG_P, Topic.PG_MSG_P, Topic.CHAT_MSG} <= profile(version).sync_topics


def test_no_sdk_is_sent_a_topic_that_it_does_not_know() -> None:
    """Session 12."""
    assert profile("2.5.3").notices == {Topic.S_STAT}
    assert profile("2.9.2").notices == {Topic.S_CMD, Topic.S_US, Topic.RTC_NTF}
    assert profile("4.6.4").notices == {Topic.S_CMD, Topic.S_US, Topic.RTC_NTF, Topic.S_OP_NTF}


def test_tags_are_renamed_by_making_them_once_more_in_the_older_sdk() -> None:
    """Operations 8, codes 7."""
    assert not profile("2.9.2").strict_tags
    assert profile("4.6.4").strict_tags
