"""A program with our own client, on asyncio or trio."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

import improto_asyncio
import improto_trio
from improto import contents, payloads
from improto.messages import Conversation
from improto.operations import Topic
from improto.session import ClientSession
from tests.interop.party import PATIENCE, SETTLING, TEXT, Heard, Party, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from anyio.abc import TaskStatus
    from anyio.from_thread import BlockingPortal

    from improto._async_client import Client
    from improto.messages import ChatMessage
    from tests.interop.party import Content
    from tests.interop.server import ImServer

CONNECT = {"asyncio": improto_asyncio.connect, "trio": improto_trio.connect}
"""By the name of the loop."""


class Program(Party):
    """A client that lives on the loop of ``portal`` and keeps its session between connections."""

    def __init__(self, portal: BlockingPortal, loop: str, server: ImServer, user: str) -> None:
        super().__init__(user)
        self._portal = portal
        self._open = CONNECT[loop]
        self._server = server
        self._session = ClientSession()
        self._messages: list[Heard] = []
        self._client: Client
        self._life: Future[None] | None = None
        self._news: anyio.Event

    def connect(self) -> None:
        self._life, _ = self._portal.start_task(self._live)

    def disconnect(self) -> None:
        self._portal.call(self._client.aclose)
        self.wait_disconnected()

    def wait_disconnected(self) -> None:
        """Wait for the end of the connection, whoever causes it."""
        assert self._life is not None
        self._life.result(PATIENCE)
        self._life = None

    def leave(self) -> None:
        """Disconnect if connected."""
        if self._life is not None:
            self.disconnect()

    def send_all(self, to: str, contents: Sequence[Content], *, kind: str = TEXT) -> list[Sent]:
        return self._portal.call(self._send_all, to, contents, kind)

    def settle(self) -> None:
        for _ in range(SETTLING):
            self._portal.call(self._ask_history)

    def heard(self, least: int = 0) -> list[Heard]:
        self._portal.call(self._wait_for, least)
        return self._messages.copy()

    async def _live(self, *, task_status: TaskStatus[None]) -> None:
        self._news = anyio.Event()
        async with self._open(
            self._server.host,
            self._server.port,
            app_key=self._server.app_key,
            token=self._server.token(self.user),
            session=self._session,
        ) as self._client:
            task_status.started()
            async for message in self._client.messages():
                self._messages.append(_heard(message))
                self._news.set()
                self._news = anyio.Event()

    async def _wait_for(self, count: int) -> None:
        with anyio.move_on_after(PATIENCE):
            while len(self._messages) < count:
                await self._news.wait()
        assert len(self._messages) >= count, (
            f"{self.user} has heard {len(self._messages)} of {count} messages"
        )

    async def _send_all(self, to: str, contents: Sequence[Content], kind: str) -> list[Sent]:
        sent: list[Sent | None] = [None] * len(contents)

        async def send(index: int) -> None:
            content = _content(kind, contents[index])
            answer = await self._client.send(Conversation.private(to), content)
            assert answer.uid is not None
            sent[index] = Sent(uid=answer.uid, time=answer.timestamp)

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for index in range(len(contents)):
                    tasks.start_soon(send, index)
                    # Without it trio would start them in any order.
                    await anyio.lowlevel.checkpoint()
        return [message for message in sent if message is not None]

    async def _ask_history(self) -> None:
        request = payloads.HistoryMsgInput(targetId=self.user, time=0, count=1, order=0)
        with anyio.fail_after(PATIENCE):
            await self._client.ask(Topic.QRY_P_MSG, self.user, request, payloads.HistoryMsgOuput)


def _content(kind: str, content: Content) -> contents.Content:
    data = json.dumps(content, ensure_ascii=False).encode()
    return contents.decode(kind, data)


def _heard(message: ChatMessage) -> Heard:
    content: Any = json.loads(message.content)
    return Heard(
        sender=message.sender_id,
        conversation=message.conversation.target_id,
        kind=message.object_name,
        content=content,
        uid=message.uid or "",
        time=message.time,
        is_offline=message.is_offline,
    )
