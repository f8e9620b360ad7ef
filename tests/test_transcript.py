"""Transcripts: what is recorded replays, and what no longer does is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto.client import ClientConnection
from improto.config import Limits, Timing
from improto.errors import DecodeError, HandshakeRefused, WindowFull
from improto.events import CloseReason, ConnectionClosed
from improto.frames import PingReq, PingResp, ProtocolVersion
from improto.login import Login
from improto.operations import Topic
from improto.server import ServerConnection
from improto.session import ClientSession
from improto.testing import simulation
from improto.testing.simulation import Simulation
from improto.testing.transcript import Transcript, TranscriptMismatch, replay
from tests.helpers import LOGIN_TIME, connack, notify, outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN = Login(app_key="app", token="top secret", sdk_version="4.6.4")


def record_simulation(seed: int, *, is_hostile: bool = False, steps: int = 300) -> list[str]:
    """A random dialogue, both ends in one transcript."""
    lines: list[str] = []
    record = Transcript(lines.append).record
    with pytest.MonkeyPatch.context() as patch:
        for kind in (ClientConnection, ServerConnection):
            patch.setattr(simulation, kind.__name__, _recorded(kind, record))
        world = Simulation(seed, is_hostile=is_hostile, timing=Timing(pull=2.0))
        actions = (
            world.connect,
            world.friend_sends,
            world.friend_types,
            world.renotify,
            world.user_sends,
            world.user_asks,
            world.commit,
            world.acknowledge,
            partial(world.advance, 0.05),
            partial(world.advance, 3.0),
            world.cut,
        )
        for _ in range(steps):
            world.random.choice(actions)()
    return lines


def _recorded(kind: type, record: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: record(kind(*args, **kwargs))


class Recording:
    """Two ends to talk to, and their lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        transcript = Transcript(self.lines.append)
        self.client = transcript.record(
            ClientConnection(ClientSession(), limits=Limits(requests_in_flight=1))
        )
        self.server = transcript.record(ServerConnection(LOGIN, now=5.0))

    @property
    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.lines[-1])
        return line

    def change_last(self, **members: object) -> None:
        self.lines[-1] = json.dumps({**self.last, **members})


# --- Recording and replaying ------------------------------------------------------------------


@pytest.mark.parametrize("is_hostile", [False, True], ids=["bad day", "hostile"])
def test_whole_dialogues_replay(is_hostile: bool) -> None:
    lines = record_simulation(7, is_hostile=is_hostile)
    replay(lines)
    happened = {line.get("input") or line.get("output") for line in map(json.loads, lines)}
    assert happened >= {
        "acknowledge",
        "handle_timeout",
        "messages_to_send",
        "next_deadline",
        "next_event",
        "offer",
        "publish",
        "receive_eof",
        "receive_message",
    }


def test_a_session_goes_on_over_several_connections() -> None:
    sessions = [json.loads(line) for line in record_simulation(7) if line.startswith('{"session"')]
    assert [line["session"] for line in sessions] == [1]


def test_a_dialogue_is_the_same_whatever_the_hash_seed() -> None:
    program = "from tests.test_transcript import *; print(*record_simulation(3), sep='')"
    transcripts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(transcripts) == 1
    assert len(transcripts.pop()) > 10_000


def test_a_recorder_is_no_different_to_a_driver() -> None:
    recording = Recording()
    client, server = recording.client, recording.server
    client.connect(now=0.0)
    server.accept("u1", "s1", timestamp=LOGIN_TIME, now=5.0)
    for message in server.messages_to_send():
        client.receive_message(message, now=0.5)
    assert client.is_online
    assert client.session.user_id == "u1"
    assert client.requests_in_flight == 1
    assert server.profile.name == "4"
    assert client.next_deadline() == 5.5
    with pytest.raises(WindowFull):
        client.publish(outgoing(), now=1.0)
    assert recording.last["error"] == "WindowFull"
    assert server.notify(LOGIN_TIME, now=6.0).name == "ANNOUNCED"
    assert recording.last["result"] == {"Offered": "ANNOUNCED"}
    server.command(Topic.S_CMD, b"", now=6.5)
    with pytest.raises(AttributeError):
        client.accept  # type: ignore[attr-defined]  # noqa: B018
    replay(recording.lines)


def test_frames_instead_of_messages_and_errors_of_a_transport_replay() -> None:
    recording = Recording()
    client, server = recording.client, recording.server
    client.connect(now=0.0)
    client.receive_frame(connack(), now=0.1)
    client.receive_frame(PingResp(), now=0.2)
    client.receive_frame(notify(LOGIN_TIME, "a room"), now=0.3)
    assert PingReq() in client.frames_to_send()
    client.fail(DecodeError("bad bytes", offset=3), now=0.4)
    server.fail(HandshakeRefused("no", status=404), now=0.4)
    for end in (client, server):
        events = []
        while (event := end.next_event()) is not None:
            events.append(event)
        assert isinstance(events[-1], ConnectionClosed)
    assert events[-1].reason is CloseReason.VIOLATION
    replay(recording.lines)
    text = "".join(recording.lines)
    assert '{"Announced": {"topic": {"Topic": "S_NTF"}' in text
    assert '{"DecodeError": {"text": "bad bytes (at byte 3)", "reason": "bad bytes", "' in text
    assert '{"HandshakeRefused": {"text": "no", "status": 404}}' in text


