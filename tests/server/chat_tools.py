"""A server for `improto chat` that is a handful of lists, and a clock that jumps."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from improto import contents, payloads
from improto.codes import describe
from improto.errors import ConnectionEnded, RequestRefused
from improto.events import CloseReason, ConnectionClosed, PublishAcknowledged
from improto.frames import MessageId, MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from tests import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from improto.codes import ErrorCode
    from improto.messages import Outgoing
    from improto.operations import Topic
    from improto.session import ClientSession


class Client:
    """What the link uses of :class:`improto_asyncio.Client`, worked by the test."""

    def __init__(self, session: ClientSession, user_id: str) -> None:
        self.user_id = user_id
        self.server_time = TimeMs(1000)
        self.session = session
        self.close_event: ConnectionClosed | None = None
        self.published: list[tuple[Outgoing, asyncio.Future[PublishAcknowledged]]] = []
        self.sent: list[tuple[str, Any]] = []
        self.asked: list[Any] = []
        self.reply: Any = payloads.HistoryMsgOuput(syncTime=0, hasMsg=0)
        self.refusal: Exception | None = None
        """Raised by the next publish, before the session knows the message."""
        self.is_full = False
        """Messages wait for the window, outside the session."""
        self._messages: asyncio.Queue[ChatMessage | None] = asyncio.Queue()
        self._events: asyncio.Queue[Any] = asyncio.Queue()

    @property
    def is_open(self) -> bool:
        return self.close_event is None

    # -- what the link calls ---------------------------------------------------------

    async def publish(self, message: Outgoing) -> PublishAcknowledged:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        assert self.is_open
        assert message.unique_id is not None
        if not self.is_full:
            self.session.require_outbox_place(message.unique_id)
            self.session.keep(message, message.unique_id)
        future = asyncio.get_running_loop().create_future()
        self.published.append((message, future))
        return await future

    async def send(self, conversation: Conversation, content: Any) -> None:
        self.sent.append((conversation.target_id, content))
        if self.refusal is not None:
            raise self.refusal

    async def ask(self, topic: Topic, target_id: str, payload: Any, reply: type) -> Any:
        self.asked.append((topic, target_id, payload))
        if isinstance(self.reply, Exception):
            raise self.reply
        assert isinstance(self.reply, reply)
        return self.reply

    async def messages(self) -> AsyncIterator[ChatMessage]:
        while (message := await self._messages.get()) is not None:
            yield message

    async def events(self) -> AsyncIterator[Any]:
        while not isinstance(event := await self._events.get(), ConnectionClosed):
            yield event
        yield event

    async def aclose(self) -> None:
        self.end(CloseReason.LOCAL)

    # -- what the test calls ---------------------------------------------------------

    def receive(self, message: ChatMessage) -> None:
        self._messages.put_nowait(message)

    def tell(self, event: Any) -> None:
        self._events.put_nowait(event)

    def end(self, reason: CloseReason, status: int | None = None, error: Any = None) -> None:
        if self.close_event is not None:
            return
        self.close_event = ConnectionClosed(reason=reason, status=status, error=error)
        self.tell(self.close_event)
        self._messages.put_nowait(None)
        for _, future in self.published:
            if not future.done():
                future.set_exception(ConnectionEnded("ended", reason=reason, status=status))

    def acknowledge(self, *, time: int = 2000) -> None:
        """Answer the oldest message that has no answer."""
        message, future = next(pair for pair in self.published if not pair[1].done())
        assert message.unique_id is not None
        self.session.settle(message.unique_id)
        future.set_result(acknowledged(message.unique_id, time=time))

    def refuse(self, code: ErrorCode) -> None:
        message, future = next(pair for pair in self.published if not pair[1].done())
        assert message.unique_id is not None
        self.session.settle(message.unique_id)
        future.set_exception(RequestRefused(code, describe(code)))


def acknowledged(unique_id: int, *, status: int = 0, time: int = 2000) -> PublishAcknowledged:
    return PublishAcknowledged(
        message_id=MessageId(1),
        status=status,
        uid=MessageUid("U"),
        timestamp=TimeMs(time),
        unique_id=unique_id,
    )


def message(content: Any, *, sender: str = "bob", **more: Any) -> ChatMessage:
    values: dict[str, Any] = {
        "conversation": Conversation.private(sender),
        "sender_id": sender,
        "direction": MessageDirection.RECEIVED,
        "object_name": content.object_name,
        "content": contents.encode(content),
        "uid": MessageUid(f"U-{sender}"),
        "time": TimeMs(1500),
    }
    return ChatMessage(**values | more)


class FakeServer:
    """Lets everybody in, unless the test says otherwise."""

    def __init__(self) -> None:
        self.outcomes: list[Exception | str] = []
        """What becomes of the next attempts: an error, or the user's name. After that: alice."""
        self.delay = 0.0
        """Seconds that a connection takes."""
        self.attempts: list[dict[str, Any]] = []
        self.attempted_at: list[float] = []
        self.clients: list[Client] = []
        self.exits: list[str] = []
        """How the program left its connections."""
        self._arrived = asyncio.Event()

    @property
    def client(self) -> Client:
        """The newest connection."""
        return self.clients[-1]

    @asynccontextmanager
    async def connect(
        self, host: str, port: int, *, session: ClientSession, **options: Any
    ) -> AsyncIterator[Any]:
        """In place of :func:`improto_asyncio.connect`."""
        self.attempts.append({"host": host, "port": port} | options)
        self.attempted_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.delay)
        outcome = self.outcomes.pop(0) if self.outcomes else "alice"
        if isinstance(outcome, Exception):
            raise outcome
        client = Client(session, outcome)
        self.clients.append(client)
        self._arrived.set()
        try:
            yield client
        except BaseException:
            self.exits.append("aborted")
            raise
        self.exits.append("closed")
        await client.aclose()

    async def arrival(self) -> Client:
        """Wait for the next connection."""
        await self._arrived.wait()
        self._arrived.clear()
        return self.client

    async def reconnect(self) -> None:
        """Lose the connection and wait for the next one."""
        self._arrived.clear()
        self.client.end(CloseReason.LOST)
        await self._arrived.wait()


def play(scenario: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
    """Run a scenario in virtual time; what it leaves running must end by itself."""
    _, options = virtual_time.backend("asyncio")

    async def main() -> None:
        async with asyncio.timeout(7200), asyncio.TaskGroup() as tasks:
            await scenario(tasks)

    with asyncio.Runner(loop_factory=options["loop_factory"]) as runner:
        runner.run(main())


async def turns(count: int = 10) -> None:
    """Let the others run."""
    for _ in range(count):
        await asyncio.sleep(0)
