"""The memory of a client: cursors, repeats, the outbox, and its saved form (session 8.7, 15)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits
from improto.errors import LocalProtocolError, WindowFull
from improto.events import Receipt
from improto.frames import MessageUid, Qos, TimeMs
from improto.messages import MessageDirection, Outgoing, received
from improto.operations import Topic
from improto.session import ClientSession
from tests.helpers import down, outgoing

RECEIVED = None
SENT = int(MessageDirection.SENT)


def take(
    session: ClientSession,
    time: int,
    uid: str | None = "",
    *,
    direction: int | None = RECEIVED,
    room_id: str | None = None,
    moves_cursor: bool = True,
) -> Receipt | None:
    """A message arrives; its uid is ``m<time>`` unless the test gives one."""
    message = received(down(time, uid, direction=direction), user_id="u1", connected_at=TimeMs(0))
    return session.take(message, room_id=room_id, moves_cursor=moves_cursor)


def shown(session: ClientSession, time: int, uid: str | None = "", **how: Any) -> Receipt:
    """A message arrives that is shown."""
    receipt = take(session, time, uid, **how)
    assert receipt is not None
    return receipt


def restarted(session: ClientSession, **limits: int) -> ClientSession:
    """The program crashes and reads its session from a file."""
    state = json.loads(json.dumps(session.to_state()))
    return ClientSession.from_state(state, limits=Limits(**limits) if limits else None)


class TestCursor:
    """It moves past acknowledged messages only, in the order in which they came."""

    def test_it_begins_at_0(self) -> None:
        """Session 8.2."""
        session = ClientSession()
        assert session.inbox_cursor == session.sent_cursor == session.room_cursor("r1") == 0

    def test_its_reach_is_where_it_will_be(self) -> None:
        session = ClientSession()
        assert session.inbox_reach == session.sent_reach == 0
        first = shown(session, 10)
        shown(session, 20, moves_cursor=False)
        sent = shown(session, 15, direction=SENT)
        assert (session.inbox_reach, session.sent_reach) == (10, 15)
        session.end_page(TimeMs(30))
        assert (session.inbox_cursor, session.inbox_reach) == (0, 30)
        for receipt in (first, sent):
            session.acknowledge(receipt)
        assert (session.inbox_cursor, session.inbox_reach) == (10, 30)
        again = restarted(session)
        assert (again.inbox_reach, again.sent_reach) == (10, 0)

    def test_it_follows_acknowledgements(self) -> None:
        session = ClientSession()
        receipt = shown(session, 100)
        assert session.inbox_cursor == 0
        assert session.open_count() == 1
        assert session.acknowledge(receipt) is None
        assert session.inbox_cursor == 100
        assert session.open_count() == 0

    def test_a_message_moves_it_unless_somebody_objects(self) -> None:
        session = ClientSession()
        message = received(down(100), user_id="u1", connected_at=TimeMs(0))
        receipt = session.take(message)
        assert receipt is not None
        session.acknowledge(receipt)
        assert session.inbox_cursor == 100

    def test_it_never_passes_a_message_that_is_open(self) -> None:
        """Acknowledged in any order, passed in theirs."""
        session = ClientSession()
        first, second, third = (shown(session, time) for time in (100, 200, 300))
        session.acknowledge(third)
        session.acknowledge(second)
        assert session.inbox_cursor == 0
        assert session.ahead_count == 3
        session.acknowledge(first)
        assert session.inbox_cursor == 300
        assert session.ahead_count == 0

    @given(order=st.permutations(range(6)))
    def test_in_whatever_order_messages_are_acknowledged(self, order: list[int]) -> None:
        session = ClientSession()
        receipts = [shown(session, time) for time in range(1, 7)]
        open_times = set(range(1, 7))
        for index in order:
            session.acknowledge(receipts[index])
            open_times.discard(index + 1)
            assert session.inbox_cursor == min(open_times, default=7) - 1

    def test_the_end_of_a_page_moves_it_to_the_synctime(self) -> None:
        """Once all of the page is acknowledged (session 8.4)."""
        session = ClientSession()
        receipt = shown(session, 100)
        session.end_page(TimeMs(150))
        assert session.inbox_cursor == 0
        session.acknowledge(receipt)
        assert session.inbox_cursor == 150

    def test_it_never_goes_back(self) -> None:
        """Session 8.4: syncTime of the reply, never backwards."""
        session = ClientSession()
        session.end_page(TimeMs(150))
        session.end_page(TimeMs(100))
        session.acknowledge(shown(session, 120))
        assert session.inbox_cursor == 150

    def test_a_message_ahead_of_a_pull_does_not_move_it(self) -> None:
        """Session 15, rule 8: not past a pull that is outstanding."""
        session = ClientSession()
        session.acknowledge(shown(session, 200, moves_cursor=False))
        assert session.inbox_cursor == 0
        assert take(session, 100) is not None
        assert take(session, 200) is None

    def test_own_messages_move_the_send_cursor(self) -> None:
        """The largest time of the direction-1 items (session 8.4)."""
        session = ClientSession()
        session.acknowledge(shown(session, 100, direction=SENT))
        assert (session.inbox_cursor, session.sent_cursor) == (0, 100)
        session.acknowledge(shown(session, 200, direction=SENT, moves_cursor=False))
        assert (session.inbox_cursor, session.sent_cursor) == (0, 100)

    def test_a_receipt_is_good_once(self) -> None:
        session = ClientSession()
        receipt = shown(session, 100)
        session.acknowledge(receipt)
        with pytest.raises(LocalProtocolError, match=f"receipt {receipt} is not open"):
            session.acknowledge(receipt)
        with pytest.raises(LocalProtocolError, match="receipt 99"):
            session.acknowledge(Receipt(99))


class TestRooms:
    """Each room has its own stream and cursor (session 11)."""

    def test_a_room_has_a_cursor_of_its_own(self) -> None:
        session = ClientSession()
        session.follow_room("r1")
        receipt = shown(session, 100, room_id="r1")
        assert session.open_count("r1") == 1
        assert session.open_count() == 0
        assert session.acknowledge(receipt) == "r1"
        assert session.room_cursor("r1") == 100
        assert session.inbox_cursor == 0

    def test_own_room_messages_move_the_rooms_cursor(self) -> None:
        """The room's stream has them with direction 1 (session 11)."""
        session = ClientSession()
        session.follow_room("r1")
        session.acknowledge(shown(session, 100, direction=SENT, room_id="r1"))
        assert session.room_cursor("r1") == 100
        assert session.sent_cursor == 0

    def test_following_again_keeps_the_cursor(self) -> None:
        """Rejoining continues from the cursor (session 11)."""
        session = ClientSession()
        session.follow_room("r1")
        session.end_page(TimeMs(100), room_id="r1")
        session.follow_room("r1")
        assert session.room_cursor("r1") == 100
        assert session.rooms == ("r1",)

    def test_a_room_that_is_left_is_forgotten(self) -> None:
        session = ClientSession()
        for room_id in ("r1", "r2"):
            session.follow_room(room_id)
        session.end_page(TimeMs(100), room_id="r1")
        session.forget_room("r1")
        session.forget_room("r1")
        assert session.rooms == ("r2",)
        session.follow_room("r1")
        assert session.room_cursor("r1") == 0

    def test_open_messages_of_a_room_that_was_left_can_be_acknowledged(self) -> None:
        session = ClientSession()
        session.follow_room("r1")
        receipt = shown(session, 100, room_id="r1")
        session.forget_room("r1")
        session.acknowledge(receipt)
        assert session.is_known(MessageUid("m100"))

    def test_the_number_of_rooms_is_limited(self) -> None:
        session = ClientSession(limits=Limits(rooms=2))
        session.follow_room("r1")
        session.follow_room("r2")
        session.follow_room("r2")
        with pytest.raises(LocalProtocolError, match="2 rooms"):
            session.follow_room("r3")
        assert session.rooms == ("r1", "r2")


