"""The client's rules, told as dialogues with a scripted server (session 15)."""

from __future__ import annotations

import json

import pytest

from improto import payloads
from improto._lifecycle import State
from improto.codes import ConversationType
from improto.config import Limits, Timing
from improto.errors import (
    EncodeError,
    LocalProtocolError,
    NotConnected,
    UnexpectedFrame,
    WindowFull,
)
from improto.events import (
    Announced,
    CaughtUp,
    CloseReason,
    Connected,
    ConnectionClosed,
    FailureCause,
    FrameDropped,
    MessageReceived,
    PublishAcknowledged,
    PullFailed,
    QueryAnswered,
    RequestFailed,
    Resent,
)
from improto.frames import (
    ConnAck,
    DeliveryAck,
    Disconnect,
    Frame,
    MessageId,
    MessageUid,
    PingReq,
    PingResp,
    ProtocolVersion,
    Publish,
    Qos,
    Query,
    QueryCon,
    TimeMs,
    UnsubAck,
)
from improto.messages import Request, request
from improto.operations import Topic
from improto.session import ClientSession
from tests.helpers import (
    LOGIN_TIME,
    ClientScript,
    connack,
    delivery,
    down,
    notify,
    only,
    outgoing,
    page,
    puback,
    push,
    queryack,
    up,
)

SETTINGS = request(Topic.PULL_US, "u1", payloads.PullUserSettingInput(version=0))


def asked(pull: Query) -> payloads.SyncRequestMsg:
    """What a pullMsg says."""
    assert pull.topic == Topic.PULL_MSG
    return payloads.decode(payloads.SyncRequestMsg, pull.data)


def asked_room(pull: Query) -> tuple[str, int, int]:
    """Room, cursor and count of a chrmPull."""
    assert pull.topic == Topic.CHRM_PULL
    payload = payloads.decode(payloads.ChrmPullMsg, pull.data)
    return pull.target_id, payload.syncTime, payload.count


def shown(client: ClientScript) -> list[MessageReceived]:
    """The messages that the program got since the last look."""
    return client.events(MessageReceived)


class TestLogin:
    """Session 2 and 15, rule 1."""

    def test_the_server_speaks_first(self) -> None:
        """Clients wait for CONNACK (wire 4.2)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        assert client.sent() == []
        assert client.connection.state is State.HANDSHAKE

    def test_a_transport_is_opened_once(self) -> None:
        client = ClientScript()
        client.connection.connect(now=0.0)
        with pytest.raises(LocalProtocolError):
            client.connection.connect(now=0.0)

    def test_before_connack_the_program_can_ask_for_nothing(self) -> None:
        client = ClientScript()
        client.connection.connect(now=0.0)
        with pytest.raises(NotConnected):
            client.publish()
        with pytest.raises(NotConnected):
            client.connection.query(SETTINGS, now=0.0)
        with pytest.raises(NotConnected):
            client.connection.follow_room("r1", now=0.0)
        assert client.session.rooms == ()

    def test_older_than_the_login_is_offline(self) -> None:
        """Session 8.7."""
        client = ClientScript()
        client.log_in()
        page_of_two = page(1, down(LOGIN_TIME - 1), down(LOGIN_TIME), sync_time=LOGIN_TIME)
        client.receive(page_of_two)
        assert [event.message.is_offline for event in shown(client)] == [True, False]

    def test_connack_is_awaited_for_5_s(self) -> None:
        """Session 13."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.wait(4.999)
        assert client.events() == []
        client.wait(0.001)
        assert client.closed().reason is CloseReason.NO_CONNACK

    def test_after_connack_come_pingreq_and_the_first_pull(self) -> None:
        """Session 2.2."""
        client = ClientScript()
        client.log_in()
        ping, pull = client.sent()
        assert ping == PingReq()
        assert (pull.topic, pull.target_id) == (Topic.PULL_MSG, "u1")
        assert (asked(pull).syncTime, asked(pull).sendBoxSyncTime) == (0, 0)

    def test_the_program_learns_user_session_and_time(self) -> None:
        client = ClientScript()
        client.log_in()
        assert client.events() == [Connected(user_id="u1", session_id="s1", server_time=LOGIN_TIME)]
        assert client.session.user_id == "u1"

    def test_a_connack_may_leave_out_what_it_likes(self) -> None:
        """Interop 4: leaving the time out is tolerated."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(ConnAck(status=0, user_id="u1"))
        assert client.events() == [Connected(user_id="u1", session_id="", server_time=TimeMs(0))]

    def test_without_a_user_id_it_is_empty(self) -> None:
        """SDK 4.6.4 connects with an empty user id, too (interop 2)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(ConnAck(status=0))
        assert client.events(Connected)[0].user_id == ""

    def test_version_4_sets_the_counter_of_ids(self) -> None:
        """Wire 4.2."""
        client = ClientScript(protocol_version=ProtocolVersion.V4)
        client.connection.connect(now=0.0)
        accepted = ConnAck(
            status=0,
            user_id="u1",
            timestamp=LOGIN_TIME,
            message_id=MessageId(1000),
            protocol_version=ProtocolVersion.V4,
        )
        client.receive(accepted)
        [pull] = client.sent(Query)
        assert pull.message_id == 1001
        assert client.publish() == 1002

    @pytest.mark.parametrize("status", [1, 3, 4, 9, 12, 18, 255])
    def test_a_refusal_is_final(self, status: int) -> None:
        """Session 2.3; unknown statuses too (wire 7, rule 3)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(connack(status))
        closed = client.closed()
        assert (closed.reason, closed.status) == (CloseReason.REFUSED, status)
        assert client.sent() == []

    def test_status_6_sends_the_client_to_navigation(self) -> None:
        """Session 2.3."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(connack(6))
        closed = client.closed()
        assert (closed.reason, closed.status) == (CloseReason.REDIRECTED, 6)

    def test_a_session_belongs_to_one_user(self) -> None:
        """Cursors of one inbox mean nothing in another."""
        client = ClientScript()
        client.session.user_id = "somebody"
        client.log_in()
        closed = client.closed()
        assert closed.reason is CloseReason.VIOLATION
        assert "somebody" in str(closed.error)
        assert client.session.user_id == "somebody"
        assert client.sent() == []

    def test_a_user_id_that_cannot_be_sent_back_ends_it(self) -> None:
        """Four-byte UTF-8 is read, but written as six bytes (wire 3): the id no longer fits."""
        user_id = "\U0001f600" * 200
        connack_bytes = (
            b"\x20\x00\x00" + (800).to_bytes(2, "big") + user_id.encode() + b"\x00\x00" + bytes(8)
        )
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.connection.receive_message(connack_bytes, now=0.0)
        closed = client.closed()
        assert closed.reason is CloseReason.VIOLATION
        assert "user id" in str(closed.error)

    @pytest.mark.parametrize(
        "frame",
        [notify(LOGIN_TIME), puback(1), queryack(1), Disconnect(status=1)],
        ids=lambda frame: type(frame).__name__,
    )
    def test_before_connack_nothing_but_connack_is_allowed(self, frame: Frame) -> None:
        """The first frame on every connection (wire 4.2)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(frame)
        assert client.closed().reason is CloseReason.VIOLATION
        assert client.sent() == []

    def test_before_the_transport_is_open_nothing_is_allowed(self) -> None:
        client = ClientScript()
        client.receive(PingResp())
        assert client.closed().reason is CloseReason.VIOLATION

    def test_frames_may_follow_connack_at_once(self) -> None:
        """Session 2.4; a push ahead of the first pull is taken (session 15, rule 8)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(connack(), push(down(LOGIN_TIME + 1)))
        [event] = shown(client)
        client.acknowledge(event)
        assert client.session.inbox_cursor == 0


