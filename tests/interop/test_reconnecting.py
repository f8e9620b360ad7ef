"""Going away, losing the line, losing the server: nothing is lost, and nothing comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import delivers, hears, nothing_more, online, texts
from tests.interop.proxy import Proxy
from tests.interop.sdk import SDKS

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

BURST = texts(*(f"message {number}" for number in range(200)))
SEVERAL_PULLS = texts(*(f"message {number}" for number in range(450)))
"""A pull gives 200 at most (session 8.3)."""


@pytest.mark.parametrize("away", ["page", "program"])
def test_a_burst_waits_for_somebody_who_is_away(door: Door, server: ImServer, away: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, away))
    delivers(anna, bert, texts("you there?"))
    bert.disconnect()
    sent = anna.send_all(bert.user, SEVERAL_PULLS)
    bert.connect()
    hears(bert, anna, SEVERAL_PULLS, sent)
    assert all(message.is_offline for message in bert.heard()[1:])
    delivers(bert, anna, texts("just back"))
    nothing_more(anna, bert)


def test_a_page_that_is_loaded_again_hears_only_what_is_new(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), door.page(server)
    bert.connect()
    delivers(anna, bert, BURST)
    bert.settle()
    bert.open()
    sent = anna.send_all(bert.user, BURST)
    bert.connect()
    hears(bert, anna, BURST, sent)
    nothing_more(anna, bert)


def test_a_line_that_is_cut_is_taken_up_again(
    door5: Door, own_server: ImServer, portals: dict[str, BlockingPortal]
) -> None:
    with Proxy.listening(portals["asyncio"]) as line:
        own_server.settings["IMPROTO_GATEWAY_PUBLIC_ADDRESS"] = line.address
        own_server.start()
        line.target_port = own_server.port
        bert = online(door5.program(own_server, "trio"))
        pages = [door5.page(own_server, sdk=sdk) for sdk in SDKS]
        for page in pages:
            page.connect()
            delivers(page, bert, texts("can you hear me?"))
            page.settle()
            page.hold_clock()

        line.cut()
        for page in pages:
            page.wait_lost()
        sent = [bert.send_all(page.user, BURST) for page in pages]
        line.wait_refused()
        line.mend()
        for page in pages:
            page.pass_time(6)

        for page, burst in zip(pages, sent, strict=True):
            hears(page, bert, BURST, burst)
            page.wait_back()
            delivers(page, bert, texts("now I can"))
            delivers(bert, page, texts("good"))
        nothing_more(*pages, bert)


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_everybody_comes_back_to_a_server_that_was(
    door5: Door, own_server: ImServer, end: str
) -> None:
    own_server.start()
    anna, bert = (door5.page(own_server, sdk=sdk) for sdk in SDKS)
    carl = door5.program(own_server, "asyncio")
    for party in (anna, bert, carl):
        party.connect()
    delivers(anna, bert, texts("before"))
    delivers(anna, carl, texts("before"))
    for page in (anna, bert):
        page.settle()
        page.hold_clock()

    if end == "killed":
        own_server.kill()
    else:
        own_server.stop()
    carl.wait_disconnected()
    for page in (anna, bert):
        page.wait_lost()
    own_server.start()
    carl.connect()
    for_anna, for_bert = (carl.send_all(page.user, BURST) for page in (anna, bert))
    for page in (anna, bert):
        page.pass_time(6)

    hears(anna, carl, BURST, for_anna)
    hears(bert, carl, BURST, for_bert)
    for sender, receiver in ((anna, bert), (bert, carl), (carl, anna)):
        delivers(sender, receiver, BURST)
    nothing_more(anna, bert, carl)


def test_what_was_acknowledged_outlives_the_server(door: Door, lone_server: ImServer) -> None:
    lone_server.start()
    anna, bert = door.page(lone_server), door.page(lone_server)
    anna.connect()
    sent = anna.send_all(bert.user, BURST)
    lone_server.kill()
    lone_server.start()
    bert.connect()
    hears(bert, anna, BURST, sent)
    nothing_more(bert)
