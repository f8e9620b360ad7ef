"""Keeps a chat connected, and carries between the view and the server.

Rules:

* A message that was typed is in the session's outbox, or on its way into it, from the first
  moment until the server has answered. What one connection leaves there the next one sends,
  under the same unique id, so the server stores it once (architecture 2, rule 7).
* The link comes back by itself unless the server has said not to (session 15, rule 7), or has
  never let us in and never will.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto import contents, payloads
from improto.codes import ConnAckStatus, ConversationType, HistoryOrder, describe
from improto.contents import ReadReceipt, Text, Typing
from improto.errors import (
    ConnectionEnded,
    DecodeError,
    EncodeError,
    HandshakeRefused,
    ImprotoError,
    LocalProtocolError,
    RemoteProtocolError,
    RequestRefused,
    RequestTimedOut,
)
from improto.events import CaughtUp, CloseReason, FrameDropped, PublishAcknowledged, PullFailed
from improto.messages import Conversation, compose, received
from improto.operations import Topic
from improto_server.chat.view import Unsent
from improto_server.chat.wording import content_text, ending_text, failure_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from improto.contents import Content
    from improto.messages import ChatMessage, Outgoing
    from improto.session import ClientSession
    from improto_asyncio import Client
    from improto_server.chat.settings import ChatSettings
    from improto_server.chat.view import View

    Connect = Callable[..., AbstractAsyncContextManager[Client]]

FIRST_DELAY: Final = 1.0
"""Seconds before the first attempt to come back; each further one waits twice as long."""

LONGEST_DELAY: Final = 60.0

STEADY: Final = 10.0
"""Seconds after which a connection counts as good, so that the next loss begins at
``FIRST_DELAY`` again. A server that drops us at once must not be asked every second."""

CONNECT_TIME: Final = 15.0
"""Seconds for the connection and the login; the system would wait for minutes."""

TYPING_EVERY: Final = 4.0
"""Seconds between two typing notices; less than the view shows one."""

RECEIPT_AFTER: Final = 1.0
"""Seconds in which read receipts gather: one tells of everything before it."""

_WAIT_AND_RETRY: Final = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses of a server that is there and cannot just now (RFC 9110, RFC 6585)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """Why there is no connection any more."""

    text: str
    is_final: bool


class Link:
    """The chat's end of the line. Run :meth:`run`, then :meth:`leave`.

    ``connect`` is that of :mod:`improto_asyncio`; ``jitter`` gives a random number between two
    others, ``make_id`` a number below 2**63 that was never used before; ``keep`` is called when
    the session has changed; ``tasks`` runs what nobody waits for.
    """

    def __init__(
        self,
        settings: ChatSettings,
        session: ClientSession,
        view: View,
        *,
        connect: Connect,
        jitter: Callable[[float, float], float],
        make_id: Callable[[], int],
        keep: Callable[[], None],
        tasks: asyncio.TaskGroup,
        sends_receipts: bool,
    ) -> None:
        self.ending: str | None = None
        """Why it is over for good, in one sentence; None if it is not, or we have left."""
        self.was_online = False
        """Whether the server has ever let us in."""
        self._settings = settings
        self._session = session
        self._view = view
        self._connect = connect
        self._jitter = jitter
        self._make_id = make_id
        self._keep = keep
        self._tasks = tasks
        self._sends_receipts = sends_receipts
        self._loop = asyncio.get_running_loop()
        self._client: Client | None = None
        self._runner: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY
        self._is_leaving = False
        self._is_caught_up = False
        self._begun = asyncio.Event()
        self._settled = asyncio.Event()
        self._next_typing = float("-inf")
        self._to_confirm: dict[str, ChatMessage] = {}
        self._receipts: asyncio.TimerHandle | None = None
        self._complaints: set[type[FrameDropped | PullFailed]] = set()
        for unique_id, message in session.outbox.items():
            view.typed(unique_id, _unsent(message))

    # -- the connection --------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until :meth:`leave`, or until ``ending`` says why not."""
        self._runner = asyncio.current_task()
        try:
            await self._stay_connected()
        except asyncio.CancelledError:
            if not self._is_leaving:
                raise
        finally:
            if self._receipts is not None:
                self._receipts.cancel()
            self._begun.set()
            self._settled.set()

    async def begin(self) -> None:
        """Wait for the first login, or for the end."""
        await self._begun.wait()

    async def leave(self) -> None:
        """Say goodbye and end :meth:`run`."""
        self._is_leaving = True
        if self._client is not None:
            await self._client.aclose()
        elif self._runner is not None:
            self._runner.cancel()

    async def settle(self, patience: float) -> None:
        """Wait until everything is sent and received, for ``patience`` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._settled.wait()

    async def _stay_connected(self) -> None:
        while True:
            self._view.connecting()
            stop = await self._be_connected()
            self._is_caught_up = False
            self._check_settled()
            if self._is_leaving:
                return
            if stop.is_final:
                self.ending = stop.text
                self._view.over(stop.text)
                return
            wait = self._jitter(self._delay / 2, self._delay)
            self._delay = min(self._delay * 2, LONGEST_DELAY)
            self._view.away(stop.text, retry_at=self._loop.time() + wait)
            await asyncio.sleep(wait)

    async def _be_connected(self) -> _Stop:
        """Connect, and stay so as long as it goes."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_TIME):
                    client = await stack.enter_async_context(self._open())
                return await self._converse(client)
        except ConnectionEnded as error:
            return self._stop(error.reason, error.status, str(error))
        except HandshakeRefused as error:
            # The text has a whole page of the server's in it.
            text = f"the server answers with HTTP status {error.status} instead of a chat"
            return _Stop(text=text, is_final=error.status not in _WAIT_AND_RETRY)
        except RemoteProtocolError as error:
            text = f"the server speaks another protocol: {error}"
            return _Stop(text=text, is_final=not self.was_online)
        except ssl.SSLCertVerificationError as error:
            text = f"the server's certificate is not good: {error.verify_message}"
            return _Stop(text=text, is_final=not self.was_online)
        except OSError as error:
            return _Stop(text=failure_text(error), is_final=False)

    def _open(self) -> AbstractAsyncContextManager[Client]:
        settings = self._settings
        return self._connect(
            settings.host,
            settings.port,
            app_key=settings.app_key,
            token=settings.token,
            ssl=ssl.create_default_context() if settings.is_encrypted else None,
            session=self._session,
        )

    async def _converse(self, client: Client) -> _Stop:
        expected = self._settings.user
        if expected not in (None, client.user_id):
            text = f"the token is that of {client.user_id}, not of {expected}"
            return _Stop(text=text, is_final=True)
        self.was_online = True
        self._begun.set()
        self._complaints.clear()
        self._client = client
        self._view.online(client.user_id)
        self._keep()
        begun = self._loop.time()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(client))
                tasks.create_task(self._watch(client))
        finally:
            self._client = None
        if self._loop.time() - begun >= STEADY:
            self._delay = FIRST_DELAY
        closed = client.close_event
        assert closed is not None  # nothing else ends the two tasks
        return self._stop(closed.reason, closed.status, str(closed.error or closed.reason.value))

    def _stop(self, reason: CloseReason, status: int | None, detail: str) -> _Stop:
        """What to do after an end; ``detail`` is for ends that nobody can foresee."""
        if reason is CloseReason.REFUSED and status == ConnAckStatus.SERVER_UNAVAILABLE:
            return _Stop(text=ending_text(reason, status), is_final=False)
        if reason is CloseReason.VIOLATION:
            return _Stop(text=self._blame(detail), is_final=not self.was_online)
        return _Stop(text=ending_text(reason, status), is_final=not reason.may_reconnect)

    def _blame(self, detail: str) -> str:
        owner = self._session.user_id
        if self._settings.state is None or owner is None or self.was_online:
            return detail
        # That the token is another user's looks like a mistake of the server.
        return f"{detail}; the state file belongs to {owner}, does the token?"

    def _check_settled(self) -> None:
        if self._client is not None and self._is_caught_up and not self._view.waiting:
            self._settled.set()
        else:
            self._settled.clear()

    # -- receiving -------------------------------------------------------------------

    async def _receive(self, client: Client) -> None:
        async for message in client.messages():
            is_read = self._view.received(message, now=self._loop.time())
            if is_read and self._sends_receipts:
                self._confirm(message)
            # What is kept says that the messages before this one have been shown.
            self._keep()

    async def _watch(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case PublishAcknowledged(unique_id=int(unique_id), status=status):
                    if status == 0:
                        self._view.sent(unique_id, time=event.timestamp)
                    else:
                        self._view.refused(unique_id, describe(status))
                case CaughtUp():
                    self._is_caught_up = True
                case PullFailed(status=status):
                    self._complain(event, f"messages could not be fetched: {describe(status)}")
                case FrameDropped(error=error):
                    self._complain(event, f"something from the server was unreadable: {error}")
            self._check_settled()
            self._keep()

    def _complain(self, event: FrameDropped | PullFailed, text: str) -> None:
        """Once per kind and connection: what is wrong now is wrong again in a moment."""
        if type(event) not in self._complaints:
            self._complaints.add(type(event))
            self._view.error(text)

    def _confirm(self, message: ChatMessage) -> None:
        if message.conversation.type != ConversationType.PRIVATE:
            return
        self._to_confirm[message.sender_id] = message
        if self._receipts is None:
            self._receipts = self._loop.call_later(RECEIPT_AFTER, self._send_receipts)

    def _send_receipts(self) -> None:
        """Tell everybody how far we have read (messages 8.1)."""
        self._receipts = None
        newest, self._to_confirm = self._to_confirm, {}
        for sender, message in newest.items():
            receipt = ReadReceipt(last_message_send_time=message.time, message_uid=message.uid)
            self._tasks.create_task(self._send_quietly(sender, receipt))

    # -- sending ---------------------------------------------------------------------

    async def say(self, peer: str, text: str) -> None:
        """Send a text; returns when the server has answered, or when the session keeps it."""
        unique_id = self._make_id()
        self._view.typed(unique_id, Unsent(peer=peer, text=text))
        try:
            message = compose(Conversation.private(peer), Text(text), unique_id=unique_id)
        except EncodeError as error:
            self._view.refused(unique_id, str(error))
            return
        self._settled.clear()
        self._keep()
        await self._deliver(unique_id, message)
        self._check_settled()
        self._keep()

    async def _deliver(self, unique_id: int, message: Outgoing) -> None:
        while True:
            client = self._client
            if client is None or not client.is_open:
                self._hold(unique_id, message)
                return
            try:
                answer = await client.publish(message)
            except RequestRefused as refusal:
                self._view.refused(unique_id, str(refusal))
                return
            except RequestTimedOut:
                # The session sends it again at once; the answer comes as an event.
                return
            except ConnectionEnded:
                if unique_id in self._session.outbox:
                    self._view.held(unique_id)
                    return
                # It was still in the queue, which has ended with the connection.
                continue
            except LocalProtocolError as error:
                self._view.refused(unique_id, str(error))
                return
            self._view.sent(unique_id, time=answer.timestamp)
            return

    def _hold(self, unique_id: int, message: Outgoing) -> None:
        """Leave a message to the next connection."""
        try:
            self._session.require_outbox_place(unique_id)
        except LocalProtocolError as error:
            self._view.refused(unique_id, str(error))
        else:
            self._session.keep(message, unique_id)
            self._view.held(unique_id)

    def typing(self, peer: str) -> None:
        """Tell ``peer`` that we are typing, unless that was told a moment ago."""
        now = self._loop.time()
        if self._client is not None and now >= self._next_typing:
            self._next_typing = now + TYPING_EVERY
            self._tasks.create_task(self._send_quietly(peer, Typing(Text.object_name)))

    async def _send_quietly(self, user: str, content: Content) -> None:
        """Send something that nobody misses if it does not arrive."""
        client = self._client
        if client is not None:
            with contextlib.suppress(ImprotoError):
                await client.send(Conversation.private(user), content)

    # -- asking ----------------------------------------------------------------------

    async def show_history(self, peer: str, count: int) -> None:
        """Show the last messages with somebody (operations 5)."""
        client = self._client
        if client is None:
            self._view.error("there is no history without a connection")
            return
        request = payloads.HistoryMsgInput(
            targetId=peer, time=0, count=count, order=HistoryOrder.NEWEST_FIRST
        )
        try:
            page = await client.ask(
                Topic.QRY_P_MSG, client.user_id, request, payloads.HistoryMsgOuput
            )
        except ImprotoError as error:
            self._view.error(f"no history with {peer}: {error}")
            return
        messages = [
            received(item, user_id=client.user_id, connected_at=client.server_time)
            for item in reversed(page.list)
        ]
        self._view.history(peer, messages, has_more=bool(page.hasMsg))


def _unsent(message: Outgoing) -> Unsent:
    """What a message in the outbox says."""
    try:
        up = payloads.decode(payloads.UpStreamMessage, message.data)
    except DecodeError:
        return Unsent(peer=message.target_id, text="?")
    text = content_text(contents.decode(up.classname, up.content))
    return Unsent(peer=message.target_id, text=text or "")
