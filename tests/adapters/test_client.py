"""What a program sees of a client, on both runtimes."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from improto import payloads
from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.config import Limits
from improto.contents import Text
from improto.errors import (
    ConnectionEnded,
    HandshakeRefused,
    LimitExceeded,
    RemoteProtocolError,
    RequestRefused,
)
from improto.events import CaughtUp, CloseReason, ConnectionClosed, PublishAcknowledged, Resent
from improto.frames import PubAck, Publish, Query, QueryAck, TimeMs
from improto.messages import Conversation
from improto.operations import Topic
from improto.session import ClientSession
from tests.adapters.office import (
    LOGIN_TIME,
    Office,
    RawPeer,
    connected,
    first,
    log_in,
    scripted_server,
    until,
)

pytestmark = pytest.mark.anyio

BOB = Conversation.private("bob")
PULLED = payloads.PullUserSettingOutput


# -- connecting ---------------------------------------------------------------------------------


async def test_a_client_logs_in_and_leaves(adapter: Any, office: Office) -> None:
    session = ClientSession()
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        address = server.addresses[0]
        async with adapter.connect(*address, app_key="app", token="ann", session=session) as client:
            assert (client.user_id, client.server_time) == ("ann", LOGIN_TIME)
            assert client.session is session
            assert client.is_open
            assert client.close_event is None
        assert not client.is_open
        assert client.close_event == ConnectionClosed(reason=CloseReason.LOCAL)
        await until(lambda: not server.connections)
    assert [end.reason for end in office.ends] == [CloseReason.PEER]


@pytest.mark.parametrize("framer", ["wsproto", "websockets"])
async def test_either_framer_serves_either_end(adapter: Any, office: Office, framer: str) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, framer=framer) as server:
        for other in ("wsproto", "websockets"):
            async with connected(adapter, server, framer=other) as client:
                await client.send(BOB, Text("x" * 70_000))
    assert len(office.contents) == 2


async def test_an_unknown_framer_is_refused(adapter: Any, office: Office) -> None:
    with pytest.raises(ValueError, match="framer"):
        async with adapter.connect("127.0.0.1", 1, app_key="a", token="t", framer="x"):
            pass
    with pytest.raises(ValueError, match="framer"):
        async with adapter.serve(office, "127.0.0.1", 0, framer="x"):
            pass


async def test_nobody_listens(adapter: Any, free_port: int) -> None:
    with pytest.raises(OSError, match=r".*"):
        async with adapter.connect("127.0.0.1", free_port, app_key="app", token="ann"):
            pass


async def test_a_name_may_have_several_addresses(adapter: Any, office: Office) -> None:
    """One of those of localhost does not answer."""
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        _, port = server.addresses[0]
        async with adapter.connect("localhost", port, app_key="app", token="ann") as client:
            assert client.is_open


async def test_a_refused_login(adapter: Any, office: Office) -> None:
    office.login_status = ConnAckStatus.IDENTIFIER_REJECTED
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionEnded) as refused:
            async with connected(adapter, server):
                pass
    assert refused.value.reason is CloseReason.REFUSED
    assert refused.value.status == ConnAckStatus.IDENTIFIER_REJECTED


async def test_a_redirected_login(adapter: Any, office: Office) -> None:
    office.login_status = ConnAckStatus.REDIRECT
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionEnded) as redirected:
            async with connected(adapter, server):
                pass
    assert redirected.value.reason is CloseReason.REDIRECTED
    assert redirected.value.reason.may_reconnect


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", HandshakeRefused),
        (b"220 mail.example ESMTP\r\n", RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000, LimitExceeded),
        (b"", RemoteProtocolError),
    ],
)
async def test_a_server_that_opens_no_websocket(
    adapter: Any, answer: bytes, error: type[Exception]
) -> None:
    async def refuse(raw: RawPeer) -> None:
        await raw.read_head()
        await raw.stream.send(answer)

    async with scripted_server(refuse) as address:
        with pytest.raises(error):
            async with adapter.connect(*address, app_key="app", token="ann"):
                pass


async def test_a_block_that_raises_aborts_and_lets_the_exception_through(
    adapter: Any, office: Office
) -> None:
    error = KeyError("mine")
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError) as raised:
            async with connected(adapter, server):
                raise error
        assert raised.value is error
        await until(lambda: not server.connections)
    assert [end.reason for end in office.ends] == [CloseReason.LOST]


# -- requests -----------------------------------------------------------------------------------


async def test_many_tasks_may_send_at_once(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        uids: list[str] = []

        async def send(number: int) -> None:
            uids.append((await client.send(BOB, Text(str(number)))).uid)

        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(send, number)
    assert len(set(uids)) == 50
    assert len(office.contents) == 50


async def test_more_requests_than_the_window_holds(adapter: Any, office: Office) -> None:
    limits = Limits(requests_in_flight=3)
    async with (
        adapter.serve(office, "127.0.0.1", 0, limits=limits) as server,
        connected(adapter, server, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for number in range(40):
            group.start_soon(client.send, BOB, Text(str(number)))
    assert len(office.contents) == 40


async def test_requests_leave_in_the_order_of_the_calls(adapter: Any, office: Office) -> None:
    limits = Limits(requests_in_flight=2)
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for number in range(20):
            group.start_soon(client.send, BOB, Text(f"{number:02}"))
            await anyio.wait_all_tasks_blocked()
    assert office.contents == sorted(office.contents)


async def test_refused_requests(adapter: Any, office: Office) -> None:
    office.status = ErrorCode.REJECTED_BY_BLACKLIST
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        with pytest.raises(RequestRefused) as refused:
            await client.send(BOB, Text("hi"))
        assert refused.value.code == ErrorCode.REJECTED_BY_BLACKLIST
        with pytest.raises(RequestRefused):
            await client.ask(Topic.PULL_US, "ann", payloads.PullUserSettingInput(version=1), PULLED)


async def test_asking(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        question = payloads.PullUserSettingInput(version=7)
        answer = await client.ask(Topic.PULL_US, "ann", question, payloads.PullUserSettingInput)
    assert answer.version == 7


async def test_a_server_that_does_not_read_stops_the_senders_and_not_the_memory(
    adapter: Any,
) -> None:
    """Frames of 100 KB against a limit of 200 KB: what cannot be written waits in its task."""
    limits = Limits(outbound_bytes=200_000, message_bytes=200_000)
    wants_to_read = anyio.Event()

    async def read_late(raw: RawPeer) -> None:
        await log_in(raw)
        await wants_to_read.wait()
        await answer_publishes(raw)

    async with (
        scripted_server(read_late) as address,
        adapter.connect(*address, app_key="a", token="t", limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(200):
            group.start_soon(client.send, BOB, Text("x" * 100_000))
        await anyio.wait_all_tasks_blocked()
        assert client._line._unwritten() < limits.outbound_bytes + 110_000
        wants_to_read.set()


async def answer_publishes(raw: RawPeer) -> None:
    """Acknowledge every message, until the client leaves."""
    while (frame := await raw.receive()) is not None:
        if isinstance(frame, Publish):
            await raw.send(
                PubAck(message_id=frame.message_id, date=1, status=0, millisecond=0, uid="U")
            )


# -- receiving ----------------------------------------------------------------------------------


async def test_messages_arrive_in_order_pushed_and_pulled(adapter: Any, office: Office) -> None:
    for number in range(25):
        office.deliver("ann", b"%d" % number)
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        received: list[bytes] = []
        async for message in client.messages():
            received.append(message.content)
            if len(received) == 25:
                for number in range(25, 30):
                    office.deliver("ann", b"%d" % number)
            if len(received) == 30:
                break
    assert received == [b"%d" % number for number in range(30)]
    assert client.session.inbox_cursor == office.time


async def test_a_message_is_taken_when_the_next_one_is_asked_for(
    adapter: Any, office: Office
) -> None:
    session = ClientSession()
    for content in (b"1", b"2"):
        office.deliver("ann", content)
    async with adapter.serve(office, "127.0.0.1", 0) as server:

        async def die_at_the_second() -> None:
            async with connected(adapter, server, session=session) as client:
                async for message in client.messages():
                    if message.content == b"2":
                        raise KeyError

        with pytest.raises(KeyError):
            await die_at_the_second()
        saved = ClientSession.from_state(session.to_state())
        async with connected(adapter, server, session=saved) as client:
            async for message in client.messages():
                assert message.content == b"2"
                break
    assert saved.inbox_cursor == office.time


async def test_a_slow_program_is_not_sent_another_page(adapter: Any, office: Office) -> None:
    """Pull flow control: ten messages a page, and no page while one is untaken."""
    for number in range(25):
        office.deliver("ann", b"%d" % number)
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        messages = client.messages()
        for _ in range(10):
            await anext(messages)
        await client.send(BOB, Text("the connection works meanwhile"))
        assert len(client._desk._messages._items) == 0
        await anext(messages)
        assert len(client._desk._messages._items) == 9


async def test_copies_from_another_device(adapter: Any, office: Office) -> None:
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        await first(client.events(), CaughtUp)
        up = payloads.UpStreamMessage(
            sessionId=3, classname="RC:TxtMsg", content=b'{"content":"from my phone"}'
        )
        office.peers["ann"].sync(
            Topic.PP_MSG_P, "bob", payloads.encode(up), uid="U9", timestamp=TimeMs(office.time + 1)
        )
        message = await anext(client.messages())
        assert message.decoded() == Text("from my phone")
        assert (message.sender_id, message.conversation) == ("ann", BOB)
        assert message.uid == "U9"


async def test_messages_and_events_end_with_the_connection(adapter: Any, office: Office) -> None:
    office.deliver("ann", b"1")
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        await until(lambda: client._desk._messages._items)
        office.peers["ann"].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
        closed = await client.wait_closed()
        assert (closed.reason, closed.status) == (CloseReason.KICKED, 1)
        assert [message.content async for message in client.messages()] == [b"1"]
        assert [event async for event in client.events()][-1] == closed
        with pytest.raises(ConnectionEnded):
            await client.send(BOB, Text("hi"))
    assert client.close_event == closed


async def test_catching_up_is_an_event(adapter: Any, office: Office) -> None:
    office.deliver("ann", b"1")
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        messages = client.messages()
        assert (await anext(messages)).content == b"1"
        async with anyio.create_task_group() as group:
            group.start_soon(anext, messages)
            assert await anext(client.events()) == CaughtUp(
                room_id=None, cursor=TimeMs(office.time)
            )
            group.cancel_scope.cancel()


async def test_what_was_not_acknowledged_is_sent_again(adapter: Any, office: Office) -> None:
    session = ClientSession()
    office.answers = False
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        async with (
            connected(adapter, server, session=session) as client,
            anyio.create_task_group() as group,
        ):
            group.start_soon(cancel_when, lambda: office.contents, group.cancel_scope)
            await client.send(BOB, Text("pay once"), unique_id=4711)
        office.answers = True
        async with connected(adapter, server, session=session) as client:
            events = client.events()
            resent = await first(events, Resent)
            fate = await first(events, PublishAcknowledged)
            assert resent.unique_id == fate.unique_id == 4711
    assert len(office.contents) == 2
    assert session.outbox == {}


async def cancel_when(condition: Any, scope: anyio.CancelScope) -> None:
    await until(condition)
    scope.cancel()


# -- rooms --------------------------------------------------------------------------------------


async def test_a_followed_room_is_pulled(adapter: Any) -> None:
    topics: list[str] = []

    async def answer_pulls(raw: RawPeer) -> None:
        await log_in(raw)
        while (frame := await raw.receive()) is not None:
            if isinstance(frame, Query):
                topics.append(f"{frame.topic} {frame.target_id}")
                page = payloads.encode(payloads.DownStreamMessages(syncTime=1, finished=True))
                await raw.send(QueryAck(message_id=frame.message_id, date=1, status=0, data=page))

    async with (
        scripted_server(answer_pulls) as address,
        adapter.connect(*address, app_key="app", token="ann") as client,
    ):
        await client.follow_room("lobby", count=5)
        await until(lambda: len(topics) == 2)
        client.forget_room("lobby")
        assert client.session.rooms == ()
    assert topics == ["pullMsg ann", "chrmPull lobby"]
