"""The default framer: the common suite, and what only wsproto does."""

from __future__ import annotations

import tracemalloc

from improto.config import Limits
from improto.errors import RemoteProtocolError
from improto.frames import Role
from improto.transports.wsproto_framer import WsprotoFramer
from tests.transports import wire
from tests.transports.framer_suite import FramerSuite


class TestWsprotoFramer(FramerSuite):
    make = WsprotoFramer


def test_a_length_in_more_bytes_than_needed_is_a_violation() -> None:
    framer = WsprotoFramer(Role.CLIENT, Limits())
    framer.receive_data(b"\x82\x7e\x00\x01x")
    assert isinstance(framer.error, RemoteProtocolError)
    assert framer.error.close_code == 1002


def test_the_header_hook_is_never_offered_to_a_peer() -> None:
    framer = WsprotoFramer(Role.SERVER, Limits())
    assert framer._rules.offer() is False


def test_an_idle_connection_is_small() -> None:
    """Ten thousand of them fit into 30 MB."""
    count = 200
    framers = []
    tracemalloc.start()
    try:
        for _ in range(count):
            framer = WsprotoFramer(Role.SERVER, Limits())
            framer.receive_data(wire.frame(b"ping", sender=Role.CLIENT))
            framer.next_message()
            framer.send_message(b"pong")
            framer.data_to_send()
            framers.append(framer)
        assert tracemalloc.get_traced_memory()[0] < count * 6 * 1024
    finally:
        tracemalloc.stop()
