"""The server's rules, told as dialogues with a scripted client (session 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto._lifecycle import State
from improto.codes import DisconnectStatus, ErrorCode
from improto.config import Limits, Timing
from improto.errors import EncodeError, LocalProtocolError, NotConnected
from improto.events import (
    CloseReason,
    Farewell,
    Offered,
    PublishReceived,
    PullReceived,
    QueryReceived,
)
from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    DeliveryAck,
    Disconnect,
    Frame,
    MessageId,
    MessageUid,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    Subscribe,
    TimeMs,
    Unsubscribe,
)
from improto.operations import Topic
from tests.helpers import (
    LOGIN_TIME,
    ServerScript,
    connack,
    down,
    inbox_pull,
    item,
    notified,
    page_of,
    room_pull,
    up,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = LOGIN_TIME
SDKS = ("2.5.3", "2.9.2", "4.6.4")
every_sdk = pytest.mark.parametrize("sdk_version", SDKS)


def publish(message_id: int, topic: str = Topic.PP_MSG_P) -> Publish:
    return Publish(topic=topic, target_id="u2", message_id=MessageId(message_id), data=up())


def query(
    message_id: int, topic: str = Topic.PULL_US, data: bytes = b"", qos: Qos = Qos.AT_MOST_ONCE
) -> Query:
    return Query(topic=topic, target_id="u1", message_id=MessageId(message_id), data=data, qos=qos)


def announced(server: ServerScript) -> list[int]:
    """The times in the s_ntf that were sent since the last look."""
    return [notified(frame).time for frame in server.sent(Delivery)]


AT: float = 5.0
CALLS: dict[str, Callable[[ServerScript], object]] = {
    "acknowledge": lambda server: server.connection.acknowledge(
        MessageId(1), timestamp=TimeMs(T), now=AT
    ),
    "answer": lambda server: server.connection.answer(MessageId(2), timestamp=TimeMs(T), now=AT),
    "answer_pull": lambda server: server.connection.answer_pull(
        MessageId(3), [], sync_time=TimeMs(T), newest=TimeMs(T), is_finished=True, now=AT
    ),
    "offer": lambda server: server.connection.offer(item(T + 1), time=TimeMs(T + 1), now=AT),
    "push_status": lambda server: server.connection.push_status(
        item(T + 1), time=TimeMs(T + 1), now=AT
    ),
    "notify": lambda server: server.connection.notify(TimeMs(T + 1), room_id="r1", now=AT),
    "command": lambda server: server.connection.command(Topic.S_CMD, b"", now=AT),
    "sync": lambda server: server.connection.sync(
        Topic.PP_MSG_P, "u2", up(), uid="m1", timestamp=TimeMs(T), now=AT
    ),
}
"""Every way to tell a client something."""


class TestLogin:
    """Session 2.4."""

    def test_the_server_says_nothing_before_it_has_decided(self) -> None:
        server = ServerScript()
        assert server.sent() == []
        assert server.connection.state is State.HANDSHAKE

    def test_who_is_let_in_gets_connack_with_user_session_and_time(self) -> None:
        """All three extra fields (wire 4.2)."""
        server = ServerScript()
        server.accept()
        assert server.sent() == [
            ConnAck(status=0, user_id="u1", session_id="s1", timestamp=LOGIN_TIME)
        ]
        assert server.connection.is_online
        assert server.connection.user_id == "u1"

    def test_version_4_also_says_where_ids_begin(self) -> None:
        """At 1, as without it (wire 4.2)."""
        server = ServerScript(protocol_version=ProtocolVersion.V4)
        server.accept()
        [frame] = server.sent()
        assert frame.message_id == 0
        assert frame.protocol_version is ProtocolVersion.V4

    def test_a_login_has_to_be_decided_within_10_s(self) -> None:
        """Newer SDKs give up after 5 s (session 13)."""
        server = ServerScript()
        server.wait(9.9)
        assert server.events() == []
        server.wait(0.1)
        closed = server.closed()
        assert (closed.reason, closed.farewell) == (CloseReason.NO_LOGIN, Farewell.ABORT)

    def test_a_decision_is_made_once(self) -> None:
        server = ServerScript.online()
        with pytest.raises(LocalProtocolError):
            server.accept()
        with pytest.raises(LocalProtocolError):
            server.connection.refuse(4, now=0.0)

    @every_sdk
    def test_a_refusal_is_three_bytes_and_the_end(self, sdk_version: str) -> None:
        """The server closes, with a closing handshake, because SDK 2.5.3 does not (session 2.3)."""
        server = ServerScript(sdk_version=sdk_version)
        server.connection.refuse(4, now=0.0)
        assert server.connection.messages_to_send() == [b"\x20\x00\x04"]
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.REFUSED, 4)
        assert closed.farewell is Farewell.CLOSE
        assert server.connection.user_id is None

    @pytest.mark.parametrize(
        ("sdk_version", "meant", "sent"),
        [
            ("2.5.3", 12, 12),
            ("2.5.3", 13, 3),
            ("2.5.3", 255, 3),
            ("2.9.2", 13, 13),
            ("4.6.4", 255, 255),
            ("4.6.4", 256, 3),
        ],
    )
    def test_a_status_that_a_client_cannot_read_is_replaced(
        self, sdk_version: str, meant: int, sent: int
    ) -> None:
        """SDK 2.5.3 throws on a status above 12 and hangs (wire 4.2)."""
        server = ServerScript(sdk_version=sdk_version)
        server.connection.refuse(meant, now=0.0)
        assert server.sent() == [ConnAck(status=sent)]
        assert server.closed().status == sent

    def test_sdk_5_is_not_told_that_there_is_no_room_now(self) -> None:
        """It would never come back (sdk5 3)."""
        server = ServerScript(sdk_version="5.38.0")
        server.connection.refuse(3, now=0.0)
        assert server.sent() == []
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.REFUSED, 3)
        assert closed.farewell is Farewell.CLOSE

    def test_status_0_is_no_refusal(self) -> None:
        server = ServerScript()
        with pytest.raises(LocalProtocolError, match="accept"):
            server.connection.refuse(0, now=0.0)
        server.accept()
        assert server.connection.is_online

    @pytest.mark.parametrize("name", CALLS)
    def test_who_is_not_let_in_yet_can_be_told_nothing(self, name: str) -> None:
        server = ServerScript()
        with pytest.raises(NotConnected, match="not established"):
            CALLS[name](server)
        assert server.sent() == []

    def test_pingreq_is_answered_before_the_login_is_decided(self) -> None:
        """SDK 2.5.3 pings from the moment the socket is open (session 2.1)."""
        server = ServerScript()
        server.receive(PingReq())
        assert server.sent() == [PingResp()]

    @pytest.mark.parametrize(
        "frame",
        [publish(1), query(1), DeliveryAck(message_id=MessageId(0))],
        ids=["PUBLISH", "QUERY", "PUBACK"],
    )
    def test_nothing_else_is_allowed_before(self, frame: Publish | Query | DeliveryAck) -> None:
        """The client waits for CONNACK (session 2.1)."""
        server = ServerScript()
        server.receive(frame)
        assert server.closed().reason is CloseReason.VIOLATION
        assert server.sent() == []


class TestHeartbeat:
    """Session 5."""

    def test_pingreq_is_answered_at_once(self) -> None:
        """Before any slower work that is queued."""
        server = ServerScript.online()
        server.receive(publish(1), PingReq())
        assert server.sent() == [PingResp()]

    def test_a_client_without_any_frame_for_75_s_is_dead(self) -> None:
        server = ServerScript.online()
        server.wait(74.9)
        server.receive(PingReq())
        server.wait(74.9)
        server.receive(QueryCon(message_id=MessageId(1)))
        server.wait(74.9)
        assert server.connection.is_online
        server.wait(0.1)
        closed = server.closed()
        assert (closed.reason, closed.farewell) == (CloseReason.IDLE, Farewell.ABORT)

    @pytest.mark.parametrize("name", CALLS)
    def test_every_call_is_a_look_at_the_clock(self, name: str) -> None:
        """The next frame came then or later, whatever its own ``now``."""
        server = ServerScript.up_to_date()
        if name.startswith(("ack", "ans")):
            server.receive(publish(1), query(2), inbox_pull(3))
        CALLS[name](server)
        server.receive(PingReq())
        server.connection.handle_timeout(now=79.9)
        assert server.connection.is_online
        server.connection.handle_timeout(now=80.0)
        assert server.closed().reason is CloseReason.IDLE

    def test_what_we_send_is_no_sign_of_its_life(self) -> None:
        server = ServerScript.online()
        server.wait(70.0)
        server.notify(T + 1)
        server.wait(5.0)
        assert server.closed().reason is CloseReason.IDLE


class TestAnswers:
    """Exactly one for each request (session 7)."""

    def test_a_publish_is_acknowledged_with_uid_and_time(self) -> None:
        """Wire 4.4."""
        server = ServerScript.online()
        server.receive(publish(5))
        [event] = server.events()
        assert isinstance(event, PublishReceived)
        assert event.frame == publish(5)
        assert event.operation is not None
        assert event.operation.topic is Topic.PP_MSG_P
        assert server.connection.unanswered == 1
        server.connection.acknowledge(MessageId(5), timestamp=T, uid="m1", now=0.0)
        [frame] = server.sent()
        assert (frame.message_id, frame.status, frame.uid) == (5, 0, "m1")
        assert frame.timestamp == T
        assert server.connection.unanswered == 0

    def test_a_refused_publish_is_acknowledged_too(self) -> None:
        """With the error status (session 9.1)."""
        server = ServerScript.online()
        server.receive(publish(5))
        server.connection.acknowledge(MessageId(5), timestamp=T, status=405, now=0.0)
        [frame] = server.sent()
        assert (frame.status, frame.uid) == (405, "")

    def test_a_publish_with_qos_0_waits_for_its_puback_too(self) -> None:
        """RTC data (session 7)."""
        server = ServerScript.online()
        server.receive(
            Publish(
                topic=Topic.RTC_SET_DATA,
                target_id="r1",
                message_id=MessageId(5),
                data=b"",
                qos=Qos.AT_MOST_ONCE,
            )
        )
        server.connection.acknowledge(MessageId(5), timestamp=T, now=0.0)
        assert len(server.sent(PubAck)) == 1

    def test_id_0_may_come_several_times(self) -> None:
        """SDK 2.9.2 sends all status messages with id 0 (session 6)."""
        server = ServerScript.online()
        server.receive(*[publish(0, Topic.PP_MSG_S)] * 3)
        assert len(server.events()) == 3
        for _ in range(3):
            server.connection.acknowledge(MessageId(0), timestamp=T, now=0.0)
        assert len(server.sent(PubAck)) == 3
        with pytest.raises(LocalProtocolError):
            server.connection.acknowledge(MessageId(0), timestamp=T, now=0.0)

    def test_a_used_id_is_no_repeat(self) -> None:
        """Ids are reused (session 6)."""
        server = ServerScript.online()
        for _ in range(2):
            server.receive(publish(5))
            assert len(server.events()) == 1
            server.connection.acknowledge(MessageId(5), timestamp=T, now=0.0)

    @pytest.mark.parametrize("qos", [Qos.AT_MOST_ONCE, Qos.AT_LEAST_ONCE])
    def test_a_query_is_answered_with_its_own_qos(self, qos: Qos) -> None:
        """Wire 4.6."""
        server = ServerScript.online()
        server.receive(query(5, qos=qos))
        [event] = server.events()
        assert isinstance(event, QueryReceived)
        assert event.operation is not None
        server.connection.answer(MessageId(5), timestamp=T, status=1, data=b"reply", now=0.0)
        assert server.sent() == [
            QueryAck(message_id=MessageId(5), date=T // 1000, status=1, data=b"reply", qos=qos)
        ]

    @pytest.mark.parametrize("frame", [publish(1, "nonsense"), query(1, "nonsense")])
    def test_an_unknown_topic_is_for_the_program_to_refuse(self, frame: Publish | Query) -> None:
        """With an error status, never with silence (wire 7, rule 6)."""
        server = ServerScript.online()
        server.receive(frame)
        [event] = server.events()
        assert event.operation is None

    def test_answers_may_come_in_any_order(self) -> None:
        """Clients do not depend on it (session 7)."""
        server = ServerScript.online()
        server.receive(publish(1), query(2), publish(3))
        server.connection.acknowledge(MessageId(3), timestamp=T, now=0.0)
        server.connection.answer(MessageId(2), timestamp=T, now=0.0)
        server.connection.acknowledge(MessageId(1), timestamp=T, now=0.0)
        assert [frame.message_id for frame in server.sent()] == [3, 2, 1]
        assert server.connection.unanswered == 0

    @pytest.mark.parametrize("topic", [Topic.PULL_MSG, Topic.CHRM_PULL])
    def test_a_pull_that_cannot_be_read_is_refused(self, topic: Topic) -> None:
        """33003 rather than closed (wire 7, rule 8)."""
        server = ServerScript.online()
        server.receive(query(5, topic, b"\xff", Qos.AT_LEAST_ONCE))
        [frame] = server.sent()
        assert frame.status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
        assert frame.qos is Qos.AT_LEAST_ONCE
        assert server.events() == []
        assert server.connection.unanswered == 0

    @pytest.mark.parametrize("frame", [publish(9), query(9), inbox_pull(9)])
    def test_requests_beyond_the_limit_are_refused_unseen(self, frame: Publish | Query) -> None:
        """20604: too fast. A flood costs the program nothing."""
        server = ServerScript.online(limits=Limits(requests_in_flight=2))
        server.receive(publish(1), query(2))
        server.events()
        server.receive(*[frame] * 3)
        assert server.events() == []
        assert [(answer.message_id, answer.status) for answer in server.sent()] == [
            (9, ErrorCode.SEND_FREQUENCY_TOO_FAST)
        ] * 3
        assert server.connection.unanswered == 2
        server.connection.acknowledge(MessageId(1), timestamp=T, now=0.0)
        server.receive(frame)
        assert len(server.events()) == 1

    def test_what_the_core_refuses_has_the_servers_time(self) -> None:
        """Login time plus what has passed (session 2.4)."""
        server = ServerScript.online(now=100.0)
        server.wait(5.0)
        server.receive(query(1, Topic.PULL_MSG, b"\xff"))
        [frame] = server.sent()
        assert frame.date == T // 1000 + 5

    @pytest.mark.parametrize(
        ("timestamp", "date"), [(0xFFFF_FFFF * 1000, 0xFFFF_FFFF), (2**63, 0xFFFF_FFFF), (0, 0)]
    )
    def test_a_strange_clock_breaks_nothing(self, timestamp: int, date: int) -> None:
        """``date`` has 32 bits (wire 4); receiving never raises."""
        server = ServerScript()
        server.connection.accept("u1", "s1", timestamp=TimeMs(timestamp), now=0.0)
        server.receive(query(1, Topic.PULL_MSG, b"\xff"))
        assert server.sent()[1].date == date

    def test_confirmations_are_no_receipts(self) -> None:
        """Nothing follows from them (session 7)."""
        server = ServerScript.online()
        server.receive(DeliveryAck(message_id=MessageId(9)), QueryCon(message_id=MessageId(9)))
        assert server.events() == server.sent() == []
        assert server.connection.is_online


class TestPulls:
    """Session 8.3."""

    def test_an_inbox_pull_is_told_to_the_program(self) -> None:
        server = ServerScript.online()
        server.receive(inbox_pull(1, since=100, sent_since=90))
        [event] = server.events()
        assert event == PullReceived(
            message_id=MessageId(1), sync_time=TimeMs(100), sent_sync_time=TimeMs(90)
        )

    def test_a_room_pull_is_told_to_the_program(self) -> None:
        server = ServerScript.online()
        server.receive(room_pull(1, "r1", since=100, count=-1))
        [event] = server.events()
        assert (event.room_id, event.sync_time, event.count) == ("r1", 100, -1)

    def test_the_reply_has_the_items_and_all_that_clients_need(self) -> None:
        """Rules 1, 4 and 5: ascending, finished and broadcastSyncTime always written."""
        server = ServerScript.online()
        server.receive(inbox_pull(1, qos=Qos.AT_LEAST_ONCE))
        server.answer_pull(1, item(T + 1), item(T + 2), sync_time=T + 2)
        assert server.connection.unanswered == 0
        [frame] = server.sent()
        assert (frame.message_id, frame.status, frame.qos) == (1, 0, Qos.AT_LEAST_ONCE)
        reply = page_of(frame)
        assert list(reply.list) == [down(T + 1), down(T + 2)]
        assert reply.HasField("finished")
        assert reply.finished
        assert reply.syncTime == reply.broadcastSyncTime == T + 2

    def test_an_empty_reply_has_a_body(self) -> None:
        """Rule 6: no data at all is not allowed."""
        server = ServerScript.online()
        server.receive(inbox_pull(1))
        server.answer_pull(1, sync_time=0)
        [frame] = server.sent()
        assert page_of(frame).HasField("syncTime")

    def test_the_synctime_is_never_below_that_of_the_request(self) -> None:
        """Rule 3."""
        server = ServerScript.online()
        server.receive(inbox_pull(1, since=T + 9))
        server.answer_pull(1, sync_time=T)
        [frame] = server.sent()
        assert page_of(frame).syncTime == T + 9

    def test_the_synctime_is_never_below_what_was_announced(self) -> None:
        """Rule 3: otherwise newer SDKs pull for ever (interop 7, rule 3)."""
        server = ServerScript.online()
        server.notify(T + 50)
        server.receive(inbox_pull(1))
        server.answer_pull(1, sync_time=T)
        assert page_of(server.sent(QueryAck)[0]).syncTime == T + 50

    def test_also_on_the_last_of_several_pages(self) -> None:
        """Rule 3."""
        server = ServerScript.online()
        server.notify(T + 50)
        server.receive(inbox_pull(1))
        server.answer_pull(1, item(T + 1), sync_time=T + 1, newest=T + 50, finished=False)
        server.receive(inbox_pull(2, since=T + 1))
        server.answer_pull(2, sync_time=T + 2)
        assert [page_of(frame).syncTime for frame in server.sent(QueryAck)] == [T + 1, T + 50]

    def test_a_cut_page_has_the_time_of_its_last_item(self) -> None:
        """Rule 3, whatever was announced."""
        server = ServerScript.online()
        server.notify(T + 50)
        server.receive(inbox_pull(1))
        server.answer_pull(1, item(T + 1), sync_time=T + 1, newest=T + 50, finished=False)
        reply = page_of(server.sent(QueryAck)[0])
        assert reply.syncTime == T + 1
        assert reply.HasField("finished")
        assert not reply.finished

    @pytest.mark.parametrize("sync_time", [T, T - 1])
    def test_a_cut_page_that_does_not_advance_is_refused(self, sync_time: int) -> None:
        """Rule 3: it would be an endless loop."""
        server = ServerScript.online()
        server.receive(inbox_pull(1, since=T))
        with pytest.raises(LocalProtocolError, match="cut page"):
            server.answer_pull(1, sync_time=sync_time, finished=False)
        server.answer_pull(1, sync_time=T + 1, newest=T + 2, finished=False)

    def test_a_pull_may_be_refused(self) -> None:
        """A room that was never joined: 23406 (session 11)."""
        server = ServerScript.online()
        server.receive(room_pull(1, "r1"))
        server.connection.answer(MessageId(1), timestamp=TimeMs(T), status=23406, now=0.0)
        [frame] = server.sent()
        assert (frame.status, frame.data) == (23406, b"")
        assert server.connection.unanswered == 0

    def test_but_not_answered_like_any_other_query(self) -> None:
        """Status 0 without a page is not allowed (rule 6)."""
        server = ServerScript.online()
        server.receive(inbox_pull(1))
        with pytest.raises(LocalProtocolError, match="answer_pull"):
            server.connection.answer(MessageId(1), timestamp=TimeMs(T), now=0.0)

    def test_several_pulls_may_wait(self) -> None:
        """Of several streams, and of one."""
        server = ServerScript.online()
        server.receive(inbox_pull(1), inbox_pull(3, since=T), room_pull(2, "r1"))
        assert server.connection.unanswered == 3
        server.answer_pull(2, sync_time=1)
        server.answer_pull(1, sync_time=1)
        server.answer_pull(3, sync_time=1)
        times = [page_of(frame).syncTime for frame in server.sent()]
        assert times == [1, 1, T]

    def test_a_second_query_under_the_id_of_a_waiting_one_is_refused(self) -> None:
        """Its sender could not tell the answers apart; the first one is still answered."""
        server = ServerScript.online()
        server.receive(inbox_pull(1), inbox_pull(1, since=T))
        [refusal] = server.sent()
        assert (refusal.message_id, refusal.status) == (1, 33003)
        assert server.connection.unanswered == 1
        server.answer_pull(1, sync_time=1)
        assert server.connection.unanswered == 0


class TestNotifications:
    """Session 8.6; at most one unanswered notification (architecture 2, rule 4)."""

    def test_it_is_a_publish_to_the_user_with_id_0_and_qos_1(self) -> None:
        """Id 0 can never meet a request (session 6); the time must be present."""
        server = ServerScript.online()
        assert server.notify(T + 1) is Offered.ANNOUNCED
        [frame] = server.sent()
        assert (frame.topic, frame.target_id, frame.message_id) == (Topic.S_NTF, "u1", 0)
        assert frame.qos is Qos.AT_LEAST_ONCE
        assert frame.date == T // 1000
        message = notified(frame)
        assert (message.type, message.time) == (1, T + 1)
        assert not message.HasField("chrmId")

    def test_200_messages_cost_one_notification_and_one_pull(self) -> None:
        """Architecture 2, rule 4."""
        server = ServerScript.online()
        offered = [server.offer(T + number) for number in range(1, 201)]
        assert offered == [Offered.ANNOUNCED] + [Offered.REMEMBERED] * 199
        assert announced(server) == [T + 1]
        server.receive(inbox_pull(1))
        server.answer_pull(1, sync_time=T + 200)
        assert server.sent(Delivery) == []

    def test_what_comes_during_a_pull_is_announced_after_the_reply(self) -> None:
        """If its time is above the reply's syncTime (session 8.6)."""
        server = ServerScript.online()
        server.receive(inbox_pull(1))
        assert server.notify(T + 1) is Offered.REMEMBERED
        assert server.notify(T + 2) is Offered.REMEMBERED
        assert server.sent() == []
        server.answer_pull(1, sync_time=T + 1)
        reply, notification = server.sent()
        assert page_of(reply).syncTime == T + 1
        assert notified(notification).time == T + 2

    def test_what_the_reply_covers_is_not(self) -> None:
        server = ServerScript.online()
        server.receive(inbox_pull(1))
        server.notify(T + 1)
        server.answer_pull(1, sync_time=T + 1)
        assert server.sent(Delivery) == []

    def test_what_the_program_knows_to_be_newer_is_announced_too(self) -> None:
        """``newest`` of a finished page: something came while it was read."""
        server = ServerScript.online()
        server.receive(inbox_pull(1))
        server.answer_pull(1, sync_time=T + 1, newest=T + 2)
        assert announced(server) == [T + 2]

    def test_a_client_that_has_it_is_not_told(self) -> None:
        """Interop 7, rule 9."""
        server = ServerScript.up_to_date(position=T + 5)
        assert server.notify(T + 5) is Offered.REMEMBERED
        assert server.sent() == []
        assert server.connection.next_deadline() == 75.0

    def test_after_a_cut_page_sdk_253_is_told_again(self) -> None:
        """Session 8.4: it does not go on by itself; with a time above the page's."""
        server = ServerScript.online(sdk_version="2.5.3")
        server.notify(T + 50)
        server.sent()
        server.receive(inbox_pull(1))
        server.answer_pull(1, item(T + 1), sync_time=T + 1, newest=T + 50, finished=False)
        reply, notification = server.sent()
        assert isinstance(reply, QueryAck)
        assert notified(notification).time == T + 50

    @pytest.mark.parametrize("sdk_version", ["2.9.2", "4.6.4"])
    def test_after_a_cut_page_the_newer_sdks_go_on_by_themselves(self, sdk_version: str) -> None:
        """Session 8.4; new messages are announced after the last page only."""
        server = ServerScript.online(sdk_version=sdk_version)
        server.receive(inbox_pull(1))
        server.answer_pull(1, item(T + 1), sync_time=T + 1, newest=T + 50, finished=False)
        assert server.notify(T + 60) is Offered.REMEMBERED
        assert server.sent(Delivery) == []
        server.receive(inbox_pull(2, since=T + 1))
        server.answer_pull(2, sync_time=T + 50)
        assert announced(server) == [T + 60]

    def test_nobody_pulls_so_it_is_told_again_every_20_s(self) -> None:
        """With the newest time by then (interop 7, rule 8)."""
        server = ServerScript.online()
        server.notify(T + 1)
        server.notify(T + 2)
        server.wait(19.9)
        assert announced(server) == [T + 1]
        server.wait(0.1)
        assert announced(server) == [T + 2]
        server.wait(20.0)
        assert announced(server) == [T + 2]

    @pytest.mark.parametrize("finished", [True, False])
    def test_who_pulls_is_not_told_again(self, finished: bool) -> None:
        server = ServerScript.online()
        server.notify(T + 1)
        server.receive(inbox_pull(1))
        server.sent()
        server.wait(25.0)
        assert server.sent() == []
        server.answer_pull(1, sync_time=T + 1, newest=T + 1 + (not finished), finished=finished)
        server.wait(19.0)
        assert server.sent(Delivery) == []
        server.wait(2.0)
        # After a cut page it is the client's turn; a client that forgot it is told again.
        assert len(server.sent(Delivery)) == (0 if finished else 1)

    def test_a_refused_pull_leaves_the_message_waiting(self) -> None:
        """A pull answered with an error is not repeated (interop 7, rule 8): tell again."""
        server = ServerScript.online()
        server.notify(T + 1)
        server.receive(inbox_pull(1))
        server.sent()
        server.connection.answer(MessageId(1), timestamp=TimeMs(T), status=20604, now=0.0)
        server.wait(20.0)
        assert announced(server) == [T + 1]

    def test_a_busy_inbox_does_not_put_off_the_repeat_for_a_room(self) -> None:
        """Each stream is told again in time, whatever the others do."""
        server = ServerScript.online()
        server.notify(T + 1, "r1")
        server.sent()
        for second in range(20):
            server.notify(T + second)
            server.receive(inbox_pull(1))
            server.answer_pull(1, sync_time=T + second)
            server.wait(1.0)
        rooms = [notified(frame).chrmId for frame in server.sent(Delivery)]
        assert rooms.count("r1") == 1

    def test_notifications_are_hints_and_may_come_before_the_first_pull(self) -> None:
        """Session 2.4: they are safe then, pushes are not."""
        server = ServerScript.online()
        assert server.offer(T + 1) is Offered.ANNOUNCED


