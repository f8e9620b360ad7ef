"""SDK 4 with the others: the most important scenarios again, so that it is not forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop import (
    test_chatrooms,
    test_expansions,
    test_groups,
    test_history,
    test_login,
    test_messages,
    test_reconnecting,
    test_standings,
)
from tests.interop.sdk import IMLIB_5_38_0
from tests.interop.test_mixed import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

SCENARIOS = (
    test_messages.test_text_goes_both_ways,
    test_messages.test_text_is_not_changed_on_the_way,
    test_messages.test_a_burst_of_200_comes_in_order,
    test_messages.test_other_kinds_of_messages_pass,
    test_messages.test_both_see_who_is_typing,
    test_history.test_history_can_be_read_in_both_directions,
    test_expansions.test_pairs_are_attached_and_taken_off,
    test_groups.test_a_group_talks,
    test_chatrooms.test_a_room_lives,
    test_reconnecting.test_a_burst_waits_for_somebody_who_is_away,
)


@pytest.mark.parametrize(
    ("scenario", "details"),
    [
        (test_login.test_a_page_logs_in_and_out_and_in_again, ()),
        (test_login.test_navigation_refuses_a_bad_token, ("forged",)),
        (test_login.test_the_server_refuses_an_expired_token, ()),
        (test_login.test_a_second_login_throws_the_first_one_out_once, ()),
        (test_standings.test_a_page_is_sent_away_when_its_user_is_banned, ()),
    ],
)
def test_sdk_4_comes_and_goes(
    door4: Door, server: ImServer, scenario: Callable[..., None], details: tuple[str, ...]
) -> None:
    scenario(door4, server, *details)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
@pytest.mark.parametrize("other", [IMLIB_5_38_0.version, "asyncio"])
def test_sdk_4_takes_part(
    door4: Door, server: ImServer, other: str, scenario: Callable[..., None]
) -> None:
    scenario(door4, server, other)
