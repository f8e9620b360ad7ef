"""Clients that poll, on the whole server (http 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from improto._lines import Lines
from improto._polling import PollingSessions
from improto.config import Timing
from improto.http import HttpRequest
from tests.server.rig import APP, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from improto.http import HttpResponse
    from improto_server.hub import Device

TEXT = '{"sessionId":3,"classname":"RC:TxtMsg","content":"{\\"content\\":\\"hi\\"}"}'


class Asker:
    """A connection that waits for an answer."""

    address = "192.0.2.1:5000"

    def __init__(self) -> None:
        self.response: HttpResponse | None = None

    def respond(self, response: HttpResponse) -> None:
        self.response = response

    @property
    def said(self) -> Any:
        assert self.response is not None
        return json.loads(self.response.body) if self.response.status == 200 else "lost params"


class Polled:
    """The server's gateway behind long polling."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.lines = Lines(
            limits=rig.limits,
            timing=Timing(),
            clock=lambda: rig.now,
            flush_soon=lambda: None,
            wake_at=lambda deadline: None,
            report=_never,
        )
        numbers = iter(range(1000))
        self.sessions = PollingSessions(
            rig.gateway, lines=self.lines, make_id=lambda: f"S{next(numbers)}"
        )

    def ask(self, method: str, target: str, body: str = "") -> Asker:
        asker = Asker()
        self.sessions.ask(asker, HttpRequest(method=method, target=target, body=body.encode()))
        self.turn()
        return asker

    def turn(self) -> None:
        self.lines.flush()
        self.rig.settle()
        self.lines.flush()

    def connect(self, name: str, pid: str, sdk: str = "2.9.2") -> str:
        query = f"appId={APP}&token={name}&sdkVer={sdk}&pid={pid}"
        answer = self.ask("GET", f"/websocket?{query}").said
        assert answer["status"] == 0
        return str(answer["sessionid"])

    def poll(self, session: str) -> Asker:
        return self.ask("GET", f"/pullmsg.js?sessionid={session}")

    def post(self, session: str, header: int, topic: str, target: str, body: str) -> Any:
        query = f"messageid=1&header={header}&sessionid={session}&topic={topic}&targetid={target}"
        return self.ask("POST", f"/websocket?{query}", body).said[0]

    def pull(self, session: str) -> Any:
        body = '{"syncTime":0,"ispolling":false}'
        return json.loads(self.post(session, 82, "pullMsg", "x", body)["data"])


def _never(address: str, error: Exception) -> None:
    raise AssertionError from error


def devices(rig: Rig, name: str) -> list[Device]:
    user = rig.hub.find((APP, name))
    return user.devices if user is not None else []


def test_two_pages_talk(tmp_path: Path) -> None:
    polled = Polled(Rig(tmp_path))
    alice, bob = polled.connect("alice", "1"), polled.connect("bob", "2")
    for session in (alice, bob):
        assert polled.pull(session)["list"] == []
    poll = polled.poll(bob)
    acknowledged = polled.post(alice, 50, "ppMsgP", "bob", TEXT)
    assert acknowledged["status"] == 0
    polled.turn()
    [signal] = poll.said
    message = json.loads(signal["data"])
    assert (message["fromUserId"], message["content"]) == ("alice", '{"content":"hi"}')
    assert message["msgId"] == acknowledged["messageUId"]


def test_a_page_talks_with_a_websocket(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    polled = Polled(rig)
    alice, bob = polled.connect("alice", "1", "2.5.3"), rig.online("bob", "2.5.3")
    polled.pull(alice)
    poll = polled.poll(alice)
    bob.publish("alice")
    polled.turn()
    assert [signal["topic"] for signal in poll.said] == ["s_ntf"]
    assert len(polled.pull(alice)["list"]) == 1


def test_a_page_that_comes_back_replaces_itself_silently(tmp_path: Path) -> None:
    """``pid`` (http 5.5)."""
    rig = Rig(tmp_path)
    polled = Polled(rig)
    first = polled.connect("alice", "1.5")
    poll = polled.poll(first)
    second = polled.connect("alice", "1.5")
    assert poll.said == "lost params"
    assert len(devices(rig, "alice")) == 1
    assert polled.pull(second)["list"] == []


def test_another_page_is_another_device(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    polled = Polled(rig)
    for sdk, header in (("2.9.2", 224), ("2.5.3", -32)):
        poll = polled.poll(polled.connect("alice", "1", sdk))
        polled.connect("alice", "2", sdk)
        assert poll.said == [{"headerCode": header, "messageId": 0, "status": 1}]


def test_pages_that_do_not_know_their_id_are_different_ones(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    polled = Polled(rig)
    polls = [polled.poll(polled.connect("alice", "undefined")) for _ in range(2)]
    assert [poll.response for poll in polls] == [None, None]
    assert len(devices(rig, "alice")) == 2


def test_sdk_253_gets_no_copies(tmp_path: Path) -> None:
    """They would stop its polling (http 5.7); it is told to pull instead."""
    rig = Rig(tmp_path, multi_device=True)
    polled = Polled(rig)
    old, new = polled.connect("alice", "1", "2.5.3"), polled.connect("alice", "2")
    for session in (old, new):
        polled.pull(session)
    polls = [polled.poll(old), polled.poll(new)]
    rig.online("alice").publish("bob")
    polled.turn()
    topics = [[signal.get("topic") for signal in poll.said] for poll in polls]
    assert topics == [["s_ntf"], ["ppMsgP", None]]


def test_a_poll_that_waits_asks_the_store_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    polled = Polled(rig)
    session = polled.connect("alice", "1")
    polled.pull(session)
    reads = rig.store.reads
    for _ in range(3):
        poll = polled.poll(session)
        rig.advance(30.0)
        polled.lines.handle_timeouts()
        assert rig.settle() == 0
        assert poll.said == []
    assert rig.store.reads == reads


def test_who_polls_no_more_is_offline(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    polled = Polled(rig)
    polled.connect("alice", "1")
    rig.advance(59.0)
    polled.lines.handle_timeouts()
    assert len(devices(rig, "alice")) == 1
    rig.advance(1.0)
    polled.lines.handle_timeouts()
    assert devices(rig, "alice") == []