class TestPushes:
    """Session 8.5."""

    def test_a_client_that_is_up_to_date_gets_the_message_itself(self) -> None:
        server = ServerScript.up_to_date()
        assert server.connection.is_up_to_date
        assert server.offer(T + 1) is Offered.PUSHED
        [frame] = server.sent()
        assert (frame.topic, frame.target_id, frame.message_id) == (Topic.S_MSG, "u1", 0)
        assert frame.data == item(T + 1)
        # No PUBACK is wanted: it is no receipt (session 7).
        assert frame.qos is Qos.AT_MOST_ONCE

    def test_one_push_may_follow_another(self) -> None:
        server = ServerScript.up_to_date()
        assert [server.offer(T + number) for number in range(1, 4)] == [Offered.PUSHED] * 3
        assert server.notify(T + 3) is Offered.REMEMBERED
        assert server.notify(T + 4) is Offered.ANNOUNCED

    def test_sdk_253_is_always_notified(self) -> None:
        """A push that crosses a pull would be shown twice (interop 7, rule 5)."""
        server = ServerScript.up_to_date(sdk_version="2.5.3")
        assert server.offer(T + 1) is Offered.ANNOUNCED

    def test_not_before_the_first_pull_is_answered(self) -> None:
        """Dropped by all three SDKs (interop 7, rule 6)."""
        server = ServerScript.online()
        assert not server.connection.is_up_to_date
        server.receive(inbox_pull(1))
        assert server.offer(T + 1) is Offered.REMEMBERED
        server.answer_pull(1, sync_time=T + 1)
        assert server.offer(T + 2) is Offered.PUSHED

    def test_not_with_a_pull_outstanding(self) -> None:
        """Newer SDKs throw it away then (interop 7, rule 5)."""
        server = ServerScript.up_to_date()
        server.receive(inbox_pull(2, since=T))
        assert server.offer(T + 1) is Offered.REMEMBERED

    def test_not_with_something_older_waiting(self) -> None:
        """It would be lost."""
        server = ServerScript.up_to_date()
        server.notify(T + 1)
        assert server.offer(T + 2) is Offered.REMEMBERED

    def test_not_after_a_cut_page(self) -> None:
        """SDK 2.5.3 drops them until a pull is finished (session 8.4)."""
        server = ServerScript.up_to_date()
        server.receive(inbox_pull(2))
        server.answer_pull(2, sync_time=T + 1, newest=T + 2, finished=False)
        assert not server.connection.is_up_to_date

    def test_a_status_message_is_pushed_or_dropped(self) -> None:
        """It must not move the client past what is waiting (session 8.5, messages 8.5)."""
        server = ServerScript.up_to_date()
        assert server.connection.push_status(item(T + 1), time=TimeMs(T + 1), now=0.0)
        assert len(server.sent(Delivery)) == 1
        server.notify(T + 2)
        server.sent()
        assert not server.connection.push_status(item(T + 3), time=TimeMs(T + 3), now=0.0)
        assert server.sent() == []

    def test_sdk_253_gets_status_messages_too(self) -> None:
        """They should be pushed directly (interop 7, rule 5)."""
        server = ServerScript.up_to_date(sdk_version="2.5.3")
        assert server.connection.push_status(item(T + 1), time=TimeMs(T + 1), now=0.0)