class TestRepeats:
    """A message is shown once, however often it comes (session 8.7)."""

    def test_while_it_is_open(self) -> None:
        session = ClientSession()
        receipt = shown(session, 100)
        assert take(session, 100) is None
        assert session.open_count() == 1
        session.acknowledge(receipt)
        assert session.inbox_cursor == 100

    def test_after_it_was_acknowledged(self) -> None:
        session = ClientSession()
        session.acknowledge(shown(session, 100))
        assert take(session, 100) is None

    def test_across_streams(self) -> None:
        """For example a room message pushed by s_msg, then pulled (session 11)."""
        session = ClientSession()
        session.follow_room("r1")
        shown(session, 100, moves_cursor=False)
        assert take(session, 100, room_id="r1") is None
        assert session.room_cursor("r1") == 100

    def test_a_repeat_moves_the_cursor_as_its_first_copy_would(self) -> None:
        """The pull that follows a push may go on from there."""
        session = ClientSession()
        session.acknowledge(shown(session, 100, moves_cursor=False))
        assert take(session, 100) is None
        assert session.inbox_cursor == 100
        session.acknowledge(shown(session, 200, direction=SENT, moves_cursor=False))
        assert take(session, 200, direction=SENT) is None
        assert session.sent_cursor == 200

    def test_a_repeat_that_may_not_move_the_cursor_leaves_no_trace(self) -> None:
        session = ClientSession()
        session.acknowledge(shown(session, 100))
        assert take(session, 100, moves_cursor=False) is None
        assert session.ahead_count == 0

    def test_a_repeat_does_not_pass_an_open_message(self) -> None:
        session = ClientSession()
        receipt = shown(session, 100, moves_cursor=False)
        assert take(session, 100) is None
        assert session.inbox_cursor == 0
        session.acknowledge(receipt)
        assert session.inbox_cursor == 100

    def test_what_this_device_sent_is_no_news(self) -> None:
        """Recognised by the uid of its PUBACK (session 8.7)."""
        session = ClientSession()
        session.remember(MessageUid("m100"))
        assert take(session, 100, direction=SENT) is None
        assert session.sent_cursor == 100

    def test_messages_without_a_uid_are_all_shown(self) -> None:
        session = ClientSession()
        assert take(session, 100, None) is not None
        assert take(session, 100, None) is not None
        assert not session.is_known(None)

    def test_the_window_is_limited_and_forgets_the_oldest(self) -> None:
        session = ClientSession(limits=Limits(duplicate_window=2))
        for uid in ("a", "b", "c"):
            session.remember(MessageUid(uid))
        assert [session.is_known(MessageUid(uid)) for uid in "abc"] == [False, True, True]

    def test_what_was_passed_is_known_as_long_as_it_is_in_the_window(self) -> None:
        session = ClientSession(limits=Limits(duplicate_window=1))
        for time in (100, 200):
            session.acknowledge(shown(session, time))
        assert session.is_known(MessageUid("m200"))
        assert not session.is_known(MessageUid("m100"))

    def test_what_is_not_passed_is_known_however_small_the_window(self) -> None:
        session = ClientSession(limits=Limits(duplicate_window=1))
        for time in (100, 200, 300):
            shown(session, time)
        assert [take(session, time) for time in (100, 200, 300)] == [None] * 3


