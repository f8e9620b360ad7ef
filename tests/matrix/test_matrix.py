"""What clients do with each other is the same on each event loop, by each transport, and in each
place where the server may live.

The scenarios are those of tests.interop, told by programs with our client library alone: they need
no browser.
"""

from __future__ import annotations

import inspect
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
    test_services,
    test_standings,
    test_tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.server import ImServer
    from tests.matrix.conftest import Programs

pytestmark = pytest.mark.matrix

SCENARIOS = (
    test_messages.test_text_goes_both_ways,
    test_messages.test_text_is_not_changed_on_the_way,
    test_messages.test_64_kb_of_text_pass,
    test_messages.test_a_burst_of_200_comes_in_order,
    test_messages.test_bursts_that_meet_do_not_disturb_each_other,
    test_messages.test_other_kinds_of_messages_pass,
    test_messages.test_both_see_who_is_typing,
    test_messages.test_a_message_to_oneself_is_kept_but_not_sent_back,
    test_history.test_history_can_be_read_in_both_directions,
    test_history.test_what_one_deletes_the_other_keeps,
    test_receipts.test_the_sender_learns_that_he_is_read,
    test_receipts.test_members_of_a_group_are_asked_by_a_topic,
    test_conversations.test_the_list_has_the_newest_message_of_each,
    test_conversations.test_a_message_is_taken_back,
    test_expansions.test_pairs_are_attached_and_taken_off,
    test_groups.test_a_group_talks,
    test_groups.test_some_messages_are_for_some_members,
    test_groups.test_mentions,
    test_groups.test_what_is_only_for_those_who_are_there,
    test_groups.test_what_a_group_has_said,
    test_chatrooms.test_a_room_lives,
    test_chatrooms.test_what_is_written_on_the_wall,
    test_chatrooms.test_the_others_are_told_what_is_written,
    test_chatrooms.test_what_a_room_has_said,
    test_reconnecting.test_a_burst_waits_for_somebody_who_is_away,
    test_standings.test_who_is_muted_only_listens,
    test_services.test_a_public_service_is_spoken_to,
    test_tags.test_both_devices_have_the_same_tags,
    test_devices.test_both_see_what_is_sent_and_received,
    test_devices.test_both_know_what_was_read,
    test_devices.test_a_device_that_comes_later_has_the_rest,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__[5:])
def test_everywhere(door: Programs, server: ImServer, scenario: Callable[..., None]) -> None:
    # What is left to be said is who takes part, and here everybody is the same.
    known: dict[str, Any] = {
        "door": door,
        "server": server,
        "many_devices": server,
        "kinds": ("program", "program"),
    }
    names = inspect.signature(scenario).parameters
    scenario(**{name: known.get(name, "program") for name in names})
