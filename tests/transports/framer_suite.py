"""What every framer must do. A test module subclasses the suite and says which framer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits
from improto.errors import EncodeError, LimitExceeded, NotConnected
from improto.frames import Role
from improto.transports.framing import Framer, FramerState
from tests.transports import wire
from tests.transports.wire import WireFrame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.transports.framing import FramerFactory

LIMIT = 300
LIMITS = Limits(message_bytes=LIMIT)


def messages_of(framer: Framer) -> list[bytes]:
    """Takes all messages."""
    messages = []
    while (message := framer.next_message()) is not None:
        messages.append(message)
    return messages


class Receiver(Protocol):
    """A framer or a handshake."""

    def receive_data(self, data: bytes) -> None: ...


def feed(receiver: Receiver, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        receiver.receive_data(chunk)


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cuts at the given positions, those beyond the end ignored."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


def summary(framer: Framer) -> tuple[object, ...]:
    """All that a program sees, messages taken."""
    error = framer.error
    return messages_of(framer), framer.state, framer.close_code, type(error), str(error)


@st.composite
def conversations(draw: st.DrawFn, sender: Role) -> bytes:
    """Frames of one peer: mostly proper, sometimes not, sometimes cut off."""
    payloads = st.binary(max_size=LIMIT // 2)
    frames = st.builds(
        wire.frame,
        payloads,
        sender=st.just(sender),
        opcode=st.sampled_from([wire.BINARY, wire.BINARY, wire.CONTINUATION, wire.TEXT]),
        fin=st.booleans(),
        reserved=st.sampled_from([0] * 20 + [1]),
    )
    controls = st.builds(
        wire.frame,
        st.binary(max_size=10),
        sender=st.just(sender),
        opcode=st.sampled_from([wire.PING, wire.PING, wire.PONG, wire.CLOSE]),
    )
    whole = st.builds(wire.frame, payloads, sender=st.just(sender))
    data = b"".join(draw(st.lists(st.one_of(whole, whole, frames, controls), max_size=8)))
    return data + draw(st.binary(max_size=3))


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
class FramerSuite:
    """Both roles of one framer. ``make`` is a static method of the subclass."""

    make: FramerFactory

    def open(self, role: Role, limits: Limits = LIMITS) -> Framer:
        return type(self).make(role, limits)

    # Messages

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
    def test_a_message_of_any_size_goes_both_ways(self, role: Role, size: int) -> None:
        framer = self.open(role, Limits())
        message = bytes(index % 251 for index in range(size))
        framer.send_message(message)
        assert wire.frames_in(framer.data_to_send(), sender=role) == [WireFrame(payload=message)]
        framer.receive_data(wire.frame(message, sender=role.peer))
        assert messages_of(framer) == [message]
        assert framer.data_to_send() == b""
        assert framer.state is FramerState.OPEN

    def test_messages_keep_their_order_and_their_borders(self, role: Role) -> None:
        framer = self.open(role)
        sent = [b"one", b"", b"three"]
        for message in sent:
            framer.send_message(message)
        frames = wire.frames_in(framer.data_to_send(), sender=role)
        assert [frame.payload for frame in frames] == sent
        framer.receive_data(b"".join(wire.frame(data, sender=role.peer) for data in sent))
        assert messages_of(framer) == sent

    def test_messages_are_bytes_whatever_the_library_has(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"whole", sender=role.peer))
        framer.receive_data(wire.frame(b"in ", sender=role.peer, fin=False))
        framer.receive_data(wire.frame(b"two", sender=role.peer, opcode=wire.CONTINUATION))
        messages = messages_of(framer)
        assert messages == [b"whole", b"in two"]
        assert [type(message) for message in messages] == [bytes, bytes]
        framer.send_message(b"x")
        assert type(framer.data_to_send()) is bytes

    def test_no_data_is_no_end(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(b"")
        assert framer.state is FramerState.OPEN

    def test_fragments_are_joined_around_control_frames(self, role: Role) -> None:
        framer = self.open(role)
        peer = role.peer
        framer.receive_data(wire.frame(b"", sender=peer, fin=False))
        framer.receive_data(wire.frame(b"a", sender=peer, opcode=wire.CONTINUATION, fin=False))
        framer.receive_data(wire.frame(b"ping", sender=peer, opcode=wire.PING))
        framer.receive_data(wire.frame(b"", sender=peer, opcode=wire.CONTINUATION, fin=False))
        assert framer.next_message() is None
        framer.receive_data(wire.frame(b"b", sender=peer, opcode=wire.CONTINUATION))
        framer.receive_data(wire.frame(b"next", sender=peer))
        assert messages_of(framer) == [b"ab", b"next"]
        pong = WireFrame(opcode=wire.PONG, payload=b"ping")
        assert wire.frames_in(framer.data_to_send(), sender=role) == [pong]

    # Size

    def test_the_limit_itself_is_allowed(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(bytes(LIMIT), sender=role.peer))
        framer.receive_data(wire.frame(bytes(LIMIT), sender=role.peer, fin=False))
        framer.receive_data(wire.frame(b"", sender=role.peer, opcode=wire.CONTINUATION))
        assert messages_of(framer) == [bytes(LIMIT), bytes(LIMIT)]

    def test_a_ping_fits_into_a_message_at_its_limit(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(bytes(LIMIT), sender=role.peer, fin=False))
        framer.receive_data(wire.frame(bytes(125), sender=role.peer, opcode=wire.PING))
        framer.receive_data(wire.frame(b"", sender=role.peer, opcode=wire.CONTINUATION))
        assert messages_of(framer) == [bytes(LIMIT)]

    def test_one_byte_more_is_refused(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"before", sender=role.peer))
        framer.receive_data(wire.frame(bytes(LIMIT + 1), sender=role.peer))
        self.expect_refusal(framer, role, code=1009)
        assert isinstance(framer.error, LimitExceeded)
        assert str(framer.error) == f"message above {LIMIT} bytes"
        assert messages_of(framer) == [b"before"]

    def test_fragments_count_together(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"x", sender=role.peer, fin=False))
        one = wire.frame(b"x", sender=role.peer, opcode=wire.CONTINUATION, fin=False)
        feed(framer, [one] * (LIMIT - 1))
        assert framer.error is None
        framer.receive_data(one)
        self.expect_refusal(framer, role, code=1009)

    @pytest.mark.parametrize("announced", [LIMIT + 126, 1 << 20, 1 << 62])
    def test_a_long_message_is_refused_by_its_header(self, role: Role, announced: int) -> None:
        framer = self.open(role)
        feed(framer, split(wire.header(announced, sender=role.peer), range(20)))
        self.expect_refusal(framer, role, code=1009)

    def test_a_long_fragment_is_refused_by_its_header(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(bytes(LIMIT), sender=role.peer, fin=False))
        head = wire.header(126, sender=role.peer, opcode=wire.CONTINUATION)
        feed(framer, split(head, range(20)))
        self.expect_refusal(framer, role, code=1009)

    # Violations

    @pytest.mark.parametrize("fin", [True, False])
    def test_text_is_refused(self, role: Role, fin: bool) -> None:
        framer = self.open(role)
        text = wire.frame(b"text", sender=role.peer, opcode=wire.TEXT, fin=fin)
        framer.receive_data(wire.frame(b"before", sender=role.peer) + text)
        framer.receive_data(wire.frame(b"after", sender=role.peer))
        self.expect_refusal(framer, role, code=1003)
        assert str(framer.error) == "text message, only binary ones are allowed"
        assert messages_of(framer) == [b"before"]

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            pytest.param({"reserved": 4}, 1002, id="reserved bit"),
            pytest.param({"opcode": 3}, 1002, id="unknown data opcode"),
            pytest.param({"opcode": 11}, 1002, id="unknown control opcode"),
            pytest.param({"opcode": wire.CONTINUATION}, 1002, id="continues nothing"),
            pytest.param({"opcode": wire.PING, "fin": False}, 1002, id="fragmented ping"),
            pytest.param({"opcode": wire.PING, "payload": bytes(126)}, 1002, id="long ping"),
            pytest.param({"opcode": wire.CLOSE, "payload": b"\x03"}, 1002, id="half a code"),
            pytest.param(
                {"opcode": wire.CLOSE, "payload": wire.close_payload(999)}, 1002, id="code 999"
            ),
            pytest.param(
                {"opcode": wire.CLOSE, "payload": wire.close_payload(1006)}, 1002, id="code 1006"
            ),
            pytest.param(
                {"opcode": wire.CLOSE, "payload": wire.close_payload(5000)}, 1002, id="code 5000"
            ),
            pytest.param(
                {"opcode": wire.CLOSE, "payload": wire.close_payload(1000, b"\xff")},
                1007,
                id="reason not UTF-8",
            ),
        ],
    )
    def test_a_violation_ends_the_connection(
        self, role: Role, frame: dict[str, Any], code: int
    ) -> None:
        framer = self.open(role)
        good = wire.frame(b"good", sender=role.peer)
        framer.receive_data(good + wire.frame(**frame, sender=role.peer))
        self.expect_refusal(framer, role, code=code)
        assert str(framer.error)
        assert messages_of(framer) == [b"good"]

    def test_a_message_inside_a_message_is_a_violation(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"first", sender=role.peer, fin=False))
        framer.receive_data(wire.frame(b"second", sender=role.peer))
        self.expect_refusal(framer, role, code=1002)
        assert framer.next_message() is None

    def test_the_wrong_masking_is_a_violation(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"x", sender=role))
        self.expect_refusal(framer, role, code=1002)

    def expect_refusal(self, framer: Framer, role: Role, *, code: int) -> None:
        """It has failed, has said so once, and is deaf and mute from now on."""
        assert framer.state is FramerState.CLOSED
        assert framer.error is not None
        assert framer.error.close_code == framer.close_code == code
        frames = wire.frames_in(framer.data_to_send(), sender=role)
        assert [frame.opcode for frame in frames] == [wire.CLOSE]
        assert frames[0].payload[:2] == wire.close_payload(code)
        error = framer.error
        framer.receive_data(wire.frame(b"late", sender=role.peer, opcode=wire.PING))
        framer.receive_eof()
        framer.close()
        with pytest.raises(NotConnected, match="the WebSocket is closed"):
            framer.send_message(b"late")
        assert framer.data_to_send() == b""
        assert framer.error is error
        assert framer.close_code == code

    # Pings

    def test_pings_are_answered_and_pongs_are_not(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"p", sender=role.peer, opcode=wire.PING))
        framer.receive_data(wire.frame(b"q", sender=role.peer, opcode=wire.PONG))
        pong = WireFrame(opcode=wire.PONG, payload=b"p")
        assert wire.frames_in(framer.data_to_send(), sender=role) == [pong]
        assert framer.next_message() is None

    def test_a_ping_after_our_close_is_not_answered(self, role: Role) -> None:
        framer = self.open(role)
        framer.close()
        framer.data_to_send()
        framer.receive_data(wire.frame(b"p", sender=role.peer, opcode=wire.PING))
        assert framer.data_to_send() == b""
        assert framer.error is None
        assert framer.state is FramerState.CLOSING

    # Closing

    def test_the_peers_close_is_answered(self, role: Role) -> None:
        framer = self.open(role)
        close = wire.frame(wire.close_payload(4001, b"bye"), sender=role.peer, opcode=wire.CLOSE)
        framer.receive_data(wire.frame(b"last", sender=role.peer) + close + close)
        assert framer.state is FramerState.CLOSED
        assert framer.close_code == 4001
        assert type(framer.close_code) is int
        assert framer.error is None
        frames = wire.frames_in(framer.data_to_send(), sender=role)
        assert [frame.opcode for frame in frames] == [wire.CLOSE]
        assert frames[0].payload[:2] == wire.close_payload(4001)
        framer.receive_data(wire.frame(b"late", sender=role.peer))
        framer.receive_eof()
        assert messages_of(framer) == [b"last"]
        assert framer.close_code == 4001

    def test_a_close_without_a_code_is_answered_without_a_code(self, role: Role) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(sender=role.peer, opcode=wire.CLOSE))
        assert framer.close_code == 1005
        assert framer.state is FramerState.CLOSED
        close = WireFrame(opcode=wire.CLOSE)
        assert wire.frames_in(framer.data_to_send(), sender=role) == [close]

    def test_our_close_waits_for_the_answer(self, role: Role) -> None:
        framer = self.open(role)
        framer.send_message(b"last")
        framer.close(1001, "going")
        assert framer.state is FramerState.CLOSING
        assert framer.close_code is None
        assert wire.frames_in(framer.data_to_send(), sender=role) == [
            WireFrame(payload=b"last"),
            WireFrame(opcode=wire.CLOSE, payload=wire.close_payload(1001, b"going")),
        ]
        with pytest.raises(NotConnected, match="the WebSocket is closing"):
            framer.send_message(b"late")
        framer.receive_data(wire.frame(b"crossed", sender=role.peer))
        assert messages_of(framer) == [b"crossed"]
        answer = wire.frame(wire.close_payload(1001), sender=role.peer, opcode=wire.CLOSE)
        framer.receive_data(answer)
        assert summary(framer) == ([], FramerState.CLOSED, 1001, type(None), "None")
        assert framer.data_to_send() == b""

    def test_closing_twice_is_closing_once(self, role: Role) -> None:
        framer = self.open(role)
        framer.close(1000)
        framer.close(4000, "again")
        close = WireFrame(opcode=wire.CLOSE, payload=wire.close_payload(1000))
        assert wire.frames_in(framer.data_to_send(), sender=role) == [close]
        assert framer.state is FramerState.CLOSING

    def test_a_violation_after_our_close_is_not_answered(self, role: Role) -> None:
        framer = self.open(role)
        framer.close()
        framer.data_to_send()
        framer.receive_data(wire.frame(sender=role.peer, reserved=1))
        assert framer.state is FramerState.CLOSED
        assert framer.error is not None
        assert framer.close_code == 1002
        assert framer.data_to_send() == b""

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1014, 1015, 2999, 5000, 1 << 16])
    def test_a_code_that_may_not_be_sent_changes_nothing(self, role: Role, code: int) -> None:
        framer = self.open(role)
        with pytest.raises(EncodeError, match=f"close code must be .*, not {code}"):
            framer.close(code)
        assert framer.state is FramerState.OPEN
        assert framer.data_to_send() == b""

    @pytest.mark.parametrize("code", [1000, 1003, 1007, 1013, 3000, 4999])
    def test_every_other_code_may_be_sent(self, role: Role, code: int) -> None:
        framer = self.open(role)
        framer.close(code)
        close = WireFrame(opcode=wire.CLOSE, payload=wire.close_payload(code))
        assert wire.frames_in(framer.data_to_send(), sender=role) == [close]

    @pytest.mark.parametrize(
        ("reason", "sent"),
        [
            ("x" * 123, b"x" * 123),
            ("x" * 124, b"x" * 123),
            ("x" * 122 + "é", b"x" * 122),
            ("\ud800", b"?"),
        ],
    )
    def test_a_long_reason_is_cut(self, role: Role, reason: str, sent: bytes) -> None:
        framer = self.open(role)
        framer.close(1000, reason)
        close = WireFrame(opcode=wire.CLOSE, payload=wire.close_payload(1000, sent))
        assert wire.frames_in(framer.data_to_send(), sender=role) == [close]

    @pytest.mark.parametrize("closing", [True, False])
    def test_the_end_of_the_stream_is_abnormal_but_no_error(
        self, role: Role, closing: bool
    ) -> None:
        framer = self.open(role)
        framer.receive_data(wire.frame(b"whole", sender=role.peer))
        framer.receive_data(wire.frame(b"half", sender=role.peer)[:-1])
        if closing:
            framer.close()
            framer.data_to_send()
        framer.receive_eof()
        framer.receive_eof()
        assert summary(framer) == ([b"whole"], FramerState.CLOSED, 1006, type(None), "None")
        assert framer.data_to_send() == b""

    # Any bytes

    def test_the_cutting_of_bytes_makes_no_difference(self, role: Role) -> None:
        @given(data=conversations(role.peer), cuts=st.lists(st.integers(1, 600)))
        def check(data: bytes, cuts: list[int]) -> None:
            seen = []
            for chunks in [data], split(data, range(len(data))), split(data, cuts):
                framer = self.open(role)
                feed(framer, chunks)
                seen.append(summary(framer))
            assert seen[0] == seen[1] == seen[2]

        check()

    def test_any_bytes_are_survived(self, role: Role) -> None:
        @given(data=st.binary(max_size=200), cuts=st.lists(st.integers(1, 200)))
        def check(data: bytes, cuts: list[int]) -> None:
            framer = self.open(role)
            feed(framer, split(data, cuts))
            framer.receive_eof()
            assert framer.state is FramerState.CLOSED
            assert framer.close_code is not None
            messages_of(framer)
            wire.frames_in(framer.data_to_send(), sender=role)

        check()

    def test_two_framers_understand_each_other(self, role: Role) -> None:
        @given(
            messages=st.lists(st.binary(max_size=LIMIT), max_size=6),
            cuts=st.lists(st.integers(1, 2000)),
        )
        def check(messages: list[bytes], cuts: list[int]) -> None:
            ours, theirs = self.open(role), self.open(role.peer)
            for message in messages:
                ours.send_message(message)
            ours.close(4000, "done")
            feed(theirs, split(ours.data_to_send(), cuts))
            feed(ours, split(theirs.data_to_send(), cuts))
            assert summary(theirs) == (messages, FramerState.CLOSED, 4000, type(None), "None")
            assert summary(ours) == ([], FramerState.CLOSED, 4000, type(None), "None")

        check()
