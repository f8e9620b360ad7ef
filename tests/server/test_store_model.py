"""The store against a model of plain lists: any order of appends, reads, failures, restarts.

The model learns of a message when its answer comes, so it knows what was promised and when.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from improto.codes import ConversationType
from improto.messages import MessageDirection
from improto_server.store import NewMessage, Store, Stored, StoreError, queries
from tests.server.model_tools import CountedMachine, play
from tests.server.store_tools import HandLoop, disk_error, listening, message

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from sqlalchemy import Connection

USERS = ("alice", "bob", "carol")
APPS = ("app", "other")
GROUP = "team"

apps = st.sampled_from(APPS)
users = st.sampled_from(USERS)
times = st.integers(0, 40)
sizes = st.integers(1, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a box."""

    app: str
    owner: str
    direction: MessageDirection
    message: NewMessage


def is_repeat(new: NewMessage, old: NewMessage) -> bool:
    return new.unique_id is not None and (new.app, new.sender, new.unique_id) == (
        old.app,
        old.sender,
        old.unique_id,
    )


class StoreMachine(CountedMachine):
    """Everything that a server may do to its store."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.directory.name).resolve()}/store.db"
        self.loop = HandLoop()
        self.time = 0
        self.pending = 0
        self.is_failing = threading.Event()
        self.failures = listening("commit", self.fail)
        self.failures.__enter__()
        # The model.
        self.entries: list[Entry] = []
        self.messages: list[NewMessage] = []
        self.store = self.open()

    def open(self) -> Store:
        store = Store.open(self.url, soon=self.loop.soon, on_loop=self.loop.on_loop, durable=False)
        assert store.latest_time == max((new.time for new in self.messages), default=0)
        return store

    def fail(self, _: Connection) -> None:
        if self.is_failing.is_set() and threading.current_thread().name == "store-writer":
            raise disk_error()

    def teardown(self) -> None:
        self.settle()
        self.store.close()
        self.failures.__exit__(None, None, None)
        self.directory.cleanup()

    # -- what the server does ----------------------------------------------------------

    @rule(
        app=apps,
        sender=users,
        receivers=st.lists(users, max_size=4),
        in_group=st.booleans(),
        unique_id=st.none() | st.integers(1, 3),
        sent_box=st.booleans(),
        in_history=st.booleans(),
    )
    def append(
        self,
        app: str,
        sender: str,
        receivers: list[str],
        in_group: bool,
        unique_id: int | None,
        sent_box: bool,
        in_history: bool,
    ) -> None:
        self.time += 1
        target = GROUP if in_group else (receivers or ["bob"])[0]
        new = message(
            self.time,
            app=app,
            type=ConversationType.GROUP if in_group else ConversationType.PRIVATE,
            sender=sender,
            target=target,
            receivers=tuple(receivers) if in_group else (target,),
            unique_id=unique_id,
            sent_box=sent_box,
            in_history=in_history,
        )
        self.pending += 1
        self.store.append(new, partial(self.appended, new))

    def appended(self, new: NewMessage, answer: Stored | StoreError) -> None:
        self.pending -= 1
        if isinstance(answer, StoreError):
            return
        first = next(filter(partial(is_repeat, new), self.messages), None)
        if first is not None:
            assert answer == Stored(uid=first.uid, time=first.time, is_repeat=True)
            return
        assert answer == Stored(uid=new.uid, time=new.time, is_repeat=False)
        self.messages.append(new)
        for owner in sorted(set(new.receivers)):
            self.entries.append(
                Entry(app=new.app, owner=owner, direction=MessageDirection.RECEIVED, message=new)
            )
        if new.sent_box:
            self.entries.append(
                Entry(app=new.app, owner=new.sender, direction=MessageDirection.SENT, message=new)
            )

    @rule()
    def end_turn(self) -> None:
        self.loop.end_turn()

    @rule()
    def hop(self) -> None:
        """Which of the threads is first is not told; nothing that is drawn depends on it."""
        self.loop.end_turn()
        if self.pending:
            self.loop.hop()

    @rule(app=apps, owner=users)
    def read_while_writing(self, app: str, owner: str) -> None:
        """What was promised before the question is in the answer."""
        promised = {entry.message.time for entry in self.received(app, owner, after=0)}
        self.pending += 1

        def check(page: Any) -> None:
            self.pending -= 1
            found = [item.time for item in page.items]
            assert promised <= set(found)
            assert found == sorted(set(found))

        self.store.read(
            partial(
                queries.inbox_after,
                app=app,
                owner=owner,
                received_after=0,
                sent_after=None,
                limit=1000,
            ),
            check,
        )

    @rule()
    def settle(self) -> None:
        self.loop.end_turn()
        while self.pending:
            self.loop.hop()
            self.loop.end_turn()

    @rule()
    def fail_from_now_on(self) -> None:
        self.settle()
        self.is_failing.set()

    @rule()
    def work_from_now_on(self) -> None:
        self.settle()
        self.is_failing.clear()

    @rule()
    def restart(self) -> None:
        self.loop.end_turn()
        self.store.close()
        self.settle()
        self.store = self.open()

    # -- what it finds -----------------------------------------------------------------

    def ask(self, query: Callable[[Connection], Any]) -> Any:
        self.settle()
        answers: list[Any] = []
        self.store.read(query, answers.append)
        self.loop.until(answers, 1)
        return answers[0]

    def received(self, app: str, owner: str, *, after: int) -> list[Entry]:
        return self.box(app, owner, MessageDirection.RECEIVED, after=after)

    def box(self, app: str, owner: str, direction: MessageDirection, *, after: int) -> list[Entry]:
        return [
            entry
            for entry in self.entries
            if (entry.app, entry.owner, entry.direction) == (app, owner, direction)
            and entry.message.time > after
        ]

    @rule(app=apps, owner=users, received=times, sent=st.none() | times, limit=sizes)
    def read_inbox(self, app: str, owner: str, received: int, sent: int | None, limit: int) -> None:
        page = self.ask(
            partial(
                queries.inbox_after,
                app=app,
                owner=owner,
                received_after=received,
                sent_after=sent,
                limit=limit,
            )
        )
        expected = self.received(app, owner, after=received)
        everything = self.received(app, owner, after=0)
        if sent is not None:
            expected += self.box(app, owner, MessageDirection.SENT, after=sent)
            everything += self.box(app, owner, MessageDirection.SENT, after=0)
        assert page.newest == max((entry.message.time for entry in everything), default=0)
        # A message to oneself is there twice, at one time: in which order, nobody is told.
        expected.sort(key=lambda entry: entry.message.time)
        assert [item.time for item in page.items] == [
            entry.message.time for entry in expected[:limit]
        ]
        assert page.is_finished == (len(expected) <= limit)
        found = {(entry.message.time, entry.direction): entry.message for entry in expected}
        assert len({(item.time, item.direction) for item in page.items}) == len(page.items)
        for item in page.items:
            new = found[item.time, item.direction]
            assert (item.sender, item.target, item.type) == (new.sender, new.target, new.type)
            assert item.item == new.item

    @rule(
        app=apps,
        reader=users,
        peer=st.sampled_from((*USERS, GROUP)),
        edge=st.none() | times,
        is_forward=st.booleans(),
        count=sizes,
    )
    def read_history(
        self, app: str, reader: str, peer: str, edge: int | None, is_forward: bool, count: int
    ) -> None:
        is_group = peer == GROUP
        type = ConversationType.GROUP if is_group else ConversationType.PRIVATE
        page = self.ask(
            partial(
                queries.history,
                app=app,
                type=type,
                reader=reader,
                target=peer,
                count=count,
                before=None if is_forward else edge,
                after=edge if is_forward else None,
            )
        )
        expected = [
            new
            for new in self.messages
            if new.in_history
            and (new.app, new.type) == (app, type)
            and (is_group or {new.sender, new.target} == {reader, peer})
        ]
        expected.sort(key=lambda new: -new.time)
        if edge is not None:
            expected = [
                new for new in expected if (new.time > edge if is_forward else new.time < edge)
            ]
        wanted = expected[-count:] if is_forward and edge is not None else expected[:count]
        assert [
            (
                item.time,
                item.sender,
                item.target,
                item.item,
                item.direction is MessageDirection.SENT,
            )
            for item in page.items
        ] == [(new.time, new.sender, new.target, new.item, new.sender == reader) for new in wanted]
        assert page.has_more == (len(wanted) < len(expected))

    @rule(before=times)
    def forget(self, before: int) -> None:
        """Only while the disk works, because a slice that failed is not undone by the others."""
        self.work_from_now_on()
        answers: list[int | StoreError] = []
        self.store.forget_before(before, answers.append)
        self.loop.until(answers, 1)
        old = [entry for entry in self.entries if entry.message.time < before]
        assert answers == [len(old)]
        self.entries = [entry for entry in self.entries if entry.message.time >= before]
        self.messages = [new for new in self.messages if new.in_history or new.time >= before]

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        assert self.pending >= 0


def test_the_store_is_as_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    play(StoreMachine, capsys, longest=40)
