"""The chat's connection, with a server that is a handful of lists and a clock that jumps."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from improto import contents, payloads
from improto.codes import ConnAckStatus, ConversationType, DisconnectStatus, ErrorCode
from improto.config import Limits
from improto.contents import ReadReceipt, Text, Typing
from improto.errors import (
    ConnectionEnded,
    DecodeError,
    HandshakeRefused,
    RemoteProtocolError,
    RequestRefused,
    RequestTimedOut,
    WindowFull,
)
from improto.events import (
    CaughtUp,
    CloseReason,
    FrameDropped,
    PullFailed,
    Resent,
)
from improto.frames import MessageId, TimeMs
from improto.messages import Conversation, Outgoing
from improto.operations import Topic
from improto.session import ClientSession
from improto_server.chat.link import (
    CONNECT_TIME,
    FIRST_DELAY,
    LONGEST_DELAY,
    RECEIPT_AFTER,
    STEADY,
    TYPING_EVERY,
    Link,
)
from improto_server.chat.settings import ChatSettings
from improto_server.chat.view import Connection, Line, Tone, View
from tests.server.chat_tools import (
    Client,
    FakeServer,
    acknowledged,
    message,
    play,
    turns,
)

if TYPE_CHECKING:
    from pathlib import Path


class Desk:
    """A link, what it is connected to, and what can be seen of it."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        *,
        session: ClientSession | None = None,
        sends_receipts: bool = False,
        **settings: Any,
    ) -> None:
        self.tasks = tasks
        self.server = FakeServer()
        self.session = session or ClientSession()
        self.lines: list[Line] = []
        self.kept = 0
        self.view = View(
            server="h:1", user=None, peer="bob", show=self.lines.append, changed=lambda: None
        )
        ids = itertools.count(1)
        given = {"server": "http://h:1", "app_key": "a", "token": "t"} | settings
        self.link = Link(
            ChatSettings.parse(**given),
            self.session,
            self.view,
            connect=self.server.connect,
            jitter=lambda low, high: (low + high) / 2,
            make_id=lambda: next(ids),
            keep=self._keep,
            tasks=tasks,
            sends_receipts=sends_receipts,
        )

    def _keep(self) -> None:
        self.kept += 1

    @property
    def client(self) -> Client:
        return self.server.client

    async def start(self) -> asyncio.Task[None]:
        running = self.tasks.create_task(self.link.run())
        await self.link.begin()
        return running

    def texts(self, *tones: Tone) -> list[str]:
        wanted = tones or tuple(Tone)
        return [line.text for line in self.lines if line.tone in wanted]


# -- the connection ----------------------------------------------------------------------------


def test_it_connects_and_leaves() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        running = await desk.start()
        assert desk.server.attempts == [
            {"host": "h", "port": 1, "app_key": "a", "token": "t", "ssl": None}
        ]
        assert desk.client.session is desk.session
        assert desk.view.connection is Connection.ONLINE
        assert desk.link.was_online
        await desk.link.leave()
        await running
        assert (desk.server.exits, desk.link.ending) == (["closed"], None)
        await desk.link.leave()
        assert desk.texts() == ["you are alice, online at h:1"]

    play(scenario)


def test_it_encrypts() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks, server="https://h")
        await desk.start()
        assert desk.server.attempts[0]["port"] == 443
        assert desk.server.attempts[0]["ssl"].verify_mode is ssl.CERT_REQUIRED
        await desk.link.leave()

    play(scenario)


def test_it_tries_again_and_waits_longer_each_time() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = [ConnectionRefusedError(111, "no")] * 9
        await desk.start()
        attempts = itertools.pairwise(desk.server.attempted_at)
        waits = [later - sooner for sooner, later in attempts]
        expected = [min(FIRST_DELAY * 2**count, LONGEST_DELAY) * 0.75 for count in range(9)]
        assert waits == pytest.approx(expected)
        assert desk.texts(Tone.NOTICE)[0] == (
            "h:1 cannot be reached (connection refused); trying again until it works"
        )
        assert len(desk.lines) == 2
        await desk.link.leave()

    play(scenario)