class TestRooms:
    """Session 11."""

    def test_a_room_is_announced_by_type_2_with_its_id(self) -> None:
        server = ServerScript.online()
        assert server.notify(T + 1, "r1") is Offered.ANNOUNCED
        message = notified(server.sent()[0])
        assert (message.type, message.time, message.chrmId) == (2, T + 1, "r1")

    def test_each_room_and_the_inbox_coalesce_apart(self) -> None:
        server = ServerScript.online()
        for room_id in ("r1", "r2", None):
            assert server.notify(T + 1, room_id) is Offered.ANNOUNCED
            assert server.notify(T + 2, room_id) is Offered.REMEMBERED
        server.receive(room_pull(1, "r1"))
        server.answer_pull(1, sync_time=T + 2)
        assert server.notify(T + 3, "r1") is Offered.ANNOUNCED

    def test_a_cut_page_of_a_room_is_followed_by_a_notification_for_sdk_253(self) -> None:
        """It does not look at finished (session 11)."""
        server = ServerScript.online(sdk_version="2.5.3")
        server.receive(room_pull(1, "r1"))
        server.answer_pull(1, sync_time=T + 1, newest=T + 9, finished=False)
        [_, frame] = server.sent()
        assert (notified(frame).chrmId, notified(frame).time) == ("r1", T + 9)

    @every_sdk
    def test_a_bare_page_of_a_room_says_nothing_about_more(self, sdk_version: str) -> None:
        """Number 3 would mean something else; whoever reads it is told again (sdk5 9, rule 2)."""
        server = ServerScript.online(sdk_version=sdk_version)
        server.receive(room_pull(1, "r1", is_bare=True))
        server.answer_pull(1, item(T + 1), sync_time=T + 1, newest=T + 9, finished=False)
        [answer, notice] = server.sent()
        page = payloads.decode(payloads.ChrmDownStreamMessages, answer.data)
        assert [list(page.list), page.syncTime] == [[item(T + 1)], T + 1]
        old = page_of(answer)
        assert not old.HasField("finished")
        assert not old.HasField("broadcastSyncTime")
        assert (notified(notice).chrmId, notified(notice).time) == ("r1", T + 9)

    def test_a_room_that_was_left_is_not_announced_again(self) -> None:
        server = ServerScript.online()
        server.notify(T + 1, "r1")
        server.sent()
        server.connection.forget_room("r1")
        server.wait(60.0)
        assert server.sent() == []
        server.connection.forget_room("r1")

    def test_nor_if_it_was_left_while_a_pull_waited(self) -> None:
        server = ServerScript.online()
        server.notify(T + 1, "r1")
        server.receive(room_pull(1, "r1"))
        server.connection.forget_room("r1")
        server.sent()
        server.answer_pull(1, sync_time=T, newest=T + 5)
        assert len(server.sent(QueryAck)) == 1
        server.wait(60.0)
        assert server.sent() == []

    def test_rooms_have_no_effect_on_pushes(self) -> None:
        """Room messages are not part of the inbox."""
        server = ServerScript.up_to_date()
        server.notify(T + 1, "r1")
        assert server.offer(T + 2) is Offered.PUSHED


