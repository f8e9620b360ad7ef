"""What the program writes down when what must not happen happens, on a client made of lists."""

from __future__ import annotations

from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto import payloads
from improto.contents import Command
from improto.errors import ConnectionEnded, DecodeError, RequestRefused
from improto.events import (
    CaughtUp,
    CloseReason,
    ConnectionClosed,
    FrameDropped,
    PublishAcknowledged,
    PullFailed,
)
from improto.frames import MessageId, MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from tests.checker.history import Acknowledged, Failed, Read, Sent, Shown
from tests.checker.program import Program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from improto.session import ClientSession
    from tests.checker.history import Event

pytestmark = pytest.mark.anyio

UP_TO_DATE = CaughtUp(room_id=None, cursor=TimeMs(0))
REFUSED = RequestRefused(22406, "no member")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeClient:
    """Gives what it was given, then ends for ``reason``."""

    user_id = "ann"
    server_time = 1

    def __init__(
        self,
        *,
        events: tuple[Any, ...] = (UP_TO_DATE,),
        messages: tuple[ChatMessage, ...] = (),
        answer: Any = None,
        reason: CloseReason = CloseReason.LOCAL,
    ) -> None:
        self.is_open = True
        self._events = events
        self._messages = messages
        self._answer = answer
        self._closed = ConnectionClosed(reason=reason)
        self._is_living = False
        self.target = Program(
            "ann",
            connect=self.connect,
            conversations={Conversation.private("ben"): "ann+ben"},
            note=self.note,
            random=Random(1),
            save_every=1,
            pause=0.0,
            status_share=0.0,
        )
        self.noted: list[Event] = []

    def note(self, event: Event) -> None:
        self.noted.append(event)
        if self._is_living and isinstance(event, Acknowledged | Failed):
            self.target.calm_down()
            self.target.leave()

    @asynccontextmanager
    async def connect(self, session: ClientSession) -> AsyncIterator[Any]:
        yield self

    async def messages(self) -> AsyncIterator[ChatMessage]:
        for message in self._messages:
            yield message

    async def events(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event

    async def send(self, *_: Any, **__: Any) -> Any:
        return self._give()

    async def ask(self, *_: Any) -> Any:
        return self._give()

    async def wait_closed(self) -> ConnectionClosed:
        return self._closed

    async def aclose(self) -> None:
        self.is_open = False

    def _give(self) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def live(self) -> list[Event]:
        """Let the program live until one message had its answer."""
        self._is_living = True
        with anyio.fail_after(10):
            await self.target.live()
        return self.noted

    async def settle(self) -> list[Event]:
        await self.target.settle()
        return self.noted


def acknowledgement(status: int) -> PublishAcknowledged:
    return PublishAcknowledged(
        message_id=MessageId(1),
        status=status,
        uid=MessageUid("U"),
        timestamp=TimeMs(10),
        unique_id=1,
    )


def complaints(events: list[Event]) -> list[str]:
    return [event.what for event in events if isinstance(event, Failed)]


async def test_what_works_is_no_complaint() -> None:
    events = await FakeClient(answer=acknowledgement(0)).live()
    assert not complaints(events)
    assert Acknowledged(who="ann", id="ann-1", uid="U", time=10) in events


async def test_a_message_that_was_sent_again_is_acknowledged() -> None:
    events = await FakeClient(events=(acknowledgement(0), UP_TO_DATE)).settle()
    assert not complaints(events)
    assert Acknowledged(who="ann", id="ann-1", uid="U", time=10) in events


async def test_a_refused_message() -> None:
    events = await FakeClient(answer=REFUSED).live()
    assert any(isinstance(event, Sent) for event in events)
    assert complaints(events)[0] == "ann-1 was not taken: no member"


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (acknowledgement(22406), "status 22406: "),
        (PullFailed(room_id=None, status=24015), "status 24015: "),
        (FrameDropped(error=DecodeError("odd", offset=0)), "a frame of no use: odd"),
    ],
)
async def test_what_a_client_hears_and_should_not(event: Any, complaint: str) -> None:
    (said,) = complaints(await FakeClient(events=(event, UP_TO_DATE)).settle())
    assert said.startswith(complaint)


async def test_being_sent_away() -> None:
    events = await FakeClient(reason=CloseReason.KICKED).settle()
    assert complaints(events) == [f"was sent away: {CloseReason.KICKED.value}"]


async def test_a_refused_login() -> None:
    fake = FakeClient()

    @asynccontextmanager
    async def refuse(session: ClientSession) -> AsyncIterator[Any]:
        raise ConnectionEnded("no", reason=CloseReason.REFUSED, status=4)
        yield

    fake.target._connect = refuse
    assert complaints(await fake.live()) == [f"was sent away: {CloseReason.REFUSED.value}"]


async def test_no_connection_in_peace() -> None:
    fake = FakeClient()

    @asynccontextmanager
    async def fail(session: ClientSession) -> AsyncIterator[Any]:
        raise ConnectionRefusedError("nobody there")
        yield

    fake.target._connect = fail
    (said,) = complaints(await fake.settle())
    assert said == "does not come to rest: ConnectionRefusedError('nobody there')"


async def test_no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.checker.program.PATIENCE", 0.0)
    assert complaints(await FakeClient(events=()).settle()) == [
        "does not come to rest: TimeoutError()"
    ]


async def test_a_refused_history() -> None:
    fake = FakeClient(answer=REFUSED)
    await fake.target.look_back()
    assert complaints(fake.noted) == ["cannot read the history of ann+ben: no member"]


async def test_a_history_of_one_page() -> None:
    item = payloads.DownStreamMessage(
        fromUserId="ben",
        type=1,
        classname="RC:TxtMsg",
        content=b'{"content":"ben-1"}',
        dataTime=10,
        msgId="U",
    )
    fake = FakeClient(answer=payloads.HistoryMsgOuput(list=[item], syncTime=10, hasMsg=0))
    await fake.target.look_back()
    histories = [event for event in fake.noted if isinstance(event, Read)]
    assert [event.is_backward for event in histories] == [True, False]
    assert {event.pages for event in histories} == {((("ben-1", "U", 10),),)}


async def test_a_message_of_no_kind_of_ours_is_named_after_itself() -> None:
    content = Command("reboot")
    message = ChatMessage(
        conversation=Conversation.private("eve"),
        sender_id="eve",
        direction=MessageDirection.RECEIVED,
        object_name=content.object_name,
        content=b'{"name":"reboot"}',
        uid=None,
        time=TimeMs(10),
    )
    (shown,) = (
        event
        for event in await FakeClient(messages=(message,)).settle()
        if isinstance(event, Shown)
    )
    assert (shown.conversation, shown.id, shown.uid) == ("eve", repr(message.decoded()), "")