def test_a_steady_connection_makes_the_next_wait_short_again() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        for lasts, wait in [(1.0, 0.75), (1.0, 1.5), (STEADY, 0.75), (1.0, 1.5)]:
            await asyncio.sleep(lasts)
            ended_at = asyncio.get_running_loop().time()
            await desk.server.reconnect()
            assert desk.server.attempted_at[-1] - ended_at == pytest.approx(wait)
        assert "the connection is lost (it broke off); trying again until it works" in desk.texts()
        await desk.link.leave()

    play(scenario)


def test_the_toolbar_counts_down() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = [OSError("nothing"), OSError("nothing"), OSError("nothing")]
        desk.tasks.create_task(desk.link.run())
        await asyncio.sleep(3.0)  # the third attempt was at 0.75 + 1.5 s, the next is 3 s later
        now = asyncio.get_running_loop().time()
        assert desk.view.toolbar(now=now)[1][1] == "reconnecting in 2 s"
        await desk.link.leave()

    play(scenario)


def test_it_does_not_wait_for_an_answer_for_ever() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.delay = 1000.0
        running = desk.tasks.create_task(desk.link.run())
        await asyncio.sleep(CONNECT_TIME + 0.1)
        assert desk.texts() == ["h:1 cannot be reached (no answer); trying again until it works"]
        desk.server.delay = 0.0
        await desk.link.begin()
        await desk.link.leave()
        await running

    play(scenario)


@pytest.mark.parametrize("delay", [1000.0, 0.0])
def test_leaving_interrupts_whatever_it_waits_for(delay: float) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = [OSError("nothing")]
        desk.server.delay = delay
        running = desk.tasks.create_task(desk.link.run())
        await asyncio.sleep(0.1)
        await desk.link.leave()
        await running
        assert asyncio.get_running_loop().time() < 0.2
        assert (desk.link.ending, desk.link.was_online) == (None, False)
        await desk.link.begin()
        await desk.link.settle(1.0)

    play(scenario)


def test_a_cancellation_from_outside_is_one() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        running = await desk.start()
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
        assert desk.server.exits == ["aborted"]

    play(scenario)


TOKEN = "the server refuses the login: TOKEN_INCORRECT (4): token unknown, malformed or of another"


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            ConnectionEnded("x", reason=CloseReason.REFUSED, status=ConnAckStatus.TOKEN_INCORRECT),
            f"{TOKEN} app",
        ),
        (
            HandshakeRefused("a whole page", status=404),
            "the server answers with HTTP status 404 instead of a chat",
        ),
        (
            RemoteProtocolError("this is SSH"),
            "the server speaks another protocol: this is SSH",
        ),
        (ConnectionEnded("rubbish", reason=CloseReason.VIOLATION), "rubbish"),
        (
            ssl.SSLCertVerificationError(1, "certificate verify failed"),
            "the server's certificate is not good: self-signed",
        ),
    ],
)
def test_where_trying_again_is_of_no_use(outcome: Exception, sentence: str) -> None:
    if isinstance(outcome, ssl.SSLCertVerificationError):
        outcome.verify_message = "self-signed"

    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = [outcome]
        await (await desk.start())
        assert desk.link.ending == sentence
        assert desk.view.connection is Connection.OVER
        await desk.link.settle(1.0)

    play(scenario)


@pytest.mark.parametrize(
    "outcome",
    [
        ConnectionEnded("x", reason=CloseReason.REFUSED, status=ConnAckStatus.SERVER_UNAVAILABLE),
        ConnectionEnded("x", reason=CloseReason.NO_CONNACK),
        ConnectionEnded("x", reason=CloseReason.REDIRECTED, status=ConnAckStatus.REDIRECT),
        HandshakeRefused("busy", status=503),
    ],
)
def test_where_trying_again_helps(outcome: Exception) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = [outcome]
        await desk.start()
        assert len(desk.server.attempts) == 2
        assert desk.link.ending is None
        await desk.link.leave()

    play(scenario)


@pytest.mark.parametrize(
    "outcome",
    [
        RemoteProtocolError("a proxy says sorry"),
        ConnectionEnded("rubbish", reason=CloseReason.VIOLATION),
        ssl.SSLCertVerificationError(1, "expired this minute"),
    ],
)
def test_who_was_let_in_once_is_more_patient(outcome: Exception) -> None:
    if isinstance(outcome, ssl.SSLCertVerificationError):
        outcome.verify_message = "expired"

    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.server.outcomes = ["alice", outcome]
        await desk.start()
        await desk.server.reconnect()
        assert len(desk.server.attempts) == 3
        assert desk.link.ending is None
        await desk.link.leave()

    play(scenario)


