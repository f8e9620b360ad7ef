"""The server inside somebody else's server: pages with either SDK talk to each other as ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.asgi.serving import HOSTS, HostedServer
from tests.interop import test_history, test_messages, test_reconnecting
from tests.interop.sdk import IMLIB_2_9_2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.interop.conftest import Door

pytestmark = pytest.mark.interop

SCENARIOS = (
    test_messages.test_text_goes_both_ways,
    test_messages.test_a_burst_of_200_comes_in_order,
    test_history.test_history_can_be_read_in_both_directions,
    test_reconnecting.test_a_burst_waits_for_somebody_who_is_away,
)


@pytest.fixture(scope="module", params=HOSTS)
def hosted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path_factory.mktemp("hosted"), request.param)
    server.start()
    try:
        yield server
        print(server.report())
        server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=lambda scenario: scenario.__name__.removeprefix("test_")
)
def test_two_generations(door5: Door, hosted: HostedServer, scenario: Callable[..., None]) -> None:
    scenario(door5, hosted, IMLIB_2_9_2.version)
