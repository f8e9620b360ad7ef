"""What a server does differently for each generation of clients."""

from __future__ import annotations

import pytest

from improto import payloads
from improto.codes import CommandType
from improto.login import Login
from improto.operations import Topic
from improto.profiles import Profile, ReceiptVersion, profile_of, reads_bare_pages


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
        ("4.9999", "4"),
        ("5.38.0", "5"),
        ("10.0", "5"),
        ("9999.9999", "5"),
    ],
)
def test_the_generation_follows_from_the_version(version: str, name: str) -> None:
    """The border is 2.6 (wire 3 and 4.2)."""
    assert profile(version).name == name


@pytest.mark.parametrize("version", ["", "beta", ".5", "v2.5.3", " 2.5", "-1.0"])
def test_an_unreadable_version_counts_as_our_own_clients(version: str) -> None:
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


def test_each_generation_is_told_of_the_receipts_that_it_knows() -> None:
    """Sdk5 8.2."""
    for version in ("2.5.3", "2.9.2", "4.6.4"):
        assert {*map(int, profile(version).receipt_versions)} == {0, 1}
    assert profile("5.38.0").receipt_versions == {*ReceiptVersion}
    assert {*map(int, ReceiptVersion)} == {0, 1, 3, 4}


def test_a_push_would_only_make_sdk_5_pull() -> None:
    """Sdk5 5."""
    assert not profile("5.38.0").direct_push


def test_sdk_5_hears_of_users_it_has_subscribed_to() -> None:
    """Sdk5 7: another payload than SDK 2.5.3 reads on the same topic."""
    assert profile("2.5.3").status_notice is payloads.GetUserStatusOutput
    assert profile("2.9.2").status_notice is profile("4.6.4").status_notice is None
    assert profile("5.38.0").status_notice is payloads.SubDataDetail
    for version in ("2.5.3", "2.9.2", "4.6.4", "5.38.0"):
        knows_it = Topic.S_STAT in profile(version).notices
        assert knows_it == (profile(version).status_notice is not None)


def test_commands_are_those_that_each_generation_takes() -> None:
    """Session 12, sdk5 7."""
    assert profile("2.5.3").commands == frozenset()
    assert {*map(int, profile("2.9.2").commands)} == {2, 3}
    assert {*map(int, profile("4.6.4").commands)} == {2, 3, 4, 6, 7}
    assert {*map(int, profile("5.38.0").commands)} == {2, 3, 4, 6, 7, 10, 11, 12, 13}


def test_sdk_5_takes_three_more_copies() -> None:
    """Sdk5 5, 7."""
    more = profile("5.38.0").sync_topics - profile("4.6.4").sync_topics
    assert more == {Topic.PB_MSG_P, Topic.UPD_R_TIME, Topic.UPD_USER_SUB}


@pytest.mark.parametrize("version", ["2.5.3", "2.9.2", "4.6.4", "5.38.0"])
def test_only_sdk_5_wants_history_after_a_time_oldest_first(version: str) -> None:
    """Sdk5 8.1."""
    assert profile(version).history_oldest_first == (version == "5.38.0")


@pytest.mark.parametrize("version", ["2.5.3", "2.9.2", "4.6.4", "5.38.0"])
def test_only_sdk_5_can_be_sent_elsewhere(version: str) -> None:
    """Sdk5 3: and only to it a refusal is for good."""
    chosen = profile(version)
    is_newest = version == "5.38.0"
    assert chosen.follows_redirects == is_newest
    assert chosen.unavailable_by_closing == is_newest
    assert {1, 2, 5} <= chosen.dismissals
    assert ({3, 4} <= chosen.dismissals) != is_newest
    assert 0 not in chosen.dismissals


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_pull_of_a_room_shows_which_page_its_sender_reads(is_bare: bool) -> None:
    """Sdk5 9, rule 2: by number 4, whatever it says."""
    request = payloads.ChrmPullMsg(syncTime=0, count=10)
    if is_bare:
        request.compressioEnabled = False
    assert reads_bare_pages(request) is is_bare


@pytest.mark.parametrize(
    ("version", "renames", "missing", "levels"),
    [
        ("2.9.2", True, 33101, False),
        ("4.6.4", False, 33100, False),
        ("5.38.0", True, 33100, True),
    ],
)
def test_what_each_generation_knows_of_tags_and_levels(
    version: str, renames: bool, missing: int, levels: bool
) -> None:
    """Operations 8, codes 7, sdk5 8.3."""
    new = profile(version)
    assert (new.renames_tags, new.tag_missing, new.setting_levels) == (renames, missing, levels)


def test_how_a_generation_polls() -> None:
    """The header byte of DISCONNECT is spelled in two ways, and SDK 5 cannot poll (http 5.7)."""
    headers = {version: profile(version).polling_disconnect for version in ("2.5.3", "2.9.2", "4")}
    assert headers == {"2.5.3": -32, "2.9.2": 224, "4": 224}
    assert profile("5.38.0").polling_disconnect is None


def test_what_differs_for_sdk_253_when_it_polls() -> None:
    """No copies, `s_cmd` of chatrooms, and text as it is (http 5.7, interop 15)."""
    login = Login(app_key="k", token="t", sdk_version="2.5.3", is_polling=True)
    old = profile_of(login)
    assert old.sync_topics == frozenset()
    assert old.commands == {CommandType.CHATROOM_KV}
    assert Topic.S_CMD in old.notices
    assert not old.escape_astral
    assert old.polling_disconnect == -32
    newer = Login(app_key="k", token="t", sdk_version="2.9.2", is_polling=True)
    assert profile_of(newer) is profile("2.9.2")