@pytest.mark.parametrize(
    ("reason", "status", "sentence"),
    [
        (
            *(CloseReason.KICKED, DisconnectStatus.OTHER_DEVICE_LOGIN),
            "you have signed in somewhere else, which ends this chat",
        ),
        (CloseReason.BLOCKED, DisconnectStatus.BLOCK, "the server has blocked you"),
        (
            *(CloseReason.ENDED, DisconnectStatus.LOGOUT),
            "the server has ended this chat for good: LOGOUT (4): logged out",
        ),
    ],
)
def test_a_chat_can_end_for_good(reason: CloseReason, status: int, sentence: str) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        running = await desk.start()
        desk.client.end(reason, status)
        await running
        assert desk.link.ending == sentence
        assert len(desk.server.attempts) == 1

    play(scenario)


def test_a_broken_rule_in_the_middle_is_told_and_forgiven() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        desk.client.end(CloseReason.VIOLATION, error=RemoteProtocolError("a frame of type 15"))
        await turns()
        assert "(a frame of type 15)" in desk.texts()[-1]
        await desk.link.leave()

    play(scenario)


def test_the_token_of_somebody_else() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks, user="alice")
        desk.server.outcomes = ["bob"]
        await (await desk.start())
        assert desk.link.ending == "the token is that of bob, not of alice"
        assert (desk.server.exits, desk.kept) == (["closed"], 0)

    play(scenario)


def test_the_state_of_somebody_else(tmp_path: Path) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        session = ClientSession()
        session.user_id = "bob"
        desk = Desk(tasks, state=tmp_path, session=session)
        desk.server.outcomes = [
            ConnectionEnded("CONNACK is for alice", reason=CloseReason.VIOLATION)
        ]
        await (await desk.start())
        expected = "CONNACK is for alice; the state file belongs to bob, does the token?"
        assert desk.link.ending == expected

    play(scenario)


# -- receiving ---------------------------------------------------------------------------------


def test_messages_are_shown_and_kept() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        kept = desk.kept
        desk.client.receive(message(Text("hi")))
        desk.client.receive(message(Typing("RC:TxtMsg")))
        await turns()
        assert desk.texts(Tone.RECEIVED) == ["hi"]
        assert desk.kept == kept + 2
        now = asyncio.get_running_loop().time()
        assert "bob is typing..." in [text for _, text in desk.view.toolbar(now=now)]
        await asyncio.sleep(RECEIPT_AFTER * 2)
        assert desk.client.sent == []
        await desk.link.leave()

    play(scenario)


def test_messages_that_come_with_the_end_are_shown() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        running = await desk.start()
        desk.client.receive(message(Text("hi")))
        await desk.link.leave()
        await running
        assert desk.texts(Tone.RECEIVED) == ["hi"]

    play(scenario)


def test_what_was_read_is_confirmed_once_for_all() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks, sends_receipts=True)
        await desk.start()
        group = Conversation(type=ConversationType.GROUP, target_id="team")
        desk.client.receive(message(Text("one"), time=TimeMs(1)))
        desk.client.receive(message(Text("two"), time=TimeMs(2)))
        desk.client.receive(message(Text("three"), sender="carol", time=TimeMs(3)))
        desk.client.receive(message(Text("all"), conversation=group))
        desk.client.receive(message(ReadReceipt(last_message_send_time=1)))
        desk.client.refusal = RequestTimedOut("not even this")
        await asyncio.sleep(RECEIPT_AFTER / 2)
        assert desk.client.sent == []
        await asyncio.sleep(RECEIPT_AFTER)
        assert desk.client.sent == [
            ("bob", ReadReceipt(last_message_send_time=2, message_uid="U-bob")),
            ("carol", ReadReceipt(last_message_send_time=3, message_uid="U-carol")),
        ]
        await asyncio.sleep(10.0)
        assert len(desk.client.sent) == 2
        assert desk.texts(Tone.ERROR) == []
        desk.client.receive(message(Text("four"), time=TimeMs(4)))
        await turns()
        await desk.link.leave()

    play(scenario)


def test_nothing_is_confirmed_without_a_connection() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks, sends_receipts=True)
        desk.server.outcomes = ["alice", *[OSError("nothing")] * 5]
        await desk.start()
        desk.client.receive(message(Text("one")))
        await turns()
        desk.client.end(CloseReason.LOST)
        await asyncio.sleep(RECEIPT_AFTER * 2)
        assert desk.client.sent == []
        await desk.link.leave()

    play(scenario)