def test_a_saved_session_and_version_4_replay() -> None:
    session = ClientSession()
    session.keep(outgoing(7), 7)
    lines: list[str] = []
    client = Transcript(lines.append).record(
        ClientConnection(session, protocol_version=ProtocolVersion.V4)
    )
    client.connect(now=0.0)
    client.receive_message(bytes.fromhex("20000000"), now=0.0)
    assert client.messages_to_send()
    replay(lines)


def test_a_token_is_not_written_down() -> None:
    assert not any(LOGIN.token in line for line in Recording().lines)


def test_only_what_gave_something_is_written_down() -> None:
    recording = Recording()
    before = len(recording.lines)
    assert recording.client.next_event() is None
    assert recording.client.messages_to_send() == []
    assert recording.client.next_deadline() is None
    assert len(recording.lines) == before
    recording.client.connect(now=0.0)
    assert [recording.client.next_deadline() for _ in range(3)] == [5.0] * 3
    assert len(recording.lines) == before + 2


# --- What no longer fits ----------------------------------------------------------------------


def test_another_output_is_named() -> None:
    recording = Recording()
    recording.server.refuse(3, now=5.0)
    recording.server.messages_to_send()
    replay(recording.lines)
    recording.change_last(result=[{"bytes": "20ff"}])
    with pytest.raises(TranscriptMismatch, match=r"^line 5: messages_to_send gave .*200003.*20ff"):
        replay(recording.lines)


def test_another_deadline_is_named() -> None:
    recording = Recording()
    recording.server.next_deadline()
    recording.change_last(result=16.0)
    with pytest.raises(TranscriptMismatch, match=r"^line 4: next_deadline gave 15.0 instead of 16"):
        replay(recording.lines)


@pytest.mark.parametrize("members", [{"error": "WindowFull"}, {"result": 5}], ids=["error", "id"])
def test_another_outcome_is_named(members: dict[str, Any]) -> None:
    recording = Recording()
    recording.client.connect(now=0.0)
    recording.change_last(result=None)
    line = {key: value for key, value in recording.last.items() if key != "result"}
    recording.lines[-1] = json.dumps({**line, **members})
    with pytest.raises(TranscriptMismatch, match=r"^line 4: connect gave {'result': None}"):
        replay(recording.lines)


def test_another_refusal_is_named() -> None:
    recording = Recording()
    recording.client.connect(now=0.0)
    recording.lines.append(recording.lines[-1])
    with pytest.raises(TranscriptMismatch, match=r"^line 5: connect gave .*'LocalProtocolError'"):
        replay(recording.lines)


def test_a_crash_is_recorded_and_replays_until_it_is_repaired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = Recording()
    with monkeypatch.context() as patch:
        patch.setattr(ClientConnection, "connect", lambda self, *, now: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recording.client.connect(now=0.0)
        assert recording.last.keys() == {"connection", "input", "arguments"}
        with pytest.raises(ZeroDivisionError) as caught:
            replay(recording.lines)
    assert "replaying line 4" in caught.value.__notes__[0]
    replay(recording.lines)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"connection": 1, "role": "client"}',
        '{"connection": 9, "input": "connect", "arguments": {}}',
        '{"connection": 1, "input": "explode", "arguments": {}}',
        '{"connection": 1, "input": "connect", "arguments": {"now": {"Nothing": 1}}}',
    ],
)
def test_a_line_of_something_else_is_refused(line: str) -> None:
    recording = Recording()
    with pytest.raises(ValueError, match=r"^line 4 is not one of a transcript"):
        replay([*recording.lines, line])


# --- What cannot be recorded ------------------------------------------------------------------


def test_it_is_too_late_for_a_connection_in_use() -> None:
    client = ClientConnection(ClientSession())
    client.connect(now=0.0)
    server = ServerConnection(LOGIN, now=0.0)
    server.refuse(3, now=0.0)
    transcript = Transcript(print)
    for connection in (client, server):
        with pytest.raises(ValueError, match="before its first input"):
            transcript.record(connection)


def test_it_is_too_late_for_a_session_in_use() -> None:
    world = Simulation(1)
    world.connect()
    world.advance(1.0)
    world.commit()
    world.friend_sends()
    world.advance(1.0)
    world.commit()
    world.advance(1.0)
    assert world.open
    with pytest.raises(ValueError, match="from its first connection"):
        Transcript(print).record(ClientConnection(world.session))


def test_a_value_of_another_world_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a set"):
        Recording().server.command(Topic.S_CMD, set(), now=0.0)  # type: ignore[arg-type]
