"""Ids of requests on their way, in both directions (session 6)."""

from __future__ import annotations

import pytest

from improto._inflight import (
    FIRST_SYNC_ID,
    LAST_ID,
    Asked,
    HeldCopy,
    OwnRequests,
    PeerRequests,
    Waiting,
)
from improto.config import LARGEST_WINDOW
from improto.errors import LocalProtocolError, WindowFull
from improto.frames import MessageId, Qos


def send(requests: OwnRequests, asked: Asked = Asked.PUBLISH, *, at: float = 0.0) -> MessageId:
    """A request leaves."""
    message_id = requests.next_id()
    requests.add(message_id, Waiting(asked=asked, sent_at=at))
    return message_id


class TestOwnRequests:
    """A client's window."""

    def test_ids_count_from_1(self) -> None:
        requests = OwnRequests(10)
        assert [send(requests) for _ in range(3)] == [1, 2, 3]
        assert len(requests) == 3
        assert MessageId(3) in requests
        assert MessageId(4) not in requests

    def test_ids_go_up_to_65535_and_start_over_at_1(self) -> None:
        """Ids have 16 bits, and 0 is not one of them (session 6)."""
        requests = OwnRequests(10)
        requests.start_after(MessageId(LAST_ID - 1))
        assert [send(requests) for _ in range(3)] == [LAST_ID, 1, 2]

    def test_ids_continue_from_where_connack_says(self) -> None:
        """CONNACK version 4 sets the counter (wire 4.2)."""
        requests = OwnRequests(10)
        requests.start_after(MessageId(1000))
        assert send(requests) == 1001

    def test_an_answered_id_is_not_given_again_before_all_others(self) -> None:
        """A late second answer would complete another request (session 7)."""
        requests = OwnRequests(10)
        message_id = send(requests)
        requests.take(message_id, Asked.PUBLISH)
        assert send(requests) == 2

    def test_an_id_in_flight_is_not_given_again(self) -> None:
        requests = OwnRequests(10)
        assert [send(requests) for _ in range(2)] == [1, 2]
        requests.start_after(MessageId(LAST_ID))
        assert send(requests) == 3

    def test_an_id_to_be_avoided_is_not_given(self) -> None:
        """A held copy waits for a PUBACK with its id (session 9.3)."""
        requests = OwnRequests(10)
        assert requests.next_id(avoid={MessageId(1), MessageId(2)}) == 3

    def test_looking_at_the_next_id_does_not_take_it(self) -> None:
        requests = OwnRequests(10)
        assert requests.next_id() == requests.next_id() == 1

    def test_a_full_window_says_so_and_names_its_size(self) -> None:
        requests = OwnRequests(2)
        send(requests)
        assert not requests.is_full
        send(requests)
        assert requests.is_full
        with pytest.raises(WindowFull, match="2 requests"):
            requests.next_id()

    def test_an_answer_completes_only_what_asked_for_it(self) -> None:
        """PUBACK only for PUBLISH, QUERYACK only for QUERY (session 15, rule 6)."""
        requests = OwnRequests(10)
        publish = send(requests, Asked.PUBLISH)
        query = send(requests, Asked.QUERY)
        assert requests.take(publish, Asked.QUERY, Asked.PULL) is None
        assert requests.take(query, Asked.PUBLISH) is None
        assert requests.take(query, Asked.QUERY, Asked.PULL) is not None
        assert requests.take(publish, Asked.PUBLISH) is not None
        assert len(requests) == 0

    def test_an_unknown_or_repeated_answer_completes_nothing(self) -> None:
        """Ids that are not known are ignored (session 15, rule 6)."""
        requests = OwnRequests(10)
        message_id = send(requests)
        assert requests.take(MessageId(7), Asked.PUBLISH) is None
        assert requests.take(message_id, Asked.PUBLISH) is not None
        assert requests.take(message_id, Asked.PUBLISH) is None

    def test_the_oldest_is_the_one_to_time_out_first(self) -> None:
        requests = OwnRequests(10)
        assert requests.oldest is None
        first = send(requests, at=1.5)
        send(requests, at=2.5)
        assert requests.oldest == 1.5
        requests.take(first, Asked.PUBLISH)
        assert requests.oldest == 2.5

    def test_late_requests_are_those_sent_long_enough_ago(self) -> None:
        """30 s, and the last instant counts (session 7)."""
        requests = OwnRequests(10)
        ids = [send(requests, at=at) for at in (0.0, 0.1, 0.2)]
        assert requests.take_late(30.0, now=29.9) == []
        late = requests.take_late(30.0, now=0.1 + 30.0)
        assert [message_id for message_id, _ in late] == ids[:2]
        assert len(requests) == 1

    def test_everything_can_be_taken_at_the_end(self) -> None:
        requests = OwnRequests(10)
        ids = [send(requests) for _ in range(3)]
        assert [message_id for message_id, _ in requests.take_all()] == ids
        assert requests.take_all() == []


