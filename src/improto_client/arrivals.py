"""The way of a message from a connection through the local store to its readers, and back.

Sans-IO. What has come is kept first, all of one turn of the loop together with how far that is;
then it is handed out. When readers are done with it, the store and the session learn so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.errors import LocalProtocolError
from improto.session import ClientSession
from improto_client.book import Cursors
from improto_client.errors import DamagedStore
from improto_client.receiving import Readers
from improto_client.values import read_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from improto.config import Limits
    from improto.contents import Registry
    from improto.events import MessageReceived, Receipt
    from improto_asyncio import Client
    from improto_client.book import Saved
    from improto_client.keeping import Keeper


class Arrivals:
    """Of one user, over many connections."""

    def __init__(
        self, session: ClientSession, *, keeper: Keeper, registry: Registry | None
    ) -> None:
        self.session = session
        self.client: Client | None = None
        """The last one that has logged in, open or not."""
        self.readers = Readers(self.acknowledge)
        self._keeper = keeper
        self._registry = registry
        self._numbers: dict[Receipt, int] = {}
        """Under which the store has what is with readers."""

    @property
    def open_client(self) -> Client | None:
        """The connection, if there is one."""
        client = self.client
        return client if client is not None and client.is_open else None

    def resume(self, saved: Saved, *, limits: Limits) -> None:
        """Go on where the last run has ended, and offer what it has not taken.

        DamagedStore if that makes no sense.
        """
        try:
            self.session = ClientSession.from_state(saved.session, limits=limits)
        except LocalProtocolError as error:
            raise DamagedStore(str(error)) from error
        for record in saved.waiting:
            # They are no part of a stream any more: the cursors are behind them.
            receipt = self.session.take(record.raw, moves_cursor=False)
            assert receipt is not None  # none of them is among the recent ones
            self._numbers[receipt] = record.id
            self.readers.deliver(read_message(record.raw, registry=self._registry), receipt)

    def forget(self, session: ClientSession) -> None:
        """Begin anew with an empty session; what is with readers or on its way to them is gone."""
        self.session = session
        self.client = None
        self.readers.clear()
        self._numbers.clear()

    def arrived(self, deliveries: Sequence[MessageReceived]) -> None:
        """Keep all that has come, and then hand it out."""
        if not deliveries:
            return
        session = self.session
        came = [
            (read_message(each.message, registry=self._registry), each.receipt)
            for each in deliveries
        ]
        contents = [(message.raw, message.content) for message, _ in came]
        cursors = Cursors(session.user_id or "", session.inbox_reach, session.sent_reach)

        def kept(numbers: list[int | None]) -> None:
            if session is not self.session:
                return
            for (message, receipt), number in zip(came, numbers, strict=True):
                if number is None:
                    self.acknowledge(receipt)
                    continue
                if number:
                    self._numbers[receipt] = number
                self.readers.deliver(message, receipt)

        self._keeper.put(lambda book: book.arrived(contents, cursors), kept)

    def rescue(self) -> None:
        """What has come and was not looked at any more when its connection was given up."""
        if self.client is not None:
            self.arrived(self.client.take_deliveries())

    def acknowledge(self, receipt: Receipt) -> None:
        """The readers are done with a message."""
        number = self._numbers.pop(receipt, None)
        if number is not None:
            self._keeper.put(lambda book: book.take([number]))
        assert self.client is not None  # readers are there from the first login on
        self.client.acknowledge(receipt)
