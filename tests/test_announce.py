"""What a client was told and what it has: coalescing of notifications (session 8.5, 8.6)."""

from __future__ import annotations

import pytest

from improto._announce import Announcements, StreamTable
from improto.errors import LocalProtocolError
from improto.events import PullReceived
from improto.frames import MessageId, TimeMs


def told(stream: Announcements, time: int) -> bool:
    """A message with this time appears; True if the client is told at once."""
    if stream.should_announce(time):
        stream.told(max(stream.newest, time))
        return True
    stream.note(time)
    return False


def pulled(
    stream: Announcements, time: int, *, is_finished: bool = True, again: bool = True
) -> None:
    """The client pulls and gets everything up to ``time``."""
    stream.pull_received()
    stream.pull_answered(time, is_finished=is_finished, pulls_again=again)


class TestAnnouncements:
    """One stream."""

    def test_a_burst_costs_one_notification(self) -> None:
        """Session 8.6: several may be merged into one."""
        stream = Announcements()
        assert [told(stream, time) for time in range(1, 201)].count(True) == 1
        assert stream.announced == 1
        assert stream.newest == 200

    def test_nothing_is_told_while_a_pull_is_answered(self) -> None:
        """Session 8.6: the merged one is sent after the reply."""
        stream = Announcements()
        stream.pull_received()
        assert not told(stream, 100)
        assert not stream.is_waiting

    def test_after_a_reply_that_did_not_cover_it_the_rest_is_told(self) -> None:
        """Session 8.6: if its time is above the reply's syncTime."""
        stream = Announcements()
        stream.pull_received()
        told(stream, 100)
        stream.pull_answered(99, is_finished=True, pulls_again=True)
        assert stream.should_announce(stream.newest)

    def test_after_a_reply_that_covered_it_nothing_is_told(self) -> None:
        """Session 8.6."""
        stream = Announcements()
        stream.pull_received()
        told(stream, 100)
        stream.pull_answered(100, is_finished=True, pulls_again=True)
        assert not stream.should_announce(stream.newest)

    def test_a_message_the_client_has_is_not_announced(self) -> None:
        """Interop 7, rule 9."""
        stream = Announcements()
        pulled(stream, 100)
        assert not told(stream, 100)
        assert told(stream, 101)

    def test_a_client_that_pulls_again_by_itself_is_not_told_after_a_cut_page(self) -> None:
        """Session 8.4: newer SDKs pull again at once."""
        stream = Announcements()
        told(stream, 200)
        pulled(stream, 100, is_finished=False)
        assert not told(stream, 300)
        assert stream.is_waiting
        pulled(stream, 200)
        assert stream.should_announce(stream.newest)

    def test_nor_is_it_told_for_the_first_time(self) -> None:
        """It is coming back anyway."""
        stream = Announcements()
        stream.pull_received()
        told(stream, 200)
        stream.pull_answered(100, is_finished=False, pulls_again=True)
        assert not stream.should_announce(stream.newest)

    def test_if_its_next_pull_is_refused_it_is_told(self) -> None:
        """A pull answered with an error is not repeated (interop 7, rule 8)."""
        stream = Announcements()
        stream.pull_received()
        told(stream, 200)
        stream.pull_answered(100, is_finished=False, pulls_again=True)
        stream.pull_received()
        stream.pull_refused()
        assert stream.should_announce(stream.newest)

    def test_what_was_announced_counts_until_the_last_page(self) -> None:
        """The syncTime of the last page may not be below it (session 8.3, rule 3)."""
        stream = Announcements()
        told(stream, 200)
        pulled(stream, 100, is_finished=False)
        assert stream.announced == 200

    def test_a_client_that_does_not_is_told_again_after_a_cut_page(self) -> None:
        """Session 8.4: SDK 2.5.3 waits for another notification."""
        stream = Announcements()
        told(stream, 200)
        pulled(stream, 100, is_finished=False, again=False)
        assert stream.should_announce(stream.newest)

    def test_a_push_needs_a_finished_pull_first(self) -> None:
        """Session 8.5; all clients drop a push before (interop 7, rule 6)."""
        stream = Announcements()
        assert not stream.is_up_to_date
        stream.pull_received()
        assert not stream.is_up_to_date
        stream.pull_answered(100, is_finished=False, pulls_again=True)
        assert not stream.is_up_to_date
        pulled(stream, 200)
        assert stream.is_up_to_date

    def test_a_push_is_not_possible_with_something_older_waiting(self) -> None:
        """Session 8.5: it would be lost."""
        stream = Announcements()
        pulled(stream, 100)
        told(stream, 101)
        assert not stream.is_up_to_date

    def test_a_push_is_not_possible_while_a_pull_is_answered(self) -> None:
        """Interop 7, rule 5."""
        stream = Announcements()
        pulled(stream, 100)
        stream.pull_received()
        assert not stream.is_up_to_date

    def test_a_push_moves_the_client(self) -> None:
        """Session 8.5."""
        stream = Announcements()
        pulled(stream, 100)
        stream.pushed(150)
        assert stream.is_up_to_date
        assert stream.position == 150
        stream.pushed(120)
        assert stream.position == 150

    def test_a_refused_pull_leaves_all_as_it_was(self) -> None:
        stream = Announcements()
        told(stream, 100)
        stream.pull_received()
        stream.pull_refused()
        assert stream.is_waiting
        assert not stream.is_up_to_date

    def test_a_stream_is_blank_until_something_is_known(self) -> None:
        stream = Announcements()
        assert stream.is_blank
        stream.pull_received()
        assert not stream.is_blank
        stream.pull_refused()
        assert stream.is_blank
        stream.note(1)
        assert not stream.is_blank
        answered = Announcements()
        pulled(answered, 1)
        assert not answered.is_blank