def test_complaints_are_made_once_per_connection() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        for _ in range(2):
            for _ in range(3):
                desk.client.tell(PullFailed(room_id=None, status=24015))
                desk.client.tell(FrameDropped(error=DecodeError("too short", offset=1)))
            await turns()
            await desk.server.reconnect()
        assert desk.texts(Tone.ERROR) == 2 * [
            "messages could not be fetched: INTERNALERRROR (24015): internal error of the server",
            "something from the server was unreadable: too short (at byte 1)",
        ]
        await desk.link.leave()

    play(scenario)


# -- sending -----------------------------------------------------------------------------------


def test_a_message_is_sent() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        desk.client.tell(CaughtUp(room_id=None, cursor=TimeMs(1)))
        await desk.link.settle(1.0)
        saying = tasks.create_task(desk.link.say("bob", "hi"))
        await turns()
        ((outgoing, _),) = desk.client.published
        assert (outgoing.topic, outgoing.target_id) == (Topic.PP_MSG_P, "bob")
        assert outgoing.unique_id == 1
        assert list(desk.view.waiting) == [1]
        before = asyncio.get_running_loop().time()
        await desk.link.settle(5.0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(5.0)
        desk.client.acknowledge(time=1234)
        await saying
        (line,) = (line for line in desk.lines if line.tone is Tone.SENT)
        assert (line.text, line.time, line.target) == ("hi", 1234, "bob")
        await desk.link.settle(5.0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(5.0)
        await desk.link.leave()

    play(scenario)


def test_a_refusal_is_told() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        saying = tasks.create_task(desk.link.say("bob", "hi"))
        await turns()
        desk.client.refuse(ErrorCode.SEND_FREQUENCY_TOO_FAST)
        await saying
        assert desk.texts(Tone.ERROR) == [
            "not sent to bob: SEND_FREQUENCY_TOO_FAST (20604):"
            " too many messages or requests per second"
        ]
        assert (desk.view.waiting, dict(desk.session.outbox)) == ({}, {})
        await desk.link.leave()

    play(scenario)


def test_what_cannot_be_sent_is_refused_at_once() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.link.say("bob", "half \ud800")
        limit = Limits().content_bytes
        overhead = len(contents.encode(Text("")))
        await desk.link.say("bob", "x" * (limit - overhead + 1))
        first, second = desk.texts(Tone.ERROR)
        assert first.startswith("not sent to bob: RC:TxtMsg: 'content'")
        assert second == "not sent to bob: content: 131073 bytes, the limit is 131072"
        assert desk.view.refusals == 2
        assert desk.session.outbox == {}
        await desk.link.say("bob", "x" * (limit - overhead))
        assert len(desk.session.outbox) == 1

    play(scenario)


def test_what_is_typed_without_a_connection_is_sent_with_the_next_one() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        for text in ("one", "two"):
            await desk.link.say("bob", text)
        assert desk.texts(Tone.WAITING) == ["one", "two"]
        assert list(desk.session.outbox) == [1, 2]
        assert desk.kept > 0
        await desk.start()
        assert list(desk.view.waiting) == [1, 2]
        desk.client.tell(Resent(message_id=MessageId(1), unique_id=1))
        desk.client.tell(acknowledged(1, time=5))
        desk.client.tell(acknowledged(2, status=405))
        await turns()
        assert desk.texts(Tone.SENT) == ["one"]
        assert desk.texts(Tone.ERROR) == [
            "not sent to bob: REJECTED_BY_BLACKLIST (405): the receiver has blocked the sender"
        ]
        assert desk.view.waiting == {}
        assert desk.client.published == []
        await desk.link.leave()

    play(scenario)


def test_what_was_under_way_when_the_connection_broke_waits_for_the_next_one() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        saying = tasks.create_task(desk.link.say("bob", "hi"))
        await turns()
        desk.client.end(CloseReason.LOST)
        await saying
        assert desk.texts(Tone.WAITING) == ["hi"]
        assert list(desk.session.outbox) == [1]
        await desk.link.say("bob", "more")
        assert list(desk.session.outbox) == [1, 2]
        await desk.link.leave()

    play(scenario)


def test_what_still_queued_when_the_connection_broke_is_kept_too() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        desk.client.is_full = True
        saying = tasks.create_task(desk.link.say("bob", "hi"))
        await turns()
        assert desk.session.outbox == {}
        desk.client.end(CloseReason.LOST)
        await saying
        assert list(desk.session.outbox) == [1]
        assert desk.texts(Tone.WAITING) == ["hi"]
        await desk.link.leave()

    play(scenario)


def test_a_late_answer_is_an_event() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        desk.client.refusal = RequestTimedOut("no answer")
        await desk.link.say("bob", "hi")
        assert list(desk.view.waiting) == [1]
        desk.client.tell(acknowledged(1))
        await turns()
        assert desk.texts(Tone.SENT) == ["hi"]
        await desk.link.leave()

    play(scenario)


def test_an_outbox_has_an_end() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        session = ClientSession(limits=Limits(outbox_messages=1))
        desk = Desk(tasks, session=session)
        await desk.link.say("bob", "one")
        await desk.link.say("bob", "two")
        assert desk.texts() == ["one", "not sent to bob: 1 messages are in the outbox"]
        await desk.start()
        desk.client.refusal = WindowFull("full")
        await desk.link.say("bob", "three")
        assert desk.texts(Tone.ERROR)[-1] == "not sent to bob: full"
        assert list(desk.view.waiting) == [1]
        await desk.link.leave()

    play(scenario)


def test_an_outbox_from_an_earlier_run_is_shown() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.link.say("bob", "from before")
        session = ClientSession.from_state(desk.session.to_state())
        session.keep(Outgoing(topic=Topic.PP_MSG_P, target_id="carol", data=b"\xff"), 77)
        later = Desk(tasks, session=session)
        shown = {key: (value.peer, value.text) for key, value in later.view.waiting.items()}
        assert shown == {1: ("bob", "from before"), 77: ("carol", "?")}

    play(scenario)


def test_typing_is_told_now_and_then() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        desk.link.typing("bob")
        await desk.start()
        desk.link.typing("bob")
        desk.link.typing("bob")
        await turns()
        assert desk.client.sent == [("bob", Typing("RC:TxtMsg"))]
        await asyncio.sleep(TYPING_EVERY - 0.1)
        desk.link.typing("bob")
        await turns()
        assert len(desk.client.sent) == 1
        await asyncio.sleep(0.1)
        desk.link.typing("carol")
        await turns()
        assert [user for user, _ in desk.client.sent] == ["bob", "carol"]
        await desk.link.leave()

    play(scenario)


# -- asking ------------------------------------------------------------------------------------


def down(text: str, *, time: int, direction: int = 2) -> payloads.DownStreamMessage:
    return payloads.DownStreamMessage(
        fromUserId="bob",
        type=1,
        classname="RC:TxtMsg",
        content=contents.encode(Text(text)),
        dataTime=time,
        status=0,
        direction=direction,
    )


def test_history_is_asked_for_and_shown_oldest_first() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.link.show_history("bob", 2)
        assert desk.texts(Tone.ERROR) == ["there is no history without a connection"]
        await desk.start()
        desk.client.reply = payloads.HistoryMsgOuput(
            syncTime=1, hasMsg=1, list=[down("newer", time=2, direction=1), down("older", time=1)]
        )
        await desk.link.show_history("bob", 2)
        ((topic, target, request),) = desk.client.asked
        assert (topic, target) == (Topic.QRY_P_MSG, "alice")
        assert (request.targetId, request.time, request.count, request.order) == ("bob", 0, 2, 0)
        past = [line for line in desk.lines if line.tone is Tone.PAST]
        assert [(line.text, line.speaker, line.target) for line in past] == [
            ("older", "bob", ""),
            ("newer", "alice", "bob"),
        ]
        assert any("earlier messages are left out" in text for text in desk.texts(Tone.NOTICE))
        await desk.link.leave()

    play(scenario)


@pytest.mark.parametrize(
    "error", [RequestRefused(33007, "no history here"), DecodeError("bad", offset=0)]
)
def test_history_may_be_refused(error: Exception) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        desk = Desk(tasks)
        await desk.start()
        desk.client.reply = error
        await desk.link.show_history("bob", 2)
        assert desk.texts(Tone.ERROR) == [f"no history with bob: {error}"]
        await desk.link.leave()

    play(scenario)
