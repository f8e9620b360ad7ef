"""The seam: how framers are chosen, and that any of them understands any other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits
from improto.errors import EncodeError, LimitExceeded, NotConnected
from improto.frames import Role
from improto.transports import WsprotoFramer, framer_factory
from improto.transports.framing import FramerState
from tests.transports import wire
from tests.transports.framer_suite import feed, messages_of, split

if TYPE_CHECKING:
    from improto.transports.framing import Framer

NAMES = ["wsproto", "websockets"]
LIMITS = Limits(message_bytes=100)

pairs = pytest.mark.parametrize(
    ("ours", "theirs"), [(ours, theirs) for ours in NAMES for theirs in NAMES]
)


def deliver(sender: Framer, receiver: Framer, *cuts: int) -> None:
    feed(receiver, split(sender.data_to_send(), cuts))


def both(ours: str, theirs: str) -> tuple[Framer, Framer]:
    return framer_factory(ours)(Role.CLIENT, LIMITS), framer_factory(theirs)(Role.SERVER, LIMITS)


@pairs
def test_a_conversation_in_any_cut(ours: str, theirs: str) -> None:
    @given(
        messages=st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), max_size=10),
        cuts=st.lists(st.integers(1, 200), max_size=5),
    )
    def check(messages: list[tuple[bool, bytes]], cuts: list[int]) -> None:
        client, server = both(ours, theirs)
        for from_client, message in messages:
            sender, receiver = (client, server) if from_client else (server, client)
            sender.send_message(message)
            deliver(sender, receiver, *cuts)
            assert messages_of(receiver) == [message]
        server.close(1001, "restart")
        deliver(server, client, *cuts)
        deliver(client, server, *cuts)
        assert client.state is server.state is FramerState.CLOSED
        assert client.close_code == server.close_code == 1001
        assert client.error is server.error is None

    check()


@pairs
def test_both_ends_close_at_once(ours: str, theirs: str) -> None:
    client, server = both(ours, theirs)
    client.close(4001)
    server.close(4002)
    from_client, from_server = client.data_to_send(), server.data_to_send()
    client.receive_data(from_server)
    server.receive_data(from_client)
    assert (client.state, client.close_code) == (FramerState.CLOSED, 4002)
    assert (server.state, server.close_code) == (FramerState.CLOSED, 4001)
    assert client.data_to_send() == server.data_to_send() == b""


@pairs
def test_a_refused_message_ends_both_ends(ours: str, theirs: str) -> None:
    client, server = both(ours, theirs)
    client.send_message(bytes(101))
    deliver(client, server)
    assert isinstance(server.error, LimitExceeded)
    deliver(server, client)
    assert client.state is server.state is FramerState.CLOSED
    assert client.close_code == server.close_code == 1009
    assert client.error is None


@pytest.mark.parametrize("name", NAMES)
def test_a_text_message_is_refused(name: str) -> None:
    framer = framer_factory(name)(Role.CLIENT, LIMITS)
    framer.receive_data(wire.frame(b"text", sender=Role.SERVER, opcode=wire.TEXT))
    assert framer.error is not None
    assert framer.error.close_code == framer.close_code == 1003
    (close,) = wire.frames_in(framer.data_to_send(), sender=Role.CLIENT)
    assert close.payload == wire.close_payload(1003, str(framer.error).encode())


@pairs
def test_a_violation_while_closing_is_only_recorded(ours: str, theirs: str) -> None:
    client, server = both(ours, theirs)
    client.close()
    client.data_to_send()
    server.send_message(bytes(101))
    deliver(server, client)
    assert isinstance(client.error, LimitExceeded)
    assert client.data_to_send() == b""


@pairs
def test_a_lost_stream_ends_both_ends(ours: str, theirs: str) -> None:
    for framer in both(ours, theirs):
        framer.receive_eof()
        framer.receive_eof()
        framer.receive_data(b"\x82")
        assert (framer.state, framer.close_code) == (FramerState.CLOSED, 1006)
        with pytest.raises(NotConnected):
            framer.send_message(b"")
        framer.close()
        assert framer.data_to_send() == b""


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_of_ours_changes_nothing(name: str) -> None:
    framer = framer_factory(name)(Role.SERVER, LIMITS)
    with pytest.raises(EncodeError):
        framer.close(1005)
    assert framer.state is FramerState.OPEN
    assert framer.next_message() is None


def test_the_default_framer_is_called_wsproto() -> None:
    assert framer_factory("wsproto") is WsprotoFramer


def test_an_unknown_framer_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="must be 'wsproto' or 'websockets', not 'picows'"):
        framer_factory("picows")


def test_a_missing_library_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "improto.transports.websockets_framer", raising=False)
    monkeypatch.setitem(sys.modules, "websockets.protocol", None)
    with pytest.raises(ImportError, match=r"pip install 'improto\[websockets\]'"):
        framer_factory("websockets")
