"""From a connection through the store to a reader: what leaves no trace, what comes too late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from improto.events import MessageReceived, Receipt
from improto.session import ClientSession
from improto_client.arrivals import Arrivals
from improto_client.keeping import Keeper
from improto_client.store import MemoryStore
from improto_client.store.conformance import record

pytestmark = pytest.mark.anyio


class Acknowledged:
    """A connection that is told what has been taken."""

    is_open = True

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def acknowledge(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)


class LateKeeper(Keeper):
    """Tells of what is done when the test says so."""

    def put(self, job: Any, then: Any = None) -> None:
        super().put(job, then and (lambda outcome: self.late.append(lambda: then(outcome))))

    def tell(self) -> None:
        for call in self.late:
            call()
        self.late.clear()

    def __init__(self) -> None:
        super().__init__(MemoryStore(), app_key="app", registry=None)
        self.late: list[Any] = []


def arriving(session: ClientSession, *, uid: str | None) -> MessageReceived:
    raw = replace(record(1, uid=uid).raw, object_name="RC:TypSts")
    receipt = session.take(raw, moves_cursor=False)
    assert receipt is not None
    return MessageReceived(message=raw, receipt=receipt)


async def test_what_has_no_uid_is_handed_out_and_not_kept() -> None:
    keeper, client = LateKeeper(), Acknowledged()
    session = ClientSession()
    arrivals = Arrivals(session, keeper=keeper, registry=None)
    arrivals.client = client  # type: ignore[assignment]
    delivery = arriving(session, uid=None)
    arrivals.arrived([delivery])
    keeper.tell()
    assert await keeper.do(lambda book: book.store.waiting()) == []
    async with arrivals.readers.reader(lambda message: True) as reader:
        assert (await anext(reader)).raw is delivery.message
    assert client.receipts == [delivery.receipt]
    assert keeper.late == []


async def test_what_was_on_its_way_to_the_store_when_the_user_left_is_forgotten() -> None:
    keeper, session = LateKeeper(), ClientSession()
    arrivals = Arrivals(session, keeper=keeper, registry=None)
    arrivals.arrived([arriving(session, uid="1")])
    arrivals.forget(ClientSession())
    keeper.tell()
    seen: list[object] = []
    async with arrivals.readers.reader(lambda message: bool(seen.append(message))):
        assert seen == []
