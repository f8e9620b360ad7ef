"""Blacklists, mutes and bans against a model of plain sets, in any order, with restarts.

Requests are answered in one go or pile up; a message is judged by what was asked for before it
was sent, whether or not that is on the disk by then.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from improto import payloads
from improto.codes import ConnAckStatus, ErrorCode
from improto.frames import ConnAck, Disconnect, PubAck, QueryAck
from improto.operations import Topic
from tests.server.rig import APP, Rig

if TYPE_CHECKING:
    import pytest

    from improto.frames import MessageId
    from tests.server.rig import Client

USERS = ("alice", "bob", "carol")
users = st.sampled_from(USERS)
minutes = st.integers(1, 3)
STEPS: Counter[str] = Counter()


class BlacklistMachine(RuleBasedStateMachine):
    """Everything that users and operators do to each other's standing."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.directory.name), multi_device=True)
        self.clients: dict[str, Client] = {}
        # The model.
        self.blocked: set[tuple[str, str]] = set()
        self.muted: dict[str, int] = {}
        self.banned: dict[str, int] = {}
        self.expected: dict[tuple[str, MessageId], int] = {}

    def teardown(self) -> None:
        self.answers()
        self.rig.store.store.close()
        self.directory.cleanup()

    def client(self, name: str) -> Client | None:
        """A connection of the user, unless he is banned."""
        client = self.clients.get(name)
        if client is None:
            client = self.rig.client(name)
            ack, *_ = client.frames()
            is_banned = self.banned.get(name, 0) > self.rig.wall
            assert isinstance(ack, ConnAck)
            assert ack.status == (ConnAckStatus.BLOCK if is_banned else 0)
            if is_banned:
                return None
            self.clients[name] = client
        return client

    def answers(self) -> None:
        """Let everything be answered, and look whether the answers are right."""
        self.rig.settle()
        for name, client in self.clients.items():
            for frame in client.frames():
                if isinstance(frame, PubAck | QueryAck):
                    assert frame.status == self.expected.pop((name, frame.message_id))
        assert self.expected == {}

    def expect(self, name: str, message_id: MessageId, status: int) -> None:
        self.expected[name, message_id] = status

    # -- what happens ------------------------------------------------------------------

    @rule(owner=users, other=users)
    def block(self, owner: str, other: str) -> None:
        STEPS["block"] += 1
        client = self.client(owner)
        if client is None:
            return
        request = payloads.Add2BlackListInput(userId=other)
        message_id = client.query(Topic.ADD_BLACK, request)
        if owner == other:
            self.expect(owner, message_id, ErrorCode.BLACK_ADD_ERROR)
        else:
            self.expect(owner, message_id, 0)
            self.blocked.add((owner, other))

    @rule(owner=users, other=users)
    def unblock(self, owner: str, other: str) -> None:
        STEPS["unblock"] += 1
        client = self.client(owner)
        if client is not None:
            request = payloads.RemoveFromBlackListInput(userId=other)
            self.expect(owner, client.query(Topic.RM_BLACK, request), 0)
            self.blocked.discard((owner, other))

    @rule(owner=users, other=users)
    def ask(self, owner: str, other: str) -> None:
        STEPS["ask"] += 1
        client = self.client(owner)
        if client is not None:
            request = payloads.BlackListStatusInput(userId=other)
            message_id = client.query(Topic.BLACK_STAT, request)
            self.expect(owner, message_id, 0 if (owner, other) in self.blocked else 101)

    @rule(sender=users, receiver=users, topic=st.sampled_from([Topic.PP_MSG_P, Topic.PP_MSG_S]))
    def send(self, sender: str, receiver: str, topic: Topic) -> None:
        STEPS["send"] += 1
        client = self.client(sender)
        if client is None:
            return
        # Mutes are looked at when everything is known, so all of it must have been answered.
        self.answers()
        status = 0
        if self.muted.get(sender, 0) > self.rig.wall:
            status = ErrorCode.RC_MSG_UNAUTHORIZED
        elif (receiver, sender) in self.blocked:
            status = ErrorCode.REJECTED_BY_BLACKLIST
        self.expect(sender, client.publish(receiver, topic=topic), status)

    @rule(name=users, time=minutes)
    def mute(self, name: str, time: int) -> None:
        STEPS["mute"] += 1
        self.muted[name] = self.rig.wall + time * 60_000
        self.rig.do(self.rig.system.standings.mute((APP, name), until=self.muted[name]))

    @rule(name=users, time=minutes)
    def ban(self, name: str, time: int) -> None:
        STEPS["ban"] += 1
        self.answers()
        self.banned[name] = self.rig.wall + time * 60_000
        self.rig.do(self.rig.system.standings.ban((APP, name), until=self.banned[name]))
        client = self.clients.pop(name, None)
        if client is not None:
            assert any(isinstance(frame, Disconnect) for frame in client.frames())

    @rule(name=users)
    def unban(self, name: str) -> None:
        STEPS["unban"] += 1
        self.banned.pop(name, None)
        self.rig.do(self.rig.system.standings.ban((APP, name), until=0))

    @rule(seconds=st.sampled_from([1, 60, 150]))
    def wait(self, seconds: int) -> None:
        STEPS["wait"] += 1
        self.answers()
        self.rig.advance(seconds)

    @rule()
    def restart(self) -> None:
        STEPS["restart"] += 1
        self.answers()
        wall = self.rig.wall
        self.rig.store.store.close()
        self.rig = Rig(Path(self.directory.name), multi_device=True)
        self.rig.wall = wall
        self.clients.clear()

    @rule(name=users)
    def blacklist(self, name: str) -> None:
        STEPS["blacklist"] += 1
        client = self.client(name)
        if client is not None:
            self.answers()
            request = payloads.QueryBlackListInput(nothing=1)
            found = client.ask(Topic.GET_BLACK, request, payloads.QueryBlackListOutput).userIds
            assert list(found) == sorted(other for owner, other in self.blocked if owner == name)

    @invariant()
    def bans_are_known(self) -> None:
        now = self.rig.wall
        assert self.rig.system.standings.banned(APP, now=now) == {
            name: until for name, until in self.banned.items() if until > now
        }


def test_any_order_of_blocking_muting_banning_and_sending(
    capsys: pytest.CaptureFixture[str],
) -> None:
    STEPS.clear()
    run_state_machine_as_test(
        BlacklistMachine, settings=settings(settings.default, stateful_step_count=30)
    )
    with capsys.disabled():
        print(f"\nblacklist model: {sum(STEPS.values())} steps: {dict(STEPS.most_common())}")
    assert all(STEPS[name] for name in ("block", "unblock", "send", "mute", "ban", "restart"))