def pull(message_id: int, room_id: str | None = None, *, since: int = 0) -> PullReceived:
    return PullReceived(message_id=MessageId(message_id), sync_time=TimeMs(since), room_id=room_id)


class TestStreamTable:
    """All streams of one client."""

    def test_rooms_and_inbox_are_streams_of_their_own(self) -> None:
        """Session 11."""
        table = StreamTable()
        assert table[None] is table.inbox
        table["r1"].note(100)
        assert table["r1"].newest == 100
        assert table["r2"].newest == table.inbox.newest == 0
        assert [room_id for room_id, _ in table.waiting()] == ["r1"]

    def test_looking_for_a_room_does_not_make_one(self) -> None:
        table = StreamTable()
        assert table.get("r1") is None
        assert table["r1"] is table.get("r1")

    def test_a_pull_waits_until_it_is_answered(self) -> None:
        table = StreamTable()
        table.pull_received(pull(1, since=50))
        assert table.has_pull(MessageId(1))
        assert table.require_pull(MessageId(1)).asked_from == 50
        assert table.take_pull(MessageId(1)).stream is table.inbox
        assert not table.has_pull(MessageId(1))
        with pytest.raises(LocalProtocolError, match="no pull with id 1"):
            table.require_pull(MessageId(1))

    def test_a_forgotten_room_is_forgotten_even_with_a_pull_waiting(self) -> None:
        """Nobody may be told about a room that was left; the pull can still be answered."""
        table = StreamTable()
        table["r1"].note(100)
        table.pull_received(pull(1, "r1"))
        table.forget("r1")
        assert table.get("r1") is None
        table.take_pull(MessageId(1)).stream.pull_answered(
            TimeMs(50), is_finished=True, pulls_again=True
        )
        assert list(table.waiting()) == []

    def test_forgetting_an_unknown_room_is_harmless(self) -> None:
        StreamTable().forget("r1")

    def test_of_rooms_that_a_client_invents_nothing_is_kept(self) -> None:
        """Session 11: SDK 2.5.3 pulls for rooms it never joined, and is refused."""
        table = StreamTable()
        table.pull_received(pull(1, "r1"))
        table.refuse_pull(MessageId(1))
        assert table.get("r1") is None

    def test_a_room_with_messages_survives_a_refused_pull(self) -> None:
        """For example a pull refused because the server was busy."""
        table = StreamTable()
        table["r1"].note(100)
        table.pull_received(pull(1, "r1"))
        table.refuse_pull(MessageId(1))
        assert [room_id for room_id, _ in table.waiting()] == ["r1"]

    def test_the_inbox_survives_a_refused_pull(self) -> None:
        table = StreamTable()
        table.pull_received(pull(1))
        table.refuse_pull(MessageId(1))
        assert table.get(None) is table.inbox
