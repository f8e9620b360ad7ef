"""The server for tests of applications: users by a call, and trouble on demand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import anyio
import pytest

from improto import Conversation, payloads
from improto.codes import ConnAckStatus, ErrorCode
from improto.contents import Text
from improto.errors import ConnectionEnded, RequestRefused
from improto.events import CloseReason
from improto.messages import Request, request
from improto.operations import Topic
from improto_server.config import SettingsError
from improto_server.errors import ServiceError
from improto_server.testing import ImServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from improto_server.testing import ImUser, OnlineUser

BOB = Conversation.private("bob")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ImServer]:
    with ImServer(tmp_path) as server:
        yield server


@pytest.fixture
def alice(server: ImServer) -> ImUser:
    return server.user("alice")


@pytest.fixture
def bob(server: ImServer) -> ImUser:
    return server.user("bob")


def ask(user: OnlineUser, topic: Topic, target: str, payload: payloads.Message) -> bytes:
    query = request(topic, target, payload)
    data: bytes = user._portal.call(user.client.query, query)
    return data


# -- users and places -----------------------------------------------------------------------


def test_two_users_talk(alice: ImUser, bob: ImUser) -> None:
    with alice.online() as sender, bob.online() as receiver:
        sent = sender.send("bob", "hello")
        message = receiver.receive()
        assert (message.uid, message.decoded()) == (sent.uid, Text("hello"))
        receiver.send(message.conversation, Text("hello yourself"))
        assert sender.receive().decoded() == Text("hello yourself")


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_client_is_that_of_the_loop(alice: ImUser, loop: str) -> None:
    async def scenario() -> None:
        async with alice.connect(sdk_version="2.9.2") as client:
            assert client.user_id == "alice"

    anyio.run(scenario, backend=loop)
    assert "SDK 2.9.2" in alice.server.transcript


def test_a_user_has_a_name(server: ImServer, alice: ImUser) -> None:
    server.user("clara", name="Clara", portrait="https://example.org/clara.png")
    with alice.online() as client:
        payload = payloads.GetUserInfoInput(nothing=1)
        reply = payloads.decode(
            payloads.GetUserInfoOutput, ask(client, Topic.USER_INF, "clara", payload)
        )
    assert (reply.userName, reply.userPortrait) == ("Clara", "https://example.org/clara.png")


def test_what_cannot_be_a_user(server: ImServer) -> None:
    with pytest.raises(ValueError, match="user id"):
        server.user("no spaces")


def test_a_token_is_not_shown(alice: ImUser) -> None:
    assert alice.token not in repr(alice)


def test_a_group(server: ImServer, alice: ImUser, bob: ImUser) -> None:
    server.group("team", ["alice"], name="The team", owner="alice")
    server.group("team", ["bob"])
    team = Conversation.group("team")
    with alice.online() as sender, bob.online() as receiver:
        sender.send(team, "hello")
        assert receiver.receive().conversation == team
        server.leave_group("team", ["alice"])
        with pytest.raises(RequestRefused):
            sender.send(team, "still here?")
    with pytest.raises(ServiceError):
        server.group("")


def test_a_room(server: ImServer, alice: ImUser) -> None:
    asking = payloads.QueryChatroomInfoInput(count=0, order=0)
    with alice.online() as client:
        with pytest.raises(RequestRefused):
            ask(client, Topic.QUERY_CHRM_I, "lobby", asking)
        server.room("lobby", name="Lobby")
        reply = ask(client, Topic.QUERY_CHRM_I, "lobby", asking)
    assert payloads.decode(payloads.QueryChatroomInfoOutput, reply).userTotalNums == 0


def test_a_blacklist(server: ImServer, alice: ImUser) -> None:
    server.block("bob", "alice")
    with alice.online() as client:
        with pytest.raises(RequestRefused):
            client.send("bob", "hello")
        server.unblock("bob", "alice")
        client.send("bob", "hello")


def test_who_is_online(server: ImServer, alice: ImUser) -> None:
    with pytest.raises(TimeoutError, match="alice did not connect"):
        server.wait_online("alice", timeout=0)
    with alice.online():
        server.wait_online("alice")
        assert server.connections("alice") == 1
    assert server.connections("bob") == 0


def test_settings(tmp_path: Path) -> None:
    more = {"messages.multi_device": True, "gateway.host": "0.0.0.0"}
    with ImServer(tmp_path, settings=more) as server:
        alice = server.user("alice")
        with alice.online(), alice.online() as second:
            assert server.connections("alice") == 2
            second.send("alice", "to myself")
        assert server.navigation_url.startswith("http://127.0.0.1:")
    with pytest.raises(SettingsError), ImServer(settings={"no.such": 1}):
        pass


def test_it_needs_no_directory() -> None:
    with ImServer() as server, server.user("alice").online() as client:
        client.send("bob", "hello")


# -- trouble --------------------------------------------------------------------------------


def test_a_connection_is_cut(server: ImServer, alice: ImUser) -> None:
    with alice.online() as client:
        server.cut("alice")
        with pytest.raises(ConnectionEnded) as error:
            client.receive()
        assert error.value.reason.may_reconnect
    with pytest.raises(LookupError, match="alice is not connected"):
        server.cut("alice")


def test_a_user_is_kicked(server: ImServer, alice: ImUser) -> None:
    with alice.online() as client:
        server.kick("alice")
        with pytest.raises(ConnectionEnded) as error:
            client.receive()
        assert error.value.reason is CloseReason.KICKED
    with pytest.raises(LookupError):
        server.kick("alice")


def test_what_is_sent_takes_its_time(server: ImServer, alice: ImUser) -> None:
    with alice.online() as client:
        server.delay("alice", 0.1)
        begun = time.monotonic()
        client.send("bob", "hello")
        assert time.monotonic() - begun >= 0.1
        server.delay("alice", 0)
        client.send("bob", "hello")
    with pytest.raises(ValueError, match="a delay must be"):
        server.delay("alice", -1)


def test_a_delay_that_ends_is_over_for_what_waits_too(
    server: ImServer, alice: ImUser, bob: ImUser
) -> None:
    async def send_and_leave(user: Any, text: str) -> None:
        with anyio.move_on_after(0.05):
            await user.client.send(BOB, Text(text))

    with alice.online() as sender, bob.online() as receiver:
        server.delay("alice", 3600)
        sender._portal.call(send_and_leave, sender, "one")
        server.delay("alice", 0)
        sender.send("bob", "two")
        assert [receiver.receive().decoded() for _ in "12"] == [Text("one"), Text("two")]


def test_a_delay_keeps_the_order(server: ImServer, alice: ImUser, bob: ImUser) -> None:
    texts = [f"message {number}" for number in range(30)]

    async def send_all(user: Any) -> None:
        async with anyio.create_task_group() as tasks:
            for number, text in enumerate(texts):
                server.delay("alice", 0.05 * (number % 3))
                tasks.start_soon(user.client.send, BOB, Text(text))
                await anyio.lowlevel.checkpoint()

    with alice.online() as sender, bob.online() as receiver:
        sender._portal.call(send_all, sender)
        assert [receiver.receive().decoded() for _ in texts] == [Text(text) for text in texts]


def test_who_is_told_nothing_finds_it_later(server: ImServer, alice: ImUser, bob: ImUser) -> None:
    with alice.online() as sender:
        with bob.online() as receiver:
            sender.send("bob", "before")
            assert receiver.receive().decoded() == Text("before")
            server.drop_notifications("bob")
            sender.send("bob", "one")
            server.drop_notifications("bob", is_on=False)
            # Were it pushed, the one before would be lost for good.
            sender.send("bob", "two")
            assert "bob/2 is not told s_ntf" in server.transcript
            server.cut("bob")
        with bob.online() as receiver:
            received = [receiver.receive().decoded() for _ in range(3)]
    # A new session knows nothing of the one before.
    assert received == [Text("before"), Text("one"), Text("two")]


def test_copies_are_not_told_either(tmp_path: Path) -> None:
    with ImServer(tmp_path, settings={"messages.multi_device": True}) as server:
        alice = server.user("alice")
        with alice.online() as sender, alice.online() as other:
            sender.send("bob", "one")
            assert other.receive().decoded() == Text("one")
            server.drop_notifications("alice")
            sender.send("bob", "two")
        with alice.online() as other:
            assert [other.receive().decoded() for _ in range(2)] == [Text("one"), Text("two")]


def test_logins_are_refused(server: ImServer, alice: ImUser, bob: ImUser) -> None:
    server.refuse("alice", ConnAckStatus.BLOCK, times=2)
    for _ in range(2):
        with pytest.raises(ConnectionEnded) as error, alice.online():
            pass
        assert error.value.status == ConnAckStatus.BLOCK
        with bob.online():
            pass
    with alice.online():
        pass
    with pytest.raises(ValueError, match="a refusal has"):
        server.refuse("alice", ConnAckStatus.ACCEPTED)
    with pytest.raises(ValueError, match="a refusal has"):
        server.refuse("alice", times=0)


def test_requests_are_refused(server: ImServer, alice: ImUser) -> None:
    history = payloads.HistoryMsgInput(targetId="bob", time=0, count=1, order=0)
    with alice.online() as client:
        server.refuse_requests("alice", ErrorCode.SENSITIVE_SHIELD, topic="qryPMsg")
        client.send("bob", "hello")
        with pytest.raises(RequestRefused) as error:
            ask(client, Topic.QRY_P_MSG, "alice", history)
        assert error.value.code == ErrorCode.SENSITIVE_SHIELD
        assert ask(client, Topic.QRY_P_MSG, "alice", history)
        server.refuse_requests("alice")
        with pytest.raises(RequestRefused):
            client.send("bob", "hello")
        client.send("bob", "hello")


def test_a_pull_is_refused(server: ImServer, alice: ImUser) -> None:
    server.refuse_requests("alice", topic=Topic.PULL_MSG)
    with alice.online() as client:
        client.send("bob", "hello")
    assert "QUERYACK #1: 33003" in server.transcript


def test_the_clock_is_stepped(server: ImServer, alice: ImUser) -> None:
    with alice.online() as client:
        before = client.send("bob", "now").timestamp
        server.step_clock(2 * 24 * 60 * 60)
        after = client.send("bob", "in two days").timestamp
        assert after - before >= 2 * 24 * 60 * 60 * 1000
    with pytest.raises(ConnectionEnded) as error, alice.online():
        pass
    assert error.value.reason is CloseReason.REFUSED
    with server.user("alice").online():
        pass


def test_a_token_runs_out(server: ImServer, alice: ImUser) -> None:
    token = server.token("alice", lifetime=60)
    server.step_clock(61)

    async def scenario() -> None:
        async with alice.connect(token=token):
            raise AssertionError("it is in")

    with pytest.raises(ConnectionEnded):
        anyio.run(scenario)


def test_all_trouble_ends(server: ImServer, alice: ImUser, bob: ImUser) -> None:
    server.refuse("alice")
    server.refuse_requests("alice", times=100)
    server.delay("alice", 3600)
    server.drop_notifications("alice")
    with pytest.raises(ConnectionEnded), alice.online():
        pass
    assert server.transcript
    server.reset()
    assert server.transcript == ""
    with alice.online() as client, bob.online() as other:
        other.send("alice", "hello")
        assert client.receive().decoded() == Text("hello")
        client.send("bob", "hello yourself")
    assert "is not told" not in server.transcript


# -- the transcript -------------------------------------------------------------------------


def test_plain_requests_are_in_it(server: ImServer) -> None:
    with urlopen(f"{server.navigation_url}/ping") as answer:
        assert answer.read() == b"pong"
    assert server.transcript.endswith("GET /ping: 200")


def test_what_cannot_be_read_is_in_it(server: ImServer, alice: ImUser) -> None:
    asked = [
        Request(topic=Topic.QRY_P_MSG, target_id="alice", data=b"\xff"),
        Request(topic="nobodyKnows", target_id="alice", data=b"12345"),  # type: ignore[arg-type]
        Request(topic="nobodyKnows", target_id="alice", data=b""),  # type: ignore[arg-type]
    ]
    with alice.online() as client:
        for each in asked:
            with pytest.raises(RequestRefused):
                client._portal.call(client.client.query, each)
        client.send("bob", "x" * 400)
    lines = server.transcript.splitlines()
    assert any("qryPMsg #2 to alice: HistoryMsgInput, unreadable: " in line for line in lines)
    assert any(line.endswith("nobodyKnows #3 to alice: 5 bytes") for line in lines)
    assert any(line.endswith("nobodyKnows #4 to alice: ") for line in lines)
    assert any(line.endswith("xxx...") and len(line) < 400 for line in lines)


def test_who_breaks_the_rules_is_in_it(server: ImServer, alice: ImUser) -> None:
    with alice.online() as client:
        client._portal.call(client.client._line._write, b"\x82\x80\0\0\0\0")
        with pytest.raises(ConnectionEnded):
            client.receive()
    assert "alice/1 is gone: the peer broke the protocol (an empty message" in server.transcript
    assert alice.token not in server.transcript