class TestCopies:
    """Session 9.3, way B."""

    @staticmethod
    def sync(server: ServerScript, topic: Topic = Topic.PP_MSG_P) -> bool:
        return server.connection.sync(
            topic, "u2", up(), uid="m1", timestamp=TimeMs(T + 386), now=server.now
        )

    def test_a_copy_is_a_publish_with_bit_3_and_its_puback(self) -> None:
        server = ServerScript.online()
        assert self.sync(server)
        assert server.sent() == [
            Delivery(
                date=T // 1000,
                topic=Topic.PP_MSG_P,
                target_id="u2",
                message_id=MessageId(65535),
                data=up(),
                is_sync=True,
            ),
            PubAck(
                message_id=MessageId(65535),
                date=T // 1000,
                status=0,
                millisecond=386,
                uid=MessageUid("m1"),
            ),
        ]

    def test_ids_count_down_and_avoid_what_the_client_waits_for(self) -> None:
        """The PUBACK would complete the request (session 6)."""
        server = ServerScript.online()
        server.receive(publish(65534), query(65533))
        for _ in range(3):
            self.sync(server)
        assert [frame.message_id for frame in server.sent(Delivery)] == [65535, 65532, 65531]

    @pytest.mark.parametrize(
        ("sdk_version", "topic", "is_copied"),
        [
            ("2.5.3", Topic.PP_MSG_S, False),
            ("2.9.2", Topic.PP_MSG_S, False),
            ("4.6.4", Topic.PP_MSG_S, True),
            ("2.9.2", Topic.RECALL_MSG, False),
            ("4.6.4", Topic.S_MSG, False),
        ],
    )
    def test_topics_that_a_client_does_not_understand_are_not_copied(
        self, sdk_version: str, topic: Topic, is_copied: bool
    ) -> None:
        """The message is found by pulling."""
        server = ServerScript.online(sdk_version=sdk_version)
        assert self.sync(server, topic) is is_copied
        assert len(server.sent()) == 2 * is_copied

    def test_a_copy_that_cannot_be_completed_is_not_begun(self) -> None:
        """The PUBACK must follow on the same connection, so both are sent or none."""
        server = ServerScript.online()
        with pytest.raises(EncodeError):
            server.connection.sync(
                Topic.PP_MSG_P, "u2", up(), uid="x" * 2000, timestamp=TimeMs(T), now=0.0
            )
        assert server.sent() == []
        self.sync(server)
        assert server.sent(Delivery)[0].message_id == 65535


