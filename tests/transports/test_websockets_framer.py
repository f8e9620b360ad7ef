"""The faster framer: the common suite, and what only websockets does."""

from __future__ import annotations

import pytest

from improto.config import Limits
from improto.errors import RemoteProtocolError
from improto.frames import Role
from improto.transports.framing import FramerState
from tests.transports import wire
from tests.transports.framer_suite import LIMIT, LIMITS, FramerSuite

pytest.importorskip("websockets")

from improto.transports.websockets_framer import WebsocketsFramer


class TestWebsocketsFramer(FramerSuite):
    make = WebsocketsFramer


@pytest.mark.parametrize("excess", [1, 125])
def test_the_slack_for_control_frames_is_not_for_messages(excess: int) -> None:
    framer = WebsocketsFramer(Role.CLIENT, LIMITS)
    framer.receive_data(wire.frame(bytes(LIMIT + excess), sender=Role.SERVER))
    assert framer.error is not None
    assert framer.error.close_code == 1009


def test_what_the_library_answered_after_a_text_message_does_no_harm() -> None:
    framer = WebsocketsFramer(Role.SERVER, Limits())
    text = wire.frame(b"text", sender=Role.CLIENT, opcode=wire.TEXT)
    close = wire.frame(wire.close_payload(1000), sender=Role.CLIENT, opcode=wire.CLOSE)
    framer.receive_data(text + close)
    assert framer.state is FramerState.CLOSED
    assert isinstance(framer.error, RemoteProtocolError)
    frames = wire.frames_in(framer.data_to_send(), sender=Role.SERVER)
    assert [frame.opcode for frame in frames] == [wire.CLOSE]
