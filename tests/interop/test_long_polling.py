"""Our clients on long polling, with a page of SDK 2.9.2 that polls as well, and with SDK 5; and SDK
4 on long polling.

Pages of SDK 2.9.2 that poll are in all other scenarios, as one SDK more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop import (
    test_chatrooms,
    test_conversations,
    test_groups,
    test_history,
    test_login,
    test_messages,
    test_receipts,
    test_reconnecting,
    test_standings,
)
from tests.interop.sdk import IMLIB_2_9_2_POLLING, IMLIB_4_6_4_POLLING, IMLIB_5_38_0

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.conftest import Door
    from tests.interop.sdk import Sdk
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

SCENARIOS = (
    test_messages.test_text_goes_both_ways,
    test_messages.test_text_is_not_changed_on_the_way,
    test_messages.test_other_kinds_of_messages_pass,
    test_messages.test_both_see_who_is_typing,
    test_history.test_history_can_be_read_in_both_directions,
    test_receipts.test_the_sender_learns_that_he_is_read,
    test_conversations.test_a_message_is_taken_back,
    test_groups.test_mentions,
    test_chatrooms.test_a_room_lives,
    test_reconnecting.test_a_burst_waits_for_somebody_who_is_away,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__[5:])
@pytest.mark.parametrize(
    ("other", "kind"),
    [(IMLIB_2_9_2_POLLING, "asyncio polling"), (IMLIB_5_38_0, "trio polling")],
    ids=["imlib-v2-polling-asyncio", "imlib-next-trio"],
)
def test_programs_that_poll(
    doors: Callable[[Sdk], Door],
    server: ImServer,
    other: Sdk,
    scenario: Callable[..., None],
    kind: str,
) -> None:
    scenario(doors(other), server, kind)


@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if each is not test_groups.test_mentions],
    ids=lambda each: each.__name__[5:],
)
def test_sdk_4(
    doors: Callable[[Sdk], Door], server: ImServer, scenario: Callable[..., None]
) -> None:
    scenario(doors(IMLIB_4_6_4_POLLING), server, "2.9.2")


@pytest.mark.parametrize(
    "scenario",
    [
        test_login.test_a_second_login_throws_the_first_one_out_once,
        test_standings.test_a_page_is_sent_away_when_its_user_is_banned,
    ],
    ids=lambda each: each.__name__[5:],
)
def test_sdk_4_is_sent_away(
    doors: Callable[[Sdk], Door], server: ImServer, scenario: Callable[..., None]
) -> None:
    scenario(doors(IMLIB_4_6_4_POLLING), server)