class TestCommands:
    """Operations 3."""

    def test_a_command_goes_to_the_user(self) -> None:
        server = ServerScript.online()
        server.connection.command(Topic.S_US, b"payload", now=0.0)
        [frame] = server.sent()
        assert (frame.topic, frame.target_id, frame.data) == (Topic.S_US, "u1", b"payload")
        assert (frame.message_id, frame.qos, frame.is_sync) == (0, Qos.AT_LEAST_ONCE, False)

    def test_or_to_a_room(self) -> None:
        """``s_cmd`` type 4 has the room as target (wire 4.3)."""
        server = ServerScript.online()
        payload = payloads.encode(payloads.NotifyMsg(type=4))
        server.connection.command(Topic.S_CMD, payload, target_id="r1", now=0.0)
        assert server.sent()[0].target_id == "r1"


class TestEnd:
    """Session 4."""

    def test_disconnect_has_three_bytes(self) -> None:
        """Wire 4.10."""
        server = ServerScript.online()
        server.dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
        assert server.connection.messages_to_send() == [b"\xe0\x00\x01"]
        assert server.connection.state is State.CLOSING
        assert server.events() == []

    def test_the_client_has_1_s_to_close(self) -> None:
        """Session 4.1."""
        server = ServerScript.online()
        server.dismiss(DisconnectStatus.BLOCK)
        server.wait(0.9)
        assert server.events() == []
        server.wait(0.1)
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.LOCAL, 2)

    def test_a_dismissed_client_is_not_idle(self) -> None:
        """Nothing but the moment to close counts any more."""
        server = ServerScript.online()
        server.wait(74.5)
        server.dismiss(DisconnectStatus.BLOCK)
        server.wait(1.0)
        assert server.closed().reason is CloseReason.LOCAL

    @pytest.mark.parametrize("clean", [True, False])
    def test_a_client_that_closes_ends_it_at_once(self, clean: bool) -> None:
        server = ServerScript.online()
        server.dismiss(DisconnectStatus.REMOTE_CLOSE)
        server.connection.receive_eof(now=0.5, clean=clean)
        closed = server.closed()
        assert (closed.reason, closed.status) == (CloseReason.LOCAL, 3)

    def test_late_frames_of_a_dismissed_client_are_ignored(self) -> None:
        """Session 10; broken ones too."""
        server = ServerScript.online()
        server.dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
        server.sent()
        server.receive(publish(1), PingReq(), connack())
        server.connection.receive_message(b"\xff", now=0.0)
        assert server.events() == server.sent() == []
        assert server.connection.next_deadline() == 1.0

    @pytest.mark.parametrize("status", [DisconnectStatus.REDIRECT, DisconnectStatus.REDIRECT_NEW])
    def test_redirects_must_not_be_sent(self, status: DisconnectStatus) -> None:
        """Clients do not survive them (session 4.1)."""
        server = ServerScript.online()
        with pytest.raises(LocalProtocolError, match=f"DISCONNECT {status.value}"):
            server.dismiss(status)
        assert server.connection.is_online

    @pytest.mark.parametrize(
        ("meant", "sent"),
        [
            (DisconnectStatus.REDIRECT_NEW, 6),
            (DisconnectStatus.OTHER_DEVICE_LOGIN, 1),
            (DisconnectStatus.REMOTE_CLOSE, 2),
            (DisconnectStatus.LOGOUT, 2),
        ],
    )
    def test_sdk_5_can_be_sent_elsewhere_and_knows_fewer_reasons(
        self, meant: DisconnectStatus, sent: int
    ) -> None:
        """Sdk5 3."""
        server = ServerScript.online(sdk_version="5.38.0")
        server.dismiss(meant)
        assert [frame.status for frame in server.sent(Disconnect)] == [sent]
        server.wait(1.0)
        assert server.closed().farewell is Farewell.CLOSE

    @pytest.mark.parametrize(
        ("sdk_version", "farewell"),
        [
            ("2.5.3", Farewell.ABORT),
            ("2.9.2", Farewell.CLOSE),
            ("4.6.4", Farewell.CLOSE),
        ],
    )
    def test_a_server_that_shuts_down_lets_its_clients_come_back(
        self, sdk_version: str, farewell: Farewell
    ) -> None:
        """1001 for those that notice, a broken transport for SDK 2.5.3 (session 4.2)."""
        server = ServerScript.online(sdk_version=sdk_version)
        server.connection.shut_down(now=0.0)
        assert server.sent() == []
        closed = server.closed()
        assert (closed.reason, closed.farewell) == (CloseReason.LOCAL, farewell)
        assert closed.close_code == 1001

    @pytest.mark.parametrize(
        ("sdk_version", "farewell"), [("2.5.3", Farewell.ABORT), ("4.6.4", Farewell.CLOSE)]
    )
    def test_a_client_that_breaks_the_rules_is_closed_so_that_it_notices(
        self, sdk_version: str, farewell: Farewell
    ) -> None:
        """Wire 7, rule 6; session 4.2."""
        server = ServerScript.online(sdk_version=sdk_version)
        server.connection.receive_message(b"\xff", now=0.0)
        closed = server.closed()
        assert (closed.reason, closed.farewell) == (CloseReason.VIOLATION, farewell)
        assert closed.close_code == 1007

    @pytest.mark.parametrize("frame", [Connect(client_id="c"), connack(), PingResp()])
    def test_frames_that_no_client_sends_end_it(self, frame: Frame) -> None:
        """CONNECT too: the URL has replaced it (wire 4.1)."""
        server = ServerScript.online()
        server.connection.receive_frame(frame, now=0.0)
        closed = server.closed()
        assert closed.reason is CloseReason.VIOLATION
        assert closed.close_code == 1002

    @pytest.mark.parametrize("frame", [Subscribe(), Unsubscribe()])
    def test_numbers_without_a_use_are_ignored(self, frame: Frame) -> None:
        """Wire 4.8."""
        server = ServerScript.online()
        server.connection.receive_frame(frame, now=0.0)
        assert server.sent() == server.events() == []

    @pytest.mark.parametrize("name", CALLS)
    def test_who_is_gone_can_be_told_nothing(self, name: str) -> None:
        """The reason says that it is nobody's mistake."""
        server = ServerScript.online()
        server.connection.receive_eof(now=0.0)
        with pytest.raises(NotConnected) as caught:
            CALLS[name](server)
        assert caught.value.reason is CloseReason.LOST

    def test_a_goodbye_of_the_client_is_its_own(self) -> None:
        """No SDK sends one (wire 4.10)."""
        server = ServerScript.online()
        server.receive(Disconnect(status=4))
        assert server.closed().reason is CloseReason.PEER

    def test_durations_can_be_chosen(self) -> None:
        server = ServerScript(timing=Timing(login=1.0, close=2.0))
        server.wait(0.9)
        server.accept()
        server.dismiss(DisconnectStatus.BLOCK)
        server.wait(1.9)
        assert server.events() == []
        server.wait(0.1)
        assert server.closed().reason is CloseReason.LOCAL
