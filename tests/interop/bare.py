"""A program on the adapters alone, without our client library: for what no library has a name for,
and to see that those who want no more than a connection get one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

import improto_asyncio
import improto_trio
from improto import payloads
from improto.errors import RequestRefused
from improto.messages import Conversation, compose
from improto.operations import Topic
from tests.interop import translate
from tests.interop.party import PATIENCE, SETTLING, TEXT, Member, Refused, Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from anyio.abc import TaskStatus
    from anyio.from_thread import BlockingPortal

    from improto._async_client import Client
    from tests.interop.party import Content, Heard
    from tests.interop.server import ImServer

T = TypeVar("T")
M = TypeVar("M", bound=payloads.Message)

_CONNECT = {"asyncio": improto_asyncio.connect, "trio": improto_trio.connect}


class Bare(Member):
    """A client that lives on the loop of ``portal``, for one connection."""

    def __init__(self, portal: BlockingPortal, loop: str, server: ImServer, user: str) -> None:
        super().__init__(user)
        self._portal = portal
        self._open = _CONNECT[loop]
        self._server = server
        self._messages: list[Heard] = []
        self._client: Client
        self._life: Future[None]
        self._news: anyio.Event

    def connect(self) -> None:
        self._life, _ = self._portal.start_task(self._live)

    def disconnect(self) -> None:
        self._portal.call(self._client.aclose)
        self._life.result(PATIENCE)

    def publish(self, topic: Topic, to: str, content: Content) -> Sent:
        """Send a text by a topic that its conversation does not say."""
        outgoing = compose(Conversation.private(to), translate.content(TEXT, content))
        answer = self._call(lambda: self._client.publish(replace(outgoing, topic=topic)))
        assert answer.uid is not None
        return Sent(uid=answer.uid, time=answer.timestamp)

    def ask(self, topic: Topic, target: str, payload: payloads.Message, reply: type[M]) -> M:
        """Ask the server anything."""
        return self._call(lambda: self._client.ask(topic, target, payload, reply))

    def settle(self) -> None:
        payload = payloads.HistoryMsgInput(targetId=self.user, time=0, count=1, order=0)
        for _ in range(SETTLING):
            self.ask(Topic.QRY_P_MSG, self.user, payload, payloads.HistoryMsgOuput)

    def heard(self, least: int = 0) -> list[Heard]:
        self._call(lambda: self._wait_for(least))
        return self._messages.copy()

    async def _live(self, *, task_status: TaskStatus[None]) -> None:
        self._news = anyio.Event()
        async with self._open(
            self._server.host,
            self._server.port,
            app_key=self._server.app_key,
            token=self._server.token(self.user),
        ) as self._client:
            task_status.started()
            async for message in self._client.messages():
                self._messages.append(translate.heard(message))
                self._news.set()
                self._news = anyio.Event()

    async def _wait_for(self, count: int) -> None:
        while len(self._messages) < count:
            await self._news.wait()

    def _call(self, function: Callable[[], Awaitable[T]]) -> T:
        async def run() -> Any:
            with anyio.fail_after(PATIENCE):
                return await function()

        try:
            answer: T = self._portal.call(run)
        except RequestRefused as refusal:
            raise Refused(refusal.code) from None
        return answer
