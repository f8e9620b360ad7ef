"""Carries between the view and the client: what comes in, what is said, how it is connected.

The client library comes back after an outage by itself, and sends again what was on its way.
Here is what a person sees of it, and what the others learn: that somebody types, and has read.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Final

from improto.codes import ConnectionStatus, ConversationType
from improto_client import Ended, ImError, LoginFailed
from improto_server.chat.targets import is_private
from improto_server.chat.view import Unsent
from improto_server.chat.wording import error_text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from improto.messages import Conversation
    from improto_client import Im, Message
    from improto_server.chat.view import View

TYPING_EVERY: Final = 4.0
"""Seconds between two typing notices; less than the view shows one."""

RECEIPT_AFTER: Final = 1.0
"""Seconds in which read receipts gather: one tells of everything before it."""

MOST_WAITING: Final = 1000
"""Messages that wait to be sent. Ours; nobody types so many, and a pipe waits for each."""

_COUNTED: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})
"""Conversations in which the own devices tell each other what was read (messages 8.4)."""


class Link:
    """Run :meth:`run`; it ends when the client is disconnected, or is over for good.

    ``tasks`` runs what nobody waits for. ``tells_reading``: the others and our other devices
    learn what was shown here.
    """

    def __init__(
        self, im: Im, view: View, *, tasks: asyncio.TaskGroup, tells_reading: bool
    ) -> None:
        self.ending: str | None = None
        """Why it is over for good, in one sentence; None if it is not, or we have left."""
        self._im = im
        self._view = view
        self._tasks = tasks
        self._tells_reading = tells_reading
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._next_typing = float("-inf")
        self._to_confirm: dict[Conversation, Message] = {}
        self._receipts: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Show what comes in."""
        watching = self._tasks.create_task(self._watch())
        try:
            async for message in self._im.messages:
                is_read = self._view.received(message, now=self._loop.time())
                if is_read and self._tells_reading:
                    self._confirm(message)
        except (Ended, LoginFailed) as error:
            self.ending = error_text(error)
            self._view.over(self.ending)
        finally:
            watching.cancel()
            if self._receipts is not None:
                self._receipts.cancel()

    async def _watch(self) -> None:
        async for status in self._im.statuses():
            if status is ConnectionStatus.CONNECTED:
                self._view.online()
            elif self._im.ended is None:
                self._view.away()

    async def settle(self, patience: float) -> None:
        """Wait until everything has come and was shown, for ``patience`` seconds at most."""
        with contextlib.suppress(TimeoutError, ImError):
            async with asyncio.timeout(patience):
                await self._im.caught_up()

    # -- sending ---------------------------------------------------------------------

    async def say(self, target: Conversation, text: str) -> None:
        """Send a text; returns when the server has answered."""
        view = self._view
        if len(view.waiting) >= MOST_WAITING:
            view.refusals += 1
            view.error(f"not sent: {MOST_WAITING} messages wait already")
            return
        number = next(self._numbers)
        view.typed(number, Unsent(target=target, text=text))
        try:
            sent = await self._im.messages.send(target, text)
        except (Ended, LoginFailed):
            # It waits in vain; at the end it is told that it was not sent.
            return
        except ImError as error:
            view.refused(number, error_text(error))
            return
        view.sent(number, sent)

    def typing(self, target: Conversation) -> None:
        """Tell the other that we are typing, unless that was told a moment ago."""
        now = self._loop.time()
        if is_private(target) and now >= self._next_typing:
            self._next_typing = now + TYPING_EVERY
            self._tasks.create_task(_quietly(self._im.messages.typing(target)))

    # -- reading ---------------------------------------------------------------------

    def _confirm(self, message: Message) -> None:
        self._to_confirm[message.conversation] = message
        if self._receipts is None:
            self._receipts = self._loop.call_later(RECEIPT_AFTER, self._send_receipts)

    def _send_receipts(self) -> None:
        """Tell everybody how far we have read (messages 8.1, 8.4)."""
        self._receipts = None
        newest, self._to_confirm = self._to_confirm, {}
        for conversation, message in newest.items():
            if is_private(conversation):
                telling: Coroutine[None, None, object] = self._im.messages.confirm(message)
            elif conversation.type in _COUNTED:
                telling = self._im.conversations.mark_read(conversation, until=message.time)
            else:
                continue
            self._tasks.create_task(_quietly(telling))


async def _quietly(telling: Coroutine[None, None, object]) -> None:
    """Nobody misses it if it does not arrive."""
    with contextlib.suppress(ImError):
        await telling
