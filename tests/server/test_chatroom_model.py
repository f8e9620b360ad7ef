"""Chatrooms against a model of plain sets: any order of coming, going, speaking and changing keys.

The store is real, and the server may be started anew at any moment.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services.chatrooms import ChatroomRules, Mark
from improto_server.services.entries import DELETED, OVERWRITE
from improto_server.store.chatrooms import AUTO_DELETE
from tests.server.rig import APP, START, Client, Rig
from tests.server.room_tools import (
    PRESENT,
    drop,
    keys,
    leave,
    members,
    pull,
    pull_keys,
    put,
    say,
    status,
    texts,
)

if TYPE_CHECKING:
    import pytest

USERS = ("alice", "bob", "carol")
ROOMS = ("lobby", "kitchen")
KEYS = ("k1", "k2", "k3", "k4")
MOST_KEYS = 3
MOST_MEMBERS = 2
AWAY = 30
IDLE = 3600

users = st.sampled_from(USERS)
rooms = st.sampled_from(ROOMS)
names = st.sampled_from(KEYS)
bits = st.sampled_from((0, AUTO_DELETE, OVERWRITE, AUTO_DELETE | OVERWRITE))


class Room:
    """What the model knows of a room."""

    def __init__(self, now: float) -> None:
        self.members: dict[str, float | None] = {}
        """Users, and when they are put out; None: they are connected."""
        self.empty_since: float | None = now
        self.keys: dict[str, tuple[str, str, bool]] = {}
        """Value, owner, whether it goes with him."""
        self.owners_away: dict[str, float] = {}
        """After a restart: who has to come back by when, or his keys go."""
        self.said: list[str] = []

    def left(self, user: str, now: float) -> None:
        del self.members[user]
        self.clean(user)
        if not self.members:
            self.empty_since = now

    def clean(self, user: str) -> None:
        self.keys = {
            key: entry for key, entry in self.keys.items() if not (entry[1] == user and entry[2])
        }


class ChatroomMachine(RuleBasedStateMachine):
    """Everything that users, time and the application's server may do to rooms."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name).resolve()
        self.rules = ChatroomRules(most_keys=MOST_KEYS, most_members=MOST_MEMBERS)
        self.rig = Rig(self.path, chatrooms=self.rules)
        self.clients: dict[str, Client] = {}
        # What each reads: the time of the last full or partial pull, and what he knows by it.
        self.cached: dict[tuple[str, str], tuple[int, dict[str, str]]] = {}
        self.rooms: dict[str, Room] = {}
        self.banned: set[tuple[str, str]] = set()
        self.number = 0
        self.steps_since_start = 0

    def teardown(self) -> None:
        self.rig.settle()
        self.rig.store.store.close()
        self.directory.cleanup()

    def client(self, user: str) -> Client:
        if user not in self.clients:
            self.clients[user] = self.rig.online(user)
            for room in self.rooms.values():
                if user in room.members:
                    room.members[user] = None
        return self.clients[user]

    def expected(self, room: str, user: str) -> ErrorCode | None:
        if room not in self.rooms:
            return ErrorCode.RC_CHATROOM_NOT_EXIST
        return None if user in self.rooms[room].members else ErrorCode.NOT_IN_CHATROOM

    def count(self, step: str) -> None:
        self.steps[step] += 1
        self.steps_since_start += 1

    @initialize()
    def begin(self) -> None:
        self.count("runs")
        for user in USERS[:MOST_MEMBERS]:
            self.join(user, ROOMS[0], again=False)

    # -- coming and going --------------------------------------------------------------

    @rule(user=users, room=rooms, again=st.booleans())
    def join(self, user: str, room: str, again: bool) -> None:
        self.count("join")
        found = status(
            self.client(user), Topic.JOIN_CHRM_R if again else Topic.JOIN_CHRM, PRESENT, room=room
        )
        if (room, user) in self.banned:
            assert found == ErrorCode.RC_CHATROOM_USER_KICKED
            return
        if room not in self.rooms:
            if again:
                assert found == ErrorCode.RC_CHATROOM_NOT_EXIST
                return
            self.rooms[room] = Room(self.rig.now)
        known = self.rooms[room]
        if user not in known.members and len(known.members) == MOST_MEMBERS:
            assert found == ErrorCode.RC_CHATROOM_IS_FULL
            return
        assert found == 0
        known.members[user] = None
        known.owners_away.pop(user, None)
        known.empty_since = None

    @rule(user=users, room=rooms)
    def exit(self, user: str, room: str) -> None:
        self.count("exit")
        client = self.client(user)
        if self.expected(room, user) is not None:
            refused = status(client, Topic.EXIT_CHRM, PRESENT, room=room)
            assert refused == ErrorCode.NOT_IN_CHATROOM
            return
        leave(client, room=room)
        self.rooms[room].left(user, self.rig.now)

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        self.count("cut")
        user = data.draw(st.sampled_from(sorted(self.clients)))
        self.clients.pop(user).leave()
        for room in self.rooms.values():
            if user in room.members:
                room.members[user] = self.rig.now + AWAY

    @rule(seconds=st.sampled_from((1, 10, 29, 30, IDLE)))
    def wait(self, seconds: int) -> None:
        self.count("wait")
        self.pass_time(seconds)

    def pass_time(self, seconds: int) -> None:
        self.rig.advance(float(seconds))
        self.rig.system.tick()
        self.rig.settle()
        now = self.rig.now
        for name, room in [*self.rooms.items()]:
            for user, until in [*room.members.items()]:
                if until is not None and until <= now:
                    room.left(user, now)
            for user, back_by in [*room.owners_away.items()]:
                if back_by <= now:
                    del room.owners_away[user]
                    room.clean(user)
            if room.empty_since is not None and room.empty_since + IDLE <= now:
                self.end(name)

    def end(self, room: str) -> None:
        del self.rooms[room]
        self.banned = {each for each in self.banned if each[0] != room}
        self.cached = {each: known for each, known in self.cached.items() if each[0] != room}

    @precondition(lambda self: self.steps_since_start >= 10)
    @rule()
    def restart(self) -> None:
        self.count("restart")
        self.steps_since_start = 0
        self.clients.clear()
        wall = self.rig.wall
        self.rig.store.store.close()
        self.rig = Rig(self.path, chatrooms=self.rules)
        # Its clocks begin where they began, so it is later by as much as has passed.
        self.rig.advance((wall - START) / 1000 + 1)
        begun = self.rig.now - (wall - START) / 1000 - 1
        for room in self.rooms.values():
            room.members.clear()
            room.empty_since = begun
            owners = {owner for _, owner, goes in room.keys.values() if goes}
            room.owners_away = dict.fromkeys(owners, begun + AWAY)
        self.pass_time(0)

    # -- speaking ----------------------------------------------------------------------

    @rule(user=users, room=rooms)
    def speak(self, user: str, room: str) -> None:
        self.count("speak")
        self.number += 1
        found = say(self.client(user), str(self.number), room=room)
        if (room, user) in self.banned:
            assert found == ErrorCode.RC_CHATROOM_USER_KICKED
            return
        assert found == (self.expected(room, user) or 0)
        if found == 0:
            self.rooms[room].said.append(f"{user} {self.number}")

    @rule(user=users, room=rooms, count=st.integers(-1, 5))
    def read(self, user: str, room: str, count: int) -> None:
        self.count("read")
        client = self.client(user)
        refusal = self.expected(room, user)
        if refusal is not None:
            request = payloads.ChrmPullMsg(syncTime=0, count=count)
            assert status(client, Topic.CHRM_PULL, request, room=room) == refusal
            return
        page = pull(client, 0, count, room=room)
        found = texts(page)
        said = [text.split()[1] for text in self.rooms[room].said]
        assert found == [text for text in said if text in found]
        if count < 0:
            assert found == []
        # What others have said is all there, up to the count.
        others = [text.split()[1] for text in self.rooms[room].said if not text.startswith(user)]
        assert len(found) >= min(len(others), count or 10)

    # -- keys --------------------------------------------------------------------------

    @rule(user=users, room=rooms, key=names, status_bits=bits)
    def set_key(self, user: str, room: str, key: str, status_bits: int) -> None:
        self.count("set")
        self.number += 1
        value = str(self.number)
        found = put(self.client(user), key, value, status_bits, room=room)
        refusal = self.expected(room, user)
        if refusal is None:
            known = self.rooms[room].keys
            if key not in known:
                refusal = ErrorCode.CHATROOM_KV_EXCEED if len(known) == MOST_KEYS else None
            elif known[key][1] != user and not status_bits & OVERWRITE:
                refusal = ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
        assert found == (refusal or 0)
        if refusal is None:
            self.rooms[room].keys[key] = (value, user, bool(status_bits & AUTO_DELETE))

    @rule(user=users, room=rooms, key=names, force=st.booleans())
    def delete_key(self, user: str, room: str, key: str, force: bool) -> None:
        self.count("delete")
        found = drop(self.client(user), key, DELETED | (OVERWRITE if force else 0), room=room)
        refusal = self.expected(room, user)
        if refusal is None:
            known = self.rooms[room].keys
            if key not in known:
                refusal = ErrorCode.CHATROOM_KEY_NOT_EXIST
            elif known[key][1] != user and not force:
                refusal = ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
        assert found == (refusal or 0)
        if refusal is None:
            del self.rooms[room].keys[key]

    @rule(user=users, room=rooms)
    def follow_keys(self, user: str, room: str) -> None:
        """What a client puts together from the changes is what there is."""
        client = self.client(user)
        if self.expected(room, user) is not None:
            return
        self.count("follow")
        time, known = self.cached.get((room, user), (0, {}))
        reply = pull_keys(client, time, room=room)
        assert reply.syncTime >= time
        known = {} if reply.bFullUpdate else dict(known)
        for entry in reply.entries:
            assert entry.timestamp <= reply.syncTime
            if entry.status & DELETED:
                known.pop(entry.key, None)
            else:
                known[entry.key] = entry.value
        self.cached[room, user] = (reply.syncTime, known)
        assert known == {key: value for key, (value, _, _) in self.rooms[room].keys.items()}

    # -- the application's server ------------------------------------------------------

    @rule(user=users, room=rooms, is_banned=st.booleans())
    def ban(self, user: str, room: str, is_banned: bool) -> None:
        self.count("ban")
        until = 2 * START if is_banned else 0
        self.rig.do(self.rig.system.rooms.mark(APP, room, user, Mark.BANNED, until=until))
        if is_banned:
            self.banned.add((room, user))
            if room in self.rooms and user in self.rooms[room].members:
                self.rooms[room].left(user, self.rig.now)
        else:
            self.banned.discard((room, user))

    @rule(room=rooms)
    def destroy(self, room: str) -> None:
        self.count("destroy")
        self.rig.do(self.rig.system.rooms.destroy(APP, room))
        if room in self.rooms:
            self.end(room)

    # -- what is always true -----------------------------------------------------------

    @invariant()
    def everybody_is_where_he_is(self) -> None:
        for name in ROOMS:
            loaded: Any = self.rig.do(self.rig.system.rooms.load(APP, name))
            known = self.rooms.get(name)
            assert loaded.exists == (known is not None)
            if known is None:
                continue
            assert set(loaded.members) == set(known.members)
            for user in known.members:
                if user in self.clients:
                    assert members(self.clients[user], room=name) == list(loaded.members)
                    assert keys(self.clients[user], room=name) == {
                        key: value for key, (value, _, _) in known.keys.items()
                    }


def test_chatrooms_are_as_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    ChatroomMachine.steps.clear()
    machine = ChatroomMachine.TestCase()
    machine.settings = settings(stateful_step_count=40)
    machine.runTest()
    steps = ChatroomMachine.steps
    with capsys.disabled():
        print(f"\nchatroom model: {steps.total() - steps['runs']} steps: {dict(steps)}")
    assert set(steps) >= {"join", "exit", "cut", "wait", "restart", "speak", "set", "delete"}