class TestOutbox:
    """Messages with a unique id wait until they are answered (architecture 2, rule 7)."""

    def test_it_keeps_messages_in_order(self) -> None:
        session = ClientSession()
        for unique_id in (7, 3):
            session.require_outbox_place(unique_id)
            session.keep(outgoing(unique_id), unique_id)
        assert list(session.outbox) == [7, 3]
        session.settle(7)
        session.settle(99)
        assert session.outbox == {3: outgoing(3)}

    def test_what_is_handed_out_is_a_copy(self) -> None:
        session = ClientSession()
        session.keep(outgoing(7), 7)
        handed_out = session.outbox
        session.settle(7)
        assert list(handed_out) == [7]

    def test_a_unique_id_can_wait_once(self) -> None:
        session = ClientSession()
        session.keep(outgoing(7), 7)
        with pytest.raises(LocalProtocolError, match="unique_id 7"):
            session.require_outbox_place(7)

    def test_it_is_limited(self) -> None:
        session = ClientSession(limits=Limits(outbox_messages=1))
        session.keep(outgoing(7), 7)
        with pytest.raises(WindowFull, match="1 messages"):
            session.require_outbox_place(8)


class TestState:
    """The saved form is plain data, and nothing acknowledged is lost in it."""

    @staticmethod
    def rich() -> ClientSession:
        session = ClientSession()
        session.user_id = "u1"
        session.acknowledge(shown(session, 100))
        session.acknowledge(shown(session, 90, direction=SENT))
        session.follow_room("r1")
        session.acknowledge(shown(session, 80, room_id="r1"))
        session.keep(outgoing(7, target="\ud83d"), 7)
        session.keep(
            Outgoing(topic=Topic.PP_MSG_S, target_id="u3", data=b"", qos=Qos.AT_MOST_ONCE), 8
        )
        return session

    def test_a_new_session_reads_back(self) -> None:
        state = ClientSession().to_state()
        assert ClientSession.from_state(state).to_state() == state

    def test_everything_survives_json(self) -> None:
        session = self.rich()
        again = restarted(session)
        assert again.to_state() == session.to_state()
        assert again.user_id == "u1"
        assert (again.inbox_cursor, again.sent_cursor) == (100, 90)
        assert again.rooms == ("r1",)
        assert again.room_cursor("r1") == 80
        assert again.outbox[7] == outgoing(7, target="\ud83d")
        assert again.is_known(MessageUid("m100"))

    def test_exactly_the_open_messages_come_again_after_a_crash(self) -> None:
        """A crash repeats a message rather than losing one."""
        session = ClientSession()
        receipts = {time: shown(session, time) for time in range(100, 600, 100)}
        for time in (100, 300, 500):
            session.acknowledge(receipts[time])
        again = restarted(session)
        assert again.inbox_cursor == 100
        redelivered = [time for time in range(200, 600, 100) if take(again, time) is not None]
        assert redelivered == [200, 400]

    def test_the_same_holds_for_rooms(self) -> None:
        session = ClientSession()
        session.follow_room("r1")
        shown(session, 100, room_id="r1")
        session.acknowledge(shown(session, 200, room_id="r1"))
        again = restarted(session)
        assert again.room_cursor("r1") == 0
        assert take(again, 100, room_id="r1") is not None
        assert take(again, 200, room_id="r1") is None

    def test_messages_without_a_uid_and_ends_of_pages_are_not_in_it(self) -> None:
        session = ClientSession()
        shown(session, 100)
        session.acknowledge(shown(session, 200, None))
        session.end_page(TimeMs(300))
        assert session.to_state()["recent"] == []

    @pytest.mark.parametrize("version", [None, 0, 2, "1"])
    def test_another_version_is_refused(self, version: object) -> None:
        state = {**ClientSession().to_state(), "version": version}
        with pytest.raises(LocalProtocolError, match="version"):
            ClientSession.from_state(state)

    @pytest.mark.parametrize("member", ["user_id", "inbox", "sent", "rooms", "recent", "outbox"])
    def test_a_missing_member_is_named(self, member: str) -> None:
        state = ClientSession().to_state()
        del state[member]
        with pytest.raises(LocalProtocolError, match=member):
            ClientSession.from_state(state)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("user_id", 7),
            ("inbox", -1),
            ("inbox", "100"),
            ("inbox", True),
            ("sent", 1.0),
            ("rooms", ["r1"]),
            ("rooms", {"r1": None}),
            ("recent", 7),
            ("outbox", [{}]),
            ("outbox", [{"unique_id": 1, "topic": "?", "target_id": "", "qos": 0, "data": ""}]),
            (
                "outbox",
                [{"unique_id": 1, "topic": "ppMsgP", "target_id": "", "qos": 9, "data": ""}],
            ),
            (
                "outbox",
                [{"unique_id": 1, "topic": "ppMsgP", "target_id": "", "qos": 0, "data": "x"}],
            ),
        ],
    )
    def test_a_damaged_member_is_named(self, member: str, value: object) -> None:
        state = {**ClientSession().to_state(), member: value}
        with pytest.raises(LocalProtocolError, match=member):
            ClientSession.from_state(state)

    def test_limits_hold_for_what_is_read(self) -> None:
        session = ClientSession()
        for room_id in ("r1", "r2"):
            session.follow_room(room_id)
        for uid in ("a", "b", "c"):
            session.remember(MessageUid(uid))
        again = restarted(session, duplicate_window=2, rooms=2)
        assert again.to_state()["recent"] == ["b", "c"]
        with pytest.raises(LocalProtocolError, match="1 rooms"):
            restarted(session, rooms=1)
