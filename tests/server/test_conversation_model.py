"""Conversations against a model of plain lists: anything in any order, with restarts.

After every step every user's list, with its unread counts, is what the model says. So are the
pages of history, whatever their size and direction, and what is pulled.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from itertools import count as count_up
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import PubAck
from improto.operations import Topic
from tests.server import conversation_tools as tools
from tests.server.conversation_model import FOREVER, TEAM, USERS, Line, Model, Stay
from tests.server.rig import Rig, sent_at

if TYPE_CHECKING:
    import pytest


STEPS: Counter[str] = Counter()

FLAGS = {"counted": 3, "stored": 1, "command": 0, "status": 0, "directed": 3}

users = st.sampled_from(USERS)
peers = st.sampled_from((*USERS, TEAM))
devices = st.integers(0, 1)
picks = st.integers(0, 6)
seconds = st.sampled_from((0, 0, 0, 1))
letters = st.tuples(users, devices, peers, st.sampled_from((*FLAGS, "counted", "counted")))


class ConversationMachine(RuleBasedStateMachine):
    """Everything that users do to their conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.directory.name), multi_device=True)
        self.model = Model()
        self.said = self.said_before = 0
        self.clients = {
            (name, number): self.rig.online(name) for name in USERS for number in (0, 1)
        }

    @initialize(burst=st.lists(letters, min_size=2, max_size=4))
    def begin(self, burst: list[tuple[str, int, str, str]]) -> None:
        self.rig.do(self.rig.system.rosters.create(tools.TEAM, name="Team", owner="alice"))
        self.come(["alice", "bob"])
        self.send_all(burst)

    def teardown(self) -> None:
        self.rig.store.store.close()
        self.directory.cleanup()

    def type(self, peer: str) -> Any:
        return tools.GROUP if peer == TEAM else tools.PRIVATE

    def come(self, names: list[str]) -> None:
        new = self.rig.do(self.rig.system.rosters.join(tools.TEAM, names))
        members = self.rig.do(self.rig.system.rosters.load(tools.TEAM)).members
        for name in new:
            self.model.stays[name].append(Stay(members[name], FOREVER))

    def pick(self, number: int) -> Line:
        """One of the latest messages."""
        return self.model.lines[-1 - number % len(self.model.lines)]

    def still_in(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Who of those for whom a message was is in the group; one for none stays one for some."""
        return names and (
            tuple(name for name in names if self.model.since(name, TEAM)) or ("nobody",)
        )

    def peer(self, user: str, line: Line) -> str:
        """The conversation of a message as the user calls it; he need not be in it."""
        if line.target == TEAM:
            return TEAM
        return line.target if user == line.sender else line.sender

    def acks(self) -> dict[tuple[str, int, int], PubAck]:
        self.rig.settle()
        return {
            (*key, frame.message_id): frame
            for key, client in self.clients.items()
            for frame in client.frames()
            if isinstance(frame, PubAck)
        }

    # -- what happens ------------------------------------------------------------------

    @rule(burst=st.lists(letters, min_size=1, max_size=4), later=seconds)
    def send(self, burst: list[tuple[str, int, str, str]], later: int) -> None:
        self.rig.advance(later)
        self.send_all(burst)

    def send_all(self, burst: list[tuple[str, int, str, str]]) -> None:
        """Several messages at once, answered together."""
        sent = {}
        for sender, device, target, kind in burst:
            STEPS[f"send {kind}"] += 1
            options: dict[str, Any] = {"topic": tools.TOPICS[self.type(target)]}
            line = Line(uid="", time=0, sender=sender, target=target, text=str(self.said))
            self.said += 1
            line.is_stored, line.is_counted = FLAGS[kind] & 1 != 0, FLAGS[kind] & 2 != 0
            if kind == "status":
                options["name"] = "RC:TypSts"
            elif kind == "directed" and target == TEAM:
                line.named = ("bob", "carol")
                options["userId"] = line.named
            client = self.clients[sender, device]
            number = client.publish(target, line.text, flags=FLAGS[kind], **options)
            sent[sender, device, number] = (kind, line)
        acks = self.acks()
        for key, (kind, line) in sent.items():
            ack = acks[key]
            if self.model.since(line.sender, line.target) is None:
                assert ack.status == ErrorCode.NOT_IN_GROUP
                continue
            assert ack.status == 0
            line.uid, line.time = ack.uid, sent_at(ack)
            line.named = self.still_in(line.named)
            if kind != "status":
                self.model.add(line)

    @precondition(lambda self: self.model.lines)
    @rule(user=users, device=devices, pick=picks, name=st.sampled_from(("RC:ReadNtf", "RC:SRSMsg")))
    def read(self, user: str, device: int, pick: int, name: str) -> None:
        """By a message that says so."""
        line = self.pick(pick)
        peer = self.peer(user, line)
        if self.model.since(user, peer) is None:
            return
        STEPS["read"] += 1
        said = tools.say(
            self.clients[user, device],
            peer,
            json.dumps({"lastMessageSendTime": line.time}),
            type=self.type(peer),
            name=name,
            flags=0,
        )
        self.model.seen(user, peer, min(line.time, said.time))
        if name == "RC:ReadNtf":
            mark = Line(uid=said.uid, time=said.time, sender=user, target=peer, text="")
            mark.is_stored = mark.is_counted = False
            self.model.add(mark)

    @precondition(lambda self: self.model.lines)
    @rule(
        other=st.sampled_from(("", "", *USERS)), device=devices, pick=picks, is_admin=st.booleans()
    )
    def recall(self, other: str, device: int, pick: int, is_admin: bool) -> None:
        """By its sender, or somebody else."""
        line = self.pick(pick)
        user = other or line.sender
        peer = self.peer(user, line)
        taken = tools.recall(
            self.clients[user, device], line.uid, peer, type=self.type(peer), isAdmin=is_admin
        )
        may = user == line.sender or (peer == TEAM and user == "alice" and is_admin)
        if self.model.since(user, peer) is None:
            assert taken.status == ErrorCode.NOT_IN_GROUP
        elif line.is_notice or (line.recalled_by != user if line.recalled_by else not may):
            assert taken.status == ErrorCode.RECALL_MESSAGE
        elif line.notice is not None:
            STEPS["recall again"] += 1
            assert (taken.uid, taken.time) == (line.notice.uid, line.notice.time)
        else:
            STEPS["recall"] += 1
            assert taken.status == 0
            notice = Line(uid=taken.uid, time=taken.time, sender=user, target=peer, text="notice")
            notice.is_notice, notice.is_counted = True, False
            notice.named = self.still_in(line.named)
            line.recalled_by, line.notice = user, notice
            self.model.add(notice)

    @precondition(lambda self: self.model.lines)
    @rule(user=users, device=devices, chosen=st.lists(picks, max_size=3))
    def delete(self, user: str, device: int, chosen: list[int]) -> None:
        STEPS["delete"] += 1
        for line in map(self.pick, chosen):
            peer = self.peer(user, line)
            request = payloads.DeleteMsgInput(type=self.type(peer), conversationId=peer)
            request.msgs.add(msgId=line.uid)
            assert tools.status(self.clients[user, device], Topic.DEL_MSG, request) == 0
            self.model.hidden.add((user, line.uid))

    @precondition(lambda self: self.model.lines)
    @rule(user=users, device=devices, pick=picks)
    def clear(self, user: str, device: int, pick: int) -> None:
        STEPS["clear"] += 1
        line = self.pick(pick)
        peer = self.peer(user, line)
        topic = Topic.CLEAN_G_MSG if peer == TEAM else Topic.CLEAN_P_MSG
        # Somebody else's latest message may be later than this user's now.
        self.rig.advance(1)
        request = payloads.CleanHisMsgInput(targetId=peer, dataTime=line.time)
        assert tools.status(self.clients[user, device], topic, request) == 0
        cleared = self.model.cleared
        cleared[user, peer] = max(cleared[user, peer], line.time)

    @precondition(lambda self: self.model.lines)
    @rule(user=users, device=devices, peer=peers)
    def remove(self, user: str, device: int, peer: str) -> None:
        STEPS["remove"] += 1
        request = payloads.RelationsInput(type=self.type(peer))
        client = self.clients[user, device]
        assert tools.status(client, Topic.DEL_RELATION, request, target=peer) == 0
        newest = max((line.time for line in self.model.lines), default=0)
        self.model.removed[user, peer] = newest

    @precondition(lambda self: self.model.lines)
    @rule(chosen=st.lists(st.tuples(users, devices), min_size=1, max_size=4, unique=True))
    def pull(self, chosen: list[tuple[str, int]]) -> None:
        """Everything once, in order, from the cursor on."""
        for key in chosen:
            STEPS["pull"] += 1
            client = self.clients[key]
            expected = self.model.inbox(key[0], client.cursor)
            found = [each for each in client.pull_all() if each.direction == 2]
            assert [each.msgId for each in found] == [line.uid for line in expected]

    @precondition(lambda self: self.model.lines)
    @rule(user=users, device=devices, keeps_cursor=st.booleans())
    def reconnect(self, user: str, device: int, keeps_cursor: bool) -> None:
        STEPS["reconnect"] += 1
        old = self.clients[user, device]
        old.leave()
        new = self.clients[user, device] = self.rig.client(user)
        new.frames()
        if keeps_cursor:
            new.cursor, new.sent_cursor = old.cursor, old.sent_cursor

    @precondition(lambda self: self.said > self.said_before + 3)
    @rule()
    def restart(self) -> None:
        STEPS["restart"] += 1
        self.said_before = self.said
        self.rig.store.store.close()
        wall, old = self.rig.wall, self.clients
        self.rig = Rig(Path(self.directory.name), multi_device=True)
        self.rig.wall = wall + 1000
        for key, client in old.items():
            new = self.clients[key] = self.rig.client(key[0])
            new.frames()
            new.cursor, new.sent_cursor = client.cursor, client.sent_cursor

    @precondition(lambda self: self.model.lines)
    @rule(name=st.sampled_from(("bob", "carol")))
    def join_or_leave(self, name: str) -> None:
        if self.model.since(name, TEAM) is None:
            STEPS["join"] += 1
            self.come([name])
            return
        STEPS["leave"] += 1
        self.rig.do(self.rig.system.rosters.leave(tools.TEAM, [name]))
        stays = self.model.stays[name]
        newest = max((line.time for line in self.model.lines), default=0)
        stays[-1] = stays[-1]._replace(until=max(newest, stays[-1].since))

    # -- what is always so ---------------------------------------------------------------

    @invariant()
    def lists_and_counts_are_right(self) -> None:
        for name in USERS:
            client = self.clients[name, 0]
            shown = [
                (each.userId, each.msg.msgId, each.unreadCount)
                for each in tools.conversations(client)
            ]
            assert shown == self.model.conversations(name)
            service = self.rig.system.conversations
            total = self.rig.do(service.total_unread("app", name))
            assert total == sum(unread for *_, unread in shown)

    @precondition(lambda self: self.model.lines)
    @rule(user=users, peer=peers, count=st.integers(1, 4), order=st.integers(0, 1))
    def page_through(self, user: str, peer: str, count: int, order: int) -> None:
        """Page by page, while others go on talking."""
        STEPS["page"] += 1
        client = self.clients[user, 1]
        expected = [line.uid for line in self.model.history(user, peer)]
        since = self.model.since(user, peer)
        if since is None:
            request = payloads.HistoryMsgInput(targetId=peer)
            assert tools.status(client, Topic.QRY_G_MSG, request) == ErrorCode.NOT_IN_GROUP
            return
        found: list[str] = []
        time = 0
        for step in count_up():
            page = tools.history(
                client, peer, type=self.type(peer), time=time, count=count, order=order
            )
            uids = [each.msgId for each in page.list]
            found = uids + found if order else found + uids
            assert page.hasMsg == (len(found) < len(expected))
            if not page.hasMsg:
                break
            time = page.syncTime
            if step < 2:
                uid = self.say_something(user, peer)
                # What is said meanwhile is newer than all pages that go backward.
                expected = [uid, *expected] if order else expected
        assert found == expected

    def say_something(self, user: str, peer: str) -> str:
        number = self.clients[user, 0].publish(
            peer, "meanwhile", topic=tools.TOPICS[self.type(peer)]
        )
        ack = self.acks()[user, 0, number]
        assert ack.status == 0
        line = Line(uid=ack.uid, time=sent_at(ack), sender=user, target=peer, text="meanwhile")
        self.model.add(line)
        return line.uid


def test_any_order_of_talking_reading_and_putting_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    STEPS.clear()
    run_state_machine_as_test(
        ConversationMachine, settings=settings(settings.default, stateful_step_count=30)
    )
    with capsys.disabled():
        print(f"\nconversation model: {sum(STEPS.values())} steps: {dict(STEPS.most_common())}")
    assert all(
        STEPS[name]
        for name in ("send counted", "read", "recall", "delete", "clear", "remove", "restart")
    )