class TestHeartbeat:
    """Session 5 and 15, rule 2."""

    def test_pingreq_comes_15_s_after_each_pingresp(self) -> None:
        """As the newer SDKs do."""
        client = ClientScript.online()
        for _ in range(3):
            client.wait(14.9)
            assert client.sent() == []
            client.wait(0.1)
            assert client.sent() == [PingReq()]
            client.wait(2.0)
            client.receive(PingResp())

    def test_the_first_pingresp_is_awaited_for_5_s(self) -> None:
        client = ClientScript()
        client.log_in()
        client.sent()
        client.wait(5.0)
        assert client.sent(PingReq) == [PingReq()]

    def test_one_missed_pingresp_costs_a_second_pingreq(self) -> None:
        client = ClientScript.online()
        client.wait(15.0 + 15.0)
        assert client.sent() == [PingReq(), PingReq()]
        client.receive(PingResp())
        client.wait(15.0 + 15.0)
        assert client.connection.is_online

    def test_two_missed_in_a_row_end_it(self) -> None:
        client = ClientScript.online()
        client.wait(15.0 + 15.0 + 14.9)
        assert client.connection.is_online
        client.wait(0.1)
        assert client.closed().reason is CloseReason.NO_PONG

    def test_a_pingresp_before_connack_is_harmless(self) -> None:
        """SDK 2.5.3 pings from the moment the socket is open (session 2.1)."""
        client = ClientScript()
        client.connection.connect(now=0.0)
        client.receive(PingResp(), connack())
        assert client.connection.is_online


