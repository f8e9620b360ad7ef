"""How calls share the store with messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from improto.codes import ErrorCode
from improto_server.accounts import records
from improto_server.accounts.records import Records
from improto_server.errors import ServiceError
from improto_server.steps import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


class Hand:
    """A store whose changes are done when the test says so."""

    def __init__(self) -> None:
        self.changes: list[Pending[str]] = []

    def write(self, change: Callable[[Connection], str]) -> Pending[str]:
        """Like :meth:`.services.data.Data.write`."""
        self.changes.append(Pending())
        return self.changes[-1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_batch_has_few_changes_of_calls(backend: str) -> None:
    hand = Hand()
    answers: list[str] = []

    async def write(data: Records) -> None:
        try:
            answers.append(await data.write(lambda connection: ""))
        except ServiceError:
            answers.append("refused")

    async def scenario() -> None:
        data = Records(hand)  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            for _ in range(records.CHANGES_AT_ONCE + 2):
                tasks.start_soon(partial(write, data))
            await anyio.wait_all_tasks_blocked()
            assert len(hand.changes) == records.CHANGES_AT_ONCE
            # One that is done, and one that is refused, make room for another each.
            hand.changes[0].settle("done")
            hand.changes[1].fail(ServiceError(ErrorCode.PARAMETER_ERROR))
            await anyio.wait_all_tasks_blocked()
            assert len(hand.changes) == records.CHANGES_AT_ONCE + 2
            for change in hand.changes[2:]:
                change.settle("done")

    anyio.run(scenario, backend=backend)
    assert sorted(answers) == ["done"] * (records.CHANGES_AT_ONCE + 1) + ["refused"]
