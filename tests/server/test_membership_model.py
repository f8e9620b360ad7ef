"""Groups against a model of plain lists: who sees what, whatever happens in which order.

Users come, go, are muted and write while batches of the store are under way; the server is
started again, with a clock that was put back. The model knows for each message who was a member
when it was sent. What a user has seen is at any moment the beginning of what the model says
he will see: nothing is missing, out of order, doubled or somebody else's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.config import Limits
from improto.frames import Delivery, PubAck, QueryAck
from improto.operations import Topic
from improto_server.steps import begin
from improto_server.store import Place
from improto_server.store.queries import inbox_after
from tests.server.model_tools import CountedMachine, play
from tests.server.rig import APP, Rig, item

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    import pytest

    from improto_server.steps import Pending
    from tests.server.rig import Client

USERS = ("ann", "bob", "eve")
GROUPS = ("team", "crew")

users = st.sampled_from(USERS)
groups = st.sampled_from(GROUPS)


class Group:
    """What the model knows of a group."""

    def __init__(self) -> None:
        self.exists = False
        self.members: list[str] = []
        self.silenced: set[str] = set()
        self.is_muted = False

    def refusal(self, user: str) -> int:
        if user not in self.members:
            return ErrorCode.NOT_IN_GROUP
        return ErrorCode.FORBIDDEN_IN_GROUP if self.is_muted or user in self.silenced else 0


class Reader:
    """A client as it should be: it pulls when it is told to, one page at a time."""

    def __init__(self, client: Client, cursor: int, seen: list[str]) -> None:
        self.client = client
        self.cursor = cursor
        self.seen = seen
        self.told = 0
        """The newest time that it was told of."""
        self.pull_id = client.start_pull(cursor, 0)
        self.is_pulling = True
        self.acks: dict[int, tuple[int, str]] = {}
        """What the PUBACKs that are to come should say, and the text of the message."""

    def pull(self) -> None:
        if not self.is_pulling:
            self.is_pulling = True
            self.pull_id = self.client.start_pull(self.cursor, 0)

    def see(self, message: payloads.DownStreamMessage) -> None:
        # Clients drop what is not newer than their cursor (session 8.4).
        if message.dataTime > self.cursor:
            self.cursor = message.dataTime
            self.seen.append(message.content.decode())

    def look(self, uids: dict[str, str]) -> None:
        """Take what has come."""
        for frame in self.client.frames():
            if isinstance(frame, PubAck):
                status, text = self.acks.pop(frame.message_id)
                assert frame.status == status
                if not status:
                    # A repeat has the name of the first.
                    assert uids.setdefault(text, frame.uid) == frame.uid
            elif isinstance(frame, QueryAck):
                assert (frame.message_id, frame.status) == (self.pull_id, 0)
                self.is_pulling = False
                page = payloads.decode(payloads.DownStreamMessages, frame.data)
                for message in page.list:
                    self.see(message)
                self.cursor = max(self.cursor, page.syncTime)
                if not page.finished:
                    self.pull()
            elif isinstance(frame, Delivery):
                if frame.topic == Topic.S_MSG:
                    self.see(item(frame))
                else:
                    assert frame.topic == Topic.S_NTF
                    self.told = max(self.told, payloads.decode(payloads.NotifyMsg, frame.data).time)
        if self.told > self.cursor:
            self.pull()


class MembershipMachine(CountedMachine):
    """Everything that may happen around two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.readers: dict[str, Reader] = {}
        self.changes: list[Pending[Any]] = []
        # The model.
        self.groups = {name: Group() for name in GROUPS}
        self.inboxes: dict[str, list[str]] = {user: [] for user in USERS}
        self.uids: dict[str, str] = {}
        self.sent: dict[tuple[str, int], str] = {}
        self.count = 0
        self.wall = 0
        self.rig = self.start()
        for user in USERS:
            self.come(user, True)
        self.join("team", ["ann", "bob"])

    def start(self) -> Rig:
        rig = Rig(Path(self.directory.name), limits=Limits(pull_messages=3))
        rig.wall += self.wall
        # What is known at once counts at once, so the model need not wait.
        for name in GROUPS:
            rig.do(rig.system.rosters.load(Place(APP, ConversationType.GROUP, name)))
        for user in USERS:
            rig.do(rig.system.standings.load((APP, user)))
        return rig

    def change(self, steps: Coroutine[Any, Any, Any]) -> None:
        self.changes.append(begin(steps))

    def teardown(self) -> None:
        self.everything_arrives()
        for change in self.changes:
            change.result()
        self.rig.store.store.close()
        self.directory.cleanup()

    # -- what the application says -----------------------------------------------------

    @rule(group=groups, joining=st.lists(users, min_size=1, max_size=3))
    def join(self, group: str, joining: list[str]) -> None:
        model = self.groups[group]
        model.exists = True
        model.members += sorted(set(joining) - set(model.members))
        self.change(self.rig.system.groups.join(APP, group, joining))

    @rule(group=groups, user=users)
    def quit(self, group: str, user: str) -> None:
        model = self.groups[group]
        model.members = [member for member in model.members if member != user]
        self.change(self.rig.system.groups.quit(APP, group, [user]))

    @rule(group=groups)
    def dismiss(self, group: str) -> None:
        if self.groups[group].exists:
            self.groups[group] = Group()
        self.change(self.rig.system.groups.dismiss(APP, group))

    @rule(group=groups, user=users, is_silenced=st.booleans())
    def silence(self, group: str, user: str, is_silenced: bool) -> None:
        silenced = self.groups[group].silenced
        (silenced.add if is_silenced else silenced.discard)(user)
        until = None if is_silenced else 0
        self.change(self.rig.system.groups.mute_member(APP, group, user, until=until))

    @rule(group=groups, is_muted=st.booleans())
    def mute(self, group: str, is_muted: bool) -> None:
        self.groups[group].is_muted = is_muted
        self.change(self.rig.system.groups.mute_all(APP, group, is_muted=is_muted))

    # -- what users do -----------------------------------------------------------------

    @rule(user=users, is_new=st.booleans())
    def come(self, user: str, is_new: bool) -> None:
        """A user connects, with what he has seen or with a device that has seen nothing."""
        before = self.readers.pop(user, None)
        if before is not None:
            # What is under way to a connection that breaks is lost.
            before.client.leave()
        if before is None or is_new:
            self.readers[user] = Reader(self.rig.client(user), 0, [])
        else:
            self.readers[user] = Reader(self.rig.client(user), before.cursor, before.seen)

    @rule(
        user=users,
        group=groups,
        named=st.lists(users, max_size=2),
        unique_id=st.none() | st.integers(1, 3),
        stored=st.booleans(),
    )
    def send(
        self, user: str, group: str, named: list[str], unique_id: int | None, stored: bool
    ) -> None:
        """A message to all or, if some are named, to these."""
        reader = self.readers[user]
        self.count += 1
        text = f'"{self.count}"'
        model = self.groups[group]
        status = model.refusal(user)
        if not status:
            first = text if unique_id is None else self.sent.setdefault((user, unique_id), text)
            if first == text:
                for member in model.members:
                    if member != user and (not named or member in named):
                        self.inboxes[member].append(text)
            text = first
        message_id = reader.client.publish(
            group,
            f'"{self.count}"',
            topic=Topic.PG_MSG_P,
            flags=3 if stored else 0,
            userId=named,
            clientUniqueId=unique_id,
        )
        reader.acks[message_id] = (status, text)

    @rule(group=groups)
    def talk(self, group: str) -> None:
        """Every user writes to all, members or not."""
        for user in USERS:
            self.send(user, group, [], None, True)

    @rule()
    def write_batch(self) -> None:
        """The store has written what it was given."""
        self.rig.settle_one()

    @rule(milliseconds=st.integers(1, 100))
    def time_passes(self, milliseconds: int) -> None:
        self.rig.wall += milliseconds

    @rule()
    def everything_arrives(self) -> None:
        """Nothing is under way any more, so everybody has seen everything."""
        while self.rig.settle_one() or any(reader.is_pulling for reader in self.readers.values()):
            self.look()
        self.look()
        for user, reader in self.readers.items():
            assert reader.seen == self.inboxes[user]
            assert reader.acks == {}
        for user, inbox in self.inboxes.items():
            assert self.stored_inbox(user) == inbox

    def stored_inbox(self, user: str) -> list[str]:
        """What a device that has seen nothing would find."""

        async def steps() -> list[str]:
            page = await self.rig.system.data.read(
                lambda connection: inbox_after(
                    connection, app=APP, owner=user, received_after=0, sent_after=None, limit=10_000
                )
            )
            messages = [payloads.decode(payloads.DownStreamMessage, it.item) for it in page.items]
            return [message.content.decode() for message in messages]

        return self.rig.do(steps())

    @rule(back=st.integers(-100, 100))
    def restart(self, back: int) -> None:
        """The server is started again; the machine's clock was changed meanwhile."""
        self.everything_arrives()
        self.rig.store.store.close()
        self.wall -= back
        self.rig = self.start()
        self.readers = {
            user: Reader(self.rig.client(user), reader.cursor, reader.seen)
            for user, reader in self.readers.items()
        }

    # -- what must always be true -------------------------------------------------------

    @invariant()
    def look(self) -> None:
        for user, reader in self.readers.items():
            reader.look(self.uids)
            assert reader.seen == self.inboxes[user][: len(reader.seen)]

    @invariant()
    def members_are_known_at_once(self) -> None:
        for name, model in self.groups.items():
            roster = self.rig.system.rosters.get(Place(APP, ConversationType.GROUP, name))
            assert roster is not None
            assert roster.exists is model.exists
            assert list(roster.members) == model.members


def test_members_see_what_was_sent_while_they_were_in(capsys: pytest.CaptureFixture[str]) -> None:
    play(MembershipMachine, capsys, longest=30)