class TestAcknowledgements:
    """Session 7 and 15, rule 5."""

    def test_a_publish_with_qos_1_is_answered_with_its_id(self) -> None:
        client = ClientScript.online()
        client.receive(delivery(Topic.S_CMD, b"\x08\x03", message_id=0xFF00))
        assert client.sent() == [DeliveryAck(message_id=MessageId(0xFF00))]

    @pytest.mark.parametrize("qos", [Qos.EXACTLY_ONCE, Qos.DEFAULT])
    def test_qos_2_and_3_count_as_1(self, qos: Qos) -> None:
        """Wire 2."""
        client = ClientScript.online()
        client.receive(
            delivery(Topic.S_CMD, b"\x08\x03", message_id=5, qos=qos), queryack(9, qos=qos)
        )
        assert client.sent() == [
            DeliveryAck(message_id=MessageId(5)),
            QueryCon(message_id=MessageId(9)),
        ]

    def test_a_publish_with_qos_0_is_not(self) -> None:
        client = ClientScript.online()
        client.receive(delivery(Topic.S_CMD, b"\x08\x03", qos=Qos.AT_MOST_ONCE))
        assert client.sent() == []

    def test_a_copy_is_not(self) -> None:
        """Session 9.3."""
        client = ClientScript.online()
        client.receive(delivery(Topic.PP_MSG_P, up(), message_id=65535, is_sync=True))
        assert client.sent() == []

    def test_what_cannot_be_used_is_answered_all_the_same(self) -> None:
        """The server cannot do better the second time."""
        client = ClientScript.online()
        client.receive(delivery("nonsense", b""), delivery(Topic.S_MSG, b"\xff"))
        assert client.sent() == [DeliveryAck(message_id=MessageId(0))] * 2

    def test_a_queryack_with_qos_1_is_confirmed_even_if_unknown(self) -> None:
        client = ClientScript.online()
        client.receive(queryack(99, qos=Qos.AT_LEAST_ONCE), queryack(99))
        assert client.sent() == [QueryCon(message_id=MessageId(99))]


