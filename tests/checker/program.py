"""A program on our client library, as its documentation says one should be written.

It numbers its messages, sends them with a unique id, and saves its session together with what
it did with the messages. When a connection breaks it comes back with the same session; when it
dies itself, with the saved one. Everything that it sees goes into the history.

The text is the same on asyncio and trio; ``connect`` says which it is.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.lowlevel

from improto import contents, payloads
from improto.codes import ConversationType
from improto.contents import Text, Typing
from improto.errors import (
    ConnectionEnded,
    HandshakeRefused,
    RemoteProtocolError,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import CaughtUp, CloseReason, FrameDropped, PublishAcknowledged, PullFailed
from improto.operations import history_topic
from improto.session import ClientSession
from tests.checker.history import (
    Acknowledged,
    Closed,
    Connected,
    Connecting,
    Failed,
    Read,
    Restarted,
    Saved,
    Sent,
    Shown,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from random import Random

    from improto._async_client import Client
    from improto.messages import ChatMessage, Conversation
    from tests.checker.history import Event

PATIENCE: Final = 20.0
"""Seconds for anything that cannot fail."""

_LONGEST_ABSENCE: Final = 0.06
"""Seconds until a lost connection is opened again."""

_HISTORY_PAGE: Final = 29
"""Messages in a page of history; a number that no count of messages is likely to divide."""

_BROKEN: Final = (OSError, ConnectionEnded, HandshakeRefused, RemoteProtocolError)
"""What a connection may end with on a bad day."""


class Connect(Protocol):
    """``connect`` of one of the adapters, for one user."""

    def __call__(self, session: ClientSession) -> AbstractAsyncContextManager[Client]: ...


class Program:
    """One user's client.

    ``conversations``: what to call each conversation that it writes to; for ``save_every``,
    ``pause`` and ``status_share`` see :class:`tests.checker.script.Script`. All methods belong to
    its event loop.
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Connect,
        conversations: dict[Conversation, str],
        note: Callable[[Event], None],
        random: Random,
        save_every: int,
        pause: float,
        status_share: float,
    ) -> None:
        self.name = name
        self._connect = connect
        self._conversations = conversations
        self._note = note
        self._random = random
        self._save_every = save_every
        self._pause = pause
        self._status_share = status_share
        self._session = ClientSession()
        self._saved = self._session.to_state()
        self._kept = 0
        self._shown = 0
        self._has_open_message = False
        self._last_number = 0
        self._is_calm = False
        self._is_leaving = False
        self._is_up_to_date = False
        self._life: anyio.CancelScope
        self._stay: anyio.CancelScope
        self._settled: anyio.Event

    # -- what the round wants --------------------------------------------------------

    async def live(self) -> None:
        """Talk and listen, and come back whatever happens, until :meth:`leave`."""
        self._stay = anyio.CancelScope()
        while not self._is_leaving:
            with anyio.CancelScope() as self._life:
                try:
                    async with self._online() as client, anyio.create_task_group() as talkers:
                        # Two in each, so that a message need not wait for the one before it.
                        for conversation in [*self._conversations] * 2:
                            talkers.start_soon(self._talk, client, conversation)
                        with anyio.CancelScope() as self._stay:
                            if not self._is_leaving:
                                await client.wait_closed()
                except ConnectionEnded as error:
                    self._judge(error.reason)
                except _BROKEN:
                    pass
                await anyio.sleep(self._random.uniform(0, _LONGEST_ABSENCE))
            if self._life.cancel_called:
                self._restart()

    def crash(self) -> None:
        """Die on the spot and begin again with what was saved."""
        self._life.cancel()

    def calm_down(self) -> None:
        """Write nothing new."""
        self._is_calm = True

    def leave(self) -> None:
        """Say goodbye."""
        self._is_leaving = True
        self._stay.cancel()

    async def settle(self) -> None:
        """Connect, send again what has no PUBACK, pull everything, leave."""
        await self._visit(lambda client: anyio.lowlevel.checkpoint())

    async def look_back(self) -> None:
        """The same, and read all histories in both directions."""
        await self._visit(self._read_histories)

    # -- a connection ----------------------------------------------------------------

    async def _visit(self, errand: Callable[[Client], Awaitable[None]]) -> None:
        """In peace, when nothing may go wrong any more."""
        try:
            with anyio.fail_after(PATIENCE):
                async with self._online() as client:
                    await self._settled.wait()
                    await errand(client)
        except (TimeoutError, *_BROKEN) as error:
            self._fail(f"does not come to rest: {error!r}")

    @asynccontextmanager
    async def _online(self) -> AsyncIterator[Client]:
        """Connected, reading, and told what comes, until the block ends."""
        self._note(Connecting(who=self.name))
        self._settled = anyio.Event()
        self._is_up_to_date = False
        async with self._connect(self._session) as client:
            self._note(Connected(who=self.name, time=client.server_time))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, client)
                tasks.start_soon(self._watch, client)
                yield client
                await client.aclose()
            ended = await client.wait_closed()
            self._note(Closed(who=self.name, reason=ended.reason.value))
            self._judge(ended.reason)

    def _judge(self, reason: CloseReason) -> None:
        if reason is not CloseReason.LOCAL and not reason.may_reconnect:
            self._fail(f"was sent away: {reason.value}")

    def _fail(self, what: str) -> None:
        self._note(Failed(who=self.name, what=what))

    # -- receiving -------------------------------------------------------------------

    async def _read(self, client: Client) -> None:
        messages = client.messages()
        while True:
            # Who asks for the next one is done with the last.
            self._has_open_message = False
            try:
                message = await anext(messages)
            except StopAsyncIteration:
                return
            self._has_open_message = True
            self._shown += 1
            self._show(message)
            if self._shown % self._save_every == 0:
                self._save()

    def _show(self, message: ChatMessage) -> None:
        conversation = message.conversation
        self._note(
            Shown(
                who=self.name,
                conversation=self._conversations.get(conversation, conversation.target_id),
                sender=message.sender_id,
                id=_id(message.decoded()),
                uid=message.uid or "",
                time=message.time,
                cursor=self._session.inbox_cursor,
            )
        )

    async def _watch(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case CaughtUp():
                    self._is_up_to_date = True
                    self._save()
                case PublishAcknowledged(status=0, unique_id=int(number)):
                    self._acknowledged(self._call(number), event)
                case PublishAcknowledged() | PullFailed():
                    self._fail(f"status {event.status}: {event}")
                case FrameDropped():
                    self._fail(f"a frame of no use: {event.error}")
                case _:
                    pass
            if self._is_up_to_date and not self._session.outbox:
                self._settled.set()

    # -- sending ---------------------------------------------------------------------

    async def _talk(self, client: Client, conversation: Conversation) -> None:
        """Write one message after the other until the connection ends or all is calm."""
        while not self._is_calm and client.is_open:
            await anyio.sleep(self._random.uniform(0, 2 * self._pause))
            self._last_number += 1
            number = self._last_number
            name = self._call(number)
            is_status = self._random.random() < self._status_share
            self._note(
                Sent(
                    who=self.name,
                    conversation=self._conversations[conversation],
                    id=name,
                    is_status=is_status,
                )
            )
            try:
                answer = await client.send(
                    conversation,
                    Typing(Text.object_name, name) if is_status else Text(name),
                    unique_id=None if is_status else number,
                )
            except ConnectionEnded:
                return
            except (RequestRefused, RequestTimedOut) as error:
                self._fail(f"{name} was not taken: {error}")
            else:
                self._acknowledged(name, answer)

    def _call(self, number: int) -> str:
        return f"{self.name}-{number}"

    def _acknowledged(self, name: str, answer: PublishAcknowledged) -> None:
        self._note(Acknowledged(who=self.name, id=name, uid=answer.uid, time=answer.timestamp))

    # -- dying -----------------------------------------------------------------------

    def _save(self) -> None:
        """One write: the session, and what was done with the messages that it counts as taken."""
        self._saved = self._session.to_state()
        self._kept = self._shown - self._has_open_message
        cursor = self._session.inbox_cursor
        self._note(Saved(who=self.name, kept=self._kept, cursor=cursor))

    def _restart(self) -> None:
        self._session = ClientSession.from_state(self._saved)
        self._shown = self._kept
        self._note(Restarted(who=self.name))

    # -- looking back ----------------------------------------------------------------

    async def _read_histories(self, client: Client) -> None:
        for conversation, name in self._conversations.items():
            for is_backward in (True, False):
                try:
                    pages = await _history(client, conversation, is_backward=is_backward)
                except (RequestRefused, ConnectionEnded) as error:
                    self._fail(f"cannot read the history of {name}: {error}")
                    return
                self._note(
                    Read(who=self.name, conversation=name, is_backward=is_backward, pages=pages)
                )


async def _history(
    client: Client, conversation: Conversation, *, is_backward: bool
) -> tuple[tuple[tuple[str, str, int], ...], ...]:
    pages = []
    time = 0
    while True:
        page = await client.ask(
            history_topic(ConversationType(conversation.type)),
            client.user_id,
            payloads.HistoryMsgInput(
                targetId=conversation.target_id,
                time=time,
                count=_HISTORY_PAGE,
                order=0 if is_backward else 1,
            ),
            payloads.HistoryMsgOuput,
        )
        pages.append(
            tuple(
                (_id(contents.decode(item.classname, item.content)), item.msgId, item.dataTime)
                for item in page.list
            )
        )
        if not page.hasMsg:
            return tuple(pages)
        time = page.syncTime


def _id(content: contents.Content) -> str:
    """What :meth:`Program._talk` wrote into a content."""
    match content:
        case Text():
            return content.content
        case Typing():
            return str(content.data)
        case _:
            return repr(content)
