"""What notifications, pages, pushes and copies mean for a session (session 8, 9.3, 11)."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

import pytest

from improto import payloads
from improto._streams import Streams
from improto.codes import ConversationType
from improto.config import Limits
from improto.errors import LocalProtocolError
from improto.events import (
    CaughtUp,
    ClientEvent,
    FrameDropped,
    MessageReceived,
    PullFailed,
)
from improto.frames import Delivery, MessageId, TimeMs
from improto.messages import Conversation, MessageDirection
from improto.operations import Topic
from improto.session import ClientSession
from tests.helpers import delivery, down, only, page, puback, queryack, up

T = TypeVar("T")


class Rig:
    """Streams without a connection; pulls are sent and answered by the test."""

    def __init__(self, **limits: int) -> None:
        self.limits = Limits(**limits)
        self.session = ClientSession(limits=self.limits)
        self.events: deque[ClientEvent] = deque()
        self.streams = Streams(self.session, limits=self.limits, events=self.events)
        self.streams.user_id = "u1"
        self.streams.connected_at = TimeMs(1000)

    def pull(self, room_id: str | None = None) -> Any:
        """Send the pull that is due, and read its payload."""
        request = self.streams.due(room_id)
        assert request is not None
        self.streams.sent(room_id)
        kind = payloads.SyncRequestMsg if room_id is None else payloads.ChrmPullMsg
        return payloads.decode(kind, request.data)

    def is_due(self, room_id: str | None = None) -> bool:
        return self.streams.due(room_id) is not None

    def answer(
        self, *messages: payloads.DownStreamMessage, room_id: str | None = None, **how: Any
    ) -> bool:
        return self.streams.answered(room_id, page(1, *messages, **how))

    def take(self, kind: type[T]) -> list[T]:
        """The events of one type; all are removed."""
        events = only(self.events, kind)
        self.events.clear()
        return events

    def acknowledge_all(self) -> list[MessageReceived]:
        messages = self.take(MessageReceived)
        for message in messages:
            self.session.acknowledge(message.receipt)
        return messages

    def notify(self, time: int, *, type: int = 1, room_id: str | None = None) -> str | None:
        return self.streams.notified(payloads.NotifyMsg(type=type, time=time, chrmId=room_id))


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def caught_up(rig: Rig) -> Rig:
    """The inbox has been pulled up to 1000 and the program was told."""
    rig.streams.want_inbox()
    rig.pull()
    rig.answer(sync_time=1000)
    rig.is_due()
    rig.events.clear()
    return rig


class TestInboxPull:
    """Requests and pages (session 8.1 to 8.4)."""

    def test_nothing_is_due_unasked(self, rig: Rig) -> None:
        assert not rig.is_due()
        assert not rig.events

    def test_a_pull_has_both_cursors_and_asks_for_own_messages(self, rig: Rig) -> None:
        """Session 8.2, as SDK 4.6.4 asks; its first broadcastSyncTime is 1."""
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(down(100), down(200, direction=1), sync_time=300)
        rig.acknowledge_all()
        rig.streams.want_inbox()
        asked = rig.pull()
        assert (asked.syncTime, asked.sendBoxSyncTime) == (300, 200)
        assert asked.isPullSend
        assert asked.HasField("ispolling")
        assert not asked.ispolling
        assert asked.broadcastSyncTime == 1

    def test_its_target_is_the_user(self, rig: Rig) -> None:
        """Session 8.2."""
        rig.streams.want_inbox()
        request = rig.streams.due(None)
        assert request is not None
        assert (request.topic, request.target_id) == (Topic.PULL_MSG, "u1")

    def test_the_broadcast_time_is_that_of_the_last_reply(self, rig: Rig) -> None:
        """Session 8.2; a reply without one changes nothing."""
        for answered, asked in ((None, 1), (77, 1), (None, 77)):
            rig.streams.want_inbox()
            assert rig.pull().broadcastSyncTime == asked
            rig.answer(sync_time=1, broadcast=answered)

    def test_the_messages_of_a_page_come_in_its_order(self, rig: Rig) -> None:
        rig.streams.want_inbox()
        rig.pull()
        assert rig.answer(down(100), down(200), sync_time=200)
        assert [event.message.time for event in rig.take(MessageReceived)] == [100, 200]

    def test_older_than_the_login_is_offline(self, rig: Rig) -> None:
        """Session 8.7."""
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(down(999), down(1000), sync_time=1000)
        offline = [event.message.is_offline for event in rig.take(MessageReceived)]
        assert offline == [True, False]

    def test_the_next_page_waits_for_the_program(self, rig: Rig) -> None:
        """Flow control: pulled only when all of the last page is acknowledged."""
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(down(100), down(200), sync_time=200, finished=False)
        first, second = rig.take(MessageReceived)
        assert not rig.is_due()
        rig.session.acknowledge(second.receipt)
        assert not rig.is_due()
        rig.session.acknowledge(first.receipt)
        assert rig.pull().syncTime == 200

    def test_a_missing_finished_counts_as_true(self, rig: Rig) -> None:
        """Session 15, rule 4."""
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(sync_time=100, finished=None)
        assert not rig.is_due()

    def test_the_program_is_told_once_when_there_is_nothing_more(self, rig: Rig) -> None:
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(down(100), sync_time=150)
        assert not rig.is_due()
        assert not only(rig.events, CaughtUp)
        rig.acknowledge_all()
        assert not rig.is_due()
        assert not rig.is_due()
        assert rig.take(CaughtUp) == [CaughtUp(room_id=None, cursor=TimeMs(150))]

    def test_a_refused_pull_is_no_page(self, rig: Rig) -> None:
        """The program is told, and not that there is nothing more."""
        rig.streams.want_inbox()
        rig.pull()
        assert not rig.streams.answered(None, queryack(1, status=20604))
        assert not rig.is_due()
        assert list(rig.events) == [PullFailed(room_id=None, status=20604)]

    def test_a_refused_pull_after_a_page_is_no_end_either(self, rig: Rig) -> None:
        rig.streams.want_inbox()
        rig.pull()
        rig.answer(sync_time=100, finished=False)
        rig.pull()
        rig.streams.answered(None, queryack(1, status=20604))
        assert not rig.is_due()
        assert rig.take(CaughtUp) == []

    def test_a_page_that_cannot_be_read_is_dropped_whole(self, rig: Rig) -> None:
        """Wire 7, rule 7: the program hears of both, the frame and the pull."""
        rig.streams.want_inbox()
        rig.pull()
        assert not rig.streams.answered(None, queryack(1, b"\xff"))
        dropped, failed = rig.events
        assert isinstance(dropped, FrameDropped)
        assert failed == PullFailed(room_id=None, status=0)

    def test_a_pull_without_an_answer_is_nobodys_news(self, rig: Rig) -> None:
        """The connection reports time-outs and ends."""
        rig.streams.want_inbox()
        rig.pull()
        rig.streams.failed(None)
        assert not rig.is_due()
        assert not rig.events
        rig.streams.want_inbox()
        assert rig.is_due()


class TestNotifications:
    """``s_ntf`` (session 8.6)."""

    def test_a_newer_time_makes_a_pull_due(self, caught_up: Rig) -> None:
        assert caught_up.notify(1001) is None
        assert caught_up.pull().syncTime == 1000

    def test_an_old_time_does_not(self, caught_up: Rig) -> None:
        caught_up.notify(1000)
        assert not caught_up.is_due()

    def test_any_type_but_2_means_the_inbox(self, caught_up: Rig) -> None:
        """Session 8.6."""
        assert caught_up.notify(1001, type=9, room_id="r1") is None
        assert caught_up.is_due()

    def test_type_2_means_the_room(self, caught_up: Rig) -> None:
        caught_up.streams.follow("r1", 0)
        caught_up.pull("r1")
        caught_up.answer(sync_time=500, room_id="r1")
        assert caught_up.notify(501, type=2, room_id="r1") == "r1"
        assert caught_up.is_due("r1")
        assert not caught_up.is_due()

    def test_a_room_that_is_not_followed_is_for_the_program_to_judge(self, rig: Rig) -> None:
        """Newer SDKs ignore it (session 11)."""
        with pytest.raises(KeyError):
            rig.notify(1001, type=2, room_id="r1")


class TestRooms:
    """Session 11."""

    def test_a_new_room_is_pulled_from_0_with_the_count_of_the_join(self, rig: Rig) -> None:
        rig.streams.follow("r1", 30)
        request = rig.streams.due("r1")
        assert request is not None
        assert (request.topic, request.target_id) == (Topic.CHRM_PULL, "r1")
        asked = rig.pull("r1")
        assert (asked.syncTime, asked.count) == (0, 30)
        assert rig.streams.rooms == ("r1",)

    def test_later_pulls_go_on_from_the_cursor_with_count_10(self, rig: Rig) -> None:
        rig.streams.follow("r1", -1)
        assert rig.pull("r1").count == -1
        rig.answer(sync_time=500, room_id="r1")
        rig.notify(501, type=2, room_id="r1")
        asked = rig.pull("r1")
        assert (asked.syncTime, asked.count) == (500, 10)

    def test_following_again_pulls_from_the_cursor_with_the_new_count(self, rig: Rig) -> None:
        """Rejoining: cursor and count together."""
        rig.streams.follow("r1", 10)
        rig.pull("r1")
        rig.answer(sync_time=500, room_id="r1")
        rig.streams.follow("r1", 20)
        asked = rig.pull("r1")
        assert (asked.syncTime, asked.count) == (500, 20)

    def test_a_cut_page_is_followed_by_the_next_pull(self, rig: Rig) -> None:
        rig.streams.follow("r1", 10)
        rig.pull("r1")
        rig.answer(sync_time=500, finished=False, room_id="r1")
        assert rig.is_due("r1")

    def test_each_stream_has_its_own_flow_control(self, rig: Rig) -> None:
        rig.streams.follow("r1", 10)
        rig.pull("r1")
        rig.answer(down(100), sync_time=100, finished=False, room_id="r1")
        rig.streams.want_inbox()
        assert not rig.is_due("r1")
        assert rig.is_due()

    def test_the_end_is_told_for_each_room(self, rig: Rig) -> None:
        rig.streams.follow("r1", 10)
        rig.pull("r1")
        rig.answer(down(100), sync_time=100, room_id="r1")
        rig.acknowledge_all()
        rig.is_due("r1")
        assert rig.take(CaughtUp) == [CaughtUp(room_id="r1", cursor=TimeMs(100))]

    def test_a_room_that_was_left_is_silent(self, rig: Rig) -> None:
        """Whatever was under way for it comes to nothing."""
        rig.streams.follow("r1", 10)
        rig.pull("r1")
        rig.streams.forget("r1")
        assert rig.streams.rooms == rig.session.rooms == ()
        assert rig.answer(down(100), sync_time=100, room_id="r1")
        rig.streams.failed("r1", status=1)
        rig.streams.sent("r1")
        assert not rig.is_due("r1")
        assert not rig.events

    def test_a_room_too_many_is_refused_and_changes_nothing(self) -> None:
        rig = Rig(rooms=1)
        rig.streams.follow("r1", 10)
        with pytest.raises(LocalProtocolError):
            rig.streams.follow("r2", 10)
        assert rig.streams.rooms == ("r1",)


class TestPushes:
    """``s_msg`` (session 8.5)."""

    def test_a_push_is_shown_and_moves_the_cursor(self, caught_up: Rig) -> None:
        caught_up.streams.pushed(down(1001))
        assert len(caught_up.acknowledge_all()) == 1
        assert caught_up.session.inbox_cursor == 1001

    def test_a_push_before_the_first_pull_is_shown_but_moves_nothing(self, rig: Rig) -> None:
        """Session 15, rule 8."""
        rig.streams.want_inbox()
        rig.streams.pushed(down(1001))
        assert len(rig.acknowledge_all()) == 1
        assert rig.session.inbox_cursor == 0

    def test_a_push_during_a_pull_is_shown_once(self, caught_up: Rig) -> None:
        """Session 15, rule 8: older messages may be on their way."""
        caught_up.notify(1002)
        caught_up.pull()
        caught_up.streams.pushed(down(1002))
        assert len(caught_up.acknowledge_all()) == 1
        assert caught_up.session.inbox_cursor == 1000
        caught_up.answer(down(1001), down(1002), sync_time=1002)
        assert [event.message.time for event in caught_up.acknowledge_all()] == [1001]
        assert caught_up.session.inbox_cursor == 1002

    def test_a_pushed_room_message_is_shown_but_no_part_of_the_inbox(self, caught_up: Rig) -> None:
        """Rooms have clocks of their own (session 11)."""
        room = ConversationType.CHATROOM
        caught_up.streams.pushed(down(9999, type=room, group="r1"))
        assert len(caught_up.acknowledge_all()) == 1
        assert caught_up.session.inbox_cursor == 1000

    def test_pushes_for_a_program_far_behind_wait_on_the_server(self) -> None:
        """Limits.events_queued: the next pull brings them again."""
        rig = Rig(events_queued=2)
        for time in (1001, 1002, 1003):
            rig.streams.pushed(down(time))
        assert [event.message.time for event in rig.acknowledge_all()] == [1001, 1002]
        assert rig.is_due()

    def test_a_program_that_leaves_one_message_open_does_not_fill_the_memory(self) -> None:
        """However many later ones it acknowledges."""
        rig = Rig(events_queued=3)
        rig.streams.pushed(down(1001))
        rig.take(MessageReceived)
        for time in range(1002, 1100):
            rig.streams.pushed(down(time))
            rig.acknowledge_all()
        assert rig.session.ahead_count == 3


class TestCopies:
    """Copies of own messages from other devices (session 9.3)."""

    @staticmethod
    def copy(message_id: int, topic: str = Topic.PP_MSG_P, data: bytes | None = None) -> Delivery:
        data = up() if data is None else data
        return delivery(topic, data, message_id=message_id, target="u2", is_sync=True)

    def test_a_copy_is_shown_when_its_puback_comes(self, caught_up: Rig) -> None:
        caught_up.streams.hold(self.copy(65535), now=0.0)
        assert not caught_up.events
        assert caught_up.streams.complete(puback(65535, uid="m1", time=1001))
        [event] = caught_up.acknowledge_all()
        assert event.message.conversation == Conversation.private("u2")
        assert event.message.direction is MessageDirection.SENT
        assert (event.message.sender_id, event.message.uid) == ("u1", "m1")
        assert event.message.time == 1001

    def test_a_copy_moves_no_cursor(self, caught_up: Rig) -> None:
        """It stays obtainable by pullMsg, and is not shown again then."""
        caught_up.streams.hold(self.copy(65535), now=0.0)
        caught_up.streams.complete(puback(65535, uid="m1001", time=1001))
        caught_up.acknowledge_all()
        assert caught_up.session.sent_cursor == 0
        caught_up.streams.want_inbox()
        caught_up.pull()
        caught_up.answer(down(1001, direction=1), sync_time=1001)
        assert caught_up.acknowledge_all() == []
        assert caught_up.session.sent_cursor == 1001

    def test_a_puback_for_no_copy_completes_none(self, rig: Rig) -> None:
        rig.streams.hold(self.copy(65535), now=0.0)
        assert not rig.streams.complete(puback(1))
        assert list(rig.streams.copies) == [65535]

    @pytest.mark.parametrize("topic", ["nonsense", Topic.S_NTF, Topic.PULL_MSG])
    def test_a_copy_of_what_is_no_message_is_dropped(self, rig: Rig, topic: str) -> None:
        rig.streams.hold(self.copy(65535, topic), now=0.0)
        assert rig.streams.complete(puback(65535))
        [dropped] = rig.take(FrameDropped)
        assert "no topic to copy" in str(dropped.error)

    def test_a_copy_that_cannot_be_read_is_dropped(self, rig: Rig) -> None:
        rig.streams.hold(self.copy(65535, data=b"\xff"), now=0.0)
        assert rig.streams.complete(puback(65535))
        assert len(rig.take(FrameDropped)) == 1

    def test_the_number_of_held_copies_is_limited(self) -> None:
        """Session 15, rule 6: 64; the oldest gives way."""
        rig = Rig(sync_frames_held=2)
        for message_id in (65535, 65534, 65533):
            rig.streams.hold(self.copy(message_id), now=0.0)
        assert list(rig.streams.copies) == [65534, 65533]
        assert len(rig.take(FrameDropped)) == 1

    def test_a_copy_under_the_same_id_replaces_the_first(self) -> None:
        """And waits from its own time on, behind the others."""
        rig = Rig(sync_frames_held=2)
        rig.streams.hold(self.copy(65535), now=1.0)
        rig.streams.hold(self.copy(65534), now=2.0)
        rig.streams.hold(self.copy(65535, Topic.PG_MSG_P), now=3.0)
        assert len(rig.take(FrameDropped)) == 1
        assert rig.streams.oldest_copy == 2.0
        assert rig.streams.copies[MessageId(65535)].topic == Topic.PG_MSG_P

    def test_a_copy_is_not_held_for_ever(self, rig: Rig) -> None:
        """Session 15, rule 6: 30 s."""
        assert rig.streams.oldest_copy is None
        for message_id, now in ((65535, 0.1), (65534, 5.0)):
            rig.streams.hold(self.copy(message_id), now=now)
        rig.streams.drop_late_copies(30.0, now=30.0)
        assert rig.streams.oldest_copy == 0.1
        rig.streams.drop_late_copies(30.0, now=0.1 + 30.0)
        assert rig.streams.oldest_copy == 5.0
        rig.streams.drop_late_copies(30.0, now=100.0)
        assert rig.streams.oldest_copy is None
        assert len(rig.take(FrameDropped)) == 2

    def test_copies_for_a_program_far_behind_wait_on_the_server(self) -> None:
        """Limits.events_queued; they are obtainable by pullMsg."""
        rig = Rig(events_queued=1)
        for message_id in (65535, 65534):
            rig.streams.hold(self.copy(message_id), now=0.0)
            assert rig.streams.complete(puback(message_id, uid=f"m{message_id}"))
        assert len(rig.acknowledge_all()) == 1
        assert rig.is_due()


class TestHints:
    """Events that may be missed do not fill the memory (Limits.events_queued)."""

    def test_a_program_far_behind_is_spared_hints(self) -> None:
        rig = Rig(events_queued=2)
        for status in (1, 2, 3):
            rig.streams.hint(PullFailed(room_id=None, status=status))
        assert [event.status for event in rig.take(PullFailed)] == [1, 2]

    def test_that_there_is_nothing_more_is_told_later(self) -> None:
        """A program may wait for it, so it is put off and not dropped."""
        rig = Rig(events_queued=1)
        rig.streams.want_inbox()
        rig.pull()
        rig.streams.hint(PullFailed(room_id="x", status=1))
        rig.answer(sync_time=100)
        assert not rig.is_due()
        assert rig.take(CaughtUp) == []
        assert not rig.is_due()
        assert len(rig.take(CaughtUp)) == 1