class TestRequests:
    """PUBLISH and QUERY of the program (session 7, 9.1)."""

    def test_a_publish_goes_out_as_it_is(self) -> None:
        client = ClientScript.online()
        message_id = client.publish()
        assert client.sent() == [
            Publish(
                topic=Topic.PP_MSG_P, target_id="u2", message_id=message_id, data=outgoing().data
            )
        ]

    def test_its_puback_completes_it(self) -> None:
        client = ClientScript.online()
        message_id = client.publish()
        client.receive(puback(message_id, uid="m1", time=LOGIN_TIME + 386))
        assert client.events() == [
            PublishAcknowledged(
                message_id=message_id,
                status=0,
                uid=MessageUid("m1"),
                timestamp=TimeMs(LOGIN_TIME + 386),
            )
        ]
        assert client.connection.requests_in_flight == 0

    def test_a_refusal_is_an_answer(self) -> None:
        """A refused message still gets a PUBACK, with status (session 9.1)."""
        client = ClientScript.online()
        message_id = client.publish()
        client.receive(puback(message_id, status=22406))
        [event] = client.events()
        assert (event.status, event.uid) == (22406, "")

    def test_a_query_and_its_answer(self) -> None:
        client = ClientScript.online()
        message_id = client.connection.query(SETTINGS, now=client.now)
        assert client.sent() == [
            Query(topic=Topic.PULL_US, target_id="u1", message_id=message_id, data=SETTINGS.data)
        ]
        client.receive(queryack(message_id, b"reply", status=5))
        assert client.events() == [
            QueryAnswered(message_id=message_id, status=5, date=LOGIN_TIME // 1000, data=b"reply")
        ]

    def test_the_program_may_pull_by_itself(self) -> None:
        """Then the answer is its own business."""
        client = ClientScript.online()
        pull = Request(topic=Topic.PULL_MSG, target_id="u1", data=b"")
        message_id = client.connection.query(pull, now=client.now)
        client.receive(page(message_id, down(LOGIN_TIME), sync_time=LOGIN_TIME))
        assert len(client.events(QueryAnswered)) == 1

    def test_publish_and_query_share_one_counter(self) -> None:
        """Session 6."""
        client = ClientScript.online()
        ids = [client.publish(), client.connection.query(SETTINGS, now=0.0), client.publish()]
        assert ids == [2, 3, 4]

    def test_an_answer_of_the_wrong_kind_completes_nothing(self) -> None:
        """Session 15, rule 6; SDK 2.9.2 gets this wrong (session 6)."""
        client = ClientScript.online()
        publish = client.publish()
        query = client.connection.query(SETTINGS, now=0.0)
        client.receive(
            queryack(publish),
            puback(query),
            delivery(Topic.S_CMD, b"\x08\x03", message_id=publish, qos=Qos.AT_MOST_ONCE),
        )
        assert only(client.events(), PublishAcknowledged) == []
        assert client.connection.requests_in_flight == 2

    def test_unknown_and_repeated_answers_are_ignored(self) -> None:
        """Session 15, rule 6."""
        client = ClientScript.online()
        message_id = client.publish()
        client.receive(puback(message_id), puback(message_id), puback(77), queryack(78))
        assert len(client.events()) == 1

    def test_a_request_fails_after_30_s(self) -> None:
        """Session 7; a late answer is ignored."""
        client = ClientScript.online(timing=Timing(heartbeat=1000.0))
        publish = client.publish()
        client.wait(10.0)
        query = client.connection.query(SETTINGS, now=client.now)
        client.wait(19.9)
        assert client.events() == []
        client.wait(0.1)
        failed = RequestFailed(message_id=publish, cause=FailureCause.TIMED_OUT)
        assert client.events() == [failed]
        client.wait(10.0)
        assert client.events() == [RequestFailed(message_id=query, cause=FailureCause.TIMED_OUT)]
        client.receive(puback(publish), queryack(query))
        assert client.events() == []

    def test_each_request_has_its_30_s_from_when_it_was_sent(self) -> None:
        """Whatever sent it, the program or the core."""
        timing = Timing(heartbeat=1e6, pull=1e6)
        client = ClientScript.online(timing=timing)
        client.now = 10.0
        client.publish()
        assert client.connection.next_deadline() == 40.0

        client = ClientScript.online(timing=timing)
        client.receive(push(down(LOGIN_TIME)), notify(LOGIN_TIME + 1))
        [event] = shown(client)
        client.now = 10.0
        client.acknowledge(event)
        assert client.connection.next_deadline() == 40.0

        client = ClientScript.online(timing=timing)
        client.connection.follow_room("r1", now=10.0)
        assert client.connection.next_deadline() == 40.0

    def test_an_answered_request_wakes_nobody(self) -> None:
        client = ClientScript.online()
        before = client.connection.next_deadline()
        client.receive(puback(client.publish()))
        client.wait(14.0)
        assert client.connection.next_deadline() == before

    def test_the_end_fails_what_is_on_its_way(self) -> None:
        client = ClientScript.online()
        publish = client.publish()
        query = client.connection.query(SETTINGS, now=0.0)
        client.connection.disconnect(now=1.0)
        *failed, closed = client.events()
        assert failed == [
            RequestFailed(message_id=publish, cause=FailureCause.CLOSED),
            RequestFailed(message_id=query, cause=FailureCause.CLOSED),
        ]
        assert closed.reason is CloseReason.LOCAL

    def test_a_window_is_bounded_and_opens_with_an_answer(self) -> None:
        client = ClientScript.online(limits=Limits(requests_in_flight=2))
        first = client.publish()
        client.publish()
        with pytest.raises(WindowFull):
            client.publish()
        client.receive(puback(first))
        client.publish()
        assert client.connection.requests_in_flight == 2

    def test_a_full_window_puts_off_a_pull_and_loses_none(self) -> None:
        client = ClientScript.online(limits=Limits(requests_in_flight=1))
        message_id = client.publish()
        client.sent()
        client.receive(notify(LOGIN_TIME))
        assert client.sent(Query) == []
        client.receive(puback(message_id))
        assert len(client.sent(Query)) == 1


class TestInbox:
    """Session 8 and 15, rules 3, 4 and 8."""

    def test_a_notification_is_followed_by_a_pull_from_the_cursor(self) -> None:
        client = ClientScript.online()
        client.receive(notify(LOGIN_TIME))
        [pull] = client.sent(Query)
        client.receive(page(pull.message_id, down(LOGIN_TIME), sync_time=LOGIN_TIME))
        client.acknowledge(*shown(client))
        client.receive(notify(LOGIN_TIME + 5))
        [pull] = client.sent(Query)
        assert asked(pull).syncTime == LOGIN_TIME

    def test_the_end_of_catching_up_is_told(self) -> None:
        client = ClientScript()
        client.log_in()
        client.receive(page(1, down(100), sync_time=150))
        first = client.events()
        assert [type(event) for event in first] == [Connected, MessageReceived]
        client.acknowledge(first[1])
        assert client.events() == [CaughtUp(room_id=None, cursor=TimeMs(150))]

    def test_pages_follow_each_other_as_the_program_takes_them(self) -> None:
        """Session 15, rule 3."""
        client = ClientScript()
        client.log_in()
        client.sent()
        client.receive(page(1, down(100), down(200), sync_time=200, finished=False))
        first, second = shown(client)
        client.acknowledge(first)
        assert client.sent() == []
        client.acknowledge(second)
        [pull] = client.sent()
        assert asked(pull).syncTime == 200

    def test_a_server_that_never_finishes_and_never_advances_is_not_asked_for_ever(self) -> None:
        """Session 15, rule 3: stop if syncTime did not advance."""
        client = ClientScript()
        client.log_in()
        pulls = 0
        while (queries := client.sent(Query)) and pulls < 50:
            pulls += 1
            client.receive(page(queries[0].message_id, sync_time=77, finished=False))
        assert pulls == 2

    def test_nor_one_that_sends_the_same_page_again_and_again(self) -> None:
        """The messages are shown once, and then it stops."""
        client = ClientScript()
        client.log_in()
        times = []
        for _ in range(50):
            queries = client.sent(Query)
            if not queries:
                break
            client.receive(page(queries[0].message_id, down(77), sync_time=77, finished=False))
            events = shown(client)
            client.acknowledge(*events)
            times += [event.message.time for event in events]
        assert times == [77]
        assert client.sent(Query) == []

    def test_the_inbox_is_pulled_every_180_s_whatever_happens(self) -> None:
        """Session 15, rule 3: a lost notification delays by three minutes at worst."""
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        client.wait(179.9)
        assert client.sent(Query) == []
        client.wait(0.1)
        [pull] = client.sent(Query)
        client.receive(page(pull.message_id, sync_time=0))
        client.wait(180.0)
        assert len(client.sent(Query)) == 1

    def test_the_180_s_begin_with_the_last_pull_of_the_inbox(self) -> None:
        """Session 5; a room's pulls do not count."""
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        client.now = 100.0
        client.receive(notify(LOGIN_TIME))
        client.receive(page(2, sync_time=LOGIN_TIME))
        client.now = 150.0
        client.connection.follow_room("r1", now=client.now)
        client.receive(page(3, sync_time=1))
        assert client.connection.next_deadline() == 280.0

    def test_also_if_the_first_pull_had_to_wait_for_the_program(self) -> None:
        """Messages of the last connection are open, and acknowledged behind our back."""
        session = ClientSession()
        session.user_id = "u1"
        old = ClientScript.online(session)
        old.receive(push(down(LOGIN_TIME)))
        [event] = shown(old)
        old.connection.receive_eof(now=0.0)
        client = ClientScript(session, timing=Timing(heartbeat=1e6))
        client.log_in()
        client.receive(PingResp())
        assert client.sent(Query) == []
        old.acknowledge(event)
        client.wait(180.0)
        [pull] = client.sent(Query)
        assert asked(pull).syncTime == LOGIN_TIME

    @pytest.mark.parametrize("answer", [queryack(2, status=20604), queryack(2, b"\xff")])
    def test_a_failed_pull_is_repeated_after_5_s(self, answer: object) -> None:
        """SDK 2.9.2 would wait three minutes (interop 7, rule 8)."""
        client = ClientScript.online()
        client.receive(notify(LOGIN_TIME))
        client.sent()
        client.receive(answer)  # type: ignore[arg-type]
        assert len(client.events(PullFailed)) == 1
        client.wait(4.9)
        assert client.sent(Query) == []
        client.wait(0.1)
        assert len(client.sent(Query)) == 1

    def test_a_pull_without_an_answer_is_repeated_too(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        client.receive(notify(LOGIN_TIME))
        client.sent()
        client.wait(30.0)
        assert client.events() == []
        assert client.sent(Query) == []
        client.wait(5.0)
        assert len(client.sent(Query)) == 1

    def test_a_push_is_shown_at_once(self) -> None:
        """Session 8.5."""
        client = ClientScript.online()
        client.receive(push(down(LOGIN_TIME)))
        client.acknowledge(*shown(client))
        assert client.session.inbox_cursor == LOGIN_TIME

    def test_pushes_that_had_to_be_dropped_are_pulled(self) -> None:
        """Limits.events_queued; the server has them (session 7)."""
        client = ClientScript.online(limits=Limits(events_queued=1))
        client.receive(push(down(LOGIN_TIME)), push(down(LOGIN_TIME + 1)))
        [event] = shown(client)
        client.sent()
        client.acknowledge(event)
        [pull] = client.sent(Query)
        assert asked(pull).syncTime == LOGIN_TIME


class TestReconnecting:
    """A message is shown once, and none is lost (session 8.7)."""

    def test_what_is_open_is_not_shown_again_on_the_next_connection(self) -> None:
        first = ClientScript()
        first.log_in()
        first.receive(page(1, down(100), down(200), sync_time=200))
        one, two = shown(first)
        first.acknowledge(two)
        first.connection.receive_eof(now=1.0)
        assert first.session.inbox_cursor == 0

        second = ClientScript(first.session, now=2.0)
        second.log_in()
        assert second.sent(Query) == []
        second.acknowledge(one)
        [pull] = second.sent(Query)
        assert asked(pull).syncTime == 200

    def test_what_was_acknowledged_after_the_end_counts(self) -> None:
        first = ClientScript()
        first.log_in()
        first.receive(page(1, down(100), sync_time=100))
        [event] = shown(first)
        first.connection.receive_eof(now=1.0)
        first.acknowledge(event)
        assert first.session.inbox_cursor == 100

    def test_a_repeated_page_on_the_next_connection_shows_only_what_is_new(self) -> None:
        first = ClientScript()
        first.log_in()
        first.receive(page(1, down(100), down(200), sync_time=200))
        first.acknowledge(shown(first)[0])
        state = json.loads(json.dumps(first.session.to_state()))

        second = ClientScript(ClientSession.from_state(state))
        second.log_in()
        [pull] = second.sent(Query)
        assert asked(pull).syncTime == 100
        second.receive(page(pull.message_id, down(100), down(200), down(300), sync_time=300))
        assert [event.message.time for event in shown(second)] == [200, 300]

    def test_room_messages_of_the_last_connection_let_the_room_go_on(self) -> None:
        """Acknowledged on the next connection, they make the next pull due."""
        first = ClientScript.online()
        first.connection.follow_room("r1", now=0.0)
        first.receive(page(2, down(50, group="r1", type=4), sync_time=50))
        [event] = shown(first)
        first.connection.receive_eof(now=1.0)

        second = ClientScript.online(first.session)
        second.connection.follow_room("r1", now=0.0)
        assert second.sent(Query) == []
        second.acknowledge(event)
        [pull] = second.sent(Query)
        assert asked_room(pull) == ("r1", 50, 10)

    def test_a_pull_that_the_end_cut_off_is_repeated_on_the_next_connection(self) -> None:
        first = ClientScript()
        first.log_in()
        first.connection.receive_eof(now=1.0)
        assert first.events(RequestFailed) == []
        second = ClientScript(first.session)
        second.log_in()
        assert len(second.sent(Query)) == 1


class TestOutbox:
    """Messages with a unique id are sent until they are answered (architecture 2, rule 7)."""

    def test_a_kept_message_that_fits_no_frame_is_given_up(self) -> None:
        """A damaged state must not make receiving raise (guide 3, rule 2)."""
        session = ClientSession()
        session.keep(outgoing(7, target="x" * 2_000), 7)
        client = ClientScript(session)
        client.log_in()
        assert client.events(RequestFailed) == [
            RequestFailed(message_id=MessageId(0), cause=FailureCause.UNSENDABLE)
        ]
        assert session.outbox == {}

    def test_an_answered_message_leaves_the_outbox(self) -> None:
        """Whatever the status: a refusal is final (session 9.1)."""
        client = ClientScript.online()
        for unique_id, status in ((7, 0), (8, 405)):
            message_id = client.publish(unique_id)
            client.receive(puback(message_id, status=status))
            [event] = client.events()
            assert event.unique_id == unique_id
        assert client.session.outbox == {}

    def test_what_was_not_answered_is_sent_on_the_next_connection(self) -> None:
        """In order, behind the first pull, under new message ids."""
        first = ClientScript.online()
        first.publish(7)
        first.publish()
        first.publish(3)
        first.connection.receive_eof(now=1.0)
        assert [event.will_resend for event in first.events(RequestFailed)] == [True, False, True]

        second = ClientScript(first.session)
        second.log_in()
        _, pull, *again = second.sent()
        assert pull.topic == Topic.PULL_MSG
        assert [(frame.message_id, frame.data) for frame in again] == [(2, up()), (3, up())]
        assert second.events(Resent) == [
            Resent(message_id=MessageId(2), unique_id=7),
            Resent(message_id=MessageId(3), unique_id=3),
        ]

    def test_what_timed_out_is_sent_again_on_this_one(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        message_id = client.publish(7)
        client.sent()
        client.wait(30.0)
        failed, resent = client.events()
        assert failed == RequestFailed(
            message_id=message_id, cause=FailureCause.TIMED_OUT, will_resend=True
        )
        [again] = client.sent(Publish)
        assert resent == Resent(message_id=again.message_id, unique_id=7)
        assert again.message_id != message_id
        client.receive(puback(again.message_id))
        assert client.session.outbox == {}

    def test_a_full_window_is_refilled_answer_by_answer(self) -> None:
        """And nothing new may overtake."""
        limits = Limits(requests_in_flight=2)
        first = ClientScript(limits=limits)
        for unique_id in range(5):
            first.session.keep(outgoing(unique_id), unique_id)
        first.log_in()
        order: list[int] = []
        in_flight = []
        for _ in range(10):
            for event in first.events(Resent):
                order.append(event.unique_id)
                in_flight.append(event.message_id)
            assert first.connection.requests_in_flight <= 2
            if len(order) < 5:
                with pytest.raises(WindowFull):
                    first.publish(99)
            first.receive(page(1, sync_time=0))
            if in_flight:
                first.receive(puback(in_flight.pop(0)))
        assert order == [0, 1, 2, 3, 4]
        assert first.session.outbox == {}
        first.publish(99)

    def test_a_unique_id_can_be_on_its_way_once(self) -> None:
        client = ClientScript.online()
        client.publish(7)
        with pytest.raises(LocalProtocolError):
            client.publish(7)

    def test_what_was_sent_is_no_news_when_it_is_pulled(self) -> None:
        """Own messages are known by the uid of the PUBACK (session 8.7)."""
        client = ClientScript.online()
        client.receive(puback(client.publish(), uid="m500"))
        client.receive(notify(LOGIN_TIME))
        [pull] = client.sent(Query)
        client.receive(page(pull.message_id, down(500, direction=1), sync_time=LOGIN_TIME))
        assert shown(client) == []
        assert client.session.sent_cursor == 500


class TestCopies:
    """Sync frames (session 9.3 and 15, rule 6)."""

    @staticmethod
    def hold(client: ClientScript, message_id: int) -> None:
        client.receive(
            delivery(Topic.PP_MSG_P, up(), message_id=message_id, target="u2", is_sync=True)
        )

    def test_a_copy_is_shown_when_its_puback_has_come(self) -> None:
        client = ClientScript.online()
        self.hold(client, 65535)
        assert client.events() == []
        client.receive(puback(65535, uid="m1", time=LOGIN_TIME))
        [event] = shown(client)
        assert (event.message.uid, event.message.time) == ("m1", LOGIN_TIME)

    def test_a_copy_is_given_up_after_30_s(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        self.hold(client, 65535)
        client.wait(10.0)
        self.hold(client, 65534)
        client.wait(19.9)
        assert client.events() == []
        client.wait(0.1)
        assert len(client.events(FrameDropped)) == 1
        client.wait(10.0)
        assert len(client.events(FrameDropped)) == 1
        client.receive(puback(65535))
        assert client.events() == []

    def test_a_completed_copy_wakes_nobody(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=100.0))
        self.hold(client, 65535)
        assert client.connection.next_deadline() == 30.0
        client.receive(puback(65535, uid="m1"))
        assert client.connection.next_deadline() == 100.0

    def test_a_completed_copy_leaves_the_others_their_time(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6))
        self.hold(client, 65535)
        client.wait(10.0)
        self.hold(client, 65534)
        client.receive(puback(65535, uid="m1"))
        client.events()
        client.wait(29.9)
        assert client.events() == []
        client.wait(0.1)
        assert len(client.events(FrameDropped)) == 1

    def test_the_id_of_a_held_copy_is_not_given_to_a_request(self) -> None:
        """Their PUBACKs could not be told apart."""
        client = ClientScript.online()
        self.hold(client, 2)
        assert client.publish() == 3

    def test_the_puback_after_a_copy_is_the_copys(self) -> None:
        """Even if a request with this id was on its way before."""
        client = ClientScript.online()
        message_id = client.publish()
        self.hold(client, message_id)
        client.receive(puback(message_id, uid="copy"), puback(message_id, uid="own"))
        copied, acknowledged = client.events()
        assert copied.message.uid == "copy"
        assert acknowledged.uid == "own"

    def test_a_recall_from_another_device_is_in_the_conversation_it_concerns(self) -> None:
        """Messages 7, rule 5."""
        content = b'{"messageUId":"m0","conversationType":3,"targetId":"g1","sentTime":5}'
        recall = payloads.UpStreamMessage(sessionId=0, classname="RC:RcCmd", content=content)
        client = ClientScript.online()
        frame = delivery(
            Topic.RECALL_MSG,
            payloads.encode(recall),
            message_id=65535,
            target="u1",
            is_sync=True,
        )
        client.receive(frame, puback(65535, uid="m1"))
        [event] = shown(client)
        conversation = event.message.conversation
        assert (conversation.type, conversation.target_id) == (ConversationType.GROUP, "g1")


class TestRooms:
    """Session 11."""

    def test_a_room_is_pulled_when_it_is_followed(self) -> None:
        client = ClientScript.online()
        client.connection.follow_room("r1", count=-1, now=0.0)
        [pull] = client.sent()
        assert asked_room(pull) == ("r1", 0, -1)

    def test_and_when_it_is_announced_from_its_cursor_with_count_10(self) -> None:
        client = ClientScript.online()
        client.connection.follow_room("r1", count=30, now=0.0)
        [pull] = client.sent()
        client.receive(page(pull.message_id, sync_time=500))
        client.receive(notify(501, "r1"))
        [pull] = client.sent(Query)
        assert asked_room(pull) == ("r1", 500, 10)

    def test_a_room_id_that_fits_no_frame_is_refused(self) -> None:
        """Limits.string_bytes."""
        client = ClientScript.online()
        with pytest.raises(EncodeError, match="target_id"):
            client.connection.follow_room("x" * 2000, now=0.0)
        assert client.session.rooms == ()

    @pytest.mark.parametrize("count", [-2, 2**31])
    def test_a_count_that_means_nothing_is_refused(self, count: int) -> None:
        """-1 is none, and an int32 is the end of it."""
        client = ClientScript.online()
        with pytest.raises(EncodeError, match="count must be -1 to 2147483647"):
            client.connection.follow_room("r1", count=count, now=0.0)
        assert client.session.rooms == ()

    def test_an_announced_room_that_is_not_followed_is_told_to_the_program(self) -> None:
        """Newer SDKs ignore it, SDK 2.5.3 pulls."""
        client = ClientScript.online()
        client.receive(notify(501, "r1"))
        assert client.sent(Query) == []
        [event] = client.events()
        assert isinstance(event, Announced)
        assert event.topic is Topic.S_NTF

    def test_a_room_that_was_left_is_not_pulled(self) -> None:
        client = ClientScript.online()
        client.connection.follow_room("r1", now=0.0)
        [pull] = client.sent()
        client.connection.forget_room("r1")
        client.receive(page(pull.message_id, down(100), sync_time=100, finished=False))
        assert client.events() == []
        client.receive(notify(501, "r1"))
        assert client.sent(Query) == []
        client.connection.forget_room("r1")

    def test_rooms_are_not_followed_again_by_themselves(self) -> None:
        """The program has to join first; the cursor is kept."""
        first = ClientScript.online()
        first.connection.follow_room("r1", now=0.0)
        first.receive(page(2, sync_time=500))
        first.connection.receive_eof(now=0.0)
        second = ClientScript.online(first.session)
        assert second.session.rooms == ("r1",)
        second.receive(notify(501, "r1"))
        assert second.sent(Query) == []
        second.connection.follow_room("r1", count=20, now=0.0)
        [pull] = second.sent(Query)
        assert asked_room(pull) == ("r1", 500, 20)

    def test_a_refused_room_pull_is_told_and_not_repeated(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6, pull=1e6))
        client.connection.follow_room("r1", now=0.0)
        client.receive(queryack(2, status=23406))
        assert client.events() == [PullFailed(room_id="r1", status=23406)]
        client.sent()
        client.wait(100.0)
        assert client.sent() == []

    def test_a_room_pull_without_an_answer_is_not_repeated_before_it_is_announced(self) -> None:
        client = ClientScript.online(timing=Timing(heartbeat=1e6, pull=1e6))
        client.connection.follow_room("r1", now=0.0)
        client.wait(100.0)
        assert len(client.sent(Query)) == 1
        client.receive(notify(501, "r1"))
        assert len(client.sent(Query)) == 1

    def test_acknowledged_room_messages_let_the_room_go_on(self) -> None:
        client = ClientScript.online()
        client.connection.follow_room("r1", now=0.0)
        client.sent()
        client.receive(page(2, down(50, group="r1", type=4), sync_time=50, finished=False))
        client.acknowledge(*shown(client))
        [pull] = client.sent()
        assert asked_room(pull) == ("r1", 50, 10)


class TestOtherTopics:
    """Operations 3 and session 12."""

    def test_commands_are_the_programs_business(self) -> None:
        client = ClientScript.online()
        command = payloads.NotifyMsg(type=4)
        client.receive(delivery(Topic.S_CMD, payloads.encode(command), target="r1"))
        assert client.events() == [Announced(topic=Topic.S_CMD, target_id="r1", payload=command)]

    def test_unknown_topics_are_dropped(self) -> None:
        """The newer SDKs log them (session 12)."""
        client = ClientScript.online()
        client.receive(delivery("nonsense", b""))
        [event] = client.events()
        assert isinstance(event.error, UnexpectedFrame)
        assert "nonsense" in str(event.error)

    @pytest.mark.parametrize("topic", [Topic.S_CMD, Topic.S_MSG, Topic.S_NTF])
    def test_payloads_that_cannot_be_read_are_dropped(self, topic: Topic) -> None:
        client = ClientScript.online()
        client.receive(delivery(topic, b"\xff"))
        [event] = client.events()
        assert isinstance(event, FrameDropped)
        assert client.connection.is_online

    def test_a_program_that_never_looks_does_not_fill_the_memory(self) -> None:
        """Limits.events_queued: the newest hints are dropped, messages are not."""
        client = ClientScript.online(limits=Limits(events_queued=10))
        command = delivery(Topic.S_CMD, b"\x08\x03")
        for _ in range(100):
            client.receive(command, delivery("nonsense", b""))
        client.receive(push(down(LOGIN_TIME)))
        events = client.events()
        assert len(events) == 11
        assert len(only(events, MessageReceived)) == 1


class TestBadFrames:
    """Wire 7, rule 7."""

    def test_ten_in_a_row_end_it(self) -> None:
        client = ClientScript.online()
        for _ in range(9):
            client.connection.receive_message(b"\xff", now=0.0)
        assert len(client.events(FrameDropped)) == 9
        client.connection.receive_message(b"", now=0.0)
        closed = client.closed()
        assert closed.reason is CloseReason.VIOLATION
        assert closed.close_code == 1007

    @pytest.mark.parametrize("frame", [PingReq(), UnsubAck()])
    def test_frames_that_no_server_sends_are_dropped(self, frame: Frame) -> None:
        """A client that answered them would be alone with it (wire 4.9)."""
        client = ClientScript.online()
        client.connection.receive_frame(frame, now=0.0)
        [event] = client.events()
        assert isinstance(event.error, UnexpectedFrame)
        assert client.sent() == []

    def test_a_good_one_in_between_starts_the_count_again(self) -> None:
        client = ClientScript.online()
        for _ in range(3):
            for _ in range(9):
                client.connection.receive_frame(PingReq(), now=0.0)
            client.receive(PingResp())
        assert client.connection.is_online


class TestEnd:
    """Session 4."""

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (0, CloseReason.REDIRECTED),
            (1, CloseReason.KICKED),
            (2, CloseReason.BLOCKED),
            (3, CloseReason.ENDED),
            (4, CloseReason.ENDED),
            (5, CloseReason.BLOCKED),
            (6, CloseReason.REDIRECTED),
            (200, CloseReason.ENDED),
        ],
    )
    def test_after_disconnect_the_client_closes(self, status: int, reason: CloseReason) -> None:
        """Session 4.1; unknown statuses too (wire 7, rule 3)."""
        client = ClientScript.online()
        client.receive(Disconnect(status=status))
        closed = client.closed()
        assert (closed.reason, closed.status) == (reason, status)

    @pytest.mark.parametrize("is_connected", [False, True])
    def test_leaving_needs_no_frame(self, is_connected: bool) -> None:
        """Clients close the transport (wire 4.10)."""
        client = ClientScript.online() if is_connected else ClientScript()
        client.connection.disconnect(now=0.0)
        client.connection.disconnect(now=0.0)
        assert client.sent() == []
        assert client.events() == [ConnectionClosed(reason=CloseReason.LOCAL)]

    @pytest.mark.parametrize("status", [0, 3])
    def test_a_second_connack_ends_it(self, status: int) -> None:
        """It is the first frame and comes once (wire 4.2)."""
        client = ClientScript.online()
        client.receive(connack(status))
        assert client.closed().reason is CloseReason.VIOLATION
