"""Clients of all generations in the same conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop import (
    test_chatrooms,
    test_conversations,
    test_devices,
    test_expansions,
    test_groups,
    test_history,
    test_messages,
    test_receipts,
    test_reconnecting,
)
from tests.interop.party import CHATROOM, RECALL, Place, hears, nothing_more, online, texts
from tests.interop.sdk import SDKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

OLD, NEW = (sdk.version for sdk in SDKS)

FOR_BOTH = (
    test_messages.test_text_goes_both_ways,
    test_messages.test_text_is_not_changed_on_the_way,
    test_messages.test_a_burst_of_200_comes_in_order,
    test_messages.test_bursts_that_meet_do_not_disturb_each_other,
    test_messages.test_other_kinds_of_messages_pass,
    test_messages.test_both_see_who_is_typing,
    test_history.test_history_can_be_read_in_both_directions,
    test_receipts.test_the_sender_learns_that_he_is_read,
    test_conversations.test_a_message_is_taken_back,
    test_expansions.test_pairs_are_attached_and_taken_off,
    test_groups.test_what_is_only_for_those_who_are_there,
    test_chatrooms.test_a_room_lives,
    test_chatrooms.test_the_others_are_told_what_is_written,
)
"""Scenarios of two, in which both do the same."""

FOR_EACH = (
    test_history.test_what_one_deletes_the_other_keeps,
    test_receipts.test_members_of_a_group_are_asked_by_a_message,
    test_groups.test_mentions,
    test_chatrooms.test_what_is_written_on_the_wall,
    test_reconnecting.test_a_burst_waits_for_somebody_who_is_away,
)
"""Scenarios of two, in which each has a part of his own."""


def name_of(scenario: Callable[..., None]) -> str:
    return scenario.__name__.removeprefix("test_")


@pytest.mark.parametrize("scenario", FOR_BOTH, ids=name_of)
def test_two_generations(door5: Door, server: ImServer, scenario: Callable[..., None]) -> None:
    scenario(door5, server, OLD)


@pytest.mark.parametrize("scenario", FOR_EACH, ids=name_of)
def test_either_generation(door: Door, server: ImServer, scenario: Callable[..., None]) -> None:
    (other,) = {OLD, NEW} - {door.sdk.version}
    scenario(door, server, other)


@pytest.mark.parametrize(
    "scenario",
    [
        test_devices.test_both_see_what_is_sent_and_received,
        test_devices.test_both_know_what_was_read,
    ],
    ids=name_of,
)
def test_two_devices_of_two_generations(
    door5: Door, many_devices: ImServer, scenario: Callable[..., None]
) -> None:
    scenario(door5, many_devices, (NEW, OLD))
    scenario(door5, many_devices, (OLD, NEW))


def everybody(door: Door, server: ImServer) -> list[Party]:
    """One of each kind, not online yet."""
    return [door.party(server, kind) for kind in (OLD, NEW, "asyncio", "trio")]


def talk(parties: list[Party], place: Place) -> list[tuple[str, Any, str]]:
    """Let each say something, and check that all others hear it; what history has of it."""
    said = []
    for speaker in parties:
        words = texts(f"I am {speaker.user}", "\U0001f600")
        sent = speaker.send_all(place, words)
        for listener in parties:
            if listener is not speaker:
                hears(listener, speaker, words, sent, place=place)
        said += [(speaker.user, word, each.uid) for word, each in zip(words, sent, strict=True)]
    return said


def remembered(reader: Party, place: Place) -> list[tuple[str, Any, str]]:
    """What this client finds in history. In rooms, SDK 2.9.2 does not say who it is itself."""
    messages, _ = reader.history(place, count=50)
    return [
        (reader.user if message.is_mine else message.sender, message.content, message.uid)
        for message in messages
    ]


def test_everybody_in_one_group(door5: Door, server: ImServer) -> None:
    parties = everybody(door5, server)
    group = test_groups.group_of(server, *parties)
    for party in parties:
        online(party)
    said = talk(parties, group)
    for reader in parties:
        assert remembered(reader, group) == said
    for speaker in parties:
        sent = speaker.send(group, {"content": "not this"})
        listeners = [party for party in parties if party is not speaker]
        for listener in listeners:
            # Whoever asks only after it was taken back never reads it.
            listener.take(1)
        speaker.recall(sent)
        for listener in listeners:
            (notice,) = listener.take(1)
            assert (notice.kind, notice.sender) == (RECALL, speaker.user)
            assert notice.content["messageUId"] == sent.uid
    assert {uid for _, _, uid in said}.issubset(uid for *_, uid in remembered(parties[0], group))
    nothing_more(*parties)


def test_everybody_in_one_room(door5: Door, server: ImServer) -> None:
    parties = [online(party) for party in everybody(door5, server)]
    room = Place(CHATROOM, f"room-of-{parties[0].user}")
    for party in parties:
        party.join(room.id, count=-1)
    said = talk(parties, room)
    for reader in parties:
        assert remembered(reader, room) == said
        reader.set_entry(room.id, f"seen-by-{reader.user}", "yes")
    wall = {f"seen-by-{party.user}": "yes" for party in parties}
    for reader in parties:
        test_chatrooms.wall(reader, room, wall)
    nothing_more(*parties)
