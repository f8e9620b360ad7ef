"""The way of a message from a program through the local store to a connection, and its answer.

What is to leave is kept first. Then it waits for its answer here, over as many connections as it
takes: each new one is given what the last one has not sent. What it has sent and not had answered
is in the session's outbox, and the session sends that itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from improto.errors import LocalProtocolError, NotConnected
from improto.events import PublishAcknowledged
from improto_client.errors import ImError, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.contents import Content
    from improto.events import RequestFailed
    from improto.messages import Conversation, Outgoing
    from improto_asyncio import Client
    from improto_client.arrivals import Arrivals
    from improto_client.keeping import Keeper


@dataclass(slots=True, eq=False)
class _Pending:
    """A message that the server has not answered yet."""

    message: Outgoing
    done: anyio.Event
    outcome: PublishAcknowledged | ImError | None = None
    withdraw: Callable[[], None] | None = None
    """Takes it back while it is with a connection and not sent yet."""
    is_kept: bool = False
    """It is in the store, so it may leave."""


class Departures:
    """Of one user, over many connections, which are those of ``arrivals``."""

    def __init__(self, arrivals: Arrivals, *, keeper: Keeper) -> None:
        self._arrivals = arrivals
        self._keeper = keeper
        self._pending: dict[int, _Pending] = {}
        self._make_event = type(anyio.Event())
        """anyio.Event looks every time for the loop that runs, which costs more than an event."""

    async def send(
        self,
        unique_id: int,
        message: Outgoing,
        content: Content,
        *,
        to: Conversation,
        user_id: str,
        now: int,
    ) -> PublishAcknowledged:
        """Send a message that says ``content`` and belongs to this conversation.

        Who is cancelled while he waits takes back what was not sent yet. Raises what
        :meth:`answered` or :meth:`fail` was told.
        """
        self._pending[unique_id] = pending = _Pending(message, self._make_event())
        self._keeper.put(
            lambda book: book.keep(message, content, to=to, user_id=user_id, now=now),
            lambda _: self._kept(unique_id),
        )
        try:
            await pending.done.wait()
        finally:
            self._pending.pop(unique_id, None)
            if pending.outcome is None:
                self._take_back(unique_id, pending)
        outcome = pending.outcome
        assert outcome is not None  # that is what the event says
        if isinstance(outcome, ImError):
            raise outcome.with_traceback(None)
        return outcome

    def _kept(self, unique_id: int) -> None:
        """It is in the store; if it is still wanted, it may leave."""
        pending = self._pending.get(unique_id)
        if pending is None:
            return
        pending.is_kept = True
        client = self._arrivals.open_client
        if client is not None:
            self._post(client, unique_id, pending)

    def _take_back(self, unique_id: int, pending: _Pending) -> None:
        """Nobody waits for it any more; what was not sent is not sent at all."""
        if pending.withdraw is not None:
            pending.withdraw()
        if unique_id not in self._arrivals.session.outbox:
            self._keeper.put(lambda book: book.withdraw(unique_id))

    def _post(self, client: Client, unique_id: int, pending: _Pending) -> None:
        pending.withdraw = client.post(pending.message, partial(self._told, unique_id, pending))

    def connected(self, client: Client) -> None:
        """Send what the last connection has not; what it has, the session sends itself."""
        outbox = client.session.outbox
        for unique_id, pending in list(self._pending.items()):
            if pending.is_kept and unique_id not in outbox:
                self._post(client, unique_id, pending)

    def _told(
        self,
        unique_id: int,
        pending: _Pending,
        outcome: PublishAcknowledged | RequestFailed | LocalProtocolError,
    ) -> None:
        """Called from inside the connection."""
        pending.withdraw = None
        if isinstance(outcome, PublishAcknowledged):
            self.answered(unique_id, outcome)
        elif isinstance(outcome, LocalProtocolError) and not isinstance(outcome, NotConnected):
            self._finish(unique_id, Malformed(str(outcome)))
        # All else: the session has it and sends it again, or the next connection gets it.

    def answered(self, unique_id: int, answer: PublishAcknowledged) -> None:
        """The server has answered, whichever connection has asked."""
        self._finish(
            unique_id,
            answer,
            uid=answer.uid,
            time=answer.timestamp,
            is_sent=answer.status == 0,
        )

    def fail(self, error: ImError) -> None:
        """There will be no connection."""
        for unique_id in list(self._pending):
            # Who is told that it has failed will not expect it to arrive after a reconnect().
            self._arrivals.session.settle(unique_id)
            self._finish(unique_id, error)

    def _finish(
        self,
        unique_id: int,
        outcome: PublishAcknowledged | ImError,
        *,
        uid: str = "",
        time: int = 0,
        is_sent: bool = False,
    ) -> None:
        self._keeper.put(lambda book: book.settle(unique_id, uid=uid, time=time, is_sent=is_sent))
        pending = self._pending.pop(unique_id, None)
        if pending is not None:
            pending.outcome = outcome
            pending.done.set()