class TestPeerRequests:
    """What a server owes a client."""

    def test_a_publish_waits_until_it_is_answered(self) -> None:
        requests = PeerRequests(10)
        requests.add_publish(MessageId(5))
        requests.require_publish(MessageId(5))
        requests.answer_publish(MessageId(5))
        with pytest.raises(LocalProtocolError, match="no PUBLISH with id 5"):
            requests.require_publish(MessageId(5))

    def test_one_id_may_wait_several_times(self) -> None:
        """SDK 2.9.2 sends all status messages with id 0 (session 6)."""
        requests = PeerRequests(10)
        for _ in range(3):
            requests.add_publish(MessageId(0))
        assert requests.count == 3
        for _ in range(3):
            requests.require_publish(MessageId(0))
            requests.answer_publish(MessageId(0))
        assert requests.count == 0
        with pytest.raises(LocalProtocolError):
            requests.require_publish(MessageId(0))

    def test_the_qos_of_a_query_is_kept_for_its_answer(self) -> None:
        """QUERYACK repeats it (wire 9)."""
        requests = PeerRequests(10)
        requests.add_query(MessageId(1), Qos.AT_LEAST_ONCE)
        assert requests.has_query(MessageId(1))
        assert requests.require_query(MessageId(1)) is Qos.AT_LEAST_ONCE
        requests.answer_query(MessageId(1))
        assert not requests.has_query(MessageId(1))
        assert requests.count == 0
        with pytest.raises(LocalProtocolError, match="no QUERY with id 1"):
            requests.require_query(MessageId(1))

    def test_publish_and_query_are_answered_apart(self) -> None:
        """PUBACK ends a PUBLISH, QUERYACK a QUERY, whatever the ids (session 7)."""
        requests = PeerRequests(10)
        requests.add_publish(MessageId(1))
        requests.add_query(MessageId(2), Qos.AT_MOST_ONCE)
        with pytest.raises(LocalProtocolError):
            requests.require_query(MessageId(1))
        with pytest.raises(LocalProtocolError):
            requests.require_publish(MessageId(2))

    def test_the_limit_counts_both_kinds(self) -> None:
        requests = PeerRequests(2)
        requests.add_publish(MessageId(1))
        assert not requests.is_full
        requests.add_query(MessageId(2), Qos.AT_MOST_ONCE)
        assert requests.is_full

    def test_ids_of_copies_count_down_from_65535_to_32768_and_wrap(self) -> None:
        """Far from where clients count (session 6)."""
        requests = PeerRequests(10)
        ids = []
        for _ in range(LAST_ID - FIRST_SYNC_ID + 2):
            ids.append(requests.next_sync_id())
            requests.sync_sent(ids[-1])
        assert ids == [*range(LAST_ID, FIRST_SYNC_ID - 1, -1), LAST_ID]

    def test_ids_of_copies_avoid_what_the_client_waits_for(self) -> None:
        """The PUBACK of a copy would complete the request (session 6)."""
        requests = PeerRequests(10)
        requests.add_publish(MessageId(LAST_ID))
        requests.add_query(MessageId(LAST_ID - 1), Qos.AT_MOST_ONCE)
        assert requests.next_sync_id() == LAST_ID - 2

    def test_looking_at_the_next_copy_id_does_not_take_it(self) -> None:
        requests = PeerRequests(10)
        assert requests.next_sync_id() == requests.next_sync_id()

    def test_the_largest_window_leaves_one_id_for_copies(self) -> None:
        """That is why there is a largest window (session 6)."""
        requests = PeerRequests(LARGEST_WINDOW)
        for message_id in range(LAST_ID, FIRST_SYNC_ID, -1):
            requests.add_publish(MessageId(message_id))
        assert requests.is_full
        assert requests.next_sync_id() == FIRST_SYNC_ID


def test_a_held_copy_remembers_all_that_its_puback_does_not_say() -> None:
    """The PUBACK has uid and time only (session 9.3)."""
    held = HeldCopy(topic="t", target_id="u2", data=b"x", since=1.5)
    assert (held.topic, held.target_id, held.data, held.since) == ("t", "u2", b"x", 1.5)
